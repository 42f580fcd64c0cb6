"""The extractor that is made of a data set's training images: repeatable, cached, and by these images alone."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ganzoo.data import ImageSet, Split
from ganzoo.errors import GanzooError, UsageError
from ganzoo.evaluation import FeatureExtractor, Moments, frechet_distance
from ganzoo.evaluation.criteria import choose_criteria
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.specs import Extractor
from ganzoo.testing import PluginConformance
from ganzoo.zoo.discovery import Manager, Plugin, State
from ganzoo.zoo.names import Zoo, zoo
from ganzoo_plugins.digits import reader
from ganzoo_plugins.own import making

Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "STEPS", 3)


class TestConformance(PluginConformance):
    plugin = "own"


def images(count: int = 20, channels: int = 1, size: int = 8, labelled: bool = True, seed: int = 0) -> ImageSet:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, channels, size, size), np.uint8)
    if not labelled:
        return ImageSet(pixels=pixels)
    return ImageSet(pixels=pixels, labels=np.arange(count) % np.int64(3), class_names=("a", "b", "é"))


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., FeatureExtractor]:
    """``opened(images, …)``: what images are evaluated with."""

    def opened(given: ImageSet, **options: Any) -> FeatureExtractor:
        return open_extractor("own", zoo(), device="cpu", threads=1, images=given, **options)

    return opened


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "extractors").glob("*/*.onnx"))


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    for name in ("a.onnx", "b.onnx"):
        torch.rand(7)  # what was drawn before does not count
        torch.random.set_rng_state(before)
        making.write(tmp_path / name, images())
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("channels", "size", "labelled"), [(1, 4, True), (3, 12, False), (3, 64, False), (1, 100, True)]
)
def test_images_of_any_size(opened: Callable[..., FeatureExtractor], channels: int, size: int, labelled: bool) -> None:
    given = images(10, channels, size, labelled)
    extractor = opened(given)
    features, logits = extractor(given.pixels)
    assert features.shape == (10, making.EMBEDDING + sum(making.WIDTHS))
    assert (features >= 0).all()
    assert extractor.class_names == (given.class_names if labelled else ())
    assert (logits.shape == (10, 3)) if logits is not None else not labelled


def test_both_kinds_of_features_count_alike(opened: Callable[..., FeatureExtractor]) -> None:
    given = images(100)
    features, _ = opened(given)(given.pixels)
    totals = [part.var(axis=0).sum() for part in np.split(features, [making.EMBEDDING], axis=1)]
    assert totals == pytest.approx([1, 1], rel=1e-3)


def test_it_is_made_once_and_again_if_it_is_damaged(opened: Callable[..., FeatureExtractor], tmp_path: Path) -> None:
    notes: list[str] = []
    first = opened(images(), noted=notes.append)
    assert notes == ["building the extractor own of 20 training images, once"]
    (path,) = cached(tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == first.sha256
    assert opened(images(), noted=notes.append).sha256 == first.sha256
    assert len(notes) == 1
    path.write_bytes(path.read_bytes()[:-1])
    assert opened(images(), noted=notes.append).sha256 == first.sha256
    assert len(notes) == 2
    opened(images(labelled=False))
    assert len(cached(tmp_path)) == 2


WITHOUT_TORCH = """
import sys
sys.modules |= dict.fromkeys(("torch", "onnx", "onnxscript"))
import numpy as np
from ganzoo.data import ImageSet
from ganzoo.errors import MissingPackageError
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.zoo.names import zoo
for path in sys.argv[1:]:
    try:
        print(open_extractor("own", zoo(), device="cpu", images=ImageSet(pixels=np.load(path))).sha256)
    except MissingPackageError as error:
        print(error)
