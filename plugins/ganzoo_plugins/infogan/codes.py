"""Where the codes lie in z, for the generator, which draws by them, and for the loss, which has them read back."""

from torch import Tensor

ROOT_OF_2 = 2**0.5


def category(z: Tensor, categories: int) -> Tensor:
    """The categorical code [B] in int64, all values equally probable: which of the first latents [B, L] is largest."""
    return z[:, :categories].argmax(1)


def continuous(z: Tensor, categories: int, count: int) -> Tensor:
    """The continuous codes [B, count], uniform on (-1, 1): 2 Phi(z) - 1 of the next latents of z [B, L]."""
    return (z[:, categories : categories + count] / ROOT_OF_2).erf()
