"""ARCHITECTURE.md and CONTRIBUTING.md lead somewhere: files, folders, functions, commands and the order of imports."""

import ast
import configparser
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
MAP, GUIDE = "ARCHITECTURE.md", "CONTRIBUTING.md"
PAGES = (MAP, GUIDE, "docs/engine.md")
WALKS = ("A model's name", "An image", "A seed", "A figure", "A request")
SUFFIXES = (".ini", ".md", ".py", ".toml", ".txt", "/")
"""What a word in backticks ends with if it is a path of the repository."""

FOLLOW = """
import json, os, signal, socket, sys, threading, time, urllib.request
from ganzoo.cli import main
from ganzoo.zoo.names import zoo

wanted = json.loads(sys.argv[1])
happened = {walk: [] for walk in wanted}


def follow(walk, *commands):
    calls = {tuple(call) for call in wanted[walk]}
    files = {file for file, _ in calls}
    short = {}

    def note(frame, event, _):
        if event == "call":
            code = frame.f_code
            if code.co_filename not in short:
                short[code.co_filename] = next((f for f in files if code.co_filename.endswith("/" + f)), "")
            call = (short[code.co_filename], code.co_qualname)
            if call in calls:
                happened[walk].append(call)

    zoo.cache_clear()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        for command in commands:
            assert main(command.split()) == 0, command
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def ask(port):
    url = f"http://127.0.0.1:{port}/v1/models/wgan-gp/sample?n=16&seed=7"
    try:
        for _ in range(300):
            try:
                return urllib.request.urlopen(url, timeout=60).read()
            except OSError:  # it does not listen yet
                time.sleep(0.1)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


train = "train --model wgan-gp --steps 2 --device cpu --executor eager --set options.width=8 --batch 8"
follow("A model's name", train)
follow("An image", f"{train} --data photos --size 8 --name photos --no-export")
follow("A seed", "sample wgan-gp -n 4 --seed 7 -o samples.png --device cpu")
follow("A figure", "eval wgan-gp -n 50 --seeds 1 --device cpu", "registry ls wgan-gp --sort fd")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
threading.Thread(target=ask, args=(port,)).start()
follow("A request", f"serve wgan-gp --port {port} --device cpu")
with open("happened.json", "w") as file:
    json.dump(happened, file)
"""
"""Does what the walks tell of, in one process, and notes their calls."""


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def prose(name: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page(name), flags=re.MULTILINE | re.DOTALL)


def section(name: str, heading: str) -> str:
    """From a heading to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", page(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no section {heading!r}"
    return found[1]


def block(heading: str) -> list[str]:
    """The lines of the block of text in a section of the map."""
    found = re.search(r"^```text\n(.*?)^```$", section(MAP, heading), re.MULTILINE | re.DOTALL)
    assert found
    return found[1].splitlines()


def paths(name: str) -> set[str]:
    """The paths that a page names, from the root of the repository; a file's name alone is in the root, too."""
    words = re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", prose(name))
    return {word for word in words if word.endswith(SUFFIXES) and word != "__init__.py"}


