"""How many ranks share a batch decides how long a step takes, and nothing else."""

import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ganzoo import api
from ganzoo.config import merge
from ganzoo.errors import UsageError
from ganzoo.pipeline.draft import draft_new
from ganzoo.pipeline.session import Session
from ganzoo.specs import Architecture, Loss, Model
from ganzoo.training.layers.batchnorm import GlobalBatchNorm
from ganzoo.training.ranks import ALONE, Ranks, joined
from ganzoo.training.torchrun import leave
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

if TYPE_CHECKING:
    from tests.distributed.conftest import Launch

Shared = Callable[[int], list[dict[str, Tensor]]]

STEPS = 50
STILL = {"generator": {"lr": 1e-30}, "discriminator": {"lr": 1e-30}}
"""A step that moves no weight, so that both networks' gradients are those at the weights they started with."""


def declared(model: Model) -> bool:
    """Whether its architecture or loss says that ranks do change what it computes."""
    home = zoo().owner(model).distribution
    parts = (zoo().get(Architecture, model.architecture, home=home), zoo().get(Loss, model.loss, home=home))
    return any(part.batch_coupled for part in parts)


MODELS = [zoo().shortest(spec) for spec in zoo().all(Model) if not declared(spec)]
FOLLOWED = [name for name in MODELS if name in ("conditional", "dcgan", "vanilla", "wgan", "wgan-gp")]
"""Models that are followed for ``STEPS`` steps; a few steps of each are in its conformance test."""

COUNTS = {2: MODELS, 4: ["conditional", "wgan-gp"]}
"""Ranks -> the models that so many train: of four, one with labels and BatchNorm, and one with a penalty."""


def make(home: Path, ranks: Ranks, model: str, **settings: Any) -> Trainer:
    """A narrow network's trainer on 8-pixel digits, with all that is drawn for a batch."""
    recipe = resolve(zoo(), model)
    small = {
        "options": {"width": 8} if "width" in {field.name for field in fields(recipe.architecture.options)} else {},
        "batch": 8,
        "critic_steps": min(recipe.config.critic_steps, 2),
        "flip": True,
        "augment": "diffaugment",
        "device": "cpu",
        "threads": 1,
    }
    store = api.open_registry(home / "registry")
    draft = draft_new(store, model, merge(small, settings))
    return Session(store, home / "runs", ranks=ranks).plan(draft).trainer


def gradients(home: Path, ranks: Ranks, model: str) -> dict[str, Tensor]:
    """Of both networks, at the first weights; in fp64 of models that are not followed, some of which are deep."""
    trainer = make(home, ranks, model, precision="fp32" if model in FOLLOWED else "fp64", **STILL)
    trainer.step()
    return {
        f"gradient.{name}": torch.cat([w.grad.flatten() for w in network.parameters() if w.grad is not None])
        for name, network in (("generator", trainer.generator), ("discriminator", trainer.discriminator))
    }


def curve(home: Path, ranks: Ranks, model: str) -> dict[str, Tensor]:
    """What is logged in each of ``STEPS`` steps in fp64, and all weights and buffers after them."""
    trainer = make(home, ranks, model, precision="fp64")
    logged = defaultdict(list)
    for _ in range(STEPS):
        trainer.step()
        trainer.telemetry.average(ranks)
        for name, mean in trainer.telemetry.means().items():
            logged[f"logged.{name}"].append(mean)
        trainer.telemetry.reset()
    curves = {name: torch.tensor(means, dtype=torch.float64) for name, means in logged.items()}
    state = {
        f"state.{name}.{key}": value.contiguous()
        for name, module in trainer.modules().items()
        for key, value in module.state_dict().items()
    }
    return curves | state


def in_parts(home: Path, ranks: Ranks) -> dict[str, Tensor]:
    """Gradients in fp64 of batches that each of several ranks computes in two parts, and one process in one.

    Without the statistics of BatchNorm, which sees one part at a time.
    """
    trainer = make(home, ranks, "wgan-gp", precision="fp64", accumulate=min(ranks.count, 2), **STILL)
    for layer in trainer.generator.modules():
        if isinstance(layer, GlobalBatchNorm | nn.modules.batchnorm._BatchNorm):
            layer.eval()
    trainer.step()
    return {
        f"parts.{name}": torch.cat([weight.grad.flatten() for weight in network.parameters()])  # type: ignore[union-attr]
        for name, network in (("generator", trainer.generator), ("discriminator", trainer.discriminator))
    }


