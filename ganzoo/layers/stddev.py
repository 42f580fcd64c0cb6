"""A channel that tells a discriminator how much the samples of a batch differ."""

import torch
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.step import widen


class MinibatchStdDev(nn.Module):
    """Append channels with the standard deviation over a group of samples, averaged over channels and places.

    PGGAN (Karras et al., 2018, section 3), in the groups of StyleGAN2 (Karras et al., 2020): sample n is in group
    n mod (B / G). The map's channels are in F parts; of each, all samples and places of a group get the number

        mean over c, h, w of sqrt(1/G sum_n (x_nchw - mu_chw)^2 + 1e-8),    mu_chw = 1/G sum_n x_nchw.

    The samples of a batch meet in it: declare ``Architecture(batch_coupled=True)``.

    Args:
        group: samples in a group, G; a smaller batch is one group.
        channels: how many to append, F; a divisor of the map's.

    Raises:
        UsageError: from ``forward``: the batch is not a multiple of the group, or the map's channels of ``channels``.
    """

    def __init__(self, group: int = 4, channels: int = 1) -> None:
        super().__init__()
        self.group, self.channels = group, channels

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C + channels, H, W]."""
        batch, channels, height, width = x.shape
        group = min(self.group, batch)
        if batch % group:
            raise UsageError(
                f"MinibatchStdDev divides a batch into groups of {group}, and this one has {batch} images",
                hint=f"--batch: a multiple of {group}, in each part on each rank",
            )
        if channels % self.channels:
            raise UsageError(
                f"MinibatchStdDev appends {self.channels} channels, of as many parts of the map's {channels}",
                hint="channels: a divisor of the map's",
            )
        groups = widen(x).unflatten(0, (group, -1)).unflatten(2, (self.channels, -1))  # type: ignore[no-untyped-call]
        deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((2, 3, 4))  # [B / G, F]
        appended = deviation.to(x.dtype).repeat(group, 1)[:, :, None, None].expand(-1, -1, height, width)
        return torch.cat([x, appended], 1)
