"""What ranks agree upon, what they are told when torchrun's environment is wrong, and when one of them is lost."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch.distributed.distributed_c10d import Store

from ganzoo.cli.failures import tell
from ganzoo.config import PrecisionName
from ganzoo.errors import ExitCode, GanzooError, UsageError
from ganzoo.training import ranks as module
from ganzoo.training.optimization import Optimization, Rule
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import ALONE, Ranks, is_chief, joined, local_device
from ganzoo.training.torchrun import Seat, leave, meet
from ganzoo_plugins.optimizers import AdamOptions, optimizers

if TYPE_CHECKING:
    from tests.distributed.conftest import Launch, Outcome

TORCHRUN = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29400"}
LOST = "torchrun --max-restarts N starts all ranks again, and they go on from the newest checkpoint"


def tensors(rank: int) -> dict[str, torch.Tensor]:
    """Of all types and ways to lie in memory, with values of the rank's own."""
    generator = torch.Generator().manual_seed(rank)
    images = torch.randn(3, 4, 5, 2, generator=generator)
    return {
        "scalar": torch.randn([], generator=generator),
        "channels-last": images.to(memory_format=torch.channels_last),
        "double": torch.randn(7, generator=generator, dtype=torch.float64),
        "transposed": torch.randn(3, 2, generator=generator).T,
        "sparse in memory": torch.randn(4, 6, generator=generator)[:, ::2],
        "one feature map": torch.randn(2, 1, 3, 3, generator=generator).to(memory_format=torch.channels_last),
    }


def counts(rank: int) -> dict[str, torch.Tensor]:
    """What is broadcast besides."""
    return {"int": torch.arange(5) + rank, "bool": torch.tensor([rank == 0, True])}


@pytest.fixture(scope="module")
def outcomes(launch: "Launch") -> "list[Outcome]":
    """What ``agree`` left on each of three ranks."""
    return launch(3, __file__, "agree")


def agree(ranks: Ranks) -> dict[str, torch.Tensor]:
    """Everything that ranks can do together, once."""
    found: dict[str, torch.Tensor] = {}
    averaged = tensors(ranks.rank)
    strides = [tensor.stride() for tensor in averaged.values()]
    calls: list[object] = []
    all_reduce = dist.all_reduce
    dist.all_reduce = lambda *arguments: calls.append(arguments) or all_reduce(*arguments)  # type: ignore[func-returns-value]
    ranks.average_(list(averaged.values()))
    dist.all_reduce = all_reduce
    assert len(calls) == 2  # one a type
    assert [tensor.stride() for tensor in averaged.values()] == strides
    found |= {f"average.{name}": tensor for name, tensor in averaged.items()}

    copied = tensors(ranks.rank) | counts(ranks.rank)
    ranks.broadcast_(list(copied.values()))
    found |= {f"broadcast.{name}": tensor for name, tensor in copied.items()}

    parameter = torch.nn.Parameter(torch.full([2], float(ranks.rank)))
    ranks.broadcast_([parameter])
    assert parameter.requires_grad
    assert not parameter.any()

    found["gather"] = ranks.gather(torch.tensor([ranks.rank, 7]))
    assert [ranks.any(ranks.rank == lifted) for lifted in (0, ranks.count - 1, -1)] == [True, True, False]
    story = {"path": "runs/größe/1", "steps": 7, "none": None} if ranks.chief else None
    assert ranks.share(story) == {"path": "runs/größe/1", "steps": 7, "none": None}
    check_told(ranks)
    check_differences(ranks)
    check_missing_gradients(ranks)
    return {name: tensor.contiguous() for name, tensor in found.items()}


def check_told(ranks: Ranks) -> None:
    """Who was told something else says what, and nobody goes on."""
    told = {"seed": 0, "generator.lr": 2e-4, "generator.betas": [0.5, 0.999]}
    ranks.check_told(told)
    differs = ranks.rank == ranks.count - 1
    with pytest.raises(UsageError) as caught:
        ranks.check_told(told | ({"seed": 1, "options.width": 8} if differs else {}))
    assert str(caught.value) == (
        f"rank {ranks.rank} was told something else than rank 0: options.width is 8, not None; seed is 1, not 0"
        if differs
        else "not all ranks were told the same"
    )
    assert str(caught.value.hint).startswith("all hosts need the same command")


def check_differences(ranks: Ranks) -> None:
    """Every rank is told, whichever way the last one's weights differ."""
    for change in (same, a_bit, a_shape, a_type, a_memory_format, what_the_memory_means, the_order):
        weights = [torch.arange(36.0).reshape(1, 4, 3, 3), torch.zeros(3)]
        if ranks.rank == ranks.count - 1:
            weights = change(*weights)
        if change is same:
            ranks.check_same(weights, "their weights")
            continue
        with pytest.raises(GanzooError, match=r"(?m)^the ranks differ in their weights$") as caught:
            ranks.check_same(weights, "their weights")
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("all hosts need the same versions of ganzoo, torch")


