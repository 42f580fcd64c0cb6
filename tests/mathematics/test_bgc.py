"""ADA's changes against images and matrices worked out by hand, and their derivatives against finite differences."""

import math
from collections.abc import Mapping

import pytest
import torch

from ganzoo import ImageShape
from ganzoo_plugins.augment import BGC, BgcOptions, Change
from ganzoo_plugins.augment.bgc import Bgc
from ganzoo_plugins.augment.warping import SYM6, reflected

CPU = torch.device("cpu")
NAMES = {
    "blit": ("flip", "turns", "shift_y", "shift_x"),
    "geometry": ("zoom", "stretch", "angle_before", "angle_after", "move_y", "move_x"),
    "colour": ("brightness", "contrast", "luma", "hue", "saturation"),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 3, channels: int = 3, size: int = 8, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=generator(1), dtype=dtype) * 2 - 1


def drawn(p: float, count: int, policy: tuple[Change, ...] = BGC, size: int = 8) -> Mapping[str, torch.Tensor]:
    shape = ImageShape(channels=3, height=size, width=size)
    return Bgc(BgcOptions(p=p, policy=policy)).draw(count, shape, generator(), CPU)


def changed(x: torch.Tensor, **numbers: float) -> torch.Tensor:
    """With the same numbers for every image; those left out change nothing."""
    given = {name: numbers.get(name, 0.0) for names in NAMES.values() for name in names}
    assert numbers.keys() <= given.keys()
    return Bgc(BgcOptions()).apply(x, {name: torch.full((len(x),), value) for name, value in given.items()})


def blob(size: int = 32) -> torch.Tensor:
    """A smooth image without symmetry, whose edges are flat."""
    place = torch.linspace(-1, 1, size, dtype=torch.float64)
    y, x = place[:, None] + 0.2, place - 0.1
    return torch.exp(-8 * (y.square() + 2 * x.square() + y * x))[None, None]


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 16)])
def test_nothing_is_changed_with_probability_0(channels: int, size: int) -> None:
    x = images(64, channels, size)
    assert torch.equal(Bgc(BgcOptions()).apply(x, drawn(0.0, 64, size=size)), x)


def test_everything_is_drawn_with_probability_1() -> None:
    """But for what is 0 by chance: half of the flips, a quarter of the turns, half of the shifts by at most a pixel."""
    expected = {"flip": 0.5, "luma": 0.5, "turns": 0.75, "shift_y": 0.5, "shift_x": 0.5}
    for name, numbers in drawn(1.0, 4000).items():
        assert abs(float((numbers != 0).double().mean()) - expected.get(name, 1.0)) < 0.04, name


def test_each_change_has_the_probability_p() -> None:
    """Independently; but the two directions of a movement come together, and a rotation before or after stretching."""
    numbers = drawn(0.4, 20_000)
    chosen = {name: (numbers[name] != 0).double() for name in numbers}
    for name in ("zoom", "stretch", "move_y", "move_x", "brightness", "contrast", "hue", "saturation"):
        assert abs(chosen[name].mean() - 0.4) < 0.02, name
    assert torch.equal(chosen["move_y"], chosen["move_x"])
    turned = torch.maximum(chosen["angle_before"], chosen["angle_after"])
    assert abs(turned.mean() - 0.4) < 0.02
    names = ("flip", "turns", "zoom", "stretch", "angle_before", "angle_after", "brightness", "hue")
    correlations = torch.corrcoef(torch.stack([chosen[name] for name in names])) - torch.eye(len(names))
    assert correlations.abs().max() < 5 / 20_000**0.5


def test_what_is_drawn_has_the_published_ranges() -> None:
    numbers = {name: values.double() for name, values in drawn(1.0, 20_000, size=64).items()}
    deviations = {"zoom": 0.2, "stretch": 0.2, "move_y": 8, "move_x": 8}
    deviations |= {"brightness": 0.2, "contrast": 0.5, "saturation": 1}
    for name, deviation in deviations.items():
        assert abs(numbers[name].mean()) < 5 * deviation / 20_000**0.5, name
        assert abs(numbers[name].std() / deviation - 1) < 0.03, name
    for name in ("angle_before", "angle_after", "hue"):
        assert -math.pi <= numbers[name].min() < -3.1
        assert 3.1 < numbers[name].max() < math.pi
    for name in ("shift_y", "shift_x"):
        assert numbers[name].unique().tolist() == list(range(-8, 9))  # type: ignore[no-untyped-call]
    assert numbers["turns"].unique().tolist() == [0, 1, 2, 3]  # type: ignore[no-untyped-call]


