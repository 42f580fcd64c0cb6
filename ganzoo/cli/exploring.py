"""``ganzoo project`` and ``ganzoo directions``: the latents of a trained generator, by torch."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.decorators import FC

from ganzoo.cli import completion
from ganzoo.cli.output import NumberRange, PathOption, emit, json_option, note, registry_option
from ganzoo.cli.signals import ending_at_signals
from ganzoo.errors import UsageError
from ganzoo.files import cannot_write
from ganzoo.progress.bars import ProgressBar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.card import GeneratorCard

MOST_CLASSES = 64
"""Classes that are looked among, with a descent of its own for each."""

MOST_REACH = 1000.0
"""Farthest that z is moved, whose entries are of the order of 1."""

control_option = click.option(
    "--control",
    "controls",
    metavar="NAME=VALUE",
    multiple=True,
    help="A control of the generator: truncation=0.7, say; may be repeated. [default: its own]",
)


def picture_option(default: str, what: str) -> Callable[[FC], FC]:
    """``-o`` of a command that writes a PNG, and latents beside it."""
    return click.option(
        "-o",
        "--output",
        type=PathOption(),
        metavar="FILE.png",
        default=Path(default),
        show_default=True,
        help=f"{what} in FILE.npy.",
    )


@click.command()
@click.argument("image", type=PathOption(), metavar="IMAGE")
@click.option("--model", "reference", required=True, metavar="REFERENCE", shell_complete=completion.references)
@click.option("--label", metavar="CLASS[,CLASS…]|all", help="Classes to look among, by name or index. [default: all]")
@click.option("--steps", type=click.IntRange(min=1), default=300, show_default=True, help="Steps of Adam.")
@control_option
@picture_option("projected.png", "The image and the nearest one, side by side; the latent, float32 [1, L], is")
@registry_option
@json_option
def project(
    image: Path,
    reference: str,
    label: str | None,
    steps: int,
    controls: tuple[str, ...],
    output: Path,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Find the latent whose image is nearest to IMAGE, by gradient descent through a registered generator.

    What a generator cannot make, such as what its training images did not show, stays far.
    """
    _check_picture(output)
    if image.resolve() in (output.resolve(), output.with_suffix(".npy").resolve()):
        raise UsageError(f"{output} would take the place of the picture itself", hint="choose another -o FILE.png")
    with ending_at_signals():
        from ganzoo.exploring.trained import open_trained, read_picture
        from ganzoo.runtime.controls import control_values, pairs

        generator, card = open_trained(reference, registry)
        given = control_values(pairs(controls), card.controls, card.name)
        classes = _classes(card, "all" if label is None and card.class_names else label)
        if len(classes) > MOST_CLASSES:
            raise UsageError(
                f"{card.name} has {len(classes)} classes, too many to look among all", hint="--label CLASS"
            )
        wanted = read_picture(image, card)

        import numpy as np

        from ganzoo.exploring.projection import project as descend
        from ganzoo.images import grid, to_uint8

        with ProgressBar("projecting", "steps") as bar:
            found = descend(generator, wanted, steps=steps, labels=classes, controls=given, seen=bar)
        _write(output, grid(to_uint8(np.stack([wanted, found.image])), 2), found.latent)
    said: dict[str, Any] = {
        "distance": round(found.distance, 2),
        "label": None if found.label is None else card.class_names[found.label],
        "picture": str(output),
        "latent": str(output.with_suffix(".npy")),
    }
    emit(said, as_json, lambda said: "\n".join(f"{key:8}  {value}" for key, value in said.items() if value is not None))


@click.command()
@click.argument("reference", shell_complete=completion.references)
@click.option("-n", "count", type=click.IntRange(min=1), default=5, show_default=True, help="Number of directions.")
@click.option("--seed", type=click.IntRange(min=0, max=2**64 - 1), default=0, show_default=True, help="Of the image.")
@click.option("--label", metavar="CLASS", help="Class of the image, by name or index. [default: the first]")
@click.option(
    "--reach",
    type=NumberRange(min=0, max=MOST_REACH),
    default=3.0,
    show_default=True,
    help="How far to go to each side of z.",
)
@control_option
@picture_option("directions.png", "A row of images along each direction; the directions, float32 [N, L], are")
@registry_option
@json_option
def directions(
    reference: str,
    count: int,
    seed: int,
    label: str | None,
    reach: float,
    controls: tuple[str, ...],
    output: Path,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Show the directions of z in which the images of a registered generator change most (SeFa: Shen & Zhou, 2021).

    They are those in which the first layer that z meets answers most; nothing is trained, and no label is needed.
    """
    _check_picture(output)
    with ending_at_signals():
        from ganzoo.exploring.trained import open_trained
        from ganzoo.latents import draw
        from ganzoo.runtime.controls import control_values, pairs

        generator, card = open_trained(reference, registry)
        if count > card.latent_dim:
            raise UsageError(
                f"{card.name} has {card.latent_dim} latents, and as many directions", hint=f"-n {card.latent_dim}"
            )
        given = control_values(pairs(controls), card.controls, card.name)
        classes = _classes(card, label) or ([0] if card.class_names else [])
        if len(classes) > 1:
            raise UsageError("the rows of images are of one class", hint=f"--label {card.class_names[classes[0]]}")

        from ganzoo.exploring.directions import contact_sheet, find_directions

        found = find_directions(generator, count, classes, given)
        z, _ = draw(seed, 0, 1, card.latent_dim)
        _write(output, contact_sheet(generator, found, z, classes, given, reach), found.vectors)
    note(f"Directions of {card.name}, and their shares of what the first layer answers:")
    said: dict[str, Any] = {
        "shares": [round(share, 4) for share in found.shares],
        "picture": str(output),
        "directions": str(output.with_suffix(".npy")),
    }
    emit(said, as_json, _rendered)


def _rendered(said: dict[str, Any]) -> str:
    rows = [f"{number}  {share:.1%}" for number, share in enumerate(said["shares"])]
    return "\n".join([*rows, said["picture"], said["directions"]])


def _classes(card: "GeneratorCard", label: str | None) -> list[int]:
    from ganzoo.runtime.labels import find_classes

    return [] if label is None else find_classes(label, card.class_names, card.name)


def _check_picture(output: Path) -> None:
    """Refuse what cannot be written, before the work."""
    if output.suffix.lower() != ".png":
        raise UsageError(f"cannot write a picture to {output}", hint=f"-o {output.stem or 'FILE'}.png")
    if not output.parent.is_dir():
        raise cannot_write(output, FileNotFoundError(errno.ENOENT, ""))
    if output.is_dir():
        raise cannot_write(output, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))


def _write(output: Path, picture: "NDArray[np.uint8]", latents: "NDArray[np.float32]") -> None:
    import io

    import numpy as np

    from ganzoo.files import write_atomic
    from ganzoo.images import encode_png

    file = io.BytesIO()
    np.save(file, latents, allow_pickle=False)
    write_atomic(output.with_suffix(".npy"), file.getvalue())
    write_atomic(output, encode_png(picture))
