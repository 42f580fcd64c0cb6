"""What is missing, or cannot be looked at, is damage: it is named, hides nothing else, and keeps all content."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Conflict, Corrupt, NotFound, NotWritable, Registry, RegistryError, disk
from ganzoo_registry.shelf import Shelf

BROKEN = {"dangling": "nowhere", "loop": "{name}", "refused": "x" * 300}
"""Links at which looking fails: nothing is behind it, it leads to itself, or the system says no (ENAMETOOLONG)."""


@pytest.fixture
def filled(registry: Registry, put: Any) -> Registry:
    """Three versions; the first has an attachment, ``champion`` stands on the second."""
    for word in ("one", "two", "three"):
        put(word)
    registry.attach(registry.resolve("dcgan:1"), "onnx", b"graph")
    registry.alias("dcgan:2", "champion")
    put("one", "other")
    return registry


@contextmanager
def broken(path: Path, how: str) -> Iterator[None]:
    """Has a broken link in the place of a file or directory."""
    kept = path.rename(path.with_name(f".{path.name}.moved"))
    path.symlink_to(BROKEN[how].format(name=path.name))
    yield
    path.unlink()
    kept.rename(path)


def refuses_to_collect(registry: Registry, named: str) -> None:
    before = sorted((registry.root / "blobs/sha256").iterdir())
    for asked in (registry.unused, registry.collect):
        with pytest.raises(RegistryError, match=named) as caught:
            asked(grace=0)
        assert caught.value.hint
    assert sorted((registry.root / "blobs/sha256").iterdir()) == before


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("record", ["versions/1", "versions/3", "aliases/champion/1", "attachments/1/onnx"])
def test_a_record_that_is_a_broken_link_harms_itself_alone(filled: Registry, record: str, how: str) -> None:
    place, told = f"models/dcgan/{record}", list[RegistryError]()
    lost = int(record[-1]) if record.startswith("versions") else 0
    with broken(filled.root / place, how):
        (fault,) = filled.faults()
        assert place in str(fault)
        assert fault.hint
        refuses_to_collect(filled, place)
        assert filled.names() == ["dcgan", "other"]
        assert filled.resolve("dcgan:2").number == 2
        there = [version.number for version in filled.versions("dcgan", told.append)]
        assert there == [number for number in (1, 2, 3) if number != lost]
        filled.log("dcgan", told.append)
        assert {str(error) for error in told} == (set() if record.startswith("attachments") else {str(fault)})
        if lost == 3:
            with pytest.raises(RegistryError, match=place):  # it means no older one instead
                filled.resolve("dcgan")
        else:
            assert filled.resolve("dcgan").number == 3
        if record.startswith("attachments"):
            with pytest.raises(RegistryError, match=place):
                filled.read(filled.resolve("dcgan:1"), "onnx")
    assert filled.faults() == []
    assert filled.collect(grace=0) == []


@pytest.mark.parametrize("how", ["dangling", "loop"])
def test_a_record_that_is_a_broken_link_is_mended_as_a_damaged_one(filled: Registry, put: Any, how: str) -> None:
    first = filled.resolve("dcgan:1")
    for record in ("versions/3", "aliases/champion/1", "attachments/1/onnx"):
        path = filled.root / "models/dcgan" / record
        path.unlink()
        path.symlink_to(BROKEN[how].format(name=path.name))
    assert [str(fault).partition(" is a ")[2] for fault in filled.faults()] == ["link that leads nowhere"] * 3
    assert put("four").number == 4
    filled.discard("dcgan:3")
    filled.alias("dcgan:2", "champion")
    filled.attach(first, "onnx", b"graph", force=True)
    assert filled.faults() == []
    assert [version.number for version in filled.versions("dcgan")] == [1, 2, 4]
    assert filled.aliases("dcgan") == {"champion": 2}
    assert filled.read(first, "onnx") == b"graph"


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize(
    "place",
    [
        *("models", "models/dcgan", "models/dcgan/versions", "models/dcgan/aliases", "models/dcgan/aliases/champion"),
        *("models/dcgan/attachments", "models/dcgan/attachments/1"),
    ],
)
def test_a_directory_that_is_a_broken_link_is_not_an_empty_one(filled: Registry, place: str, how: str) -> None:
    filled.remove(filled.resolve("dcgan:3"))
    with broken(filled.root / place, how):
        faults = [str(fault) for fault in filled.faults()]
        assert faults
        assert all(str(filled.root / place) in fault for fault in faults)
        assert how == "refused" or faults[1:] == []
        refuses_to_collect(filled, str(filled.root / place))
        if place != "models":
            assert filled.names() == ["dcgan", "other"]
            assert filled.resolve("other").number == 1
    assert filled.faults() == []
    assert len(filled.collect(grace=0)) == 4


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Has the system refuse to look at something, of which its directory then says the name alone."""
    real, looks = os.scandir, {name: getattr(os, name) for name in ("stat", "lstat")}

    def refuse(path: Path, code: int) -> None:
        def look(place: Any) -> None:
            if isinstance(place, str | Path) and path in (Path(place), *Path(place).parents):
                raise OSError(code, os.strerror(code), os.fspath(place))

        class Entry:
            def __init__(self, entry: os.DirEntry[str]) -> None:
                self.name, self.path, self.stat, self._entry = entry.name, entry.path, entry.stat, entry

            def is_file(self, **options: bool) -> bool:
                look(self.path)
                return self._entry.is_file(**options)

            def is_dir(self, **options: bool) -> bool:
                look(self.path)
                return self._entry.is_dir(**options)

        class Entries(list[Entry]):
            def __enter__(self) -> "Entries":
                return self

            def __exit__(self, *_: object) -> None:
                pass

        def scandir(directory: Any) -> Entries:
            with real(directory) as entries:
                return Entries(map(Entry, entries))

        def looking(name: str) -> Callable[..., os.stat_result]:
            def call(place: Any, **options: Any) -> os.stat_result:
                look(place)
                found: os.stat_result = looks[name](place, **options)
                return found

            return call

        monkeypatch.setattr(os, "scandir", scandir)
        for name in looks:
            monkeypatch.setattr(os, name, looking(name))

    return refuse


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("number", [1, 3])
def test_a_version_that_cannot_be_looked_at_is_not_passed_over(
    filled: Registry, refuse: Any, number: int, code: int
) -> None:
    """Such as on a file system that breaks, or in a directory whose names alone may be read."""
    place = filled.root / "models/dcgan/versions" / str(number)
    refuse(place, code)
    for reference in (f"dcgan:{number}", *(["dcgan"] if number == 3 else [])):
        with pytest.raises(NotWritable, match=f": {place}\n"):
            filled.resolve(reference)
    assert filled.resolve("dcgan:2").number == 2
    assert filled.names() == ["dcgan", "other"]
    assert [str(fault) for fault in filled.faults() if str(place) not in str(fault)] == []
    refuses_to_collect(filled, str(place))


