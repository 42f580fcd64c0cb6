"""Networks trained by the hinge loss for a moment, and what their spectrally normalised layers then are."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.parametrize import is_parametrized

from ganzoo.training.ema import EMA


def trained(make: Callable[[], tuple[nn.Module, nn.Module]], classes: int, steps: int) -> dict[str, nn.Module]:
    """``generator``, ``discriminator`` and ``average``, of 8 pixels, after some steps of Adam from 4e-4 down to 0.

    Args:
        make: the generator and the discriminator.
        classes: how many labels there are; 0: none.
        steps: of both networks, on 16 images of smooth noise.
    """
    torch.manual_seed(0)
    generator, discriminator = make()
    average = EMA(generator)
    optimizers = [torch.optim.Adam(network.parameters(), betas=(0.0, 0.9)) for network in (discriminator, generator)]
    for step in range(1, steps + 1):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 4e-4 * (1 - step / steps)
        labels = torch.arange(16) % classes if classes else None
        real = interpolate(torch.rand(16, 1, 2, 2) * 2 - 1, size=8, mode="bilinear")
        fake = generator(torch.randn(16, int(str(generator.latent_dim))), labels)
        learned = (1 - discriminator(real, labels)).relu().mean() + (
            1 + discriminator(fake.detach(), labels)
        ).relu().mean()
        update(optimizers[0], learned)
        update(optimizers[1], -discriminator(fake, labels).mean())
        average.update(100.0, 16 * step, 16)
    return {"generator": generator, "discriminator": discriminator, "average": average.generator}


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()


def norms(network: nn.Module) -> dict[str, float]:
    """Name of each spectrally normalised layer -> the largest singular value of the weights that it uses, by SVD."""
    resting = copy.deepcopy(network).eval()  # to read a weight in training mode is a step of power iteration
    return {
        name: torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item()
        for name, layer in resting.named_modules()
        if is_parametrized(layer, "weight") and isinstance(layer.weight, Tensor)
    }


def vectors(network: nn.Module) -> list[Tensor]:
    """The vectors u and v of power iteration, of all layers."""
    return [buffer.clone() for name, buffer in network.named_buffers() if name.endswith(("._u", "._v"))]
