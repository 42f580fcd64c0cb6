"""Memory is asked for before it is taken, and what threads take together does not grow with their number."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, _imaging

from ganzoo import machine
from ganzoo.data import EncodedImages, ImageSet, decode as decoding, pixels as pixelling
from ganzoo.data.allocation import SLACK, Allowance, DoesNotFit, allocate, fits
from ganzoo.data.containers import unpack
from ganzoo.data.decode import decode
from ganzoo.data.load import load
from ganzoo.data.packing import pack
from ganzoo.data.resize import resized
from ganzoo.data.split import split
from ganzoo.errors import ExitCode

Put = Callable[..., Path]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``memory(n)``: the machine says that n bytes are free, and that much again as always stays free."""
    return lambda free: monkeypatch.setattr("ganzoo.data.allocation.memory", lambda: free + SLACK)


def encoded(count: int, image: Image.Image | None = None) -> EncodedImages:
    file = io.BytesIO()
    (image or Image.new("L", (8, 8), 7)).save(file, "PNG")
    return EncodedImages(names=[f"{index}.png" for index in range(count)], read=lambda index: file.getvalue())


def test_an_array_is_refused_before_it_is_taken(memory: Callable[[float], None]) -> None:
    memory(599)
    with pytest.raises(DoesNotFit) as caught:
        allocate((2, 3, 10, 10))
    assert str(caught.value) == "2 images of 10x10 pixels in colour need 33.6 MB of memory, and 33.6 MB are free"
    assert "ganzoo data pack" in (caught.value.hint or "")
    assert caught.value.exit_code == ExitCode.USAGE
    memory(600)
    assert allocate((2, 3, 10, 10)).shape == (2, 3, 10, 10)
    with pytest.raises(DoesNotFit):
        allocate((2, 3, 10, 10), copies=2)


@pytest.mark.parametrize("shape", [(10**9, 3, 10**6, 10**6), (1, 1, 2**40, 2**40)])
def test_where_nobody_says_what_is_free_an_error_of_numpy_is_one_of_ours(
    memory: Callable[[float], None], shape: tuple[int, ...]
) -> None:
    memory(float("inf"))
    with pytest.raises(DoesNotFit, match="do not fit into memory"):
        allocate(shape)


def test_a_set_that_does_not_fit_is_refused_before_the_first_image_is_read(memory: Callable[[float], None]) -> None:
    read: list[int] = []
    source = EncodedImages(names=["x"] * 100, read=lambda index: read.append(index) or b"")  # type: ignore[func-returns-value]
    memory(100 * 64 * 64 - 1)
    with pytest.raises(DoesNotFit, match="100 images of 64x64 pixels in grey"):
        decode(source, 64, strict=False, source="x")
    assert read == []


def test_a_set_that_turns_out_to_be_in_colour_needs_three_times_as_much(memory: Callable[[float], None]) -> None:
    memory(10 * 8 * 8 * 3 - 1)
    assert len(decode(encoded(10), 8, strict=True, source="x")) == 10
    with pytest.raises(DoesNotFit, match="10 images of 8x8 pixels in colour"):
        decode(encoded(10, Image.new("RGB", (8, 8))), 8, strict=True, source="x")


def test_what_is_held_out_is_reckoned_with(memory: Callable[[float], None], put: Put, make_zoo: Any) -> None:
    from ganzoo.specs import Reader

    zoo = make_zoo(Reader(name="x", summary="", target="ganzoo_plugins.readers.folder:read", folders=("*",)))
    for number in range(10):
        root = put(f"{number}.png", Image.new("L", (8, 8), number))
    memory(10 * 8 * 8 * 2 - 1)
    assert len(load(str(root), zoo, size=8).training) == 10
    with pytest.raises(DoesNotFit):
        load(str(root), zoo, size=8, held_out=0.1)


def test_resizing_and_splitting_ask_as_well(memory: Callable[[float], None]) -> None:
    images = ImageSet(pixels=np.arange(10, dtype=np.uint8).repeat(16).reshape(10, 1, 4, 4))
    memory(159)
    with pytest.raises(DoesNotFit, match=r"10 images of 100,000x100,000 pixels in grey need 100\.0 GB of memory"):
        resized(images, 100_000)
    with pytest.raises(DoesNotFit):
        split(images, 0.5)
    memory(160)
    assert len(split(images, 0.5).training) == 5


def test_a_size_that_no_machine_has_memory_for_is_refused(put: Put, tmp_path: Path) -> None:
    source = encoded(2)
    with pytest.raises(DoesNotFit, match=r"2 images of 10,000,000x10,000,000 pixels in grey need 200,000.0 GB"):
        decode(source, 10_000_000, strict=False, source="x")
    with pytest.raises(
        DoesNotFit, match=r"photos: 0.png: its 8x8 pixels, for 10,000,000x10,000,000, need 800,000.7 GB"
    ):
        pack(source, tmp_path / "x.npy", size=10_000_000, held_out=0, strict=False, name="photos")
    images = ImageSet(pixels=np.zeros((2, 1, 4, 4), np.uint8))
    with pytest.raises(DoesNotFit, match=r"photos: 4 images of 10,000,000x10,000,000 pixels"):
        pack(images, tmp_path / "x.npy", size=10_000_000, held_out=0, strict=False, name="photos")
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_does_not_fit_is_refused_and_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixelling, "LARGE", 0)
    monkeypatch.setattr("ganzoo.data.allocation.memory", lambda: SLACK + 70 * 70 * 8)
    with pytest.raises(DoesNotFit, match=r"0\.png: its 70x70 pixels, for 8x8, need "):
        decode(encoded(2, Image.new("RGBA", (70, 70))), 8, strict=False, source="x")


