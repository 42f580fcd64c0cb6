"""On what device and in what number format a run computes."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo.cli import main
from ganzoo.config import PrecisionName, RunConfig, convert
from ganzoo.errors import ExitCode, UsageError
from ganzoo.step import Step
from ganzoo.training import checkpoint, objective, precision
from ganzoo.training.precision import (
    Precision,
    choose_device,
    choose_precision,
    choose_threads,
    enter,
    running_on,
)
from ganzoo.training.trainer import Trainer
from ganzoo.training.watchdog import bad_number

MakeTrainer = Callable[..., Trainer]

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    *,
    cuda: bool = False,
    capability: tuple[int, int] = (9, 0),
    avx512_bf16: bool = False,
    amx: bool = False,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)


@pytest.mark.parametrize(
    ("device", "hardware", "chosen"),
    [
        (CPU, {}, "fp32"),
        (CPU, {"avx512_bf16": True}, "bf16"),
        (CPU, {"amx": True}, "bf16"),
        (CPU, {"cuda": True}, "fp32"),
        (CUDA, {"cuda": True, "capability": (7, 5), "avx512_bf16": True}, "fp32"),
        (CUDA, {"cuda": True, "capability": (8, 0)}, "bf16"),
        (CUDA, {"cuda": True, "capability": (9, 0)}, "bf16"),
    ],
)
def test_auto_is_bf16_where_the_hardware_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, device: torch.device, hardware: dict[str, Any], chosen: str
) -> None:
    pretend(monkeypatch, **hardware)
    assert choose_precision(PrecisionName.AUTO, device) == chosen


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16", "fp64"])
def test_what_is_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend(monkeypatch)
    assert choose_precision(PrecisionName(name), CPU) == name


def test_an_unknown_precision() -> None:
    with pytest.raises(UsageError) as caught:
        convert({"model": "m", "architecture": "a", "loss": "l", "precision": "int8"}, RunConfig)
    assert str(caught.value) == "configuration key 'precision': invalid enum value 'int8'"
    assert caught.value.hint == "choose one of: auto, bf16, fp16, fp32, fp64"
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "cuda", "chosen"),
    [
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cpu", True, "cpu"),
        ("cuda", True, "cuda"),
        ("cuda:0", True, "cuda:0"),
    ],
)
def test_devices(monkeypatch: pytest.MonkeyPatch, name: str, cuda: bool, chosen: str) -> None:
    pretend(monkeypatch, cuda=cuda)
    assert str(choose_device(name)) == chosen


@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Asking for CUDA and silently getting the CPU would cost a day."""
    pretend(monkeypatch)
    with pytest.raises(UsageError) as caught:
        choose_device(name)
    assert str(caught.value) == f"device '{name}' was asked for, and torch {torch.__version__} finds no CUDA device"
    assert caught.value.hint == "see what is there: ganzoo doctor; or train without: --device cpu"


def test_a_cuda_device_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=True)
    with pytest.raises(UsageError) as caught:
        choose_device("cuda:1")
    assert str(caught.value) == "device 'cuda:1' was asked for, and the last one is cuda:0"
    assert caught.value.hint == "see what is there: ganzoo doctor; or train without: --device cpu"


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:", "cuda:x", "cpu:0:0"])
def test_an_unknown_device(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--model", "vanilla", "--device", name, "--dry-run"]) == ExitCode.USAGE
    assert capsys.readouterr().err == f"Error: unknown device {name!r}\nHint: choose one of: auto, cpu, cuda, cuda:N\n"


def test_an_empty_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--model", "vanilla", "--device", "", "--dry-run"]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "Error: --device: nothing is given\nHint: a variable that is not set leaves nothing\n"
    )


@pytest.mark.parametrize(
    ("dtype", "device", "expected"),
    [
        ("fp32", CPU, torch.channels_last),
        ("bf16", CPU, torch.channels_last),
        ("bf16", CUDA, torch.channels_last),
        ("fp32", CUDA, torch.contiguous_format),
    ],
)
def test_memory_format(dtype: PrecisionName, device: torch.device, expected: torch.memory_format) -> None:
    assert Precision(dtype, device).memory_format == expected


