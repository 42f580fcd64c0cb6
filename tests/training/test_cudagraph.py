"""What CUDA graphs are asked to do, on a CPU: captures are recorded operation by operation, and replays run them again.

Replays also do to memory what a shared pool allows them to: whatever a graph has let go of at its end, those captured
later may lie in. So a replay makes all that was let go, and all that later graphs have made, unusable.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from ganzoo.config import NETWORKS
from ganzoo.config.tables import without_schedules
from ganzoo.training import setup
from ganzoo.training.executors import cudagraph
from ganzoo.training.executors.cudagraph import CudaGraph
from ganzoo.training.executors.eager import Executor
from ganzoo.training.objective import Phase
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

MakeTrainer = Callable[..., Trainer]
Weights = Callable[[Trainer], dict[str, torch.Tensor]]
Same = Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool]

STEPS = 4
CAPTURED: list["Recorded"] = []
"""Into the pool that graphs share."""

APART: list["Recorded"] = []
STREAMS: list["Stream"] = []


class Recorded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Stands in for ``torch.cuda.CUDAGraph``."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[Callable[..., Any], Any, Any, Any]] = []
        self.made: dict[int, torch.Tensor] = {}

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, inputs: Any = (), options: dict[str, Any] | None = None
    ) -> Any:
        result = function(*inputs, **(options or {}))
        known = {memory(each) for each in tree_leaves((inputs, options)) if isinstance(each, torch.Tensor)}
        fresh = [each for each in tree_leaves(result) if isinstance(each, torch.Tensor) and memory(each) not in known]
        for each in fresh:
            self.made[memory(each)] = each.detach()
        self.operations.append((function, *alias((inputs, options or {})), alias(fresh)))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for graph in CAPTURED[CAPTURED.index(self) + 1 :]:
            for each in graph.made.values():
                spoil(each)
        for each in let_go():
            spoil(each)
        for function, inputs, options, fresh in self.operations:
            result = function(*inputs, **options)
            known = {memory(each) for each in tree_leaves((inputs, options)) if isinstance(each, torch.Tensor)}
            tensors = [each for each in tree_leaves(result) if isinstance(each, torch.Tensor)]
            for mine, value in zip(fresh, [each for each in tensors if memory(each) not in known], strict=True):
                mine.copy_(value)


def memory(tensor: torch.Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address


def let_go() -> list[torch.Tensor]:
    """What graphs have made and nobody but their records holds any more."""
    records = [(graph.operations, list(graph.made.values())) for graph in CAPTURED]
    held = Counter(memory(each) for each in tree_leaves(records) if isinstance(each, torch.Tensor))
    made = [each for graph in CAPTURED for each in graph.made.values()]
    probe = torch.ones(())
    asking = torch._C._storage_Use_Count(memory(probe)) - 1  # held by one tensor, and by who asks
    return [each for each in made if torch._C._storage_Use_Count(memory(each)) <= held[memory(each)] + asking]


def alias(tree: Any) -> Any:
    """The same memory, without what autograd knows of it."""
    return tree_map_only(torch.Tensor, torch.Tensor.detach, tree)


def spoil(tensor: torch.Tensor) -> None:
    tensor.fill_(float("nan") if tensor.is_floating_point() else 0)


class Stream:
    def wait_stream(self, other: "Stream") -> None:
        pass


@pytest.fixture(autouse=True)
def _recording(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def graph(recorded: Recorded, pool: str | None, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        assert isinstance(stream, Stream)
        assert capture_error_mode == "thread_local"
        try:
            with recorded:
                yield
        except Exception as error:
            raise RuntimeError("operation failed due to a previous error during capture") from error
        (CAPTURED if pool else APART).append(recorded)

    @contextmanager
    def stream(_: Stream) -> Iterator[None]:
        yield

    for each in (CAPTURED, APART, STREAMS):
        each.clear()
    monkeypatch.setattr(setup, "choose_executor", lambda *_: "cudagraph")
    for name, stand_in in {
        "graph_pool_handle": lambda: "the pool",
        "CUDAGraph": Recorded,
        "graph": graph,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": stream,
        "set_stream": STREAMS.append,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)


@pytest.fixture
def captured(make_trainer: MakeTrainer) -> MakeTrainer:
    def make(model: str, **settings: Any) -> Trainer:
        trainer = make_trainer(model, **settings)
        notes: list[str] = []
        trainer.prepare(notes.append)
        scheduled = "runs outside of CUDA graphs: its options change from step to step"
        assert [note for note in notes if not note.endswith(scheduled)] == []
        options = [getattr(trainer.config, network).options for network in NETWORKS]
        assert len(notes) == sum(without_schedules(each, "from") != without_schedules(each, "to") for each in options)
        assert type(trainer._executor) is CudaGraph
        return trainer

    return make


def captured_here(model: str) -> dict[str, Any]:
    """Settings with which a model's optimizers can be captured on the stand-in: torch's RMSprop is on CUDA alone."""
    config = resolve(zoo(), model).config
    return {each: {"optimizer": "adam"} for each in NETWORKS if getattr(config, each).optimizer == "rmsprop"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("critic_steps", [1, 2])
def test_replayed_is_eager_to_the_bit(
    model: str,
    precision: str,
    critic_steps: int,
    captured: MakeTrainer,
    make_trainer: MakeTrainer,
    weights: Weights,
    same: Same,
) -> None:
    """Weights, buffers and optimizers after some steps, and what was logged."""
    settings = {"precision": precision, "critic_steps": critic_steps, **captured_here(model)}
    replayed, eager = captured(model, **settings), make_trainer(model, **settings)
    assert type(eager._executor) is Executor
    for _ in range(STEPS):
        replayed.step()
        eager.step()
    assert same(weights(replayed), weights(eager))
    assert replayed.telemetry.means() == eager.telemetry.means()


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "hinge", "penalties": {"r1": {"weight": 0.1, "every": 2}}},
        {"loss": "rpgan", "augment": "diffaugment", "flip": True},
        {"loss": "non-saturating", "schedule": "cosine", "steps": 6},
    ],
    ids=["r1-lazy", "rpgan-augmented", "schedule"],
)
def test_other_recipes_are_too(
    settings: dict[str, Any], captured: MakeTrainer, make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    settings = {"critic_steps": 1, "options": {"width": 8}, **settings}
    replayed, eager = captured("wgan-gp", **settings), make_trainer("wgan-gp", **settings)
    for _ in range(STEPS):
        replayed.step()
        eager.step()
    assert same(weights(replayed), weights(eager))


@pytest.mark.parametrize(
    "trick", ["lecam", "ada", "bcr", "annealed-r1", "path-length", "schedules", "moments", "mode-seeking"]
)
def test_what_plugins_say_of_state_time_and_chance_is_too(
    trick: str,
    captured: MakeTrainer,
    make_trainer: MakeTrainer,
    weights: Weights,
    same: Same,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "contract" / "site")
    zoo.cache_clear()
    try:
        replayed, eager = captured(trick, steps=8), make_trainer(trick, steps=8)
        for _ in range(STEPS):
            replayed.step()
            eager.step()
        assert same(weights(replayed), weights(eager))
        assert replayed.objective.state == eager.objective.state
    finally:
        zoo.cache_clear()


def test_capturing_moves_nothing(
    model: str, captured: MakeTrainer, make_trainer: MakeTrainer, weights: Weights
) -> None:
    settings = captured_here(model)
    fresh = weights(make_trainer(model, **settings))
    for key, value in weights(captured(model, **settings)).items():
        assert torch.equal(value, fresh[key]) if key in fresh else not value.any(), key


def test_one_graph_a_phase(captured: MakeTrainer) -> None:
    """The generator's two first; then images without a graph, the critic with its lazy penalty, and without it."""
    trainer = captured("wgan-gp", critic_steps=2, penalties={"r1": {"weight": 1.0, "every": 4}}, loss="hinge")
    for _ in range(STEPS + 1):
        trainer.step()
    executor = trainer._executor
    assert isinstance(executor, CudaGraph)
    assert list(executor._captured) == [Phase("generator"), Phase("discriminator", (0,)), Phase("discriminator")]
    assert [made.graph for made in executor._made.values()] == [CAPTURED[0], CAPTURED[2]]  # type: ignore[comparison-overlap]
    assert len(CAPTURED) == 5


