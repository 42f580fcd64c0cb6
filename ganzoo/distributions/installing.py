"""Installs plugins into the environment that ganzoo is in, and takes them away: by pip, or by telling what to type.

An environment that another program made is that program's to change: what pip puts into one of ``uv tool`` or pipx is
lost with the next upgrade.
"""

import importlib
import json
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, NotFoundError, UsageError, applies, did_you_mean
from ganzoo.zoo.installed import BUILTIN, Plugin, discover, normalise

UV_RECEIPT = "uv-receipt.toml"
"""The file in the root of an environment by which ``uv tool`` knows what it installed there."""

PIPX_METADATA = "pipx_metadata.json"
"""The same of pipx."""

WITH, EDITABLE = "--with", "--with-editable"
"""Options of ``uv tool install`` for what stands beside the tool."""

UV_OPTIONS = {
    **dict.fromkeys(("-e", "--editable"), EDITABLE),
    **dict.fromkeys(("-r", "--requirement"), "--with-requirements"),
    **dict.fromkeys(("-i", "--index-url"), "--index-url"),
    **dict.fromkeys(("-f", "--find-links"), "--find-links"),
    "--extra-index-url": "--extra-index-url",
}
"""Options of ``pip install`` that have a value -> the same of ``uv tool install``."""

REQUIREMENT = re.compile(r"^\s*([\w.-]*)\s*\[?([^]<>=!~(@]*)")
"""A distribution's name, and the extras of it that are asked for."""

EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]*)['\"]")
"""An extra that a marker names."""

UPGRADE = ("-U", "--upgrade")
"""Options that say nothing to ``uv tool install``, which installs all of it anew."""


@dataclass(frozen=True)
class Installed:
    """What ``install`` did.

    Args:
        plugins: those of the distributions that were asked for.
        strangers: distributions that were asked for and are installed, and have no plugin.
    """

    plugins: tuple[Plugin, ...]
    strangers: tuple[str, ...]


def install(arguments: Sequence[str]) -> Installed:
    """Have pip install distributions, and look which plugins there are now.

    Args:
        arguments: as ``pip install`` takes them: names, paths, wheels, and options.

    Raises:
        UsageError: this environment is not pip's to change; the hint is the command to type.
        GanzooError: pip failed; it has said why.
    """
    require_pip("install", arguments)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        _pip("install", "--report", str(report), *arguments)
        asked = _asked_for(report)
    importlib.invalidate_caches()
    there = discover({})
    named = {normalise(match[0]) for each in arguments if (match := re.match(r"[A-Za-z0-9][\w.-]*", each))}
    plugins = tuple(plugin for plugin in there if plugin.distribution in asked | named and not plugin.builtin)
    ours = {plugin.distribution for plugin in there}
    return Installed(plugins, tuple(sorted(filter(_is_here, asked - ours))))


def uninstall(distributions: Sequence[str]) -> None:
    """Have pip take distributions away.

    Raises:
        NotFoundError: one of them is not installed.
        UsageError: ganzoo needs one of them, or this environment is not pip's to change.
        GanzooError: pip failed; it has said why.
    """
    for distribution in distributions:
        check_spared(distribution)
    require_pip("uninstall", distributions)
    _pip("uninstall", "--yes", *distributions)


def check_spared(distribution: str) -> None:
    """Refuse to take away what is not there, ganzoo itself, or what it needs.

    Raises:
        NotFoundError: it is not installed.
        UsageError: it is ganzoo, or ganzoo needs it.
    """
    there, name = _is_here(distribution), normalise(distribution)
    own = {BUILTIN: "this is ganzoo itself", "pip": f"ganzoo install needs {distribution}"}
    if what := own.get(name) or (there and name in _needed() and f"ganzoo needs {distribution}"):
        raise UsageError(what, hint=f"if that is what you want: python -m pip uninstall {distribution}")
    if not there:
        plugins = [plugin for plugin in discover({}) if not plugin.builtin]
        of = next((plugin.distribution for plugin in plugins if plugin.name == distribution), None)
        hint = f"plugin {distribution} is of {of}: ganzoo uninstall {of}" if of else None
        hint = hint or did_you_mean(distribution, {plugin.distribution for plugin in plugins})
        raise NotFoundError(f"{distribution} is not installed", hint=hint)


def _is_here(distribution: str) -> bool:
    try:
        return bool(metadata.version(distribution))
    except (metadata.PackageNotFoundError, ValueError):  # ValueError: the name is empty
        return False


def _needed() -> set[str]:
    """The distributions that ganzoo cannot do without here: what it requires directly or by another one, with extras.

    What it requires itself counts whatever the marker says of this machine: a server may have the ONNX Runtime for the
    CPU where pip would install that for CUDA.
    """
    found, open_ = set[tuple[str, frozenset[str]]](), [(BUILTIN, frozenset[str]())]
    while open_:
        who, extras = open_.pop()
        with suppress(metadata.PackageNotFoundError):
            for line in metadata.requires(who) or ():
                text, _, marker = line.partition(";")
                optional = _words(EXTRA.findall(marker))
                if applies(marker, extras=bool(optional & extras)) or (who == BUILTIN and not optional):
                    name, asked = REQUIREMENT.findall(text)[0]
                    if (each := (normalise(name), _words(asked.split(",")))) not in found:
                        found.add(each)
                        open_.append(each)
    return {name for name, _ in found}


def _words(names: Iterable[str]) -> frozenset[str]:
    """Names of extras, each spelled in one way."""
    return frozenset(normalise(name.strip()) for name in names)


def require_pip(action: str, arguments: Sequence[str], prefix: Path | None = None) -> None:
    """Refuse to change an environment that pip should not, or cannot; the hint is the command that does it.

    Args:
        action: ``install`` or ``uninstall``.
        arguments: what to install or take away.
        prefix: the environment's directory; None: this process's.

    Raises:
        UsageError: it is one of pipx or ``uv tool``, or has no pip.
    """
    prefix = prefix or Path(sys.prefix)
    words = shlex.join(arguments)
    if (prefix / PIPX_METADATA).is_file():
        verb = "inject" if action == "install" else "uninject"
        raise UsageError("this ganzoo is in an environment of pipx", hint=f"type: pipx {verb} {BUILTIN} {words}")
    if (prefix / UV_RECEIPT).is_file():
        command = _uv_tool(prefix / UV_RECEIPT, action, arguments)
        raise UsageError(
            "this ganzoo is in an environment of uv tool, which installs all of it anew",
            hint=f"type: {command}" if command else f"uv tool install --help; {prefix / UV_RECEIPT} has what is there",
        )
    if find_spec("pip") is None:
        if _made_by_uv(prefix):
            hint = f"type: uv pip {action} --python {shlex.quote(sys.executable)} {words}"
        else:
            hint = f"type: {shlex.quote(sys.executable)} -m ensurepip, and then the same again"
        raise UsageError("there is no pip in this environment", hint=hint)


def _uv_tool(receipt: Path, action: str, arguments: Sequence[str]) -> str | None:
    """The command that installs the tool again, with all that it has and should have: ``uv tool`` forgets the rest.

    None: one of pip's options is none of uv's.
    """
    try:
        found = tomllib.loads(receipt.read_text("utf-8"))["tool"]["requirements"]
    except (OSError, ValueError, KeyError, TypeError):
        found = []
    kept = {normalise(str(each.get("name"))): each for each in found if isinstance(each, Mapping)}
    own = kept.pop(BUILTIN, {"name": BUILTIN})
    if action == "uninstall":
        kept = {name: each for name, each in kept.items() if name not in map(normalise, arguments)}
        arguments = ()
    option, itself = _requirement(own)
    words = ["uv", "tool", "install", *(["--editable"] if option == EDITABLE else []), itself]
    for each in kept.values():
        words += _requirement(each)
    rest = list(arguments)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if not option.startswith("-"):
            words += [WITH, option + equals + value]
        elif option in UV_OPTIONS and (equals or rest):
            words += [UV_OPTIONS[option], value if equals else rest.pop(0)]
        elif option not in UPGRADE:
            return None
    return shlex.join(words)


def _requirement(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The option, and the requirement as uv's receipt describes it."""
    if place := entry.get("editable"):
        return EDITABLE, str(place)
    name = str(entry["name"])
    if extras := entry.get("extras"):
        name += f"[{','.join(map(str, extras))}]"
    if place := entry.get("git") or entry.get("url"):
        return WITH, f"{name} @ {'git+' if 'git' in entry else ''}{place}"
    if place := entry.get("directory") or entry.get("path"):
        return WITH, str(place)
    return WITH, f"{name}{entry.get('specifier', '')}"


def _made_by_uv(prefix: Path) -> bool:
    try:
        return re.search(r"^uv *=", (prefix / "pyvenv.cfg").read_text("utf-8"), re.MULTILINE) is not None
    except OSError:
        return False


def _pip(*arguments: str) -> None:
    """Run this environment's pip; what it says comes on stderr.

    Raises:
        GanzooError: it did not succeed.
    """
    # -P: a pip.py in the working directory is somebody else's.
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, stdout=2, check=False)  # noqa: S603 - what a person asked for
    if done.returncode:
        raise GanzooError(f"pip {arguments[0]} failed with exit code {done.returncode}", hint="its reason stands above")


def _asked_for(report: Path) -> set[str]:
    """The distributions that pip installed because they were asked for, by its report; without those they need."""
    try:
        entries = json.loads(report.read_text("utf-8"))["install"]
        return {normalise(each["metadata"]["name"]) for each in entries if each.get("requested")}
    except (OSError, ValueError, KeyError, TypeError):  # everything was there already
        return set()


def needed_by(distributions: Sequence[str], lineages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The versions whose lineage names one of the distributions.

    Args:
        lineages: reference -> the version's lineage.
    """
    wanted = set(map(normalise, distributions))
    return [reference for reference, lineage in lineages.items() if not wanted.isdisjoint(_named_by(lineage))]


def _named_by(lineage: Mapping[str, Any]) -> set[str]:
    """The distributions of a lineage's plugins; a record of another form, which anybody may register, has none."""
    plugins = lineage.get("plugins")
    found = [each for each in plugins if isinstance(each, Mapping)] if isinstance(plugins, list | tuple) else []
    return {normalise(str(each.get("distribution", ""))) for each in found}
