"""Extractors that are built here: from weights that lie in another package, once, into the cache."""

import contextlib
import hashlib
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ganzoo.errors import GanzooError, PluginError
from ganzoo.files import cache_root, write_atomic
from ganzoo.specs import Extractor
from ganzoo.zoo.names import Zoo

EXPORTERS = ("torch", "onnx", "onnxscript")
"""Packages that decide the bytes of an ONNX file: with another version of one, it is built anew."""


def built(spec: Extractor, zoo: Zoo) -> bytes:
    """The bytes of an extractor's ONNX file, from the cache, or, the first time, by its builder.

    In the cache a file is named after its digest, and one that has another is built anew.

    Raises:
        PluginError: the builder fails, or writes nothing.
        GanzooError: what the builder raises of ganzoo's own errors, or the cache cannot be written.
    """
    folder = cache_root() / "extractors" / f"{spec.name}-{_key(spec, zoo)}"
    for path in folder.glob("*.onnx"):
        with contextlib.suppress(OSError):  # as good as none
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.stem:
                return data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = Path(place) / "features.onnx"
            zoo.call(spec, spec.builder, path)
            if not path.is_file():
                raise PluginError(
                    f"{spec.builder} (extractor {spec.name!r}) writes no file", hint="its author has to repair it"
                )
            data = path.read_bytes()
        write_atomic(folder / f"{hashlib.sha256(data).hexdigest()}.onnx", data)
    except OSError as error:
        raise GanzooError(
            f"cannot keep extractor {spec.name!r} in {folder}: {error.strerror or error}",
            hint="set GANZOO_CACHE to a directory that can be written to",
        ) from error
    return data


def _key(spec: Extractor, zoo: Zoo) -> str:
    """16 hexadecimal digits that change with the weights, the plugin and what converts them."""
    plugin = zoo.owner(spec)
    parts = [spec.sha256, spec.builder, plugin.distribution, plugin.version, *map(_version, EXPORTERS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
