"""The labels of samples: drawn as the training images have them, and matched by name."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from ganzoo.data import ImageSet
from ganzoo.evaluation.evidence import of_generator
from ganzoo.evaluation.labels import Matching, indices, match
from ganzoo.latents import draw

NAMES = ("cat", "caf\u00e9", "10", "1")
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def images(names: Sequence[str], labels: Sequence[int] | None) -> ImageSet:
    count = 5 if labels is None else len(labels)
    return ImageSet(
        pixels=np.zeros((count, 1, 2, 2), np.uint8),
        labels=None if labels is None else np.array(labels, np.int64),
        class_names=() if labels is None else tuple(names),
    )


def generator(names: Sequence[str]) -> Any:
    """Each image is as bright as its label says; there are no weights."""

    def run(z: NDArray[np.float32], labels: NDArray[np.int64] | None) -> NDArray[np.float32]:
        shown = np.zeros(len(z), np.int64) if labels is None else labels
        return ((shown[:, None, None, None] - 127.5) / 127.5 * np.ones((1, 1, 2, 2))).astype(np.float32)

    card = SimpleNamespace(class_names=tuple(names), latent_dim=3)
    return SimpleNamespace(card=card, run=run)


def sampled(made: Sequence[str], training: ImageSet, n: int = 2000) -> tuple[list[str], NDArray[np.int64] | None]:
    """The classes that samples show, and the labels that they are said to have, among the real images' classes."""
    pixels, labels = of_generator(generator(made), 0, match(made, training))(0, n)
    return [made[int(pixel)] for pixel in pixels[:, 0, 0, 0]], labels


@given(
    counts=st.lists(st.integers(0, 400), min_size=2, max_size=6).filter(lambda counts: sum(counts) > 100),
    order=st.randoms(use_true_random=False),
)
def test_samples_have_the_shares_of_the_training_images(counts: list[int], order: Any) -> None:
    """Whatever the order of classes in the generator; five standard errors each way, and none of what there is none."""
    names = [f"class {index}" for index in range(len(counts))]
    training = images(names, np.repeat(np.arange(len(counts)), counts).tolist())
    made = order.sample(names, len(names))
    shown, labels = sampled(made, training)
    assert labels is not None
    assert shown == [names[label] for label in labels]
    for name, count in zip(names, counts, strict=True):
        share = count / sum(counts)
        assert abs(shown.count(name) / len(shown) - share) <= 5 * (share * (1 - share) / len(shown)) ** 0.5


@pytest.mark.parametrize(("made", "real"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_accents_count_alike_in_both_spellings(made: str, real: str) -> None:
    shown, labels = sampled(["dog", made], images([real, "dog"], [0, 0, 0, 1]))
    assert labels is not None
    assert labels.tolist() == [(real, "dog").index(real if name == made else name) for name in shown]
    assert indices([COMPOSED, DECOMPOSED], [DECOMPOSED, COMPOSED]).tolist() == [1, 0]


def test_a_name_that_is_a_number_is_no_index() -> None:
    shown, labels = sampled(["1", "0", "10"], images(["0", "1", "10"], [1, 1, 2]))
    assert set(shown) == {"1", "10"}
    assert labels is not None
    assert set(labels.tolist()) == {1, 2}


def test_classes_that_only_one_of_them_has() -> None:
    training = images(["a", "b", "c", "d"], [0, 1, 1, 1, 2, 3])
    shown, labels = sampled(["b", "x", "a"], training)
    assert labels is not None
    assert set(shown) == {"a", "b"}
    assert 0.7 < shown.count("b") / len(shown) < 0.8
    assert match(["b", "x", "a"], training).notes == ("it does not make the images' classes 'c', 'd'",)
    assert match(["a", "b", "c"], images(["a", "b", "c", "d"], [0, 1, 2])).notes == ()  # of d there is no image
    many = images([str(number) for number in range(9)], list(range(9)))
    assert match(["0"], many).notes == ("it does not make the images' classes '1', '2', '3' and 5 more",)


@pytest.mark.parametrize(
    ("training", "note"),
    [
        (images((), None), "the images have no classes, so each of its own is drawn equally often"),
        (images(["x", "y"], [0, 0, 1]), "its classes are not those of the images, so each is drawn equally often"),
    ],
)
def test_without_a_class_in_common_each_is_drawn_equally_often(training: ImageSet, note: str) -> None:
    shown, labels = sampled(["a", "b"], training)
    assert labels is None
    assert match(["a", "b"], training).notes == (note,)
    assert 0.45 < shown.count("a") / len(shown) < 0.55


def test_a_generator_without_classes_has_no_labels() -> None:
    assert match([], images(["a"], [0, 0])) == Matching()
    _, labels = of_generator(generator([]), 0, Matching())(0, 5)
    assert labels is None


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 2**64 - 1), st.integers(0, 100))
def test_a_drawn_label_depends_on_seed_and_index_alone(pool: list[int], seed: int, start: int) -> None:
    """And the latents on the pool not at all."""
    drawn = draw(seed, start, 4, 3, 6, np.array(pool, np.int64))
    assert drawn[1] is not None
    assert set(drawn[1].tolist()) <= set(pool)
    np.testing.assert_array_equal(drawn[0], draw(seed, start, 4, 3)[0])
    alone = draw(seed, start + 3, 1, 3, 6, np.array(pool, np.int64))[1]
    assert alone is not None
    assert alone[0] == drawn[1][3]
    np.testing.assert_array_equal(draw(seed, start, 4, 3, 6)[1], draw(seed, start, 4, 3, 6, np.arange(6))[1])