def test_flips_turns_and_shifts_keep_every_bit() -> None:
    x = images(size=16)
    assert torch.equal(changed(x, flip=1), x.flip(3))
    for turns in (1, 2, 3):
        assert torch.equal(changed(x, turns=turns), x.rot90(turns, (2, 3)))
        assert torch.equal(changed(x, flip=1, turns=turns), x.flip(3).rot90(turns, (2, 3)))
    moved = changed(x, shift_y=2, shift_x=-1)
    assert torch.equal(moved[..., 2:, :-1], x[..., :-2, 1:])
    assert torch.equal(moved[..., 0, :-1], x[..., 2, 1:])  # reflected, and the edge is not repeated
    assert torch.equal(moved[..., 2:, -1], x[..., :-2, -2])


def test_a_line_is_reflected_at_both_ends() -> None:
    assert reflected(torch.arange(-4, 8), 4).tolist() == [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]


def test_the_wavelet_is_orthogonal_to_itself_moved_by_two() -> None:
    taps = torch.tensor(SYM6, dtype=torch.float64)
    products = [float((taps[2 * by :] * taps[: len(taps) - 2 * by]).sum()) for by in range(6)]
    assert products == pytest.approx([1, 0, 0, 0, 0, 0], abs=1e-9)
    assert float(taps.sum()) == pytest.approx(2**0.5, abs=1e-9)


def test_a_warp_that_moves_nothing_changes_nothing() -> None:
    """An angle of 2 pi: doubled and halved again, edges too."""
    x = images(channels=1, dtype=torch.float64)
    torch.testing.assert_close(changed(x, angle_before=2 * math.pi), x, rtol=1e-5, atol=1e-5)


def test_a_movement_by_whole_pixels_is_a_shift() -> None:
    """But for the edges, near which the wavelet is not symmetrical as the reflection is."""
    x = images(channels=1, size=16, dtype=torch.float64)
    moved, shifted = changed(x, move_y=2, move_x=-1), changed(x, shift_y=2, shift_x=-1)
    torch.testing.assert_close(moved[..., 3:, :-3], shifted[..., 3:, :-3], rtol=1e-5, atol=1e-5)


def test_a_rotation_is_by_its_angle() -> None:
    """Anticlockwise; quarter turns as ``rot90`` makes them, and two halves are a whole."""
    x = blob()
    for turns in (1, 2, 3):
        for name in ("angle_before", "angle_after"):
            torch.testing.assert_close(
                changed(x, **{name: turns * math.pi / 2}), x.rot90(turns, (2, 3)), atol=0.01, rtol=0
            )
    both = changed(x, angle_before=0.3, angle_after=0.4)
    torch.testing.assert_close(changed(x, angle_before=0.7), both, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("numbers", "down", "right"),
    [({"zoom": 0.5}, 2**0.5, 2**0.5), ({"zoom": -0.5}, 2**-0.5, 2**-0.5), ({"stretch": 0.5}, 2**-0.5, 2**0.5)],
)
def test_what_is_scaled_is_as_much_larger(numbers: Mapping[str, float], down: float, right: float) -> None:
    """Its standard deviation on each axis, as that of a mass; the middle stays where it is."""
    place = torch.linspace(-1, 1, 64, dtype=torch.float64)
    x = torch.exp(-20 * (place[:, None].square() + place.square()))[None, None]

    def deviation(image: torch.Tensor, axis: int) -> float:
        mass = image[0, 0].sum(1 - axis)
        middle = (mass * place).sum() / mass.sum()
        assert abs(middle) < 1e-3
        return float(((mass * (place - middle).square()).sum() / mass.sum()).sqrt())

    made = changed(x, **numbers)
    assert deviation(made, 0) / deviation(x, 0) == pytest.approx(down, rel=0.02)
    assert deviation(made, 1) / deviation(x, 1) == pytest.approx(right, rel=0.02)


