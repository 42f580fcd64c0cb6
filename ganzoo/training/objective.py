"""What one phase computes, from a batch to gradients: losses and penalties, the same under every executor."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ganzoo.specs import Penalty
from ganzoo.step import Discriminator, Output, Step, as_output, widen
from ganzoo.training.batch import Augment, Batch
from ganzoo.training.chance import Calls, Chance
from ganzoo.training.mean import global_mean
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import ALONE, Ranks

Network = Literal["discriminator", "generator"]


class Phase(NamedTuple):
    """A kind of update: which network it changes, which of the penalties act in it (by place), and its own term."""

    network: Network
    due: tuple[int, ...] = ()
    regularised: bool = False


class Told(NamedTuple):
    """What a phase gives beside gradients: its loss, what it logs, what it remembers; scalars on the device."""

    loss: Tensor
    logged: dict[str, Tensor]
    remembered: dict[str, Tensor]


class GANLoss(Protocol):
    """The interface of a ``Loss`` spec's target."""

    def discriminator(self, step: Step) -> Tensor:
        """The discriminator's (critic's) loss, a scalar, to be minimised."""

    def generator(self, step: Step) -> Tensor:
        """The generator's loss, a scalar, to be minimised."""


class Regularised(Protocol):
    """A network with a term of its own."""

    def regularise(self, step: Step) -> Tensor:
        """What is added to the network's loss, a scalar."""


@dataclass(frozen=True, eq=False)
class Own:
    """A network's own term of its loss: ``network.regularise(step)``.

    Args:
        weight: a number, or a scalar on the device that changes from step to step.
        every: it acts on each ``every``-th step, with so many times the weight.
    """

    weight: float | Tensor
    every: int


@dataclass(eq=False)
class Objective:
    """The networks and the mathematics of a run.

    Args:
        augment: what is done to all images before the discriminator sees them.
        own: the networks' own terms, of those that have one.
        state: what losses and augmentations remember, by name: scalars on the device, which stay in place.
        progress: share of the run that is over, a scalar on the device.
        chance: takes up what is drawn in the rehearsal; None: it is known.
        ranks: the processes over which ``step.mean`` takes means.
        networks: those that are updated, in this order; without an adversary, the generator alone.
        batch: samples of the whole batch, on all ranks and in all parts; None: those of a step.
    """

    generator: nn.Module
    discriminator: nn.Module
    loss: GANLoss
    penalties: Sequence[Penalty]
    precision: Precision
    augment: Augment | None = None
    own: Mapping[Network, Own] = field(default_factory=dict)
    state: Mapping[str, Tensor] = field(default_factory=dict)
    progress: Tensor | None = None
    chance: Chance | None = None
    ranks: Ranks = ALONE
    networks: Sequence[Network] = ("discriminator", "generator")
    batch: int | None = None

    def network(self, phase: Phase) -> nn.Module:
        """The network that the phase updates."""
        return self.generator if phase.network == "generator" else self.discriminator

    def everything(self) -> list[Phase]:
        """One update of each network, with all terms."""
        penalties = tuple(range(len(self.penalties)))
        return [Phase(each, penalties if each == "discriminator" else (), each in self.own) for each in self.networks]

    def phase(self, network: Network, number: int) -> Phase:
        """The kind of update that a network has in step ``number``."""
        own = self.own.get(network)
        due = due_penalties(self.penalties, number) if network == "discriminator" else ()
        return Phase(network, due, own is not None and number % own.every == 0)

    def phases(self, network: Network) -> list[Phase]:
        """Each kind of update that a network has in some step, found within the least common multiple of intervals."""
        if network not in self.networks:
            return []
        own = self.own.get(network)
        terms = [penalty.every for penalty in self.penalties] if network == "discriminator" else []
        every = [*terms, *([own.every] if own else [])]
        numbers = {math.lcm(*chosen) for size in range(len(every) + 1) for chosen in combinations(every, size)}
        return sorted({self.phase(network, number) for number in numbers}, reverse=True)

    def generate(self, batch: Batch) -> Tensor:
        """The generator's images of the batch's latents, [B, C, H, W] in the type of its weights."""
        return self._images(batch.z, batch.generated)

    def _images(self, z: Tensor, labels: Tensor | None) -> Tensor:
        with self.precision.autocast():
            return widen(self.generator(z, labels))

    def gradients(self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None) -> Told:
        """Add the gradient of the phase's loss, times ``scale`` if there is one, to ``.grad``.

        In the discriminator's phase, to that of its weights; in the generator's, to that of ``fake``, a leaf, and to
        that of its weights what reaches them otherwise: through its own term, or ``step.generate``.

        Args:
            fake: what ``generate`` made, without its graph.
        """
        logged: dict[str, Tensor] = {}
        remembered: dict[str, Tensor] = {}
        step, calls = self.step(phase.network, batch, fake, logged, remembered)
        loss = self.evaluate(phase, step, calls)
        (loss if scale is None else loss * scale).backward()  # type: ignore[no-untyped-call]
        self.observe(phase, step, calls)
        return Told(loss.detach(), logged, remembered)

    def evaluate(self, phase: Phase, step: Step, calls: Calls) -> Tensor:
        """The phase's loss with its graph."""
        if phase.network == "generator":
            loss = generator_loss(step, self.loss)
        else:
            due = [self.penalties[place] for place in phase.due]
            loss = critic_loss(step, self.loss, due, self.precision.inner_scale, calls)
        if not phase.regularised:
            return loss
        own, calls.caller = self.own[phase.network], "regularise"
        value = self.regularise(phase, step)
        step.log(f"regularise_{phase.network[0]}", value)
        return loss + (own.weight * own.every) * value

    def observe(self, phase: Phase, step: Step, calls: Calls) -> None:
        """Show the discriminator's phase, whose answers are known, to an augmentation that has ``observe``."""
        observe: Callable[[Step], None] | None = getattr(self.augment, "observe", None)
        if observe is not None and phase.network == "discriminator":
            calls.caller = "observe"
            with torch.no_grad():
                observe(step)

    def regularise(self, phase: Phase, step: Step) -> Tensor:
        """The own term of the network that the phase updates, without its weight."""
        network: Regularised = self.network(phase)  # type: ignore[assignment]
        return network.regularise(step)

    def step(
        self,
        network: Network,
        batch: Batch,
        fake: Tensor,
        logged: dict[str, Tensor],
        remembered: dict[str, Tensor],
    ) -> tuple[Step, Calls]:
        """The view of the batch that losses and penalties are given, and the random numbers that they draw.

        The step's images are the augmented ones. The critic is a function of what it sees, so its penalties must bound
        its slope there, and the generator's gradient comes back through the augmentation: a change that only the real
        images underwent would be learnt as a property of theirs (Zhao et al., 2020, section 3.2).
        """
        calls = Calls(batch.chance, self.chance, network, len(batch.z))

        def real() -> Tensor:
            images = batch.real
            if batch.mirrored is not None:
                images = torch.where(batch.mirrored, images.flip(3), images)
            return images if self.augment is None else self.augment.apply(images, batch.augment_real)

        def generated() -> Tensor:
            return fake if self.augment is None else self.augment.apply(fake, batch.augment_fake)

        def labelled(labels: Tensor | None) -> Discriminator:
            def discriminate(images: Tensor) -> Output:
                with self.precision.autocast():
                    return as_output(self.discriminator(images, labels))

            return discriminate

        def generate(z: Tensor, labels: Tensor | None) -> Tensor:
            with torch.set_grad_enabled(network == "generator" and torch.is_grad_enabled()):
                return self._images(z, labels)

        def progress() -> Tensor:
            calls.progress_read = True
            return batch.z.new_zeros(()) if self.progress is None else self.progress

        step = Step(
            real=real,
            fake=generated,
            z=batch.z,
            labels=batch.labels,
            epsilon=batch.epsilon,
            discriminator=labelled(batch.labels),
            log=logged.__setitem__,
            fake_labels=batch.fake_labels,
            labelled=None if batch.labels is None else labelled,
            generator=generate,
            state=self.state,
            remember=remembered.__setitem__,
            progress=progress,
            draw=calls.draw,
            mean=lambda x: global_mean(x, self.ranks),
            batch=self.batch,
        )
        return step, calls


