"""A folder that any static host shows: the page for people, a generator, and ONNX Runtime for browsers."""

import json
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from ganzoo.config.run import PrecisionName
from ganzoo.errors import IntegrityError, MissingPackageError, UsageError, first_line
from ganzoo.exporting.record import as_file
from ganzoo.exporting.versions import export_version
from ganzoo.files import check_absent, write_folder
from ganzoo.images import GAP, MIN_TILE
from ganzoo.runtime.card import ATTACHMENT
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.web import facts, files
from ganzoo_registry import Registry, Version

PACKAGE = "onnxruntime-web"
"""The name on npm."""

RUNTIME = {
    "ort.wasm.bundle.min.mjs": "onnxruntime/ort.js",  # not .mjs, for which some hosts do not say that it is a script
    "ort-wasm-simd-threaded.wasm": "onnxruntime/ort-wasm-simd-threaded.wasm",
}
"""What is taken of the package's ``dist/`` -> where it is put: WebAssembly, which every browser runs."""

VARIANTS = {f"{ATTACHMENT}-int8": "int8", ATTACHMENT: PrecisionName.FP32}
"""Kind of a version's file -> how it computes; the fastest first, which the page shows first."""


def write_web(store: Registry, version: Version, directory: Path, runtime: Path | None = None) -> Path:
    """Write the folder of a version; see ``ganzoo.api.export_web``."""
    check_absent(directory, "--web")
    scripts = _runtime_files(runtime or find_runtime())
    export_version(store, version)
    attached = store.kinds(version)
    generators = {kind: store.read(version, kind) for kind in VARIANTS if kind in attached}
    models = [_entry(kind, data) for kind, data in generators.items()]
    described = {"grid": {"gap": GAP, "min_tile": MIN_TILE}, "models": models}
    content = {
        **files("in_browser"),
        **scripts,
        **{_place(kind): data for kind, data in generators.items()},
        **{_place(kind).replace(".onnx", ".json"): as_file(data) for kind, data in generators.items()},
        "models.json": json.dumps(described, indent=1).encode(),
    }
    write_folder(directory, content)
    return directory


def find_runtime() -> Path:
    """``onnxruntime-web`` in the working directory, where npm puts it.

    Raises:
        MissingPackageError: it is not there.
        UsageError: there are several.
    """
    installed = Path("node_modules") / PACKAGE
    found = [installed] if installed.is_dir() else sorted(Path().glob(f"{PACKAGE}-*.tgz"))
    if len(found) > 1:
        raise UsageError(f"which one: {', '.join(map(str, found))}?", hint=f"for example --ort-web {found[-1]}")
    if not found:
        raise MissingPackageError(
            f"this needs {PACKAGE} from npm, and the working directory has neither {installed} nor {PACKAGE}-*.tgz",
            hint=f"npm pack {PACKAGE}, or say where it is: --ort-web DIR|TGZ",
        )
    return found[0]


def _runtime_files(package: Path) -> Mapping[str, bytes]:
    """Path in the folder -> content, of an npm package that is unpacked or not."""
    again = f"npm pack {PACKAGE}, then --ort-web TGZ"
    try:
        if package.is_dir():
            return {place: (package / "dist" / name).read_bytes() for name, place in RUNTIME.items()}
        with tarfile.open(package) as archive:
            return {place: _member(archive, f"package/dist/{name}") for name, place in RUNTIME.items()}
    except FileNotFoundError as error:
        raise MissingPackageError(f"{error.filename} is not there", hint=again) from error
    except (KeyError, OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise IntegrityError(f"{package} is no {PACKAGE}: {first_line(error)}", hint=again) from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(f"{name} is no file")
    return member.read()


def _place(kind: str) -> str:
    return f"generators/{VARIANTS[kind]}.onnx"


def _entry(kind: str, data: bytes) -> Mapping[str, object]:
    """What the page must know of a file."""
    generator = ImageGenerator.from_bytes(data, device="cpu")
    card = generator.card
    entry = {**facts(card.name, card), "file": _place(kind), "sha256": generator.sha256}
    if kind == ATTACHMENT:
        return entry
    return {**entry, "title": f"{card.name}:{card.version}, {VARIANTS[kind]}"}
