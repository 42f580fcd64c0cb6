"""DiffAugment against images worked out by hand, and its derivatives against finite differences."""

from collections.abc import Mapping
from typing import Literal

import pytest
import torch

from ganzoo import ImageShape
from ganzoo.config.schedule import with_values
from ganzoo_plugins.augment import Options
from ganzoo_plugins.augment.augment import DiffAugment

CPU = torch.device("cpu")
Change = Literal["colour", "translation", "cutout"]
Policy = tuple[Change, ...]
EVERYTHING: Policy = ("colour", "translation", "cutout")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shape(size: int = 8, channels: int = 3) -> ImageShape:
    return ImageShape(channels=channels, height=size, width=size)


def drawn(policy: Policy, count: int, size: int = 8, seed: int = 0, channels: int = 3) -> Mapping[str, torch.Tensor]:
    return DiffAugment(Options(policy=policy)).draw(count, shape(size, channels), generator(seed), CPU)


def images(
    count: int = 3, channels: int = 3, size: int = 8, dtype: torch.dtype = torch.float32, seed: int = 1
) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=generator(seed), dtype=dtype) * 2 - 1


def colour(x: torch.Tensor, brightness: float = 0.0, saturation: float = 1.0, contrast: float = 1.0) -> torch.Tensor:
    """With the same parameters for every image; those left out change nothing."""
    given = {"brightness": brightness, "saturation": saturation, "contrast": contrast}
    factors = {name: torch.full((len(x), 1, 1, 1), float(value), dtype=x.dtype) for name, value in given.items()}
    return DiffAugment(Options(policy=("colour",))).apply(x, factors)


def translate(x: torch.Tensor, down: list[int], right: list[int]) -> torch.Tensor:
    shifts = {"shift_y": torch.tensor(down), "shift_x": torch.tensor(right)}
    return DiffAugment(Options(policy=("translation",))).apply(x, shifts)


def cut(x: torch.Tensor, top: list[int], left: list[int]) -> torch.Tensor:
    corner = {"cut_y": torch.tensor(top), "cut_x": torch.tensor(left)}
    return DiffAugment(Options(policy=("cutout",))).apply(x, corner)


PIXELS = torch.tensor([[[[0.0, 0.4]], [[0.2, -0.8]], [[0.4, 0.4]]]])
"""One image of 1 x 2 pixels: (0, .2, .4) and (.4, -.8, .4). Their means over the channels are .2 and 0; of all, .1."""


def test_brightness_is_added() -> None:
    torch.testing.assert_close(colour(PIXELS, brightness=0.25), PIXELS + 0.25)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0, [[0.2, 0.0], [0.2, 0.0], [0.2, 0.0]]),
        (1, [[0.0, 0.4], [0.2, -0.8], [0.4, 0.4]]),
        (2, [[-0.2, 0.8], [0.2, -1.6], [0.6, 0.8]]),
    ],
)
def test_saturation_spreads_the_channels_around_their_mean(factor: int, expected: list[list[float]]) -> None:
    torch.testing.assert_close(colour(PIXELS, saturation=factor)[0, :, 0], torch.tensor(expected))


@pytest.mark.parametrize("factor", [0.0, 0.7, 2.0])
def test_saturation_leaves_grey_images_alone(factor: float) -> None:
    grey = images(channels=1)
    torch.testing.assert_close(colour(grey, saturation=factor), grey)
    torch.testing.assert_close(colour(grey.expand(-1, 3, -1, -1), saturation=factor), grey.expand(-1, 3, -1, -1))


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.5, [[0.05, 0.25], [0.15, -0.35], [0.25, 0.25]]),
        (1.5, [[-0.05, 0.55], [0.25, -1.25], [0.55, 0.55]]),
    ],
)
def test_contrast_spreads_the_values_around_the_images_mean(factor: float, expected: list[list[float]]) -> None:
    torch.testing.assert_close(colour(PIXELS, contrast=factor)[0, :, 0], torch.tensor(expected))


