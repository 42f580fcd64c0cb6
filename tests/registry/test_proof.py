"""``prepare``: what registering will need is proven before a training, everywhere, and nothing is left of the proof."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import InvalidName, NotWritable, Registry


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system, if the machine has one."""
    here = tmp_path.stat().st_dev
    others = [place for place in ("/dev/shm", "/var/tmp") if os.path.isdir(place) and os.stat(place).st_dev != here]
    if not others:
        pytest.skip("there is one file system")
    with tempfile.TemporaryDirectory(dir=others[0]) as directory:
        yield Path(directory)


PLACES = ("blobs", "blobs/sha256", "models", "models/dcgan", "models/dcgan/versions", "models/dcgan/attachments", "tmp")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("filled", [False, True])
def test_a_part_on_another_file_system_is_refused(
    registry: Registry, put: Any, elsewhere: Path, place: str, filled: bool, kit: Any
) -> None:
    if filled:
        registry.attach(put("one"), "onnx", b"graph")
    link = registry.root / place
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.exists():
        link.rename(registry.root / "moved")
    link.symlink_to(elsewhere)
    before = kit.tree(registry.root)
    with pytest.raises(NotWritable) as caught:
        registry.prepare("dcgan")
    message = str(caught.value)
    assert message.startswith(f"cannot use the registry {registry.root}: {registry.root}")
    assert message.endswith(" is not on the file system of its tmp/, to which no hard link leads")
    assert caught.value.hint == "choose another place with --registry DIR or GANZOO_REGISTRY"
    assert message in map(str, registry.faults())
    assert list(elsewhere.iterdir()) == []
    assert kit.tree(registry.root) == before
    if place not in ("tmp", "models/dcgan/attachments"):
        with pytest.raises(NotWritable, match="is not on the file system of its tmp/"):
            put("two")


def refusing(kit: Any, part: Path, code: int) -> Any:
    """A file system that makes no name in ``part``."""

    def below(path: Any) -> bool:
        return Path(path).parent == part

    class Refusing(kit.Memory):  # type: ignore[misc]
        @staticmethod
        def link(source: Any, target: Any) -> None:
            if below(target):
                raise OSError(code, os.strerror(code), os.fspath(source), None, os.fspath(target))
            os.link(source, target)

        @staticmethod
        def mkdir(path: Any) -> None:
            if below(path):
                raise OSError(code, os.strerror(code), os.fspath(path))
            os.mkdir(path)

        @staticmethod
        def open(path: Any, *arguments: Any) -> int:
            if below(path):
                raise OSError(code, os.strerror(code), os.fspath(path))
            return os.open(path, *arguments)

    return Refusing()


@pytest.mark.parametrize(
    ("part", "model"),
    [
        *((part, "dcgan") for part in ("", "tmp", "blobs/sha256", "models/dcgan/versions", "models/dcgan/attachments")),
        ("models", "new"),
    ],
)
@pytest.mark.parametrize(
    ("code", "reason"), [(errno.EACCES, "permission denied: "), (errno.EROFS, "the file system is read-only")]
)
def test_a_place_that_may_not_be_written_to_is_known(
    registry: Registry, put: Any, with_system: Any, kit: Any, part: str, model: str, code: int, reason: str
) -> None:
    """Such as a model of somebody else."""
    registry.attach(put("one"), "onnx", b"graph")
    before = kit.tree(registry.root)
    system = refusing(kit, registry.root / part, code)
    with pytest.raises(NotWritable) as caught:
        with_system(system, lambda: registry.prepare(model))
    assert str(caught.value).startswith(f"cannot use the registry {registry.root}: {reason}")
    if code == errno.EACCES:
        assert str(registry.root / part) in str(caught.value)
    assert kit.tree(registry.root) == before
    if part.startswith("models/dcgan"):
        with_system(system, lambda: registry.prepare("another"))
        assert any(reason in str(fault) for fault in with_system(system, registry.faults))


@pytest.mark.parametrize("above", ["", "registry", "a/b/registry"])
def test_the_proof_of_a_new_registry_leaves_nothing(tmp_path: Path, above: str) -> None:
    (tmp_path / "here").mkdir()
    registry = Registry(tmp_path / "here" / above)
    registry.prepare("dcgan")
    assert registry.faults() == []
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("filled", [False, True])
def test_a_proof_stopped_anywhere_is_seen_by_nobody(
    registry: Registry, put: Any, check: Any, with_system: Any, kit: Any, filled: bool
) -> None:
    if filled:
        registry.attach(put("one"), "onnx", b"graph")
    before, counter = check(registry), kit.Faulty()
    with_system(counter, lambda: registry.prepare("dcgan"))
    assert len(counter.calls) > 8

    def crash(real: Callable[..., Any], *arguments: Any) -> Any:
        raise kit.Crash

    for k in range(len(counter.calls)):
        with pytest.raises(kit.Crash):
            with_system(kit.Faulty(k, crash), lambda: registry.prepare("dcgan"))
        assert check(registry) == before
        assert registry.faults() == []
    registry.prepare("dcgan")
    assert put("two").number == 1 + filled


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_proof_refused_anywhere_leaves_nothing(
    registry: Registry, put: Any, with_system: Any, kit: Any, filled: bool, code: int
) -> None:
    if filled:
        registry.attach(put("one"), "onnx", b"graph")
    counter = kit.Faulty()
    with_system(counter, lambda: registry.prepare("dcgan"))

    def refuse(real: Callable[..., Any], *arguments: Any) -> Any:
        raise OSError(code, os.strerror(code))

    before = kit.tree(registry.root.parent)
    for k, call in enumerate(counter.calls):
        if call in ("unlink", "rmdir"):  # tidying up is what cannot be done here
            continue
        with pytest.raises(NotWritable):
            with_system(kit.Faulty(k, refuse), lambda: registry.prepare("dcgan"))
        assert kit.tree(registry.root.parent) == before, call
        assert filled or list(registry.root.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["", "DCGAN", "digits.onnx", "a/b"])
def test_a_name_that_cannot_be_registered_is_refused(registry: Registry, name: str) -> None:
    for action in (lambda: registry.prepare(name), lambda: registry.register(name, {}, {})):
        with pytest.raises(InvalidName):
            action()
    assert not registry.root.exists()


def test_a_model_of_before_with_the_name_of_a_file_is_reachable(registry: Registry, put: Any) -> None:
    put("one")
    (registry.root / "models/dcgan").rename(registry.root / "models/digits.onnx")
    assert registry.names() == ["digits.onnx"]
    version = registry.resolve("digits.onnx:1")
    registry.attach(version, "onnx", b"graph")
    registry.alias("digits.onnx", "champion")
    assert registry.read(registry.resolve("digits.onnx@champion"), "onnx") == b"graph"
    registry.register("digits", dict.fromkeys(("a", "b"), b""), {})
    assert registry.faults() == []


@pytest.mark.parametrize("make", ["file", "dangling link"])
@pytest.mark.parametrize("below", ["", "registry"])
def test_a_place_that_is_no_directory(tmp_path: Path, make: str, below: str) -> None:
    place = tmp_path / "place"
    place.write_text("mine") if make == "file" else place.symlink_to("nowhere")
    registry = Registry(place / below)
    for action in (lambda: registry.prepare("dcgan"), lambda: registry.register("dcgan", {}, {})):
        with pytest.raises(NotWritable) as caught:
            action()
        words = "a file, not a directory" if make == "file" else "a link that leads nowhere"
        assert str(caught.value) == f"cannot use the registry {registry.root}: {place} is {words}"