def check_missing_gradients(ranks: Ranks) -> None:
    """A weight that no rank has a gradient of stays where it is, as on one; one that some have is averaged."""
    network = torch.nn.ParameterList(torch.zeros(2) for _ in range(3))
    everybodys, the_lasts, nobodys = network
    rule = Rule("adam", optimizers.adam, AdamOptions())
    optimization = Optimization(network, rule, 2e-4, 1, Precision(PrecisionName.FP32, torch.device("cpu")))
    for weight in network:
        weight.grad = torch.ones(2)
    optimization.average(ranks, 1)
    optimization.step()
    moved = nobodys.detach().clone()
    assert moved.all()
    optimization.clear()
    everybodys.grad = torch.ones(2)
    if ranks.rank == ranks.count - 1:
        the_lasts.grad = torch.ones(2)
    optimization.average(ranks, 1)
    torch.testing.assert_close(everybodys.grad, torch.ones(2))
    torch.testing.assert_close(the_lasts.grad, torch.full([2], 1 / ranks.count))
    assert nobodys.grad is None
    optimization.step()
    assert torch.equal(nobodys, moved)  # momentum would have moved it
    assert not torch.equal(everybodys, moved)


def same(one: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    return [one, other]


def a_bit(one: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    other.view(torch.uint8)[5] ^= 1
    return [one, other]


def a_shape(one: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    return [one.reshape(1, 4, 9, 1), other]


def a_type(one: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    return [one, other.int()]


def a_memory_format(one: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    return [one.to(memory_format=torch.channels_last), other]


def what_the_memory_means(one: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    """The same bytes, in channels_last."""
    return [one.reshape(1, 3, 3, 4).permute(0, 3, 1, 2), other]


def the_order(one: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    return [other, one]


def test_averages_are_means_and_the_same_on_all_ranks(outcomes: "list[Outcome]") -> None:
    for name in tensors(0):
        mean = torch.stack([tensors(rank)[name] for rank in range(len(outcomes))]).mean(0)
        for outcome in outcomes:
            torch.testing.assert_close(outcome.tensors[f"average.{name}"], mean, rtol=1e-6, atol=1e-7)
            assert torch.equal(outcome.tensors[f"average.{name}"], outcomes[0].tensors[f"average.{name}"])


def test_broadcasts_are_rank_0s(outcomes: "list[Outcome]") -> None:
    for name, value in (tensors(0) | counts(0)).items():
        assert all(torch.equal(outcome.tensors[f"broadcast.{name}"], value) for outcome in outcomes)


def test_gathered_is_everybodys(outcomes: "list[Outcome]") -> None:
    expected = torch.tensor([[rank, 7] for rank in range(len(outcomes))])
    assert all(torch.equal(outcome.tensors["gather"], expected) for outcome in outcomes)


def lose(ranks: Ranks) -> None:
    """Rank 1 is killed while the others are waiting for it."""
    averaged = torch.ones(3)
    ranks.average_([averaged])
    if ranks.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.average_([averaged])


def test_who_is_left_ends_with_one_line(launch: "Launch") -> None:
    first, _, last = launch(3, __file__, "lose", codes=(ExitCode.FAILURE, -signal.SIGKILL, ExitCode.FAILURE))
    for rank, outcome in ((0, first), (2, last)):
        message, hint = outcome.errors.splitlines()
        assert message.startswith(f"Error: rank {rank} of 3 lost another rank: ")
        assert "[/" not in message  # a place in torch's source
        assert hint == f"Hint: {LOST}"


def test_alone_nothing_is_sent() -> None:
    value, other = torch.ones(2), {1: 2}
    ALONE.average_([value])
    ALONE.broadcast_([value])
    ALONE.check_same([value], "anything")
    ALONE.check_told({"seed": 0})
    assert torch.equal(value, torch.ones(2))
    assert ALONE.share(other) is other
    assert (ALONE.any(True), ALONE.any(False), ALONE.chief) == (True, False, True)
    assert torch.equal(ALONE.gather(value), torch.ones(1, 2))


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The environment of rank 1 of 2; ``torchrun(RANK="7", MASTER_ADDR=None)`` changes it."""

    def setting(**changes: str | None) -> None:
        for name, value in (TORCHRUN | changes).items():
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    setting()
    return setting


@pytest.mark.parametrize("size", [None, "1"])
def test_one_process_joins_nobody(torchrun: Callable[..., None], size: str | None) -> None:
    torchrun(WORLD_SIZE=size, MASTER_ADDR=None)
    with joined("cpu") as ranks:
        assert ranks is ALONE
        assert not dist.is_initialized()
    assert [local_device(name) for name in ("auto", "cpu", "cuda", "cuda:3")] == ["auto", "cpu", "cuda", "cuda:3"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RANK": None}, "RANK is None in the environment, and should be a number"),
        ({"RANK": "first"}, "RANK is 'first' in the environment, and should be a number"),
        ({"RANK": "-1"}, "RANK is '-1' in the environment, and should be a number"),
        ({"RANK": "2"}, "RANK is 2 in the environment, and WORLD_SIZE is 2"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two' in the environment, and should be a number"),
        ({"LOCAL_RANK": None}, "LOCAL_RANK is None in the environment, and should be a number"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is '' in the environment, and should be a number"),
        ({"MASTER_ADDR": None}, "WORLD_SIZE is set in the environment, and MASTER_ADDR is not"),
    ],
)
def test_an_environment_that_torchrun_does_not_make(
    torchrun: Callable[..., None], changes: dict[str, str | None], message: str
) -> None:
    torchrun(**changes)
    with pytest.raises(UsageError) as caught, joined("cpu"):
        pass
    assert str(caught.value) == message
    assert caught.value.hint == "start it with: torchrun --nproc-per-node N -m ganzoo train …"


def test_each_rank_has_the_gpu_of_its_local_rank(
    torchrun: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    torchrun(RANK="5", WORLD_SIZE="8", LOCAL_RANK="1")
    assert [local_device(name) for name in ("auto", "cuda", "cuda:0")] == ["cuda:1"] * 3
    assert [local_device(name) for name in ("cpu", "gpu", "cuda:x")] == ["cpu", "gpu", "cuda:x"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert local_device("auto") == "cpu"


def test_one_of_several_speaks(torchrun: Callable[..., None]) -> None:
    assert not is_chief()
    torchrun(RANK="0")
    assert is_chief()
    torchrun(WORLD_SIZE="1")
    assert is_chief()


def test_a_device_that_does_not_exist(torchrun: Callable[..., None]) -> None:
    with pytest.raises(UsageError) as caught, joined("gpu"):
        pass
    assert str(caught.value) == "unknown device 'gpu'"
    assert caught.value.hint == "choose one of: auto, cpu, cuda, cuda:N"


def test_more_ranks_than_gpus(torchrun: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError) as caught, joined("cuda"):
        pass
    assert str(caught.value) == "local rank 1 has no GPU of its own: this host has 1"
    assert caught.value.hint == "torchrun --nproc-per-node 1 …, or --device cpu"


def test_ranks_that_do_not_meet(torchrun: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    torchrun(MASTER_PORT=str(store.port), TORCHELASTIC_USE_AGENT_STORE="True")
    monkeypatch.setattr(module, "PATIENCE", timedelta(seconds=1))
    with pytest.raises(GanzooError) as caught, joined("cpu"):
        pass
    assert str(caught.value).startswith(f"rank 1 of 2 does not find the others at 127.0.0.1:{store.port}: ")
    assert caught.value.hint == "every host must reach MASTER_ADDR at MASTER_PORT; torchrun sets both"
    assert caught.value.exit_code == ExitCode.FAILURE
    assert not dist.is_initialized()


@pytest.mark.parametrize("list_of_the_dead", [None, "3a2f 99c0"])
def test_a_start_does_not_meet_the_dead_of_the_one_before(
    torchrun: Callable[..., None], list_of_the_dead: str | None
) -> None:
    """torchrun keeps its store; ranks that read it before rank 0 wrote anew take no notice of what is there."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    store.set("start", "former")
    if list_of_the_dead:
        store.set("former/all", list_of_the_dead)
    torchrun(MASTER_PORT=str(store.port), TORCHELASTIC_USE_AGENT_STORE="True")
    with ThreadPoolExecutor() as pool:

        def start(rank: int) -> Future[Store]:
            return pool.submit(meet, Seat(rank, 3, rank, ""), timedelta(seconds=60))

        begun = [start(1), start(2)]
        store.wait(["former/1", "former/2"])
        first, *others = [each.result() for each in (start(0), *begun)]
    first.set("said", "now")
    assert [other.get("said") for other in others] == [b"now", b"now"]
    assert not store.check(["former/said"])


def main(home: str, task: str) -> None:
    """What one rank does; whoever leaves with an error is disconnected, too."""
    with contextlib.suppress(ZeroDivisionError), joined("cpu") as ranks:
        if task == "lose":
            lose(ranks)
        save_file(agree(ranks), Path(home) / f"{ranks.rank}.safetensors")
        print(1 / 0)
    assert not dist.is_initialized()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
        leave(0)
    except GanzooError as error:
        leave(tell(error))
