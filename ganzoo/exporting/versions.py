"""Exports a version of the registry; needs torch for nothing but a file in fp32 that is not there yet."""

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, UsageError
from ganzoo.exporting.gates import card_of
from ganzoo.exporting.int8 import to_int8
from ganzoo.exporting.proof import prove_derived
from ganzoo.exporting.record import record_of, recorded
from ganzoo.exporting.uint8 import to_uint8
from ganzoo.files import cannot_write, write_atomic
from ganzoo.runtime.card import ATTACHMENT, INT8, GeneratorCard
from ganzoo.runtime.file import SUFFIX
from ganzoo.zoo.foreign import survived
from ganzoo_registry import Registry, Version

if TYPE_CHECKING:
    from ganzoo.exporting.convert import Graph


@dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Args:
        version: the version in the registry.
        path: the file that was written, or None.
        report: gate -> what it found; empty where an earlier export was only copied.
        record: what the file says of its export; see ``ganzoo.exporting.record``.
    """

    version: Version
    path: Path | None
    report: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


def export_version(
    store: Registry,
    version: Version,
    output: Path | None = None,
    opset: int | None = None,
    force: bool = False,
    graph: "Graph | None" = None,
    int8: bool = False,
    uint8: bool = False,
    check: bool = False,
) -> ExportResult:
    """Export ``version`` through every gate and attach the file to it; see ``ganzoo.export``.

    Args:
        graph: how its generator computes, if that is known already.

    Raises:
        UsageError: ``output`` is not the name of an ONNX file, or there is none for ``uint8``.
        GanzooError: a gate did not pass, and nothing is written; or ``output`` cannot be.
    """
    if output is not None:
        _check_output(output, version.name)
    elif uint8 and not check:
        raise UsageError(
            "--uint8 makes a file for other programs, which needs a name", hint=f"-o {version.name}{SUFFIX}"
        )
    anew = force or check
    held = store.kinds(version)
    made = _whole(store, version, opset, anew, graph)
    kinds = [(ATTACHMENT, made)]
    if int8:
        kind = f"{ATTACHMENT}-{INT8}"
        try:
            made = _kept(store, version, kind, anew=anew or bool(made.report)) or _derived(made, to_int8, "in int8")
        except GanzooError:
            if made.report and not check and (force or ATTACHMENT not in held):
                _attach(store, version, ATTACHMENT, made, force)  # it passed its gates
            raise
        kinds.append((kind, made))
    if uint8:
        made = _derived(made, to_uint8, "with pixels")
    if check:
        return ExportResult(version, None, made.report, made.record)
    if output:
        write_atomic(output, made.data)
    # Of another opset, and not to replace what is attached: for ``output`` alone, whatever was made of it.
    other = output and opset is not None and ATTACHMENT in held and not force
    for kind, file in kinds:  # last, so that a registry that takes nothing costs no file
        if file.report and not other and (force or not (kind in held and output)):
            _attach(store, version, kind, file, force)
    return ExportResult(version, output, made.report, made.record)


@dataclass(frozen=True)
class _File:
    """An ONNX file: its bytes, what each gate found (empty: it was there already), and the record of its export."""

    data: bytes
    report: Mapping[str, str]
    record: Mapping[str, Any]


def _whole(store: Registry, version: Version, opset: int | None, anew: bool, graph: "Graph | None") -> _File:
    """The file in fp32."""
    if kept := _kept(store, version, ATTACHMENT, anew=anew or opset is not None):
        return kept
    from ganzoo.exporting.exporter import export
    from ganzoo.exporting.rebuilding import rebuild

    generator, card = rebuild(store, version)
    with survived(f"the generator of {version}"):
        data, report = export(generator, card, opset, graph)
    return _recorded(data, report)


def _kept(store: Registry, version: Version, kind: str, anew: bool) -> _File | None:
    """The file that is attached already; None: there is none, or it is to be made anew."""
    if anew or kind not in store.kinds(version):
        return None
    data = store.read(version, kind)
    return _File(data, {}, record_of(data))


def _derived(origin: _File, made: Callable[[bytes, GeneratorCard], bytes], form: str) -> _File:
    """A file that is made of another one."""
    card = card_of(origin.data)
    data = made(origin.data, card)
    return _recorded(data, prove_derived(data, card.name, origin.data, form), origin.record)


def _recorded(data: bytes, report: Mapping[str, str], origin: Mapping[str, Any] | None = None) -> _File:
    file, record = recorded(data, card_of(data), report, origin)
    return _File(file, report, record)


def _attach(store: Registry, version: Version, kind: str, file: _File, force: bool) -> None:
    main, _, variant = kind.partition("-")
    store.attach(version, main, file.data, variant=variant or None, force=force)


def _check_output(path: Path, name: str) -> None:
    """Refuse, before the work, a place that cannot be written to, or a name that would not be opened as a file."""
    if not str(path).lower().endswith(SUFFIX):
        place = name if os.path.exists(path) else path
        raise UsageError(
            f"cannot export to {str(path)!r}: what does not end in {SUFFIX} is taken for a model's name",
            hint=f"-o {place}{SUFFIX}",
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"cannot export to {path}: it is not a regular file", hint=f"-o {name}{SUFFIX}")
    if not os.path.isdir(path.parent):
        raise cannot_write(path, FileNotFoundError(errno.ENOENT, ""))
