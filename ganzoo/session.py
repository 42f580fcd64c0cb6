"""A whole training: configuration and data -> run -> version in the registry -> ONNX."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ganzoo import assessment, lineage
from ganzoo.config import RunConfig, Settings, changes, merge
from ganzoo.data import ImageSet, Split
from ganzoo.data import load as load_data
from ganzoo.data.load import named
from ganzoo.errors import GanzooError, IntegrityError, NotFoundError, UsageError
from ganzoo.evaluation.judgement import Judgement
from ganzoo.evaluation.record import Evaluation
from ganzoo.exporting.registered import export_version
from ganzoo.files import write_atomic
from ganzoo.hooks import WithHooks
from ganzoo.recipe import Recipe, resolve
from ganzoo.training import checkpoint, environment, judging, setup
from ganzoo.training.judging import Judge
from ganzoo.training.loop import Observer, preview, run_to_end
from ganzoo.training.precision import running_on
from ganzoo.training.run import Run
from ganzoo.training.trainer import Trainer
from ganzoo.zoo import zoo
from ganzoo_registry import Registry, RegistryError, Version

CHANGEABLE = {"steps", "report_every", "preview_every", "checkpoint_every", "eval_every", "features", "data"}
"""What a resumed run may change: the data's path, too, as long as its digest is the same."""

SKIPPED_SHOWN = 10
"""Unreadable images that a warning names; it counts all of them."""

