"""Evaluating versions of the registry and exported files, all by one protocol."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.config import HELD_OUT_SHARE
from ganzoo.data import Split, load
from ganzoo.errors import IntegrityError, UsageError
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.evidence import of_generator
from ganzoo.evaluation.judgement import FEW, Judgement, prepare
from ganzoo.evaluation.record import HELD_OUT, TRAINING, Evaluation, attach, attached
from ganzoo.quality import rank
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.providers import Device
from ganzoo.specs import Dataset
from ganzoo.zoo import Zoo
from ganzoo_registry import Conflict, Registry, RegistryError, Version

SEEDS = 5
"""Repetitions with samples of other seeds; the interval of a mean of five is 2.5 standard errors each way."""


@dataclass(frozen=True)
class Subject:
    """What is judged.

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


def find_judgement(
    subjects: Sequence[Subject],
    zoo: Zoo,
    *,
    data: str | None = None,
    features: str = "",
    n: int | None = None,
    against: str = HELD_OUT,
    device: Device = "auto",
) -> Judgement:
    """What to judge ``subjects`` with, one and all; see ``ganzoo.evaluate``.

    Raises:
        UsageError: they cannot be judged alike, or not by these images.
    """
    source = data or _common_data(subjects, zoo)
    size = _common_size(subjects)
    images = load(source, zoo, size=size, held_out=_share(subjects))
    for subject in subjects:
        _check_channels(subject, images, source)
    return prepare(source, images, zoo, features=features, n=n, against=against, device=device)


def judge_all(
    subjects: Sequence[Subject],
    judgement: Judgement,
    store: Registry,
    *,
    seeds: int = SEEDS,
    force: bool = False,
    seen: Callable[[int, int], None] = lambda done, total: None,
) -> list[Evaluation]:
    """The figures of every subject; those of versions are attached to them, and found there the next time.

    Args:
        seeds: how many, from 0.
        force: compute again, and replace what is attached.
        seen: is called with how many samples were judged, and how many there are in all.
    """
    done, total = 0, judgement.n * seeds * len(subjects)

    def saw(count: int) -> None:
        nonlocal done
        done += count
        seen(done, total)

    evaluator = Evaluator(judgement, seen=saw)
    key = evaluator.protocol(range(seeds)).key
    class_names = judgement.data.training.class_names
    found = []
    for subject in subjects:
        version = subject.version
        known = attached(store, version, key) if version and not force else None
        if known is None or not set(judgement.metrics) <= set(known.metrics):  # a metric was installed since
            sources = {seed: of_generator(subject.generator, seed, class_names) for seed in range(seeds)}
            evaluation = evaluator.evaluate(sources, _notes(subject, judgement))
            known = evaluation if version is None else _attach(store, version, evaluation, force or known is not None)
        found.append(known)
    return found


def best_of(store: Registry, name: str, key: str) -> tuple[str, Evaluation] | None:
    """The best version of model ``name`` among those that were evaluated by the protocol ``key``, but for damaged ones.

    None: nothing of it can be ranked.
    """
    ranked = []
    for version in store.versions(name):
        try:
            evaluation = attached(store, version, key)
        except (IntegrityError, RegistryError):  # whoever asks for that one is told
            continue
        if evaluation and (place := rank(means(evaluation))) < math.inf:
            ranked.append((place, version.number, str(version), evaluation))
    return min(ranked)[2:] if ranked else None


def means(evaluation: Evaluation) -> dict[str, float]:
    """Each figure's mean over sample seeds."""
    return {name: figure.mean for name, figure in evaluation.figures.items()}


def _attach(store: Registry, version: Version, evaluation: Evaluation, force: bool) -> Evaluation:
    """Attach it; of two processes that judge one version at the same time, what the first found counts for both."""
    try:
        attach(store, version, evaluation, force=force)
    except Conflict:
        return attached(store, version, evaluation.protocol.key) or evaluation
    return evaluation


def _share(subjects: Sequence[Subject]) -> float:
    """What of a set without a held-out part of its own none of the subjects was trained on.

    Held-out parts lie within one another, so that is the smallest one.
    """
    shares = [subject.lineage["config"].get("held_out", 0.0) for subject in subjects if subject.lineage]
    return min(shares, default=HELD_OUT_SHARE)


def _notes(subject: Subject, judgement: Judgement) -> list[str]:
    """What makes figures flatter, or means something else than it seems."""
    data = judgement.data
    trained_on = subject.lineage.get("data", {})
    notes = []
    real = data.training if judgement.against == TRAINING else data.held_out
    if real and len(real) < FEW:
        notes.append(f"{len(real)} real images are few: figures are coarse")
    if not trained_on:
        notes.append("it is not known what it was trained on")
    elif real and trained_on["digest"] == real.digest:
        notes.append("it is held against the very images that it was trained on")
    elif trained_on["digest"] != data.training.digest:
        notes.append(f"it was trained on other images ({trained_on['name']})")
    return notes


def _common_data(subjects: Sequence[Subject], zoo: Zoo) -> str:
    names = {_trained_on(subject) for subject in subjects}
    if len(names) > 1:
        raise UsageError(
            f"they were trained on different images: {', '.join(sorted(filter(None, names)))}",
            hint="say which to judge all of them by: --data SOURCE",
        )
    (name,) = names
    if all(name not in (dataset.name, zoo.qualified(dataset)) for dataset in zoo.all(Dataset)):
        what = f"{name!r} is not the name of a data set" if name else "the file does not say what it was trained on"
        raise UsageError(what, hint="give the images: --data PATH")
    return name


def _trained_on(subject: Subject) -> str:
    """The data set's name, or the last part of a path as one."""
    data = subject.lineage.get("data", {})
    name: str = data.get("name", "")
    return f"./{name}" if name and not data.get("named", True) else name


def _common_size(subjects: Sequence[Subject]) -> int:
    sizes = {subject.generator.card.height for subject in subjects}
    if len(sizes) > 1:
        raise UsageError(
            f"they make images of different sizes: {', '.join(f'{size} pixels' for size in sorted(sizes))}",
            hint="compare generators of one size",
        )
    return sizes.pop()


def _check_channels(subject: Subject, data: Split, source: str) -> None:
    made, real = subject.generator.card.channels, data.training.shape.channels
    if made != real:
        raise UsageError(
            f"{subject.name} makes images of {made} channels, and those of {source} have {real}",
            hint="judge it by images like those that it was trained on: --data SOURCE",
        )
