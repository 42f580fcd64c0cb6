"""A generator and a discriminator of residual blocks, for square images of 8 to 64 pixels."""

from torch import nn

from ganzoo.layers import ResidualDown, ResidualUp, spectral_norm
from ganzoo.training import in_fp32, widen

BASE = 4
"""Height and width of the smallest maps, in pixels."""


def halvings(shape):
    """How often the image's sides are halved to get to the smallest maps."""
    return (shape.height // BASE).bit_length() - 1


class Generator(nn.Module):
    def __init__(self, shape, options):
        super().__init__()
        self.latent_dim, width = options.latent_dim, options.width
        self.first = nn.Sequential(nn.Linear(self.latent_dim, width * BASE**2), nn.Unflatten(1, (width, BASE, BASE)))
        self.blocks = nn.ModuleList(ResidualUp(width, width, classes=shape.classes) for _ in range(halvings(shape)))
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, shape.channels, 3, padding=1))

    def forward(self, z, labels):
        x = self.first(z)
        for block in self.blocks:
            x = block(x, labels)
        return widen(self.last(x)).tanh()


class Discriminator(nn.Module):
    def __init__(self, shape, options):
        super().__init__()
        width = options.width
        down = [ResidualDown(width, width, spectral=True) for _ in range(halvings(shape) - 1)]
        self.layers = nn.Sequential(
            ResidualDown(shape.channels, width, first=True, spectral=True),
            *down,
            ResidualDown(width, width, downsample=False, spectral=True),
            ResidualDown(width, width, downsample=False, spectral=True),
            nn.ReLU(),
        )
        self.head = spectral_norm(nn.Linear(width, 1))
        self.embedding = spectral_norm(nn.Embedding(shape.classes, width))

    def forward(self, images, labels):
        features = widen(self.layers(images)).sum((2, 3))
        return in_fp32(self.head, features).flatten() + (features * self.embedding(labels)).sum(1)
