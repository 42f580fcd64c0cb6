"""A whole training: from a draft to a run, a version in the registry, and an ONNX file."""

from dataclasses import replace
from pathlib import Path

import torch

from ganzoo.data.statistics import warning
from ganzoo.observer import Observer
from ganzoo.pipeline import environment, lineage, resuming
from ganzoo.pipeline.concluding import broken_off, conclude
from ganzoo.pipeline.draft import Draft
from ganzoo.pipeline.hooks import WithHooks
from ganzoo.pipeline.plan import Plan, make_plan, with_graph
from ganzoo.pipeline.registering import prove, register_run
from ganzoo.records.outcome import Outcome
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.training import setup
from ganzoo.training.loop import run_to_end
from ganzoo.training.memory import explained
from ganzoo.training.precision import running_on
from ganzoo.training.ranks import ALONE, Ranks
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry

SKIPPED_SHOWN = 10
"""Unreadable images that a warning names; it counts all of them."""


class Session:
    """Trains into one registry and one runs directory.

    Args:
        store: the registry.
        runs: the directory in which runs' directories are made.
        strict: refuse a data folder with unreadable images.
        observer: is told by rank 0 how it goes.
        ranks: the processes that train together; rank 0 alone writes and prints.
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

    def plan(self, draft: Draft) -> Plan:
        """Read the data and build the networks; see ``make_plan``."""
        return make_plan(draft, self._store, self._ranks, self._observer, strict=self._strict)

    def begin(self, draft: Draft, *, export: bool = True) -> tuple[Run, Plan]:
        """Make a new run's directory, or bring the run that goes on back to its newest whole checkpoint.

        When torchrun starts processes again after a rank was lost, they go on with the run that was made before.

        Args:
            export: rank 0 tries first whether the generator can be exported.
        """
        plan = self.plan(draft)
        if export and self._ranks.chief:
            self._observer.doing("trying the export")
            plan = with_graph(plan)
        if run := draft.run or self._under_way(plan):
            self._note_upgrades(run, plan)
            resuming.restore(plan.trainer, run, self._store, self._ranks, self._observer)
            return self._go_on(run, plan), plan
        return self._create(draft, plan), plan

    def finish(self, run: Run, plan: Plan, *, export: bool = True) -> TrainResult:
        """Train to the last step, register the result, and export it; no other process may train the run meanwhile.

        Returns:
            The same result on all ranks, except for the evaluations, which only rank 0 has.
        """
        if not self._ranks.chief:
            self._train(run, plan)
            return TrainResult.from_json(self._ranks.share(None))
        with run.locked():
            run.refuse_if_trained_since()
            run.write_config()
            run.rewind(plan.trainer.steps_done)
            self._introduce(run, plan)
            result = self._train_and_register(run, plan, export)
            self._ranks.share(result.to_json())
            return result

    def _create(self, draft: Draft, plan: Plan) -> Run:
        """A new run, made by rank 0 once it is known that its result can be registered."""
        config = plan.recipe.config
        facts = {
            "data": lineage.data_facts(draft.source.name, draft.source.dataset, plan.data),
            "environment": environment.describe(self._ranks.count),
            "parents": list(plan.parents),
            "plugins": lineage.plugins(zoo(), plan.recipe.specs),
            "launch": environment.launch(),
        }
        if self._ranks.chief:
            prove(self._store, Run(self._runs, config, facts), plan)
            run = Run.create(self._runs, config, facts)
        directory = self._ranks.share(str(run.directory) if self._ranks.chief else "")
        return Run(Path(directory), config, facts)

    def _under_way(self, plan: Plan) -> Run | None:
        """The run that this launch of torchrun has already begun, as rank 0 finds it; None: it has begun none."""
        # Each host's torchrun counts its own restarts, and rank 0 may be on a host where no process died.
        restarted = self._ranks.any(environment.restarted())
        config, images = plan.recipe.config, plan.data.training
        chief = self._ranks.chief
        found = resuming.run_of_this_launch(self._runs, config, images, restarted=restarted) if chief else None
        directory = self._ranks.share(str(found.directory) if found else None)
        return Run.find(directory, self._runs) if directory else None

    def _go_on(self, run: Run, plan: Plan) -> Run:
        """``run`` with the plan's configuration, and with the environment that it now goes on in."""
        facts = {
            "environment": environment.describe(self._ranks.count),
            "plugins": lineage.plugins(zoo(), plan.recipe.specs),
            "launch": environment.launch(),
        }
        going_on = Run(run.directory, plan.recipe.config, {**run.facts, **facts})
        if self._ranks.chief:
            prove(self._store, going_on, plan)
        return going_on

    def _note_upgrades(self, run: Run, plan: Plan) -> None:
        """Say, before its checkpoint is read, that a run goes on with other versions of its plugins."""
        for note in resuming.upgraded(run.facts.get("plugins", []), lineage.plugins(zoo(), plan.recipe.specs)):
            self._observer.noted(note)

    def _train_and_register(self, run: Run, plan: Plan, export: bool) -> TrainResult:
        """Rank 0's part; however it ends, the plugins are told, and the run's directory records it."""
        result: TrainResult | None = None
        try:
            trained = self._train(run, plan)
            result = register_run(self._store, run, plan, self._observer, export=export)
            versions = result.registered().items()
            outcome = replace(
                trained,
                versions={which: str(version) for which, version in versions},
                digests={which: version.digest for which, version in versions},
            )
        except BaseException as error:
            outcome = broken_off(error, plan.trainer.steps_done)
            raise
        finally:
            conclude(run, outcome, result, self._store, self._observer)
        return result

    def _train(self, run: Run, plan: Plan) -> Outcome:
        """The part that all ranks do together."""
        trainer, config = plan.trainer, run.config
        self._ranks.check_same(
            [tensor for module in trainer.modules().values() for tensor in module.state_dict().values()],
            "the weights that they start from",
        )
        with (
            torch.random.fork_rng(devices=[config.device] if config.device.startswith("cuda") else []),
            running_on(config.threads, tf32=config.tf32, deterministic=config.deterministic),
            explained(trainer),
        ):
            self._observer.doing("preparing the first step")
            trainer.prepare(self._observer.noted)
            return run_to_end(trainer, run, self._observer, plan.evaluating)

    def _introduce(self, run: Run, plan: Plan) -> None:
        """Say what a person should know before the first step."""
        if skipped := plan.data.training.skipped:
            held_out = plan.data.held_out
            total = len(plan.data.training) + (len(held_out) if held_out else 0) + len(skipped)
            first = "; ".join(skipped[:SKIPPED_SHOWN])
            self._observer.noted(f"{len(skipped)} of {total} images cannot be read and are left out: {first}")
        if odd := warning(plan.data.training):
            self._observer.noted(odd)
        if coupled := setup.coupled_by(plan.recipe, plan.trainer, self._ranks):
            self._observer.noted(
                f"samples of a batch meet, or random numbers are drawn, in {coupled}: several ranks or parts do not "
                "train what one does"
            )
        if plan.trainer.steps_done >= run.config.steps:
            steps = run.config.steps
            self._observer.noted(f"the run is finished: all of its {steps} steps are done; --steps takes more")
        self._observer.started(run, plan.trainer.steps_done)
