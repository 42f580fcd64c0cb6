"""BatchNorm on several ranks against torch's own on the whole batch: outputs, gradients, running statistics."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ganzoo.cli.failures import tell
from ganzoo.errors import ExitCode, GanzooError, UsageError
from ganzoo.training.layers.batchnorm import GlobalBatchNorm, synchronise
from ganzoo.training.ranks import ALONE, Ranks, joined
from ganzoo.training.torchrun import leave

if TYPE_CHECKING:
    from tests.distributed.conftest import Launch, Outcome

BATCH = 8
STEPS = 3


@dataclass(frozen=True)
class Case:
    """A layer, what goes into it, and how near to torch's the result should be, relative to its largest value."""

    layer: Callable[..., nn.Module]
    shape: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float64
    tolerance: float = 1e-12
    mean: float = 0.5
    autocast: torch.dtype | None = None
    memory_format: torch.memory_format = torch.contiguous_format


IMAGES = (6, 5, 4)
CASES = {
    "2d": Case(nn.BatchNorm2d, IMAGES),
    "1d": Case(nn.BatchNorm1d, (6,)),
    "1d, sequences": Case(nn.BatchNorm1d, (6, 5)),
    "3d": Case(nn.BatchNorm3d, (6, 3, 2, 2)),
    "not affine": Case(nn.BatchNorm2d, IMAGES, {"affine": False}),
    "cumulative": Case(nn.BatchNorm2d, IMAGES, {"momentum": None}),
    "no running statistics": Case(nn.BatchNorm2d, IMAGES, {"track_running_stats": False}),
    "another epsilon": Case(nn.BatchNorm2d, IMAGES, {"eps": 0.1, "momentum": 0.7}),
    "channels last": Case(nn.BatchNorm2d, IMAGES, memory_format=torch.channels_last),
    "fp32": Case(nn.BatchNorm2d, IMAGES, dtype=torch.float32, tolerance=1e-6),
    "fp32, channels last": Case(
        nn.BatchNorm2d, IMAGES, dtype=torch.float32, tolerance=1e-6, memory_format=torch.channels_last
    ),
    # A variance of 1 beside a squared mean of 1e6, which leaves E[x^2] - E[x]^2 one digit.
    "fp32, far from 0": Case(nn.BatchNorm2d, IMAGES, dtype=torch.float32, tolerance=1e-4, mean=1000.0),
    "bf16": Case(nn.BatchNorm2d, IMAGES, dtype=torch.float32, tolerance=2e-2, autocast=torch.bfloat16),
    "fp16": Case(nn.BatchNorm2d, IMAGES, dtype=torch.float32, tolerance=2e-3, autocast=torch.float16),
}


def whole_batch(case: Case, step: int) -> Tensor:
    """[BATCH, …]: samples of different means and sizes, so that the ranks' statistics are far apart."""
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(BATCH, *case.shape, generator=generator, dtype=torch.float64)
    by_sample = torch.linspace(-1, 2, BATCH, dtype=torch.float64).reshape(-1, *[1] * len(case.shape))
    x = (x * (1.5 + by_sample) + by_sample + case.mean).to(case.autocast or case.dtype)
    return x.contiguous(memory_format=case.memory_format)


def computed(case: Case, layer: nn.Module, ranks: Ranks) -> dict[str, Tensor]:
    """What ``STEPS`` steps give on this rank's slice; gradients as the engine takes them, averaged over ranks."""
    found: dict[str, Tensor] = {}
    rows = BATCH // ranks.count
    for step in range(STEPS):
        x = whole_batch(case, step)[ranks.rank * rows : (ranks.rank + 1) * rows].requires_grad_()
        with torch.autocast("cpu", case.autocast or torch.bfloat16, enabled=case.autocast is not None):
            y = layer(x)
        assert y.is_contiguous(memory_format=case.memory_format)
        weights = torch.linspace(-1, 2, y[0].numel(), dtype=torch.float64).reshape(y[0].shape)
        # A mean over samples, as every loss is, and nonlinear: its gradient differs from sample to sample.
        (y.double().sin() * weights).flatten(1).sum(1).square().mean().backward()
        assert x.grad is not None
        found |= {f"{step}.output": y.detach(), f"{step}.input gradient": x.grad / ranks.count}
    gradients: dict[str, Tensor] = {name: weight.grad for name, weight in layer.named_parameters()}  # type: ignore[misc]
    ranks.average_(list(gradients.values()))
    state = {f"state.{name}": value for name, value in layer.state_dict().items()}
    return found | {f"gradient.{name}": value for name, value in gradients.items()} | state


def build(case: Case) -> nn.Module:
    layer = case.layer(case.shape[0], **case.options).to(case.dtype)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.linspace(0.5, -1.5, len(weight)))
    return layer


def together(ranks: Ranks) -> dict[str, Tensor]:
    """Every case on this rank."""
    found: dict[str, Tensor] = {}
    for name, case in CASES.items():
        layer = build(case)
        assert synchronise(layer, ranks) == 1
        found |= {f"{name}/{key}": value.contiguous() for key, value in computed(case, layer, ranks).items()}
    differentiate_twice(ranks)
    return found


def differentiate_twice(ranks: Ranks) -> None:
    """Which no loss can ask for, because penalties are refused with BatchNorm, is refused and not wrong."""
    layer = build(CASES["2d"])
    synchronise(layer, ranks)
    x = whole_batch(CASES["2d"], 0).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
        gradient.square().sum().backward()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module", params=[2, 4])
