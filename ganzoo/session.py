"""A whole training: configuration and data -> run -> version in the registry -> ONNX."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ganzoo import assessment, lineage, resuming
from ganzoo.concluding import concluding
from ganzoo.config import RunConfig, Settings, flat, merge
from ganzoo.data import Split
from ganzoo.data import load as load_data
from ganzoo.data.load import named
from ganzoo.errors import IntegrityError, NotFoundError, UsageError
from ganzoo.hooks import WithHooks
from ganzoo.plan import Plan, TrainResult
from ganzoo.recipe import Recipe, resolve
from ganzoo.registering import register_run
from ganzoo.training import checkpoint, environment, setup
from ganzoo.training.loop import Observer, run_to_end
from ganzoo.training.memory import explained
from ganzoo.training.precision import running_on
from ganzoo.training.ranks import ALONE, Ranks
from ganzoo.training.run import Run
from ganzoo.training.stopping import Ending
from ganzoo.training.trainer import Trainer
from ganzoo.zoo import zoo
from ganzoo_registry import Registry, Version

SKIPPED_SHOWN = 10
"""Unreadable images that a warning names; it counts all of them."""

OF_ONE_HOST = {"data", "features", "threads"}
"""What ranks may be told differently: paths, where the images are the same, and what no result depends on."""

INHERITED = ("model", "architecture", "loss", "penalties", "options", "size", "held_out")
"""What a fine-tuned run takes from the version that it starts from, unless told otherwise."""


class Session:
    """Trains into one registry and one runs directory.

    Args:
        store: the registry.
        runs: where runs' directories go.
        strict: refuse a data folder with unreadable images.
        observer: is told how it goes, by rank 0.
        ranks: the processes that train together; rank 0 alone writes and speaks.
    """

    def __init__(
        self,
        store: Registry,
        runs: Path,
        *,
        strict: bool = False,
        observer: Observer | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._store = store
        self._runs = runs
        self._strict = strict
        self._ranks = ranks
        self._observer = WithHooks(observer or Observer(), silent=not ranks.chief)

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
        recipe, trainer = setup.assemble(recipe, data.training, self._ranks)
        parents = () if parent is None else (self._load_weights(trainer, parent),)
        return self._planned(recipe, data, trainer, parents)

    def start(self, model: str | None, settings: Settings, init_from: str | None = None) -> tuple[Run, Plan]:
        """Plan a new run, make sure that its result can be registered, and make its directory.

        What torchrun has started again after a rank was lost goes on with the run that it had made.
        """
        planned = self.plan(model, settings, init_from)
        if under_way := self._under_way(planned):
            return self._go_on(under_way, planned.recipe.config, planned.trainer), planned
        source = planned.recipe.config.data
        facts = {
            "data": lineage.data_facts(source, named(source, zoo()), planned.data),
            "environment": environment.describe(self._ranks.count),
            "parents": list(planned.parents),
            "launch": environment.launch(),
        }
        if self._ranks.chief:
            self._store.prepare()
            run = Run.create(self._runs, planned.recipe.config, facts)
        directory = self._ranks.share(str(run.directory) if self._ranks.chief else "")
        return Run(Path(directory), planned.recipe.config, facts), planned

    def resume(self, reference: str, model: str | None, settings: Settings) -> tuple[Run, Plan]:
        """Bring a run back to its newest whole checkpoint.

        Raises:
            UsageError: ``settings`` or the data would change what it computes.
        """
        run = Run.find(self._ranks.share(str(Run.find(reference, self._runs).directory)), self._runs)
        asked = merge(settings, {"model": model} if model else {})
        recipe, data = self._with_data(asked.get("model") or run.config.model, run.config.to_dict(), asked)
        resuming.refuse_changes(run, recipe.config, data.training)
        recipe, trainer = setup.assemble(recipe, data.training, self._ranks)
        return self._go_on(run, recipe.config, trainer), self._planned(recipe, data, trainer)

    def _under_way(self, planned: Plan) -> Run | None:
        """The run that this launch of torchrun has begun already, as rank 0 finds it."""
        # Each host's torchrun counts its own restarts, and rank 0 may be where nobody died.
        restarted = self._ranks.any(environment.restarted())
        config, images = planned.recipe.config, planned.data.training
        chief = self._ranks.chief
        found = resuming.under_way(self._runs, config, images, restarted=restarted) if chief else None
        directory = self._ranks.share(str(found.directory) if found else None)
        return Run.find(directory, self._runs) if directory else None

    def _go_on(self, run: Run, config: RunConfig, trainer: Trainer) -> Run:
        """Bring ``trainer`` to where ``run`` was, which goes on with ``config``."""
        self._restore(trainer, run)
        if trainer.steps_done > config.steps:
            done = trainer.steps_done
            raise UsageError(f"{run.directory} has {done} steps already", hint=f"--steps must be at least {done}")
        if self._ranks.chief:
            self._store.prepare()
        facts = {"environment": environment.describe(self._ranks.count), "launch": environment.launch()}
        return Run(run.directory, config, {**run.facts, **facts})

    def finish(self, started: tuple[Run, Plan], *, export: bool = True) -> TrainResult:
        """Train to the last step, register the result, and export it; alone in the run's directory.

        Returns:
            The same on all ranks, but for the evaluations, which rank 0 has.
        """
        run, planned = started
        if not self._ranks.chief:
            self._train(run, planned)
            return _received(self._ranks.share(None))
        with run.locked():
            run.write_config()
            run.rewind(planned.trainer.steps_done)
            self._introduce(run, planned)
            with concluding(run, planned.trainer, self._observer) as conclusion:
                conclusion.reason = self._train(run, planned).reason
                result = register_run(self._store, run, planned, self._observer, export=export)
                conclusion.result = result
            self._ranks.share(_sent(result))
            return result

    def _train(self, run: Run, planned: Plan) -> Ending:
        """What all ranks do together."""
        trainer, config = planned.trainer, run.config
        self._ranks.check_same(
            [tensor for module in trainer.modules().values() for tensor in module.state_dict().values()],
            "the weights that they start from",
        )
        with (
            torch.random.fork_rng(devices=[config.device] if config.device.startswith("cuda") else []),
            running_on(config.threads, tf32=config.tf32, deterministic=config.deterministic),
            explained(trainer),
        ):
            trainer.prepare(self._observer.noted)
            return run_to_end(trainer, run, self._observer, planned.judge)

    def _introduce(self, run: Run, planned: Plan) -> None:
        """Say what a person should know before the first step."""
        if skipped := planned.data.training.skipped:
            held_out = planned.data.held_out
            total = len(planned.data.training) + (len(held_out) if held_out else 0) + len(skipped)
            first = "; ".join(skipped[:SKIPPED_SHOWN])
            self._observer.noted(f"{len(skipped)} of {total} images cannot be read and are left out: {first}")
        if setup.depends_on_shares(planned.recipe, planned.trainer, self._ranks):
            self._observer.noted(
                "samples of a batch meet in these networks, or they draw random numbers: several ranks or parts do not "
                "train what one does"
            )
        self._observer.started(run, planned.trainer.steps_done)

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
            if run.reports() and self._ranks.chief:
                self._observer.noted(f"{run.directory} has no checkpoint, so it begins again")
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
        recipe = setup.settle(resolve(zoo(), model, *settings, native=data.training.shape), self._ranks)
        shape, size = data.training.shape, recipe.config.size
        if (shape.height, shape.width) != (size, size):
            data = self._load(asked, size)
        told = {key: value for key, value in flat(recipe.config.to_dict()).items() if key not in OF_ONE_HOST}
        self._ranks.check_told(told | {"images": data.training.digest})
        return recipe, data

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


def _sent(result: TrainResult) -> dict[str, Any]:
    """A result as JSON, for the other ranks."""
    return {
        "run": str(result.run),
        "version": asdict(result.version),
        "grid": str(result.grid),
        "onnx": str(result.onnx) if result.onnx else None,
        "gates": dict(result.gates),
        "metrics": dict(result.metrics),
        "best": asdict(result.best) if result.best else None,
    }


def _received(sent: Mapping[str, Any]) -> TrainResult:
    return TrainResult(
        run=Path(sent["run"]),
        version=Version(**sent["version"]),
        grid=Path(sent["grid"]),
        onnx=Path(sent["onnx"]) if sent["onnx"] else None,
        gates=sent["gates"],
        metrics=sent["metrics"],
        best=Version(**sent["best"]) if sent["best"] else None,
    )
