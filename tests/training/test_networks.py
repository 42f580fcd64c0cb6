"""The contract of an architecture: what every registered one keeps, and how one that breaks it is refused."""

import os
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from ganzoo.cli import main
from ganzoo.errors import ExitCode, PluginError, UsageError
from ganzoo.networks.build import Networks, build
from ganzoo.specs import Architecture, ImageShape, Loss, Model
from ganzoo.step import Output, as_output
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

MakeTrainer = Callable[..., Trainer]

ARCHITECTURES = {zoo().shortest(spec): spec for spec in zoo().all(Architecture)}
PENALISED = [zoo().shortest(spec) for spec in zoo().all(Loss) if spec.penalties]


def made_for(architecture: Architecture, channels: int, size: int, seed: int = 0) -> Networks:
    shape = ImageShape(channels=channels, height=size, width=size, classes=10 if architecture.conditional else 0)
    return build(architecture, shape, architecture.options(), (seed, seed + 1))


def labels_for(architecture: Architecture, count: int) -> torch.Tensor | None:
    return torch.arange(count) % 10 if architecture.conditional else None


UNBOUNDED = {"stylegan2", "r3gan", "r3gan-conditional"}
"""Whose images are sums without a tanh, as the paper's are."""

OF_PATCHES = {"fastgan", "projected"}
"""Whose discriminators give several logits an image."""

DROWNED = {"r3gan-conditional"}
"""Whose embedding has a variance of 1 / classes, as published: its share of the input is a third for two classes, and
a tenth for ten."""

OF_NO_LABELS_AT_FIRST = {"acgan", "projection", "sagan"}
"""Whose tables of conditional BatchNorm begin at 0, or whose logit knows no label, as their papers have it."""


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ARCHITECTURES)
@torch.no_grad()
def test_shapes(name: str, channels: int) -> None:
    """At the two smallest of its resolutions, in training and for sampling, where batches of one are common."""
    architecture = ARCHITECTURES[name]
    for size in sorted(architecture.resolutions)[:2]:
        networks = made_for(architecture, channels, size)
        for count, training in [(5, True), (1, False), (5, False)]:
            networks.generator.train(training)
            networks.discriminator.train(training)
            labels = labels_for(architecture, count)
            images = networks.generator(torch.randn(count, networks.latent_dim), labels)
            assert images.shape == (count, channels, size, size)
            assert name in UNBOUNDED or images.abs().max() <= 1
            logits = as_output(networks.discriminator(images, labels)).logits
            assert logits.shape == (count,) or (name in OF_PATCHES and logits.shape[:-1] == (count,))


@pytest.mark.parametrize("name", ARCHITECTURES)
@torch.no_grad()
def test_samples_do_not_depend_on_their_batch(name: str) -> None:
    architecture = ARCHITECTURES[name]
    networks = made_for(architecture, 1, min(architecture.resolutions))
    networks.generator.eval()
    z, labels = torch.randn(4, networks.latent_dim), labels_for(architecture, 4)
    together = networks.generator(z, labels)
    alone = networks.generator(z[2:3], None if labels is None else labels[2:3])
    torch.testing.assert_close(alone, together[2:3], rtol=1e-4, atol=1e-5)


CONDITIONAL = [name for name, spec in ARCHITECTURES.items() if spec.conditional]


def share_within_classes(generator: nn.Module, latent_dim: int, classes: int, each: int = 16) -> float:
    """Variance of an image's pixels given its label, relative to their variance over all labels."""
    z = torch.randn(each * classes, latent_dim, generator=torch.Generator().manual_seed(0))
    images: torch.Tensor = generator(z, torch.arange(classes).repeat(each))
    of_class = images.flatten(1).view(each, classes, -1)
    within, total = of_class.var(0).sum(1).mean(), images.flatten(1).var(0).sum()
    return float(within / total)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [each for each in CONDITIONAL if each not in DROWNED])
@torch.no_grad()
def test_labels_do_not_drown_the_latents(name: str, channels: int, size: int, classes: int) -> None:
    """At first nearly all of what tells two images apart is z; a generator begun otherwise makes one picture a class.

    With embeddings drawn like z, N(0, 1), the share is 0.6 to 0.75, and the collapse comes from 32 pixels on.
    """
    architecture = ARCHITECTURES[name]
    if size not in architecture.resolutions:
        pytest.skip("not one of its resolutions")
    shape = ImageShape(channels=channels, height=size, width=size, classes=classes)
    options = replace(architecture.options(), width=8) if hasattr(architecture.options(), "width") else None
    networks = build(architecture, shape, options or architecture.options(), (0, 1))
    for training in (True, False):
        networks.generator.train(training)
        assert share_within_classes(networks.generator, networks.latent_dim, classes) > 0.9


