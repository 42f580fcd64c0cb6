"""What of an image is kept, and how it is resampled."""

from PIL import Image

FILTER = Image.Resampling.LANCZOS
"""Resampling filter, antialiased: it averages over all pixels that go into one."""


def fit(image: Image.Image, size: int, extent: tuple[float, float] | None = None) -> Image.Image:
    """The largest centred square of ``image``, resampled to size x size.

    Args:
        extent: width and height in pixels of ``image``, where a decoder has rounded them up; None: its own.
    """
    width, height = extent or image.size
    if (width, height) == (size, size):
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((size, size), FILTER, box=(left, top, left + side, top + side))
