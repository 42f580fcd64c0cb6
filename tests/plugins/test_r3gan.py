"""R3GAN: what every plugin must do, its networks by their equations, and its five cosines as published."""

from math import sqrt
from typing import Any

import pytest
import torch

from ganzoo import ImageShape, UsageError
from ganzoo.config.schedule import at
from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_plugins.r3gan import Options
from ganzoo_plugins.r3gan.networks import Block, Discriminator, Generator, widths

TINY = Options(latent_dim=4, width=8, group=4)


class TestConformance(PluginConformance):
    plugin = "r3gan"


def shape(size: int, classes: int = 0) -> ImageShape:
    return ImageShape(channels=3, height=size, width=size, classes=classes)


def test_a_block_begins_as_its_shortcut() -> None:
    block, x = Block(8, TINY, blocks=4), torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    last = list(block.parameters())[-1]
    assert last.grad is not None
    assert last.grad.abs().sum() > 0  # it learns from there


def test_weights_are_drawn_by_he_times_what_fixup_prescribes_for_the_number_of_blocks() -> None:
    """sqrt(2 / (1 + .2^2)) L^(-1/4) / sqrt(fan-in); of the grouped convolution, 9 places of the maps of a group."""
    block = Block(256, Options(), blocks=8)
    weights = dict(block.named_parameters())
    gain = sqrt(2 / 1.04) * 8**-0.25
    for name, inputs in (("layers.0.weight", 256), ("layers.2.weight", 9 * 16)):
        assert weights.pop(name).std().item() == pytest.approx(gain / sqrt(inputs), rel=0.02)  # 70,000 draws and more
    assert weights.keys() == {"layers.0.bias", "layers.2.bias", "layers.4.weight"}
    assert not any(weight.any() for weight in weights.values())


def test_the_published_widths() -> None:
    assert widths(shape(32), Options()) == [768] * 4
    assert widths(shape(64), Options()) == [768] * 4 + [384]
    assert widths(shape(256), Options()) == [768] * 4 + [384, 192, 96]
    with torch.device("meta"):
        convolutions = [m for m in Generator(shape(32), Options()).modules() if isinstance(m, torch.nn.Conv2d)]
    assert {each.groups for each in convolutions if each.kernel_size == (3, 3)} == {96}
    assert sum(each.groups == 96 for each in convolutions) == 8


def test_an_untrained_critic_is_linear_and_an_untrained_generator_is_linear_in_z() -> None:
    """All blocks are their shortcuts."""
    x, y = torch.randn(2, 3, 3, 16, 16)
    critic = Discriminator(shape(16), TINY)
    torch.testing.assert_close(critic(x + y, None), critic(x, None) + critic(y, None), atol=1e-5, rtol=1e-4)
    z, w = torch.randn(2, 3, 4)
    generator = Generator(shape(16), TINY)
    torch.testing.assert_close(generator(z + w, None), generator(z, None) + generator(w, None), atol=1e-5, rtol=1e-4)


def test_labels_reach_both_networks() -> None:
    generator, critic = Generator(shape(8, 5), TINY), Discriminator(shape(8, 5), TINY)
    z, labels = torch.randn(1, 4).expand(5, 4), torch.arange(5)
    images = generator(z, labels)
    assert len(images.flatten(1).unique(dim=0)) == 5
    assert len(critic(images[:1].expand(5, -1, -1, -1), labels).unique()) == 5


FIVE = {"lr": (2e-4, 5e-5), "beta2": (0.9, 0.99), "gamma": (0.05, 0.005), "ema_kimg": (0.0, 5000.0), "p": (0.0, 0.55)}


@pytest.mark.parametrize("model", ["r3gan", "r3gan-conditional"])
def test_five_numbers_change_by_a_cosine_over_20_of_250_million_images(model: str) -> None:
    config = resolve(zoo(), model, {"size": 32}).config
    assert config.steps * config.batch == pytest.approx(250e6, rel=1e-5)
    middle, end = 10e6 / config.batch, 20e6 / config.batch
    for step, share in ((0, 0.0), (middle, 0.5), (end / 3, 0.25), (end + 1, 1.0), (config.steps - 1, 1.0)):
        for name, found in five(config, int(step)).items():
            start, last = FIVE[name]
            assert found == pytest.approx(start + share * (last - start), rel=1e-3, abs=2e-3 if start == 0 else 0), name


def five(config: Any, step: int) -> dict[str, float]:
    """The values in a step, of those that are the same in both networks and penalties."""

    def value(number: Any) -> float:
        return at(number, step, config.steps)

    rates = {value(network.lr) for network in (config.generator, config.discriminator)}
    betas = {value(network.options["betas"][1]) for network in (config.generator, config.discriminator)}
    gammas = {value(config.penalties[name].weight) for name in ("r1", "r2")}
    (lr,), (beta2,), (gamma,) = rates, betas, gammas
    ema, p = value(config.ema_kimg), value(config.augment_options["p"])
    return {"lr": lr, "beta2": beta2, "gamma": gamma, "ema_kimg": ema, "p": p}


@pytest.mark.parametrize(
    ("size", "options", "problem"),
    [
        (32, {"width": 36}, "72 feature maps of a block cannot be in groups of 16"),
        (256, {"width": 4}, "options.width=4 leaves no feature maps at 256 pixels"),
    ],
)
def test_widths_that_do_not_fit(size: int, options: dict[str, int], problem: str) -> None:
    with pytest.raises(UsageError, match=f"(?m)^{problem}$"):
        Discriminator(shape(size), Options(**options))


@pytest.mark.parametrize("field", ["latent_dim", "width", "wide_to", "blocks", "expansion", "group"])
def test_options_are_at_least_1(field: str) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        Options(**{field: 0})
