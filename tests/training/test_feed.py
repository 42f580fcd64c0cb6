"""Real images reach the step with the same bits whether they lie on the device or come from a mapped file."""

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganzoo.config import PrecisionName, RunConfig, merge
from ganzoo.data import ImageSet
from ganzoo.training import checkpoint, feed, setup
from ganzoo.training.draws import Order
from ganzoo.training.feed import AHEAD, RESIDENT_SHARE, Resident, Streamed, open_feed
from ganzoo.training.precision import Precision
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

CPU = torch.device("cpu")
IN_FP32 = Precision(PrecisionName.FP32, CPU)


def image_set(pixels: NDArray[np.uint8], labels: bool = True) -> ImageSet:
    given: dict[str, Any] = {"labels": np.arange(len(pixels)) % 4, "class_names": tuple("abcd")} if labels else {}
    return ImageSet(pixels=pixels, **given)


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def stored(request: pytest.FixtureRequest) -> ImageSet:
    """40 images in memory."""
    return image_set(np.random.default_rng(0).integers(0, 256, (40, request.param, 8, 8), np.uint8))


@pytest.fixture
def mapped(stored: ImageSet, tmp_path: Path) -> ImageSet:
    """The same, in a file that is mapped into memory."""
    np.save(tmp_path / "images.npy", stored.pixels)
    return image_set(np.load(tmp_path / "images.npy", mmap_mode="r"))


def opened(images: ImageSet, batch: int = 6, critic_steps: int = 2, seed: int = 5) -> feed.Feed:
    config = RunConfig(model="m", architecture="a", loss="l", seed=seed, batch=batch, critic_steps=critic_steps)
    return open_feed(images, IN_FP32, config)


def rows(images: ImageSet, step: int, phase: int) -> NDArray[np.int64]:
    return Order(5, len(images), 6).rows(step, phase).numpy()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The positions that a streaming feed sets out to read, in order."""
    positions = []
    job = Streamed._job

    def recorded(self: Streamed, step: int, phase: int) -> Callable[[], torch.Tensor]:
        positions.append((step, phase))
        return job(self, step, phase)

    monkeypatch.setattr(Streamed, "_job", recorded)
    return positions


def test_what_is_in_memory_is_resident_and_what_is_mapped_is_streamed(stored: ImageSet, mapped: ImageSet) -> None:
    assert isinstance(opened(stored), Resident)
    assert isinstance(opened(stored.take(slice(7, 30))), Resident)
    assert isinstance(opened(mapped), Streamed)
    assert isinstance(opened(mapped.take(slice(7, 30))), Streamed)
    view = np.asarray(mapped.pixels)[3:][:, :, ::2]
    assert type(view) is np.ndarray  # says no more where it comes from
    assert isinstance(opened(image_set(view)), Streamed)
    assert isinstance(opened(mapped.take(np.arange(20))), Resident)  # a copy


@pytest.mark.parametrize("free", [10**6, 3 * 10**9])
def test_a_cuda_device_takes_a_share_of_its_free_memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    limit = int(RESIDENT_SHARE * free)
    one = np.zeros((1, 1, 1, 1), np.uint8)
    for count, fits in ((limit, True), (limit + 1, False)):
        assert feed._fits(np.broadcast_to(one, (count, 1, 1, 1)), torch.device("cuda")) == fits


def test_values_are_those_of_the_definition() -> None:
    """u / 127.5 - 1 to the last bit or the one beside it, and exactly -1 and 1 at the ends."""
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    for images in (image_set(ramp, labels=False), image_set(np.broadcast_to(ramp, (4, 3, 16, 16)), labels=False)):
        for shown in opened(images).images(0, 0).flatten(0, 1):
            assert np.abs(shown.double().numpy().ravel() - (np.arange(256) / 127.5 - 1)).max() < 1e-7
            assert (shown.min(), shown.max()) == (shown[0, 0], shown[15, 15]) == (-1, 1)


def test_batches_are_the_orders_rows(stored: ImageSet, mapped: ImageSet) -> None:
    assert stored.labels is not None
    for images in (stored, mapped):
        fed = opened(images)
        for step, phase in ((0, 0), (0, 1), (7, 1)):
            chosen = rows(images, step, phase)
            expected = torch.from_numpy(stored.pixels[chosen]).double() / 127.5 - 1
            torch.testing.assert_close(fed.images(step, phase).double(), expected, rtol=0, atol=1e-7)
            labels = fed.labels(step, phase)
            assert labels is not None
            assert torch.equal(labels, torch.from_numpy(stored.labels[chosen]))


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_both_feeds_give_one_layout(
    stored: ImageSet, mapped: ImageSet, memory_format: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strides too: kernels are chosen by them, and kernels differ in the last bit."""
    monkeypatch.setattr(Precision, "memory_format", memory_format)
    one, other = opened(stored).images(1, 0), opened(mapped).images(1, 0)
    assert torch.equal(one, other)
    assert one.is_contiguous(memory_format=memory_format)
    assert one.stride() == other.stride() == torch.empty_like(one, memory_format=memory_format).stride()
    assert one.dtype == other.dtype == torch.float32


def test_any_position_in_any_order(stored: ImageSet, mapped: ImageSet) -> None:
    """Ahead, back, again: a feed has no state that shows."""
    resident, streamed = opened(stored), opened(mapped)
    positions = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 1), (90, 1), (91, 0), (3, 0), (3, 1), (0, 0)]
    for step, phase in positions:
        assert torch.equal(resident.images(step, phase), streamed.images(step, phase)), (step, phase)
    assert isinstance(streamed, Streamed)
    assert len(streamed._coming) == AHEAD


