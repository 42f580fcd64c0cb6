"""A run's directory: what one training leaves on disk besides its version in the registry.

runs/<name>/<n>/config.toml      resolved; ``ganzoo train --config`` reads it
                run.json         data digest, hardware and versions
                lock             held by the process that trains it
                metrics.jsonl    a line every report_every steps
                evaluations.jsonl   a line an evaluation, if there are any
                events.jsonl     a line an event: numbers that were not finite, a collapse; if there are any
                samples/         grids from fixed latents, as training goes on
                checkpoints/  the newest three, and the best if there are evaluations
                samples.png      the final grid, and what was exported
                real.png, nearest.png   training images: in the same form, and those that samples are nearest to
                clock.json, outcome.json   seconds of training up to the last checkpoint; how it ended
                samples.webp, report.html   samples/ in motion, and all of this to look at (``ganzoo.reporting``)
"""

import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganzoo.config import RunConfig, check_keys, convert
from ganzoo.errors import GanzooError, IntegrityError, UsageError
from ganzoo.files import Unreadable, parse_object, write_atomic
from ganzoo.records import journal
from ganzoo.records.directories import claim, in_use, last_touched, locked, numbered, place
from ganzoo.records.journal import Logs
from ganzoo.records.outcome import Outcome
from ganzoo.records.sealed import sealed_json, sealed_toml, unseal_json, unseal_toml
from ganzoo.records.steps import StepFiles

KEPT_CHECKPOINTS = 3


