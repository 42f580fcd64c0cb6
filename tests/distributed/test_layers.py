"""Two networks made of all of ``ganzoo.layers``, in the engine: on ranks, traced, in every precision, stored."""

import copy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.config import NETWORKS, merge
from ganzoo.data import ImageSet, load
from ganzoo.layers import (
    EqualisedConv2d,
    EqualisedLinear,
    FilteredDownsample,
    FilteredUpsample,
    MinibatchStdDev,
    ModulatedConv2d,
    PixelNorm,
    ResidualDown,
    ResidualUp,
    SelfAttention,
    spectral_norm,
)
from ganzoo.networks.weights import load_network, network_bytes
from ganzoo.specs import Architecture, ImageShape
from ganzoo.training import in_fp32, setup, trainer as trainer_module, widen
from ganzoo.training.executors.compiled import Compiled
from ganzoo.training.layers.batchnorm import GlobalBatchNorm
from ganzoo.training.layers.masked import MaskedLeakyReLU, MaskedReLU
from ganzoo.training.layers.products import Convolution
from ganzoo.training.objective import Objective
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import ALONE, Ranks, joined
from ganzoo.training.torchrun import leave
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

if TYPE_CHECKING:
    from tests.distributed.conftest import Launch

STEPS = 4
WIDTH = 8


@dataclass(frozen=True, kw_only=True)
class Options:
    """Args: coupled: whether the discriminator sees how much the images of a batch differ."""

    coupled: bool = False


class Generator(nn.Module):
    latent_dim = 6

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.mapping = nn.Sequential(PixelNorm(), EqualisedLinear(6, 12, lr_multiplier=0.01), nn.LeakyReLU(0.2))
        self.constant = nn.Parameter(torch.randn(1, WIDTH, 2, 2))
        self.up = ModulatedConv2d(WIDTH, WIDTH, 3, 12, resample="up")
        self.rectify = nn.LeakyReLU(0.2)
        self.by_label = ResidualUp(WIDTH, WIDTH, classes=shape.classes, spectral=True)
        self.attention = SelfAttention(WIDTH, spectral=True)
        self.down = ModulatedConv2d(WIDTH, WIDTH, 3, 12, resample="down")
        self.by_style = ResidualUp(WIDTH, WIDTH, features=12, spectral=True)
        self.plain = nn.Sequential(ResidualUp(WIDTH, WIDTH), nn.AvgPool2d(2))
        self.to_image = ModulatedConv2d(WIDTH, shape.channels, 1, 12, demodulate=False)
        self.smooth = nn.Sequential(FilteredDownsample(), FilteredUpsample())
        nn.init.constant_(self.attention.gamma, 0.5)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        w = self.mapping(z)
        x = self.rectify(self.up(self.constant.repeat(len(z), 1, 1, 1), w))
        x = self.attention(self.by_label(x, labels))
        x = self.plain(self.by_style(self.down(x, w), w))
        images = self.to_image(x, w)
        return widen(images + self.smooth(images)).tanh()


class Discriminator(nn.Module):
    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        last = [MinibatchStdDev(4)] if options.coupled else []
        self.layers = nn.Sequential(
            ResidualDown(shape.channels, WIDTH, first=True, spectral=True),
            SelfAttention(WIDTH, spectral=True),
            EqualisedConv2d(WIDTH, WIDTH, 3, resample="up"),
            nn.LeakyReLU(0.2),
            EqualisedConv2d(WIDTH, WIDTH, 3, resample="down"),
            ResidualDown(WIDTH, WIDTH),
            *last,
            nn.Flatten(),
        )
        features = (WIDTH + len(last)) * 4
        self.head = spectral_norm(nn.Linear(features, 1))
        self.embedding = spectral_norm(nn.Embedding(shape.classes, features))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        features = self.layers(images)
        projection = (widen(features) * self.embedding(labels)).sum(1)
        logits: Tensor = in_fp32(self.head, features).flatten() + projection
        return logits


@cache
def digits() -> ImageSet:
    return load("digits", zoo()).training


def make(ranks: Ranks = ALONE, *, coupled: bool = False, **settings: Any) -> Trainer:
    """A trainer of the two networks under a penalty, so that the discriminator is differentiated twice."""
    penalised = {"loss": "non-saturating", "penalties": {"r1": {"weight": 1.0, "every": 2}}}
    small = {"batch": 8, "device": "cpu", "threads": 1, "critic_steps": 1, "size": 8, "precision": "fp64"}
    recipe = resolve(zoo(), "conditional", merge(penalised, small, settings))
    layered = Architecture(
        name="layered",
        generator=f"{__name__}:Generator",
        discriminator=f"{__name__}:Discriminator",
        options=Options,
        resolutions=(8,),
        conditional=True,
        batch_coupled=coupled,
    )
    networks = dict.fromkeys(NETWORKS, (layered, Options(coupled=coupled)))
    recipe = replace(recipe, architecture=layered, networks=networks)
    return setup.assemble(setup.settle(recipe, ranks), digits(), ranks)[1]