def test_each_image_has_its_own_mean() -> None:
    x = torch.stack([torch.full((3, 4, 4), value) for value in (-0.5, 0.5)])
    torch.testing.assert_close(colour(x, saturation=0.3, contrast=0.6), x)


def test_colour_is_brightness_then_saturation_then_contrast() -> None:
    x = images(dtype=torch.float64)
    step = colour(colour(x, brightness=0.3), saturation=0.4)
    torch.testing.assert_close(colour(x, 0.3, 0.4, 1.2), colour(step, contrast=1.2))


def test_translation_by_hand() -> None:
    """Down by 1 and right by 2; up by 1; not at all. What comes in is 0."""
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3).repeat(3, 2, 1, 1)
    moved = translate(x, [1, -1, 0], [2, 0, 0])
    assert torch.equal(moved[0, 1], torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 0, 4]]))
    assert torch.equal(moved[1, 0], torch.tensor([[4.0, 5, 6], [7, 8, 9], [0, 0, 0]]))
    assert torch.equal(moved[2], x[2])


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 9)])
def test_a_point_lands_where_predicted_and_its_gradient_comes_back(height: int, width: int) -> None:
    """Every point under every shift of up to 2 pixels, and the derivative of where it lands with respect to it."""
    for down in range(-2, 3):
        for right in range(-2, 3):
            points = torch.eye(height * width).view(-1, 1, height, width).requires_grad_(True)
            count = len(points)
            moved = translate(points, [down] * count, [right] * count)
            for place in range(count):
                y, x = place // width + down, place % width + right
                expected = torch.zeros(height, width)
                if 0 <= y < height and 0 <= x < width:
                    expected[y, x] = 1
                assert torch.equal(moved[place, 0], expected)
            # The gradient of one pixel of the output is the one pixel of the input that it came from.
            (gradient,) = torch.autograd.grad(moved[:, 0, 2, 2].sum(), points)
            assert gradient.sum() == count
            assert (gradient[:, 0, 2 - down, 2 - right] == 1).all()


def test_translation_keeps_every_bit() -> None:
    x = images(count=4, size=16)
    moved = translate(x, [1, 0, -2, 2], [0, 2, -1, 1])
    assert torch.equal(moved[0, :, 1:], x[0, :, :-1])
    assert torch.equal(moved[1, :, :, 2:], x[1, :, :, :-2])
    assert torch.equal(moved[2, :, :-2, :-1], x[2, :, 2:, 1:])
    assert torch.equal(moved[3, :, 2:, 1:], x[3, :, :-2, :-1])


def test_cutout_by_hand() -> None:
    """Squares of half the size: in the middle, over the upper left corner, over the lower edge."""
    kept = cut(torch.ones(3, 2, 4, 4), [1, -1, 3], [1, -1, 2])
    assert torch.equal(kept[0, 0], torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]))
    assert torch.equal(kept[1, 1], torch.tensor([[0.0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]))
    assert torch.equal(kept[2, 0], torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0]]))


def test_cutout_leaves_the_rest_as_it_is() -> None:
    x = images(count=2, size=16)
    kept = cut(x, [4, -4], [0, 12])
    outside = kept != 0
    assert torch.equal(kept[outside], x[outside])
    assert (~outside).sum((1, 2, 3)).tolist() == [3 * 8 * 8, 3 * 4 * 4]


