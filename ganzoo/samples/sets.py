"""Sets of samples, of any size: the same bytes however many threads make them, and after any number of kills."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ganzoo.files import cannot_write, replaceable
from ganzoo.runtime.order import in_order
from ganzoo.samples.arrays import ARRAYS, Array
from ganzoo.samples.pictures import Pictures
from ganzoo.samples.request import Piece, Request, Source
from ganzoo.samples.shards import SHARDS
from ganzoo.samples.unfinished import Unfinished

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.card import GeneratorCard


class Form(Protocol):
    """What a set is written as. ``encode`` is called from several threads, everything else in the order of the images.

    Attributes:
        step: images between two commits.
        at_once: whether images are in their places before they are committed.
        begun: whether any is.
    """

    step: int
    at_once: bool
    begun: bool

    def beside(self) -> str:
        """What to tell of an older set in the same place, in one line; nothing of none.

        Raises:
            UsageError: the two would be taken for one.
        """

    def open(self, done: int) -> None:
        """Begin behind the first ``done`` images, which were committed; what was written behind them is dropped."""

    def encode(self, piece: Piece, images: "NDArray[np.uint8]", labels: "NDArray[np.int64] | None") -> Any:
        """Images [B, C, H, W] and their labels as they are written."""

    def add(self, encoded: Any) -> None:
        """Write them."""

    def commit(self) -> None:
        """Let what was written survive a kill."""

    def finish(self) -> None:
        """Put the whole set in its place."""

    def close(self) -> None:
        """Let go of files, at the end or after an error."""


FORMS: Mapping[str, Callable[[Path, Path, "GeneratorCard", Request], Form]] = {
    **dict.fromkeys(ARRAYS, Array),
    **SHARDS,
    "": Pictures,
}
"""Form -> what writes it to a path, with a directory for what is under way: ``.npy``, ``tar``, or a picture each."""


def unfinished(output: Path, form: str) -> Unfinished:
    """Where what is unfinished of a set is kept, for one of ``FORMS``."""
    if form in ARRAYS:
        real = replaceable(output)
        return Unfinished(real.with_name(f".{real.name}.partial"), output)
    return Unfinished(output / ".partial", output)


def write_set(
    generator: Source,
    request: Request,
    output: Path,
    form: str,
    *,
    workers: int,
    seen: Callable[[int, int], None],
    noted: Callable[[str], None],
) -> None:
    """Write a set, or go on with it where it stopped.

    Args:
        generator: makes the images.
        request: says which.
        output: a file, or the directory of pictures or shards.
        form: one of ``FORMS``.
        workers: threads that make images and encode them.
        seen: is called with how many images there are, and how many there will be.
        noted: is told in one line that it goes on, or that it stopped and can be gone on with.

    Raises:
        UsageError: another set is unfinished there.
        GanzooError: it cannot be written, or the generator failed.
        MissingPackageError: the form needs a package that is not installed.
    """
    work = unfinished(output, form)
    total, committed, whole = request.total, 0, False
    written = FORMS[form](output, work.place, generator.card, request)

    def make(piece: Piece) -> tuple[int, Any]:
        made = generator.pixels(piece.count, request.seed, piece.label, piece.index, request.controls)
        return piece.number + piece.count, written.encode(piece, *made)

    try:
        asked = {**request.to_json(), "form": form}
        with work.held(asked, lambda: written.begun) as committed, closing(written):
            if committed:
                noted(f"Going on behind image {committed:,} of {total:,}.")
            elif note := written.beside():
                noted(note)
            written.open(committed)
            if written.at_once:
                work.commit(committed)
            with closing(in_order(make, request.pieces(committed, written.step), workers)) as pieces:
                for done, encoded in pieces:
                    written.add(encoded)
                    if done % written.step == 0 and done < total:
                        written.commit()
                        work.commit(done)
                        committed = done
                    seen(done, total)
            written.finish()
            work.remove()
            whole = True
    except (NotADirectoryError, FileExistsError) as error:  # a file is where a folder should be
        raise cannot_write(error.filename2 or error.filename or output, error) from error
    except OSError as error:
        raise cannot_write(output, error) from error
    finally:
        if not whole and (committed or written.begun):
            noted(f"Stopped behind image {committed:,} of {total:,}; the same command goes on there.")
