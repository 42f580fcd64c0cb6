"""The plugin ``stylegan2`` does what every plugin must, and what its paper says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganzoo import ImageShape, api
from ganzoo.errors import UsageError
from ganzoo.testing import PluginConformance
from ganzoo.training.objective import Phase
from ganzoo.training.trainer import Trainer
from ganzoo_plugins.stylegan2 import Options
from ganzoo_plugins.stylegan2.networks import MEAN_RATE, Discriminator, Generator, StyledConvolution, feature_maps

NARROW = {"options": {"width": 8, "latent_dim": 8, "style_dim": 8}}


class TestConformance(PluginConformance):
    plugin = "stylegan2"
    settings = NARROW


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def shape(size: int = 8, channels: int = 1) -> ImageShape:
    return ImageShape(channels=channels, height=size, width=size)


def generator(size: int = 8, width: int = 8) -> Generator:
    """An untrained one whose noise has strength."""
    made = Generator(shape(size), Options(width=width, latent_dim=8, style_dim=8))
    for layer in made.modules():
        if isinstance(layer, StyledConvolution):
            torch.nn.init.constant_(layer.strength, 0.5)
    return made


def test_there_are_as_many_feature_maps_as_in_the_code() -> None:
    """min(32768 // side, 512) of cfg_specs['cifar'], whatever the image's size."""
    for size in (32, 64, 128, 256):
        expected = {side: min(32_768 // side, 512) for side in (4, 8, 16, 32, 64, 128, 256) if side <= size}
        assert feature_maps(shape(size), Options()) == expected
    assert feature_maps(shape(8), Options()) == {4: 32, 8: 32}


@pytest.mark.parametrize("style", [0.1, 1.0, 30.0])
def test_a_demodulated_convolution_of_white_noise_has_variance_1(style: float) -> None:
    """sum_ik (s_i w_ijk)^2 demodulated is the variance of each output, exactly, whatever the style."""
    layer = StyledConvolution(6, 5, 8, 4, up=False).convolution
    w = style * torch.randn(3, 4)
    modulated = layer.style(w)[:, None, :, None, None] * layer.weight * layer.scale
    demodulation = layer._demodulation(layer.style(w), layer.weight * layer.scale)
    variance = (modulated * demodulation[:, :, None, None, None]).square().sum((2, 3, 4))
    torch.testing.assert_close(variance, torch.ones(3, 5), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_truncation_is_a_line_from_the_mean_to_w() -> None:
    made = generator().eval()
    made.mapping.w_mean.normal_()
    z, batch = torch.randn(5, 8), torch.ones(5, 1)
    w, mean = made.mapping(z, None), made.mapping.w_mean
    torch.testing.assert_close(made.mapping(z, 0.25 * batch), mean + 0.25 * (w - mean))
    assert torch.equal(made(z, None, batch), made(z, None))
    one = made(z, None, 0 * batch)
    assert torch.equal(one, one[:1].expand_as(one))
    assert not torch.allclose(one, made(z, None))


def test_truncation_in_the_exported_file(tmp_path: Path) -> None:
    store = tmp_path / "registry"
    settings = {**NARROW, "batch": 8, "steps": 3, "device": "cpu", "threads": 1}
    api.train("stylegan2", settings=settings, registry=store, runs=tmp_path / "runs")

    def sampled(**controls: float) -> NDArray[np.uint8]:
        return api.load("stylegan2", registry=store).pixels(seed=0, n=6, controls=controls)[0]

    one, untruncated = sampled(truncation=0.0), sampled()
    assert (one == one[:1]).all()
    assert (sampled(truncation=1.0) == untruncated).all()
    assert (untruncated != untruncated[:1]).any()


@torch.no_grad()
def test_noise_is_drawn_in_training_and_constant_in_eval_mode() -> None:
    made, z = generator(), torch.randn(3, 8)
    assert not torch.equal(made(z, None), made(z, None))
    torch.manual_seed(1)
    first = made(z, None)
    torch.manual_seed(1)
    assert torch.equal(made(z, None), first)
    made.eval()
    assert torch.equal(made(z, None), made(z, None))
    same = made(z[:1].expand(2, -1), None)
    assert torch.equal(same[0], same[1])  # one noise for all images


@torch.no_grad()
def test_the_mean_of_w_follows_in_training_alone() -> None:
    made, z = generator(), torch.randn(16, 8)
    expected = MEAN_RATE * made.mapping.layers(z).mean(0)
    made(z, None)
    torch.testing.assert_close(made.mapping.w_mean, expected)
    made.eval()(z, None)
    torch.testing.assert_close(made.mapping.w_mean, expected)


def planned(tmp_path: Path, **settings: object) -> Trainer:
    small = {**NARROW, "batch": 8, "device": "cpu", "precision": "fp64", "threads": 1, **settings}
    return api.plan("stylegan2", settings=small, registry=tmp_path).trainer


def test_r1_acts_on_every_16th_step_with_16_times_its_weight(tmp_path: Path) -> None:
    trainer = planned(tmp_path, penalties={"r1": {"weight": 0.01, "every": 16}})
    objective = trainer.objective
    assert [n for n in range(64) if objective.phase("discriminator", n).due] == [0, 16, 32, 48]
    batch = trainer.batches.draw(0, 0)
    fake = objective.generate(batch).detach()

    def gradient(due: tuple[int, ...]) -> torch.Tensor:
        objective.discriminator.zero_grad()
        objective.gradients(Phase("discriminator", due), batch, fake, None)
        return torch.cat(
            [weight.grad.flatten() for weight in objective.discriminator.parameters() if weight.grad is not None]
        )

    objective.discriminator.zero_grad()
    images = batch.real.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(objective.discriminator(images, None).sum(), images, create_graph=True)
    weights = list(objective.discriminator.parameters())
    penalty = 16 * 0.01 * slope.square().sum((1, 2, 3)).mean() / 2
    parts = torch.autograd.grad(penalty, weights, materialize_grads=True, allow_unused=True)
    expected = torch.cat([part.flatten() for part in parts])
    torch.testing.assert_close(gradient((0,)) - gradient(()), expected, rtol=1e-8, atol=1e-10)


def test_it_is_configured_as_published(tmp_path: Path) -> None:
    """cfg_specs['cifar'], with training_loop.py's c = 4 / 5 and 16 / 17 for lazy regularisation."""
    config = api.plan(
        "stylegan2", settings={"size": 32, "device": "cpu", "options": {"width": 8}}, registry=tmp_path
    ).recipe.config
    assert (config.batch, config.ema_kimg, config.steps * config.batch) == (64, 500, 100_000_000)
    assert (config.penalties["r1"].weight, config.penalties["r1"].every) == (0.01, 16)
    assert config.generator.lr == pytest.approx(2e-3)
    assert config.discriminator.lr == pytest.approx(2.5e-3 * 16 / 17)


@pytest.mark.parametrize("name", ["width", "latent_dim", "mapping_layers"])
def test_a_size_below_1(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must be at least 1"):
        planned(tmp_path, options={name: 0})


def test_a_batch_of_no_whole_groups_is_refused_before_the_run_exists(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="groups of 32, and this one has 48 images"):
        planned(tmp_path, batch=48, **NARROW)
    with pytest.raises(UsageError, match="groups of 32, and this one has 48 images"):  # what is seen at a time counts
        planned(tmp_path, batch=96, accumulate=2, **NARROW)


def test_a_critic_sees_that_samples_are_alike() -> None:
    """The channel before the last convolution is 0, but for sqrt(1e-8), where they are the same."""
    made = Discriminator(shape(), Options(width=8))
    (place,) = [n for n, layer in enumerate(made.layers) if type(layer).__name__ == "MinibatchStdDev"]
    alike = made.layers[: place + 1](torch.randn(1, 1, 8, 8).expand(4, -1, -1, -1))
    assert alike.shape == (4, 9, 4, 4)
    torch.testing.assert_close(alike[:, 8], torch.full((4, 4, 4), 1e-4), rtol=1e-2, atol=1e-6)
