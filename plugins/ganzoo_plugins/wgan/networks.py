"""WGAN's critic."""

import torch

from ganzoo import ImageShape
from ganzoo_plugins.dcgan import networks as dcgan
from ganzoo_plugins.wgan import Options


class Critic(dcgan.Discriminator):
    """DCGAN's discriminator with weights in [-clip, clip], which bounds its slope (section 3 of the paper)."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        self.clip = options.clip
        with torch.no_grad():
            self.constrain()  # before the first update, too, as the authors' code does

    def constrain(self) -> None:
        """Clip all weights (algorithm 1, line 7)."""
        for weight in self.parameters():
            weight.clamp_(-self.clip, self.clip)
