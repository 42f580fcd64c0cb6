"""What is not installed is named at once, by what the distribution's metadata say."""

import ast
import re
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging import markers

import ganzoo
import ganzoo_plugins
import ganzoo_registry
from ganzoo.cli import cli
from ganzoo.cli.failures import DO_WITHOUT, explain
from ganzoo.errors import ExitCode, _requirements, applies, missing_package

ROOTS = [Path(str(package.__file__)).parent for package in (ganzoo, ganzoo_plugins, ganzoo_registry)]
OURS = {"ganzoo", "ganzoo_plugins", "ganzoo_registry"}
INDIRECT = {"torchvision"}
"""What torch is asked for where it is there, and not otherwise."""


def imported() -> set[str]:
    """Every package that our modules import, wherever they do."""
    found = set()
    for path in (path for root in ROOTS for path in root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - OURS - INDIRECT - set(sys.stdlib_module_names)


@pytest.mark.parametrize("package", sorted(imported()))
def test_every_package_that_is_imported_is_known(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    missing = missing_package(ModuleNotFoundError(name=f"{package}.part"))
    assert missing is not None, f"{package} is no requirement of the distribution"
    assert str(missing) == f"this needs the package {package}, which is not installed"
    assert str(missing.hint).startswith('pip install "')
    assert missing.exit_code == ExitCode.MISSING_PACKAGE


def test_what_is_installed_or_not_ours_is_not_missing() -> None:
    assert missing_package(ModuleNotFoundError(name="numpy.nothing")) is None
    assert missing_package(ModuleNotFoundError(name="a_plugins_own")) is None
    assert missing_package(ImportError("cannot import name", name="torch")) is None
    assert missing_package(ModuleNotFoundError("no name")) is None


@pytest.mark.parametrize("command", ["train", "export"])
def test_a_command_that_needs_all_names_all(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one after the other, each after a longer download."""
    for package in ("msgspec", "torch", "onnxscript"):
        monkeypatch.setitem(sys.modules, package, None)
    failure = explain(ModuleNotFoundError(name="msgspec"), command)
    assert failure.message == "this needs packages that are not installed: msgspec, onnxscript, torch"
    words = str(failure.hint).split()
    assert [word.strip('"').partition(">=")[0] for word in words] == [
        "pip",
        "install",
        "msgspec",
        "onnxscript",
        "torch",
    ]
    assert failure.exit_code == ExitCode.MISSING_PACKAGE
    assert command in cli.list_commands(cli.make_context("ganzoo", ["--help"], resilient_parsing=True))


LIGHT = {
    "registry": "starlette",
    "sample": "PIL, numpy",
    "serve": "PIL, numpy, starlette, uvicorn",
    "eval": "PIL, matplotlib, numpy, scipy",
    "train": "PIL, matplotlib, numpy, scipy, starlette, torch, uvicorn",
}


@pytest.mark.parametrize(("command", "names"), LIGHT.items())
def test_a_command_names_all_that_it_misses_and_nothing_else(
    command: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("PIL", "matplotlib", "numpy", "scipy", "starlette", "torch", "uvicorn"):
        monkeypatch.setitem(sys.modules, package, None)
    first = names.partition(",")[0]
    said = explain(ModuleNotFoundError(name=first), command).message
    assert said.partition(": ")[2] == names or said == f"this needs the package {names}, which is not installed"


def test_what_a_server_needs_is_what_its_environment_is_made_of() -> None:
    listed = {_name(line) for line in (Path(__file__).parents[1] / "requirements-serve.txt").read_text().splitlines()}
    needed = {_name(text) for name, text in _requirements(optional=False).items() if name not in DO_WITHOUT["serve"]}
    assert listed & {_name(line) for line in requires("ganzoo") or [] if "extra ==" not in line} == (
        {"click", "onnxruntime", *needed} - {"onnxruntime-gpu"}  # by the CPU, whatever this machine would be given
    )


LINES = (
    "onnxruntime-gpu>=1.23; (platform_system=='Linux' and platform_machine=='x86_64') or platform_system=='Windows'",
    "onnxruntime>=1.23; (platform_system!='Linux' or platform_machine!='x86_64') and platform_system!='Windows'",
    'av>=14; extra == "film"',
)


@pytest.mark.parametrize(
    ("system", "machine", "wanted"),
    [
        ("Linux", "x86_64", "onnxruntime-gpu>=1.23"),
        ("Linux", "aarch64", "onnxruntime>=1.23"),
        ("Darwin", "x86_64", "onnxruntime>=1.23"),
        ("Windows", "AMD64", "onnxruntime-gpu>=1.23"),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_distributions_of_a_package_the_machines_own_is_named(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, wanted: str, turn: int
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda name: LINES[::turn])
    here = markers.default_environment() | {"platform_system": system, "platform_machine": machine}
    monkeypatch.setattr(markers, "default_environment", lambda: here)
    for name in ("onnxruntime", "av"):
        monkeypatch.setitem(sys.modules, name, None)
    missing = missing_package(ModuleNotFoundError(name="onnxruntime"))
    assert missing is not None
    assert missing.hint == f'pip install "{wanted}"'
    assert missing_package(ModuleNotFoundError(name="av")) is not None  # what only an extra asks for
    assert _requirements(optional=False).keys() == {"onnxruntime"}


@pytest.mark.parametrize(
    ("marker", "counts"),
    [
        ("", True),
        ("python_version < '3.8'", False),
        ("python_version >= '3.11' and 'lin' in sys_platform", sys.platform == "linux"),
        ("'3.9' <= python_version", True),
        ("os_name not in 'nt java' or extra == 'x'", True),
        ("python_full_version == '2.7.18' or (implementation_name == 'jython')", False),
        ("python_version > '3.0' and extra == 'x'", False),
        ("no_such_name == '1'", True),
        ("python_version ~= '2.0'", False),
        ("python_version ~= '3.11'", True),
        ("what is this(", True),
    ],
)
def test_a_marker_says_whether_a_requirement_counts(marker: str, counts: bool) -> None:
    """By numbers, where it compares versions; what cannot be read counts."""
    assert applies(marker) is counts


def _name(requirement: str) -> str:
    return re.split(r"[\[=<>; ]", requirement)[0].lower()
