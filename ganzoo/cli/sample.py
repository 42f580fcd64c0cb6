"""``ganzoo sample``: images from a registered version or an ONNX file, without PyTorch."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli.output import (
    STDOUT,
    PathOption,
    device_option,
    emit_bytes,
    note,
    print_data,
    registry_option,
    require_pipe,
)
from ganzoo.cli.signals import ending_at_signals
from ganzoo.errors import GanzooError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.providers import Device

_FORMS = (
    "OUT may end in .png (one grid), .npy (uint8 [N, H, W, C]), be a directory (a PNG for each image), or - "
    "(the grid to stdout)"
)


@click.command()
@click.argument("reference", metavar="REFERENCE|FILE.onnx")
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="Number of images.")
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**64 - 1),
    help="Seed of the images. [default: a random one, which is shown]",
)
@click.option("--label", help="Class of all images, by name or index. [default: drawn from the seed]")
@click.option(
    "--control",
    "controls",
    metavar="NAME=VALUE",
    multiple=True,
    help="A control of the generator, for all images: truncation=0.7, say; may be repeated. [default: its own]",
)
@click.option("--start", type=click.IntRange(min=0), default=0, show_default=True, help="Index of the first image.")
@click.option(
    "-o",
    "--output",
    type=PathOption(stdout=True),
    metavar="OUT",
    default=Path("samples.png"),
    show_default=True,
    help=f"{_FORMS}.",
)
@click.option("--each", is_flag=True, help="Write a PNG for each image; OUT is a directory, whatever its name.")
@device_option
@registry_option
def command(
    reference: str,
    count: int,
    seed: int | None,
    label: str | None,
    controls: tuple[str, ...],
    start: int,
    output: Path,
    each: bool,
    device: "Device",
    registry: Path | None,
) -> None:
    """Draw images from a registered version or an ONNX file.

    Image i of a seed is the same image whatever -n and --start are.
    """
    if output == STDOUT:
        if each:
            raise UsageError("--each makes several files", hint="-o DIRECTORY")
        require_pipe()
    else:
        each = each or output.is_dir() or output.suffix == ""
        if not each and output.suffix.lower() not in (".png", ".npy"):
            raise UsageError(f"cannot write samples to {output}", hint=_FORMS)
    with ending_at_signals():
        from ganzoo.api import load
        from ganzoo.runtime.controls import pairs
        from ganzoo.runtime.generator import random_seed

        given = pairs(controls)

        generator = load(reference, registry=registry, device=device)
        seed = random_seed() if seed is None else seed
        images, _ = generator.pixels(count, seed, label, start, given)
        _write(images, output, each, start)
    note(f"Seed {seed}.")
    if output != STDOUT:
        print_data(output)


def _write(images: "NDArray[np.uint8]", output: Path, each: bool, start: int) -> None:
    from ganzoo.files import write_atomic
    from ganzoo.images import encode_npy, encode_png, grid

    if output == STDOUT:
        emit_bytes(encode_png(grid(images)))
    elif each:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise GanzooError(f"{output} is a file, not a directory", hint="choose another -o") from error
        for index, image in enumerate(images, start):
            write_atomic(output / f"{index:06d}.png", encode_png(image))
    elif output.suffix.lower() == ".npy":
        write_atomic(output, encode_npy(images))
    else:
        write_atomic(output, encode_png(grid(images)))
