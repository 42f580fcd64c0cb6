"""Builds a plugin's networks, and refuses before the first step what could not be trained or exported."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganzoo.errors import GanzooError, PluginError, UsageError, blamed
from ganzoo.networks.allocation import is_out_of_memory
from ganzoo.specs import Architecture, ImageShape, Penalty
from ganzoo.step import Output, as_output
from ganzoo.zoo.foreign import survived
from ganzoo.zoo.names import load_target
from ganzoo.zoo.recipe import check_size


@dataclass(frozen=True)
class Networks:
    """The two networks of a run, on the CPU and in fp32 as built.

    Args:
        generator, discriminator: the networks.
        flops: floating-point operations of both forward passes, for one image.
    """

    generator: nn.Module
    discriminator: nn.Module
    flops: int

    @property
    def latent_dim(self) -> int:
        """L of the generator's z[B, L]."""
        return latent_dim(self.generator)


def latent_dim(generator: nn.Module) -> int:
    """The generator's declared latent size."""
    return cast(int, generator.latent_dim)


def build(
    architecture: Architecture,
    shape: ImageShape,
    options: Any,
    seeds: tuple[int, int],
    discriminators: Any = None,
    *,
    adversarial: bool = True,
) -> Networks:
    """Build both networks with weights that depend on their seed and the network alone.

    Args:
        shape: the images' shape.
        options: the architecture's.
        discriminators: the options of the discriminator, where it is another architecture's.
        adversarial: whether there is a discriminator at all; if not, an ``Absent`` has its place.
        seeds: seeds of the generator's initial weights and of the discriminator's.

    Raises:
        UsageError: the architecture does not fit the data.
        PluginError: a network cannot be built, or breaks the contract of ``ganzoo.specs.Architecture``.
    """
    if architecture.conditional and not shape.classes:
        raise UsageError(
            f"architecture {architecture.name!r} needs labels, and the data has none",
            hint="give images in one sub-folder per class, or choose an unconditional model (ganzoo models)",
        )
    check_size(architecture, shape.height, shape.width)
    with torch.random.fork_rng(devices=[]):  # they are built on the CPU, from its generator alone
        torch.default_generator.manual_seed(seeds[0])
        generator = _construct(architecture, "generator", shape, options)
        torch.default_generator.manual_seed(seeds[1])
        others = options if discriminators is None else discriminators
        discriminator = _construct(architecture, "discriminator", shape, others) if adversarial else Absent()
        with _Counting() as counter:
            images = _check_contract(architecture, generator, discriminator, shape)
    return Networks(generator, discriminator, counter.flops // images)


class Absent(nn.Module):
    """The place of a discriminator in a training without one; its one weight is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, *_: object) -> torch.Tensor:
        """Refuse: there is nothing to ask."""
        raise TypeError("the loss says that there is no discriminator (adversarial=False), and asks it")


def build_generator(architecture: Architecture, shape: ImageShape, options: Any) -> nn.Module:
    """Build only the generator, for weights that are about to be loaded."""
    return _construct(architecture, "generator", shape, options)


def check_penalties(discriminator: nn.Module, penalties: Sequence[Penalty]) -> None:
    """Refuse a per-sample gradient penalty where BatchNorm mixes the samples.

    Raises:
        UsageError: BatchNorm does; names the penalty and the layer.
    """
    for name, module in discriminator.named_modules():
        if penalties and isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise UsageError(
                f"the penalty {penalties[0].name!r} needs each sample's own gradient, and the discriminator's "
                f"BatchNorm ({name}) mixes the samples of a batch",
                hint="an architecture with LayerNorm or no norm there (--set architecture=wgan-gp, or "
                "--set options.discriminator_norm=layer where it has that option), or a loss without a penalty",
            )


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts floating-point operations, and nothing by modules, whose hooks do not bear a view of a parameter."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run each operation, and count those that count."""
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)  # type: ignore[attr-defined]
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        return result


