"""Films of samples: a walk from image to image of a seed, and back to the first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo.images import grid, picture, to_uint8
from ganzoo.latents import draw, slerp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ganzoo.runtime.generator import ImageGenerator

FRAME_MS = 40
"""A frame's duration: 25 a second, which WebP, APNG and MP4 all have exactly."""

SIDE = 256
"""Frames of smaller images are magnified, by the smallest whole factor that makes them as high."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A closed walk on a sphere of latents.

    Args:
        seed: whose images it goes through.
        start: index of the first one.
        stops: how many images it goes through.
        steps: frames from one to the next.
        classes: indices of the classes that are seen side by side; none: the one of the first image, if there are any.
        controls: some of the generator's controls.
    """

    seed: int
    start: int
    stops: int
    steps: int
    classes: tuple[int, ...]
    controls: Mapping[str, float]

    @property
    def total(self) -> int:
        """Number of frames."""
        return self.stops * self.steps


def frames(generator: "ImageGenerator", walk: Walk) -> "Iterator[Image]":
    """The frames of a walk; the last is a step before the first.

    Raises:
        GanzooError: the generator made pixels that are not finite.
    """
    import numpy as np

    known = len(generator.card.class_names)
    stops, drawn = draw(walk.seed, walk.start, walk.stops, generator.card.latent_dim, known)
    shown = np.array(walk.classes, np.int64) if walk.classes or drawn is None else drawn[:1]
    for stop in range(walk.stops):
        for z in slerp(stops[stop], stops[(stop + 1) % walk.stops], walk.steps + 1)[:-1]:
            beside = z[None].repeat(max(1, len(shown)), axis=0)
            images = generator.run(beside, shown if known else None, walk.controls)
            yield picture(_magnified(grid(to_uint8(images)) if len(images) > 1 else to_uint8(images)[0]))


def _magnified(image: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    factor = max(1, -(-SIDE // image.shape[1]))
    return image.repeat(factor, axis=1).repeat(factor, axis=2)
