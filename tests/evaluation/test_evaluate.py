"""The protocol: what is judged by what, and what an evaluation says of it."""

import json
import os
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from ganzoo.config import RunConfig
from ganzoo.data import ImageSet, Split, load
from ganzoo.errors import ExitCode, IntegrityError, PluginError, PluginWarning, UsageError
from ganzoo.evaluation import evaluate, evidence
from ganzoo.evaluation.criteria import Criteria, choose_criteria
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.evidence import CHUNK, Gatherer, Source, of_images
from ganzoo.pipeline import evaluating as preparing
from ganzoo.records.evaluation import Evaluation
from ganzoo.specs import Metric, Spec
from ganzoo.training.ranks import ALONE
from ganzoo.zoo.discovery import Manager, Plugin, State
from ganzoo.zoo.names import Zoo, load_target, zoo


def digits(**chosen: Any) -> Criteria:
    return choose_criteria("digits", load("digits", zoo()), zoo(), **chosen)


def of(images: ImageSet) -> Source:
    """The images as they lie."""
    return lambda start, count: (images.pixels[start : start + count], None)


@pytest.fixture(scope="module")
def judgement() -> Criteria:
    return digits()


@pytest.fixture(scope="module")
def parts() -> Split:
    return load("digits", zoo())


def test_real_images_are_as_good_as_real_images(judgement: Criteria, parts: Split) -> None:
    assert parts.held_out
    found = Evaluator(replace(judgement, n=len(parts.held_out))).figures(of(parts.held_out))
    assert found["fd"] == pytest.approx(0, abs=1e-9)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["copying"] == pytest.approx(0.5)


def test_a_copy_of_the_training_images_is_seen(judgement: Criteria, parts: Split) -> None:
    found = Evaluator(judgement).figures(of(parts.training))
    assert found["copying"] > 0.99
    assert found["mifid"] > 1e6
    assert found["fd"] < 20


def test_a_collapse_to_one_class_is_seen(judgement: Criteria, parts: Split) -> None:
    ones = parts.training.take(np.flatnonzero(parts.training.labels == 1))
    found = Evaluator(replace(judgement, n=len(ones))).figures(of(ones))
    assert found["precision"] > 0.8
    assert found["recall"] < 0.2
    assert found["coverage"] < 0.2
    assert found["class_entropy"] < 0.3


def test_the_floor_is_what_the_training_images_score_at_the_same_n(judgement: Criteria, parts: Split) -> None:
    few = replace(judgement, n=100)
    evaluation = Evaluator(few).evaluate({0: of(parts.training)})
    assert evaluation.floor_n == 100
    assert evaluation.floor["fd"] == Evaluator(few).figures(of_images(parts.training))["fd"]
    assert evaluation.floor["accuracy"] > 0.95
    assert {"mifid", "copying"}.isdisjoint(evaluation.floor)


def test_against_training(parts: Split) -> None:
    evaluator = Evaluator(digits(against="training", n=359))
    evaluation = evaluator.evaluate({0: of(parts.training.take(slice(0, 359)))})
    assert evaluation.protocol.against == "training"
    assert evaluation.protocol.digest == parts.training.digest
    assert evaluation.floor_n == 359
    assert evaluation.floor["fd"] > 0


@pytest.mark.parametrize("workers", [1, 3])
def test_figures_do_not_depend_on_threads(judgement: Criteria, parts: Split, workers: int) -> None:
    n = 2 * CHUNK + 7
    found = Evaluator(replace(judgement, n=n), workers=workers).figures(of(parts.training))
    assert found == Evaluator(replace(judgement, n=n), workers=2).figures(of(parts.training))


