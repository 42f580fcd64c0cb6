"""Equalised and modulated convolutions and their resampling, against the papers' equations and other libraries."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.signal import convolve2d, correlate2d
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.layers import (
    EqualisedConv2d,
    EqualisedLinear,
    FilteredDownsample,
    FilteredUpsample,
    ModulatedConv2d,
)

Array = NDArray[np.float64]
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def one_channel(x: Array, kernel: Array, resample: str | None) -> Array:
    """A map convolved on an endless plane of zeros, and then cut out."""
    side, half = len(x), len(kernel) // 2
    if resample is None:
        return np.asarray(correlate2d(x, kernel, "same"))
    if resample == "up":  # zeros between the pixels, the kernel, the filter; a pixel i lies between 2 i and 2 i + 1
        sparse = np.zeros((2 * side, 2 * side))
        sparse[::2, ::2] = x
        whole = convolve2d(convolve2d(sparse, kernel), 4 * FILTER)
        return np.asarray(whole[half + 1 :, half + 1 :][: 2 * side, : 2 * side])
    filtered = np.pad(convolve2d(x, FILTER), half)  # sample i of the filter's is the sum of pixels up to i
    whole = correlate2d(filtered, kernel, "valid")
    return np.asarray(whole[2::2, 2::2][: side // 2, : side // 2])


def convolved(x: Array, weight: Array, resample: str | None) -> Array:
    """[I, H, W] by [O, I, k, k]."""
    return np.stack([sum(one_channel(map_, k, resample) for map_, k in zip(x, row, strict=True)) for row in weight])


@pytest.mark.parametrize("resample", ["upsample", "UP", "", "none", 2, True, False])
def test_a_word_that_is_neither_up_nor_down_is_refused(resample: Any) -> None:
    for layer, style in ((EqualisedConv2d, ()), (ModulatedConv2d, (4,))):
        with pytest.raises(UsageError, match=f"resample={resample!r} is neither up nor down"):
            layer(2, 2, 3, *style, resample=resample)


def test_upsampling_spreads_a_pixel_by_the_filter() -> None:
    """Around 2 i + 1/2, where the middle of pixel i lies in the larger map."""
    x = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    x[0, 0, 2, 2] = 1
    expected = np.zeros((10, 10))
    expected[3:7, 3:7] = 4 * FILTER
    np.testing.assert_allclose(FilteredUpsample().double()(x)[0, 0].numpy(), expected, rtol=0, atol=1e-15)


def test_upsampling_is_bilinear_inside() -> None:
    x = normal(2, 3, 6, 6)
    bilinear = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    found = FilteredUpsample().double()(x)
    torch.testing.assert_close(found[..., 1:-1, 1:-1], bilinear[..., 1:-1, 1:-1], rtol=0, atol=1e-14)


def test_downsampling_gathers_by_the_filter() -> None:
    x = normal(1, 2, 8, 6)
    padded = np.pad(x[0, 1].numpy(), 1)
    expected = [[(FILTER * padded[2 * i : 2 * i + 4, 2 * j : 2 * j + 4]).sum() for j in range(3)] for i in range(4)]
    np.testing.assert_allclose(FilteredDownsample().double()(x)[0, 1].numpy(), expected, rtol=1e-13)


def test_there_and_back_are_adjoint() -> None:
    """<up(x), y> = 4 <x, down(y)>, as of any interpolation and its decimation."""
    x, y = normal(1, 1, 4, 4), normal(1, 1, 8, 8)
    up, down = FilteredUpsample().double(), FilteredDownsample().double()
    torch.testing.assert_close((up(x) * y).sum(), 4 * (x * down(y)).sum())


def test_an_equalised_linear_layer() -> None:
    """y = sqrt(2 / I) m W x + m b, with W of deviation 1 / m and the bias as it is given."""
    layer = EqualisedLinear(400, 300, bias=0.5, lr_multiplier=0.01).double()
    assert layer.bias is not None
    assert layer.weight.std().item() == pytest.approx(100, rel=0.01)
    assert (layer.bias * 0.01).tolist() == pytest.approx([0.5] * 300)
    x = normal(5, 400)
    expected = 0.01 * math.sqrt(2 / 400) * x @ layer.weight.T + 0.5
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).var().item() == pytest.approx(2, rel=0.1)
    assert EqualisedLinear(4, 3, bias=None).bias is None


@pytest.mark.parametrize("resample", [None, "up", "down"])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_an_equalised_convolution(size: int, resample: Any) -> None:
    layer = EqualisedConv2d(2, 3, size, gain=1.5, lr_multiplier=0.5, resample=resample).double()
    assert layer.bias is not None
    nn.init.normal_(layer.bias)
    x = normal(2, 2, 6, 6)
    weight = 1.5 / math.sqrt(2 * size**2) * 0.5 * layer.weight
    for each, found in zip(x, layer(x), strict=True):
        expected = convolved(each.numpy(), weight.detach().numpy(), resample)
        expected += 0.5 * layer.bias.detach().numpy()[:, None, None]
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-13)


def test_equalised_weights_learn_at_one_speed() -> None:
    """Adam's first step is of one length, so that layers' own weights move in proportion to their size."""
    moved = []
    for inputs in (10, 1000):
        layer = EqualisedLinear(inputs, 4, bias=None, lr_multiplier=0.1)
        before = layer.weight.detach() * layer.scale
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        layer(torch.ones(1, inputs)).sum().backward()
        optimizer.step()
        after = layer.weight.detach() * layer.scale
        moved.append(((after - before).norm() / before.norm()).item())
    # 0.1 a step beside learned weights of N(0, 1 / 0.1^2).
    assert moved == pytest.approx([0.01, 0.01], rel=0.2)


def modulated(layer: ModulatedConv2d, x: Tensor, w: Tensor, resample: str | None) -> Array:
    """Equations 1 to 3, sample by sample: each has weights of its own."""
    style = layer.style
    assert style.bias is not None
    assert layer.bias is not None
    found = []
    for each, latent in zip(x, w, strict=True):
        s = (style.weight @ latent / math.sqrt(len(latent)) + style.bias).detach().numpy()
        weight = layer.weight.detach().numpy()
        weight = s[None, :, None, None] * weight / math.sqrt(weight[0].size)
        if layer.demodulate:
            weight = np.stack([row / math.sqrt((row**2).sum() + 1e-8) for row in weight])
        found.append(convolved(each.numpy(), weight, resample) + layer.bias.detach().numpy()[:, None, None])
    return np.stack(found)


@pytest.mark.parametrize(
    ("size", "resample", "demodulate"),
    [(3, None, True), (3, "up", True), (3, "down", True), (1, None, False), (1, "up", True), (5, "up", True)],
)
def test_a_modulated_convolution(size: int, resample: Any, demodulate: bool) -> None:
    layer = ModulatedConv2d(3, 2, size, 4, demodulate=demodulate, resample=resample).double()
    assert layer.bias is not None
    nn.init.normal_(layer.bias)
    x, w = normal(3, 3, 4, 4), normal(3, 4)
    found = layer(x, w).detach().numpy()
    np.testing.assert_allclose(found, modulated(layer, x, w, resample), rtol=1e-11, atol=1e-12)


def test_a_style_begins_near_one() -> None:
    layer = ModulatedConv2d(512, 4, 1, 64)
    style = layer.style(torch.randn(64, 64))
    assert style.mean().item() == pytest.approx(1, abs=0.05)
    assert style.std().item() == pytest.approx(1, abs=0.05)


def test_demodulation_keeps_the_deviation() -> None:
    """Whatever the style, the result of unit noise has deviation 1: what the paper demodulates for."""
    layer = ModulatedConv2d(32, 16, 3, 8, bias=False)
    y = layer(torch.randn(8, 32, 16, 16), 5 * torch.randn(8, 8))
    assert y[..., 1:-1, 1:-1].std((2, 3)).tolist() == pytest.approx(np.ones((8, 16)), abs=0.3)


def test_a_style_of_zero_makes_zeros() -> None:
    """1e-8 is what is divided by then."""
    layer = ModulatedConv2d(3, 2, 3, 4)
    nn.init.zeros_(layer.style.weight)
    assert layer.style.bias is not None
    nn.init.zeros_(layer.style.bias)
    assert not layer(torch.randn(2, 3, 4, 4), torch.randn(2, 4)).any()


@pytest.mark.parametrize("resample", [None, "up", "down"])
def test_modulated_gradients_of_both_orders(resample: Any) -> None:
    layer = ModulatedConv2d(2, 2, 3, 2, resample=resample).double()
    x, w = normal(2, 2, 2, 2).requires_grad_(), normal(2, 2).requires_grad_()
    weight, style = layer.weight, layer.style.weight

    def function(x: Tensor, w: Tensor, weight: Tensor, style: Tensor) -> Tensor:
        changed = {"weight": weight, "style.weight": style}
        result: Tensor = torch.func.functional_call(layer, changed, (x, w))
        return result

    assert torch.autograd.gradcheck(function, (x, w, weight, style))
    assert torch.autograd.gradgradcheck(function, (x, w, weight, style))


@pytest.mark.parametrize("size", [0, 2, 4, 7])
@pytest.mark.parametrize("make", [lambda k: EqualisedConv2d(2, 2, k), lambda k: ModulatedConv2d(2, 2, k, 2)])
def test_a_kernel_without_a_middle(make: Any, size: int) -> None:
    with pytest.raises(UsageError) as caught:
        make(size)
    assert str(caught.value) == f"kernel_size={size} has no middle, or is too large for the low-pass filter"
    assert caught.value.hint == "kernel_size: one of 1, 3, 5"
