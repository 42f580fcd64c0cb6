"""Opens extractors: by a plugin's name or from a file, and tried on a few images before figures are made of them."""

import hashlib
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import ImageSet
from ganzoo.errors import IntegrityError, NotFoundError, PluginError, UsageError, first_line, page
from ganzoo.evaluation.built import built
from ganzoo.evaluation.evidence import of_images
from ganzoo.evaluation.features import CONTRACT, FeatureExtractor
from ganzoo.runtime.file import SUFFIX, as_text, read_file
from ganzoo.runtime.providers import Device
from ganzoo.runtime.vetting import vet_extractor
from ganzoo.specs import Extractor
from ganzoo.zoo.foreign import survived
from ganzoo.zoo.names import Zoo

TRIED = 4
"""Images that an extractor is tried on: few, because a large network takes a second for each."""

TOLERANCE = 1e-3
"""Largest difference between features of one image, relative to the largest feature; rounding is far below."""


def open_extractor(
    reference: str | os.PathLike[str],
    zoo: Zoo,
    *,
    device: Device = "auto",
    threads: int | None = None,
    size: int = 64,
    images: ImageSet | None = None,
    noted: Callable[[str], None] = lambda message: None,
) -> FeatureExtractor:
    """Load an extractor.

    Args:
        reference: a name that a plugin gives, or the path of an ``.onnx`` file, which is tried in a process of its own
            first; see ``ganzoo.runtime.vetting``.
        zoo: resolves names.
        device: ``auto`` takes CUDA where it really works and otherwise the CPU.
        threads: threads that work on one batch together; None: ONNX Runtime chooses.
        size: height and width of the images that a file is tried with.
        images: the training images, of which one is made that each data set has of its own.
        noted: is given what there is to wait for, in one line.

    Raises:
        NotFoundError: no such name or file.
        PluginError: the plugin lacks the file, or cannot build it.
        MissingPackageError: it is built of weights that are not installed.
        IntegrityError: the file is not the one that the plugin declares, is no ONNX file, or must not be run.
        UsageError: the network is no feature extractor.
    """
    reference = as_text(reference)
    if reference.lower().endswith(SUFFIX):
        path = Path(reference).expanduser()
        data, name = read_file(path, "check the path, or name an extractor: digits"), path.name
        vet_extractor(data, f"extractor {name}", size)
    else:
        spec = _named(reference, zoo)
        data = built(spec, zoo, images, noted) if spec.builder else _shipped(spec)
        return FeatureExtractor(data, zoo.shortest(spec), device=device, threads=threads, sha256=spec.sha256)
    return FeatureExtractor(data, name, device=device, threads=threads)


def try_extractor(extractor: FeatureExtractor, images: ImageSet) -> int:
    """Refuse a network whose features are not those of each image alone, a plugin's own as anybody's file.

    Returns:
        Features an image.

    Raises:
        UsageError: it is random, mixes the images of a batch, makes the same of all, or makes too many.
        GanzooError: it fails on the images, or makes something that is not finite.
    """
    pixels, _ = of_images(images)(0, TRIED)
    alone, again = extractor(pixels)[0], extractor(pixels)[0]
    together = extractor(np.concatenate([pixels, 255 - pixels]))[0]
    if not _equal(alone, again):
        raise UsageError(
            f"extractor {extractor.name} cannot be used: two looks at the same images give different features",
            hint="dropout does that: call network.eval() before it is exported; " + CONTRACT,
        )
    if not _equal(alone, together[: len(pixels)]):
        raise UsageError(
            f"extractor {extractor.name} cannot be used: the features of an image change with the images beside it",
            hint="a BatchNorm in training mode does that: call network.eval() before it is exported; " + CONTRACT,
        )
    if (together == together[0]).all():
        raise UsageError(
            f"extractor {extractor.name} cannot be used: it gives the same features for all images",
            hint="were its weights loaded? " + CONTRACT,
        )
    return int(alone.shape[1])


def _equal(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return bool(np.abs(one - other).max() <= TOLERANCE * np.abs(one).max())


def _named(reference: str, zoo: Zoo) -> Extractor:
    try:
        return zoo.get(Extractor, reference)
    except NotFoundError as error:
        hint = f"{error.hint}; or give a FILE.onnx ({page('evaluation.md')} shows how to make one)"
        raise NotFoundError(str(error), hint=hint) from error


def _shipped(spec: Extractor) -> bytes:
    package, _, file = spec.file.partition(":")
    try:
        with survived(f"package {package} of extractor {spec.name!r}"):  # it is imported
            data = files(package).joinpath(file).read_bytes()
    except Exception as error:
        hint = "install the plugin again; if that does not help, its author has to repair it"
        raise PluginError(
            f"{spec.file} (extractor {spec.name!r}) cannot be read: {first_line(error)}", hint=hint
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != spec.sha256:
        raise IntegrityError(
            f"{spec.file} (extractor {spec.name!r}) has changed: sha256 {found[:16]} instead of {spec.sha256[:16]}",
            hint="install the plugin again: figures of another network could not be compared",
        )
    return data
