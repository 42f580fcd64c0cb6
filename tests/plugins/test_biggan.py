"""BigGAN: truncation, z in slices, orthogonality, and the two recipes that people call by its name."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hinge import norms, trained
from torch import nn

import ganzoo
from ganzoo import Control, ImageShape, UsageError
from ganzoo.exporting.exporter import export
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_plugins.biggan import Options
from ganzoo_plugins.biggan.networks import Discriminator, Generator, non_orthogonality

SHAPE = ImageShape(channels=1, height=8, width=8, classes=3)
WIDTHS: dict[str, Any] = {"latent_dim": 8, "embedding_dim": 4, "width": 8, "discriminator_width": 8}
NARROW = Options(**WIDTHS)
ORTHOGONAL = Options(**WIDTHS, attention=True, initialisation="orthogonal")


class TestConformance(PluginConformance):
    plugin = "biggan"
    settings: ClassVar[Mapping[str, Any]] = {
        "options": WIDTHS,
        "generator": {"regularise": {"weight": 1e-4}},
    }


@pytest.mark.parametrize("preset", ["", "launch-cifar-ema"])
def test_the_script_of_its_authors_is_the_default(preset: str) -> None:
    config = resolve(zoo(), "biggan", {"size": 32, "preset": preset}).config
    assert (config.batch, config.steps, config.critic_steps) == (50, 500 * 50_000 // (50 * 4), 4)
    for network in (config.generator, config.discriminator):
        assert (network.lr, network.options["betas"]) == (2e-4, (0.0, 0.999))
    assert config.options["initialisation"] == "normal"
    assert not config.options["attention"]
    assert Generator(ImageShape(channels=3, height=32, width=32, classes=10), Options()).maps == [256] * 4


def test_the_recipe_of_studiogan() -> None:
    config = resolve(zoo(), "biggan", {"size": 32, "preset": "studiogan"}).config
    assert (config.batch, config.steps, config.critic_steps) == (64, 100_000, 5)
    for network in (config.generator, config.discriminator):
        assert (network.lr, network.options["betas"]) == (2e-4, (0.5, 0.999))
    assert (config.options["latent_dim"], config.options["width"]) == (80, 4 * 96)
    assert (config.options["initialisation"], config.options["attention"]) == ("orthogonal", True)
    with pytest.raises(UsageError, match="studiogan"):
        resolve(zoo(), "biggan", {"size": 64, "preset": "studiogan"})


@pytest.mark.parametrize("preset", ["", "studiogan"])
def test_the_average_keeps_as_much_of_itself_in_a_step(preset: str) -> None:
    """.9999 a step, and half of itself in ``ema_kimg``."""
    config = resolve(zoo(), "biggan", {"size": 32, "preset": preset}).config
    assert isinstance(config.ema_kimg, float)
    kept = 0.5 ** (config.batch * config.critic_steps / (1000 * config.ema_kimg))
    assert kept == pytest.approx(0.9999, abs=1e-8)


def test_the_first_slice_of_z_is_drawn_and_the_others_condition() -> None:
    generator = Generator(ImageShape(channels=1, height=16, width=16, classes=3), NARROW)
    assert generator.latent_dim == 6  # of 8, in three slices of 2
    seen: list[torch.Tensor] = []
    for block in generator.blocks:
        block.register_forward_hook(lambda module, given, found: seen.append(given[1]))
    generator.first.register_forward_hook(lambda module, given, found: seen.append(given[0]))
    z, labels = torch.randn(5, 6), torch.arange(5) % 3
    generator(z, labels)
    first, *conditions = seen
    assert torch.equal(first, z[:, :2])
    for number, condition in enumerate(conditions, 1):
        assert torch.equal(condition, torch.cat([generator.embedding(labels), z[:, 2 * number : 2 * number + 2]], 1))


def test_a_latent_shorter_than_its_slices_is_refused() -> None:
    with pytest.raises(UsageError, match="each block take a slice of z"):
        Generator(ImageShape(channels=1, height=64, width=64, classes=3), Options(**{**WIDTHS, "latent_dim": 4}))


@pytest.mark.parametrize("option", ["latent_dim", "embedding_dim", "width", "discriminator_width"])
def test_a_number_below_one_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        resolve(zoo(), "biggan", {"options": {option: 0}})


def test_fewer_maps_than_attention_divides_are_refused() -> None:
    with pytest.raises(UsageError, match="with attention, width and discriminator_width must be at least 8"):
        resolve(zoo(), "biggan", {"options": {"attention": True, "width": 4}})


def test_weights_start_orthogonal() -> None:
    """W W^T or W^T W is I, whichever is smaller; the penalty of rows that are is 0, of I + I beside it by hand."""
    for network in (Generator(SHAPE, ORTHOGONAL), Discriminator(SHAPE, ORTHOGONAL)):
        weights = [weight.detach() for weight in network.parameters() if weight.ndim > 1]
        for weight in weights:
            rows = weight.flatten(1)
            gram = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
            torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 3, 3), (7, 1, 1, 1)])
def test_the_regulariser_is_equation_3(shape: tuple[int, ...]) -> None:
    weight = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    rows = weight.flatten(1)
    expected = ((rows @ rows.T) * (1 - torch.eye(len(rows), dtype=torch.float64))).square().sum()
    torch.testing.assert_close(non_orthogonality(weight), expected)
    (gradient,) = torch.autograd.grad(non_orthogonality(weight), weight)
    by_hand = 4 * ((rows @ rows.T) * (1 - torch.eye(len(rows)))) @ rows
    torch.testing.assert_close(gradient.flatten(1), by_hand)


def test_the_regulariser_sums_over_all_weights_but_the_embedding() -> None:
    generator = Generator(SHAPE, NARROW)
    weights = {name: weight for name, weight in generator.named_parameters() if weight.ndim > 1}
    del weights["embedding.weight"]
    assert len(weights) == 1 + 2 * 2 + 3 + 1
    expected = torch.stack([non_orthogonality(weight) for weight in weights.values()]).sum()
    assert torch.equal(generator.regularise(None), expected)  # type: ignore[arg-type]


def test_no_orthogonal_regularisation_unless_it_is_asked_for() -> None:
    def weight(**settings: Any) -> object:
        regularise = resolve(zoo(), "biggan", settings).config.generator.regularise
        return regularise and regularise.weight

    assert weight() == 0
    assert weight(generator={"regularise": {"weight": 1e-4}}) == 1e-4


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


def test_truncation_scales_z(networks: dict[str, nn.Module]) -> None:
    generator = networks["average"]
    z, labels = torch.randn(6, 8), torch.arange(6) % 3
    plain = generator(z, labels)
    assert torch.equal(generator(z, labels, truncation=torch.ones(6, 1)), plain)
    assert torch.equal(generator(z, labels, truncation=torch.full((6, 1), 0.5)), generator(z / 2, labels))


def test_truncation_of_the_exported_file(networks: dict[str, nn.Module]) -> None:
    """0 gives one image of each label, 1 the untruncated; between them the variance within a label falls."""
    card = GeneratorCard(
        name="biggan",
        latent_dim=8,
        channels=1,
        height=8,
        width=8,
        class_names=("a", "b", "c"),
        controls={"truncation": Control(default=1.0)},
    )
    generator = ImageGenerator.from_bytes(export(networks["average"], card)[0], device="cpu", threads=1)

    def sample(value: float) -> np.ndarray[Any, Any]:
        return generator.sample(32, seed=1, label=1, controls={"truncation": value}).astype(float)

    assert np.array_equal(sample(1.0), generator.sample(32, seed=1, label=1))
    assert len(np.unique(sample(0.0).reshape(32, -1), axis=0)) == 1
    spread = [sample(value).var(0).sum() for value in (0.0, 0.3, 0.6, 1.0)]
    assert spread == sorted(spread)
    assert len(set(spread)) == 4


def test_data_without_labels_are_refused(tmp_path: Any) -> None:
    np.save(tmp_path / "images.npy", np.zeros((8, 8, 8), np.uint8))
    with pytest.raises(UsageError, match="architecture 'biggan' needs labels, and the data has none"):
        ganzoo.train("biggan", settings={"data": str(tmp_path / "images.npy")}, runs=tmp_path)
