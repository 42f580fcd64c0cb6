"""Flip and augmentation in the step: on what, with which random numbers, and who learns through them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from augmentations import Unchanging, refused

from ganzoo.errors import ExitCode, UsageError
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.specs import ImageShape, Loss
from ganzoo.step import Step
from ganzoo.training.objective import GANLoss
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo

MakeTrainer = Callable[..., Trainer]

AUGMENT = {"augment": "diffaugment"}
STILL = {"generator": {"lr": 1e-30}, "discriminator": {"lr": 1e-30}}
"""Steps that move no weight."""


class Watching:
    """An augmentation that adds a number of its own to each image, and remembers what it was asked."""

    def __init__(self, factor: float = 1.0, spread: float = 1.0) -> None:
        self.factor, self.spread = factor, spread
        self.drawn: list[torch.Tensor] = []
        self.applied: list[tuple[torch.Tensor, torch.Tensor]] = []

    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> dict[str, torch.Tensor]:
        assert (shape.channels, shape.height, shape.width) == (1, 8, 8)
        values = torch.rand(count, 1, 1, 1, generator=generator, device=device) * self.spread
        self.drawn.append(values)
        return {"values": values}

    def apply(self, images: torch.Tensor, drawn: Mapping[str, torch.Tensor]) -> torch.Tensor:
        assert images.dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
        self.applied.append((images, drawn["values"]))
        return images * self.factor + drawn["values"]


def watched(trainer: Trainer, **arguments: float) -> Watching:
    augment = trainer.objective.augment = trainer.batches.augment = Watching(**arguments)
    return augment


def seen(trainer: Trainer, steps: int = 1) -> list[Step]:
    """The steps that the loss sees: the critic's phases and the generator's, in order."""
    found = []

    class Spy:
        def __init__(self, loss: GANLoss) -> None:
            self.loss = loss

        def discriminator(self, step: Step) -> torch.Tensor:
            found.append(step)
            return self.loss.discriminator(step)

        def generator(self, step: Step) -> torch.Tensor:
            found.append(step)
            return self.loss.generator(step)

    trainer.objective.loss = Spy(trainer.objective.loss)
    for _ in range(steps):
        trainer.step()
    return found


def gradient(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])  # type: ignore[union-attr]


# Flip


def test_about_half_of_the_real_images_are_mirrored(make_trainer: MakeTrainer) -> None:
    plain = seen(make_trainer("vanilla", batch=256, **STILL))
    flipped = seen(make_trainer("vanilla", batch=256, flip=True, **STILL))
    for before, after in zip(plain, flipped, strict=True):
        as_it_is = (after.real.images == before.real.images).flatten(1).all(1)
        mirrored = (after.real.images == before.real.images.flip(3)).flatten(1).all(1)
        assert (as_it_is | mirrored).all()
        assert 90 < mirrored.sum() < 166  # 128 expected, with a standard deviation of 8
        assert torch.equal(after.fake.images, before.fake.images)


def test_each_batch_is_flipped_anew_and_a_seed_repeats_it(make_trainer: MakeTrainer) -> None:
    def bits(seed: int) -> torch.Tensor:
        trainers = [make_trainer("vanilla", batch=32, critic_steps=2, seed=seed, flip=flip) for flip in (False, True)]
        pairs = [(a.real.images, b.real.images) for a, b in zip(*map(seen, trainers), strict=True)]
        return torch.stack([(before == after).flatten(1).all(1) for before, after in pairs])

    first = bits(1)
    assert torch.equal(first, bits(1))
    assert not torch.equal(first, bits(2))
    assert len({tuple(phase.tolist()) for phase in first}) == 2  # the generator's phase has the last critic's batch


# Augmentation


def test_what_comes_before_it_stays_as_it_was(make_trainer: MakeTrainer) -> None:
    """z, epsilon and labels are drawn first, so a run with and one without see the same ones."""
    settings = {"critic_steps": 2, **STILL}
    plain = seen(make_trainer("conditional", **settings), 2)
    for switched_on in (AUGMENT, {"flip": True}, {"flip": True, **AUGMENT}):
        changed = seen(make_trainer("conditional", **settings, **switched_on), 2)
        for before, after in zip(plain, changed, strict=True):
            for name in ("z", "epsilon", "labels"):
                assert torch.equal(getattr(before, name), getattr(after, name))


def test_one_that_changes_nothing_changes_nothing(
    model: str,
    make_trainer: MakeTrainer,
    weights: Callable[[Trainer], dict[str, torch.Tensor]],
    same: Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool],
) -> None:
    """To the bit: the machinery around an augmentation costs the run nothing but the augmentation."""
    with_it, without = make_trainer(model), make_trainer(model)
    watched(with_it, spread=0.0)
    for _ in range(3):
        with_it.step()
        without.step()
    assert same(weights(with_it), weights(without))


@pytest.mark.parametrize("flip", [False, True])
def test_the_loss_sees_the_augmented_images_of_both_kinds(make_trainer: MakeTrainer, flip: bool) -> None:
    """In both phases; the flip comes first, so what is augmented are images as they might lie in the set."""
    settings = {"penalties": {"gradient-penalty": {"weight": 1}, "r1": {"weight": 1}}, "critic_steps": 2, "flip": flip}
    plain = seen(make_trainer("vanilla", **settings, **STILL))
    trainer = make_trainer("vanilla", **settings, **STILL)
    augment = watched(trainer)
    for number, (before, after) in enumerate(zip(plain, seen(trainer), strict=True)):
        place = 2 * min(number, 1)  # the generator's phase has the last critic's batch
        real, fake = augment.drawn[place : place + 2]
        torch.testing.assert_close(after.real.images, before.real.images + real)
        torch.testing.assert_close(after.fake.images, before.fake.images + fake)
        torch.testing.assert_close(after.fake.logits, after.score(before.fake.images + fake).logits)


def test_real_and_fake_images_get_numbers_of_their_own_in_each_batch(make_trainer: MakeTrainer) -> None:
    def drawn(seed: int, steps: int) -> torch.Tensor:
        trainer = make_trainer("vanilla", batch=16, critic_steps=2, seed=seed)
        augment = watched(trainer)
        for _ in range(steps):
            trainer.step()
        return torch.stack(augment.drawn)

    first = drawn(1, 2)
    assert len(first) == 2 * 2 * 2
    assert first.unique().numel() == first.numel()  # type: ignore[no-untyped-call]
    assert torch.equal(drawn(1, 2), first)
    assert not torch.isin(drawn(2, 2), first).any()


def test_numbers_do_not_depend_on_the_steps_before(make_trainer: MakeTrainer) -> None:
    whole, late = make_trainer("vanilla"), make_trainer("vanilla")
    before, after = watched(whole), watched(late)
    for _ in range(3):
        whole.step()
    late.steps_done = 2
    late.step()
    assert torch.equal(torch.stack(before.drawn[-2:]), torch.stack(after.drawn))


@pytest.mark.parametrize("factor", [0.0, 0.5])
def test_the_generators_gradient_comes_back_through_it(make_trainer: MakeTrainer, factor: float) -> None:
    """d loss / d G(z) is factor times d loss / d (what the critic sees)."""
    trainer = make_trainer("vanilla", critic_steps=1, **STILL)
    watched(trainer, factor=factor)
    arriving = []
    loss = trainer.objective.loss.generator

    def listening(step: Step) -> torch.Tensor:
        value = loss(step)
        arriving.append((step.z, *torch.autograd.grad(value, step.fake.images, retain_graph=True)))
        return value

    trainer.objective.loss.generator = listening  # type: ignore[method-assign]
    trainer.step()
    found = gradient(trainer.generator).clone()
    ((z, at_the_critic),) = arriving
    trainer.generator.zero_grad()
    trainer.generator(z, None).backward(factor * at_the_critic)
    assert at_the_critic.any()
    assert found.any() == bool(factor)
    torch.testing.assert_close(found, gradient(trainer.generator))


def test_the_critics_phase_has_no_graph_through_it(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("wgan-gp", critic_steps=1)
    augment = watched(trainer)
    critic, _ = seen(trainer)
    assert not critic.fake.images.requires_grad
    assert [images.requires_grad for images, _ in augment.applied] == [False, False, True]


def test_it_works_in_fp32_whatever_the_networks_run_in(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("dcgan", precision="bf16")
    augment = watched(trainer)
    trainer.step()
    assert len(augment.applied) == 3  # where Watching has looked at type and autocast


def losses(trainer: Trainer, steps: int) -> dict[str, float]:
    for _ in range(steps):
        trainer.step()
    return trainer.telemetry.means()


@pytest.mark.parametrize("model", ["conditional", "dcgan", "stylegan2", "vanilla", "wgan-gp"])
def test_models_train_with_it(model: str, train: Callable[..., TrainResult], own_registry: Path) -> None:
    """Other losses than without, finite, and resumed to the bit; flipped as well."""
    settings = {"report_every": 2, "checkpoint_every": 2, "flip": True}
    whole = train(model, steps=4, **settings, **AUGMENT)
    half = train(model, steps=2, **settings, **AUGMENT)
    resumed = train(model, resume=str(half.run), steps=4)
    assert resumed.version == whole.version
    newest = [Run.find(str(run), run).checkpoints()[-1] for run in (whole.run, resumed.run)]
    assert newest[0].read_bytes() == newest[1].read_bytes()
    plain = train(model, steps=4, **settings)
    assert plain.version != whole.version
    for name in ("loss_d", "loss_g"):
        assert whole.metrics[name] != plain.metrics[name]


@pytest.mark.parametrize("name", [zoo().shortest(spec) for spec in zoo().all(Loss) if not spec.reads])
def test_every_loss_and_its_penalties_bear_it(name: str, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("dcgan", loss=name, options={"discriminator_norm": "none"}, **AUGMENT)
    assert all(torch.tensor(value).isfinite() for value in losses(trainer, 3).values())
    for network in (trainer.generator, trainer.discriminator):
        assert gradient(network).isfinite().all()
        assert gradient(network).any()


def test_the_policy_can_be_chosen(make_trainer: MakeTrainer) -> None:
    policies = [{"augment_options": {"policy": [name]}} for name in ("colour", "translation", "cutout")]
    found = [losses(make_trainer("vanilla", **AUGMENT, **policy), 2)["loss_d"] for policy in ({}, *policies)]
    assert len(set(found)) == 4
    named = make_trainer("vanilla", **AUGMENT, augment_options={"policy": ["cutout", "translation", "colour"]})
    assert losses(named, 2)["loss_d"] == found[0]


# Bad input


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (["color"], "configuration key 'augment_options.policy[0]': invalid enum value 'color'"),
        ([], "policy names one or more of colour, translation and cutout, each once"),
        (["cutout", "cutout"], "policy names one or more of colour, translation and cutout, each once"),
    ],
)
def test_a_policy_that_there_is_none_of(make_trainer: MakeTrainer, policy: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_trainer("vanilla", **AUGMENT, augment_options={"policy": policy})
    assert message in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE
    known = "choose one of: colour, translation, cutout"
    assert caught.value.hint == (known if policy == ["color"] else "for the defaults: ganzoo models show MODEL")


class Shrinking(Unchanging):
    def apply(self, images: torch.Tensor, drawn: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return images[:, :, 1:]


class Failing(Unchanging):
    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> dict[str, torch.Tensor]:
        raise ZeroDivisionError("by zero\nand more")


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        (Shrinking, "augmentation 'mine' returns [2, 1, 7, 8], not [2, 1, 8, 8]", None),
        (
            Failing,
            "augmentation 'mine' cannot be used: ZeroDivisionError: by zero",
            "check --set augment_options.…, or leave --augment out",
        ),
    ],
)
def test_one_that_breaks_its_contract(
    monkeypatch: pytest.MonkeyPatch, target: type[Unchanging], message: str, hint: str | None
) -> None:
    """Found before the first step, and named."""
    error = refused(target, monkeypatch)
    assert str(error).partition(" (training/test_augmentation.py:")[0] == message
    assert error.hint == hint
    assert error.exit_code == ExitCode.PLUGIN
