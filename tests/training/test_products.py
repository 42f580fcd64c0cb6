"""Convolutions as matrix products: what they give is torch's but for rounding, and they are used where it pays."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.training.layers import products
from ganzoo.training.layers.products import Convolution, Product, TransposedConvolution, use_products
from ganzoo.training.trainer import Trainer

aten = torch.ops.aten


class Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """How often each operation was called; gradients of convolutions by what was asked for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[Any] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, inputs: Any = (), options: dict[str, Any] | None = None
    ) -> Any:
        weights = function is aten.convolution_backward.default and inputs[-1][1]
        self.calls["gradient of weights" if weights else function] += 1
        return function(*inputs, **(options or {}))


def pair(layer: nn.Module) -> tuple[nn.Module, nn.Module]:
    """A layer, and its equal that is faster."""
    faster = copy.deepcopy(layer).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert use_products(faster) == 1
    return layer, faster


def passed(layer: nn.Module, x: torch.Tensor, weights: torch.Tensor) -> list[torch.Tensor]:
    """Output, and gradients of input and parameters, in bf16."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    (y.float() * weights).sum().backward()
    return [y.detach(), x.grad, *(parameter.grad for parameter in layer.parameters())]


SMALL = {
    "4x4 by 2": (nn.Conv2d(64, 128, 4, 2, 1, bias=False), (8, 64, 8, 8)),
    "with bias": (nn.Conv2d(64, 128, 4, 2, 1), (8, 64, 8, 8)),
    "5x5 by 2": (nn.Conv2d(64, 64, 5, 2, 2), (4, 64, 7, 8)),
    "3x3": (nn.Conv2d(128, 96, 3, 1, 1), (4, 128, 4, 4)),
    "a rest at the edge": (nn.Conv2d(128, 128, 3, 2, 0), (4, 128, 6, 8)),
    "oblong": (nn.Conv2d(128, 128, (3, 4), (1, 2), (0, 1)), (4, 128, 4, 6)),
    "transposed": (nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), (8, 128, 4, 4)),
    "transposed with bias": (nn.ConvTranspose2d(128, 64, 4, 2, 1), (8, 128, 4, 4)),
    "transposed oblong": (nn.ConvTranspose2d(128, 64, (4, 5), (2, 1), (1, 2)), (8, 128, 2, 4)),
}
WHOLE = {
    "whole input": (nn.Conv2d(64, 3, 4, 1, 0, bias=False), (8, 64, 4, 4)),
    "whole input with bias": (nn.Conv2d(64, 3, 4), (8, 64, 4, 4)),
    "one pixel": (nn.ConvTranspose2d(100, 32, 4, 1, 0, bias=False), (8, 100, 1, 1)),
    "one pixel with bias": (nn.ConvTranspose2d(100, 32, (3, 4), 2), (8, 100, 1, 1)),
}


@pytest.mark.parametrize(("layer", "shape"), [*SMALL.values(), *WHOLE.values()], ids=[*SMALL, *WHOLE])
def test_values_and_gradients_are_torchs_but_for_rounding(layer: nn.Module, shape: tuple[int, ...]) -> None:
    """Neither is further from float64 than bf16's 8 bits explain, and ours is not further than torch's by a fifth."""
    torch.manual_seed(0)
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    layer.reset_parameters()  # else its weights, and how far torch's rounding goes, would differ from run to run
    layer, faster = pair(layer)
    x = torch.randn(shape)
    weights = torch.randn(layer(x).shape)
    exact = copy.deepcopy(layer).double()
    given = x.double().requires_grad_()
    y = exact(given)
    (y * weights).sum().backward()
    reference = [y.detach(), given.grad, *(parameter.grad for parameter in exact.parameters())]
    with Counted() as counted:
        ours = passed(faster, x, weights)
    assert counted.calls["gradient of weights"] == 0
    for mine, theirs, truth in zip(ours, passed(layer, x, weights), reference, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        error, usual = ((found.double() - truth).norm() / truth.norm() for found in (mine, theirs))
        assert error < max(1.2 * usual, 1e-3)
        assert error < 0.01


LEFT = {
    "large maps": (nn.Conv2d(64, 128, 4, 2, 1), (2, 64, 16, 16)),
    "few weights": (nn.Conv2d(16, 16, 4, 2, 1), (2, 16, 8, 8)),
    "groups": (nn.Conv2d(256, 256, 3, 1, 1, groups=2), (2, 256, 4, 4)),
    "dilation": (nn.Conv2d(128, 128, 3, 1, 2, dilation=2), (2, 128, 4, 4)),
    "padding of another kind": (nn.Conv2d(128, 128, 3, 1, 1, padding_mode="reflect"), (2, 128, 4, 4)),
    "padding in words": (nn.Conv2d(128, 128, 3, padding="same"), (2, 128, 4, 4)),
    "a single image": (nn.Conv2d(128, 128, 3, 1, 1), (128, 4, 4)),
    "output padding": (nn.ConvTranspose2d(128, 64, 5, 2, 2, output_padding=1), (2, 128, 4, 4)),
    "transposed groups": (nn.ConvTranspose2d(256, 256, 4, 2, 1, groups=2), (2, 256, 4, 4)),
    "transposed large maps": (nn.ConvTranspose2d(64, 128, 4, 2, 1), (2, 64, 8, 8)),
}


@pytest.mark.parametrize(("layer", "shape"), LEFT.values(), ids=LEFT)
def test_what_is_left_to_torch(layer: nn.Module, shape: tuple[int, ...]) -> None:
    layer, faster = pair(layer)
    x = torch.randn(shape)
    weights = torch.randn(layer(x).shape)
    with Counted() as counted:
        ours = passed(faster, x, weights)
    assert counted.calls["gradient of weights"] == 1
    for mine, theirs in zip(ours, passed(layer.to(memory_format=torch.channels_last), x, weights), strict=True):  # type: ignore[call-overload]
        assert torch.equal(mine, theirs)


def test_fp32_and_weights_that_do_not_learn_are_left_to_torch() -> None:
    _, faster = pair(nn.Conv2d(64, 128, 4, 2, 1))
    x = torch.randn(2, 64, 8, 8)
    with Counted() as counted:
        faster(x).sum().backward()
    assert counted.calls["gradient of weights"] == 1
    with torch.autocast("cpu", torch.bfloat16):
        frozen = faster.requires_grad_(False)(x.requires_grad_())
    assert type(frozen.grad_fn).__name__ == "ConvolutionBackward0"


def test_an_output_size_is_torchs_matter() -> None:
    _, faster = pair(nn.ConvTranspose2d(128, 64, 4, 2, 1))
    with torch.autocast("cpu", torch.bfloat16):
        assert faster(torch.randn(2, 128, 4, 4), output_size=[9, 9]).shape == (2, 64, 9, 9)


@pytest.mark.parametrize("transposed", [False, True])
def test_second_derivatives(transposed: bool) -> None:
    """By finite differences in float64: a penalty's way through the gradient."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(*((3, 2) if transposed else (2, 3)), 3, 2, dtype=torch.float64, requires_grad=True)
    given = (x, weight, (2, 1), (1, 0), transposed)
    assert torch.autograd.gradcheck(Product.apply, given)  # type: ignore[arg-type]
    assert torch.autograd.gradgradcheck(Product.apply, given)  # type: ignore[arg-type]


