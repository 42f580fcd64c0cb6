"""Spectral norm, conditional BatchNorm, pixel norm and the deviation of a batch, against the papers' equations."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.layers import ConditionalBatchNorm2d, MinibatchStdDev, PixelNorm, spectral_norm

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(6, 5),
    "convolution": lambda: nn.Conv2d(3, 5, 3),
    "transposed": lambda: nn.ConvTranspose2d(5, 3, 3),
    "embedding": lambda: nn.Embedding(6, 5),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def as_matrix(layer: nn.Module, weight: Tensor) -> Tensor:
    """A row for each output."""
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1).detach()


@pytest.mark.parametrize("kind", LAYERS)
def test_spectral_norm_is_that_of_the_singular_values(kind: str) -> None:
    layer = LAYERS[kind]().double()
    original = layer.weight.detach().clone()  # type: ignore[operator]
    assert spectral_norm(layer) is layer
    for _ in range(300):
        weight = layer.weight
    assert isinstance(weight, Tensor)
    sigma = np.linalg.svd(as_matrix(layer, original).numpy(), compute_uv=False)[0]
    torch.testing.assert_close(weight.detach(), original / sigma, rtol=1e-9, atol=1e-12)


def test_a_pass_in_training_is_a_step_of_power_iteration() -> None:
    """Algorithm 1: u = W v / |W v|, v = W^T u / |W^T u|; and in eval mode both rest, and sigma is theirs."""
    layer = spectral_norm(nn.Conv2d(3, 5, 3)).double()
    u, v = (buffer for _, buffer in layer.named_buffers())
    weight = as_matrix(layer, layer.parametrizations.weight.original)  # type: ignore[union-attr, arg-type]
    expected_u = F.normalize(weight @ v, dim=0)
    expected_v = F.normalize(weight.T @ expected_u, dim=0)
    layer(normal(1, 3, 4, 4))
    torch.testing.assert_close((u, v), (expected_u, expected_v))  # written in place
    layer.eval()
    torch.testing.assert_close(as_matrix(layer, layer.weight), weight / (u @ weight @ v))
    torch.testing.assert_close((u, v), (expected_u, expected_v), rtol=0, atol=1e-15)


def test_the_gradient_through_sigma_is_equation_12() -> None:
    """dL/dW = (G - <G, W/sigma> u v^T) / sigma, with G = dL/d(W/sigma): W does not grow along its own direction."""
    layer = spectral_norm(nn.Linear(4, 3)).double().eval()
    u, v = (buffer for _, buffer in layer.named_buffers())
    upstream = normal(3, 4)
    normalised = layer.weight
    (normalised * upstream).sum().backward()  # type: ignore[no-untyped-call]
    original = layer.parametrizations.weight.original  # type: ignore[union-attr]
    sigma = u @ original.detach() @ v  # type: ignore[operator]
    expected = (upstream - (upstream * normalised).sum() * torch.outer(u, v)) / sigma
    torch.testing.assert_close(original.grad, expected.detach())


def test_conditional_batchnorm_starts_as_batchnorm() -> None:
    x = normal(8, 3, 4, 4) * 3 + 1
    plain = nn.BatchNorm2d(3, affine=False).double()
    layer = ConditionalBatchNorm2d(3, classes=5).double()
    torch.testing.assert_close(layer(x, torch.arange(8) % 5), plain(x))
    torch.testing.assert_close(layer.norm.running_var, plain.running_var)


def test_conditional_batchnorm_of_labels() -> None:
    """Each sample is scaled and shifted by its label's row."""
    layer = ConditionalBatchNorm2d(3, classes=5).double()
    gain, bias = layer.gain.weight, layer.bias.weight
    assert isinstance(gain, Tensor)
    assert isinstance(bias, Tensor)
    nn.init.normal_(gain)
    nn.init.normal_(bias)
    x, labels = normal(4, 3, 2, 2), torch.tensor([4, 0, 4, 2])
    found = layer(x, labels)
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    for sample, label in enumerate(labels):
        for channel in range(3):
            normalised = (x[sample, channel] - mean[channel]) / (var[channel] + 1e-5).sqrt()
            expected = (1 + gain[label, channel]) * normalised + bias[label, channel]
            torch.testing.assert_close(found[sample, channel], expected)


