"""Which images a set of samples has, and in which order."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.card import GeneratorCard

PIECE = 64
"""Most images that a worker makes and encodes at once."""


class Source(Protocol):
    """What images come from: an ``ImageGenerator``, or one with latents of a file.

    Attributes:
        card: what the generator says of itself.
        sha256: a digest of all that the images depend on beside the request.
    """

    card: "GeneratorCard"
    sha256: str

    def pixels(
        self, n: int, seed: int, label: str | None, start: int, controls: Mapping[str, float | str]
    ) -> "tuple[NDArray[np.uint8], NDArray[np.int64] | None]":
        """See ``ganzoo.runtime.sampling.Sampling``."""

    def resolve_controls(self, given: Mapping[str, float | str]) -> Mapping[str, float]:
        """See ``ganzoo.runtime.sampling.Sampling``."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Images of a set that follow one another, all of one class.

    Args:
        number: of the first one, within the set.
        index: of the first one, within the seed.
        count: how many there are.
        label: the name of their class; None: each image's is drawn from the seed, or there is none.
    """

    number: int
    index: int
    count: int
    label: str | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """The images ``start .. start + each`` of a seed, of each of several classes.

    Args:
        generator: the digest of what makes the images; see ``Source``.
        seed: 0 to 2^64 - 1.
        start: index of the first image.
        each: number of images of each class, or of all where none is named.
        classes: names of the classes, whose images come one class after the other.
        controls: some of the generator's controls.
    """

    generator: str
    seed: int
    start: int
    each: int
    classes: tuple[str, ...] = ()
    controls: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many images there are in all."""
        return self.each * max(1, len(self.classes))

    def pieces(self, first: int, step: int) -> Iterator[Piece]:
        """All from the image number ``first`` on, none of which crosses a multiple of ``step``."""
        while first < self.total:
            which, offset = divmod(first, self.each)
            count = min(PIECE, self.each - offset, step - first % step)
            yield Piece(first, self.start + offset, count, self.classes[which] if self.classes else None)
            first += count

    def to_json(self) -> dict[str, Any]:
        """What tells this request from another."""
        return {**asdict(self), "classes": list(self.classes), "controls": dict(self.controls)}
