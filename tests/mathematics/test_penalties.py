"""Penalties on the critic's input gradient against closed forms, through the functions that the engine calls."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, strategies as st
from torch.nn import functional as F

from ganzoo.specs import Loss, Penalty
from ganzoo.step import Step
from ganzoo.training.objective import critic_loss, due_penalties, generator_loss, squared_gradient_norm
from ganzoo.zoo.names import load_target, zoo

if TYPE_CHECKING:
    from tests.mathematics.conftest import Critic, HandMade

GP, R1, R2 = (replace(zoo().get(Penalty, name), weight=1.0) for name in ("gradient-penalty", "r1", "r2"))
PENALISED = {zoo().shortest(spec): spec for spec in zoo().all(Loss) if spec.penalties}
SHAPE = (3, 2, 4, 4)


class Nothing:
    """A loss of zero leaves the penalty alone."""

    def discriminator(self, step: Step) -> torch.Tensor:
        return torch.zeros(())

    generator = discriminator


def images(seed: int, dtype: torch.dtype = torch.float32, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def linear(norm: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """D(x) = <w, x> with |w| = norm, so that the gradient is w everywhere."""
    direction = images(7, torch.float64, SHAPE[1:])
    weight: torch.Tensor = direction * (norm / direction.norm())
    return weight.to(dtype)


def score(weight: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: (x * weight).flatten(1).sum(1)


def penalty_alone(step: Step, penalty: Penalty, number: int = 0) -> float:
    due = [penalty for _ in due_penalties([penalty], number)]
    return critic_loss(step, Nothing(), due).item()


def test_a_unit_norm_linear_critic_is_not_penalised(make_step: "type[HandMade]") -> None:
    """torchgan's penalty gives this critic 49.0, mmgeneration's default 0.943."""
    step = make_step(images(1), images(2), score(linear(1.0)))
    assert abs(penalty_alone(step, replace(GP, weight=10.0))) < 1e-6


@given(norm=st.floats(-20, 20))
def test_a_linear_critic_pays_its_distance_from_unit_norm(make_step: "type[HandMade]", norm: float) -> None:
    """(|w| - 1)^2; the 1e-12 under the root moves |w| = 0 to 1e-6, and nothing else visibly."""
    step = make_step(images(1, torch.float64), images(2, torch.float64), score(linear(norm, torch.float64)))
    assert penalty_alone(step, GP) == pytest.approx((abs(norm) - 1) ** 2, rel=1e-5, abs=3e-6)


@pytest.mark.parametrize("norm", [0.25, 3.0])
@pytest.mark.parametrize(
    ("penalty", "closed_form"),
    [(GP, lambda w: (w - 1) ** 2), (R1, lambda w: w**2 / 2), (R2, lambda w: w**2 / 2)],
    ids=["gradient-penalty", "r1", "r2"],
)
def test_a_linear_critic(
    make_step: "type[HandMade]", penalty: Penalty, closed_form: Callable[[float], float], norm: float
) -> None:
    step = make_step(images(1), images(2), score(linear(norm)))
    assert penalty_alone(step, penalty) == pytest.approx(closed_form(norm), rel=1e-5)
    assert step.logged[penalty.name] == pytest.approx(closed_form(norm), rel=1e-5)


@pytest.mark.parametrize("norm", [0.5, 2.0])
def test_its_gradient_with_respect_to_the_critic(make_step: "type[HandMade]", norm: float) -> None:
    """d/dw 10 (|w| - 1)^2 = 20 (|w| - 1) w / |w|, towards unit norm."""
    weight = linear(norm, torch.float64).requires_grad_(True)
    step = make_step(images(1, torch.float64), images(2, torch.float64), score(weight))
    critic_loss(step, Nothing(), [replace(GP, weight=10.0)]).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(weight.grad, 20 * (norm - 1) * weight.detach() / norm, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("penalty", "closed_form"),
    [
        (GP, lambda real, fake, eps: ((3 * (eps * real + (1 - eps) * fake)).flatten(1).norm(dim=1) - 1).square()),
        (R1, lambda real, fake, eps: 9 * real.flatten(1).square().sum(1) / 2),
        (R2, lambda real, fake, eps: 9 * fake.flatten(1).square().sum(1) / 2),
    ],
    ids=["gradient-penalty", "r1", "r2"],
)
def test_a_quadratic_critic(
    make_step: "type[HandMade]",
    penalty: Penalty,
    closed_form: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    """D(x) = 3/2 |x|^2 has the gradient 3 x: each sample its own, at the penalty's own points."""
    real, fake = images(1, torch.float64), images(2, torch.float64)
    epsilon = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64).view(3, 1, 1, 1)
    step = make_step(real, fake, lambda x: 1.5 * x.square().flatten(1).sum(1), epsilon)
    expected = closed_form(real.clone(), fake.clone(), epsilon).mean().item()
    assert penalty_alone(step, penalty) == pytest.approx(expected, rel=1e-9)


