"""Which version a reference means, and what there is instead if it means none."""

from ganzoo_registry.errors import NotFound, did_you_mean, passed_over
from ganzoo_registry.records import Pointer, Version
from ganzoo_registry.refs import Reference
from ganzoo_registry.shelf import Shelf


def find(shelf: Shelf, wanted: Reference, reference: str) -> Version:
    """The version of ``shelf`` that is meant by ``wanted``, which was written as ``reference``.

    Raises:
        NotFound: there is no such version or alias; the hint says what there is.
        Corrupt, Newer: its record, or the alias's, cannot be read.
    """
    number = wanted.number
    if wanted.alias is not None:
        number = shelf.target(wanted.alias)
        if number is None:
            hint = did_you_mean(wanted.alias, shelf.targets(passed_over))
            hint = hint or f"set it with: ganzoo registry alias {wanted.name}:N {wanted.alias}"
            raise NotFound(f"{wanted.name!r} has no alias {wanted.alias!r}", hint=hint)
    elif wanted.digest is not None:
        live = shelf.live(passed_over)
        number = next((n for n, found in live.items() if found.manifest == wanted.digest), None)
    elif number is None:
        newest = shelf.newest()
        number = newest[0] if newest else None
    pointer = None if number is None else shelf.pointer(number)
    if number is None or pointer is None or pointer.removed:
        raise missing(shelf, reference, pointer)
    return version(shelf, number, pointer)


def known(shelf: Shelf, wanted: Version) -> Pointer:
    """The record of a version, which may have been removed.

    Raises:
        NotFound: it never existed.
    """
    pointer = shelf.pointer(wanted.number)
    if pointer is None or pointer.manifest != wanted.digest:
        raise missing(shelf, str(wanted))
    return pointer


def missing(shelf: Shelf, reference: str, tombstone: Pointer | None = None) -> NotFound:
    """The error to raise where ``reference`` means no version, or one that was removed."""
    numbers = [str(number) for number in shelf.live(passed_over)]
    there = ", ".join(numbers if len(numbers) <= 10 else [numbers[0], "…", *numbers[-8:]])
    fate = f"was removed on {tombstone.removed}" if tombstone else "does not exist"
    return NotFound(f"the version {reference} {fate}", hint=f"versions of {shelf.name!r} that exist: {there or 'none'}")


def version(shelf: Shelf, number: int, pointer: Pointer) -> Version:
    """A version by its record."""
    return Version(shelf.name, number, pointer.manifest, pointer.created)
