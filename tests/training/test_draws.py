"""Training's random numbers are a function of seed, stream, step and phase, and of nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ganzoo.specs import ImageShape
from ganzoo.training.draws import Draws, Order, derive
from ganzoo.training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("arguments", "golden"),
    [
        ((0, "init", 0), 900553517829159482),
        ((0, "batch", 0, 0), 1620244590140491379),
        ((7, "batch", 39, 5), 7251183401332204483),
        ((2**63 - 1, "network", 1, 0), 3885236854108296553),
        ((7, "indices", 39, 5), 625547380390442418),
    ],
)
def test_golden_values(arguments: tuple[int, str, *tuple[int, ...]], golden: int) -> None:
    """These must never change: a run that is resumed by the next ganzoo draws the same batches."""
    seed, stream, *position = arguments
    assert derive(seed, stream, *position) == golden


def test_every_part_of_the_position_counts() -> None:
    base = (3, "batch", 10, 1)
    others = [(4, "batch", 10, 1), (3, "network", 10, 1), (3, "batch", 11, 1), (3, "batch", 10, 2), (3, "batch", 1, 10)]
    assert len({derive(*position) for position in [base, *others, (3, "batch", 101)]}) == len(others) + 2  # type: ignore[arg-type]


def test_seeds_fit_torch() -> None:
    assert all(0 <= derive(seed, "batch", 0) < 2**63 for seed in range(200))


def test_golden_rows() -> None:
    """As with the seeds: these are the images that a resumed run is shown."""
    assert Order(7, 1438, 6).rows(39, 1).tolist() == [636, 549, 191, 1023, 1023, 774]
    assert Order(0, 2**40, 2).rows(0, 0).tolist() == [486218759082, 247675634221]


def test_rows_are_a_function_of_seed_step_and_phase() -> None:
    base = Order(7, 1000, 64).rows(4, 1)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        torch.rand(3)
        assert torch.equal(Order(7, 1000, 64).rows(4, 1), base)
    others = [Order(8, 1000, 64).rows(4, 1), Order(7, 1000, 64).rows(5, 1), Order(7, 1000, 64).rows(4, 2)]
    assert not any(torch.equal(other, base) for other in others)


def test_every_image_is_shown_equally_often() -> None:
    """A chi-squared of 30 images in 64,000 draws: 29 expected, 70 is past the 99.99th percentile."""
    shown = torch.cat([Order(3, 30, 64).rows(step, 0) for step in range(1000)])
    counts = shown.bincount().double()
    assert len(counts) == 30
    expected = len(shown) / 30
    assert 8 < ((counts - expected) ** 2 / expected).sum() < 70


def test_a_phase_is_the_same_whatever_was_drawn_before() -> None:
    draws = Draws(7, CPU)
    first = torch.rand(5, generator=draws.begin(4, 1))
    torch.rand(999, generator=draws.begin(8, 0))
    assert torch.equal(torch.rand(5, generator=draws.begin(4, 1)), first)
    assert torch.equal(torch.rand(5, generator=Draws(7, CPU).begin(4, 1)), first)


@pytest.mark.parametrize("other", [(8, 4, 1), (7, 5, 1), (7, 4, 2)], ids=["seed", "step", "phase"])
def test_every_seed_step_and_phase_draws_anew(other: tuple[int, int, int]) -> None:
    """Both for the batch and for what networks draw from torch's own generator."""

    def drawn(seed: int, step: int, phase: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand(5, generator=Draws(seed, CPU).begin(step, phase)), torch.rand(5)

    with torch.random.fork_rng():
        assert not any(torch.equal(a, b) for a, b in zip(drawn(7, 4, 1), drawn(*other), strict=True))


def test_torchs_own_generator_is_reseeded_apart_from_the_batchs() -> None:
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

    def __init__(self, shape: ImageShape, options: object) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 64)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return nn.functional.dropout(self.linear(z), 0.5, self.training).view(-1, 1, 8, 8)


class DroppingDiscriminator(nn.Module):
    def __init__(self, shape: ImageShape, options: object) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 1))

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        scores: torch.Tensor = self.layers(images)
        return scores.flatten()


def test_networks_that_draw_for_themselves_are_reproducible(
    make_trainer: Callable[..., Trainer],
    weights: Callable[[Trainer], dict[str, torch.Tensor]],
    same: Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever torch's own generator was used for before and between the steps."""
    monkeypatch.setattr("ganzoo_plugins.vanilla.networks.Generator", NoisyGenerator)
    monkeypatch.setattr("ganzoo_plugins.vanilla.networks.Discriminator", DroppingDiscriminator)

    def trained(draws_between: int) -> dict[str, torch.Tensor]:
        trainer = make_trainer("vanilla")
        for _ in range(3):
            torch.rand(draws_between)
            trainer.step()
        return weights(trainer)

    with torch.random.fork_rng():
        assert same(trained(0), trained(5))