"""


def test_to_use_it_takes_no_torch(opened: Callable[..., FeatureExtractor], tmp_path: Path) -> None:
    known, other = images(labelled=False), images(labelled=False, seed=1)
    made = opened(known)
    np.save(tmp_path / "known.npy", known.pixels)
    np.save(tmp_path / "other.npy", other.pixels)
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "known.npy"), str(tmp_path / "other.npy")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [made.sha256, "this needs the package torch, which is not installed"]
    assert len(list((tmp_path / "cache/extractors").iterdir())) == 2  # the lock, and the one that was made


def test_another_recipe_is_another_file(tmp_path: Path) -> None:
    for recipe in (1, 2):
        spec = Extractor(name="mine", builder="ganzoo_plugins.own.making:write", from_images=True, recipe=recipe)
        here = {"name": "x", "distribution": "acme", "version": "1", "location": "", "target": "x", "api": "v1"}
        theirs = Zoo(Manager([Plugin(**here, state=State.ACTIVE, specs=(spec,))]))
        assert open_extractor("mine", theirs, device="cpu", images=images()).name == "mine"
    assert len({path.parent for path in cached(tmp_path)}) == 2


def test_a_set_without_an_extractor_has_its_own_by_its_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[ImageSet] = []
    write = making.write

    def watched(path: Path, part: ImageSet) -> None:
        given.append(part)
        write(path, part)

    monkeypatch.setattr(making, "write", watched)
    parts = Split(training=images(), held_out=images(seed=1))
    source = tmp_path / "photos.npz"
    source.touch()
    found = choose_criteria(str(source), parts, zoo(), device="cpu")
    assert found.extractor is not None
    assert (found.extractor.name, found.features) == ("own", making.EMBEDDING + sum(making.WIDTHS))
    assert [part.digest for part in given] == [parts.training.digest]
    assert choose_criteria("dots", parts, zoo(), device="cpu").extractor is None  # its modes are known


def test_a_cache_that_cannot_be_written(
    opened: Callable[..., FeatureExtractor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(GanzooError, match=r"cannot keep extractor 'own' in .*: Not a directory") as caught:
        opened(images())
    assert caught.value.hint == "set GANZOO_CACHE to a directory that can be written to"


def test_without_images_there_is_none() -> None:
    with pytest.raises(UsageError, match="is built of a data set's images, and there are none here"):
        open_extractor("own", zoo())


def test_a_view_is_moved_and_hidden_and_nothing_else() -> None:
    torch.manual_seed(0)
    shown = torch.arange(1.0, 257.0).view(1, 1, 16, 16).expand(50, 3, 16, 16)
    viewed = making.view(shown)
    assert viewed.shape == shown.shape
    assert set(viewed.flatten().tolist()) <= {0.0, *shown.flatten().tolist()}
    hidden = (viewed == 0).float().mean((1, 2, 3))
    assert hidden.min() > 0
    assert hidden.max() <= (9 / 16) ** 2


def test_the_loss_is_that_of_two_views() -> None:
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    unit = rows / rows.norm(dim=1, keepdim=True)
    wanted = 0.0
    for i in range(6):
        alike = [float(unit[i] @ unit[j]) / making.TEMPERATURE for j in range(6) if j != i]
        wanted += np.log(np.exp(alike).sum()) - float(unit[i] @ unit[(i + 3) % 6]) / making.TEMPERATURE
    assert float(making.instance_loss(rows)) == pytest.approx(wanted / 6, rel=1e-5)


def test_more_damage_is_farther_away(tell: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Blur, noise and missing classes of handwritten digits, without their labels."""
    monkeypatch.setattr(making, "STEPS", 150)
    training, real = reader.training(), reader.held_out()
    network = making.train(ImageSet(pixels=training.pixels[:1000]))
    random = np.random.default_rng(0)
    fair, labels = training.pixels[1000:], np.asarray(training.labels)[1000:]

    def distance(pixels: Pixels) -> float:
        moments = Moments(), Moments()
        for each, part in zip(moments, (real.pixels, pixels), strict=True):
            with torch.no_grad():
                made = network(torch.from_numpy(part))
            assert isinstance(made, torch.Tensor)
            each.add(made.numpy())
        return frechet_distance(*moments)

    def blurred(sigma: float) -> Pixels:
        return np.asarray(gaussian_filter(fair.astype(np.float64), (0, 0, sigma, sigma)).round().astype(np.uint8))

    def noisy(sigma: float) -> Pixels:
        return np.asarray((fair + random.normal(size=fair.shape) * sigma).clip(0, 255).round().astype(np.uint8))

    for name, levels in {
        "blur": [blurred(sigma) for sigma in (0.4, 0.6, 0.9, 1.4)],
        "noise": [noisy(sigma) for sigma in (15, 30, 60, 100)],
        "classes": [fair[random.choice(np.flatnonzero(labels >= least), len(fair))] for least in (2, 4, 6, 9)],
    }.items():
        found = [distance(fair), *map(distance, levels)]
        tell(f"own features, {name}: " + ", ".join(f"{value:.3f}" for value in found))
        assert found == sorted(found)