# In flight


class Watched(Allowance):
    """Knows the most that was taken at one time, and by how many."""

    bytes = holders = most_bytes = most_holders = 0
    lock = threading.Lock()

    @contextmanager
    def take(self, need: int) -> Iterator[None]:
        with super().take(need):
            with self.lock:
                Watched.bytes, Watched.holders = Watched.bytes + need, Watched.holders + 1
                Watched.most_bytes = max(Watched.most_bytes, Watched.bytes)
                Watched.most_holders = max(Watched.most_holders, Watched.holders)
            try:
                yield
            finally:
                with self.lock:
                    Watched.bytes, Watched.holders = Watched.bytes - need, Watched.holders - 1


@pytest.mark.parametrize(("total", "holders"), [(10**9, 8), (300_000, 2), (1, 1)])
def test_what_is_in_flight_does_not_grow_with_the_cores(
    monkeypatch: pytest.MonkeyPatch, total: int, holders: int
) -> None:
    """A hundred pixels a side need 80,000 bytes and some; an image that needs more than all is decoded alone."""
    monkeypatch.setattr(Watched, "most_bytes", 0)
    monkeypatch.setattr(Watched, "most_holders", 0)
    monkeypatch.setattr(decoding, "cores", lambda: 8)
    monkeypatch.setattr(decoding, "Allowance", Watched)
    monkeypatch.setattr(decoding, "DECODING", total)
    images = decode(encoded(64, Image.new("RGBA", (100, 100))), 8, strict=True, source="x")
    assert len(images) == 64
    assert Watched.most_bytes <= max(total, 100_000)
    assert 1 <= Watched.most_holders <= max(holders, total // 80_000)
    assert Watched.holders == Watched.bytes == 0


def test_little_memory_means_few_threads_and_little_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "cores", lambda: 64)
    monkeypatch.setattr(decoding, "memory", lambda: 4 * decoding.LARGEST)
    images = decoding.decoded(encoded(100), 8)
    next(images)
    assert sum(thread.name == "decode" for thread in threading.enumerate()) == 2
    images.close()


def test_large_results_do_not_wait_in_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "cores", lambda: 8)
    monkeypatch.setattr(decoding, "WAITING", 5 * 3 * 8 * 8)
    read: list[int] = []
    source = encoded(200)
    watched = EncodedImages(names=source.names, read=lambda index: read.append(index) or source.read(index))  # type: ignore[func-returns-value]
    images = decoding.decoded(watched, 8)
    for done in range(50):
        next(images)
        assert len(read) <= done + 7
    images.close()


def test_memory_goes_back_to_the_system_instead_of_staying_with_each_thread() -> None:
    decode(encoded(1), 8, strict=True, source="x")
    assert _imaging.get_block_size() > 2**25  # the largest that glibc may keep


def test_an_error_gives_back_what_was_taken() -> None:
    allowance = Allowance(10)
    with pytest.raises(ValueError, match="x"), allowance.take(10):
        raise ValueError("x")
    with allowance.take(3), allowance.take(7):
        pass


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_the_need_is_at_least_what_pillow_keeps(form: str, mode: str) -> None:
    if (form, mode) == ("JPEG", "RGBA"):
        mode = "CMYK"
    file = io.BytesIO()
    Image.new(mode, (300, 200)).save(file, form, progressive=True)
    container = unpack(file.getvalue())
    assert pixelling._need(container, 64) >= 2 * 4 * 300 * 200
    if form == "JPEG":  # the whole image's coefficients, of 16 bits, beside a 64th of its pixels
        layers = {"RGB": 3, "CMYK": 4, "L": 1}[mode]
        assert pixelling._need(container, 4) >= 2 * layers * 300 * 200


# What is free


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"meminfo": "MemTotal: 9 kB\nMemAvailable:    5 kB\nSwapFree: 2 kB\nHugePages_Total:   0\n"}, 7 * 1024),
        ({"meminfo": "MemTotal: 9 kB\n"}, float("inf")),
        ({"meminfo": "nonsense"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_what_the_machine_has_free(tmp_path: Path, files: dict[str, str], wanted: float) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert machine.free(tmp_path) == wanted


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"memory.max": "1000\n", "memory.current": "700", "memory.stat": "anon 1\ninactive_file 50\n"}, 350),
        ({"memory.max": "max\n", "memory.current": "700", "memory.stat": "inactive_file 50"}, float("inf")),
        (
            {
                "memory/memory.limit_in_bytes": "1000",
                "memory/memory.usage_in_bytes": "900",
                "memory/memory.stat": "total_inactive_file 10\n",
            },
            110,
        ),
        ({}, float("inf")),
    ],
)
def test_what_the_container_has_left(tmp_path: Path, files: dict[str, str], wanted: float) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert machine.left(tmp_path) == wanted


def test_a_limit_of_addresses_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda which: (used + 2**24, -1))
    assert machine.memory() <= 2**24 + 2**20
    assert not fits(2**24)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert machine.memory() > 2**26
