"""The frozen stream in JavaScript is Python's, bit for bit."""

from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganzoo.latents import MAX_SEED, draw

Draw = tuple[str, str, int, int, int]
"""seed, start, count, latent_dim, classes; the first two as digits, because JSON's numbers end at 2^53."""


def in_javascript(node: Any, draws: list[Draw]) -> list[tuple[NDArray[np.float32], list[int] | None]]:
    return [(np.frombuffer(b64decode(z), np.float32), labels) for z, labels in node({"draws": draws})]


def check(node: Any, draws: list[Draw]) -> int:
    """Compare everything; the number of floats."""
    floats = 0
    for (z, labels), asked in zip(in_javascript(node, draws), draws, strict=True):
        seed, start = int(asked[0]), int(asked[1])
        count, latent_dim, classes = asked[2:]
        wanted, wanted_labels = draw(seed, start, count, latent_dim, classes)
        assert (z.view(np.uint32) == wanted.reshape(-1).view(np.uint32)).all(), asked
        assert labels == (None if wanted_labels is None else wanted_labels.tolist()), asked
        floats += z.size
    return floats


def test_golden_values(node: Any) -> None:
    """Those of tests/test_latents.py, which never change."""
    (z, labels), (far, _) = in_javascript(node, [("7", "0", 3, 4, 10), (str(MAX_SEED), str(MAX_SEED), 1, 2, 3)])
    assert z[:4].tolist() == [-0.3895782232284546, 0.708344042301178, -1.8051143884658813, -1.524535059928894]
    assert labels == [6, 8, 0]
    assert far.tolist() == [1.7613193988800049, -1.8013712167739868]


@pytest.mark.parametrize("classes", [0, 1, 2, 3, 10, 64, 1000, 65537])
def test_every_number_of_classes(node: Any, classes: int) -> None:
    check(node, [("7", "0", 200, 3, classes)])


def test_thousands_of_seeds_and_indices(node: Any, tell: Any) -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, MAX_SEED, (4000, 2), np.uint64, endpoint=True).astype(str)
    sizes, classes = rng.integers(1, 130, 4000).tolist(), rng.integers(0, 1000, 4000).tolist()
    draws = [(seed, index, 1, L, K) for (seed, index), L, K in zip(words.tolist(), sizes, classes, strict=True)]
    tell(f"latents in JavaScript: {check(node, draws):,} floats of 4,000 (seed, index) equal bit for bit")
