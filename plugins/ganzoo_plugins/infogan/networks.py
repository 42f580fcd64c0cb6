"""DCGAN's networks with codes."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganzoo import ImageShape
from ganzoo.training import Output, in_fp32
from ganzoo_plugins.dcgan import networks as dcgan
from ganzoo_plugins.infogan import Options, codes

Q_FEATURES = 128


class Generator(dcgan.Generator):
    """DCGAN's generator on the categorical code, one-hot, the continuous ones, and the other latents as they are."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        inputs = options.categories + options.continuous + options.latent_dim
        super().__init__(shape, options, inputs)
        self.latent_dim = inputs
        self.categories, self.continuous = options.categories, options.continuous

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None,
        code: Tensor | None = None,
        first: Tensor | None = None,
        second: Tensor | None = None,
    ) -> Tensor:
        """z [B, L] -> images [B, C, H, W] on (-1, 1).

        Args:
            code: [B, 1], the categorical code; below 0: that of z. Values over the last are the last.
            first, second: [B, 1], what is added to the first two continuous codes, which end at -1 and 1.
        """
        chosen = one_hot(codes.category(z, self.categories), self.categories).to(z)
        if code is not None:
            values = torch.arange(self.categories, device=z.device)
            asked = code.round().clamp(max=self.categories - 1)
            chosen = torch.where(asked < 0, chosen, (values == asked).to(z))
        continuous = codes.continuous(z, self.categories, self.continuous)
        for place, shift in enumerate((first, second)[: self.continuous]):
            if shift is not None:
                at_place = torch.arange(self.continuous, device=z.device) == place
                continuous = torch.where(at_place, (continuous + shift).clamp(-1, 1), continuous)
        noise = z[:, self.categories + self.continuous :]
        return super().forward(torch.cat([chosen, continuous, noise], 1), labels)


class Discriminator(nn.Module):
    """DCGAN's discriminator, and Q on its last features, which says of each code what it may have been."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.body = dcgan.Discriminator(shape, options)
        self.categories = options.categories
        self.q = nn.Sequential(
            nn.Conv2d(self.body.head.in_channels, Q_FEATURES, dcgan.base_resolution(shape), bias=False),
            dcgan.norm(options.discriminator_norm, Q_FEATURES),
            nn.LeakyReLU(0.2),
        )
        self.q_head = nn.Conv2d(Q_FEATURES, options.categories + options.continuous, 1)
        for layer in (*self.q, self.q_head):
            dcgan.initialise(layer)

    def forward(self, images: Tensor, labels: Tensor | None) -> Output:
        """Images [B, C, H, W] -> logits [B]; the categorical code's [B, K], and means of the continuous ones [B, N]."""
        features = self.body.layers(images)
        q = in_fp32(self.q_head, self.q(features)).flatten(1)
        extras = {"categorical": q[:, : self.categories], "continuous": q[:, self.categories :]}
        return Output(in_fp32(self.body.head, features).flatten(), extras=extras)
