"""scikit-learn's copy of the UCI test set of optical recognition of handwritten digits (Alpaydin and Kaynak, 1998)."""

from functools import lru_cache

import numpy as np
from sklearn.datasets import load_digits

from ganzoo.data import ImageSet

HOLD_OUT = 5
"""Every fifth image is held out: a model is evaluated by images that it cannot have seen."""


def training() -> ImageSet:
    """The four fifths to train on."""
    return _part(held_out=False)


def held_out() -> ImageSet:
    """The fifth to evaluate by."""
    return _part(held_out=True)


_digits = lru_cache(load_digits)
"""Reading the numbers, which are text, takes a tenth of a second."""


def _part(held_out: bool) -> ImageSet:
    digits = _digits()
    rows = (np.arange(len(digits.images)) % HOLD_OUT == HOLD_OUT - 1) == held_out
    pixels = np.rint(digits.images[rows] * (255 / 16)).astype(np.uint8)  # ink is counted in sixteenths
    return ImageSet(
        pixels=pixels[:, None],
        labels=digits.target[rows].astype(np.int64),
        class_names=tuple(str(name) for name in digits.target_names),
    )
