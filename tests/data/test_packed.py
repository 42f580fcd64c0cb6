"""Packed sets: what comes back, what is refused, and what is left when writing is interrupted anywhere."""

import contextlib
import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import png
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ganzoo.data import EncodedImages, ImageSet
from ganzoo.data.decode import decode
from ganzoo.data.packed import LARGEST_ENTRY, is_packed, read_packed
from ganzoo.data.packing import Packed, pack
from ganzoo.data.resize import resized
from ganzoo.data.split import split
from ganzoo.errors import ExitCode, GanzooError, IntegrityError, UsageError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)
LABELS = np.arange(20) % 4
IMAGES = ImageSet(pixels=PIXELS, labels=LABELS, class_names=("a", "b", "c", "d"))


def packing(source: ImageSet | EncodedImages, target: Path, **options: Any) -> Packed:
    return pack(source, target, **{"size": None, "held_out": 0.25, "strict": False, "name": "photos", **options})


def encoded(*files: bytes, labels: Any = None, class_names: tuple[str, ...] = ()) -> EncodedImages:
    labels = None if labels is None else np.array(labels)
    names = [f"{number}.png" for number in range(len(files))]
    return EncodedImages(names=names, read=files.__getitem__, labels=labels, class_names=class_names)


COLOUR = [png(pixels.transpose(1, 2, 0)) for pixels in PIXELS]
GREY = [png(pixels[0]) for pixels in PIXELS]


def same(one: ImageSet | None, other: ImageSet | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.digest == other.digest and one.shape == other.shape


# What comes back


@pytest.mark.parametrize("size", [None, 8, 4])
@pytest.mark.parametrize("share", [0, 0.25, 0.9])
def test_a_pack_is_what_loading_would_have_given(tmp_path: Path, size: int | None, share: float) -> None:
    wanted = split(resized(IMAGES, size), share)
    told = packing(IMAGES, tmp_path / "x.npy", size=size, held_out=share)
    training, held_out = read_packed(tmp_path / "x.npy")
    assert same(training, wanted.training)
    assert same(held_out, wanted.held_out)
    assert (told.count, told.digest, told.shape) == (len(training), training.digest, training.shape)
    assert told.held_out == (len(held_out) if held_out else 0) == min(int(share * 20), 20 - 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.npy"]


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_groups_come_back(tmp_path: Path, share: float) -> None:
    images = replace(IMAGES, groups=np.arange(20) // 3)
    wanted = split(images, share)
    packing(images, tmp_path / "x.npy", held_out=share)
    for found, loaded in zip(read_packed(tmp_path / "x.npy"), vars(wanted).values(), strict=True):
        assert same(found, loaded)
        assert found is not None
        assert found.groups is not None
        assert found.groups.tolist() == loaded.groups.tolist()
    packing(IMAGES, tmp_path / "y.npy")
    assert "groups" not in json.loads((tmp_path / "y.json").read_text())


@pytest.mark.parametrize("files", [COLOUR, GREY, GREY[:9] + COLOUR[9:], COLOUR[:1] + GREY[1:]])
def test_encoded_images_with_some_that_cannot_be_read(tmp_path: Path, files: list[bytes]) -> None:
    files = [b"" if number in (0, 7, 19) else file for number, file in enumerate(files)]
    labels = [5 if number == 7 else number % 4 for number in range(20)]
    source = encoded(*files, labels=labels, class_names=tuple("abcdef"))
    told = packing(source, tmp_path / "x.npy", size=8)
    wanted = split(decode(source, 8, strict=False, source="photos"), 0.25)
    training, held_out = read_packed(tmp_path / "x.npy")
    assert same(training, wanted.training)
    assert same(held_out, wanted.held_out)
    assert training.class_names == ("a", "b", "c", "d")
    assert told.skipped == tuple(f"{number}.png: empty" for number in (0, 7, 19))


def test_image_files_are_packed_at_their_own_size_unless_told(tmp_path: Path) -> None:
    assert packing(encoded(*COLOUR), tmp_path / "x.npy").shape.height == 64


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=4)), st.sampled_from([0, 0.3, 0.8]))
def test_any_array_comes_back(tmp_path_factory: pytest.TempPathFactory, grey: Any, share: float) -> None:
    """Copies of an image are likely here, and lie on one side."""
    path, pixels = tmp_path_factory.mktemp("any") / "x.npy", grey[:, None]
    packing(ImageSet(pixels=pixels), path, held_out=share)
    training, held_out = read_packed(path)
    wanted = split(ImageSet(pixels=pixels), share)
    assert same(training, wanted.training)
    assert same(held_out, wanted.held_out)


