"""Every command of the registry, stopped at each of its system calls, and refused at each of them."""

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Conflict, NotFound, NotWritable, Registry
from ganzoo_registry.errors import passed_over

Action = Callable[[Registry], Any]


def register(registry: Registry) -> Any:
    blobs = {"generator-ema": b"ema three", "generator": b"gen three"}
    version = registry.register("dcgan", blobs, {"word": "three"})
    assert version == registry.resolve("dcgan")


def register_first(registry: Registry) -> Any:
    blobs = {"generator-ema": b"ema new", "generator": b"gen new"}
    assert registry.register("wgan-gp", blobs, {"word": "new"}).number == 1


def attach(registry: Registry) -> Any:
    registry.attach(registry.resolve("dcgan:2"), "onnx", b"graph")


def attach_again(registry: Registry) -> Any:
    registry.attach(registry.resolve("dcgan:1"), "onnx", b"a better graph", force=True)


def alias(registry: Registry) -> Any:
    registry.alias("dcgan:2", "champion", expect=1)


def unalias(registry: Registry) -> Any:
    registry.unalias("dcgan", "champion", expect=1)


def unalias_retried(registry: Registry) -> Any:
    with suppress(NotFound):  # it was taken away already
        unalias(registry)


def remove(registry: Registry) -> Any:
    registry.remove(registry.resolve("dcgan:2"))


def remove_retried(registry: Registry) -> Any:
    found = [version for version in registry.versions("dcgan") if version.number == 2]
    for version in found:
        registry.remove(version)


ACTIONS: dict[str, tuple[Action, Action]] = {
    # what is done, and how somebody repeats it who does not know how far it got
    "register": (register, register),
    "register the first of a model": (register_first, register_first),
    "attach": (attach, attach),
    "attach --force": (attach_again, attach_again),
    "alias": (alias, alias),
    "alias --delete": (unalias, unalias_retried),
    "remove": (remove, remove_retried),
}


@pytest.fixture
def base(registry: Registry, put: Any) -> Registry:
    first = put("one")
    put("two")
    registry.attach(first, "onnx", b"a graph")
    registry.alias("dcgan:1", "champion")
    return registry


@pytest.fixture
def copies(base: Registry, tmp_path: Path) -> Callable[[], Registry]:
    def copy() -> Registry:
        target = tmp_path / "copy"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(base.root, target)
        return Registry(target)

    return copy


def count_calls(action: Action, registry: Registry, with_system: Any, faulty: Any) -> list[str]:
    with_system(faulty, lambda: action(registry))
    calls: list[str] = faulty.calls
    return calls


def before(kit: Any) -> Callable[..., Any]:
    def fault(real: Callable[..., Any], *args: Any) -> Any:
        raise kit.Crash

    return fault


