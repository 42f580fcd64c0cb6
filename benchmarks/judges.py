"""What each figure sees: real images with eight levels of known damage are evaluated as if a generator had made them.

    python benchmarks/judges.py mnist10k.npz emoji64.npz [--size 32] [--images 500] [--draws 4] [--extractors own …]

``digits`` at 8 px comes first, and then each file, at ``--size``. The damage is blur, noise, missing classes, copies of
training images, and shifted colour (of grey images: darkness). Real images are held against others that neither the
extractor nor the damage has seen, several times, drawn anew. A figure sees a level if there, and at all higher levels,
it is worse in every draw than undamaged images are in any. The last line is JSON.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import machine
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from ganzoo.data import ImageSet, load
from ganzoo.data.split import split
from ganzoo.errors import MissingPackageError
from ganzoo.evaluation import Evidence, FeatureExtractor
from ganzoo.evaluation.evaluate import computed
from ganzoo.evaluation.evidence import Gatherer, Sample, of_images
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.zoo.names import zoo

Pixels = NDArray[np.uint8]
Change = Callable[["Drawn", float], ImageSet]

HELD_OUT = 0.5
"""Share of the images that ``own`` does not see; the extractor of digits has seen most of theirs."""

PART = 4
"""One in so many of the images that are left is real, and as many are damaged; of the rest, classes are drawn."""


@dataclass(frozen=True)
class Drawn:
    """Images of one draw: ``fakes`` are damaged; those of missing classes are replaced by others of ``rest``."""

    fakes: ImageSet
    rest: ImageSet
    training: ImageSet
    random: np.random.Generator


def blurred(drawn: Drawn, sigma: float) -> ImageSet:
    """By a Gaussian; sigma in pixels."""
    pixels = gaussian_filter(drawn.fakes.pixels.astype(np.float32), (0, 0, sigma, sigma))
    return changed(drawn.fakes, pixels)


def noisy(drawn: Drawn, sigma: float) -> ImageSet:
    """With Gaussian noise; sigma of 255."""
    pixels = drawn.fakes.pixels
    return changed(drawn.fakes, pixels + drawn.random.normal(size=pixels.shape) * sigma)


def without_classes(drawn: Drawn, count: float) -> ImageSet:
    """Without that many classes, the rarest first: others take their images' places."""
    labels = np.asarray(drawn.rest.labels)
    rarest = np.argsort(np.bincount(labels), kind="stable")
    left = np.flatnonzero(~np.isin(labels, rarest[: int(count)]))
    n = len(drawn.fakes)
    return drawn.rest.take(drawn.random.choice(left, n, replace=len(left) < n))


def copied(drawn: Drawn, share: float) -> ImageSet:
    """With that share of copies of training images."""
    count = max(1, round(share * len(drawn.fakes)))
    copies = drawn.training.take(drawn.random.choice(len(drawn.training), count, replace=False))
    return joined(copies, drawn.fakes).take(np.arange(len(drawn.fakes)))


def shifted(drawn: Drawn, by: float) -> ImageSet:
    """Colour with more red and less blue; grey images darker."""
    factors = np.array([1 + by, 1, 1 - by] if drawn.fakes.shape.channels == 3 else [1 - by])
    return changed(drawn.fakes, drawn.fakes.pixels * factors[:, None, None])


def changed(images: ImageSet, pixels: NDArray[np.floating]) -> ImageSet:
    """The images with other pixels, rounded and clipped."""
    return ImageSet(
        pixels=np.rint(pixels).clip(0, 255).astype(np.uint8), labels=images.labels, class_names=images.class_names
    )


DAMAGE: Mapping[str, tuple[Change, tuple[float, ...]]] = {
    "blur": (blurred, (0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.1, 1.5)),
    "noise": (noisy, (1, 2, 4, 8, 16, 32, 64, 128)),
    "missing classes": (without_classes, (1, 2, 3, 4, 5, 6, 7, 8)),
    "copies": (copied, (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)),
    "colour": (shifted, (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6)),
}


