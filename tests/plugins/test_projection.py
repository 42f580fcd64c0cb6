"""cGAN with projection: labels enter by conditional BatchNorm and by an inner product."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hinge import norms, trained

import ganzoo
from ganzoo import ImageShape, UsageError
from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_plugins.sngan.networks import Discriminator, Generator
from ganzoo_plugins.wgan_gp_resnet import Options

SHAPE = ImageShape(channels=1, height=8, width=8, classes=3)
NARROW = Options(latent_dim=8, width=8, discriminator_width=8)


class TestConformance(PluginConformance):
    plugin = "projection"
    settings: ClassVar[Mapping[str, Any]] = {"options": {"latent_dim": 8, "width": 8, "discriminator_width": 8}}


def test_the_published_configuration() -> None:
    config = resolve(zoo(), "projection", {"size": 32}).config
    assert (config.batch, config.steps, config.critic_steps, config.schedule) == (64, 50_000, 5, "linear")
    assert config.fake_labels == "uniform"
    for network in (config.generator, config.discriminator):
        assert (network.lr, network.options["betas"]) == (2e-4, (0.0, 0.9))


def test_labels_differ_by_the_projection_on_their_embeddings() -> None:
    """D(x, y) = l^T h(x) + b + e(y)^T h(x): equation 3."""
    network = Discriminator(SHAPE, NARROW).double().eval()
    images = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    h = network.layers(images).flatten(2).sum(2)
    assert network.embedding is not None
    zero, two = torch.zeros(3, dtype=torch.int64), torch.full((3,), 2)
    expected = h @ (network.embedding.weight[2] - network.embedding.weight[0])
    torch.testing.assert_close(network(images, two) - network(images, zero), expected)


def test_the_generator_starts_without_regard_to_the_label() -> None:
    generator = Generator(SHAPE, NARROW)
    z = torch.randn(4, 8)
    images = [generator(z, torch.full((4,), label)) for label in (0, 2)]
    assert torch.equal(*images)


def test_every_layer_and_the_embedding_have_spectral_norm_one_after_training() -> None:
    networks = trained(lambda: (Generator(SHAPE, NARROW), Discriminator(SHAPE, NARROW)), 3, 100)
    assert not norms(networks["generator"])
    found = norms(networks["discriminator"])
    assert "embedding" in found
    assert all(abs(norm - 1) < 0.02 for norm in found.values()), found


def test_data_without_labels_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((8, 8, 8), np.uint8))
    with pytest.raises(UsageError, match="architecture 'projection' needs labels, and the data has none"):
        ganzoo.train("projection", settings={"data": str(tmp_path / "images.npy")}, runs=tmp_path)
