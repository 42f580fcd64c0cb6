"""The one sink: data goes to stdout, everything else to stderr."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

import click

from ganzoo.cli.colours import coloured
from ganzoo.cli.stage import data_stream
from ganzoo.cli.streams import Dropping
from ganzoo.errors import UsageError

if TYPE_CHECKING:
    from ganzoo_registry import Registry

Value = TypeVar("Value")

# Control characters; the marks that turn the direction of writing; other ends of a line; signs that nobody sees, but
# for the two that join letters or part them; halves of characters.
_CONTROLS = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f]"
)


USUAL = 80
"""Columns of a terminal that does not say how wide it is."""

STDOUT = Path("-")
"""What an option means that may be ``-``; a file of that name is an absolute path."""


class PathOption(click.Path):
    """The type of options and arguments that are paths; see ``ganzoo.files.checked``.

    Args:
        stdout: take ``-``, too, for ``STDOUT``.
    """

    def __init__(self, *, stdout: bool = False) -> None:
        super().__init__(path_type=Path)
        self._stdout = stdout

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check what a person typed."""
        from ganzoo.files import checked

        if not isinstance(value, str):
            return super().convert(value, param, ctx)
        if self._stdout and value == str(STDOUT):
            return STDOUT
        return checked(
            value, param.opts[0] if isinstance(param, click.Option) else getattr(param, "metavar", "the path")
        )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
registry_option = click.option(
    "--registry",
    type=PathOption(),
    metavar="DIR",
    help="Directory of the registry. [default: $GANZOO_REGISTRY, else in the user's data directory]",
)


def opened(option: Path | None) -> "Registry":
    """The registry that ``--registry`` names, or the one that is used without it."""
    from ganzoo.files import registry_root
    from ganzoo_registry import Registry

    return Registry(registry_root(option))


def device(text: str) -> str:
    """The type of ``--device``; see ``ganzoo.runtime.providers.check_device``."""
    if text != "auto":
        from ganzoo.runtime.providers import check_device

        check_device(text)
    return text


device_option = click.option(
    "--device",
    type=device,
    default="auto",
    show_default=True,
    metavar="DEVICE",
    help="Device to run on: auto, cpu, cuda or cuda:N.",
)


def duration(text: str) -> float:
    """``90``, ``90s``, ``30m``, ``1.5h`` or ``2d``, as seconds, more than 0; the type of an option."""
    if not (seconds := grace(text)):
        raise click.BadParameter(f"{text!r} is not a time, such as 90s, 30m, 8h or 2d")
    return seconds


def grace(text: str) -> float:
    """The same, which may be 0."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if not found:
        raise click.BadParameter(f"{text!r} is not a time, such as 90s, 30m, 8h or 2d")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[found[2]]


def emit(value: Value, as_json: bool, render: Callable[[Value], str]) -> None:
    """Print data: as JSON, or as ``render`` writes the same data for a person.

    JSON has no infinity and no NaN: they become ``"inf"``, ``"-inf"`` and ``"nan"``.
    """
    if as_json:
        from ganzoo.files import json_value

        text = json.dumps(json_value(value), indent=2, default=str, allow_nan=False)
    else:
        text = wrapped(printable(render(value)), columns(data_stream()))
    print_data(text)


def print_data(text: object, *, end: str = "\n") -> None:
    """Print data as they are, or, on a terminal, as it can show them."""
    out = data_stream()
    out.write(f"{coloured(printable(str(text)), out) if out.isatty() else text}{end}")
    out.flush()


def require_pipe() -> None:
    """Refuse to print bytes, such as an image, on a terminal.

    Raises:
        UsageError: stdout is one.
    """
    if data_stream().isatty():
        raise UsageError("these are bytes, and stdout is a terminal", hint="-o FILE, or pipe them into a program")


def emit_bytes(data: bytes) -> None:
    """Print data that are no text, such as an image."""
    out = cast("Dropping", data_stream())  # see ``ganzoo.cli.main``
    out.write_bytes(data)
    out.flush()


def _be_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_QUIET] = value


_QUIET = f"{__name__}.quiet"
quiet_option = click.Option(
    ["-q", "--quiet"],
    is_flag=True,
    expose_value=False,
    callback=_be_quiet,
    help="Say nothing but results, warnings and errors.",
)


def quiet() -> bool:
    """Whether ``--quiet`` was given."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_QUIET))


def note(message: str) -> None:
    """Tell the person something that is not data, unless they asked for quiet."""
    if not quiet():
        say(message)


def say(message: str) -> None:
    """Tell the person what they must know, such as a warning."""
    say_whole(wrapped(printable(message), columns(sys.stderr)))


def say_whole(message: str) -> None:
    """The same in one line, however long: it may hold a command to copy."""
    sys.stderr.write(f"{coloured(printable(message), sys.stderr)}\n")
    sys.stderr.flush()


def columns(stream: IO[str] | Any) -> int | None:
    """The width of the terminal that a stream is, or what ``COLUMNS`` says of it; None: it is none."""
    if not stream.isatty():
        return None
    with contextlib.suppress(KeyError, ValueError):
        if (asked := int(os.environ["COLUMNS"])) > 0:
            return asked
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or USUAL
    return USUAL


def wrapped(text: str, width: int | None) -> str:
    """Text whose lines are broken at spaces, further ones as far in as the first; commands to copy stay whole."""
    if width is None:
        return text
    return "\n".join(
        line if len(line) <= width or line.lstrip().startswith("ganzoo ") else _broken(line, width)
        for line in text.split("\n")
    )


def _broken(line: str, width: int) -> str:
    import textwrap

    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def printable(text: str) -> str:
    """Text for a terminal: what would move its cursor, colour it, or turn the direction of writing, as an escape.

    Line ends and tabs stay.
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_line(text: str) -> str:
    """The same for a part of a line, in which line ends and tabs are escapes, too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def amount(size: float) -> str:
    """A number of bytes for a person: ``4.3 MB``."""
    units = ("B", "kB", "MB", "GB", "TB")
    thousands = next(power for power in range(len(units)) if size < 1000 ** (power + 1) or power + 1 == len(units))
    return f"{size / 1000**thousands:.3g} {units[thousands]}"


def span(seconds: float) -> str:
    """A time for a person: ``42 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def age(seconds: float) -> str:
    """A time for a person, in its largest unit alone: ``42 s``, ``3 min``, ``5 h``, ``12 days``."""
    seconds = max(0.0, seconds)
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
