import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Registry, Version, disk
from ganzoo_registry.errors import raised
from ganzoo_registry.shelf import Shelf

LINEAGE = {"config": {"model": "dcgan", "steps": 30}, "seed": 7, "class names": ["été", "0"]}


class Memory(disk.System):
    """The real calls without fsync: these tests do not cut the power (test_power_loss.py does)."""

    @staticmethod
    def fsync(fd: object) -> None:
        pass


class Crash(BaseException):
    """The process is gone: nothing of it runs any more."""


class Faulty:
    """Meets call number ``at`` (from 0) with ``fault(call, *args)``; counts them all in ``calls``."""

    def __init__(self, at: int = -1, fault: Callable[..., Any] | None = None) -> None:
        self.at, self.fault = at, fault
        self.calls: list[str] = []
        self.dead = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(Memory, name)

        def call(*args: Any) -> Any:
            if self.dead:
                raise Crash
            self.calls.append(name)
            if len(self.calls) - 1 != self.at or self.fault is None:
                return real(*args)
            try:
                return self.fault(real, *args)
            except Crash:
                self.dead = True
                raise

        return call


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "system", Memory())


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def put(registry: Registry) -> Callable[..., Version]:
    """Registers a version whose content is made of one word."""

    def put(word: str = "one", name: str = "dcgan") -> Version:
        return registry.register(name, content(word), {**LINEAGE, "word": word})

    return put


@pytest.fixture
def with_system(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs an action on another ``System``."""

    def run(system: Any, action: Callable[[], Any]) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(disk, "system", system)
            return action()

    return run


@pytest.fixture
def kit() -> Any:
    """This module, whose classes tests cannot import in importlib mode."""
    return sys.modules[__name__]


@pytest.fixture
def check() -> Callable[[Registry], dict[str, Any]]:
    """Reads all of a registry, verified, and returns what it holds, for comparison."""
    return snapshot


def content(word: str) -> dict[str, bytes]:
    return {"generator-ema": f"ema {word}".encode(), "generator": f"gen {word}".encode()}


def snapshot(registry: Registry) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for name in registry.names():
        versions = {}
        for version in registry.versions(name):
            assert registry.resolve(str(version)) == version
            assert registry.resolve(f"{name}@{version.digest}").digest == version.digest
            word = registry.lineage(version)["word"]
            kinds = {kind: registry.read(version, kind) for kind in registry.kinds(version)}
            assert {kind: kinds[kind] for kind in content(word)} == content(word)
            for kind, info in registry.kinds(version).items():
                assert len(kinds[kind]) == info.size
                assert registry.path(version, kind).read_bytes() == kinds[kind]
            versions[version.number] = (word, {k: v for k, v in kinds.items() if k not in content(word)})
        aliases = registry.aliases(name)
        for alias, number in aliases.items():
            assert registry.resolve(f"{name}@{alias}").number == number
        log = [entry.what for entry in registry.log(name)]
        numbers = [int(what.split()[1]) for what in log if what.startswith("registered")]
        assert numbers == list(range(1, len(numbers) + 1))
        state[name] = {"versions": versions, "aliases": aliases, "log": log}
        Shelf(disk.Disk(registry.root), name).check(raised)
    return state


def tree(root: Path) -> dict[str, bytes]:
    found = {}
    for path in root.rglob("*"):
        if path.is_file():
            found[os.fspath(path.relative_to(root))] = path.read_bytes()
    return found
