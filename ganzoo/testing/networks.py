"""Checks of an architecture: that its networks are built, fed, stored and exported as the contract says."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.exporting.gates import BATCHES
from ganzoo.exporting.preflight import tried, untrained_card
from ganzoo.exporting.reasons import UnexportableError
from ganzoo.networks.build import Networks
from ganzoo.networks.weights import load_network, network_bytes
from ganzoo.specs import Architecture, ImageShape
from ganzoo.step import Output, Step, as_output
from ganzoo.testing.bench import Bench, shapes_of
from ganzoo.zoo.names import load_target

LATENTS = 16
LARGEST_MEAN = 4.0
"""Largest mean |pixel| of a generator that was never trained: images are nominally in [-1, 1]."""


def builds(bench: Bench, spec: Architecture) -> str:
    """Both networks are built on the CPU and, without memory for weights, on ``meta``; at the least and usual size."""
    shapes = shapes_of(spec)
    for shape in shapes:
        bench.networks(spec, shape)  # which compares what they return with the contract
        _on_meta(bench, spec, shape)
    return f"at {', '.join(sorted({f'{shape.channels}x{shape.height}x{shape.width}' for shape in shapes}))}"


def _on_meta(bench: Bench, spec: Architecture, shape: ImageShape) -> None:
    """A device without values: a constructor that reads a tensor's values fails there, as do weights put elsewhere."""
    for target in (spec.generator, spec.discriminator):
        with torch.device("meta"):
            network: nn.Module = load_target(target)(shape, bench.options(spec))
        if elsewhere := [name for name, value in network.named_parameters() if not value.is_meta]:
            raise PluginError(f"{target} makes {elsewhere[0]} on a device of its own", hint="name no device")


@torch.no_grad()
def images(bench: Bench, spec: Architecture) -> str:
    """Images of a generator that was never trained are finite, differ, and lie about 0; logits are finite."""
    shape = shapes_of(spec)[0]
    networks = bench.networks(spec, shape)
    z = torch.randn(LATENTS, networks.latent_dim, generator=torch.Generator().manual_seed(0))
    made = networks.generator.eval()(z, _labels(LATENTS, shape))
    answer = as_output(networks.discriminator.eval()(made, _labels(LATENTS, shape)))
    for what, tensor in (("images", made), *_parts(answer)):
        if not tensor.isfinite().all():
            raise PluginError(f"the {what} hold NaN or infinity")
    mean = float(made.abs().mean())
    if mean > LARGEST_MEAN:
        raise PluginError(f"a pixel's mean distance from 0 is {mean:.3g}", hint="images are nominally in [-1, 1]")
    if made.min() >= 0:
        raise PluginError(f"no pixel is below 0, the least is {float(made.min()):.3g}", hint="black is -1, not 0")
    if (made[1:] == made[0]).all():
        raise PluginError("the images of all latents are the same")
    return f"{float(made.min()):.2g} to {float(made.max()):.2g}"


def gradients(bench: Bench, spec: Architecture) -> str:
    """Every parameter has a finite gradient: one without is stored, averaged and exported, and never learns."""
    shape = shapes_of(spec)[0]
    networks = bench.networks(spec, shape)
    generator, discriminator = networks.generator.train(), networks.discriminator.train()
    step = _step(networks, shape)
    answer = as_output(discriminator(step.fake.images, step.labels))
    terms = [part.square().mean() for _, part in _parts(answer)]
    for network in (generator, discriminator):
        if callable(own := getattr(network, "regularise", None)):
            terms.append(own(step))
    torch.stack(terms).sum().backward()  # type: ignore[no-untyped-call]
    for role, network in (("generator", generator), ("discriminator", discriminator)):
        for name, weight in network.named_parameters():
            if weight.requires_grad and weight.grad is None:
                raise PluginError(f"the {role}'s {name} has no gradient", hint="leave it out, or make it a buffer")
            if weight.grad is not None and not weight.grad.isfinite().all():
                raise PluginError(f"the gradient of the {role}'s {name} holds NaN or infinity")
    return f"{sum(1 for network in (generator, discriminator) for _ in network.parameters())} parameters"