def outcomes(request: pytest.FixtureRequest, launch: "Launch") -> "list[Outcome]":
    """What each of 2 and of 4 ranks computed."""
    return launch(request.param, __file__, "together")


@pytest.mark.parametrize("name", CASES)
def test_ranks_compute_what_one_process_does(outcomes: "list[Outcome]", name: str) -> None:
    case = CASES[name]
    for key, whole in computed(case, build(case), ALONE).items():
        parts = [outcome.tensors[f"{name}/{key}"] for outcome in outcomes]
        if key.startswith(("gradient", "state")):
            assert all(torch.equal(part, parts[0]) for part in parts)
            part = parts[0]
        else:
            part = torch.cat(parts)
        assert (part.dtype, part.shape) == (whole.dtype, whole.shape), key
        largest = max(whole.abs().max().item(), 1e-3)
        assert (part - whole).abs().max().item() <= case.tolerance * largest, key


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mean", [0, 10, 100])
def test_the_gradient_is_rounded_once(dtype: torch.dtype, mean: int) -> None:
    """Of what comes back, the mean over the batch drops out: rounded before that, it would leave its rounding."""
    generator = torch.Generator().manual_seed(0)
    x, upstream = (torch.randn(16, 6, 5, 4, generator=generator) for _ in range(2))
    x, upstream = x.to(dtype), (upstream + mean).to(dtype)
    found = []
    for layer, kind in ((nn.BatchNorm2d(6), dtype), (nn.BatchNorm2d(6).double(), torch.float64)):
        if kind is dtype:
            layer.__class__, layer.ranks = GlobalBatchNorm, ALONE  # type: ignore[assignment]
        given = x.to(kind, copy=True).requires_grad_()
        layer(given).backward(upstream.to(kind))
        assert given.grad is not None
        found.append(given.grad)
    assert found[0].dtype is dtype
    assert (found[0] - found[1]).norm() <= torch.finfo(dtype).eps * found[1].norm()


def lose(ranks: Ranks) -> None:
    """Rank 1 is killed between a forward pass and its backward pass."""
    layer = build(CASES["fp32"])
    synchronise(layer, ranks)
    y = layer(whole_batch(CASES["fp32"], 0).requires_grad_())
    if ranks.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    y.sum().backward()


def test_a_rank_lost_in_a_backward_pass(launch: "Launch") -> None:
    survivor, _ = launch(2, __file__, "lose", codes=(ExitCode.FAILURE, -signal.SIGKILL))
    message, hint = survivor.errors.splitlines()
    assert message.startswith("Error: rank 0 of 2 lost another rank: ")
    assert hint.startswith("Hint: torchrun --max-restarts N")


PAIR = Ranks(0, 2)


def network() -> nn.Sequential:
    shared = nn.BatchNorm2d(4)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), shared, nn.Sequential(nn.BatchNorm2d(4, affine=False), shared), nn.GroupNorm(1, 4)
    )


def test_layers_are_replaced_in_place() -> None:
    ours, torchs = network(), network()
    torchs.load_state_dict(ours.state_dict())
    calls = []
    ours[1].register_forward_hook(lambda *_: calls.append(1))
    assert synchronise(ours, PAIR) == 2  # one of them is in two places
    assert synchronise(ours, PAIR) == 0
    assert ours[1] is ours[2][1]  # type: ignore[index]
    assert isinstance(ours[2][0], GlobalBatchNorm)  # type: ignore[index]
    assert ours[1].training
    assert list(ours.state_dict()) == list(torchs.state_dict())
    torchs.load_state_dict(ours.state_dict())
    ours.load_state_dict(torchs.state_dict())
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(ours.eval()(x), torchs.eval()(x))
    assert calls == [1, 1]


def test_in_eval_mode_a_rank_is_on_its_own_without_running_statistics_too() -> None:
    layer, whole = (nn.BatchNorm2d(1, track_running_stats=False).eval() for _ in range(2))
    synchronise(layer, PAIR)
    x = torch.randn(4, 1, 3, 3)
    assert torch.equal(layer(x), whole(x))


def test_one_rank_keeps_torchs() -> None:
    layer = network()
    assert synchronise(layer, ALONE) == 0
    assert type(layer[1]) is nn.BatchNorm2d


class Own(nn.BatchNorm2d):
    """A plugin's BatchNorm."""


def test_a_batchnorm_of_another_kind_is_refused() -> None:
    layers = nn.Sequential(nn.Identity(), nn.Sequential(Own(3)))
    with pytest.raises(UsageError) as caught:
        synchronise(layers, PAIR)
    assert str(caught.value) == (
        "Own (1.0) is a BatchNorm of its own kind, and takes its statistics from one rank's images "
        "instead of all 2 ranks'"
    )
    assert caught.value.hint == "train it on one device, or use torch.nn.BatchNorm1d, 2d or 3d as they are"
    assert synchronise(layers, ALONE) == 0
    assert synchronise(layers, PAIR, coupled=True) == 0
    assert type(layers[1][0]) is Own  # type: ignore[index]


def main(home: str, task: str) -> None:
    """What one rank does."""
    with joined("cpu") as ranks:
        if task == "lose":
            lose(ranks)
        else:
            save_file(together(ranks), Path(home) / f"{ranks.rank}.safetensors")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
        leave(0)
    except GanzooError as error:
        leave(tell(error))
