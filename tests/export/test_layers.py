"""A generator made of ``ganzoo.layers`` passes every gate as an ONNX file."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.exporting.exporter import export
from ganzoo.layers import (
    EqualisedConv2d,
    EqualisedLinear,
    FilteredDownsample,
    FilteredUpsample,
    ModulatedConv2d,
    PixelNorm,
    ResidualUp,
    SelfAttention,
)

WIDTH = 8


class Generator(nn.Module):
    """Every layer that a generator may have: maps of 2, 4, 8, 4 and 8 pixels."""

    latent_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(3, 4)
        self.mapping = nn.Sequential(PixelNorm(), EqualisedLinear(4, 12, lr_multiplier=0.01), nn.LeakyReLU(0.2))
        self.constant = nn.Parameter(torch.randn(1, WIDTH, 2, 2))
        self.up = ModulatedConv2d(WIDTH, WIDTH, 3, 12, resample="up")
        self.by_label = ResidualUp(WIDTH, WIDTH, classes=3, spectral=True)
        self.attention = SelfAttention(WIDTH, spectral=True)
        self.down = ModulatedConv2d(WIDTH, WIDTH, 3, 12, resample="down")
        self.by_style = ResidualUp(WIDTH, WIDTH, features=12, spectral=True)
        self.resized = nn.Sequential(
            EqualisedConv2d(WIDTH, WIDTH, 3, resample="down"), EqualisedConv2d(WIDTH, WIDTH, 3, resample="up")
        )
        self.to_image = ModulatedConv2d(WIDTH, 1, 1, 12, demodulate=False)
        self.smooth = nn.Sequential(FilteredDownsample(), FilteredUpsample())
        nn.init.constant_(self.attention.gamma, 0.5)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        w = self.mapping(z + self.embedding(labels))
        x = self.up(self.constant.repeat(z.shape[0], 1, 1, 1), w)
        x = self.attention(self.by_label(x, labels))
        x = self.resized(self.by_style(self.down(x, w), w))
        images = self.to_image(x, w)
        smooth: Tensor = self.smooth(images)
        both: Tensor = images + smooth
        return both.tanh()


def test_all_layers_pass_the_gates(make_card: Callable[..., Any]) -> None:
    """At every batch, with rows that do not depend on each other to the bit, after passes that moved the buffers."""
    torch.manual_seed(0)
    generator = Generator()
    for _ in range(3):
        generator(torch.randn(8, 4), torch.arange(8) % 3)
    _, findings = export(generator.eval(), make_card(3))
    assert findings["independence"] == "rows bitwise equal in every batch"
