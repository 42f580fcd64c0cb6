"""What is refused before the run exists, and by whose name: state, backward passes, numbers, failures of any type."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo import Penalty
from ganzoo.errors import ExitCode, PluginError
from ganzoo.training import Output, Step
from ganzoo.training.objective import Objective, Own
from ganzoo.training.rehearsal import rehearse
from ganzoo.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]


class Plain:
    def discriminator(self, step: Step) -> Tensor:
        return softplus(-step.real.logits).mean() + softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        return softplus(-step.fake.logits).mean()


class Half(Plain):
    """A loss with another discriminator's half."""

    def __init__(self, half: Callable[[Step], Any]) -> None:
        self.half = half

    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) + self.half(step)  # type: ignore[no-any-return]


@pytest.fixture
def objective(make_trainer: MakeTrainer) -> Objective:
    return make_trainer("wgan-gp", loss="non-saturating").objective


@pytest.fixture
def refused(make_trainer: MakeTrainer) -> Callable[..., str]:
    """What is said of an objective in which something was replaced."""
    made = make_trainer("wgan-gp", loss="non-saturating")

    def refuse(**parts: Any) -> str:
        with pytest.raises(PluginError) as caught:
            tried(made, **parts)
        assert caught.value.exit_code == ExitCode.PLUGIN
        return f"{caught.value} | {caught.value.hint}"

    return refuse


def tried(made: Trainer, **parts: Any) -> bool:
    batch = made.batches.draw(0, 0).map(lambda tensor: tensor[:2])
    return rehearse("mine", replace(made.objective, loss=parts.pop("loss", Plain()), **parts), batch)


# State


class Attribute(Plain):
    """A moving mean in an attribute."""

    def __init__(self) -> None:
        self.mean = torch.zeros(())

    def discriminator(self, step: Step) -> Tensor:
        self.mean = self.mean.lerp(step.real.logits.detach().mean(), 0.1)
        return super().discriminator(step) + (step.fake.logits - self.mean).square().mean()


class Counter(Plain):
    """A lazy start, far away: no number differs yet."""

    def __init__(self) -> None:
        self.calls = 0

    def generator(self, step: Step) -> Tensor:
        self.calls += 1
        return super().generator(step) * (1.0 if self.calls < 10_000 else 2.0)


class Deep(Plain):
    """A list in an object in an attribute."""

    def __init__(self) -> None:
        self.helper = SimpleNamespace(history=[])

    def generator(self, step: Step) -> Tensor:
        self.helper.history.append(0)
        return super().generator(step)


class Dice(Plain):
    def __init__(self) -> None:
        self.dice = random.Random(0)

    def generator(self, step: Step) -> Tensor:
        return super().generator(step) * (1 + self.dice.random())


CALLS = itertools.count()


class Global(Plain):
    """State of the module."""

    def generator(self, step: Step) -> Tensor:
        return super().generator(step) * (1.0 + next(CALLS))


class OfTheClass(Plain):
    calls = 0

    def generator(self, step: Step) -> Tensor:
        type(self).calls += 1
        return super().generator(step) * float(self.calls)


@pytest.mark.parametrize(
    ("loss", "what"),
    [
        (Attribute, "the loss's mean"),
        (Counter, "the loss's calls"),
        (Deep, "the loss's helper"),
        (Dice, "the loss's dice"),
    ],
)
def test_state_of_a_loss(refused: Callable[..., str], loss: type[Plain], what: str) -> None:
    said = refused(loss=loss())
    assert said.startswith(f"a resumed run would lose what {what} remembers from phase to phase | declare it: state=")


@pytest.mark.parametrize("loss", [Global, OfTheClass])
def test_state_that_lies_nowhere(refused: Callable[..., str], loss: type[Plain]) -> None:
    assert refused(loss=loss()).startswith("loss 'mine' or a network remembers something between phases that no ")


class Forgetful(nn.Module):
    """A buffer that is not saved."""

    seen: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, *inputs: Any) -> Any:
        if self.training:
            self.seen.add_(1)
        return self.network(*inputs)


class Numbered(Forgetful):
    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.passes = 0

    def forward(self, *inputs: Any) -> Any:
        self.passes += 1
        return self.network(*inputs)


