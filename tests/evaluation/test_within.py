"""Variety within classes: closed forms, and what accuracy alone would not see."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from ganzoo.data import ImageSet, load
from ganzoo.errors import UsageError
from ganzoo.evaluation.criteria import Criteria, choose_criteria
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.within import THUMBNAIL, WithinClasses, class_deviations, thumbnails
from ganzoo.zoo.names import zoo
from ganzoo_plugins.digits.reader import held_out, training

Pixels = NDArray[np.uint8]


def within(pixels: Pixels, labels: list[int] | NDArray[Any], classes: int, batch: int = 3) -> WithinClasses:
    found, labels = WithinClasses(classes), np.asarray(labels)
    for start in range(0, len(pixels), batch):
        found.add(thumbnails(pixels[start : start + batch]), labels[start : start + batch])
    return found


def flat(values: list[int], size: int = 4, channels: int = 1) -> Pixels:
    """One-coloured images."""
    return np.broadcast_to(np.array(values, np.uint8)[:, None, None, None], (len(values), channels, size, size)).copy()


def test_by_hand() -> None:
    """Two values 2d apart have a variance of 2 d^2 in each pixel; the third class has one image, and does not count."""
    real = within(flat([100, 120, 10, 50, 7]), [0, 0, 1, 1, 2], 3)
    fake = within(flat([60, 50, 90, 70, 8]), [0, 1, 1, 0, 2], 3)
    ratios = [10 / 20, 40 / 40]
    assert class_deviations(fake, real) == {
        "class_deviation": pytest.approx(np.mean(ratios)),
        "least_class_deviation": pytest.approx(min(ratios)),
    }


@pytest.mark.parametrize(("size", "channels"), [(4, 1), (8, 3), (16, 1), (28, 1), (32, 3), (100, 1)])
def test_size_and_colour_do_not_matter(size: int, channels: int) -> None:
    real = within(flat([100, 120, 10, 50], size, channels), [0, 0, 1, 1], 2)
    fake = within(flat([60, 64, 90, 70], size, channels), [0, 0, 1, 1], 2)
    assert class_deviations(fake, real)["least_class_deviation"] == pytest.approx(4 / 20)
    assert class_deviations(real, real) == {"class_deviation": 1.0, "least_class_deviation": 1.0}


@pytest.mark.parametrize("size", [8, 16, 28, 32, 64])
def test_thumbnails_are_means_of_cells(size: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, size, size), np.uint8)
    small = thumbnails(pixels)
    side = min(size, THUMBNAIL)
    assert small.shape == (2, 3 * side * side)
    corner = pixels[0, 0, : size // side, : size // side]
    assert small[0, 0] == pytest.approx(corner.mean() - 127.5)
    assert thumbnails(np.full((1, 1, size, size), 200, np.uint8)) == pytest.approx(72.5)


def test_noise_in_single_pixels_is_no_variety() -> None:
    """One picture a class, with noise on it that people would not see as another picture."""
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 2
    noisy = np.clip(flat([128] * 64, 64) + rng.normal(0, 8, (64, 1, 64, 64)), 0, 255).astype(np.uint8)
    real = within(flat(list(rng.integers(60, 200, 64)), 64), labels, 2)
    assert class_deviations(within(noisy, labels, 2), real)["class_deviation"] < 0.08


@given(st.lists(st.integers(0, 255), min_size=2, max_size=9), st.integers(1, 4))
def test_one_picture_a_class_is_exactly_none(values: list[int], times: int) -> None:
    """Whatever the pictures, and however unlike those of different classes are."""
    labels = np.tile(np.arange(len(values)), times + 1)
    real = within(flat([10, 200] * len(values)), np.repeat(np.arange(len(values)), 2), len(values))
    fake = within(flat(values * (times + 1)), labels, len(values))
    assert class_deviations(fake, real) == {"class_deviation": 0.0, "least_class_deviation": 0.0}


def test_classes_that_say_nothing() -> None:
    """Real images that are all the same, and no class of two images: there is no figure."""
    same, one = within(flat([9, 9]), [0, 0], 1), within(flat([9]), [0], 1)
    differing = within(flat([9, 99]), [0, 0], 1)
    assert class_deviations(differing, same) == {}
    assert class_deviations(differing, one) == {}
    assert class_deviations(one, differing) == {}
    assert class_deviations(same, differing) == {"class_deviation": 0.0, "least_class_deviation": 0.0}


def test_what_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="2 classes and 3 cannot be compared"):
        class_deviations(WithinClasses(2), WithinClasses(3))
    with pytest.raises(UsageError, match="labels lie in 0 to 5"):
        WithinClasses(5).add(thumbnails(flat([1, 2])), np.array([0, 5]))


@pytest.fixture(scope="module")
def digits() -> Criteria:
    return choose_criteria("digits", load("digits", zoo()), zoo())


def first_of_class(images: ImageSet) -> dict[int, Pixels]:
    assert images.labels is not None
    return {label: images.pixels[images.labels == label][0] for label in range(10)}


def test_an_accuracy_of_one_is_not_everything(digits: Criteria) -> None:
    """One training image a class has an accuracy of 1; its deviation is 0, and real images' is 1."""
    firsts = first_of_class(training())

    def source(start: int, count: int) -> tuple[Pixels, NDArray[np.int64]]:
        labels = np.arange(start, start + count) % 10
        return np.stack([firsts[int(label)] for label in labels]), labels

    evaluation = Evaluator(replace(digits, n=300)).evaluate({0: source})
    assert evaluation.figures["accuracy"].mean >= 0.9
    assert evaluation.figures["class_deviation"].mean == evaluation.figures["least_class_deviation"].mean == 0
    assert evaluation.floor["class_deviation"] == pytest.approx(1, abs=0.1)
    assert evaluation.floor["least_class_deviation"] > 0.8
    names = list(evaluation.figures)
    assert names.index("class_deviation") == names.index("accuracy") + 1


def test_samples_without_labels_have_none(digits: Criteria) -> None:
    images = held_out()
    figures = Evaluator(replace(digits, n=300)).figures(
        lambda start, count: (images.pixels[start : start + count], None)
    )
    assert {"accuracy", "class_deviation", "least_class_deviation"}.isdisjoint(figures)
