"""Images of latents that a file holds, in the place of those of a seed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import NotFoundError, UsageError, first_line
from ganzoo.images import to_uint8
from ganzoo.latents import draw
from ganzoo.runtime.generator import Controls, ImageGenerator


class Given:
    """A generator whose image i is that of latent i of a file; labels are drawn from the seed as ever.

    Args:
        generator: makes the images.
        path: a ``.npy`` file of latents, [N, L] of finite numbers.

    Attributes:
        card: the generator's.
        sha256: a digest of the generator's file and of the latents.
        count: N.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it holds no such latents.
    """

    def __init__(self, generator: ImageGenerator, path: Path) -> None:
        self._generator, self._path = generator, path
        self._z = _read(path, generator.card.latent_dim)
        self.card = generator.card
        self.count = len(self._z)
        self.sha256 = hashlib.sha256(generator.sha256.encode() + self._z.tobytes()).hexdigest()

    def resolve_controls(self, given: Controls) -> Mapping[str, float]:
        """See ``ImageGenerator``."""
        return self._generator.resolve_controls(given)

    def pixels(
        self, n: int, seed: int, label: str | None, start: int, controls: Controls
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
        """Images of the latents ``start .. start + n``, and their labels; see ``ImageGenerator.pixels``.

        Raises:
            UsageError: there are not as many latents.
        """
        if start + n > self.count:
            raise UsageError(
                f"{self._path} has {self.count} latents, and image {start + n - 1} was asked for",
                hint=f"-n {self.count} --start 0",
            )
        z = self._z[start : start + n]
        _, labels = draw(seed, start, n, self.card.latent_dim, len(self.card.class_names))
        if label is not None:
            labels = np.full(n, self._generator.resolve_label(label))
        return to_uint8(self._generator.run(z, labels, controls), start), labels


def _read(path: Path, latent_dim: int) -> NDArray[np.float32]:
    try:
        with path.open("rb") as file:
            several = file.read(4) == b"PK\3\4"  # a ZIP, as .npz is
        z = None if several else np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{path}: no such file of latents", hint="make one: ganzoo project PICTURE --model NAME"
        ) from error
    except (ValueError, OSError, EOFError) as error:
        raise UsageError(f"{path} cannot be read: {first_line(error)}", hint="give a .npy file of latents") from error
    if not isinstance(z, np.ndarray) or z.dtype.kind != "f" or z.ndim != 2 or z.shape[1] != latent_dim or not len(z):
        found = f"{z.dtype} {list(z.shape)}" if isinstance(z, np.ndarray) else "several arrays"
        raise UsageError(
            f"{path} must hold latents [N, {latent_dim}], not {found}",
            hint="make one: ganzoo project PICTURE --model NAME",
        )
    latents = z.astype(np.float32)
    if not np.isfinite(latents).all():
        raise UsageError(
            f"{path} has latents that are not finite numbers", hint="make one: ganzoo project PICTURE --model NAME"
        )
    return latents
