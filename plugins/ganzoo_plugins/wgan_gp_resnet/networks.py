"""The residual networks of WGAN-GP's CIFAR-10 code, for any power-of-two resolution from 8 pixels."""

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.layers import ResidualDown, ResidualUp, spectral_norm
from ganzoo.training import in_fp32, widen
from ganzoo_plugins.wgan_gp_resnet import Options

BASE = 4
"""Side of the smallest maps, in pixels."""

DOUBLED = {
    8: (2, 1),
    16: (4, 2, 1),
    32: (8, 4, 2, 1),
    64: (16, 8, 4, 2, 1),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
"""Side of the image -> feature maps at 4 pixels, 8, ... up to that side, in multiples of the width.

For 64 pixels and more they are those of SNGAN's code, and from 128 on of BigGAN's: its generator for 64 has 16, 16, 8,
4, 2.
"""


def feature_maps(shape: ImageShape, width: int | None, doubling: bool | None, at_32: int) -> list[int]:
    """Feature maps at 4 pixels, 8, ... up to the image's side.

    Args:
        shape: of the images.
        width: at the image's side; None: ``at_32`` for 32 pixels, in proportion for fewer, and 64 for more.
        doubling: whether smaller maps are more, as in ``DOUBLED``; None: for more than 32 pixels.
        at_32: what the paper's code has for 32 pixels.
    """
    if width is None:
        width = at_32 * shape.height // 32 if shape.height <= 32 else 64
    if doubling is None:
        doubling = shape.height > 32
    return [width * (multiple if doubling else 1) for multiple in DOUBLED[shape.height]]


def down_blocks(
    shape: ImageShape, maps: list[int], *, spectral: bool = False, wide: bool = False
) -> list[ResidualDown]:
    """The discriminator's blocks; ``wide``: feature maps change in the first convolution of a block, not in the last.

    Where all maps are equally many the first two blocks halve the sides (of 8-pixel images, the first), and two keep
    them: the networks for CIFAR-10. Else blocks halve them down to 4 pixels, and one keeps them: those for ImageNet.
    (SNGAN's for 64 pixels halves in the last one, too; BigGAN's does not.)
    """
    last, *halved = maps
    halved, kept = (halved[:2], [last] * 2) if last == maps[-1] else (halved[::-1], [last])
    first = ResidualDown(shape.channels, halved[0], first=True, spectral=spectral)
    return [first] + [
        ResidualDown(
            before,
            after,
            hidden_channels=after if wide else before,
            downsample=index < len(halved) - 1,
            spectral=spectral,
        )
        for index, (before, after) in enumerate(pairwise([*halved, *kept]))
    ]


def glorot(layer: nn.Linear | nn.Conv2d) -> None:
    """Draw weights of variance 2 / (fan-in + fan-out), uniformly (Glorot and Bengio, 2010); biases are 0."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class Generator(nn.Module):
    """z -> 4x4 by a linear layer, then doubled up to the image by residual blocks; BatchNorm, ReLU, 3x3, tanh last.

    Built for classes, the BatchNorm of its blocks depends on the label.
    """

    at_32: ClassVar[int] = 128
    """Feature maps of images of 32 pixels."""

    def __init__(self, shape: ImageShape, options: Options, *, spectral: bool = False) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        self.maps = maps = feature_maps(shape, options.width, options.doubling, self.at_32)
        linear, convolution = (
            nn.Linear(self.latent_dim, maps[0] * BASE**2),
            nn.Conv2d(maps[-1], shape.channels, 3, 1, 1),
        )
        for layer in (linear, convolution):
            glorot(layer)
            if spectral:
                spectral_norm(layer)
        self.first = nn.Sequential(linear, nn.Unflatten(1, (maps[0], BASE, BASE)))
        self.blocks = nn.ModuleList(
            ResidualUp(before, after, classes=shape.classes, spectral=spectral) for before, after in pairwise(maps)
        )
        self.last = nn.Sequential(nn.BatchNorm2d(maps[-1]), nn.ReLU(), convolution)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L], and labels [B] where it is built for classes -> images [B, C, H, W] on (-1, 1)."""
        x = self.first(z)
        for block in self.blocks:
            x = block(x, labels)
        return widen(self.last(x)).tanh()


class Critic(nn.Module):
    """The image halved by residual blocks, the mean over all places, then a linear score."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        maps = feature_maps(shape, options.discriminator_width, options.doubling, 128)
        self.layers = nn.Sequential(*down_blocks(shape, maps), nn.ReLU())
        self.head = nn.Linear(maps[0], 1)
        glorot(self.head)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W] -> scores [B]."""
        return in_fp32(self.head, widen(self.layers(images)).mean((2, 3))).flatten()
