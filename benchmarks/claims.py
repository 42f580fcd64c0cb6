"""What papers say of one another's models, held against trainings of one budget: docs/claims.md.

    python benchmarks/claims.py --mnist mnist10k.npz --emoji emoji64.npz [--seeds 3] [--results FILE] [--page]

Of whole data sets the trainings are those of ``speedrun.py --budget 1m --data digits``, of ``zoo.py --data mnist10k
emoji64 --scale 0.2``, and of emoji with the whole budget; here only those of a tenth of mnist10k's images are run,
evaluated by the other nine, and those that are augmented. A trial whose line stands in the results is not run again.
The last line is JSON.
"""

import argparse
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import machine
import speedrun
import zoo
from trials import Outcome, Trial, interval, run_all, shown

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "claims.md"
RESULTS = ROOT / "benchmarks" / "results" / "claims.jsonl"

SHARE = 0.2
"""The part of the budget that ``zoo.py`` has for 32 pixels."""

IMAGES = {
    "digits": "digits, 8 px, 1 minute",
    "mnist10k": "mnist10k, 32 px, 4 minutes",
    "emoji": "emoji64, 32 px, 4 minutes",
    "few": "1,000 of mnist10k, 16 px, 1 minute",
    "emoji64": "3,288 of emoji64, 32 px, 4,000 steps",
}
"""What was trained on, in words."""

DIFFAUGMENT, ADA = 'augment="diffaugment"', 'augment="ada"'


@dataclass(frozen=True)
class Few:
    """A model that is trained on few images, with and without an augmentation.

    Args:
        model: its name.
        size: in pixels.
        seconds: processor seconds.
        whole: whether it takes all of them; else no more steps than its configuration says.
        settings: ``KEY=VALUE`` of all its trainings.
        augmented: what follows the model's name -> the settings of that training.
    """

    model: str
    size: int
    seconds: float
    whole: bool
    settings: tuple[str, ...]
    augmented: Mapping[str, tuple[str, ...]]


FEWS = {
    "few": Few("dcgan", 16, 60.0, True, ("held_out=0.9",), {"": (), ", DiffAugment": (DIFFAUGMENT,), ", ADA": (ADA,)}),
    "emoji64": Few("projection", 32, 1200.0, False, ("preset=small",), {", DiffAugment": (DIFFAUGMENT,)}),
}
"""Names in ``IMAGES`` -> what is trained on them here. Without an augmentation zoo.py trains it on emoji."""


@dataclass(frozen=True)
class Claim:
    """One thing is better than another.

    Args:
        better, worse: recipes.
        paper: who says so.
        images: names in ``IMAGES``.
    """

    better: str
    worse: str
    paper: str
    images: tuple[str, ...] = ("digits", "mnist10k", "emoji")


CLAIMS = (
    Claim("wgan-gp", "wgan", "Gulrajani et al., 2017"),
    Claim("sngan", "dcgan", "Miyato et al., 2018"),
    Claim("stylegan2", "dcgan", "Karras et al., 2020"),
    Claim("r3gan", "dcgan", "Huang et al., 2024"),
    Claim("dcgan, DiffAugment", "dcgan", "Zhao et al., 2020", ("few",)),
    Claim("dcgan, ADA", "dcgan", "Karras et al., 2020", ("few",)),
    Claim("projection, DiffAugment", "projection", "Zhao et al., 2020", ("emoji64",)),
)

Found = Mapping[tuple[str, str], Sequence[float]]
"""Recipe, and which of ``IMAGES`` -> FD of the last weights, of each seed."""


def page(found: Found) -> str:
    """docs/claims.md."""
    rows = [["claim", "by", "images", "FD", "against", "here"], ["---"] * 6]
    for claim, images in [(each, images) for each in CLAIMS for images in each.images]:
        better, worse = found.get((claim.better, images), ()), found.get((claim.worse, images), ())
        if better and worse:
            said = f"`{claim.better}` before `{claim.worse}`"
            rows.append([said, claim.paper, IMAGES[images], shown(better), shown(worse), verdict(better, worse)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        "# What papers claim\n\n"
        "Whether one model is better than another depends on images, time and settings. Papers say so of large data "
        "sets and of days; this is what minutes of one core show, with ganzoo's defaults (at 32 pixels `preset=small` "
        "where a model has it), by the Fréchet distance (lower is better) of the last weights: mean and 95 % "
        "interval over seeds of training, or one seed alone. Made by `python benchmarks/claims.py`.\n\n"
        f"{table}\n"
    )


def verdict(better: Sequence[float], worse: Sequence[float]) -> str:
    """Whether it holds, as far as these seeds can tell."""
    (one, half), (other, other_half) = interval(better), interval(worse)
    if min(len(better), len(worse)) == 1:
        return f"{'so' if one < other else 'the other way round'} in one seed"
    if abs(one - other) <= (half**2 + other_half**2) ** 0.5:
        return "not to be told apart"
    return "holds" if one < other else "the other way round"


def trials(few: Few, source: str, seeds: int) -> list[Trial]:
    """The trainings of a model on few images."""
    return [
        Trial(
            name=f"{few.model}{augmented}",
            model=few.model,
            data=source,
            size=few.size,
            seed=seed,
            seconds=few.seconds,
            threads=1,
            settings=(*few.settings, *settings),
            whole=few.whole,
        )
        for seed in range(seeds)
        for augmented, settings in few.augmented.items()
    ]


def read(results: Path) -> dict[tuple[str, str], list[float]]:
    """The figures that there are."""
    others = (
        ("digits", "digits", speedrun.RESULTS, speedrun.BUDGETS["1m"]),
        ("mnist10k", "mnist10k", zoo.RESULTS, SHARE * zoo.BUDGETS["mnist10k"].seconds),
        ("emoji", "emoji64", zoo.RESULTS, SHARE * zoo.BUDGETS["emoji64"].seconds),
        ("emoji64", "emoji64", zoo.RESULTS, zoo.BUDGETS["emoji64"].seconds),
    )
    each = {
        name: [o for o in _lines(path) if speedrun.stem(o) == data and o.trial.seconds == seconds]
        for name, data, path, seconds in others
    }
    for name, few in FEWS.items():
        each.setdefault(name, []).extend(o for o in _lines(results) if o.trial.size == few.size)
    found: dict[tuple[str, str], list[float]] = {}
    for images, outcomes in each.items():
        for outcome in outcomes:
            found.setdefault((outcome.trial.name, images), []).append(outcome.last["fd"])
    return found


def _lines(path: Path) -> Iterable[Outcome]:
    return map(Outcome.from_json, path.read_text("utf-8").splitlines() if path.exists() else [])


def main() -> None:
    """Train what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", metavar="FILE", help="an .npz file called mnist10k")
    parser.add_argument("--emoji", metavar="FILE", help="an .npz file called emoji64")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    sources = {"few": arguments.mnist, "emoji64": arguments.emoji}
    asked = {name: source for name, source in sources.items() if source and not arguments.page}
    missing = [trial for name, source in asked.items() for trial in trials(FEWS[name], source, arguments.seeds)]
    outcomes = list(run_all(missing, arguments.results, len(os.sched_getaffinity(0))))
    found = read(arguments.results)
    PAGE.write_text(page(found), "utf-8")
    rows = [{"recipe": name, "images": images, "fd": values} for (name, images), values in found.items()]
    errors = [o.error for o in outcomes if o.error]
    print(json.dumps({"benchmark": "claims", "runs": rows, "errors": errors, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
