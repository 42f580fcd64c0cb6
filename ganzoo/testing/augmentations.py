"""Checks of an augmentation: its randomness is all in what it draws, and what it does can be differentiated twice."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import PluginError
from ganzoo.specs import Augmentation, ImageShape
from ganzoo.testing.bench import Bench
from ganzoo.zoo.names import load_target

SHAPE = ImageShape(channels=3, height=8, width=8)
COUNT = 4


def draws(bench: Bench, spec: Augmentation) -> str:
    """What is drawn comes from the given generator alone, a row an image; what is done with it is a pure function."""
    augment, drawn = _made(spec), _drawn(spec, 0)
    state = torch.default_generator.get_state()
    if not _equal(drawn, _drawn(spec, 0)):
        raise PluginError("the same generator draws something else each time", hint="take every number from it")
    images = _images()
    kept = images.clone()
    changed, again = augment.apply(images, drawn), augment.apply(images, drawn)
    if not torch.equal(torch.default_generator.get_state(), state):
        raise PluginError("it draws from torch's own generator", hint="take every number from the one that is given")
    if not torch.equal(images, kept):
        raise PluginError("it writes into the images that it is given", hint="no operation in place on them")
    if not torch.equal(changed, again):
        raise PluginError("the same draws give other images each time", hint="draw in draw(), not in apply()")
    if changed.shape != images.shape or not changed.isfinite().all():
        raise PluginError(f"of finite images {list(images.shape)} it makes {list(changed.shape)}, or NaN")
    for name, rows in drawn.items():
        if len(rows) != COUNT:
            raise PluginError(f"{name} has {len(rows)} rows for {COUNT} images")
    alone = torch.cat([augment.apply(images[n : n + 1], _row(drawn, n)) for n in range(COUNT)])
    if not torch.allclose(alone, changed, atol=1e-5):
        raise PluginError("an image is changed by the others in its batch", hint="use each image's own row alone")
    return ", ".join(drawn)


def derivatives(bench: Bench, spec: Augmentation) -> str:
    """Its first and second derivatives are those of the function, in fp64: penalties go through them."""
    augment, drawn = _made(spec), _drawn(spec, 0)
    images = _images().double().requires_grad_(True)

    def change(x: Tensor) -> Tensor:
        result: Tensor = augment.apply(x, drawn)
        return result

    # The images take part twice, so that the second derivative is not that of a constant.
    torch.autograd.gradcheck(change, images, fast_mode=True)
    torch.autograd.gradgradcheck(lambda x: change(x) * x, images, fast_mode=True)
    return "first and second, in fp64"


def _made(spec: Augmentation) -> Any:
    return load_target(spec.target)(spec.options())


def _drawn(spec: Augmentation, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = [{name: torch.tensor(value) for name, value in spec.state.items()}] if spec.state else []
    return dict(_made(spec).draw(COUNT, SHAPE, generator, torch.device("cpu"), *state))


def _images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(COUNT, SHAPE.channels, SHAPE.height, SHAPE.width, generator=generator) * 2 - 1


def _row(drawn: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    return {name: rows[number : number + 1] for name, rows in drawn.items()}


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
