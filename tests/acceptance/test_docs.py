"""docs/ leaves out nothing that it should name, and its tables say what the code does."""

import ast
import importlib
import importlib.util
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import click
import pluggy
import pytest

import ganzoo
from ganzoo import api, hookspecs, layers, specs
from ganzoo.cli import cli
from ganzoo.config import CHANGEABLE, RunConfig
from ganzoo.errors import ExitCode
from ganzoo.pipeline import modules
from ganzoo.pipeline.draft import INHERITED
from ganzoo.records.run import Run
from ganzoo.runtime import card, generator, vetting
from ganzoo.serving import app, bodies, connection, desk, formats, guard, handlers, metrics, pool, query, server
from ganzoo.zoo.discovery import State
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_registry import Registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def section(text: str, heading: str) -> str:
    """From a heading to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading!r}"
    return found[1]


def rows(text: str) -> dict[str, str]:
    """First cell -> second cell of each table row whose first cell is code."""
    return dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", text, re.MULTILINE))


def default(value: Any) -> str:
    """As a page shows it."""
    if isinstance(value, tuple) and value:
        value = list(value)
    return f"`{json.dumps(value)}`" if isinstance(value, str | list) else f"`{value}`"


def documented(kind: type[Any]) -> dict[str, str]:
    """Field -> the default that its page should show."""
    shown = {}
    for field in fields(kind):
        value = field.default if field.default_factory is MISSING else field.default_factory()
        shown[field.name] = "required" if value is MISSING else default(value)
    return shown


def test_every_hook_with_its_arguments() -> None:
    hooks = {name: function for name, function in vars(hookspecs).items() if name.startswith("ganzoo_")}
    calls = {f"{name}({', '.join(inspect.signature(function).parameters)})" for name, function in hooks.items()}
    assert len(calls) >= 5
    assert set(rows(section(page("contract"), "Hooks"))) == calls


def test_the_hooks_that_are_shown(tmp_path: Path) -> None:
    shown = re.search(r"```python\n(.*?)```", section(page("contract"), "Hooks"), re.DOTALL)
    assert shown
    plugin = ModuleType("shown")
    exec(shown[1], vars(plugin))
    manager = pluggy.PluginManager("ganzoo")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    run = SimpleNamespace(directory=tmp_path)
    manager.hook.ganzoo_report(run=run, step=50, metrics={"loss_d": 1.5})
    assert json.loads((tmp_path / "tracker.jsonl").read_text("utf-8")) == {"step": 50, "loss_d": 1.5}
    assert manager.hook.ganzoo_lineage(run=run) == [{"tracker": "1.0"}]


@pytest.mark.parametrize("kind", specs.KINDS)
def test_every_field_of_every_spec_with_its_default(kind: type[Any]) -> None:
    common = documented(specs.Spec)
    assert rows(section(page("specs"), "Spec")) == common
    own = {name: value for name, value in documented(kind).items() if name not in common}
    assert rows(section(page("specs"), kind.__name__)) == own


def load(name: str) -> ModuleType:
    """A script in docs/ that writes a page."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load("reference")


def test_the_page_of_specs_is_what_is_made_of_them() -> None:
    assert page("specs") == reference.page(), "python docs/reference.py makes it again"


def test_the_page_of_commands_is_what_they_say() -> None:
    assert page("commands") == load("commands").page(), "python docs/commands.py makes it again"


def test_the_calls_on_the_page_of_python_are_what_their_docstrings_say() -> None:
    assert page("python") == load("calls").page(), "python docs/calls.py makes it again"
    assert "\n- `resume`: a run's directory" in page("python")


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\((\w+)\.md\)", page("README")))
    assert linked == {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}


def test_what_a_docstring_says_of_its_arguments() -> None:
    @dataclass
    class Shown:
        """A thing.

        Args:
            one, two: numbers: ``1`` | ``2``,
                or more.
            three: a word.

        The end.
        """

        one: int
        two: int = 2
        three: tuple[str, ...] = ("a",)

    assert reference.section(Shown).splitlines() == [
        "## Shown",
        "",
        "A thing.",
        "",
        "| field | default | meaning |",
        "|---|---|---|",
        r"| `one` | required | numbers: `1` \| `2`, or more |",
        r"| `two` | `2` | numbers: `1` \| `2`, or more |",
        '| `three` | `["a"]` | a word |',
        "",
        "The end.",
    ]


def test_a_field_without_a_meaning_is_noticed() -> None:
    @dataclass
    class Silent:
        """A thing."""

        size: int

    with pytest.raises(KeyError, match="size"):
        reference.section(Silent)


