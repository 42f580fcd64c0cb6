"""The built-in models on arrays of larger images, as .npz files with labels: the section of docs/results.md on them.

    python benchmarks/larger.py grey.npz colour.npz [--models dcgan …] [--precisions bf16 fp32] [-o grids]

Each set of images gets a small classifier of its own as feature extractor, trained on nine tenths of them.
Each run is a process of its own on one thread, with default settings but for its length; as many run at a time as there
are cores. A grid of samples of each, its run and its version are left in the output's directory. The last line is JSON.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
import torch.nn.functional as F
from ladder import MODELS, ganzoo
from torch import Tensor, nn

from ganzoo.exporting.extractor import write_extractor

STEPS = {"vanilla": 2000, "dcgan": 800, "wgan-gp": 160, "conditional": 800}
WIDTH, EPOCHS, BATCH = 32, 8, 64
FIGURES = ("fd", "coverage", "accuracy", "class_deviation", "least_class_deviation")
LOOKS = ("spread", "class_spread", "variety")


@dataclass(frozen=True)
class Job:
    """One training."""

    data: str
    model: str
    precision: str


class Classifier(nn.Module):
    """uint8 [N, C, H, W] -> features [N, 128], each at least 0, and logits [N, classes]."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide in (WIDTH, 2 * WIDTH, 4 * WIDTH):
            layers += [nn.Conv2d(channels, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
            channels = wide
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * (size // 8) ** 2, 128), nn.ReLU())
        self.head = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits."""
        features = self.body(images.float() / 127.5 - 1)
        return features, self.head(features)


def extractor(file: Path, size: int, output: Path) -> float:
    """Write a feature extractor for the images of ``file``; returns its accuracy on a tenth that it has not seen."""
    arrays = np.load(file)
    pixels = torch.from_numpy(arrays["images"])
    pixels = (pixels[:, None] if pixels.ndim == 3 else pixels.movedim(-1, 1)).float()
    resized = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True).round().clamp(0, 255).byte()
    labels = torch.from_numpy(arrays["labels"].astype(np.int64))
    torch.manual_seed(0)
    network = Classifier(resized.shape[1], size, int(labels.max()) + 1)
    order = torch.randperm(len(labels))
    seen, unseen = order[len(order) // 10 :], order[: len(order) // 10]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=EPOCHS * (len(seen) // BATCH))
    for _ in range(EPOCHS):
        for rows in seen[torch.randperm(len(seen))][: len(seen) // BATCH * BATCH].view(-1, BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(network(resized[rows])[1], labels[rows]))
            optimizer.step()
            schedule.step()
    network.eval()
    write_extractor(network, output, (resized.shape[1], size, size))
    with torch.no_grad():
        return float((network(resized[unseen])[1].argmax(1) == labels[unseen]).float().mean())


def run(job: Job, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, evaluate and sample."""
    place = arguments.output
    there = ["--registry", str(place / "registry")]
    name = f"{Path(job.data).stem}-{job.model}-{job.precision}"
    begin = time.perf_counter()
    chosen = ["--model", job.model, "--data", job.data, "--size", str(arguments.size), "--precision", job.precision]
    length = ["--steps", str(round(STEPS[job.model] * arguments.scale)), "--set", "threads=1"]
    kept = ["--name", name, "--runs", str(place / "runs"), *there]
    trained = json.loads(ganzoo(["train", *chosen, *length, *kept, "--json"]))
    seconds = time.perf_counter() - begin
    log, metrics = Path(trained["run"], "events.jsonl"), Path(trained["run"], "metrics.jsonl")
    events = [json.loads(line)["message"] for line in log.read_text("utf-8").splitlines()] if log.exists() else []
    looks: dict[str, float] = {}
    for line in metrics.read_text("utf-8").splitlines():
        looks |= {name: value for name, value in json.loads(line).items() if name in LOOKS}
    features = ["--features", str(place / f"{Path(job.data).stem}.onnx"), "-n", "1000", "--seeds", "1"]
    found = json.loads(ganzoo(["eval", trained["version"], "--data", job.data, *features, *there, "--json"]))
    ganzoo(["sample", trained["version"], "-n", "64", "--seed", "0", "-o", str(place / f"{name}.png"), *there])
    figures = {name: figure["mean"] for name, figure in found["figures"].items()}
    print("; ".join([f"{name}: {seconds:.0f} s", *events]), file=sys.stderr, flush=True)
    steps = round(STEPS[job.model] * arguments.scale)
    # The job last, for there is a figure called precision, too.
    measured = {"steps": steps, "seconds": seconds, "events": events, "floor": found["floor"], **looks, **figures}
    return measured | asdict(job)


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A Markdown table with a row for each training, and one for the real images of each set."""
    heads = ("model", "data", "precision", "steps", *LOOKS, *FIGURES, "the watchdog")
    yield f"| {' | '.join(head.replace('_', ' ') for head in heads)} |"
    yield f"| {' | '.join(['---'] * len(heads))} |"
    for row in rows:
        cells = [row["model"], Path(row["data"]).stem, row["precision"], str(row["steps"])]
        cells += [f"{row[name]:.3g}" if name in row else "" for name in (*LOOKS, *FIGURES)]
        yield f"| {' | '.join([*cells, '; '.join(row['events'])])} |"
    for data in dict.fromkeys(row["data"] for row in rows):
        floor = next(row["floor"] for row in reversed(rows) if row["data"] == data)
        cells = ["*real images*", Path(data).stem, "", "", *("1" for _ in LOOKS)]
        cells += [f"{floor[name]:.3g}" if name in floor else "" for name in FIGURES]
        yield f"| {' | '.join([*cells, ''])} |"


def main() -> None:
    """Train, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="an .npz file with images, uint8 [N, H, W] or [N, H, W, C], and labels")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--precisions", nargs="+", choices=("bf16", "fp32"), default=("bf16", "fp32"))
    parser.add_argument("--scale", type=float, default=1.0, help="by which the steps of every model are multiplied")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("-o", "--output", type=Path, default=Path("grids"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    jobs = [
        Job(str(Path(data).absolute()), model, precision)
        for precision in arguments.precisions
        for model in arguments.models
        for data in arguments.data
    ]
    for data in arguments.data:
        accuracy = extractor(Path(data), arguments.size, arguments.output / f"{Path(data).stem}.onnx")
        print(f"a classifier of {Path(data).name} has an accuracy of {accuracy:.3f}", flush=True)
    with ThreadPoolExecutor(arguments.workers) as pool:
        rows = list(pool.map(lambda job: run(job, arguments), jobs))
    print("\n".join(lines(rows)))
    print(json.dumps({"benchmark": "larger", "size": arguments.size, "runs": rows, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
