"""Each check finds what it is there for: plugins that break the contract in one way each, and fail in that check."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo import Architecture, Augmentation, Dataset, Loss, Metric, Model, Optimizer, Penalty, Reader, Spec, hookspecs
from ganzoo.data import ImageSet
from ganzoo.errors import UsageError
from ganzoo.step import Step
from ganzoo.testing.checks import CHECKS, Case, cases_of, check_exemptions
from ganzoo.testing.running import Outcome, Result, check_plugin, run
from ganzoo.zoo.installed import API, Plugin, State
from ganzoo.zoo.names import zoo


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


class NonSaturating:
    def discriminator(self, step: Step) -> Tensor:
        return softplus(-step.real.logits).mean() + softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        return softplus(-step.fake.logits).mean()


class Counting(NonSaturating):
    """Its weight depends on how often it was called, which no checkpoint holds."""

    def __init__(self) -> None:
        self.calls = count(1)

    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) * next(self.calls)


CALLS = count(1)


class CountingForAll(NonSaturating):
    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) * next(CALLS)


class Relativistic(NonSaturating):
    """Relativistic averages (Jolicoeur-Martineau, 2019) meet all samples of the batch."""

    def discriminator(self, step: Step) -> Tensor:
        return softplus(step.fake.logits.mean() - step.real.logits).mean()


class MomentMatching:
    """The mean image of the whole batch, over all ranks: there is no discriminator."""

    def generator(self, step: Step) -> Tensor:
        distance = step.mean(step.fake.images.mean((1, 2, 3))) - step.mean(step.real.images.mean((1, 2, 3)))
        return distance.square()


class Slowing(torch.optim.SGD):
    """Its rate falls with each step, which no checkpoint holds."""

    def __init__(self, weights: Any, lr: Any, calls: Any) -> None:
        super().__init__(weights, 0.1)
        self.calls = calls

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.param_groups[0]["lr"] = 0.1 / next(self.calls)
        super().step()


def slowing(weights: Any, lr: Any, options: Any) -> torch.optim.Optimizer:
    return Slowing(weights, lr, count(1))


def slowing_for_all(weights: Any, lr: Any, options: Any) -> torch.optim.Optimizer:
    return Slowing(weights, lr, CALLS)


def no_optimizer(weights: Any, lr: Any, options: Any) -> Any:
    return weights


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    pass


class Brightness:
    def __init__(self, options: Any) -> None:
        pass

    def draw(self, count: int, shape: Any, generator: torch.Generator, device: torch.device) -> Mapping[str, Tensor]:
        return {"shift": torch.rand(count, 1, 1, 1, generator=generator, device=device)}

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images + drawn["shift"]


class OfState(Brightness):
    def draw(self, count: int, *given: Any) -> Mapping[str, Tensor]:
        shape, generator, device, state = given
        return {"shift": state["p"] * super().draw(count, shape, generator, device)["shift"]}


class Global(Brightness):
    def draw(self, count: int, shape: Any, generator: torch.Generator, device: torch.device) -> Mapping[str, Tensor]:
        return {"shift": torch.rand(count, 1, 1, 1)}


class InPlace(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images.add_(drawn["shift"])


class Impure(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images + next(CALLS)


class Meeting(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images - images.mean(0, keepdim=True)


class _Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 0.5

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


class WrongGradient(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        halved: Tensor = _Halved.apply(images)  # type: ignore[no-untyped-call]
        return halved


def _images(stream: Any, classes: int = 2) -> ImageSet:
    return ImageSet(
        pixels=stream.integers(0, 256, (20, 1, 8, 8), np.uint8),
        labels=np.arange(20) % 2,
        class_names=tuple("abc"[:classes]),
    )


def sound() -> ImageSet:
    return _images(np.random.default_rng(0))


def other() -> ImageSet:
    return _images(np.random.default_rng(1))


def unsteady() -> ImageSet:
    return _images(np.random.default_rng())


def a_class_too_many() -> ImageSet:
    return _images(np.random.default_rng(0), classes=3)


def black() -> ImageSet:
    return ImageSet(pixels=np.zeros((20, 1, 8, 8), np.uint8))


class Modes:
    count = 2

    def assign(self, pixels: Any) -> Any:
        return np.full(len(pixels), -1)


NO_MODES = Modes()


def beyond_bounds(evidence: Any) -> dict[str, float]:
    return {"trap": 2.0}


def undeclared(evidence: Any) -> dict[str, float]:
    return {"tarp": 0.5}


def silent(evidence: Any) -> dict[str, float]:
    return {}


def fragile(evidence: Any) -> dict[str, float]:
    return {"trap": float(evidence.fake.moments.mean[0] * 0)}


def crashing_reader(path: Any) -> Any:
    return path.nothing


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """A tuple of lists becomes a list of lists."""

    strengths: Any = (1, 2)


def target(made: Callable[..., Any] | str) -> str:
    return f"{__name__}:{made if isinstance(made, str) else made.__name__}"


def architecture(generator: Any = Generator, discriminator: Any = Discriminator, **fields: Any) -> Architecture:
    given: dict[str, Any] = {"options": Options, "resolutions": (8,), **fields}
    return Architecture(name="trap", generator=target(generator), discriminator=target(discriminator), **given)


MODEL = Model(name="trap", architecture="trap", loss="non-saturating")


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plugin]:
    """``plug(*specs)``: a plugin that provides them, as if it were installed."""

    def make(*specs: Spec, module: str = __name__, **fields: Any) -> Plugin:
        given = {"state": State.ACTIVE, "api": API, "version": "1.0", "location": "", **fields}
        plugin = Plugin(name="trap", distribution="traps", target=module, specs=specs, **given)
        monkeypatch.setattr(zoo().manager, "plugins", [*zoo().manager.plugins, plugin])
        return plugin

    return make


def result_of(plugin: Plugin, check: str, spec: Spec | None = None, **arguments: Any) -> Result:
    (found,) = (each for each in CHECKS if each.name == check)
    return run(Case(found, plugin, spec), **arguments)


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
    "images that meet": ("onnx", architecture(Social), "gate parity: differs from torch"),
}


@pytest.mark.parametrize(("check", "spec", "reason"), ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_an_architecture(plug: Callable[..., Plugin], check: str, spec: Architecture, reason: str) -> None:
    result = result_of(plug(spec), check, spec)
    assert (result.outcome, result.subject) == (Outcome.FAIL, "architecture trap")
    assert reason in result.reason


def test_a_sound_architecture_passes_all_of_these(plug: Callable[..., Plugin]) -> None:
    spec = architecture()
    plugin = plug(spec)
    for check in {check for check, _, _ in ARCHITECTURES.values()}:
        assert result_of(plugin, check, spec).outcome is Outcome.PASS


TRAINED = {
    "minibatch statistics": ("two ranks", architecture(discriminator=InBatch), "differs from that of one process"),
    "noise": ("two ranks", architecture(discriminator=Noisy), "differs from that of one process"),
    "overflow": ("mixed precision", architecture(discriminator=Overflowing), "NaN"),
    "a condition": ("tracing", architecture(discriminator=Unpredictable), ""),
    "a lost buffer": ("resume", architecture(Forgetful), "the generator's buffer 'seen'"),
}


@pytest.mark.parametrize(("check", "spec", "reason"), TRAINED.values(), ids=TRAINED)
def test_a_model(plug: Callable[..., Plugin], check: str, spec: Architecture, reason: str) -> None:
    result = result_of(plug(spec, MODEL), check, MODEL)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


LOSSES = {
    "it counts": ("hidden state", Counting, "would lose what the loss's calls remembers"),
    "its module counts": ("resume", CountingForAll, "remembers something between phases that no checkpoint holds"),
    "samples meet": ("two ranks", Relativistic, "declare batch_coupled"),
}


@pytest.mark.parametrize(("check", "loss", "reason"), LOSSES.values(), ids=LOSSES)
def test_a_loss(plug: Callable[..., Plugin], check: str, loss: type, reason: str) -> None:
    spec = Loss(name="trap", target=target(loss))
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


OPTIMIZERS = {
    "it counts": ("resume", "slowing", "resumed, it trains to another"),
    "it counts for all": ("hidden state", "slowing_for_all", "taken back to a checkpoint, it trains to another"),
    "no optimizer": ("mixed precision", "no_optimizer", "optimizer"),
}


@pytest.mark.parametrize(("check", "name", "reason"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer(plug: Callable[..., Plugin], check: str, name: str, reason: str) -> None:
    spec = Optimizer(name="trap", target=target(name), options=NoOptions)
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_loss_without_a_discriminator(plug: Callable[..., Plugin]) -> None:
    spec = Loss(name="trap", target=target(MomentMatching), adversarial=False)
    plugin = plug(spec)
    for check in ("mixed precision", "tracing", "two ranks", "resume", "hidden state"):
        result = result_of(plugin, check, spec)
        assert result.outcome is Outcome.PASS, result


def test_a_loss_that_reads_what_only_its_own_networks_give(plug: Callable[..., Plugin]) -> None:
    spec = Loss(name="trap", target=target(NonSaturating), reads=("features", "q_mean"))
    result = result_of(plug(spec), "resume", spec)
    assert result.outcome is Outcome.NOT_RUN
    assert result.reason == "no model of the plugin trains with it, and it reads q_mean"


AUGMENTATIONS = {
    "torch's generator": ("draws", Global, "the same generator draws something else each time"),
    "in place": ("draws", InPlace, "it writes into the images"),
    "it counts": ("draws", Impure, "the same draws give other images each time"),
    "images meet": ("draws", Meeting, "an image is changed by the others"),
    "a wrong gradient": ("derivatives", WrongGradient, "Jacobian"),
}


@pytest.mark.parametrize(("check", "augmentation", "reason"), AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_an_augmentation(plug: Callable[..., Plugin], check: str, augmentation: type, reason: str) -> None:
    spec = Augmentation(name="trap", target=target(augmentation), options=Options)
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_an_augmentation_is_given_its_state(plug: Callable[..., Plugin]) -> None:
    spec = Augmentation(name="trap", target=target(OfState), options=Options, state={"p": 0.5})
    plugin = plug(spec)
    for check in ("draws", "derivatives", "resume"):
        assert result_of(plugin, check, spec).outcome is Outcome.PASS


def test_a_penalty_is_trained_with(plug: Callable[..., Plugin]) -> None:
    class Meeting(Penalty):
        def points(self, step: Step) -> Tensor:
            return step.real.images

        def value(self, squared_norm: Tensor) -> Tensor:
            return (squared_norm - squared_norm.mean()).square()

    spec = Meeting(name="trap")
    plugin = plug(spec)
    assert "declare batch_coupled" in result_of(plugin, "two ranks", spec).reason
    assert result_of(plugin, "resume", spec).outcome is Outcome.PASS


DATASETS = {
    "other images each time": ("images of the set", {"target": target(unsteady)}, "are others each time"),
    "one image": ("images of the set", {"target": target(black)}, "all 20 training images are the same"),
    "an empty class": ("images of the set", {"target": target(a_class_too_many)}, "some of its 3 classes"),
    "a leak": ("images of the set", {"target": target(sound), "held_out": target(sound)}, "100% of its held-out"),
    "no such extractor": ("images of the set", {"target": target(sound), "extractor": "nowhere"}, "nowhere"),
    "modes of nothing": ("modes", {"target": target(sound), "modes": target("NO_MODES")}, "only 0%"),
}


@pytest.mark.parametrize(("check", "fields", "reason"), DATASETS.values(), ids=DATASETS)
def test_a_data_set(plug: Callable[..., Plugin], check: str, fields: dict[str, Any], reason: str) -> None:
    spec = Dataset(name="trap", **fields)
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_sound_data_set(plug: Callable[..., Plugin]) -> None:
    spec = Dataset(name="trap", target=target(sound), held_out=target(other))
    result = result_of(plug(spec), "images of the set", spec)
    assert result.reason == "20 1x8x8, 2 classes, 20 held out"
    assert result_of(plug(spec), "modes", spec).outcome is Outcome.NOT_RUN


METRICS = {
    "out of bounds": (beyond_bounds, "trap is 2, and its bounds are 0 and 1"),
    "undeclared": (undeclared, "not finite numbers for"),
    "nothing": (silent, "it gives none of trap"),
    "no features": (fragile, "AttributeError"),
}


@pytest.mark.parametrize(("metric", "reason"), METRICS.values(), ids=METRICS)
def test_a_metric(plug: Callable[..., Plugin], metric: Callable[..., Any], reason: str) -> None:
    spec = Metric(name="trap", target=target(metric), figures={"trap": ""}, bounds={"trap": (0.0, 1.0)})
    result = result_of(plug(spec), "figures", spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_reader(plug: Callable[..., Plugin]) -> None:
    spec = Reader(name="trap", target=target(crashing_reader), files=("*.trap",))
    result = result_of(plug(spec), "damage", spec)
    assert result.outcome is Outcome.FAIL
    assert "AttributeError" in result.reason


def test_options_that_change_on_their_way(plug: Callable[..., Plugin]) -> None:
    spec = architecture(options=Rounded)
    result = result_of(plug(spec), "options", spec)
    assert result.outcome is Outcome.FAIL
    assert "through TOML" in result.reason


def test_a_name_that_a_built_in_has(plug: Callable[..., Plugin]) -> None:
    spec = dataclasses.replace(MODEL, name="dcgan")
    result = result_of(plug(spec), "names")
    assert result.reason.startswith("model 'dcgan' is also in ganzoo/dcgan ")
    assert result.reason.endswith("people would have to type traps/dcgan")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import numpy", "imports numpy"),
        ("import time\nwhile time.process_time() < 0.3: pass", "and what it needs of ganzoo"),
        ("1 / 0", "cannot be imported alone: ZeroDivisionError"),
    ],
)
def test_a_module_that_is_not_light(
    plug: Callable[..., Plugin], install: Callable[..., Any], source: str, reason: str
) -> None:
    install("heavy", {"trap": source})
    result = result_of(plug(module="heavy_trap"), "light import")
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_hooks_that_fail(plug: Callable[..., Plugin], install: Callable[..., Any]) -> None:
    hook = "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_run_ended(run, result):\n    "
    install("hooked", {"trap": hook + "result.versions", "sound": hook + "(run.directory / 'notes').touch()"})
    failed = result_of(plug(module="hooked_trap"), "hooks")
    assert failed.outcome is Outcome.FAIL
    assert "failed in ganzoo_run_ended: AttributeError" in failed.reason
    assert result_of(plug(module="hooked_sound"), "hooks").reason == "ganzoo_run_ended"


def test_every_hook_is_called(plug: Callable[..., Plugin], install: Callable[..., Any]) -> None:
    """Each plugin has one, which fails."""
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("ganzoo_")}
    for name, hook in hooks.items():
        if name != "ganzoo_specs":
            arguments = ", ".join(inspect.signature(hook).parameters)
            source = f"from ganzoo import hookimpl\n@hookimpl\ndef {name}({arguments}):\n    1 / 0"
            install(f"all-{name}", {"trap": source}, site=name)
            result = result_of(plug(module=f"all_{name}_trap"), "hooks")
            assert f"failed in {name}: ZeroDivisionError" in result.reason


def test_a_plugin_that_was_not_loaded(plug: Callable[..., Plugin]) -> None:
    plugin = plug(state=State.BROKEN, reason="ZeroDivisionError: division by zero")
    (result,) = check_plugin(plugin)
    assert (result.check, result.outcome) == ("loads", Outcome.FAIL)
    assert result.reason == "it is broken: ZeroDivisionError: division by zero"


def test_what_a_plugin_changes_of_the_process_is_a_failure(plug: Callable[..., Plugin]) -> None:
    class Switching(Discriminator):
        def __init__(self, shape: Any, options: Any) -> None:
            super().__init__(shape, options)
            torch.set_default_dtype(torch.float64)

    globals()["Switching"] = Switching
    spec = architecture(discriminator=Switching)
    result = result_of(plug(spec), "images", spec)
    assert result.outcome is Outcome.FAIL
    assert torch.get_default_dtype() is torch.float32


def test_an_exemption_that_the_spec_declares(plug: Callable[..., Plugin]) -> None:
    spec = architecture(discriminator=InBatch, batch_coupled=True)
    result = result_of(plug(spec, MODEL), "two ranks", MODEL)
    assert (result.outcome, result.reason) == (Outcome.EXEMPT, "architecture trap declares batch_coupled")


def test_exemptions_are_strict(plug: Callable[..., Plugin]) -> None:
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
def test_an_exemption_with_its_reason(plug: Callable[..., Plugin], name: str) -> None:
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

    plugin = plug(architecture(), MODEL, Loss(name="trap", target=target(NonSaturating)))
    bench = Bench(plugin, {"options": {"width": 3}, "batch": 16})
    assert bench.options(plugin.specs[0]).width == 3  # type: ignore[arg-type]
    recipes = [bench.recipe(spec) for spec in plugin.specs[1:]]
    assert recipes[0].config.options["width"] == 3
    assert [recipe.config.batch for recipe in recipes] == [16, 16]
    assert "width" not in recipes[1].config.options  # the stand's networks have none


def test_a_loss_of_an_own_model_is_checked_in_it(plug: Callable[..., Plugin]) -> None:
    model = dataclasses.replace(MODEL, loss="trap")
    alone = Loss(name="alone", target=target(NonSaturating))
    plugin = plug(architecture(), model, Loss(name="trap", target=target(NonSaturating)), alone)
    subjects = {case.subject for case in cases_of(plugin) if case.check.name == "resume"}
    assert subjects == {"model trap", "loss alone"}
