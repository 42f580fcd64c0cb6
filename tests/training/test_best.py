"""``best``: which figure says what weights are kept, when patience is over, and how versions are sorted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ganzoo import api
from ganzoo.cli import main
from ganzoo.errors import ExitCode, UsageError
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.records.best import Ranking, check_best
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.zoo.names import zoo

Train = Callable[..., TrainResult]

BETTER = {"fd": "lower", "recall": "higher", "modes": "higher", "good": "higher", "copying": ""}


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[dict[str, float]]], None]:
    """``scores([{"fd": 3, "recall": 0.1}, …])``: what the evaluations of a run find, one after another."""

    def give(found: list[dict[str, float]]) -> None:
        left = iter(found)
        monkeypatch.setattr(Evaluator, "figures", lambda self, source: next(left))

    return give


@pytest.mark.parametrize(
    ("best", "found", "winner"),
    [
        ("", [{"fd": 2.0}, {"fd": 1.0}, {"fd": 1.0}], 1),
        ("", [{"fd": 2.0, "modes": 9.0}, {"fd": 3.0, "modes": 10.0}], 0),
        ("", [{"modes": 3.0, "good": 0.1}, {"modes": 3.0, "good": 0.2}], 1),
        ("recall", [{"fd": 1.0, "recall": 0.1}, {"fd": 2.0, "recall": 0.5}], 1),
        ("recall,fd", [{"fd": 3.0, "recall": 0.5}, {"fd": 2.0, "recall": 0.5}], 1),
        ("recall , fd", [{"fd": 3.0, "recall": 0.6}, {"fd": 2.0, "recall": 0.5}], 0),
        ("modes", [{"modes": 0.0}], None),
        ("recall", [{"fd": 1.0}], None),
        ("gone", [{"gone": 1.0}], None),
        ("", [], None),
    ],
)
def test_which_is_the_best(best: str, found: list[dict[str, float]], winner: int | None) -> None:
    ranking = Ranking(best, BETTER)
    assert ranking.best(dict(enumerate(found))) == winner
    assert ranking.since_best(dict(enumerate(found))) == (0 if winner is None else len(found) - 1 - winner)


def test_the_reason_names_what_decided() -> None:
    assert Ranking("", BETTER).reason({"fd": 8.4213, "recall": 0.5}) == "fd 8.421"
    assert Ranking("recall,fd", BETTER).reason({"fd": 8.4213, "recall": 0.5}) == "recall 0.5, fd 8.421"


@pytest.mark.parametrize("best", ["accuracy", "accuracy,least_class_deviation"])
def test_an_accuracy_is_never_the_only_reason(best: str) -> None:
    better = {"accuracy": "higher", "least_class_deviation": "higher"}
    found = {"accuracy": 1.0, "least_class_deviation": 0.07}
    assert Ranking(best, better).reason(found) == "accuracy 1, least_class_deviation 0.07"
    assert Ranking("accuracy", better).reason({"accuracy": 1.0}) == "accuracy 1"


@pytest.mark.parametrize(
    ("best", "message", "hint"),
    [
        ("fdd", "'fdd' is no figure of any metric", "did you mean 'fd'?"),
        ("fd,recal", "'recal' is no figure of any metric", "did you mean 'recall'?"),
        ("copying", "'copying' has no better side", "choose one of: fd, good, modes, recall"),
    ],
)
def test_what_cannot_decide_is_refused(best: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_best(best, BETTER)
    assert (str(caught.value), caught.value.hint, caught.value.exit_code) == (message, hint, ExitCode.USAGE)


def test_the_weights_that_are_kept(
    train: Train, own_registry: Path, scores: Callable[[list[dict[str, float]]], None]
) -> None:
    scores([{"fd": 3.0, "recall": 0.9}, {"fd": 1.0, "recall": 0.5}, {"fd": 2.0, "recall": 0.1}])
    result = train("vanilla", steps=6, eval_every=2, best="recall")
    assert str(result.best) == "vanilla:1"
    store = api.open_registry(own_registry)
    assert store.lineage(store.resolve("vanilla:1"))["training"]["steps"] == 2
    assert store.lineage(store.resolve("vanilla:2"))["config"]["best"] == "recall"


def test_patience_counts_by_it(train: Train, scores: Callable[[list[dict[str, float]]], None]) -> None:
    scores([{"fd": float(9 - number), "recall": 0.5} for number in range(9)])
    result = train("vanilla", steps=20, eval_every=2, best="recall", patience=2)
    outcome = Run.find(str(result.run), result.run).outcome()
    assert outcome is not None
    assert outcome.step == 6


def test_a_resumed_run_keeps_it(train: Train, scores: Callable[[list[dict[str, float]]], None]) -> None:
    scores([{"fd": 3.0, "recall": 0.9}])
    train("vanilla", steps=2, eval_every=2)
    with pytest.raises(UsageError, match="this would change best"):
        train("vanilla", resume="last", steps=4, best="recall")


def test_sorting_goes_by_it_unless_told_otherwise(
    train: Train,
    own_registry: Path,
    scores: Callable[[list[dict[str, float]]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [{"fd": 3.0, "recall": 0.9}, {"fd": 1.0, "recall": 0.5}]
    scores([*found, *(figures for figures in found for _ in range(5))])
    result = train("vanilla", steps=4, eval_every=2, best="recall")
    for reference, figures in zip(("vanilla:1", "vanilla:2"), found, strict=True):
        scores([figures] * 5)
        api.export(reference, registry=own_registry)
        api.evaluate([reference], registry=own_registry, device="cpu")
    by_recall, by_fd = (api.ranked("vanilla", figure, registry=own_registry) for figure in ("", "fd"))
    assert [str(each.version) for each in by_recall] == ["vanilla:1", "vanilla:2"]
    assert {each.figure for each in by_recall} == {"recall"}
    assert [str(each.version) for each in by_fd] == ["vanilla:2", "vanilla:1"]
    by_both = api.ranked("vanilla", "recall,fd", registry=own_registry)
    assert [(str(each.version), each.figure) for each in by_both] == [("vanilla:1", "recall"), ("vanilla:2", "recall")]
    assert main(["registry", "ls", "vanilla", "--sort", "--json"]) == 0
    assert [row["version"] for row in json.loads(capsys.readouterr().out)] == ["vanilla:1", "vanilla:2"]
    assert api.best_version(str(result.version), next(iter(by_fd[0].figures)), registry=own_registry) == (
        "vanilla:1",
        "recall 0.9",
    )


def test_every_figure_with_a_better_side_can_be_chosen() -> None:
    for name, way in zoo().figures().items():
        if way:
            check_best(name, zoo().figures())
