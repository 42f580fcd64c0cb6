"""Exported generators: how they are made, loaded and given to other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.api.door import as_reference, needing_torch
from ganzoo.api.known import open_registry
from ganzoo.errors import check_whole
from ganzoo.files import checked

if TYPE_CHECKING:
    from ganzoo.api.door import Reference
    from ganzoo.exporting.versions import ExportResult
    from ganzoo.runtime.generator import ImageGenerator
    from ganzoo.runtime.providers import Device


def load(
    reference: "Reference",
    *,
    registry: str | Path | None = None,
    device: "Device" = "auto",
    threads: int | None = None,
    int8: bool = False,
) -> "ImageGenerator":
    """An image generator that runs on ONNX Runtime, without torch.

    Args:
        reference: ``name``, ``name:3``, ``name@alias``, ``name@sha256:…``, or the path of a ``.onnx`` file, which is
            tried in a process of its own first; see ``ganzoo.runtime.vetting``. A ``Version`` may stand for its name.
        registry: the registry's directory; see ``ganzoo.files.registry_root``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads that work on one batch; None lets ONNX Runtime choose.
        int8: take the version's file in int8, which ``export`` makes; a file is taken as it is.

    Raises:
        NotFoundError, RegistryError: there is no such version or file, or it was not exported.
        IntegrityError: it is damaged, or a file must not be run.
        UsageError: an argument is none that there can be.
    """
    from ganzoo.runtime.opening import open_generator

    return open_generator(as_reference(reference), registry, device, threads, int8)


@needing_torch()
def export(
    reference: "Reference",
    *,
    output: str | Path | None = None,
    opset: int | None = None,
    int8: bool = False,
    uint8: bool = False,
    registry: str | Path | None = None,
    force: bool = False,
    check: bool = False,
) -> "ExportResult":
    """Export a registered generator to ONNX, through every gate, and attach the file to its version.

    Args:
        reference: see ``load``.
        output: also write the file here.
        opset: the file's ONNX opset; None takes the default. A file of another opset than the attached one is only
            written to ``output``, unless ``force``.
        int8: make the file in int8 of it, too, attach that beside it, and write it to ``output`` instead: up to three
            times as fast on a CPU. Its images come near those in fp32; see ``ganzoo.exporting.derived``.
        uint8: let the file that is written make ``images u8[batch, H, W, C]`` and ``finite bool[batch]``.
        force: export anew and replace the attached file.
        check: export anew, and keep nothing of it: neither attach nor write a file.

    Raises:
        GanzooError: a gate did not pass; nothing is written.
    """
    from ganzoo.exporting.versions import export_version

    if opset is not None:
        check_whole(opset, "opset", 1)
    store = open_registry(registry)
    place = checked(output, "output") if output is not None else None
    return export_version(
        store, store.resolve(as_reference(reference)), place, opset, force, int8=int8, uint8=uint8, check=check
    )


@needing_torch()
def export_web(
    reference: "Reference",
    directory: str | Path,
    *,
    ort_web: str | Path | None = None,
    registry: str | Path | None = None,
) -> Path:
    """Write a folder that any static host shows: a page that samples from a version in the browser, without a server.

    Args:
        reference: see ``load``; a version that was not exported is exported first.
        directory: the new folder.
        ort_web: ``onnxruntime-web`` from npm, its directory or the ``.tgz`` that ``npm pack onnxruntime-web`` makes;
            None: what is found in the working directory.

    Returns:
        The folder, which appears whole or not at all.

    Raises:
        UsageError: something is there already.
        MissingPackageError: there is no ``onnxruntime-web``.
        GanzooError: a gate did not pass, or the folder cannot be written.
    """
    from ganzoo.exporting.web import write_web

    store = open_registry(registry)
    runtime = checked(ort_web, "ort_web") if ort_web is not None else None
    return write_web(store, store.resolve(as_reference(reference)), checked(directory, "directory"), runtime)


@needing_torch()
def export_triton(reference: "Reference", directory: str | Path, *, registry: str | Path | None = None) -> Path:
    """Add a version to a model repository of NVIDIA's Triton Inference Server, which KServe runs, too.

    Args:
        reference: see ``load``; a version that was not exported is exported first.
        directory: the repository; in it a new folder is made, which is called like the model.

    Returns:
        The model's folder, which appears whole or not at all.

    Raises:
        UsageError: something is there already.
        GanzooError: a gate did not pass, or the folder cannot be written.
    """
    from ganzoo.exporting.triton import write_triton

    store = open_registry(registry)
    return write_triton(store, store.resolve(as_reference(reference)), checked(directory, "directory"))
