"""SNGAN: weights of spectral norm 1, and logits linear in the sum over the smallest map."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from hinge import norms, trained, vectors
from torch import nn

from ganzoo import ImageShape
from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_plugins.sngan.networks import Discriminator, Generator
from ganzoo_plugins.wgan_gp_resnet import Options

SHAPE = ImageShape(channels=1, height=8, width=8)
NARROW = Options(latent_dim=8, width=8, discriminator_width=8)


class TestConformance(PluginConformance):
    plugin = "sngan"
    settings: ClassVar[Mapping[str, Any]] = {"options": {"latent_dim": 8, "width": 8, "discriminator_width": 8}}


@pytest.fixture(scope="module")
def discriminator() -> nn.Module:
    """Trained for 100 steps."""
    return trained(lambda: (Generator(SHAPE, NARROW), Discriminator(SHAPE, NARROW)), 0, 100)["discriminator"]


def test_the_published_configuration() -> None:
    config = resolve(zoo(), "sngan", {"size": 32}).config
    assert (config.batch, config.steps, config.critic_steps, config.schedule) == (64, 50_000, 5, "linear")
    assert config.warmup == 0
    for network in (config.generator, config.discriminator):
        assert (network.lr, network.options["betas"]) == (2e-4, (0.0, 0.9))
    colour = ImageShape(channels=3, height=32, width=32)
    assert Generator(colour, Options()).maps == [256] * 4
    assert Discriminator(colour, Options()).maps == [128] * 4


def test_every_layer_has_spectral_norm_one_after_training(discriminator: nn.Module) -> None:
    layers = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    found = norms(discriminator)
    assert len(found) == len(layers) == 3 + 2 * 2 + 1
    assert all(abs(norm - 1) < 0.02 for norm in found.values()), found


def test_a_pass_in_training_is_a_step_of_power_iteration_and_none_in_evaluation(discriminator: nn.Module) -> None:
    images = torch.randn(2, 1, 8, 8)
    before = vectors(discriminator)
    discriminator.eval()(images, None)
    assert all(map(torch.equal, before, vectors(discriminator)))
    head = discriminator.get_submodule("head")
    weight = head.get_parameter("parametrizations.weight.original").detach()
    u = head.get_buffer("parametrizations.weight.0._u").clone()
    discriminator.train()(images, None)
    v = nn.functional.normalize(weight.T @ u, dim=0)
    torch.testing.assert_close(head.get_buffer("parametrizations.weight.0._v"), v)
    torch.testing.assert_close(
        head.get_buffer("parametrizations.weight.0._u"), nn.functional.normalize(weight @ v, dim=0)
    )


def test_logits_are_linear_in_the_sum_over_the_smallest_map() -> None:
    network = Discriminator(SHAPE, NARROW).double().eval()
    images = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    h = network.layers(images).flatten(2).sum(2)
    torch.testing.assert_close(network(images, None), h @ network.head.weight[0] + network.head.bias)
