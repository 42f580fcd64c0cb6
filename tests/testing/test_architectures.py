"""Architectures and models that break the contract in one way each, and fail in that check; and exemptions."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganzoo import Architecture, Loss, Model
from ganzoo.errors import UsageError
from ganzoo.layers import ResidualUp
from ganzoo.testing.checks import cases_of, check_exemptions
from ganzoo.testing.running import Outcome, Result
from ganzoo.zoo.installed import Plugin

ResultOf = Callable[..., Result]


@dataclass(frozen=True, kw_only=True)
class Options:
    latent_dim: int = 4
    width: int | None = None


class Generator(nn.Module):
    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__()
        self.latent_dim = 4
        self.shape = (shape.channels, shape.height, shape.width)
        self.layer = nn.Linear(4, shape.channels * shape.height * shape.width)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.layer(z).tanh().unflatten(1, self.shape)
        return images


class Discriminator(nn.Module):
    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(shape.channels * shape.height * shape.width, 1)

    def forward(self, images: Tensor, labels: Tensor | None) -> Any:
        return self.layer(images.flatten(1)).flatten()


class OfZeroToOne(Generator):
    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.layer(z).sigmoid().unflatten(1, self.shape)
        return images


class OfBytes(Generator):
    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return 255 * super().forward(z, labels)


class Infinite(Generator):
    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return super().forward(z, labels) / 0.0


class Constant(Generator):
    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return super().forward(z * 0, labels)


class Idle(Generator):
    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__(shape, options)
        self.spare = nn.Linear(2, 2)


class OfNumPy(Generator):
    """Initialised by numbers that no seed of torch decides."""

    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__(shape, options)
        self.layer.weight.data = torch.from_numpy(np.random.normal(size=self.layer.weight.shape)).float()


class Seeded(Generator):
    def __init__(self, shape: Any, options: Any) -> None:
        torch.manual_seed(0)
        super().__init__(shape, options)


class Forgetful(Generator):
    """It sees each pass, and stores nothing of that."""

    seen: Tensor

    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__(shape, options)
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        if self.training:
            self.seen += 0.1
        return super().forward(z, labels) - self.seen.clone()


class OnTheCPU(Generator):
    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__(shape, options)
        self.first = nn.Parameter(torch.ones((), device="cpu"))


class Social(Generator):
    """An image depends on the others in its batch."""

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return super().forward(z - z.mean(0), labels)


class InBatch(Discriminator):
    """Minibatch statistics (Karras et al., 2018): samples meet."""

    def forward(self, images: Tensor, labels: Tensor | None) -> Any:
        return super().forward(images, labels) * (1 + images.std(0).mean())


class Noisy(Discriminator):
    """Each rank draws for itself."""

    def forward(self, images: Tensor, labels: Tensor | None) -> Any:
        return super().forward(images + torch.randn_like(images) if self.training else images, labels)


class Overflowing(Discriminator):
    def forward(self, images: Tensor, labels: Tensor | None) -> Any:
        return super().forward(images, labels).exp().exp().exp().exp() if self.training else images.flatten(1).sum(1)


class Unpredictable(Discriminator):
    """torch.compile cannot trace a condition on a value."""

    def forward(self, images: Tensor, labels: Tensor | None) -> Any:
        logits = super().forward(images, labels)
        return logits * 2 if float(logits.sum()) > 1e9 else logits


class AnotherWhenTraced(Discriminator):
    def forward(self, images: Tensor, labels: Tensor | None) -> Any:
        logits = super().forward(images, labels)
        return logits * 1.001 if torch.compiler.is_compiling() else logits


class BiasesBeforeANorm(Generator):
    """BatchNorm takes the mean away, so the gradient of the block's last biases is nothing but rounding."""

    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__(shape, options)
        begin = (nn.Linear(4, 4 * 16), nn.Unflatten(1, (4, 4, 4)))
        end = (nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, shape.channels, 3, padding=1))
        self.layer = nn.Sequential(*begin, ResidualUp(4, 4), *end, nn.Flatten())  # type: ignore[assignment]


def target(made: Callable[..., Any] | str) -> str:
    return f"{__name__}:{made if isinstance(made, str) else made.__name__}"


def architecture(generator: Any = Generator, discriminator: Any = Discriminator, **fields: Any) -> Architecture:
    given: dict[str, Any] = {"options": Options, "resolutions": (8,), **fields}
    return Architecture(name="trap", generator=target(generator), discriminator=target(discriminator), **given)


MODEL = Model(name="trap", architecture="trap", loss="non-saturating")


ARCHITECTURES = {
    "no negative pixel": ("images", architecture(OfZeroToOne), "no pixel is below 0"),
    "bytes": ("images", architecture(OfBytes), "mean distance from 0"),
    "infinity": ("images", architecture(Infinite), "the images hold NaN or infinity"),
    "one image": ("images", architecture(Constant), "the images of all latents are the same"),
    "an idle layer": ("gradients", architecture(Idle), "the generator's spare.weight has no gradient"),
    "NumPy's numbers": ("seeds", architecture(OfNumPy), "the generator's layer.weight is another one each time"),
    "a seed of its own": ("seeds", architecture(Seeded), "every seed gives the generator the same weights"),
    "a lost buffer": ("storage", architecture(Forgetful), "buffers that are not stored: seen"),
    "a device of its own": ("builds", architecture(OnTheCPU), "makes first on a device of its own"),
    "no such class": ("builds", architecture("Nowhere"), "Nowhere"),
    "images that meet": ("onnx", architecture(Social), "an image of the generator depends on the others of its batch"),
}


