"""The base of all errors, ganzoo's, too, which imports it from here; and the errors of the registry."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


class GanzooError(Exception):
    """Base of everything that ganzoo and its registry raise on purpose.

    Args:
        message: one line that says what went wrong, which is the error's ``str``.
        hint: one line that says what to do about it, usually the next command; a traceback shows it as a note.
    """

    exit_code: int = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"Hint: {hint}")


class RegistryError(GanzooError):
    """Base of everything that the registry raises on purpose."""


class InvalidName(RegistryError):  # noqa: N818 - names say what is wrong, not that it is an error
    """Text that cannot be a name, an alias, a kind or a reference."""

    exit_code = 2


class NotFound(RegistryError):  # noqa: N818
    """A model, version, alias or kind that is not there."""

    exit_code = 3


class Corrupt(RegistryError):  # noqa: N818
    """Stored bytes are missing, or are not what was stored."""

    exit_code = 4


class Newer(RegistryError):  # noqa: N818
    """Something that a newer ganzoo wrote, which this one must neither read nor replace."""

    def __init__(self, message: str, *, hint: str | None = "pip install --upgrade ganzoo") -> None:
        super().__init__(message, hint=hint)


class NotWritable(RegistryError):  # noqa: N818
    """The place cannot hold a registry, or the system refused to read or write it."""


class Conflict(RegistryError):  # noqa: N818
    """The request contradicts what is stored already."""


Told = Callable[[RegistryError], None]
"""Is told of a record that cannot be read, where a listing goes on without it."""


def raised(error: RegistryError) -> None:
    """The listener of whoever wants all or nothing: raises the error."""
    raise error


def passed_over(error: RegistryError) -> None:
    """The listener of whoever looks for something else."""


@contextmanager
def telling(listener: Told) -> Iterator[None]:
    """Around the reading of one record: what goes wrong with it is told, and nothing else is stopped."""
    try:
        yield
    except RegistryError as error:
        listener(error)


def did_you_mean(name: str, choices: Iterable[str]) -> str | None:
    """A hint for an unknown ``name``: the closest of ``choices``, or all of them; None if there are none."""
    import difflib  # 4 ms, needed only when something is wrong already

    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"choose one of: {', '.join(known)}" if known else None
