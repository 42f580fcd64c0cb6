"""What is called a collapse and what is not: on made figures, and on a whole run."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ganzoo import ImageShape
from ganzoo.errors import ExitCode, GanzooError
from ganzoo.records.result import TrainResult
from ganzoo.training import loop, watchdog
from ganzoo.training.objective import Network
from ganzoo.training.trainer import Trainer
from ganzoo.training.watchdog import EARLIER, GRACE, Collapse, Look, bad_number
from ganzoo_plugins.conditional import networks
from ganzoo_plugins.dcgan import Options
from ganzoo_registry import Registry

Train = Callable[..., TrainResult]

NAN = float("nan")


class Told:
    """``Collapse`` fed with one figure a report, from step 50 on."""

    def __init__(self, name: str, values: list[float | None], start: int = GRACE + 50) -> None:
        self.collapse = Collapse([])
        reports = [(start + 50 * place, {name: value}) for place, value in enumerate(values)]
        self.said = [self.collapse.see(step, report) for step, report in reports]


def test_a_fall_is_told_once_and_so_is_its_end() -> None:
    told = Told("variety", [0.9, 0.2, 0.2, 0.2, None, 0.2, 0.8, 0.9]).said
    first = GRACE + 50
    assert [place for place, said in enumerate(told) if said] == [2, 6]
    assert told[2] == (
        f"at step {first + 100} the generator's images are of few kinds: variety 0.2, and at best 0.9 "
        "(1: as real images)"
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
        ("variety", [0.05, 0.05, 0.05]),  # has not learnt much yet
        ("variety", [3.0, 0.5, 0.5]),  # more than real images have is not asked for
        ("variety", [None, None]),
        ("variety", [0.9, NAN, NAN]),
        ("spread", [2.0, 0.07, 0.07]),  # a class of dots with little of its jitter
        ("spread", [0.02, 0.02, 0.02]),  # has not learnt much yet
        ("class_spread", [0.35, 0.35, 0.35]),  # the least of sound runs
        ("class_spread", [0.9, 0.05, 0.9, 0.05]),
    ],
)
def test_what_is_no_collapse(name: str, values: list[float | None]) -> None:
    assert not any(Told(name, values).said)


def test_the_first_steps_do_not_count() -> None:
    assert not any(Told("variety", [0.9, 0.1, 0.1], start=0).said)
    assert any(Told("variety", [0.9, 0.1, 0.1], start=GRACE).said)


def test_one_picture_a_class_is_told_at_once() -> None:
    """It is held against real images alone, and needs no better times before; nor the grace of grey beginnings."""
    first = EARLIER["class_spread"]
    assert not any(Told("class_spread", [0.05, 0.9], start=first - 50).said)
    assert not any(Told("class_spread", [0.05, 0.05, 0.9], start=first - 50).said)
    assert Told("class_spread", [0.05, 0.04], start=first + 50).said[1] == (
        f"at step {first + 100} the generator's images of one class are nearly alike, whatever the latents: "
        "class_spread 0.04, and at best 0.05 (1: as real images)"
    )
    assert first + 2 * 50 <= 200


def test_a_generator_that_never_looked_at_its_latents() -> None:
    assert Told("spread", [0.0, 0.0]).said[1] == (
        f"at step {GRACE + 100} the generator's images, or those of one class, are all alike: spread 0, and at best 0 "
        "(1: as real images)"
    )
    assert any(Told("variety", [0.0134, 0.0134]).said)  # one image, of digits


def test_a_resumed_run_knows_what_was_told() -> None:
    """From its reports alone."""
    reports = [{"step": GRACE + 50 * i, "variety": value} for i, value in enumerate([0.9, 0.9, 0.1, 0.1], 1)]
    resumed = Collapse(reports)
    assert resumed.since == GRACE + 200
    assert resumed.see(GRACE + 250, {"variety": 0.1}) is None
    assert "differ again" in (resumed.see(GRACE + 300, {"variety": 0.9}) or "")


@pytest.mark.parametrize("name", ["generator", "discriminator", "generator-ema"])
@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf")])
def test_weights_that_are_not_finite(make_trainer: Callable[..., Trainer], name: str, value: float) -> None:
    trainer = make_trainer("dcgan")
    trainer.step()
    assert bad_number(trainer, weights=True) is None
    tensors = [tensor for tensor in trainer.modules()[name].state_dict().values() if tensor.is_floating_point()]
    tensors[-1][(0,) * tensors[-1].dim()] = value
    assert bad_number(trainer, weights=True) == f"after step 1 the {name}'s weights are not finite numbers"
    assert bad_number(trainer, weights=False) is None


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_a_gradient_whose_square_is_infinite(make_trainer: Callable[..., Trainer], name: Network) -> None:
    """Adam then divides by infinity for ever; weights and losses show nothing. Large numbers alone are no reason."""
    trainer = make_trainer("vanilla")
    trainer.step()
    optimizer = trainer.optimizations[name]
    for gradient, found in [
        (1e10, None),
        (1e25, f"after step 1 the moments of the {name}'s optimizer are not finite numbers"),
    ]:
        for weight in trainer.modules()[name].parameters():
            weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        assert bad_number(trainer, weights=True) == found
    assert bad_number(trainer, weights=False) is None


@pytest.fixture
def collapsing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Images become alike with one step and differ again with another; looks are frequent, so that runs are short."""
    monkeypatch.setattr(loop, "LOOK_EVERY", 8)
    monkeypatch.setattr(watchdog, "GRACE", 16)

    def between(first: int, last: int) -> None:
        looks = itertools.count(8, 8)
        monkeypatch.setattr(
            Look, "figures", lambda self: {"variety": torch.tensor(0.05 if first <= next(looks) < last else 0.9)}
        )

    return between