def halfway(kit: Any) -> Callable[..., Any]:
    def fault(real: Callable[..., Any], *args: Any) -> Any:
        real(args[0], args[1][: len(args[1]) // 2])
        raise kit.Crash

    return fault


def after(kit: Any) -> Callable[..., Any]:
    def fault(real: Callable[..., Any], *args: Any) -> Any:
        with suppress(FileNotFoundError):  # what tidying up meets when the file was moved
            real(*args)
        raise kit.Crash

    return fault


def crash_points(calls: list[str]) -> list[tuple[int, Callable[..., Any]]]:
    """Before and after each call and half-way through each write; after one is before the next."""
    points = [(k, before) for k in range(len(calls))]
    points += [(k, halfway) for k, call in enumerate(calls) if call == "write"]
    return [*points, (len(calls) - 1, after)]


@pytest.mark.parametrize("name", ACTIONS)
def test_a_crash_at_any_call_loses_nothing(
    name: str, base: Registry, copies: Any, check: Any, with_system: Any, kit: Any, tell: Any
) -> None:
    action, again = ACTIONS[name]
    old = check(base)
    finished = copies()
    calls = count_calls(action, finished, with_system, kit.Faulty())
    new = check(finished)
    assert old != new
    points = crash_points(calls)
    for k, mode in points:
        registry = copies()
        with pytest.raises(kit.Crash):
            with_system(kit.Faulty(k, mode(kit)), lambda registry=registry: action(registry))
        assert check(registry) in (old, new), (calls[k], mode.__name__)
        again(registry)
        assert check(registry) == new, (calls[k], mode.__name__)
    tell(f"registry, {name}: {len(points)} crash points in {len(calls)} calls")
    assert len(points) > len(calls) > 5


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("name", ACTIONS)
def test_a_refusal_at_any_call_is_one_line_and_leaves_nothing_half_written(
    name: str, code: int, base: Registry, copies: Any, check: Any, with_system: Any, kit: Any, tell: Any
) -> None:
    action, again = ACTIONS[name]
    old = check(base)
    finished = copies()
    calls = count_calls(action, finished, with_system, kit.Faulty())
    new = check(finished)

    def refuse(real: Callable[..., Any], *args: Any) -> Any:
        raise OSError(code, os.strerror(code))

    refused = 0
    for k, call in enumerate(calls):
        registry = copies()
        system = kit.Faulty(k, refuse)
        if call == "unlink":  # only tidying up: the work is done
            with_system(system, lambda registry=registry: action(registry))
            assert check(registry) == new
            continue
        with pytest.raises(NotWritable) as caught:
            with_system(system, lambda registry=registry: action(registry))
        refused += 1
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith(f"cannot use the registry {registry.root}: ")
        assert {
            errno.ENOSPC: "the disk is full",
            errno.EACCES: "permission denied",
        }[code] in message
        assert caught.value.hint is not None
        assert "--registry DIR or GANZOO_REGISTRY" in caught.value.hint
        assert caught.value.exit_code == 1
        assert list((registry.root / "tmp").iterdir()) == []
        assert check(registry) in (old, new), call
        again(registry)
        assert check(registry) == new, call
    tell(f"registry, {name}: {refused} refusals with {errno.errorcode[code]}")
    assert refused >= 4


def mend_alias(registry: Registry) -> Any:
    registry.alias("dcgan:1", "champion")


def mend_version(registry: Registry) -> Any:
    with suppress(Conflict):  # it was taken out already
        registry.discard("dcgan:2")


@pytest.mark.parametrize(
    ("record", "action"),
    [("aliases/champion/1", mend_alias), ("versions/2", mend_version)],
    ids=["alias", "version"],
)
def test_a_crash_at_any_call_of_mending_harms_nothing_else(
    record: str, action: Action, base: Registry, copies: Any, with_system: Any, kit: Any
) -> None:
    """Also while what was left in ``tmp/`` long ago is cleared away."""
    path = base.root / "models/dcgan" / record
    path.unlink()
    path.touch()
    left = base.root / "tmp" / ("0" * 32)
    left.touch()
    os.utime(left, (0, 0))
    calls = count_calls(action, copies(), with_system, kit.Faulty())
    assert calls.count("unlink") >= 2
    for k, mode in crash_points(calls):
        registry = copies()
        with pytest.raises(kit.Crash):
            with_system(kit.Faulty(k, mode(kit)), lambda registry=registry: action(registry))
        assert registry.read(registry.resolve("dcgan:1"), "onnx") == b"a graph"
        assert registry.aliases("dcgan", passed_over) in ({}, {"champion": 1})
        assert [version.number for version in registry.versions("dcgan", passed_over)] in ([1], [1, 2])
        action(registry)
        assert registry.aliases("dcgan") == {"champion": 1}
        assert [version.number for version in registry.versions("dcgan")] == ([1] if action is mend_version else [1, 2])
        assert not (registry.root / "tmp" / left.name).exists()


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_hard_links_is_refused(
    code: int, registry: Registry, put: Any, with_system: Any, kit: Any
) -> None:
    class NoLinks(kit.Memory):  # type: ignore[misc]
        @staticmethod
        def link(source: Path, target: Path) -> None:
            raise OSError(code, os.strerror(code))

    with pytest.raises(NotWritable) as caught:
        with_system(NoLinks(), put)
    assert str(caught.value) == f"the file system of {registry.root} has no hard links, which a registry needs"
    assert caught.value.hint == "choose another place with --registry DIR or GANZOO_REGISTRY"
    assert caught.value.exit_code == 1
    assert [path for path in registry.root.rglob("*") if path.is_file()] == []


def test_a_system_that_writes_little_at_a_time(
    registry: Registry, put: Any, check: Any, with_system: Any, kit: Any
) -> None:
    class Sparing(kit.Memory):  # type: ignore[misc]
        @staticmethod
        def write(descriptor: int, data: memoryview) -> int:
            return os.write(descriptor, data[:3])

    with_system(Sparing(), put)
    assert check(registry)["dcgan"]["versions"] == {1: ("one", {})}


def test_the_disk_fills_up_in_the_middle_of_a_blob(
    registry: Registry, put: Any, check: Any, tmp_path: Path, with_system: Any, kit: Any
) -> None:
    put()
    old, files = check(registry), kit.tree(registry.root)
    big = tmp_path / "big"
    big.write_bytes(bytes(4 << 20))
    room = [5 << 19]

    class Small(kit.Memory):  # type: ignore[misc]
        @staticmethod
        def write(descriptor: int, data: memoryview) -> int:
            if room[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = os.write(descriptor, data[: room[0]])
            room[0] -= written
            return written

    with pytest.raises(NotWritable, match="the disk is full") as caught:
        with_system(Small(), lambda: registry.register("dcgan", {"generator": big}, {}))
    assert str(caught.value.hint).startswith("free some space")
    assert room == [0]
    assert check(registry) == old
    assert kit.tree(registry.root) == files
