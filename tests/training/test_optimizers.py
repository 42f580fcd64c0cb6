"""Optimizers of plugins: all weights learn, groups keep multiples of the rate, and a resume is exact or refused."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo.config import PrecisionName, Schedule
from ganzoo.config.schedule import CurveName
from ganzoo.errors import GanzooError, PluginError, UsageError
from ganzoo.training.optimization import Make, Optimization, Rule, _is_plain_adam
from ganzoo.training.optimizers import rehearse
from ganzoo.training.precision import Precision
from ganzoo_plugins.optimizers import RMSpropOptions, optimizers

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    momentum: float = 0.5
    decays: tuple[float, float] = (0.0, 0.1)


class Descent(torch.optim.Optimizer):
    """Plain descent by the gradient, or by what ``direction`` makes of it."""

    def __init__(self, weights: Iterable[Any], lr: float | Tensor, **more: Any) -> None:
        super().__init__(weights, {"lr": lr, **more})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                weight.sub_(group["lr"] * self.direction(weight))

    def direction(self, weight: Tensor) -> Tensor:
        assert weight.grad is not None
        return weight.grad


class Counting(Descent):
    """Counts in an attribute."""

    taken = 0

    def direction(self, weight: Tensor) -> Tensor:
        self.taken += 1
        return super().direction(weight) / self.taken


class History(Descent):
    """Keeps a list, which is neither a tensor nor a number."""

    def direction(self, weight: Tensor) -> Tensor:
        seen = self.state[weight].setdefault("seen", [])
        seen.append(super().direction(weight).clone())
        return sum(seen, torch.zeros_like(weight))


class Inner(Descent):
    """Leaves the work to another optimizer."""

    def __init__(self, weights: list[nn.Parameter], lr: float | Tensor) -> None:
        super().__init__(weights, lr)
        self.inner = torch.optim.Adam(weights, 0.1)

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        self.inner.step()


class Lion(Descent):
    def direction(self, weight: Tensor) -> Tensor:
        moment: Tensor = self.state[weight].setdefault("moment", torch.zeros_like(weight))
        moment.lerp_(super().direction(weight), 0.5)
        return moment.sign()


class Counted(Descent):
    """Counts by weight, in a number."""

    def direction(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        state["taken"] = state.get("taken", 0) + 1
        return super().direction(weight) / int(state["taken"])


class Stepping(Descent):
    """Counts by group, from its first step on, as timm's Lamb does."""

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            group["step"] = group["step"] + 1 if "step" in group else 1
        super().step()

    def direction(self, weight: Tensor) -> Tensor:
        return super().direction(weight) / float(self.param_groups[0]["step"])


class Fractions(Descent):
    """Counts by group, in halves, from a whole number on; and from nothing on."""

    def __init__(self, weights: Iterable[Any], lr: float | Tensor) -> None:
        super().__init__(weights, lr, halves=0, steps=None)

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            group["halves"] += 0.5
            group["steps"] = (group["steps"] or 0) + 1
        super().step()

    def direction(self, weight: Tensor) -> Tensor:
        (group,) = self.param_groups
        return super().direction(weight) / (float(group["halves"]) + float(group["steps"]))


class Drawing(Descent):
    def direction(self, weight: Tensor) -> Tensor:
        return super().direction(weight) + torch.randn_like(weight)


class Failing(Descent):
    def direction(self, weight: Tensor) -> Tensor:
        return weight[17]


def rule(make: Callable[[list[nn.Parameter], Any], torch.optim.Optimizer], options: object = None) -> Rule:
    return Rule("mine", lambda weights, lr, _: make(weights, lr), options or Options())


def tried(make: Callable[[list[nn.Parameter], Any], torch.optim.Optimizer], options: object = None) -> Rule:
    with torch.random.fork_rng(devices=[]):
        return rehearse(rule(make, options), 0.1, 10, Precision(PrecisionName.FP32, CPU))


@pytest.mark.parametrize(
    "optimizer", [Descent, Lion, Counted, Stepping, Fractions, Drawing, torch.optim.Adam, torch.optim.SGD]
)
def test_a_resume_is_exact(optimizer: Any) -> None:
    tried(optimizer)


