"""BatchNorm that depends on a condition, and the norm of each pixel."""

import torch
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.layers.spectral import spectral_norm
from ganzoo.step import widen


class ConditionalBatchNorm2d(nn.Module):
    """BatchNorm whose scale and shift depend on a condition: (1 + g(c)) xhat + b(c).

    If c is a label, g and b are rows of tables that start at 0 (Dumoulin et al., 2017; De Vries et al., 2017). If it is
    a vector, they are linear in it (BigGAN: Brock et al., 2019, appendix B).

    Args:
        channels: of the map.
        classes: how many labels there are; 0 if the condition is a vector.
        features: length of that vector; 0 if the condition is a label.
        spectral: whether the linear maps of a vector are spectrally normalised, as BigGAN's are.

    Raises:
        UsageError: not exactly one of ``classes`` and ``features`` is given, or a table should be normalised.
    """

    def __init__(self, channels: int, *, classes: int = 0, features: int = 0, spectral: bool = False) -> None:
        super().__init__()
        if (classes > 0) == (features > 0):
            raise UsageError(
                f"ConditionalBatchNorm2d is given classes={classes} and features={features}",
                hint="one of the two: the number of labels, or the length of a vector",
            )
        if classes and spectral:
            raise UsageError(
                "ConditionalBatchNorm2d of labels cannot be spectrally normalised: its table starts at 0",
                hint="spectral=False, or features=N with an embedding of the labels",
            )
        # A module of torch's own: the engine makes its statistics those of all ranks, and averages them.
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain, self.bias = (_condition(channels, classes, features, spectral) for _ in range(2))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x [B, C, H, W] and labels int64 [B], or vectors [B, features] -> [B, C, H, W]."""
        normalised: Tensor = self.norm(x)
        gain, bias = (layer(condition).to(normalised.dtype)[:, :, None, None] for layer in (self.gain, self.bias))
        return torch.addcmul(normalised + bias, normalised, gain)


def _condition(channels: int, classes: int, features: int, spectral: bool) -> nn.Module:
    if classes:
        table = nn.Embedding(classes, channels)
        nn.init.zeros_(table.weight)
        return table
    linear = nn.Linear(features, channels, bias=False)
    nn.init.normal_(linear.weight, 0.0, 0.02)
    return spectral_norm(linear) if spectral else linear


class PixelNorm(nn.Module):
    """x / sqrt(mean over channels of x^2 + 1e-8), at each place (PGGAN: Karras et al., 2018, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, …] -> the same shape."""
        wide = widen(x)  # 1e-8 is 0 in fp16, and the square of 256 is infinite
        return (wide * (wide.square().mean(1, keepdim=True) + 1e-8).rsqrt()).to(x.dtype)
