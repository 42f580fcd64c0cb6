"""The errors of ganzoo: each says in one line what went wrong, in another what to type next, and has an exit code.

Their base is the registry's, which imports nothing of ganzoo: ``except GanzooError`` catches its errors, too.
"""

import contextlib
import os
import re
import sys
from collections.abc import Container, Iterable
from enum import IntEnum

from ganzoo_registry.errors import GanzooError as GanzooError

_IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn", "onnxruntime-gpu": "onnxruntime"}
"""Distribution -> the package that it installs, where that is not its name with ``_`` for ``-``."""

_NOT_TO_BLAME = {"ganzoo", "torch", "numpy", "msgspec", "onnx", "onnxscript", "onnx_ir"}
"""Packages whose lines say nothing about where a plugin went wrong."""

_REQUIREMENT = re.compile(r"([\w.-]+)(\[.*?\])?(.*)")


class ExitCode(IntEnum):
    """Exit codes of the command line; stable, so that scripts may depend on them."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    INTEGRITY = 4
    PLUGIN = 5
    MISSING_PACKAGE = 6
    STOPPED = 75
    """Training was stopped by SIGINT, SIGTERM or SIGHUP and left a checkpoint (sysexits' EX_TEMPFAIL: try again)."""
    INTERRUPTED = 130


class UsageError(GanzooError):
    """An argument, option or configuration value that cannot be used."""

    exit_code = ExitCode.USAGE


class NotFoundError(GanzooError):
    """A name that stands for nothing, or for more than one thing."""

    exit_code = ExitCode.NOT_FOUND


class IntegrityError(GanzooError):
    """Stored bytes are not what was stored."""

    exit_code = ExitCode.INTEGRITY


class NotFiniteError(GanzooError):
    """An image with pixels that are not finite numbers."""


class PluginError(GanzooError):
    """A plugin is broken, or breaks its contract."""

    exit_code = ExitCode.PLUGIN


class PluginWarning(UserWarning):
    """What a plugin did that nobody asked for, and what became of it."""


class MissingPackageError(GanzooError):
    """The command needs a package that is not installed here."""

    exit_code = ExitCode.MISSING_PACKAGE


class TrainingStopped(GanzooError):  # noqa: N818 - an outcome, not a fault
    """Training ended early on SIGINT, SIGTERM or SIGHUP; its checkpoint is safe."""

    exit_code = ExitCode.STOPPED


class ToldToEnd(SystemExit):
    """The end of a command that a signal asks for, with the exit code as its only argument."""


def page(name: str) -> str:
    """The address of a page for a hint, by its name in ``docs/``, which is not installed: ``page("evaluation.md")``.

    The installed metadata says where the documentation is; without them it is the page's path in the sources.
    """
    from importlib.metadata import PackageNotFoundError, metadata  # needed only when a message names a page

    try:
        urls = metadata("ganzoo").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from the sources
        urls = []
    root = next((url.partition(", ")[2] for url in urls if url.startswith("Documentation, ")), "docs")
    return f"{root}/{name}"


def did_you_mean(name: str, choices: Iterable[str], prefix: str = "") -> str:
    """A hint for an unknown ``name``: the closest of ``choices``, or all of them, each with its ``prefix``."""
    import difflib  # 4 ms, needed only when something is wrong already

    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {prefix + close[0]!r}?"
    return f"choose one of: {', '.join(prefix + choice for choice in known) or 'none is available'}"


def check_whole(value: object, what: str, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number, or lies outside ``least`` to ``most``; ``True`` is none.

    Raises:
        UsageError: names it as ``what``.
    """
    wanted = f"a whole number of at least {least}" + (f" and at most {most:,}" if most is not None else "")
    if type(value) is not int or value < least or (most is not None and value > most):
        raise UsageError(f"{what}: {value!r} is not {wanted}", hint=f"give {wanted}")


def missing_package(error: ImportError, *, but: Container[str] | None = None) -> MissingPackageError | None:
    """The error to raise where a dependency of ganzoo is not installed; None: ``error`` means something else.

    Args:
        but: name every dependency that is not installed but for these packages, because what was asked for needs them;
            None: name only the one that ``error`` is about.
    """
    package = (error.name or "").partition(".")[0]
    known = _requirements(optional=True)
    if not isinstance(error, ModuleNotFoundError) or package not in known or _installed(package):
        return None
    needed = (
        {} if but is None else {name: text for name, text in _requirements(optional=False).items() if name not in but}
    )
    missing = {name: text for name, text in ({package: known[package]} | needed).items() if not _installed(name)}
    names = ", ".join(sorted(missing))
    return MissingPackageError(
        f"this needs the package {names}, which is not installed"
        if len(missing) == 1
        else f"this needs packages that are not installed: {names}",
        hint="pip install " + " ".join(f'"{missing[name]}"' for name in sorted(missing)),
    )


def _requirements(*, optional: bool) -> dict[str, str]:
    """Package -> what pip installs it by, from the metadata of ganzoo's own distribution."""
    from importlib.metadata import PackageNotFoundError, requires

    found: dict[str, str] = {}
    with contextlib.suppress(PackageNotFoundError):
        for line in requires("ganzoo") or []:
            text, _, marker = line.partition(";")
            if applies(marker, extras=optional) and (match := _REQUIREMENT.match(text)):
                name = match[1].lower()
                found[_IMPORTED_AS.get(name, name.replace("-", "_"))] = match[0].strip()
    return found


def applies(marker: str, *, extras: bool = False) -> bool:
    """Whether a requirement counts here, by the marker behind its ``;``; one that cannot be read does.

    Args:
        extras: whether what only an extra asks for counts.
    """
    try:  # needed only when something is missing, which it may be itself, or taken away
        from packaging.markers import InvalidMarker, Marker
    except ImportError:
        return True
    asked = re.findall(r"extra\s*==\s*['\"]([^'\"]+)", marker) if extras else []
    try:
        return not marker.strip() or any(Marker(marker).evaluate({"extra": extra}) for extra in ("", *asked))
    except InvalidMarker:
        return True


def _installed(package: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # ValueError: it is being imported, or was taken out
        return False


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type's name where it has none. Never raises."""
    return next(iter(message(error).strip().splitlines()), "") or type(error).__name__


def described(error: BaseException) -> str:
    """``Type: first line of its message``, for errors of other people's code. Never raises."""
    text = next(iter(message(error).splitlines()), "")
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def blamed(error: BaseException) -> str:
    """What ``described`` says, and the place in other people's code in which it happened. Never raises."""
    return described(error) + blamed_place(error)


def blamed_place(error: BaseException) -> str:
    """The file and line of other people's code in which an error happened: ``(folder/file.py:3)``; or nothing."""
    place, trace = "", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if module not in _NOT_TO_BLAME and module not in sys.stdlib_module_names:
            place = f" ({'/'.join(trace.tb_frame.f_code.co_filename.split(os.sep)[-2:])}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place


def message(error: BaseException) -> str:
    """An error's whole message. Never raises: the ``__str__`` of somebody else's error may do anything."""
    try:
        return str(error)
    except BaseException:  # SystemExit, too
        return "(its message cannot be shown)"
