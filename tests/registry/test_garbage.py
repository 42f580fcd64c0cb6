"""Content that no version holds: what of it is found, and that removing it takes nothing that a version holds."""

import errno
import fcntl
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Corrupt, NotWritable, Registry
from ganzoo_registry.shelf import Shelf


def age(registry: Registry, seconds: float = 1e6) -> None:
    then = time.time() - seconds
    for path in (registry.root / "blobs/sha256").iterdir():
        os.utime(path, (then, then))


def test_nothing_is_unused_where_every_version_lives(registry: Registry, put: Any, check: Any) -> None:
    assert registry.unused(grace=0) == registry.collect(grace=0) == []
    assert not registry.root.exists()
    registry.attach(put("one"), "onnx", b"a graph")
    put("two")
    before = check(registry)
    assert registry.unused(grace=0) == registry.collect(grace=0) == []
    assert check(registry) == before


def test_content_of_a_removed_version_goes_and_shared_content_stays(registry: Registry, check: Any) -> None:
    first = registry.register("dcgan", {"generator-ema": b"shared", "generator": b"of the first"}, {"word": "one"})
    second = registry.register("other", {"generator-ema": b"shared"}, {"word": "two"})
    registry.attach(first, "onnx", b"graph")
    registry.remove(first)
    found = registry.unused(grace=0)
    assert {blob.size for blob in found} >= {len(b"of the first"), len(b"graph")}
    assert len(found) == 4  # these, the lineage, and the manifest
    assert registry.collect(grace=0) == found
    assert registry.unused(grace=0) == []
    assert registry.read(second, "generator-ema") == b"shared"
    assert registry.lineage(second) == {"word": "two"}
    assert registry.register("dcgan", {"generator-ema": b"shared", "generator": b"of the first"}, {"word": "one"})


def test_a_replaced_attachment_goes(registry: Registry, put: Any) -> None:
    version = put("one")
    registry.attach(version, "onnx", b"graph")
    registry.attach(version, "onnx", b"a better graph", force=True)
    assert [blob.size for blob in registry.collect(grace=0)] == [len(b"graph")]
    assert registry.read(version, "onnx") == b"a better graph"


def test_what_is_younger_than_the_grace_stays(registry: Registry, put: Any) -> None:
    registry.remove(put("one"))
    assert registry.unused() == registry.collect() == []
    age(registry, 24 * 3600 + 60)
    assert len(registry.collect()) == 4


@pytest.mark.parametrize("refused", [False, True], ids=["own", "of another user"])
def test_content_that_is_stored_again_is_as_young_as_new_one(
    registry: Registry, put: Any, monkeypatch: pytest.MonkeyPatch, with_system: Any, kit: Any, check: Any, refused: bool
) -> None:
    """Who collects may not see the lock of who stores: then the age alone keeps what is about to be held."""
    registry.remove(put("one"))
    age(registry)
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    real, collected = Shelf.add, []

    def add(shelf: Shelf, *arguments: Any, **options: Any) -> Any:
        collected.append(Registry(registry.root).collect())
        return real(shelf, *arguments, **options)

    class Others(kit.Memory):  # type: ignore[misc]
        @staticmethod
        def utime(path: Path) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), os.fspath(path))

    monkeypatch.setattr(Shelf, "add", add)
    with_system(Others() if refused else kit.Memory(), lambda: put("one"))
    assert collected == [[]]
    assert list(check(registry)["dcgan"]["versions"]) == [2]
    assert list((registry.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("damaged", [False, True])
def test_content_of_another_user_is_stored_again(
    registry: Registry, put: Any, with_system: Any, kit: Any, damaged: bool
) -> None:
    """In a directory where nobody may replace another's file: one with the sticky bit, such as ``/tmp``."""
    version = put("one")
    blob = registry.path(version, "generator")

    class Sticky(kit.Memory):  # type: ignore[misc]
        @staticmethod
        def utime(path: Path) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), os.fspath(path))

        @staticmethod
        def replace(staged: Path, target: Path) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), os.fspath(staged), None, os.fspath(target))

    if damaged:
        blob.chmod(0o644)
        blob.write_bytes(b"something else")
        with pytest.raises(NotWritable, match=f"permission denied: {blob}"):
            with_system(Sticky(), lambda: put("one", "other"))
        return
    assert with_system(Sticky(), lambda: put("one")) == version
    assert with_system(Sticky(), lambda: put("one", "other")).digest == version.digest
    assert registry.read(version, "generator") == b"gen one"
    assert list((registry.root / "tmp").iterdir()) == []


def test_what_others_left_in_the_store_stays(registry: Registry, put: Any) -> None:
    registry.remove(put("one"))
    strangers = [registry.root / "blobs/sha256" / name for name in ("desktop.ini", "0" * 63, "A" * 64)]
    for path in strangers:
        path.touch()
    (registry.root / "blobs/sha256" / ("a" * 64)).mkdir()
    registry.collect(grace=0)
    assert all(path.exists() for path in strangers)
    assert (registry.root / "blobs/sha256" / ("a" * 64)).is_dir()


def test_a_removed_version_on_which_an_alias_stands_keeps_its_content(registry: Registry, put: Any) -> None:
    """Removing and moving an alias are not ordered, so there may be such a one."""
    version = put("one")
    registry.remove(version)
    Shelf(registry._disk, "dcgan").move("champion", 1, expect=None, since=version.created)
    assert registry.collect(grace=0) == []


