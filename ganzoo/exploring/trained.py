"""A version's generator as a module, and a picture as it would make it."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ganzoo.errors import NotFoundError, UsageError
from ganzoo.files import registry_root
from ganzoo.runtime.file import as_text, file_of
from ganzoo_registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from ganzoo.runtime.card import GeneratorCard

GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey (ITU-R BT.601), as Pillow has them."""


class Trained(NamedTuple):
    """A generator in eval mode, and what its exported file would say of it."""

    generator: "nn.Module"
    card: "GeneratorCard"


def open_trained(reference: str, registry: Path | None) -> Trained:
    """The generator of a registered version, whose weights torch can take a gradient through.

    Raises:
        UsageError: the reference is a file's.
        RegistryError: there is no such version.
        PluginError, NotFoundError: the plugin that it came from cannot be used, or is no longer installed.
    """
    if path := file_of(as_text(reference)):
        raise UsageError(
            f"{path} has no weights that torch can take", hint="give a registered version: ganzoo registry ls"
        )
    store = Registry(registry_root(registry))
    version = store.resolve(reference)

    from ganzoo.exporting.rebuilding import rebuild  # torch, after what can be wrong at once

    return Trained(*rebuild(store, version))


def read_picture(path: Path, card: "GeneratorCard") -> "NDArray[np.float32]":
    """A picture of any size as the generator would make it: cropped to a square, resized, grey or in colour.

    Returns:
        [C, H, W] in [-1, 1].

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is no picture that can be read.
    """
    import numpy as np

    from ganzoo.data.allocation import Allowance
    from ganzoo.data.damage import damage
    from ganzoo.data.decode import read_file
    from ganzoo.data.pixels import decode_file
    from ganzoo.machine import memory

    try:
        with path.open("rb") as file:
            pixels = decode_file(read_file(file), card.height, Allowance(memory()))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError(f"{path}: no such picture", hint="give a PNG, JPEG or WebP file") from error
    except Exception as error:  # Pillow's decoders raise anything for a damaged file
        reason = damage(str(path), error)
        raise UsageError(f"{path} cannot be read: {reason}", hint="give a PNG, JPEG or WebP file") from error
    values = pixels.astype(np.float32) / 127.5 - 1
    if len(values) == 3 and card.channels == 1:
        return np.tensordot(np.array([GREY], np.float32), values, 1)
    return np.repeat(values, card.channels, axis=0) if len(values) < card.channels else values
