"""DCGAN's networks for any power-of-two resolution from 8 pixels: each doubling is one layer."""

from itertools import pairwise
from math import log2

from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.training import in_fp32, widen
from ganzoo_plugins.dcgan import Options


def base_resolution(shape: ImageShape) -> int:
    """Side of the smallest maps: 4, or 2 for images of 8 pixels, whose networks would else be one layer deep."""
    return 4 if shape.height > 8 else 2


def feature_maps(shape: ImageShape, options: Options) -> list[int]:
    """Feature maps at the base resolution, twice that, ... up to half the image's."""
    default = 64 if shape.height > 16 else 32
    width = options.width if options.width is not None else default
    halvings = int(log2(shape.height // base_resolution(shape)))
    return [width * min(2**depth, 8) for depth in reversed(range(halvings))]


def initialise(module: nn.Module) -> None:
    """Draw convolutions from N(0, .02), BatchNorm's scale from N(1, .02): section 4 of the paper, and its code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def norm(kind: str, channels: int) -> nn.Module:
    """The norm ``kind`` for ``channels`` feature maps; GroupNorm(1) is LayerNorm over a sample's maps."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(1, channels) if kind == "layer" else nn.Identity()


class Generator(nn.Module):
    """z -> 4x4 by a transposed convolution, then doubled up to the image; BatchNorm and ReLU between, tanh last."""

    def __init__(self, shape: ImageShape, options: Options, inputs: int | None = None) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        maps = feature_maps(shape, options)
        base = base_resolution(shape)
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs or options.latent_dim, maps[0], base, 1, 0, bias=False)]
        for before, after in pairwise(maps):
            layers += [
                nn.BatchNorm2d(before),
                nn.ReLU(),
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
            ]
        last = nn.ConvTranspose2d(maps[-1], shape.channels, 4, 2, 1, bias=False)
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(maps[-1]), nn.ReLU(), last)
        self.apply(initialise)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L] -> images [B, C, H, W] on (-1, 1)."""
        return widen(self.layers(z[:, :, None, None])).tanh()


class Discriminator(nn.Module):
    """The image halved down to 4x4 by strided convolutions with LeakyReLU(.2), then one logit."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        maps = feature_maps(shape, options)[::-1]
        layers: list[nn.Module] = [nn.Conv2d(shape.channels, maps[0], 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for before, after in pairwise(maps):
            convolution = nn.Conv2d(before, after, 4, 2, 1, bias=False)
            layers += [convolution, norm(options.discriminator_norm, after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        base = base_resolution(shape)
        self.head = nn.Conv2d(maps[-1], 1, base, 1, 0, bias=False)
        self.features = maps[-1] * base**2
        self.apply(initialise)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W] -> logits [B]."""
        return in_fp32(self.head, self.layers(images)).flatten()
