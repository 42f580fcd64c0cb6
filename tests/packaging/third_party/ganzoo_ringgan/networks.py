"""Two small perceptrons."""

from math import prod

from torch import nn
from torch.nn.functional import normalize


class Generator(nn.Module):
    """z, brought to unit length, -> images."""

    def __init__(self, shape, options):
        super().__init__()
        self.latent_dim = options.latent_dim
        size = (shape.channels, shape.height, shape.width)
        self.layers = nn.Sequential(
            nn.Linear(options.latent_dim, options.width),
            nn.SiLU(),
            nn.Linear(options.width, prod(size)),
            nn.Tanh(),
            nn.Unflatten(1, size),
        )

    def forward(self, z, labels):
        """z [B, L] -> images [B, C, H, W] on (-1, 1)."""
        return self.layers(normalize(z, dim=1))


class Discriminator(nn.Module):
    """Images -> one logit each."""

    def __init__(self, shape, options):
        super().__init__()
        hidden = nn.Linear(shape.channels * shape.height * shape.width, options.width)
        self.layers = nn.Sequential(nn.Flatten(), hidden, nn.SiLU(), nn.Linear(options.width, 1))

    def forward(self, images, labels):
        """Images [B, C, H, W] -> logits [B]."""
        return self.layers(images).flatten()
