"""Checkpoints: everything that the next step depends on, to the bit, and nothing that is damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors import safe_open

from ganzoo.errors import ExitCode, IntegrityError
from ganzoo.networks.weights import load_network, network_bytes
from ganzoo.training import checkpoint
from ganzoo.training.precision import running_on
from ganzoo.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]
Weights = Callable[[Trainer], dict[str, torch.Tensor]]
Same = Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool]


@pytest.fixture
def trained(make_trainer: MakeTrainer, tmp_path: Path) -> tuple[Trainer, Path]:
    """A narrow DCGAN after 2 steps, and its checkpoint."""
    trainer = make_trainer("dcgan", seed=1)
    trainer.step()
    trainer.step()
    path = tmp_path / "step.safetensors"
    checkpoint.write(trainer, path)
    return trainer, path


def test_the_next_step_is_the_same_to_the_bit(
    model: str, make_trainer: MakeTrainer, weights: Weights, same: Same, tmp_path: Path
) -> None:
    trainer, restored = make_trainer(model, seed=1), make_trainer(model, seed=1)
    for _ in range(2):
        trainer.step()
    checkpoint.write(trainer, tmp_path / "step.safetensors")
    checkpoint.read(restored, tmp_path / "step.safetensors")
    assert restored.steps_done == 2
    assert any(".exp_avg_sq" in key for key in weights(restored))
    for _ in range(2):
        assert same(weights(trainer), weights(restored))
        trainer.step()
        restored.step()


def test_what_is_read_is_not_the_seeds(
    trained: tuple[Trainer, Path], make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    """A trainer that is elsewhere has, after reading, nothing of its own left."""
    trainer, path = trained
    other = make_trainer("dcgan", seed=1)
    for _ in range(5):
        other.step()
    checkpoint.read(other, path)
    assert same(weights(trainer), weights(other))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("vanilla", {"seed": 1}),
        ("dcgan", {"seed": 1, "options": {"width": 16}}),
        ("dcgan", {"seed": 2}),
        ("dcgan", {"seed": 1, "loss": "hinge"}),
        ("dcgan", {"seed": 1, "generator": {"lr": 1e-3}}),
    ],
)
def test_one_of_another_training_is_refused(
    trained: tuple[Trainer, Path],
    make_trainer: MakeTrainer,
    weights: Weights,
    same: Same,
    model: str,
    settings: dict[str, Any],
) -> None:
    """Whether or not its tensors would fit; and nothing is taken from it."""
    _, path = trained
    other = make_trainer(model, **settings)
    before = weights(other)
    assert str(refused(other, path)) == f"{path}: is of a training with another configuration"
    assert same(weights(other), before)


@pytest.mark.parametrize("settings", [{"steps": 77}, {"threads": 2}, {"report_every": 3, "name": "other"}])
def test_what_a_resumed_run_may_change_makes_no_other_training(
    trained: tuple[Trainer, Path], make_trainer: MakeTrainer, settings: dict[str, Any]
) -> None:
    _, path = trained
    checkpoint.read(make_trainer("dcgan", seed=1, **settings), path)


def test_adams_state_has_its_parameters_memory_format(trained: tuple[Trainer, Path], make_trainer: MakeTrainer) -> None:
    """Fused Adam goes through memory in order: state in another format is another update, or a slow one."""
    _, path = trained
    restored = make_trainer("dcgan", seed=1)
    checkpoint.read(restored, path)
    kernels = [p for p in restored.discriminator.parameters() if p.ndim == 4 and not p.is_contiguous()]
    assert kernels
    for kernel in kernels:
        state = restored.optimizations["discriminator"]._optimizer.state[kernel]
        assert kernel.is_contiguous(memory_format=torch.channels_last)
        assert state["exp_avg"].stride() == state["exp_avg_sq"].stride() == kernel.stride()


def test_any_reader_of_safetensors_can_read_it(trained: tuple[Trainer, Path]) -> None:
    """No pickle, and no torch needed: names, shapes and the step are plain."""
    trainer, path = trained
    with safe_open(path, framework="np") as file:
        names = set(file.keys())
        header = json.loads(file.metadata()["ganzoo"])
        assert (header["format"], header["steps_done"]) == ("1", 2)
        for name, parameter in trainer.generator.named_parameters():
            assert (file.get_tensor(f"generator.{name}") == parameter.detach().numpy()).all()
            for state in ("exp_avg", "exp_avg_sq", "step"):
                assert f"adam.generator.{name}.{state}" in names
            assert f"generator-ema.{name}" in names


def test_nothing_is_left_beside_it(trained: tuple[Trainer, Path]) -> None:
    _, path = trained
    assert [entry.name for entry in path.parent.iterdir() if entry.is_file()] == [path.name]


def refused(trainer: Trainer, path: Path) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught:
        checkpoint.read(trainer, path)
    assert caught.value.exit_code == ExitCode.INTEGRITY
    return caught.value


@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_truncated(trained: tuple[Trainer, Path], part: float) -> None:
    trainer, path = trained
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    error = refused(trainer, path)
    assert str(error).startswith(f"checkpoint {path} is damaged: ")
    assert error.hint == "remove it, and --resume goes on from the one before"


def test_gone(trained: tuple[Trainer, Path]) -> None:
    trainer, path = trained
    path.unlink()
    assert str(refused(trainer, path)) == f"checkpoint {path} is missing"


def test_of_another_step_than_its_name_says(trained: tuple[Trainer, Path]) -> None:
    trainer, path = trained
    other = path.with_name(f"step-{trainer.steps_done + 1:08d}.safetensors")
    path.rename(other)
    holds = f"it holds step {trainer.steps_done}, as a copy of another file would"
    assert str(refused(trainer, other)) == f"checkpoint {other} is damaged: {holds}"


def test_without_our_metadata(trained: tuple[Trainer, Path]) -> None:
    from safetensors.torch import save

    trainer, path = trained
    path.write_bytes(save({"x": torch.zeros(1)}))
    assert str(refused(trainer, path)).startswith(f"checkpoint {path} is damaged: ")


def test_from_the_future(trained: tuple[Trainer, Path]) -> None:
    from safetensors.torch import save

    trainer, path = trained
    path.write_bytes(save({"x": torch.zeros(1)}, {"ganzoo": json.dumps({"format": "2", "steps_done": 1})}))
    error = refused(trainer, path)
    assert str(error) == f"checkpoint {path} is of a newer ganzoo"
    assert error.hint == "pip install --upgrade ganzoo"


def test_any_flipped_bit_is_refused(trained: tuple[Trainer, Path]) -> None:
    """Header or content: a resumed run must not go on from what was not saved."""
    trainer, path = trained
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")

    @settings(database=None)
    @given(bit=st.integers(0, header * 8 - 1) | st.integers(header * 8, len(data) * 8 - 1))
    def flip(bit: int) -> None:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        # A flip in the format field looks like a format to come.
        assert str(refused(trainer, path)).startswith(
            (f"checkpoint {path} is damaged: ", f"checkpoint {path} is of a ")
        )

    flip()


def test_a_network_by_itself(make_trainer: MakeTrainer) -> None:
    """What the registry holds: the weights of one network, and refused by any other."""
    one, other = make_trainer("dcgan", seed=1), make_trainer("dcgan", seed=2)
    data = network_bytes(one.generator)
    load_network(other.generator, data, "dcgan:1")
    for key, value in one.generator.state_dict().items():
        assert torch.equal(other.generator.state_dict()[key], value)
    with pytest.raises(IntegrityError, match="dcgan:1: is another model's: "):
        load_network(other.discriminator, data, "dcgan:1")
    with pytest.raises(IntegrityError, match="dcgan:1: not a safetensors file"):
        load_network(other.generator, data[:100], "dcgan:1")


def test_going_back_moves_no_tensor(make_trainer: MakeTrainer, weights: Weights, same: Same) -> None:
    """Weights and Adam's state keep their place in memory, where a CUDA graph would look for them."""
    trainer = make_trainer("dcgan", seed=1)
    beginning = checkpoint.take(trainer)
    trainer.step()
    after_one = checkpoint.take(trainer), weights(trainer)
    moments = [value for each in trainer.optimizations.values() for value in each.moments().values()]
    places = [tensor.data_ptr() for tensor in [*trainer.generator.parameters(), *moments]]
    trainer.step()
    checkpoint.put_back(trainer, after_one[0], "memory")
    assert same(weights(trainer), after_one[1])
    # At the beginning there was no state, which is the same as one of zeros.
    checkpoint.put_back(trainer, beginning, "memory")
    assert trainer.steps_done == 0
    trainer.step()
    assert same(weights(trainer), after_one[1])
    assert [tensor.data_ptr() for tensor in [*trainer.generator.parameters(), *moments]] == places


