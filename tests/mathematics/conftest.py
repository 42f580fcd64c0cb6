"""Steps made by hand: the images, the critic and epsilon are whatever a test says."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganzoo.training import Output, Step


class Critic:
    """Any function of the images as a discriminator that counts its calls."""

    def __init__(self, score: Callable[[Tensor], Tensor]) -> None:
        self.score = score
        self.calls = 0

    def __call__(self, images: Tensor) -> Output:
        self.calls += 1
        return Output(self.score(images))


class HandMade(Step):
    """A step that remembers what was logged."""

    def __init__(self, real: Tensor, fake: Tensor, critic: Any, epsilon: Tensor | None = None) -> None:
        self.logged: dict[str, float] = {}
        super().__init__(
            real=lambda: real,
            fake=lambda: fake,
            z=torch.zeros(len(real), 1),
            labels=None,
            epsilon=torch.full((len(real), 1, 1, 1), 0.5, dtype=real.dtype) if epsilon is None else epsilon,
            discriminator=critic if isinstance(critic, Critic) else Critic(critic),
            log=lambda name, value: self.logged.update({name: float(value)}),
        )


# Of the session, because these hold no state and hypothesis reuses a test's fixtures for every example.
@pytest.fixture(scope="session")
def make_step() -> type[HandMade]:
    return HandMade


@pytest.fixture(scope="session")
def make_critic() -> type[Critic]:
    return Critic


@pytest.fixture(scope="session")
def step_of_logits() -> Callable[[Tensor, Tensor], HandMade]:
    """A step in which the discriminator answers with these logits: the images are the logits themselves."""
    return lambda real, fake: HandMade(real, fake, lambda images: images)
