"""What hooks are given and answer: copies, and no more than what the registry can hold."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ganzoo.config import RunConfig
from ganzoo.observer import Observer
from ganzoo.pipeline import hooks
from ganzoo.pipeline.hooks import DEEPEST, LARGEST, WithHooks
from ganzoo.records.run import Run
from ganzoo.zoo.discovery import Manager, discover
from ganzoo_registry import Registry

Install = Callable[..., Path]

ANSWER = "from ganzoo import hookimpl\n{}\n@hookimpl\ndef ganzoo_lineage(run):\n    return {}\n"

UNFIT = {
    "not a number": ("", "{'x': float('nan')}", "ValueError: Out of range float values are not JSON compliant"),
    "half a character": ("", "{'s': '\\ud800'}", "Unreadable: it holds half a character (a lone surrogate)"),
    "half a character as a name": ("", "{'\\udfff': 1}", "Unreadable: it holds half a character (a lone surrogate)"),
    "a long number": ("", "{'n': 10 ** 5000}", "ValueError: Exceeds the limit (4300 digits) for integer string"),
    "no object": ("", "7", "TypeError: 'int' object is not iterable"),
    "bytes": ("", "{'b': b''}", "TypeError: Object of type bytes is not JSON serializable"),
    "itself": ("answer = {}\nanswer['me'] = answer", "answer", "ValueError: Circular reference detected"),
    "too deep": (
        "answer = {}\nfor _ in range(5000): answer = {'in': answer}",
        "answer",
        "RecursionError: maximum recursion depth exceeded",
    ),
    "rather deep": (
        "answer = {}\nfor _ in range(150): answer = {'in': [answer]}",
        "answer",
        f"Unreadable: it is nested more than {DEEPEST} levels deep",
    ),
    "too much": ("", "{'s': 's' * (1 << 20)}", f"Unreadable: it has 1,048,585 characters; at most {LARGEST:,}"),
    "a mapping that is an interrupt": (
        "class Odd:\n    def keys(self): raise KeyboardInterrupt\n    def __getitem__(self, key): return 1",
        "Odd()",
        "KeyboardInterrupt",
    ),
    "a mapping that exits": (
        "class Odd:\n    def keys(self): return 'ab'\n    def __getitem__(self, key): raise SystemExit(0)",
        "Odd()",
        "SystemExit: 0",
    ),
}


class Notes(Observer):
    """Collects what a person would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def noted(self, message: str) -> None:
        self.told.append(message)


@pytest.fixture
def telling(install: Install, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[WithHooks, Notes]]:
    """``telling(first=source, ...)``: hooks of these plugins, and what a person is told."""

    def tell(**plugins: str) -> tuple[WithHooks, Notes]:
        install("aaa", plugins)
        found = [plugin for plugin in discover({}) if plugin.distribution == "aaa"]
        manager = Manager(found, {})
        monkeypatch.setattr(hooks, "zoo", lambda: SimpleNamespace(manager=manager))
        notes = Notes()
        return WithHooks(notes), notes

    return tell


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(
        tmp_path,
        RunConfig(model="m", architecture="a", loss="l", options={"width": 8}),
        {"parents": [], "data": {"name": "digits"}},
    )


@pytest.mark.parametrize(("before", "answer", "reason"), UNFIT.values(), ids=UNFIT)
def test_an_answer_that_cannot_be_recorded_is_left_out_and_named(
    telling: Callable[..., tuple[WithHooks, Notes]], run: Run, before: str, answer: str, reason: str
) -> None:
    observer, notes = telling(odd=ANSWER.format(before, answer), even=ANSWER.format("", "{'kept': [1, None, 'é']}"))
    assert observer.gather("ganzoo_lineage", run=run) == {"aaa/even": {"kept": [1, None, "é"]}}
    (note,) = notes.told
    assert note.startswith(f"plugin aaa/odd 1.0 answered ganzoo_lineage with what is not a JSON object: {reason}")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
            max_leaves=10,
        ),
        max_size=3,
    )
)
def test_what_is_recorded_can_be_registered_and_read(tmp_path: Path, answer: dict[str, Any]) -> None:
    """And nothing that could be is left out."""
    try:
        recorded = hooks._recorded(answer)
    except (TypeError, ValueError):
        with pytest.raises((TypeError, ValueError)):
            json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
        return
    store = Registry(tmp_path / "registry")
    lineage = {"extra": {"aaa/odd": recorded}}
    assert store.lineage(store.register("any", {"generator": b""}, lineage)) == lineage
    assert recorded == json.loads(json.dumps(answer))


def test_a_hook_is_given_its_own_copies(telling: Callable[..., tuple[WithHooks, Notes]], run: Run) -> None:
    spoil = (
        "from ganzoo import hookimpl\n"
        "@hookimpl\ndef ganzoo_report(run, step, metrics):\n"
        "    run.facts.clear()\n    run.config.options.clear()\n    metrics.clear()\n    run.directory = None\n"
        "@hookimpl\ndef ganzoo_lineage(run): return {'facts': len(run.facts)}\n"
    )
    observer, notes = telling(spoiler=spoil, witness=ANSWER.format("", "{'facts': len(run.facts)}"))
    metrics, directory = {"loss": 1.0}, run.directory
    observer.logged(run, 2, metrics)
    assert observer.gather("ganzoo_lineage", run=run) == {"aaa/spoiler": {"facts": 0}, "aaa/witness": {"facts": 2}}
    assert (run.directory, run.config.options, metrics) == (directory, {"width": 8}, {"loss": 1.0})
    assert run.facts == {"parents": [], "data": {"name": "digits"}}
    assert notes.told == []


def test_a_plugin_may_keep_things_by_its_run(telling: Callable[..., tuple[WithHooks, Notes]], run: Run) -> None:
    """It is the same object at each of its hooks, and another run is another one."""
    source = (
        "from ganzoo import hookimpl\nseen = {}\n"
        "@hookimpl\ndef ganzoo_run_started(run): seen[run] = len(seen)\n"
        "@hookimpl\ndef ganzoo_lineage(run): return {'number': seen[run]}\n"
    )
    observer, _ = telling(keeper=source)
    other = Run(run.directory, run.config, run.facts)
    for each in (run, other):
        observer.started(each, 0)
    answers = [observer.gather("ganzoo_lineage", run=each)["aaa/keeper"]["number"] for each in (run, other, run)]
    assert answers == [0, 1, 0]
