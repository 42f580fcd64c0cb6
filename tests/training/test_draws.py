"""Training's random numbers are a function of seed, stream, step and phase, and of nothing else."""

import pytest
import torch
from torch import nn

from ganzoo.training.draws import Draws, derive
from ganzoo.training.networks import Networks
from ganzoo.training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("arguments", "golden"),
    [
        ((0, "init", 0), 900553517829159482),
        ((0, "batch", 0, 0), 1620244590140491379),
        ((7, "batch", 39, 5), 7251183401332204483),
        ((2**63 - 1, "network", 1, 0), 3885236854108296553),
    ],
)
def test_golden_values(arguments, golden):
    """These must never change: a run that is resumed by the next ganzoo draws the same batches."""
    assert derive(*arguments) == golden


def test_every_part_of_the_position_counts():
    base = (3, "batch", 10, 1)
    others = [(4, "batch", 10, 1), (3, "network", 10, 1), (3, "batch", 11, 1), (3, "batch", 10, 2), (3, "batch", 1, 10)]
    assert len({derive(*position) for position in [base, *others, (3, "batch", 101)]}) == len(others) + 2


def test_seeds_fit_torch():
    assert all(0 <= derive(seed, "batch", 0) < 2**63 for seed in range(200))


def test_a_phase_is_the_same_whatever_was_drawn_before():
    draws = Draws(7, CPU)
    first = torch.rand(5, generator=draws.begin(4, 1))
    torch.rand(999, generator=draws.begin(8, 0))
    assert torch.equal(torch.rand(5, generator=draws.begin(4, 1)), first)
    assert torch.equal(torch.rand(5, generator=Draws(7, CPU).begin(4, 1)), first)
    assert not torch.equal(torch.rand(5, generator=draws.begin(4, 2)), first)


def test_torchs_own_generator_is_reseeded_apart_from_the_batchs():
    """What a network draws must not be what its batch was drawn from, nor depend on how much that was."""
    with torch.random.fork_rng():
        batch = torch.rand(5, generator=Draws(7, CPU).begin(4, 1))
        network = torch.rand(5)
        torch.manual_seed(12345)
        torch.rand(5, generator=Draws(7, CPU).begin(4, 1))
        assert torch.equal(torch.rand(5), network)
    assert not torch.equal(batch, network)


class NoisyGenerator(nn.Module):
    """Draws from torch's own generator in training mode, as dropout and StyleGAN's noise do."""

    latent_dim = 4

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 64)

    def forward(self, z, labels):
        return nn.functional.dropout(self.linear(z), 0.5, self.training).view(-1, 1, 8, 8)


class DroppingDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 1))

    def forward(self, images, labels):
        return self.layers(images).flatten()


def test_networks_that_draw_for_themselves_are_reproducible(make_trainer, weights, same):
    template = make_trainer("vanilla")

    def trained(seed_of_torch):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            networks = Networks(NoisyGenerator(), DroppingDiscriminator())
            trainer = Trainer(
                template.config, networks, template._data, template._loss, (), template._precision, conditional=False
            )
            torch.manual_seed(seed_of_torch)
            for _ in range(3):
                trainer.step()
            return weights(trainer)

    assert same(trained(1), trained(2))
