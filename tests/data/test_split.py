"""Which images are held out: a matter of the images alone."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ganzoo.data import ImageSet
from ganzoo.data.split import Split, held_out_rows, image_digest, resized, split, without_empty_classes
from ganzoo.errors import UsageError


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


# Groups of near-copies

grouped = st.lists(st.tuples(st.integers(0, 255), st.integers(-2, 8)), min_size=1, max_size=60)


def images_of(pairs: list[tuple[int, int]]) -> ImageSet:
    """An image for each (value, group)."""
    return replace(images([value for value, _ in pairs]), groups=np.array([group for _, group in pairs]))


def sides(parts: Split) -> dict[tuple[int, int], set[str]]:
    """(value, group) -> the parts that it is in."""
    found: dict[tuple[int, int], set[str]] = {}
    for name, part in vars(parts).items():
        for pair in zip(part.pixels.ravel().tolist(), part.groups.tolist(), strict=True) if part else ():
            found.setdefault(pair, set()).add(name)
    return found


@given(grouped, shares, st.randoms())
def test_a_group_and_all_that_is_linked_to_it_by_copies_lie_on_one_side(
    pairs: list[tuple[int, int]], share: float, random: object
) -> None:
    parts = split(images_of(pairs), share)
    found = sides(parts)
    assert found.keys() == set(pairs)
    for value, group in pairs:
        linked = [side for (other, number), side in found.items() if other == value or number == group]
        assert len(set().union(*linked)) == 1
    assert {value % 2 for value in contents(parts.training)} == {value % 2 for value, _ in pairs}
    shuffled = pairs.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sides(split(images_of(shuffled), share)) == found


@given(grouped, shares, shares)
def test_a_larger_share_holds_out_what_a_smaller_one_does(
    pairs: list[tuple[int, int]], one: float, other: float
) -> None:
    less, more = (contents(split(images_of(pairs), share).held_out) for share in sorted((one, other)))
    assert less <= more


@given(many, shares)
def test_groups_of_one_image_change_nothing(values: list[int], share: float) -> None:
    """Nor do groups of exact copies."""
    plain = split(images(values), share)
    alone = split(images_of([(value, value) for value in values]), share)
    assert contents(alone.held_out) == contents(plain.held_out)
    assert alone.training.digest == plain.training.digest


def test_a_large_group_comes_no_sooner_than_a_small_one() -> None:
    """The smallest digest of fifty images is small, so it would nearly always be held out at a tenth."""
    random = np.random.default_rng(0)
    groups = np.array([0] * 50 + list(range(1, 151)))
    taken = [held_out_rows([random.bytes(16) for _ in groups], 0.1, groups=groups)[0] for _ in range(200)]
    assert 0.05 < np.mean(taken) < 0.25  # 20 of the 151 units are enough


def test_groups_are_held_out_whole_and_the_share_is_reached() -> None:
    digests = [bytes([number]) * 16 for number in range(40)]
    mask = held_out_rows(digests, 0.1, groups=np.arange(40) // 10)
    assert mask.sum() == 10
    assert len(set((np.arange(40) // 10)[mask])) == 1


@pytest.mark.parametrize(
    ("groups", "labels"), [([0, 0, 0, 1, 2], None), ([0, 0, 0, 1, 2], [0, 0, 0, 1, 1]), ([0, 0, 0, 0, 0], None)]
)
def test_more_than_half_of_the_images_are_never_held_out(groups: list[int], labels: list[int] | None) -> None:
    given = None if labels is None else np.array(labels)
    mask = held_out_rows([bytes([number]) for number in range(5)], 0.9, given, np.array(groups))
    assert not mask[:3].any()
    assert mask.any() == (groups[-1] > 0)


def test_what_cannot_be_held_out_is_told() -> None:
    whole = replace(images([1, 2, 3, 4]), groups=np.zeros(4, np.int64))
    assert [note[:19] for note in split(whole, 0.5).training.told] == ["nothing is held out"]
    assert not split(whole, 0.1).training.told  # a share of no image
    assert not split(images([1, 2, 3, 4]), 0.5).training.told


def test_groups_stay_with_their_images() -> None:
    whole = images_of([(value, value // 3) for value in range(30)])
    for part in filter(None, vars(resized(split(whole, 0.3), 2)).values()):
        assert part.groups.tolist() == [round(value) // 3 for value in part.pixels[:, 0, 0, 0].tolist()]
    assert without_empty_classes(split(whole, 0.3)).training.groups is not None


@pytest.mark.parametrize("groups", [np.zeros(3, np.int64), np.zeros(4), np.zeros((4, 1), np.int64)])
def test_groups_that_do_not_fit_are_refused(groups: Any) -> None:
    with pytest.raises(UsageError, match="groups must be an int64 array \\[4\\], one an image"):
        replace(images([1, 2, 3, 4]), groups=groups)


def test_a_set_that_holds_out_part_of_a_group_is_refused() -> None:
    with pytest.raises(UsageError, match="group 7 has images that are held out and others that are not"):
        replace(images([1, 2, 3]), groups=np.array([5, 7, 7]), held_out=np.array([True, True, False]))