def state(trainer: Trainer) -> dict[str, Tensor]:
    """Every weight and buffer of the networks and of the average."""
    return {
        f"{name}.{key}": value.clone(memory_format=torch.contiguous_format)
        for name, module in trainer.modules().items()
        for key, value in module.state_dict().items()
    }


def trained(ranks: Ranks = ALONE, steps: int = STEPS, **settings: Any) -> dict[str, Tensor]:
    trainer = make(ranks, **settings)
    for _ in range(steps):
        trainer.step()
    return state(trainer)


def test_two_ranks_train_as_one_process(launch: "Launch") -> None:
    alone, before = trained(), trained(steps=0)
    ranks = [outcome.tensors for outcome in launch(2, __file__)]
    for name, expected in alone.items():
        torch.testing.assert_close(ranks[0][name], expected, rtol=1e-9, atol=1e-9, msg=name)
        assert torch.equal(ranks[0][name], ranks[1][name]), name
    vectors = [name for name in alone if name.startswith("generator.") and name.endswith(("._u", "._v"))]
    assert len(vectors) == 2 * 14
    for name in vectors:  # a mean of unit vectors is no unit vector
        assert torch.equal(alone[name], alone[name.replace("generator.", "generator-ema.", 1)]), name
    still = {name.rpartition(".")[2] for name in alone if torch.equal(alone[name], before[name])}
    assert still == {"taps", "_u", "_v"}  # the filter, and singular vectors of one number


class AotEager(Compiled):
    """Traced as a whole, backward passes and all, and then run operation by operation."""

    def __init__(self, objective: Objective, optimizations: Mapping[Any, Optimization], ranks: Ranks) -> None:
        super().__init__(objective, optimizations, ranks, backend="aot_eager")


def test_traced_is_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for rounding: a bias's gradient is a sum in the order of a map's memory, which tracing may change."""
    monkeypatch.setattr(trainer_module, "EXECUTORS", {"compile": AotEager})
    always: Any = {"penalties": {"r1": {"weight": 1.0, "every": 1}}}
    traced = make(coupled=True, executor="compile", **always)
    notes: list[str] = []
    traced.prepare(notes.append)
    assert notes == []
    for _ in range(STEPS):
        traced.step()
    torch.testing.assert_close(state(traced), trained(coupled=True, **always), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_the_exact(precision: str) -> None:
    """The losses of the first two steps; nothing overflows, and no 1e-8 is divided by as 0."""
    logged = {}
    for each in (precision, "fp64"):
        trainer = make(coupled=True, precision=each)
        trainer.step()
        trainer.step()
        logged[each] = trainer.telemetry.means()
    assert logged[precision] == pytest.approx(logged["fp64"], rel=0.1, abs=0.02)


def test_what_the_engine_replaces_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make()
    kinds = {type(module) for network in trainer.modules().values() for module in network.modules()}
    assert {MaskedReLU, MaskedLeakyReLU, Convolution} <= kinds
    monkeypatch.setattr(Ranks, "check_told", lambda *_: None)  # there are no others
    monkeypatch.setattr(Ranks, "broadcast_", lambda *_: None)
    norms = [type(module) for module in make(Ranks(0, 2)).generator.modules() if isinstance(module, _BatchNorm)]
    assert norms == [GlobalBatchNorm] * 6


def test_the_average_is_a_network_of_its_own() -> None:
    """Copied before it is trained and after; what the copy computes does not move the original."""
    generator = make().generator
    twin = copy.deepcopy(generator)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    z, labels = torch.randn(4, 6, dtype=torch.float64), torch.arange(4)
    twin(z, labels).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert all(weight.grad is None for weight in generator.parameters())
    # A pass in training mode has moved the twin's own u, v and running statistics.
    moved = {name for name, value in twin.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.rpartition(".")[2] for name in moved} == {
        "_u",
        "_v",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_stored_weights_fill_a_network_without_memory(network: Callable[..., nn.Module]) -> None:
    shape, options = ImageShape(channels=1, height=8, width=8, classes=10), Options(coupled=True)
    torch.manual_seed(0)
    original = network(shape, options)
    with torch.device("meta"):
        empty = network(shape, options)
    assert all(value.is_meta for value in empty.state_dict().values())
    load_network(empty.to_empty(device="cpu"), network_bytes(original), "the original")
    x = torch.randn(4, 6) if network is Generator else torch.randn(4, 1, 8, 8)
    assert torch.equal(empty.eval()(x, torch.arange(4)), original.eval()(x, torch.arange(4)))


def main(home: str) -> None:
    """What one rank does."""
    with joined("cpu") as ranks:
        save_file(trained(ranks), Path(home) / f"{ranks.rank}.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
    leave(0)
