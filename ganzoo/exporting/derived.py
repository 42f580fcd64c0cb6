"""The gates of a file that was made of another one: in int8, or with pixels as its output. Never imports torch."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.exporting import gates
from ganzoo.exporting.gates import BATCHES, Arrays, Run, Runner
from ganzoo.exporting.inputs import inputs, samples
from ganzoo.images import to_uint8
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.vetting import Refused

HELD_OUT_SEED = 2
"""The seed of the images that are compared: none of those by which scales were found."""

HELD_OUT_IMAGES = 1024

LEAST_PSNR = 45.0
"""Least peak signal-to-noise ratio, in dB, of an int8 image against the fp32 one: 10 log10(2^2 / mean squared error).

At 45 dB a pixel is off by 1.4 of 255 in the root mean square, which nobody sees.
"""

MOST_OFF = 1e-4
"""Largest share of pixels that may be off by one: where rounding in float32 stands at a half."""


def check_derived(data: bytes, origin: bytes) -> dict[str, str]:
    """Apply every gate to a file that was made of ``origin``, which passed its own; returns what each found.

    Raises:
        Refused: with the gate's name before the message.
    """
    card, before = gates.card_of(data), gates.card_of(origin)
    run, original = Runner(data), Runner(origin)
    arrays: Arrays = dict(inputs(card))
    reference = {**arrays, **_outputs(original(arrays), card)}
    found = {
        "structure": partial(gates.check_structure, data),
        "randomness": partial(gates.check_randomness, data),
        "signature": partial(gates.check_signature, data, reference),
    }
    if card.int8 and not before.int8:
        found["fidelity"] = partial(check_fidelity, run, original, card)
    else:
        found["pixels"] = partial(check_pixels, run, reference)
    found["independence"] = partial(gates.check_independence, run, reference, BATCHES)
    return gates.apply(found)


def check_fidelity(run: Run, original: Run, card: GeneratorCard) -> str:
    """No image of ``HELD_OUT_IMAGES`` is further from the fp32 one than ``LEAST_PSNR``."""
    found = [psnr(run(arrays), original(arrays)) for arrays in map(dict, samples(card, HELD_OUT_SEED, HELD_OUT_IMAGES))]
    values = np.concatenate(found)
    worst = float(values.min())
    if math.isnan(worst):
        raise Refused("makes NaN where the fp32 file makes numbers")
    if worst < LEAST_PSNR:
        raise Refused(
            f"the worst of {HELD_OUT_IMAGES:,} images has {worst:.1f} dB PSNR against fp32, the least is "
            f"{LEAST_PSNR:g} (their mean is {values.mean():.1f})"
        )
    return f"PSNR against fp32 {worst:.1f} dB at worst, {values.mean():.1f} in the mean, of {HELD_OUT_IMAGES:,} images"


def psnr(images: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio in dB of each of [N, C, H, W] images in [-1, 1], after they are clamped to that."""
    gaps = np.clip(images, -1, 1).astype(np.float64) - np.clip(reference, -1, 1)
    mean = (gaps**2).mean(axis=(1, 2, 3))
    ratio: NDArray[np.float64] = 10 * np.log10(4 / np.maximum(mean, 4e-12))
    return ratio


def check_pixels(run: Run, reference: Arrays) -> str:
    """Pixels are those that ganzoo makes of the values itself."""
    gaps = np.abs(run(reference).astype(np.int64) - reference["images"])
    off = float((gaps > 0).mean())
    if gaps.max() > 1 or off > MOST_OFF:
        raise Refused(f"{off:.2%} of the pixels are off, by up to {gaps.max()} of 255")
    return f"{off:.2%} of the pixels off by one, none by more" if off else "every pixel as ganzoo makes it"


def _outputs(images: NDArray[Any], card: GeneratorCard) -> Mapping[str, NDArray[Any]]:
    """What the file's outputs are compared with."""
    if not card.uint8:
        return {"images": images}
    pixels = np.ascontiguousarray(to_uint8(images).transpose(0, 2, 3, 1))
    return {"images": pixels, "finite": np.ones(len(images), bool)}
