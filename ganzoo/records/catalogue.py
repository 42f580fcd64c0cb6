"""What tells the versions of a registry apart in a list; how two of them differ; and the room that each takes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganzoo.files import flatten
from ganzoo.records import remarks
from ganzoo.records.evaluation import attached, keys
from ganzoo.records.ranking import by_figure, protocols
from ganzoo_registry import BlobInfo, NotFound, Registry, Version
from ganzoo_registry.errors import telling

Told = Callable[[Exception], None]
"""Is given the error of what is damaged, which is then left out."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A version in a list; a field that its lineage does not have is empty.

    Args:
        aliases: those that stand on it.
        model, loss, data: names.
        pixels: height, width and channels: ``32x32x3``.
        steps: of training.
        figure, value: name and mean of the figure that decided in training; see ``by_figure``.
        protocol: the key of the protocol that gave it.
        size: bytes of all that it holds.
        tags, note: see ``remarks``.
    """

    version: Version
    aliases: Sequence[str] = ()
    model: str = ""
    loss: str = ""
    data: str = ""
    pixels: str = ""
    steps: int = 0
    figure: str = ""
    value: float | None = None
    protocol: str = ""
    size: int = 0
    tags: Sequence[str] = field(default_factory=list)
    note: str = ""


def entries(store: Registry, versions: Iterable[Version], damaged: Told) -> list[Entry]:
    """What is listed of each version, in their order; figures are of the protocol that most versions have, if they can.

    Versions that are removed meanwhile are left out.
    """
    there, named = [], dict[str, dict[int, list[str]]]()
    for version in versions:
        try:
            if version.name not in named:
                named[version.name] = _named(store, version.name, damaged)
        except NotFound:  # its directory was taken away meanwhile
            continue
        there.append(version)
    ranked = by_figure(store, there, "", {}, damaged)  # no matter in which order
    order, figures = protocols(ranked), {each.version: each for each in ranked}
    found = []
    for version in there:
        figure = figures[version]
        key = next((key for key in order if key in figure.figures), "")
        decided: dict[str, Any] = (
            {"figure": figure.figure, "value": figure.figures[key], "protocol": key} if key else {}
        )
        aliases = named[version.name].get(version.number, [])
        found.append(Entry(version=version, aliases=aliases, **decided, **_facts(store, version, damaged)))
    return found


def _named(store: Registry, name: str, damaged: Told) -> dict[int, list[str]]:
    """Version number -> the aliases that stand on it."""
    found: dict[int, list[str]] = {}
    for alias, number in sorted(store.aliases(name, damaged).items()):
        found.setdefault(number, []).append(alias)
    return found


def _facts(store: Registry, version: Version, damaged: Told) -> dict[str, Any]:
    """What is known of a version from its lineage and from what it holds."""
    lineage: Mapping[str, Any] = {}
    found: dict[str, Any] = {}
    with telling(damaged):
        lineage = store.lineage(version)
    with telling(damaged):
        kinds = store.kinds(version)
        found["size"] = sum(_sizes(kinds).values())
        found["tags"] = remarks.tags(kinds)
        found["note"] = remarks.note(store, version, kinds)
    config, data, shape = (_table(lineage, name) for name in ("config", "data", "generator"))
    pixels = [str(shape[side]) for side in ("height", "width", "channels") if side in shape]
    steps = _table(lineage, "training").get("steps", 0)
    return found | {
        "model": str(config.get("model", "")),
        "loss": str(config.get("loss", "")),
        "data": str(data.get("name", "")),
        "pixels": "x".join(pixels),
        "steps": steps if isinstance(steps, int) else 0,
    }


def _table(lineage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = lineage.get(name)
    return found if isinstance(found, Mapping) else {}


def _sizes(kinds: Mapping[str, BlobInfo]) -> dict[str, int]:
    """Digest -> size of all that a version holds."""
    return {blob.digest: blob.size for blob in kinds.values()}


@dataclass(frozen=True)
class Room:
    """The room that versions take, in bytes.

    Args:
        what: a version's reference, or a model's name for all of its versions.
        size: of all that is held.
        own: what nothing else in the registry holds, and would be free without.
    """

    what: str
    size: int
    own: int


def rooms(store: Registry, name: str | None, damaged: Told) -> list[Room]:
    """The room that each model takes, or each version of the model ``name``.

    Raises:
        NotFound: there is no such model.
    """
    if name is not None:
        store.versions(name, damaged)
    held: dict[str, dict[str, int]] = {}
    for each in store.names():
        for version in store.versions(each, damaged):
            with telling(damaged):
                held.setdefault(str(version) if each == name else each, {}).update(_sizes(store.kinds(version)))
    holders = Counter(digest for sizes in held.values() for digest in sizes)
    return [
        Room(what, sum(sizes.values()), sum(size for digest, size in sizes.items() if holders[digest] == 1))
        for what, sizes in held.items()
        if name is None or what.startswith(f"{name}:")
    ]


def differences(store: Registry, first: Version, second: Version) -> list[tuple[str, Any, Any]]:
    """In what two versions differ: the rows of their lineages, and then their figures by protocols that both have.

    Returns:
        What it is, its value in the first and in the second; None where it is missing.
    """
    one, other = (dict(flatten(store.lineage(version))) for version in (first, second))
    every = [(key, one.get(key), other.get(key)) for key in sorted({*one, *other})]
    rows = [(key, here, there) for key, here, there in every if _said(here) != _said(there)]
    for key in [key for key in keys(store, first) if key in keys(store, second)]:
        left, right = attached(store, first, key), attached(store, second, key)
        for name in left.figures if left and right else ():
            if left and right and name in right.figures and left.figures[name].mean != right.figures[name].mean:
                rows.append((f"{name} ({key})", left.figures[name].mean, right.figures[name].mean))
    return rows


def _said(value: Any) -> Any:
    """A value of a lineage; what is empty says no more than what is missing."""
    return None if value in ("", [], {}) else value
