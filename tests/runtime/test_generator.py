import hashlib
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ganzoo.errors import ExitCode, GanzooError, IntegrityError, UsageError
from ganzoo.images import to_uint8
from ganzoo.latents import MAX_SEED, draw
from ganzoo.runtime.generator import BATCH, MAX_IMAGES, ImageGenerator, random_seed
from ganzoo.runtime.labels import find_class

PETS = ("cat", "dog", "0")


@pytest.fixture(scope="module")
def plain(make_onnx: Callable[..., bytes]) -> ImageGenerator:
    return ImageGenerator.from_bytes(make_onnx(), device="cpu")


@pytest.fixture(scope="module")
def pets(make_onnx: Callable[..., bytes]) -> ImageGenerator:
    return ImageGenerator.from_bytes(make_onnx(PETS), device="cpu")


def test_describes_itself(make_onnx: Callable[..., bytes], pets: ImageGenerator) -> None:
    assert pets.device == "cpu"
    assert pets.card.class_names == PETS
    assert pets.sha256 == hashlib.sha256(make_onnx(PETS)).hexdigest()


def test_samples_are_those_of_the_latent_stream(plain: ImageGenerator, pets: ImageGenerator) -> None:
    z, labels = draw(7, 0, 4, 5, classes=3)
    assert (plain.sample(4, 7) == to_uint8(plain.run(z)).transpose(0, 2, 3, 1)).all()
    assert (pets.sample(4, 7) == to_uint8(pets.run(z, labels)).transpose(0, 2, 3, 1)).all()
    assert plain.sample(4, 7).shape == (4, 8, 8, 3)
    assert plain.sample(4, 7).dtype == np.uint8
    assert plain.sample(4, 7).std() > 30  # and not one flat colour


@given(
    seed=st.integers(0, MAX_SEED),
    n=st.integers(1, 2 * BATCH + 3),
    start=st.integers(0, 2 * BATCH),
    label=st.sampled_from([None, "cat", 1]),
)
def test_an_image_does_not_depend_on_its_request(
    pets: ImageGenerator, seed: int, n: int, start: int, label: int | str | None
) -> None:
    whole = pets.sample(start + n, seed, label)
    assert (pets.sample(n, seed, label, start) == whole[start:]).all()
    assert (pets.sample(1, seed, label, start) == whole[start]).all()


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_rows_are_bitwise_independent_of_their_batch(make_onnx: Callable[..., bytes], threads: int | None) -> None:
    generator = ImageGenerator.from_bytes(make_onnx(PETS), device="cpu", threads=threads)
    z, labels = draw(3, 0, 65, 5, classes=3)
    assert labels is not None
    together = generator.run(z, labels)
    for count in (1, 2, 3, 7, 33):
        assert generator.run(z[:count], labels[:count]).tobytes() == together[:count].tobytes()
    assert generator.run(z[::-1].copy(), labels[::-1].copy())[::-1].tobytes() == together.tobytes()


def test_threads_may_share_a_generator(plain: ImageGenerator) -> None:
    expected = plain.sample(40, 5)
    with ThreadPoolExecutor(4) as pool:
        assert all((images == expected).all() for images in pool.map(lambda _: plain.sample(40, 5), range(12)))


def test_without_a_seed_each_call_differs(plain: ImageGenerator) -> None:
    assert not (plain.sample(2) == plain.sample(2)).all()
    assert len({random_seed() for _ in range(20)}) > 1
    assert all(0 <= random_seed() < 2**32 for _ in range(20))


def test_labels_by_index_and_by_name(pets: ImageGenerator) -> None:
    labels = ("cat", "1", 1, "dog", np.int64(1))
    assert [pets.resolve_label(label) for label in labels] == [0, 1, 1, 1, 1]  # type: ignore[arg-type]
    assert [pets.resolve_label(label) for label in ("0", 0)] == [2, 2]  # the class that is called so
    z, _ = draw(7, 0, 2, 5)
    assert (pets.sample(2, 7, "dog") == to_uint8(pets.run(z, np.array([1, 1]))).transpose(0, 2, 3, 1)).all()
    assert not (pets.sample(2, 7, "dog") == pets.sample(2, 7, "cat")).all()


@pytest.mark.parametrize("label", [2, 3, -1, "2", "3", "-1", 1.0, True, None, "", "1_0", "²", "9" * 20])
def test_label_out_of_range(pets: ImageGenerator, label: Any) -> None:
    with pytest.raises(UsageError) as caught:
        pets.resolve_label(label)
    assert str(caught.value) == f"tiny has no class {label!r}"
    assert caught.value.hint == "choose a name: cat, dog, 0"
    assert caught.value.exit_code == ExitCode.USAGE