def test_a_collapse_is_told_while_it_happens(train: Train, collapsing: Callable[[int, int], None]) -> None:
    collapsing(40, 64)
    run = train("vanilla", steps=80, report_every=8).run
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert events == [
        {
            "step": 48,
            "kind": "collapse",
            "message": "at step 48 the generator's images are of few kinds: variety 0.05, and at best 0.9 "
            "(1: as real images)",
        },
        {
            "step": 64,
            "kind": "collapse",
            "message": "at step 64 the generator's images differ again, after the collapse of step 48",
        },
    ]


def test_or_ends_the_run(
    train: Train, collapsing: Callable[[int, int], None], tmp_path: Path, own_registry: Path
) -> None:
    collapsing(40, 10**6)
    with pytest.raises(GanzooError) as caught:
        train("vanilla", steps=80, report_every=8, on_collapse="stop")
    run = tmp_path / "runs" / "vanilla" / "1"
    assert str(caught.value) == (
        "training stopped after step 48: since step 48 the generator's images have collapsed; everything is saved, and "
        "nothing was registered"
    )
    assert caught.value.hint == f"go on all the same with: ganzoo train --resume {run} --on-collapse warn"
    assert caught.value.exit_code == ExitCode.FAILURE
    assert (run / "checkpoints" / "step-00000048.safetensors").exists()
    assert not Registry(own_registry).names()
    with pytest.raises(GanzooError, match="training stopped after step 56: since step 48 "):
        train("", resume=str(run))
    assert train("", resume=str(run), on_collapse="warn").run == run


class Drowned(networks.Generator):
    """``conditional`` as it was: embeddings drawn like z."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        torch.nn.init.normal_(self.embedding.weight)


@pytest.mark.parametrize("drowned", [True, False])
def test_labels_that_drown_the_latents_are_told(train: Train, drowned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 32 pixels, where they make one picture a class in the first steps; at 8 they do not."""
    if drowned:
        monkeypatch.setattr(networks, "Generator", Drowned)
    fast = {"lr": 1e-3, "betas": [0.5, 0.999]}
    run = train("conditional", size=32, batch=32, steps=150, generator=fast, discriminator=fast).run
    log = run / "events.jsonl"
    events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    assert [(event["step"], event["kind"]) for event in events] == ([(150, "collapse")] if drowned else [])


def test_looks_are_reported(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOOK_EVERY", 8)
    run = train("vanilla", steps=16, report_every=4).run
    reports = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [report["step"] for report in reports if {"spread", "variety"} <= report.keys()] == [8, 16]
    assert not (run / "events.jsonl").exists()
