"""Executors: each computes what the eager one does, for every registered model, or is not used."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from ganzoo.config import ExecutorName
from ganzoo.errors import ExitCode, UsageError
from ganzoo.step import Step
from ganzoo.training import trainer
from ganzoo.training.batch import Batch
from ganzoo.training.executors import selftest
from ganzoo.training.executors.choice import choose_executor
from ganzoo.training.executors.compiled import Compiled
from ganzoo.training.executors.eager import Executor
from ganzoo.training.executors.selftest import gradient, mismatch, relative
from ganzoo.training.executors.unmoved import unmoved
from ganzoo.training.objective import Network, Objective, Phase, Told
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import Ranks
from ganzoo.training.shares import coupling
from ganzoo.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]
Using = Callable[..., tuple[Trainer, list[str]]]
Weights = Callable[[Trainer], dict[str, torch.Tensor]]
Same = Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool]

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
STEPS = 3


class AotEager(Compiled):
    """Traced like any compiled phase, backward passes and all, and then run operation by operation: no compiler."""

    def __init__(self, objective: Objective, optimizations: Mapping[Network, Optimization], ranks: Ranks) -> None:
        super().__init__(objective, optimizations, ranks, backend="aot_eager")


class Wrong(AotEager):
    """Its gradients are one per cent too long."""

    def learn(self, phase: Phase, batch: Batch, images: torch.Tensor | None, scale: torch.Tensor | None) -> Told:
        logged = super().learn(phase, batch, images, scale)
        for weight in self.objective.network(phase).parameters():
            if weight.grad is not None:
                weight.grad *= 1.01
        return logged


class Broken(Executor):
    def gradients(self, phase: Phase, batch: Batch, fake: torch.Tensor, scale: torch.Tensor | None) -> Told:
        raise RuntimeError("no compiler\nand more")


@pytest.fixture
def using(monkeypatch: pytest.MonkeyPatch, make_trainer: MakeTrainer) -> Using:
    """A trainer whose fast executor is ``kind``, made ready; and what it noted."""

    def make(kind: type[Executor], model: str, **settings: Any) -> tuple[Trainer, list[str]]:
        monkeypatch.setattr(trainer, "EXECUTORS", {"compile": kind})
        made = make_trainer(model, executor="compile", **settings)
        notes: list[str] = []
        made.prepare(notes.append)
        return made, notes

    return make


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_traced_is_eager_to_the_bit(
    model: str, precision: str, using: Using, make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
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
def test_other_losses_are_too(
    settings: dict[str, Any], using: Using, make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    settings = {"critic_steps": 1, "options": {"width": 8}, **settings}
    traced, notes = using(AotEager, "wgan-gp", **settings)
    assert notes == []
    eager = make_trainer("wgan-gp", **settings)
    for _ in range(STEPS):
        traced.step()
        eager.step()
    assert same(weights(traced), weights(eager))


def test_every_set_of_penalties_and_every_part_has_its_variant(
    using: Using, make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    """Four sets, each for the first part and for those that add to it: more than torch compiles by default."""
    lazy = {"r1": {"weight": 0.1, "every": 2}, "r2": {"weight": 0.1, "every": 3}}
    settings = {"loss": "rpgan", "penalties": lazy, "critic_steps": 1, "accumulate": 2, "options": {"width": 8}}
    traced, notes = using(AotEager, "wgan-gp", **settings)
    assert notes == []
    eager = make_trainer("wgan-gp", **settings)
    for _ in range(5):
        traced.step()
        eager.step()
    assert same(weights(traced), weights(eager))


def test_the_self_test_moves_nothing(
    model: str, using: Using, make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    tried, _ = using(AotEager, model)
    assert same(weights(tried), weights(make_trainer(model)))
    assert all(weight.grad is None for weight in tried.generator.parameters())


def test_one_that_computes_otherwise_is_not_used(model: str, using: Using) -> None:
    made, (note,) = using(Wrong, model)
    assert type(made._executor) is Executor
    assert note.startswith("executor compile is not used, and eager is: its gradient of the discriminator is 0.01")


class Perceptual:
    """A loss with a network of its own, which nobody trains."""

    def __init__(self) -> None:
        self.features = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))

    def discriminator(self, step: Step) -> torch.Tensor:
        return step.fake.logits.mean() - step.real.logits.mean()

    def generator(self, step: Step) -> torch.Tensor:
        gap = self.features(step.fake.images) - self.features(step.real.images)
        return gap.square().mean() - step.fake.logits.mean()  # type: ignore[no-any-return]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp64"])
def test_a_loss_that_uses_a_network(
    using: Using, make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """In its precision, and in the wider one of the self-test."""
    monkeypatch.setattr("ganzoo_plugins.losses.losses.NonSaturating", Perceptual)
    made, notes = using(AotEager, "vanilla", precision=precision)
    assert notes == []
    network = made.objective.loss.features  # type: ignore[attr-defined]
    assert not any(weight.requires_grad for weight in network.parameters())
    assert network[1].weight.dtype == made.objective.precision.master
    made.step()
    fresh = make_trainer("vanilla", precision=precision)
    few = fresh.batches.draw(0, 0).map(lambda tensor: tensor[:4])
    assert coupling(fresh.objective, few, in_parts=False) is None


def test_one_that_leaves_other_buffers_is_not_used(using: Using) -> None:
    """Its gradients are right in this step, and wrong in the next."""

    class Forgetting(Executor):
        def learn(self, phase: Phase, batch: Batch, images: torch.Tensor | None, scale: torch.Tensor | None) -> Told:
            before = [buffer.clone() for buffer in self.objective.generator.buffers()]
            told = super().learn(phase, batch, images, scale)
            for buffer, value in zip(self.objective.generator.buffers(), before, strict=True):
                buffer.copy_(value)
            return told

    _, (note,) = using(Forgetting, "dcgan")
    assert note == (
        "executor compile is not used, and eager is: "
        "it leaves other buffers in the phase of the discriminator than the eager one"
    )


def test_one_that_fails_is_not_used(using: Using, make_trainer: MakeTrainer, weights: Weights, same: Same) -> None:
    made, (note,) = using(Broken, "vanilla")
    assert note == "executor compile is not used, and eager is: RuntimeError: no compiler"
    eager = make_trainer("vanilla")
    made.step()
    eager.step()
    assert same(weights(made), weights(eager))


def test_a_penalty_that_lost_its_gradient_is_seen(using: Using, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch 2.11 compiles one: the value is right, and its gradient is gone."""

    class Dropping(Executor):
        def gradients(self, phase: Phase, batch: Batch, fake: torch.Tensor, scale: torch.Tensor | None) -> Told:
            real = torch.autograd.grad

            def without_graph(*arguments: Any, **options: Any) -> tuple[torch.Tensor, ...]:
                return tuple(each.detach() for each in real(*arguments, **options))

            with monkeypatch.context() as patch:
                patch.setattr(torch.autograd, "grad", without_graph)
                return super().gradients(phase, batch, fake, scale)

    made, (note,) = using(Dropping, "wgan-gp")
    assert "its gradient of the discriminator" in note
    assert type(made._executor) is Executor


