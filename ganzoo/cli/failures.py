"""What a person sees of an error: ``Error:`` and ``Hint:``, one line each, and an exit code."""

import errno
import os
from typing import NamedTuple

import click

from ganzoo.cli.output import note
from ganzoo.errors import ExitCode, missing_package


class Failure(NamedTuple):
    """An error in words."""

    message: str
    hint: str | None
    exit_code: int


def tell(error: Exception) -> int:
    """Write an error to stderr, with its traceback if ``GANZOO_DEBUG=1``; returns the exit code."""
    if os.environ.get("GANZOO_DEBUG") == "1":
        import traceback

        note("".join(traceback.format_exception(error)).rstrip())
    failure = explain(error)
    stopped = failure.exit_code == ExitCode.STOPPED  # an outcome, not an error
    note(failure.message[:1].upper() + failure.message[1:] if stopped else f"Error: {failure.message}")
    if failure.hint:
        note(f"Hint: {failure.hint}")
    return failure.exit_code


def explain(error: Exception) -> Failure:
    """Put any error into words."""
    if isinstance(error, click.Abort):
        return Failure("interrupted", None, ExitCode.INTERRUPTED)
    if isinstance(error, click.ClickException):
        return _usage(error)
    # GanzooError, and the registry's errors, which only share this shape.
    if hasattr(error, "hint") and hasattr(error, "exit_code"):
        return Failure(str(error), error.hint, error.exit_code)
    if isinstance(error, ImportError) and (missing := missing_package(error)):
        return Failure(str(missing), missing.hint, missing.exit_code)
    if isinstance(error, OSError) and error.strerror:
        return _system(error)
    words = " ".join(str(error).split())
    return Failure(
        f"unexpected {type(error).__name__}: {words}".removesuffix(": "),
        "this is a bug in ganzoo or in a plugin; GANZOO_DEBUG=1 shows where",
        ExitCode.FAILURE,
    )


def _usage(error: click.ClickException) -> Failure:
    """click's words in our form: no capital, no full stop, the suggestion in the hint."""
    context = getattr(error, "ctx", None)
    hint = f"see: {context.command_path if context else 'ganzoo'} --help"
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        message = f"no such option: {error.option_name}"
        if error.possibilities:
            hint = f"did you mean {error.possibilities[0]}?"
    message = " ".join(message.split()).removesuffix(".")
    return Failure(message[:1].lower() + message[1:], hint, error.exit_code)


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