@pytest.mark.parametrize("name", [each for each in CONDITIONAL if each not in OF_NO_LABELS_AT_FIRST])
@torch.no_grad()
def test_labels_matter_to_both_networks(name: str) -> None:
    architecture = ARCHITECTURES[name]
    networks = made_for(architecture, 1, min(architecture.resolutions))
    networks.generator.eval()
    networks.discriminator.eval()
    z = torch.randn(1, networks.latent_dim).expand(10, -1)
    images = networks.generator(z, torch.arange(10))
    assert len(images.flatten(1).unique(dim=0)) == 10
    answers = as_output(networks.discriminator(images[:1].expand(10, -1, -1, -1), torch.arange(10)))
    assert answers.logits.unique().numel() == 10  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_first_weights_depend_on_the_seed_alone(name: str) -> None:
    """And building leaves torch's own generator where it was."""
    architecture = ARCHITECTURES[name]

    def first_weights(seed: int) -> list[torch.Tensor]:
        networks = made_for(architecture, 1, min(architecture.resolutions), seed)
        return [*networks.generator.parameters(), *networks.discriminator.parameters()]

    state = torch.get_rng_state()
    one = first_weights(3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert all(torch.equal(a, b) for a, b in zip(one, first_weights(3), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, first_weights(4), strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_answers_are_widened_to_fp32(dtype: torch.dtype) -> None:
    tensor = torch.ones(2, dtype=dtype)
    assert as_output(tensor).logits.dtype == torch.float32
    output = as_output(Output(tensor, tensor, tensor))
    heads = (output.logits, output.class_logits, output.features)
    assert [head.dtype for head in heads if head is not None] == [torch.float32] * 3
    assert as_output(torch.ones(2, dtype=torch.float64)).logits.dtype == torch.float64


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """Nothing can be set."""


class Fine(nn.Module):
    latent_dim = 3

    def __init__(self, shape: ImageShape, options: object) -> None:
        super().__init__()

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return torch.zeros(len(z), 1, 8, 8)


class Judge(Fine):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return images.flatten(1).sum(1)


class Unsized(Fine):
    latent_dim = None  # type: ignore[assignment]


class WrongImages(Fine):
    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return torch.zeros(len(z), 3, 8, 8)


class OneLogit(Fine):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return images.sum()


class TwoLogitsEach(Fine):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return torch.cat([images.flatten(1).sum(1)] * 2)


class ColumnOfLogits(Fine):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return images.flatten(1).sum(1, keepdim=True)


class Patches(Fine):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return images


class Listed(Fine):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> Any:
        return [images.flatten(1).sum(1)]


class Headless(Fine):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> Any:
        return Output(images.flatten(1).sum(1), extras={"codes": None})  # type: ignore[dict-item]


class Hooked(Judge):
    def __init__(self, shape: ImageShape, options: object) -> None:
        super().__init__(shape, options)
        self.layer, self.kept = nn.Flatten(), [torch.empty(0)]
        self.layer.register_forward_hook(lambda module, inputs, output: self.kept.append(output))


def not_a_module(shape: ImageShape, options: object) -> str:
    return "a network"


@pytest.fixture
def architecture(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Architecture]:
    """Makes one of the classes above, as a plugin's module that can be imported."""
    module = types.ModuleType("ganzoo_test_networks")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def make(generator: Callable[..., object], discriminator: Callable[..., object], **fields: Any) -> Architecture:
        module.generator, module.discriminator = generator, discriminator  # type: ignore[attr-defined]
        return Architecture(
            name="odd",
            generator="ganzoo_test_networks:generator",
            discriminator="ganzoo_test_networks:discriminator",
            options=NoOptions,
            resolutions=(8,),
            **fields,
        )

    return make


SHAPE = ImageShape(channels=1, height=8, width=8)


def test_the_smallest_architecture_that_keeps_the_contract(architecture: Callable[..., Architecture]) -> None:
    assert build(architecture(Fine, Judge), SHAPE, NoOptions(), (0, 1)).latent_dim == 3


@pytest.mark.parametrize(("discriminator", "shape"), [(ColumnOfLogits, [2]), (Patches, [2, 1, 8, 8])])
def test_logits_of_patches_are_kept_and_a_column_is_a_row(
    architecture: Callable[..., Architecture], discriminator: Callable[..., object], shape: list[int]
) -> None:
    networks = build(architecture(Fine, discriminator), SHAPE, NoOptions(), (0, 1))
    assert list(as_output(networks.discriminator(torch.zeros(2, 1, 8, 8), None)).logits.shape) == shape


class ViewOfAParameter(Fine):
    """StyleGAN's constant input, or a class token."""

    def __init__(self, shape: ImageShape, options: object) -> None:
        super().__init__(shape, options)
        self.start = nn.Parameter(torch.zeros(1, 1, 8, 8))
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return self.layer(self.start.expand(len(z), -1, -1, -1))  # type: ignore[no-any-return]


def test_a_view_of_a_parameter_in_a_layer(architecture: Callable[..., Architecture]) -> None:
    networks = build(architecture(ViewOfAParameter, Judge), SHAPE, NoOptions(), (0, 1))
    assert networks.flops == 2 * 9 * 64  # a multiplication and an addition for each weight and pixel


@pytest.mark.parametrize(
    ("generator", "discriminator", "message"),
    [
        (Unsized, Judge, "the generator of architecture 'odd' declares no integer latent_dim"),
        (WrongImages, Judge, "the generator of architecture 'odd' returns [2, 3, 8, 8], not [2, 1, 8, 8]"),
        (Fine, OneLogit, "the discriminator of architecture 'odd' returns logits [] for 2 images"),
        (Fine, TwoLogitsEach, "the discriminator of architecture 'odd' returns logits [4] for 2 images"),
        (not_a_module, Judge, "the generator of architecture 'odd' is not a torch.nn.Module"),
        (
            Fine,
            Listed,
            "the discriminator of architecture 'odd' returns a list, not logits, a tensor of floats, or an Output",
        ),
        (
            Fine,
            Headless,
            "the discriminator of architecture 'odd' returns a NoneType as codes, not a tensor",
        ),
        (
            Fine,
            Hooked,
            "a hook of the discriminator of architecture 'odd', of layer, is a function that holds the network: a copy "
            "of the network, such as its average, would not have one of its own",
        ),
        (Fine, not_a_module, "the discriminator of architecture 'odd' is not a torch.nn.Module"),
    ],
)
def test_a_broken_contract_is_refused(
    architecture: Callable[..., Architecture],
    generator: Callable[..., object],
    discriminator: Callable[..., object],
    message: str,
) -> None:
    with pytest.raises(PluginError) as caught:
        build(architecture(generator, discriminator), SHAPE, NoOptions(), (0, 1))
    assert str(caught.value) == message
    assert caught.value.exit_code == ExitCode.PLUGIN


def test_a_conditional_architecture_needs_labels(architecture: Callable[..., Architecture]) -> None:
    with pytest.raises(UsageError) as caught:
        build(architecture(Fine, Judge, conditional=True), SHAPE, NoOptions(), (0, 1))
    assert str(caught.value) == "architecture 'odd' needs labels, and the data has none"
    assert caught.value.hint is not None
    assert "one sub-folder per class" in caught.value.hint


def test_labels_of_fakes_that_nobody_takes() -> None:
    with pytest.raises(UsageError, match=r"(?m)^fake_labels: architecture 'dcgan' takes no labels$"):
        resolve(zoo(), "dcgan", {"fake_labels": "uniform"})
    assert resolve(zoo(), "conditional", {"fake_labels": "uniform"}).config.fake_labels == "uniform"


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 16)])
def test_a_size_that_it_does_not_make(architecture: Callable[..., Architecture], height: int, width: int) -> None:
    with pytest.raises(UsageError) as caught:
        build(architecture(Fine, Judge), ImageShape(channels=1, height=height, width=width), NoOptions(), (0, 1))
    assert str(caught.value) == f"architecture 'odd' makes no {height}x{width} images"
    assert caught.value.hint == "choose --size from: 8"


