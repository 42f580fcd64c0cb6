"""Multi-layer perceptrons."""

from itertools import pairwise

from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.training import in_fp32, widen
from ganzoo_plugins.vanilla import Options


class Generator(nn.Module):
    """z -> four hidden layers, BatchNorm on all but the first -> tanh."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        widths = [options.width << doubling for doubling in range(4)]
        layers: list[nn.Module] = [nn.Linear(options.latent_dim, widths[0]), nn.LeakyReLU(0.2)]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.LeakyReLU(0.2)]
        size = (shape.channels, shape.height, shape.width)
        pixels = shape.channels * shape.height * shape.width
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], pixels), nn.Unflatten(1, size))

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L] -> images [B, C, H, W] on (-1, 1)."""
        return widen(self.layers(z)).tanh()


class Discriminator(nn.Module):
    """Pixels -> two hidden layers -> one logit."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        pixels = shape.channels * shape.height * shape.width
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, options.width * 4),
            nn.LeakyReLU(0.2),
            nn.Linear(options.width * 4, options.width * 2),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(options.width * 2, 1)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W] -> logits [B]."""
        return in_fp32(self.head, self.layers(images)).flatten()