def test_memory_does_not_grow_with_n(judgement: Criteria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "KEPT", 300)
    asked: list[int] = []

    def endless(start: int, count: int) -> tuple[Any, None]:
        asked.append(start)
        return np.full((count, 1, 8, 8), start // CHUNK % 256, np.uint8), None

    seen: list[int] = []
    sample = Gatherer(judgement.extractor, None, tuple("0123456789"), 2).gather(
        endless, 5000, lambda count: seen.append(len(asked))
    )
    assert sample.features is not None
    assert len(sample.features) == 300
    assert sample.features.base is None
    assert sample.moments is not None
    assert sample.moments.n == sample.n == 5000
    assert all(ahead - number <= 2 * 2 + 1 for number, ahead in enumerate(seen))


def test_a_part_of_a_set_is_a_fair_one(parts: Split) -> None:
    source = of_images(parts.training)
    _, labels = source(0, 200)
    assert labels is not None
    assert len(np.unique(labels)) == 10
    again = np.concatenate([source(start, 50)[0] for start in range(0, 200, 50)])
    assert np.array_equal(again, source(0, 200)[0])


def test_intervals_are_students(judgement: Criteria, parts: Split) -> None:
    few = replace(judgement, n=60)
    starts = {seed: 60 * seed for seed in range(4)}
    sources = {seed: of(parts.training.take(slice(start, start + 60))) for seed, start in starts.items()}
    figure = Evaluator(few).evaluate(sources).figures["fd"]
    low, high = stats.t.interval(0.95, 3, np.mean(figure.values), stats.sem(figure.values))
    assert figure.low == pytest.approx(low)
    assert figure.high == pytest.approx(high)
    one = Evaluator(few).evaluate({0: sources[0]}).figures["fd"]
    assert (one.mean, one.low, one.high) == (figure.values[0], None, None)


def test_intervals_end_where_figures_do(judgement: Criteria, parts: Split) -> None:
    """Two seeds of which one has all of a thing and the other nothing: Student's interval of the mean is 0.5 ± 6.35."""
    assert parts.held_out
    ones = parts.held_out.take(np.flatnonzero(parts.held_out.labels == 1))
    few = replace(judgement, n=30)
    figures = Evaluator(few).evaluate({0: of(ones), 1: of(parts.held_out)}).figures
    bounds = {name: ends for metric in judgement.metrics.values() for name, ends in metric.bounds.items()}
    assert bounds.keys() == zoo().figures().keys() - {"kid"}
    for name, figure in figures.items():
        assert figure.low is not None
        assert figure.high is not None
        least, greatest = bounds.get(name, (-np.inf, np.inf))
        assert least <= figure.low <= figure.mean <= figure.high <= greatest
    assert (figures["fd"].low, figures["is"].low, figures["coverage"].low) == (0, 1, 0)
    assert figures["kid"].low is not None
    assert figures["kid"].low < 0  # unbiased, so it may be


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(-2, 0), st.floats(1, 3))
def test_an_interval_is_a_part_of_students(values: list[float], least: float, greatest: float) -> None:
    whole = evaluate._figure(values, (-np.inf, np.inf))
    share = evaluate._figure(values, (0, 1))
    wider = evaluate._figure(values, (least, greatest))
    assert None not in (whole.low, whole.high, share.low, share.high, wider.low, wider.high)
    assert 0 <= share.low <= share.mean <= share.high <= 1  # type: ignore[operator]
    assert wider.low <= share.low  # type: ignore[operator]
    assert wider.high >= share.high  # type: ignore[operator]
    assert whole.low <= wider.low <= whole.mean <= wider.high <= whole.high  # type: ignore[operator]


def test_the_key_is_of_everything_that_moves_figures(judgement: Criteria, parts: Split) -> None:
    base = Evaluator(judgement).protocol(range(5))
    assert base.key == Evaluator(judgement).protocol(range(5)).key
    assert parts.held_out
    fewer = Split(training=parts.training, held_out=parts.held_out.take(slice(0, 300)))
    others = [
        Evaluator(replace(judgement, n=10)).protocol(range(5)),
        Evaluator(judgement).protocol(range(4)),
        Evaluator(digits(against="training")).protocol(range(5)),
        Evaluator(replace(judgement, data=fewer)).protocol(range(5)),
        replace(base, sha256="0" * 64),
        replace(base, pipeline=1),
    ]
    less = Split(training=parts.training.take(slice(0, 1000)), held_out=parts.held_out)
    others.append(Evaluator(replace(judgement, data=less)).protocol(range(5)))
    assert len({base.key, *(other.key for other in others)}) == 8
    assert replace(base, data="scans", features="net.onnx").key == base.key
    assert base.pairs == base.real == 359


