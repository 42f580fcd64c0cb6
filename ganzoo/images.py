"""From arrays to pictures: float images to bytes, many images to one grid, and both to files."""

import io
import math
import operator
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ganzoo.errors import NotFiniteError, UsageError
from ganzoo.machine import memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

GAP = 2
"""Pixels between the tiles of a grid."""

MIN_TILE = 48
"""Tiles lower than this many pixels are magnified, so that a person can see what is on them."""


TEXT_HEIGHT, TEXT_GAP = 14, 6
"""Pixels of the names beside rows, and around them."""

PNG_COLOURS = {1: 0, 3: 2, 4: 6}
"""Number of channels -> how a PNG calls it: grey, RGB, RGBA."""

PNG_UP = 2
"""A PNG's filter: each byte of a row is kept as its difference from the one above."""

LARGE = 2**26
"""Bytes of a grid from which on it is asked whether there is memory for it; a server's are smaller."""

IN_HAND = 4
"""Times that a grid is in memory while it becomes a PNG."""


def require_finite(images: "NDArray[np.float32]", start: int = 0) -> None:
    """Refuse NaN and infinity, which a cast to uint8 would hide.

    Args:
        images: [N, ...].
        start: index of the first image, for the message.

    Raises:
        NotFiniteError: names the first image that is not finite.
    """
    import numpy as np

    finite = np.isfinite(images).all(axis=tuple(range(1, images.ndim)))
    if not finite.all():
        raise NotFiniteError(
            f"image {start + int(finite.argmin())} has pixels that are not finite numbers",
            hint="the generator's weights are damaged or its training diverged; use another version",
        )


def to_uint8(images: "NDArray[np.float32]", start: int = 0) -> "NDArray[np.uint8]":
    """Map [-1, 1] to 0..255 as round((x + 1) * 127.5), clamped.

    Args:
        images: [N, C, H, W] in float32.
        start: index of the first image, for the message.

    Returns:
        [N, C, H, W] in uint8.

    Raises:
        NotFiniteError: a pixel is not finite.
    """
    import numpy as np

    require_finite(images, start)
    pixels: NDArray[np.uint8] = np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)
    return pixels


