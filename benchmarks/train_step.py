"""ganzoo's training step against textbook loops and two libraries on the same networks, alternately in one process.

    python benchmarks/train_step.py [--case dcgan-64 ...] [--rounds 15] [--threads N] [--executors eager compile]
        [--device cuda] [--batch-curve 64 256 1024 4096] [--loader-workers N]

Textbook: see ``textbook.py``. torchgan and torch-mimicry: see ``peers.py`` for how to install them; one that is not
installed is left out. ganzoo: the step of ``ganzoo train`` with EMA and telemetry, as ``auto`` resolves it here and in
fp32. All take their images from memory. For wgan-gp a step is one update of the critic, else one of each network. The
last line is JSON.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import data as png
import machine
import measuring
import numpy as np
import peers
import textbook
import torch
from measuring import Contestant
from torch import Tensor

from ganzoo.config import NETWORKS
from ganzoo.data import ImageSet
from ganzoo.networks.build import build
from ganzoo.training import setup
from ganzoo.training.precision import running_on
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import Recipe, resolve


@dataclass(frozen=True)
class Case:
    """A training that is measured.

    Args:
        model: the model of ganzoo.
        size: pixels of a side.
        family: whose networks: ganzoo's if empty, else see ``peers.Options``.
        settings: settings over the model's.
    """

    model: str
    size: int
    family: str = ""
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def critic_only(self) -> bool:
        """Whether a step is an update of the critic alone."""
        return self.model == "wgan-gp"


RESNET = tuple((network, {"lr": 2e-4, "betas": [0.0, 0.9]}) for network in ("generator", "discriminator"))
CASES = {
    "dcgan-64": Case("dcgan", 64),
    "dcgan-32": Case("dcgan", 32),
    "wgan-gp-32": Case("wgan-gp", 32),
    "torchgan-dcgan-64": Case("dcgan", 64, "torchgan"),
    "torchgan-dcgan-32": Case("dcgan", 32, "torchgan"),
    "mimicry-dcgan-32": Case("dcgan", 32, "dcgan", RESNET),
    "mimicry-sngan-32": Case("dcgan", 32, "sngan", (("loss", "hinge"), *RESNET)),
    "mimicry-wgan-gp-32": Case("wgan-gp", 32, "wgan_gp", RESNET),
}


def main() -> None:
    """Measure and print."""
    arguments = parse()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    rate = machine.matrix_rate(device) if device.type == "cuda" else None
    if rate:
        print(f"{torch.cuda.get_device_name(device)}: {rate / 1e12:.0f} TFLOP/s in bf16 matrix products")
    results = {}
    for name in arguments.case:
        try:
            results[name] = compare(name, arguments, device, rate)
        except ModuleNotFoundError as error:  # a peer that is not installed
            print(f"{name}: left out, {error}")
    if arguments.batch_curve:
        results["batch-curve"] = curve(arguments, device, rate)
    threads = torch.get_num_threads()
    found = {"threads": threads, "results": results, "bf16_flops_per_second": rate, "machine": machine.describe()}
    print(json.dumps({"benchmark": "train_step", **vars(arguments), **found}))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--executors", nargs="+", choices=["eager", "compile", "cudagraph"])
    parser.add_argument(
        "--batch-curve", nargs="+", type=int, help="batch sizes of the first case; on CUDA a few by default"
    )
    parser.add_argument("--loader-workers", type=int, help="DataLoader workers that read PNG files for a textbook loop")
    arguments = parser.parse_args()
    on_cuda = arguments.device.startswith("cuda")
    arguments.batch_curve = arguments.batch_curve or ([64, 256, 1024, 4096] if on_cuda else None)
    arguments.executors = arguments.executors or ["eager", *["cudagraph"] * on_cuda]
    return arguments


def compare(name: str, arguments: argparse.Namespace, device: torch.device, rate: float | None) -> dict[str, Any]:
    """Measure one case; prints a table and returns its figures."""
    case, batch = CASES[name], arguments.batch
    images = noise(case.size, batch)
    with tempfile.TemporaryDirectory() as folder:
        contestants = [reference(case, images, batch, device)]
        if arguments.loader_workers is not None and not case.family:
            real = from_files(images, batch, arguments.loader_workers, Path(folder), device)
            contestants.append(replace(book(case, images, batch, device, real), name="textbook, DataLoader"))
        contestants += ours(case, images, batch, arguments.executors, device)
        seconds = measuring.in_turn(contestants, arguments.rounds, device)
    return table(name, arguments, contestants, seconds, rate)


def table(
    name: str,
    arguments: argparse.Namespace,
    contestants: Sequence[Contestant],
    seconds: Mapping[str, Sequence[float]],
    rate: float | None,
) -> dict[str, Any]:
    """Prints a case's medians, and ratios to its first contestant round by round; returns them."""
    batch, reference = arguments.batch, seconds[contestants[0].name]
    what = "critic update" if CASES[name].critic_only else "step"
    threads = torch.get_num_threads()
    print(f"\n{name}, batch {batch}, {arguments.device}, {threads} threads, {arguments.rounds} rounds")
    print(f"{'':24}{f'ms a {what}':>18}{'images/s':>10}{'ratio':>8}{'GFLOP/image':>13}{'bf16 rate':>11}")
    figures = {}
    for each in contestants:
        median = statistics.median(seconds[each.name])
        figures[each.name] = found = {
            "images_per_second": batch / median,
            "ratio": measuring.ratio(reference, seconds[each.name]),
            "gflop_per_image": each.flops / batch / 1e9,
            "share_of_bf16_rate": each.flops / median / rate if rate else None,
        }
        print(
            f"{each.name:24}{median * 1e3:18.1f}{found['images_per_second']:10.0f}{found['ratio']:8.2f}"
            f"{found['gflop_per_image']:13.3f}{percent(found['share_of_bf16_rate']):>11}"
        )
    return figures