@pytest.mark.parametrize(
    ("real", "known", "accuracy"),
    [
        (("a", "caf\u00e9", "c"), ("c", "a", "cafe\u0301"), 1.0),
        (("a", "b", "c"), ("a", "b", "c"), 1 / 3),  # the logits say the next one
        (("a", "b", "c"), (), 1 / 3),
        (("a", "b", "c"), ("a", "b", "x"), None),
        (("a", "b", "c"), ("x", "a", "b", "c"), None),  # it names more than it has
        ((), ("c", "a", "b"), None),
    ],
)
def test_an_extractors_classes_are_matched_by_name(
    real: tuple[str, ...], known: tuple[str, ...], accuracy: float | None
) -> None:
    """Three images, of which each is said to be of the extractor's class one further than the real images number it."""

    def look(pixels: Any) -> tuple[Any, Any]:
        logits = np.eye(3, dtype=np.float32)[[1, 2, 2 if accuracy == 1 / 3 else 0]]
        return logits, logits

    look.class_names = known  # type: ignore[attr-defined]
    labels = np.arange(3) if real else None
    sample = Gatherer(look, None, real, 1).gather(lambda start, count: (np.zeros((3, 1, 2, 2), np.uint8), labels), 3)  # type: ignore[arg-type]
    assert sample.tally is not None
    assert sample.tally.accuracy == (None if accuracy is None else pytest.approx(accuracy))


def test_known_modes_need_no_extractor() -> None:
    data = load("dots", zoo())
    found = Evaluator(replace(choose_criteria("dots", data, zoo()), n=2000)).figures(of_images(data.training))
    assert found.keys() == {"modes", "good", "reverse_kl", "class_deviation", "least_class_deviation"}
    assert found["modes"] == 25
    assert found["good"] > 0.99


# The record


def test_an_evaluation_is_read_back(judgement: Criteria, parts: Split) -> None:
    evaluation = Evaluator(replace(judgement, n=50)).evaluate({0: of(parts.training), 7: of(parts.training)}, ["a"])
    assert Evaluation.from_json(json.dumps(evaluation.to_dict()).encode(), "x") == evaluation


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"[" * 100_000, b"{}", b"\xff", b'{"format": 1}', b'{"format": 1, "key": "", "protocol": 3}'],
)
def test_what_is_no_evaluation_is_named(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="net:1 is no evaluation"):
        Evaluation.from_json(data, "net:1")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("mean", "x"),
        ("mean", float("nan")),
        ("mean", True),
        ("low", []),
        ("high", None),
        ("values", ["1"]),
        ("mean", 10**400),
    ],
)
def test_what_is_no_figure_is_named(judgement: Criteria, parts: Split, place: str, value: Any) -> None:
    written = Evaluator(replace(judgement, n=20)).evaluate({0: of(parts.training), 1: of(parts.held_out)}).to_dict()  # type: ignore[arg-type]
    written["figures"]["fd"][place] = value
    with pytest.raises(IntegrityError, match="net:1 is no evaluation"):
        Evaluation.from_json(json.dumps(written).encode(), "net:1")


@pytest.mark.parametrize(
    ("place", "value"), [("n", "x"), ("n", None), ("seeds", "01"), ("real", 1.5), ("data", 3), ("pipeline", [])]
)
def test_what_is_no_protocol_is_named(judgement: Criteria, parts: Split, place: str, value: Any) -> None:
    written = Evaluator(replace(judgement, n=20)).evaluate({0: of(parts.training)}).to_dict()
    written["protocol"] = {**written["protocol"], place: value}
    with pytest.raises(IntegrityError, match="net:1 is no evaluation"):
        Evaluation.from_json(json.dumps(written).encode(), "net:1")


@pytest.mark.parametrize("place", ["", "protocol", "figures.fd"])
def test_one_of_a_newer_ganzoo_is_named(judgement: Criteria, parts: Split, place: str) -> None:
    """By its format, or by a field: it is not damaged, and is not to be replaced."""
    written = json.loads(json.dumps(Evaluator(replace(judgement, n=20)).evaluate({0: of(parts.training)}).to_dict()))
    inner = written
    for name in filter(None, place.split(".")):
        inner = inner[name]
    inner["colour"] = "red"
    for data in (b'{"format": 2}', json.dumps(written).encode()):
        with pytest.raises(IntegrityError) as caught:
            Evaluation.from_json(data, "net:1")
        assert (str(caught.value), caught.value.hint) == ("net:1 is of a newer ganzoo", "pip install --upgrade ganzoo")


# What cannot be judged


