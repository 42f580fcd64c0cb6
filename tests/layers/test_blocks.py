"""Residual blocks and self-attention, against the papers' order of operations and equations."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.layers import ResidualDown, ResidualUp, SelfAttention


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def with_biases(block: nn.Module) -> nn.Module:
    """The block in fp64, with biases that are not 0."""
    for name, weight in block.double().named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(weight)
    return block


@pytest.mark.parametrize("condition", ["none", "labels", "vectors"])
def test_a_block_of_a_generator(condition: str) -> None:
    """BatchNorm, ReLU, up, 3x3, BatchNorm, ReLU, 3x3; the shortcut is up and then 1x1, as SNGAN draws it."""
    given: dict[str, Any] = {"none": {}, "labels": {"classes": 3}, "vectors": {"features": 4}}[condition]
    block = with_biases(ResidualUp(2, 3, **given))
    assert isinstance(block, ResidualUp)
    c = {"none": (), "labels": (torch.tensor([0, 2, 1, 0]),), "vectors": (normal(4, 4),)}[condition]
    x = normal(4, 2, 3, 3)
    found = block(x, *c)
    before, between = block.norms
    h = F.interpolate(before(x, *c).relu(), scale_factor=2, mode="nearest")
    h = F.conv2d(h, block.first.weight, block.first.bias, padding=1)
    h = F.conv2d(between(h, *c).relu(), block.second.weight, block.second.bias, padding=1)
    doubled = F.interpolate(x, scale_factor=2, mode="nearest")
    torch.testing.assert_close(found, h + F.conv2d(doubled, block.shortcut.weight, block.shortcut.bias))


@pytest.mark.parametrize("hidden", [None, 5])
@pytest.mark.parametrize("downsample", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_a_block_of_a_discriminator(hidden: int | None, downsample: bool, first: bool) -> None:
    """ReLU (but before the image), 3x3, ReLU, 3x3, mean; the shortcut is 1x1 and then the mean."""
    block = with_biases(ResidualDown(2, 3, hidden_channels=hidden, downsample=downsample, first=first))
    assert isinstance(block, ResidualDown)
    _, one, _, two = block.layers
    assert one.out_channels == (hidden or (3 if first else 2))
    x = normal(2, 2, 4, 4)
    kept = x.clone()

    def mean(y: Tensor) -> Tensor:
        return (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4

    h = F.conv2d(x if first else x.relu(), one.weight, one.bias, padding=1)  # type: ignore[arg-type]
    h = F.conv2d(h.relu(), two.weight, two.bias, padding=1)  # type: ignore[arg-type]
    shortcut = block.shortcut(x)
    expected = mean(h) + mean(shortcut) if downsample else h + shortcut
    torch.testing.assert_close(block(x), expected)
    assert torch.equal(x, kept)


def test_a_shortcut_without_a_change_is_the_identity() -> None:
    block = ResidualDown(3, 3, downsample=False)
    for weight in block.parameters():
        nn.init.zeros_(weight)
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(block(x), x)
    assert not isinstance(ResidualDown(3, 3).shortcut, nn.Identity)


@pytest.mark.parametrize(
    ("block", "normalised"),
    [
        (ResidualUp(2, 3, spectral=True), 3),
        (ResidualUp(2, 3, classes=4, spectral=True), 3),
        (ResidualUp(2, 3, features=4, spectral=True), 7),
        (ResidualDown(2, 3, spectral=True), 3),
        (SelfAttention(8, spectral=True), 4),
        (ResidualUp(2, 3), 0),
        (ResidualDown(2, 3), 0),
        (SelfAttention(8), 0),
    ],
)
def test_what_is_spectrally_normalised(block: nn.Module, normalised: int) -> None:
    assert sum(name.endswith("weight.original") for name, _ in block.named_parameters()) == normalised


def test_attention_is_equations_1_to_3() -> None:
    layer = SelfAttention(16).double()
    nn.init.constant_(layer.gamma, 0.7)
    x = normal(2, 16, 2, 3)
    f, g, h, v = (
        each.weight.detach().numpy()[:, :, 0, 0] for each in (layer.key, layer.query, layer.value, layer.output)
    )
    assert f.shape == h.shape == (2, 16)
    for sample, found in zip(x.flatten(2).numpy(), layer(x).flatten(2).detach().numpy(), strict=True):
        for j in range(6):
            s = np.array([(f @ sample[:, i]) @ (g @ sample[:, j]) for i in range(6)])
            beta = np.exp(s) / np.exp(s).sum()
            o = v @ sum(beta[i] * (h @ sample[:, i]) for i in range(6))
            np.testing.assert_allclose(found[:, j], sample[:, j] + 0.7 * o, rtol=1e-11)


def test_attention_starts_as_the_identity() -> None:
    x = torch.randn(2, 4, 3, 3)
    layer = SelfAttention(4)
    assert torch.equal(layer(x), x)
    layer(x).sin().sum().backward()
    assert layer.gamma.grad


@pytest.mark.parametrize("spectral", [False, True])
def test_attention_has_gradients_of_both_orders(spectral: bool) -> None:
    """In eval mode, where power iteration rests."""
    layer = SelfAttention(2, spectral=spectral).double().eval()
    nn.init.constant_(layer.gamma, 0.7)
    x = normal(1, 2, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_a_discriminators_block_has_gradients_of_both_orders() -> None:
    block = ResidualDown(1, 2, spectral=True).double().eval()
    x = normal(1, 1, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(block, x)
    assert torch.autograd.gradgradcheck(block, x)