def _step(networks: Networks, shape: ImageShape) -> Step:
    """A phase in which what a generator that was never trained makes stands for real images, too."""
    z = torch.randn(LATENTS, networks.latent_dim, generator=torch.Generator().manual_seed(0))
    labels = _labels(LATENTS, shape)
    images = networks.generator(z, labels)
    return Step(
        real=images.detach,
        fake=lambda: images,
        z=z,
        labels=labels,
        epsilon=torch.full((LATENTS, 1, 1, 1), 0.5),
        discriminator=lambda given: as_output(networks.discriminator(given, labels)),
        log=lambda name, value: None,
        generator=networks.generator,
    )


def seeds(bench: Bench, spec: Architecture) -> str:
    """Initial weights depend on torch's generator alone: the same seed gives the same, another one others."""
    shape = shapes_of(spec)[0]
    first = bench.networks(spec, shape)
    random.seed(1)
    np.random.seed(1)
    again, other = bench.networks(spec, shape), bench.networks(spec, shape, (3, 4))
    for role in ("generator", "discriminator"):
        one, same, another = (dict(getattr(each, role).state_dict()) for each in (first, again, other))
        if different := [name for name in one if not torch.equal(one[name], same[name])]:
            raise PluginError(
                f"the {role}'s {different[0]} is another one each time", hint="initialise by torch's own generator"
            )
        if one and all(torch.equal(one[name], another[name]) for name in one):
            raise PluginError(f"every seed gives the {role} the same weights", hint="no manual_seed in a network")
    return ""


def storage(bench: Bench, spec: Architecture) -> str:
    """What is stored of a network that has been used, read into a new one, makes the same network to the bit."""
    shape = shapes_of(spec)[0]
    used, other = bench.networks(spec, shape), bench.networks(spec, shape, (3, 4))
    inputs = {
        "generator": torch.randn(LATENTS, used.latent_dim),
        "discriminator": torch.randn(LATENTS, shape.channels, shape.height, shape.width),
    }
    stored = 0
    for role, given in inputs.items():
        network: nn.Module = getattr(used, role)
        for _ in range(2):  # what remembers, has something to remember
            network.train()(given, _labels(LATENTS, shape))
        data = network_bytes(network)
        stored += len(data)
        read: nn.Module = getattr(other, role)
        load_network(read, data, role)
        _check_same(role, network, read, given, _labels(LATENTS, shape))
    return f"{stored:,} bytes"


@torch.no_grad()
def _check_same(role: str, one: nn.Module, other: nn.Module, given: Tensor, labels: Tensor | None) -> None:
    theirs = dict(other.state_dict())
    for name, tensor in one.state_dict().items():
        if not torch.equal(tensor, theirs[name]):
            raise PluginError(f"the {role}'s {name} is not what was stored")
    answers = (as_output(network.eval()(given, labels)) for network in (one, other))
    for (what, mine), (_, read) in zip(*map(_parts, answers), strict=True):
        if not torch.equal(mine, read):
            kept = {name for name, _ in one.named_buffers()} - theirs.keys()
            hint = f"buffers that are not stored: {', '.join(sorted(kept))}" if kept else "keep it in buffers"
            raise PluginError(
                f"a {role} read from its file gives other {what}: something of it is not stored", hint=hint
            )


def onnx(bench: Bench, spec: Architecture) -> str:
    """The generator becomes an ONNX file that passes every gate, at each size of batch and at its controls' ends."""
    shape = shapes_of(spec)[0]
    generator = bench.networks(spec, shape).generator
    try:
        _, found = tried(generator, untrained_card(spec, shape, generator), BATCHES)
    except UnexportableError as error:
        raise PluginError(str(error), hint=error.hint) from error
    return found["parity"]


def _labels(count: int, shape: ImageShape) -> Tensor | None:
    return torch.arange(count) % shape.classes if shape.classes else None


def _parts(answer: Output) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a network's answer, by what a person calls them."""
    yield "logits", answer.logits
    if answer.class_logits is not None:
        yield "class logits", answer.class_logits
    if answer.features is not None:
        yield "features", answer.features
    yield from answer.extras.items()