def test_the_same_objects_and_no_subclasses() -> None:
    class Own(nn.Conv2d):
        pass

    network = nn.Sequential(nn.Conv2d(3, 8, 3), Own(8, 8, 3), nn.ConvTranspose2d(8, 8, 3), nn.Conv1d(8, 8, 3))
    before = list(network)
    assert use_products(network) == 2
    assert [type(module) for module in network] == [Convolution, Own, TransposedConvolution, nn.Conv1d]
    assert all(one is other for one, other in zip(before, network, strict=True))
    assert use_products(network) == 0


@pytest.mark.parametrize(("model", "precision"), [("dcgan", "bf16"), ("conditional", "bf16"), ("dcgan", "fp32")])
def test_a_training_stays_close(
    model: str, precision: str, make_trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first losses of every phase, with products even where they do not pay, and without any."""
    monkeypatch.setattr(products, "MIN_WEIGHTS", 0)
    faster = make_trainer(model, precision=precision)
    assert {type(module) for network in (faster.generator, faster.discriminator) for module in network.modules()} >= {
        Convolution,
        TransposedConvolution,
    }
    monkeypatch.setattr("ganzoo.training.terms.use_products", lambda network: 0)
    plain = make_trainer(model, precision=precision)
    for trainer in (faster, plain):
        trainer.step()
    tolerance = 0.02 if precision == "bf16" else 1e-4
    assert faster.telemetry.means() == pytest.approx(plain.telemetry.means(), rel=tolerance, abs=tolerance)


def test_a_critic_under_a_penalty_keeps_its_convolutions(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer("wgan-gp", options={"width": 8})
    assert not any(isinstance(module, Convolution) for module in trainer.discriminator.modules())
