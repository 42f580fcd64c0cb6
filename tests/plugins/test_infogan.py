"""InfoGAN's codes: how they are drawn, that Q is trained to read those, and that a person can choose them."""

from collections.abc import Mapping
from itertools import combinations
from math import log
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo import api, latents
from ganzoo.specs import ImageShape
from ganzoo.testing import PluginConformance
from ganzoo.training import Output, Step
from ganzoo_plugins.infogan import LossOptions, Options, codes
from ganzoo_plugins.infogan.losses import InfoGAN
from ganzoo_plugins.infogan.networks import Discriminator, Generator

SHAPE = ImageShape(channels=1, height=8, width=8)
FEW = Options(width=4, latent_dim=4, categories=3, continuous=2)


class TestConformance(PluginConformance):
    plugin = "infogan"
    settings: ClassVar[Mapping[str, Any]] = {"options": {"width": 8}, "batch": 8}


def normal(count: int, length: int = 9) -> Tensor:
    return torch.randn(count, length, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_codes_are_uniform() -> None:
    """Each category as often as the others, and a third of the continuous ones in each third of (-1, 1)."""
    z = normal(30_000)
    category, continuous = codes.category(z, 3), codes.continuous(z, 3, 2)
    torch.testing.assert_close(category.bincount() / len(z), torch.full((3,), 1 / 3), atol=0.01, rtol=0)
    below = [(continuous < end).double().mean(0) for end in (-1 / 3, 1 / 3)]
    torch.testing.assert_close(torch.stack(below)[:, 0], torch.tensor([1 / 3, 2 / 3]).double(), atol=0.01, rtol=0)
    expected = 2 * torch.special.ndtr(z[:, 3:5]) - 1
    torch.testing.assert_close(continuous, expected, atol=1e-12, rtol=0)


def step_of(z: Tensor, categorical: Tensor, continuous: Tensor) -> Step:
    """A step with undecided logits, in which Q answers so of the fakes."""
    count = len(z)
    output = Output(torch.zeros(count).double(), extras={"categorical": categorical, "continuous": continuous})
    return Step(
        real=lambda: torch.zeros(count, 1, 1, 1),
        fake=lambda: torch.zeros(count, 1, 1, 1),
        z=z,
        labels=None,
        epsilon=torch.full((count, 1, 1, 1), 0.5),
        discriminator=lambda images: output,
        log=lambda name, value: None,
    )


def test_what_is_asked_of_q() -> None:
    """-log Q of z's own codes: a softmax's, and a normal distribution's of variance 1 without its constant."""
    z = torch.tensor([[0.0, 2.0, -1.0, 0.0, 1.0], [3.0, 0.0, 1.0, -0.5, 0.0]], dtype=torch.float64)
    uniform = torch.special.ndtr(z[:, 3:]) * 2 - 1
    categorical = torch.tensor([[log(2.0), log(5.0), log(3.0)], [log(6.0), 0.0, log(3.0)]], dtype=torch.float64)
    continuous = uniform + torch.tensor([[0.5, 0.0], [1.0, -2.0]], dtype=torch.float64)
    read = -(log(5 / 10) + log(6 / 10)) / 2
    distance = (0.5**2 + 1.0**2 + 2.0**2) / 2 / 2
    step = step_of(z, categorical, continuous)
    loss = InfoGAN(LossOptions(categorical=0.7, continuous=0.1))
    information = 0.7 * read + 0.1 * distance
    assert loss.discriminator(step).item() == pytest.approx(2 * log(2) + information, rel=1e-12)
    assert loss.generator(step).item() == pytest.approx(log(2) + information, rel=1e-12)


def test_gradcheck() -> None:
    def both(categorical: Tensor, continuous: Tensor) -> Tensor:
        step, loss = step_of(normal(4), categorical, continuous), InfoGAN(LossOptions())
        return loss.discriminator(step) + loss.generator(step)

    heads = (normal(4, 3).requires_grad_(), normal(4, 2).requires_grad_())
    assert torch.autograd.gradcheck(both, heads)


def test_the_generator_draws_by_the_codes_that_q_is_asked_for() -> None:
    """Two latents with the same codes and noise make one image; another code, or noise, makes another."""
    generator = Generator(SHAPE, FEW).eval()
    z = normal(1).float()
    same = z.clone()
    same[0, int(codes.category(z, 3)[0])] += 1
    assert torch.equal(generator(z, None), generator(same, None))
    for place in range(9):
        other = z.clone()
        other[0, place] += 9
        changed = not torch.equal(generator(z, None), generator(other, None))
        assert changed == (place != int(codes.category(z, 3)[0]))


@torch.no_grad()
def test_a_code_that_is_chosen_is_as_if_z_had_it() -> None:
    generator = Generator(SHAPE, FEW).eval()
    z = normal(5).float()

    def column(value: float) -> Tensor:
        return torch.full((5, 1), value)

    for chosen in range(3):
        had = z.clone()
        had[:, chosen] = 9.0
        assert torch.equal(generator(z, None, code=column(chosen)), generator(had, None))
    own = generator(z, None)
    assert torch.equal(generator(z, None, column(-1), column(0), column(0)), own)
    assert torch.equal(generator(z, None, code=column(9)), generator(z, None, code=column(2)))
    for name, place in (("first", 3), ("second", 4)):
        had = z.clone()
        had[:, place] = 99.0  # erf is 1 there
        torch.testing.assert_close(generator(z, None, **{name: column(2)}), generator(had, None))
        half = (codes.continuous(z, 3, 2)[:, place - 3] + 0.25).clamp(max=1.0)
        had[:, place] = torch.erfinv(half) * 2**0.5
        torch.testing.assert_close(
            generator(z, None, **{name: column(0.25)}), generator(had, None), atol=1e-5, rtol=1e-4
        )


def test_a_code_is_chosen_when_sampling(tmp_path: Path) -> None:
    """An image of a file is that of its latent's own code; other codes, and shifted ones, make others."""
    settings = {
        "options": {"width": 8},
        "batch": 8,
        "steps": 2,
        "device": "cpu",
        "threads": 1,
    }
    api.train("infogan", settings=settings, registry=tmp_path / "registry", runs=tmp_path / "runs")
    generator = api.load("infogan", registry=tmp_path / "registry")

    def sampled(**controls: float) -> NDArray[np.uint8]:
        return generator.pixels(seed=0, n=8, controls=controls)[0]

    own, by_code = sampled(), [sampled(code=float(code)) for code in range(10)]
    z = torch.from_numpy(latents.draw(0, 0, 8, 74)[0])
    for index, code in enumerate(codes.category(z, 10).tolist()):
        assert (own[index] == by_code[code][index]).all()
    assert all((one != other).any() for one, other in combinations(by_code, 2))
    assert (sampled(first=-2.0) != sampled(first=2.0)).any()
    assert (sampled(second=-2.0) != sampled(second=2.0)).any()
    assert (sampled(first=0.0, second=0.0) == own).all()


def test_heads_are_as_wide_as_the_options_say() -> None:
    answer = Discriminator(SHAPE, FEW)(torch.randn(5, 1, 8, 8), None)
    assert answer.logits.shape == (5,)
    assert {name: head.shape for name, head in answer.extras.items()} == {"categorical": (5, 3), "continuous": (5, 2)}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"categories": 11}, "categories must be 2 to 10, and 11 is not"),
        ({"categories": 1}, "categories must be 2 to 10, and 1 is not"),
        ({"continuous": 0}, "continuous must be at least 1"),
        ({"latent_dim": 0}, "latent_dim and width must be at least 1"),
    ],
)
def test_options_that_make_no_sense(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Options(**wrong)


def test_weights_below_0() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        LossOptions(categorical=-1.0)