def test_the_files_are_what_they_are_said_to_be(tmp_path: Path) -> None:
    packing(IMAGES, tmp_path / "x.npy")
    plain = np.load(tmp_path / "x.npy")
    assert (plain.dtype, plain.shape) == (np.uint8, (20, 3, 8, 8))
    beside = json.loads((tmp_path / "x.json").read_text())
    training, held_out = read_packed(tmp_path / "x.npy")
    assert held_out is not None
    assert beside["labels"] == [*training.labels.tolist(), *held_out.labels.tolist()]  # type: ignore[union-attr]
    assert {key: beside[key] for key in ("format", "source", "filter", "shape", "held_out", "class_names")} == {
        "format": "ganzoo packed images 1",
        "source": "photos",
        "filter": "lanczos",
        "shape": [20, 3, 8, 8],
        "held_out": 5,
        "class_names": ["a", "b", "c", "d"],
    }
    assert (beside["digest"], beside["held_out_digest"]) == (training.digest, held_out.digest)


def test_the_pixels_are_mapped_and_read_only(tmp_path: Path) -> None:
    """A private mapping that could be written to counts as memory: a pack larger than that could not be opened."""
    packing(IMAGES, tmp_path / "x.npy")
    training, held_out = read_packed(tmp_path / "x.npy")
    assert held_out is not None
    assert isinstance(training.pixels, np.memmap)
    assert (training.pixels.mode, held_out.pixels.flags.writeable) == ("r", False)
    with pytest.raises(ValueError, match="read-only"):
        training.pixels[:] = 0


def test_a_symbolic_link_to_a_pack(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "x.npy").symlink_to(tmp_path / "far" / "y.npy")
    packing(IMAGES, tmp_path / "x.npy")
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["y.json", "y.npy"]
    assert is_packed(tmp_path / "x.npy")
    assert same(read_packed(tmp_path / "x.npy")[0], read_packed(tmp_path / "far" / "y.npy")[0])


def test_a_pack_can_be_packed_again_onto_itself(tmp_path: Path) -> None:
    packing(IMAGES, tmp_path / "x.npy", held_out=0)
    training, _ = read_packed(tmp_path / "x.npy")
    packing(training, tmp_path / "x.npy", held_out=0, size=4)
    assert same(read_packed(tmp_path / "x.npy")[0], resized(IMAGES, 4))


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """800 images of 12 kB; what is held for each is its digest, its place and its label."""
    import tracemalloc

    def peak(count: int) -> int:
        rows = np.random.default_rng(0)
        source = EncodedImages(
            names=["x"] * count, read=lambda index: png(rows.integers(0, 256, (2, 2, 3), dtype=np.uint8))
        )
        tracemalloc.start()
        packing(source, tmp_path / f"{count}.npy", size=64)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak(10)
    assert peak(800) - peak(200) < 600 * 1000


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    packing(encoded(*COLOUR[:3]), tmp_path / "x.npy", progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]


# What is refused


