"""What a file may unpack to: need is held against what is there, before it is taken."""

from ganzoo.data.allocation import require
from ganzoo.errors import UsageError

EXPANSION = 250
"""Most bytes that one byte of a file of images may stand for. Photographs come to 2 to 20, drawings to 50; a file that
was made to fill the memory comes to 1,000."""

HARMLESS = 2**28
"""Bytes that are never too many."""


def require_memory(what: object, need: int, stored: int | None = None) -> None:
    """Refuse what does not fit into memory, or is no file of images but one that was made to fill it.

    Args:
        what: the file, for the message.
        need: bytes that it takes in memory.
        stored: bytes of the compressed file that they come from; None: nothing is unpacked.

    Raises:
        UsageError: it is refused.
    """
    if stored is not None and need > max(HARMLESS, EXPANSION * stored):
        raise UsageError(
            f"{what}: its {stored:,} bytes claim to be {need:,} when unpacked, as no images are",
            hint="is this the right file?",
        )
    require(need, f"the contents of {what}", "use fewer or smaller images, or end other programs")