def test_norms_are_each_samples_own(make_step: "type[HandMade]") -> None:
    """Samples 10 times apart: a norm over the batch, or a mean taken before the square, gives other numbers."""
    real = torch.stack([torch.full(SHAPE[1:], value, dtype=torch.float64) for value in (0.1, 1.0, 10.0)])
    step = make_step(real, real.clone(), lambda x: x.square().flatten(1).sum(1) / 2)
    norms = squared_gradient_norm(step, real.clone())
    torch.testing.assert_close(norms, torch.tensor([0.32, 32.0, 3200.0], dtype=torch.float64))  # 32 pixels each


def test_epsilon_runs_from_fake_to_real_for_each_sample(make_step: "type[HandMade]") -> None:
    real, fake = images(1), images(2)
    epsilon = torch.tensor([1.0, 0.0, 0.25]).view(3, 1, 1, 1)
    points = GP.points(make_step(real, fake, score(linear(1.0)), epsilon))
    assert torch.equal(points[0], real[0])
    assert torch.equal(points[1], fake[1])
    torch.testing.assert_close(points[2], 0.25 * real[2] + 0.75 * fake[2])


@pytest.mark.parametrize(
    ("penalties", "calls"),
    [([], 2), ([R1], 2), ([R2], 2), ([R1, R2], 2), ([GP], 3), ([GP, R1, R2], 3)],
    ids=lambda value: "+".join(penalty.name for penalty in value) if isinstance(value, list) else "",
)
def test_r1_and_r2_share_the_forward_passes_of_the_loss(
    make_step: "type[HandMade]", make_critic: "type[Critic]", penalties: list[Penalty], calls: int
) -> None:
    critic = make_critic(lambda x: x.square().flatten(1).sum(1))
    wasserstein = load_target(zoo().get(Loss, "wgan-gp").target)()
    real, fake = images(1), images(2)
    step = make_step(real, fake, critic)
    total = critic_loss(step, wasserstein, penalties)
    assert critic.calls == calls
    # The sum of what each gives alone, which no sharing may change.
    alone = [penalty_alone(make_step(real.clone(), fake.clone(), critic), penalty) for penalty in penalties]
    assert total.item() == pytest.approx(step.logged["loss_d"] + sum(alone), rel=1e-5)


def test_lazy_regularisation(make_step: "type[HandMade]") -> None:
    """every = 4 acts in steps 0, 4, 8 with four times the weight; between, the images need no gradient."""
    penalty = replace(R1, weight=0.5, every=4)
    values = []
    for number in range(10):
        real = images(1)
        step = make_step(real, images(2), score(linear(3.0)))
        values.append(penalty_alone(step, penalty, number))
        assert step.real.images.requires_grad == (number % 4 == 0)
        assert (penalty.name in step.logged) == (number % 4 == 0)
    due = 4 * 0.5 * 3.0**2 / 2
    assert values == pytest.approx([due, 0, 0, 0, due, 0, 0, 0, due, 0], rel=1e-5)


@pytest.mark.parametrize("penalty", [GP, R1, R2], ids=lambda penalty: penalty.name)
def test_the_gradient_is_finite_where_the_norm_is_zero(make_step: "type[HandMade]", penalty: Penalty) -> None:
    """A bare square root has the derivative infinity there, and infinity times zero is not a number."""
    weight = torch.zeros(SHAPE[1:], requires_grad=True)
    critic_loss(make_step(images(1), images(2), score(weight)), Nothing(), [penalty]).backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("name", PENALISED)
def test_double_backward(make_step: "type[HandMade]", name: str) -> None:
    """gradcheck of the whole critic's loss, penalties included, with respect to a small critic's parameters."""
    spec = PENALISED[name]
    real, fake = images(1, torch.float64), images(2, torch.float64)
    epsilon = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64).view(3, 1, 1, 1)

    def whole_loss(kernel: torch.Tensor, bias: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        def critic(x: torch.Tensor) -> torch.Tensor:
            # softplus is smooth, so that finite differences cross no kink
            return F.softplus(F.conv2d(x, kernel, bias, stride=2, padding=1)).flatten(1) @ head

        step = make_step(real.clone(), fake.clone(), critic, epsilon)
        return critic_loss(step, load_target(spec.target)(), spec.penalties)

    parameters = [
        images(3, torch.float64, (3, 2, 3, 3)),
        images(4, torch.float64, (3,)),
        images(5, torch.float64, (12,)),
    ]
    assert torch.autograd.gradcheck(whole_loss, [parameter.requires_grad_(True) for parameter in parameters])


def test_the_generators_loss_is_the_losses_own(make_step: "type[HandMade]") -> None:
    step = make_step(images(1), images(2), score(linear(1.0)))
    wasserstein = load_target(zoo().get(Loss, "wgan-gp").target)()
    value = generator_loss(step, wasserstein).item()
    assert value == pytest.approx(-step.fake.logits.mean().item())
    assert step.logged == {"loss_g": pytest.approx(value)}