def test_the_critic_is_frozen_in_the_generators_graph(make_trainer: MakeTrainer) -> None:
    """Whichever phase is captured first."""
    for network in ("discriminator", "generator"):
        trainer = make_trainer("dcgan")
        trainer.ready(Phase(network))
        executor = CudaGraph(trainer.objective, trainer.optimizations, trainer.ranks)
        executor.generate(trainer.batches.draw(0, 0), graph=True)
    first, second = (len(CAPTURED[place].operations) for place in (1, 3))
    assert first == second


def test_a_step_leaves_nothing_behind(captured: MakeTrainer) -> None:
    """The critic's copy of the images is not a part of their tape, which would grow with each step."""
    trainer = captured("vanilla")
    trainer.step()
    trainer.step()
    executor = trainer._executor
    assert isinstance(executor, CudaGraph)
    fakes = [graph.fake for graph in executor._captured.values() if graph.fake is not None]
    assert [(fake.requires_grad, fake.grad_fn) for fake in fakes] == [(False, None)]


class Replacing(torch.nn.Module):
    """Another tensor in the place of its buffer in each pass: a graph would write into the first for ever."""

    mean: torch.Tensor

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network, self.latent_dim = network, network.latent_dim
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        self.mean = self.mean.lerp(z.mean(), 0.1)
        images: torch.Tensor = self.network(z, labels)
        return images


def test_a_buffer_that_is_replaced_is_told(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("vanilla")
    trainer.objective.generator = Replacing(trainer.generator)
    notes: list[str] = []
    trainer.prepare(notes.append)
    said = "RuntimeError: Replacing replaces its buffer 'mean' instead of writing into it"
    assert notes == [f"executor cudagraph is not used, and eager is: {said}"]


def test_a_capture_that_fails_is_not_used(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, weights: Weights, same: Same
) -> None:
    trainer, fresh = make_trainer("dcgan"), make_trainer("dcgan")
    monkeypatch.setattr(cudagraph, "WARM_UPS", 1)

    def fails(recorded: Recorded, function: Callable[..., Any], *given: Any) -> Any:
        if function is torch.ops.aten.zeros.default:
            return record(recorded, function, *given)
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    record = Recorded.__torch_dispatch__
    monkeypatch.setattr(Recorded, "__torch_dispatch__", fails)
    notes: list[str] = []
    trainer.prepare(notes.append)
    said = "RuntimeError: operation not permitted when stream is capturing"
    assert notes == [f"executor cudagraph is not used, and eager is: {said}"]
    assert type(trainer._executor) is Executor
    assert len(STREAMS) == 1  # the one before is the current one again
    assert (CAPTURED, len(APART)) == ([], 1)  # a capture that ends well, so that torch's generator draws again
    trained, expected = weights(trainer), weights(fresh)
    assert same({key: trained[key] for key in expected}, expected)
    assert all(weight.requires_grad for weight in trainer.discriminator.parameters())
