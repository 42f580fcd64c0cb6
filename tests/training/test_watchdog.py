"""What is called a collapse and what is not: on made figures, on injected collapses, and on a whole run."""

import itertools
import json

import numpy as np
import pytest
import torch

from ganzoo.errors import ExitCode, GanzooError
from ganzoo.training import loop, watchdog
from ganzoo.training.watchdog import FALLS, GRACE, PREVIEWS, Collapse, Look, bad_number
from ganzoo_registry import Registry

NAN = float("nan")


def figures(look: Look) -> dict[str, float]:
    return {name: float(value) for name, value in look.figures().items()}


def real(trainer, count=PREVIEWS, label=None):
    """Real images other than those that a look compares with, all of one class or of any."""
    batches = [trainer.batches.draw(step, 0, real=True) for step in range(1000, 1400)]
    images = torch.cat([batch.real for batch in batches])
    labels = torch.cat([batch.labels for batch in batches]) if batches[0].labels is not None else None
    return images[:count] if label is None else images[labels == label][:count]


def test_real_images_are_as_varied_as_real_images(make_trainer):
    for data in ("digits", "dots"):
        trainer = make_trainer("vanilla", data=data)
        look = Look(trainer)
        look._generator = lambda z, labels, trainer=trainer: real(trainer)
        found = figures(look)
        assert 0.2 < found.pop("critic_accuracy") < 0.8  # of 32 pairs of real images; it knows nothing yet
        assert found == {"spread": pytest.approx(1, abs=0.15), "variety": pytest.approx(1, abs=0.3)}


class Ink(torch.nn.Module):
    """A critic that likes ink."""

    def forward(self, images, labels):
        return images.flatten(1).sum(1)


@pytest.mark.parametrize(("made", "share"), [(-1.0, 1.0), (1.0, 0.0)])
def test_how_often_the_critic_is_right(make_trainer, made, share):
    """Digits have more ink than blank paper, and less than a full sheet."""
    trainer = make_trainer("vanilla")
    trainer.objective.discriminator = Ink()
    look = Look(trainer)
    look._generator = lambda z, labels: torch.full((len(z), 1, 8, 8), made)
    assert figures(look)["critic_accuracy"] == share
    assert trainer.objective.discriminator.training


@pytest.mark.parametrize("model", ["vanilla", "conditional"])
def test_one_image_for_all_latents(make_trainer, model):
    """Of a conditional model: for all latents of a class, however much classes differ."""
    trainer = make_trainer(model)
    look, generator = Look(trainer), trainer.ema.generator
    look._generator = lambda z, labels: generator(z[:1].expand_as(z), labels)
    assert figures(look)["spread"] == pytest.approx(0, abs=1e-5)


def test_one_class_of_a_conditional_model_is_enough(make_trainer):
    look = Look(make_trainer("conditional"))
    mix = torch.randn(look._z.shape[1], 64, generator=torch.Generator().manual_seed(0))

    def images(z, labels):
        return (z @ mix).tanh().view(-1, 1, 8, 8)

    def collapsed(z, labels):
        return torch.where((labels == labels[0]).view(-1, 1, 1, 1), images(z[:1], labels), images(z, labels))

    look._generator = images
    assert figures(look)["spread"] > 1
    look._generator = collapsed
    assert figures(look)["spread"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("label", range(10))
def test_one_class_alone_has_little_variety(make_trainer, label):
    """What pixels' variance does not show: the class of ones has 0.8 of that of all digits."""
    labelled = make_trainer("conditional")
    images = real(labelled, label=label)
    look = Look(make_trainer("vanilla"))
    look._generator = lambda z, labels: images[torch.arange(PREVIEWS) % len(images)]
    limit, _ = FALLS["variety"]
    assert figures(look)["variety"] < limit


def test_it_costs_training_nothing(make_trainer, weights, same):
    """Neither weights nor random numbers nor buffers change."""
    looked, other = (make_trainer("dcgan", seed=1) for _ in range(2))
    look = Look(looked)
    for _ in range(3):
        look.figures()
        looked.step()
        other.step()
    assert same(weights(looked), weights(other))


def test_identical_real_images_say_nothing_of_spread(make_trainer, tmp_path):
    np.save(tmp_path / "same.npy", np.full((64, 8, 8), 7, np.uint8))
    look = Look(make_trainer("vanilla", data=str(tmp_path / "same.npy"), held_out=0.0))
    assert figures(look).keys() == {"variety", "critic_accuracy"}


def test_few_classes_of_many_images(make_trainer):
    """25 classes of dots leave 5 images for each: classes of fewer than 4 do not count."""
    look = Look(make_trainer("conditional", data="dots"))
    assert look._groups.shape[1] == PREVIEWS
    assert (look._groups.sum(1) >= 4).all()
    assert 5 <= len(look._groups) <= 25


class Told:
    """``Collapse`` fed with one figure a report, from step 50 on."""

    def __init__(self, name: str, values: list[float | None], start: int = GRACE + 50) -> None:
        self.collapse = Collapse([])
        reports = [(start + 50 * place, {name: value}) for place, value in enumerate(values)]
        self.said = [self.collapse.see(step, report) for step, report in reports]


def test_a_fall_is_told_once_and_so_is_its_end():
    told = Told("variety", [0.9, 0.2, 0.2, 0.2, None, 0.2, 0.8, 0.9]).said
    first = GRACE + 50
    assert [place for place, said in enumerate(told) if said] == [2, 6]
    assert told[2] == (
        f"at step {first + 100} the generator's images are all alike: variety 0.2, and was 0.9 (1: as real images)"
    )
    assert (
        told[6]
        == f"at step {first + 300} the generator's images differ again, after the collapse of step {first + 100}"
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("variety", [0.9, 0.2, 0.9, 0.2, 0.9]),  # one report is not enough
        ("variety", [0.9, 0.41, 0.5, 0.41, 0.41]),  # not below 0.45 of it
        ("variety", [0.02, 0.02, 0.02]),  # has not learnt anything yet
        ("variety", [3.0, 0.5, 0.5]),  # more than real images have is not asked for
        ("variety", [None, None]),
        ("variety", [0.9, NAN, NAN]),
        ("spread", [2.0, 0.02, 0.02]),  # a class of dots
        ("spread", [0.02, 0.01, 0.01]),
    ],
)
def test_what_is_no_collapse(name, values):
    assert not any(Told(name, values).said)


