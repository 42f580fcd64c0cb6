"""Which recipe makes the best images in 10 seconds, a minute, ten minutes: the leaderboard of docs/results.md.

    python benchmarks/speedrun.py --budget 1m [--data digits stacked-digits FILE.npz …] [--recipes FILE.toml …]
        [--models wgan-gp …] [--seeds 3] [--results FILE] [--page]

A budget is wall-clock time on cores that nothing else uses, counted in processor seconds, so that a loaded machine
changes nothing: a recipe with ``threads = 2`` has twice as many. A recipe is a file that ``ganzoo train --config``
takes, with a ``model`` in it; those of benchmarks/recipes take part, and so does every model with its defaults. All are
evaluated alike, by the last weights. A trial whose line stands in the results is not run again. The last line is JSON.
"""

import argparse
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
from trials import Outcome, Trial, run_all, shown

from ganzoo.cli.settings import read_file
from ganzoo.config import flat
from ganzoo.specs import Model
from ganzoo.zoo.names import zoo

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"
RESULTS = ROOT / "benchmarks" / "results" / "speedrun.jsonl"
RECIPES = ROOT / "benchmarks" / "recipes"

BUDGETS = {"10s": 10, "1m": 60, "10m": 600}
"""Wall-clock seconds."""

DATA = {"digits": 8, "stacked-digits": 8, "dots": 16, "mnist10k": 32, "emoji64": 32}
"""Data set -> size in pixels."""

DECISIVE = {"stacked-digits": "modes", "dots": "modes"}
"""Data set -> the figure that decides, the greatest first; else it is ``fd``, the least first."""

ALSO = ("modes", "good", "mind", "clipped_density", "clipped_coverage", "accuracy", "least_class_deviation")
"""Figures beside the decisive one, as far as there are any."""


@dataclass(frozen=True)
class Recipe:
    """What is trained.

    Args:
        name: as the leaderboard calls it.
        model: the model's name.
        settings: ``KEY=VALUE``.
        threads: CPU threads.
    """

    name: str
    model: str
    settings: tuple[str, ...] = ()
    threads: int = 1


def from_file(path: Path) -> Recipe:
    """The recipe of a configuration file."""
    rows = flat(read_file(path))
    model, threads = rows.pop("model"), rows.pop("threads", 1)
    return Recipe(path.stem, model, tuple(f"{key}={json.dumps(value)}" for key, value in rows.items()), threads)


def of_model(model: Model, size: int, threads: int) -> Recipe:
    """A model with its defaults; with its preset for a CPU at sizes that this is meant for."""
    small = model.presets.get("small")
    fits = small is not None and (not small.resolutions or size in small.resolutions)
    return Recipe(model.name, model.name, ("preset=small",) if fits else (), threads)


def page(outcomes: Sequence[Outcome]) -> str:
    """docs/results.md: a table for each data set and budget."""
    parts = [
        "# Results",
        "Which recipe makes the best images in ten seconds, in a minute, in ten minutes? A recipe is a model with its "
        "defaults, or a file in benchmarks/recipes that `ganzoo train --config` takes: write one, run `python "
        "benchmarks/speedrun.py --budget 1m --recipes FILE.toml`, and see where it stands. A budget is wall-clock time "
        "on cores of its own, counted in processor seconds of training; figures are of the last weights "
        "([what they mean](evaluation.md)), mean and 95 % interval over seeds of training.",
    ]
    for data in DATA:
        for budget, seconds in BUDGETS.items():
            here = [o for o in outcomes if stem(o) == data and o.trial.seconds == seconds * o.trial.threads]
            if here:
                parts += [f"## {data}, {budget}", _about(here), _board(data, here)]
    return "\n\n".join(parts) + "\n"


def stem(outcome: Outcome) -> str:
    """The name of an outcome's data set."""
    return Path(outcome.trial.data).stem


def _about(outcomes: Sequence[Outcome]) -> str:
    real, protocol = outcomes[0].real, outcomes[0].protocol
    floor = ", ".join(f"{name} {real[name]:.4g}" for name in ("fd", *ALSO) if name in real)
    return f"Real images score {floor}. {protocol[:1].upper()}{protocol[1:]}."


def _board(data: str, outcomes: Sequence[Outcome]) -> str:
    decisive = DECISIVE.get(data, "fd")
    by_name: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if decisive in outcome.last:
            by_name.setdefault(outcome.trial.name, []).append(outcome)

    def mean(each: Iterable[Outcome]) -> float:
        values = [outcome.last[decisive] for outcome in each]
        return sum(values) / len(values) * (-1 if decisive in DECISIVE.values() else 1)

    others = [name for name in ALSO if name != decisive and any(name in o.last for o in outcomes)]
    rows = [["", "recipe", decisive, *others, "steps", "thousands of images", "seeds"]]
    rows.append(["---"] * len(rows[0]))
    board = sorted(by_name.items(), key=lambda item: mean(item[1]))
    for place, (name, each) in enumerate(board, 1):
        figures = (shown([o.last[figure] for o in each if figure in o.last], figure) for figure in (decisive, *others))
        rows.append([str(place), f"`{name}`", *figures, f"{each[0].steps:,}", f"{each[0].kimg:,.0f}", str(len(each))])
    first = board[0][1][0]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{table}\n\nThe first of them:\n\n```text\n$ {first.trial.command(first.steps)}\n```"


def trials(arguments: argparse.Namespace, recipes: Sequence[Recipe], models: Sequence[Model]) -> list[Trial]:
    """Everything that was asked for."""
    made = []
    for source in arguments.data:
        size = DATA[Path(source).stem]
        threads = 1 if size <= 16 else 2
        taking = [*recipes, *(of_model(model, size, threads) for model in models)]
        made += [
            Trial(
                name=recipe.name,
                model=recipe.model,
                data=source,
                size=size,
                seed=seed,
                seconds=BUDGETS[arguments.budget] * recipe.threads,
                threads=recipe.threads,
                settings=recipe.settings,
            )
            for seed in range(arguments.seeds)
            for recipe in taking
        ]
    return made


def main() -> None:
    """Train what is missing, and write the page."""
    models = [model for model in zoo().all(Model) if zoo().owner(model).builtin]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", choices=list(BUDGETS), default="1m")
    parser.add_argument("--data", nargs="+", default=["digits", "stacked-digits"], metavar="SOURCE")
    parser.add_argument("--recipes", nargs="*", type=Path, default=sorted(RECIPES.glob("*.toml")))
    parser.add_argument("--models", nargs="*", default=[model.name for model in models])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    found: list[Outcome] = []
    if not arguments.page:
        chosen = [model for model in models if model.name in arguments.models]
        asked = trials(arguments, [from_file(path) for path in arguments.recipes], chosen)
        for threads in (1, 2):
            workers = max(1, len(os.sched_getaffinity(0)) // threads)
            found += run_all([each for each in asked if each.threads == threads], arguments.results, workers)
    lines = arguments.results.read_text("utf-8").splitlines()
    PAGE.write_text(page([Outcome.from_json(line) for line in lines]), "utf-8")
    rows: list[Mapping[str, Any]] = [
        {"recipe": o.trial.name, "data": stem(o), "seed": o.trial.seed, "error": o.error, **o.last} for o in found
    ]
    print(
        json.dumps({"benchmark": "speedrun", "budget": arguments.budget, "runs": rows, "machine": machine.describe()})
    )


if __name__ == "__main__":
    main()
