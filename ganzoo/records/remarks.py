"""What people write on a version: tags and a note. Both are attachments, so that a copied registry has them, too."""

from collections.abc import Mapping

from ganzoo.errors import UsageError
from ganzoo_registry import BlobInfo, Registry, Version
from ganzoo_registry.refs import KIND

TAG, NOTE = "tag", "note"
"""Kinds of attachments; a tag's variant is its name, and its content is empty where it was taken away."""

LONGEST = 1000
"""Most characters of a note."""


def tags(kinds: Mapping[str, BlobInfo]) -> list[str]:
    """The tags among what a version holds, sorted; see ``Registry.kinds``."""
    return sorted(kind.removeprefix(f"{TAG}-") for kind in kinds if is_tag(kind) and kinds[kind].size)


def tag(store: Registry, version: Version, name: str, *, on: bool = True) -> None:
    """Give a version a tag, or take it away; each is a record of its own, so that nobody undoes another's.

    Raises:
        UsageError: ``name`` cannot be a tag.
    """
    if not KIND.fullmatch(name):
        hint = "use 1 to 64 of a-z, 0-9, '_' and '-', with a letter or digit at both ends"
        raise UsageError(f"{name!r:.80} cannot be a tag", hint=hint)
    if on or f"{TAG}-{name}" in store.kinds(version):  # none is read: a damaged one can be taken away
        store.attach(version, TAG, b"tagged" if on else b"", variant=name, force=True)


def note(store: Registry, version: Version, kinds: Mapping[str, BlobInfo]) -> str:
    """A version's note; empty if there is none among what it holds."""
    return store.read(version, NOTE).decode("utf-8", "replace") if NOTE in kinds else ""


def write_note(store: Registry, version: Version, text: str) -> None:
    """Write a version's note over the one that it has; an empty text takes it away.

    Raises:
        UsageError: it is too long.
    """
    if len(text) > LONGEST:
        raise UsageError(
            f"a note has at most {LONGEST:,} characters, and this one {len(text):,}", hint="give a shorter one"
        )
    if text or NOTE in store.kinds(version):
        store.attach(version, NOTE, text.encode("utf-8", "replace"), force=True)


def is_tag(kind: str) -> bool:
    """Whether an attachment is a tag."""
    return kind.startswith(f"{TAG}-")
