"""``ImageGenerator``: an exported generator, from its bytes to uint8 images."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import GanzooError, IntegrityError
from ganzoo.images import require_finite
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.graph import weights_digest
from ganzoo.runtime.inputs import check_inputs
from ganzoo.runtime.providers import Device, one_line
from ganzoo.runtime.sampling import (
    BATCH as BATCH,
    DEFAULTS,
    MAX_IMAGES as MAX_IMAGES,
    Controls as Controls,
    Sampling,
    random_seed as random_seed,
)
from ganzoo.runtime.session import open_session


class ImageGenerator(Sampling):
    """An exported generator. Calls may come from several threads at once.

    Attributes:
        card: what the file says about itself.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        sha256: the file's digest, 64 hexadecimal digits.
    """

    def __init__(self, session: Any, card: GeneratorCard, *, device: str, sha256: str) -> None:
        self.card = card
        self.device = device
        self.sha256 = sha256
        self._session = session

    def __repr__(self) -> str:
        card = self.card
        reference = f"{card.name}:{card.version}" if card.version else card.name
        classes = f", {len(card.class_names)} classes" if card.class_names else ""
        colours = "grey" if card.channels == 1 else "colour"
        return f"<ImageGenerator {reference}, {card.width}x{card.height} {colours}{classes}, on {self.device}>"

    @classmethod
    def from_bytes(
        cls, data: bytes, *, device: Device = "auto", threads: int | None = None, source: str = ""
    ) -> "ImageGenerator":
        """Load an ONNX file that ``ganzoo export`` wrote. Try bytes from elsewhere first: ``ganzoo.runtime.vetting``.

        Args:
            data: the file's content.
            device: ``auto`` takes CUDA where it really works and otherwise the CPU.
            threads: threads that work on one batch together; None: ONNX Runtime chooses.
            source: names the file in messages.

        Raises:
            IntegrityError: ``data`` is no such file, or its graph or its weights do not match its card.
            UsageError: ``device`` or ``threads`` is none that there can be.
            MissingPackageError, GanzooError: ``device`` is a CUDA device that does not work.
        """
        source = source or "the ONNX file"
        session, used = open_session(data, device=device, threads=threads, source=source)
        try:
            text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
            ports = [*session.get_inputs(), *session.get_outputs()]
            found = {port.name: (port.type, list(port.shape)) for port in ports}
        except UnicodeDecodeError as error:
            raise IntegrityError(f"{source} is damaged: a name in it is not text") from error
        card = GeneratorCard.from_json(text)
        _check(card, found, data, source)
        return cls(session, card, device=used, sha256=hashlib.sha256(data).hexdigest())

    def run(
        self, z: NDArray[np.float32], labels: NDArray[np.int64] | None = None, controls: Controls = DEFAULTS
    ) -> NDArray[np.float32]:
        """Images of given latents: an interpolation, say.

        Args:
            z: [N, L] in float32.
            labels: [N] in int64 where the generator takes labels, else None.
            controls: see ``sample``.

        Returns:
            [N, C, H, W] in float32, nominally in [-1, 1].

        Raises:
            UsageError: shape, type or range of an argument is wrong.
            GanzooError: the generator made pixels that are not finite.
        """
        check_inputs(self.card, z, labels)
        values = self.resolve_controls(controls)
        card = self.card
        images = np.empty((len(z), card.channels, card.height, card.width), np.float32)
        for first in range(0, len(z), BATCH):
            rows = slice(first, first + BATCH)
            images[rows] = self.forward(z[rows], None if labels is None else labels[rows], values)
        require_finite(images)
        return images

    def forward(
        self,
        z: NDArray[np.float32],
        labels: NDArray[np.int64] | None,
        controls: Mapping[str, float | NDArray[np.float32]] = MappingProxyType({}),
    ) -> NDArray[np.float32]:
        """What ``run`` returns of at most ``BATCH`` rows, with nothing checked but the shape.

        Args:
            controls: some of the controls -> a number, or one a row, [N, 1].

        Raises:
            GanzooError: ONNX Runtime fails.
            IntegrityError: the images are not of the card's shape.
        """
        inputs: dict[str, NDArray[Any]] = {"z": z} if labels is None else {"z": z, "labels": labels}
        for name, control in self.card.controls.items():
            inputs[name] = np.full((len(z), 1), controls.get(name, control.default), np.float32)
        try:
            images, *finite = self._session.run(_outputs(self.card), inputs)
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            raise GanzooError(f"{self.card.name} failed in ONNX Runtime: {one_line(error)}") from error
        if finite:
            images = as_floats(images, *finite)
        expected = (len(z), self.card.channels, self.card.height, self.card.width)
        if images.shape != expected:
            raise IntegrityError(f"{self.card.name} made images {list(images.shape)} instead of {list(expected)}")
        result: NDArray[np.float32] = images
        return result


def as_floats(images: NDArray[np.uint8], finite: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values of the pixels of a graph that makes uint8 [N, H, W, C]: [N, C, H, W], NaN where it had no numbers."""
    values = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1
    values[~finite] = np.nan
    return np.ascontiguousarray(values)


def _outputs(card: GeneratorCard) -> list[str]:
    return ["images", "finite"] if card.uint8 else ["images"]


def _check(card: GeneratorCard, ports: dict[str, tuple[str, list[Any]]], data: bytes, source: str) -> None:
    """Hold the graph's inputs and outputs, and its weights, against the card."""
    again = "export it again: ganzoo export NAME -o FILE"
    found = {name: (kind, shape[1:]) for name, (kind, shape) in ports.items()}
    if found != _signature(card):
        raise IntegrityError(
            f"the graph of {source} does not match its card: {found} instead of {_signature(card)}", hint=again
        )
    if fixed := sorted(name for name, (_, shape) in ports.items() if not shape or isinstance(shape[0], int)):
        raise IntegrityError(f"{source} takes batches of one size only: {', '.join(fixed)} is fixed", hint=again)
    if card.weights is None:
        return
    layout, content = weights_digest(data).split("-")
    known_layout, _, known = card.weights.partition("-")
    # Another layout: a tool that folds, fuses or quantises weights made others of them, and left the card alone.
    if layout == known_layout and content != known:
        raise IntegrityError(f"{source} is damaged: its weights are not those that were exported", hint=again)


def _signature(card: GeneratorCard) -> dict[str, tuple[str, list[int]]]:
    """Type and shape, without the batch, of each input and output of the graph."""
    ports: dict[str, tuple[str, list[int]]] = {"z": ("tensor(float)", [card.latent_dim])}
    if card.uint8:
        ports |= {"images": ("tensor(uint8)", [card.height, card.width, card.channels]), "finite": ("tensor(bool)", [])}
    else:
        ports["images"] = ("tensor(float)", [card.channels, card.height, card.width])
    ports |= {name: ("tensor(float)", [1]) for name in card.controls}
    return {**ports, "labels": ("tensor(int64)", [])} if card.class_names else ports
