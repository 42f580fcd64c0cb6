"""``ganzoo sample``: images from a registered version or an ONNX file, without PyTorch."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

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
    say,
)
from ganzoo.cli.signals import ending_at_signals
from ganzoo.errors import UsageError
from ganzoo.images import PICTURES
from ganzoo.progress.bars import ProgressBar
from ganzoo.samples.arrays import ARRAYS
from ganzoo.samples.film import FILMS
from ganzoo.samples.shards import SHARD, SHARDS

if TYPE_CHECKING:
    from PIL.Image import Image

    from ganzoo.runtime.generator import Controls, ImageGenerator
    from ganzoo.runtime.providers import Device
    from ganzoo.samples.request import Request, Source

_FORMS = (
    "OUT may end in .png, .jpg or .webp (one grid), .npy (uint8 [N, H, W, C]) or .npz (with labels), be a directory (a "
    "PNG for each image, in a folder for each class), or - (the grid to stdout)"
)

DEFAULT, OF_EACH_CLASS, STOPS = 64, 8, 8
"""How many images there are, how many of each class where several are asked for, and how many a film goes through."""

MOST_FRAMES = 3000


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
@click.option(
    "--shards",
    type=click.Choice(list(SHARDS)),
    help=f"Write shards of {SHARD:,} images, as WebDataset or Hugging Face have them; OUT is a directory.",
)
@click.option(
    "--film",
    type=PathOption(),
    metavar="FILM",
    help=f"Write a walk through -n images ({STOPS}) and back instead of them, as {', '.join(FILMS)}.",
)
@click.option("--steps", type=click.IntRange(min=1), default=30, show_default=True, help="Frames between two images.")
@click.option(
    "--latents",
    type=PathOption(),
    metavar="FILE.npy",
    help="Make the images of these latents [N, L], not those of the seed. [default -n: all]",
)
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
    shards: str | None,
    film: Path | None,
    steps: int,
    latents: Path | None,
    device: "Device",
    int8: bool,
    registry: Path | None,
) -> None:
    """Draw images from a registered version or an ONNX file.

    Image i of a seed is the same image whatever -n and --start are, and so is image i of a class. Arrays, pictures and
    shards may be of any number, for a training: the same command goes on with them where it was stopped.
    """
    if per_class is not None and (label is None or count is not None):
        raise UsageError("--per-class takes the place of -n where --label names classes", hint="--label all")
    _require_film(film)
    form = None if film else _form(output, each, shards)
    with ending_at_signals():
        from ganzoo.api import load
        from ganzoo.runtime.controls import pairs

        # A thread for each of several batches is faster than several for one.
        generator = load(reference, registry=registry, device=device, threads=1, int8=int8)
        classes = _classes(generator, label)
        if len(classes) > 1 and count is not None and not film:
            raise UsageError("-n counts the images of one class", hint="of several: --per-class N")
        default = STOPS if film else OF_EACH_CLASS if len(classes) > 1 else DEFAULT
        source: Source = generator
        if latents:
            from ganzoo.samples.given import Given

            source = given = Given(generator, latents)
            default = max(1, given.count - start)
        of_each = count or per_class or default
        drawn = _request(source, classes, range(start, start + of_each), seed, pairs(controls), output, form)
        with ProgressBar("sampling", "images") as bar:
            if film:
                _write_film(generator, drawn, film, steps, bar)
            elif form is None:
                _write_grid(source, drawn, output, bar)
            else:
                from ganzoo.machine import cores
                from ganzoo.samples.sets import write_set

                write_set(source, drawn, output, form, workers=cores(), seen=bar, noted=note)
    (note if seed is not None else say)(f"Seed {drawn.seed}.")  # one that was drawn is part of the result
    if film or output != STDOUT:
        print_data(film or output)


def _require_film(film: Path | None) -> None:
    """Refuse a film of another kind, or beside what else is written; and what is for a film alone."""
    given = click.get_current_context().get_parameter_source
    if film is None:
        if given("steps") is ParameterSource.COMMANDLINE:
            raise UsageError("--steps is for --film alone", hint="add --film FILM, or leave it out")
        return
    for name in ("output", "each", "shards", "per_class", "latents"):
        if given(name) is ParameterSource.COMMANDLINE:
            also = name.replace("_", "-")
            raise UsageError(
                f"--film takes the place of images, and --{also} is about them", hint="give one of the two"
            )
    if film.suffix.lower() not in FILMS:
        raise UsageError(f"cannot write a film to {film}", hint=f"FILM may end in {', '.join(FILMS)}")


def _form(output: Path, each: bool, shards: str | None) -> str | None:
    """What the images are written as, one of ``ganzoo.samples.sets.FORMS``; None: one grid."""
    if each and shards:
        raise UsageError("--each writes pictures, and --shards writes shards", hint="give one of the two")
    several = "--each" if each else "--shards" if shards else ""
    if output == STDOUT:
        if several:
            raise UsageError(f"{several} makes several files", hint="-o DIRECTORY")
        require_pipe()
        return None
    suffix = output.suffix.lower()
    if shards and not output.is_dir() and suffix in (*PICTURES, *ARRAYS):
        raise UsageError(f"--shards makes several files, and {output} is one", hint="-o DIRECTORY")
    if several or output.is_dir() or not suffix:
        return shards or ""
    if suffix not in (*PICTURES, *ARRAYS):
        raise UsageError(f"cannot write samples to {output}", hint=_FORMS)
    return suffix if suffix in ARRAYS else None


def _classes(generator: "ImageGenerator", label: str | None) -> tuple[str, ...]:
    """The names of the classes that were asked for; none: each image's is drawn, or there are no classes."""
    from ganzoo.runtime.labels import find_classes

    names = generator.card.class_names
    return () if label is None else tuple(names[which] for which in find_classes(label, names, generator.card.name))


