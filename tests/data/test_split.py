"""Which images are held out: a matter of the images alone."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ganzoo.data import ImageSet
from ganzoo.data.split import held_out_rows, image_digest, resized, split


def images(values: list[int]) -> ImageSet:
    """An image of one pixel for each value, labelled by the value's parity."""
    pixels = np.array(values, np.uint8)[:, None, None, None]
    return ImageSet(pixels=pixels, labels=pixels.ravel() % np.int64(2), class_names=("even", "odd"))


def contents(part: ImageSet | None) -> Counter[int]:
    return Counter(part.pixels.ravel().tolist()) if part else Counter()


many = st.lists(st.integers(0, 255), min_size=1, max_size=60)
shares = st.floats(0, 0.9)


@given(many, shares, st.randoms())
def test_neither_order_nor_names_decide(values: list[int], share: float, random: object) -> None:
    shuffled = values.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = split(images(values), share), split(images(shuffled), share)
    assert contents(one.training) == contents(other.training)
    assert contents(one.held_out) == contents(other.held_out)


@given(many, shares)
def test_every_image_is_in_one_part_and_copies_are_together(values: list[int], share: float) -> None:
    parts = split(images(values), share)
    training, judged = contents(parts.training), contents(parts.held_out)
    assert training + judged == Counter(values)
    assert not training.keys() & judged.keys()
    assert len(judged) <= int(share * len(set(values)))
    assert {value % 2 for value in training} == {value % 2 for value in values}


@given(many, shares)
def test_the_share_is_held_out_unless_a_class_needs_its_last_image(values: list[int], share: float) -> None:
    unlabelled = ImageSet(pixels=images(values).pixels)
    assert len(contents(split(unlabelled, share).held_out)) == int(share * len(set(values)))
    left = contents(split(images(values), share).training)
    short = int(share * len(set(values))) - (len(set(values)) - len(left))
    assert short <= 1  # the larger class, whose last image stays, has the rest
    assert not short or min(Counter(value % 2 for value in left).values()) == 1


@given(many, shares)
def test_order_and_labels_stay(values: list[int], share: float) -> None:
    for part in filter(None, vars(split(images(values), share)).values()):
        rows = part.pixels.ravel().tolist()
        assert rows == [value for value in values if value in set(rows)]
        assert part.labels.tolist() == [value % 2 for value in rows]


@given(st.lists(st.integers(0, 255), min_size=2, max_size=60, unique=True))
def test_a_new_image_moves_few(values: list[int]) -> None:
    *before, _ = values
    held = [set(contents(split(images(part), 0.3).held_out)) for part in (before, values)]
    assert len(held[0] - held[1]) <= 1
    assert len(held[1] - held[0]) <= 2


def test_a_digest_is_of_the_pixels_alone() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    assert image_digest(image) == image_digest(image.copy())
    assert image_digest(image.transpose(1, 2, 0)) != image_digest(image)
    assert image_digest(np.asfortranarray(image)) == image_digest(image)


def test_a_share_of_zero_or_of_one_image_holds_nothing_out() -> None:
    assert split(images([1, 2, 3]), 0).held_out is None
    one = split(images([7]), 0.9)
    assert one.held_out is None
    assert len(one.training) == 1


def test_the_last_distinct_image_of_a_class_is_trained_on() -> None:
    """Also where it lies in two classes, and there are copies of it."""
    digests = [b"a", b"a", b"b", b"c", b"d", b"e"]
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert held_out_rows(digests, 0.9, labels).tolist() == [False, False, True, False, True, False]
    labels = np.array([0, 1, 1, 1, 2, 2])
    assert held_out_rows(digests, 0.9, labels).tolist() == [False, False, True, True, True, False]


def test_rows_are_a_mask() -> None:
    assert held_out_rows([b"c", b"a", b"b", b"a"], 0.4).tolist() == [False, True, False, True]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_both_parts_are_resized(share: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 1, 8, 8), np.uint8)
    parts = resized(split(ImageSet(pixels=pixels), share), 4)
    assert parts.training.pixels.shape[2:] == (4, 4)
    assert (parts.held_out.pixels.shape[2:] == (4, 4)) if parts.held_out else share == 0
