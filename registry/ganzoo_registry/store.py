"""The registry: models, their versions and what belongs to them.

The file system is the truth::

    oci-layout
    blobs/sha256/<hex>                            content, immutable: weights, graphs, lineage, manifests
    models/<name>/versions/<N>                    {manifest, created}; writing this file is the commit
    models/<name>/attachments/<N>/<kind>          {digest, size}: what was added to a version later
    models/<name>/aliases/<alias>/<seq>           {version, at, by}: one file per move, so the history too
    tmp/                                          files in the making; whatever is left there means nothing
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganzoo_registry.blobs import Blobs, digest_of
from ganzoo_registry.disk import Disk
from ganzoo_registry.errors import Conflict, NotFound, RegistryError, did_you_mean
from ganzoo_registry.records import FORMAT, BlobInfo, LogEntry, Manifest, Pointer, Version, canonical
from ganzoo_registry.refs import NAME, Reference, check_alias, check_name
from ganzoo_registry.shelf import Shelf

_LAYOUT = canonical({"imageLayoutVersion": "1.0.0", "ganzooRegistryFormat": FORMAT})


class Registry:
    """A registry in the directory ``root``.

    Opening one creates nothing, and reading needs no right to write: a registry that does not exist yet is an
    empty one. Any number of threads and processes may write at the same time.

    Every method raises NotWritable if the system refuses, and Corrupt if it meets bytes that have changed.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._disk = Disk(self.root)
        self._blobs = Blobs(self._disk)

    # writing

    def prepare(self) -> None:
        """Make the registry's directory if it is not there, and prove that it can be written to.

        Raises:
            RegistryError: what is there is not a registry of this format.
            NotWritable: the directory cannot be made or written to.
        """
        path = self.root / "oci-layout"
        found = self._disk.read(path)
        if found not in (None, _LAYOUT):
            raise RegistryError(
                f"{self.root} is not a registry of this format ({FORMAT})",
                hint="pip install --upgrade ganzoo, or choose another place with --registry DIR",
            )
        with self._disk.staged([_LAYOUT]) as staged:  # if the layout is there already, staging is the proof
            if found is None:
                self._disk.publish(staged, path)

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
        check_name(name)
        for kind in blobs:
            check_name(kind, "kind of content")
        record = canonical(dict(lineage))
        self.prepare()
        kinds = {kind: self._blobs.put(data) for kind, data in blobs.items()}
        manifest = Manifest(kinds, self._blobs.put(record).digest)
        digest = self._blobs.put(manifest.encode()).digest
        self._disk.settle(self._blobs.directory)
        number, pointer = Shelf(self._disk, name).add(digest)
        return _version(name, number, pointer)

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
        check_name(kind, "kind of content")
        label = f"{kind}-{check_name(variant, 'variant')}" if variant is not None else kind
        shelf = self._living(version)
        if label in self._manifest(version).kinds:
            raise Conflict(f"the {label} of {version} cannot change", hint="register a new version")
        refusal = Conflict(f"{version} has another {label} already", hint="replace it with --force")
        if not force:
            attached = shelf.attachment(version.number, label)
            if attached and attached.digest != digest_of(data):
                raise refusal
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
        shelf = Shelf(self._disk, version.name)
        shelf.move(check_alias(alias), version.number, expect=expect, since=version.created)

    def remove(self, version: Version) -> None:
        """Remove a version; its number is never given again. Removing it twice changes nothing.

        Raises:
            NotFound: it never existed.
            Conflict: an alias stands on it.
        """
        shelf, pointer = self._known(version)
        holders = [alias for alias, number in self.aliases(version.name).items() if number == version.number]
        if holders and pointer.removed is None:
            raise Conflict(
                f"alias {holders[0]!r} stands on {version}",
                hint=f"move it first: ganzoo registry alias {version.name}:N {holders[0]}",
            )
        shelf.bury(version.number, pointer)

    # models and versions

    def names(self) -> list[str]:
        """The models that have a version."""
        names = self._disk.names(self.root / "models")
        return sorted(n for n in names if NAME.fullmatch(n) and Shelf(self._disk, n).newest() is not None)

    def versions(self, name: str) -> list[Version]:
        """A model's versions, ascending, without the removed ones.

        Raises:
            NotFound: no version of it was ever registered.
        """
        return [_version(name, number, pointer) for number, pointer in self._shelf(name).live().items()]

    def resolve(self, reference: str) -> Version:
        """The version meant by ``name`` (the newest), ``name:3``, ``name@alias`` or ``name@sha256:…``.

        Raises:
            InvalidName: ``reference`` is none of these.
            NotFound: there is no such model, version or alias; the hint says what there is.
        """
        wanted = Reference.parse(reference)
        shelf = self._shelf(wanted.name)
        number = wanted.number
        if wanted.alias is not None:
            number = shelf.target(wanted.alias)
            if number is None:
                hint = did_you_mean(wanted.alias, shelf.aliases())
                hint = hint or f"set it with: ganzoo registry alias {wanted.name}:N {wanted.alias}"
                raise NotFound(f"{wanted.name!r} has no alias {wanted.alias!r}", hint=hint)
        elif wanted.digest is not None:
            number = next((n for n, found in shelf.live().items() if found.manifest == wanted.digest), None)
        elif number is None:
            number = shelf.newest()
        pointer = None if number is None else shelf.pointer(number)
        if number is None or pointer is None or pointer.removed is not None:
            raise self._no_version(shelf, reference, pointer)
        return _version(wanted.name, number, pointer)

    def aliases(self, name: str) -> dict[str, int]:
        """Alias -> the version number that it stands on.

        Raises:
            NotFound: no version of ``name`` was ever registered.
        """
        shelf = self._shelf(name)
        targets = ((alias, shelf.target(alias)) for alias in shelf.aliases())
        return {alias: number for alias, number in targets if number is not None}

    def log(self, name: str) -> list[LogEntry]:
        """What happened to a model, oldest first: registrations, removals and each move of an alias.

        Raises:
            NotFound: no version of it was ever registered.
        """
        return self._shelf(name).log()

    # content

    def kinds(self, version: Version) -> dict[str, BlobInfo]:
        """What a version holds: kind -> blob, attachments included (a variant's is ``kind-variant``)."""
        kinds = dict(self._manifest(version).kinds)
        shelf = Shelf(self._disk, version.name)
        for kind in shelf.attachments(version.number):
            if attached := shelf.attachment(version.number, kind):
                kinds[kind] = attached
        return kinds

    def read(self, version: Version, kind: str) -> bytes:
        """The content of one kind, verified.

        Raises:
            NotFound: the version has no such kind.
        """
        return self._blobs.read(self._digest(version, kind), f"{version} ({kind})")

    def path(self, version: Version, kind: str) -> Path:
        """The file with the content of one kind, verified just now. It belongs to the registry: never change it.

        Raises:
            NotFound: the version has no such kind.
        """
        return self._blobs.path(self._digest(version, kind), f"{version} ({kind})")

    def lineage(self, version: Version) -> dict[str, Any]:
        """The lineage that the version was registered with, verified."""
        data = self._blobs.read(self._manifest(version).lineage, f"{version} (lineage)")
        lineage: dict[str, Any] = json.loads(data)
        return lineage

    # inside

    def _manifest(self, version: Version) -> Manifest:
        return Manifest.decode(self._blobs.read(version.digest, f"{version} (manifest)"), str(version))

    def _digest(self, version: Version, kind: str) -> str:
        registered = self._manifest(version).kinds
        if kind in registered:
            return registered[kind].digest
        shelf = Shelf(self._disk, version.name)
        attachments = shelf.attachments(version.number)
        attached = shelf.attachment(version.number, kind) if kind in attachments else None
        if attached is None:
            raise NotFound(f"{version} has no {kind!r}", hint=did_you_mean(kind, [*registered, *attachments]))
        return attached.digest

    def _shelf(self, name: str) -> Shelf:
        shelf = Shelf(self._disk, check_name(name))
        if not shelf.numbers():
            hint = did_you_mean(name, self.names()) or "it is empty: ganzoo train registers what it trains"
            raise NotFound(f"no model {name!r} in the registry {self.root}", hint=hint)
        return shelf

    def _known(self, version: Version) -> tuple[Shelf, Pointer]:
        shelf = self._shelf(version.name)
        pointer = shelf.pointer(version.number)
        if pointer is None or pointer.manifest != version.digest:
            raise self._no_version(shelf, str(version), None)
        return shelf, pointer

    def _living(self, version: Version) -> Shelf:
        shelf, pointer = self._known(version)
        if pointer.removed is not None:
            raise self._no_version(shelf, str(version), pointer)
        return shelf

    def _no_version(self, shelf: Shelf, reference: str, tombstone: Pointer | None) -> NotFound:
        numbers = [str(number) for number in shelf.live()]
        known = ", ".join(numbers if len(numbers) <= 10 else [numbers[0], "…", *numbers[-8:]])
        fate = f"was removed on {tombstone.removed}" if tombstone else "does not exist"
        return NotFound(
            f"the version {reference} {fate}",
            hint=f"versions of {shelf.name!r} that exist: {known or 'none'}",
        )


def _version(name: str, number: int, pointer: Pointer) -> Version:
    return Version(name, number, pointer.manifest, pointer.created)