class Tensors(Forgetful):
    """A tensor that is no buffer, and takes part."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.last = torch.zeros(())

    def forward(self, images: Tensor, labels: Tensor | None) -> Any:
        found = self.network(images, labels) + self.last
        self.last = found.detach().mean()
        return found


@pytest.mark.parametrize(
    ("wrapper", "what"),
    [
        (Forgetful, "the discriminator's buffer 'seen' (persistent=False) remembers"),
        (Numbered, "the discriminator's passes remembers"),
        (Tensors, "remembers something between phases"),
    ],
)
def test_state_of_a_network(
    refused: Callable[..., str], objective: Objective, wrapper: type[Forgetful], what: str
) -> None:
    assert what in refused(discriminator=wrapper(objective.discriminator))


class Shifting:
    """An augmentation that counts."""

    def __init__(self) -> None:
        self.count = 0

    def draw(self, *_: Any) -> dict[str, Tensor]:
        return {}

    def apply(self, images: Tensor, drawn: Any) -> Tensor:
        self.count += 1
        return images + 0.001 * self.count


@dataclass(frozen=True, kw_only=True)
class Growing(Penalty):
    name: str = "growing"
    seen: list[float] = None  # type: ignore[assignment]

    def points(self, step: Step) -> Tensor:
        self.seen.append(0.0)
        return step.real.images

    def value(self, squared_norm: Tensor) -> Tensor:
        return squared_norm * len(self.seen)


def test_state_of_an_augmentation_and_of_a_penalty(refused: Callable[..., str]) -> None:
    assert "lose what the augmentation's count remembers" in refused(augment=Shifting())
    assert "lose what penalty 'growing''s seen remembers" in refused(penalties=[Growing(seen=[])])


class Cached(Plain):
    """What is made once, and kept, is no state."""

    def __init__(self) -> None:
        self.table: Tensor | None = None

    def discriminator(self, step: Step) -> Tensor:
        if self.table is None:
            self.table = torch.ones(2)
        return super().discriminator(step) * self.table.sum()


def test_what_is_kept_is_no_state(make_trainer: MakeTrainer) -> None:
    made = make_trainer("wgan-gp", loss="non-saturating")
    before = {key: value.clone() for key, value in made.discriminator.state_dict().items()}
    loss = Cached()
    tried(made, loss=loss)
    assert loss.table is None, "the rehearsal is of copies"
    assert all(torch.equal(value, before[key]) for key, value in made.discriminator.state_dict().items())


class OldSpectralNorm(nn.Module):
    """torch's older spectral norm computes a plain attribute ``weight`` in each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.utils.spectral_norm(nn.Linear(64, 1))

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.layer(images.flatten(1))  # type: ignore[no-any-return]


def test_what_is_computed_anew_is_no_state(make_trainer: MakeTrainer) -> None:
    tried(make_trainer("wgan-gp", loss="non-saturating"), discriminator=OldSpectralNorm())


class Stash(nn.Module):
    """Features for a later layer, in a list that each pass makes anew, or that grows and counts."""

    def __init__(self, *, grows: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 1)
        self.grows = grows
        self.kept: list[Tensor] = []

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        self.kept = [*(self.kept if self.grows else []), images.detach().flatten(1).mean(1)]
        return self.layer(images.flatten(1)).flatten() * len(self.kept) + self.kept[-1]  # type: ignore[no-any-return]


def test_features_in_a_list(refused: Callable[..., str], make_trainer: MakeTrainer) -> None:
    tried(make_trainer("wgan-gp", loss="non-saturating"), discriminator=Stash(grows=False))
    assert "remembers something between phases that no checkpoint holds" in refused(discriminator=Stash(grows=True))


class OfRandomFeatures(Plain):
    def __init__(self) -> None:
        self.features = nn.Linear(2, 2)


