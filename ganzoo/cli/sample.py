"""``ganzoo sample``: images from a registered version or an ONNX file, without PyTorch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli import completion
from ganzoo.cli.output import (
    STDOUT,
    PathOption,
    device_option,
    emit_bytes,
    int8_option,
    note,
    print_data,
    registry_option,
    require_pipe,
)
from ganzoo.cli.signals import ending_at_signals
from ganzoo.errors import GanzooError, UsageError
from ganzoo.images import PICTURES
from ganzoo.progress.bars import ProgressBar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.generator import Controls, ImageGenerator
    from ganzoo.runtime.providers import Device

_FORMS = (
    "OUT may end in .png, .jpg or .webp (one grid), .npy (uint8 [N, H, W, C]), be a directory (a PNG for each image), "
    "or - (the grid to stdout)"
)

CHUNK = 256
"""Images between two drawings of the bar."""

DEFAULT, OF_EACH_CLASS = 64, 8
"""How many images there are, and how many of each class where several are asked for."""


@click.command()
@click.argument("reference", metavar="REFERENCE|FILE.onnx", shell_complete=completion.references)
@click.option("-n", "count", type=click.IntRange(min=1), help=f"Number of images. [default: {DEFAULT}]")
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**64 - 1),
    help="Seed of the images. [default: a random one, which is shown]",
)
@click.option(
    "--label",
    metavar="CLASS[,CLASS…]|all",
    help="Class of all images, by name or index; of several each has a row. [default: drawn from the seed]",
)
@click.option(
    "--per-class",
    type=click.IntRange(min=1),
    help=f"Number of images of each class, where --label names several. [default: {OF_EACH_CLASS}]",
)
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
@int8_option
@registry_option
def command(
    reference: str,
    count: int | None,
    seed: int | None,
    label: str | None,
    per_class: int | None,
    controls: tuple[str, ...],
    start: int,
    output: Path,
    each: bool,
    device: "Device",
    int8: bool,
    registry: Path | None,
) -> None:
    """Draw images from a registered version or an ONNX file.

    Image i of a seed is the same image whatever -n and --start are, and so is image i of a class.
    """
    if per_class is not None and (label is None or count is not None):
        raise UsageError("--per-class takes the place of -n where --label names classes", hint="--label all")
    if output == STDOUT:
        if each:
            raise UsageError("--each makes several files", hint="-o DIRECTORY")
        require_pipe()
    else:
        each = each or output.is_dir() or output.suffix == ""
        if not each and output.suffix.lower() not in (*PICTURES, ".npy"):
            raise UsageError(f"cannot write samples to {output}", hint=_FORMS)
    with ending_at_signals():
        from ganzoo.api import load
        from ganzoo.runtime.controls import pairs
        from ganzoo.runtime.generator import random_seed

        given = pairs(controls)

        generator = load(reference, registry=registry, device=device, int8=int8)
        seed = random_seed() if seed is None else seed
        classes = _classes(generator, label)
        if len(classes) > 1 and count is not None:
            raise UsageError("-n counts the images of one class", hint="of several: --per-class N")
        of_each = (per_class or OF_EACH_CLASS) if len(classes) > 1 else count or per_class or DEFAULT
        images = _drawn(generator, classes, range(start, start + of_each), seed, given)
        names = [generator.card.class_names[which] for which in classes if which is not None and len(classes) > 1]
        _write(images, names, output, each, start)
    note(f"Seed {seed}.")
    if output != STDOUT:
        print_data(output)


def _classes(generator: "ImageGenerator", label: str | None) -> "Sequence[int | None]":
    from ganzoo.runtime.labels import find_classes

    return [None] if label is None else find_classes(label, generator.card.class_names, generator.card.name)


def _drawn(
    generator: "ImageGenerator", classes: "Sequence[int | None]", indices: range, seed: int, controls: "Controls"
) -> "list[NDArray[np.uint8]]":
    """The images of each class with these indices; a bar shows how many there are."""
    import numpy as np

    from ganzoo.runtime.generator import MAX_IMAGES
    from ganzoo.runtime.inputs import whole

    total = whole(len(indices) * len(classes), "n", 1, MAX_IMAGES)
    images = []
    with ProgressBar("sampling", "images") as bar:
        for number, which in enumerate(classes):
            parts = []
            for first in indices[::CHUNK]:
                count = min(CHUNK, indices.stop - first)
                parts.append(generator.pixels(count, seed, which, first, controls)[0])
                bar(number * len(indices) + first - indices.start + count, total)
            images.append(np.concatenate(parts))
    return images


def _write(parts: "Sequence[NDArray[np.uint8]]", names: Sequence[str], output: Path, each: bool, start: int) -> None:
    """Write the images, which are given in a part for each class.

    Args:
        names: of the classes, if there are several: each is a row of the grid.
    """
    import numpy as np

    from ganzoo.files import write_atomic
    from ganzoo.images import class_rows, encode_npy, encode_picture, encode_png, grid

    images = np.concatenate(parts)

    def sheet() -> "NDArray[np.uint8]":
        return class_rows(images, names) if names else grid(images)

    if output == STDOUT:
        emit_bytes(encode_png(sheet()))
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
        write_atomic(output, encode_picture(sheet(), output.suffix.lower()))