INHERITED = ("model", "architecture", "loss", "penalties", "options", "size", "held_out")
"""What a fine-tuned run takes from the version that it starts from, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a finished training left.

    Args:
        run: its directory.
        version: in the registry.
        grid: PNG of 64 images.
        onnx: the exported file, or None if that was not wanted.
        gates: what each gate found.
        metrics: the last report.
        best: the version of the step that evaluated best, which may be ``version``; None without evaluations.
        evaluations: of ``best`` and of ``version``, by reference.
    """

    run: Path
    version: Version
    grid: Path
    onnx: Path | None
    gates: Mapping[str, str]
    metrics: Mapping[str, float]
    best: Version | None = None
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run before its next step: everything is resolved, loaded and built; nothing is written.

    Args:
        judgement, judge: what to evaluate with, and who does; None where ``eval_every`` is 0.
    """

    recipe: Recipe
    data: Split
    trainer: Trainer
    judgement: Judgement | None = None
    judge: Judge | None = None
    parents: tuple[Mapping[str, str], ...] = ()


class Session:
    """Trains into one registry and one runs directory.

    Args:
        store: the registry.
        runs: where runs' directories go.
        strict: refuse a data folder with unreadable images.
        observer: is told how it goes.
    """

    def __init__(self, store: Registry, runs: Path, *, strict: bool = False, observer: Observer | None = None) -> None:
        self._store = store
        self._runs = runs
        self._strict = strict
        self._observer = WithHooks(observer or Observer())

    def plan(self, model: str | None, settings: Settings, init_from: str | None = None) -> Plan:
        """Resolve the configuration, read the data and build the networks."""
        init_from = init_from or settings.get("init_from")
        parent = self._store.resolve(str(init_from)) if init_from else None
        inherited: dict[str, Any] = {}
        if parent:
            config = self._store.lineage(parent)["config"]
            inherited = {key: config[key] for key in INHERITED if key in config} | {"init_from": str(parent)}
        name = model or settings.get("model") or inherited.get("model")
        if not isinstance(name, str):
            raise UsageError("no model was chosen", hint="ganzoo train --model NAME; ganzoo models lists them")
        if name != inherited.get("model"):  # another model has an architecture, a loss and options of its own
            inherited = {key: inherited[key] for key in ("size", "held_out", "init_from") if key in inherited}
        elif "loss" in settings:  # and another loss has penalties of its own
            inherited.pop("penalties", None)
        recipe, data = self._with_data(name, inherited, settings)
        recipe, trainer = setup.assemble(recipe, data.training)
        parents = () if parent is None else (self._load_weights(trainer, parent),)
        return self._planned(recipe, data, trainer, parents)

    def start(self, model: str | None, settings: Settings, init_from: str | None = None) -> tuple[Run, Plan]:
        """Plan a new run, make sure that its result can be registered, and make its directory."""
        planned = self.plan(model, settings, init_from)
        self._store.prepare()
        source = planned.recipe.config.data
        facts = {
            "data": lineage.data_facts(source, named(source, zoo()), planned.data),
            "environment": environment.describe(),
            "parents": list(planned.parents),
        }
        return Run.create(self._runs, planned.recipe.config, facts), planned

    def resume(self, reference: str, model: str | None, settings: Settings) -> tuple[Run, Plan]:
        """Bring a run back to its newest whole checkpoint.

        Raises:
            UsageError: ``settings`` or the data would change what it computes.
        """
        run = Run.find(reference, self._runs)
        asked = merge(settings, {"model": model} if model else {})
        recipe, data = self._with_data(asked.get("model") or run.config.model, run.config.to_dict(), asked)
        _refuse_changes(run, recipe.config, data.training)
        recipe, trainer = setup.assemble(recipe, data.training)
        self._restore(trainer, run)
        if trainer.steps_done > recipe.config.steps:
            done = trainer.steps_done
            raise UsageError(f"{run.directory} has {done} steps already", hint=f"--steps must be at least {done}")
        self._store.prepare()
        run.config = recipe.config
        run.facts = {**run.facts, "environment": environment.describe()}
        return run, self._planned(recipe, data, trainer)

    def finish(self, started: tuple[Run, Plan], *, export: bool = True) -> TrainResult:
        """Train to the last step, register the result, and export it; alone in the run's directory."""
        run, planned = started
        with run.locked():
            run.write_config()
            run.rewind(planned.trainer.steps_done)
            return self._finish(run, planned, export)

    def _finish(self, run: Run, planned: Plan, export: bool) -> TrainResult:
        if skipped := planned.data.training.skipped:
            held_out = planned.data.held_out
            total = len(planned.data.training) + (len(held_out) if held_out else 0) + len(skipped)
            first = "; ".join(skipped[:SKIPPED_SHOWN])
            self._observer.noted(f"{len(skipped)} of {total} images cannot be read and are left out: {first}")
        self._observer.started(run, planned.trainer.steps_done)
        result = None
        try:
            with torch.random.fork_rng(), running_on(run.config.threads):
                run_to_end(planned.trainer, run, self._observer, planned.judge)
            best = self._register_best(planned, run)
            grid = run.directory / "samples.png"
            write_atomic(grid, preview(planned.trainer))
            version = self._register(planned, run, grid.read_bytes())
            onnx, gates = self._export(version, run) if export else (None, {})
            result = TrainResult(
                run=run.directory,
                version=version,
                grid=grid,
                onnx=onnx,
                gates=gates,
                metrics=run.last_report(),
                best=best or (version if self._ended_best(planned, run) else None),
                evaluations=assessment.judge_versions(planned.judgement, self._store, best, version) if export else {},
            )
        finally:
            self._observer.notify("ganzoo_run_ended", run=run, result=result)
        return result

    def _register_best(self, planned: Plan, run: Run) -> Version | None:
        """Register the weights that evaluated best, unless they are the last ones, which follow."""
        trainer = planned.trainer
        best = judging.best_step(run, planned.judge.protocol) if planned.judge else None
        if best is None or best == trainer.steps_done:
            return None
        try:
            checkpoint.read(trainer, run.best_path(best))
        except IntegrityError as error:
            self._observer.noted(f"the weights of step {best}, which evaluated best, are lost: {error}")
            return None
        stopped_there = Run(run.directory, replace(run.config, steps=trainer.steps_done), run.facts)
        version = self._register(planned, stopped_there, preview(trainer))
        checkpoint.read(trainer, run.checkpoints()[-1])
        return version

    def _ended_best(self, planned: Plan, run: Run) -> bool:
        return planned.judge is not None and judging.best_step(run, planned.judge.protocol) == run.config.steps

    def _register(self, planned: Plan, run: Run, preview: bytes) -> Version:
        trainer, recipe = planned.trainer, planned.recipe
        weights = {kind: checkpoint.network_bytes(module) for kind, module in trainer.modules().items()}
        record = lineage.record(
            zoo=zoo(),
            recipe=recipe,
            run=run,
            shape=setup.network_shape(recipe, planned.data.training),
            latent_dim=trainer.latent_dim,
            images_shown=trainer.images_shown,
            metrics=run.last_report(trainer.steps_done),
            parents=run.facts["parents"],
            extra=self._observer.gather("ganzoo_lineage", run=run),
        )
        try:
            return self._store.register(run.config.name, {**weights, "preview": preview}, record)
        except RegistryError as error:
            hint = f"{error.hint or 'mend that'}; then: ganzoo train --resume {run.directory}"
            raise type(error)(str(error), hint=hint) from error

    def _export(self, version: Version, run: Run) -> tuple[Path, Mapping[str, str]]:
        path = run.directory / "generator.onnx"
        try:
            return path, export_version(self._store, version, path).report
        except GanzooError as error:
            raise type(error)(f"{error} (the weights are registered as {version})", hint=error.hint) from error

    def _load_weights(self, trainer: Trainer, parent: Version) -> Mapping[str, str]:
        for kind, module in trainer.modules().items():
            try:
                checkpoint.load_network(module, self._store.read(parent, kind), str(parent))
            except IntegrityError as error:
                hint = "fine-tune with the same model, options, size and classes"
                raise UsageError(f"--init-from {error}", hint=hint) from error
        return {"relation": "init-from", "name": parent.name, "digest": parent.digest}

    def _restore(self, trainer: Trainer, run: Run) -> None:
        """Read the newest checkpoint that is whole; a run that never came to its first one begins again."""
        checkpoints = run.checkpoints()
        if not checkpoints:
            if run.config.init_from:
                self._load_weights(trainer, self._store.resolve(run.config.init_from))
            return
        for path in reversed(checkpoints):
            try:
                checkpoint.read(trainer, path)
                return
            except IntegrityError as error:
                self._observer.noted(f"{error}; trying the one before")
        anew = f"start it anew: ganzoo train --config {run.directory / 'config.toml'}"
        raise NotFoundError(f"{run.directory} has no usable checkpoint", hint=anew)

    def _with_data(self, model: str, *settings: Settings) -> tuple[Recipe, Split]:
        """Read the data that the configuration names, and complete the configuration with what they are.

        What is held out is decided by the images as they are trained on; so what turns out to need another size than
        its own is read again.
        """
        asked = resolve(zoo(), model, *settings).config
        data = self._load(asked, asked.size)
        recipe = setup.settle(resolve(zoo(), model, *settings, native=data.training.shape))
        shape, size = data.training.shape, recipe.config.size
        return recipe, data if (shape.height, shape.width) == (size, size) else self._load(asked, size)

    def _load(self, config: RunConfig, size: int) -> Split:
        return load_data(
            config.data,
            zoo(),
            size=size or None,
            strict=self._strict,
            held_out=config.held_out,
            progress=self._observer.reading,
        )

    def _planned(
        self, recipe: Recipe, data: Split, trainer: Trainer, parents: tuple[Mapping[str, str], ...] = ()
    ) -> Plan:
        judgement, judge = assessment.prepare_judge(recipe.config, data)
        return Plan(recipe=recipe, data=data, trainer=trainer, judgement=judgement, judge=judge, parents=parents)


def _refuse_changes(run: Run, config: RunConfig, images: ImageSet) -> None:
    refused = [change for change in changes(run.config, config) if change.split(":")[0] not in CHANGEABLE]
    if refused:
        raise UsageError(
            f"a resumed run keeps its configuration; this would change {'; '.join(refused)}",
            hint="--resume may change steps, reporting and paths; for anything else start a run with --init-from",
        )
    was = run.facts["data"]["digest"]
    if images.digest != was:
        raise UsageError(
            f"{config.data} is not what {run.directory} was trained on: {images.digest[:19]} instead of {was[:19]}",
            hint="start a new run on it, with --init-from to keep the weights",
        )
