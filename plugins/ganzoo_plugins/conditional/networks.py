"""DCGAN's networks with labels."""

import torch
from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.training import in_fp32
from ganzoo_plugins.dcgan import Options, networks as dcgan


class Generator(nn.Module):
    """DCGAN's generator on [z, e(label)], e a learned embedding of as many numbers as z.

    It begins as long as a one-hot label, with a length of about 1 beside the sqrt(L) of z. Drawn like z, labels would
    decide half of what the first layer sees, and larger images would soon be one picture a class.
    """

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        self.embedding = nn.Embedding(shape.classes, options.latent_dim)
        nn.init.normal_(self.embedding.weight, 0.0, options.latent_dim**-0.5)
        self.body = dcgan.Generator(shape, options, inputs=2 * options.latent_dim)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """z [B, L] and labels [B] -> images [B, C, H, W] on (-1, 1)."""
        images: Tensor = self.body(torch.cat([z, self.embedding(labels)], 1), None)
        return images


class Discriminator(nn.Module):
    """DCGAN's discriminator; the product of its 4x4 features with the label's embedding is added to its logit."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.body = dcgan.Discriminator(shape, options)
        self.embedding = nn.Embedding(shape.classes, self.body.features)
        nn.init.normal_(self.embedding.weight, 0.0, 0.02)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images [B, C, H, W] and labels [B] -> logits [B]."""
        features = self.body.layers(images)
        projection = (features.flatten(1) * self.embedding(labels)).sum(1)
        logits: Tensor = in_fp32(self.body.head, features).flatten() + projection
        return logits
