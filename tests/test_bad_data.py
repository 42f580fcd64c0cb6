"""Data that cannot be used, through the command line: what is wrong, what would work, and nothing written."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo.cli import main


def png(size: tuple[int, int] = (8, 8), mode: str = "L") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 100 if mode == "L" else (9, 8, 7)).save(file, "PNG")
    return file.getvalue()


def bomb(path: Path) -> str:
    """A PNG whose header promises 50,000 x 50,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    import zlib

    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (path / "bomb").mkdir()
    (path / "bomb" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    return "bomb"


def truncated(path: Path) -> str:
    (path / "cut").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(path / "whole.png")
    (path / "cut" / "a.png").write_bytes((path / "whole.png").read_bytes()[:-400])
    (path / "whole.png").unlink()
    return "cut"


def mislabelled(path: Path) -> str:
    (path / "text").mkdir()
    (path / "text" / "a.png").write_text("not an image")
    return "text"


def parquet_without_images(path: Path) -> str:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"text": ["a"], "label": [0]}), path / "x.parquet")
    return "x.parquet"


def zip_with(*names: str, labels: object = None) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        with zipfile.ZipFile(path / "x.zip", "w") as archive:
            for name in names:
                archive.writestr(name, png())
            if labels is not None:
                archive.writestr("dataset.json", json.dumps({"labels": labels}))
        return "x.zip"

    return make


def tar_that_climbs(path: Path) -> str:
    with tarfile.open(path / "x.tar", "w") as archive:
        member = tarfile.TarInfo("../a.png")
        member.size = len(png())
        archive.addfile(member, io.BytesIO(png()))
    return "x.tar"


def idx_that_promises_more(path: Path) -> str:
    with gzip.open(path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">IIII", 2051, 60_000, 28, 28) + bytes(28 * 28))
    return "train-images-idx3-ubyte.gz"


def cifar_cut_short(path: Path) -> str:
    (path / "data_batch_1.bin").write_bytes(bytes(3073 * 2 - 1))
    return "data_batch_1.bin"


def array(images: object, **others: object) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        np.savez(path / "x.npz", images=images, **others)  # type: ignore[arg-type]
        return "x.npz"

    return make


ONES = np.ones((4, 8, 8), np.float32)
BYTES = np.ones((4, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("make", "code", "error", "hint"),
    [
        pytest.param(bomb, 2, "1 of 1 images cannot be read", "right folder", id="bomb"),
        pytest.param(truncated, 2, "1 of 1 images cannot be read", "right folder", id="truncated"),
        pytest.param(mislabelled, 2, "1 of 1 images cannot be read", "right folder", id="mislabelled"),
        pytest.param(parquet_without_images, 2, "text", "bytes", id="parquet"),
        pytest.param(zip_with("a.png", "../b.png"), 2, "../b.png", "", id="zip-climbs"),
        pytest.param(zip_with("a.png", "/b.png"), 2, "/b.png", "", id="zip-absolute"),
        pytest.param(zip_with("a.png", labels=[["b.png", 0]]), 2, "b.png", "", id="zip-labels"),
        pytest.param(tar_that_climbs, 2, "../a.png", "", id="tar-climbs"),
        pytest.param(idx_that_promises_more, 2, "promises 47,040,000 bytes", "", id="idx"),
        pytest.param(cifar_cut_short, 2, "data_batch_1.bin", "", id="cifar"),
        pytest.param(array(np.full_like(ONES, np.nan)), 2, "NaN", "uint8, or floats on", id="nan"),
        pytest.param(array(ONES * -0.1), 2, "may be meant as [0, 1] or as [-1, 1]", "clip them", id="ambiguous"),
        pytest.param(array(ONES * 255), 2, "images lie in [255, 255]", "uint8, or floats on", id="floats"),
        pytest.param(array(BYTES, labels=np.arange(3)), 2, "labels", "labels=", id="labels"),
    ],
)
def test_it_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], str],
    code: int,
    error: str,
    hint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    commands = (["train", "--model", "vanilla", "--data"], ["data", "show"])
    for command in commands:
        assert main([*command, source]) == code
        first, *others = capsys.readouterr().err.splitlines()
        assert first.startswith("Error: ")
        assert error in first
        assert source.partition("/")[0] in first
        assert others
        assert others[0].startswith("Hint: ")
        assert hint in others[0]
        assert len(others) == 1
    assert main(["data", "pack", source, "packed.npy"]) == code
    assert sorted(tmp_path.rglob("*")) == before


def test_sizes_that_do_not_divide_are_named_with_those_that_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).integers(0, 256, (20, 30, 30), np.uint8))
    assert main(["train", "--model", "dcgan", "--data", "x.npy", "--size", "30", "--dry-run"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "Error: architecture 'dcgan' makes no 30x30 images"
    assert hint == "Hint: choose --size from: 8, 16, 32, 64, 128, 256"
    assert main(["train", "--model", "dcgan", "--data", "x.npy", "--batch", "16", "--dry-run"]) == 0
    assert "18 images, 32x32" in capsys.readouterr().out


def test_few_images_can_be_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many as a batch has; where they are all alike, none can be held out."""
    monkeypatch.chdir(tmp_path)
    train = ["train", "--model", "vanilla", "--data", "x.npy"]
    for count, hint in ((1, "more images"), (5, "--batch 4")):
        np.save("x.npy", np.ones((count, 8, 8), np.uint8))
        assert main(train) == 2
        noun = "image" if count == 1 else "images"
        assert capsys.readouterr().err.splitlines() == [
            f"Error: a batch of 64 is larger than the data set: {count} {noun}",
            f"Hint: {hint}",
        ]
    assert main([*train, "--batch", "4", "--steps", "2", "--no-export"]) == 0
    assert main([*train, "--batch", "4", "--eval-every", "1", "--set", "features=digits"]) == 2
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert error == f"Error: {tmp_path / 'x.npy'} has no held-out images to evaluate by"
    assert hint.startswith("Hint: ")


def test_one_class_is_no_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats" / "cat").mkdir(parents=True)
    (tmp_path / "cats" / "cat" / "a.png").write_bytes(png())
    assert main(["train", "--model", "conditional", "--data", "cats"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "needs labels" in error
    assert "one sub-folder per class" in hint


@pytest.mark.parametrize("source", ["digits", "photos", "x.npy"])
def test_a_size_that_no_machine_has_memory_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(4):
        (tmp_path / "photos" / f"{number}.png").write_bytes(png())
    np.save("x.npy", BYTES)
    before = sorted(tmp_path.rglob("*"))
    for command in (["data", "show", source], ["data", "pack", source, "packed.npy"]):
        if source == "digits" and "pack" in command:  # what has a name needs no packing
            continue
        assert main([*command, "--size", "10000000"]) == 2
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith(f"Error: {source}: ")
        assert "GB of memory, and " in error
        assert "smaller --size" in hint
    assert sorted(tmp_path.rglob("*")) == before