def _request(
    source: "Source",
    classes: tuple[str, ...],
    indices: range,
    seed: int | None,
    controls: "Controls",
    output: Path,
    form: str | None,
) -> "Request":
    """What to draw; without a seed, that of what is unfinished there, or a random one."""
    from ganzoo.latents import MAX_SEED
    from ganzoo.runtime.generator import MAX_IMAGES, random_seed
    from ganzoo.runtime.inputs import whole
    from ganzoo.samples.request import Request
    from ganzoo.samples.sets import unfinished

    if form is None:
        whole(len(indices) * max(1, len(classes)), "n", 1, MAX_IMAGES)
    whole(indices.start, "start", 0, MAX_SEED + 1 - len(indices))
    if seed is None and form is not None:
        seed = unfinished(output, form).seed()
    return Request(
        generator=source.sha256,
        seed=random_seed() if seed is None else seed,
        start=indices.start,
        each=len(indices),
        classes=classes,
        controls=source.resolve_controls(controls),
    )


def _write_film(generator: "ImageGenerator", drawn: "Request", film: Path, steps: int, bar: ProgressBar) -> None:
    """A walk through the images; of several classes, all at once."""
    from ganzoo.files import write_atomic
    from ganzoo.runtime.inputs import whole
    from ganzoo.samples.walk import FRAME_MS, Walk, frames

    walk = Walk(
        seed=drawn.seed,
        start=drawn.start,
        stops=drawn.each,
        steps=steps,
        classes=tuple(map(generator.resolve_label, drawn.classes)),
        controls=generator.resolve_controls(drawn.controls),
    )
    whole(walk.total, "the number of frames", 1, MOST_FRAMES)

    def counted() -> "Iterator[Image]":
        for number, frame in enumerate(frames(generator, walk), 1):
            yield frame
            bar(number, walk.total)

    write_atomic(film, FILMS[film.suffix.lower()](counted(), FRAME_MS))


def _write_grid(source: "Source", drawn: "Request", output: Path, bar: ProgressBar) -> None:
    """One picture of all images: of several classes each has a row."""
    import numpy as np

    from ganzoo.files import write_atomic
    from ganzoo.images import class_rows, encode_picture, encode_png, grid

    parts = []
    for piece in drawn.pieces(0, drawn.total):
        parts.append(source.pixels(piece.count, drawn.seed, piece.label, piece.index, drawn.controls)[0])
        bar(piece.number + piece.count, drawn.total)
    images = np.concatenate(parts)
    sheet = class_rows(images, drawn.classes) if len(drawn.classes) > 1 else grid(images)
    if output == STDOUT:
        emit_bytes(encode_png(sheet))
    else:
        write_atomic(output, encode_picture(sheet, output.suffix.lower()))
