"""The Python interface, which the command line calls, too: train, evaluate, export, load, models …"""

import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ganzoo.errors import check_whole
from ganzoo.files import checked, registry_root
from ganzoo.machine import alone
from ganzoo.records.evaluation import HELD_OUT, MOST_SEEDS
from ganzoo.specs import Model
from ganzoo.zoo.foreign import warn
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, Version

if TYPE_CHECKING:
    from ganzoo.config import Keys, Settings
    from ganzoo.exporting.versions import ExportResult
    from ganzoo.observer import Observer
    from ganzoo.pipeline.plan import Plan
    from ganzoo.records.evaluation import Evaluation
    from ganzoo.records.ranking import Ranked
    from ganzoo.records.result import TrainResult
    from ganzoo.runtime.generator import ImageGenerator
    from ganzoo.runtime.providers import Device

    Reference = str | os.PathLike[str]


def models() -> list[Model]:
    """Every model that an installed plugin provides."""
    return zoo().all(Model)


def list_models(pattern: str = "*") -> list[str]:
    """The names of the models that match a pattern, such as ``"*gan*"``, as ``--model`` takes them, sorted."""
    return sorted(name for name in map(zoo().shortest, models()) if fnmatch(name, pattern))


def open_registry(path: str | Path | None = None) -> Registry:
    """The registry at ``path``, else at ``$GANZOO_REGISTRY``, else in the user's data directory."""
    return Registry(registry_root(path))


def move_alias(reference: str, alias: str, *, expect: int | None = None, registry: str | Path | None = None) -> Version:
    """Let ``alias`` stand on the version that ``reference`` names, tell the plugins, and return the version.

    Args:
        expect: see ``Registry.alias``.

    Raises:
        RegistryError: there is no such version, or the alias stands elsewhere than expected.
    """
    store = open_registry(registry)
    version = store.resolve(reference)
    store.alias(str(version), alias, expect=expect)
    zoo().manager.notify("ganzoo_alias_moved", warn, version=version, alias=alias)
    return version


def load(
    reference: "Reference",
    *,
    registry: str | Path | None = None,
    device: "Device" = "auto",
    threads: int | None = None,
    int8: bool = False,
) -> "ImageGenerator":
    """An image generator that runs on ONNX Runtime, without torch.

    Args:
        reference: ``name``, ``name:3``, ``name@alias``, ``name@sha256:…``, or the path of a ``.onnx`` file, which is
            tried in a process of its own first; see ``ganzoo.runtime.vetting``.
        registry: the registry's directory; see ``ganzoo.files.registry_root``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads that work on one batch; None lets ONNX Runtime choose.
        int8: take the version's file in int8, which ``export`` makes; a file is taken as it is.

    Raises:
        NotFoundError, RegistryError: there is no such version or file, or it was not exported.
        IntegrityError: it is damaged, or a file must not be run.
        UsageError: an argument is none that there can be.
    """
    from ganzoo.runtime.opening import open_generator

    return open_generator(reference, registry, device, threads, int8)


