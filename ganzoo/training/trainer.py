"""The step: everything that happens between two values of the step counter."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ganzoo.config import ExecutorName, RunConfig, Schedule
from ganzoo.config.schedule import at
from ganzoo.errors import described
from ganzoo.training import schedule
from ganzoo.training.batch import Batch, Batches
from ganzoo.training.ema import EMA
from ganzoo.training.executors.choice import EXECUTORS
from ganzoo.training.executors.eager import Executor
from ganzoo.training.executors.selftest import mismatch
from ganzoo.training.executors.unmoved import apart
from ganzoo.training.objective import Network, Objective, Phase
from ganzoo.training.optimization import Optimization, Rule
from ganzoo.training.ranks import Ranks
from ganzoo.training.schedule import Clock
from ganzoo.training.telemetry import Telemetry


class Trainer:
    """A run's networks, their optimizers, the average of the generator, and the step that changes them.

    Args:
        config: resolved.
        objective: the networks, on the device that they train on, and the mathematics.
        batches: draws the batch of each phase.
        latent_dim, classes: size of z and number of labels; 0 classes: the generator takes no labels.
        ranks: the processes that share each batch.
        clock: has what changes from step to step.
        rules: network -> its optimizer.
    """

    def __init__(
        self,
        config: RunConfig,
        objective: Objective,
        batches: Batches,
        latent_dim: int,
        classes: int,
        ranks: Ranks,
        clock: Clock,
        rules: Mapping[Network, Rule],
    ) -> None:
        self.config = config
        self.objective = objective
        self.batches = batches
        self.ranks = ranks
        self.latent_dim = latent_dim
        self.classes = classes
        self.generator = objective.generator
        self.discriminator = objective.discriminator
        self.steps_done = 0
        self.lr_factor = 1.0
        self.telemetry = Telemetry(objective.precision.device)
        self.ema = EMA(self.generator)
        self.clock = clock
        precision, capturable = objective.precision, config.executor == ExecutorName.CUDAGRAPH

        self.rules = rules
        self.optimizations: dict[Network, Optimization] = {
            "generator": Optimization(
                self.generator, rules["generator"], config.generator.lr, config.steps, precision, capturable
            ),
            "discriminator": Optimization(
                self.discriminator, rules["discriminator"], config.discriminator.lr, config.steps, precision, capturable
            ),
        }
        self.use_eager()

    @property
    def images_shown(self) -> int:
        """Real images shown to the critic so far."""
        return self.steps_done * self.config.critic_steps * self.config.batch

    def modules(self) -> Mapping[str, nn.Module]:
        """The networks by the names that they have in checkpoints and in the registry."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator-ema": self.ema.generator,
        }

    def scalars(self) -> dict[str, float]:
        """What the next step depends on besides tensors and ``steps_done``, by name."""
        scales = {
            f"{network}.{name}": value
            for network, each in self.optimizations.items()
            for name, value in each.state().items()
        }
        return {"lr_factor": self.lr_factor, **scales}

    def load_scalars(self, scalars: Mapping[str, float]) -> None:
        """Go on from what ``scalars`` gave."""
        self.lr_factor = scalars["lr_factor"]
        for network, each in self.optimizations.items():
            prefix = f"{network}."
            each.load_state({k.removeprefix(prefix): v for k, v in scalars.items() if k.startswith(prefix)})

    def use_eager(self) -> None:
        """Compute eagerly, whatever executor was chosen."""
        self.use(Executor(self.objective, self.optimizations, self.ranks))

    def use(self, executor: Executor) -> None:
        """Compute by ``executor`` from the next update on."""
        self._executor = executor
        for optimization in self.optimizations.values():
            optimization.clear()

    def prepare(self, note: Callable[[str], None]) -> None:
        """Make the executor ready before the first step; one that does not compute what eager does is not used.

        Args:
            note: is told why, in one line.
        """
        name = self.config.executor
        if name in (ExecutorName.AUTO, ExecutorName.EAGER):
            return
        reason = None
        if self.ranks.count > 1:  # a rank that fails alone would leave the others waiting in BatchNorm
            with apart(self.generator, self.discriminator):
                _, reason = self._tried(name)
        if not (failed := self.ranks.any(reason is not None)):
            fast, reason = self._tried(name)
            failed = self.ranks.any(reason is not None)
        if failed:
            note(f"executor {name} is not used, and eager is: {reason or 'it fails on another rank'}")
            return
        self._executor = fast
        for network, each in self.optimizations.items():
            if why := each.left_out:
                note(f"the {network}'s optimizer {each.rule!r} runs outside of CUDA graphs: {why}")

    def _tried(self, name: ExecutorName) -> tuple[Executor, str | None]:
        """The executor (the present one if it cannot be made), and why not to use it; None: use it."""
        fast = self._executor
        try:
            fast = EXECUTORS[name](self.objective, self.optimizations, self.ranks)
            phases = [*self.objective.phases("discriminator"), *self.objective.phases("generator")]
            return fast, mismatch(fast, [(phase, self._draw(0)[0]) for phase in phases], self.ready)
        except Exception as error:  # a compiler can fail in any way; nothing has been trained yet
            return fast, described(error)

    def step(self) -> None:
        """``critic_steps`` updates of the critic, then one of the generator and of its average.

        The generator learns from the images that the critic has just learnt from, as in PyTorch's DCGAN tutorial (the
        paper of 2014 draws new ones). So they are made once, with their graph, for the critic's last update and
        the generator's, which saves 8 % of DCGAN's arithmetic. A batch in parts, which is there to save memory, keeps
        no graph.
        """
        self._set_time()
        last = self.config.critic_steps - 1
        for number in range(last):
            self.update_critic(number)
        parts = self._draw(last)
        images = self._executor.generate(parts[0], graph=True) if len(parts) == 1 else None
        for network in self.objective.networks:
            self._update(self.objective.phase(network, self.steps_done), parts, images)
        half_life = 1000 * at(self.config.ema_kimg, self.steps_done, self.config.steps)
        self.steps_done += 1
        shown = math.inf if isinstance(self.config.ema_kimg, Schedule) else self.images_shown
        self.ema.update(half_life, shown, self.config.batch * self.config.critic_steps)

    def update_critic(self, number: int) -> None:
        """Make the critic's update ``number`` of this step by itself; the generator does not learn from its images."""
        self._update(self.objective.phase("discriminator", self.steps_done), self._draw(number))

    def _update(self, phase: Phase, parts: Sequence[Batch], images: Tensor | None = None) -> None:
        self._thaw_critic(phase.network == "discriminator")
        told = self._executor.update(phase, parts, images)
        for part in told:
            self.telemetry.watch(part.loss, self.steps_done)
            for name, value in part.logged.items():
                self.telemetry.log(name, value)
        if told[0].remembered:
            self._remember([part.remembered for part in told])
        weights = self.optimizations[phase.network].weights
        self.telemetry.gradients(phase.network, weights, self.steps_done)

    @torch.no_grad()
    def _remember(self, parts: Sequence[Mapping[str, Tensor]]) -> None:
        """Write what a phase remembers: the mean over its parts and over all ranks."""
        names = sorted(parts[0])
        means = torch.stack([torch.stack([part[name] for part in parts]).mean() for name in names])
        self.ranks.average_([means])
        for name, value in zip(names, means, strict=True):
            self.objective.state[name].copy_(value)

    def agree(self) -> None:
        """Make buffers that differ between ranks, because each has seen its share of the images, their mean."""
        floats = [each for module in self.modules().values() for each in module.buffers() if each.is_floating_point()]
        if self.ranks.count == 1 or not floats:
            return
        sums = torch.stack([torch.stack([each.double().sum(), each.double().abs().sum()]) for each in floats])
        gathered = self.ranks.gather(sums)
        differ = (gathered != gathered[:1]).any(2).any(0)
        self.ranks.average_([each for each, other in zip(floats, differ.tolist(), strict=True) if other])

    def _draw(self, number: int) -> list[Batch]:
        batch = self.batches.draw(self.steps_done, number)
        return [batch.part(part, self.config.accumulate) for part in range(self.config.accumulate)]

    def _set_time(self) -> None:
        """Make rates, schedules and progress what they are in this step."""
        config = self.config
        self.clock.set(self.steps_done)
        factor = self.lr_factor * schedule.factor(config.schedule, self.steps_done, config.steps, config.warmup)
        for optimization in self.optimizations.values():
            optimization.set_rate(factor, self.steps_done)

    def _thaw_critic(self, thawed: bool) -> None:
        """Thaw or freeze the critic: its weight gradients in the generator's phase would cost 8 % of DCGAN's step."""
        for weight in self.optimizations["discriminator"].weights:
            weight.requires_grad_(thawed)

    def ready(self, phase: Phase) -> None:
        """Freeze, thaw and seed as the step does; call it before each trial of a phase."""
        self._thaw_critic(phase.network == "discriminator")
        self.batches.reseed(self.steps_done)
