"""Executors: each computes what the eager one does, for every registered model, or is not used."""

import math

import pytest
import torch

from ganzoo.errors import ExitCode, UsageError
from ganzoo.training import executors, selftest, trainer
from ganzoo.training.executors import Compiled, Executor, choose_executor
from ganzoo.training.objective import Phase
from ganzoo.training.selftest import gradient, mismatch, relative, unmoved

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
STEPS = 3


class AotEager(Compiled):
    """Traced like any compiled phase, backward passes and all, and then run operation by operation: no compiler."""

    def __init__(self, objective, optimizations, ranks):
        super().__init__(objective, optimizations, ranks, backend="aot_eager")


class Wrong(AotEager):
    """Its gradients are one per cent too long."""

    def gradients(self, phase, batch, scale):
        logged = super().gradients(phase, batch, scale)
        for weight in self.objective.network(phase).parameters():
            if weight.grad is not None:
                weight.grad *= 1.01
        return logged


class Broken(Executor):
    def gradients(self, phase, batch, scale):
        raise RuntimeError("no compiler\nand more")


@pytest.fixture
def using(monkeypatch, make_trainer):
    """A trainer whose fast executor is ``kind``, made ready; and what it noted."""

    def make(kind, model, **settings):
        monkeypatch.setattr(trainer, "EXECUTORS", {"compile": kind})
        made = make_trainer(model, executor="compile", **settings)
        notes = []
        made.prepare(notes.append)
        return made, notes

    return make


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_traced_is_eager_to_the_bit(model, precision, using, make_trainer, weights, same):
    """Weights, buffers and optimizers after some steps, and what was logged."""
    traced, notes = using(AotEager, model, precision=precision, critic_steps=2)
    assert notes == []
    assert isinstance(traced._executor, AotEager)
    eager = make_trainer(model, precision=precision, critic_steps=2)
    for _ in range(STEPS):
        traced.step()
        eager.step()
    assert same(weights(traced), weights(eager))
    assert traced.telemetry.means() == eager.telemetry.means()


LOSSES = {
    "r1-lazy": {"loss": "hinge", "penalties": {"r1": {"weight": 0.1, "every": 2}}},
    "rpgan": {"loss": "rpgan"},
    "augmented": {"loss": "wgan-gp", "augment": "diffaugment", "flip": True},
    "parts": {"loss": "wgan-gp", "accumulate": 2},
}


@pytest.mark.parametrize("settings", LOSSES.values(), ids=LOSSES)
def test_other_losses_are_too(settings, using, make_trainer, weights, same):
    settings = {"critic_steps": 1, "options": {"width": 8}, **settings}
    traced, notes = using(AotEager, "wgan-gp", **settings)
    assert notes == []
    eager = make_trainer("wgan-gp", **settings)
    for _ in range(STEPS):
        traced.step()
        eager.step()
    assert same(weights(traced), weights(eager))


def test_the_self_test_moves_nothing(model, using, make_trainer, weights, same):
    tried, _ = using(AotEager, model)
    assert same(weights(tried), weights(make_trainer(model)))
    assert all(weight.grad is None for weight in tried.generator.parameters())


def test_one_that_computes_otherwise_is_not_used(model, using):
    made, (note,) = using(Wrong, model)
    assert type(made._executor) is Executor
    assert note.startswith("executor compile is not used, and eager is: its gradient of the discriminator is 0.01")


def test_one_that_fails_is_not_used(using, make_trainer, weights, same):
    made, (note,) = using(Broken, "vanilla")
    assert note == "executor compile is not used, and eager is: RuntimeError: no compiler"
    eager = make_trainer("vanilla")
    made.step()
    eager.step()
    assert same(weights(made), weights(eager))


