"""Reports of runs and versions: one page of curves, grids, figures and configuration, and samples in motion.

Nothing here imports torch, so that a report can be made on any machine that holds the files.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from ganzoo.errors import GanzooError, UsageError, message
from ganzoo.files import write_atomic
from ganzoo.records.outcome import Outcome
from ganzoo.records.run import Run
from ganzoo.reporting.animation import animate, stills
from ganzoo.reporting.page import page
from ganzoo.reporting.subject import find, of_run, of_version
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, Version

__all__ = ["conclude", "find", "write"]

REPORT, MOTION = "report.html", "samples.webp"


def conclude(run: Run, outcome: Outcome, store: Registry, noted: Callable[[str], None]) -> None:
    """Record how a run ended, and write its report; a failure becomes a note, because it must not cost the run.

    Args:
        store: where the run's versions are.
        noted: is given what went wrong, in one line.
    """
    try:
        run.record_outcome(outcome)
        _write_run(run, store, run.directory / REPORT, noted)
    except Exception as error:
        noted(f"no report of {run.directory}: {' '.join(message(error).split()) or type(error).__name__}")


OTHERS = (".pdf", ".png", ".jpg", ".jpeg", ".webp", ".svg", ".gif", ".md", ".txt", ".json", ".csv", ".zip", ".onnx")
"""What names of files in other formats end in."""


def write(found: Sequence[Run | Version], store: Registry, output: Path | None, noted: Callable[[str], None]) -> Path:
    """Write one page about a run or a version, or about several side by side; for one run, ``samples.webp``, too.

    Args:
        store: where the versions are.
        output: the page's file; None: ``report.html``, for one run in its directory, else in the working directory.
        noted: is given why there is no ``samples.webp``, in one line.

    Returns:
        Where the page is.

    Raises:
        UsageError: no run or version is given, or one is given twice; the file's name promises another format.
        GanzooError: something cannot be read, or the page cannot be written.
    """
    if output is not None and output.suffix.lower() in OTHERS:
        raise UsageError(f"a report is a page of HTML, and {output} ends in something else", hint="-o report.html")
    if len(found) == 1 and isinstance(found[0], Run):
        output = output or found[0].directory / REPORT
        _write_run(found[0], store, output, noted)
        return output
    places = [each.directory.resolve() if isinstance(each, Run) else each for each in found]
    if not found or len(set(places)) < len(places):
        raise UsageError("a report tells of one or more runs and versions, each once", hint="ganzoo report A B")
    depth = _telling_apart([place for place in places if isinstance(place, Path)])
    subjects = [of_run(each, store, depth) if isinstance(each, Run) else of_version(store, each) for each in found]
    output = output or Path(REPORT)
    _write_page(output, page(subjects, better=zoo().figures()))
    return output


def _write_run(run: Run, store: Registry, output: Path, noted: Callable[[str], None]) -> None:
    subject = of_run(run, store)
    motion, shown = b"", dict[int, bytes]()
    if len(subject.frames) > 1:
        try:
            motion, shown = animate(list(subject.frames.values())), stills(subject.frames)
        except GanzooError as error:
            noted(f"the samples of {run.directory} are not shown in motion: {error}")
    if motion:
        try:
            write_atomic(run.directory / MOTION, motion)
        except GanzooError as error:
            noted(f"no {MOTION}: {error}")
    _write_page(output, page([subject], better=zoo().figures(), stills=shown, files=_beside(run, output)))


def _beside(run: Run, output: Path) -> list[str]:
    """The run's files that a page in its directory can name; a page elsewhere may be sent to somebody without them."""
    if output.resolve().parent != run.directory.resolve():
        return []
    return sorted(path.name for path in run.directory.iterdir() if path.name not in (REPORT, "lock"))


def _write_page(output: Path, text: str) -> None:
    write_atomic(output, text.encode(errors="replace"))  # a name from JSON may hold half a surrogate pair


def _telling_apart(directories: Sequence[Path]) -> int:
    """How many of a path's last parts tell the runs apart: two, unless runs in two places have one name and number."""
    depth = 2
    while len({directory.parts[-depth:] for directory in directories}) < len(directories):
        depth += 1
    return depth
