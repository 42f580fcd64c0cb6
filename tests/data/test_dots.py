"""Dots: 25 places, and which samples count as one of them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganzoo.errors import ExitCode, UsageError
from ganzoo_plugins.dots.modes import MODES, NEAR, TOLERANCE
from ganzoo_plugins.dots.reader import JITTER, PLACES, blobs, held_out, training

MIDDLE = (7.5, 7.5)


def dot(*centres: tuple[float, float], width: float = 1.2, ink: float = 255) -> NDArray[np.uint8]:
    """One sample [1, 1, 16, 16], written in another way than the data set's."""
    rows, columns = np.mgrid[:16, :16]
    squares = [(rows - row) ** 2 + (columns - column) ** 2 for row, column in centres]
    image = ink * np.sum([np.exp(-square / (2 * width**2)) for square in squares], 0)
    sample: NDArray[np.uint8] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return sample[None, None]


def mode(sample: NDArray[np.uint8]) -> int:
    (found,) = MODES.assign(sample)
    return int(found)


def test_the_set() -> None:
    for images, a_place in ((training(), 800), (held_out(), 200)):
        assert images.pixels.shape == (25 * a_place, 1, 16, 16)
        assert images.class_names[:2] + images.class_names[-1:] == ("1-1", "1-2", "5-5")
        assert np.bincount(images.labels).tolist() == [a_place] * 25  # type: ignore[arg-type]


def test_the_set_never_changes() -> None:
    assert training().digest == "sha256:19fe951a018b82c3a1281d1846bdaa68498bb62b2401541d28537ca348894b07"
    assert held_out().digest == "sha256:570305cc0435cb4675a22f483528225e9f593853254051f00cf98788fa8190b7"


def test_hardly_a_held_out_dot_is_trained_on() -> None:
    """Some independent draws are so close that they round to one image."""
    seen = {image.tobytes() for image in training().pixels}
    assert np.mean([image.tobytes() in seen for image in held_out().pixels]) < 0.01


def test_dots_lie_around_their_places_as_the_docstring_says() -> None:
    images = training()
    weights = images.pixels[:, 0] / images.pixels[:, 0].sum((1, 2), keepdims=True)
    rows, columns = np.mgrid[:16, :16]
    centres = np.stack([(weights * axis).sum((1, 2)) for axis in (rows, columns)], 1)
    offsets = centres - PLACES[images.labels]
    assert np.abs(offsets.mean(0)).max() < 0.01
    assert offsets.std(0) == pytest.approx([JITTER, JITTER], rel=0.03)
    np.testing.assert_array_equal(PLACES[[0, 1, 5, 24]], [(2.5, 2.5), (2.5, 5.0), (5.0, 2.5), (12.5, 12.5)])


def test_real_dots_are_good_and_cover_the_modes() -> None:
    for images in (training(), held_out()):
        found = MODES.assign(images.pixels)
        assert found.dtype == np.int64
        good = found >= 0
        assert good.mean() >= 0.999
        np.testing.assert_array_equal(found[good], images.labels[good])  # type: ignore[index]
        assert len(set(found[good].tolist())) == MODES.count == 25


@pytest.mark.parametrize(
    "sample",
    [
        dot(MIDDLE),
        dot((7.5, 7.5 + NEAR - 0.02)),
        dot(MIDDLE, ink=180),
        dot(MIDDLE, width=1.4),
        np.clip(dot(MIDDLE).astype(np.int64) + np.random.default_rng(0).integers(0, 4, (16, 16)), 0, 255),
    ],
    ids=["ideal", "near", "fainter", "wider", "on grey noise"],
)
def test_a_dot_with_small_faults_is_good(sample: Any) -> None:
    assert mode(sample.astype(np.uint8)) == 12


@pytest.mark.parametrize(
    "sample",
    [
        np.zeros((1, 1, 16, 16), np.uint8),
        np.full((1, 1, 16, 16), 255, np.uint8),
        dot((7.5, 7.5 + NEAR + 0.02)),
        dot((7.5, 8.75)),
        dot((8.75, 8.75)),
        dot((0, 0)),
        dot((-5, -5)),
        dot((2.5, 2.5), (12.5, 12.5)),
        dot((2.5, 7.5), MIDDLE),
        dot((2.5, 7.5), (12.5, 7.5)),
        dot((5.0, 7.5), MIDDLE),
        dot(*((row, column) for row, column in PLACES)),
        dot(MIDDLE, ink=127),
        dot(MIDDLE, width=1.6),
        dot(MIDDLE, width=0.7),
        255 - dot(MIDDLE),
    ],
    ids=[
        "empty",
        "white",
        "far",
        "between two places",
        "between four places",
        "in the corner",
        "outside",
        "two, around a third place",
        "two, on the same column",
        "two, with the centroid on a place",
        "two neighbours",
        "all at once",
        "half the brightness",
        "4/3 the width",
        "narrow",
        "negative",
    ],
)
def test_what_is_no_dot_at_a_place(sample: NDArray[np.uint8]) -> None:
    assert mode(sample) == -1


def test_noise_is_no_dot() -> None:
    rng = np.random.default_rng(0)
    assert (MODES.assign(rng.integers(0, 256, (1000, 1, 16, 16), dtype=np.uint8)) == -1).all()
    sparse = np.where(rng.random((1000, 1, 16, 16)) < 0.05, 255, 0).astype(np.uint8)
    assert (MODES.assign(sparse) == -1).all()


def test_the_tolerance_is_a_move_of_four_standard_deviations() -> None:
    here, there = blobs(np.array([MIDDLE, (7.5, 7.5 + 4 * JITTER)]))
    assert np.linalg.norm(here - there) / np.linalg.norm(here) == pytest.approx(TOLERANCE, rel=1e-3)


def test_no_sample() -> None:
    assert MODES.assign(np.zeros((0, 1, 16, 16), np.uint8)).shape == (0,)


def test_samples_of_another_shape() -> None:
    with pytest.raises(UsageError) as caught:
        MODES.assign(np.zeros((4, 3, 32, 16), np.uint8))
    assert str(caught.value) == "the places of dots are known for 1 x 16 x 16, not for 3 x 32 x 16"
    assert caught.value.hint == "train with --size 16, or without --size"
    assert caught.value.exit_code == ExitCode.USAGE
