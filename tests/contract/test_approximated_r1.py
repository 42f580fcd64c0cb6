"""R1 without a second derivative (APT: Lin et al., 2025, equation 2), as a loss that the contract carries."""

import pytest
import torch
from torch import Tensor

from ganzoo.training import Output, Step

COPIES = 100_000
"""Of one image: the mean over as many random directions is within .45 % of its expectation, by standard deviation."""

WEIGHTS = torch.tensor([[2.0, 0.5], [0.5, -1.0]])


def critic(images: Tensor) -> Tensor:
    """D(x) = x^T A x / 2, whose gradient is A x."""
    x = images.flatten(1)
    return (x @ WEIGHTS * x).sum(1) / 2


def approximated(step: Step, sigma: float) -> Tensor:
    """E |D(x + sigma n) - D(x)|^2 / sigma^2, which is E (n^T grad D)^2 = |grad D|^2 where sigma is small."""
    images = step.real.images
    moved = step.score(images + sigma * step.normal_like(images)).logits
    return step.mean((moved - step.real.logits).square()) / sigma**2


@pytest.mark.parametrize(("sigma", "error"), [(1.0, None), (0.1, 0.02), (0.01, 0.02)])
def test_it_is_the_exact_one_as_sigma_goes_to_0(sigma: float, error: float | None) -> None:
    image = torch.tensor([1.5, -0.5]).view(1, 1, 1, 2)
    torch.manual_seed(0)
    step = Step(
        real=lambda: image.expand(COPIES, -1, -1, -1),
        fake=lambda: image,
        z=torch.zeros(1, 1),
        labels=None,
        epsilon=torch.zeros(1, 1, 1, 1),
        discriminator=lambda images: Output(critic(images)),
        log=lambda name, value: None,
    )
    exact = (WEIGHTS @ image.flatten()).square().sum().item()
    found = approximated(step, sigma).item()
    if error is None:  # the curvature counts, too: E (n^T A n)^2 / 4 = (2 tr A^2 + (tr A)^2) / 4
        curved = (2 * (WEIGHTS @ WEIGHTS).trace() + WEIGHTS.trace() ** 2) / 4 * sigma**2
        assert found == pytest.approx(exact + curved.item(), rel=0.05)
    else:
        assert found == pytest.approx(exact, rel=error)
