"""Candidates to evaluate: versions of the registry and exported files, all by one protocol."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganzoo.config import HELD_OUT_SHARE
from ganzoo.data import Split, load
from ganzoo.data.load import named
from ganzoo.errors import IntegrityError, UsageError
from ganzoo.evaluation.criteria import FEW, Criteria, choose_criteria
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.evidence import of_generator
from ganzoo.evaluation.labels import match
from ganzoo.evaluation.sources import common_source, require_same
from ganzoo.records.best import Ranking
from ganzoo.records.evaluation import HELD_OUT, TRAINING, Evaluation, attach, attached
from ganzoo.runtime.file import file_of
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.opening import open_generator
from ganzoo.runtime.providers import Device
from ganzoo.zoo.names import Zoo
from ganzoo_registry import Conflict, NotWritable, Registry, RegistryError, Version

SEEDS = 5
"""Number of sample seeds by default; the interval of a mean of five is 2.5 standard errors each way."""


@dataclass(frozen=True)
class Candidate:
    """A generator that is evaluated.

    Args:
        name: for tables: ``wgan-gp:3``, or a file's path.
        generator: makes its images.
        version: None for a file.
        lineage: the version's; empty for a file.
    """

    name: str
    generator: ImageGenerator
    version: Version | None
    lineage: Mapping[str, Any]


def find_candidates(
    references: Sequence[str], store: Registry, registry: str | Path | None, device: Device
) -> list[Candidate]:
    """What ``references`` mean; see ``ganzoo.load``.

    Args:
        store: the registry.
        registry: where it is.

    Raises:
        UsageError: there are none, or two mean one version.
        GanzooError: one of them cannot be opened.
    """
    if not references:
        raise UsageError("nothing to evaluate", hint="name one or more versions")
    candidates = []
    for reference in references:
        version = None if file_of(reference) else store.resolve(reference)
        name = str(version or reference)
        generator = open_generator(name, registry, device, 1)
        candidates.append(Candidate(name, generator, version, store.lineage(version) if version else {}))
    if len({candidate.name for candidate in candidates}) < len(candidates):
        raise UsageError("two of the references mean one version", hint="compare different ones")
    return candidates


def find_criteria(
    candidates: Sequence[Candidate],
    zoo: Zoo,
    *,
    data: str | None = None,
    runs: Path = Path("runs"),
    features: str = "",
    n: int | None = None,
    against: str = HELD_OUT,
    device: Device = "auto",
    noted: Callable[[str], None] = lambda message: None,
) -> Criteria:
    """The criteria to evaluate all ``candidates`` by; see ``ganzoo.evaluate``.

    Raises:
        UsageError: they cannot be evaluated alike, or not by these images.
        NotFoundError: the images that they were trained on are not there.
    """
    trained_on = {candidate.name: candidate.lineage.get("data", {}) for candidate in candidates}
    source = data or common_source(trained_on, zoo, runs)
    size, share = _common_size(candidates), _share(candidates)
    images = load(source, zoo, size=size, held_out=share)
    if not data and not named(source, zoo):
        alike = {each.name: trained_on[each.name] for each in candidates if _held_out(each) == share}
        require_same(source, images.training.digest, alike)
    for candidate in candidates:
        _check_channels(candidate, images, source)
    return choose_criteria(source, images, zoo, features=features, n=n, against=against, device=device, noted=noted)


def evaluate_all(
    candidates: Sequence[Candidate],
    criteria: Criteria,
    store: Registry,
    *,
    seeds: int = SEEDS,
    force: bool = False,
    seen: Callable[[int, int], None] = lambda done, total: None,
) -> list[Evaluation]:
    """The figures of every candidate; those of versions are attached to them, and found there the next time.

    Args:
        seeds: how many, from 0.
        force: compute again, and replace what is attached.
        seen: is called with how many samples were looked at, and how many there are in all.
    """
    done, total = 0, criteria.n * seeds * len(candidates)

    def saw(count: int) -> None:
        nonlocal done
        done += count
        seen(done, total)

    evaluator = Evaluator(criteria, seen=saw)
    key = evaluator.protocol(range(seeds)).key
    found = []
    for candidate in candidates:
        version = candidate.version
        known = attached(store, version, key) if version and not force else None
        if known is None or not set(criteria.metrics) <= set(known.metrics):  # a metric has been installed since
            classes = match(candidate.generator.card.class_names, criteria.data.training)
            sources = {seed: of_generator(candidate.generator, seed, classes) for seed in range(seeds)}
            evaluation = evaluator.evaluate(sources, [*_notes(candidate, criteria), *classes.notes])
            known = evaluation if version is None else _attach(store, version, evaluation, force or known is not None)
        found.append(known)
    return found


def best_of(store: Registry, version: Version, key: str, better: Mapping[str, str]) -> tuple[str, str] | None:
    """The best version of a version's model by the protocol ``key``, and the figures that say so.

    The ``best`` of the version's own training decides, if there was one. Versions with a damaged evaluation are passed
    over.

    Args:
        better: see ``Zoo.figures``.

    Returns:
        Reference and reason; None: no version of the model can be ranked.
    """
    ranking = Ranking(str(_config(store.lineage(version)).get("best", "")), better)
    found: dict[int, dict[str, float]] = {}
    for each in store.versions(version.name, lambda _: None):  # whoever asks for a damaged one gets the error
        with contextlib.suppress(IntegrityError, RegistryError):  # whoever asks for that version gets the error
            if evaluation := attached(store, each, key):
                found[each.number] = means(evaluation)
    best = ranking.best(found)
    return None if best is None else (f"{version.name}:{best}", ranking.reason(found[best]))


def means(evaluation: Evaluation) -> dict[str, float]:
    """Each figure's mean over sample seeds."""
    return {name: figure.mean for name, figure in evaluation.figures.items()}