def test_the_first_steps_do_not_count():
    assert not any(Told("variety", [0.9, 0.1, 0.1], start=0).said)
    assert any(Told("variety", [0.9, 0.1, 0.1], start=GRACE).said)


def test_a_generator_that_never_looked_at_its_latents():
    assert any(Told("spread", [0.0, 0.0]).said)


def test_a_resumed_run_knows_what_was_told():
    """From its reports alone."""
    reports = [{"step": GRACE + 50 * i, "variety": value} for i, value in enumerate([0.9, 0.9, 0.1, 0.1], 1)]
    resumed = Collapse(reports)
    assert resumed.since == GRACE + 200
    assert resumed.see(GRACE + 250, {"variety": 0.1}) is None
    assert "differ again" in (resumed.see(GRACE + 300, {"variety": 0.9}) or "")


@pytest.mark.parametrize("name", ["generator", "discriminator", "generator-ema"])
@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf")])
def test_weights_that_are_not_finite(make_trainer, name, value):
    trainer = make_trainer("dcgan")
    trainer.step()
    assert bad_number(trainer, weights=True) is None
    tensors = [tensor for tensor in trainer.modules()[name].state_dict().values() if tensor.is_floating_point()]
    tensors[-1][(0,) * tensors[-1].dim()] = value
    assert bad_number(trainer, weights=True) == f"after step 1 the {name}'s weights are not finite numbers"
    assert bad_number(trainer, weights=False) is None


@pytest.fixture
def collapsing(monkeypatch):
    """Images become alike with one step and differ again with another; looks are frequent, so that runs are short."""
    monkeypatch.setattr(loop, "LOOK_EVERY", 8)
    monkeypatch.setattr(watchdog, "GRACE", 16)

    def between(first, last):
        looks = itertools.count(8, 8)
        monkeypatch.setattr(
            Look, "figures", lambda self: {"variety": torch.tensor(0.05 if first <= next(looks) < last else 0.9)}
        )

    return between


def test_a_collapse_is_told_while_it_happens(train, collapsing):
    collapsing(40, 64)
    run = train("vanilla", steps=80, report_every=8).run
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert events == [
        {
            "step": 48,
            "kind": "collapse",
            "message": "at step 48 the generator's images are all alike: variety 0.05, and was 0.9 (1: as real images)",
        },
        {
            "step": 64,
            "kind": "collapse",
            "message": "at step 64 the generator's images differ again, after the collapse of step 48",
        },
    ]


def test_or_ends_the_run(train, collapsing, tmp_path, own_registry):
    collapsing(40, 10**6)
    with pytest.raises(GanzooError) as caught:
        train("vanilla", steps=80, report_every=8, on_collapse="stop")
    run = tmp_path / "runs" / "vanilla" / "1"
    assert str(caught.value) == (
        "training stopped after step 48: since step 48 the generator's images are all alike; everything is saved, and "
        "nothing was registered"
    )
    assert caught.value.hint == f"go on all the same with: ganzoo train --resume {run} --on-collapse warn"
    assert caught.value.exit_code == ExitCode.FAILURE
    assert (run / "checkpoints" / "step-00000048.safetensors").exists()
    assert not Registry(own_registry).names()
    with pytest.raises(GanzooError, match="training stopped after step 56: since step 48 "):
        train("", resume=str(run))
    assert train("", resume=str(run), on_collapse="warn").run == run


def test_looks_are_reported(train, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 8)
    run = train("vanilla", steps=16, report_every=4).run
    reports = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [report["step"] for report in reports if {"spread", "variety"} <= report.keys()] == [8, 16]
    assert not (run / "events.jsonl").exists()
