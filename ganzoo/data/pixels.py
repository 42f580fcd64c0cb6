"""From the bytes of one image file to its pixels: upright, on white, 8 bits, one channel or three, at one size."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError, _imaging

from ganzoo.data.allocation import Allowance, fits, require
from ganzoo.data.containers import Container, Damaged, unpack
from ganzoo.data.square import fit

FINER = 4
"""How many times finer than wanted a JPEG is still decoded: what is left to the filter is then all but the same."""

STRIP = 2**18
"""Pixels that are put on white at once."""

BLOCK = 2**26
"""Bytes of the blocks in which Pillow takes memory; blocks of more than 32 MiB always go back to the system."""

LARGE = 2**26
"""Bytes from which on it is asked, for each image, whether there are so many: the answer takes a millisecond."""

_BYTES = {"PNG": 8, "JPEG": 8, "WEBP": 24}
"""Most bytes a pixel that decoding takes: four as decoded and four as converted, and what the decoder itself keeps."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each of EXIF's orientations."""


def give_memory_back() -> None:
    """Have Pillow take memory so that it can be given back: each thread would keep that of its largest image."""
    _imaging.set_block_size(BLOCK)


def decode_file(data: bytes, size: int, allowance: Allowance) -> NDArray[np.uint8]:
    """The pixels [C, size, size] of an image file, C = 1 or 3: the largest centred square.

    Raises:
        Damaged: it is no image, or has more pixels than Pillow's ``MAX_IMAGE_PIXELS``.
        DoesNotFit, MemoryError: there is too little memory for it.
        Exception: Pillow's decoders raise anything for a damaged file.
    """
    container = unpack(data)
    del data  # for as long as it waits, it is held once
    _check_size(container)
    need = _need(container, size)
    with allowance.take(need):
        if need >= LARGE:
            what = f"its {container.width:,}x{container.height:,} pixels, for {size:,}x{size:,},"
            require(need, what, hint="free some memory, or choose a smaller --size; or make the file smaller")
        try:
            return _pixels(container, size)
        except Exception as error:
            if not fits(need):  # decoders that are refused memory say that the file is broken
                raise MemoryError from error
            raise


def _check_size(container: Container) -> None:
    pixels, limit = container.width * container.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise Damaged(f"Image size ({pixels} pixels) exceeds limit of {limit} pixels")
    if not pixels:
        raise Damaged("damaged: it has no pixels")


def _need(container: Container, size: int) -> int:
    """Bytes that decoding takes at most, the encoded file apart."""
    width, height, scale = container.width, container.height, _scale(container, size)
    decoded = _BYTES[container.kind] * (width // scale + 1) * (height // scale + 1)
    return decoded + container.coefficients * width * height + 8 * size * (size + max(width, height) // scale)


def _scale(container: Container, size: int) -> int:
    """By how much a JPEG's decoder can make the image smaller, which costs it less than decoding all."""
    if container.kind != "JPEG":
        return 1
    finest = min(container.width, container.height) // (FINER * size)
    return next((scale for scale in (8, 4, 2) if scale <= finest), 1)


def _pixels(container: Container, size: int) -> NDArray[np.uint8]:
    image, scale = _open(container), _scale(container, size)
    if scale == 1:
        square = fit(_upright(_on_white(image, container), container), size)
    else:  # the decoder rounds up on the right and below, so it is cropped before these are turned elsewhere
        image.draft(None, (container.width // scale, container.height // scale))
        extent = container.width / scale, container.height / scale
        square = _upright(fit(_on_white(image, container), size, extent), container)
    pixels = np.asarray(square)
    return pixels[None] if container.grey else pixels.transpose(2, 0, 1)


def _upright(image: Image.Image, container: Container) -> Image.Image:
    turn = _TURNS.get(container.orientation)
    return image if turn is None else image.transpose(turn)


def _open(container: Container) -> ImageFile.ImageFile:
    try:
        image = Image.open(io.BytesIO(container.data), formats=[container.kind])
    except UnidentifiedImageError:
        raise Damaged(f"damaged, or a {container.kind} of a form that is not read") from None
    if image.size != (container.width, container.height):
        raise Damaged("damaged: its headers differ")
    return image


def _on_white(image: Image.Image, container: Container) -> Image.Image:
    """The whole image in mode L or RGB; strip by strip where it is converted in several steps, to take less memory."""
    mode = "L" if container.grey else "RGB"
    if image.mode != "I;16" and container.key is None and not image.has_transparency_data:
        return image if image.mode == mode else image.convert(mode)  # or Pillow would copy it
    low = _low_bytes(container) if container.key and (container.depth, mode) == (16, "RGB") else None
    flat = Image.new(mode, image.size)
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        strip = image.crop(box)
        if image.mode == "I;16" or container.key is not None:
            strip = _keyed(strip, low.crop(box) if low else None, container)
        else:
            opaque = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque).convert(mode)
        flat.paste(strip, box)
    return flat


def _keyed(strip: Image.Image, low: Image.Image | None, container: Container) -> Image.Image:
    """The upper 8 bits of each value, white where the file says that its value is transparent.

    Args:
        low: the lower 8 bits, of colours in 16 bits.
    """
    values = np.asarray(strip.convert("L") if strip.mode == "1" else strip)
    if low is not None:
        values = np.asarray(low).astype(np.uint16) | values.astype(np.uint16) << 8
    upper = (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values.copy()
    if container.key is not None:
        # Pillow spreads fewer than 8 bits over all of 0 to 255, the key not.
        spread = 255 // (2**container.depth - 1) if container.depth < 8 else 1
        key = np.array(container.key) * spread
        upper[values == key if values.ndim == 2 else (values == key).all(axis=2)] = 255
    return Image.fromarray(upper)


def _low_bytes(container: Container) -> Image.Image:
    """The lower 8 of 16 bits of each colour: the upper ones, if Pillow is told that bytes come in the other order."""
    image = _open(container)
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    image.load()
    return image