def _attach(store: Registry, version: Version, evaluation: Evaluation, force: bool) -> Evaluation:
    """Attach it; if two processes evaluate one version at the same time, the first one's figures count for both.

    A registry that takes nothing costs no figures: that they are not kept is a note on them.
    """
    try:
        attach(store, version, evaluation, force=force)
    except Conflict:
        return attached(store, version, evaluation.protocol.key) or evaluation
    except NotWritable as error:
        return replace(evaluation, notes=(*evaluation.notes, f"the registry did not take these figures: {error}"))
    return evaluation


def _share(candidates: Sequence[Candidate]) -> float:
    """Share to hold out of a set without a held-out part of its own, so that no candidate was trained on any of it.

    Held-out parts lie within one another, so this is the smallest one.
    """
    return min((_held_out(candidate) for candidate in candidates if candidate.lineage), default=HELD_OUT_SHARE)


def _held_out(candidate: Candidate) -> float:
    share: float = _config(candidate.lineage).get("held_out", 0.0)
    return share


def _config(lineage: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the training that made a version; empty for one that was made otherwise."""
    config = lineage.get("config")
    return config if isinstance(config, Mapping) else {}


def _notes(candidate: Candidate, criteria: Criteria) -> list[str]:
    """Remarks on what makes figures flattering, or different from what they seem."""
    data = criteria.data
    trained_on = candidate.lineage.get("data", {})
    notes = []
    real = data.training if criteria.against == TRAINING else data.held_out
    if real and len(real) < FEW:
        notes.append(f"{len(real)} real images are few: figures are coarse")
    if not trained_on:
        notes.append("it is not known what it was trained on")
    elif real and trained_on["digest"] == real.digest:
        notes.append("it is held against the very images that it was trained on")
    elif trained_on["digest"] != data.training.digest:
        notes.append(f"it was trained on other images ({trained_on['name']})")
    if criteria.extractor and criteria.extractor.sha256 in candidate.lineage.get("frozen", {}).values():
        notes.append(f"{criteria.extractor.name} was in training: its weights are part of the networks, which flatters")
    return notes


def _common_size(candidates: Sequence[Candidate]) -> int:
    sizes = {candidate.generator.card.height for candidate in candidates}
    if len(sizes) > 1:
        raise UsageError(
            f"they make images of different sizes: {', '.join(f'{size} pixels' for size in sorted(sizes))}",
            hint="compare generators of one size",
        )
    return sizes.pop()


def _check_channels(candidate: Candidate, data: Split, source: str) -> None:
    made, real = candidate.generator.card.channels, data.training.shape.channels
    if made != real:
        raise UsageError(
            f"{candidate.name} makes images of {made} channel{'s' * (made != 1)}, and those of {source} have {real}",
            hint="evaluate it by images like those that it was trained on: --data SOURCE",
        )
