"""How good generators are, and what a run or a version was."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.api.door import as_reference, as_references, check_text
from ganzoo.api.known import open_registry
from ganzoo.errors import check_whole
from ganzoo.files import checked
from ganzoo.records.evaluation import HELD_OUT, MOST_SEEDS
from ganzoo.zoo.names import zoo

if TYPE_CHECKING:
    import os

    from ganzoo.api.door import Reference
    from ganzoo.records.evaluation import Evaluation
    from ganzoo.records.ranking import Ranked
    from ganzoo.runtime.providers import Device


def evaluate(
    references: "Reference | Iterable[Reference]",
    *,
    data: "str | os.PathLike[str] | None" = None,
    features: str = "",
    n: int | None = None,
    seeds: int = 5,
    against: str = HELD_OUT,
    force: bool = False,
    registry: str | Path | None = None,
    runs: str | Path = "runs",
    device: "Device" = "auto",
    seen: Callable[[int, int], None] | None = None,
    noted: Callable[[str], None] = lambda message: None,
) -> "dict[str, Evaluation]":
    """Evaluate exported generators by real images, all by one protocol, on ONNX Runtime and without torch.

    Args:
        references: one or more; see ``load``.
        data: a data set's name or a path; None: what they were trained on.
        features: an extractor's name, or a ``.onnx`` file; empty: the data set's, or one that is made of its training
            images (with torch, once).
        n: samples per seed; None: as many as there are training images, at most 10,000.
        seeds: number of sample seeds, from 0; at most ``MOST_SEEDS``.
        against: ``held-out`` or ``training``: the real images to evaluate by.
        force: compute anew what is attached to a version already.
        registry: the registry's directory; see ``ganzoo.files.registry_root``.
        runs: the directory of the runs, which know where images without a name lie.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``: where generators and extractor run.
        seen: is called with how many samples were looked at, and how many there are in all; None: a bar shows it, on a
            terminal or in a notebook.
        noted: is given what there is to wait for, in one line.

    Returns:
        What each reference means -> its figures, which are also attached to its version.

    Raises:
        GanzooError: one of them cannot be found, or they cannot be evaluated alike.
    """
    from ganzoo.config.tables import plain
    from ganzoo.evaluation.candidates import evaluate_all, find_candidates, find_criteria
    from ganzoo.progress.bars import ProgressBar, doing

    check_whole(seeds, "seeds", 1, MOST_SEEDS)
    if n is not None:
        check_whole(n, "n", 1)
    store, asked = open_registry(registry), as_references(references)
    with doing("loading"), ProgressBar("evaluating", "samples") as bar:
        candidates = find_candidates(asked, store, registry, device)
        criteria = find_criteria(
            candidates,
            zoo(),
            data=plain(data),
            runs=checked(runs, "runs"),
            features=features,
            n=n,
            against=against,
            device=device,
            noted=noted,
        )
        if criteria.cost:
            noted(criteria.cost)
        found = evaluate_all(candidates, criteria, store, seeds=seeds, force=force, seen=seen or bar)
    return {candidate.name: evaluation for candidate, evaluation in zip(candidates, found, strict=True)}


def figures() -> dict[str, str]:
    """Every figure that an installed metric may give -> ``lower``, ``higher`` or nothing: which is better."""
    return zoo().figures()


def best_version(reference: "Reference", key: str, *, registry: str | Path | None = None) -> tuple[str, str] | None:
    """The best version of a version's model by one protocol, and the figures that say so.

    Args:
        reference: see ``load``; the ``best`` of that version's training decides.
        key: the protocol's key; see ``Evaluation.protocol``.

    Returns:
        Reference and reason; None: no version of the model can be ranked.
    """
    from ganzoo.evaluation.candidates import best_of

    check_text(key, "key")
    store = open_registry(registry)
    return best_of(store, store.resolve(as_reference(reference)), key, figures())


def ranked(name: str, figure: str = "", *, registry: str | Path | None = None) -> "list[Ranked]":
    """The versions of a model in the order of a figure, the best first; see ``ganzoo.records.ranking``.

    Args:
        name: the model's name.
        figure: a figure's name; empty: the ``best`` of the newest version's training.

    Raises:
        UsageError: no metric has such a figure, or it has no better side.
        GanzooError: there is no such model, or an evaluation is damaged.
    """
    from ganzoo.records.ranking import by_figure

    def refuse(error: Exception) -> None:
        raise error

    check_text(name, "name")
    check_text(figure, "figure")
    store = open_registry(registry)
    return by_figure(store, store.versions(name), figure, figures(), refuse)


def report(
    references: "Reference | Iterable[Reference]",
    *,
    output: str | Path | None = None,
    runs: str | Path = "runs",
    registry: str | Path | None = None,
    noted: Callable[[str], None] = lambda message: None,
) -> Path:
    """Write one page about a run or a version, or about several side by side; returns where it is.

    Args:
        references: for a run its directory, ``name/number`` below ``runs``, or ``last``; for a version see ``load``.
        output: the page's file; None: ``report.html``, for one run in its directory, else in the working directory.
        runs: the directory of the runs.
        registry: the registry's directory; see ``ganzoo.files.registry_root``.
        noted: is given what a reader should know, in one line.

    Raises:
        GanzooError: one of them cannot be found or read, or the page cannot be written.
    """
    from ganzoo import reporting

    store = open_registry(registry)
    found = [reporting.find(reference, checked(runs, "runs"), store) for reference in as_references(references)]
    return reporting.write(found, store, checked(output, "output") if output is not None else None, noted)
