"""SAGAN: attention that starts as nothing, and spectral norm in both networks, in the average and in the file."""

from collections.abc import Mapping
from typing import Any, ClassVar

import onnx
import pytest
import torch
from hinge import norms, trained
from onnx import numpy_helper
from torch import nn

from ganzoo import ImageShape, UsageError
from ganzoo.exporting.exporter import export
from ganzoo.layers import SelfAttention
from ganzoo.runtime.card import GeneratorCard
from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_plugins.sagan import Options
from ganzoo_plugins.sagan.networks import Discriminator, Generator, downs_before, ups_before

SETTINGS = {"options": {"latent_dim": 8, "width": 8, "discriminator_width": 8}}
SHAPE = ImageShape(channels=1, height=8, width=8, classes=3)
NARROW = Options(latent_dim=8, width=8, discriminator_width=8)


class TestConformance(PluginConformance):
    plugin = "sagan"
    settings: ClassVar[Mapping[str, Any]] = SETTINGS


def test_the_published_configuration() -> None:
    config = resolve(zoo(), "sagan", {"size": 32}).config
    assert (config.batch, config.critic_steps, config.fake_labels) == (256, 1, "uniform")
    assert (config.generator.lr, config.discriminator.lr) == (1e-4, 4e-4)
    assert config.generator.options["betas"] == config.discriminator.options["betas"] == (0.0, 0.9)


@pytest.mark.parametrize(
    ("side", "in_generator", "in_discriminator"),
    [(8, 8, 4), (16, 8, 8), (32, 16, 16), (64, 32, 32), (128, 32, 32)],
)
def test_where_attention_is(side: int, in_generator: int, in_discriminator: int) -> None:
    shape = ImageShape(channels=1, height=side, width=side, classes=2)
    assert 4 * 2 ** ups_before(shape) == in_generator
    assert side // 2 ** downs_before(shape) == in_discriminator


@pytest.mark.parametrize("side", [8, 16, 64])
def test_attention_is_nothing_until_gamma_is_learned(side: int) -> None:
    """At gamma = 0 both networks are those without attention, and each is another one once gamma is not 0."""
    shape = ImageShape(channels=1, height=side, width=side, classes=2)
    labels, z, images = torch.tensor([0, 1]), torch.randn(2, 8), torch.randn(2, 1, side, side)
    for network, inputs in ((Generator(shape, NARROW), z), (Discriminator(shape, NARROW), images)):
        network.eval()
        (attention,) = [module for module in network.modules() if isinstance(module, SelfAttention)]
        with_it = network(inputs, labels)
        hook = attention.register_forward_hook(lambda module, given, found: given[0])
        assert torch.equal(network(inputs, labels), with_it)
        hook.remove()
        nn.init.ones_(attention.gamma)
        assert not torch.allclose(network(inputs, labels), with_it)


@pytest.mark.parametrize("option", ["width", "discriminator_width"])
def test_fewer_maps_than_attention_divides_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match="must be at least 8: attention takes an eighth"):
        resolve(zoo(), "sagan", {"options": {option: 7}})


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    """Trained for 100 steps."""
    return trained(lambda: (Generator(SHAPE, NARROW), Discriminator(SHAPE, NARROW)), 3, 100)


@pytest.mark.parametrize("kind", ["generator", "average", "discriminator"])
def test_every_layer_has_spectral_norm_one_after_training(networks: dict[str, nn.Module], kind: str) -> None:
    layers = [module for module in networks[kind].modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    found = norms(networks[kind])
    assert len(found) == len(layers) + (kind == "discriminator")
    assert all(abs(norm - 1) < 0.02 for norm in found.values()), found


def test_the_file_of_the_average_holds_normalised_weights(networks: dict[str, nn.Module]) -> None:
    card = GeneratorCard(name="sagan", latent_dim=8, channels=1, height=8, width=8, class_names=("a", "b", "c"))
    graph = onnx.load_model_from_string(export(networks["average"], card)[0]).graph
    used = {name for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul") for name in node.input}
    weights = [numpy_helper.to_array(each) for each in graph.initializer if each.name in used and len(each.dims) > 1]
    found = [torch.linalg.matrix_norm(torch.tensor(weight).flatten(1), 2).item() for weight in weights]
    assert len(found) == 1 + 3 + 4 + 1
    assert all(abs(norm - 1) < 0.02 for norm in found), found
