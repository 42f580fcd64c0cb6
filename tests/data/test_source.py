"""``Source``: images are found, and read once."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.data import Source, decode, load, load as load_images
from ganzoo.errors import NotFoundError
from ganzoo.pipeline import draft
from ganzoo.pipeline.draft import draft_new
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry

Counted = Callable[[], Counter[str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty image files in two classes."""
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (24, 32, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """Images of 48 pixels, a size that no built-in architecture makes."""
    np.save(tmp_path / "a48.npy", np.random.default_rng(0).integers(0, 256, (40, 48, 48, 3), np.uint8))
    return tmp_path / "a48.npy"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How often images were read, divided and decoded, and a recipe was resolved."""
    counts: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        original = getattr(module, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, counting)

    loading = sys.modules["ganzoo.data.load"]  # the attribute of that name is the function
    for name in ("read", "split", "decode"):
        count(loading, name)
    count(draft, "resolve")
    return lambda: counts


@pytest.mark.parametrize("size", [{}, {"size": 16}], ids=["native", "asked"])
@pytest.mark.parametrize("what", ["photos", "arrays"])
def test_a_training_resolves_reads_and_divides_once(
    what: str, size: dict[str, int], request: pytest.FixtureRequest, counted: Counted, tmp_path: Path
) -> None:
    """Whatever size the data have, and whatever size is asked for."""
    path = request.getfixturevalue(what)
    made = draft_new(Registry(tmp_path / "registry"), "dcgan", {"data": str(path), **size})
    assert made.recipe.config.size == size.get("size", 64)
    made.source.load(size=made.recipe.config.size, held_out=0.1)
    assert counted() == Counter(resolve=1, read=1, split=1, **({"decode": 1} if what == "photos" else {}))


def test_a_draft_decodes_nothing(photos: Path, counted: Counted, tmp_path: Path) -> None:
    draft_new(Registry(tmp_path / "registry"), "dcgan", {"data": str(photos)})
    assert counted()["decode"] == 0


@pytest.mark.parametrize(
    ("name", "native"), [("digits", (8, 8)), ("dots", (16, 16)), ("photos", (64, 64)), ("arrays", (48, 48))]
)
def test_the_native_size(name: str, native: tuple[int, int], request: pytest.FixtureRequest) -> None:
    path = str(request.getfixturevalue(name)) if name in ("photos", "arrays") else name
    source = Source(path, zoo())
    assert source.native == native
    assert (source.dataset is None) == (name in ("photos", "arrays"))
    shape = source.load().training.shape
    assert (shape.height, shape.width) == native


def test_it_gives_what_load_gives(photos: Path) -> None:
    source = Source(str(photos), zoo())
    assert source.native == (decode.FILES_SIZE, decode.FILES_SIZE)
    once, again = source.load(size=8, held_out=0.2), load_images(str(photos), zoo(), size=8, held_out=0.2)
    assert once.training.digest == again.training.digest
    assert once.held_out is not None
    assert again.held_out is not None
    assert once.held_out.digest == again.held_out.digest


def test_nothing_of_that_name() -> None:
    with pytest.raises(NotFoundError):
        Source("no-such-set", zoo())
    with pytest.raises(NotFoundError):
        load("no-such-set", zoo())
