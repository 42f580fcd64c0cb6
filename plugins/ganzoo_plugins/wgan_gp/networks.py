"""WGAN-GP's convolutional networks for any power-of-two resolution from 8 pixels."""

from itertools import pairwise
from math import log2

from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.training import in_fp32, widen
from ganzoo_plugins.wgan_gp import Options


def base_resolution(shape: ImageShape) -> int:
    """Side of the smallest maps: 4, or 2 for images of 8 pixels, whose networks would else be one layer deep."""
    return 4 if shape.height > 8 else 2


def feature_maps(shape: ImageShape, options: Options) -> list[int]:
    """Feature maps at the base resolution, twice that, ... up to half the image's."""
    default = 128 if shape.height > 16 else 32
    width = options.width if options.width is not None else default
    halvings = int(log2(shape.height // base_resolution(shape)))
    return [width * min(2**depth, 4) for depth in reversed(range(halvings))]


def initialise(module: nn.Module) -> None:
    """Draw weights of variance 2 / fan-in (He et al., 2015); at stride 2 a quarter of a transposed kernel counts."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.ConvTranspose2d):
        fan_in = module.in_channels * module.kernel_size[0] * module.kernel_size[1] / module.stride[0] ** 2
        nn.init.normal_(module.weight, 0.0, (2 / fan_in) ** 0.5)


class Generator(nn.Module):
    """z -> 4x4 by a linear layer, then doubled up to the image; BatchNorm and ReLU between, tanh last."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        maps = feature_maps(shape, options)
        base = base_resolution(shape)
        layers: list[nn.Module] = [
            nn.Linear(options.latent_dim, maps[0] * base**2, bias=False),
            nn.Unflatten(1, (maps[0], base, base)),
        ]
        for before, after in pairwise(maps):
            up = nn.ConvTranspose2d(before, after, 5, 2, 2, output_padding=1, bias=False)
            layers += [nn.BatchNorm2d(before), nn.ReLU(), up]
        last = nn.ConvTranspose2d(maps[-1], shape.channels, 5, 2, 2, output_padding=1)
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(maps[-1]), nn.ReLU(), last)
        self.apply(initialise)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L] -> images [B, C, H, W] on (-1, 1)."""
        return widen(self.layers(z)).tanh()


class Critic(nn.Module):
    """The image halved down to 4x4 by strided convolutions with LeakyReLU(.2), then a linear score."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        maps = feature_maps(shape, options)[::-1]
        layers: list[nn.Module] = [
            nn.Conv2d(shape.channels, maps[0], 5, 2, 2),
            nn.LeakyReLU(0.2),
        ]
        for before, after in pairwise(maps):
            # One group: LayerNorm over a sample's feature maps, the paper's replacement for BatchNorm.
            norm = nn.GroupNorm(1, after) if options.discriminator_norm == "layer" else nn.Identity()
            layers += [nn.Conv2d(before, after, 5, 2, 2), norm, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(maps[-1] * base_resolution(shape) ** 2, 1)
        self.apply(initialise)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W] -> scores [B]."""
        return in_fp32(self.head, self.layers(images)).flatten()
