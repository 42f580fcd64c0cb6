"""Writes docs/commands.md: what each command's ``--help`` says.

python docs/commands.py
"""

from collections.abc import Iterator
from pathlib import Path

import click

from ganzoo.cli import cli

PAGE = Path(__file__).with_name("commands.md")

WIDTH = 100

INTRODUCTION = """\
# Commands

What `ganzoo COMMAND --help` says. A shell completes commands, options, models, runs, versions and words:
`eval "$(_GANZOO_COMPLETE=bash_source ganzoo)"` in `~/.bashrc`, or `zsh_source` in `~/.zshrc`, or
`_GANZOO_COMPLETE=fish_source ganzoo | source` for fish. On a terminal some words are coloured, unless `NO_COLOR` is
set.

<!-- Made by docs/commands.py from the commands: change them, and run it again. -->
"""


def page() -> str:
    """The whole page."""
    top = click.Context(cli, info_name="ganzoo", terminal_width=WIDTH, **cli.context_settings)
    return "\n".join([INTRODUCTION, *(section(context) for context in contexts(top))])


def contexts(context: click.Context) -> Iterator[click.Context]:
    """A command, and all below it."""
    yield context
    group = context.command
    for name in group.list_commands(context) if isinstance(group, click.Group) else ():
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        settings = {**command.context_settings, "terminal_width": WIDTH}
        yield from contexts(click.Context(command, parent=context, info_name=name, **settings))


def section(context: click.Context) -> str:
    """A heading, and under it the command's help."""
    return f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
