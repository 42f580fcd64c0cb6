"""Readers and data sets of other people that fail: who it was is named, and what can be read is read."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ganzoo.data import ImageSet, load
from ganzoo.errors import PluginError, PluginWarning, UsageError
from ganzoo.specs import Dataset, Reader, Spec
from ganzoo.zoo import foreign
from ganzoo.zoo.discovery import Manager, Plugin, State
from ganzoo.zoo.names import Zoo, zoo

HERE = {"name": "odd", "distribution": "acme", "version": "1", "location": "", "target": "x", "api": "v1"}


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Zoo]:
    """``beside(function, spec)``: the zoo with a spec whose target is ``odd:function``."""
    monkeypatch.setattr(foreign, "_said", set())

    def make(function: Callable[..., Any], *specs: Spec) -> Zoo:
        monkeypatch.setitem(sys.modules, "odd", SimpleNamespace(function=function))
        return Zoo(Manager([Plugin(**HERE, state=State.ACTIVE, specs=specs), *zoo().manager.plugins], {}))

    return make


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


GREEDY = Reader(name="greedy", target="odd:function", files=("*s.npz",))
"""It takes ``pixels.npz`` before the built-in one does."""


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    path = tmp_path / "pixels.npz"
    np.savez(path, images=np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8))
    return path


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (raising(RuntimeError("boo")), "reader 'greedy' of plugin acme/odd 1 fails: RuntimeError: boo"),
        (raising(SystemExit(0)), "reader 'greedy' of plugin acme/odd 1 fails: SystemExit: 0"),
        (raising(KeyboardInterrupt()), "reader 'greedy' of plugin acme/odd 1 fails: KeyboardInterrupt"),
        (raising(EOFError()), "reader 'greedy' of plugin acme/odd 1 fails: EOFError"),
        (lambda path: [], "reader 'greedy' returned list, not a ganzoo.data.ImageSet"),
    ],
)
def test_a_path_is_read_by_the_next_reader(
    beside: Callable[..., Zoo], pixels: Path, function: Callable[..., Any], reason: str
) -> None:
    with pytest.warns(PluginWarning) as told:
        found = load(str(pixels), beside(function, GREEDY))
    assert found.training.pixels.shape == (3, 1, 8, 8)
    (warning,) = told
    assert str(warning.message) == f"{reason}; {pixels} is read in another way"


def test_what_a_reader_says_of_the_file_counts(beside: Callable[..., Zoo], pixels: Path) -> None:
    found = beside(raising(UsageError("the file is damaged")), GREEDY)
    with pytest.raises(UsageError, match=r"(?m)^the file is damaged$"):
        load(str(pixels), found)


def test_a_path_that_nobody_else_reads(beside: Callable[..., Zoo], tmp_path: Path) -> None:
    (tmp_path / "a.odd").write_bytes(b"odd")
    with pytest.raises(PluginError, match=r"(?m)^reader 'greedy' of plugin acme/odd 1 fails: ValueError: boo$"):
        load(str(tmp_path / "a.odd"), beside(raising(ValueError("boo")), replace(GREEDY, files=("*.odd",))))


@pytest.mark.parametrize(
    "error", [ValueError("boo"), SystemExit(0), EOFError(), BrokenPipeError(), KeyboardInterrupt()]
)
def test_a_data_set_that_was_asked_for_is_named(beside: Callable[..., Zoo], error: BaseException) -> None:
    found = beside(raising(error), Dataset(name="photos", target="odd:function"))
    with pytest.raises(PluginError, match=r"^dataset 'photos' of plugin acme/odd 1 fails: ") as caught:
        load("photos", found)
    assert caught.value.__cause__ is error


def test_what_a_data_set_changes_is_put_back(beside: Callable[..., Zoo], monkeypatch: pytest.MonkeyPatch) -> None:
    def images() -> ImageSet:
        sys.setrecursionlimit(4321)
        return ImageSet(pixels=np.zeros((4, 1, 8, 8), np.uint8))

    before, found = sys.getrecursionlimit(), beside(images, Dataset(name="photos", target="odd:function"))
    with pytest.warns(PluginWarning, match="dataset 'photos' of plugin acme/odd 1 changed what all code shares"):
        load("photos", found)
    assert sys.getrecursionlimit() == before
