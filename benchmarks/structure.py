"""Counts the arrows between ganzoo's modules: circles, imports that run upward, the longest chain.

    python benchmarks/structure.py

Imports for typing and those inside functions count everywhere but in the chain, which has only those that one import
runs. The last line is JSON. ``tests/test_imports.py`` holds these figures.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("ganzoo", "ganzoo_plugins", "ganzoo_registry")

# Inside ganzoo, a room imports nothing of a higher number. Rooms that are not named here are at the bottom: the
# contract of plugins, the configuration, and the records of runs and versions, which hooks are given.
RANK = {
    "runtime": 1,
    "zoo": 1,
    "data": 2,
    "networks": 2,
    "distributions": 2,
    "web": 2,
    "serving": 2,
    "training": 3,
    "evaluation": 3,
    "samples": 3,
    "exporting": 4,
    "reporting": 4,
    "pipeline": 5,
    "exploring": 5,
    "api": 6,
    "cli": 7,
    "testing": 7,
    "__main__": 8,
}


@dataclass(frozen=True)
class Import:
    """One import.

    Args:
        imported: the module, or the module and a name in it.
        runs: whether it happens when the importer is imported: neither in a function nor for typing alone.
        typing: whether it stands under ``if TYPE_CHECKING``.
    """

    importer: str
    imported: str
    runs: bool
    typing: bool


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Name and file of each module of an installed package."""
    spec = find_spec(package)
    (root,) = map(Path, (spec and spec.submodule_search_locations) or ())
    for path in sorted(root.rglob("*.py")):
        parts = (package, *path.relative_to(root).with_suffix("").parts)
        yield ".".join(parts).removesuffix(".__init__"), path


def imports(package: str) -> list[Import]:
    """Every import in a package."""
    found = []
    for name, path in modules(package):
        is_package = path.name == "__init__.py"
        for node, runs, typing in _walk(ast.parse(path.read_text("utf-8")), True, False):
            if isinstance(node, ast.Import):
                found += [Import(name, alias.name, runs, typing) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = name.split(".")[: len(name.split(".")) - node.level + is_package] if node.level else []
                source = ".".join([*base, *filter(None, [node.module])])
                found += [Import(name, f"{source}.{alias.name}", runs, typing) for alias in node.names]
    return found


def _walk(node: ast.AST, runs: bool, typing: bool) -> Iterator[tuple[ast.AST, bool, bool]]:
    for child in ast.iter_child_nodes(node):
        guarded = typing or (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"))
        inner = runs and not guarded and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, inner, guarded
        yield from _walk(child, inner, guarded)


Graph = Mapping[str, set[str]]
"""Module -> the modules of ours that it imports."""


def graph(found: list[Import], *, running: bool) -> Graph:
    """The arrows between our modules; with ``running``, only those that one import runs."""
    known = {name for package in PACKAGES for name, _ in modules(package)}
    arrows: dict[str, set[str]] = {name: set() for name in known}
    for each in found:
        target = each.imported if each.imported in known else each.imported.rpartition(".")[0]
        if target in known and target != each.importer and (each.runs or not running):
            arrows[each.importer].add(target)
    return arrows


def circles(arrows: Graph) -> list[list[str]]:
    """The groups of modules that import each other, however many lie between."""
    reach = {name: _reachable(arrows, name) for name in arrows}
    groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in arrows}
    return sorted(sorted(group) for group in groups if group)


def _reachable(arrows: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(arrows[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += arrows[name]
    return seen


def longest_chain(arrows: Graph) -> list[str]:
    """Modules that import one after the other; there must be no circle."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        chains: list[tuple[str, ...]] = [below(other) for other in sorted(arrows[name])]
        return (name, *max(chains, key=len)) if chains else (name,)

    chains = [below(name) for name in sorted(arrows)]
    return [*max(chains, key=len)]


def room(name: str) -> str:
    """``training`` of ``ganzoo.training.loop``; empty for ``ganzoo`` itself."""
    return (*name.split("."), "")[1]


def upward(found: list[Import]) -> list[Import]:
    """Imports inside ganzoo that run from a room to one of a higher number."""
    ours = [each for each in found if each.imported.split(".")[0] == each.importer.split(".")[0] == "ganzoo"]
    # The package itself only says where its public names stand.
    return [
        each
        for each in ours
        if each.importer != "ganzoo" and RANK.get(room(each.imported), 0) > RANK.get(room(each.importer), 0)
    ]


def top_level() -> list[str]:
    """The files right in ``ganzoo/``."""
    return [path.name for name, path in modules("ganzoo") if name.count(".") < 2 and path.parent.name == "ganzoo"]


def main() -> None:
    """Count and print."""
    found = [each for package in PACKAGES for each in imports(package)]
    everything, running = graph(found, running=False), graph(found, running=True)
    rooms = {
        (room(a) or a, room(b) or b)
        for a, others in everything.items()
        for b in others
        if a.startswith("ganzoo.") and b.startswith("ganzoo.") and room(a) != room(b)
    }
    chain = longest_chain(running)
    arrows = sum(map(len, everything.values()))
    print(f"{len(everything)} modules, {arrows} arrows, {len(rooms)} between rooms of ganzoo")
    print(f"circles: {circles(everything) or 'none'}")
    print(f"upward: {[(each.importer, each.imported) for each in upward(found)] or 'none'}")
    print(f"files at the top of ganzoo/: {len(top_level())}: {' '.join(top_level())}")
    print(f"longest chain at run time: {len(chain)}: {' <- '.join(reversed(chain))}")
    figures = {
        "modules": len(everything),
        "arrows": arrows,
        "arrows_between_rooms": len(rooms),
        "circles": len(circles(everything)),
        "upward": len(upward(found)),
        "top_level": len(top_level()),
        "longest_chain": len(chain),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