class Bench:
    """One data set with one extractor."""

    def __init__(self, source: str, size: int, name: str) -> None:
        whole = load(source, zoo(), size=size)
        parts = split(joined(whole.training, whole.held_out) if whole.held_out else whole.training, HELD_OUT)
        assert parts.held_out is not None  # noqa: S101 - half of the images
        self.training, self._left = parts.training, parts.held_out
        extractor = open_extractor(name, zoo(), device="cpu", threads=1, images=self.training, noted=say)
        extractor.check(self.training.shape)
        self._gatherer = Gatherer(extractor, None, self.training.class_names, 1)
        self._known = self._gatherer.gather(of_images(self.training), min(len(self.training), 5000))
        self._extractor: FeatureExtractor = extractor

    def measured(self, images: int, draws: int) -> dict[str, dict[str, list[list[float]]]]:
        """Damage -> figure -> for no damage and each level, the figure in every draw."""
        n = min(images, len(self._left) // PART)
        found: dict[str, dict[str, list[list[float]]]] = {damage: {} for damage in DAMAGE}
        for draw in range(draws):
            random = np.random.default_rng(draw)
            order = random.permutation(len(self._left))
            real = self._looked_at(self._left.take(order[:n]))
            drawn = Drawn(self._left.take(order[n : 2 * n]), self._left.take(order[n:]), self.training, random)
            floor = self._figures(drawn.fakes, real)
            for damage, (change, levels) in DAMAGE.items():
                for level, figures in enumerate([floor, *(self._figures(change(drawn, by), real) for by in levels)]):
                    for figure, value in figures.items():
                        rows = found[damage].setdefault(figure, [[] for _ in range(len(levels) + 1)])
                        rows[level].append(value)
            say(f"draw {draw + 1} of {draws} is done")
        return found

    def _looked_at(self, images: ImageSet) -> Sample:
        return self._gatherer.gather(of_images(images), len(images))

    def _figures(self, fakes: ImageSet, real: Sample) -> dict[str, float]:
        evidence = Evidence(fake=self._looked_at(fakes), real=real, training=self._known, held_out=real, pairs=real.n)
        found: dict[str, float] = {}
        for name, metric in zoo().metrics().items():
            found |= computed(name, metric, evidence)
        return found


def joined(one: ImageSet, other: ImageSet) -> ImageSet:
    """The images of one labelled part of a set, and then those of another."""
    labels = np.concatenate([np.asarray(one.labels), np.asarray(other.labels)])
    return ImageSet(pixels=np.concatenate([one.pixels, other.pixels]), labels=labels, class_names=one.class_names)


def verdict(values: list[list[float]], levels: tuple[float, ...], better: str) -> dict[str, object]:
    """What a figure makes of a damage.

    Returns:
        ``seen_from``: the first level from which on it is worse in every draw than any undamaged; None: it sees none.
        ``monotone``: whether its mean never gets better with a further level from there on. ``spearman``: the rank
        correlation of level and figure.
        ``fooled``: whether at two levels in a row it is better in every draw than any undamaged.
    """
    sign = -1.0 if better == "higher" else 1.0
    worse = [[sign * value for value in row] for row in values]
    seen = [min(row) > max(worse[0]) for row in worse]
    praised = [max(row) < min(worse[0]) for row in worse]
    first = next((level for level in range(1, len(worse)) if all(seen[level:])), None)
    means = [float(np.mean(row)) for row in worse]
    return {
        "seen_from": None if first is None else levels[first - 1],
        "monotone": first is not None and bool((np.diff(means[first - 1 :]) >= 0).all()),
        "spearman": float(spearmanr(range(len(means)), means).statistic) if np.ptp(means) else 0.0,
        "fooled": bool(better) and any(one and other for one, other in pairwise(praised)),
        "means": [sign * mean for mean in means],
    }


def lines(title: str, found: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Iterator[str]:
    """A Markdown table of one data set and extractor: a row for each figure."""
    yield f"\n{title}\n"
    yield f"| figure | {' | '.join(found)} |"
    yield f"|{'---|' * (len(found) + 1)}"
    for figure in next(iter(found.values())):
        yield f"| `{figure}` | {' | '.join(cell(of[figure]) for of in found.values())} |"


def cell(of: Mapping[str, object]) -> str:
    """The level from which it is seen; ``~`` where the figure gets better again with a further level."""
    told = "" if of["seen_from"] is None else f"{of['seen_from']:g}" + ("" if of["monotone"] else " ~")
    return f"{told} (better!)".strip() if of["fooled"] else told or "–"


def say(line: str) -> None:
    """Tell a person who waits."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Damage, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", help="an .npz file with images and labels")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=500, help="most images that are damaged")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--extractors", nargs="+", default=["own", "effnet"])
    arguments = parser.parse_args()
    better, results = zoo().figures(), {}
    jobs = [("digits", 8, "digits"), ("digits", 8, "own")]
    jobs += [(data, arguments.size, name) for data in arguments.data for name in arguments.extractors]
    for source, size, name in jobs:
        title = f"{Path(source).stem}, {size} px, features {name}"
        say(title)
        try:
            bench = Bench(source, size, name)
        except MissingPackageError as error:
            say(f"left out: {error} ({error.hint})")
            continue
        measured = bench.measured(arguments.images, arguments.draws)
        results[title] = {
            damage: {
                figure: verdict(values, DAMAGE[damage][1], better.get(figure, "")) for figure, values in of.items()
            }
            for damage, of in measured.items()
        }
        print("\n".join(lines(title, results[title])), flush=True)
    result = {"benchmark": Path(__file__).stem, "images": arguments.images, "draws": arguments.draws}
    print(json.dumps({**result, "results": results, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
