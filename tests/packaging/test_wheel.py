"""What is in the distributions, and that the tests run what they should."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"ganzoo", "ganzoo_plugins", "ganzoo_registry"}


def names(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def read(wheel: Path, name: str) -> str:
    with ZipFile(wheel) as archive:
        (found,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return archive.read(found).decode()


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_the_tests_run_what_is_installed(package: str) -> None:
    """In tox that is the built wheel; for a developer it may be the source tree, installed editable."""
    distribution = metadata.distribution("ganzoo")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    assert not (editable and "TOX_ENV_NAME" in os.environ)
    home = Path(url2pathname(urlparse(origin["url"]).path)) if editable else Path(str(distribution.locate_file("")))
    file = import_module(package).__file__
    assert file is not None
    assert Path(file).resolve().is_relative_to(home.resolve())


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in names(wheel)}
    (information,) = top - PACKAGES
    assert top == {*PACKAGES, information}
    assert re.fullmatch(r"ganzoo-[\d.]+\.dist-info", information)
    inside = {name.rpartition(".")[2] for name in names(wheel) if not name.startswith(information)}
    assert inside == {"json", "py", "typed", "onnx", "template", "html", "css", "js"}
    assert [name for name in names(wheel) if name.endswith(".onnx")] == ["ganzoo_plugins/digits/extractor.onnx"]


def test_every_module_of_the_tree_is_in_the_wheel(wheel: Path) -> None:
    homes = {"ganzoo": ROOT, "ganzoo_plugins": ROOT / "plugins", "ganzoo_registry": ROOT / "registry"}
    tree = {path.relative_to(home).as_posix() for name, home in homes.items() for path in (home / name).rglob("*.py")}
    assert tree == {name for name in names(wheel) if name.endswith(".py")}
    assert {f"{name}/py.typed" for name in PACKAGES} <= set(names(wheel))
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ganzoo").rglob("*.template")}
    assert templates == {name for name in names(wheel) if name.endswith(".template")} != set()


def test_the_metadata(wheel: Path) -> None:
    assert "MIT License" in read(wheel, "licenses/LICENSE")
    fields = read(wheel, "METADATA")
    for line in ("Name: ganzoo", "Requires-Python: >=3.11", "License-Expression: MIT", "License-File: LICENSE"):
        assert line in fields.splitlines()
    entries = configparser.ConfigParser(delimiters="=")
    entries.read_string(read(wheel, "entry_points.txt"))
    assert entries["console_scripts"]["ganzoo"] == "ganzoo.__main__:run"
    assert {"conditional", "dcgan", "digits", "losses", "vanilla", "wgan-gp"} <= set(entries["ganzoo.v1"])
    for target in entries["ganzoo.v1"].values():
        assert f"{target.replace('.', '/')}/__init__.py" in names(wheel)


def test_the_sdist_builds_the_same_wheel(wheel: Path, build: Callable[[Path], Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (sdist,) = tmp_path.glob("ganzoo-*.tar.gz")
    rebuilt = build(sdist)
    assert names(rebuilt) == names(wheel)
    assert read(rebuilt, "METADATA") == read(wheel, "METADATA")


def test_without_its_entry_point_a_model_is_gone(
    build: Callable[[Path], Path], pip: Callable[..., str], tmp_path: Path
) -> None:
    tree, site = tmp_path / "tree", tmp_path / "site"
    for name in ("ganzoo", "plugins", "registry"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    line = 'wgan-gp = "ganzoo_plugins.wgan_gp"\n'
    assert project.count(line) == 1
    (tree / "pyproject.toml").write_text(project.replace(line, ""), "utf-8")
    pip(Path(sys.executable), "install", "--target", site, build(tree))

    def ganzoo(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ganzoo", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    listed = {model["name"] for model in json.loads(ganzoo("models", "--json").stdout)}
    assert "wgan-gp" not in listed
    assert {"conditional", "dcgan", "vanilla"} <= listed
    asked = ganzoo("models", "show", "wgan-gp")
    assert asked.returncode == 3
    assert asked.stderr.startswith("Error: unknown model 'wgan-gp'\nHint: ")


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^;\s]+)", (ROOT / name).read_text("utf-8"), re.MULTILINE)
    return {distribution.lower().replace("_", "-"): version for distribution, version in found}


def test_a_server_gets_the_versions_that_were_tested() -> None:
    served = pins("requirements-serve.txt")
    assert {"numpy", "onnxruntime", "starlette", "uvicorn"} <= set(served)
    assert served.items() <= pins("constraints.txt").items()


def test_every_dependency_is_pinned() -> None:
    wanted = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in metadata.requires("ganzoo") or []}
    assert {"torch", "onnx"} <= wanted <= set(pins("constraints.txt"))
