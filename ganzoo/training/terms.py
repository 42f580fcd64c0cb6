"""A recipe's networks, loss, terms, augmentation and optimizers, made."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ganzoo.config import NETWORKS, NetworkConfig, TermConfig
from ganzoo.errors import GanzooError, PluginError, UsageError, blamed
from ganzoo.networks.build import Networks
from ganzoo.specs import ImageShape, Optimizer
from ganzoo.training.batch import Augment
from ganzoo.training.draws import derive
from ganzoo.training.layers.batchnorm import synchronise
from ganzoo.training.layers.masked import mask_activations
from ganzoo.training.layers.products import use_products
from ganzoo.training.objective import Network, Objective, Own, used_by
from ganzoo.training.optimization import Rule
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import Ranks
from ganzoo.training.schedule import Clock
from ganzoo.zoo.foreign import called, survived
from ganzoo.zoo.names import load_target
from ganzoo.zoo.recipe import Recipe

T = TypeVar("T")


def make_objective(
    recipe: Recipe, networks: Networks, precision: Precision, shape: ImageShape, ranks: Ranks, clock: Clock
) -> Objective:
    """Networks on their device, with their layers replaced, and the loss with all its terms.

    Raises:
        UsageError: a term is configured that a network does not have.
        PluginError: the loss or the augmentation cannot be made.
    """
    if recipe.penalties:
        mask_activations(networks.discriminator)
    if precision.device.type == "cpu":
        use_products(networks.generator)
        if not recipe.penalties:  # their second derivatives are less arithmetic as convolutions
            use_products(networks.discriminator)
    for network in (networks.generator, networks.discriminator):
        _place(network, precision)
        if ranks.count > 1:
            synchronise(network, ranks, coupled=recipe.architecture.batch_coupled)
            ranks.broadcast_(list(network.state_dict().values()))
    target = load_target(recipe.loss.target)
    given = [] if recipe.loss.options is None else [clock.numbers(recipe.loss_options)]
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(derive(recipe.config.seed, "init", len(NETWORKS)))  # of random features, say
        loss = _settled(called(f"loss {recipe.loss.name!r}", target, *given), precision)
        augment = _augment(recipe, shape, precision, clock)
    return Objective(
        networks.generator,
        networks.discriminator,
        loss,
        tuple(map(clock.numbers, recipe.penalties)),
        precision,
        augment,
        own=_own(recipe, networks, clock),
        state=_state(recipe, precision),
        progress=clock.progress,
        ranks=ranks,
        networks=("discriminator", "generator") if recipe.loss.adversarial else ("generator",),
        batch=recipe.config.batch,
    )


def _settled(made: T, precision: Precision) -> T:
    """A loss or an augmentation, the networks that it uses on the device, and frozen."""
    for network in used_by(made):
        network.to(precision.device, precision.master).requires_grad_(False)
    return made


def _state(recipe: Recipe, precision: Precision) -> dict[str, Tensor]:
    """What the loss and the augmentation remember, as it is before the first step.

    Raises:
        PluginError: both declare a state of the same name, with another first value.
    """
    declared: dict[str, float] = dict(recipe.loss.state)
    for name, value in (recipe.augmentation.state if recipe.augmentation else {}).items():
        if declared.setdefault(name, value) != value:
            raise PluginError(
                f"the loss and the augmentation share the state {name!r}, which one begins with {declared[name]:g} and "
                f"the other with {value:g}",
                hint="give it the same first value in both",
            )
    return {
        name: torch.full((), float(v), dtype=precision.master, device=precision.device) for name, v in declared.items()
    }


def _own(recipe: Recipe, networks: Networks, clock: Clock) -> dict[Network, Own]:
    """The networks' own terms, but for those of weight 0.

    Raises:
        UsageError: a weight or interval is given, and the network has no such term.
    """
    own: dict[Network, Own] = {}
    pairs: list[tuple[Network, nn.Module, NetworkConfig]] = [
        ("generator", networks.generator, recipe.config.generator),
        ("discriminator", networks.discriminator, recipe.config.discriminator),
    ]
    for name, network, config in pairs:
        if not callable(getattr(network, "regularise", None)):
            if config.regularise is not None:
                raise UsageError(
                    f"{name}.regularise is set, and architecture {recipe.architecture.name!r} has no such term",
                    hint=f"leave {name}.regularise out",
                )
            continue
        term = config.regularise or TermConfig()
        if term.weight:
            own[name] = Own(clock.number(term.weight), term.every)
    return own


def _place(network: nn.Module, precision: Precision) -> None:
    network.to(precision.device, precision.master).train()
    for weight in network.parameters():
        if weight.dim() == 4:  # channels_last is a format of four dimensions
            weight.data = weight.data.to(memory_format=precision.memory_format)


def _augment(recipe: Recipe, shape: ImageShape, precision: Precision, clock: Clock) -> Augment | None:
    """The augmentation, if there is one, tried on two images."""
    spec = recipe.augmentation
    if spec is None:
        return None
    factory = load_target(spec.target)
    images = torch.zeros(2, shape.channels, shape.height, shape.width, device=precision.device)
    state = [_state(recipe, precision)] if spec.state else []
    generator = torch.Generator(images.device)
    try:
        with survived(f"augmentation {spec.name!r}"):
            augment: Augment = _settled(factory(clock.numbers(recipe.augment_options)), precision)
            changed = augment.apply(images, augment.draw(len(images), shape, generator, images.device, *state))
    except GanzooError:
        raise
    except Exception as error:
        raise PluginError(
            f"augmentation {spec.name!r} cannot be used: {blamed(error)}",
            hint="check --set augment_options.…, or leave --augment out",
        ) from error
    if changed.shape != images.shape:
        raise PluginError(f"augmentation {spec.name!r} returns {list(changed.shape)}, not {list(images.shape)}")
    return augment


def rules(recipe: Recipe) -> dict[Network, Rule]:
    """The optimizer of each network."""
    return {
        "generator": _rule(*recipe.optimizers["generator"]),
        "discriminator": _rule(*recipe.optimizers["discriminator"]),
    }


def _rule(optimizer: Optimizer, options: Any) -> Rule:
    """An optimizer that was chosen; what fails in it is its plugin's."""
    who, target = f"optimizer {optimizer.name!r}", load_target(optimizer.target)

    def make(weights: list[nn.Parameter], lr: float | Tensor, options: Any) -> torch.optim.Optimizer:
        found = called(who, target, weights, lr, options)
        if not isinstance(found, torch.optim.Optimizer):
            raise PluginError(f"{who} makes a {type(found).__name__}, not a torch.optim.Optimizer")
        return found

    return Rule(optimizer.name, make, options)
