"""One step of every registered model: who learns from what, in what precision, and from which random numbers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from ganzoo.step import Step
from ganzoo.training import setup
from ganzoo.training.objective import GANLoss
from ganzoo.training.ranks import ALONE, Ranks
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

MakeTrainer = Callable[..., Trainer]
Weights = Callable[[Trainer], dict[str, torch.Tensor]]
Same = Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool]

STILL = {"generator": {"lr": 1e-30}, "discriminator": {"lr": 1e-30}}
"""Steps that move no weight, so that both networks' gradients are those at the weights they started with."""


def gradient(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])  # type: ignore[union-attr]


def after_updates(trainer: Trainer, told: Callable[[str], object]) -> None:
    """Call ``told`` with a network's name after each of its updates."""
    for name, optimization in trainer.optimizations.items():

        def step(name: str = name, update: Callable[[], None] = optimization.step) -> None:
            update()
            told(name)

        optimization.step = step  # type: ignore[method-assign]


def parameters(network: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_every_parameter_gets_a_finite_gradient(model: str, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(model, precision="auto")
    trainer.step()
    for network in (trainer.generator, trainer.discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            # A loss of differences of logits, Wasserstein's for one, is blind to the last bias.
            assert parameter.grad.any() or parameter.ndim == 1, name
            assert parameter.dtype == parameter.grad.dtype == torch.float32, name


def test_updates_never_cross_networks(model: str, make_trainer: MakeTrainer) -> None:
    """After each optimizer step only its own network's parameters differ, to the bit; norms' buffers may move."""
    trainer = make_trainer(model, critic_steps=2)
    networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    before = {name: parameters(network) for name, network in networks.items()}
    moved = []

    def watch(moving: str) -> None:
        for resting in networks.keys() - {moving}:
            assert equal(parameters(networks[resting]), before[resting])
        assert not equal(parameters(networks[moving]), before[moving])
        before[moving] = parameters(networks[moving])
        moved.append(moving)

    after_updates(trainer, watch)
    trainer.step()
    trainer.step()
    assert moved == ["discriminator", "discriminator", "generator"] * 2


def test_the_generators_phase_leaves_the_critics_gradient_alone(model: str, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(model)
    seen = []
    after_updates(trainer, lambda _: seen.append(gradient(trainer.discriminator).clone()))
    trainer.step()
    *_, after_the_critics, after_the_generators = seen
    assert torch.equal(after_the_generators, after_the_critics)


def test_bf16_gradients_are_those_of_fp32(model: str, make_trainer: MakeTrainer) -> None:
    """bf16 has 8 bits of mantissa: over a whole network's gradient, an error of a few per cent."""
    trainers = [make_trainer(model, precision=precision, critic_steps=1, **STILL) for precision in ("fp32", "bf16")]
    for trainer in trainers:
        trainer.step()
    for network in ("generator", "discriminator"):
        exact, rounded = (gradient(trainer.modules()[network]) for trainer in trainers)
        assert not torch.equal(exact, rounded)  # else bf16 was not used
        assert (rounded - exact).norm() < 0.2 * exact.norm(), network
        assert torch.cosine_similarity(exact, rounded, dim=0) > 0.98, network


def test_the_seed_decides_the_weights(model: str, make_trainer: MakeTrainer, weights: Weights, same: Same) -> None:
    def trained(seed: int, other_use_of_torch: int) -> dict[str, torch.Tensor]:
        trainer = make_trainer(model, seed=seed)
        for _ in range(3):
            torch.rand(other_use_of_torch)
            trainer.step()
        return weights(trainer)

    with torch.random.fork_rng():
        assert same(trained(1, 0), trained(1, 9))
        assert not same(trained(1, 0), trained(2, 0))


def test_seeds_differ_from_the_first_weights_on(
    model: str, make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    assert same(weights(make_trainer(model, seed=1)), weights(make_trainer(model, seed=1)))
    assert not same(weights(make_trainer(model, seed=1)), weights(make_trainer(model, seed=2)))


@pytest.mark.parametrize("critic_steps", [1, 5])
def test_images_are_counted_for_each_critic_step(make_trainer: MakeTrainer, critic_steps: int) -> None:
    trainer = make_trainer("vanilla", batch=4, critic_steps=critic_steps)
    trainer.step()
    trainer.step()
    assert (trainer.steps_done, trainer.images_shown) == (2, 2 * 4 * critic_steps)


class Spy:
    """A loss that keeps the steps that it sees."""

    def __init__(self, loss: GANLoss) -> None:
        self.loss = loss
        self.seen: list[Step] = []

    def discriminator(self, step: Step) -> torch.Tensor:
        self.seen.append(step)
        return self.loss.discriminator(step)

    def generator(self, step: Step) -> torch.Tensor:
        return self.loss.generator(step)


def spied(trainer: Trainer, steps: int) -> list[Step]:
    spy = Spy(trainer.objective.loss)
    trainer.objective.loss = spy
    for _ in range(steps):
        trainer.step()
    return spy.seen


def test_what_a_loss_sees(model: str, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(model, critic_steps=2)
    first, second = spied(trainer, 1)
    assert first.epsilon.shape == (8, 1, 1, 1)
    assert first.epsilon.unique().numel() == 8  # type: ignore[no-untyped-call]  # one for each sample
    assert 0 <= first.epsilon.min() <= first.epsilon.max() < 1
    assert first.z.shape == (8, trainer.latent_dim)
    assert first.real.images.shape == first.fake.images.shape == (8, 1, 8, 8)
    assert first.real.images.min() >= -1
    assert first.real.images.max() == 1  # a digit's full ink
    assert first.fake.images.dtype == first.fake.logits.dtype == torch.float32
    assert not first.fake.images.requires_grad
    for name in ("z", "epsilon"):
        assert not torch.equal(getattr(first, name), getattr(second, name))
    assert not torch.equal(first.real.images, second.real.images)


class Both(Spy):
    """Sees the generator's phases, too."""

    def generator(self, step: Step) -> torch.Tensor:
        self.seen.append(step)
        return self.loss.generator(step)


def both(trainer: Trainer) -> tuple[list[Step], list[bool]]:
    """The steps that both phases' losses see, in order; and whether the generator was run with a graph, each time."""
    spy = trainer.objective.loss = Both(trainer.objective.loss)
    made = []
    trainer.generator.register_forward_hook(lambda *_: made.append(torch.is_grad_enabled()))
    trainer.step()
    return spy.seen, made


@pytest.mark.parametrize("critic_steps", [1, 3])
def test_the_generator_learns_from_what_the_critic_has_just_seen(
    model: str, make_trainer: MakeTrainer, critic_steps: int
) -> None:
    """From the same images, which are made once; those of earlier updates have no graph."""
    (*critics, generator), made = both(make_trainer(model, critic_steps=critic_steps))
    assert made == [*[False] * (critic_steps - 1), True]
    for name in ("z", "labels", "epsilon"):
        assert getattr(critics[-1], name) is getattr(generator, name)
    assert critics[-1].fake.images.data_ptr() == generator.fake.images.data_ptr()
    assert critics[-1].real.images.data_ptr() == generator.real.images.data_ptr()  # under R1, a leaf of its own
    assert generator.fake.images.requires_grad
    assert not any(critic.fake.images.requires_grad for critic in critics)


def test_a_batch_in_parts_keeps_no_graph(model: str, make_trainer: MakeTrainer) -> None:
    """Its images are made anew, part by part, from the same latents."""
    (one, other, again, another), made = both(make_trainer(model, accumulate=2, critic_steps=1))
    assert made == [False, False, True, True]
    assert torch.equal(one.fake.images, again.fake.images)
    assert torch.equal(other.fake.images, another.fake.images)


def test_the_gradient_is_the_one_through_both_networks(model: str, make_trainer: MakeTrainer) -> None:
    """Cut at the images, it is what autograd finds without a cut."""
    trainer = make_trainer(model, critic_steps=1, **STILL)
    trainer.step()
    found = gradient(trainer.generator)
    trainer.generator.zero_grad()
    batch = trainer.batches.draw(0, 0)
    images = trainer.objective.generate(batch)
    step, _ = trainer.objective.step("generator", batch, images, {}, {})
    trainer.objective.loss.generator(step).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, gradient(trainer.generator), rtol=1e-5, atol=1e-7)


def test_fakes_have_the_real_images_labels(make_trainer: MakeTrainer, digits_by_pixels: dict[bytes, int]) -> None:
    trainer = make_trainer("conditional")
    (step,) = spied(trainer, 1)
    shown = ((step.real.images + 1) * (255 / 2)).round().to(torch.uint8)
    assert step.labels is not None
    assert step.labels.tolist() == [digits_by_pixels[image.numpy().tobytes()] for image in shown]
    assert make_trainer("dcgan").classes == 0
    assert spied(make_trainer("dcgan"), 1)[0].labels is None


def test_batches_do_not_depend_on_the_network(make_trainer: MakeTrainer) -> None:
    """The same seed shows the same real images in the same order to every model of a batch size."""
    one, other = (spied(make_trainer(name, critic_steps=1), 2) for name in ("vanilla", "dcgan"))
    for mine, theirs in zip(one, other, strict=True):
        assert torch.equal(mine.real.images, theirs.real.images)


def test_penalties_are_lazy_in_the_trainer_too(make_trainer: MakeTrainer) -> None:
    """R1 every 3 steps is logged in steps 0 and 3 of 4."""
    trainer = make_trainer("vanilla", penalties={"r1": {"weight": 1.0, "every": 3}})
    logged = []
    for _ in range(4):
        trainer.step()
        logged.append("r1" in trainer.telemetry.means())
        trainer.telemetry.reset()
    assert logged == [True, False, False, True]


def test_what_a_plugin_froze_stays_frozen(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("vanilla")
    frozen = next(trainer.discriminator.parameters())
    frozen.requires_grad_(False)
    trainer = rebuilt(trainer)
    before = next(trainer.discriminator.parameters()).clone()
    trainer.step()
    assert torch.equal(next(trainer.discriminator.parameters()), before)
    assert not next(trainer.discriminator.parameters()).requires_grad


def test_weights_of_any_dimension(make_trainer: MakeTrainer) -> None:
    """channels_last is for four dimensions; StyleGAN2's modulated convolutions have five."""
    trainer = make_trainer("vanilla")
    trainer.generator.extra = torch.nn.Parameter(torch.zeros(1, 2, 2, 3, 3))
    rebuilt(trainer)


def rebuilt(trainer: Trainer) -> Trainer:
    """A trainer of the same networks, as they are now."""
    return Trainer(
        trainer.config, trainer.objective, trainer.batches, trainer.latent_dim, 0, ALONE, trainer.clock, trainer.rules
    )


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_parts_are_the_whole(model: str, make_trainer: MakeTrainer, network: str) -> None:
    """In fp64 and without BatchNorm, which sees one part at a time: the same gradient, but for rounding."""
    if resolve(zoo(), model).architecture.batch_coupled:
        pytest.skip("its samples meet outside of BatchNorm, and it says so")
    settings = {"precision": "fp64", "critic_steps": 1, **STILL}
    trainers = [make_trainer(model, accumulate=parts, **settings) for parts in (1, 4)]
    for trainer in trainers:
        for module in (trainer.generator, trainer.discriminator):
            module.apply(without_statistics)
        trainer.step()
    whole, parts = (gradient(trainer.modules()[network]) for trainer in trainers)
    assert whole.any()
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-12)


def without_statistics(module: torch.nn.Module) -> None:
    """BatchNorm of the running statistics, which do not depend on the batch."""
    if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
        module.eval()


def test_each_network_has_its_optimizer(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(
        "vanilla", generator={"lr": 1e-3, "betas": [0.1, 0.2]}, discriminator={"lr": 2e-3, "betas": [0.3, 0.4]}
    )
    trainer.step()
    found = {name: each._optimizer.param_groups[0] for name, each in trainer.optimizations.items()}
    assert {name: (group["lr"], tuple(group["betas"])) for name, group in found.items()} == {
        "generator": (1e-3, (0.1, 0.2)),
        "discriminator": (2e-3, (0.3, 0.4)),
    }


@pytest.mark.parametrize("executor", ["eager", "cudagraph"])
def test_rates_follow_the_schedule(make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, executor: str) -> None:
    """Two steps of warm-up, then linearly to 0 in step 6; a tensor where a CUDA graph reads it."""
    monkeypatch.setattr(setup, "choose_executor", lambda *_: executor)
    trainer = make_trainer("vanilla", steps=6, schedule="linear", warmup=2, generator={"lr": 3.0})
    seen = []
    for _ in range(6):
        trainer.step()
        seen.append(float(trainer.optimizations["generator"]._optimizer.param_groups[0]["lr"]))
    assert seen == pytest.approx([1.0, 2.0, 3.0, 2.25, 1.5, 0.75])
    trainer.lr_factor = 0.5
    trainer.steps_done = 2
    trainer.step()
    assert float(trainer.optimizations["generator"]._optimizer.param_groups[0]["lr"]) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("model", "coupled", "accumulate", "ranks", "told"),
    [
        ("dcgan", False, 1, 1, False),
        ("wgan-gp", True, 1, 1, False),
        ("wgan-gp", True, 2, 1, True),
        ("wgan-gp", True, 1, 2, True),
        ("dcgan", False, 1, 2, False),  # BatchNorm sees all ranks' images
        ("dcgan", False, 2, 1, True),  # and one part at a time
    ],
)
def test_what_shares_of_a_batch_change_is_told(
    make_trainer: MakeTrainer, model: str, coupled: bool, accumulate: int, ranks: int, told: bool
) -> None:
    recipe = resolve(zoo(), model, {"accumulate": accumulate})
    recipe = replace(recipe, architecture=replace(recipe.architecture, batch_coupled=coupled))
    assert (setup.coupled_by(recipe, make_trainer(model), Ranks(0, ranks)) is not None) is told
