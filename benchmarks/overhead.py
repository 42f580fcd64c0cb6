"""The engine's cost over the bare networks' forward, backward and optimizer, measured in turn in one process.

    python benchmarks/overhead.py [--model vanilla ...] [--size 8 64] [--rounds 15] [--threads N] [--precision auto]

Bare: the step's arithmetic and nothing else, on equal networks in the same precision and memory format, with masked
activations, a frozen critic, one set of images for both phases and fused Adam, on one batch that is always the same.
The engine's step does more: it draws and fetches its batches, averages the generator's weights, and keeps sums of what
it logs; these parts are also timed alone. What the parts do not explain is bookkeeping. The last line is JSON.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import machine
import measuring
import numpy as np
import torch
from measuring import Contestant
from torch import Tensor
from torch.nn.functional import softplus
from train_step import switches

from ganzoo.config.schedule import largest
from ganzoo.data import ImageSet
from ganzoo.training import setup
from ganzoo.training.telemetry import NORMS_EVERY
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

MODELS = ("vanilla", "dcgan", "wgan-gp", "conditional")
LOGGED = ("loss_d", "loss_g")
Score = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--size", nargs="+", type=int, default=[8, 64], help="pixels of a side; 8: the digits'")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as many as the networks are worth")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--executor", default="eager")
    arguments = parser.parse_args()
    print(f"{arguments.rounds} rounds (medians; overhead round by round)")
    print(f"{'':24}{'threads':>8}{'bare ms':>10}{'engine ms':>11}{'overhead':>10}   of it: batches, average, telemetry")
    results = {}
    for size in arguments.size:
        for model in arguments.model:
            results[f"{model} {size}"] = found = compare(make(model, size, arguments), arguments.rounds)
            parts = ", ".join(f"{found[part] / found['bare']:.1%}" for part in ("batches", "average", "telemetry"))
            print(
                f"{f'{model} {size} px':24}{found['threads']:8}{found['bare'] * 1e3:10.2f}{found['engine'] * 1e3:11.2f}"
                f"{found['overhead']:10.1%}   {parts}"
            )
    figures = {"results": results, "machine": machine.describe()}
    print(json.dumps({"benchmark": "overhead", **vars(arguments), **figures}))


def make(model: str, size: int, arguments: argparse.Namespace) -> Trainer:
    """A trainer on random images: one channel and ten classes at 8 pixels, as the digits have, else three channels."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (1024, 1 if size == 8 else 3, size, size), np.uint8)
    names = tuple(map(str, range(10)))
    images = ImageSet(pixels=pixels, labels=generator.integers(0, 10, len(pixels)), class_names=names)
    given = {name: getattr(arguments, name) for name in ("device", "precision", "executor", "threads")}
    trainer = setup.assemble(setup.settle(resolve(zoo(), model, {"size": size, **given})), images)[1]
    with switches(trainer):
        trainer.prepare(print)
    return trainer


def compare(trainer: Trainer, rounds: int) -> dict[str, float]:
    """Seconds per step, bare, of the engine and of the engine's parts; and the overhead, as a share of bare."""
    device = trainer.objective.precision.device
    within = partial(switches, trainer)
    with within():
        single = time_of(bare(trainer), device, 5)
    repeat = max(1, round(0.02 / single))  # the cost of clock and caches must not show in a step of a millisecond
    contestants = [
        Contestant(name, repeated(step, repeat), switches=within)
        for name, step in (("bare", bare(trainer)), ("engine", trainer.step))
    ]
    seconds = measuring.in_turn(contestants, rounds, device)
    found = {name: statistics.median(taken) / repeat for name, taken in seconds.items()}
    found["overhead"] = 1 / measuring.ratio(seconds["bare"], seconds["engine"]) - 1
    with within():
        found |= {name: time_of(part, device, 50) for name, part in parts(trainer).items()}
    found["telemetry"] += found.pop("norms") / NORMS_EVERY
    return found | {"threads": trainer.config.threads}


