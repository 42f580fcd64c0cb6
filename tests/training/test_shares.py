"""Whether shares of a batch compute what the batch would is measured: losses, penalties, networks, buffers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo import Penalty
from ganzoo.training import Step
from ganzoo.training.batch import Batch
from ganzoo.training.objective import Own
from ganzoo.training.ranks import Ranks
from ganzoo.training.setup import coupled_by
from ganzoo.training.shares import _exact, coupling
from ganzoo.training.threads import RANKS, Meeting
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

MakeTrainer = Callable[..., Trainer]
Measure = Callable[..., str | None]


@pytest.fixture
def measure(make_trainer: MakeTrainer) -> Measure:
    """What is found of an objective in which something was replaced."""

    def find(*, in_parts: bool = False, model: str = "wgan-gp", **parts: Any) -> str | None:
        made = make_trainer(model, loss="non-saturating")
        batch = made.batches.draw(0, 0).map(lambda tensor: tensor[:4])
        changed = {key: value(made) if isinstance(value, type) else value for key, value in parts.items()}
        return coupling(replace(made.objective, **changed), batch, in_parts=in_parts)

    return find


class Plain:
    def __init__(self, _: object = None) -> None:
        pass

    def discriminator(self, step: Step) -> Tensor:
        return softplus(-step.real.logits).mean() + softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        return softplus(-step.fake.logits).mean()


class RaGAN(Plain):
    """Jolicoeur-Martineau, 2019: each logit against the mean of the others'."""

    def mean(self, step: Step, x: Tensor) -> Tensor:
        return x.mean(0)

    def discriminator(self, step: Step) -> Tensor:
        real, fake = step.real.logits, step.fake.logits
        return softplus(self.mean(step, fake) - real).mean() + softplus(fake - self.mean(step, real)).mean()


class Matching(Plain):
    """Feature matching (Salimans et al., 2016), of pixels."""

    def mean(self, step: Step, x: Tensor) -> Tensor:
        return x.mean(0)

    def generator(self, step: Step) -> Tensor:
        gap = self.mean(step, step.fake.images) - self.mean(step, step.real.images)
        return super().generator(step) + gap.square().sum()


class Contrast(Plain):
    """A softmax over the batch."""

    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) - step.real.logits.log_softmax(0)[0]


