"""Command groups that import a command's module only when that command is called."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ganzoo.cli.output import quiet_option
from ganzoo.errors import GanzooError, ToldToEnd, UsageError, described, did_you_mean


class Text(click.types.StringParamType):
    """The type of options and arguments that are text: what is given must say something."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty one, which would be taken for none at all; a default may be empty."""
        if value == "" and param is not None and ctx is not None and param.name:
            given = ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
            if given and getattr(param, "flag_value", None) != "":  # an option whose value may be left out
                name = param.opts[0] if isinstance(param, click.Option) else param.make_metavar(ctx)
                raise UsageError(f"{name}: nothing is given", hint="a variable that is not set leaves nothing")
        return super().convert(value, param, ctx)


def strict(command: click.Command) -> click.Command:
    """The command, with ``Text`` for all its text, short names for numbers, ``--quiet``, and its subcommands alike."""
    for parameter in command.params:
        if parameter.type is click.STRING:
            parameter.type = Text()
        if parameter.metavar is None and isinstance(parameter.type, click.IntRange | click.FloatRange):
            parameter.metavar = "N"
    if not isinstance(command, click.Group) and quiet_option not in command.params:
        command.params.append(quiet_option)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        strict(inner)
    return command


def refuse_options(context: click.Context) -> None:
    """Refuse a group's own options before one of its subcommands, which does not see them."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if context.invoked_subcommand and given and isinstance(parameter, click.Option):
            raise UsageError(
                f"{parameter.opts[0]} before {context.invoked_subcommand} is for the list, which this is not",
                hint=f"give it behind: {context.command_path} {context.invoked_subcommand} --help",
            )


class Sections(click.Command):
    """A command whose help has its options in sections.

    Args:
        sections: title -> names of options without ``--``; a last section, "Other", has what is in none of them.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them in the order of the sections."""
        options = {parameter.opts[-1].removeprefix("--"): parameter for parameter in self.get_params(ctx)}
        named = [name for names in self.sections.values() for name in names]
        others = [name for name in options if name not in named]
        for title, names in {**self.sections, "Other": others}.items():
            records = [record for name in names if (record := options[name].get_help_record(ctx))]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


USUAL = {"delete": "rm", "remove": "rm", "list": "ls", "info": "show", "describe": "show"}
"""Other tools' word for a command -> ours."""


class Group(click.Group):
    """A group that answers an unknown command with the closest one it has."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. click takes some exceptions for its own, and ends without a word: here they are errors."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise GanzooError(
                "something that was written to has gone away (broken pipe)", hint="GANZOO_DEBUG=1 shows where"
            ) from error
        except ToldToEnd:
            raise
        except (SystemExit, EOFError) as error:
            raise GanzooError(
                f"the command was ended by {described(error)}", hint="GANZOO_DEBUG=1 shows by what code"
            ) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            raise UsageError(f"no such command: {ctx.command_path} {args[0]}", hint=_meant(args[0], known, ctx))
        return super().resolve_command(ctx, args)


def _meant(word: str, known: Sequence[str], ctx: click.Context) -> str:
    """A hint for a word that is no command of a group."""
    if (usual := USUAL.get(word)) in known:
        return f"that is {ctx.command_path} {usual}"
    hint = did_you_mean(word, known)
    if "show" in known and not hint.startswith("did you mean"):
        return f"to see it: {ctx.command_path} show {word}"
    return hint


class LazyGroup(Group):
    """A group whose help and completion come from a table, without importing any command.

    click's own recipe imports every command to show its help.

    Args:
        table: name -> (``module:attribute`` of the command, help in one line).
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.table:
            return None
        target, summary = self.table[cmd_name]
        module, _, attribute = target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - narrows the type
        command.help = command.help or summary  # python -OO has no docstrings
        return strict(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command's name and help from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names from the table, and the group's own options."""
        names = [
            CompletionItem(name, help=help_line)
            for name, (_, help_line) in self.table.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)
