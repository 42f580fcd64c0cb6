"""Streams, ways between seeds, grids, and a label for each image."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.errors import UsageError
from ganzoo.images import grid, to_uint8
from ganzoo.latents import MAX_SEED, draw, slerp
from ganzoo.runtime.generator import BATCH, MAX_IMAGES, ImageGenerator
from ganzoo.runtime.order import AHEAD, in_order

PETS = ("cat", "dog", "0")


@pytest.fixture(scope="module")
def pets(make_onnx: Callable[..., bytes]) -> ImageGenerator:
    return ImageGenerator.from_bytes(make_onnx(PETS), device="cpu", threads=1)


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_a_stream_is_the_sample_a_few_at_a_time(pets: ImageGenerator, workers: int | None) -> None:
    n = 3 * BATCH + 1
    images, labels = zip(*pets.stream(n, 7, start=5, workers=workers), strict=True)
    assert max(map(len, images)) <= BATCH
    whole, drawn = pets.pixels(n, 7, start=5)
    assert np.array_equal(np.concatenate(images), whole.transpose(0, 2, 3, 1))
    assert np.concatenate(labels).tolist() == np.asarray(drawn).tolist()


def test_a_stream_of_more_images_than_there_are_makes_those_that_are_taken(pets: ImageGenerator) -> None:
    stream = pets.stream(MAX_SEED, 7, workers=2)
    first, _ = next(stream)
    assert np.array_equal(first, pets.sample(BATCH, 7))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be a whole number from 1 to 18446744073709551616, not 0"),
        ({"n": 1, "workers": 0}, "workers must be a whole number from 1 to 1024, not 0"),
        ({"n": 2, "start": MAX_SEED}, "start must be"),
        ({"n": 2, "label": "bird"}, "tiny has no class 'bird'"),
        ({"n": 2, "controls": {"truncation": 1}}, "tiny has no control 'truncation'"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_when_it_is_asked_for(
    pets: ImageGenerator, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        pets.stream(**{"seed": 7, **arguments})


@pytest.mark.parametrize("workers", [1, 3])
def test_results_in_order_and_few_ahead(workers: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    for expected, result in enumerate(in_order(lambda item: item * item, items(), workers)):
        assert result == expected**2
        assert len(taken) <= expected + 1 + AHEAD * workers


def test_what_a_worker_raises_is_raised_and_ends_the_work() -> None:
    results = in_order(lambda item: 1 / (3 - item), iter(range(1000)), 2)
    with pytest.raises(ZeroDivisionError):
        list(results)


def test_a_label_for_each_image(pets: ImageGenerator) -> None:
    images = pets.sample(4, 7, ["cat", 1, "dog", "cat"])
    for row, label in enumerate(["cat", "dog", "dog", "cat"]):
        assert np.array_equal(images[row], pets.sample(1, 7, label, start=row)[0])
    n = BATCH + 3
    _, labels = pets.pixels(n, 7, [PETS[row % 2] for row in range(n)])
    assert np.asarray(labels).tolist() == [row % 2 for row in range(n)]
    with pytest.raises(UsageError, match="there are 2 labels for 3 images") as caught:
        pets.sample(3, 7, ["cat", "dog"])
    assert caught.value.hint == "give one for all, or one an image"


def test_a_way_between_the_first_images_of_two_seeds(pets: ImageGenerator) -> None:
    images = pets.interpolate(7, 8, 5, "dog")
    assert np.array_equal(images[[0, -1]], np.concatenate([pets.sample(1, seed, "dog") for seed in (7, 8)]))
    (start, _), (end, _) = draw(7, 0, 1, 5), draw(8, 0, 1, 5)
    expected = to_uint8(pets.run(slerp(start[0], end[0], 5), np.full(5, 1)))
    assert np.array_equal(images, expected.transpose(0, 2, 3, 1))


def test_a_way_has_the_class_that_it_begins_with(pets: ImageGenerator) -> None:
    seeds = next((a, b) for a in range(9) for b in range(9) if draw(a, 0, 1, 5, 3)[1] != draw(b, 0, 1, 5, 3)[1])
    _, label = pets.pixels(1, seeds[0])
    assert label is not None
    assert np.array_equal(pets.interpolate(*seeds, 3), pets.interpolate(*seeds, 3, PETS[label[0]]))


@pytest.mark.parametrize("steps", [0, MAX_IMAGES + 1, 2.0])
def test_a_way_of_no_such_number_of_steps(pets: ImageGenerator, steps: Any) -> None:
    with pytest.raises(UsageError, match=f"steps must be a whole number from 1 to {MAX_IMAGES}"):
        pets.interpolate(7, 8, steps)


def test_a_grid_is_a_picture(pets: ImageGenerator) -> None:
    picture = pets.grid(6, 7, "cat", columns=2)
    assert isinstance(picture, Image.Image)
    expected = grid(pets.pixels(6, 7, "cat")[0], 2).transpose(1, 2, 0)
    assert np.array_equal(np.asarray(picture), expected)
