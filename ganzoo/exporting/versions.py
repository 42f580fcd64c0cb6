"""Exports a version of the registry."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.config import convert
from ganzoo.errors import UsageError
from ganzoo.exporting.convert import Graph
from ganzoo.exporting.exporter import export
from ganzoo.files import cannot_write, write_atomic
from ganzoo.networks.build import build_generator
from ganzoo.networks.weights import load_network
from ganzoo.runtime.card import ATTACHMENT, GeneratorCard
from ganzoo.runtime.file import SUFFIX
from ganzoo.specs import Architecture, ImageShape
from ganzoo.zoo.foreign import survived
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, Version

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "generator-ema"
"""Kind of the weights that are exported: the generator's average."""


@dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Args:
        version: the version in the registry.
        path: the file that was written, or None.
        report: gate -> what it found; empty where an earlier export was only copied.
    """

    version: Version
    path: Path | None
    report: Mapping[str, str] = field(default_factory=dict)


def export_version(
    store: Registry,
    version: Version,
    output: Path | None = None,
    opset: int | None = None,
    force: bool = False,
    graph: Graph | None = None,
) -> ExportResult:
    """Export ``version`` through every gate and attach the file to it; see ``ganzoo.export``.

    Args:
        graph: how its generator computes, if that is known already.

    Raises:
        UsageError: ``output`` is not the name of an ONNX file.
        GanzooError: a gate did not pass, and nothing is written; or ``output`` cannot be.
    """
    if output is not None:
        _check_output(output, version.name)
    attached = ATTACHMENT in store.kinds(version)
    report: Mapping[str, str] = {}
    if attached and opset is None and not force:
        data = store.read(version, ATTACHMENT)
    else:
        generator, card = rebuild(store, version)
        with survived(f"the generator of {version}"):
            data, report = export(generator, card, opset, graph)
    if output:
        write_atomic(output, data)
    if report and (force or not (attached and output)):  # last, so that a registry that takes nothing costs no file
        store.attach(version, ATTACHMENT, data, force=force)
    return ExportResult(version, output, report)


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


def rebuild(store: Registry, version: Version) -> "tuple[nn.Module, GeneratorCard]":
    """A version's averaged generator, in fp32 on the CPU, and its card.

    Raises:
        PluginError, NotFoundError: the plugin that it came from cannot be used, or is no longer installed.
    """
    made = store.lineage(version)["generator"]
    architecture = zoo().get(Architecture, made["architecture"])
    size = {key: made[key] for key in ("channels", "height", "width")}
    shape = ImageShape(**size, classes=len(made["class_names"]))
    generator = build_generator(architecture, shape, convert(made["options"], architecture.options, "options."))
    load_network(generator, store.read(version, WEIGHTS), str(version))
    card = GeneratorCard(
        name=version.name,
        version=version.number,
        digest=version.digest,
        latent_dim=made["latent_dim"],
        class_names=tuple(made["class_names"]),
        controls=architecture.control_ranges,
        **size,
    )
    return generator.eval(), card
