"""ganzoo's training step against a plain textbook loop of the same networks, alternately in one process.

    python benchmarks/train_step.py [--size 64] [--batch 64] [--rounds 15] [--threads N]

Textbook: the step of PyTorch's DCGAN tutorial, with its three backward passes, default Adam, a fresh tensor of ones
or zeros and ``.item()`` at each step; fp32, contiguous. ganzoo: the step of ``ganzoo train`` as ``auto`` resolves it
here, with EMA and telemetry, and in fp32. Both take their images from memory. The last line is JSON.
"""

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable

import machine
import numpy as np
import torch
from torch import nn

from ganzoo.data import ImageSet
from ganzoo.recipe import Recipe, resolve
from ganzoo.training import setup
from ganzoo.zoo import zoo


def textbook(recipe: Recipe, images: ImageSet, batch: int) -> Callable[[], None]:
    """The tutorial's step on ganzoo's DCGAN networks."""
    _, trainer = setup.assemble(recipe, images)
    generator = copy.deepcopy(trainer.generator).to(memory_format=torch.contiguous_format)
    discriminator = copy.deepcopy(trainer.discriminator).to(memory_format=torch.contiguous_format)
    device = next(generator.parameters()).device
    criterion = nn.BCEWithLogitsLoss()
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    data = (torch.from_numpy(images.pixels).float() / 127.5 - 1).to(device)

    def step() -> None:
        real = data[torch.randint(len(data), (batch,))]
        discriminator.zero_grad()
        label = torch.full((batch,), 1.0, device=device)
        loss_real = criterion(discriminator(real, None), label)
        loss_real.backward()
        fake = generator(torch.randn(batch, trainer.latent_dim, device=device), None)
        label.fill_(0.0)
        loss_fake = criterion(discriminator(fake.detach(), None), label)
        loss_fake.backward()
        optimizer_d.step()
        generator.zero_grad()
        label.fill_(1.0)
        loss_g = criterion(discriminator(fake, None), label)
        loss_g.backward()
        optimizer_g.step()
        (loss_real + loss_fake).item()
        loss_g.item()

    return step


def measure(steps: dict[str, Callable[[], None]], rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of each step, one of each in turn, after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(-3, rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            if device != "cpu":
                torch.cuda.synchronize()
            if number >= 0:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    noise = np.random.default_rng(0).integers(0, 256, (1024, 3, arguments.size, arguments.size), np.uint8)
    images = ImageSet(pixels=noise)
    settings = {"size": arguments.size, "batch": arguments.batch, "device": arguments.device}
    auto = setup.settle(resolve(zoo(), "dcgan", settings))
    fp32 = setup.settle(resolve(zoo(), "dcgan", settings, {"precision": "fp32"}))
    chosen = f"ganzoo {auto.config.precision}"
    steps = {"textbook": textbook(fp32, images, arguments.batch), "ganzoo fp32": setup.assemble(fp32, images)[1].step}
    if auto.config.precision != "fp32":
        steps[chosen] = setup.assemble(auto, images)[1].step
    seconds = measure(steps, arguments.rounds, auto.config.device)

    ratios = {name: statistics.median(map(lambda a, b: a / b, seconds["textbook"], seconds[name])) for name in steps}
    print(f"DCGAN {arguments.size} px, batch {arguments.batch}, {auto.config.device}, {arguments.rounds} rounds")
    print(f"{'':14}{'ms a step':>10}{'images/s':>10}{'ratio':>8}   (medians; ratio pair by pair)")
    for name in steps:
        median = statistics.median(seconds[name])
        print(f"{name:14}{median * 1e3:10.1f}{arguments.batch / median:10.0f}{ratios[name]:8.2f}")
    figures = {"images_per_second": {name: arguments.batch / statistics.median(s) for name, s in seconds.items()}}
    result = {"benchmark": "train_step", **vars(arguments), **figures, "ratio": ratios, "machine": machine.describe()}
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
