"""Stacked digits: 1,000 modes, and which samples count as one of them. The digits themselves: test_load.py."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ganzoo.data import ImageSet
from ganzoo.errors import ExitCode, UsageError
from ganzoo_plugins.digits import reader, stacked
from ganzoo_plugins.digits.stacked import MODES


def nearest(image: NDArray[np.uint8], digits: ImageSet) -> tuple[float, int]:
    """Distance to, and class of, the nearest of ``digits``, one at a time and in float64."""
    distances = np.linalg.norm((digits.pixels - image.astype(np.float64)).reshape(-1, 64), axis=1)
    return float(distances.min()), int(digits.labels[distances.argmin()])  # type: ignore[index]


@pytest.mark.parametrize(
    ("images", "digits", "a_mode"),
    [(stacked.training(), reader.training(), 20), (stacked.held_out(), reader.held_out(), 5)],
    ids=["training", "held out"],
)
def test_the_set(images: ImageSet, digits: ImageSet, a_mode: int) -> None:
    assert images.pixels.shape == (1000 * a_mode, 3, 8, 8)
    assert images.class_names[7] == "007"
    assert np.bincount(images.labels).tolist() == [a_mode] * 1000  # type: ignore[arg-type]
    known = {image.tobytes(): label for image, label in zip(digits.pixels, digits.labels, strict=True)}  # type: ignore[arg-type]
    used = set()
    for triple, label in zip(images.pixels, images.labels, strict=True):  # type: ignore[arg-type]
        channels = [channel.tobytes() for channel in triple]
        used.update(channels)
        assert "".join(str(known[channel]) for channel in channels) == images.class_names[label]
    assert used == set(known)


def test_the_set_never_changes() -> None:
    assert stacked.training().digest == "sha256:0304897e4744e762a23ce9b9a11cf8b6e09830cae4b6f039313cfde32822245f"
    assert stacked.held_out().digest == "sha256:83328fa6b0c128f71c774b3fdda28d660854d0595167b42c247ed5c676b42429"


def test_a_training_triple_is_its_own_mode() -> None:
    images = stacked.training().take(slice(2000))
    found = MODES.assign(images.pixels)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, images.labels)


def test_held_out_triples() -> None:
    images = stacked.held_out()
    found = MODES.assign(images.pixels)
    good = found >= 0
    assert good.mean() == pytest.approx(0.88, abs=0.005)
    assert (found[good] == images.labels[good]).mean() > 0.99  # type: ignore[index]
    assert len(set(found[good].tolist())) == 999


def test_the_rule_is_what_the_docstring_says() -> None:
    digits = reader.training()
    radius = np.quantile([nearest(image, digits)[0] for image in reader.held_out().pixels], 0.95)
    rng = np.random.default_rng(0)
    noisy = np.clip(stacked.held_out().pixels[:100] + rng.normal(0, 12, (100, 3, 8, 8)), 0, 255).astype(np.uint8)
    found = MODES.assign(noisy)
    assert 10 < (found >= 0).sum() < 90
    for triple, mode in zip(noisy, found, strict=True):
        channels = [nearest(channel, digits) for channel in triple]
        inside = all(distance <= radius for distance, _ in channels)
        assert mode == (int("".join(str(label) for _, label in channels)) if inside else -1)


def test_one_channel_that_is_no_digit_spoils_a_triple() -> None:
    good = stacked.training().pixels[:3].copy()
    assert (MODES.assign(good) >= 0).all()
    for channel in range(3):
        good[channel, channel] = 0
    assert MODES.assign(good).tolist() == [-1, -1, -1]


def test_noise_is_no_triple() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (10_000, 3, 8, 8), dtype=np.uint8)
    assert (MODES.assign(noise) == -1).all()


def test_no_sample() -> None:
    assert MODES.assign(np.zeros((0, 3, 8, 8), np.uint8)).shape == (0,)


@pytest.mark.parametrize(("shape", "said"), [((3, 16, 16), "3 x 16 x 16"), ((1, 8, 8), "1 x 8 x 8")])
def test_samples_of_another_shape(shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        MODES.assign(np.zeros((4, *shape), np.uint8))
    assert str(caught.value) == f"the modes of stacked-digits are known for 3 x 8 x 8, not for {said}"
    assert caught.value.hint == "train with --size 8, or without --size"
    assert caught.value.exit_code == ExitCode.USAGE