def test_arrays_without_a_dimension(pets: ImageGenerator) -> None:
    """One label is one for all; latents are rows."""
    made = pets.sample(3, 1, label=np.array(1))  # type: ignore[arg-type]
    assert np.array_equal(made, pets.sample(3, 1, label=1))
    with pytest.raises(UsageError, match=r"z must be finite float32 \[N, "):
        pets.run(np.zeros((), np.float32), np.zeros(1, np.int64))


NAMES = st.one_of(
    st.sampled_from(["0", "1", "2", "3", "10", "-1", "1.5", "007", "cat", "caf\u00e9"]), st.text(max_size=3)
)


@given(st.lists(NAMES, min_size=1, max_size=5, unique_by=lambda name: unicodedata.normalize("NFC", name)))
def test_every_name_means_its_class_in_each_spelling_and_an_index_never_a_number(names: list[str]) -> None:
    for index, name in enumerate(names):
        assert find_class(name, names, "m") == index
        for form in ("NFC", "NFD"):
            assert find_class(unicodedata.normalize(form, name), names, "m") == index
    for number in range(-1, 12):
        outcomes: list[int | None] = []
        for label in (number, str(number), np.int64(number)):
            try:
                outcomes.append(find_class(label, names, "m"))  # type: ignore[arg-type]
            except UsageError:
                outcomes.append(None)
        assert len(set(outcomes)) == 1  # one meaning, however it is given
        (found, *_) = outcomes
        if str(number) in names:
            assert found == names.index(str(number))
        elif found is not None:
            assert found == number
            assert not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", names[number])


def test_numbers_that_are_names_are_never_indices() -> None:
    """Classes 1, 2 and 3, as EMNIST numbers its own: 1 is the first, and there is no 0."""
    assert find_class(1, ("1", "2", "3"), "m") == find_class("1", ("1", "2", "3"), "m") == 0
    for label in (0, "0", 4):
        with pytest.raises(UsageError) as caught:
            find_class(label, ("1", "2", "3"), "m")
        assert caught.value.hint == "choose a name: 1, 2, 3"


def test_two_classes_that_look_the_same_have_their_own_spellings() -> None:
    names = ("caf\u00e9", "cafe\u0301")
    assert [find_class(name, names, "m") for name in (*names, 0, 1)] == [0, 1, 0, 1]


def test_label_misspelt(pets: ImageGenerator) -> None:
    with pytest.raises(UsageError) as caught:
        pets.sample(1, 0, "cats")
    assert caught.value.hint == "did you mean 'cat'?"


def test_many_classes_are_not_all_listed(make_onnx: Callable[..., bytes]) -> None:
    names = tuple(f"species {index}" for index in range(12))
    generator = ImageGenerator.from_bytes(make_onnx(names), device="cpu")
    with pytest.raises(UsageError) as caught:
        generator.resolve_label(12)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("8 (species 8), 9 (species 9), … 11")