def used_by(holder: object) -> list[nn.Module]:
    """The networks that a loss or an augmentation uses: among its attributes, or itself. Nobody trains them."""
    own = [holder] if isinstance(holder, nn.Module) else getattr(holder, "__dict__", {}).values()
    return [each for each in own if isinstance(each, nn.Module)]


def due_penalties(penalties: Sequence[Penalty], number: int) -> tuple[int, ...]:
    """Places of the penalties that act in step ``number``: each ``every``-th step (lazy regularisation)."""
    return tuple(place for place, penalty in enumerate(penalties) if number % penalty.every == 0)


def critic_loss(
    step: Step, loss: GANLoss, due: Sequence[Penalty], inner_scale: float = 1.0, calls: Calls | None = None
) -> Tensor:
    """The critic's whole loss: the loss proper and the penalties that are due.

    A penalty that acts on each k-th step only has k times its weight there (StyleGAN2, appendix B).

    Args:
        inner_scale: see ``Precision.inner_scale``.
        calls: is told who draws random numbers.
    """
    points = []
    for penalty in due:
        if calls is not None:
            calls.caller = penalty.name
        points.append(penalty.points(step))
    if calls is not None:
        calls.caller = "loss"
    for view in (step.real, step.fake):  # before any logits are read: a penalty at these images shares their pass
        if any(x is view.images for x in points):
            images, leaf = view.images, view.track()
            points = [leaf if x is images else x for x in points]
    total = loss.discriminator(step)
    step.log("loss_d", total)
    for penalty, x in zip(due, points, strict=True):
        value = penalty.value(squared_gradient_norm(step, x, inner_scale)).mean()
        step.log(penalty.name, value)
        total = total + (penalty.weight * penalty.every) * value
    return total


def squared_gradient_norm(step: Step, points: Tensor, inner_scale: float = 1.0) -> Tensor:
    """q_i = |d D(x_i) / d x_i|^2 for each sample [B], differentiable with respect to the critic.

    The gradient of the summed logits is each sample's own only while samples do not meet in the critic, which is why
    BatchNorm is refused there (Gulrajani et al., 2017, section 4).
    """
    if points is step.real.images:
        logits = step.real.logits
    elif points is step.fake.images:
        logits = step.fake.logits
    else:
        points = points.detach().requires_grad_(True)
        logits = step.score(points).logits
    total = logits.sum() if inner_scale == 1 else logits.sum() * inner_scale
    (gradient,) = torch.autograd.grad(total, points, create_graph=True)
    return (gradient if inner_scale == 1 else gradient / inner_scale).flatten(1).square().sum(1)


def generator_loss(step: Step, loss: GANLoss) -> Tensor:
    """The generator's loss in one step."""
    total = loss.generator(step)
    step.log("loss_g", total)
    return total
