"""Numbers that are none: click lets NaN through every range, because it is neither too small nor too large."""

from collections.abc import Iterator
from typing import Any

import click
import pytest

from ganzoo.cli import cli
from ganzoo.cli.output import NumberRange


def options(command: click.Command, name: str) -> Iterator[tuple[str, click.ParamType[Any]]]:
    for parameter in command.params:
        yield f"{name} {parameter.opts[0]}", parameter.type
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for each in command.list_commands(context):
                inner = command.get_command(context, each)
                assert inner is not None
                yield from options(inner, f"{name} {each}")


def test_every_range_of_numbers_refuses_nan() -> None:
    ranges = {name: kind for name, kind in options(cli, "ganzoo") if isinstance(kind, click.types.FloatParamType)}
    assert len(ranges) >= 4
    assert [name for name, kind in ranges.items() if not isinstance(kind, NumberRange)] == []
    for kind in ranges.values():
        with pytest.raises(click.BadParameter, match="nan is not a number"):
            kind("nan")