@pytest.mark.parametrize("loss", PENALISED)
def test_a_penalty_and_batchnorm_in_the_critic(loss: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--model", "dcgan", "--set", f"loss={loss}", "--dry-run"]) == ExitCode.USAGE
    first = resolve(zoo(), "dcgan", {"loss": loss}).penalties[0].name
    error = capsys.readouterr().err
    assert error.startswith(f"Error: the penalty '{first}' needs each sample's own gradient, and the discriminator's ")
    assert "BatchNorm (layers.3) mixes the samples of a batch" in error
    assert "Hint: " in error
    assert "--set options.discriminator_norm=layer" in error


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("loss", PENALISED)
def test_a_penalty_and_another_norm(loss: str, norm: str, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("dcgan", loss=loss, options={"width": 8, "discriminator_norm": norm})
    for _ in range(2):
        trainer.step()
    metrics = trainer.telemetry.means()
    assert {penalty.name for penalty in trainer.objective.penalties} < metrics.keys()
    assert trainer.telemetry.bad_step() is None


def test_a_penalty_of_weight_zero_is_none(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("dcgan", loss="wgan-gp", penalties={"gradient-penalty": {"weight": 0}})
    trainer.step()
    assert trainer.telemetry.means().keys() == {"loss_d", "loss_g", "grad_norm_d", "grad_norm_g"}


def test_every_model_is_made_of_registered_parts() -> None:
    for spec in zoo().all(Model):
        recipe = resolve(zoo(), zoo().shortest(spec))
        assert all(architecture in zoo().all(Architecture) for architecture, _ in recipe.networks.values())
        assert recipe.loss in zoo().all(Loss)


@pytest.mark.parametrize("option", ["width=-4", "width=0", "latent_dim=0"])
def test_an_option_that_no_network_can_be_built_with(
    model: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--model", model, "--set", f"options.{option}", "--dry-run"]) == ExitCode.USAGE
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("Error: configuration key 'options': ")
    assert error.endswith(" must be at least 1")
    assert option.partition("=")[0] in error
    assert hint == "Hint: for the defaults: ganzoo models show MODEL"


class Fragile(nn.Module):
    latent_dim = 4

    def __init__(self, shape: ImageShape, options: Any) -> None:
        super().__init__()
        if options.width is None:
            raise ValueError("no width")

    def forward(self, *inputs: object) -> None:
        raise RuntimeError("shapes do not match\nand more")


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (None, "cannot build the generator of architecture 'fragile': ValueError: no width"),
        (8, "cannot run the generator of architecture 'fragile': RuntimeError: shapes do not match"),
    ],
)
def test_a_network_that_fails_is_named(width: int | None, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.networks.build.load_target", lambda target: Fragile)
    architecture = Architecture(
        name="fragile", generator="a:F", discriminator="a:F", options=types.SimpleNamespace, resolutions=(8,)
    )
    options = types.SimpleNamespace(width=width)
    with pytest.raises(PluginError) as caught:
        build(architecture, ImageShape(channels=1, height=8, width=8), options, (0, 1))
    assert str(caught.value).partition(" (training/test_networks.py:")[0] == message


class Odd(nn.Module):
    latent_dim = 4

    def __init__(self, shape: ImageShape, options: Any) -> None:
        super().__init__()
        self.answer = options.answer
        options.init()

    def forward(self, *inputs: object) -> Any:
        return self.answer()


def leave() -> None:
    os._exit(0)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: sys.exit(0), "architecture 'odd' would end ganzoo: SystemExit: 0"),
        (leave, "architecture 'odd' would end ganzoo: SystemExit: os._exit(0)"),
        (interrupt, "architecture 'odd' would end ganzoo: KeyboardInterrupt"),
        (lambda: None, "the generator of architecture 'odd' returns a NoneType, not a tensor of floats"),
        (lambda: (torch.zeros(2, 1, 8, 8),), "the generator of architecture 'odd' returns a tuple, not a tensor"),
        (lambda: torch.zeros(2, 1, 8, 8).int(), "the generator of architecture 'odd' returns torch.int32, not a"),
        (lambda: torch.zeros(2, 1, 8, 8) * 1j, "the generator of architecture 'odd' returns torch.complex64, not"),
    ],
)
@pytest.mark.parametrize("when", ["run", "built"])
def test_a_network_that_would_end_the_process_or_makes_no_images(
    answer: Any, message: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganzoo.networks.build.load_target", lambda target: Odd)
    architecture = Architecture(
        name="odd", generator="a:F", discriminator="a:F", options=types.SimpleNamespace, resolutions=(8,)
    )
    options = types.SimpleNamespace(answer=answer, init=answer if when == "built" else lambda: None)
    with pytest.raises(PluginError) as caught:
        build(architecture, ImageShape(channels=1, height=8, width=8), options, (0, 1))
    assert str(caught.value).startswith(message)


def test_building_leaves_cuda_devices_alone(monkeypatch: pytest.MonkeyPatch, make_trainer: MakeTrainer) -> None:
    """Each one that is looked at costs memory and time, and torch warns where there are several."""
    asked = []
    real = torch.random.fork_rng
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices=None: asked.append(devices) or real(devices or []))  # type: ignore[func-returns-value]
    make_trainer("vanilla")
    assert asked
    assert all(devices == [] for devices in asked)
