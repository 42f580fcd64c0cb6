"""The average of the generator's weights: its half-life, its ramp, and what it does with buffers."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.training.ema import EMA
from ganzoo.training.trainer import Trainer

FAR = 10**9
"""So many images shown that the ramp is long past."""


def live_at_one() -> tuple[nn.Sequential, EMA]:
    """A generator with weights 1 whose average still has weights 0."""
    live = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    for tensor in live.state_dict().values():
        tensor.zero_()
    ema = EMA(live)
    for tensor in live.state_dict().values():
        tensor.fill_(1)
    return live, ema


def averages(ema: EMA) -> torch.Tensor:
    return torch.cat([value.flatten() for value in ema.generator.state_dict().values() if value.is_floating_point()])


@pytest.mark.parametrize("batch", [50, 100, 1000])
def test_half_of_the_difference_is_gone_after_a_half_life(batch: int) -> None:
    _, ema = live_at_one()
    for _ in range(1000 // batch):
        ema.update(1000, FAR, batch)
    torch.testing.assert_close(averages(ema), torch.full_like(averages(ema), 0.5))


@given(batches=st.lists(st.integers(1, 3000), min_size=1, max_size=8), kimg=st.floats(0.1, 50))
def test_only_the_images_count_and_not_how_they_are_batched(batches: list[int], kimg: float) -> None:
    """1 - average = 0.5 ^ (images / half-life), past the ramp."""
    _, ema = live_at_one()
    for batch in batches:
        ema.update(1000 * kimg, FAR, batch)
    left = 0.5 ** (sum(batches) / (kimg * 1000))
    torch.testing.assert_close(averages(ema), torch.full_like(averages(ema), 1 - left), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("shown", "half_life"),
    [(2_000, 100), (100_000, 5_000), (200_000, 10_000), (10_000_000, 10_000)],
)
def test_the_half_life_ramps_up_to_its_value(shown: int, half_life: int) -> None:
    """min(10,000, 5 % of the images shown)."""
    _, ema = live_at_one()
    ema.update(10_000, shown, half_life)
    torch.testing.assert_close(averages(ema), torch.full_like(averages(ema), 0.5))


def test_a_schedule_says_itself_how_the_half_life_rises(make_trainer: Callable[..., Trainer]) -> None:
    """Of 1 kimg in every step: no ramp. A generator that moves by 1 has moved its average by 1 - .5^(batch / 1000)."""
    trainer = make_trainer("vanilla", batch=100, ema_kimg={"from": 1.0, "to": 1.0})

    def weights(network: nn.Module) -> torch.Tensor:
        return torch.cat([weight.detach().flatten() for weight in network.parameters()])

    before = weights(trainer.generator)
    trainer.step()
    moved, mine = weights(trainer.generator) - before, weights(trainer.ema.generator) - before
    torch.testing.assert_close(mine, moved * (1 - 0.5**0.1), rtol=1e-3, atol=1e-7)


def test_the_first_step_leaves_almost_nothing_of_the_initial_weights() -> None:
    """64 of 64 images shown, half-life 3.2: 0.5^20 is left."""
    _, ema = live_at_one()
    ema.update(10_000, 64, 64)
    torch.testing.assert_close(1 - averages(ema), torch.full_like(averages(ema), 2.0**-20), rtol=0.1, atol=0)


def test_statistics_are_averaged_and_counters_copied() -> None:
    live, ema = live_at_one()
    live.state_dict()["1.num_batches_tracked"].fill_(41)
    ema.update(1000, FAR, 1000)
    averaged = ema.generator.state_dict()
    assert averaged["1.num_batches_tracked"].item() == 41
    torch.testing.assert_close(averaged["1.running_mean"], torch.full((2,), 0.5))
    torch.testing.assert_close(averaged["1.running_var"], torch.full((2,), 0.5))


def test_the_average_is_another_network_in_eval_mode() -> None:
    live, ema = live_at_one()
    assert live.training
    assert not ema.generator.training
    assert not any(parameter.requires_grad for parameter in ema.generator.parameters())
    assert not {p.data_ptr() for p in live.parameters()} & {p.data_ptr() for p in ema.generator.parameters()}
    ema.update(1000, FAR, 1000)
    assert all((value == 1).all() for value in live.state_dict().values())


def test_the_trainer_counts_the_images_of_all_critic_steps(make_trainer: Callable[..., Trainer]) -> None:
    """After one step of 3 x 8 images the half-life is 1.2 images: the average is the generator but for 0.5^20."""
    trainer = make_trainer("vanilla", critic_steps=3)
    before = {key: value.clone() for key, value in trainer.ema.generator.named_parameters()}
    trainer.step()
    live = dict(trainer.generator.named_parameters())
    for key, average in trainer.ema.generator.named_parameters():
        torch.testing.assert_close(average, before[key].lerp(live[key], 1 - 2.0**-20), rtol=0, atol=1e-7)


def test_tied_weights_are_averaged_once() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Linear(1, 1, bias=False)
            self.two = torch.nn.Linear(1, 1, bias=False)
            self.two.weight = self.one.weight

    live = Tied()
    torch.nn.init.zeros_(live.one.weight)
    ema = EMA(live)
    torch.nn.init.ones_(live.one.weight)
    ema.update(1000, 10**9, 1000)
    assert ema.generator.get_parameter("two.weight").item() == pytest.approx(0.5)


def test_a_buffer_that_was_replaced() -> None:
    live = torch.nn.Linear(1, 1)
    live.register_buffer("w_mean", torch.zeros(1))
    ema = EMA(live)
    live.w_mean = torch.ones(1)
    ema.update(1000, 10**9, 1000)
    assert ema.generator.get_buffer("w_mean").item() == 1


def spectral_norms(network: nn.Module) -> list[float]:
    """The largest singular value of each matrix that is in use."""
    return [
        float(torch.linalg.matrix_norm(weight.flatten(1), 2))
        for module in network.modules()
        if parametrize.is_parametrized(module)
        for weight in [cast(torch.Tensor, module.weight).detach()]
    ]


@given(seed=st.integers(0, 2**31), kimg=st.floats(0.1, 2))
def test_the_spectral_norm_of_the_average_is_1(seed: int, kimg: float) -> None:
    """Close singular values, which spectral norm brings about, turn u and v round all the time."""
    torch.manual_seed(seed)
    live = nn.Sequential(*(spectral_norm(layer) for layer in (nn.Linear(12, 12), nn.Conv2d(3, 12, 2))))
    with torch.no_grad():
        live.get_parameter("0.parametrizations.weight.original").copy_(torch.linalg.qr(torch.randn(12, 12))[0])
    ema = EMA(live)
    for _ in range(60):
        with torch.no_grad():
            for weight in live.parameters():
                weight.add_(0.002 * torch.randn_like(weight))
        for layer in live:
            assert cast(torch.Tensor, layer.weight).isfinite().all()  # one power iteration
        ema.update(1000 * kimg, FAR, 64)
    assert max(spectral_norms(ema.generator)) < 1.1
    for name in ("_u", "_v"):
        vectors = [value for key, value in ema.generator.named_buffers() if key.endswith(name)]
        torch.testing.assert_close(torch.stack([vector.norm() for vector in vectors]), torch.ones(2))


class Counting(nn.Module):
    """One buffer of each type, none of which is a statistic."""

    seen: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(2))  # its name alone makes it none
        self.register_buffer("filter", torch.zeros(3, dtype=torch.float64))
        self.register_buffer("cache", torch.zeros(3, dtype=torch.float16), persistent=False)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mask", torch.zeros(2, dtype=torch.bool))
        self.register_buffer("phase", torch.zeros(2, dtype=torch.complex64))
        self.register_buffer("same", self.seen)


@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=4))
def test_every_other_buffer_is_that_of_the_generator(values: list[int]) -> None:
    live = nn.Sequential(Counting(), nn.utils.parametrizations.orthogonal(nn.Linear(3, 3)), nn.InstanceNorm1d(2))
    ema = EMA(live)
    for value in values:
        for buffer in live.buffers():
            buffer.fill_(value)
        ema.update(1000, FAR, 64)
        assert all(torch.equal(mine, its) for mine, its in zip(ema.generator.buffers(), live.buffers(), strict=True))


def test_statistics_of_other_norms_are_averaged() -> None:
    class Own(nn.BatchNorm2d):
        pass

    for norm in (nn.InstanceNorm1d(2, track_running_stats=True), Own(2)):
        ema = EMA(norm)
        norm.get_buffer("running_mean").fill_(1)
        ema.update(1000, FAR, 1000)
        assert ema.generator.get_buffer("running_mean").tolist() == pytest.approx([0.5, 0.5])
