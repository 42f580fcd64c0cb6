"""``ganzoo serve``: images over HTTP, without PyTorch."""

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli import completion
from ganzoo.cli.output import NumberRange, device_option, int8_option, registry_option
from ganzoo.cli.signals import ending_at_signals
from ganzoo.errors import UsageError

if TYPE_CHECKING:
    from ganzoo.runtime.generator import ImageGenerator
    from ganzoo.runtime.providers import Device


@click.command()
@click.argument(
    "references", metavar="[NAME=]REFERENCE|FILE.onnx...", nargs=-1, required=True, shell_complete=completion.references
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0: all addresses.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: any free one.")
@click.option(
    "--api-key",
    metavar="KEY",
    envvar="GANZOO_API_KEY",
    help="What requests must show. Others see it in a list of processes: better set $GANZOO_API_KEY.",
)
@click.option(
    "--deadline",
    type=NumberRange(0, 86400, min_open=True),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="When images that are not there are given up.",
)
@device_option
@int8_option
@registry_option
def command(
    references: tuple[str, ...],
    host: str,
    port: int,
    api_key: str | None,
    deadline: float,
    device: "Device",
    int8: bool,
    registry: Path | None,
) -> None:
    """Serve images of registered versions or ONNX files over HTTP, by the name of their model, or as NAME.

    What is served of NAME@ALIAS changes when the alias moves, without a restart.
    """
    with ending_at_signals(0):  # until there is a server, which stops in an orderly way
        from ganzoo.api import load
        from ganzoo.serving.following import Alias
        from ganzoo.serving.guard import check_key
        from ganzoo.serving.server import bind, serve

        check_key(api_key)
        named = [_named(reference) for reference in references]
        with bind(host, port) as listener:  # so that a port in use is known before anything is loaded
            # One thread per session: requests run side by side, and must not compete for the cores.
            found = [
                (name, load(each, registry=registry, device=device, threads=1, int8=int8), _alias(each))
                for name, each in named
            ]
            served = _by_name(found)
            aliases = {
                name: Alias(reference=each, registry=registry, device=device, int8=int8, number=generator.card.version)
                for (name, generator), (_, each) in zip(served.items(), named, strict=True)  # in the same order
                if _alias(each)
            }
            serve(served, listener, aliases=aliases, api_key=api_key, deadline=deadline)


def _named(reference: str) -> tuple[str, str]:
    """The name that URLs should use, empty where it is the model's, and the reference or file."""
    name, sign, rest = reference.partition("=")
    given = sign and os.sep not in name and not os.path.lexists(reference)
    if given and not name:
        raise UsageError(f"{reference}: no name before the =", hint="NAME=FILE.onnx, or the file alone")
    return (name, rest) if given else ("", reference)


def _alias(reference: str) -> str:
    """The alias that a reference names; empty: it names none."""
    from ganzoo.runtime.file import file_of
    from ganzoo_registry.refs import Reference

    return "" if file_of(reference) else Reference.parse(reference).alias or ""


def _by_name(found: "Sequence[tuple[str, ImageGenerator, str]]") -> "dict[str, ImageGenerator]":
    """Generators by the name that URLs use: as asked for, else the model's, with more where two share it.

    Args:
        found: the name that was asked for, or nothing; the generator; the alias by which it was meant, or nothing.
    """
    models = Counter(generator.card.name for name, generator, _ in found if not name)
    served: dict[str, ImageGenerator] = {}
    for given, generator, alias in found:
        card = generator.card
        own = card.name
        if models[own] > 1 and card.version is not None:
            own += f"@{alias}" if alias else f":{card.version}"
        name = unicodedata.normalize("NFC", given or own)
        if not name.isprintable() or name in ("", ".", "..") or "/" in name:
            raise UsageError(
                f"{name!r} cannot stand in a URL", hint="give it another name: ganzoo serve NAME=FILE.onnx"
            )
        if name in served:
            same = served[name].sha256 == generator.sha256
            words = f"{name} is given twice" if same else f"two different generators are called {name}"
            hint = "give each once" if same else "name them: ganzoo serve ONE=a.onnx OTHER=b.onnx"
            raise UsageError(words, hint=hint)
        served[name] = generator
    return served
