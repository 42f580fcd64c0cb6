"""The classic adversarial losses and the penalties on the critic's gradient. Published references stand beside each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Loss, Penalty, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo import Spec
    from ganzoo.training import Step


@dataclass(frozen=True, kw_only=True)
class GradientPenalty(Penalty):
    """(|g| - 1)^2 between each real image and one fake: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028."""

    name: str = "gradient-penalty"
    summary: str = "WGAN-GP: unit gradient norm on lines between real and fake images"
    weight: float = 10.0

    def points(self, step: "Step") -> "Tensor":
        """x = eps * real + (1 - eps) * fake, with one eps ~ U[0, 1) per sample (algorithm 1)."""
        return step.fake.images.lerp(step.real.images, step.epsilon)

    def value(self, squared_norm: "Tensor") -> "Tensor":
        """1e-12 keeps the square root's derivative finite at 0."""
        return ((squared_norm + 1e-12).sqrt() - 1).square()


@dataclass(frozen=True, kw_only=True)
class R1(Penalty):
    """|g|^2 / 2 at the real images: Mescheder et al., 2018, https://arxiv.org/abs/1801.04406, equation 9."""

    name: str = "r1"
    summary: str = "zero-centred gradient penalty at real images"

    def points(self, step: "Step") -> "Tensor":
        """The real images themselves, so that the penalty shares their forward pass."""
        return step.real.images

    def value(self, squared_norm: "Tensor") -> "Tensor":
        """Half the squared norm."""
        return squared_norm / 2


@dataclass(frozen=True, kw_only=True)
class R2(R1):
    """R1 at the generated images."""

    name: str = "r2"
    summary: str = "zero-centred gradient penalty at generated images"

    def points(self, step: "Step") -> "Tensor":
        """The fakes, which have no graph in the critic's phase."""
        return step.fake.images


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Seven losses and three penalties."""
    module = "ganzoo_plugins.losses.losses"
    yield GradientPenalty()
    yield R1()
    yield R2()
    yield Loss(name="non-saturating", summary="Goodfellow et al., 2014, as trained", target=f"{module}:NonSaturating")
    yield Loss(name="minimax", summary="Goodfellow et al., 2014, as analysed", target=f"{module}:Minimax")
    yield Loss(name="lsgan", summary="least squares: Mao et al., 2017", target=f"{module}:LeastSquares")
    yield Loss(name="hinge", summary="Lim and Ye, 2017; Miyato et al., 2018", target=f"{module}:Hinge")
    yield Loss(
        name="wasserstein",
        summary="Wasserstein distance, of a critic that is bounded by its own weights: Arjovsky et al., 2017",
        target=f"{module}:Wasserstein",
    )
    yield Loss(
        name="wgan-gp",
        summary="Wasserstein distance with gradient penalty: Gulrajani et al., 2017",
        target=f"{module}:Wasserstein",
        penalties=(GradientPenalty(weight=10.0),),
        defaults={"critic_steps": 5},
    )
    yield Loss(
        name="rpgan",
        summary="relativistic pairing with R1 and R2: Jolicoeur-Martineau, 2019; Huang et al., 2024",
        target=f"{module}:RelativisticPairing",
        penalties=(R1(weight=0.05), R2(weight=0.05)),
    )