def test_a_model_that_cannot_be_looked_at_is_not_passed_over(filled: Registry, refuse: Any) -> None:
    refuse(filled.root / "models/dcgan", errno.EIO)
    assert filled.names() == ["dcgan", "other"]
    with pytest.raises(NotWritable, match="models/dcgan"):
        filled.resolve("dcgan")


# numbers


@pytest.mark.parametrize(
    ("gone", "fate"), [([1], "1 is missing"), ([2], "2 is missing"), ([1, 2], "1 is missing, and so are those up to 2")]
)
def test_a_version_whose_record_is_lost_is_missed(filled: Registry, put: Any, gone: list[int], fate: str) -> None:
    filled.unalias("dcgan", "champion")
    for number in gone:
        (filled.root / f"models/dcgan/versions/{number}").unlink()
    told: list[RegistryError] = []
    left = [version.number for version in filled.versions("dcgan", told.append)]
    assert left == [number for number in (1, 2, 3) if number not in gone]
    assert [str(fault) for fault in filled.faults()] == [f"the record models/dcgan/versions/{fate}"]
    assert [str(error) for error in told] == [f"the record models/dcgan/versions/{fate}"]
    refuses_to_collect(filled, f"versions/{fate}")
    assert filled.resolve("dcgan").number == 3
    for number in gone:
        with pytest.raises(Corrupt, match=f"the record models/dcgan/versions/{number} is missing") as caught:
            filled.resolve(f"dcgan:{number}")
        cure = "take it out" if gone == [number] else "take all from 1 to 2 out"
        assert str(caught.value.hint) == (
            f"restore models/dcgan/versions/{number} from a copy of the registry, "
            f"or {cure}: ganzoo registry rm dcgan:{number}"
        )
    filled.discard(f"dcgan:{gone[0]}")
    assert filled.faults() == []
    for number in gone:
        with pytest.raises(NotFound):
            filled.resolve(f"dcgan:{number}")
    assert len(filled.collect(grace=0)) == (1 in gone) + 4 * (2 in gone)  # the first's is other:1's, too, but for one
    assert put("four").number == 4


def test_a_lost_version_is_not_passed_over_for_an_older_one(filled: Registry) -> None:
    filled.unalias("dcgan", "champion")
    filled.remove(filled.resolve("dcgan:3"))
    (filled.root / "models/dcgan/versions/2").unlink()
    with pytest.raises(Corrupt, match="the record models/dcgan/versions/2 is missing"):
        filled.resolve("dcgan")


