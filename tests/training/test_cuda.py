"""What only a CUDA device can show."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganzoo import api
from ganzoo.records.result import TrainResult
from ganzoo.training.executors.cudagraph import CudaGraph
from ganzoo.training.executors.selftest import gradient
from ganzoo.training.executors.unmoved import unmoved
from ganzoo.training.feed import Resident
from ganzoo.training.objective import Phase
from ganzoo.training.precision import running_on
from ganzoo.training.trainer import Trainer
from ganzoo.training.watchdog import bad_number

MakeTrainer = Callable[..., Trainer]

pytestmark = pytest.mark.gpu


def test_data_and_networks_live_on_the_device(model: str, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(model, device="cuda", precision="bf16")
    feed = trainer.batches.feed
    assert isinstance(feed, Resident)
    assert feed._pixels.device.type == "cuda"
    assert feed._pixels.dtype == torch.int8
    for module in trainer.modules().values():
        assert {parameter.device.type for parameter in module.parameters()} == {"cuda"}
        assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    for _ in range(3):
        trainer.step()
    assert bad_number(trainer, weights=True) is None  # of optimizers that count on the CPU, too


def test_bf16_gradients_are_those_of_fp32(model: str, make_trainer: MakeTrainer) -> None:
    still = {"generator": {"lr": 1e-30}, "discriminator": {"lr": 1e-30}, "critic_steps": 1}
    trainers = [make_trainer(model, device="cuda", precision=precision, **still) for precision in ("fp32", "bf16")]
    for trainer in trainers:
        trainer.step()
    for network in ("generator", "discriminator"):
        exact, rounded = (
            torch.cat([parameter.grad.flatten() for parameter in trainer.modules()[network].parameters()])  # type: ignore[union-attr]
            for trainer in trainers
        )
        assert (rounded - exact).norm() < 0.2 * exact.norm(), network


def captured(make_trainer: MakeTrainer, model: str, **settings: Any) -> Trainer:
    """A trainer whose updates are CUDA graphs."""
    trainer = make_trainer(model, device="cuda", executor="cudagraph", **settings)
    notes: list[str] = []
    trainer.prepare(notes.append)
    assert notes == []
    assert isinstance(trainer._executor, CudaGraph)
    return trainer


@pytest.fixture
def exact() -> Iterator[None]:
    """torch's switches as a training with ``deterministic`` has them: else cuDNN may choose otherwise each time."""
    with running_on(torch.get_num_threads(), deterministic=True):
        yield


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_graphs_compute_what_eager_does(model: str, precision: str, make_trainer: MakeTrainer) -> None:
    """The gradients of each phase, to the bit: the same kernels in the same order."""
    eager = make_trainer(model, device="cuda", executor="eager", precision=precision, deterministic=True)
    expected = gradients(eager)
    replayed = gradients(captured(make_trainer, model, precision=precision, deterministic=True))
    for phase, found in replayed.items():
        assert torch.equal(found, expected[phase]), phase


def gradients(trainer: Trainer) -> dict[Phase, torch.Tensor]:
    """Phase -> what its network would learn from the first batch."""
    found = {}
    for phase in [*trainer.objective.phases("discriminator"), Phase("generator")]:
        trainer.ready(phase)
        with unmoved(trainer.objective):
            trainer._executor.learn(phase, trainer.batches.draw(0, 0), None, None)
            found[phase] = gradient(trainer.objective.network(phase))
    return found


def test_capturing_moves_nothing(
    model: str, make_trainer: MakeTrainer, weights: Callable[[Trainer], dict[str, torch.Tensor]]
) -> None:
    trainer = captured(make_trainer, model)
    fresh = weights(make_trainer(model, device="cuda", executor="cudagraph"))
    for key, value in weights(trainer).items():
        assert torch.equal(value, fresh[key]) if key in fresh else not value.any(), key


@pytest.mark.usefixtures("exact")
def test_a_captured_training_follows_the_eager_one(model: str, make_trainer: MakeTrainer) -> None:
    one = captured(make_trainer, model, precision="fp32", deterministic=True)
    other = make_trainer(model, device="cuda", executor="eager", precision="fp32", deterministic=True)
    for _ in range(5):
        one.step()
        other.step()
    assert one.telemetry.means() == pytest.approx(other.telemetry.means(), rel=1e-3)


def test_learning_rates_reach_a_graph(make_trainer: MakeTrainer) -> None:
    """A rate of 0 moves no weight, whatever it was at the capture."""
    trainer = captured(make_trainer, "dcgan")
    trainer.step()
    trainer.lr_factor = 0.0
    before = [weight.clone() for weight in trainer.generator.parameters()]
    trainer.step()
    assert all(torch.equal(*pair) for pair in zip(trainer.generator.parameters(), before, strict=True))


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("executor", ["eager", "cudagraph"])
def test_a_step_waits_for_nothing(make_trainer: MakeTrainer, executor: str) -> None:
    """Between reports no step may synchronise with the device."""
    trainer = make_trainer("wgan-gp", device="cuda", precision="bf16", executor=executor)
    trainer.prepare(pytest.fail)
    trainer.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_whole_training_and_its_export(model: str, tmp_path: Path, own_registry: Path) -> None:
    """Trained in bf16 on CUDA, exported through the gates, parity with torch on the CPU among them."""
    result = api.train(
        model,
        settings={"steps": 30, "device": "cuda", "precision": "bf16"},
        registry=own_registry,
        runs=tmp_path / "runs",
    )
    assert result.onnx is not None
    assert "parity" in " ".join(result.gates)
    images = api.load(str(result.version), registry=own_registry, device="cpu").sample(8, seed=7)
    assert images.shape == (8, 8, 8, 1)
    assert images.dtype == np.uint8


def test_resuming_is_exact_with_deterministic_algorithms(train: Callable[..., TrainResult]) -> None:
    """To the bit on one kind of GPU, if asked for."""
    settings = {"device": "cuda", "deterministic": True, "executor": "eager", "precision": "fp32"}
    whole = train("dcgan", steps=6, name="whole", **settings)
    half = train("dcgan", steps=3, name="half", **settings)
    resumed = train("", resume=str(half.run), steps=6)
    names = ("generator", "discriminator", "generator-ema")
    store = api.open_registry()
    assert [store.read(resumed.version, name) for name in names] == [store.read(whole.version, name) for name in names]


def test_resuming_goes_on_where_it_was(train: Callable[..., TrainResult]) -> None:
    """Else CUDA promises no bits; a resumed run starts from the same weights and stays close for some steps."""
    whole = train("vanilla", steps=6, device="cuda", precision="fp32")
    half = train("vanilla", steps=3, device="cuda", precision="fp32")
    resumed = train("", resume=str(half.run), steps=6)
    assert resumed.metrics["loss_d"] == pytest.approx(whole.metrics["loss_d"], rel=0.05)
