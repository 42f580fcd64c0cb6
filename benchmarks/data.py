"""Real images a second: ganzoo's feeds against a torch DataLoader over image files, alternately in one process.

    python benchmarks/data.py [--size 64] [--images 4096] [--batch 64] [--rounds 7] [--threads N]

DataLoader: the usual data set class over PNG files (open, RGB, to a tensor, normalise), shuffled, with 0 and 2 workers
that live on between rounds. Resident: what ``ganzoo train`` does with images that fit the device. Streamed: what it
does with an array file that is mapped into memory (here warm, as after the first epoch). Each yields float batches on
[-1, 1] of the same images, smooth random ones. The last line is JSON.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import machine
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganzoo.config import PrecisionName
from ganzoo.data import ImageSet
from ganzoo.training.draws import Order
from ganzoo.training.feed import Feed, Resident, Streamed
from ganzoo.training.precision import Precision, choose_device

BATCHES = {"loader": 64, "feed": 512}
"""Batches in a round: with 64, the few that a loader's workers have ready when the round begins hardly count."""

WORKERS = (0, 2)

PAUSE = 0.2
"""Seconds of rest before each measurement, so that nothing of the one before still runs."""


class Files(Dataset[Tensor]):
    """A data set over image files, as tutorials write it."""

    def __init__(self, folder: Path, size: int) -> None:
        self.paths = sorted(folder.glob("*.png"))
        self.size = size
        self.mean = self.std = torch.full((3, 1, 1), 0.5)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        if image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        return pixels.to(torch.float32).div(255).sub_(self.mean).div_(self.std)


def smooth(count: int, size: int) -> NDArray[np.uint8]:
    """[N, 3, size, size]: 8 x 8 random colours each, enlarged; they compress about as photographs do."""
    small = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    large = [np.asarray(Image.fromarray(each).resize((size, size), Image.Resampling.BICUBIC)) for each in small]
    return np.stack(large).transpose(0, 3, 1, 2)


def write(pixels: NDArray[np.uint8], folder: Path) -> None:
    """Write the images as PNG files, and as one array."""
    np.save(folder / "images.npy", pixels)
    for number, each in enumerate(pixels):
        Image.fromarray(np.ascontiguousarray(each.transpose(1, 2, 0))).save(folder / f"{number:06}.png")


def loader(files: Files, batch: int, workers: int, device: torch.device) -> Iterator[Tensor]:
    """Endless batches, from a loader whose workers stay alive."""
    batches = DataLoader(
        files,
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
    while True:
        for each in batches:
            yield each.to(device, non_blocking=True)


def fed(feed: Feed) -> Iterator[Tensor]:
    """The critic's batches, step after step."""
    step = 0
    while True:
        yield feed.images(step, 0)
        step += 1


def measure(sources: dict[str, Iterator[Tensor]], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Images a second of each source, round by round, after one round to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in sources}
    for number in range(-1, rounds):
        for name, source in sources.items():
            time.sleep(PAUSE)
            shown, begin = 0, time.perf_counter()
            for images in islice(source, BATCHES[name.split()[0]]):
                shown += len(images)
                del images  # as a step does before it asks for the next
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= 0:
                rates[name].append(shown / (time.perf_counter() - begin))
    return rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    device = choose_device(arguments.device)
    precision = Precision(PrecisionName.BF16, device)
    order = Order(0, arguments.images, arguments.batch)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pixels = smooth(arguments.images, arguments.size)
        write(pixels, folder)
        files = Files(folder, arguments.size)
        mapped = np.load(folder / "images.npy", mmap_mode="r")
        sources = {
            **{f"loader {workers} workers": loader(files, arguments.batch, workers, device) for workers in WORKERS},
            "feed resident": fed(Resident(ImageSet(pixels=pixels), precision, order)),
            "feed streamed": fed(Streamed(ImageSet(pixels=mapped), precision, order, critic_steps=1)),
        }
        rates = measure(sources, arguments.rounds, device)

    best = [max(loaders) for loaders in zip(*(rates[f"loader {workers} workers"] for workers in WORKERS), strict=True)]
    ratios = {name: statistics.median(map(lambda a, b: a / b, rates[name], best)) for name in rates}
    medians = {name: statistics.median(rates[name]) for name in rates}
    shape = f"{arguments.images} images of {arguments.size} x {arguments.size} x 3"
    print(f"{shape}, batch {arguments.batch}, {device}, {torch.get_num_threads()} threads, {arguments.rounds} rounds")
    print(f"{'':18}{'images/s':>10}{'ratio':>8}   (medians; ratio to the faster loader, round by round)")
    for name in rates:
        print(f"{name:18}{medians[name]:10.0f}{ratios[name]:8.2f}")
    figures = {"images_per_second": medians, "ratio": ratios}
    threads = torch.get_num_threads()
    result = {"benchmark": "data", **vars(arguments), "threads": threads, **figures, "machine": machine.describe()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
