"""``ganzoo serve``: images over HTTP, without PyTorch."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli.output import device_option, registry_option
from ganzoo.errors import UsageError

if TYPE_CHECKING:
    from ganzoo.runtime.generator import ImageGenerator
    from ganzoo.runtime.providers import Device


@click.command()
@click.argument("references", metavar="REFERENCE|FILE.onnx...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0: all addresses.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: any free one.")
@device_option
@registry_option
def command(references: tuple[str, ...], host: str, port: int, device: "Device", registry: Path | None) -> None:
    """Serve images of registered versions or ONNX files over HTTP, by the name of their model."""
    from ganzoo.api import load
    from ganzoo.serving.server import bind, serve

    with bind(host, port) as listener:  # first, so that a port in use is known before anything is loaded
        # One thread per session: requests run side by side, and must not compete for the cores.
        generators = [load(reference, registry=registry, device=device, threads=1) for reference in references]
        serve(_by_name(generators), listener)


def _by_name(generators: "Sequence[ImageGenerator]") -> "dict[str, ImageGenerator]":
    """Generators by the name that URLs use: the model's, with the version if two of one model are served."""
    names = Counter(generator.card.name for generator in generators)
    served: dict[str, ImageGenerator] = {}
    for generator in generators:
        card = generator.card
        name = card.name if names[card.name] == 1 else f"{card.name}:{card.version}"
        if name in served:
            raise UsageError(f"{name} is given twice", hint="give each version once")
        served[name] = generator
    return served