@pytest.mark.parametrize(
    ("files", "strict", "message"),
    [((COLOUR[0], b""), True, "photos: 1 of 2 images cannot be read; "), ((b"", b""), False, "photos: 2 of 2 ")],
)
def test_unreadable_images(tmp_path: Path, files: tuple[bytes, ...], strict: bool, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        packing(encoded(*files), tmp_path / "x.npy", strict=strict)
    assert str(caught.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        packing(IMAGES, tmp_path / "x.npz")
    assert str(caught.value) == f"{tmp_path / 'x.npz'}: a packed set is called FILE.npy"
    assert (caught.value.hint, caught.value.exit_code) == (f"try {tmp_path / 'x.npy'}", ExitCode.USAGE)


@pytest.mark.parametrize("other", ["x.npy", "x.json"])
def test_other_files_are_not_replaced(tmp_path: Path, other: str) -> None:
    (tmp_path / other).write_bytes(b'{"precious": 1}')
    with pytest.raises(UsageError) as caught:
        packing(IMAGES, tmp_path / "x.npy")
    assert str(caught.value) == f"{tmp_path / other} is there, and is no packed set"
    assert caught.value.hint == "choose another name, or remove it first"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b'{"precious": 1}']


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(GanzooError) as caught:
        packing(IMAGES, tmp_path / "none" / "x.npy")
    assert (
        str(caught.value)
        == f"cannot write {tmp_path / 'none' / 'x.npy'}: the directory {tmp_path / 'none'} does not exist"
    )
    assert caught.value.exit_code == ExitCode.FAILURE


def test_what_is_read_as_a_pack(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, PIXELS)
    assert not is_packed(path)
    assert not is_packed(tmp_path)
    for foreign in ('{"mine": true}', "[1, 2]", "3"):
        (tmp_path / "x.json").write_text(foreign)
        assert not is_packed(path)
    (tmp_path / "x.json").write_text('{"labels": null}')
    assert is_packed(path)
    assert not is_packed(tmp_path / "x.json")
    with pytest.raises(IntegrityError) as caught:
        read_packed(path)
    assert str(caught.value) == f"{path}: not what was packed (Object missing required field `format`)"
    assert caught.value.hint == "pack it again; or, if it never was a packed set, move x.json away"
    assert caught.value.exit_code == ExitCode.INTEGRITY


SIDECARS = {
    "nested without end": b"[" * 200_000,
    "nested within a field": b'{"format": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "half a character": b'{"format": "\\ud800"}',
    "no UTF-8": b'{"format": "\xff"}',
    "a number of many digits": b'{"held_out": ' + b"1" * 10_000 + b"}",
    "no object": b"[1, 2]",
    "not a number": b'{"held_out": NaN}',
    "nothing": b"",
}


@pytest.mark.parametrize("content", SIDECARS.values(), ids=SIDECARS)
def test_any_json_beside_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npy"
    np.save(path, PIXELS)
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(IntegrityError, match="not what was packed") as caught:
        read_packed(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("more", [{}, {"weights": [1.0]}, {"shape": "other"}])
def test_a_pack_of_a_newer_ganzoo_is_not_damaged(tmp_path: Path, more: dict[str, Any]) -> None:
    packing(IMAGES, tmp_path / "x.npy")
    sidecar = json.loads((tmp_path / "x.json").read_text())
    (tmp_path / "x.json").write_text(json.dumps({**sidecar, **more, "format": "ganzoo packed images 2"}))
    with pytest.raises(IntegrityError) as caught:
        read_packed(tmp_path / "x.npy")
    assert str(caught.value) == f"{tmp_path / 'x.npy'} was packed by a newer ganzoo"
    assert caught.value.hint == "pip install --upgrade ganzoo"


def test_a_sidecar_of_any_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it may be depends on how many images it tells of; more is not even read."""
    packing(IMAGES, tmp_path / "x.npy")
    length = (tmp_path / "x.json").stat().st_size
    monkeypatch.setattr("ganzoo.data.packed.LARGEST", length - LARGEST_ENTRY * len(IMAGES) - 1)
    with pytest.raises(IntegrityError, match="larger than"):
        read_packed(tmp_path / "x.npy")
    monkeypatch.setattr("ganzoo.data.packed.LARGEST", length - LARGEST_ENTRY * len(IMAGES))
    assert read_packed(tmp_path / "x.npy")[1] is not None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "cannot be read: Too many open files"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "cannot be read: Cannot allocate memory"),
        (OSError(errno.EIO, "Input/output error"), "cannot be read: Input/output error"),
        (MemoryError(), "too little memory to read it"),
    ],
    ids=str,
)
def test_what_the_system_says_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    """A person who packs it again would meet the same."""

    def fail(*_: object, **__: object) -> None:
        raise error

    packing(IMAGES, tmp_path / "x.npy")
    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(GanzooError) as caught:
        read_packed(tmp_path / "x.npy")
    assert str(caught.value) == f"{tmp_path / 'x.npy'}: {message}"
    assert caught.value.exit_code == ExitCode.FAILURE


@pytest.mark.parametrize("name", ["x.npy", "x.json"])
def test_any_part_and_any_damage_is_refused(tmp_path: Path, name: str) -> None:
    """But for damage in what only tells where the images came from."""
    path = tmp_path / "x.npy"
    packing(ImageSet(pixels=PIXELS[:4, :, :4, :4], labels=LABELS[:4], class_names=tuple("abcd")), path)
    wanted = read_packed(path)
    (tmp_path / name).rename(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for place in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:place])
        with pytest.raises(IntegrityError):
            read_packed(path)
    accepted = 0
    for place in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        with contextlib.suppress(IntegrityError):
            found = read_packed(path)
            assert all(same(one, other) for one, other in zip(found, wanted, strict=True))
            accepted += 1
    assert accepted == (len("photos" + "lanczos") if name == "x.json" else 0)


def test_two_files_that_do_not_belong_together(tmp_path: Path) -> None:
    packing(IMAGES, tmp_path / "x.npy")
    packing(ImageSet(pixels=PIXELS[::-1]), tmp_path / "y.npy")
    os.replace(tmp_path / "y.json", tmp_path / "x.json")
    with pytest.raises(IntegrityError, match="its digest is not the one that was written"):
        read_packed(tmp_path / "x.npy")
