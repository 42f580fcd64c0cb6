"""What a run reports between two resets."""

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from ganzoo.training.ranks import Ranks
from ganzoo.training.telemetry import NORMS_EVERY, READ_EVERY, Telemetry

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(torch.device("cpu"))


def test_means_since_the_last_reset(telemetry: Telemetry) -> None:
    for value in (1.0, 2.0, 6.0):
        telemetry.log("loss_d", torch.tensor(value))
    telemetry.log("r1", torch.tensor(0.25))
    assert telemetry.means() == {"loss_d": 3.0, "r1": 0.25}  # each over its own count: r1 was due once
    telemetry.reset()
    assert telemetry.means() == {}
    telemetry.log("loss_d", torch.tensor(-4.0))
    assert telemetry.means() == {"loss_d": -4.0}


def test_the_means_survive_a_checkpoint(telemetry: Telemetry) -> None:
    for value in (1.0, 2.0):
        telemetry.log("loss_d", torch.tensor(value))
    resumed = Telemetry(torch.device("cpu"))
    resumed.load_state(telemetry.state())
    resumed.log("loss_d", torch.tensor(6.0))
    assert resumed.means() == {"loss_d": 3.0}


def test_sums_do_not_lose_small_values(telemetry: Telemetry) -> None:
    """In fp32 the sum 2^24 + 1 is 2^24."""
    telemetry.log("x", torch.tensor(2.0**24))
    telemetry.log("x", torch.tensor(1.0))
    assert telemetry.means()["x"] == (2**24 + 1) / 2


def test_what_is_logged_keeps_no_graph(telemetry: Telemetry) -> None:
    weight = torch.ones((), requires_grad=True)
    telemetry.log("x", weight * 2)
    assert not telemetry._sums["x"].requires_grad


@pytest.mark.parametrize("bad", [NAN, INFINITY, -INFINITY])
def test_the_first_bad_step_is_remembered(telemetry: Telemetry, bad: float) -> None:
    for step, value in enumerate([1.0, 2.0, bad, 3.0, NAN]):
        assert telemetry.bad_step() == (None if step <= 2 else 2)
        telemetry.watch(torch.tensor(value), step)
    telemetry.means()
    assert telemetry.bad_step() == 2


def test_step_zero_counts(telemetry: Telemetry) -> None:
    telemetry.watch(torch.tensor(NAN), 0)
    telemetry.watch(torch.tensor(NAN), 1)
    assert telemetry.bad_step() == 0


def test_the_step_is_told_when_somebody_asks_in_time(telemetry: Telemetry) -> None:
    """Several losses a step, and a reading in each ``READ_EVERY``-th step only."""
    for step in range(3 * READ_EVERY):
        for value in (1.0, NAN if step == 100 else -1.0, 2.0):
            telemetry.watch(torch.tensor(value), step)
        if (step + 1) % READ_EVERY == 0:
            assert telemetry.bad_step() == (100 if step + 1 == 2 * READ_EVERY else None)
            if step + 1 == 2 * READ_EVERY:
                telemetry.load_state({})


def test_large_losses_are_finite(telemetry: Telemetry) -> None:
    for step in range(1000):
        telemetry.watch(torch.tensor(torch.finfo(torch.float32).max), step)
    assert telemetry.bad_step() is None


def test_a_value_whose_memory_is_used_again(telemetry: Telemetry) -> None:
    """As a CUDA graph's output is."""
    value = torch.tensor(1.0)
    telemetry.log("x", value)
    telemetry.watch(value, 0)
    value.fill_(NAN)
    assert telemetry.means() == {"x": 1.0}
    assert telemetry.bad_step() is None


def test_gradient_norms(telemetry: Telemetry) -> None:
    """Over all parameters with a gradient together, in every ``NORMS_EVERY``-th step."""
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1, 2)), nn.Parameter(torch.zeros(3))]
    for step in range(2 * NORMS_EVERY):
        parameters[0].grad = torch.tensor([2.0, 3.0]) * (1 + step)
        parameters[1].grad = torch.tensor([[6.0, 0.0]]) * (1 + step)
        telemetry.gradients("discriminator", parameters, step)
    assert telemetry.means() == {"grad_norm_d": pytest.approx((7 + 7 * (1 + NORMS_EVERY)) / 2)}
    telemetry.gradients("generator", parameters[2:], 0)
    assert "grad_norm_g" not in telemetry.means()


def test_ranks_report_the_same(telemetry: Telemetry) -> None:
    class Two(Ranks):
        def average_(self, tensors: Sequence[torch.Tensor]) -> None:
            for tensor in tensors:
                tensor.add_(3.0).div_(2)

    telemetry.log("x", torch.tensor(1.0))
    telemetry.average(Two(0, 2))
    assert telemetry.means() == {"x": 2.0}
