"""Extractors that are built here, once, into the cache: of weights in another package, or of a data set's images."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ganzoo.data import ImageSet
from ganzoo.data.fetch import alone
from ganzoo.errors import GanzooError, PluginError, UsageError
from ganzoo.files import cache_root, write_atomic
from ganzoo.specs import Extractor
from ganzoo.zoo.names import Zoo

EXPORTERS = ("torch", "onnx", "onnxscript")
"""Packages that decide the bytes of an ONNX file: with another version of one, it is built anew."""


def built(
    spec: Extractor, zoo: Zoo, images: ImageSet | None = None, noted: Callable[[str], None] = lambda message: None
) -> bytes:
    """The bytes of an extractor's ONNX file, from the cache, or, the first time, by its builder.

    In the cache a file is named after its digest, and one that has another is built anew. One process builds at a time;
    the others wait for it.

    Args:
        images: the training images, of which one is built that each data set has of its own.
        noted: is told what there is to wait for, in one line.

    Raises:
        UsageError: it is built of images, and there are none.
        PluginError: the builder fails, or writes nothing.
        GanzooError: what the builder raises of ganzoo's own errors, or the cache cannot be written.
    """
    if spec.from_images and images is None:
        raise UsageError(f"the extractor {spec.name!r} is built of a data set's images, and there are none here")
    folder = cache_root() / "extractors" / f"{spec.name}-{_key(spec, zoo, images)}"
    if (data := _whole(folder)) is not None:
        return data
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder.parent / "lock", noted, "builds an extractor"):
            return _whole(folder) or _build(spec, zoo, images, folder, noted)
    except OSError as error:
        raise GanzooError(
            f"cannot keep extractor {spec.name!r} in {folder}: {error.strerror or error}",
            hint="set GANZOO_CACHE to a directory that can be written to",
        ) from error


def _whole(folder: Path) -> bytes | None:
    """The file that is in the folder, if it is what it was."""
    for path in folder.glob("*.onnx"):
        with contextlib.suppress(OSError):  # as good as none
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.stem:
                return data
    return None


def _build(spec: Extractor, zoo: Zoo, images: ImageSet | None, folder: Path, noted: Callable[[str], None]) -> bytes:
    given = [images] if spec.from_images else []
    if images is not None and given:
        noted(f"building the extractor {zoo.shortest(spec)} of {len(images):,} training images, once")
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        path = Path(place) / "features.onnx"
        zoo.call(spec, spec.builder, path, *given)
        if not path.is_file():
            raise PluginError(
                f"{spec.builder} (extractor {spec.name!r}) writes no file", hint="its author has to repair it"
            )
        data = path.read_bytes()
    folder.mkdir(exist_ok=True)
    write_atomic(folder / f"{hashlib.sha256(data).hexdigest()}.onnx", data)
    return data


def _key(spec: Extractor, zoo: Zoo, images: ImageSet | None) -> str:
    """16 hexadecimal digits that change with the weights, the plugin and what converts them; or with images and recipe.

    A file that was built of images stays what they are evaluated by, whatever is installed later.
    """
    plugin = zoo.owner(spec)
    parts = [spec.sha256, spec.builder, plugin.distribution]
    if images is not None and spec.from_images:
        parts += [images.digest, str(spec.recipe)]
    else:
        parts += [plugin.version, *map(_version, EXPORTERS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
