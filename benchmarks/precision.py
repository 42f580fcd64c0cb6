"""Whether bf16 costs quality: the same trainings in bf16 and in fp32, and long ones in which nothing may overflow.

    python benchmarks/precision.py [--model dcgan conditional] [--seeds 10] [--steps N] [--finite 10000]

Quality: pairs of trainings on digits that differ in ``--precision`` alone, the Fréchet distance of each by ``ganzoo
eval`` with one sample seed, and the 95 % interval of the ratio bf16 / fp32: Student's t of the logarithms over seeds.
Finiteness: four built-in models for ``--finite`` steps in bf16, with a look at every loss. Each training is a process
of its own on one thread; as many run at a time as there are cores. The last line is JSON.
"""

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import machine
from scipy import stats

PRECISIONS = ("bf16", "fp32")
MODELS = ("vanilla", "dcgan", "wgan-gp", "conditional")


def ganzoo(arguments: Sequence[str]) -> str:
    """Run ganzoo; returns its stdout."""
    done = subprocess.run([sys.executable, "-m", "ganzoo", *arguments], capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"ganzoo {shlex.join(arguments)}\n{done.stderr}")
    return done.stdout


def trained(place: Path, name: str, *options: str) -> dict[str, object]:
    """Train once; returns the JSON of ``ganzoo train``."""
    there = ["--registry", str(place / "registry"), "--runs", str(place / "runs"), "--name", name]
    found: dict[str, object] = json.loads(ganzoo(["train", *options, "--set", "threads=1", *there, "--json"]))
    print(f"{name} is done", file=sys.stderr, flush=True)
    return found


def distance(place: Path, steps: Sequence[str], job: tuple[str, int, str]) -> float:
    """Fréchet distance after one training."""
    model, seed, precision = job
    options = ["--model", model, "--seed", str(seed), "--precision", precision, *steps]
    version = str(trained(place, f"{model}-{precision}-{seed}", *options)["version"])
    judged = json.loads(ganzoo(["eval", version, "--seeds", "1", "--registry", str(place / "registry"), "--json"]))
    return float(judged["figures"]["fd"]["mean"])


def ratio(distances: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """exp(mean ± t s / sqrt(n)) of log(bf16 / fp32)."""
    logarithms = [math.log(a / b) for a, b in zip(distances["bf16"], distances["fp32"], strict=True)]
    mean, count = statistics.mean(logarithms), len(logarithms)
    half = stats.t.ppf(0.975, count - 1) * statistics.stdev(logarithms) / count**0.5
    low, high = math.exp(mean - half), math.exp(mean + half)
    return {"ratio": math.exp(mean), "low": low, "high": high, "width": high - low}


def bad_steps(place: Path, steps: int, model: str) -> int:
    """How often a long training in bf16 met numbers that are not finite: recoveries, and log lines that lack one."""
    options = ["--model", model, "--precision", "bf16", "--steps", str(steps), "--set", "report_every=1", "--no-export"]
    run = Path(str(trained(place, f"{model}-long", *options)["run"]))
    reports = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    events = run / "events.jsonl"
    found = [json.loads(line) for line in events.read_text("utf-8").splitlines()] if events.exists() else []
    if len(reports) != steps:
        raise SystemExit(f"{model}: {len(reports)} reports of {steps} steps")
    recovered: int = sum(event["kind"] == "recovered" for event in found)
    return sum(None in report.values() for report in reports) + recovered


def main() -> None:
    """Train, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="*", choices=MODELS, default=["dcgan", "conditional"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, help="steps of each pair's trainings; by default the model's own")
    parser.add_argument("--finite", type=int, default=10_000, help="steps of the long trainings; 0: none")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    steps = ["--steps", str(arguments.steps)] if arguments.steps else []
    jobs = [(model, seed, p) for model in arguments.model for seed in range(arguments.seeds) for p in PRECISIONS]
    long = MODELS if arguments.finite else ()
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(arguments.workers) as pool:
        found = dict(zip(jobs, pool.map(partial(distance, Path(place), steps), jobs), strict=True))
        bad = dict(zip(long, pool.map(partial(bad_steps, Path(place), arguments.finite), long), strict=True))
    results = {}
    for model in arguments.model:
        distances = {p: [found[model, seed, p] for seed in range(arguments.seeds)] for p in PRECISIONS}
        results[model] = {**ratio(distances), **distances}
        means = ", ".join(f"{p} {statistics.mean(values):.2f}" for p, values in distances.items())
        shown = results[model]
        print(f"{model}: FD {means}; ratio {shown['ratio']:.3f} [{shown['low']:.3f}, {shown['high']:.3f}]")
    for model, count in bad.items():
        print(f"{model}: {count} of {arguments.finite:,} steps in bf16 were not finite")
    result = {"benchmark": "precision", "seeds": arguments.seeds, "quality": results, "not_finite": bad}
    print(json.dumps({**result, "finite_steps": arguments.finite, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
