"""Building blocks for the networks of plugins: each is its paper's equation, and holds on ranks and in ONNX files."""

from ganzoo.layers.attention import SelfAttention
from ganzoo.layers.equalised import EqualisedConv2d, EqualisedLinear
from ganzoo.layers.frozen import Frozen
from ganzoo.layers.modulated import ModulatedConv2d
from ganzoo.layers.normalisation import ConditionalBatchNorm2d, PixelNorm
from ganzoo.layers.resampling import FilteredDownsample, FilteredUpsample
from ganzoo.layers.residual import ResidualDown, ResidualUp
from ganzoo.layers.spectral import spectral_norm
from ganzoo.layers.stddev import MinibatchStdDev

__all__ = [
    "ConditionalBatchNorm2d",
    "EqualisedConv2d",
    "EqualisedLinear",
    "FilteredDownsample",
    "FilteredUpsample",
    "Frozen",
    "MinibatchStdDev",
    "ModulatedConv2d",
    "PixelNorm",
    "ResidualDown",
    "ResidualUp",
    "SelfAttention",
    "spectral_norm",
]