@pytest.mark.parametrize("optimizer", [Counting, History, Inner])
def test_what_no_checkpoint_holds_is_refused(optimizer: Any) -> None:
    with pytest.raises(
        PluginError, match=r"^optimizer 'mine' remembers something that no checkpoint holds: "
    ) as caught:
        tried(optimizer)
    assert caught.value.hint == "what it remembers belongs into optimizer.state[weight], as tensors and numbers"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Failing, "optimizer 'mine' fails: IndexError: index 17 is out of bounds"),
        (torch.optim.LBFGS, "optimizer 'mine' fails: TypeError: LBFGS.step() missing 1 required"),
        (
            lambda weights, lr: Descent([weight for weight in weights if weight.dim() > 1], lr),
            "optimizer 'mine' has 2 of the 3 weights that it was given",
        ),
        (
            lambda weights, lr: Descent([nn.Parameter(weight.detach().clone()) for weight in weights], lr),
            "optimizer 'mine' has 0 of the 3 weights that it was given",
        ),
        (lambda weights, lr: torch.optim.Optimizer(weights, {"rate": lr}), "optimizer 'mine' has no lr in its "),
    ],
)
def test_one_that_cannot_work(make: Make, said: str) -> None:
    with pytest.raises(GanzooError) as caught:
        tried(make)  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)
    assert caught.value.hint


@pytest.mark.parametrize("capturable", [False, True])
def test_a_group_keeps_its_multiple_of_the_rate(capturable: bool) -> None:
    """Muon's matrices beside the biases, say; whatever schedule, warm-up and recovery make of the rate."""
    network = nn.Linear(3, 2)

    def make(weights: list[nn.Parameter], lr: float | Tensor) -> Descent:
        matrices, biases = weights
        return Descent([{"params": [matrices], "lr": 10 * lr}, {"params": [biases]}], lr, capturable=True)

    precision = Precision(PrecisionName.FP32, CPU)
    optimization = Optimization(network, rule(make), 0.1, 10, precision, capturable)
    for factor in (1.0, 0.25):
        optimization.set_rate(factor, 0)
        rates = [float(group["lr"]) for group in optimization._optimizer.param_groups]
        assert rates == pytest.approx([factor, 0.1 * factor])


def test_options_that_change_reach_the_groups_that_have_them() -> None:
    """A tuple of a class with slots; a group with a value of its own keeps it."""
    options = Options()
    changing = Schedule(start=0.0, to=1.0, until=10)
    object.__setattr__(options, "decays", (changing, 0.1))

    def make(weights: list[nn.Parameter], lr: float | Tensor, chosen: Options) -> Descent:
        matrices, biases = weights
        groups = [{"params": [matrices]}, {"params": [biases], "decays": (0.0, 0.0)}]
        return Descent(groups, lr, decays=chosen.decays)

    made = Optimization(nn.Linear(3, 2), Rule("mine", make, options), 0.1, 10, Precision(PrecisionName.FP32, CPU))
    made.set_rate(1.0, 5)
    assert [group["decays"] for group in made._optimizer.param_groups] == [(0.5, 0.1), (0.0, 0.0)]


def test_an_option_that_changes_and_is_read_once_is_refused() -> None:
    options = Options()
    object.__setattr__(options, "momentum", Schedule(start=0.0, to=0.9))
    with pytest.raises(UsageError) as caught:
        tried(Descent, options)
    assert str(caught.value).startswith("momentum cannot change in the course of the run: optimizer 'mine' does not ")
    assert caught.value.hint == "give momentum one value"


@pytest.mark.parametrize("variant", [{"amsgrad": True}, {"decoupled_weight_decay": True}, {}])
def test_variants_of_torchs_adam_are_what_they_are(variant: dict[str, bool]) -> None:
    """In two groups, of which one has no weight decay."""

    def make(weights: Iterable[nn.Parameter], lr: float | Tensor) -> torch.optim.Optimizer:
        matrices, biases = weights
        groups = [{"params": [matrices], "weight_decay": 0.3}, {"params": [biases]}]
        return torch.optim.Adam(groups, lr, **variant)  # type: ignore[arg-type]

    mine, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(mine.state_dict())
    optimization = Optimization(mine, rule(make), 0.1, 10, Precision(PrecisionName.FP32, CPU))
    reference = make(theirs.parameters(), 0.1)
    for number in range(4):
        for weight in (*mine.parameters(), *theirs.parameters()):
            weight.grad = torch.sin(weight.detach() + number)
        optimization.set_rate(1.0, number)
        optimization.step()
        reference.step()
    assert all(map(torch.equal, mine.parameters(), theirs.parameters()))
    one = [nn.Parameter(torch.ones(2))]
    alone = torch.optim.Adam(one, 0.1, weight_decay=0.3, **variant)  # type: ignore[arg-type]
    assert _is_plain_adam(alone) is not any(variant.values())


