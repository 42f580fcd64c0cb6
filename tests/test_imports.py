"""Imports run one way, and what must be light is light; looked at where the packages are installed."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

HEAVY = {"torch", "numpy", "onnx", "onnxruntime", "onnxscript", "PIL", "sklearn", "scipy", "starlette", "uvicorn"}

TORCH_LIVES_IN = (
    "ganzoo.layers",
    "ganzoo.networks",
    "ganzoo.training",
    "ganzoo.exporting",
    "ganzoo.exploring",
    "ganzoo.pipeline",
    "ganzoo.testing",
)

TORCH_IS_ASKED_BY = {"ganzoo.cli.doctor", "ganzoo.step"}
"""Light modules that look, inside a function, at the torch that is installed, or name its types."""

NEVER = {
    "runtime": {"training", "data", "zoo", "networks"},
    "samples": {"training", "evaluation", "zoo", "networks"},
    "serving": {"training", "evaluation", "exporting", "data", "zoo", "networks"},
    "records": {"zoo", "data"},
    "training": {"runtime", "evaluation"},
    "evaluation": {"training", "networks"},
    "exporting": {"training"},
    "reporting": {"training", "networks"},
}
"""Rooms that know nothing of each other, whatever their ranks."""


def load_structure() -> ModuleType:
    """``benchmarks/structure.py``, which counts the same things for people."""
    spec = importlib.util.spec_from_file_location("structure", ROOT / "benchmarks" / "structure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["structure"] = module
    spec.loader.exec_module(module)
    return module


structure = load_structure()
Import, modules, room = structure.Import, structure.modules, structure.room


def top(name: str) -> str:
    return name.partition(".")[0]


GANZOO, PLUGINS, REGISTRY = (structure.imports(name) for name in ("ganzoo", "ganzoo_plugins", "ganzoo_registry"))


def test_the_reader_of_imports_reads() -> None:
    assert Import("ganzoo.__main__", "sys", True, False) in GANZOO
    assert Import("ganzoo.cli.doctor", "torch", False, False) in GANZOO
    assert Import("ganzoo.step", "torch.Tensor", False, True) in GANZOO
    assert not any(top(each.imported) == "torch" for each in GANZOO if each.importer == "ganzoo.config")


def test_circles_are_found() -> None:
    assert structure.circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]
    assert structure.longest_chain({"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}) == ["a", "b", "c"]


def test_there_is_no_circle() -> None:
    """Imports for typing and those inside functions counted."""
    assert structure.circles(structure.graph([*GANZOO, *PLUGINS, *REGISTRY], running=False)) == []


def test_chains_are_short() -> None:
    chain = structure.longest_chain(structure.graph([*GANZOO, *PLUGINS, *REGISTRY], running=True))
    assert len(chain) <= 19, chain


def test_the_top_level_can_be_taken_in() -> None:
    assert len(structure.top_level()) <= 14


def test_the_registry_needs_the_standard_library_alone() -> None:
    assert {top(each.imported) for each in REGISTRY} <= sys.stdlib_module_names | {"ganzoo_registry"}


def test_the_core_knows_no_model() -> None:
    assert [each for each in GANZOO if top(each.imported) == "ganzoo_plugins"] == []


def public() -> set[str]:
    """The modules that docs/contract.md says a plugin may import."""
    text = (ROOT / "docs" / "contract.md").read_text("utf-8")
    _, _, section = text.partition("## What a plugin may import\n")
    return set(re.findall(r"^\| `(ganzoo[\w.]*)` \|", section.partition("\n## ")[0], re.MULTILINE))


def test_plugins_import_what_is_public_and_nothing_else() -> None:
    assert {"ganzoo", "ganzoo.layers", "ganzoo.training", "ganzoo.data"} <= public()
    # ``from ganzoo.data import load``: of two public modules or a name in one, the module decides.
    wrong = [
        each
        for each in PLUGINS
        if top(each.imported) not in {"ganzoo_plugins", *sys.stdlib_module_names}
        and top(each.imported).startswith("ganzoo")
        and each.imported.rpartition(".")[0] not in public()
    ]
    assert wrong == []


def test_what_is_public_is_there() -> None:
    """And each name that the page gives can be imported from where it says."""
    text = (ROOT / "docs" / "contract.md").read_text("utf-8")
    _, _, section = text.partition("## What a plugin may import\n")
    rows = re.findall(r"^\| `(ganzoo[\w.]*)` \| (.*) \|$", section.partition("\n## ")[0], re.MULTILINE)
    for module, names in rows:
        imported = importlib.import_module(module)
        assert set(re.findall(r"`(\w+)`", names)) == set(imported.__all__) - {"__version__"}, module


def test_inside_ganzoo_imports_run_one_way() -> None:
    assert structure.upward(GANZOO) == []
    strangers = [
        each
        for each in GANZOO
        if top(each.imported) == "ganzoo" and room(each.imported) in NEVER.get(room(each.importer), set())
    ]
    assert strangers == []


def test_exporting_does_not_stand_on_the_engine() -> None:
    arrows = structure.graph(GANZOO, running=False)
    below = {name for start in arrows if room(start) == "exporting" for name in structure._reachable(arrows, start)}
    assert {name for name in below if room(name) == "training"} == set()


def test_torch_lives_where_it_should() -> None:
    wrong = [
        each
        for each in GANZOO
        if top(each.imported) == "torch"
        and not each.importer.startswith(TORCH_LIVES_IN)
        and not each.typing
        and (each.runs or each.importer not in TORCH_IS_ASKED_BY)
    ]
    assert wrong == []


def test_the_light_modules_import_nothing_heavy() -> None:
    light = ("ganzoo.cli", "ganzoo.api", "ganzoo.zoo", "ganzoo.records", "ganzoo.specs", "ganzoo.hookspecs")
    wrong = [each for each in GANZOO if each.runs and top(each.imported) in HEAVY and each.importer.startswith(light)]
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
    assert after & {"pluggy", "ganzoo_plugins", "platformdirs"} == set()


@pytest.mark.parametrize("code", ["import ganzoo.errors", "from ganzoo.cli import main\nassert main(['--help']) == 0"])
def test_of_the_registry_help_loads_the_base_of_errors_alone(code: str) -> None:
    names = "print('\\n' + ' '.join(name for name in sys.modules if name.startswith('ganzoo_registry')))"
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}\n{names}"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].split() == ["ganzoo_registry", "ganzoo_registry.errors"]


def test_completion_loads_no_command() -> None:
    code = (
        "import os\n"
        "os.environ.update(_GANZOO_COMPLETE='bash_complete', COMP_WORDS='ganzoo re', COMP_CWORD='1')\n"
        "from ganzoo.cli import main\n"
        "try:\n    main([])\nexcept SystemExit:\n    pass\n"
        "assert [name for name in sys.modules if name.startswith('ganzoo.cli.reg')] == []"
    )
    assert loaded(code) & (HEAVY | {"pluggy"}) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        "train --model wgan_gp",
        "train --resume no-such-run",
        "train --model dcgan --set btach=3",
        "train --model dcgan --data no-such-set",
        "train --model dcgan --best fdd",
        "train --model dcgan --init-from no-such-version",
    ],
)
def test_what_is_wrong_with_a_training_is_said_without_torch(arguments: str, tmp_path: Path) -> None:
    after = loaded(
        f"import os; os.chdir({str(tmp_path)!r}); os.environ['GANZOO_REGISTRY'] = {str(tmp_path)!r}\n"
        f"from ganzoo.cli import main\nassert main({arguments.split()!r}) in (2, 3)"
    )
    assert after & {"torch", "scipy", "sklearn", "onnxruntime"} == set()
