"""SNGAN's networks: those of WGAN-GP's CIFAR-10 code, with spectral norm in the discriminator; also with labels."""

from typing import ClassVar

from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.layers import spectral_norm
from ganzoo.training import in_fp32, widen
from ganzoo_plugins.wgan_gp_resnet import Options, networks as residual


class Generator(residual.Generator):
    """WGAN-GP's generator, twice as wide."""

    at_32: ClassVar[int] = 256


class Discriminator(nn.Module):
    """The image halved by residual blocks, then l^T h + b of the sum h over all places.

    Built for classes it adds e(y)^T h, the projection of h on the label's embedding (Miyato and Koyama, 2018, eq. 3).
    All weights are spectrally normalised.
    """

    def __init__(self, shape: ImageShape, options: Options, *, wide: bool = False) -> None:
        super().__init__()
        self.maps = residual.feature_maps(shape, options.discriminator_width, options.doubling, 128)
        blocks = residual.down_blocks(shape, self.maps, spectral=True, wide=wide)
        self.layers = nn.Sequential(*blocks, nn.ReLU())
        features = self.maps[0]
        self.head = nn.Linear(features, 1)
        residual.glorot(self.head)
        spectral_norm(self.head)
        self.embedding = nn.Embedding(shape.classes, features) if shape.classes else None
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)
            spectral_norm(self.embedding)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W], and labels [B] where it is built for classes -> logits [B]."""
        features = widen(self.layers(images)).sum((2, 3))
        logits: Tensor = in_fp32(self.head, features).flatten()
        if self.embedding is None:
            return logits
        projection: Tensor = (features * self.embedding(labels)).sum(1)
        return logits + projection
