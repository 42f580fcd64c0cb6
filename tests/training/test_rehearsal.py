"""A loss is tried before the first step: what is no pure function of the step is refused by name."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot, softplus

from ganzoo.errors import ExitCode, GanzooError, PluginError, UsageError
from ganzoo.step import Step
from ganzoo.training.objective import GANLoss, Objective
from ganzoo.training.rehearsal import rehearse
from ganzoo.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]


class Loss:
    """One half is replaced in each test."""

    def __init__(self, **halves: Callable[[Step], object]) -> None:
        self.__dict__.update(halves)

    def discriminator(self, step: Step) -> torch.Tensor:
        return softplus(-step.real.logits).mean() + softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> torch.Tensor:
        return softplus(-step.fake.logits).mean()


@pytest.fixture
def refused(make_trainer: MakeTrainer) -> Callable[..., tuple[str, str]]:
    """What is said of a loss."""

    def refuse(loss: GANLoss, model: str = "vanilla") -> tuple[str, str]:
        with pytest.raises(PluginError) as caught:
            rehearsed(make_trainer(model), loss)
        assert caught.value.exit_code == ExitCode.PLUGIN
        return str(caught.value), caught.value.hint or ""

    return refuse


def rehearsed(trainer: Trainer, loss: GANLoss) -> None:
    batch = trainer.batches.draw(0, 0)
    rehearse("mine", replace(trainer.objective, loss=loss), batch.map(lambda tensor: tensor[:2]))


def scaled_by_item(step: Step) -> torch.Tensor:
    return step.fake.logits.mean() * step.fake.logits.abs().max().item()


def scaled_by_float(step: Step) -> torch.Tensor:
    return step.fake.logits.mean() * float(step.fake.logits.std())


def on_a_condition(step: Step) -> torch.Tensor:
    return step.fake.logits.mean() if step.fake.logits.mean() > 0 else -step.fake.logits.mean()


@pytest.mark.parametrize("half", [scaled_by_item, scaled_by_float, on_a_condition])
@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_a_value_that_is_read(
    refused: Callable[..., tuple[str, str]], half: Callable[[Step], torch.Tensor], network: str
) -> None:
    error, hint = refused(Loss(**{network: half}))
    assert error == f"loss 'mine' reads a tensor's value for the {network} (.item(), float() or a condition on it)"
    assert hint.startswith("that would wait for the device in each step: ")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (lambda step: softplus(step.fake.logits), "a tensor of shape [2]"),
        (lambda step: step.fake.logits.sum().reshape(1), "a tensor of shape [1]"),
        (lambda step: 1.0, "a float"),
        (lambda step: None, "a NoneType"),
    ],
)
def test_what_is_no_scalar(refused: Callable[..., tuple[str, str]], value: Callable[[Step], object], what: str) -> None:
    error, hint = refused(Loss(generator=value))
    assert error == f"loss 'mine' returns {what} for the generator, not a scalar tensor"
    assert hint == "end it with .mean(): one number to minimise"


def test_one_that_fails(refused: Callable[..., tuple[str, str]]) -> None:
    error, hint = refused(Loss(discriminator=lambda step: step.real.class_logits.sum()))
    assert error.startswith("loss 'mine' fails for the discriminator: TypeError: the loss reads class_logits")
    assert hint == "check that loss and architecture go together: ganzoo models lists both"


def test_every_registered_loss_passes_and_nothing_moves(
    model: str,
    make_trainer: MakeTrainer,
    weights: Callable[[Trainer], dict[str, torch.Tensor]],
    same: Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool],
) -> None:
    trainer = make_trainer(model)
    before = weights(trainer)
    rehearsed(trainer, trainer.objective.loss)
    assert same(weights(trainer), before)
    assert all(weight.grad is None for weight in trainer.discriminator.parameters())


def test_constants_may_be_read(make_trainer: MakeTrainer) -> None:
    """What is no result of the networks costs no waiting."""
    margin = torch.tensor(2.0)
    loss = Loss(generator=lambda step: -step.fake.logits.mean() * len(step.z) / step.z.shape[1] + 2.0 * margin)
    rehearsed(make_trainer("vanilla"), loss)


def read(step: Step) -> torch.Tensor:
    return step.fake.logits.mean() * float(torch.tensor(0.9))


def one_hot_read(step: Step) -> torch.Tensor:
    assert step.labels is not None
    return step.fake.logits.mean() + 0 * one_hot(step.labels, 10).sum()


@pytest.mark.parametrize("half", [read, one_hot_read])
def test_values_that_are_there_already_may_be_read(
    make_trainer: MakeTrainer, half: Callable[[Step], torch.Tensor]
) -> None:
    rehearsed(make_trainer("conditional"), Loss(generator=half))


def test_a_constant_that_became_a_result(refused: Callable[..., tuple[str, str]]) -> None:
    def filled(step: Step) -> torch.Tensor:
        return step.fake.logits.mean() * float(torch.tensor(0.0).add_(step.fake.logits.detach().mean()))

    assert "reads a tensor's value for the generator" in refused(Loss(generator=filled))[0]


def test_networks_may_read_values(make_trainer: MakeTrainer) -> None:
    """Only losses and penalties promise not to."""
    trainer = make_trainer("conditional")

    def condition(critic: torch.nn.Module, inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
        assert one_hot(inputs[1], 10).shape == (2, 10)
        assert torch.arange(2)[torch.tensor(1)].item() == 1

    trainer.discriminator.register_forward_pre_hook(condition)
    rehearsed(trainer, Loss())


def test_networks_train_meanwhile(make_trainer: MakeTrainer) -> None:
    """Some answer with more heads then. Only the comparison of a generator with its checkpoint is in eval mode."""
    trainer = make_trainer("dcgan")
    modes: dict[str, list[bool]] = {"generator": [], "discriminator": []}
    for name, network in (("generator", trainer.generator), ("discriminator", trainer.discriminator)):
        network.register_forward_pre_hook(lambda network, _, name=name: modes[name].append(network.training))
    rehearsed(trainer, Loss())
    assert modes["discriminator"]
    assert all(modes["discriminator"])
    assert modes["generator"] == [True, False, False, True, True]


def test_a_critic_that_writes_into_its_images(refused: Callable[..., tuple[str, str]]) -> None:
    """The generator learns from the same ones."""

    def noisy(step: Step) -> torch.Tensor:
        step.fake.images.add_(0.1)
        return step.fake.logits.mean()

    error, hint = refused(Loss(discriminator=noisy))
    assert error == "the discriminator, or loss 'mine', writes into the images that it is given"
    assert hint.startswith("the generator learns from the same ones: no in-place operation on them")


def test_a_first_activation_in_place(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("vanilla")
    activation = torch.nn.LeakyReLU(0.2, inplace=True)
    trainer.discriminator.register_forward_pre_hook(lambda _, inputs: (activation(inputs[0]), *inputs[1:]))
    with pytest.raises(PluginError, match="writes into the images"):
        rehearsed(trainer, Loss())


def test_a_generator_that_fails_in_training(make_trainer: MakeTrainer) -> None:
    """What the check of shapes, which is in eval mode, cannot know."""
    trainer = make_trainer("vanilla")

    def fail(network: torch.nn.Module, _: object) -> None:
        if network.training:
            raise ValueError("no noise\nand more")

    trainer.generator.register_forward_pre_hook(fail)
    with pytest.raises(PluginError) as caught:
        rehearsed(trainer, Loss())
    found, _, place = str(caught.value).partition(" (")
    assert found == "the generator fails in training mode: ValueError: no noise"
    assert re.fullmatch(r"training/test_rehearsal\.py:\d+\)", place)


def test_one_image_at_a_time_is_too_little_for_batch_norm(make_trainer: MakeTrainer) -> None:
    with pytest.raises(UsageError) as caught:
        make_trainer("vanilla", batch=2, accumulate=2)
    assert str(caught.value).startswith("the generator fails in training mode: ValueError: Expected more than 1 value")
    assert caught.value.hint == (
        "one image at a time is too little for BatchNorm: a larger --batch, or a smaller --accumulate"
    )


@pytest.mark.parametrize("where", ["build", "run"])
def test_out_of_memory_is_nobodys_fault(make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """While the networks are built, or first run: not the plugin's, and no bug."""

    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory")

    if where == "build":
        monkeypatch.setattr("ganzoo.networks.build.load_target", lambda _: full)
    else:
        monkeypatch.setattr(Objective, "generate", full)
    with pytest.raises(GanzooError) as caught:
        make_trainer("vanilla")
    assert str(caught.value) == "out of memory on cpu: the networks or the images do not fit"
    assert caught.value.exit_code == ExitCode.FAILURE