def test_lazy_penalties_are_tried_with_and_without(make_trainer: MakeTrainer) -> None:
    made = make_trainer("vanilla", penalties={"r1": {"weight": 1.0, "every": 4}, "r2": {"weight": 1.0, "every": 2}})
    assert {phase.due for phase in made.objective.phases("discriminator")} == {(0, 1), (1,), ()}


def test_bf16_gradients_are_those_of_fp32(model: str, make_trainer: MakeTrainer) -> None:
    """Within 20 %, and in the same direction: cosine at least 0.98."""
    found = {}
    for precision in ("fp32", "bf16"):
        made = make_trainer(model, precision=precision, batch=64, generator={"lr": 1e-30}, discriminator={"lr": 1e-30})
        made.step()
        found[precision] = [gradient(network) for network in (made.discriminator, made.generator)]
    for exact, rounded in zip(found["fp32"], found["bf16"], strict=True):
        assert relative(rounded, exact) < 0.2
        assert torch.dot(rounded, exact) / (rounded.norm() * exact.norm()) > 0.98


def test_unmoved_puts_everything_back(make_trainer: MakeTrainer, weights: Weights, same: Same) -> None:
    made = make_trainer("dcgan")
    before = weights(made)
    batch = made.batches.draw(0, 0)
    with unmoved(made.objective):
        made._executor.learn(Phase("discriminator"), batch, None, None)
        moved = not same(weights(made), before)
    assert moved  # BatchNorm's statistics
    assert same(weights(made), before)


def test_eager_passes_its_own_self_test(model: str, make_trainer: MakeTrainer) -> None:
    made = make_trainer(model, precision="bf16")
    batch = made.batches.draw(0, 0)
    phases = [(made.objective.phases("discriminator")[0], batch), (Phase("generator"), batch)]
    assert mismatch(made._executor, phases, made.ready) is None
    assert selftest.MAX_ERROR_RATIO == 2


@pytest.mark.parametrize(
    ("name", "device", "chosen"),
    [("auto", CPU, "eager"), ("auto", CUDA, "cudagraph"), ("eager", CUDA, "eager"), ("compile", CPU, "compile")],
)
def test_choices(name: str, device: torch.device, chosen: str) -> None:
    assert choose_executor(ExecutorName(name), device) == chosen


@pytest.mark.parametrize(("ranks", "accumulate"), [(2, 1), (1, 2)])
def test_auto_captures_only_whole_updates(ranks: int, accumulate: int) -> None:
    assert choose_executor(ExecutorName.AUTO, CUDA, ranks, accumulate) == "eager"
    with pytest.raises(UsageError, match="holds a whole update"):
        choose_executor(ExecutorName.CUDAGRAPH, CUDA, ranks, accumulate)


