"""Checks of data sets and readers: they give what they say, the same each time, and refuse what is damaged."""

import re
import tempfile
from pathlib import Path

import numpy as np

from ganzoo.data import EncodedImages, ImageSet, Source
from ganzoo.data.fetch import OfflineError
from ganzoo.data.split import Split, image_digest
from ganzoo.errors import GanzooError, PluginError
from ganzoo.evaluation.checks import whole_numbers
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.records.evaluation import HELD_OUT, TRAINING
from ganzoo.specs import Dataset, Reader
from ganzoo.testing.bench import Bench
from ganzoo.testing.checks import NotRun
from ganzoo.zoo.names import load_target

ASSIGNED = 1000
"""Most images whose modes are looked at."""

MOST_IN_BOTH = 0.5
"""Largest share of the held-out images that are among the training images, too."""

RUBBISH = bytes(range(256)) * 4
"""The content of a file that is of no format."""


def images_of_the_set(bench: Bench, spec: Dataset) -> str:
    """Two loads give the same images; they differ from one another, and what is held out is not trained on."""
    found, again = _load(bench, spec), _load(bench, spec)
    for part, one, other in (
        (TRAINING, found.training, again.training),
        (HELD_OUT, found.held_out, again.held_out),
    ):
        if one is None or other is None:
            continue
        if one.digest != other.digest:
            raise PluginError(f"its {part} images are others each time", hint="draw with a seed of your own")
        if (one.pixels == one.pixels[:1]).all():
            raise PluginError(f"all {len(one)} {part} images are the same")
        if one.labels is not None and len(np.unique(one.labels)) < len(one.class_names):
            raise PluginError(f"some of its {len(one.class_names)} classes have no {part} image")
    if found.held_out is not None:
        trained = set(map(image_digest, found.training.pixels))
        both = float(np.mean([image_digest(pixels) in trained for pixels in found.held_out.pixels]))
        if both > MOST_IN_BOTH:
            raise PluginError(f"{both:.0%} of its held-out images are trained on")
    if spec.extractor:
        open_extractor(spec.extractor, bench.zoo, images=found.training).check(found.training.shape)
    return _described(found)


def modes(bench: Bench, spec: Dataset) -> str:
    """The modes that it declares are told apart: each image has one, and most real images have a good one."""
    if not spec.modes:
        raise NotRun("it declares no modes")
    declared, images = load_target(spec.modes), _load(bench, spec).training
    pixels = images.pixels[:ASSIGNED]
    assigned = whole_numbers(declared.assign(pixels), len(pixels), -1, declared.count, "modes")
    if not np.array_equal(assigned, declared.assign(pixels)):
        raise PluginError("the same images have other modes each time")
    if (good := float((assigned >= 0).mean())) < 0.5:
        raise PluginError(f"only {good:.0%} of its own images belong to a mode")
    return f"{len(np.unique(assigned[assigned >= 0]))} of {declared.count} in {len(pixels)} images"


def damage(bench: Bench, spec: Reader) -> str:
    """A file by its name of this format, and by its content of none, is refused with an error of ganzoo's, or read.

    What is read must be images: a format of any bytes, or files that are decoded later.
    """
    tried = []
    with tempfile.TemporaryDirectory() as directory:
        for number, (pattern, in_folder) in enumerate(
            [*((pattern, False) for pattern in spec.files), *((pattern, True) for pattern in spec.folders)]
        ):
            folder = Path(directory) / str(number)
            folder.mkdir()
            file = folder / _fitting(pattern)
            file.write_bytes(RUBBISH)
            try:
                answer = bench.zoo.call(spec, spec.target, folder if in_folder else file)
            except PluginError:
                raise
            except GanzooError as refusal:
                tried.append(f"{pattern}: {refusal}".replace(directory, ""))
            else:
                if not isinstance(answer, ImageSet | EncodedImages):
                    raise PluginError(f"{pattern}: it returned {type(answer).__name__}, not a ganzoo.data.ImageSet")
                tried.append(f"{pattern}: taken")
    return "; ".join(tried)[:200]


def _load(bench: Bench, spec: Dataset) -> Split:
    try:
        return Source(bench.zoo.qualified(spec), bench.zoo).load()
    except OfflineError as error:
        raise NotRun(f"{error}: ganzoo data show {spec.name} downloads it") from error


def _described(found: Split) -> str:
    def words(images: ImageSet) -> str:
        return f"{len(images):,} {images.shape.channels}x{images.shape.height}x{images.shape.width}"

    held_out = f", {len(found.held_out):,} held out" if found.held_out is not None else ""
    return f"{words(found.training)}, {len(found.training.class_names)} classes{held_out}"


def _fitting(pattern: str) -> str:
    """A file's name that a pattern takes: its wildcards filled in."""
    return re.sub(r"\[(.)[^]]*\]", r"\1", pattern).replace("?", "1").replace("*", "rubbish" if pattern == "*" else "1")
