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
    ours, theirs = nearest(samples, training, 4)
    assert ours[:2].tolist() == [7, 3]
    assert theirs[:2].tolist() == [CHUNK + 5, 11]


def test_it_is_the_nearest_of_all_pairs() -> None:
    samples, training = images(12, 2), images(30, 3)
    gaps = np.square(samples[:, None].astype(float) - training[None]).sum(axis=(2, 3, 4))
    ours, theirs = nearest(samples, training, 12)
    assert theirs.tolist() == gaps.argmin(axis=1)[ours].tolist()
    assert ours.tolist() == np.argsort(gaps.min(axis=1)).tolist()


def test_large_images_are_compared_small() -> None:
    training = images(5, 4, size=64)
    ours, theirs = nearest(training[::-1], training, 3)
    assert (ours + theirs).tolist() == [4, 4, 4]


def test_of_many_training_images_some_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.evaluation.nearest.MOST", 3)
    training = images(9, 5)
    _, theirs = nearest(training, training, 9)
    assert set(theirs.tolist()) == {0, 4, 8}
