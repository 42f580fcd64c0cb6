"""The generator's card: what an exported file says about itself, so that the file alone is enough to sample from.

It is one JSON object under the key ``ganzoo`` of the ONNX file's ``metadata_props``.
"""

import json
from dataclasses import asdict, dataclass

from ganzoo.errors import IntegrityError
from ganzoo.latents import STREAM

METADATA_KEY = "ganzoo"
ATTACHMENT = "onnx"
"""The kind under which a version's exported file is attached to it in the registry."""

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class GeneratorCard:
    """What a runtime must know of a generator.

    Args:
        name: registry name.
        version: registry version, or None for a generator that was never registered.
        digest: ``sha256:<hex>`` of the version's manifest, or None.
        latent_dim: L of ``z f32[batch, L]``.
        channels, height, width: of ``images f32[batch, C, H, W]``, nominally in [-1, 1].
        class_names: one per label; empty where the generator takes no labels.
        stream: the mapping (seed, index) -> latent that it is sampled with.
    """

    name: str
    version: int | None = None
    digest: str | None = None
    latent_dim: int
    channels: int
    height: int
    width: int
    class_names: tuple[str, ...] = ()
    stream: str = STREAM

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> "GeneratorCard":
        """Read what ``to_json`` wrote.

        Raises:
            IntegrityError: the card is missing, of a newer format, or of another random stream.
        """
        if text is None:
            raise IntegrityError(
                "the ONNX file has no ganzoo card in its metadata",
                hint="export it with: ganzoo export NAME -o FILE",
            )
        try:
            fields = json.loads(text)
            known = fields.pop("format") == FORMAT
            card = cls(**{**fields, "class_names": tuple(fields["class_names"])}) if known else None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise IntegrityError(f"the ONNX file's ganzoo card cannot be read: {error}") from error
        if card is None or card.stream != STREAM:
            raise IntegrityError("the ONNX file was written by a newer ganzoo", hint="pip install --upgrade ganzoo")
        return card
