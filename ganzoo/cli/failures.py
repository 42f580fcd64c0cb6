"""What a person sees of an error: ``Error:`` and ``Hint:``, one line each, and an exit code."""

import errno
import os
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

import click

from ganzoo.cli.groups import LazyGroup
from ganzoo.cli.output import in_line, say_whole, there
from ganzoo.errors import ExitCode, GanzooError, message, missing_package


class Failure(NamedTuple):
    """An error in words."""

    message: str
    hint: str | None
    exit_code: int


_TORCH = {"torch", "onnx", "onnxscript", "safetensors"}
_FIGURES = {"matplotlib", "msgspec", "scipy", "sklearn", "tomli_w"}
_SERVER = {"httptools", "starlette", "uvicorn"}
DO_WITHOUT: Mapping[str, Collection[str]] = {
    "train": (),
    "export": (),
    "project": _SERVER | _FIGURES,
    "directions": _SERVER | _FIGURES,
    "eval": _TORCH | _SERVER,
    "serve": _TORCH | _FIGURES,
    "sample": _TORCH | _FIGURES | _SERVER,
}
"""Commands that name all that they lack at once -> the dependencies that they can do without."""


TRAIN = "ganzoo train"


def tell(error: Exception, command: str = "") -> int:
    """Write an error of a command to stderr, with its traceback if ``GANZOO_DEBUG=1``; returns the exit code."""
    if os.environ.get("GANZOO_DEBUG") == "1":
        import traceback

        say_whole("".join(traceback.format_exception(error)).rstrip())
    failure = explain(error, command)
    stopped = failure.exit_code == ExitCode.STOPPED  # an outcome, not an error
    said = in_line(failure.message)
    say_whole(said[:1].upper() + said[1:] if stopped else f"Error: {said}")
    if failure.hint:
        say_whole(f"Hint: {in_line(there(failure.hint))}")
    return failure.exit_code


def explain(error: Exception, command: str = "") -> Failure:
    """Put any error of a command into words."""
    if isinstance(error, click.Abort):
        return Failure("interrupted", None, ExitCode.INTERRUPTED)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, GanzooError):
        return Failure(message(error), error.hint, error.exit_code)
    if isinstance(error, ImportError) and (missing := missing_package(error, but=DO_WITHOUT.get(command))):
        return Failure(str(missing), missing.hint, missing.exit_code)
    if isinstance(error, MemoryError):
        return Failure("there is not enough memory", "close other programs, or ask for less at once", ExitCode.FAILURE)
    if named := _by_plugin(error):
        return named
    if isinstance(error, OSError) and error.strerror:
        return _system(error)
    if isinstance(error, RecursionError):
        return Failure("something is nested too deeply to be read", "GANZOO_DEBUG=1 shows where", ExitCode.FAILURE)
    words = " ".join(message(error).split())
    return Failure(
        f"unexpected {type(error).__name__}: {words}".removesuffix(": "),
        "this is a bug in ganzoo or in a plugin; GANZOO_DEBUG=1 shows where",
        ExitCode.FAILURE,
    )


def _by_plugin(error: Exception) -> Failure | None:
    """The failure of somebody else's plugin; None: none of them had a part in it."""
    from ganzoo.zoo.foreign import REPAIR, in_one_line
    from ganzoo.zoo.names import culprit

    plugin = culprit(error)
    if plugin is None:
        return None
    return Failure(
        f"plugin {plugin} fails: {in_one_line(error)}", f"{REPAIR}; GANZOO_DEBUG=1 shows where", ExitCode.PLUGIN
    )


def _usage(error: click.ClickException) -> Failure:
    """click's words in our form: no capital, no full stop, the suggestion in the hint."""
    context = getattr(error, "ctx", None)
    hint = f"see: {context.command_path if context else 'ganzoo'} --help"
    said = error.format_message()
    if isinstance(error, click.NoSuchOption):
        said = f"no such option: {error.option_name}"
        hint = _meant(error, context) or hint
    extra = re.search(r"unexpected extra argument \((.+)\)", said)
    if context and context.command_path == TRAIN and extra and not context.params.get("model"):
        hint = f"{TRAIN} --model {extra[1]}"
    said = " ".join(said.split()).removesuffix(".")
    return Failure(said[:1].lower() + said[1:], hint, error.exit_code)


def _meant(error: click.NoSuchOption, context: click.Context | None) -> str | None:
    """What an option that there is none of was meant to be."""
    from ganzoo.config.synonyms import meant_by

    if context and context.command_path == TRAIN and (meant := meant_by(error.option_name)):
        return f"that is {meant}"
    if error.possibilities:
        return f"did you mean {error.possibilities[0]}?"
    if isinstance(context and context.command, LazyGroup):
        return f"options stand behind the command: ganzoo COMMAND {error.option_name}"
    return None


def _system(error: OSError) -> Failure:
    subject = f"{error.filename}: " if error.filename is not None else ""
    hints = {
        errno.ENOSPC: "free some space, or write to another disk",
        errno.EDQUOT: "free some space, or write to another disk",
        errno.EACCES: "choose a place that you may write to, or change its permissions",
        errno.EROFS: "choose a place that you may write to",
    }
    words = str(error.strerror)
    return Failure(f"{subject}{words[:1].lower()}{words[1:]}", hints.get(error.errno or 0), ExitCode.FAILURE)


class Failures:
    """Shows each failure without hiding the rest of the listing, and keeps the exit code of the last one."""

    def __init__(self) -> None:
        self.code = int(ExitCode.OK)
        self._told = set[str]()

    def __call__(self, error: Exception) -> None:
        """Show a failure, once."""
        if str(error) not in self._told:
            self._told.add(str(error))
            self.code = tell(error)
