"""The one sink: data goes to stdout, everything else to stderr, by ``ganzoo.progress.stderr``."""

import json
import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from ganzoo.cli.stage import data_stream
from ganzoo.cli.streams import Dropping
from ganzoo.errors import UsageError
from ganzoo.progress.colours import coloured
from ganzoo.progress.stderr import (
    be_quiet,
    columns as columns,
    in_line as in_line,
    note as note,
    printable as printable,
    say as say,
    say_whole as say_whole,
    wrapped as wrapped,
)

if TYPE_CHECKING:
    from ganzoo_registry import Registry

Value = TypeVar("Value")

STDOUT = Path("-")
"""What an option means that may be ``-``; a file of that name is an absolute path."""


class NumberRange(click.FloatRange):
    """A number in a range, never NaN, which click lets pass because it is neither too small nor too large."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; click's error if it is none or lies outside."""
        number = float(super().convert(value, param, ctx))
        return number if number == number else self.fail(f"{value} is not a number", param, ctx)


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

_asked: dict[str, Path | None] = {"registry": None}
"""What the command was called with, for the hints of its errors."""


def _remember(_context: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
    _asked["registry"] = value
    return value


registry_option = click.option(
    "--registry",
    type=PathOption(),
    callback=_remember,
    metavar="DIR",
    help="Directory of the registry. [default: $GANZOO_REGISTRY, else in the user's data directory]",
)
runs_option = click.option(
    "--runs", type=PathOption(), metavar="DIR", default=Path("runs"), show_default=True, help="Directory of the runs."
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


int8_option = click.option(
    "--int8", is_flag=True, help="Take the file in int8: up to three times as fast on a CPU; ganzoo export --int8."
)

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


def _be_quiet(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    be_quiet(value)


quiet_option = click.Option(
    ["-q", "--quiet"],
    is_flag=True,
    expose_value=False,
    callback=_be_quiet,
    help="Say nothing but results, warnings and errors.",
)


_COMMAND = re.compile(
    r"(?:^|(?<=: ))ganzoo (?:directions|doctor|eval|export|project|registry [a-z]+|report|sample|serve|train)\b"
    r"(?:'[^']*'|[^;'])*"
)
"""A command in a hint, which uses a registry: all of the hint, or what stands behind a colon, up to a semicolon."""


def there(text: str) -> str:
    """A command, or a hint with commands, for the registry that the person gave with ``--registry``."""
    asked = _asked["registry"]
    if asked is None:
        return text
    addition = f" --registry {shlex.quote(str(asked))}"

    def whole(found: re.Match[str]) -> str:
        return found[0] if {"--registry", "--help"} & set(found[0].split()) else found[0] + addition

    return _COMMAND.sub(whole, text)


def forget() -> None:
    """Forget the ``--registry`` of an earlier command of this process."""
    _asked["registry"] = None


def amount(size: float) -> str:
    """A number of bytes for a person: ``4.3 MB``."""
    units = ("B", "kB", "MB", "GB", "TB")
    # From 999.5 on three digits would be a thousand.
    thousands = next(power for power in range(len(units)) if size < 999.5 * 1000**power or power + 1 == len(units))
    scaled = size / 1000**thousands
    return f"{scaled:,.0f} {units[thousands]}" if scaled >= 999.5 else f"{scaled:.3g} {units[thousands]}"


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


def interval(mean: float, half: float, bounds: tuple[float, float] | None) -> str:
    """A mean and its interval, as far as such values can be: ``0.97 [0.91, 1]``; the mean alone if ``half`` is 0."""
    if not half:
        return f"{mean:.4g}"
    low, high = bounds or (-math.inf, math.inf)
    return f"{mean:.4g} [{max(low, mean - half):.4g}, {min(high, mean + half):.4g}]"
