"""Spectral normalisation of a layer's weights."""

from typing import TypeVar

from torch import nn
from torch.nn.utils import parametrizations

Layer = TypeVar("Layer", bound=nn.Module)


def spectral_norm(layer: Layer) -> Layer:
    """Divide a layer's weights by their largest singular value, in place: W / sigma(W) (Miyato et al., 2018, eq. 8).

    sigma(W) = u^T W v of W as a matrix with a row for each output, with one step of power iteration in each forward
    pass in training mode (algorithm 1). u and v are buffers, written in place; in eval mode they rest.

    torch's parametrisation is that algorithm. What the layer computes with is made anew from
    ``layer.parametrizations.weight.original`` each time that ``layer.weight`` is read: initialise weights before.

    Args:
        layer: a linear layer, a convolution, a transposed one, or an embedding.

    Returns:
        The layer.
    """
    parametrizations.spectral_norm(layer)
    return layer
