"""From a finished run to versions in the registry and an ONNX file."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ganzoo import assessment, lineage
from ganzoo.errors import GanzooError, IntegrityError
from ganzoo.exporting.registered import export_version
from ganzoo.files import write_atomic
from ganzoo.hooks import WithHooks
from ganzoo.plan import Plan, TrainResult
from ganzoo.training import checkpoint, judging, setup
from ganzoo.training.loop import preview
from ganzoo.training.run import Run
from ganzoo.zoo import zoo
from ganzoo_registry import Registry, RegistryError, Version


def register_run(store: Registry, run: Run, plan: Plan, observer: WithHooks, *, export: bool) -> TrainResult:
    """Register the best weights and the last ones, export the last, and evaluate both.

    Raises:
        RegistryError: the registry does not take them; the run has them still.
        GanzooError: a gate did not pass, or there is no room in the run's directory; the weights are registered.
    """
    trainer = plan.trainer
    best = _register_best(store, run, plan, observer)
    grid, made = run.directory / "samples.png", preview(trainer)
    version = _register(store, run, plan, observer, made)
    with _registered(version):
        write_atomic(grid, made)
        onnx, gates = _export(store, version, run) if export else (None, {})
    ended_best = plan.judge is not None and judging.best_step(run, plan.judge.protocol) == trainer.steps_done
    return TrainResult(
        run=run.directory,
        version=version,
        grid=grid,
        onnx=onnx,
        gates=gates,
        metrics=run.latest_figures(),
        best=best or (version if ended_best else None),
        evaluations=assessment.judge_versions(plan.judgement, store, best, version) if export else {},
    )


def _register_best(store: Registry, run: Run, plan: Plan, observer: WithHooks) -> Version | None:
    """Register the weights that evaluated best, unless they are the last ones, which follow."""
    trainer = plan.trainer
    best = judging.best_step(run, plan.judge.protocol) if plan.judge else None
    if best is None or best == trainer.steps_done:
        return None
    last = checkpoint.take(trainer)  # not from its file: there may have been no room for that
    try:
        checkpoint.read(trainer, run.best_path(best))
    except IntegrityError as error:
        observer.noted(f"the weights of step {best}, which evaluated best, are lost: {error}")
        return None
    else:
        return _register(store, run, plan, observer, preview(trainer))
    finally:
        checkpoint.put_back(trainer, last, "the state in memory")


def _register(store: Registry, run: Run, plan: Plan, observer: WithHooks, preview: bytes) -> Version:
    """Register the trainer's weights as they are, as those of a run that ended there."""
    trainer = plan.trainer
    weights = {kind: checkpoint.network_bytes(module) for kind, module in trainer.modules().items()}
    record = lineage.record(
        zoo=zoo(),
        recipe=plan.recipe,
        run=Run(run.directory, replace(run.config, steps=trainer.steps_done), run.facts),
        shape=setup.network_shape(plan.recipe, plan.data.training),
        latent_dim=trainer.latent_dim,
        images_shown=trainer.images_shown,
        metrics=run.latest_figures(trainer.steps_done),
        parents=run.facts["parents"],
        extra=observer.gather("ganzoo_lineage", run=run),
    )
    try:
        return store.register(run.config.name, {**weights, "preview": preview}, record)
    except RegistryError as error:
        hint = f"{error.hint or 'mend that'}; then: ganzoo train --resume {shlex.quote(str(run.directory))}"
        raise type(error)(str(error), hint=hint) from error


def _export(store: Registry, version: Version, run: Run) -> tuple[Path, Mapping[str, str]]:
    path = run.directory / "generator.onnx"
    return path, export_version(store, version, path).report


@contextmanager
def _registered(version: Version) -> Iterator[None]:
    """Whatever goes wrong now, the weights are safe."""
    try:
        yield
    except GanzooError as error:
        raise type(error)(f"{error} (the weights are registered as {version})", hint=error.hint) from error