def test_any_number_of_records_may_be_missing(filled: Registry) -> None:
    (filled.root / "models/dcgan/versions/999999999").touch()
    assert [str(fault) for fault in filled.faults()] == [
        "the record models/dcgan/versions/4 is missing, and so are those up to 999999998",
        "the record models/dcgan/versions/999999999 is damaged",
    ]


@pytest.mark.parametrize("number", [2, 7])
def test_a_number_that_something_else_has_is_not_missing(registry: Registry, put: Any, number: int) -> None:
    put("one")
    (registry.root / f"models/dcgan/versions/{number}").mkdir()
    numbers = [put(word).number for word in "abcdefg"]
    assert numbers == [n for n in range(2, 10) if n != number][:7]
    assert registry.faults() == []
    assert registry.collect(grace=0) == []
    with pytest.raises(NotFound):
        registry.resolve(f"dcgan:{number}")


def test_a_version_that_is_just_being_registered_is_not_missing(
    filled: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing may have a name that was made after it began, and lack one that was made before that."""
    lists, real = [["1", "3"]], disk.Disk.names
    monkeypatch.setattr(disk.Disk, "names", lambda *arguments: lists.pop() if lists else real(*arguments))
    assert _shelf(filled)._versions.gaps() == []


def test_a_version_that_is_just_being_removed_is_not_missing(filled: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """On tmpfs and btrfs a listing may lack a name that is replaced while it is read."""
    (filled.root / "models/dcgan/versions/5").touch()
    for listed, gaps in {("2", "3"): [], ("1", "3"): [], ("3",): [], ("2", "5"): [range(4, 5)]}.items():
        monkeypatch.setattr(disk.Disk, "names", lambda *_, listed=listed: list(listed))
        assert _shelf(filled)._versions.gaps() == gaps


def _shelf(registry: Registry) -> Shelf:
    return Shelf(registry._disk, "dcgan")


def test_what_is_lost_is_not_taken_out_where_it_never_was(filled: Registry) -> None:
    with pytest.raises(NotFound):
        filled.discard("dcgan:4")
    with pytest.raises(Conflict, match="is whole"):
        filled.discard("dcgan:3")


def test_a_model_of_which_only_the_directory_was_made_stops_no_collecting(filled: Registry) -> None:
    (filled.root / "models/new").mkdir()
    assert filled.faults() == []
    assert filled.collect(grace=0) == []


@pytest.mark.parametrize("left", ["an attachment", "an alias", "a former move", "an alias that was taken away"])
def test_the_last_version_is_missed_where_something_is_left_of_it(filled: Registry, put: Any, left: str) -> None:
    fault, told = "the record models/dcgan/versions/4 is missing", list[RegistryError]()
    version = put("four")
    if left == "an attachment":
        filled.attach(version, "onnx", b"of the lost one")
    else:
        filled.alias("dcgan:4", "canary")
    if left == "a former move":
        filled.alias("dcgan:1", "canary")
    elif left == "an alias that was taken away":
        filled.unalias("dcgan", "canary")
    (filled.root / "models/dcgan/versions/4").unlink()
    assert [str(fault) for fault in filled.faults()] == [fault]
    refuses_to_collect(filled, fault)
    for reference in ("dcgan", "dcgan:4"):  # the newest is no older one instead
        with pytest.raises(Corrupt, match=fault):
            filled.resolve(reference)
    assert [version.number for version in filled.versions("dcgan", told.append)] == [1, 2, 3]
    # Who lists the versions does not read all moves; who lists the aliases is told of one that stands there.
    assert [str(error) for error in told] == ([fault] if left == "an attachment" else [])
    next_one = put("five")
    assert next_one.number == 5
    assert "onnx" not in filled.kinds(next_one)
    filled.discard("dcgan:4")
    assert filled.faults() == []
    assert len(filled.collect(grace=0)) >= 4
    assert put("six").number == 6


def test_a_version_that_is_attached_to_meanwhile_is_not_missed(
    filled: Registry, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others register, attach and move aliases between any two listings."""
    real, calls = disk.Disk.names, list[str]()

    def names(self: disk.Disk, directory: Any) -> list[str]:
        found = real(self, directory)
        calls.append(str(directory))
        if len(calls) < 9:
            version = put(str(len(calls)))
            Registry(filled.root).attach(version, "onnx", b"graph")
            Registry(filled.root).alias(str(version), "champion")
        return found

    monkeypatch.setattr(disk.Disk, "names", names)
    assert _shelf(filled)._gaps() == []
    assert filled.faults() == []
    assert filled.collect(grace=0) == []
    assert len(calls) > 9


@pytest.mark.parametrize("left", ["directory", "file", "of others"])
def test_what_nothing_was_attached_by_shows_no_version(filled: Registry, put: Any, left: str) -> None:
    place = filled.root / "models/dcgan/attachments/4"
    if left == "file":
        place.touch()
    else:
        place.mkdir()
    if left == "of others":
        (place / "desktop.ini").touch()
    assert filled.faults() == []
    assert filled.collect(grace=0) == []
    assert filled.resolve("dcgan").number == 3
    assert put("four").number == 4


def test_a_model_whose_only_version_is_lost_is_not_unknown(registry: Registry, put: Any) -> None:
    registry.attach(put("one"), "onnx", b"graph")
    (registry.root / "models/dcgan/versions/1").unlink()
    assert registry.names() == ["dcgan"]
    with pytest.raises(Corrupt, match="versions/1 is missing"):
        registry.resolve("dcgan")
    assert put("one").number == 2
    registry.discard("dcgan:1")
    assert registry.faults() == []


def test_a_broken_alias_hides_no_trace_of_another(filled: Registry, put: Any) -> None:
    put("four")
    filled.alias("dcgan:4", "zoo")
    (filled.root / "models/dcgan/versions/4").unlink()
    with broken(filled.root / "models/dcgan/aliases/champion", "dangling"):
        assert put("five").number == 5


def test_what_an_earlier_ganzoo_skipped_is_taken_out_at_once(filled: Registry, put: Any) -> None:
    """It gave the number after anything that had one for its name, such as a folder of a day: no record is lost."""
    versions = filled.root / "models/dcgan/versions"
    put("four")
    (versions / "4").rename(versions / "20260102")
    (versions / "20260101").mkdir()
    (fault,) = filled.faults()
    assert str(fault) == "the record models/dcgan/versions/4 is missing, and so are those up to 20260100"
    assert str(fault.hint).endswith(", or take all from 4 to 20260100 out: ganzoo registry rm dcgan:4")
    filled.discard("dcgan:7")  # any of them
    assert filled.faults() == []
    assert filled.collect(grace=0) == []
    assert [version.number for version in filled.versions("dcgan")] == [1, 2, 3, 20260102]
    assert put("five").number == 20260103
    for number in (20260103, 20260102):
        filled.remove(filled.resolve(f"dcgan:{number}"))
    assert filled.resolve("dcgan").number == 3
    (versions / "3").unlink()  # what stands for some stands for no others
    assert "versions/3 is missing" in str(filled.faults()[0])
    filled.discard("dcgan:3")
    assert filled.faults() == []


# reading


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_content_that_cannot_be_read_is_one_error_however_it_is_asked_for(
    filled: Registry, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = filled.resolve("dcgan:1")
    blob, real = filled.path(version, "generator"), open

    def refusing(path: Any, *arguments: Any) -> Any:
        if path == blob:
            raise OSError(code, os.strerror(code), os.fspath(path))
        return real(path, *arguments)

    monkeypatch.setattr("builtins.open", refusing)
    messages = set()
    for read in (filled.read, filled.path):
        with pytest.raises(NotWritable, match=str(blob)) as caught:
            read(version, "generator")
        messages.add((str(caught.value), caught.value.hint))
    ((_, hint),) = messages
    assert hint


@pytest.mark.parametrize("kind", ["onnx", "tag-bad", "note"])
def test_the_hint_at_a_damaged_attachment_can_be_followed(filled: Registry, kind: str) -> None:
    """Also with a kind that is attached by no command that has ``--force``."""
    version, place = filled.resolve("dcgan:2"), f"models/dcgan/attachments/2/{kind}"
    filled.attach(version, kind, b"content")
    (filled.root / place).chmod(0o644)
    (filled.root / place).write_bytes(b"{")
    (fault,) = filled.faults()
    assert fault.hint == (
        f"restore {place} from a copy of the registry, or move it out of the registry, and make it anew"
    )
    (filled.root / place).rename(filled.root.parent / "elsewhere")
    assert filled.faults() == []
    assert kind not in filled.kinds(version)
    filled.attach(version, kind, b"content")
    assert filled.read(version, kind) == b"content"


def test_all_that_is_broken_is_told_at_once(filled: Registry) -> None:
    filled.attach(filled.resolve("dcgan:2"), "onnx", b"graph")
    filled.attach(filled.resolve("dcgan:3"), "onnx", b"graph")
    places = ["aliases", "attachments/1", "attachments/2/onnx", "attachments/3", "versions/3"]
    with ExitStack() as stack:
        for place in places:
            stack.enter_context(broken(filled.root / "models/dcgan" / place, "dangling"))
        faults = [str(fault) for fault in filled.faults()]
        assert all(any(f"models/dcgan/{place} is a link" in fault for fault in faults) for place in places)
        assert len(faults) == len(places)
    assert filled.faults() == []