def everything(home: Path, ranks: Ranks) -> dict[str, Tensor]:
    """The two, of every model that so many ranks train, and the third."""
    return in_parts(home, ranks) | {
        f"{model}/{name}": value
        for model in COUNTS.get(ranks.count, MODELS)
        for name, value in (
            gradients(home, ranks, model) | (curve(home, ranks, model) if model in FOLLOWED else {})
        ).items()
    }


@pytest.fixture(scope="module")
def shared(launch: "Launch") -> Shared:
    """``shared(count)``: what each of so many ranks computed."""
    return cache(lambda count: [outcome.tensors for outcome in launch(count, __file__)])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """What one process computes, of all models."""
    return everything(tmp_path_factory.mktemp("alone"), ALONE)


@pytest.mark.parametrize(("count", "model"), [(count, model) for count, models in COUNTS.items() for model in models])
def test_one_step_has_the_gradients_of_one_process(
    alone: dict[str, Tensor], shared: Shared, count: int, model: str
) -> None:
    for network in ("generator", "discriminator"):
        name = f"{model}/gradient.{network}"
        for rank in shared(count):
            assert (rank[name] - alone[name]).norm() <= 1e-5 * alone[name].norm(), network


@pytest.mark.parametrize(
    ("count", "model"), [(count, model) for count, models in COUNTS.items() for model in models if model in FOLLOWED]
)
def test_the_first_steps_are_those_of_one_process(
    alone: dict[str, Tensor], shared: Shared, count: int, model: str
) -> None:
    """In fp64, because rounding is the only difference, and grows with every step."""
    names = [name for name in alone if name.startswith((f"{model}/logged.", f"{model}/state."))]
    assert f"{model}/logged.loss_g" in names
    for name in names:
        for rank in shared(count):
            torch.testing.assert_close(rank[name], alone[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@pytest.mark.parametrize("count", COUNTS)
def test_parts_of_ranks_are_one_batch(alone: dict[str, Tensor], shared: Shared, count: int, network: str) -> None:
    whole = alone[f"parts.{network}"]
    assert whole.any()
    for rank in shared(count):
        assert (rank[f"parts.{network}"] - whole).norm() <= 1e-9 * whole.norm()


@pytest.mark.parametrize("count", COUNTS)
def test_all_ranks_have_the_same_to_the_bit(alone: dict[str, Tensor], shared: Shared, count: int) -> None:
    """So that a checkpoint of one is a checkpoint of all, whatever the rounding."""
    first, *others = shared(count)
    assert first.keys() == {name for name in alone if "/" not in name or name.partition("/")[0] in COUNTS[count]}
    for rank in others:
        assert rank.keys() == first.keys()
        assert [name for name in rank if not torch.equal(rank[name], first[name])] == []


@pytest.mark.parametrize(
    ("ranks", "settings", "message", "hint"),
    [
        (3, {}, "a batch of 8 cannot be divided among 3 ranks", "--batch 9: a multiple of 3"),
        (
            4,
            {"accumulate": 4},
            "a batch of 8 cannot be divided among 4 ranks of 4 parts each",
            "--batch 16: a multiple of 16",
        ),
    ],
)
def test_a_batch_that_ranks_do_not_divide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: int, settings: dict[str, Any], message: str, hint: str
) -> None:
    monkeypatch.setattr(Ranks, "check_told", lambda *_: None)  # there are no others
    with pytest.raises(UsageError) as caught:
        make(tmp_path, Ranks(0, ranks), "vanilla", **settings)
    assert str(caught.value) == message
    assert caught.value.hint == hint


def main(home: str) -> None:
    """What one rank does."""
    with joined("cpu") as ranks:
        save_file(everything(Path(home), ranks), Path(home) / f"{ranks.rank}.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
    leave(0)