def grid(images: "NDArray[np.uint8]", columns: int | None = None) -> "NDArray[np.uint8]":
    """Lay images out row by row, on white.

    Args:
        images: [N, C, H, W] in uint8, N >= 1.
        columns: tiles a row; by default ceil(sqrt(N)).

    Returns:
        [C, height, width] in uint8. Tiles are ``GAP`` pixels apart, and magnified by the smallest whole
        factor that makes them at least ``MIN_TILE`` pixels high.

    Raises:
        UsageError: no image, ``columns`` < 1 or no whole number, or more images than there is memory for.
    """
    import numpy as np

    count, channels, height, width = images.shape
    try:
        columns = operator.index(columns) if columns is not None else math.ceil(math.sqrt(count))
    except TypeError as error:
        raise UsageError(f"columns: {columns!r} is not a whole number", hint="leave it out for a square") from error
    if count < 1 or columns < 1:
        raise UsageError("a grid needs at least one image and one column", hint="ask for n >= 1")
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    factor = max(1, math.ceil(MIN_TILE / height))
    tall, wide = height * factor + GAP, width * factor + GAP
    need = IN_HAND * channels * rows * tall * columns * wide
    if need >= LARGE and need > memory():
        raise UsageError(
            f"a grid of {count:,} images needs {need / 1e9:.1f} GB of memory, and {memory() / 1e9:.1f} GB are free",
            hint="ask for fewer images, or write an array instead: npy",
        )
    sheet = np.full((channels, rows * tall - GAP, columns * wide - GAP), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * tall, index % columns * wide
        tile = image.repeat(factor, axis=1).repeat(factor, axis=2)
        sheet[:, top : top + tall - GAP, left : left + wide - GAP] = tile
    return sheet


def class_rows(images: "NDArray[np.uint8]", names: Sequence[str]) -> "NDArray[np.uint8]":
    """Lay the images of several classes out, a row a class, with its name at the left.

    Args:
        images: [K * N, C, H, W] in uint8: N of the first class, then N of the next.
        names: of the K classes.

    Returns:
        [C, height, width] in uint8; see ``grid`` and ``named_rows``.
    """
    return named_rows(grid(images, len(images) // len(names)), names)


def named_rows(sheet: "NDArray[np.uint8]", names: Sequence[str]) -> "NDArray[np.uint8]":
    """A grid with a name at the left of each of its rows; one that is not in ASCII is shown as its number.

    Args:
        sheet: [C, height, width] in uint8, as ``grid`` makes it.
        names: of the rows.
    """
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    channels, height, _ = sheet.shape
    font = ImageFont.load_default(TEXT_HEIGHT)
    shown = [name if name.isascii() else str(number) for number, name in enumerate(names)]
    width = math.ceil(max(map(font.getlength, shown))) + 2 * TEXT_GAP
    strip = Image.new("L", (width, height), 255)
    for number, name in enumerate(shown):
        middle = (number + 0.5) * (height + GAP) / len(names)
        ImageDraw.Draw(strip).text((width - TEXT_GAP, middle), name, fill=0, font=font, anchor="rm")
    return np.concatenate([np.broadcast_to(np.asarray(strip), (channels, height, width)), sheet], axis=2)


def encode_png(image: "NDArray[np.uint8]") -> bytes:
    """Encode [C, H, W] in uint8 as PNG: grey, RGB or RGBA for C = 1, 3, 4. One zlib always makes the same bytes.

    Each row is kept as its difference from the one above, of which zlib compresses runs alone. Such files are up to a
    tenth larger than Pillow's, which tries five filters for each row, and take a tenth of its time or less.

    Raises:
        UsageError: C is none of these.
    """
    import numpy as np

    _require_colours(image)
    channels, height, width = image.shape
    rows = image.transpose(1, 2, 0).reshape(height, width * channels)
    lines = np.empty((height, 1 + width * channels), np.uint8)
    lines[:, 0] = PNG_UP
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    squeezed = zlib.compressobj(1, memLevel=9, strategy=zlib.Z_RLE)
    pixels = _chunk(b"IDAT", squeezed.compress(lines.data) + squeezed.flush())
    return png_head(channels, height, width) + pixels + _chunk(b"IEND", b"")


def png_head(channels: int, height: int, width: int) -> bytes:
    """The bytes that every PNG of this size and number of channels begins with, as ``encode_png`` writes it."""
    header = struct.pack(">IIBBBBB", width, height, 8, PNG_COLOURS[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def encode_picture(image: "NDArray[np.uint8]", suffix: str) -> bytes:
    """Encode [C, H, W] in uint8: grey, RGB or RGBA for C = 1, 3, 4.

    Args:
        suffix: one of ``PICTURES``; JPEG loses something, and RGBA is put on white for it.

    Raises:
        UsageError: C is none of these.
    """
    return PICTURES[suffix](image)


def picture(image: "NDArray[np.uint8]") -> "Image":
    """A Pillow image of [C, H, W] in uint8: grey, RGB or RGBA for C = 1, 3, 4.

    Raises:
        UsageError: C is none of these.
    """
    import numpy as np
    from PIL import Image

    _require_colours(image)
    return Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def _by_pillow(image: "NDArray[np.uint8]", form: str, longest: int, **options: Any) -> bytes:
    if max(image.shape[1:]) > longest:
        height, width = image.shape[1:]
        raise UsageError(
            f"a {form} has at most {longest:,} pixels a side, and this picture is {width:,} x {height:,}",
            hint="write a .png, or an array: .npy",
        )
    file = io.BytesIO()
    picture(image).save(file, form, **options)
    return file.getvalue()


def _jpeg(image: "NDArray[np.uint8]") -> bytes:
    return _by_pillow(_on_white(image) if len(image) == 4 else image, "JPEG", 65_500, quality=95)


def _on_white(image: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """RGBA [4, H, W] as RGB, with white where it is transparent."""
    import numpy as np

    colours, opacity = image[:3].astype(np.float32), image[3] / np.float32(255)
    pixels: NDArray[np.uint8] = np.rint(255 + (colours - 255) * opacity).astype(np.uint8)
    return pixels


PICTURES: "Mapping[str, Callable[[NDArray[np.uint8]], bytes]]" = {
    ".png": encode_png,
    ".jpg": _jpeg,
    ".jpeg": _jpeg,
    ".webp": partial(_by_pillow, form="WebP", longest=16_383, lossless=True),
}
"""End of a file's name -> what makes its bytes of [C, H, W] in uint8."""


def _require_colours(image: "NDArray[np.uint8]") -> None:
    if len(image) not in PNG_COLOURS:
        raise UsageError(
            f"a PNG has 1, 3 or 4 channels, and these images have {len(image)}",
            hint="write an array instead: npy",
        )


def encode_npy(images: "NDArray[np.uint8]") -> bytes:
    """Encode images [N, C, H, W] as [N, H, W, C] in NumPy's ``.npy`` format, never pickled."""
    import numpy as np

    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(images.transpose(0, 2, 3, 1)), allow_pickle=False)
    return file.getvalue()