def test_label_of_an_unlabelled_generator(plain: ImageGenerator) -> None:
    with pytest.raises(UsageError) as caught:
        plain.sample(1, 0, 0)
    assert str(caught.value) == "tiny takes no labels"
    assert caught.value.hint == "leave the label out"
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, f"n must be a whole number from 1 to {MAX_IMAGES}, not 0"),
        ({"n": -3}, f"n must be a whole number from 1 to {MAX_IMAGES}, not -3"),
        ({"n": MAX_IMAGES + 1}, f"n must be a whole number from 1 to {MAX_IMAGES}, not {MAX_IMAGES + 1}"),
        ({"n": 2.0}, f"n must be a whole number from 1 to {MAX_IMAGES}, not 2.0"),
        ({"n": 1, "seed": -1}, f"seed must be a whole number from 0 to {MAX_SEED}, not -1"),
        (
            {"n": 1, "seed": MAX_SEED + 1},
            f"seed must be a whole number from 0 to {MAX_SEED}, not {MAX_SEED + 1}",
        ),
        ({"n": True}, f"n must be a whole number from 1 to {MAX_IMAGES}, not True"),
        ({"n": "3"}, f"n must be a whole number from 1 to {MAX_IMAGES}, not '3'"),
        ({"n": None}, f"n must be a whole number from 1 to {MAX_IMAGES}, not None"),
        ({"n": 1, "seed": True}, f"seed must be a whole number from 0 to {MAX_SEED}, not True"),
        ({"n": 1, "seed": 1.5}, f"seed must be a whole number from 0 to {MAX_SEED}, not 1.5"),
        ({"n": 1, "start": "0"}, f"start must be a whole number from 0 to {MAX_SEED}, not '0'"),
        ({"n": 1, "seed": "7"}, f"seed must be a whole number from 0 to {MAX_SEED}, not '7'"),
        ({"n": 1, "start": -1}, f"start must be a whole number from 0 to {MAX_SEED}, not -1"),
        (
            {"n": 2, "start": MAX_SEED},
            f"start must be a whole number from 0 to {MAX_SEED - 1}, not {MAX_SEED}",
        ),
    ],
)
def test_argument_out_of_range(plain: ImageGenerator, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        plain.sample(**arguments)
    assert str(caught.value) == message
    assert caught.value.exit_code == ExitCode.USAGE


def test_the_ends_of_the_ranges_work(plain: ImageGenerator) -> None:
    assert plain.sample(1, MAX_SEED, start=MAX_SEED).shape == (1, 8, 8, 3)
    assert plain.sample(np.int64(1), np.uint64(MAX_SEED)).shape == (1, 8, 8, 3)  # type: ignore[arg-type]


def test_run_takes_an_empty_batch(plain: ImageGenerator) -> None:
    assert plain.run(np.zeros((0, 5), np.float32)).shape == (0, 3, 8, 8)


Z = np.zeros((2, 5), np.float32)


@pytest.mark.parametrize(
    ("z", "labels", "message"),
    [
        (np.zeros((2, 4), np.float32), np.array([0, 1]), "not float32 [2, 4]"),
        (np.zeros((2, 5)), np.array([0, 1]), "not float64 [2, 5]"),
        (np.full((2, 5), np.nan, np.float32), np.array([0, 1]), "must be finite"),
        (Z, None, "tiny takes labels"),
        (Z.tolist(), np.array([0, 1]), "z and labels must be NumPy arrays"),
        (Z, [0, 1], "z and labels must be NumPy arrays"),
        (Z, np.array([0, 3]), "labels must be 0 to 2"),
        (Z, np.array([0, -1]), "labels must be 0 to 2"),
        (Z, np.array([0]), "labels must be int64 [2], not int64 [1]"),
        (Z, np.array([0.0, 1.0]), "labels must be int64 [2], not float64 [2]"),
    ],
)
def test_run_checks_what_onnx_runtime_would_not(pets: ImageGenerator, z: Any, labels: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        pets.run(z, labels)
    assert message in str(caught.value)


def test_run_refuses_labels_without_classes(plain: ImageGenerator) -> None:
    with pytest.raises(UsageError, match="tiny takes no labels"):
        plain.run(Z, np.array([0, 1]))


def test_images_that_are_not_finite(make_onnx: Callable[..., bytes]) -> None:
    """sqrt(z): the first image with a negative latent is not a number."""
    generator = ImageGenerator.from_bytes(make_onnx(first="Sqrt"), device="cpu")
    z = np.ones((40, 5), np.float32)
    z[36, 2] = -1
    with pytest.raises(GanzooError, match="image 36 has pixels that are not finite numbers") as caught:
        generator.run(z)
    assert caught.value.exit_code == ExitCode.FAILURE
    with pytest.raises(GanzooError, match="image 1000 has pixels"):
        generator.sample(40, 7, start=1000)


def test_a_file_without_a_card(make_onnx: Callable[..., bytes]) -> None:
    with pytest.raises(IntegrityError, match="has no ganzoo card") as caught:
        ImageGenerator.from_bytes(make_onnx(card=False), device="cpu")
    assert caught.value.exit_code == ExitCode.INTEGRITY


def test_a_graph_that_is_not_what_its_card_says(make_onnx: Callable[..., bytes]) -> None:
    with pytest.raises(IntegrityError) as caught:
        ImageGenerator.from_bytes(make_onnx(declared_height=16), device="cpu", source="g.onnx")
    assert str(caught.value).startswith("the graph of g.onnx does not match its card: ")
    assert caught.value.hint == "export it again: ganzoo export NAME -o FILE"


def test_never_imports_torch() -> None:
    code = (
        "import sys, ganzoo.runtime.vetting, ganzoo.runtime.generator, ganzoo.serving.server\n"
        "sys.exit(', '.join({'torch', 'onnx'} & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
