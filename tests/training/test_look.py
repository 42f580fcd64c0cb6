"""What a look at a generator's images finds: on real images, and on injected collapses."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ganzoo.training.ranks import Ranks
from ganzoo.training.trainer import Trainer
from ganzoo.training.watchdog import FALLS, PREVIEWS, SCORED, Look

MakeTrainer = Callable[..., Trainer]


def figures(look: Look) -> dict[str, float]:
    return {name: float(value) for name, value in look.figures().items()}


def real(trainer: Trainer, count: int = PREVIEWS, label: int | None = None) -> torch.Tensor:
    """Real images other than those that a look compares with, all of one class or of any."""
    batches = [trainer.batches.draw(step, 0) for step in range(1000, 1400)]
    images = torch.cat([batch.real for batch in batches])
    labels = torch.cat([batch.labels for batch in batches]) if batches[0].labels is not None else None  # type: ignore[misc]
    return images[:count] if label is None else images[labels == label][:count]


def in_turn(images: torch.Tensor) -> Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]:
    """A generator of these images, as many at a time as it is asked for."""
    left = itertools.cycle(images)
    return lambda z, labels: torch.stack(list(itertools.islice(left, len(z))))


def test_real_images_are_as_varied_as_real_images(make_trainer: MakeTrainer) -> None:
    for data in ("digits", "dots"):
        trainer = make_trainer("vanilla", data=data)
        look = Look(trainer)
        look._generator = in_turn(real(trainer))  # type: ignore[assignment]
        found = figures(look)
        assert 0.2 < found.pop("critic_accuracy") < 0.8  # of 32 pairs of real images; it knows nothing yet
        assert found == {"spread": pytest.approx(1, abs=0.15), "variety": pytest.approx(1, abs=0.3)}


class Ink(torch.nn.Module):
    """A critic that likes ink."""

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return images.flatten(1).sum(1)


@pytest.mark.parametrize(("made", "share"), [(-1.0, 1.0), (1.0, 0.0)])
def test_how_often_the_critic_is_right(make_trainer: MakeTrainer, made: float, share: float) -> None:
    """Digits have more ink than blank paper, and less than a full sheet."""
    trainer = make_trainer("vanilla")
    trainer.objective.discriminator = Ink()
    look = Look(trainer)
    look._generator = lambda z, labels: torch.full((len(z), 1, 8, 8), made)  # type: ignore[assignment]
    assert figures(look)["critic_accuracy"] == share
    assert trainer.objective.discriminator.training


class Statistician(torch.nn.Module):
    """A critic that sees what a batch has in common, as long as it is in training, and draws numbers for itself."""

    batches: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(1)
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        self.batches = self.batches + torch.rand(()).ceil()  # another tensor in its place
        ink = images.flatten(1).sum(1, keepdim=True)
        scores: torch.Tensor = ink - self.norm(ink) + 1e-3 * torch.rand_like(ink)
        return scores.flatten()


def test_the_critic_is_asked_as_in_training(make_trainer: MakeTrainer) -> None:
    """In eval mode with its first statistics, this one would put no image above another but by chance."""
    trainer = make_trainer("vanilla")
    critic = trainer.objective.discriminator = Statistician()
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    look = Look(trainer)
    look._generator = lambda z, labels: torch.full((len(z), 1, 8, 8), -1.0)  # type: ignore[assignment]
    assert figures(look)["critic_accuracy"] == 1
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())


def test_a_look_takes_as_many_images_at_once_as_training_does(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("conditional", batch=8, accumulate=2)
    look, seen = Look(trainer), []
    whole = look.figures()
    generator = look._generator
    look._generator = lambda z, labels: (seen.append((len(z), len(labels))), generator(z, labels))[1]  # type: ignore[assignment, func-returns-value]
    assert figures(look) == {name: float(value) for name, value in whole.items()}
    assert seen == [(4, 4)] * (PREVIEWS // 4)
    look._at_once = PREVIEWS
    assert figures(look) == pytest.approx({name: float(value) for name, value in whole.items()}, rel=1e-4)


def test_a_look_keeps_no_images_that_it_does_not_score(make_trainer: MakeTrainer) -> None:
    look = Look(make_trainer("dcgan", batch=64))
    assert look._real.shape[0] == SCORED
    assert look._real.untyped_storage().nbytes() == look._real.numel() * look._real.element_size()


def test_ranks_log_the_same_figures(make_trainer: MakeTrainer) -> None:
    """If real images of another rank do not differ, that one has no spread to average."""

    class Two(Ranks):
        def any(self, flag: bool) -> bool:
            return True

    trainer = make_trainer("vanilla")
    trainer.ranks = Two(0, 1)
    assert "spread" not in figures(Look(trainer))


@pytest.mark.parametrize("model", ["vanilla", "conditional"])
def test_one_image_for_all_latents(make_trainer: MakeTrainer, model: str) -> None:
    """Of a conditional model: for all latents of a class, however much classes differ."""
    trainer = make_trainer(model)
    look, generator = Look(trainer), trainer.ema.generator
    look._generator = lambda z, labels: generator(look._z[:1].expand_as(z), labels)  # type: ignore[assignment]
    assert figures(look)["spread"] == pytest.approx(0, abs=1e-5)


def test_one_class_of_a_conditional_model_is_enough(make_trainer: MakeTrainer) -> None:
    look = Look(make_trainer("conditional"))
    mix = torch.randn(look._z.shape[1], 64, generator=torch.Generator().manual_seed(0))

    def images(z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (z @ mix).tanh().view(-1, 1, 8, 8)

    def collapsed(z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        alike = (labels == look._labels[0]).view(-1, 1, 1, 1)  # type: ignore[index]
        return torch.where(alike, images(look._z[:1], labels), images(z, labels))

    look._generator = images  # type: ignore[assignment]
    assert figures(look)["spread"] > 1
    look._generator = collapsed  # type: ignore[assignment]
    assert figures(look)["spread"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("scale", "low"), [(1.0, False), (0.01, False), (1e-4, False), (100.0, True)])
def test_labels_that_drown_the_latents(make_trainer: MakeTrainer, scale: float, low: bool) -> None:
    """The same picture for a class is told from the start; grey images, as all generators begin with, are not it."""
    look = Look(make_trainer("conditional"))
    mix = torch.randn(look._z.shape[1] + 10, 64, generator=torch.Generator().manual_seed(0)) / 50

    def images(z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        known = torch.nn.functional.one_hot(labels, 10) * 10
        drowned = torch.cat([z * min(scale, 1 / scale), known * scale], 1)
        return (drowned @ mix).tanh().view(-1, 1, 8, 8)

    look._generator = images  # type: ignore[assignment]
    share, _ = FALLS["class_spread"]
    assert (figures(look)["class_spread"] < share) is low


@pytest.mark.parametrize("model", ["vanilla", "conditional"])
def test_only_classes_have_a_spread_of_their_own(make_trainer: MakeTrainer, model: str) -> None:
    assert ("class_spread" in figures(Look(make_trainer(model)))) is (model == "conditional")


def test_real_classes_are_as_varied_as_real_classes(make_trainer: MakeTrainer) -> None:
    """The images of each class, in the order of the look's labels."""
    trainer = make_trainer("conditional")
    look = Look(trainer)
    left = {label: itertools.cycle(real(trainer, 40, label)) for label in range(10)}
    look._generator = lambda z, labels: torch.stack([next(left[int(label)]) for label in labels])  # type: ignore[assignment]
    assert figures(look)["class_spread"] == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("label", range(10))
