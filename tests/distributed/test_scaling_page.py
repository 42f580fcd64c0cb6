"""The tables of docs/scaling.md are its formulas, applied to the networks as they are."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from ganzoo import api
from ganzoo.training.trainer import Trainer

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text("utf-8")
MODELS = ["vanilla", "dcgan", "conditional", "wgan-gp"]
RANKS = 8
WIRES = ((450e9, 20e-6), (12.5e9, 50e-6), (1.25e9, 100e-6))
"""Bytes a second, and seconds before the first."""
FLOPS = 100e12


def rows(model: str) -> list[list[str]]:
    """The cells of a model's rows, without its name."""
    found = re.findall(rf"^\| `{model}` \| (.*) \|$", PAGE, re.MULTILINE)
    return [row.replace(",", "").split(" | ") for row in found]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trainer]:
    """``plan(model)``: a trainer at 64x64x3 with 10 classes."""
    home = tmp_path_factory.mktemp("home")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
    np.savez(home / "data.npz", images=pixels, labels=np.arange(40) % 10)
    shared = {"data": str(home / "data.npz"), "size": 64, "batch": 2, "device": "cpu", "precision": "fp32"}
    return lambda model: api.plan(model, settings=shared, registry=home / "registry").trainer


def passes(trainer: Trainer) -> list[tuple[int, bool]]:
    """(channels, differentiated) of each pass through a BatchNorm in a step."""
    found = []
    for network in (trainer.generator, trainer.discriminator):
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.register_forward_hook(lambda layer, _, y: found.append((layer.num_features, y.requires_grad)))
    trainer.step()
    return found


@pytest.mark.parametrize("model", MODELS)
def test_bytes_and_times(plan: Callable[[str], Trainer], model: str) -> None:
    sizes, times, gains = rows(model)
    trainer = plan(model)
    generator, critic = (
        sum(weight.numel() for weight in network.parameters()) for network in (trainer.generator, trainer.discriminator)
    )
    updates, norms = trainer.config.critic_steps, passes(trainer)
    ring = 2 * (RANKS - 1) / RANKS * 4
    gradients = ring * (updates * critic + generator)
    statistics: float = sum((RANKS - 1) * 4 * (2 * channels + 1) for channels, _ in norms)
    statistics += sum(ring * 2 * channels for channels, differentiated in norms if differentiated)
    collectives = len(norms) + sum(differentiated for _, differentiated in norms) + updates + 1
    counts = [f"{generator}", f"{critic}", f"{updates}", f"{collectives}"]
    assert sizes == [*counts, f"{gradients / 1e6:.1f}", f"{statistics / 1e6:.1f}"]

    seconds = [(gradients + statistics) / rate + collectives * delay for rate, delay in WIRES]
    assert times == [f"{1000 * each:.1f}" for each in seconds]
    computing = [float(gains[0]) * 1e9 * images / FLOPS for images in (64, 512)]
    assert gains[1:] == [f"{RANKS * busy / (busy + each):.1f}" for each in seconds for busy in computing]