def tree() -> Iterator[Path]:
    """Each entry of the tree: a line has one or more of a folder, which the lines above it, less indented, name."""
    above: list[tuple[int, Path]] = []
    for line in block("The tree"):
        entries, said = re.split(r"\s{2,}", line.strip(), maxsplit=1)
        assert said
        indent = len(line) - len(line.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        home = above[-1][1] if above else ROOT
        yield from (home / entry for entry in entries.split())
        if entries.endswith("/") and " " not in entries:
            above.append((indent, home / entries))


def modules(folder: Path) -> set[Path]:
    """What a tree should name of a folder of Python: its modules and packages, but not ``__init__.py``."""
    files = {path for path in folder.glob("*.py") if path.name != "__init__.py"}
    return files | {path.parent for path in folder.glob("*/__init__.py")}


def imported(path: Path) -> set[str]:
    """The rooms of ganzoo that a module imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            sources = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            sources = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {source.split(".")[1] for source in sources if source.startswith("ganzoo.")}
    return found


def calls(walk: str) -> list[tuple[str, str]]:
    """(file, function) of each call that a walk names: the function is in the file that was named last before it."""
    found, file = [], ""
    for item in items(walk):
        for word in re.findall(r"`([^`]+)`", item):
            if word.endswith(".py"):
                file = word
            elif word.endswith("()"):
                found.append((file, word.removesuffix("()")))
    return found


def installed(file: str) -> str:
    """Where a file of the tree is below the directory that packages are installed in."""
    return file.removeprefix("plugins/").removeprefix("registry/")


def items(heading: str) -> list[str]:
    """The numbered lines of a walk, each with those that go on with it."""
    found = re.findall(r"^(\d+)\. (.*(?:\n +.*)*)", section(MAP, heading), re.MULTILINE)
    assert [int(number) for number, _ in found] == list(range(1, len(found) + 1))
    return [text for _, text in found]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_is_there(name: str) -> None:
    named = paths(name)
    assert len(named) > 9
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_contributors_links_to_what_is_there(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)#?([^)]*)\)", page(name))
    assert links
    for target, anchor in links:
        path = (ROOT / name).parent / target
        assert path.is_file()
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


def test_the_tree_is_that_of_the_repository() -> None:
    named = list(tree())
    assert [path for path in named if not path.exists()] == []
    assert len(named) == len(set(named))
    core = ROOT / "ganzoo"
    packages = {core, ROOT / "plugins" / "ganzoo_plugins", ROOT / "registry" / "ganzoo_registry"}
    told = {path.parent for path in named} - {ROOT}
    assert packages <= told
    assert {core / "zoo", core / "training"} <= told
    for folder in told:  # one whose files are named is named as a whole
        assert sorted(modules(folder) - set(named)) == [], f"the tree lacks something in {folder}"


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """(file, function) of each call that a walk names, in the order in which they were made, by walk."""
    place = tmp_path_factory.mktemp("walks")
    for number in range(24):
        folder = place / "photos" / ("cats", "dogs")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 18), (number, 10 * number, 255)).save(folder / f"{number}.png")
    wanted = {walk: [(installed(file), function) for file, function in calls(walk)] for walk in WALKS}
    script = [sys.executable, "-c", FOLLOW, json.dumps(wanted)]
    environment = {**os.environ, "GANZOO_REGISTRY": str(place / "registry")}
    done = subprocess.run(script, cwd=place, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((place / "happened.json").read_text("utf-8"))
    return {walk: [(file, function) for file, function in made] for walk, made in found.items()}


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_is_what_happens(walk: str, happened: dict[str, list[tuple[str, str]]]) -> None:
    """Each function that it names is called after those that it names before."""
    assert all(re.match(r"`[\w/]+\.py`: ", item) for item in items(walk))
    named = [(installed(file), function) for file, function in calls(walk)]
    assert len(named) >= len(items(walk))
    made = iter(happened[walk])
    assert [call for call in named if call not in made] == []


def test_what_should_be_changed_is_where_the_map_says() -> None:
    said = re.findall(r"`([A-Za-z_]\w*)`\s+in\s+`([\w/]+\.py)`", section(MAP, "Where to add"))
    assert len(said) > 5
    assert [(word, file) for word, file in said if not re.search(rf"\b{word}\b", page(file))] == []


def test_imports_run_as_the_map_says() -> None:
    """Those in functions and for types, too; a room is a file or a folder of ganzoo/."""
    floor = {room: number for number, line in enumerate(block("Which way imports run")) for room in line.split()}
    core = ROOT / "ganzoo"
    assert {path.stem for path in modules(core)} == {*floor, "__main__"}
    wrong = []
    for path in core.rglob("*.py"):
        room = path.relative_to(core).parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):  # the public names, and what torchrun starts: above all others
            continue
        rooms = imported(path) - {room}
        wrong += [
            f"{path.relative_to(ROOT)} imports {each}" for each in rooms if floor.get(each, len(floor)) >= floor[room]
        ]
    assert wrong == []


def test_the_set_up_has_all_that_the_tests_need() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")
    needed = {
        environment: set(tox[f"testenv:{environment}"]["deps"].split()) for environment in ("tests", "types", "lint")
    }
    (line,) = re.findall(r"^\$ pip install -c constraints.txt (?!-e)(.*)$", page(GUIDE), re.MULTILINE)
    assert set(line.split()) == set().union(*needed.values(), {"tox"})


def test_every_environment_of_tox_is_told_of() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")
    environments = {name.removeprefix("testenv:") for name in tox.sections() if name.startswith("testenv:")}
    told = section(GUIDE, "Test")
    assert {name for name in environments if not re.search(rf"`(tox -e )?{name}[ `]", told)} == set()
