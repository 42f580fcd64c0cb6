"""FastGAN: the skip-layer excitation by its equation, and decoders that teach the discriminator alone."""

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.specs import ImageShape
from ganzoo.step import as_output
from ganzoo.testing import PluginConformance
from ganzoo.training import Step
from ganzoo_plugins.fastgan import Options
from ganzoo_plugins.fastgan.blocks import Halved, Noise, SkipLayerExcitation
from ganzoo_plugins.fastgan.networks import Discriminator, Generator, quarter_of


class TestConformance(PluginConformance):
    plugin = "fastgan"
    settings: ClassVar[Mapping[str, Any]] = {"options": {"width": 4}, "batch": 8, "augment": ""}


def shape(size: int) -> ImageShape:
    return ImageShape(channels=1, height=size, width=size)


def images(count: int, size: int) -> Tensor:
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("side", [2, 4, 8])
@torch.no_grad()
def test_skip_layer_excitation(side: int) -> None:
    """y = F(x_low, W) x_high: mean down to 4x4, a convolution down to 1x1, LeakyReLU, 1x1, logistic (equation 1)."""
    layer = SkipLayerExcitation(3, 5, side).double().eval()
    low, high = torch.randn(2, 3, side, side).double(), torch.randn(2, 5, 16, 16).double()
    first, second = (each.weight for each in layer.factor if isinstance(each, nn.Conv2d))
    pooled = F.adaptive_avg_pool2d(low, min(side, 4))
    hidden = torch.einsum("bcyx,ocyx->bo", pooled, first)
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden)
    factor = 1 / (1 + torch.exp(-hidden @ second[:, :, 0, 0].T))
    expected = high.clone()
    for image in range(2):
        for channel in range(5):
            expected[image, channel] *= factor[image, channel]
    torch.testing.assert_close(layer(low, high), expected)


