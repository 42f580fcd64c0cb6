"""``ImageGenerator``: an exported generator, from its bytes to uint8 images."""

import hashlib
import operator
import secrets
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import GanzooError, IntegrityError, UsageError
from ganzoo.images import encode_png, grid, require_finite
from ganzoo.latents import MAX_SEED, pixels
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.controls import Value, control_values
from ganzoo.runtime.graph import weights_digest
from ganzoo.runtime.labels import find_class
from ganzoo.runtime.providers import Device, one_line
from ganzoo.runtime.session import open_session

BATCH = 32
"""Most images that one run makes: ONNX Runtime's arena never gives back what its largest batch took."""

SHOWN = 16
"""Images that a notebook shows of a generator."""

MAX_IMAGES = 65_536
"""Most images that one call makes."""

Controls = Mapping[str, Value]
DEFAULTS: Controls = MappingProxyType({})
"""No control is given, so each has its default."""


def random_seed() -> int:
    """A seed for callers that were given none, and should show this one; 32 bits, so that a person can retype it."""
    return secrets.randbits(32)


class ImageGenerator:
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

    def _repr_png_(self) -> bytes:
        """A grid of the first images of seed 0, which a notebook shows."""
        images, _ = self.pixels(SHOWN, 0)
        return encode_png(grid(images))

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

    def sample(
        self,
        n: int,
        seed: int | None = None,
        label: int | str | None = None,
        start: int = 0,
        controls: Controls = DEFAULTS,
    ) -> NDArray[np.uint8]:
        """Images ``start .. start + n`` of ``seed``. Image i depends on (seed, i), label and controls alone.

        Args:
            n: 1 to ``MAX_IMAGES``.
            seed: 0 to 2^64 - 1; None: ``random_seed()``.
            label: index or name of the class of all images; None: each image's is drawn from the seed.
            start: index of the first image.
            controls: some of the generator's controls, ``{"truncation": 0.7}``, for all images; the others have their
                defaults. The card lists them with their ranges.

        Returns:
            [n, H, W, C] in uint8.

        Raises:
            UsageError: an argument is out of range.
            GanzooError: the generator made pixels that are not finite.
        """
        images, _ = self.pixels(n, random_seed() if seed is None else seed, label, start, controls)
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))

    def pixels(
        self, n: int, seed: int, label: int | str | None = None, start: int = 0, controls: Controls = DEFAULTS
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
        """The images of ``sample``, channels first, and their labels.

        Returns:
            uint8 [n, C, H, W], and int64 [n] or None where the generator takes no labels.

        Raises:
            UsageError, GanzooError: as ``sample``.
        """
        n = whole(n, "n", 1, MAX_IMAGES)
        seed = whole(seed, "seed", 0, MAX_SEED)
        start = whole(start, "start", 0, MAX_SEED + 1 - n)
        chosen = None if label is None else self.resolve_label(label)
        forward = partial(self.forward, controls=self.resolve_controls(controls))
        card = self.card
        images = np.empty((n, card.channels, card.height, card.width), np.uint8)
        labels = np.empty(n, np.int64) if card.class_names else None
        for first in range(0, n, BATCH):
            rows = slice(first, min(first + BATCH, n))
            place = (seed, start + first, rows.stop - first)
            images[rows], drawn = pixels(forward, card.latent_dim, len(card.class_names), *place, chosen)
            if labels is not None and drawn is not None:
                labels[rows] = drawn
        return images, labels

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
        self._check_inputs(z, labels)
        values = self.resolve_controls(controls)
        card = self.card
        images = np.empty((len(z), card.channels, card.height, card.width), np.float32)
        for first in range(0, len(z), BATCH):
            rows = slice(first, first + BATCH)
            images[rows] = self.forward(z[rows], None if labels is None else labels[rows], values)
        require_finite(images)
        return images

    def resolve_label(self, label: int | str) -> int:
        """The index of a class, given by name or by index; see ``ganzoo.runtime.labels.find_class``.

        Raises:
            UsageError: there is no such class, or the generator takes no labels.
        """
        return find_class(label, self.card.class_names, self.card.name)

    def resolve_controls(self, given: Controls) -> dict[str, float]:
        """The value of each control; see ``ganzoo.runtime.controls.control_values``.

        Raises:
            UsageError: there is no such control, or a value is no number within its range.
        """
        if not isinstance(given, Mapping):
            raise UsageError(f"controls must be a mapping, not {given!r:.60}", hint='for example {"truncation": 0.7}')
        return control_values(given, self.card.controls, self.card.name)

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

    def _check_inputs(self, z: NDArray[np.float32], labels: NDArray[np.int64] | None) -> None:
        """Refuse wrong inputs: ONNX Runtime itself takes label -1 for the last class, and accepts NaN."""
        latent_dim, classes = self.card.latent_dim, len(self.card.class_names)
        if not isinstance(z, np.ndarray) or not isinstance(labels, np.ndarray | None):
            raise UsageError("z and labels must be NumPy arrays", hint="ganzoo.latents.draw makes them of a seed")
        if z.dtype != np.float32 or z.shape != (len(z), latent_dim) or not np.isfinite(z).all():
            raise UsageError(f"z must be finite float32 [N, {latent_dim}], not {z.dtype} {list(z.shape)}")
        if (labels is not None) != bool(classes):
            raise UsageError(f"{self.card.name} takes {'labels' if classes else 'no labels'}")
        if labels is None:
            return
        if labels.dtype != np.int64 or labels.shape != (len(z),):
            raise UsageError(f"labels must be int64 [{len(z)}], not {labels.dtype} {list(labels.shape)}")
        if ((labels < 0) | (labels >= classes)).any():
            raise UsageError(f"labels must be 0 to {classes - 1}")


def whole(value: int, name: str, low: int, high: int) -> int:
    """A Python or NumPy integer in a range, as ``int``."""
    try:
        number = low - 1 if isinstance(value, bool) else operator.index(value)  # True would pass for 1
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        hint = "draw the rest with another start" if number > high and name == "n" else None
        raise UsageError(f"{name} must be a whole number from {low} to {high}, not {value!r}", hint=hint)
    return number


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
