"""Each loss of logits against numbers worked out by hand, and what every registered one must be.

Those that read other heads of the discriminator, too, are tested with the plugins that they come with.
"""

from collections.abc import Callable, Sequence
from math import log

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from ganzoo.specs import Loss
from ganzoo.step import Step
from ganzoo.training.objective import GANLoss
from ganzoo.zoo.names import load_target, zoo

StepOfLogits = Callable[[Tensor, Tensor], Step]

LOSSES = {zoo().shortest(spec): spec for spec in zoo().all(Loss) if not spec.reads}
ROLES = ("discriminator", "generator")

LN3 = log(3)
# softplus(0) = ln 2, softplus(ln 3) = ln(1 + 3) = ln 4, softplus(-ln 3) = ln(1 + 1/3) = ln(4/3).
LOGARITHMIC = ([0.0, LN3], [-LN3, 0.0])
SIMPLE = ([0.5, 2.0], [-3.0, 1.0])

BY_HAND = [
    # D: (ln 2 + ln 4/3) / 2 for the real, as much for the fakes: ln 8/3. G: (softplus(ln 3) + softplus(0)) / 2.
    ("non-saturating", LOGARITHMIC, 0.9808292530117262, 1.0397207708399179),
    # D the same; G: -(ln 4/3 + ln 2) / 2.
    ("minimax", LOGARITHMIC, 0.9808292530117262, -0.4904146265058631),
    # D: ((-.5)^2 + 1^2) / 2 = .625 and ((-3)^2 + 1^2) / 2 = 5, half of the sum. G: ((-4)^2 + 0^2) / 2 / 2.
    ("lsgan", SIMPLE, 2.8125, 4.0),
    # D: (-3 + 1) / 2 - (.5 + 2) / 2 = -1 - 1.25. G: -(-1).
    ("wgan-gp", SIMPLE, -2.25, 1.0),
    ("wasserstein", SIMPLE, -2.25, 1.0),
    # D: (.5 + 0) / 2 + (0 + 2) / 2. G: -(-1).
    ("hinge", SIMPLE, 1.25, 1.0),
    # D: both fakes are ln 3 below their real image: softplus(-ln 3) = ln 4/3. G: softplus(ln 3) = ln 4.
    ("rpgan", LOGARITHMIC, 0.28768207245178085, 1.3862943611198906),
]


def loss(name: str) -> GANLoss:
    target: type[GANLoss] = load_target(LOSSES[name].target)
    return target()


def tensor(values: float | Sequence[float] | Sequence[tuple[float, float]], requires_grad: bool = False) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=requires_grad)


@pytest.mark.parametrize(("name", "logits", "critic", "generator"), BY_HAND, ids=[case[0] for case in BY_HAND])
def test_by_hand(
    name: str, logits: tuple[list[float], list[float]], critic: float, generator: float, step_of_logits: StepOfLogits
) -> None:
    step = step_of_logits(*map(tensor, logits))
    assert loss(name).discriminator(step).item() == pytest.approx(critic, rel=1e-12)
    assert loss(name).generator(step).item() == pytest.approx(generator, rel=1e-12)


def test_every_loss_of_ours_is_worked_out_by_hand() -> None:
    assert {case[0] for case in BY_HAND} == {name for name, spec in LOSSES.items() if zoo().owner(spec).builtin}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", LOSSES)
def test_a_scalar_that_is_differentiable_and_finite(name: str, role: str, step_of_logits: StepOfLogits) -> None:
    """In fp32, at logits of the size that a discriminator which is very sure gives."""
    real = torch.tensor([0.3, -2.0, 300.0, -300.0], requires_grad=True)
    fake = torch.tensor([-1.1, 0.4, -300.0, 300.0], requires_grad=True)
    value = getattr(loss(name), role)(step_of_logits(real, fake))
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    value.backward()
    assert fake.grad is not None
    assert torch.isfinite(fake.grad).all()
    assert fake.grad.abs().sum() > 0


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", LOSSES)
def test_gradcheck(name: str, role: str, step_of_logits: StepOfLogits) -> None:
    real, fake = tensor([0.3, -2.0, 1.7], True), tensor([-1.2, 0.4, 2.1], True)

    def value(real: Tensor, fake: Tensor) -> Tensor:
        # Zero, but a function of both: what a loss does not read has gradient zero.
        scalar: Tensor = getattr(loss(name), role)(step_of_logits(real, fake)) + 0 * (real + fake).sum()
        return scalar

    assert torch.autograd.gradcheck(value, (real, fake))


