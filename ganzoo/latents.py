"""(seed, index) -> latent and label -> pixels: the way to every image that ganzoo samples.

Image ``i`` of ``seed`` depends on nothing else, so previews, ``ganzoo sample`` and every server agree, whatever the
batch. ``numpy.random.RandomState`` is frozen by NumPy's compatibility policy (NEP 19), Philox is counter-based
(Salmon et al., 2011) and takes (seed, i) as its 128-bit key. Golden values are tested.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ganzoo.images import to_uint8

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STREAM = "philox-1"
"""Name of this mapping in exported files; it changes if the mapping ever does."""

MAX_SEED = 2**64 - 1


def draw(
    seed: int,
    start: int,
    count: int,
    latent_dim: int,
    classes: int = 0,
    pool: "NDArray[np.int64] | None" = None,
) -> "tuple[NDArray[np.float32], NDArray[np.int64] | None]":
    """Latents z ~ N(0, I) and, where ``classes`` > 0, labels ~ U{0, classes - 1}, of images ``start .. start + count``.

    Args:
        seed: 0 to 2^64 - 1.
        start: index of the first image, 0 to 2^64 - 1.
        count: how many, at least 0.
        latent_dim: L.
        classes: number of classes, 0 for none.
        pool: labels [M], one of which is drawn for each image; None: those of all classes, once each.

    Returns:
        z [count, L] in float32, and labels [count] in int64 or None.
    """
    import numpy as np

    z = np.empty((count, latent_dim), np.float32)
    labels = np.empty(count, np.int64)
    # One generator whose key is set anew for each image: to make one for each takes three times as long.
    philox = np.random.Philox(key=0)
    stream, state = np.random.RandomState(philox), philox.state
    state["state"]["key"][0] = seed
    # RandomState makes normal numbers in pairs: an even number leaves none that the next image would begin with.
    even = latent_dim + latent_dim % 2
    for row in range(count):
        state["state"]["key"][1] = start + row
        philox.state = state
        z[row] = stream.standard_normal(even)[:latent_dim]
        if classes:
            labels[row] = stream.randint(classes) if pool is None else pool[stream.randint(len(pool))]
    return z, labels if classes else None


def slerp(a: "NDArray[np.float32]", b: "NDArray[np.float32]", steps: int) -> "NDArray[np.float32]":
    """Latents on the way from ``a`` to ``b``, spherical: their directions turn evenly (White, 2016, arXiv:1609.04468).

    A straight way would lead through latents far shorter than any that N(0, I) draws. Where there is no one shortest
    turn, for a latent is zero or the two point the same or opposite ways, the way is straight.

    Args:
        a, b: [L].
        steps: how many, at least 1; the first is ``a``, and of two or more the last is ``b``.

    Returns:
        [steps, L] in float32.
    """
    import numpy as np

    start, end = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    angle = np.arccos(np.clip(start @ end / lengths, -1, 1)) if lengths else 0.0
    t = np.linspace(0, 1, steps)[:, None]
    turn = np.sin(angle)
    straight = turn < 1e-6
    of_start = 1 - t if straight else np.sin((1 - t) * angle) / turn
    of_end = t if straight else np.sin(t * angle) / turn
    way: NDArray[np.float32] = (of_start * start + of_end * end).astype(np.float32)
    return way


def pixels(
    forward: "Callable[[NDArray[np.float32], NDArray[np.int64] | None], NDArray[np.float32]]",
    latent_dim: int,
    classes: int,
    seed: int,
    start: int,
    count: int,
    label: "int | NDArray[np.int64] | None" = None,
    pool: "NDArray[np.int64] | None" = None,
) -> "tuple[NDArray[np.uint8], NDArray[np.int64] | None]":
    """Images ``start .. start + count`` of ``seed``, as a generator makes them.

    Args:
        forward: the generator: z [count, L] and labels [count] or None -> images [count, C, H, W] in float32.
        latent_dim, classes, seed, start, count, pool: see ``draw``.
        label: the class of all images, or of each [count]; None: one is drawn for each.

    Returns:
        uint8 [count, C, H, W], and their labels [count] in int64 or None.

    Raises:
        GanzooError: a pixel is not finite.
    """
    z, labels = draw(seed, start, count, latent_dim, classes, pool)
    if label is not None and labels is not None:
        labels[:] = label
    return to_uint8(forward(z, labels), start=start), labels
