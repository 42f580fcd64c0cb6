"""From a finished run to versions in the registry and an ONNX file."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, IntegrityError, UsageError
from ganzoo.exporting.versions import export_version
from ganzoo.files import registry_root, write_atomic
from ganzoo.layers import Frozen
from ganzoo.networks.weights import network_bytes
from ganzoo.pipeline import lineage
from ganzoo.pipeline.evaluating import evaluate_versions
from ganzoo.pipeline.hooks import WithHooks
from ganzoo.pipeline.pictures import nearest_pairs, real_images
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.training import checkpoint, setup
from ganzoo.training.evaluating import best_step
from ganzoo.training.loop import preview
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, RegistryError, Version
from ganzoo_registry.documents import lineage_text

if TYPE_CHECKING:
    from ganzoo.pipeline.plan import Plan


def prove(store: Registry, run: Run, plan: "Plan") -> None:
    """Make sure, before the first step, that what is known by then can be registered after the last one.

    Raises:
        RegistryError: the registry cannot be written.
        UsageError: a name or a value cannot be stored.
    """
    store.prepare(run.config.name)
    try:
        lineage_text(_record(run, plan, {}))
    except RegistryError as error:
        raise UsageError(
            f"what is trained could never be registered: {error}", hint="rename that, or give another value"
        ) from error


def register_run(store: Registry, run: Run, plan: "Plan", observer: WithHooks, *, export: bool) -> TrainResult:
    """Register the best weights and the last ones, export the last, and evaluate both.

    Raises:
        RegistryError: the registry does not take the weights; the run still has them.
        GanzooError: a gate did not pass, or there is no room in the run's directory; the weights are registered.
    """
    trainer = plan.trainer
    observer.doing("registering")
    best = _register_best(store, run, plan, observer)
    made = preview(trainer, run.facts["data"]["class_names"])
    version = _register(store, run, plan, observer, made)
    if export:
        observer.doing("exporting")
    with _registered(version):
        write_atomic(run.grid_path, made)
        write_atomic(run.real_path, real_images(plan.data.training, classes=bool(trainer.classes)))
        write_atomic(run.nearest_path, nearest_pairs(trainer, plan.data.training))
        run.onnx_path.unlink(missing_ok=True)  # of the steps before a resume
        gates = export_version(store, version, run.onnx_path, graph=plan.graph).report if export else {}
    if export and plan.criteria is not None:
        observer.doing("evaluating")
    ended_best = plan.evaluating is not None and best_step(run, plan.evaluating) == trainer.steps_done
    return TrainResult(
        run=run.directory,
        version=version,
        grid=run.grid_path,
        onnx=run.onnx_path if export else None,
        gates=gates,
        metrics=run.latest_figures(),
        best=best or (version if ended_best else None),
        class_names=plan.data.training.class_names if plan.recipe.architecture.conditional else (),
        evaluations=evaluate_versions(plan.criteria, store, best, version, graph=plan.graph) if export else {},
    )


def _register_best(store: Registry, run: Run, plan: "Plan", observer: WithHooks) -> Version | None:
    """Register the weights that evaluated best, unless they are the last ones, which are registered next."""
    trainer = plan.trainer
    best = best_step(run, plan.evaluating) if plan.evaluating else None
    if best is None or best == trainer.steps_done:
        return None
    last = checkpoint.take(trainer)  # not from a file: there may have been no room for one
    try:
        checkpoint.read(trainer, run.best_path(best))
    except IntegrityError as error:
        observer.noted(f"the weights of step {best}, which evaluated best, are lost: {error}")
        return None
    else:
        return _register(store, run, plan, observer, preview(trainer, run.facts["data"]["class_names"]))
    finally:
        checkpoint.put_back(trainer, last, "the state in memory")


def _register(store: Registry, run: Run, plan: "Plan", observer: WithHooks, preview: bytes) -> Version:
    """Register the trainer's weights as they are, as those of a run that ended there."""
    weights = {kind: network_bytes(module) for kind, module in plan.trainer.modules().items()}
    record = _record(run, plan, observer.gather("ganzoo_lineage", run=run))
    try:
        version = store.register(run.config.name, {**weights, "preview": preview}, record)
    except RegistryError as error:
        raise type(error)(str(error), hint=f"{error.hint or 'mend that'}; {_rest(store, run, plan.trainer)}") from error
    observer.notify("ganzoo_registered", run=run, version=version)
    return version


def _rest(store: Registry, run: Run, trainer: Trainer) -> str:
    """What can be done about weights that were not registered: a checkpoint has them, if there is room for one."""
    path = run.checkpoint_path(trainer.steps_done)
    if not path.exists():
        with suppress(GanzooError):
            write_atomic(path, checkpoint.encode(checkpoint.take(trainer)))
    own = "" if store.root == registry_root(None) else f" --registry {shlex.quote(str(store.root))}"
    resume = f"ganzoo train --resume {shlex.quote(str(run.directory))}{own}"
    if path.exists():
        return f"then: {resume}"
    kept = run.checkpoints()
    since = f"the steps since {kept[-1].name} are lost; then: {resume}" if kept else "what was trained is lost"
    return f"there was no room for a checkpoint, either: {since}"


def _record(run: Run, plan: "Plan", extra: Mapping[str, Any]) -> dict[str, Any]:
    """The lineage of the trainer's weights as they are."""
    trainer = plan.trainer
    return lineage.record(
        zoo=zoo(),
        recipe=plan.recipe,
        run=Run(run.directory, replace(run.config, steps=trainer.steps_done), run.facts),
        shape=setup.network_shape(plan.recipe, plan.data.training),
        latent_dim=trainer.latent_dim,
        images_shown=trainer.images_shown,
        metrics=run.latest_figures(trainer.steps_done),
        parents=run.facts["parents"],
        extra=extra,
        frozen={
            f"{role}.{name}": module.sha256
            for role, network in (("generator", trainer.generator), ("discriminator", trainer.discriminator))
            for name, module in network.named_modules()
            if isinstance(module, Frozen)
        },
    )


@contextmanager
def _registered(version: Version) -> Iterator[None]:
    """Around what follows the registration: add to every error that the weights are safe."""
    try:
        yield
    except GanzooError as error:
        raise type(error)(f"{error} (the weights are registered as {version})", hint=error.hint) from error
