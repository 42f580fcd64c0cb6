"""What only a CUDA device can show."""

import numpy as np
import pytest
import torch

from ganzoo import api

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_data_and_networks_live_on_the_device(model, make_trainer):
    trainer = make_trainer(model, device="cuda", precision="bf16")
    assert trainer._feed._pixels.device.type == "cuda"
    assert trainer._feed._pixels.dtype == torch.int8
    for module in trainer.modules().values():
        assert {parameter.device.type for parameter in module.parameters()} == {"cuda"}
        assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    for _ in range(3):
        trainer.step()
    assert trainer.telemetry.bad_step() is None


def test_bf16_gradients_are_those_of_fp32(model, make_trainer):
    still = {"generator": {"lr": 1e-30}, "discriminator": {"lr": 1e-30}, "critic_steps": 1}
    trainers = [make_trainer(model, device="cuda", precision=precision, **still) for precision in ("fp32", "bf16")]
    for trainer in trainers:
        trainer.step()
    for network in ("generator", "discriminator"):
        exact, rounded = (
            torch.cat([parameter.grad.flatten() for parameter in trainer.modules()[network].parameters()])
            for trainer in trainers
        )
        assert (rounded - exact).norm() < 0.2 * exact.norm(), network


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_a_step_waits_for_nothing(make_trainer):
    """Between reports no step may synchronise with the device."""
    trainer = make_trainer("wgan-gp", device="cuda", precision="bf16")
    trainer.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_whole_training_and_its_export(model, tmp_path, own_registry):
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


def test_resuming_goes_on_where_it_was(train):
    """CUDA promises no bits; a resumed run starts from the same weights and stays close for some steps."""
    whole = train("vanilla", steps=6, device="cuda", precision="fp32")
    half = train("vanilla", steps=3, device="cuda", precision="fp32")
    resumed = train("", resume=str(half.run), steps=6)
    assert resumed.metrics["loss_d"] == pytest.approx(whole.metrics["loss_d"], rel=0.05)
