"""The residual networks of WGAN-GP: their sizes, and a critic that sees each image alone."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from ganzoo import ImageShape, UsageError
from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_plugins.wgan_gp_resnet import Options
from ganzoo_plugins.wgan_gp_resnet.networks import Critic, Generator

NARROW = Options(latent_dim=4, width=2, discriminator_width=2)


class TestConformance(PluginConformance):
    plugin = "wgan-gp-resnet"
    settings: ClassVar[Mapping[str, Any]] = {"options": {"latent_dim": 8, "width": 8, "discriminator_width": 8}}


def test_the_published_configuration() -> None:
    config = resolve(zoo(), "wgan-gp-resnet", {"size": 32}).config
    assert (config.batch, config.steps, config.critic_steps, config.schedule) == (64, 100_000, 5, "linear")
    for network in (config.generator, config.discriminator):
        assert (network.lr, network.options["betas"]) == (2e-4, (0.0, 0.9))
    assert config.penalties["gradient-penalty"].weight == 10


def test_the_networks_of_the_cifar_code() -> None:
    """Three blocks of 128 maps from 4x4 on; four blocks, of which two halve; weights and biases counted by hand."""
    shape, options = ImageShape(channels=3, height=32, width=32), Options()
    three, one = 128 * 128 * 9 + 128, 128 * 128 + 128
    first, norms, last = (128 + 1) * 128 * 16, 7 * 2 * 128, 128 * 27 + 3
    generator, critic = Generator(shape, options), Critic(shape, options)
    assert count(generator) == first + 3 * (2 * three + one) + norms + last
    assert count(critic) == (27 * 128 + 128) + three + (3 * 128 + 128) + 3 * 2 * three + one + 128 + 1


@pytest.mark.parametrize(("side", "smallest"), [(8, 4), (16, 4), (32, 8), (64, 4), (128, 4)])
def test_the_score_is_linear_in_the_mean_over_the_smallest_map(side: int, smallest: int) -> None:
    critic = Critic(ImageShape(channels=1, height=side, width=side), NARROW).double()
    images = torch.randn(2, 1, side, side, dtype=torch.float64)
    maps = critic.layers(images)
    assert maps.shape[2:] == (smallest, smallest)
    expected = maps.flatten(2).mean(2) @ critic.head.weight[0] + critic.head.bias
    torch.testing.assert_close(critic(images, None), expected)


def test_the_critic_has_no_batchnorm() -> None:
    critic = Critic(ImageShape(channels=1, height=8, width=8), NARROW)
    images = torch.randn(4, 1, 8, 8)
    alone = torch.cat([critic(image[None], None) for image in images])
    torch.testing.assert_close(critic(images, None), alone)
    assert any(isinstance(module, nn.BatchNorm2d) for module in Generator(SHAPE, NARROW).modules())


def test_widths_follow_the_side() -> None:
    def widths(side: int, **options: Any) -> list[int]:
        return Generator(ImageShape(channels=1, height=side, width=side), Options(**options)).maps

    assert [widths(side) for side in (8, 16, 32)] == [[32] * 2, [64] * 3, [128] * 4]
    assert widths(64) == [64 * multiple for multiple in (16, 8, 4, 2, 1)]
    assert widths(32, width=4, doubling=True) == [32, 16, 8, 4]
    assert widths(64, width=4, doubling=False) == [4] * 5


@pytest.mark.parametrize("option", ["latent_dim", "width", "discriminator_width"])
def test_a_number_below_one_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        resolve(zoo(), "wgan-gp-resnet", {"options": {option: 0}})


def test_a_size_that_blocks_do_not_make_is_refused() -> None:
    with pytest.raises(UsageError, match="24"):
        resolve(zoo(), "wgan-gp-resnet", {"size": 24})


SHAPE = ImageShape(channels=1, height=8, width=8)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())
