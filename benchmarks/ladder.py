"""The four built-in models on three data sets, several seeds each, on an equal budget of real images: docs/results.md.

    python benchmarks/ladder.py [--images 256000] [--seeds N] [--data digits stacked-digits dots] [-o docs/results.md]

Each run is the command that its table shows, in a process of its own and on one thread; as many run at a time as there
are cores. ``ganzoo eval`` evaluates the results with one sample seed; intervals are over training seeds
(Student's t, 95 %). The last line is JSON.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import machine
from scipy import stats

MODELS = ("vanilla", "dcgan", "wgan-gp", "conditional")
BATCH = 64
CRITIC_STEPS = {"wgan-gp": 5}
SEEDS = {"digits": 3, "stacked-digits": 3, "dots": 10}
"""Training seeds for each data set; ten of dots, to count how many trainings find all places."""

REMARKS = {
    "digits": "The same images shown are a fifth of the generator's updates for wgan-gp, whose critic takes five.",
    "stacked-digits": "The budget is small for 1,000 modes; a longer training finds more.",
    "dots": "conditional is told the place: it is its label.",
}
BY_HAND = "\n## Larger images\n"
"""From this heading on the page is kept as it is."""

FIGURES = {
    "digits": (
        "fd",
        "kid",
        "precision",
        "recall",
        "density",
        "coverage",
        "accuracy",
        "least_class_deviation",
        "copying",
    ),
    "stacked-digits": ("modes", "good", "reverse_kl"),
    "dots": ("modes", "good", "reverse_kl"),
}


@dataclass(frozen=True)
class Job:
    """One training."""

    data: str
    model: str
    seed: int

    def command(self, images: int) -> str:
        """The command that a person would type."""
        steps = images // (BATCH * CRITIC_STEPS.get(self.model, 1))
        chosen = f"--model {self.model} --data {self.data} --steps {steps} --seed {self.seed}"
        return f"ganzoo train {chosen} --set threads=1"


@dataclass(frozen=True)
class Outcome:
    """The result of a job.

    Args:
        seconds: duration of training with registration and export.
        events: the watchdog's messages.
    """

    seconds: float
    events: list[str]
    figures: dict[str, float]
    floor: dict[str, float]
    protocol: str


def run(job: Job, images: int, place: Path) -> Outcome:
    """Train and evaluate."""
    there = ["--registry", str(place / "registry")]
    name = f"{job.data}-{job.model}-{job.seed}"
    train = [*shlex.split(job.command(images))[1:], "--name", name, "--runs", str(place / "runs")]
    begin = time.perf_counter()
    trained = json.loads(ganzoo([*train, *there, "--json"]))
    version, log = trained["version"], Path(trained["run"], "events.jsonl")
    seconds = time.perf_counter() - begin
    events = [json.loads(line)["message"] for line in log.read_text("utf-8").splitlines()] if log.exists() else []
    found = json.loads(ganzoo(["eval", version, "--seeds", "1", *there, "--json"]))
    print("; ".join([f"{name}: {seconds:.0f} s", *events]), file=sys.stderr, flush=True)
    figures = {name: figure["mean"] for name, figure in found["figures"].items()}
    return Outcome(seconds, events, figures, found["floor"], found["key"])


def ganzoo(arguments: Sequence[str]) -> str:
    """Run ganzoo; returns its stdout."""
    done = subprocess.run([sys.executable, "-m", "ganzoo", *arguments], capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"ganzoo {shlex.join(arguments)}\n{done.stderr}")
    return done.stdout


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % interval over seeds."""
    mean = statistics.mean(values)
    if len(values) == 1:
        return f"{mean:.4g}"
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.4g} ± {half:.3g}"


def table(data: str, outcomes: dict[str, list[Outcome]]) -> str:
    """A Markdown table with a row for each model, and one for real images."""
    shown = [name for name in FIGURES[data] if any(name in o.figures for each in outcomes.values() for o in each)]
    full = ["all modes in"] if "modes" in shown else []
    lines = [["", *shown, *full, "seconds"], ["---"] * (len(shown) + len(full) + 2)]
    for name, each in outcomes.items():
        count = max(round(outcome.floor.get("modes", 0)) for outcome in each)
        covered = [f"{sum(outcome.figures['modes'] == count for outcome in each)} of {len(each)}"] if full else []
        cells = [[o.figures[figure] for o in each if figure in o.figures] for figure in shown]
        times = interval([outcome.seconds for outcome in each])
        lines.append([name, *(interval(values) if values else "" for values in cells), *covered, times])
    floor = next(iter(outcomes.values()))[0].floor
    lines.append(["*real images*", *(f"{floor[name]:.4g}" if name in floor else "" for name in shown)])
    lines[-1] += [""] * (len(lines[0]) - len(lines[-1]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(arguments: argparse.Namespace, outcomes: dict[str, dict[str, list[Outcome]]], seconds: float) -> str:
    """docs/results.md but for what is written by hand."""
    found = machine.describe()
    parts = [
        "# Results",
        f"Made by `{arguments.typed}` in {seconds / 60:.0f} minutes: {arguments.images:,} real images shown to every "
        f"model, figures of the last version with one sample seed "
        "([what they mean](evaluation.md)). Mean ± half the 95 % interval over training seeds; seconds are those of "
        f"one run on one thread with {arguments.workers} at a time, start-up, registration and export included.",
        f"Machine: {found['cores']} cores, {found['cpu']}, native bf16 {found['native_bf16']}, Python "
        f"{found['python']}, torch {found.get('torch')}.",
    ]
    for data, each in outcomes.items():
        protocol = next(iter(each.values()))[0].protocol
        seeds = len(next(iter(each.values())))
        commands = "\n".join("$ " + Job(data, model, 0).command(arguments.images) for model in each)
        about = f"{seeds} training seeds; protocol {protocol}. {REMARKS[data]} Seed 0 of each:"
        parts += [f"## {data}", table(data, each), about, f"```text\n{commands}\n```"]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Train, evaluate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256_000)
    parser.add_argument("--seeds", type=int, help="training seeds for every data set; by default 3, and 10 for dots")
    parser.add_argument("--data", nargs="+", choices=list(SEEDS), default=list(SEEDS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    arguments.typed = shlex.join(["python", "benchmarks/ladder.py", *sys.argv[1:]])
    jobs = [
        Job(data, model, seed)
        for data in arguments.data
        for seed in range(arguments.seeds or SEEDS[data])
        for model in arguments.models
    ]
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(arguments.workers) as pool:
        found = list(pool.map(lambda job: run(job, arguments.images, Path(place)), jobs))
    seconds = time.perf_counter() - begin
    outcomes: dict[str, dict[str, list[Outcome]]] = {}
    for job, outcome in zip(jobs, found, strict=True):
        outcomes.setdefault(job.data, {}).setdefault(job.model, []).append(outcome)
    text = page(arguments, outcomes, seconds)
    print(text)
    if arguments.output:
        before = arguments.output.read_text("utf-8") if arguments.output.exists() else ""
        _, heading, by_hand = before.partition(BY_HAND)
        arguments.output.write_text(text + heading + by_hand, "utf-8")
    rows = [
        {**vars(job), "seconds": outcome.seconds, "events": outcome.events, **outcome.figures}
        for job, outcome in zip(jobs, found, strict=True)
    ]
    print(json.dumps({"benchmark": "ladder", "seconds": seconds, "runs": rows, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