def test_cudagraph_without_cuda() -> None:
    with pytest.raises(UsageError) as caught:
        choose_executor(ExecutorName.CUDAGRAPH, CPU)
    assert str(caught.value) == "executor 'cudagraph' needs a CUDA device, and this run is on cpu"
    assert caught.value.hint == "--executor eager, or compile; --executor auto chooses"
    assert caught.value.exit_code == ExitCode.USAGE


def test_compile_on_a_torch_that_drops_the_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.11.0+cu128")
    with pytest.raises(UsageError) as caught:
        choose_executor(ExecutorName.COMPILE, CPU)
    assert str(caught.value) == "executor 'compile' needs torch 2.13, and this is 2.11.0+cu128"
    assert choose_executor(ExecutorName.EAGER, CPU) == "eager"


def test_the_relative_error_of_other_shapes_is_infinite() -> None:
    assert relative(torch.ones(2), torch.ones(3)) == math.inf


def test_sets_of_penalties_are_found_without_walking_through_the_steps(make_trainer: MakeTrainer) -> None:
    lazy = {name: {"weight": 1.0, "every": every} for name, every in (("r1", 1_000_003), ("r2", 999_983))}
    phases = make_trainer("vanilla", penalties=lazy).objective.phases("discriminator")
    assert [phase.due for phase in phases] == [(1,), (0, 1), (0,), ()]


def test_compiling_leaves_no_switch_behind(using: Using) -> None:
    before = torch._dynamo.config.trace_autograd_ops, torch._inductor.config.fallback_random
    made, notes = using(AotEager, "vanilla")
    made.step()
    assert notes == []
    assert (torch._dynamo.config.trace_autograd_ops, torch._inductor.config.fallback_random) == before == (False, False)


def test_compiling_leaves_others_compiled_functions(using: Using) -> None:
    traced = []

    def count(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        traced.append(graph)
        return graph

    others = torch.compile(lambda x: x + 1, backend=count)
    others(torch.ones(2))
    using(AotEager, "vanilla")
    others(torch.ones(2))
    assert len(traced) == 1


def test_unmoved_knows_buffers_that_no_checkpoint_has(make_trainer: MakeTrainer) -> None:
    made = make_trainer("vanilla")
    made.generator.register_buffer("seen", seen := torch.zeros(()), persistent=False)
    made.generator.register_buffer("replaced", replaced := torch.zeros(()))
    with unmoved(made.objective):
        made.generator.seen += 1  # type: ignore[assignment, operator]
        made.generator.replaced = torch.ones(())
    assert made.generator.seen is seen
    assert made.generator.replaced is replaced
    assert not seen


def drawing(network: torch.nn.Module) -> None:
    """Noise of the size of the activations, as many generators add it."""
    network.register_forward_hook(lambda _network, _inputs, images: images + torch.randn_like(images))


def remembering(network: torch.nn.Module) -> None:
    """Each run depends on how many there were, and the count is another tensor each time."""
    network.register_buffer("runs", torch.ones(()))

    def count(network: torch.nn.Module, inputs: object, images: torch.Tensor) -> torch.Tensor:
        network.runs = network.runs + 1  # type: ignore[assignment, operator]
        return images * network.runs  # type: ignore[operator]

    network.register_forward_hook(count)


class Stale(Executor):
    """As a CUDA graph reads the tensor that was there when it was captured."""

    def generate(self, batch: Batch, *, graph: bool) -> torch.Tensor:
        before = self.objective.generator.runs
        try:
            return super().generate(batch, graph=graph)
        finally:
            self.objective.generator.runs = before


@pytest.mark.parametrize(
    ("change", "kind", "fails"),
    [(drawing, Executor, False), (drawing, Wrong, True), (remembering, Executor, False), (remembering, Stale, True)],
)
def test_networks_with_a_life_of_their_own(
    change: Callable[[torch.nn.Module], None], kind: type[Executor], fails: bool, make_trainer: MakeTrainer
) -> None:
    made = make_trainer("vanilla")
    change(made.generator)
    fast = kind(made.objective, made.optimizations, made.ranks)
    phases = [(Phase("generator"), made.batches.draw(0, 0))]
    assert (mismatch(fast, phases, made.ready) is not None) is fails


@pytest.mark.parametrize("steps", [0, 1])
def test_what_a_failed_capture_moved_is_put_back(
    make_trainer: MakeTrainer, weights: Weights, same: Same, steps: int
) -> None:
    made = make_trainer("dcgan")
    for _ in range(steps):
        made.step()
    before = weights(made)
    optimization = made.optimizations["discriminator"]

    def capture() -> None:
        made.ready(Phase("discriminator"))
        made._executor.learn(Phase("discriminator"), made.batches.draw(0, 0), None, None)
        optimization.step()
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="capturing"), unmoved(made.objective), optimization.unmoved():
        capture()
    after = weights(made)
    assert same({key: after[key] for key in before}, before)
    assert not any(after[key].any() for key in after.keys() - before.keys())