def evaluate(
    references: "Reference | Sequence[Reference]",
    *,
    data: str | None = None,
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
    from ganzoo.evaluation.candidates import evaluate_all, find_candidates, find_criteria
    from ganzoo.progress.bars import ProgressBar, doing

    check_whole(seeds, "seeds", 1, MOST_SEEDS)
    if n is not None:
        check_whole(n, "n", 1)
    store, asked = open_registry(registry), [references] if isinstance(references, str | os.PathLike) else references
    with doing("loading"), ProgressBar("evaluating", "samples") as bar:
        candidates = find_candidates(asked, store, registry, device)
        criteria = find_criteria(
            candidates,
            zoo(),
            data=data,
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


def best_version(reference: str, key: str, *, registry: str | Path | None = None) -> tuple[str, str] | None:
    """The best version of a version's model by one protocol, and the figures that say so.

    Args:
        reference: see ``load``; the ``best`` of that version's training decides.
        key: the protocol's key; see ``Evaluation.protocol``.

    Returns:
        Reference and reason; None: no version of the model can be ranked.
    """
    from ganzoo.evaluation.candidates import best_of

    store = open_registry(registry)
    return best_of(store, store.resolve(reference), key, figures())


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

    store = open_registry(registry)
    return by_figure(store, store.versions(name), figure, figures(), refuse)


def describe_data(source: str, *, size: int | None = None, held_out: float | None = None) -> dict[str, Any]:
    """A data set in numbers: counts, size, classes, channels' means; see ``ganzoo.data.statistics.facts``.

    Args:
        source: a data set's name or a path.
        size: in pixels; None: the images' own.
        held_out: the share to hold out of a set that does not say itself what is held out; None: as a training does.
    """
    from ganzoo.data.statistics import described

    return described(source, zoo(), size, held_out)


def export(
    reference: str,
    *,
    output: str | Path | None = None,
    opset: int | None = None,
    int8: bool = False,
    uint8: bool = False,
    registry: str | Path | None = None,
    force: bool = False,
    check: bool = False,
) -> "ExportResult":
    """Export a registered generator to ONNX, through every gate, and attach the file to its version.

    Args:
        reference: see ``load``.
        output: also write the file here.
        opset: the file's ONNX opset; None takes the default. A file of another opset than the attached one is only
            written to ``output``, unless ``force``.
        int8: make the file in int8 of it, too, attach that beside it, and write it to ``output`` instead: about three
            times as fast on a CPU. Its images come near those in fp32; see ``ganzoo.exporting.derived``.
        uint8: let the file that is written make ``images u8[batch, H, W, C]`` and ``finite bool[batch]``.
        force: export anew and replace the attached file.
        check: export anew, and keep nothing of it: neither attach nor write a file.

    Raises:
        GanzooError: a gate did not pass; nothing is written.
    """
    from ganzoo.exporting.versions import export_version

    if opset is not None:
        check_whole(opset, "opset", 1)
    store = open_registry(registry)
    place = checked(output, "output") if output is not None else None
    return export_version(store, store.resolve(reference), place, opset, force, int8=int8, uint8=uint8, check=check)


def export_web(
    reference: str,
    directory: str | Path,
    *,
    ort_web: str | Path | None = None,
    registry: str | Path | None = None,
) -> Path:
    """Write a folder that any static host shows: a page that samples from a version in the browser, without a server.

    Args:
        reference: see ``load``; a version that was not exported is exported first.
        directory: the new folder.
        ort_web: ``onnxruntime-web`` from npm, its directory or the ``.tgz`` that ``npm pack onnxruntime-web`` makes;
            None: what is found in the working directory.

    Returns:
        The folder, which appears whole or not at all.

    Raises:
        UsageError: something is there already.
        MissingPackageError: there is no ``onnxruntime-web``.
        GanzooError: a gate did not pass, or the folder cannot be written.
    """
    from ganzoo.exporting.web import write_web

    store = open_registry(registry)
    runtime = checked(ort_web, "ort_web") if ort_web is not None else None
    return write_web(store, store.resolve(reference), checked(directory, "directory"), runtime)


def export_triton(reference: str, directory: str | Path, *, registry: str | Path | None = None) -> Path:
    """Add a version to a model repository of NVIDIA's Triton Inference Server, which KServe runs, too.

    Args:
        reference: see ``load``; a version that was not exported is exported first.
        directory: the repository; in it a new folder is made, which is called like the model.

    Returns:
        The model's folder, which appears whole or not at all.

    Raises:
        UsageError: something is there already.
        GanzooError: a gate did not pass, or the folder cannot be written.
    """
    from ganzoo.exporting.triton import write_triton

    store = open_registry(registry)
    return write_triton(store, store.resolve(reference), checked(directory, "directory"))


def report(
    references: str | Sequence[str],
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

    references = [references] if isinstance(references, str) else references
    store = open_registry(registry)
    found = [reporting.find(reference, checked(runs, "runs"), store) for reference in references]
    return reporting.write(found, store, checked(output, "output") if output is not None else None, noted)


def train(
    model: str | None = None,
    *,
    settings: "Settings | None" = None,
    resume: str | None = None,
    init_from: str | None = None,
    registry: str | Path | None = None,
    runs: str | Path = "runs",
    export: bool = True,
    strict: bool = False,
    observer: "Observer | None" = None,
    progress: bool = True,
    **keys: "Unpack[Keys]",
) -> "TrainResult":
    """Train a model, register the result, and export it to ONNX.

    ``ganzoo.train("dcgan", data="photos", size=32, steps=200, generator={"lr": 1e-4})``

    Args:
        model: the model's name; may also stand in ``settings``, or be left to ``resume`` or ``init_from``.
        settings: configuration over the model's defaults, as nested tables, such as those of a TOML file.
        resume: a run's directory, ``name/number`` below ``runs``, ``name`` for its newest, or ``last``.
        init_from: a reference to the version whose weights to start from.
        registry: where to register; see ``ganzoo.files.registry_root``.
        runs: the directory in which the run's directory is made.
        export: whether to export to ONNX at the end.
        strict: refuse a data folder with unreadable images, instead of skipping them.
        observer: is told how it goes, in the place of the bar.
        progress: show a bar, and what a person should know, in a terminal or a notebook; nothing elsewhere.
        keys: any key of the configuration, a table as a dict; see ``ganzoo.config.RunConfig``. None of them may stand
            in ``settings``, too.

    Raises:
        TrainingStopped: by SIGINT, SIGTERM or SIGHUP; a checkpoint is safe.
        GanzooError: anything else; a diverged run is never registered.
    """
    from ganzoo.config import as_settings
    from ganzoo.pipeline.draft import Draft, check_start, draft_new, draft_resumed
    from ganzoo.records.run import Run

    check_start(resume, init_from)
    asked, store, place = as_settings(settings, {**keys}), open_registry(registry), checked(runs, "runs")

    def draft(run: str | None) -> Draft:
        if run:
            return draft_resumed(Run.meant(run, place), model, asked)
        return draft_new(store, model, asked, init_from)

    # Before torch is imported, so that errors show at once. One of several ranks must not fail before it has joined the
    # others, because they would wait for it.
    drafted = draft(resume) if alone() else None

    from ganzoo.pipeline.session import Session
    from ganzoo.progress.training import watched
    from ganzoo.training.ranks import joined

    with watched(observer, progress) as told, joined(str(asked.get("device", "auto"))) as ranks:
        session = Session(store, place, strict=strict, observer=told, ranks=ranks)
        if drafted is None:
            drafted = draft(ranks.share(str(Run.meant(resume, place).directory)) if resume else None)
        started = session.begin(drafted, export=export)
        del drafted  # it holds images as they were read
        return session.finish(*started, export=export)


def plan(
    model: str | None = None,
    *,
    settings: "Settings | None" = None,
    init_from: str | None = None,
    registry: str | Path | None = None,
    strict: bool = False,
    **keys: "Unpack[Keys]",
) -> "Plan":
    """What ``train`` would do: reads the data and builds the networks, but writes nothing. Arguments: see there."""
    from ganzoo.config import as_settings
    from ganzoo.pipeline.draft import check_start, draft_new

    check_start(None, init_from)
    store = open_registry(registry)
    drafted = draft_new(store, model, as_settings(settings, {**keys}), init_from)

    from ganzoo.pipeline.session import Session

    return Session(store, Path("runs"), strict=strict).plan(drafted)