def test_stretching_comes_between_the_rotations() -> None:
    """A quarter turn before it exchanges the axes: then what was across is what lies along."""
    x = blob()
    turned = changed(changed(x, turns=1), stretch=0.4)
    torch.testing.assert_close(changed(x, angle_before=math.pi / 2, stretch=0.4), turned, atol=0.01, rtol=0)
    turned = changed(changed(x, stretch=0.4), turns=1)
    torch.testing.assert_close(changed(x, stretch=0.4, angle_after=math.pi / 2), turned, atol=0.01, rtol=0)


AXIS = torch.full((3,), 3**-0.5, dtype=torch.float64)


def matrix(**numbers: float) -> torch.Tensor:
    """What is done to colours, found by changing pixels of pure colours."""
    colours = torch.eye(3, dtype=torch.float64).view(1, 3, 1, 3).expand(1, 3, 3, 3)
    return changed(colours, **numbers)[0, :, 0]


def test_colours_are_changed_by_the_papers_matrices() -> None:
    """Householder's reflection, Rodrigues' rotation around the axis of grey, and a scaling of what is not grey."""
    one, along = torch.eye(3, dtype=torch.float64), torch.outer(AXIS, AXIS)
    cross = torch.linalg.cross(AXIS.expand(3, 3), one, dim=1).T
    torch.testing.assert_close(matrix(luma=1), one - 2 * along)
    torch.testing.assert_close(matrix(hue=0.7), torch.matrix_exp(0.7 * cross), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(matrix(saturation=1), along + 2 * (one - along))
    torch.testing.assert_close(matrix(contrast=-1), one / 2)
    torch.testing.assert_close(matrix(brightness=0.25), one + 0.25)


def test_colours_are_changed_in_the_papers_order() -> None:
    """Brightness, contrast, luma flip, hue, saturation."""
    x = images(dtype=torch.float64)
    numbers = {"brightness": 0.3, "contrast": 0.5, "luma": 1.0, "hue": 1.2, "saturation": -0.6}
    one_by_one = x
    for name, number in numbers.items():
        one_by_one = changed(one_by_one, **{name: number})
    torch.testing.assert_close(changed(x, **numbers), one_by_one, rtol=1e-6, atol=1e-6)


def test_grey_images_are_colours_that_are_grey() -> None:
    x = images(channels=1)
    numbers = {"brightness": 0.3, "contrast": 0.5, "luma": 1.0, "hue": 1.2, "saturation": -0.6}
    grey = changed(x, **numbers)
    torch.testing.assert_close(changed(x.expand(-1, 3, -1, -1), **numbers), grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(grey, -(2**0.5) * (x + 0.3))


@pytest.mark.parametrize("policy", [("blit",), ("geometry",), ("colour",)])
def test_a_policy_alone_draws_and_does_only_its_own(policy: tuple[Change, ...]) -> None:
    assert set(drawn(1.0, 4, policy)) == set(NAMES[policy[0]])
    x = images(4)
    assert not torch.equal(Bgc(BgcOptions(policy=policy)).apply(x, drawn(1.0, 4, policy)), x)


@pytest.mark.parametrize("policy", [("blit",), ("geometry",), ("colour",), BGC])
def test_derivatives(policy: tuple[Change, ...]) -> None:
    """First and second, in float64, through a critic that is not linear, as a gradient penalty takes them."""
    x = images(2, 3, 4, torch.float64).requires_grad_(True)
    augment, parameters = Bgc(BgcOptions(policy=policy)), drawn(1.0, 2, policy, 4)

    def score(images: torch.Tensor) -> torch.Tensor:
        return augment.apply(images, parameters).tanh().square()

    assert torch.autograd.gradcheck(score, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(score, x, fast_mode=True)


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="p is a probability, from 0 to 1"):
        BgcOptions(p=p)


@pytest.mark.parametrize("policy", [(), ("colour", "colour")])
def test_a_policy_that_is_none(policy: tuple[Change, ...]) -> None:
    with pytest.raises(ValueError, match="policy names one or more of blit, geometry and colour, each once"):
        BgcOptions(policy=policy)
