"""What a run reports between two resets."""

import pytest
import torch

from ganzoo.training.telemetry import Telemetry

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(torch.device("cpu"))


def test_means_since_the_last_reset(telemetry):
    for value in (1.0, 2.0, 6.0):
        telemetry.log("loss_d", torch.tensor(value))
    telemetry.log("r1", torch.tensor(0.25))
    assert telemetry.means() == {"loss_d": 3.0, "r1": 0.25}  # each over its own count: r1 was due once
    telemetry.reset()
    assert telemetry.means() == {}
    telemetry.log("loss_d", torch.tensor(-4.0))
    assert telemetry.means() == {"loss_d": -4.0}


def test_the_means_survive_a_checkpoint(telemetry):
    for value in (1.0, 2.0):
        telemetry.log("loss_d", torch.tensor(value))
    resumed = Telemetry(torch.device("cpu"))
    resumed.load_state(telemetry.state())
    resumed.log("loss_d", torch.tensor(6.0))
    assert resumed.means() == {"loss_d": 3.0}


def test_sums_do_not_lose_small_values(telemetry):
    """In fp32 the sum 2^24 + 1 is 2^24."""
    telemetry.log("x", torch.tensor(2.0**24))
    telemetry.log("x", torch.tensor(1.0))
    assert telemetry.means()["x"] == (2**24 + 1) / 2


def test_what_is_logged_keeps_no_graph(telemetry):
    weight = torch.ones((), requires_grad=True)
    telemetry.log("x", weight * 2)
    assert not telemetry._sums["x"].requires_grad


@pytest.mark.parametrize("bad", [NAN, INFINITY, -INFINITY])
def test_the_first_bad_step_is_remembered(telemetry, bad):
    for step, value in enumerate([1.0, 2.0, bad, 3.0, NAN]):
        assert telemetry.bad_step() == (None if step <= 2 else 2)
        telemetry.watch(torch.tensor(value), step)
    telemetry.means()
    assert telemetry.bad_step() == 2


def test_step_zero_counts(telemetry):
    telemetry.watch(torch.tensor(NAN), 0)
    telemetry.watch(torch.tensor(NAN), 1)
    assert telemetry.bad_step() == 0