def percent(share: float | None) -> str:
    """A share in percent, or a dash."""
    return "-" if share is None else f"{share:.1%}"


def curve(arguments: argparse.Namespace, device: torch.device, rate: float | None) -> dict[str, dict[int, float]]:
    """Images a second of ganzoo alone, by batch: prints and returns them."""
    name = arguments.case[0]
    found: dict[str, dict[int, float]] = {}
    print(f"\n{name} by batch, {device}")
    for batch in arguments.batch_curve:
        contestants = list(ours(CASES[name], noise(CASES[name].size, batch), batch, arguments.executors, device))
        seconds = measuring.in_turn(contestants, arguments.rounds, device)
        for each in contestants:
            median = statistics.median(seconds[each.name])
            found.setdefault(each.name, {})[batch] = batch / median
            share = percent(each.flops / median / rate if rate else None)
            print(f"{each.name:24}{batch:8}{batch / median:12.0f} images/s, {share} of the bf16 rate")
    return found


def noise(size: int, batch: int) -> ImageSet:
    """Random images: 1,024, or a batch if that is more."""
    count = max(1024, batch)
    return ImageSet(pixels=np.random.default_rng(0).integers(0, 256, (count, 3, size, size), np.uint8))


def in_memory(images: ImageSet, batch: int, device: torch.device) -> Callable[[], Tensor]:
    """Batches of float images that lie on the device."""
    pixels = (torch.from_numpy(images.pixels).float() / 127.5 - 1).to(device)
    return lambda: pixels[torch.randint(len(pixels), (batch,), device=device)]


def from_files(images: ImageSet, batch: int, workers: int, folder: Path, device: torch.device) -> Callable[[], Tensor]:
    """Batches of a DataLoader over PNG files, as ``data.py`` measures it."""
    png.write(images.pixels, folder)
    return partial(next, png.loader(png.Files(folder, images.shape.height), batch, workers, device))


def recipe(case: Case, batch: int, device: torch.device, **settings: Any) -> Recipe:
    """The case as ganzoo trains it."""
    common = {"size": case.size, "batch": batch, "device": str(device), "threads": torch.get_num_threads()}
    found = resolve(zoo(), case.model, common, dict(case.settings), settings)
    if case.family:
        architecture, options = peers.architecture(case.family)
        found = replace(found, architecture=architecture, networks=dict.fromkeys(NETWORKS, (architecture, options)))
    return setup.settle(found)


def reference(case: Case, images: ImageSet, batch: int, device: torch.device) -> Contestant:
    """The contestant that the others are compared with."""
    real = in_memory(images, batch, device)
    if not case.family:
        return book(case, images, batch, device, real)
    if case.family == "torchgan":
        return counted("torchgan", peers.torchgan_step(case.size, real, device))
    return counted("torch-mimicry", peers.mimicry_step(case.family, case.size, real, device, case.critic_only))


def book(case: Case, images: ImageSet, batch: int, device: torch.device, real: Callable[[], Tensor]) -> Contestant:
    """The textbook loop on ganzoo's networks."""
    plain = recipe(case, batch, device)
    networks = build(plain.architecture, setup.network_shape(plain, images), plain.networks["generator"][1], (0, 1))
    make = textbook.wgan_gp_critic if case.critic_only else textbook.dcgan
    return counted("textbook", make(networks, real, plain.config.discriminator, device))


def ours(
    case: Case, images: ImageSet, batch: int, executors: Sequence[str], device: torch.device
) -> Iterator[Contestant]:
    """ganzoo with each executor: in fp32, and as ``auto`` chooses."""
    for precision in dict.fromkeys(["fp32", recipe(case, batch, device).config.precision]):
        _, step = trained(recipe(case, batch, device, precision=precision, executor="eager"), images)
        flops = counted("", step).flops  # compiled code and graphs hide theirs
        for executor in executors:
            trainer, step = trained(recipe(case, batch, device, precision=precision, executor=executor), images)
            refusals: list[str] = []
            with switches(trainer):  # a graph keeps the algorithms of its capture
                trainer.prepare(refusals.append)
            name = f"ganzoo {precision} {executor}"
            if refusals:
                print(f"{name}: left out, {refusals[0]}")
            else:
                yield Contestant(name, step, partial(switches, trainer), flops)


def trained(plan: Recipe, images: ImageSet) -> tuple[Trainer, Callable[[], None]]:
    """A trainer, and the step of it that is compared."""
    trainer = setup.assemble(plan, images)[1]
    return trainer, partial(trainer.update_critic, 0) if plan.penalties else trainer.step


@contextmanager
def switches(trainer: Trainer) -> Iterator[None]:
    """Set torch's switches as a training does."""
    config = trainer.config
    with running_on(config.threads, tf32=config.tf32, deterministic=config.deterministic):
        yield


def counted(name: str, step: Callable[[], object]) -> Contestant:
    """A contestant with its number of operations, for which it takes one step."""
    with measuring.counting() as flops:
        step()
    return Contestant(name, step, flops=flops.total)


if __name__ == "__main__":
    main()
