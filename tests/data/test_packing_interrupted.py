"""Packing that is interrupted, or fails, anywhere: the old pack or the new one remains, and nothing else."""

import errno
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from archives import png

from ganzoo.data import EncodedImages, ImageSet, packing as writer
from ganzoo.data.packing import pack
from ganzoo.errors import GanzooError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)


def packing(source: ImageSet | EncodedImages, target: Path, size: int | None = None, held_out: float = 0.25) -> None:
    pack(source, target, size=size, held_out=held_out, strict=False, name="photos")


OLD = ImageSet(pixels=PIXELS)


@pytest.fixture(params=["new", "old"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Path]:
    """A fresh directory at each call, with a pack in it or without; returns where to pack to."""

    def fresh() -> Path:
        path = Path(tempfile.mkdtemp(dir=tmp_path)) / "x.npy"
        if request.param == "old":
            packing(OLD, path, held_out=0)
        return path

    return fresh


def contents(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


FILES = (*(png(pixels.transpose(1, 2, 0)) for pixels in PIXELS[:4]), png(PIXELS[5, 0]), b"")
SOURCE = EncodedImages(
    names=[f"{number}.png" for number in range(6)],
    read=FILES.__getitem__,
    labels=np.array([0, 1, 0, 1, 0, 1]),
    class_names=("a", "b"),
)


def cleaning() -> set[int]:
    """The lines that remove partial files: an interruption there may leave one behind."""
    lines, start = inspect.getsourcelines(writer._partials)
    (at,) = [number for number, line in enumerate(lines) if line.strip() == "finally:"]
    return set(range(start + at, start + len(lines)))


class Interrupt:
    """Raises KeyboardInterrupt before the n-th line of ``packing.py`` that runs, but for those that clean up."""

    CLEANING = cleaning()

    def __init__(self, after: int) -> None:
        self._left = after
        self.line: int | None = None

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._called)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._traced if frame.f_code.co_filename == writer.__file__ else None

    def _traced(self, frame: FrameType, event: str, argument: object) -> Any:
        if self.line is None and event == "line" and frame.f_lineno not in self.CLEANING:
            self._left -= 1
            if self._left < 0:
                self.line = frame.f_lineno
                raise KeyboardInterrupt
        return self._traced


def interrupted(place: Callable[[], Path]) -> Iterator[tuple[dict[str, bytes], dict[str, bytes], int]]:
    """Contents before and after an interruption at each line that runs, in turn."""
    for after in range(10_000):
        path = place()
        before = contents(path)
        at = Interrupt(after)
        try:
            with at:
                packing(SOURCE, path, size=4)
        except KeyboardInterrupt:
            assert at.line
            yield before, contents(path), at.line
        else:
            return


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # between a `with` and its file's close
def test_an_interruption_at_any_line_leaves_the_old_or_the_new_and_nothing_else(place: Callable[[], Path]) -> None:
    path = place()
    packing(SOURCE, path, size=4)
    new = contents(path)
    assert set(new) == {"x.json", "x.npy"}
    lines = set()
    outcomes = []
    for before, after, line in interrupted(place):
        lines.add(line)
        outcomes.append(after == new)
        assert after in (before, new), line
    assert len(lines) > 60
    assert sorted(outcomes) == outcomes  # once it is there it stays
    assert 0 < sum(outcomes) < len(outcomes)


@pytest.mark.parametrize(("renames", "kept"), [(1, "old"), (2, "new")])
def test_an_interruption_right_after_a_rename(
    place: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, renames: int, kept: str
) -> None:
    whole, path = place(), place()
    states = {"old": contents(path)}
    packing(SOURCE, whole, size=4)
    states["new"] = contents(whole)
    rename, done = os.replace, 0

    def replace(*names: Any) -> None:
        nonlocal done
        rename(*names)
        done += 1
        if done == renames:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        packing(SOURCE, path, size=4)
    assert contents(path) == states[kept]


class Disk:
    """Calls that touch the disk: writes, syncs, copies and renames, of which the n-th fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._fail_at = 0
        opened, unnamed = Path.open, tempfile.TemporaryFile
        monkeypatch.setattr(Path, "open", lambda *a, **o: self.file(opened(*a, **o)) if "xb" in a else opened(*a, **o))
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: self.file(unnamed(**options)))
        for module, name in ((os, "fsync"), (os, "replace"), (shutil, "copy2")):
            monkeypatch.setattr(module, name, self.failing(getattr(module, name)))

    def fail_at(self, call: int) -> None:
        """1 is the next call; 0 is none."""
        self.calls, self._fail_at = 0, call

    def failing(self, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self._fail_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*arguments, **options)

        return call

    def file(self, file: Any) -> Any:
        wrapped = MagicMock(wraps=file)
        wrapped.__enter__.return_value = wrapped
        wrapped.__exit__.side_effect = file.__exit__
        wrapped.write = self.failing(file.write)
        return wrapped


def test_whatever_fails_on_the_disk_the_old_remains(place: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    old, path = contents(place()), place()
    disk.fail_at(0)
    packing(SOURCE, path, size=4)
    total, new = disk.calls, contents(path)
    assert total == 5 + (1 + 5 + 1) + (1 + 1) + bool(old) + 2 + 1
    for call in range(1, total + 1):
        path = place()
        disk.fail_at(call)
        with pytest.raises(GanzooError) as caught:
            packing(SOURCE, path, size=4)
        disk.fail_at(0)
        assert str(caught.value) == f"cannot write {path}: the disk is full"
        assert contents(path) == (new if call == total else old)  # the last is the directory's sync
