"""WGAN's critic is clipped after each of its updates, and updated five times a step."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganzoo import ImageShape, api
from ganzoo.testing import PluginConformance
from ganzoo_plugins.wgan import Options
from ganzoo_plugins.wgan.networks import Critic

SMALL = {"options": {"width": 8}, "batch": 8, "device": "cpu", "precision": "fp32", "threads": 1}


class TestConformance(PluginConformance):
    plugin = "wgan"


def largest(network: nn.Module) -> float:
    return max(float(weight.detach().abs().max()) for weight in network.parameters())


@pytest.mark.parametrize("size", [8, 64])
def test_weights_are_within_the_clip_from_the_start(size: int) -> None:
    """N(0, .02) is cut at .01, which a third of a normal distribution's mass reaches: 2 (1 - Phi(.5)) = .617."""
    critic = Critic(ImageShape(channels=3, height=size, width=size), Options(width=16))
    weights = torch.cat([weight.detach().flatten() for weight in critic.parameters()])
    assert largest(critic) == pytest.approx(0.01)
    assert float((weights.abs() == weights.abs().max()).float().mean()) == pytest.approx(0.617, abs=0.02)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in critic.modules())


def test_clipping_writes_the_nearest_weight_that_is_allowed() -> None:
    critic = Critic(ImageShape(channels=1, height=8, width=8), Options(width=4, clip=0.5))
    with torch.no_grad():
        for weight in critic.parameters():
            weight.normal_()
        before = [weight.clone() for weight in critic.parameters()]
        critic.constrain()
    for weight, was in zip(critic.parameters(), before, strict=True):
        assert torch.equal(weight, was.clip(-0.5, 0.5))


def test_each_of_five_updates_is_clipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each update moves weights out of the cube, and none is outside when it is over."""
    reached: list[tuple[float, float]] = []
    clip = Critic.constrain

    def watched(critic: Critic) -> None:
        before = largest(critic)
        clip(critic)
        reached.append((before, largest(critic)))

    monkeypatch.setattr(Critic, "constrain", watched)
    published: dict[str, Any] = {"critic_steps": 5, "discriminator": {"optimizer": "rmsprop", "lr": 5e-5}}
    settings = {**SMALL, **published, "options": {"width": 8, "clip": 0.01}, "steps": 3}
    trainer = api.plan("wgan", settings=settings, registry=tmp_path).trainer
    reached.clear()  # of building and trying the networks
    for _ in range(3):
        trainer.step()
    assert len(reached) == 3 * 5
    assert all(before > 0.01 + 1e-6 for before, _ in reached)
    assert all(after <= 0.01 * (1 + 1e-6) for _, after in reached)
    assert largest(trainer.generator) > 0.01


def test_published_where_nothing_else_is_said(tmp_path: Path) -> None:
    from ganzoo.zoo.names import zoo
    from ganzoo.zoo.recipe import resolve

    recipe = resolve(zoo(), "wgan", {"size": 64})
    assert recipe.config.critic_steps == 5
    assert recipe.config.batch == 64
    assert {name: spec.name for name, (spec, _) in recipe.optimizers.items()} == {
        "generator": "rmsprop",
        "discriminator": "rmsprop",
    }
    assert recipe.config.generator.lr == recipe.config.discriminator.lr == 5e-5
    assert recipe.penalties == ()


@pytest.mark.parametrize("clip", [0.0, -0.01, float("nan")])
def test_a_clip_that_leaves_no_weights(clip: float) -> None:
    with pytest.raises(ValueError, match="clip must be more than 0"):
        Options(clip=clip)