class Run(Logs):
    """One run on disk.

    Args:
        directory: ``<runs>/<name>/<n>``.
        config: resolved.
        facts: what is recorded besides the configuration: ``data`` (digest, count), ``environment``.
    """

    def __init__(self, directory: Path, config: RunConfig, facts: Mapping[str, Any]) -> None:
        super().__init__(directory)
        self.config = config
        self.facts = facts
        self._grids = StepFiles(directory / "samples", "step", ".png")
        self._newest = StepFiles(directory / "checkpoints", "step", ".safetensors")
        self._best = StepFiles(directory / "checkpoints", "best", ".safetensors")

    @classmethod
    def create(cls, runs: Path, config: RunConfig, facts: Mapping[str, Any]) -> "Run":
        """Take the next free number under ``<runs>/<name>``; two runs started at once get two numbers.

        Raises:
            GanzooError: the directory cannot be made.
        """
        home = runs / config.name
        try:
            home.mkdir(parents=True, exist_ok=True)
            number = max((int(path.name) for path in home.iterdir() if path.name.isdecimal()), default=0) + 1
            while not claim(home / str(number)):
                number += 1
        except OSError as error:
            raise GanzooError(
                f"cannot make a run in {home}: {error.strerror}", hint="choose another place: --runs DIR"
            ) from error
        run = cls(home / str(number), config, facts)
        try:
            run.write_config()
        except BaseException:  # Ctrl-C, too: without its configuration nobody could list or remove it
            shutil.rmtree(run.directory, ignore_errors=True)
            raise
        return run

    @classmethod
    def find(cls, reference: str, runs: Path) -> "Run":
        """Open a run.

        Args:
            reference: its directory; ``<name>/<n>`` below ``runs``; or ``last``, the one that was last worked on.
            runs: directory of the runs.

        Raises:
            NotFoundError: no such run.
            IntegrityError: its configuration cannot be read.
        """
        return cls._open(place(reference, runs))

    @classmethod
    def meant(cls, reference: str, runs: Path) -> "Run":
        """The same where no version can be meant: also the newest run of a name.

        Raises:
            NotFoundError, IntegrityError: see ``find``.
        """
        return cls._open(place(reference, runs, named=True))

    @classmethod
    def launched(cls, launch: str, runs: Path) -> "list[Run]":
        """The runs below ``runs`` that ``launch`` made or went on with, newest first; unreadable ones are left out."""
        return cls._recorded(runs, lambda facts: facts.get("launch") == launch)

    @classmethod
    def trained_on(cls, digest: str, runs: Path) -> "list[Run]":
        """The runs below ``runs`` whose training images have the digest, newest first; unreadable ones are left out."""
        return cls._recorded(runs, lambda facts: facts["data"]["digest"] == digest)

    @classmethod
    def _recorded(cls, runs: Path, holds: Callable[[Mapping[str, Any]], bool]) -> "list[Run]":
        """The runs whose facts are as asked for."""
        found = []
        for directory in numbered(runs, "run.json"):
            try:
                if holds(parse_object((directory / "run.json").read_bytes())):
                    found.append(cls._open(directory))
            except (OSError, Unreadable, GanzooError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda run: last_touched(run.directory), reverse=True)

    @classmethod
    def _open(cls, directory: Path) -> "Run":
        again = shlex.quote(str(directory / "config.toml"))
        hint = f"restore it from a copy, or start anew: ganzoo train --config {again}"
        try:
            path = directory / "config.toml"
            values = unseal_toml(path.read_bytes())
            _ = values["model"]
            path = directory / "run.json"
            facts = unseal_json(path.read_bytes())
            _ = facts["data"]["name"], facts["data"]["digest"], facts["data"]["class_names"], facts["parents"]
        except OSError as error:
            raise IntegrityError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
        except Unreadable as error:
            raise IntegrityError(f"{path} is damaged: {error}", hint=hint) from error
        except (KeyError, TypeError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else "it has another form"
            raise IntegrityError(f"{path} is damaged: {reason}", hint=hint) from error
        try:
            check_keys(values, RunConfig)
        except UsageError as error:
            path = directory / "config.toml"
            raise GanzooError(
                f"{path} was written by another ganzoo: {error}", hint="pip install --upgrade ganzoo"
            ) from error
        return cls(directory, convert(values, RunConfig), facts)

    def shown_config(self) -> dict[str, Any]:
        """The configuration for others to see, with only the last part of each path."""
        config = {**self.config.to_dict(), "data": self.facts["data"]["name"]}
        if config["features"].endswith(".onnx"):
            config["features"] = Path(config["features"]).name
        return config

    def write_config(self) -> None:
        """Record the configuration and the facts; a run is one from the moment that it has both."""
        write_atomic(self.directory / "run.json", sealed_json({**self.facts, "touched": time.time()}))
        write_atomic(self.directory / "config.toml", sealed_toml(self.config.to_toml()))

    def make_folders(self) -> None:
        """Make the folders of samples and checkpoints, if somebody has removed them."""
        for path in (self.directory / "samples", self.directory / "checkpoints"):
            path.mkdir(exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training this run meanwhile; see ``ganzoo.records.directories``."""
        with locked(self.directory):
            yield

    def refuse_if_trained_since(self) -> None:
        """Refuse to go on from what was read of the run before another process trained it; call it when locked.

        Raises:
            GanzooError: another process has trained it since it was opened.
        """
        if "touched" in self.facts and last_touched(self.directory) != self.facts["touched"]:
            raise GanzooError(
                f"another process has trained {self.directory} meanwhile", hint="start again: it goes on from there"
            )

    def touched(self) -> float:
        """Unix time when a process began to work on it."""
        return last_touched(self.directory)

    def in_use(self) -> bool:
        """Whether a process is training it."""
        return in_use(self.directory)

    @property
    def grid_path(self) -> Path:
        """Where the final grid goes."""
        return self.directory / "samples.png"

    @property
    def real_path(self) -> Path:
        """Where the training images that stand beside the final grid go."""
        return self.directory / "real.png"

    @property
    def nearest_path(self) -> Path:
        """Where the samples nearest to a training image go, with these images."""
        return self.directory / "nearest.png"

    @property
    def onnx_path(self) -> Path:
        """Where a copy of the exported generator goes."""
        return self.directory / "generator.onnx"

    def sample_path(self, step: int) -> Path:
        """Where the grid after ``step`` steps goes."""
        return self._grids.path(step)

    def samples(self) -> dict[int, Path]:
        """Step -> grid, ascending."""
        return self._grids.all()

    def checkpoint_path(self, step: int) -> Path:
        """Where the checkpoint after ``step`` steps goes."""
        return self._newest.path(step)

    def checkpoints(self) -> list[Path]:
        """Files of the newest checkpoints, oldest first."""
        return list(self._newest.all().values())

    def prune_checkpoints(self) -> None:
        """Keep the newest three, the best, and the best of those that the run may still go back to."""
        written, best = self._newest.all(), self.best_checkpoints()
        newest = max(written, default=0)
        spared = {max(best, default=0), max((step for step in best if step <= newest), default=0)}
        old = list(written.values())[:-KEPT_CHECKPOINTS]
        for path in [*old, *(path for step, path in best.items() if step not in spared)]:
            path.unlink(missing_ok=True)

    def best_path(self, step: int) -> Path:
        """Where the checkpoint after ``step`` steps goes if it evaluated best so far."""
        return self._best.path(step)

    def best_checkpoints(self) -> dict[int, Path]:
        """Step -> file of each checkpoint that evaluated best so far; a later one is better."""
        return self._best.all()

    def recorded_steps(self) -> int | None:
        """The newest step of which there is a record besides checkpoints; None: nothing is on record."""
        logged = map(journal.newest, (self.metrics_log, self.evaluation_log, self.event_log))
        steps = [*(step for step in logged if step is not None), *self.samples()]
        if not steps and not self.grid_path.exists():
            return None
        return max(steps, default=0)

    def record_outcome(self, outcome: Outcome) -> None:
        """Record how the run ended.

        Raises:
            GanzooError: the record could not be written.
        """
        outcome.write(self.directory / "outcome.json")

    def outcome(self) -> Outcome | None:
        """How the run ended; None while it goes on, or if it ended without a record.

        Raises:
            IntegrityError: the record cannot be read.
        """
        return Outcome.read(self.directory / "outcome.json")

    def rewind(self, step: int) -> None:
        """Drop what came after ``step``, and the record of the end: a resumed run comes there again."""
        by_step = [kind.all() for kind in (self._best, self._grids, self._newest)]
        later = [path for of in by_step for at, path in of.items() if at > step]  # such a checkpoint cannot be read
        halves = self.directory.glob("checkpoints/.*.partial")  # left by a process that was killed while it wrote
        for path in [*later, *halves, self.directory / "outcome.json"]:
            path.unlink(missing_ok=True)
        self.rewind_logs(step)  # last: on a full disk there is now room