def test_images_of_which_none_are_held_out(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (50, 8, 8), np.uint8))
    source = str(tmp_path / "x.npy")
    data = load(source, zoo(), held_out=0.2)
    assert choose_criteria(source, data, zoo(), features="digits").extractor
    with pytest.raises(UsageError, match="has no held-out images to evaluate by") as caught:
        choose_criteria(source, load(source, zoo()), zoo(), noted=pytest.fail)  # before an extractor is built
    assert "--against training" in (caught.value.hint or "")


def test_an_extractor_that_does_not_fit() -> None:
    with pytest.raises(UsageError, match="1 x 16 x 16") as caught:
        choose_criteria("dots", load("dots", zoo()), zoo(), features="digits")
    assert caught.value.exit_code == ExitCode.USAGE


def test_one_sample() -> None:
    with pytest.raises(UsageError, match="too few"):
        digits(n=1)


class Lying(str):
    """A name that equals every other, and cannot be shown."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("odd")

    def __repr__(self) -> str:
        raise SystemExit(0)


def unhurt(*_: object) -> dict[str, float]:
    return {"even": 2.0}


def interrupt(*_: object) -> dict[str, float]:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (lambda: {"even": 1.0}, "metric acme/odd returned {'even': 1.0}, not finite numbers for ['odd']"),
        (lambda: {"odd": float("nan")}, "metric acme/odd returned {'odd': nan}, not finite numbers for ['odd']"),
        (lambda: {"odd": 1 / 0}, "metric acme/odd fails: ZeroDivisionError: division by zero"),
        (lambda: {"odd": "many"}, "metric acme/odd fails: ValueError: could not convert string to float: 'many'"),
        (lambda: None, "metric acme/odd fails: AttributeError: 'NoneType' object has no attribute 'items'"),
        (interrupt, "metric acme/odd fails: KeyboardInterrupt"),
        (lambda: sys.exit(0), "metric acme/odd fails: SystemExit: 0"),
        (lambda: os._exit(0), "metric acme/odd fails: SystemExit: os._exit(0)"),
        (lambda: {"odd": float("-inf")}, "metric acme/odd returned {'odd': -inf}, not finite numbers for ['odd']"),
        (lambda: {"odd": 10**400}, "metric acme/odd fails: OverflowError: int too large to convert to float"),
        (lambda: {"odd": [1.0]}, "metric acme/odd fails: TypeError: float() argument must be a string or a real"),
        (lambda: {1: 1.0}, "metric acme/odd returned {'1': 1.0}, not finite numbers for ['odd']"),
        (lambda: {Lying("even"): 1.0}, "metric acme/odd returned {'even': 1.0}, not finite numbers for ['odd']"),
        (lambda: iter([("odd", 1.0)]), "metric acme/odd fails: AttributeError: 'list_iterator' object has no"),
    ],
)
def test_a_metric_that_breaks_its_contract_is_left_out(
    judgement: Criteria, monkeypatch: pytest.MonkeyPatch, found: Any, error: str
) -> None:
    """It is named once, and the others count, also in what is attached to a version."""
    odd, even = (Metric(name=name, target=name, figures={name: "lower"}) for name in ("odd", "even"))
    monkeypatch.setattr(evaluate, "load_target", {"odd": lambda evidence: found(), "even": unhurt}.get)
    said: list[str] = []
    judge = Evaluator(replace(judgement, metrics={"acme/odd": odd, "ganzoo/even": even}), noted=said.append)
    for _ in range(2):
        assert judge.figures(of_images(judgement.data.training)) == {"even": 2.0}
    (line,) = said
    assert line.startswith(error)
    assert line.endswith("; it is left out")
    evaluation = judge.evaluate({0: of_images(judgement.data.training)}, ["a word"])
    assert list(evaluation.figures) == list(evaluation.floor) == ["even"]
    assert evaluation.notes == ("a word", *said)


def spoil(evidence: evidence.Evidence, part: str) -> dict[str, float]:
    sample = evidence.real
    assert sample.features is not None
    assert sample.moments is not None
    assert sample.tally is not None
    match part:
        case "features":
            features = sample.features
            features -= features.mean(axis=0)
        case "mean":
            sample.moments.mean[:] = 0
        case "root":
            sample.moments.root[:] = 0
        case "moments":
            sample.moments.add(sample.features)
        case "tally":
            sample.tally.add(np.eye(10))
    return {"odd": 1.0}


@pytest.mark.parametrize("part", ["features", "mean", "root", "moments", "tally"])
def test_a_metric_cannot_change_what_others_see(
    judgement: Criteria, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Real images are gathered once for all seeds: what one metric does to them would count in every later figure."""
    monkeypatch.setattr(
        evaluate, "load_target", lambda target: partial(spoil, part=part) if target == "odd" else load_target(target)
    )
    source = of_images(judgement.data.training)
    odd = Metric(name="odd", target="odd", figures={"odd": "lower"})
    said: list[str] = []
    judge = Evaluator(replace(judgement, metrics={"acme/odd": odd, **judgement.metrics}, n=300), noted=said.append)
    before = Evaluator(replace(judgement, n=300)).figures(source)
    for _ in range(2):
        assert judge.figures(source) == before
    assert said[0].startswith("metric acme/odd fails: ValueError: ")


