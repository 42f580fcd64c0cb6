"""Evaluating versions of the registry and exported files, all by one protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.data import Split, load
from ganzoo.errors import UsageError
from ganzoo.evaluation.evaluate import Evaluator, Judgement, prepare
from ganzoo.evaluation.evidence import of_generator
from ganzoo.evaluation.record import HELD_OUT, TRAINING, Evaluation, attach, attached
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.specs import Dataset
from ganzoo.zoo import Zoo
from ganzoo_registry import Registry, Version

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
) -> Judgement:
    """What to judge ``subjects`` with, one and all; see ``ganzoo.evaluate``.

    Raises:
        UsageError: they cannot be judged alike, or not by these images.
    """
    source = data or _common_data(subjects, zoo)
    size = _common_size(subjects)
    share = max(subject.lineage.get("config", {}).get("held_out", 0.0) for subject in subjects)
    images = load(source, zoo, size=size, held_out=share)
    for subject in subjects:
        _check_channels(subject, images, source)
    return prepare(source, images, zoo, features=features, n=n, against=against)


def judge_all(
    subjects: Sequence[Subject],
    judgement: Judgement,
    store: Registry,
    *,
    seeds: int = SEEDS,
    force: bool = False,
    seen: Callable[[int, int], None] = lambda count, total: None,
) -> list[Evaluation]:
    """The figures of every subject; those of versions are attached to them, and found there the next time.

    Args:
        seeds: how many, from 0.
        force: compute again, and replace what is attached.
        seen: is called with how many more samples were judged, and how many there are in all.
    """
    total = judgement.n * seeds * len(subjects)
    evaluator = Evaluator(judgement, seen=lambda count: seen(count, total))
    key = evaluator.protocol(range(seeds)).key
    found = []
    for subject in subjects:
        version = subject.version
        known = {each.protocol.key: each for each in attached(store, version)} if version else {}
        if key not in known or force:
            sources = {seed: of_generator(subject.generator, seed) for seed in range(seeds)}
            known[key] = evaluator.evaluate(sources, _notes(subject, judgement))
            if version:
                attach(store, version, known[key], force=force)
        found.append(known[key])
    return found


def _notes(subject: Subject, judgement: Judgement) -> list[str]:
    """What makes figures flatter, or means something else than it seems."""
    data = judgement.data
    trained_on = subject.lineage.get("data", {})
    if not trained_on:
        return ["it is not known what it was trained on"]
    if trained_on["digest"] != data.training.digest:
        held_out = data.held_out
        if held_out and trained_on["digest"] == held_out.digest:
            return ["it was trained on the very images that are held out here"]
        return [f"it was trained on other images ({trained_on['name']})"]
    return ["it is held against the images that it was trained on"] if judgement.against == TRAINING else []


def _common_data(subjects: Sequence[Subject], zoo: Zoo) -> str:
    names = {subject.lineage.get("data", {}).get("name", "") for subject in subjects}
    if len(names) > 1:
        raise UsageError(
            f"they were trained on different images: {', '.join(sorted(filter(None, names)))}",
            hint="say which to judge all of them by: --data SOURCE",
        )
    (name,) = names
    if name not in {dataset.name for dataset in zoo.all(Dataset)}:
        what = f"{name!r} is not the name of a data set" if name else "the file does not say what it was trained on"
        raise UsageError(what, hint="give the images: --data PATH")
    return str(name)


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
