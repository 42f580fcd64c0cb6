"""The formats in which images are answered."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo.images import encode_npy, encode_png, grid

Facts = Callable[[], Mapping[str, object]]


@dataclass(frozen=True)
class Format:
    """A format.

    Args:
        meaning: what the answer is, for people.
        media_type: as HTTP calls it.
        encode: (images [n, C, H, W] in uint8, what else is known of them) -> the answer.
    """

    meaning: str
    media_type: str
    encode: Callable[[NDArray[np.uint8], Facts], bytes]


def _column(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[n, C, H, W] -> [C, n * H, W]."""
    count, channels, height, width = images.shape
    return images.transpose(1, 0, 2, 3).reshape(channels, count * height, width)


def _json(images: NDArray[np.uint8], facts: Facts) -> bytes:
    count, channels, height, width = images.shape
    pictures = [base64.b64encode(encode_png(image)).decode() for image in images]
    answer = {**facts(), "shape": [count, height, width, channels], "images": pictures}
    return json.dumps(answer, ensure_ascii=False).encode()


FORMATS: Mapping[str, Format] = {
    "grid": Format("one PNG with all images side by side", "image/png", lambda images, _: encode_png(grid(images))),
    "png": Format(
        "one PNG, pixel for pixel, below one another", "image/png", lambda images, _: encode_png(_column(images))
    ),
    "npy": Format("uint8 [n, H, W, C]", "application/octet-stream", lambda images, _: encode_npy(images)),
    "json": Format("seed, class names, and a PNG of each image in base64", "application/json", _json),
}
DEFAULT_FORMAT = "grid"