def repeated(step: Callable[[], None], times: int) -> Callable[[], None]:
    """A function that takes the step ``times`` times."""

    def steps() -> None:
        for _ in range(times):
            step()

    return steps


def time_of(function: Callable[[], None], device: torch.device, times: int) -> float:
    """Median seconds per call."""
    seconds = []
    for _ in range(times):
        measuring.wait(device)
        begin = time.perf_counter()
        function()
        measuring.wait(device)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def bare(trainer: Trainer) -> Callable[[], None]:
    """The trainer's step without the engine, on copies of its networks."""
    generator, critic = copy.deepcopy((trainer.generator, trainer.discriminator))
    config, autocast = trainer.config, trainer.objective.precision.autocast
    adam_g, adam_d = (
        torch.optim.Adam(network.parameters(), lr=largest(adam.lr), betas=adam.options["betas"], fused=True)
        for network, adam in ((generator, config.generator), (critic, config.discriminator))
    )
    critic_loss, generator_loss = (wasserstein, gap) if trainer.objective.penalties else (non_saturating, fool)
    batch = trainer.batches.draw(0, 0)

    def score(images: Tensor) -> Tensor:
        with autocast():
            scores: Tensor = critic(images, batch.labels)
        return scores.float()

    def generate() -> Tensor:
        with autocast():
            images: Tensor = generator(batch.z, batch.labels)
        return images

    def step() -> None:
        critic.requires_grad_(True)
        for last in [*(config.critic_steps - 1) * (False,), True]:
            with torch.set_grad_enabled(last):
                fake = generate()
            adam_d.zero_grad()
            critic_loss(score, batch.real, fake.detach(), batch.epsilon).backward()  # type: ignore[no-untyped-call]
            adam_d.step()
        critic.requires_grad_(False)
        adam_g.zero_grad()
        generator_loss(score, fake).backward()  # type: ignore[no-untyped-call]
        adam_g.step()

    return step


def non_saturating(score: Score, real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z)))."""
    return softplus(-score(real)).mean() + softplus(score(fake)).mean()


def fool(score: Score, fake: Tensor) -> Tensor:
    """-log D(G(z))."""
    return softplus(-score(fake)).mean()


def wasserstein(score: Score, real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
    """D(G(z)) - D(x) + 10 (|g| - 1)^2."""
    between = fake.float().lerp(real, epsilon).requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    norm = (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()
    return score(fake).mean() - score(real).mean() + 10 * (norm - 1).square().mean()


def gap(score: Score, fake: Tensor) -> Tensor:
    """-D(G(z))."""
    return -score(fake).mean()


def parts(trainer: Trainer) -> dict[str, Callable[[], None]]:
    """The parts of the engine's step beside the bare one's arithmetic, each as often as a step does it."""
    config, telemetry = trainer.config, trainer.telemetry
    phases = range(config.critic_steps + 1)
    value = torch.zeros((), device=trainer.objective.precision.device)
    weights = {"discriminator": trainer.discriminator, "generator": trainer.generator}

    def batches() -> None:
        for phase in range(config.critic_steps):
            trainer.batches.draw(trainer.steps_done, phase)

    def average() -> None:
        trainer.ema.update(1000 * largest(config.ema_kimg), trainer.images_shown, config.batch * config.critic_steps)

    def report() -> None:
        for phase in phases:
            telemetry.watch(value, trainer.steps_done)
            telemetry.log(LOGGED[phase == config.critic_steps], value)
            for penalty in trainer.objective.penalties:
                telemetry.log(penalty.name, value)

    def norms() -> None:
        for network, module in weights.items():
            telemetry.gradients(network, list(module.parameters()), step=0)

    return {"batches": batches, "average": average, "telemetry": report, "norms": norms}


if __name__ == "__main__":
    main()
