"""Begins a plugin: a complete distribution that works before a line of it is changed."""

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from ganzoo.errors import UsageError
from ganzoo.files import check_absent, write_folder
from ganzoo.version import __version__
from ganzoo.zoo.installed import LONGEST_NAME, normalise

PREFIX = "ganzoo-"
"""What the name of a new distribution begins with, so that a package index shows what it is for."""

PARTS = {
    "model": "networks",
    "loss": "losses",
    "penalty": "",
    "dataset": "images",
    "metric": "metrics",
    "augmentation": "augment",
    "optimizer": "optimizers",
}
"""Kind of plugin -> its module beside the light ``__init__.py``; empty: there is none."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_WORD = re.compile(r"{{(\w+)}}")


def begin(name: str, kind: str, directory: Path | None = None) -> Path:
    """Write a distribution; returns its directory, which appears whole or not at all.

    Args:
        name: what the plugin, and what it provides, is called: lower-case letters, digits and inner ``-``.
        kind: one of ``PARTS``.
        directory: where; None: ``ganzoo-NAME`` in the working directory.

    Raises:
        UsageError: the name cannot be used, or something is there already.
        GanzooError: it cannot be written.
    """
    check_name(name)
    place = directory or Path(f"{PREFIX}{name}")
    check_absent(place, "--directory")
    write_folder(place, {path: text.encode() for path, text in content(name, kind).items()})
    return place


def check_name(name: str) -> None:
    """Refuse a name that a distribution, a package and a spec cannot all be made of.

    Raises:
        UsageError: the hint says how it could be spelt.
    """
    if name.startswith(PREFIX):
        raise UsageError(
            f"the distribution is called {PREFIX}… by itself", hint=f"the name alone: {name[len(PREFIX) :]}"
        )
    if not _NAME.fullmatch(name):
        spelt = normalise(re.sub(r"[^\w.-]+", "-", name)).strip("-").lstrip("0123456789-")
        wanted = "lower-case letters, digits and inner '-', a letter first"
        raise UsageError(
            f"{name!r} cannot name a plugin; wanted: {wanted}",
            hint=f"for example: {spelt if _NAME.fullmatch(spelt) else 'my-gan'}",
        )
    if keyword.iskeyword(_class(name)):
        raise UsageError(f"{name!r} cannot name a class of Python", hint=f"for example: my-{name}")
    if name in PARTS:
        raise UsageError(f"{name!r} is a kind of plugin, and the name of none", hint=f"for example: my-{name}")
    if len(PREFIX + name) > LONGEST_NAME:
        raise UsageError(f"a name of {len(name)} characters is too long", hint=f"at most {LONGEST_NAME - len(PREFIX)}")


def _class(name: str) -> str:
    """What a class of that name is called."""
    return "".join(part.title() for part in name.split("-"))


def content(name: str, kind: str) -> Mapping[str, str]:
    """Path in the distribution -> text, of every file."""
    package = f"{PREFIX}{name}".replace("-", "_")
    words = {
        "name": name,
        "kind": kind,
        "distribution": PREFIX + name,
        "package": package,
        "title": _class(name),
        "ganzoo": __version__,
    }
    templates = {
        "pyproject.toml": "pyproject.toml",
        "README.md": f"{kind}/README.md",
        f"{package}/__init__.py": f"{kind}/__init__.py",
        "tests/test_conformance.py": "test_conformance.py",
        ".github/workflows/tests.yml": "tests.yml",
        ".gitignore": "gitignore",
    }
    if PARTS[kind]:
        templates[f"{package}/{PARTS[kind]}.py"] = f"{kind}/{PARTS[kind]}.py"
    return {path: _filled(template, words) for path, template in templates.items()}


def _filled(template: str, words: Mapping[str, str]) -> str:
    text = (files(__package__) / "templates" / f"{template}.template").read_text("utf-8")
    return _WORD.sub(lambda found: words[found[1]], text)
