"""Trainings within a budget of processor time: what zoo.py and speedrun.py share. Each runs in a process of its own.

A budget counts the processor seconds that training takes: not start-up, evaluation, registration and export. How many
steps fit is measured first, because schedules need to know their end; then the whole training is as long as that.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.cli import output
from ganzoo.zoo.names import zoo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.training.trainer import Trainer

EVALUATIONS = 5
"""Evaluations in the course of a training, of which the best weights are kept beside the last."""

SHARE = 0.97
"""Share of the budget that the steps are given; the rest is previews, logs and checkpoints."""

WARM_UP, LEAST_STEPS, LEAST_SECONDS = 4, 32, 4.0
"""Steps before the measured ones; how many of these there are at least, and what they take in processor seconds."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A training within a budget.

    Args:
        name: what tables call it.
        model: what ``--model`` names.
        data: a data set's name, or a path.
        size: height and width in pixels.
        seed: the training's seed.
        seconds: processor seconds of training.
        threads: threads that share them.
        settings: ``KEY=VALUE``, as for ``--set``.
        features: the extractor to evaluate with; empty: the data set's own.
        grid: where to write a grid of samples; empty: nowhere.
        whole: whether it takes the whole budget; else no more steps than its configuration says.
    """

    name: str
    model: str
    data: str
    size: int
    seed: int
    seconds: float
    threads: int
    settings: tuple[str, ...] = ()
    features: str = ""
    grid: str = ""
    whole: bool = True

    @property
    def key(self) -> str:
        """What tells it from other trials, without paths, which differ from machine to machine."""
        budget = [self.size, self.seed, self.seconds, self.threads]
        return json.dumps([self.model, Path(self.data).name, *budget, self.whole, self.settings, self.features])

    @property
    def anywhere(self) -> "Trial":
        """The same without paths, as results have it."""
        return replace(self, data=Path(self.data).name, grid=Path(self.grid).name)

    def command(self, steps: int) -> str:
        """What a person types for the same training."""
        words = ["ganzoo train", f"--model {self.model}", f"--data {Path(self.data).name}", f"--size {self.size}"]
        chosen = [f"--set '{each}'" if set(each) & set(' "{[') else f"--set {each}" for each in self.settings]
        return " ".join([*words, f"--steps {steps} --seed {self.seed}", *chosen, f"--set threads={self.threads}"])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a trial.

    Args:
        trial: the trial.
        steps: how many fitted.
        kimg: thousands of real images shown.
        step_seconds: processor seconds a step, as measured before.
        seconds: processor seconds of the whole training with its evaluations, start-up and export.
        last, best: figure -> mean over the sample seeds, of the last weights and of those that evaluated best.
        real: figure -> what real images score.
        protocol: how the figures were made, in words.
        error: why there are no figures; empty otherwise.
    """

    trial: Trial
    steps: int = 0
    kimg: float = 0.0
    step_seconds: float = 0.0
    seconds: float = 0.0
    last: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, float] = field(default_factory=dict)
    real: Mapping[str, float] = field(default_factory=dict)
    protocol: str = ""
    error: str = ""

    @classmethod
    def from_json(cls, line: str) -> "Outcome":
        """What ``json.dumps(asdict(outcome))`` wrote."""
        fields = json.loads(line)
        trial = fields.pop("trial")
        return cls(trial=Trial(**{**trial, "settings": tuple(trial["settings"])}), **fields)