@pytest.mark.parametrize("name", LOSSES)
def test_the_critic_learns_to_tell_and_the_generator_to_be_taken_for_real(
    name: str, step_of_logits: StepOfLogits
) -> None:
    """The signs: D's loss falls with real logits up and fake ones down, G's with fake ones up."""
    real, fake = tensor([0.1, -0.2], True), tensor([0.3, -0.1], True)
    on_real, on_fake = torch.autograd.grad(loss(name).discriminator(step_of_logits(real, fake)), (real, fake))
    assert on_real.sum() < 0 < on_fake.sum()
    (on_fake,) = torch.autograd.grad(loss(name).generator(step_of_logits(real, fake)), fake)
    assert on_fake.sum() < 0


@pytest.mark.parametrize("name", LOSSES)
@given(
    batches=st.lists(st.tuples(*[st.floats(-50, 50)] * 2), min_size=1, max_size=6).flatmap(
        lambda batch: st.tuples(st.just(batch), st.permutations(batch))
    )
)
def test_the_order_of_a_batch_does_not_matter(
    name: str, batches: tuple[list[tuple[float, float]], list[tuple[float, float]]], step_of_logits: StepOfLogits
) -> None:
    """Pairs of a real and a fake image move together: rpgan compares within a pair."""
    for role in ROLES:
        one, other = (getattr(loss(name), role)(step_of_logits(*tensor(batch).unbind(1))).item() for batch in batches)
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9)


def gradient_of_the_generator(name: str, logit: float, step_of_logits: StepOfLogits) -> float:
    fake = tensor([logit], True)
    loss(name).generator(step_of_logits(tensor([0.0]), fake)).backward()  # type: ignore[no-untyped-call]
    assert fake.grad is not None
    return fake.grad.item()


@pytest.mark.parametrize("logit", [-10.0, -2.0, 0.0, 3.0])
def test_minimax_saturates_where_the_other_does_not(logit: float, step_of_logits: StepOfLogits) -> None:
    """d/dl log(1 - s(l)) = -s(l) and d/dl -log s(l) = -s(-l), so their ratio is exp(-l)."""
    minimax = gradient_of_the_generator("minimax", logit, step_of_logits)
    other = gradient_of_the_generator("non-saturating", logit, step_of_logits)
    sigmoid = torch.sigmoid(tensor(logit)).item()
    assert minimax == pytest.approx(-sigmoid, rel=1e-9)
    assert other == pytest.approx(sigmoid - 1, rel=1e-9)
    assert other / minimax == pytest.approx(torch.exp(-tensor(logit)).item(), rel=1e-9)


def test_a_sure_discriminator_teaches_only_the_non_saturating_generator(step_of_logits: StepOfLogits) -> None:
    """At D(G(z)) = s(-10) = 4.54e-5."""
    assert gradient_of_the_generator("minimax", -10.0, step_of_logits) == pytest.approx(-4.5398e-5, rel=1e-4)
    assert gradient_of_the_generator("non-saturating", -10.0, step_of_logits) == pytest.approx(-0.9999546, rel=1e-6)


def test_rpgan_pairs_by_position(step_of_logits: StepOfLogits) -> None:
    """With the fakes swapped the differences are 0 and -2 ln 3: (ln 2 + ln 10/9) / 2 instead of ln 4/3."""
    real, fake = tensor(LOGARITHMIC[0]), tensor(LOGARITHMIC[1])
    swapped = loss("rpgan").discriminator(step_of_logits(real, fake.flip(0)))
    assert swapped.item() == pytest.approx((log(2) + log(10 / 9)) / 2, rel=1e-12)


def test_rpgan_sees_only_differences(step_of_logits: StepOfLogits) -> None:
    real, fake = tensor([0.4, -1.0]), tensor([2.0, 0.7])
    for role in ROLES:
        here, there = (getattr(loss("rpgan"), role)(step_of_logits(real + c, fake + c)).item() for c in (0.0, 5.0))
        assert here == pytest.approx(there, rel=1e-12)