def test_scalars_travel_in_the_header(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    trainer, restored = make_trainer("vanilla"), make_trainer("vanilla")
    trainer.lr_factor = 0.5
    checkpoint.write(trainer, tmp_path / "file")
    assert checkpoint.load(tmp_path / "file").scalars == {"lr_factor": 0.5}
    checkpoint.read(restored, tmp_path / "file")
    assert restored.lr_factor == 0.5
    restored.step()
    assert {group["lr"] for each in restored.optimizations.values() for group in each._optimizer.param_groups} == {1e-4}


def test_a_snapshot_is_of_its_moment(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("dcgan")
    trainer.step()
    snapshot = checkpoint.take(trainer)
    before = checkpoint.encode(snapshot)
    trainer.step()
    assert checkpoint.encode(snapshot) == before


@pytest.mark.gpu
def test_a_snapshot_from_cuda_is_pinned_and_of_its_moment(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("dcgan", device="cuda", executor="eager", deterministic=True)
    with running_on(torch.get_num_threads(), deterministic=True):
        trainer.step()
        snapshot = checkpoint.take(trainer)
        trainer.step()
        assert all(tensor.is_pinned() for tensor in snapshot.tensors.values() if tensor.numel())
        later = checkpoint.encode(checkpoint.take(trainer))
        assert checkpoint.encode(snapshot) != later
        checkpoint.put_back(trainer, snapshot, "memory")
        trainer.step()
        assert checkpoint.encode(checkpoint.take(trainer)) == later
