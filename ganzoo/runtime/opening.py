"""From a reference to an image generator: a version of the registry, or a file, which is tried first."""

import os
from pathlib import Path

from ganzoo.errors import NotFoundError
from ganzoo.files import registry_root
from ganzoo.runtime.card import ATTACHMENT, INT8
from ganzoo.runtime.file import as_text, file_of, read_file
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.providers import Device
from ganzoo.runtime.session import check_choice
from ganzoo.runtime.vetting import vet_generator
from ganzoo_registry import Registry


def open_generator(
    reference: str | os.PathLike[str],
    registry: str | Path | None,
    device: Device,
    threads: int | None,
    int8: bool = False,
) -> ImageGenerator:
    """See ``ganzoo.load``."""
    check_choice(device, threads)
    reference = as_text(reference)
    if path := file_of(reference):
        data = read_file(path)
        vet_generator(data, reference)
        return ImageGenerator.from_bytes(data, device=device, threads=threads, source=reference)
    store = Registry(registry_root(registry))
    version = store.resolve(reference)
    kinds, kind = store.kinds(version), f"{ATTACHMENT}-{INT8}" if int8 else ATTACHMENT
    if int8 and kind not in kinds:
        raise NotFoundError(f"{version} has no ONNX file in int8 yet", hint=f"ganzoo export {version} --{INT8}")
    if kind not in kinds:
        raise NotFoundError(f"{version} has no ONNX file yet", hint=f"ganzoo export {version}")
    return ImageGenerator.from_bytes(store.read(version, kind), device=device, threads=threads, source=str(version))
