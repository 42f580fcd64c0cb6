"""Samples beside the training images that they are nearest to."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ganzoo.evaluation.nearest import CHUNK, nearest


def images(count: int, seed: int, size: int = 8) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, size, size), np.uint8)


def test_copies_come_first_and_name_their_originals() -> None:
    training, samples = images(CHUNK + 40, 0), images(20, 1)
    samples[7], samples[3] = training[CHUNK + 5], training[11] ^ 1  # a copy, and nearly one
    found = nearest(samples, training, 4)
    assert found.samples[:2].tolist() == [7, 3]
    assert found.training[:2].tolist() == [CHUNK + 5, 11]
    assert found.mirrored[:2].tolist() == [False, False]


def test_mirrored_copies_are_found() -> None:
    """What `--flip` makes of a training image is one of them, too."""
    training, samples = images(CHUNK + 40, 0, size=32), images(20, 1, size=32)
    samples[7], samples[3] = training[CHUNK + 5, :, :, ::-1], training[11]
    found = nearest(samples, training, 2)
    assert found.samples.tolist() == [3, 7]
    assert found.training.tolist() == [11, CHUNK + 5]
    assert found.mirrored.tolist() == [False, True]


def test_it_is_the_nearest_of_all_pairs() -> None:
    samples, training = images(12, 2), images(30, 3)
    both = np.concatenate([training, training[..., ::-1]])
    gaps = np.square(samples[:, None].astype(float) - both[None]).sum(axis=(2, 3, 4))
    found = nearest(samples, training, 12)
    assert (found.training + 30 * found.mirrored).tolist() == gaps.argmin(axis=1)[found.samples].tolist()
    assert found.samples.tolist() == np.argsort(gaps.min(axis=1)).tolist()


def test_large_images_are_compared_small() -> None:
    training = images(5, 4, size=64)
    found = nearest(training[::-1], training, 3)
    assert (found.samples + found.training).tolist() == [4, 4, 4]


def test_of_many_training_images_some_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.evaluation.nearest.MOST", 3)
    training = images(9, 5)
    assert set(nearest(training, training, 9).training.tolist()) == {0, 4, 8}