def test_a_penalty_that_lost_its_gradient_is_seen(using, monkeypatch):
    """As torch 2.11 compiles one: the value is right, and its gradient is gone."""

    class Dropping(Executor):
        def gradients(self, phase, batch, scale):
            real = torch.autograd.grad

            def without_graph(*arguments, **options):
                return tuple(each.detach() for each in real(*arguments, **options))

            with monkeypatch.context() as patch:
                patch.setattr(torch.autograd, "grad", without_graph)
                return super().gradients(phase, batch, scale)

    made, (note,) = using(Dropping, "wgan-gp")
    assert "its gradient of the discriminator" in note
    assert type(made._executor) is Executor


def test_lazy_penalties_are_tried_with_and_without(make_trainer):
    made = make_trainer("vanilla", penalties={"r1": {"weight": 1.0, "every": 4}, "r2": {"weight": 1.0, "every": 2}})
    assert made._dues() == [(1,), (0, 1), ()] or set(made._dues()) == {(0, 1), (1,), ()}


def test_bf16_gradients_are_those_of_fp32(model, make_trainer):
    """Within 20 %, and in the same direction: cosine at least 0.98."""
    found = {}
    for precision in ("fp32", "bf16"):
        made = make_trainer(model, precision=precision, batch=64, generator={"lr": 1e-30}, discriminator={"lr": 1e-30})
        made.step()
        found[precision] = [gradient(network) for network in (made.discriminator, made.generator)]
    for exact, rounded in zip(found["fp32"], found["bf16"], strict=True):
        assert relative(rounded, exact) < 0.2
        assert torch.dot(rounded, exact) / (rounded.norm() * exact.norm()) > 0.98


def test_unmoved_puts_everything_back(make_trainer, weights, same):
    made = make_trainer("dcgan")
    before = weights(made)
    batch = made.batches.draw(0, 0, real=True)
    with unmoved(made.objective):
        made.objective.gradients(Phase("discriminator"), batch, None)
        moved = not same(weights(made), before)
    assert moved  # BatchNorm's statistics
    assert same(weights(made), before)


def test_eager_passes_its_own_self_test(model, make_trainer):
    made = make_trainer(model, precision="bf16")
    batch = made.batches.draw(0, 0, real=True)
    phases = [(Phase("discriminator", made._dues()[0]), batch), (Phase("generator"), batch)]
    assert mismatch(made._executor, phases, made._ready) is None
    assert selftest.SLACK == 2


@pytest.mark.parametrize(
    ("name", "device", "chosen"),
    [("auto", CPU, "eager"), ("auto", CUDA, "cudagraph"), ("eager", CUDA, "eager"), ("compile", CPU, "compile")],
)
def test_choices(name, device, chosen):
    assert choose_executor(name, device) == chosen


@pytest.mark.parametrize(("ranks", "accumulate"), [(2, 1), (1, 2)])
def test_auto_captures_only_whole_updates(ranks, accumulate):
    assert choose_executor("auto", CUDA, ranks, accumulate) == "eager"
    with pytest.raises(UsageError, match="holds a whole update"):
        choose_executor("cudagraph", CUDA, ranks, accumulate)


def test_cudagraph_without_cuda():
    with pytest.raises(UsageError) as caught:
        choose_executor("cudagraph", CPU)
    assert str(caught.value) == "executor 'cudagraph' needs a CUDA device, and this run is on cpu"
    assert caught.value.hint == "--executor eager, or compile; --executor auto chooses"
    assert caught.value.exit_code == ExitCode.USAGE


def test_compile_on_a_torch_that_drops_the_penalty(monkeypatch):
    monkeypatch.setattr(executors.torch, "__version__", "2.11.0+cu128")
    with pytest.raises(UsageError) as caught:
        choose_executor("compile", CPU)
    assert str(caught.value) == "executor 'compile' needs torch 2.13, and this is 2.11.0+cu128"
    assert choose_executor("eager", CPU) == "eager"


def test_the_relative_error_of_other_shapes_is_infinite():
    assert relative(torch.ones(2), torch.ones(3)) == math.inf