class OddModes:
    count = 25

    def __init__(self, answer: Any) -> None:
        self.assign = lambda pixels: answer(len(pixels))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda n: sys.exit(0), "SystemExit: 0"),
        (lambda n: os._exit(0), "SystemExit: os._exit(0)"),
        (lambda n: interrupt(), "KeyboardInterrupt"),
        (lambda n: None, "modes must be whole numbers"),
        (lambda n: np.zeros(n - 1, np.int64), "modes must be whole numbers"),
        (lambda n: np.zeros(n), "modes must be whole numbers"),
        (lambda n: np.full(n, 25), "modes lie in 25 to 25"),
    ],
)
def test_modes_that_fail_are_named(answer: Any, error: str) -> None:
    data = load("dots", zoo())
    odd = replace(choose_criteria("dots", data, zoo()), n=600, modes=OddModes(answer))
    with pytest.raises(PluginError, match=re.escape(f"the modes of the data, OddModes, fail: {error}")):
        Evaluator(odd).figures(of_images(data.training))


def test_a_figure_that_another_metric_gives_counts_once() -> None:
    """An installed metric changes neither a built-in figure nor which side of it is better."""
    mine = Metric(name="mine", target="x:y", figures={"own": "higher", "fd": "higher"})
    found = Zoo(Manager([acme(mine), *zoo().manager.plugins]))
    with pytest.warns(
        PluginWarning, match="^metric acme/mine gives 'fd', and so does ganzoo/frechet; acme/mine is left"
    ):
        assert found.metrics() == zoo().metrics()
    assert found.figures() == zoo().figures()


def acme(*specs: Spec) -> Plugin:
    here = {"name": "mine", "distribution": "acme", "version": "1", "location": "", "target": "x", "api": "v1"}
    return Plugin(**here, state=State.ACTIVE, specs=specs)


def test_only_as_many_training_images_are_looked_at_as_count(
    judgement: Criteria, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "KEPT", 100)
    evaluator = Evaluator(replace(judgement, n=50))
    assert evaluator._training.n == 100
    assert evaluator.floor[0] == 50


@pytest.mark.parametrize("against", ["heldout", ""])
def test_there_are_two_parts(against: str) -> None:
    with pytest.raises(UsageError, match="there are no") as caught:
        digits(against=against)
    assert caught.value.hint == "choose held-out or training"


@pytest.mark.parametrize("best", ["", "fd", "odd"])
def test_a_figure_that_was_asked_for_and_cannot_be_computed_is_told_before_the_first_step(
    best: str, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that nobody asked for is left out with a word."""
    odd = Metric(name="odd", target="builtins:len", figures={"odd": "lower"})
    monkeypatch.setattr(preparing, "zoo", lambda: Zoo(Manager([acme(odd), *zoo().manager.plugins])))
    config = RunConfig(model="m", architecture="a", loss="l", data="digits", eval_every=2, best=best)
    said: list[str] = []
    reason = "metric acme/odd fails: TypeError: object of type 'Evidence' has no len()"
    if best == "odd":
        with pytest.raises(PluginError, match=re.escape(reason)):
            preparing.prepare(config, parts, ALONE, said.append)
    else:
        _, evaluating = preparing.prepare(config, parts, ALONE, said.append)
        assert evaluating is not None
    assert said == [f"{reason}; it is left out"]