@pytest.mark.parametrize("size", [8, 16, 64, 9, 6])
def test_what_is_drawn_covers_its_range_and_no_more(size: int) -> None:
    """Uniformly: means within 5 standard errors, and every possible whole number."""
    count = 20_000
    parameters = drawn(EVERYTHING, count, size)
    for name, (low, high) in {"brightness": (-0.5, 0.5), "saturation": (0, 2), "contrast": (0.5, 1.5)}.items():
        values = parameters[name]
        assert values.shape == (count, 1, 1, 1)
        assert low <= values.min() < low + 0.01
        assert high - 0.01 < values.max() < high
        assert abs(values.mean() - (low + high) / 2) < 5 * (high - low) / (12 * count) ** 0.5
    furthest, side = {8: (1, 4), 16: (2, 8), 64: (8, 32), 9: (1, 5), 6: (1, 3)}[size]
    ranges = {"shift": (-furthest, furthest), "cut": (-(side // 2), size - side + side // 2)}
    for name, (low, high) in ranges.items():
        for axis in "yx":
            values = parameters[f"{name}_{axis}"]
            assert values.shape == (count,)
            assert values.unique().tolist() == list(range(low, high + 1))  # type: ignore[no-untyped-call]
            width = high - low + 1
            assert abs(values.double().mean() - (low + high) / 2) < 5 * ((width**2 - 1) / 12 / count) ** 0.5


def test_parameters_are_independent_of_one_another() -> None:
    parameters = torch.stack([values.flatten().double() for values in drawn(EVERYTHING, 20_000).values()])
    correlations = torch.corrcoef(parameters) - torch.eye(len(parameters))
    assert correlations.abs().max() < 5 / 20_000**0.5


def test_a_cutout_removes_between_a_sixteenth_and_a_quarter() -> None:
    """Of an image with even sides: all of the square if it lies inside, a quarter of it at a corner."""
    x = torch.ones(5000, 1, 8, 8)
    removed = 1 - DiffAugment(Options(policy=("cutout",))).apply(x, drawn(("cutout",), 5000)).mean((1, 2, 3))
    assert removed.min() == 1 / 16
    assert removed.max() == 1 / 4


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        (("colour",), {"brightness", "saturation", "contrast"}),
        (("translation",), {"shift_y", "shift_x"}),
        (("cutout",), {"cut_y", "cut_x"}),
    ],
)
def test_a_policy_alone_draws_and_does_only_its_own(policy: Policy, names: set[str]) -> None:
    x = images(count=16)
    augment = DiffAugment(Options(policy=policy))
    parameters = augment.draw(16, shape(), generator(), CPU)
    assert parameters.keys() == names
    changed = augment.apply(x, parameters)
    assert changed.shape == x.shape
    assert not torch.equal(changed, x)
    values = set(x.flatten().tolist())
    moved_only = set(changed.flatten().tolist()) <= values | {0.0}
    assert moved_only == (policy != ("colour",))


def test_all_three_act_in_their_order_whatever_order_is_asked_for() -> None:
    x = images(count=16)
    parameters = drawn(EVERYTHING, 16)
    one_by_one = x
    for name in EVERYTHING:
        one_by_one = DiffAugment(Options(policy=(name,))).apply(one_by_one, parameters)
    for policy in (EVERYTHING, EVERYTHING[::-1]):
        assert torch.equal(DiffAugment(Options(policy=policy)).apply(x, parameters), one_by_one)


def test_draws_are_the_generators() -> None:
    one, same, other = (drawn(EVERYTHING, 8, seed=seed) for seed in (3, 3, 4))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        again = drawn(EVERYTHING, 8, seed=3)
    for name, values in one.items():
        assert torch.equal(values, same[name])
        assert torch.equal(values, again[name])
        assert not torch.equal(values, other[name])


def test_images_do_not_meet() -> None:
    """Each image is changed as if it were alone."""
    x = images(count=4)
    parameters = drawn(EVERYTHING, 4)
    augment = DiffAugment(Options())
    together = augment.apply(x, parameters)
    for row in range(4):
        alone = augment.apply(x[row : row + 1], {name: values[row : row + 1] for name, values in parameters.items()})
        torch.testing.assert_close(alone[0], together[row], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("policy", [("colour",), ("translation",), ("cutout",), EVERYTHING])
def test_memory_format_changes_no_value(policy: Policy) -> None:
    x = images(count=4, size=16)
    parameters = drawn(policy, 4, 16)
    augment = DiffAugment(Options(policy=policy))
    last = augment.apply(x.contiguous(memory_format=torch.channels_last), parameters)
    torch.testing.assert_close(last, augment.apply(x, parameters), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("policy", [("colour",), ("translation",), ("cutout",), EVERYTHING])
def test_derivatives(policy: Policy) -> None:
    """First and second, in float64, through a critic that is not linear, as a gradient penalty takes them."""
    x = images(count=2, channels=2, size=4, dtype=torch.float64).requires_grad_(True)
    parameters = drawn(policy, 2, 4, seed=2)
    assert all(values.any() for values in parameters.values())
    augment = DiffAugment(Options(policy=policy))

    def score(images: torch.Tensor) -> torch.Tensor:
        return augment.apply(images, parameters).tanh().square()

    assert torch.autograd.gradcheck(lambda images: augment.apply(images, parameters), x)
    assert torch.autograd.gradcheck(score, x)
    assert torch.autograd.gradgradcheck(score, x)


def test_the_gradients_norm_is_that_of_what_is_left() -> None:
    """A linear critic <1, x>: translation by d rows and cutout leave ones where a pixel's value arrives, else zeros."""
    x = images(count=1, channels=1).requires_grad_(True)
    parameters = {name: torch.tensor([value]) for name, value in {"shift_y": 1, "shift_x": 0, "cut_y": 0}.items()}
    augment = DiffAugment(Options(policy=("translation", "cutout")))
    score = augment.apply(x, {**parameters, "cut_x": torch.tensor([2])}).sum()
    (gradient,) = torch.autograd.grad(score, x, create_graph=True)
    expected = torch.ones(8, 8)
    expected[7] = 0  # moved out below
    expected[0:3, 2:6] = 0  # moved to rows 1 to 3, which are cut out
    assert torch.equal(gradient[0, 0], expected)


def test_it_compiles_in_one_piece() -> None:
    """Without a break in the graph; `eager` runs what was traced as it is."""
    x = images(count=4)
    parameters = drawn(EVERYTHING, 4)
    augment = DiffAugment(Options())
    compiled = torch.compile(augment.apply, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x, parameters), augment.apply(x, parameters))


@pytest.mark.parametrize("policy", [(), ("colour", "colour")])
def test_a_policy_that_is_none(policy: Policy) -> None:
    with pytest.raises(ValueError, match="policy names one or more of colour, translation and cutout, each once"):
        Options(policy=policy)


def test_p_is_the_share_of_images_that_are_changed_and_the_others_stay_to_the_bit() -> None:
    x = images(4000, channels=1)
    for p in (0.0, 0.55, 1.0):
        augment = DiffAugment(Options(policy=("colour",), p=p))
        made = augment.apply(x, augment.draw(len(x), shape(channels=1), generator(), CPU))
        share = (made != x).flatten(1).any(1).double().mean()
        assert abs(share - p) <= 3 * (p * (1 - p) / len(x)) ** 0.5  # three standard deviations of a share


def test_p_of_a_schedule_is_read_when_images_are_changed() -> None:
    p = torch.zeros(())
    augment = DiffAugment(with_values(Options(policy=("colour",)), {"p": p}))
    x = images(200)

    def changed() -> int:
        made = augment.apply(x, augment.draw(len(x), shape(), generator(), CPU))
        return int((made != x).flatten(1).any(1).sum())

    assert changed() == 0
    p.fill_(0.5)
    assert 70 < changed() < 130
    p.fill_(1.0)
    assert changed() == 200


def test_p_draws_after_everything_else() -> None:
    """So that the changes themselves are those of p = 1."""
    always = DiffAugment(Options()).draw(5, shape(), generator(), CPU)
    sometimes = dict(DiffAugment(Options(p=0.5)).draw(5, shape(), generator(), CPU))
    del sometimes["changed"]
    assert sometimes.keys() == always.keys()
    assert all(torch.equal(sometimes[name], always[name]) for name in always)


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_p_is_a_probability(p: float) -> None:
    with pytest.raises(ValueError, match="p is a probability"):
        Options(p=p)