def test_what_comes_next_is_read_ahead_and_no_further(mapped: ImageSet, jobs: list[tuple[int, int]]) -> None:
    fed = opened(mapped)
    fed.images(4, 1)
    assert jobs == [(4, 1), (5, 0), (5, 1), (6, 0), (6, 1)]
    fed.images(5, 0)
    assert jobs[5:] == [(7, 0)]
    fed.labels(5, 1)
    assert len(jobs) == 6


def test_a_batch_is_the_callers_own(stored: ImageSet, mapped: ImageSet) -> None:
    """Writing to one, as nobody should, spoils neither the next nor the set."""
    before = stored.pixels.copy()
    for images in (stored, mapped):
        fed = opened(images)
        first = fed.images(0, 0).clone()
        fed.images(0, 0).fill_(7)
        assert torch.equal(fed.images(0, 0), first)
    assert np.array_equal(stored.pixels, before)


@pytest.mark.parametrize("images_a_block", [0.5, 7, 40])
def test_a_read_only_set_goes_to_the_device_in_blocks(
    mapped: ImageSet, stored: ImageSet, monkeypatch: pytest.MonkeyPatch, images_a_block: float
) -> None:
    """Whole, it would be copied into memory, which it may be larger than."""
    monkeypatch.setattr(feed, "BLOCK", int(images_a_block * stored.pixels[0].nbytes))
    expected = opened(stored).images(2, 0)
    sizes = []
    centred = feed._centred
    monkeypatch.setattr(feed, "_centred", lambda array: sizes.append(len(array)) or centred(array))  # type: ignore[func-returns-value]
    resident = Resident(image_set(mapped.pixels, labels=False), IN_FP32, Order(5, 40, 6))
    assert torch.equal(resident.images(2, 0), expected)
    assert (sum(sizes), max(sizes)) == (40, max(1, int(images_a_block)))


def test_read_only_arrays(stored: ImageSet) -> None:
    pixels = np.frombuffer(stored.pixels.tobytes(), np.uint8).reshape(stored.pixels.shape)
    assert torch.equal(opened(image_set(pixels)).images(2, 0), opened(stored).images(2, 0))


def test_unlabelled(stored: ImageSet, mapped: ImageSet) -> None:
    for images in (stored, mapped):
        assert opened(image_set(images.pixels, labels=False)).labels(0, 0) is None


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ganzoo-feed")]


def test_threads_end_with_the_feed(mapped: ImageSet) -> None:
    before = threads()
    fed = opened(mapped)
    fed.images(0, 0)
    ours = [thread for thread in threads() if thread not in before]
    assert 1 <= len(ours) <= feed.READERS
    del fed
    gc.collect()
    for thread in ours:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_an_in_memory_set_needs_no_thread(stored: ImageSet) -> None:
    before = threads()
    opened(stored).images(0, 0)
    assert threads() == before


def assembled(images: ImageSet, model: str, **settings: Any) -> Trainer:
    settings = merge({"batch": 6, "device": "cpu", "precision": "fp32", "options": {"width": 8}}, settings)
    recipe = setup.settle(resolve(zoo(), model, settings, native=lambda _: images.pixels.shape[2:]))
    return setup.assemble(recipe, images)[1]


RP = {"loss": "rpgan", "options": {"discriminator_norm": "none"}}


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("vanilla", {"flip": True}),
        ("wgan-gp", {"critic_steps": 3}),
        ("conditional", {}),
        ("dcgan", {**RP, "augment": "diffaugment", "precision": "bf16"}),
    ],
    ids=["vanilla-flip", "wgan-gp", "conditional", "dcgan-rpgan-augment-bf16"],
)
def test_training_is_the_same_to_the_bit(
    stored: ImageSet,
    mapped: ImageSet,
    tmp_path: Path,
    weights: Callable[[Trainer], dict[str, torch.Tensor]],
    same: Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool],
    model: str,
    settings: dict[str, Any],
) -> None:
    """Ten steps from memory are five from the file, a checkpoint, and five more."""
    whole, half, rest = (assembled(images, model, **settings) for images in (stored, mapped, mapped))
    assert isinstance(whole.batches.feed, Resident)
    assert isinstance(rest.batches.feed, Streamed)
    for _ in range(10):
        whole.step()
    for _ in range(5):
        half.step()
    checkpoint.write(half, tmp_path / "checkpoint.safetensors")
    checkpoint.read(rest, tmp_path / "checkpoint.safetensors")
    for _ in range(5):
        rest.step()
    assert same(weights(whole), weights(rest))
    assert not same(weights(rest), weights(half))
    assert rest.telemetry.means() == whole.telemetry.means()


def test_a_failure_to_read_stops_the_training(mapped: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reader's own error, in the step that needed the batch; and the next attempt reads anew."""
    trainer = assembled(mapped, "vanilla")
    read = feed._read
    lost = trainer.batches.feed._order.rows(AHEAD + 1, 0)

    def fails(pixels: NDArray[np.uint8], wanted: torch.Tensor, *layout: Any) -> torch.Tensor:
        if torch.equal(wanted, lost):
            raise OSError(5, "the disk is gone")
        return read(pixels, wanted, *layout)

    monkeypatch.setattr(feed, "_read", fails)
    for _ in range(AHEAD + 1):
        trainer.step()
    with pytest.raises(OSError, match="the disk is gone"):
        trainer.step()
    monkeypatch.setattr(feed, "_read", read)
    trainer.step()
    assert trainer.steps_done == AHEAD + 2