@pytest.mark.parametrize(
    "record", ["versions/2", "aliases/champion/1", "attachments/1/onnx", "manifest"], ids=lambda text: text
)
def test_nothing_goes_while_it_is_not_known_what_is_held(registry: Registry, put: Any, record: str) -> None:
    first, second, third = put("one"), put("two"), put("three")
    registry.attach(first, "onnx", b"graph")
    registry.alias("dcgan:1", "champion")
    registry.remove(third)
    path = registry.root / "models/dcgan" / record
    if record == "manifest":
        path = registry.root / "blobs" / second.digest.replace(":", "/")
    path.chmod(0o644)
    path.write_bytes(b"something else")
    blobs = sorted((registry.root / "blobs/sha256").iterdir())
    for asked in (registry.unused, registry.collect):
        with pytest.raises(Corrupt) as caught:
            asked(grace=0)
        assert caught.value.hint
    assert sorted((registry.root / "blobs/sha256").iterdir()) == blobs


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_without_locks_storing_goes_on_and_removing_is_refused(
    registry: Registry, put: Any, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    version = put("one")
    registry.attach(version, "onnx", b"graph")
    registry.remove(version)
    assert len(registry.unused(grace=0)) == 5
    with pytest.raises(NotWritable, match="has no locks") as caught:
        registry.collect(grace=0)
    assert caught.value.hint == "copy the registry to another place, and use that"
    assert len(registry.unused(grace=0)) == 5


def test_removing_waits_for_who_stores(registry: Registry, put: Any) -> None:
    registry.remove(put("one"))
    removed: list[Any] = []
    with registry._disk.locked(registry.root / "blobs/sha256", alone=False):
        waiting = threading.Thread(target=lambda: removed.extend(Registry(registry.root).collect(grace=0)))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert removed == []
    waiting.join(10)
    assert len(removed) == 4


def test_writers_lose_nothing_while_another_collects_all_the_time(registry: Registry, check: Any) -> None:
    """The same content again and again, so that what is about to go is what is just being registered."""
    stop = threading.Event()

    def write(root: Path, name: str) -> None:
        mine = Registry(root)
        for k in range(40):
            word = f"{k % 3}"
            blobs = {"generator-ema": f"ema {word}".encode(), "generator": f"gen {word}".encode()}
            version = mine.register(name, blobs, {"word": word})
            mine.attach(version, "onnx", b"graph")
            assert mine.read(version, "generator") == blobs["generator"]
            assert mine.read(version, "onnx") == b"graph"
            if k < 37:
                mine.remove(version)

    def collect() -> int:
        removed = 0
        while not stop.is_set():
            removed += len(Registry(registry.root).collect(grace=0))
            time.sleep(0.001)  # the system's locks are not fair to who waits
        return removed

    with ThreadPoolExecutor(4) as pool:
        collecting = pool.submit(collect)
        for done in [pool.submit(write, registry.root, name) for name in ("a", "b")]:
            done.result()
        stop.set()
        assert collecting.result() > 10
    assert {name: len(state["versions"]) for name, state in check(registry).items()} == {"a": 3, "b": 3}


def test_a_crash_at_any_call_of_removing_takes_nothing_that_is_held(
    registry: Registry, put: Any, check: Any, with_system: Any, kit: Any, tmp_path: Path, tell: Any
) -> None:
    registry.attach(put("one"), "onnx", b"graph")
    registry.remove(put("two"))
    before, counting = check(registry), kit.Faulty()

    def copy() -> Registry:
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(registry.root, tmp_path / "copy")
        return Registry(tmp_path / "copy")

    found = copy()
    with_system(counting, lambda: found.collect(grace=0))
    assert counting.calls.count("unlink") == 4

    for k in range(len(counting.calls)):
        stopped = copy()
        with pytest.raises(kit.Crash):
            with_system(kit.Faulty(k, _stop(kit)), lambda stopped=stopped: stopped.collect(grace=0))
        assert check(stopped) == before
        stopped.collect(grace=0)
        assert check(stopped) == before
        assert stopped.unused(grace=0) == []
    tell(f"registry, collect: {len(counting.calls)} crash points")


def test_a_refusal_to_remove_is_one_line(registry: Registry, put: Any, with_system: Any, kit: Any, check: Any) -> None:
    registry.remove(put("one"))
    before, counting = check(registry), kit.Faulty()

    def refuse(real: Any, *args: Any) -> Any:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    with_system(counting, lambda: Registry(registry.root).unused(grace=0))
    assert counting.calls == []
    first = next(k for k in range(99) if _call(registry, k, with_system, kit) == "unlink")
    with pytest.raises(NotWritable, match="permission denied") as caught:
        with_system(kit.Faulty(first, refuse), lambda: Registry(registry.root).collect(grace=0))
    assert caught.value.hint
    assert check(registry) == before
    assert len(registry.collect(grace=0)) == 4
    assert registry.unused(grace=0) == []


def _call(registry: Registry, number: int, with_system: Any, kit: Any) -> str:
    """The name of a call that removing makes; it is stopped there."""
    counting = kit.Faulty(number, _stop(kit))
    with pytest.raises(kit.Crash):
        with_system(counting, lambda: Registry(registry.root).collect(grace=0))
    return str(counting.calls[-1])


def _stop(kit: Any) -> Any:
    def stop(real: Any, *args: Any) -> Any:
        raise kit.Crash

    return stop
