"""The errors of ganzoo: each says in one line what went wrong, in another what to type next, and has an exit code.

``ganzoo_registry`` imports nothing of ganzoo, so its errors only have the same shape (``hint`` and ``exit_code``).
"""

from collections.abc import Iterable
from enum import IntEnum

_DISTRIBUTIONS = {
    "PIL": "pillow",
    "httptools": "uvicorn[standard]",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxscript": "onnxscript",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "starlette": "starlette",
    "tensorboard": "tensorboard",
    "tomli_w": "tomli-w",
    "torch": "torch",
    "uvicorn": "uvicorn[standard]",
}
"""Package -> what to install if a light installation, such as a server's without PyTorch, lacks it."""


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


class GanzooError(Exception):
    """Base of everything that ganzoo raises on purpose.

    Args:
        message: one line that says what went wrong.
        hint: one line that says what to do about it, usually the next command.
    """

    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(GanzooError):
    """An argument, option or configuration value that cannot be used."""

    exit_code = ExitCode.USAGE


class NotFoundError(GanzooError):
    """A name that stands for nothing, or for more than one thing."""

    exit_code = ExitCode.NOT_FOUND


class IntegrityError(GanzooError):
    """Stored bytes are not what was stored."""

    exit_code = ExitCode.INTEGRITY


class PluginError(GanzooError):
    """A plugin is broken, or breaks its contract."""

    exit_code = ExitCode.PLUGIN


class MissingPackageError(GanzooError):
    """The command needs a package that is not installed here."""

    exit_code = ExitCode.MISSING_PACKAGE


class TrainingStopped(GanzooError):  # noqa: N818 - an outcome, not a fault
    """Training ended early on SIGINT, SIGTERM or SIGHUP; its checkpoint is safe."""

    exit_code = ExitCode.STOPPED


def did_you_mean(name: str, choices: Iterable[str], prefix: str = "") -> str:
    """A hint for an unknown ``name``: the closest of ``choices``, or all of them, each with its ``prefix``."""
    import difflib  # 4 ms, needed only when something is wrong already

    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {prefix + close[0]!r}?"
    return f"choose one of: {', '.join(prefix + choice for choice in known) or 'none is available'}"


def missing_package(error: ImportError) -> MissingPackageError | None:
    """The error to raise where a dependency of ganzoo is not installed; None: ``error`` means something else."""
    package = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package not in _DISTRIBUTIONS:
        return None
    return MissingPackageError(
        f"this needs the package {package}, which is not installed",
        hint=f'pip install "{_DISTRIBUTIONS[package]}"',
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type's name where it has none. Never raises."""
    return next(iter(message(error).strip().splitlines()), "") or type(error).__name__


def described(error: BaseException) -> str:
    """``Type: first line of its message``, for errors of other people's code. Never raises."""
    text = next(iter(message(error).splitlines()), "")
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def message(error: BaseException) -> str:
    """An error's whole message. Never raises: the ``__str__`` of somebody else's error may do anything."""
    try:
        return str(error)
    except BaseException:  # SystemExit, too
        return "(its message cannot be shown)"