@pytest.mark.parametrize("spectral", [False, True])
def test_conditional_batchnorm_of_vectors(spectral: bool) -> None:
    layer = ConditionalBatchNorm2d(3, features=4, spectral=spectral).double().eval()
    x, condition = normal(2, 3, 2, 2), normal(2, 4)
    gain, bias = (condition @ each.weight.T for each in (layer.gain, layer.bias))  # type: ignore[operator]
    normalised = x / (1 + 1e-5) ** 0.5  # the statistics as they begin: 0 and 1
    torch.testing.assert_close(layer(x, condition), (1 + gain[..., None, None]) * normalised + bias[..., None, None])
    assert any("original" in name for name, _ in layer.named_parameters()) == spectral


@pytest.mark.parametrize(("classes", "features"), [(0, 0), (2, 3)])
def test_conditional_batchnorm_of_both_or_neither(classes: int, features: int) -> None:
    with pytest.raises(UsageError) as caught:
        ConditionalBatchNorm2d(3, classes=classes, features=features)
    assert str(caught.value) == f"ConditionalBatchNorm2d is given classes={classes} and features={features}"
    assert caught.value.hint == "one of the two: the number of labels, or the length of a vector"


def test_a_table_of_zeros_has_no_direction() -> None:
    with pytest.raises(UsageError, match="cannot be spectrally normalised: its table starts at 0"):
        ConditionalBatchNorm2d(3, classes=2, spectral=True)


def test_pixel_norm() -> None:
    """b_xy = a_xy / sqrt(1/N sum_j a^j_xy^2 + 1e-8): of maps and of vectors."""
    x = normal(2, 5, 3, 2)
    expected = np.empty(x.shape)
    for b, i, j in np.ndindex(2, 3, 2):
        a = x[b, :, i, j].numpy()
        expected[b, :, i, j] = a / np.sqrt((a**2).sum() / 5 + 1e-8)
    np.testing.assert_allclose(PixelNorm()(x).numpy(), expected, rtol=1e-13)
    torch.testing.assert_close(PixelNorm()(x[:, :, 0, 0]), torch.from_numpy(expected[:, :, 0, 0]))
    assert not PixelNorm()(torch.zeros(1, 5)).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 1e3])
def test_pixel_norm_in_half_precision(dtype: torch.dtype, size: float) -> None:
    x = torch.full((1, 4), size).to(dtype)
    torch.testing.assert_close(PixelNorm()(x).float(), PixelNorm()(x.float()), rtol=0.01, atol=0)


@given(
    groups=st.integers(1, 3),
    group=st.integers(1, 4),
    parts=st.integers(1, 2),
    each=st.integers(1, 3),
    seed=st.integers(0),
)
def test_minibatch_stddev_is_that_of_its_groups(groups: int, group: int, parts: int, each: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(groups * group, parts * each, 2, 3))
    found = MinibatchStdDev(group, parts)(torch.from_numpy(x)).numpy()
    assert found.shape == (groups * group, parts * each + parts, 2, 3)
    assert np.array_equal(found[:, : parts * each], x)
    for n in range(groups * group):
        mates = x[n % groups :: groups]
        assert len(mates) == group
        for part in range(parts):
            deviations = np.sqrt(mates[:, part * each : (part + 1) * each].var(0) + 1e-8)
            np.testing.assert_allclose(found[n, parts * each + part], deviations.mean(), rtol=1e-10)


def test_a_batch_smaller_than_a_group_is_one() -> None:
    x = normal(2, 3, 2, 2)
    torch.testing.assert_close(MinibatchStdDev(8)(x), MinibatchStdDev(2)(x))


def test_a_batch_that_groups_do_not_divide() -> None:
    with pytest.raises(UsageError) as caught:
        MinibatchStdDev(4)(normal(6, 3, 2, 2))
    assert str(caught.value) == "MinibatchStdDev divides a batch into groups of 4, and this one has 6 images"
    assert caught.value.hint == "--batch: a multiple of 4, in each part on each rank"


def test_channels_that_parts_do_not_divide() -> None:
    with pytest.raises(UsageError, match="appends 2 channels, of as many parts of the map's 3"):
        MinibatchStdDev(4, channels=2)(normal(4, 3, 2, 2))


@pytest.mark.parametrize("layer", [PixelNorm(), MinibatchStdDev(2)])
def test_gradients_of_both_orders(layer: nn.Module) -> None:
    x = normal(4, 2, 2, 1).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_samples_that_are_alike_have_a_gradient() -> None:
    """The root's slope at a variance of 0 is finite by its 1e-8."""
    x = torch.ones(4, 2, 2, 2, requires_grad=True)
    MinibatchStdDev(4)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
