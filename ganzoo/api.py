"""The same few calls that the command line makes: train, export, load, models."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import NotFoundError
from ganzoo.paths import registry_root
from ganzoo.specs import Model
from ganzoo.zoo import zoo
from ganzoo_registry import Registry

if TYPE_CHECKING:
    from ganzoo.config import Settings
    from ganzoo.exporting.registered import ExportResult
    from ganzoo.runtime.generator import ImageGenerator
    from ganzoo.runtime.providers import Device
    from ganzoo.session import TrainResult
    from ganzoo.training.loop import Observer


def models() -> list[Model]:
    """Every model that an installed plugin provides."""
    return zoo().all(Model)


def open_registry(path: str | Path | None = None) -> Registry:
    """The registry at ``path``, else at ``$GANZOO_REGISTRY``, else in the user's data directory."""
    return Registry(registry_root(Path(path) if path else None))


def load(
    reference: str | os.PathLike[str],
    *,
    registry: str | Path | None = None,
    device: "Device" = "auto",
    threads: int | None = None,
) -> "ImageGenerator":
    """An image generator that runs on ONNX Runtime, without torch.

    Args:
        reference: ``name``, ``name:3``, ``name@alias``, ``name@sha256:…``, or the path of a ``.onnx`` file.
        registry: where it is; see ``ganzoo.paths.registry_root``.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: that work on one batch; None lets ONNX Runtime choose.

    Raises:
        NotFoundError, RegistryError: there is no such version or file, it was not exported, or it is damaged.
    """
    from ganzoo.runtime.card import ATTACHMENT
    from ganzoo.runtime.generator import ImageGenerator

    reference = os.fspath(reference)
    if reference.endswith(".onnx"):
        try:
            data = Path(reference).read_bytes()
        except OSError as error:
            raise NotFoundError(
                f"{reference}: {error.strerror}", hint="give the path of an exported file, or a registry name"
            ) from error
        return ImageGenerator.from_bytes(data, device=device, threads=threads, source=reference)
    store = open_registry(registry)
    version = store.resolve(reference)
    if ATTACHMENT not in store.kinds(version):
        raise NotFoundError(f"{version} has no ONNX file yet", hint=f"ganzoo export {version}")
    return ImageGenerator.from_bytes(
        store.read(version, ATTACHMENT), device=device, threads=threads, source=str(version)
    )


def export(
    reference: str,
    *,
    output: str | Path | None = None,
    opset: int | None = None,
    registry: str | Path | None = None,
    force: bool = False,
) -> "ExportResult":
    """Export a registered generator to ONNX, through every gate, and attach the file to its version.

    Args:
        reference: see ``load``.
        output: also write the file here.
        opset: of ONNX; None takes the default. A file of another opset than the attached one is only written to
            ``output``, unless ``force``.
        force: export anew and replace the attached file.

    Raises:
        GanzooError: a gate did not pass; nothing is written.
    """
    from ganzoo.exporting.registered import export_version

    store = open_registry(registry)
    return export_version(store, store.resolve(reference), Path(output) if output else None, opset, force)


def train(
    model: str | None = None,
    *,
    settings: "Settings | None" = None,
    resume: str | None = None,
    init_from: str | None = None,
    registry: str | Path | None = None,
    runs: str | Path = "runs",
    export: bool = True,
    strict: bool = False,
    observer: "Observer | None" = None,
) -> "TrainResult":
    """Train a model, register the result, and export it to ONNX.

    Args:
        model: its name; may also stand in ``settings``, or be left to ``resume`` or ``init_from``.
        settings: configuration over the model's defaults, as nested tables:
            ``{"batch": 32, "generator": {"lr": 1e-4}}``; see ``ganzoo.config.RunConfig``.
        resume: a run's directory, ``name/number`` below ``runs``, or ``last``.
        init_from: a registry reference whose weights to start from.
        registry: where to register; see ``ganzoo.paths.registry_root``.
        runs: where the run's directory goes.
        export: whether to export to ONNX at the end.
        strict: refuse a data folder with unreadable images, instead of skipping them.
        observer: is told how it goes.

    Raises:
        TrainingStopped: by SIGINT or SIGTERM; a checkpoint is safe.
        GanzooError, RegistryError: anything else; a diverged run is never registered.
    """
    from ganzoo.session import Session

    session = Session(open_registry(registry), Path(runs), strict=strict, observer=observer)
    run = session.resume(resume, model, settings or {}) if resume else session.start(model, settings or {}, init_from)
    return session.finish(run, export=export)