def test_the_defaults_that_are_shown_are_a_configuration() -> None:
    shown = re.search(r"```python\n(.*?)```", section(page("contract"), "Defaults"), re.DOTALL)
    assert shown
    names: dict[str, Any] = {}
    exec(shown[1], names)
    config = resolve(zoo(), "wgan-gp", names["defaults"]).config
    assert config.penalties["r1"].every == 4
    assert config.discriminator.regularise is not None


def test_every_layer_has_its_row() -> None:
    text = page("layers")
    table = "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))
    assert set(re.findall(r"`(\w+)\(", table)) == set(layers.__all__)


def test_everything_that_a_step_has() -> None:
    named = section(page("contract"), "Losses")
    source = ast.parse((ROOT / "ganzoo" / "step.py").read_text("utf-8"))
    (step,) = (node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Step")
    assigned = {node.attr for node in ast.walk(step) if isinstance(node, ast.Attribute) and _is_own(node)}
    methods = {node.name for node in step.body if isinstance(node, ast.FunctionDef)}
    public = {name for name in assigned | methods if not name.startswith("_")}
    assert {"real", "fake", "score"} <= public
    assert {name for name in public if f"`step.{name}" not in named} == set()


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"


def test_every_call_from_python() -> None:
    named = set(rows(page("python")))
    public = {
        name
        for module in (api, modules)
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__.startswith(module.__name__)
        and (module is api or hasattr(ganzoo, name))
    }
    wanted = {f"ganzoo.{name}" if hasattr(ganzoo, name) else f"ganzoo.api.{name}" for name in public}
    assert named == wanted | {"ganzoo.observer.Observer"}
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)


def test_what_may_be_read_of_a_run_is_there() -> None:
    promised = re.findall(r"^\| `run\.(\w+)", section(page("contract"), "Runs"), re.MULTILINE)
    assert {"reports", "samples", "events", "all_evaluations"} <= set(promised)
    run = Run(Path("runs/net/1"), RunConfig(model="m", architecture="a", loss="l"), {})
    assert [name for name in promised if not hasattr(run, name)] == []


def test_every_state_of_a_plugin() -> None:
    assert {state for state in rows(section(page("plugins"), "States")) if state.islower()} == set(State)


