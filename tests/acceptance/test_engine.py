"""docs/engine.md is the engine: its code trains the same weights as ``Trainer.step``, to the bit."""

import copy
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganzoo import api
from ganzoo.config import RunConfig
from ganzoo.training.batch import Batches
from ganzoo.training.layers.masked import MaskedLeakyReLU, MaskedReLU
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo

Train = Callable[[nn.Module, nn.Module, Batches, RunConfig], nn.Module]

PAGE = Path(__file__).parents[2] / "docs" / "engine.md"
STEPS = 4

CASES: dict[str, dict[str, Any]] = {
    "wgan-gp": {"options": {"width": 8}},
    "wgan-gp, lazy": {
        "options": {"width": 8},
        "critic_steps": 2,
        "penalties": {"gradient-penalty": {"weight": 10.0, "every": 3}},
    },
    "wgan-gp, end of the ramp": {"options": {"width": 8}, "ema_kimg": 0.002},
    "dcgan": {"options": {"width": 8}},
    "dcgan, several critic steps": {"options": {"width": 8}, "critic_steps": 3},
    "vanilla": {},
    "conditional": {"options": {"width": 8}},
}
"""Model, perhaps a remark -> its settings."""

CHANGES = {
    "the penalty's weight": ("penalty.weight * penalty.every", "penalty.weight"),
    "the penalty's point": ("fake.lerp(real, epsilon)", "real.lerp(fake, epsilon)"),
    "the ramp": ("0.05 * shown", "0.06 * shown"),
    "the generator's images": ("loss_g(discriminator(fake,", "loss_g(discriminator(generator(batch.z, None),"),
    "the batch": ("batches.draw(step, phase)", "batches.draw(step, 0)"),
}
"""What is changed in the code -> from what to what: each makes another training."""


@cache
def code() -> str:
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    text: str = shown
    return text


def defined(source: str) -> Train:
    names: dict[str, Any] = {}
    exec(source, names)
    train: Train = names["train"]
    return train


def plain(network: nn.Module) -> nn.Module:
    """A copy with torch's own rectifiers, where the engine has put in others: these are the same to the bit."""
    copied = copy.deepcopy(network)
    own: dict[type[nn.Module], type[nn.Module]] = {MaskedReLU: nn.ReLU, MaskedLeakyReLU: nn.LeakyReLU}
    for module in copied.modules():
        module.__class__ = own.get(type(module), type(module))
    return copied


def trainer_of(case: str) -> Trainer:
    settings = {"data": "digits", "batch": 8, "device": "cpu", "precision": "fp32", "executor": "eager"}
    return api.plan(case.partition(",")[0], settings={**settings, "steps": STEPS, **CASES[case]}).trainer


def differences(train: Train, trainer: Trainer) -> list[str]:
    """Train once by ``train`` and once by the engine; the weights and buffers that are not the same."""
    generator, discriminator = plain(trainer.generator), plain(trainer.discriminator)
    averaged = train(generator, discriminator, trainer.batches, trainer.config)
    for _ in range(STEPS):
        trainer.step()
    found = []
    for name, network in {"generator": generator, "discriminator": discriminator, "generator-ema": averaged}.items():
        ours, theirs = network.state_dict(), trainer.modules()[name].state_dict()
        assert ours.keys() == theirs.keys()
        found += [f"{name}.{key}" for key in ours if not torch.equal(ours[key], theirs[key])]
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_code_trains_as_the_engine_does(case: str) -> None:
    trainer = trainer_of(case)
    before = [weight.detach().clone() for network in trainer.modules().values() for weight in network.parameters()]
    assert differences(defined(code()), trainer) == []
    after = [weight for network in trainer.modules().values() for weight in network.parameters()]
    # A critic of Wasserstein's loss never moves its last bias: only differences of its scores count.
    assert sum(torch.equal(*pair) for pair in zip(before, after, strict=True)) <= 1


@pytest.mark.parametrize("change", CHANGES)
def test_another_training_would_be_noticed(change: str) -> None:
    old, new = CHANGES[change]
    assert code().count(old) == 1
    assert differences(defined(code().replace(old, new)), trainer_of("wgan-gp, lazy")) != []


def test_built_in_models_are_trained() -> None:
    built_in = {model.name for model in api.models() if zoo().owner(model).builtin}
    assert {case.partition(",")[0] for case in CASES} <= built_in
