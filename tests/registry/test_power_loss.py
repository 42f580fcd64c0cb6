"""What is left when the power goes: only what was fsynced, or that and any of the rest.

The model: a file's bytes survive if the file was fsynced, else it is empty; an entry of a directory survives
if the directory was fsynced since, else it may or may not.
"""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Registry, disk


class Cut(BaseException):
    """The power is gone."""


class Drive(disk.System):
    """Does the real calls, remembers what is durable, and stops before call number ``at``."""

    def __init__(self, root: Path, at: int = -1, syncs: bool = True) -> None:
        self.root, self.at, self.syncs, self.count = root, at, syncs, 0
        self.directories = {self._inode(p): p for p in [root, *root.rglob("*")] if p.is_dir()}
        self.durable = {path: self._list(path) for path in self.directories.values()}
        self.files: set[int] = {self._inode(p) for p in root.rglob("*") if p.is_file()}
        self.bytes = {self._inode(p): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    def _inode(self, path: Path) -> int:
        return path.stat().st_ino

    def _list(self, directory: Path) -> dict[str, int]:
        return {path.name: self._inode(path) for path in directory.iterdir()}

    def _tick(self) -> None:
        if self.count == self.at:
            self.at = self.count = -2  # dead: every later call stops as well
        if self.count == -2:
            raise Cut
        self.count += 1

    def fsync(self, descriptor: int) -> None:  # type: ignore[override]
        self._tick()
        if not self.syncs:
            return
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            path = self.directories.get(status.st_ino)
            if path is not None:
                self.durable[path] = self._list(path)
        else:
            self.files.add(status.st_ino)

    def mkdir(self, path: Path) -> None:  # type: ignore[override]
        self._tick()
        os.mkdir(path)
        self.directories[self._inode(path)] = path
        self.durable[path] = {}

    def open(self, *args: Any) -> int:  # type: ignore[override]
        self._tick()
        descriptor = os.open(*args)
        self.bytes[os.fstat(descriptor).st_ino] = b""
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:  # type: ignore[override]
        self._tick()
        self.bytes[os.fstat(descriptor).st_ino] += bytes(data)
        return os.write(descriptor, data)

    def link(self, *args: Any) -> None:  # type: ignore[override]
        self._tick()
        os.link(*args)

    def replace(self, *args: Any) -> None:  # type: ignore[override]
        self._tick()
        os.replace(*args)

    def unlink(self, path: Path) -> None:  # type: ignore[override]
        self._tick()
        if path.exists():
            # The number of a freed inode is given again, and would confuse two files here.
            os.replace(path, self.root.parent / f"{path.name}.gone")

    def after_the_cut(self, target: Path, *, kept: bool) -> Registry:
        """The tree at the next start; ``kept``: unsynced directory entries made it, else they did not."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        self._restore(self.root, target, kept)
        return Registry(target)

    def _restore(self, source: Path, target: Path, kept: bool) -> None:
        for name, inode in (self._list(source) if kept else self.durable[source]).items():
            if inode in self.directories:
                (target / name).mkdir()
                self._restore(source / name, target / name, kept)
            else:
                (target / name).write_bytes(self.bytes[inode] if inode in self.files else b"")


def register(registry: Registry) -> Any:
    blobs = {"generator-ema": b"ema new", "generator": b"gen new"}
    registry.register("wgan-gp", blobs, {"word": "new"})


def attach(registry: Registry) -> Any:
    registry.attach(registry.resolve("dcgan:2"), "onnx", b"a graph")


def attach_again(registry: Registry) -> Any:
    registry.attach(registry.resolve("dcgan:1"), "onnx", b"a better graph", force=True)


def attach_first(registry: Registry) -> Any:
    registry.attach(registry.resolve("dcgan:1"), "onnx", b"a graph")


def alias_first(registry: Registry) -> Any:
    registry.alias("dcgan:1", "champion")


def alias(registry: Registry) -> Any:
    registry.alias("dcgan:2", "champion")


def remove(registry: Registry) -> Any:
    registry.remove(registry.resolve("dcgan:2"))


def remove_and_collect(registry: Registry) -> Any:
    for version in registry.versions("dcgan")[1:]:
        registry.remove(version)
    registry.collect(grace=0)


Outcome = tuple[int, list[str]]


@pytest.fixture
def cut_everywhere(
    registry: Registry, put: Any, check: Any, with_system: Any, tmp_path: Path
) -> Callable[..., Outcome]:
    """Cuts the power before each call of an action and after it; returns how often, and what went wrong."""
    first = put("one")
    put("two")
    registry.attach(first, "onnx", b"a small graph")
    registry.alias("dcgan:1", "champion")
    old = check(registry)

    def run(action: Callable[[Registry], Any], *, syncs: bool = True) -> Outcome:
        wrong, states, k, finished = [], 0, 0, False
        while not finished:
            copy = Registry(tmp_path / "copy" / "registry")
            shutil.rmtree(copy.root.parent, ignore_errors=True)
            shutil.copytree(registry.root, copy.root)
            drive = Drive(copy.root, k, syncs)
            try:
                with_system(drive, lambda copy=copy: action(copy))
                finished, new = True, check(copy)
            except Cut:
                new = None
            for kept in (False, True):
                states += 1
                left = drive.after_the_cut(tmp_path / "left", kept=kept)
                wrong += problems(left, action, check, old, new)
            k += 1
        return states, wrong

    return run


def problems(left: Registry, action: Any, check: Any, old: Any, new: Any) -> list[str]:
    """``new``: what was acknowledged, None where nothing was."""
    try:
        found = check(left)
        if new is not None and found != new:
            return ["acknowledged, but lost"]
        if found == old:
            action(left)
            check(left)
    except Exception as error:
        return [f"corrupt: {error!r}"]
    return []


@pytest.mark.parametrize("action", [register, attach, attach_again, alias, remove, remove_and_collect])
def test_a_power_cut_loses_nothing_that_was_acknowledged(action: Any, cut_everywhere: Any, tell: Any) -> None:
    states, wrong = cut_everywhere(action)
    tell(f"registry, {action.__name__}: {states} states after a power cut")
    assert states > 15
    assert wrong == []


@pytest.mark.parametrize("action", [register, attach, alias])
def test_without_fsync_the_model_finds_the_loss(action: Any, cut_everywhere: Any) -> None:
    _, wrong = cut_everywhere(action, syncs=False)
    assert "acknowledged, but lost" in wrong
    assert any(problem.startswith("corrupt") for problem in wrong)


def test_a_new_registry_survives_with_all_the_directories_above_it(
    check: Any, with_system: Any, tmp_path: Path
) -> None:
    home, below = tmp_path / "home", Path("share") / "ganzoo" / "registry"
    home.mkdir()
    drive = Drive(home)
    with_system(drive, lambda: register(Registry(home / below)))
    left = drive.after_the_cut(tmp_path / "left", kept=False)
    assert check(Registry(left.root / below)) == check(Registry(home / below)) != {}


def test_a_registry_that_another_process_began_survives(check: Any, with_system: Any, tmp_path: Path) -> None:
    """The other one made directories and died at any of its calls, before it had synced them."""
    below, k, died = Path("share") / "ganzoo" / "registry", 0, True
    while died:
        home = tmp_path / str(k) / "home"
        home.mkdir(parents=True)
        drive = Drive(home, k)
        try:
            with_system(drive, lambda home=home: register(Registry(home / below)))
            died = False
        except Cut:
            pass
        drive.at, drive.count = -1, 0
        with_system(drive, lambda home=home: register(Registry(home / below)))
        left = drive.after_the_cut(tmp_path / "left", kept=False)
        assert check(Registry(left.root / below)) == check(Registry(home / below)) != {}, k
        k += 1
    assert k > 20


def test_what_a_person_made_for_it_survives_with_the_registry(check: Any, with_system: Any, tmp_path: Path) -> None:
    home, below = tmp_path / "home", Path("share") / "ganzoo" / "registry"
    home.mkdir()
    drive = Drive(home)
    for place in (home / "share", home / "share/ganzoo", home / below):
        drive.mkdir(place)
    with_system(drive, lambda: register(Registry(home / below)))
    left = drive.after_the_cut(tmp_path / "left", kept=False)
    assert check(Registry(left.root / below)) == check(Registry(home / below)) != {}


@pytest.mark.parametrize("action", [attach_first, alias_first])
def test_what_is_added_to_a_version_does_not_outlive_it(
    action: Any, registry: Registry, put: Any, check: Any, with_system: Any, tmp_path: Path
) -> None:
    """Another process may have registered it, and not yet have made its record durable."""
    put()
    drive = Drive(registry.root)
    del drive.durable[registry.root / "models/dcgan/versions"]["1"]
    with_system(drive, lambda: action(registry))
    left = drive.after_the_cut(tmp_path / "left", kept=False)
    assert left.faults() == []
    assert check(left) == check(registry) != {}


def test_a_repeated_register_makes_what_it_found_durable(
    registry: Registry, put: Any, check: Any, with_system: Any, tmp_path: Path
) -> None:
    registry.root.mkdir()
    drive = Drive(registry.root)
    drive.syncs = False
    with_system(drive, put)
    drive.syncs = True
    drive.files |= set(drive.bytes)  # the bytes made it, the names did not
    assert check(drive.after_the_cut(tmp_path / "left", kept=False)) == {}
    with_system(drive, put)
    assert check(drive.after_the_cut(tmp_path / "left", kept=False))["dcgan"]["versions"] == {1: ("one", {})}