def keys(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every configuration key, with its default."""
    for field in fields(kind):
        if field.name in ("generator", "discriminator"):
            yield from keys(type(field.default), f"{field.name}.")
        elif field.name == "options":
            yield f"{prefix}KEY" if prefix else "options.KEY", MISSING
        elif field.name == "regularise":
            yield from ((f"{prefix}regularise.weight", MISSING), (f"{prefix}regularise.every", MISSING))
        elif field.name == "penalties":
            yield from ((f"penalties.NAME.{key}", MISSING) for key in ("weight", "every", "options"))
        else:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            yield prefix + field.name, default


def test_every_configuration_key_with_its_default() -> None:
    shown = rows(section(page("configuration"), "Keys"))
    expected = dict(keys(RunConfig))
    assert set(shown) == set(expected)
    filled_in = {"architecture", "loss", "name", "size"}  # by the model, or the data
    for key, value in expected.items():
        if key == "model":
            assert shown[key] == "required"
        elif key in filled_in or value is MISSING:
            assert shown[key].startswith("the ")
        else:
            assert shown[key] == default(value), key


def test_what_a_resumed_and_a_fine_tuned_run_may_change() -> None:
    _, _, rule = section(page("configuration"), "Resume").partition("A resumed run may change")
    assert set(re.findall("`(.*?)`", rule.partition(";")[0])) == CHANGEABLE
    _, _, rule = section(page("configuration"), "Fine-tuning").partition("It inherits")
    assert tuple(re.findall("`(.*?)`", rule.partition("from it")[0])) == INHERITED


def test_every_exit_code() -> None:
    assert {int(code) for code in rows(section(page("configuration"), "Exit codes"))} == set(ExitCode)


def test_every_environment_variable() -> None:
    trees = [ROOT / "ganzoo", ROOT / "registry"]
    source = "".join(path.read_text("utf-8") for tree in trees for path in tree.rglob("*.py"))
    variables = set(re.findall(r"GANZOO_[A-Z_]+[A-Z]", source))
    assert set(rows(section(page("configuration"), "Environment"))) == variables


def paths(group: click.Group, name: str) -> Iterator[str]:
    for child in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), child)
        yield f"{name} {child}"
        if isinstance(command, click.Group):
            yield from paths(command, f"{name} {child}")


def test_every_command() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES if page.name != "commands.md")  # which is made of them
    commands = set(paths(cli, "ganzoo"))
    assert {"ganzoo train", "ganzoo models show", "ganzoo registry rm"} <= commands
    assert {command for command in commands if not re.search(rf"{command}\b", text)} == set()


def test_every_route_parameter_and_limit() -> None:
    serving = page("serving")
    routes = {route.path for route in app.create_app({}).routes}  # type: ignore[attr-defined]
    listed = re.findall(r"^\| (`/.*?) \|", section(serving, "Routes"), re.MULTILINE)
    assert [path for line in listed for path in re.findall("`(.*?)`", line) if path not in routes] == []
    assert routes == {path for line in listed for path in re.findall("`(.*?)`", line)}
    parameters = rows(section(serving, "Images"))
    numbers = {name: each for kind in query.PARAMETERS.values() for name, each in kind.items()}
    assert set(parameters) == {*numbers, *query.WORDS, *formats.FORMATS}
    assert [parameters[name] for name in ("n", "steps")] == [str(numbers[name].default) for name in ("n", "steps")]
    assert parameters["format"] == f"`{formats.DEFAULT_FORMAT}`"
    refused = {400, 401, 405, 408, 431, 500}  # by the connection, the guard or the router
    assert {int(status) for status in rows(section(serving, "Errors"))} == {*app._STATUS.values(), *refused}
    headers = set(
        re.findall(
            r'"([A-Z]\w+(?:-[A-Z]\w+)*)"[:,]',
            inspect.getsource(handlers.Handlers) + inspect.getsource(guard) + inspect.getsource(app._ganzoo_error),
        )
    )
    assert {"ETag", "Retry-After", "Referrer-Policy"} <= headers
    assert {name for name in headers if f"`{name}" not in serving} == {"Connection"}
    names = re.findall(r'^\s+\("(\w+)", "(counter|gauge|histogram)"', inspect.getsource(metrics), re.MULTILINE)
    assert rows(section(serving, "Metrics")) == {f"ganzoo_{name}": kind for name, kind in names}
    assert set(metrics.Metrics().refused) <= set(re.findall("`(.*?)`", section(serving, "Metrics")))
    assert f"1 to {query.MAX_IMAGES}" in serving
    assert f"more than {pool.MAX_WAITING} images" in serving
    assert f"within {pool.DEADLINE_SECONDS:g} seconds" in serving
    assert f"up to {generator.BATCH} images in one run" in serving
    assert f"at most {server.DRAIN_SECONDS} seconds" in serving
    assert f"{connection.HEAD_BYTES >> 10} KiB" in serving
    assert f"over {desk.HEAD_SECONDS} seconds" in serving
    assert f"its body over {bodies.BODY_SECONDS}" in serving
    assert f"body has over {bodies.BODY_BYTES >> 20} MiB" in serving
    assert f"| {connection.UNREAD_SECONDS} |" in serving
    assert f"| {connection.MOST_PIPELINED} |" in serving
    assert f"| {desk.MOST_CONNECTIONS}, and {desk.SPARE_FILES} fewer than files may be open |" in serving
    assert f"at most {vetting.SECONDS} seconds and {vetting.MEMORY >> 30} GiB of memory" in serving
    assert f"over {card.MOST_LATENTS:,} latents, or {card.MOST_VALUES // 10**6} million values" in serving


def test_the_layout_is_that_of_a_registry(tmp_path: Path) -> None:
    shown = re.search(r"```text\n(.*?)```", section(page("registry"), "Layout"), re.DOTALL)
    assert shown
    patterns = [re.sub(r"<\w+>", "[^/]+", line.split("  ")[0]) for line in shown[1].splitlines()]
    registry = Registry(tmp_path / "somewhere")
    version = registry.register("cats", {"preview": b"picture"}, {})
    registry.attach(version, "onnx", b"graph")
    registry.alias("cats:1", "champion")
    (registry.root / "tmp" / "left").write_bytes(b"")
    files = [path.relative_to(registry.root).as_posix() for path in registry.root.rglob("*") if path.is_file()]
    assert [file for file in files if not any(re.fullmatch(pattern, file) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, file) for file in files)] == []


@pytest.mark.parametrize("source", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(source: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", source.read_text("utf-8")):
        path = source.parent / target if target else source
        assert path.is_file(), f"{target} is not there"
        if anchor:
            headings = re.findall("^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings]
