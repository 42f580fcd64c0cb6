"""SAGAN's networks: SNGAN's with labels, spectral norm in both, and self-attention."""

from math import log2

from torch import Tensor

from ganzoo import ImageShape
from ganzoo.layers import SelfAttention
from ganzoo.training import widen
from ganzoo_plugins.sagan import Options
from ganzoo_plugins.sngan import networks as sngan
from ganzoo_plugins.wgan_gp_resnet.networks import BASE

MOST = 32
"""Side of the largest map that is attended: of 8 to 64 pixels the paper finds 32 the best (table 1)."""


def ups_before(shape: ImageShape, most: int = MOST) -> int:
    """The generator's blocks ahead of attention, which is at half the image's side, at least 8 and at most ``most``."""
    return int(log2(max(8, min(shape.height // 2, most)) // BASE))


def downs_before(shape: ImageShape, most: int = MOST) -> int:
    """The discriminator's blocks ahead of attention, which is at half the image's side, and at most ``most``."""
    return int(log2(shape.height // min(shape.height // 2, most)))


class Generator(sngan.Generator):
    """SNGAN's generator with spectral norm, and attention after one of its blocks."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options, spectral=True)
        self.attended = ups_before(shape)
        self.attention = SelfAttention(self.maps[self.attended], spectral=True)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L] and labels [B] -> images [B, C, H, W] on (-1, 1)."""
        x = self.first(z)
        for number, block in enumerate(self.blocks, 1):
            x = block(x, labels)
            if number == self.attended:
                x = self.attention(x)
        return widen(self.last(x)).tanh()


class Discriminator(sngan.Discriminator):
    """SNGAN's discriminator with attention after one of its blocks."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options, wide=True)
        attended = downs_before(shape)
        self.layers.insert(attended, SelfAttention(self.maps[-attended], spectral=True))
