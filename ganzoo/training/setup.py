"""From a recipe and images to a trainer that is ready for its first step."""

from dataclasses import replace

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.config import NETWORKS
from ganzoo.data import ImageSet
from ganzoo.errors import UsageError
from ganzoo.networks.allocation import assembling
from ganzoo.networks.build import build, check_penalties
from ganzoo.specs import Architecture, ImageShape, Loss, Penalty
from ganzoo.training import optimizers, rehearsal, shares
from ganzoo.training.batch import Batches
from ganzoo.training.draws import derive
from ganzoo.training.executors.choice import choose_executor
from ganzoo.training.feed import open_feed
from ganzoo.training.precision import Precision, choose_device, choose_precision, choose_threads, enter
from ganzoo.training.ranks import ALONE, Ranks, local_device
from ganzoo.training.schedule import Clock
from ganzoo.training.terms import make_objective, rules
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.recipe import Recipe


def settle(recipe: Recipe, ranks: Ranks = ALONE) -> Recipe:
    """Fill in what depends on the hardware: device, precision and executor."""
    config = recipe.config
    device = choose_device(local_device(config.device))
    return replace(
        recipe,
        config=replace(
            config,
            device=device.type if ranks.count > 1 else str(device),  # each rank has one of its own
            precision=choose_precision(config.precision, device),
            executor=choose_executor(config.executor, device, ranks.count, config.accumulate),
        ),
    )


def network_shape(recipe: Recipe, images: ImageSet) -> ImageShape:
    """The shape that the networks are built for; without classes for an unconditional architecture.

    Raises:
        UsageError: the architecture is conditional, and the labels that the data have could not be used; or it is not
            made for images of so many channels.
    """
    architecture, shape = recipe.architecture, images.shape
    if shape.channels not in architecture.channels:
        kinds = {1: "grey", 3: "colour"}
        raise UsageError(
            f"architecture {architecture.name!r} makes {kinds[architecture.channels[0]]} images only, and the data are "
            f"{kinds[shape.channels]}",
            hint="convert the data, or choose another model (ganzoo models)",
        )
    if not architecture.conditional:
        return replace(shape, classes=0)
    if images.labels is None and images.unlabelled:
        raise UsageError(
            f"architecture {architecture.name!r} needs labels, and those of the data cannot be used: "
            f"{images.unlabelled}",
            hint="mend them, or choose an unconditional model (ganzoo models)",
        )
    return shape


def assemble(recipe: Recipe, images: ImageSet, ranks: Ranks = ALONE) -> tuple[Recipe, Trainer]:
    """Build the networks for ``images``, which have the configuration's size already, and put all on the device.

    Returns:
        The recipe, with the number of threads that the networks are worth, and its trainer.

    Raises:
        UsageError: the parts do not go together.
        PluginError: a network, the loss or the augmentation breaks its contract.
        GanzooError: it does not fit into memory.
    """
    with assembling(recipe.config.device):
        return _assemble(recipe, images, ranks)


def _assemble(recipe: Recipe, images: ImageSet, ranks: Ranks) -> tuple[Recipe, Trainer]:
    config = recipe.config
    seeds = (derive(config.seed, "init", 0), derive(config.seed, "init", 1))
    (_, options), (_, discriminators) = (recipe.networks[network] for network in NETWORKS)
    networks = build(
        recipe.architecture,
        network_shape(recipe, images),
        options,
        seeds,
        discriminators,
        adversarial=recipe.loss.adversarial,
    )
    _check_batch(recipe, images, ranks)
    check_penalties(networks.discriminator, recipe.penalties)
    config = replace(config, threads=config.threads or choose_threads(networks.flops * config.batch // ranks.count))
    device = choose_device(config.device)
    enter(device, deterministic=config.deterministic)
    precision = Precision(choose_precision(config.precision, device), device)
    clock = Clock(config.steps, torch.zeros((), dtype=precision.master, device=device))
    objective = make_objective(recipe, networks, precision, images.shape, ranks, clock)
    feed = open_feed(images, precision, config, ranks)
    conditional = recipe.architecture.conditional
    state = objective.state if recipe.augmentation is not None and recipe.augmentation.state else None
    batches = Batches(config, feed, networks.latent_dim, objective.augment, precision, ranks, conditional, state)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        part = batches.draw(0, 0).part(0, config.accumulate)
        few = part.map(lambda tensor: tensor[: rehearsal.IMAGES])
        reads_progress = rehearsal.rehearse(
            recipe.loss.name, replace(objective, chance=batches.chance), few, recipe.loss.reads
        )
        if recipe.architecture.batch_coupled:
            rehearsal.meet(objective, part)
        chosen = rules(recipe)
        for network in objective.networks:
            lr = getattr(config, network).lr
            chosen[network] = optimizers.rehearse(chosen[network], lr, config.steps, precision)
    trainer = Trainer(
        config,
        objective,
        batches,
        networks.latent_dim,
        feed.shape.classes if conditional else 0,
        ranks,
        replace(clock, read=reads_progress),
        chosen,
    )
    return replace(recipe, config=config), trainer


def coupled_by(recipe: Recipe, trainer: Trainer, ranks: Ranks) -> str | None:
    """What makes the run compute something else than one process would with the batch in one part; None: nothing.

    What declares itself ``batch_coupled`` is believed; everything else is measured (``shares``), by samples of several
    parts, or of two steps, where a part or a step has a single one.
    """
    parts = recipe.config.accumulate
    if parts == 1 and ranks.count == 1:
        return None
    declaring: tuple[Architecture | Loss | Penalty, ...] = (recipe.architecture, recipe.loss, *recipe.penalties)
    for spec in declaring:
        if spec.batch_coupled:
            return f"{spec.kind} {spec.name!r}"
    networks = (trainer.generator, trainer.discriminator)
    if parts > 1 and any(isinstance(layer, _BatchNorm) for network in networks for layer in network.modules()):
        return "BatchNorm, which sees one part at a time"  # but all ranks
    trainer.clock.set(recipe.config.steps // 2)  # what is nothing at first, or all, shows then; a step sets it anew
    devices = [trainer.objective.precision.device] if trainer.objective.precision.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        drawn = trainer.batches.draw(0, 0)
        if len(drawn.z) == 1:
            others = iter(trainer.batches.draw(1, 0).tensors())
            drawn = drawn.map(lambda tensor: torch.cat([tensor, next(others)]))
        few = drawn.map(lambda tensor: tensor[: min(shares.SAMPLES, len(drawn.z) // 2 * 2)])
        return shares.coupling(trainer.objective, few, in_parts=parts > 1)


def _check_batch(recipe: Recipe, images: ImageSet, ranks: Ranks) -> None:
    config = recipe.config
    if config.batch > len(images):
        noun = "image" if len(images) == 1 else "images"
        raise UsageError(
            f"a batch of {config.batch} is larger than the data set: {len(images):,} {noun}",
            hint=f"--batch {1 << (len(images).bit_length() - 1)}" if len(images) > 1 else "more images",
        )
    shares = ranks.count * config.accumulate
    if config.batch % shares:
        among = f"{ranks.count} ranks" + (f" of {config.accumulate} parts each" if config.accumulate > 1 else "")
        if ranks.count == 1:
            among = f"{config.accumulate} parts"
        raise UsageError(
            f"a batch of {config.batch} cannot be divided among {among}",
            hint=f"--batch {shares * max(1, round(config.batch / shares))}: a multiple of {shares}",
        )