@pytest.mark.parametrize(("dtype", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast(dtype: PrecisionName, expected: torch.dtype) -> None:
    with Precision(dtype, CPU).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected


def test_what_auto_became_stands_in_the_resolved_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision, "fast_bf16", lambda device: True)
    assert main(["train", "--model", "vanilla", "--device", "cpu", "--print-config"]) == 0
    config = capsys.readouterr().out
    assert 'precision = "bf16"' in config
    assert 'device = "cpu"' in config
    assert "size = 8" in config


@pytest.mark.parametrize(("flops", "threads"), [(precision.SMALL_BATCH_FLOPS - 1, 1), (precision.SMALL_BATCH_FLOPS, 5)])
def test_threads_are_for_steps_that_are_worth_them(flops: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    assert choose_threads(flops) == threads


def test_threads_are_borrowed() -> None:
    before = torch.get_num_threads()
    with running_on(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("size", "threads"), [(8, 1), (64, 3)])
def test_small_networks_get_one_thread(
    size: int, threads: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert main(["train", "--model", "dcgan", "--size", str(size), "--print-config"]) == 0
    assert f"threads = {threads}" in capsys.readouterr().out


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_callers_leniency_is_kept(deterministic: bool) -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with running_on(1, deterministic=deterministic):
            assert torch.is_deterministic_algorithms_warn_only_enabled() is not deterministic
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("device", "entered"), [("cpu", []), ("cuda", []), ("cuda:0", [0]), ("cuda:1", [1])])
def test_the_device_is_entered_before_anything_is_put_there(
    monkeypatch: pytest.MonkeyPatch, device: str, entered: list[int]
) -> None:
    """Streams, events and captures are the current device's, whatever the tensors'."""
    found: list[int] = []
    monkeypatch.setattr(torch._C, "_cuda_setDevice", found.append, raising=False)  # torch's checks are its own
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    enter(torch.device(device), deterministic=False)
    assert found == entered
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    enter(torch.device(device), deterministic=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


@pytest.mark.parametrize("tf32", [False, True])
def test_tf32_is_only_asked_for(tf32: bool) -> None:
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = matmul.fp32_precision, convolution.fp32_precision
    with running_on(1, tf32=tf32):
        assert matmul.fp32_precision == convolution.fp32_precision == ("tf32" if tf32 else "ieee")
    assert (matmul.fp32_precision, convolution.fp32_precision) == before


def scales(trainer: Trainer) -> dict[str, float]:
    return {name: value for name, value in trainer.scalars().items() if name.endswith(".scale")}


def test_in_fp16_each_network_has_a_scale_of_its_own(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    """An overflow in one leaves out that one's update, halves that one's scale, and is in the checkpoint."""
    trainer = make_trainer("wgan-gp", precision="fp16", critic_steps=1)
    low = {"generator.scale": 2.0**8, "discriminator.scale": 2.0**8}
    trainer.load_scalars(trainer.scalars() | low)
    trainer.step()
    assert scales(trainer) == low
    trainer.load_scalars(trainer.scalars() | {"discriminator.scale": 2.0**100})
    networks = (trainer.generator, trainer.discriminator)
    before = [[weight.detach().clone() for weight in network.parameters()] for network in networks]
    trainer.step()
    moved = [
        any(not torch.equal(*pair) for pair in zip(network.parameters(), old, strict=True))
        for network, old in zip(networks, before, strict=True)
    ]
    assert moved == [True, False]
    assert scales(trainer) == {"generator.scale": 2.0**8, "discriminator.scale": 2.0**99}
    assert trainer.telemetry.bad_step() is None  # losses are not scaled
    checkpoint.write(trainer, tmp_path / "checkpoint.safetensors")
    other = make_trainer("wgan-gp", precision="fp16", critic_steps=1)
    checkpoint.read(other, tmp_path / "checkpoint.safetensors")
    assert other.scalars() == trainer.scalars()


@pytest.mark.parametrize(("dtype", "scale"), [("fp16", 2.0**8), ("bf16", 1.0), ("fp32", 1.0)])
def test_a_penaltys_inner_gradient_is_scaled_in_fp16(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, dtype: str, scale: float
) -> None:
    seen = []
    sound = objective.squared_gradient_norm

    def norm(step: Step, points: torch.Tensor, inner_scale: float) -> torch.Tensor:
        seen.append(inner_scale)
        return sound(step, points, inner_scale)

    monkeypatch.setattr(objective, "squared_gradient_norm", norm)
    make_trainer("wgan-gp", precision=dtype, critic_steps=1).step()
    assert set(seen) == {scale}


@pytest.mark.parametrize("name", ["vanilla", "wgan-gp"])
def test_a_training_in_fp16(make_trainer: MakeTrainer, name: str) -> None:
    """Its scales are soon found."""
    trainer = make_trainer(name, precision="fp16")
    for _ in range(20):
        trainer.step()
    assert all(2.0**8 <= scale <= 2.0**16 for scale in scales(trainer).values())
    assert bad_number(trainer, weights=True) is None


def test_gradients_that_overflow_at_any_scale_are_told(make_trainer: MakeTrainer) -> None:
    """Left alone, the scale becomes 0, and the first sound gradient then makes all weights NaN."""
    trainer = make_trainer("wgan-gp", precision="fp16", critic_steps=1)
    optimization = trainer.optimizations["discriminator"]
    for _ in range(31):
        for weight in optimization.weights:
            weight.grad = torch.full_like(weight, math.nan)
        assert optimization.scale is not None  # the backward pass asks for it, too
        optimization.step()
    said = bad_number(trainer, weights=True)
    assert said == "up to step 0 the discriminator's gradients are not finite at any scale of fp16"


def test_logits_and_images_of_the_built_in_networks_are_fp32s(model: str, make_trainer: MakeTrainer) -> None:
    """Not rounded to bf16's 8 bits on their way, as all else is."""
    trainer = make_trainer(model, precision="bf16")
    batch = trainer.batches.draw(0, 0)
    fake = trainer.objective.generate(batch)
    logits = trainer.objective.step("discriminator", batch, fake, {}, {})[0].fake.logits
    for found in (fake, logits):
        assert found.dtype == torch.float32
        assert not torch.equal(found, found.bfloat16().float())