@pytest.mark.parametrize(("check", "spec", "reason"), ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_an_architecture(
    plug: Callable[..., Plugin], result_of: ResultOf, check: str, spec: Architecture, reason: str
) -> None:
    result = result_of(plug(spec), check, spec)
    assert (result.outcome, result.subject) == (Outcome.FAIL, "architecture trap")
    assert reason in result.reason


def test_a_sound_architecture_passes_all_of_these(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = architecture()
    plugin = plug(spec)
    for check in {check for check, _, _ in ARCHITECTURES.values()}:
        assert result_of(plugin, check, spec).outcome is Outcome.PASS


TRAINED = {
    "minibatch statistics": ("two ranks", architecture(discriminator=InBatch), "differs from that of one process"),
    "noise": ("two ranks", architecture(discriminator=Noisy), "differs from that of one process"),
    "overflow": ("mixed precision", architecture(discriminator=Overflowing), "NaN"),
    "a condition": ("tracing", architecture(discriminator=Unpredictable), ""),
    "another function": ("tracing", architecture(discriminator=AnotherWhenTraced), "traced the "),
    "a lost buffer": ("resume", architecture(Forgetful), "the generator's buffer 'seen'"),
}


@pytest.mark.parametrize(("check", "spec", "reason"), TRAINED.values(), ids=TRAINED)
def test_a_model(plug: Callable[..., Plugin], result_of: ResultOf, check: str, spec: Architecture, reason: str) -> None:
    result = result_of(plug(spec, MODEL), check, MODEL)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_gradient_that_is_only_rounding_may_be_rounded_otherwise(
    plug: Callable[..., Plugin], result_of: ResultOf
) -> None:
    result = result_of(plug(architecture(BiasesBeforeANorm), MODEL), "tracing", MODEL)
    assert result.outcome is Outcome.PASS


def test_what_a_plugin_changes_of_the_process_is_a_failure(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    class Switching(Discriminator):
        def __init__(self, shape: Any, options: Any) -> None:
            super().__init__(shape, options)
            torch.set_default_dtype(torch.float64)

    globals()["Switching"] = Switching
    spec = architecture(discriminator=Switching)
    result = result_of(plug(spec), "images", spec)
    assert result.outcome is Outcome.FAIL
    assert torch.get_default_dtype() is torch.float32


def test_an_exemption_that_the_spec_declares(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = architecture(discriminator=InBatch, batch_coupled=True)
    result = result_of(plug(spec, MODEL), "two ranks", MODEL)
    assert (result.outcome, result.reason) == (Outcome.EXEMPT, "architecture trap declares batch_coupled")


def test_exemptions_are_strict(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = architecture(batch_coupled=True)
    plugin = plug(spec, MODEL)
    declared = result_of(plugin, "two ranks", MODEL)
    assert declared.outcome is Outcome.FAIL
    assert declared.reason.endswith("and passes: take the exemption away")
    for name in ("images", "images of architecture trap"):
        result = result_of(plugin, "images", spec, exempt={name: "odd pixels"})
        assert result.outcome is Outcome.FAIL
        assert result.reason.startswith("it is exempt (odd pixels), and passes")


@pytest.mark.parametrize("name", ["images", "images of architecture trap"])
def test_an_exemption_with_its_reason(plug: Callable[..., Plugin], result_of: ResultOf, name: str) -> None:
    spec = architecture(OfZeroToOne)
    result = result_of(plug(spec), "images", spec, exempt={name: "its pixels are densities"})
    assert (result.outcome, result.reason) == (Outcome.EXEMPT, "its pixels are densities")


@pytest.mark.parametrize(
    ("exempt", "message", "hint"),
    [
        ({"image": "why not"}, "exempt: there is no check 'image' of this plugin", "did you mean 'images'?"),
        ({"images": " "}, "exempt: 'images' has no reason", "say in a few words why it cannot pass"),
    ],
)
def test_wrong_exemptions(plug: Callable[..., Plugin], exempt: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        check_exemptions(exempt, cases_of(plug(architecture())))
    assert caught.value.hint == hint


def test_settings_make_networks_narrow(plug: Callable[..., Plugin]) -> None:
    from ganzoo.testing.bench import Bench

    plugin = plug(architecture(), MODEL, Loss(name="trap", target="ganzoo_plugins.losses.losses:Hinge"))
    bench = Bench(plugin, {"options": {"width": 3}, "batch": 16})
    assert bench.options(plugin.specs[0]).width == 3  # type: ignore[arg-type]
    recipes = [bench.recipe(spec) for spec in plugin.specs[1:]]
    assert recipes[0].config.options["width"] == 3
    assert [recipe.config.batch for recipe in recipes] == [16, 16]
    assert "width" not in recipes[1].config.options  # the stand's networks have none


def test_a_loss_of_an_own_model_is_checked_in_it(plug: Callable[..., Plugin]) -> None:
    model = dataclasses.replace(MODEL, loss="trap")
    alone = Loss(name="alone", target="ganzoo_plugins.losses.losses:Hinge")
    plugin = plug(architecture(), model, Loss(name="trap", target="ganzoo_plugins.losses.losses:Hinge"), alone)
    subjects = {case.subject for case in cases_of(plugin) if case.check.name == "resume"}
    assert subjects == {"model trap", "loss alone"}
