"""The rules by which weights learn. Published references stand beside each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Optimizer, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


def _check(options: object, decays: tuple[str, ...]) -> None:
    """Refuse decay rates, ``eps`` and ``weight_decay`` that make no sense."""
    for name, value in vars(options).items():
        for number in value if isinstance(value, tuple) else (value,):
            if name in decays and not 0 <= number < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, and {number:g} is not")
            if name in ("eps", "weight_decay") and not 0 <= number <= 1:
                raise ValueError(f"{name} must be at least 0 and at most 1, and {number:g} is not")


@dataclass(frozen=True, kw_only=True)
class AdamOptions:
    """The options of Adam and AdamW.

    Args:
        betas: decay rates of the means of gradients and of their squares.
        eps: what is added to the root of the second mean.
        weight_decay: of Adam, times the weights, added to the gradient; of AdamW, of the weights themselves.
    """

    betas: tuple[float, float] = (0.5, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check(self, ("betas",))


@dataclass(frozen=True, kw_only=True)
class RMSpropOptions:
    """The options of RMSprop.

    Args:
        alpha: decay rate of the mean of squared gradients.
        eps: what is added to its root.
        momentum: of the update.
        weight_decay: times the weights, added to the gradient.
    """

    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check(self, ("alpha", "momentum"))


@dataclass(frozen=True, kw_only=True)
class SGDOptions:
    """The options of stochastic gradient descent.

    Args:
        momentum: of the update.
        nesterov: look ahead by it (Nesterov, 1983); it needs a momentum.
        weight_decay: times the weights, added to the gradient.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check(self, ("momentum",))
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Four optimizers."""
    module = "ganzoo_plugins.optimizers.optimizers"
    yield Optimizer(
        name="adam",
        summary="Kingma and Ba, 2015",
        target=f"{module}:adam",
        options=AdamOptions,
        paper="Kingma and Ba, Adam: A Method for Stochastic Optimization",
        year=2015,
        reference="https://arxiv.org/abs/1412.6980",
    )
    yield Optimizer(
        name="adamw",
        summary="Adam with decoupled weight decay: Loshchilov and Hutter, 2019",
        target=f"{module}:adamw",
        options=AdamOptions,
        paper="Loshchilov and Hutter, Decoupled Weight Decay Regularization",
        year=2019,
        reference="https://arxiv.org/abs/1711.05101",
    )
    yield Optimizer(
        name="rmsprop",
        summary="Tieleman and Hinton, 2012; WGAN's",
        target=f"{module}:rmsprop",
        options=RMSpropOptions,
        paper="Tieleman and Hinton, Lecture 6.5: rmsprop",
        year=2012,
    )
    yield Optimizer(
        name="sgd",
        summary="stochastic gradient descent, with momentum or without",
        target=f"{module}:sgd",
        options=SGDOptions,
    )
