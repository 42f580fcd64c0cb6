"""What default training on digits is worth, judged by images that no model has seen.

The bars: a sample counts as a digit if it lies within the radius, around the training images, that holds 95 % of the
held-out ones. Pixel noise scores 0.2 %, one Gaussian fitted to the training images 19 %, held-out digits 95 %.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.svm import SVC

import ganzoo
from ganzoo.data import ImageSet
from ganzoo_plugins.digits.reader import held_out, training

Rows = NDArray[np.float64]


def rows(pixels: NDArray[np.uint8]) -> Rows:
    return pixels.reshape(len(pixels), -1) / 255


def nearest(samples: Rows, images: ImageSet) -> tuple[Rows, NDArray[np.int64]]:
    """Distance to, and label of, the nearest of ``images``."""
    references = rows(images.pixels)
    squares = (samples**2).sum(1)[:, None] + (references**2).sum(1) - 2 * samples @ references.T
    assert images.labels is not None
    return np.sqrt(np.maximum(squares.min(1), 0)), images.labels[squares.argmin(1)]


def share_of_digits(samples: Rows) -> tuple[float, set[int]]:
    """The share of samples within the radius, and the classes that those cover."""
    real, _ = nearest(rows(held_out().pixels), training())
    distance, label = nearest(samples, training())
    good = distance <= np.quantile(real, 0.95)
    return float(good.mean()), set(label[good].tolist())


def test_the_bar_tells_digits_from_noise_and_from_a_gaussian() -> None:
    rng = np.random.default_rng(0)
    real = rows(training().pixels)
    noise, _ = share_of_digits(rng.random((1000, 64)))
    fitted = rng.multivariate_normal(real.mean(0), np.cov(real.T), 1000)
    gaussian, _ = share_of_digits(np.clip(fitted, 0, 1))
    assert noise < 0.01
    assert 0.1 < gaussian < 0.3
    assert share_of_digits(rows(held_out().pixels))[0] == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("model", ["dcgan", "wgan-gp"])
def test_most_samples_are_digits_and_all_ten_are_there(
    model: str, train: Callable[[str], str], trained_registry: Path, tell: Callable[[str], None]
) -> None:
    generator = ganzoo.load(train(model), registry=trained_registry, device="cpu")
    share, classes = share_of_digits(rows(generator.sample(1000, seed=1)))
    tell(f"{model}: {share:.1%} of 1,000 samples lie among the digits")
    assert share >= 0.60
    assert classes == set(range(10))


def test_conditional_samples_are_what_was_asked_for(
    train: Callable[[str], str], trained_registry: Path, tell: Callable[[str], None]
) -> None:
    images, unseen = training(), held_out()
    classifier = SVC(gamma=0.3).fit(rows(images.pixels), images.labels)
    accuracy = classifier.score(rows(unseen.pixels), unseen.labels)
    assert accuracy >= 0.96
    generator = ganzoo.load(train("conditional"), registry=trained_registry, device="cpu")
    hits = [classifier.predict(rows(generator.sample(50, seed=label, label=label))) == label for label in range(10)]
    share = float(np.mean(hits))
    tell(f"conditional: {share:.1%} of 500 are the label asked for (classifier: {accuracy:.1%} on held-out digits)")
    assert share >= 0.90


def test_conditional_is_accurate_and_near(
    train: Callable[[str], str], trained_registry: Path, tell: Callable[[str], None]
) -> None:
    """Its default training: nearly every image is of its class, and the distance is within three of real images'."""
    (judged,) = ganzoo.evaluate([train("conditional")], registry=trained_registry, device="cpu").values()
    accuracy, distance, floor = judged.figures["accuracy"].mean, judged.figures["fd"].mean, judged.floor["fd"]
    tell(f"conditional: accuracy {accuracy:.3f}, FD {distance:.1f} (real images {floor:.1f})")
    assert accuracy >= 0.99
    assert distance <= 3 * floor