@contextmanager
def _blaming(architecture: Architecture, what: str) -> Iterator[None]:
    """Turn a plugin's failure, most often from an odd option, into an error that names it."""
    try:
        with survived(f"architecture {architecture.name!r}"):
            yield
    except Exception as error:
        if is_out_of_memory(error) or isinstance(error, GanzooError):
            raise
        raise PluginError(
            f"{what} of architecture {architecture.name!r}: {blamed(error)}",
            hint="check --set options.…; ganzoo models show NAME lists them with their defaults",
        ) from error


def _construct(architecture: Architecture, role: str, shape: ImageShape, options: Any) -> nn.Module:
    factory = load_target(getattr(architecture, role))
    with _blaming(architecture, f"cannot build the {role}"):
        network = factory(shape, options)
    if not isinstance(network, nn.Module):
        raise PluginError(f"the {role} of architecture {architecture.name!r} is not a torch.nn.Module")
    _check_hooks(architecture, role, network)
    return network


def _check_tensor(architecture: Architecture, role: str, made: object, wanted: str = "not a tensor of floats") -> None:
    if not isinstance(made, torch.Tensor) or not made.is_floating_point():
        what = made.dtype if isinstance(made, torch.Tensor) else f"a {type(made).__name__}"
        raise PluginError(f"the {role} of architecture {architecture.name!r} returns {what}, {wanted}")


def _check_heads(architecture: Architecture, answer: object) -> None:
    if not isinstance(answer, Output):
        _check_tensor(architecture, "discriminator", answer, "not logits, a tensor of floats, or an Output")
        return
    _check_tensor(architecture, "discriminator", answer.logits, "not a tensor of floats, as logits")
    optional = {"class_logits": answer.class_logits, "features": answer.features}
    given = {name: head for name, head in optional.items() if head is not None}
    for name, head in {**given, **answer.extras}.items():
        if not isinstance(head, torch.Tensor):
            raise PluginError(
                f"the discriminator of architecture {architecture.name!r} returns a {type(head).__name__} as {name}, "
                "not a tensor",
                hint="several of them are several extras: Output(…, extras={…})",
            )


def _check_hooks(architecture: Architecture, role: str, network: nn.Module) -> None:
    """Refuse hooks that hold the network that they were made for: those of its copies would still write into it."""
    modules = set(map(id, network.modules()))
    for name, module in network.named_modules():
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values()):
            cells = getattr(hook, "__closure__", None) or ()
            if any(id(cell.cell_contents) in modules for cell in cells):
                raise PluginError(
                    f"a hook of the {role} of architecture {architecture.name!r}, of {name or 'itself'}, is a function "
                    "that holds the network: a copy of the network, such as its average, would not have one of its own",
                    hint="register a method of the network (self.keep), which is copied with it, or do without a hook",
                )


@torch.no_grad()
def _check_contract(
    architecture: Architecture, generator: nn.Module, discriminator: nn.Module, shape: ImageShape
) -> int:
    """Run both networks once, in eval mode so that no buffer changes, and compare the shapes with the contract.

    Returns:
        How many images were in the batch.
    """
    if not isinstance(getattr(generator, "latent_dim", None), int):
        raise PluginError(f"the generator of architecture {architecture.name!r} declares no integer latent_dim")
    batch = 2
    labels = torch.arange(batch) % shape.classes if architecture.conditional else None
    with _blaming(architecture, "cannot run the generator"):
        images = generator.eval()(torch.randn(batch, latent_dim(generator)), labels)
    _check_tensor(architecture, "generator", images)
    expected = (batch, shape.channels, shape.height, shape.width)
    if tuple(images.shape) != expected:
        raise PluginError(
            f"the generator of architecture {architecture.name!r} returns {list(images.shape)}, not {list(expected)}"
        )
    if isinstance(discriminator, Absent):
        generator.train()
        return batch
    with _blaming(architecture, "cannot run the discriminator"):
        answer = discriminator.eval()(images, labels)
    _check_heads(architecture, answer)
    logits = as_output(answer).logits
    if not logits.dim() or len(logits) != batch:
        raise PluginError(
            f"the discriminator of architecture {architecture.name!r} returns logits {list(logits.shape)} for {batch} "
            "images",
            hint="one row a sample: [B], or [B, …] of several critics or patches",
        )
    generator.train()
    discriminator.train()
    return batch
