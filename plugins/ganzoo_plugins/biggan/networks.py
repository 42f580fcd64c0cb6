"""BigGAN's networks (appendix B of the paper), for any power-of-two resolution from 8 pixels."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganzoo import ImageShape, UsageError
from ganzoo.layers import ResidualUp, SelfAttention, spectral_norm
from ganzoo.training import Step, in_fp32, widen
from ganzoo_plugins.biggan import Options
from ganzoo_plugins.sagan.networks import downs_before, ups_before
from ganzoo_plugins.wgan_gp_resnet.networks import BASE, down_blocks, feature_maps

AT_32 = 256
"""Feature maps of images of 32 pixels: 4 ``ch``."""

MOST = 64
"""Side of the largest map that is attended: that of the paper's networks for 128 pixels and more."""


def initialise(network: nn.Module, kind: str) -> None:
    """Draw the weights of all layers from N(0, .02), or orthogonal ones (Saxe et al., 2014); biases are 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            if kind == "orthogonal":
                nn.init.orthogonal_(layer.weight)
            else:
                nn.init.normal_(layer.weight, 0.0, 0.02)
            if (bias := getattr(layer, "bias", None)) is not None:
                nn.init.zeros_(bias)


def non_orthogonality(weight: Tensor) -> Tensor:
    """|W W^T o (1 - I)|_F^2 of W with a row for each output: how far from orthogonal its rows are (eq. 3).

    It is |W W^T|_F^2 - sum_i |w_i|^4, where W W^T may be W^T W, whichever is smaller: of a first layer with thousands
    of outputs W W^T would be larger than both networks.
    """
    rows = weight.flatten(1)
    gram = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
    return gram.square().sum() - rows.square().sum(1).square().sum()


class Generator(nn.Module):
    """The first slice of z -> 4x4, then blocks whose BatchNorm depends on a slice of z and the label's embedding.

    All weights but the embedding's are spectrally normalised.
    """

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.maps = maps = feature_maps(shape, options.width, options.doubling, AT_32)
        self.slice = options.latent_dim // len(maps)
        if not self.slice:
            raise UsageError(
                f"latent_dim={options.latent_dim}: the first layer and each block take a slice of z",
                hint=f"--set options.latent_dim={len(maps)}, or more",
            )
        self.latent_dim = self.slice * len(maps)
        self.embedding = nn.Embedding(shape.classes, options.embedding_dim)
        self.first = nn.Linear(self.slice, maps[0] * BASE**2)
        features = self.slice + options.embedding_dim
        self.blocks = nn.ModuleList(ResidualUp(before, after, features=features) for before, after in pairwise(maps))
        self.attended = ups_before(shape, MOST)
        self.attention = SelfAttention(maps[self.attended]) if options.attention else nn.Identity()
        to_image = nn.Conv2d(maps[-1], shape.channels, 3, padding=1)
        self.last = nn.Sequential(nn.BatchNorm2d(maps[-1]), nn.ReLU(), to_image)
        initialise(self, options.initialisation)
        for layer in list(self.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)

    def forward(self, z: Tensor, labels: Tensor, truncation: Tensor | None = None) -> Tensor:
        """z [B, L] and labels [B] -> images [B, C, H, W] on (-1, 1).

        ``truncation`` [B, 1] scales z, so that it is N(0, truncation^2): 1 leaves it, 0 makes one image of each label.
        """
        if truncation is not None:
            z = z * truncation
        first, *others = torch.split(z, self.slice, 1)
        embedded = self.embedding(labels)
        x = self.first(first).unflatten(1, (-1, BASE, BASE))
        for number, (block, part) in enumerate(zip(self.blocks, others, strict=True), 1):
            x = block(x, torch.cat([embedded, part], 1))
            if number == self.attended:
                x = self.attention(x)
        return widen(self.last(x)).tanh()

    def regularise(self, step: Step) -> Tensor:
        """The sum of ``non_orthogonality`` over all weights but the embedding's, ahead of spectral norm."""
        weights = [weight for weight in self.parameters() if weight.ndim > 1 and weight is not self.embedding.weight]
        return torch.stack([non_orthogonality(weight) for weight in weights]).sum()


class Discriminator(nn.Module):
    """The image halved by residual blocks, then l^T h + b + e(y)^T h of the sum h over all places.

    All weights are spectrally normalised.
    """

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        maps = feature_maps(shape, options.discriminator_width, options.doubling, AT_32)
        self.layers = nn.Sequential(*down_blocks(shape, maps, wide=True), nn.ReLU())
        if options.attention:
            attended = downs_before(shape, MOST)
            self.layers.insert(attended, SelfAttention(maps[-attended]))
        self.head = nn.Linear(maps[0], 1)
        self.embedding = nn.Embedding(shape.classes, maps[0])
        initialise(self, options.initialisation)
        for layer in list(self.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
                spectral_norm(layer)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images [B, C, H, W] and labels [B] -> logits [B]."""
        features = widen(self.layers(images)).sum((2, 3))
        logits: Tensor = in_fp32(self.head, features).flatten() + (features * self.embedding(labels)).sum(1)
        return logits
