"""Every built-in model on images that people know, each within the same budget: docs/zoo.md, its pictures, and what
``ganzoo models show`` prints as measured.

    python benchmarks/zoo.py --mnist mnist10k.npz --emoji emoji64.npz [--models sngan …] [--data digits …] [--seeds 3]
        [--scale 1.0] [--results FILE] [--page]

A trial whose line stands in the results is not run again, so what was begun goes on; ``--page`` runs none, and writes
the page and the files from what there is. The last line is JSON.
"""

import argparse
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
from costs import costs, parts_of
from trials import Outcome, Trial, interval, run_all, shown

from ganzoo.specs import Model
from ganzoo.zoo.names import zoo

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "zoo.md"
PICTURES = ROOT / "docs" / "images" / "zoo"
RESULTS = ROOT / "benchmarks" / "results" / "zoo.jsonl"

Found = Mapping[str, Mapping[str, Sequence[Outcome]]]
"""Name of a budget -> model -> the outcomes of its seeds."""


@dataclass(frozen=True)
class Budget:
    """What each model is given on one data set.

    Args:
        data: the data set.
        title: the same in a heading.
        size: height and width in pixels.
        seconds: processor seconds of training, on one thread.
        preset: the preset, of the models that have it.
        augment: the augmentation; empty: the model's own.
        whole: whether all of the time is used, also if a model's default is to end before.
    """

    data: str
    title: str
    size: int
    seconds: float
    preset: str = "small"
    augment: str = ""
    whole: bool = False


BUDGETS = {
    "digits": Budget("digits", "Digits at 8 pixels", 8, 60.0, ""),
    "mnist10k": Budget("mnist10k", "MNIST at 32 pixels", 32, 1200.0),
    "emoji64": Budget("emoji64", "Emoji at 32 pixels, in colour", 32, 1200.0),
    "emoji64-large": Budget("emoji64", "Emoji at 64 pixels, in colour", 64, 900.0, augment="diffaugment", whole=True),
}
"""At 32 pixels ten minutes of two cores; on one thread each, so that two run beside one another undisturbed. The small
presets are for 32 pixels and plain images: with DiffAugment and 64 pixels they end too early."""

FIGURES = ("fd", "mind", "clipped_density", "clipped_coverage", "accuracy", "copying")
"""The figures of the page, in its order, as far as there are any."""


def trial(model: Model, name: str, source: str, seed: int, scale: float) -> Trial:
    """The training of a model, in the budget of this name, on the data set that ``source`` names."""
    budget = BUDGETS[name]
    preset = [f"preset={budget.preset}"] if budget.preset in model.presets else []
    return Trial(
        name=model.name,
        model=model.name,
        data=source,
        size=budget.size,
        seed=seed,
        seconds=budget.seconds * scale,
        threads=1,
        settings=(*preset, *([f"augment={budget.augment}"] if budget.augment else [])),
        grid=str(PICTURES / f"{model.name}-{name}.png") if seed == 0 else "",
        whole=budget.whole,
    )


def page(models: Sequence[Model], found: Found) -> str:
    """docs/zoo.md."""
    parts = [
        "# The zoo",
        f"The {len(models)} built-in models. On each data set every one was trained within the same budget of "
        "processor time, and evaluated by images that it had not seen ([what the figures mean](evaluation.md)). Made "
        "by `python benchmarks/zoo.py`; `ganzoo models show NAME` has the same figures, and more of each model.",
        _overview(models),
    ]
    for name, outcomes in found.items():
        if outcomes:
            parts += [f"## {BUDGETS[name].title}", _about(name, outcomes), _table(models, name, outcomes)]
    return "\n\n".join(parts) + "\n"


def _overview(models: Iterable[Model]) -> str:
    """A row a model: what it is, its paper, and what its networks have at 32 pixels."""
    rows = [["model", "what it is", "paper", "generator", "discriminator"], ["---"] * 5]
    for model in models:
        found = costs(model, 32).values()
        sizes = [f"{cost['parameters'] / 1e6:.2f} M, {cost['gflop']:.3g} GFLOP" for cost in found]
        paper = f"[{model.paper}]({model.reference})" if model.reference else model.paper
        rows.append([f"`{model.name}`", model.summary, paper, *sizes])
    note = "Parameters, and operations of an image's forward pass, at 32 pixels in colour with default settings."
    return f"{_markdown(rows)}\n\n{note}"


