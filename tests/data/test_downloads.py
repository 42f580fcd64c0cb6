"""MNIST, Fashion-MNIST and CIFAR-10, end to end with tiny files from a server on loopback."""

import gzip
import hashlib
import io
import re
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ganzoo.data import load
from ganzoo.errors import GanzooError
from ganzoo.specs import Dataset
from ganzoo.zoo.names import Zoo
from ganzoo.zoo.validation import validate
from ganzoo_plugins import downloads
from ganzoo_plugins.downloads import files, reader

NAMES = ("mnist", "fashion-mnist", "cifar10")
SETS = {"mnist": "MNIST", "fashion-mnist": "FASHION_MNIST", "cifar10": "CIFAR10"}
LABELS = {"train": [3, 0, 9, 3, 1], "t10k": [1, 9]}


def pixels(part: str, *shape: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(len(part))
    return rng.integers(0, 256, (len(LABELS[part]), *shape), dtype=np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def idx_files() -> dict[str, bytes]:
    made = {}
    for part, labels in LABELS.items():
        made[f"{part}-images-idx3-ubyte.gz"] = idx(pixels(part, 28, 28))
        made[f"{part}-labels-idx1-ubyte.gz"] = idx(np.array(labels, np.uint8))
    return made


def cifar_files() -> dict[str, bytes]:
    def records(part: str) -> list[bytes]:
        images = zip(LABELS[part], pixels(part, 3, 32, 32), strict=True)
        return [bytes([label]) + image.tobytes() for label, image in images]

    members = {f"data_batch_{5 - place}.bin": record for place, record in enumerate(reversed(records("train")))}
    members |= {"readme.html": b"<html>", "test_batch.bin": b"".join(records("t10k"))}
    members["batches.meta.txt"] = b"\n".join([*(f"class{index}".encode() for index in range(10)), b"", b""])
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return {"cifar-10-binary.tar.gz": archive.getvalue()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL that it is served at."""
    root = tmp_path / "site"
    root.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield root, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tiny files in the place of the real ones; the data sets' mirror is the site alone."""
    root, url = site
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    for name, attribute in SETS.items():
        made = cifar_files() if name == "cifar10" else idx_files()
        (root / name).mkdir()
        for file, content in made.items():
            (root / name / file).write_bytes(content)
        tiny = {file: (len(content), hashlib.sha256(content).hexdigest()) for file, content in made.items()}
        original = getattr(reader, attribute)
        served = replace(original.files, mirrors=(f"{url}{name}/",), files=tiny)
        monkeypatch.setattr(reader, attribute, replace(original, files=served))
    return tmp_path / "cache"


@pytest.fixture
def here(make_zoo: Callable[..., Zoo]) -> Zoo:
    return make_zoo(*validate(downloads.ganzoo_specs()))


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx(here: Zoo, cache: Path, name: str) -> None:
    parts = load(name, here)
    for part, images in (("train", parts.training), ("t10k", parts.held_out)):
        assert images is not None
        np.testing.assert_array_equal(images.pixels, pixels(part, 28, 28)[:, None])
        assert images.labels is not None
        assert images.labels.tolist() == LABELS[part]
        assert len(images.class_names) == 10
    assert {path.name for path in (cache / name).iterdir()} == set(idx_files())


def test_cifar10(here: Zoo, cache: Path) -> None:
    parts = load("cifar10", here)
    for part, images in (("train", parts.training), ("t10k", parts.held_out)):
        assert images is not None
        np.testing.assert_array_equal(images.pixels, pixels(part, 3, 32, 32))
        assert images.labels is not None
        assert images.labels.tolist() == LABELS[part]
        assert images.class_names == tuple(f"class{index}" for index in range(10))
    assert {path.name for path in (cache / "cifar10").iterdir()} == {"cifar-10-binary.tar.gz"}


def test_they_are_resized_like_any_other(here: Zoo) -> None:
    assert load("mnist", here, size=32).training.shape.height == 32


def test_class_names() -> None:
    assert reader.MNIST.class_names == tuple("0123456789")
    assert reader.FASHION_MNIST.class_names[9] == "ankle-boot"
    assert len(set(reader.FASHION_MNIST.class_names)) == 10


def test_what_is_downloaded_is_told_on_stderr(here: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    load("mnist", here)
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"(downloading mnist/\S+\.gz \(\d kB\) from 127\.0\.0\.1:\d+\n){4}", told.err)
    load("mnist", here)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", NAMES)
def test_offline(here: Zoo, site: tuple[Path, str], cache: Path, name: str) -> None:
    expected = load(name, here).training.digest
    first = "cifar-10-binary.tar.gz" if name == "cifar10" else "train-labels-idx1-ubyte.gz"
    for file in (site[0] / name).iterdir():
        file.unlink()
    assert load(name, here).training.digest == expected
    by_hand = cache / name / first
    content = by_hand.read_bytes()
    by_hand.unlink()
    with pytest.raises(GanzooError) as caught:
        load(name, here)
    host = site[1].split("/")[2]
    assert str(caught.value) == f"cannot download {name}/{first}: {host}: HTTP 404, File not found"
    digest = hashlib.sha256(content).hexdigest()
    assert caught.value.hint == f"try again, or put the file whose sha256 is {digest} at {by_hand}"
    by_hand.write_bytes(content)
    assert load(name, here).training.digest == expected


@pytest.mark.parametrize("known", [files.MNIST_FILES, files.FASHION_MNIST_FILES, files.CIFAR10_FILES], ids=NAMES)
def test_the_tables_are_well_formed(known: files.Files) -> None:
    assert len(known.mirrors) >= 2
    assert all(re.fullmatch(r"https?://\S+/", mirror) for mirror in known.mirrors)
    assert all(size > 0 and re.fullmatch("[0-9a-f]{64}", sha256) for size, sha256 in known.files.values())
    assert len({sha256 for _, sha256 in known.files.values()}) == len(known.files)


def test_the_summaries_say_how_much_is_downloaded() -> None:
    sizes = {
        known.folder: round(sum(size for size, _ in known.files.values()) / 1e6)
        for known in (files.MNIST_FILES, files.FASHION_MNIST_FILES, files.CIFAR10_FILES)
    }
    specs = [spec for spec in downloads.ganzoo_specs() if isinstance(spec, Dataset)]
    assert {spec.name: spec.summary.split("downloads ")[1] for spec in specs} == {
        name: f"{size} MB" for name, size in sizes.items()
    }
