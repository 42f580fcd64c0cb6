"""Pictures in motion, as one file: WebP and APNG by Pillow, MP4 where PyAV is installed."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, MissingPackageError

if TYPE_CHECKING:
    from PIL.Image import Image

LOSSLESS_BYTES = 48 * 1024
"""Most bytes of a WebP's frame encoded without loss; a larger one, as of photographs, is encoded with some."""

QUALITY = 80
"""libwebp's quality, 0 to 100, of frames encoded with loss."""

EFFORT = 1
"""libwebp's ``method``, 0 (fast) to 6: grids of small images become no smaller above 1."""

RATE_FACTOR = 18
"""x264's constant rate factor, 0 (without loss) to 51: at 18 no loss is seen."""


def encode_webp(frames: "Iterator[Image]", durations: int | Sequence[int], lossless: bool | None = None) -> bytes:
    """An animated WebP, which repeats for ever.

    Args:
        frames: of one size, at least one.
        durations: of a frame, in milliseconds, or of each.
        lossless: whether nothing is lost; None: if the first frame has at most ``LOSSLESS_BYTES`` then.

    Raises:
        GanzooError: this Pillow cannot write WebP.
    """
    first = next(frames)
    if lossless is None:
        lossless = len(encode_webp(iter([first]), 1, lossless=True)) <= LOSSLESS_BYTES
    quality = 0 if lossless else QUALITY  # for frames without loss it says how hard to try
    options = {"lossless": lossless, "quality": quality, "method": EFFORT}
    return _by_pillow("WebP", first, frames, durations, options)


def encode_apng(frames: "Iterator[Image]", durations: int) -> bytes:
    """An animated PNG, which repeats for ever and loses nothing. Arguments: as ``encode_webp``."""
    first, *others = frames  # which Pillow goes through twice
    return _by_pillow("PNG", first, others, durations, {})


def encode_mp4(frames: "Iterator[Image]", durations: int) -> bytes:
    """An MP4 in H.264; a white line is added to an odd side, which it cannot have. Arguments: as ``encode_webp``.

    Raises:
        MissingPackageError: PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "MP4 films need the package av, which is not installed",
            hint='pip install "ganzoo[film]"; or write a .webp, which needs nothing',
        ) from error
    import numpy as np
    from PIL import Image

    file, first = io.BytesIO(), next(frames)
    size = (first.width + first.width % 2, first.height + first.height % 2)
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=round(1000 / durations), options={"crf": str(RATE_FACTOR)})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for frame in chain([first], frames):
            even = Image.new("RGB", size, "white")
            even.paste(frame)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(even), format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


FILMS: "Mapping[str, Callable[[Iterator[Image], int], bytes]]" = {
    ".webp": encode_webp,
    ".png": encode_apng,
    ".mp4": encode_mp4,
}
"""End of a film's name -> what makes its bytes of frames, each of so many milliseconds."""


def _by_pillow(
    form: str, first: "Image", others: "Iterable[Image]", durations: int | Sequence[int], options: Mapping[str, Any]
) -> bytes:
    from PIL import Image

    Image.init()
    if form.upper() not in Image.SAVE_ALL:
        raise GanzooError(f"this Pillow cannot write {form}", hint="pip install --force-reinstall pillow")
    file = io.BytesIO()
    first.save(file, form.upper(), save_all=True, append_images=others, duration=durations, loop=0, **options)
    return file.getvalue()