def test_random_features_of_a_loss_depend_on_the_seed_alone(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For distances between images, say: a resumed run would have others."""
    monkeypatch.setattr("ganzoo_plugins.losses.losses.NonSaturating", OfRandomFeatures)
    losses: Any = [make_trainer("vanilla", seed=seed).objective.loss for seed in (0, 0, 1)]
    one, other, third = (loss.features.weight for loss in losses)
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


# Backward passes


def backward(step: Step) -> float:
    step.real.logits.square().mean().backward(retain_graph=True)  # type: ignore[no-untyped-call]
    return 0.0


def to_images(step: Step) -> float:
    points = step.fake.images.detach().requires_grad_(True)
    step.score(points).logits.sum().backward()  # type: ignore[no-untyped-call]
    return 0.0


@pytest.mark.parametrize("half", [backward, to_images])
def test_a_loss_that_goes_backwards_itself(refused: Callable[..., str], half: Callable[[Step], float]) -> None:
    said = refused(loss=Half(half))
    assert said.startswith("loss 'mine' calls backward() itself for the discriminator | return the loss: ")


class Constant(Plain):
    def generator(self, step: Step) -> Tensor:
        return torch.ones((), requires_grad=True) * 2


class Detached(Plain):
    def generator(self, step: Step) -> Tensor:
        return step.fake.logits.detach().mean()


class OfTheReal(Plain):
    def generator(self, step: Step) -> Tensor:
        return step.real.logits.mean()


@pytest.mark.parametrize("loss", [Constant, Detached, OfTheReal])
def test_a_loss_that_does_not_depend_on_the_images(refused: Callable[..., str], loss: type[Plain]) -> None:
    said = refused(loss=loss())
    assert said.startswith("loss 'mine' does not depend on the generated images for the generator, which would learn")


class Through(nn.Module):
    """The generator, and something after it."""

    latent_dim = 128

    def __init__(self, network: nn.Module, change: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.network = network
        self.change = change

    def forward(self, z: Tensor, labels: Tensor | None) -> Any:
        return self.change(self.network(z, labels))


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images.detach(),
        lambda images: torch.from_numpy(images.detach().numpy()),
        lambda images: images.data * 2,
    ],
)
def test_a_generator_that_detaches(
    refused: Callable[..., str], objective: Objective, change: Callable[[Tensor], Any]
) -> None:
    said = refused(generator=Through(objective.generator, change))
    assert said.startswith("the generator's images do not depend on its weights | no detach()")


# Numbers


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_networks_and_losses_that_are_not_finite(
    refused: Callable[..., str], objective: Objective, number: float
) -> None:
    said = refused(generator=Through(objective.generator, lambda images: images * number))
    assert said.startswith("the generator's first images hold NaN or infinity | ")
    broken = lambda images, labels: objective.discriminator(images, labels) * number  # noqa: E731
    network = nn.Module()
    network.forward = broken
    network.inner = objective.discriminator
    assert refused(discriminator=network).startswith("the discriminator's first logits are NaN or infinite | ")
    said = refused(loss=Half(lambda step: step.real.logits.mean() * number))
    assert said.startswith("loss 'mine' is ")
    assert " for the discriminator on the first images | check its " in said


@dataclass(frozen=True, kw_only=True)
class Sloped(Penalty):
    name: str = "sloped"
    of: Callable[[Tensor], Tensor]

    def points(self, step: Step) -> Tensor:
        return step.fake.images

    def value(self, squared_norm: Tensor) -> Tensor:
        return self.of(squared_norm)


def test_terms_and_gradients_that_are_not_finite(refused: Callable[..., str], objective: Objective) -> None:
    """A root has no derivative at 0: of a critic that begins with zeros, the loss is finite, and no gradient."""
    said = refused(penalties=[Sloped(of=lambda squares: squares * float("nan"))])
    assert said.startswith("the penalty 'sloped' is nan on the first images | ")
    nowhere = "the gradient of loss 'mine' with its terms is not finite for the discriminator's "
    assert refused(penalties=[Sloped(of=lambda squares: (0 * squares).sqrt())]).startswith(nowhere)
    assert refused(loss=Half(lambda step: (0 * step.real.logits).sum().sqrt())).startswith(nowhere)
    network = Regularised(objective.discriminator, lambda step: step.real.logits.mean() * float("inf"))
    said = refused(discriminator=network, own={"discriminator": Own(1.0, 1)})
    assert said.startswith("regularise() of the discriminator is ")


# Failures of any type


class Odd(BaseException):
    """Not even an Exception."""


def raising(error: type[BaseException]) -> Callable[[Step], float]:
    def half(step: Step) -> float:
        raise error("what\nand more")

    return half


@pytest.mark.parametrize("error", [AttributeError, AssertionError, KeyError, StopIteration, RecursionError])
def test_whatever_a_loss_raises(refused: Callable[..., str], error: type[BaseException]) -> None:
    said = refused(loss=Half(raising(error)))
    assert said.startswith(f"loss 'mine' fails for the discriminator: {error.__name__}: ")
    assert "(training/test_refused.py:" in said


@pytest.mark.parametrize("error", [Odd, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_would_end_ganzoo(refused: Callable[..., str], error: type[BaseException]) -> None:
    assert refused(loss=Half(raising(error))).startswith("loss 'mine' would end ganzoo: ")


class InItsBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise LookupError("no way back")


def test_what_fails_backwards(refused: Callable[..., str]) -> None:
    said = refused(loss=Half(lambda step: InItsBackward.apply(step.real.logits).mean()))  # type: ignore[no-untyped-call]
    assert said.startswith(
        "loss 'mine' or a network fails in the discriminator's backward pass: LookupError: no way back (training/"
    )


def test_a_graph_that_was_written_into(refused: Callable[..., str]) -> None:
    """Found by the backward pass alone."""

    def half(step: Step) -> Tensor:
        logits = step.real.logits * 1
        squares = logits.square()
        logits.add_(1)
        return squares.mean()

    assert "fails in the discriminator's backward pass: RuntimeError: one of the variables" in refused(loss=Half(half))


def test_features_that_are_no_tensor(refused: Callable[..., str], objective: Objective) -> None:
    class Tuples(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = objective.discriminator

        def forward(self, images: Tensor, labels: Tensor | None) -> Output:
            return Output(self.inner(images, labels), features=(images, images))  # type: ignore[arg-type]

    assert refused(discriminator=Tuples()).startswith("the discriminator fails in training mode: AttributeError: ")


# What a network says of its weights


class Regularised(nn.Module):
    def __init__(self, network: nn.Module, term: Callable[[Step], Any]) -> None:
        super().__init__()
        self.network = network
        self.regularise = term

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (
            lambda step: 1.0,
            "regularise() of the discriminator fails for the discriminator: TypeError: it returns a ",
        ),
        (lambda step: step.real.logits, "TypeError: it returns a Tensor, not a scalar tensor"),
        (
            lambda step: step.labels.sum(),
            "regularise() of the discriminator fails for the discriminator: Attribute",
        ),
        (
            lambda step: step.real.logits.detach().mean(),
            "regularise() of the discriminator does not depend on its weights | no detach()",
        ),
    ],
)
def test_a_networks_own_term(
    refused: Callable[..., str], objective: Objective, term: Callable[[Step], Any], said: str
) -> None:
    network = Regularised(objective.discriminator, term)
    assert said in refused(discriminator=network, own={"discriminator": Own(1.0, 1)})


def test_constrain_that_fails(refused: Callable[..., str], objective: Objective) -> None:
    network = Regularised(objective.discriminator, lambda step: torch.zeros(()))
    weights: dict[str, Tensor] = {}
    setattr(network, "constrain", lambda: weights["no such weight"])  # noqa: B010 - a module's attribute has a type
    said = refused(discriminator=network)
    assert said.startswith(
        "constrain() of the discriminator fails after an update: KeyError: 'no such weight' (training"
    )


def replaced(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(layer.weight.clamp(-1, 1))


def moved(layer: nn.Linear) -> None:
    layer.weight.data = layer.weight.data.clamp(-1, 1)


def divided(layer: nn.Linear) -> None:
    layer.weight.div_(0 * layer.weight.norm())


class Constrained(nn.Module):
    def __init__(self, constrain: Callable[[nn.Linear], object]) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 1)
        self.how = constrain

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.layer(images.flatten(1)).flatten()  # type: ignore[no-any-return]

    def constrain(self) -> None:
        self.how(self.layer)


@pytest.mark.parametrize(
    ("constrain", "said"),
    [
        (replaced, "puts another tensor in the place of layer.weight | write into the weights"),
        (moved, "puts another tensor in the place of layer.weight | write into the weights"),
        (divided, "makes layer.weight NaN or infinite | "),
    ],
)
def test_constrain_that_loses_the_weights(
    refused: Callable[..., str], constrain: Callable[[nn.Linear], object], said: str
) -> None:
    """The optimizer, and a captured graph, would update what the network no longer has."""
    assert refused(discriminator=Constrained(constrain)).startswith(f"constrain() of the discriminator {said}")


def test_constrain_that_writes_into_them(make_trainer: MakeTrainer) -> None:
    made = make_trainer("vanilla")
    tried(made, discriminator=Constrained(lambda layer: layer.weight.clamp_(-0.01, 0.01)))


class Remembering(nn.Module):
    """A mean of latents that eval mode alone reads: StyleGAN's mean style, kept as an attribute or as a buffer."""

    latent_dim = 128
    mean: Tensor

    def __init__(self, network: nn.Module, *, stored: bool) -> None:
        super().__init__()
        self.network = network
        self.stored = stored
        self.register_buffer("mean", torch.zeros(128)) if stored else setattr(self, "mean", torch.zeros(128))

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        if not self.training:
            z = z + self.mean
        elif self.stored:
            self.mean.lerp_(z.mean(0), 0.5)
        else:
            self.mean = self.mean.lerp(z.mean(0), 0.5)
        return self.network(z, labels)  # type: ignore[no-any-return]


def test_what_only_eval_mode_reads(refused: Callable[..., str], make_trainer: MakeTrainer) -> None:
    """No pass in training mode differs: the average that is exported would."""
    made = make_trainer("wgan-gp", loss="non-saturating")
    said = refused(generator=Remembering(made.generator, stored=False))
    assert said.startswith("in eval mode the generator depends on something that no checkpoint holds, ")
    tried(made, generator=Remembering(made.generator, stored=True))


# What a step gives


@pytest.mark.parametrize("value", [lambda x: x > 0, lambda x: (x > 0).sum(), lambda x: x.long(), lambda x: x.mean()])
def test_tensors_of_any_type_are_logged_and_remembered(
    make_trainer: MakeTrainer, value: Callable[[Tensor], Tensor]
) -> None:
    trainer = make_trainer("vanilla")
    trainer.objective.state = {"seen": torch.zeros(())}

    def half(step: Step) -> float:
        step.log("seen", value(step.real.logits))
        step.remember("seen", value(step.real.logits))
        return 0.0

    trainer.objective.loss = Half(half)
    tried(trainer, loss=Half(half))
    trainer.step()
    assert trainer.telemetry.means()["seen"] == pytest.approx(float(trainer.objective.state["seen"]))


def test_a_number_is_no_tensor(refused: Callable[..., str]) -> None:
    said = refused(loss=Half(lambda step: step.log("seen", 1.0)))  # type: ignore[arg-type]
    assert "TypeError: step.log('seen', …) is given a float, not a tensor" in said
    said = refused(
        loss=Half(lambda step: step.remember("seen", True)),  # type: ignore[arg-type]
        state={"seen": torch.zeros(())},
    )
    assert "TypeError: step.remember('seen', …) is given a bool, not a tensor" in said


@pytest.mark.parametrize("x", [lambda z: z[:1], lambda z: z.mean(), lambda z: torch.cat([z, z])])
def test_numbers_of_no_row_a_sample(refused: Callable[..., str], x: Callable[[Tensor], Tensor]) -> None:
    """Ranks could not slice them."""
    said = refused(loss=Half(lambda step: step.uniform_like(x(step.z)).mean()))
    assert said.startswith("the loss draws random numbers in the shape ")
    assert " of a batch of 2 samples | draw one row a sample" in said


def test_a_call_that_comes_later(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("vanilla")
    trainer.objective.loss = Half(lambda step: step.normal_like(step.z).mean())
    with pytest.raises(PluginError, match=r"(?m)^the loss draws random numbers in some steps only$"):
        trainer.step()


def remembering(step: Step) -> float:
    step.remember("ema", step.real.logits)
    return 0.0


def test_state_that_is_not_declared(refused: Callable[..., str]) -> None:
    said = refused(loss=Half(remembering))
    assert "TypeError: step.remember('ema') without a declaration in state={…}; declared: none" in said


def test_a_head_that_is_not_there(make_trainer: MakeTrainer) -> None:
    made = make_trainer("vanilla")
    batch = made.batches.draw(0, 0).map(lambda tensor: tensor[:2])
    with pytest.raises(PluginError, match=r"(?m)^loss 'mine' reads codes, which this discriminator does not return$"):
        rehearse("mine", made.objective, batch, ("codes",))


def test_progress_is_seen_when_read(make_trainer: MakeTrainer) -> None:
    made = make_trainer("vanilla")
    assert not tried(made)
    assert tried(made, loss=Half(lambda step: step.progress * step.real.logits.mean()))