def run(trial: Trial) -> Outcome:
    """Measure a step, train for as long as the budget allows, evaluate; in this process."""
    import torch

    import ganzoo
    from ganzoo import api
    from ganzoo.cli.settings import parse_settings
    from ganzoo.config import merge

    torch.set_num_threads(trial.threads)
    given = {"data": trial.data, "size": trial.size, "seed": trial.seed, "threads": trial.threads}
    settings: dict[str, Any] = merge(given, {"features": trial.features}, parse_settings(list(trial.settings)))
    with tempfile.TemporaryDirectory() as place:
        there = Path(place, "registry")
        plan = api.plan(trial.model, settings=settings, registry=there)
        cost = _step_seconds(plan.trainer)
        config = plan.recipe.config
        steps = max(EVALUATIONS, int(SHARE * trial.seconds / cost))
        steps = steps if trial.whole else min(steps, config.steps)
        every = {"steps": steps, "eval_every": -(-steps // EVALUATIONS), "checkpoint_every": steps}
        del plan
        result = ganzoo.train(trial.model, settings=merge(settings, every), registry=there, runs=Path(place, "runs"))
        # By its path: a version records the last part of one alone.
        criteria: dict[str, Any] = {"data": trial.data, "features": trial.features, "seeds": 3}
        figures = {
            what: ganzoo.evaluate(reference, **criteria, registry=there)[reference]
            for what, reference in {"last": str(result.version), "best": str(result.best or result.version)}.items()
        }
        if trial.grid:
            generator = ganzoo.load(str(result.best or result.version), registry=there, device="cpu", threads=1)
            _write_grid(generator.sample(32, seed=7), Path(trial.grid))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Outcome(
        trial=trial,
        steps=steps,
        kimg=steps * config.batch * config.critic_steps / 1000,
        step_seconds=cost,
        seconds=used.ru_utime + used.ru_stime,
        last={name: figure.mean for name, figure in figures["last"].figures.items()},
        best={name: figure.mean for name, figure in figures["best"].figures.items()},
        real=dict(figures["last"].floor),
        protocol=str(figures["last"].protocol),
    )


def _step_seconds(trainer: "Trainer") -> float:
    """Processor seconds that a step takes."""
    for _ in range(WARM_UP):
        trainer.step()
    begin, steps = time.process_time(), 0
    while steps < LEAST_STEPS or time.process_time() - begin < LEAST_SECONDS:
        trainer.step()
        steps += 1
    return (time.process_time() - begin) / steps


def _write_grid(images: "NDArray[np.uint8]", path: Path) -> None:
    from ganzoo.images import encode_png, grid

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(grid(images.transpose(0, 3, 1, 2), 8)))


def run_all(trials: Sequence[Trial], results: Path, workers: int) -> Iterator[Outcome]:
    """Run those that ``results`` has no line of, and add theirs; yields the outcome of each, old ones, too.

    Args:
        trials: what to run.
        results: a file of JSON lines, made if it is missing: what was begun goes on.
        workers: how many run at a time.
    """
    results.parent.mkdir(parents=True, exist_ok=True)
    lines = results.read_text("utf-8").splitlines() if results.exists() else []
    known = {outcome.trial.key: outcome for outcome in map(Outcome.from_json, lines)}
    missing = [trial for trial in trials if trial.key not in known]
    with ThreadPoolExecutor(workers) as pool:
        for number, outcome in enumerate(pool.map(_apart, missing), 1):
            known[outcome.trial.key] = outcome
            if not outcome.error:
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(replace(outcome, trial=outcome.trial.anywhere))) + "\n")
            told = outcome.error or ", ".join(f"{name} {value:.4g}" for name, value in sorted(outcome.last.items()))
            print(
                f"{number}/{len(missing)} {outcome.trial.name} on {Path(outcome.trial.data).name}, seed "
                f"{outcome.trial.seed}: {outcome.seconds:.0f} s, {outcome.steps:,} steps; {told}",
                file=sys.stderr,
                flush=True,
            )
    yield from (known[trial.key] for trial in trials)


def _apart(trial: Trial) -> Outcome:
    environment = {**os.environ, "OMP_NUM_THREADS": str(trial.threads)}
    command = [sys.executable, __file__, json.dumps(asdict(trial))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode:
        return Outcome(trial=trial, error=(done.stderr.strip().splitlines() or ["it failed without a word"])[-1])
    return Outcome.from_json(done.stdout.splitlines()[-1])


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half its 95 % interval (Student's t); 0 of one value alone."""
    from scipy import stats

    mean, count = statistics.mean(values), len(values)
    if count == 1:
        return mean, 0.0
    return mean, float(stats.t.ppf(0.975, count - 1)) * statistics.stdev(values) / count**0.5


def shown(values: Sequence[float], figure: str = "fd") -> str:
    """The mean of a figure and its interval as tables have them; nothing if there are none."""
    return output.interval(*interval(values), zoo().bounds().get(figure)) if values else ""


if __name__ == "__main__":
    _fields = json.loads(sys.argv[1])
    print(json.dumps(asdict(run(Trial(**{**_fields, "settings": tuple(_fields["settings"])})))))
