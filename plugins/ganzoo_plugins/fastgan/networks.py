"""FastGAN's networks for any power-of-two resolution from 8 to 256 pixels: figures 3 and 4 of the paper."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganzoo import ImageShape
from ganzoo.layers import spectral_norm
from ganzoo.training import Output, Step, in_fp32, widen
from ganzoo_plugins.fastgan import Options
from ganzoo_plugins.fastgan.blocks import Halved, SkipLayerExcitation, convolution, doubled

TIMES_WIDTH = {2: 16, 4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5}
"""Feature maps at each resolution, as a multiple of ``width``; at 2 pixels, which the paper has not, as at 4."""

EXCITED = 16
"""A map is excited by the one that is so many times as coarse (at 64, 128 and 256 pixels by those at 4, 8 and 16)."""


def feature_maps(shape: ImageShape, options: Options) -> dict[int, int]:
    """Feature maps at each resolution up to the image's."""
    default = 64 if shape.height > 16 else 4
    width = options.width if options.width is not None else default
    return {side: int(times * width) for side, times in TIMES_WIDTH.items() if side <= shape.height}


def base_resolution(shape: ImageShape) -> int:
    """Side of the generator's first maps: 4, or 2 for images of 8 pixels."""
    return 4 if shape.height > 8 else 2


class Generator(nn.Module):
    """z -> 4x4, then doubled by one convolution and by two in turn, the fine maps excited by coarse ones."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        maps, base = feature_maps(shape, options), base_resolution(shape)
        self.sides = [side for side in maps if side > base]
        first = spectral_norm(nn.ConvTranspose2d(options.latent_dim, 2 * maps[base], base, bias=False))
        self.first = nn.Sequential(first, nn.BatchNorm2d(2 * maps[base]), nn.GLU(1))
        self.blocks, self.excitations = nn.ModuleDict(), nn.ModuleDict()
        for depth, side in enumerate(self.sides):
            twice = depth % 2 == 0 and not options.lite
            self.blocks[str(side)] = doubled(maps[side // 2], maps[side], twice=twice)
            if low := self.coarse(side, base, shape.height):
                self.excitations[str(side)] = SkipLayerExcitation(maps[low], maps[side], low)
        self.base, self.height = base, shape.height
        self.to_image = convolution(maps[shape.height], shape.channels, 3, padding=1)

    @staticmethod
    def coarse(side: int, base: int, height: int) -> int:
        """Side of the map that excites those of ``side`` pixels; 0: none does. In small images the first the last."""
        if side >= EXCITED * base:
            return side // EXCITED
        return base if side == height else 0

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L] -> images [B, C, H, W] on (-1, 1)."""
        x = self.first(z[:, :, None, None])
        maps = {self.base: x}
        for side in self.sides:
            x = self.blocks[str(side)](x)
            if low := self.coarse(side, self.base, self.height):
                x = self.excitations[str(side)](maps[low], x)
            maps[side] = x
        return widen(self.to_image(x)).tanh()


class Discriminator(nn.Module):
    """The image halved down to 8x8 (a quarter of it, if it is small), then 5x5 logits (one, if it is small).

    Of its last two maps, f1 and f2, decoders draw the image: from a quarter of f1 that quarter, from f2 all of it.
    """

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        maps = feature_maps(shape, options)
        last = min(8, shape.height // 4)
        half = shape.height // 2
        self.stem = nn.Sequential(convolution(shape.channels, maps[half], 4, 2, 1), nn.LeakyReLU(0.2))
        sides = [side for side in sorted(maps, reverse=True) if 2 * last <= side < half]
        self.upper = nn.Sequential(*(Halved(maps[2 * side], maps[side]) for side in sides))
        self.lower = Halved(maps[2 * last], maps[last])
        self.head = nn.Sequential(convolution(maps[last], maps[last], 1), nn.BatchNorm2d(maps[last]), nn.LeakyReLU(0.2))
        self.score = convolution(maps[last], 1, min(4, last))
        self.part = decoder(maps, maps[2 * last], last, half, shape.channels)
        self.whole = decoder(maps, maps[last], last, half, shape.channels)

    def forward(self, images: Tensor, labels: Tensor | None) -> Output:
        """Images [B, C, H, W] -> logits [B, 1, 5, 5] (or [B]), and the maps f1 and f2."""
        f1 = self.upper(self.stem(images))
        f2 = self.lower(f1)
        return Output(in_fp32(self.score, self.head(f2)), extras={"f1": f1, "f2": f2})

    def regularise(self, step: Step) -> Tensor:
        """|G(f) - T(x)| of the real images: equation 2 of the paper; a quarter is drawn for each image."""
        images, maps = step.real.images, step.real.extras
        quarter = (4 * step.uniform_like(step.epsilon)).flatten().long()
        part = self.part(quarter_of(maps["f1"], quarter)) - quarter_of(images, quarter)
        whole = self.whole(maps["f2"]) - avg_pool2d(images, 2)
        distance: Tensor = part.abs().mean() + whole.abs().mean()
        return distance


def decoder(maps: dict[int, int], inside: int, side: int, to: int, channels: int) -> nn.Sequential:
    """From maps of ``side`` pixels to an image of ``to``, a convolution and a gate each doubling; tanh last."""
    layers: list[nn.Module] = []
    while side < to:
        side *= 2
        layers.append(doubled(inside, maps[side]))
        inside = maps[side]
    return nn.Sequential(*layers, convolution(inside, channels, 3, padding=1), nn.Tanh())


def quarter_of(x: Tensor, quarter: Tensor) -> Tensor:
    """The quarter of each of x [B, C, H, W] that ``quarter`` [B] says: 0 and 1 above, 2 and 3 below, left first."""
    quarters = torch.stack([column for row in x.chunk(2, 2) for column in row.chunk(2, 3)], 1)
    return quarters[torch.arange(x.shape[0], device=x.device), quarter]
