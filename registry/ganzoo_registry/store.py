"""The registry: models, their versions and what belongs to them.

The file system is the truth::

    oci-layout                                    that it is a registry, and of which format
    blobs/sha256/<hex>                            content, immutable: weights, graphs, lineage, manifests
    models/<name>/versions/<N>                    {manifest, created}; writing this file is the commit
    models/<name>/attachments/<N>/<kind>          {digest, size}: what was added to a version later
    models/<name>/aliases/<alias>/<seq>           {version, at, by}: one file per move, so the history too
    tmp/                                          files in the making; whatever is left there means nothing

What has none of these names, or is not a file where one should be, belongs to other programs and is passed over. A
link that leads nowhere, what the system refuses to look at, and a version's number that is missing among the others, or
that an attachment or a move alone tells of, are damaged records.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganzoo_registry import garbage, layout, lookup
from ganzoo_registry.blobs import Blobs, digest_of
from ganzoo_registry.content import Content
from ganzoo_registry.disk import Disk
from ganzoo_registry.documents import lineage_text
from ganzoo_registry.errors import (
    Conflict,
    Corrupt,
    NotFound,
    NotWritable,
    RegistryError,
    Told,
    did_you_mean,
    passed_over,
    raised,
    telling,
)
from ganzoo_registry.records import BlobInfo, LogEntry, Manifest, Pointer, Version
from ganzoo_registry.refs import NAME, Reference, check_alias, check_kind, check_name, check_new_name
from ganzoo_registry.shelf import Shelf


class Registry:
    """A registry in the directory ``root``, which is made absolute.

    Opening one creates nothing, and reading needs no right to write: a registry that does not exist yet is an
    empty one. Any number of threads and processes may write at the same time.

    Every method raises NotWritable if the system refuses, Corrupt if it meets bytes that have changed, and Newer if it
    meets what a newer ganzoo wrote. Where a record cannot be read, a listing raises its error, unless it is given
    ``damaged``: then that is told of each such record, and the rest is listed.
    """

    def __init__(self, root: Path) -> None:
        try:
            self.root = Path(root).absolute()
        except OSError as error:
            raise NotWritable(
                f"the working directory cannot be used: {error.strerror}", hint="go to another"
            ) from error
        self._disk = Disk(self.root)
        self._blobs = Blobs(self._disk)

    # writing

    def prepare(self, name: str) -> None:
        """Prove that a version of ``name`` can be registered, and attached to. Nothing of the proof is left.

        Raises:
            InvalidName: ``name`` is malformed.
            RegistryError: what is there is not a registry of this format.
            NotWritable: a place that registering needs cannot be made or written to.
        """
        shelf = Shelf(self._disk, check_new_name(name))
        layout.check(self._disk)
        self._disk.prove([self.root, self._blobs.directory, *shelf.places()])

    def register(self, name: str, blobs: Mapping[str, bytes | Path], lineage: Mapping[str, Any]) -> Version:
        """Store a version, durably: it exists when this call returns, and not before its last step.

        If a live version of ``name`` has the same content and lineage already, that one is returned, so a failed
        call can simply be repeated.

        Args:
            name: the model's name; the model need not exist.
            blobs: kind -> content; a Path is streamed.
            lineage: JSON by which the version could be made again.

        Raises:
            InvalidName: ``name`` or a kind is malformed.
            RegistryError: a file cannot be read, or ``lineage`` is not JSON.
        """
        check_new_name(name)
        for kind in blobs:
            check_name(kind, "a kind of content")
        record = lineage_text(lineage)
        self._begin()
        with self._disk.locked(self._blobs.directory, alone=False):
            return self._commit(Shelf(self._disk, name), blobs, record)

    def _commit(self, shelf: Shelf, blobs: Mapping[str, bytes | Path], record: bytes) -> Version:
        kinds = {kind: self._blobs.put(data) for kind, data in blobs.items()}
        manifest = Manifest(kinds, self._blobs.put(record).digest).encode()
        # A version's manifest is there before the version: where it is new, only versions from now on can have it.
        last = shelf.last()
        since = 0 if self._blobs.has(digest_of(manifest)) else last
        digest = self._blobs.put(manifest).digest
        self._disk.settle(self._blobs.directory)
        number, pointer = shelf.add(digest, since=since)
        return lookup.version(shelf, number, pointer)

    def attach(
        self,
        version: Version,
        kind: str,
        data: bytes | Path,
        *,
        variant: str | None = None,
        force: bool = False,
    ) -> None:
        """Add content to a version that exists, as ``kind`` or ``kind-variant``.

        Attaching the same content again changes nothing.

        Raises:
            InvalidName: ``kind`` or ``variant`` is malformed.
            NotFound: the version was removed.
            Conflict: other content is there already and ``force`` is not set, or the version was registered
                with this kind.
        """
        label = check_kind(kind if variant is None else f"{check_kind(kind)}-{check_kind(variant)}")
        shelf = self._shelf(version.name)
        if (pointer := lookup.known(shelf, version)).removed:
            raise lookup.missing(shelf, str(version), pointer)
        if label in self._content(version).manifest.kinds:
            raise Conflict(f"the {label} of {version} cannot change", hint="register a new version")
        refusal = Conflict(f"{version} has another {label} already", hint="replace it with --force")
        if not force:
            attached = shelf.attachment(version.number, label)
            if attached and attached.digest != digest_of(data):
                raise refusal
        self._begin()
        with self._disk.locked(self._blobs.directory, alone=False):
            info = self._blobs.put(data)
            self._disk.settle(self._blobs.directory)
            if not shelf.attach(version.number, label, info, force=force):
                raise refusal

    def alias(self, reference: str, alias: str, *, expect: int | None = None) -> None:
        """Let ``alias`` stand on the version that ``reference`` names. The former moves stay on record.

        Args:
            expect: the version number that the alias must stand on now, 0 for none (compare-and-swap). If it stands on
                the wanted version already, the call succeeds.

        Raises:
            InvalidName, NotFound: ``reference`` or ``alias`` is malformed, or there is no such version.
            Conflict: the alias stands elsewhere than ``expect``.
        """
        version = self.resolve(reference)
        check_alias(alias)
        self._begin()
        Shelf(self._disk, version.name).move(alias, version.number, expect=expect, since=version.created)

    def unalias(self, name: str, alias: str, *, expect: int | None = None) -> None:
        """Take an alias away. Its moves stay on record, and it can be set again.

        Args:
            name: the model's name.
            expect: see ``alias``.

        Raises:
            InvalidName, NotFound: a name is malformed, or the alias stands on no version.
            Conflict: it stands elsewhere than ``expect``.
        """
        check_alias(alias)
        shelf = self._shelf(name)
        self._begin()
        shelf.take_away(alias, expect=expect)

    def remove(self, version: Version) -> None:
        """Remove a version; its number is never given again. Removing it twice changes nothing.

        Raises:
            NotFound: it never existed.
            Conflict: an alias stands on it.
        """
        shelf = self._shelf(version.name)
        self._bury(shelf, version.number, lookup.known(shelf, version))

    def discard(self, reference: str) -> None:
        """Remove a version, ``name:3``, whose record is damaged or missing; its number is never given again.

        If it is missing, those next to it that are missing, too, are removed with it.

        Raises:
            NotFound: it never existed.
            Conflict: its record is whole, or an alias stands on it.
        """
        wanted = Reference.parse(reference)
        shelf, number = self._shelf(wanted.name), wanted.number or 0
        try:
            pointer = shelf.pointer(number)
        except Corrupt:
            missing = shelf.gap(number) or [number]
            self._bury(shelf, missing[-1], Pointer(since=missing[0] if len(missing) > 1 else None))
            return
        if pointer is None:
            raise lookup.missing(shelf, reference)
        raise Conflict(f"the record of {reference} is whole", hint=f"ganzoo registry rm {reference}")

    # models and versions

    def names(self) -> list[str]:
        """The models that have a version."""
        names = []
        for shelf in self._shelves():
            lives = True  # also where its newest version cannot be read
            with telling(passed_over):
                lives = shelf.newest() is not None
            if lives:
                names.append(shelf.name)
        return names

    def newest(self, damaged: Told = raised) -> list[Version]:
        """The newest version of each model."""
        found = []
        for shelf in self._shelves():
            with telling(damaged):
                if newest := shelf.newest():
                    found.append(lookup.version(shelf, *newest))
        return found

    def versions(self, name: str, damaged: Told = raised) -> list[Version]:
        """A model's versions, ascending, without the removed ones.

        Raises:
            NotFound: no version of it was ever registered.
        """
        shelf = self._shelf(name)
        return [lookup.version(shelf, number, pointer) for number, pointer in shelf.live(damaged).items()]

    def resolve(self, reference: str) -> Version:
        """The version meant by ``name`` (the newest), ``name:3``, ``name@alias`` or ``name@sha256:…``.

        Raises:
            InvalidName: ``reference`` is none of these.
            NotFound: there is no such model, version or alias; the hint says what there is.
        """
        wanted = Reference.parse(reference)
        return lookup.find(self._shelf(wanted.name), wanted, reference)

    def aliases(self, name: str, damaged: Told = raised) -> dict[str, int]:
        """Alias -> the version number that it stands on.

        Raises:
            NotFound: no version of ``name`` was ever registered.
        """
        return self._shelf(name).targets(damaged)

    def log(self, name: str, damaged: Told = raised) -> list[LogEntry]:
        """What happened to a model, oldest first: registrations, removals and each move of an alias.

        Raises:
            NotFound: no version of it was ever registered.
        """
        return self._shelf(name).log(damaged)

    def faults(self) -> list[RegistryError]:
        """What is wrong: places that cannot be written to, records and manifests that cannot be read; not content."""
        found: list[RegistryError] = []
        with telling(found.append):
            layout.check(self._disk)
        with telling(found.append):
            shelves = list(self._shelves())
            for shelf in shelves:
                with telling(found.append):
                    self._check(shelf, found.append)
            places = [place for shelf in shelves for place in shelf.places()]
            self._disk.prove([self.root, self._blobs.directory, self.root / "models", *places])
        return list({str(fault): fault for fault in found}.values())  # a place may be met by several of these

    def _check(self, shelf: Shelf, damaged: Told) -> None:
        shelf.check(damaged)
        for number, pointer in shelf.live(passed_over).items():
            with telling(damaged):
                Content(self._blobs, shelf, lookup.version(shelf, number, pointer))

    # content

    def kinds(self, version: Version) -> Mapping[str, BlobInfo]:
        """What a version holds: kind -> blob, attachments included (a variant's is ``kind-variant``).

        The record of an attachment is read when its value is asked for.
        """
        return self._content(version).kinds

    def read(self, version: Version, kind: str) -> bytes:
        """The content of one kind, verified.

        Raises:
            NotFound: the version has no such kind.
        """
        return self._content(version).read(kind)

    def path(self, version: Version, kind: str) -> Path:
        """The file with the content of one kind, verified just now. It belongs to the registry: never change it.

        Raises:
            NotFound: the version has no such kind.
        """
        return self._content(version).path(kind)

    def lineage(self, version: Version) -> dict[str, Any]:
        """The lineage that the version was registered with, verified."""
        return self._content(version).lineage()

    def unused(self, *, grace: float = garbage.GRACE_SECONDS) -> list[BlobInfo]:
        """Content that no version holds, and that was stored more than ``grace`` seconds ago.

        Raises:
            Corrupt, Newer: a record or manifest cannot be read, so that it is not known what is held.
        """
        return garbage.find(self._disk, self._blobs, self._shelves, grace)

    def collect(self, *, grace: float = garbage.GRACE_SECONDS) -> list[BlobInfo]:
        """Remove what ``unused`` lists, and return it. What a version holds stays, and so does what an alias stands on.

        Raises:
            Corrupt, Newer: see ``unused``; nothing is removed.
            NotWritable: the file system has no locks.
        """
        if not layout.check(self._disk):
            return []
        return garbage.remove(self._disk, self._blobs, self._shelves, grace)

    # inside

    def _begin(self) -> None:
        """What every write begins with: only a registry of this format is written to."""
        if not layout.check(self._disk):
            layout.publish(self._disk)

    def _bury(self, shelf: Shelf, number: int, pointer: Pointer) -> None:
        def unreadable(error: RegistryError) -> None:
            if not isinstance(error, Corrupt):  # an alias whose record is damaged stands nowhere
                raise error

        holders = [alias for alias, target in shelf.targets(unreadable).items() if target == number]
        if holders and not pointer.removed:
            raise Conflict(
                f"alias {holders[0]!r} stands on {shelf.name}:{number}",
                hint=f"move it, or take it away: ganzoo registry alias {shelf.name} {holders[0]} --delete",
            )
        self._begin()
        shelf.bury(number, pointer)

    def _content(self, version: Version) -> Content:
        return Content(self._blobs, Shelf(self._disk, version.name), version)

    def _shelves(self) -> Iterator[Shelf]:
        names = self._disk.directories(self.root / "models")
        return (Shelf(self._disk, name) for name in sorted(names) if NAME.fullmatch(name))

    def _shelf(self, name: str) -> Shelf:
        shelf = Shelf(self._disk, check_name(name))
        if shelf.is_empty():
            hint = did_you_mean(name, self.names()) or "it is empty; train something: ganzoo train --model wgan-gp"
            raise NotFound(f"no model {name!r} in the registry {self.root}", hint=hint)
        return shelf