def _about(name: str, outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    first, budget = next(iter(outcomes.values()))[0], BUDGETS[name]
    floor = ", ".join(f"{figure} {first.real[figure]:.4g}" for figure in FIGURES if figure in first.real)
    preset = f"`preset={budget.preset}` where a model has it" if budget.preset else "default settings"
    preset += f", `augment={budget.augment}`" if budget.augment else ""
    return (
        f"One thread and at most {budget.seconds:,.0f} processor seconds of training, or as many as the table says; "
        f"{preset}. Real images score {floor}. {first.protocol[:1].upper()}{first.protocol[1:]}. Mean and 95 % "
        "interval over seeds of training. The best weights were chosen by these figures, the last were not; samples "
        "are of the best. Where seeds had different numbers of steps, they were trained on machines of different "
        "speed, or beside other work, and intervals hold that, too."
    )


def _table(models: Sequence[Model], name: str, outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    kept = [figure for figure in FIGURES if any(figure in o.last for each in outcomes.values() for o in each)]
    rows = [["model", "samples", "fd, last", "fd, best", *kept[1:], "budget, s", "steps", "ms a step", "seeds"]]
    rows.append(["---"] * len(rows[0]))
    for model in models:
        if not (each := outcomes.get(model.name)):
            continue
        fd, *others = (shown([o.last[figure] for o in each if figure in o.last], figure) for figure in kept)
        best = shown([o.best["fd"] for o in each if "fd" in o.best])
        cost = f"{1000 * min(o.step_seconds for o in each):.1f}"
        picture = f"![{model.name}](images/zoo/{model.name}-{name}.png)"
        given, steps = f"{each[0].trial.seconds:,.0f}", _range([outcome.steps for outcome in each])
        rows.append([f"`{model.name}`", picture, fd, best, *others, given, steps, cost, str(len(each))])
    typed = "\n".join(
        f"$ {outcomes[model.name][0].trial.command(outcomes[model.name][0].steps)}"
        for model in models
        if model.name in outcomes
    )
    return f"{_markdown(rows)}\n\nSeed 0 of each:\n\n```text\n{typed}\n```"


def _range(values: Sequence[int]) -> str:
    """The least and the most: on another machine, or beside other work, another number of steps fits."""
    return " to ".join(f"{value:,}" for value in dict.fromkeys((min(values), max(values))))


def _markdown(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def record(model: Model, found: Found) -> None:
    """Write the model's file of measurements: what it costs at each size, and what came of its trainings."""
    package, _, file = model.measured.partition(":")
    place = ROOT / "plugins" / Path(*package.split(".")) / file
    known = {
        "costs": {str(size): costs(model, size) for size in parts_of(model).architecture.resolutions},
        "trainings": [_training(each[model.name]) for each in found.values() if model.name in each],
    }
    place.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def _training(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    trained = outcomes[0].trial
    names = [name for name in FIGURES if all(name in outcome.last for outcome in outcomes)]
    return {
        "data": Path(trained.data).stem,
        "size": trained.size,
        "settings": ", ".join(trained.settings),
        "budget": f"{trained.seconds:.0f} s of one core",
        "seeds": len(outcomes),
        "figures": {
            name: [float(f"{value:.4g}") for value in interval([outcome.last[name] for outcome in outcomes])]
            for name in names
        },
        "real": {name: float(f"{outcomes[0].real[name]:.4g}") for name in names if name in outcomes[0].real},
    }


def read(models: Sequence[Model], results: Path) -> Found:
    """What the results hold within each budget: of each model its longest trainings."""
    lines = results.read_text("utf-8").splitlines() if results.exists() else []
    outcomes = [Outcome.from_json(line) for line in lines]

    def of(model: Model, budget: Budget) -> list[Outcome]:
        wanted = (model.name, budget.data, budget.size)
        here = [o for o in outcomes if (o.trial.model, Path(o.trial.data).stem, o.trial.size) == wanted]
        longest = max((outcome.trial.seconds for outcome in here), default=0.0)
        return [outcome for outcome in here if outcome.trial.seconds == longest]

    return {name: {m.name: each for m in models if (each := of(m, budget))} for name, budget in BUDGETS.items()}


def main() -> None:
    """Train what is missing, and write the page and the files."""
    models = [model for model in zoo().all(Model) if zoo().owner(model).builtin]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", metavar="FILE", help="an .npz file called mnist10k")
    parser.add_argument("--emoji", metavar="FILE", help="an .npz file called emoji64")
    parser.add_argument("--models", nargs="+", default=[model.name for model in models])
    parser.add_argument("--data", nargs="+", choices=list(BUDGETS), default=list(BUDGETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of each budget")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    sources = {"digits": "digits", "mnist10k": arguments.mnist, "emoji64": arguments.emoji}
    cores, outcomes = len(os.sched_getaffinity(0)), list[Outcome]()
    for name in [] if arguments.page else arguments.data:
        trials = [
            trial(model, name, source, seed, arguments.scale)
            for seed in range(arguments.seeds)
            for model in models
            if model.name in arguments.models and (source := sources[BUDGETS[name].data])
        ]
        outcomes += run_all(trials, arguments.results, cores)
    found = read(models, arguments.results)
    PAGE.write_text(page(models, found), "utf-8")
    for model in models:
        if model.measured:
            record(model, found)
    rows = [{"model": o.trial.model, "data": Path(o.trial.data).stem, "seed": o.trial.seed, **o.last} for o in outcomes]
    errors = {f"{o.trial.model} on {o.trial.data}": o.error for o in outcomes if o.error}
    print(json.dumps({"benchmark": "zoo", "runs": rows, "errors": errors, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
