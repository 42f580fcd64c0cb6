"""Imports run one way, and what must be light is light; looked at where the packages are installed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

HEAVY = {"torch", "numpy", "onnx", "onnxruntime", "onnxscript", "PIL", "sklearn", "starlette", "uvicorn"}

TORCH_LIVES_IN = (
    "ganzoo.training",
    "ganzoo.exporting",
    "ganzoo.session",
    "ganzoo.resuming",
    "ganzoo.plan",
    "ganzoo.concluding",
    "ganzoo.registering",
    "ganzoo.testing",
)

TORCH_IS_ASKED_BY = {"ganzoo.cli.doctor"}
"""Light modules that look, inside a function, at the torch that is installed."""

# Inside ganzoo, a part imports nothing of a higher rank; what is not named here is at the bottom.
RANK = {
    "discovery": 1,
    "zoo": 1,
    "config": 1,
    "recipe": 1,
    "lineage": 1,
    "data": 1,
    "training": 2,
    "runtime": 2,
    "evaluation": 3,
    "exporting": 3,
    "reporting": 4,
    "session": 4,
    "resuming": 4,
    "plan": 4,
    "concluding": 4,
    "registering": 4,
    "assessment": 4,
    "hooks": 4,
    "serving": 3,
    "api": 5,
    "testing": 6,
    "cli": 7,
    "__main__": 7,
}

NEVER = {
    "runtime": {"training", "data", "zoo", "discovery"},
    "serving": {"training", "evaluation", "exporting", "data", "zoo", "discovery"},
    "training": {"runtime"},
    "evaluation": {"training"},
}


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    at_module_level: bool


def modules(package: str) -> Iterator[tuple[str, Path]]:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    (root,) = map(Path, spec.submodule_search_locations)
    for path in sorted(root.rglob("*.py")):
        parts = (package, *path.relative_to(root).with_suffix("").parts)
        yield ".".join(parts).removesuffix(".__init__"), path


def imports(package: str) -> list[Import]:
    found = []
    for name, path in modules(package):
        is_package = path.name == "__init__.py"
        for node, at_module_level in walk(ast.parse(path.read_text("utf-8")), True):
            if isinstance(node, ast.Import):
                found += [Import(name, alias.name, at_module_level) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = name.split(".")[: len(name.split(".")) - node.level + is_package] if node.level else []
                source = ".".join([*base, *filter(None, [node.module])])
                found += [Import(name, f"{source}.{alias.name}", at_module_level) for alias in node.names]
    return found


def walk(node: ast.AST, at_module_level: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node but those under ``if TYPE_CHECKING``, which never run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        inner = at_module_level and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, inner
        yield from walk(child, inner)


def top(name: str) -> str:
    return name.partition(".")[0]


def part(name: str) -> str:
    return (*name.split("."), "")[1]


GANZOO, PLUGINS, REGISTRY = (imports(name) for name in ("ganzoo", "ganzoo_plugins", "ganzoo_registry"))


def test_the_reader_of_imports_reads() -> None:
    assert Import("ganzoo.__main__", "sys", True) in GANZOO
    assert Import("ganzoo.cli.doctor", "torch", False) in GANZOO
    assert not any(top(each.imported) == "torch" for each in GANZOO if each.importer == "ganzoo.specs")


def test_the_registry_needs_the_standard_library_alone() -> None:
    assert {top(each.imported) for each in REGISTRY} <= sys.stdlib_module_names | {"ganzoo_registry"}


def test_the_core_knows_no_model() -> None:
    assert [each for each in GANZOO if top(each.imported) == "ganzoo_plugins"] == []


def test_plugins_use_the_core_and_not_the_command_line() -> None:
    ours = {part(each.imported) for each in PLUGINS if top(each.imported) == "ganzoo"}
    assert ours.isdisjoint({"cli", "api", "discovery", "zoo", "__main__"})
    assert "ganzoo_registry" not in {top(each.imported) for each in PLUGINS}


def test_inside_ganzoo_imports_run_one_way() -> None:
    wrong = [
        each
        for each in GANZOO
        if top(each.imported) == "ganzoo"
        and (
            RANK.get(part(each.imported), 0) > RANK.get(part(each.importer), 0)
            or part(each.imported) in NEVER.get(part(each.importer), set())
        )
    ]
    assert wrong == []


def test_torch_lives_where_it_should() -> None:
    wrong = [
        each
        for each in GANZOO
        if top(each.imported) == "torch"
        and not each.importer.startswith(TORCH_LIVES_IN)
        and (each.at_module_level or each.importer not in TORCH_IS_ASKED_BY)
    ]
    assert wrong == []


def test_the_light_modules_import_nothing_heavy() -> None:
    light = ("ganzoo.cli", "ganzoo.api", "ganzoo.zoo", "ganzoo.discovery", "ganzoo.specs", "ganzoo.hookspecs")
    wrong = [
        each
        for each in GANZOO
        if each.at_module_level and top(each.imported) in HEAVY and each.importer.startswith(light)
    ]
    assert wrong == []


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after ``code``."""
    script = f"import sys\n{code}\nprint('\\n' + ' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_built_in_plugins_are_light() -> None:
    packages = [name for name, path in modules("ganzoo_plugins") if path.name == "__init__.py"]
    assert len(packages) > 6
    assert loaded(f"import {', '.join(packages)}") & HEAVY == set()


@pytest.mark.parametrize("name", ["ganzoo", "ganzoo_registry", "ganzoo.zoo", "ganzoo.api", "ganzoo.cli"])
def test_importing_is_light(name: str) -> None:
    assert loaded(f"import {name}") & HEAVY == set()


@pytest.mark.parametrize(
    "command",
    ["--help", "--version", "models", "models show wgan-gp", "plugins", "registry ls", "train --help"],
)
def test_a_light_command_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    after = loaded(
        f"import os; os.environ['GANZOO_REGISTRY'] = {str(tmp_path)!r}\n"
        f"from ganzoo.cli import main\nassert main({command.split()!r}) == 0"
    )
    assert after & HEAVY == set()


def test_help_loads_no_plugin_machinery() -> None:
    after = loaded("from ganzoo.cli import main\nassert main(['--help']) == 0")
    assert after & {"pluggy", "ganzoo_plugins", "ganzoo_registry", "platformdirs"} == set()


def test_completion_loads_no_command() -> None:
    code = (
        "import os\n"
        "os.environ.update(_GANZOO_COMPLETE='bash_complete', COMP_WORDS='ganzoo re', COMP_CWORD='1')\n"
        "from ganzoo.cli import main\n"
        "try:\n    main([])\nexcept SystemExit:\n    pass\n"
        "assert [name for name in sys.modules if name.startswith('ganzoo.cli.reg')] == []"
    )
    assert loaded(code) & (HEAVY | {"pluggy"}) == set()
