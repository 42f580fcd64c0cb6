"""Out of memory: what would fit is found by trying, and said."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganzoo.errors import GanzooError
from ganzoo.networks.allocation import is_out_of_memory
from ganzoo.training.batch import Batch
from ganzoo.training.memory import explained, fitting_batch
from ganzoo.training.objective import Phase, Told
from ganzoo.training.ranks import Ranks
from ganzoo.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]

CPU_MESSAGE = "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"


@pytest.fixture
def cramped(make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch) -> MakeTrainer:
    """A trainer on a machine that has memory for ``room`` images at once."""

    def make(room: int, network: str = "", **settings: Any) -> Trainer:
        trainer = make_trainer("dcgan", **settings)
        compute = trainer.objective.gradients

        def gradients(phase: Phase, batch: Batch, fake: torch.Tensor, scale: torch.Tensor | None) -> Told:
            if len(batch.z) > room and phase.network.startswith(network):
                raise RuntimeError(CPU_MESSAGE)
            return compute(phase, batch, fake, scale)

        monkeypatch.setattr(trainer.objective, "gradients", gradients)
        return trainer

    return make


@pytest.mark.parametrize(("room", "fits"), [(63, 32), (32, 32), (9, 8), (2, 2)])
def test_what_fits(
    cramped: MakeTrainer,
    room: int,
    fits: int,
    weights: Callable[[Trainer], dict[str, torch.Tensor]],
    same: Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool],
) -> None:
    trainer = cramped(room, batch=64)
    before = weights(trainer)
    assert fitting_batch(trainer) == fits
    assert same(weights(trainer), before)


def test_it_is_said(cramped: MakeTrainer) -> None:
    trainer = cramped(17, batch=64)
    with pytest.raises(GanzooError) as caught, explained(trainer):
        trainer.step()
    assert str(caught.value) == "out of memory on cpu: 64 images at once are too many, and 16 would fit"
    assert caught.value.hint == "--batch 16, or --accumulate 4 to compute the batch of 64 in parts"


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_in_either_phase(cramped: MakeTrainer, network: str) -> None:
    trainer = cramped(17, network, batch=64)
    with pytest.raises(GanzooError, match="64 images at once are too many, and 16 would fit"), explained(trainer):
        trainer.step()


@pytest.mark.parametrize(
    ("batch", "room", "hint"),
    [
        (100, 12, "--batch 12, or --accumulate 10 to compute the batch of 100 in parts"),
        (50, 24, "--batch 12, or --accumulate 5 to compute the batch of 50 in parts"),
        (37, 24, "--batch 18"),
    ],
)
def test_parts_divide_the_batch(cramped: MakeTrainer, batch: int, room: int, hint: str) -> None:
    trainer = cramped(room, batch=batch)
    with pytest.raises(GanzooError) as caught, explained(trainer):
        trainer.step()
    assert caught.value.hint == hint


def test_beside_the_steps(make_trainer: MakeTrainer) -> None:
    """As in a preview, after the generator's phase, whose critic is frozen: the batch is not to blame."""
    trainer = make_trainer("dcgan")
    trainer.step()
    with pytest.raises(GanzooError) as caught, explained(trainer):
        raise MemoryError
    assert str(caught.value) == "out of memory on cpu, although 8 images at once fit by themselves"
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("--batch, --size")


def test_a_rank_tries_nothing(make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others would have to be there in BatchNorm."""
    trainer = make_trainer("dcgan", batch=64)
    trainer.ranks = Ranks(1, 2)
    monkeypatch.setattr(trainer.objective, "gradients", None)
    with pytest.raises(GanzooError) as caught, explained(trainer):
        raise MemoryError
    assert str(caught.value) == "out of memory on cpu: 32 images at once on each of 2 ranks are too many"
    assert caught.value.hint == "--batch 32, or --accumulate 2 to compute the batch of 64 in parts"


def test_what_it_advises_helps(cramped: MakeTrainer) -> None:
    trainer = cramped(17, batch=64, accumulate=4)
    with explained(trainer):
        trainer.step()
    assert trainer.steps_done == 1


def test_nothing_fits(cramped: MakeTrainer) -> None:
    trainer = cramped(0, batch=64)
    with pytest.raises(GanzooError, match=r"(?m)64 images at once are too many$") as caught, explained(trainer):
        trainer.step()
    assert caught.value.hint == "a smaller --size, or fewer or narrower layers (--set options.…)"


def test_other_errors_pass(make_trainer: MakeTrainer) -> None:
    with pytest.raises(RuntimeError, match="something else"), explained(make_trainer("dcgan")):
        raise RuntimeError("something else")


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(CPU_MESSAGE)]
)
def test_its_forms(error: Exception) -> None:
    assert is_out_of_memory(error)
