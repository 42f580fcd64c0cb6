"""What is in a data set, in numbers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.config import HELD_OUT_SHARE
from ganzoo.data.imageset import ImageSet
from ganzoo.data.load import load
from ganzoo.data.split import Split
from ganzoo.errors import UsageError, check_whole
from ganzoo.zoo.names import Zoo

COUNTED = 2**22
"""Values that are counted at once; NumPy takes 8 bytes for each."""

IMPLAUSIBLE = 128
"""Most that the darkest and the brightest of all values are apart where that is doubted: half of what there is."""


def described(source: str, zoo: Zoo, size: int | None, held_out: float | None) -> dict[str, Any]:
    """See ``ganzoo.api.describe_data``."""
    if size is not None:
        check_whole(size, "size", 1)
    share = HELD_OUT_SHARE if held_out is None else held_out
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise UsageError(f"held_out: {share!r} is not a share of the images", hint="give a number from 0 to below 1")
    return {"source": source, **facts(load(source, zoo, size=size, held_out=share))}


def facts(data: Split) -> dict[str, Any]:
    """Counts, size, classes, digest, and each channel's mean and standard deviation, as JSON.

    Returns:
        ``count``, ``held_out``, ``groups`` and ``held_out_groups`` (0 where the set has none), ``channels``,
        ``height``, ``width``, ``classes`` (name -> images), ``mean`` and ``standard_deviation`` (a number a channel, 0
        to 255), ``digest``, ``skipped``, ``notes`` (lines that a person should read), ``warning`` (see ``warning``);
        all but those called ``held_out`` describe the images to train on.
    """
    images = data.training
    labels = images.labels if images.labels is not None else np.zeros(0, np.int64)
    counts = np.bincount(labels, minlength=len(images.class_names))
    means, deviations = channel_statistics(images)
    return {
        "count": len(images),
        "held_out": len(data.held_out) if data.held_out else 0,
        "groups": _groups(images),
        "held_out_groups": _groups(data.held_out),
        "channels": images.shape.channels,
        "height": images.shape.height,
        "width": images.shape.width,
        "classes": {name: int(count) for name, count in zip(images.class_names, counts, strict=True)},
        "mean": means,
        "standard_deviation": deviations,
        "digest": images.digest,
        "skipped": len(images.skipped),
        "notes": list(images.told),
        "warning": warning(images),
    }


def _groups(images: ImageSet | None) -> int:
    return 0 if images is None or images.groups is None else len(np.unique(images.groups))


def channel_statistics(images: ImageSet) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, 0 to 255.

    They come from the channel's histogram of 256 values, which is exact for any number of images.
    """
    values = np.arange(256)
    channels = images.shape.channels
    counts = np.zeros((channels, 256))
    for part in _parts(images):
        counts += np.stack([np.bincount(part[:, channel].ravel(), minlength=256) for channel in range(channels)])
    shares = counts / counts.sum(1, keepdims=True)
    means = shares @ values
    return means.round(2).tolist(), np.sqrt(shares @ values**2 - means**2).round(2).tolist()


def warning(images: ImageSet) -> str | None:
    """What is odd about the range of all values, in a line, such as only 0 and 1; None: nothing.

    It is the whole set that counts: dark images, and some that are all black, are no mistake where others are bright.
    It looks no further than to the first images that show that.
    """
    low, high = 255, 0
    for part in _parts(images):
        low, high = min(low, int(part.min())), max(high, int(part.max()))
        if high - low > IMPLAUSIBLE:
            return None
    return (
        f"pixels lie in {low} to {high} of 255; masks of class numbers, 12 bits stored in 16, and values that were "
        "scaled twice look like that"
    )


def spread(images: ImageSet, count: int) -> NDArray[np.uint8]:
    """Up to ``count`` images [n, C, H, W], evenly from all over the set, because a folder's come class by class."""
    rows: NDArray[np.uint8] = images.pixels[np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)]
    return rows


def _parts(images: ImageSet) -> Iterator[NDArray[np.uint8]]:
    rows = max(1, COUNTED // images.pixels[0].size)
    for first in range(0, len(images), rows):
        yield images.pixels[first : first + rows]
