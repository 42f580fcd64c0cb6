"""The record of an evaluation: its protocol and figures, one JSON file beside the version. Imports no NumPy.

Two figures may stand in one column only if their protocols' keys are equal: the same extractor to the byte, the same
real images, the same number of samples. The names of extractor and images do not count.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, IntegrityError, first_line
from ganzoo.files import parse_object

if TYPE_CHECKING:
    from ganzoo_registry import Registry, Version

FORMAT = 1
PIPELINE = 2
"""The pipeline of new evaluations; see ``Protocol``."""

ATTACHMENT = "eval"
"""The kind under which an evaluation is attached to its version; the variant is the protocol's key."""

HELD_OUT, TRAINING = "held-out", "training"

MOST_SEEDS = 100
"""Most sample seeds of an evaluation."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How figures were made; equal protocols make comparable figures.

    Args:
        features: the extractor's name, or its path's last part; empty: none.
        sha256: digest of the extractor's file.
        data: name of the real images' set, or its path's last part.
        digest: digest of the real images that the samples were compared with.
        other: digest of the other part of the set, by which copies are found and whose figures are the floor.
        against: ``held-out`` or ``training``: the part of the set that the samples were compared with.
        real: number of images in that part.
        n: samples per seed.
        pairs: number of samples, and of real images, in figures of neighbours (precision, recall, density, coverage,
            KID); 0 without an extractor.
        seeds: sample seeds; one repetition each.
        pipeline: counts changes of ganzoo that move figures. 1: labels of samples were drawn equally often. 2: they
            are drawn as the training images have them, and of images with many copies the copies count as near.
    """

    features: str
    sha256: str
    data: str
    digest: str
    other: str
    against: str
    real: int
    n: int
    pairs: int
    seeds: tuple[int, ...]
    pipeline: int = PIPELINE

    @property
    def key(self) -> str:
        """12 hexadecimal digits that stand for the protocol."""
        decisive = {name: value for name, value in asdict(self).items() if name not in ("features", "data")}
        canonical = json.dumps(decisive, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        extractor = f"features {self.features} ({self.sha256[:8]})" if self.features else "no features"
        neighbours = f"neighbours among {self.pairs:,} and {self.pairs:,}; " if self.pairs else ""
        seeds = f"{len(self.seeds)} sample seeds" if len(self.seeds) > 1 else "1 sample seed"
        return (
            f"{self.n:,} samples a seed, {seeds}; against {self.real:,} {self.against} images of {self.data}; "
            f"{extractor}; {neighbours}protocol {self.key}"
        )


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure over all sample seeds.

    Args:
        mean: the mean of ``values``.
        low, high: the 95 % confidence interval of that mean over sample seeds (Student's t), as far as the figure's own
            bounds reach; None for one seed.
        values: one value per seed.
    """

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The figures of one generator.

    Args:
        protocol: how they were made.
        figures: by name.
        floor: what real images score in the generator's place: the other part of the set, ``floor_n`` of them.
        floor_n: at most ``n``; fewer where the other part has no more.
        metrics: qualified names of the metrics that were computed.
        notes: what a reader must know, a line each.
    """

    protocol: Protocol
    figures: Mapping[str, Figure]
    floor: Mapping[str, float]
    floor_n: int
    metrics: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {figure.mean:.4g}" for name, figure in self.figures.items())
        return f"<Evaluation {figures}; {self.protocol}>"

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON."""
        return {"format": FORMAT, "key": self.protocol.key, **asdict(self)}

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Evaluation":
        """Read what ``to_dict`` was written from.

        Raises:
            IntegrityError: ``data`` is something else, or was written by a newer ganzoo.
        """
        import msgspec  # not in the environment of a server, which imports this module

        try:
            values = parse_object(data)
            form = values.pop("format")
            if type(form) is not int or form < 1:
                raise TypeError("it has no format")
            values.pop("key", None)
            if form > FORMAT or _unknown(values):
                raise IntegrityError(f"{source} is of a newer ganzoo", hint="pip install --upgrade ganzoo")
            found = msgspec.convert(values, cls)
            for each in found.figures.values():
                bounds = () if each.low is None and each.high is None else (each.low, each.high)
                _require_numbers(each.mean, *each.values, *bounds)
            _require_numbers(*found.floor.values())
            return found
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise IntegrityError(
                f"{source} is no evaluation: {first_line(error)}",
                hint="again: ganzoo eval REFERENCE --force",
            ) from error


def _unknown(values: Mapping[str, Any]) -> bool:
    """Whether an evaluation has a field that is not known here."""
    parts = [(Evaluation, values), (Protocol, values["protocol"]), *((Figure, of) for of in values["figures"].values())]
    return any(part.keys() - {field.name for field in fields(kind)} for kind, part in parts)


def _require_numbers(*values: float | None) -> None:
    """Refuse what no figure can be: Python's reader takes NaN."""
    for value in values:
        if value is None or not math.isfinite(value):
            raise TypeError(f"{value!r:.40} is no figure")


def keys(store: "Registry", version: "Version") -> list[str]:
    """The protocols by which a version was evaluated."""
    prefix = f"{ATTACHMENT}-"
    return [kind.removeprefix(prefix) for kind in sorted(store.kinds(version)) if kind.startswith(prefix)]


def attached(store: "Registry", version: "Version", key: str) -> Evaluation | None:
    """The evaluation of a version by the protocol ``key``, if there is one.

    Raises:
        IntegrityError, Corrupt: it is damaged.
    """
    if key not in keys(store, version):
        return None
    kind = f"{ATTACHMENT}-{key}"
    return Evaluation.from_json(store.read(version, kind), f"{version} ({kind})")


def evaluations(store: "Registry", version: "Version", damaged: Callable[[Exception], None]) -> "dict[str, Evaluation]":
    """All evaluations of a version, by the key of their protocols.

    Args:
        damaged: is given the error of one that cannot be read, which is then left out.
    """
    found: dict[str, Evaluation] = {}
    try:
        known = keys(store, version)
    except GanzooError as error:
        damaged(error)
        return found
    for key in known:
        try:
            evaluation = attached(store, version, key)
        except GanzooError as error:
            damaged(error)
            continue
        if evaluation:
            found[key] = evaluation
    return found


def attach(store: "Registry", version: "Version", evaluation: Evaluation, *, force: bool = False) -> None:
    """Attach an evaluation to its version.

    Raises:
        Conflict: other figures of this protocol are there already, and ``force`` is not set.
    """
    data = json.dumps(evaluation.to_dict(), indent=1, allow_nan=False).encode()
    store.attach(version, ATTACHMENT, data, variant=evaluation.protocol.key, force=force)