class Top(Plain):
    """Top-k training (Sinha et al., 2020)."""

    def generator(self, step: Step) -> Tensor:
        return -step.fake.logits.topk(len(step.z) // 2).values.mean()


class OverAll:
    def mean(self, step: Step, x: Tensor) -> Tensor:
        return step.mean(x)


class ExactRaGAN(OverAll, RaGAN):
    pass


class ExactMatching(OverAll, Matching):
    pass


@pytest.mark.parametrize("loss", [RaGAN, Matching, Contrast, Top])
def test_a_loss_in_which_samples_meet(measure: Measure, loss: type[Plain]) -> None:
    assert measure(loss=loss) == "the loss"


@pytest.mark.parametrize("loss", [Plain, ExactRaGAN, ExactMatching])
def test_one_in_which_they_do_not_or_over_all_ranks(measure: Measure, loss: type[Plain]) -> None:
    assert measure(loss=loss) is None


class Noted(Plain):
    """The loss of a plain one, and something of the batch that is remembered."""

    def __init__(self, what: Callable[[Tensor], Tensor]) -> None:
        self.what = what

    def discriminator(self, step: Step) -> Tensor:
        step.remember("noted", self.what(step.real.logits))
        return super().discriminator(step)


def test_what_is_remembered_counts_like_a_gradient(measure: Measure) -> None:
    """The mean over ranks of their largest logits is not the largest of all."""
    state = {"noted": torch.zeros(())}
    assert measure(loss=Noted(torch.max), state=state) == "the loss"
    assert measure(loss=Noted(torch.mean), state=state) is None


@dataclass(frozen=True)
class Elsewhere(Ranks):
    """Ranks that must not be asked: each measures for itself."""

    def sum_(self, tensor: Tensor) -> None:
        raise AssertionError("a collective operation")


def test_means_over_true_ranks_are_not_waited_for(measure: Measure) -> None:
    assert measure(loss=ExactRaGAN, ranks=Elsewhere(0, 2)) is None


def test_a_mean_over_ranks_is_of_one_part(measure: Measure) -> None:
    assert measure(loss=Plain, in_parts=True) is None
    assert "step.mean over one part" in str(measure(loss=ExactRaGAN, in_parts=True))


@dataclass(frozen=True, kw_only=True)
class Around(Penalty):
    """DRAGAN's points, with the deviation of these samples or of all."""

    name: str = "around"
    everywhere: bool = False

    def points(self, step: Step) -> Tensor:
        x = step.real.images
        mean = step.mean if self.everywhere else (lambda x: x.mean(0))
        centred = x - mean(x.flatten(1).mean(1))
        return x + mean(centred.square().flatten(1).mean(1)).sqrt() * (step.epsilon - 0.5)

    def value(self, squared_norm: Tensor) -> Tensor:
        return squared_norm


def test_a_penalty_in_which_they_meet(measure: Measure) -> None:
    assert measure(penalties=[Around()]) == "the penalty 'around'"
    assert measure(penalties=[Around(everywhere=True)]) is None


class Wrapper(nn.Module):
    def __init__(self, made: Trainer) -> None:
        super().__init__()
        self.network = made.discriminator

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        raise NotImplementedError


class InBatch(Wrapper):
    """Standard deviation over the batch, after a layer that begins with zeros."""

    def __init__(self, made: Trainer) -> None:
        super().__init__(made)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.network(images, labels) + self.gate * images.std(0).mean()  # type: ignore[no-any-return]


class Noisy(Wrapper):
    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.network(images + 0.1 * torch.randn_like(images), labels)  # type: ignore[no-any-return]


class Dropping(Wrapper):
    def __init__(self, made: Trainer) -> None:
        super().__init__(made)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.network(self.dropout(images), labels)  # type: ignore[no-any-return]


@pytest.mark.parametrize("network", [InBatch, Noisy, Dropping])
def test_a_network_in_which_they_meet_or_that_draws(measure: Measure, network: type[Wrapper]) -> None:
    assert measure(discriminator=network) == "the discriminator"


class Normed(Wrapper):
    def __init__(self, made: Trainer) -> None:
        super().__init__(made)
        self.network = nn.Sequential(nn.Flatten(), spectral_norm(nn.Linear(64, 16)), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.network(images).flatten()  # type: ignore[no-any-return]


def test_spectral_norm_iterates_once_a_part(measure: Measure) -> None:
    """Ranks begin with the same vectors and take the same step; parts take one step after the other."""
    assert measure(discriminator=Normed) is None
    assert str(measure(discriminator=Normed, in_parts=True)).startswith("a buffer that moves in each part")


class OwnTerm(Wrapper):
    def regularise(self, step: Step) -> Tensor:
        return step.real.logits.mean().square()

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.network(images, labels)  # type: ignore[no-any-return]


def test_a_networks_own_term(measure: Measure) -> None:
    assert measure(discriminator=OwnTerm, own={"discriminator": Own(1.0, 1)}) == "a network's regularise()"


def test_built_in_models_depend_on_no_ranks(model: str, make_trainer: MakeTrainer) -> None:
    """Unless they say so."""
    made = make_trainer(model)
    batch = made.batches.draw(0, 0).map(lambda tensor: tensor[:4])
    found = coupling(made.objective, batch, in_parts=False)
    assert (found is not None) == resolve(zoo(), model).architecture.batch_coupled


def test_each_rank_draws_as_if_it_were_alone() -> None:
    """Torch's generator is one for all threads: two that drew from it in turn would draw what one draws."""
    meeting = Meeting()

    def draw(rank: int) -> list[Tensor]:
        torch.random.manual_seed(0)
        drawn = []
        for _ in range(3):
            meeting.exchange(rank, None)
            drawn.append(torch.rand(2))
        return drawn

    with torch.random.fork_rng(devices=[]):
        first, second = meeting.together([partial(draw, rank) for rank in range(RANKS)])
        torch.random.manual_seed(0)
        alone = [torch.rand(2) for _ in range(3)]
    for drawn in (first, second):
        assert all(torch.equal(*pair) for pair in zip(drawn, alone, strict=True))


@dataclass(frozen=True, slots=True)
class Margins:
    margin: float | Tensor
    pair: tuple[float | Tensor, float]


def test_numbers_that_change_are_where_the_copy_is(make_trainer: MakeTrainer) -> None:
    """In a loss's options and a penalty's fields they are scalars on the training's device."""

    class WithOptions(Plain):
        def __init__(self) -> None:
            self.options, self.table = Margins(torch.tensor(0.5), (torch.tensor(2.0), 1.0)), torch.arange(3)

    made = make_trainer("wgan-gp", loss="non-saturating")
    penalties = [replace(each, weight=cast(float, torch.tensor(10.0))) for each in made.objective.penalties]
    given = WithOptions()
    exact = _exact(replace(made.objective, loss=given, penalties=penalties))
    assert isinstance(exact.loss, WithOptions)
    found = [exact.loss.options.margin, exact.loss.options.pair[0], *(each.weight for each in exact.penalties)]
    assert {each.dtype for each in found if isinstance(each, Tensor)} == {torch.float64}
    assert len(found) == 2 + len(penalties)
    assert exact.loss.table.dtype == torch.int64
    assert isinstance(given.options.margin, Tensor)
    assert given.options.margin.dtype == torch.float32


@pytest.mark.parametrize(("ranks", "accumulate"), [(1, 1), (1, 2), (1, 4), (4, 1)])
def test_one_sample_a_part_or_a_rank_is_measured_too(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, ranks: int, accumulate: int
) -> None:
    """Spectral norm iterates once a part, however small that is, and no samples of sngan's critic meet."""
    settings = {"batch": 4, "accumulate": accumulate, "size": 8, "generator_of": "r3gan"}
    made = make_trainer("sngan", **settings)
    draw, asked = made.batches.draw, []

    def of_rank_0(step: int, phase: int) -> Batch:
        asked.append(step)
        return draw(step, phase).map(lambda tensor: tensor[: 4 // ranks])

    monkeypatch.setattr(made.batches, "draw", of_rank_0)
    found = coupled_by(resolve(zoo(), "sngan", settings), made, Ranks(0, ranks))
    assert (found is not None) == (accumulate > 1)
    assert asked == ([] if ranks == accumulate == 1 else [0] if ranks == 1 else [0, 1])