def test_one_class_alone_has_little_variety(make_trainer: MakeTrainer, label: int) -> None:
    """What pixels' variance does not show: the class of ones has 0.8 of that of all digits."""
    labelled = make_trainer("conditional")
    images = real(labelled, label=label)
    look = Look(make_trainer("vanilla"))
    look._generator = in_turn(images)  # type: ignore[assignment]
    limit, _ = FALLS["variety"]
    assert figures(look)["variety"] < limit


def test_it_costs_training_nothing(
    make_trainer: MakeTrainer,
    weights: Callable[[Trainer], dict[str, torch.Tensor]],
    same: Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool],
) -> None:
    """Neither weights nor random numbers nor buffers change."""
    looked, other = (make_trainer("dcgan", seed=1) for _ in range(2))
    look = Look(looked)
    for _ in range(3):
        look.figures()
        looked.step()
        other.step()
    assert same(weights(looked), weights(other))


def test_identical_real_images_say_nothing_of_spread(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    np.save(tmp_path / "same.npy", np.full((64, 8, 8), 7, np.uint8))
    look = Look(make_trainer("vanilla", data=str(tmp_path / "same.npy"), held_out=0.0))
    assert figures(look).keys() == {"variety", "critic_accuracy"}


def labelled(path: Path, counts: list[int]) -> str:
    """Images of noise, so many of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8), np.uint8)
    np.savez(path / "set.npz", images=pixels, labels=labels)
    return str(path / "set.npz")


@pytest.mark.parametrize(
    "counts", [[900, 100, 25], [500, 20], [60] * 16, [10] * 200], ids=["three", "two", "16", "200"]
)
def test_rare_classes_and_many_are_looked_at(make_trainer: MakeTrainer, tmp_path: Path, counts: list[int]) -> None:
    """In images as they come, the rarest of these classes, or each of them, would have fewer than 4 of 128."""
    look = Look(make_trainer("conditional", data=labelled(tmp_path, counts), held_out=0.0))
    assert look._labels is not None
    assert len(look._groups) >= min(len(counts), 12)
    assert (look._groups.sum(1) >= 4).all()
    mix = torch.randn(look._z.shape[1], 64, generator=torch.Generator().manual_seed(0))
    rarest = int(look._labels.bincount().where(look._labels.bincount() >= 4, torch.tensor(1000)).argmin())

    def collapsed(z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        z = torch.where((labels == rarest)[:, None], look._z[:1], z)
        return (z @ mix).tanh().view(-1, 1, 8, 8)

    look._generator = collapsed  # type: ignore[assignment]
    assert figures(look)["spread"] == pytest.approx(0, abs=1e-5)


def test_few_classes_of_many_images(make_trainer: MakeTrainer) -> None:
    """25 classes of dots leave 5 images for each: classes of fewer than 4 do not count."""
    look = Look(make_trainer("conditional", data="dots"))
    assert look._groups.shape[1] == PREVIEWS
    assert (look._groups.sum(1) >= 4).all()
    assert 5 <= len(look._groups) <= 25
