"""The folder for browsers: what is in it, and what is refused. What it shows, tests/browser/ looks at."""

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from ganzoo import api
from ganzoo.cli import main
from ganzoo.errors import GanzooError, IntegrityError, MissingPackageError, UsageError
from ganzoo.exporting.gates import card_of
from ganzoo.exporting.record import record_of
from ganzoo.exporting.writing import with_card
from ganzoo.images import GAP, MIN_TILE
from ganzoo_registry import Registry

SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """What npm unpacks, as far as it is taken."""
    (tmp_path / "npm" / "package" / "dist").mkdir(parents=True)
    for name in (SCRIPT, WASM):
        (tmp_path / "npm" / "package" / "dist" / name).write_text(name)
    return tmp_path / "npm" / "package"


@pytest.fixture
def packed(package: Path) -> Path:
    with tarfile.open(package.parent / "onnxruntime-web-1.30.0.tgz", "w:gz") as archive:
        archive.add(package, "package")
    return package.parent / "onnxruntime-web-1.30.0.tgz"


def test_the_folder_has_all_that_a_host_needs(store: Registry, package: Path, packed: Path, tmp_path: Path) -> None:
    """Of a package that is packed, and of one that is not; the int8 file, where there is one, comes first."""
    version = store.resolve("conditional")
    data = store.read(version, "onnx")
    site = api.export_web("conditional", tmp_path / "site", ort_web=packed, registry=store.root)
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    scripts = {f"page/{name}.js" for name in ("backend", "commands", "generator", "latents", "page", "worker")}
    runtime = {"onnxruntime/ort.js", f"onnxruntime/{WASM}"}
    generator = {f"generators/fp32.{suffix}" for suffix in ("onnx", "json")}
    assert found == {"index.html", "models.json", "page/style.css", *generator, *scripts, *runtime}
    record = json.loads((site / "generators" / "fp32.json").read_text("utf-8"))
    assert record == record_of(data)
    assert record["sha256"] == hashlib.sha256(data).hexdigest()
    assert "parity" in record["gates"]
    assert (site / "generators" / "fp32.onnx").read_bytes() == data
    assert (site / "onnxruntime" / "ort.js").read_text() == SCRIPT
    described = json.loads((site / "models.json").read_text())
    assert described["grid"] == {"gap": GAP, "min_tile": MIN_TILE}
    (entry,) = described["models"]
    assert (entry["reference"], entry["file"], entry["shape"]) == ("conditional:1", "generators/fp32.onnx", [1, 8, 8])

    model = onnx.load_from_string(data)
    del model.metadata_props[:]
    store.attach(version, "onnx", with_card(model, replace(card_of(data), int8=True)), variant="int8")
    both = api.export_web("conditional", tmp_path / "both", ort_web=package, registry=store.root)
    models = json.loads((both / "models.json").read_text())["models"]
    assert [(each.get("title"), each["file"], each["int8"]) for each in models] == [
        ("conditional:1, int8", "generators/int8.onnx", True),
        (None, "generators/fp32.onnx", False),
    ]


def test_without_the_runtime_it_says_what_to_type(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "conditional", "--web", "site", "--registry", str(store.root)]) == 6
    error = capsys.readouterr().err
    assert "this needs onnxruntime-web from npm" in error
    assert "Hint: npm pack onnxruntime-web, or say where it is: --ort-web DIR|TGZ" in error
    assert not Path("site").exists()


def test_the_command_refuses_before_the_work(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganzoo.api.export", lambda *_, **__: pytest.fail("exported"))
    (tmp_path / "there").mkdir()
    for options, code, message in (
        (["--web", "site"], 6, "this needs onnxruntime-web"),
        (["--web", "there", "--ort-web", "."], 2, "there is there already"),
        (["--ort-web", "."], 2, "--ort-web is for --web alone"),
    ):
        assert main(["export", "conditional", "--registry", str(trained[0]), *options]) == code
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("where", [".", "node_modules/onnxruntime-web"])
def test_the_runtime_is_found_where_npm_puts_it(
    store: Registry, package: Path, packed: Path, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == ".":
        monkeypatch.chdir(packed.parent)
    else:
        monkeypatch.chdir(tmp_path)
        Path(where).parent.mkdir()
        package.rename(where)
    assert api.export_web("conditional", "site", registry=store.root) == Path("site")


def test_what_cannot_be_used_is_refused_and_nothing_is_left(store: Registry, packed: Path, tmp_path: Path) -> None:
    def refused(kind: type[GanzooError], match: str, runtime: Path = packed, place: str = "site") -> None:
        before = sorted(tmp_path.iterdir())
        with pytest.raises(kind, match=match) as caught:
            api.export_web("conditional", tmp_path / place, ort_web=runtime, registry=store.root)
        assert caught.value.hint
        assert sorted(tmp_path.iterdir()) == before

    refused(UsageError, "npm is there already", place="npm")
    refused(MissingPackageError, "nowhere.tgz is not there", tmp_path / "nowhere.tgz")
    refused(MissingPackageError, f"{SCRIPT} is not there", tmp_path)
    packed.write_bytes(packed.read_bytes()[:100])
    refused(IntegrityError, "is no onnxruntime-web", packed)
    with tarfile.open(packed, "w:gz"):
        pass
    refused(IntegrityError, "is no onnxruntime-web: .*package/dist/ort", packed)


def test_which_of_several_must_be_said(
    store: Registry, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(packed.parent)
    packed.with_name("onnxruntime-web-1.29.0.tgz").write_bytes(packed.read_bytes())
    with pytest.raises(UsageError, match=r"which one: onnxruntime-web-1.29.0.tgz, onnxruntime-web-1.30.0.tgz\?"):
        api.export_web("conditional", tmp_path / "site", registry=store.root)