@pytest.mark.parametrize(
    ("size", "pairs"),
    [(256, {64: 4, 128: 8, 256: 16}), (128, {64: 4, 128: 8}), (64, {64: 4}), (32, {32: 4}), (16, {16: 4}), (8, {8: 2})],
)
def test_which_map_excites_which(size: int, pairs: dict[int, int]) -> None:
    """The paper's three pairs at 256 pixels; in images too small for one, the coarsest map the finest."""
    generator = Generator(shape(size), Options(width=2, latent_dim=4))
    assert {int(side) for side in generator.excitations} == set(pairs)
    assert {side: generator.coarse(side, generator.base, size) for side in pairs} == pairs
    with torch.no_grad():
        assert generator(torch.randn(2, 4), None).shape == (2, 1, size, size)


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128, 256])
@torch.no_grad()
def test_maps_of_the_discriminator(size: int) -> None:
    """Logits of 5x5 patches, f1 of 16x16 and f2 of 8x8 pixels as in the paper, or smaller ones of small images."""
    answer = Discriminator(shape(size), Options(width=2))(images(2, size), None)
    last = min(8, size // 4)
    assert answer.logits.shape == ((2, 1, 5, 5) if size > 16 else (2, 1, 1, 1))
    assert answer.extras["f1"].shape[2:] == (2 * last, 2 * last)
    assert answer.extras["f2"].shape[2:] == (last, last)


def test_a_block_of_the_discriminator_is_the_mean_of_its_paths() -> None:
    block = Halved(2, 3).double().eval()
    x = torch.randn(2, 2, 8, 8).double()
    first, second, third = (each.weight for each in block.modules() if isinstance(each, nn.Conv2d))
    norms = 1 / (1 + 1e-5)  # twice the root that BatchNorm divides by before it has seen anything
    h = F.leaky_relu(F.conv2d(x, first, stride=2, padding=1) * norms**0.5, 0.2)
    h = F.leaky_relu(F.conv2d(h, second, padding=1) * norms**0.5, 0.2)
    direct = F.leaky_relu(F.conv2d(F.avg_pool2d(x, 2), third) * norms**0.5, 0.2)
    torch.testing.assert_close(block(x), (h + direct) / 2)


def test_quarters() -> None:
    x = torch.arange(4 * 16.0).view(4, 1, 4, 4)
    found = quarter_of(x, torch.tensor([0, 1, 2, 3]))
    corners = [(0, 0), (0, 2), (2, 0), (2, 2)]
    for image, (top, left) in enumerate(corners):
        assert torch.equal(found[image], x[image, :, top : top + 2, left : left + 2])


def never() -> NoReturn:
    raise AssertionError("the generated images are read")


def step_of(network: Discriminator, real: Tensor, uniform: Tensor) -> Step:
    """The discriminator's phase, in which the fakes must not be read, and these numbers are drawn."""
    return Step(
        real=lambda: real,
        fake=never,
        z=torch.zeros(len(real), 4),
        labels=None,
        epsilon=torch.full((len(real), 1, 1, 1), 0.5),
        discriminator=lambda given: as_output(network(given, None)),
        log=lambda name, value: None,
        draw=lambda distribution, like: uniform.view(like.shape),
    )


@pytest.mark.parametrize("size", [8, 32, 64])
@torch.no_grad()
def test_the_decoders_term(size: int) -> None:
    """|G(f1 of a quarter) - that quarter| + |G(f2) - the image at half its size|, of each image by itself (eq. 2)."""
    network = Discriminator(shape(size), Options(width=2)).eval()
    real, half = images(4, size), size // 2
    found = network.regularise(step_of(network, real, torch.tensor([0.0, 0.3, 0.5, 0.99])))
    total = 0.0
    for image, (top, left) in zip(real, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        extras = network(image[None], None).extras
        side = extras["f1"].shape[2] // 2
        f1 = extras["f1"][:, :, top * side : (top + 1) * side, left * side : (left + 1) * side]
        quarter = image[:, top * half : (top + 1) * half, left * half : (left + 1) * half]
        small = image.view(1, half, 2, half, 2).mean((2, 4))
        total += float((network.part(f1)[0] - quarter).abs().mean())
        total += float((network.whole(extras["f2"])[0] - small).abs().mean())
    assert found.item() == pytest.approx(total / 4, rel=1e-5)


def test_the_decoders_term_reaches_the_discriminator_alone() -> None:
    """It reads no generated image (``never``); its trunk and decoders have a gradient, its head has none."""
    network = Discriminator(shape(32), Options(width=2))
    network.regularise(step_of(network, images(4, 32), torch.rand(4))).backward()  # type: ignore[no-untyped-call]
    learns = {name.partition(".")[0] for name, weight in network.named_parameters() if weight.grad is not None}
    assert learns == {"stem", "lower", "part", "whole"}
    assert {name.partition(".")[0] for name, _ in network.named_parameters()} - learns == {"head", "score"}
    assert not hasattr(Generator, "regularise")


def test_noise_is_of_training() -> None:
    noise = Noise()
    x = torch.zeros(2, 3, 64, 64)
    assert torch.equal(noise(x), x)
    nn.init.constant_(noise.weight, 2.0)
    drawn = noise(x)
    assert torch.equal(drawn[:, 0], drawn[:, 2])
    assert float(drawn.detach().std()) == pytest.approx(2.0, abs=0.1)
    assert torch.equal(noise.eval()(x), x)


def test_lite_blocks_have_one_convolution_and_no_noise() -> None:
    full, lite = (Generator(shape(64), Options(width=2, lite=lite)) for lite in (False, True))
    for generator, convolutions in ((full, [2, 1, 2, 1]), (lite, [1, 1, 1, 1])):
        blocks = generator.blocks.values()
        assert [sum(isinstance(each, nn.Conv2d) for each in block.modules()) for block in blocks] == convolutions
    assert not any(isinstance(each, Noise) for each in lite.modules())


@pytest.mark.parametrize("wrong", [{"width": 1}, {"latent_dim": 0}])
def test_options_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be at least 1, and width at least 2"):
        Options(**wrong)