FROM_ELSEWHERE = [torch.optim.NAdam, torch.optim.Rprop, torch.optim.ASGD]
"""Optimizers whose state does not begin at zero."""

FROM_ZERO = [
    Descent,
    Lion,
    Stepping,
    Fractions,
    torch.optim.Adam,
    torch.optim.RMSprop,
    torch.optim.Adamax,
    torch.optim.RAdam,
]


@pytest.mark.parametrize("optimizer", [*FROM_ELSEWHERE, *FROM_ZERO])
def test_which_begin_at_zero(optimizer: Any) -> None:
    assert tried(optimizer).from_zero == (optimizer in FROM_ZERO)


def test_a_graph_does_not_hold_what_does_not_begin_at_zero() -> None:
    def make(weights: list[nn.Parameter], lr: float | Tensor) -> torch.optim.Optimizer:
        return torch.optim.NAdam(weights, lr, capturable=isinstance(lr, Tensor))

    found = tried(make)
    optimization = Optimization(nn.Linear(3, 2), found, 0.1, 10, Precision(PrecisionName.FP32, CPU), capturable=True)
    assert not optimization.in_graph
    assert optimization.left_out == "its state does not begin at zero"


def updated(optimization: Optimization) -> list[Tensor]:
    """The weights, two updates further on."""
    for number in range(2):
        for weight in optimization.weights:
            weight.grad = torch.cos(weight.detach() + number)
        optimization.step()
    return [weight.detach().clone() for weight in optimization.weights]


@pytest.mark.parametrize("optimizer", [*FROM_ELSEWHERE, *FROM_ZERO, Counted])
def test_one_taken_back_to_the_beginning_does_what_it_did(optimizer: Any) -> None:
    """By a recovery before the first checkpoint, and by a trial whose traces are removed."""
    made = Optimization(nn.Linear(3, 2), rule(optimizer), 0.1, 10, Precision(PrecisionName.FP32, CPU))
    with made.unmoved():
        first = updated(made)
    assert all(map(torch.equal, updated(made), first))
    updated(made)  # twice two updates and one more: no whole number of halves
    made.step()
    before = [weight.detach().clone() for weight in made.weights]
    with made.unmoved():
        further = updated(made)
    assert all(map(torch.equal, [weight.detach() for weight in made.weights], before))
    assert all(map(torch.equal, updated(made), further))


def test_options_that_the_last_steps_cannot_have_are_refused_before_the_first() -> None:
    """torch's RMSprop makes no buffer for a momentum of 0, and looks for it when there is some."""
    options = RMSpropOptions()
    object.__setattr__(options, "momentum", Schedule(start=0.0, to=0.5, until=8, curve=CurveName.STEP))
    with pytest.raises(UsageError) as caught, torch.random.fork_rng(devices=[]):
        rehearse(Rule("rmsprop", optimizers.rmsprop, options), 0.1, 10, Precision(PrecisionName.FP32, CPU))
    assert str(caught.value).startswith("the options of rmsprop cannot change as they do in 10 steps: ")
    assert caught.value.hint == "leave a schedule out that begins or ends at 0"


def test_one_that_fails_later_on_by_itself_is_its_plugins_fault() -> None:
    class Tiring(Descent):
        def direction(self, weight: Tensor) -> Tensor:
            state = self.state[weight]
            state["taken"] = state.get("taken", 0) + 1
            return super().direction(weight) / (5 - int(state["taken"]) if state["taken"] < 5 else weight[17])

    with pytest.raises(PluginError, match="optimizer 'mine' fails: IndexError: index 17"):
        tried(Tiring)
