"""A feature extractor, ready to run: a frozen network in one ONNX file, by ONNX Runtime.

The file must have:

- one input [N, C, H, W] with a dynamic N: a ``uint8`` one gets pixels 0 to 255, a ``float32`` one on [-1, 1].
  A C, H or W that is fixed must be that of the images; dynamic ones take any.
- an output ``features`` float32 [N, D], or else a single output of that form under any other name, of at most
  ``MOST_FEATURES``;
- optionally ``logits`` float32 [N, K] of K classes, for the inception score and for accuracy; their names may stand in
  the metadata, as a JSON list under ``CLASSES``.

Figures are comparable only within one extractor, to the byte: hence ``sha256``.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import GanzooError, IntegrityError, UsageError, page
from ganzoo.files import Unreadable, parse_json
from ganzoo.runtime.providers import Device, one_line
from ganzoo.runtime.session import open_session
from ganzoo.runtime.vetting import MOST_LOOKED_AT
from ganzoo.specs import ImageShape

BATCH = MOST_LOOKED_AT
"""Most images that one run looks at: ONNX Runtime's arena never gives back what its largest batch took."""

MOST_FEATURES = 4096
"""Most features an image: their covariance takes the square of it in memory, the Fréchet distance the cube in time."""

CLASSES = "classes"
"""Key of the file's metadata that has the names of its classes, as a JSON list."""

_INPUTS = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
CONTRACT = f"{page('evaluation.md')} says what an extractor must be, and how to make one"


class FeatureExtractor:
    """An extractor, ready to run. Calls may come from several threads at once.

    Attributes:
        name: the name or path that it was asked for by.
        sha256: of the file, or of the weights that it was built of: 64 hexadecimal digits.
        wanted: C, H and W of the images that it takes; None where any will do.
        class_names: what the logits are scores of, in their order; empty where the file does not say.
    """

    def __init__(
        self, data: bytes, name: str, *, device: Device = "auto", threads: int | None = None, sha256: str = ""
    ) -> None:
        self.name = name
        self.sha256 = sha256 or hashlib.sha256(data).hexdigest()
        try:
            self._session, _ = open_session(data, device=device, threads=threads, source=f"extractor {name}")
        except IntegrityError as error:
            raise IntegrityError(str(error), hint=CONTRACT) from error
        self._input, self._type, self.wanted = self._find_input()
        self._outputs = self._find_outputs()
        self.class_names = self._find_class_names()

    def check(self, shape: ImageShape) -> None:
        """Refuse images that the network does not take.

        A network for three channels takes grey images, too, as three equal channels: that adds nothing, and Inception
        features of grey images are computed so everywhere. Colour is never made grey.

        Raises:
            UsageError: the input is fixed to another size, or to other channels.
        """
        channels, height, width = self.wanted
        fits = channels in (None, shape.channels) or (channels, shape.channels) == (3, 1)
        if fits and height in (None, shape.height) and width in (None, shape.width):
            return
        wanted = " x ".join("any" if size is None else str(size) for size in self.wanted)
        given = f"{shape.channels} x {shape.height} x {shape.width}"
        square = height == width is not None
        size = f"--size {height}" if fits and square else f"images of {wanted}"
        raise UsageError(
            f"extractor {self.name} takes images of {wanted} (channels x height x width), not {given}",
            hint=f"use {size}, or an extractor with dynamic sizes: {page('evaluation.md')}",
        )

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """The features [N, D] and, if the network is a classifier, the logits [N, K] of uint8 images [N, C, H, W].

        Raises:
            UsageError: the images do not fit.
            GanzooError: the network fails on them, or makes something that is not finite.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or not pixels.size:
            raise UsageError(f"images must be uint8 [N, C, H, W], not {pixels.dtype} {list(pixels.shape)}")
        _, channels, height, width = pixels.shape
        self.check(ImageShape(channels=channels, height=height, width=width))
        runs = [self._run(pixels[first : first + BATCH]) for first in range(0, len(pixels), BATCH)]
        features, *logits = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        return features, logits[0] if logits else None

    def _run(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        if self.wanted[0] == 3 and pixels.shape[1] == 1:
            pixels = np.repeat(pixels, 3, axis=1)
        images = pixels if self._type == np.uint8 else pixels.astype(np.float32) / np.float32(127.5) - 1
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(self._outputs, {self._input: images})
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            shape = " x ".join(map(str, pixels.shape[1:]))
            raise GanzooError(
                f"extractor {self.name} fails on images of {shape}: {one_line(error)}",
                hint="it may need larger images; " + CONTRACT,
            ) from error
        self._check_width(outputs[0].shape[-1])
        for name, output in zip(self._outputs, outputs, strict=True):
            if output.ndim != 2 or len(output) != len(pixels):
                raise self._unfit(f"{name!r} has shape {list(output.shape)} for {len(pixels)} images")
            if not np.isfinite(output).all():
                raise GanzooError(
                    f"extractor {self.name}: {name!r} holds NaN or infinity", hint="use another extractor"
                )
        return outputs

    def _check_width(self, features: int) -> None:
        if features > MOST_FEATURES:
            raise UsageError(
                f"extractor {self.name} makes {features:,} features an image; at most {MOST_FEATURES:,} are compared,"
                f" whose covariance alone takes {MOST_FEATURES**2 * 8 >> 20} MiB",
                hint="end it with a pooling layer: of maps [N, C, H, W], the mean over H and W",
            )

    def _find_input(self) -> tuple[str, type[Any], tuple[int | None, ...]]:
        """The input's name, its type, and its C, H, W: None where dynamic."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(port.name for port in inputs)
            raise self._unfit(f"it has {len(inputs)} inputs ({names or 'none'}) instead of one")
        (port,) = inputs
        if port.type not in _INPUTS or len(port.shape) != 4:
            raise self._unfit(f"its input is {port.type} {port.shape}, not uint8 or float32 [N, C, H, W]")
        batch, *sizes = (size if isinstance(size, int) else None for size in port.shape)
        if batch is not None:
            raise self._unfit(f"it takes batches of {batch} only; its first dimension must be dynamic")
        return port.name, _INPUTS[port.type], tuple(sizes)

    def _find_outputs(self) -> list[str]:
        """The names of the outputs: ``features``, or what stands for it, and ``logits`` if there is one."""
        flat = [
            port.name for port in self._session.get_outputs() if port.type == "tensor(float)" and len(port.shape) == 2
        ]
        others = [name for name in flat if name != "logits"]
        if "features" in others:
            others = ["features"]
        if len(others) != 1:
            shown = ", ".join(f"{port.name} {port.type} {port.shape}" for port in self._session.get_outputs())
            raise self._unfit(f"it has no output 'features', and no single other float32 [N, D], among {shown}")
        return [*others, "logits"] if "logits" in flat else others

    def _find_class_names(self) -> tuple[str, ...]:
        text = self._session.get_modelmeta().custom_metadata_map.get(CLASSES)
        if text is None:
            return ()
        try:
            names = parse_json(text)
        except Unreadable as error:
            raise self._unfit(f"its metadata {CLASSES!r} cannot be read: {error}") from error
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._unfit(f"its metadata {CLASSES!r} is no list of names")
        return tuple(names)

    def _unfit(self, reason: str) -> UsageError:
        return UsageError(f"extractor {self.name} cannot be used: {reason}", hint=CONTRACT)
