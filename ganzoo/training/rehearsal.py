"""Networks and loss tried on two images before the first step, with backward passes, on copies.

What would fail, go wrong in silence, or be lost at a resume is refused here, before the run exists, and blamed on the
code that does it, with its file and line.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from ganzoo.errors import GanzooError, PluginError, UsageError, blamed
from ganzoo.networks.allocation import is_out_of_memory
from ganzoo.step import as_output
from ganzoo.training import hidden
from ganzoo.training.batch import Batch
from ganzoo.training.executors.unmoved import apart
from ganzoo.training.objective import Network, Objective, Phase
from ganzoo.training.ranks import ALONE
from ganzoo.training.reading import NoReading, Unwatched, ValueReadError
from ganzoo.zoo.foreign import survived

IMAGES = 2
"""Images that a loss is tried on."""


def rehearse(name: str, objective: Objective, batch: Batch, reads: Sequence[str] = ()) -> bool:
    """Compute both phases with all their terms, backwards too, on copies; ``objective`` itself is not touched.

    Args:
        name: the loss's, for messages.
        batch: a batch of a few samples; what ``objective.chance`` learns is drawn with all later ones.
        reads: heads of the discriminator that the loss says that it reads.

    Returns:
        Whether ``step.progress`` is read.

    Raises:
        PluginError: a network or a loss fails, reads a value on the host, is not finite, is not what its contract says,
            or remembers something that no checkpoint holds.
    """
    rehearsal = Rehearsal(name, reads)
    with _blaming(f"loss {name!r}", "to be copied (copy.deepcopy)", batch):
        first, second = hidden.copies(objective), hidden.copies(objective)
        weights = (*first.generator.parameters(), *first.discriminator.parameters())
        if not all(weight.is_leaf for weight in weights):
            raise TypeError("a copy of a network has weights that cannot be trained, as of torch.jit.script")
    before = hidden.memory(first)
    rehearsal.run(first, batch)
    after = hidden.memory(first)
    hidden.resume(second, first)
    in_eval = hidden.in_eval_mode(first, batch), hidden.in_eval_mode(second, batch)
    other = batch.map(lambda tensor: tensor.flip(0) if len(tensor) > 1 else tensor)
    one, two = rehearsal.run(first, other), rehearsal.run(second, other)
    hidden.refuse(name, before, after, hidden.memory(first), in_eval, (one, two))
    return rehearsal.reads_progress


def meet(objective: Objective, batch: Batch) -> None:
    """Show a copy of the discriminator a whole batch, for a network in which samples meet may refuse its size.

    Raises:
        GanzooError: it does.
    """
    copied = hidden.copies(objective)
    with _blaming("the discriminator", "on a whole batch", batch), copied.precision.autocast(), torch.no_grad():
        copied.discriminator(batch.real, batch.labels)


class Rehearsal:
    """One try of both phases after the other; see ``rehearse``."""

    def __init__(self, name: str, reads: Sequence[str]) -> None:
        self._name = f"loss {name!r}"
        self._reads = reads
        self.reads_progress = False

    def run(self, objective: Objective, batch: Batch) -> list[Tensor]:
        """Compute the losses and gradients of both phases; the networks keep what the passes left in them.

        Returns:
            Every loss and gradient.
        """
        torch.random.manual_seed(0)  # of what the networks draw for themselves
        objective = replace(objective, ranks=ALONE)
        generator, discriminator = objective.generator, objective.discriminator
        thawed = [weight for weight in discriminator.parameters() if weight.requires_grad]
        with apart(generator, discriminator):
            with _blaming("the generator", "in training mode", batch):
                images = objective.generate(batch)
            self._check_images(images)
            if "discriminator" in objective.networks:
                self._check_heads(objective, batch, images.detach())
            found = []
            for phase in objective.everything():
                for module in (generator, discriminator):
                    module.zero_grad(set_to_none=True)
                for weight in thawed:
                    weight.requires_grad_(phase.network == "discriminator")
                found += self._phase(phase, objective, batch, images)
        for weight in thawed:
            weight.requires_grad_(True)
        return found

    def _check_images(self, images: Tensor) -> None:
        if not images.isfinite().all():
            raise PluginError(
                "the generator's first images hold NaN or infinity",
                hint="check how its weights begin, and what its last layers do; GANZOO_DEBUG=1 tells no more",
            )
        if not images.requires_grad:
            raise PluginError(
                "the generator's images do not depend on its weights",
                hint="no detach(), .data, no_grad() or NumPy on the way from weights to images",
            )

    def _check_heads(self, objective: Objective, batch: Batch, images: Tensor) -> None:
        autocast = objective.precision.autocast()
        with _blaming("the discriminator", "in training mode", batch), autocast, torch.no_grad():
            output = as_output(objective.discriminator(images, batch.labels))
        heads = {"class_logits": output.class_logits, "features": output.features, **output.extras}
        for head in self._reads:
            if heads.get(head) is None:
                raise PluginError(
                    f"{self._name} reads {head}, which this discriminator does not return",
                    hint="check that loss and architecture go together: ganzoo models lists both",
                )
        if not output.logits.isfinite().all():
            raise PluginError(
                "the discriminator's first logits are NaN or infinite",
                hint="check how its weights begin, and what its last layers do",
            )

    def _phase(self, phase: Phase, objective: Objective, batch: Batch, images: Tensor) -> list[Tensor]:
        network, where = phase.network, f"for the {phase.network}"
        fake = images.detach().requires_grad_(network == "generator")
        versions = (fake._version, batch.real._version)
        watched = replace(objective, discriminator=Unwatched(objective.discriminator))
        loss = self._alone(phase, watched, batch, fake)
        logged: dict[str, Tensor] = {}
        with _blaming(f"{self._name} with its penalties", where, batch), NoReading(batch.labels):
            step, calls = watched.step(network, batch, fake, logged, {})
            total = watched.evaluate(phase._replace(regularised=False), step, calls)
        self.reads_progress |= calls.progress_read
        for place in phase.due:
            name = objective.penalties[place].name
            _check_finite(f"the penalty {name!r}", logged[name])
        if phase.regularised:
            with _blaming(f"regularise() of the {network}", where, batch):
                value = self._own(objective, phase, batch, fake)
            _check_finite(f"regularise() of the {network}", value)
            if not value.requires_grad:
                raise PluginError(
                    f"regularise() of the {network} does not depend on its weights",
                    hint="no detach(), .data or no_grad() on the way from weights to its value",
                )
            total = total + value
        with _blaming("observe() of the augmentation", where, batch), NoReading(batch.labels):
            watched.observe(phase, step, calls)
        self.reads_progress |= calls.progress_read
        if (fake._version, batch.real._version) != versions:
            raise PluginError(
                f"the discriminator, or {self._name}, writes into the images that it is given",
                hint="the generator learns from the same ones: no in-place operation on them, such as a first "
                "activation with inplace=True",
            )
        return [loss, *self._backward(phase, objective, batch, total, images, fake)]

    def _alone(self, phase: Phase, objective: Objective, batch: Batch, fake: Tensor) -> Tensor:
        """The loss proper, which must be a scalar, finite, and leave backward passes to the engine."""
        with _blaming(self._name, f"for the {phase.network}", batch), NoReading(batch.labels):
            step, calls = objective.step(phase.network, batch, fake, {}, {})
            loss: object = getattr(objective.loss, phase.network)(step)
        self.reads_progress |= calls.progress_read
        if not isinstance(loss, Tensor) or loss.dim():
            what = f"a tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise PluginError(
                f"{self._name} returns {what} for the {phase.network}, not a scalar tensor",
                hint="end it with .mean(): one number to minimise",
            )
        if gradients(objective) or fake.grad is not None:
            raise PluginError(
                f"{self._name} calls backward() itself for the {phase.network}",
                hint="return the loss: the engine computes its gradient, once",
            )
        _check_finite(self._name, loss, f" for the {phase.network}")
        if not loss.requires_grad:
            raise _independent(self._name, phase.network)
        return loss.detach()

    def _own(self, objective: Objective, phase: Phase, batch: Batch, fake: Tensor) -> Tensor:
        step, calls = objective.step(phase.network, batch, fake, {}, {})
        calls.caller = "regularise"
        value: object = objective.regularise(phase, step)
        self.reads_progress |= calls.progress_read
        if not isinstance(value, Tensor) or value.dim():
            raise TypeError(f"it returns a {type(value).__name__}, not a scalar tensor")
        return value

    def _backward(
        self, phase: Phase, objective: Objective, batch: Batch, total: Tensor, images: Tensor, fake: Tensor
    ) -> list[Tensor]:
        network = objective.network(phase)
        with _blaming(f"{self._name} or a network", f"in the {phase.network}'s backward pass", batch):
            total.backward()  # type: ignore[no-untyped-call]
            if phase.network == "generator" and fake.grad is not None:
                images.backward(fake.grad)  # type: ignore[no-untyped-call]
        found = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
        if not found:
            raise _independent(self._name, phase.network)
        # In fp16 without its scale of the loss, which skips an update that overflows, this would tell nothing.
        wrong = [name for name, each in found.items() if not each.isfinite().all()]
        if wrong and not objective.precision.scaled:
            raise PluginError(
                f"the gradient of {self._name} with its terms is not finite for the {phase.network}'s {wrong[0]}",
                hint="a root, a norm or a logarithm has no derivative at 0: (x + 1e-12).sqrt()",
            )
        self._constrain(network, phase.network, batch)
        return list(found.values())

    def _constrain(self, network: nn.Module, role: Network, batch: Batch) -> None:
        """Let the network constrain its weights, which must stay what, and where, the optimizer updates them."""
        if not callable(constrain := getattr(network, "constrain", None)):
            return
        before = {name: (weight, weight.data_ptr()) for name, weight in network.named_parameters()}
        with _blaming(f"constrain() of the {role}", "after an update", batch), torch.no_grad():
            constrain()
        after = dict(network.named_parameters())
        for name, (weight, place) in before.items():
            if after.get(name) is not weight or weight.data_ptr() != place:
                raise PluginError(
                    f"constrain() of the {role} puts another tensor in the place of {name}",
                    hint="write into the weights: weight.clamp_(-c, c), weight.copy_(…)",
                )
            if not weight.isfinite().all():
                raise PluginError(
                    f"constrain() of the {role} makes {name} NaN or infinite", hint="check its divisions and roots"
                )


def gradients(objective: Objective) -> bool:
    """Whether a weight of either network has a gradient."""
    networks = (objective.generator, objective.discriminator)
    return any(weight.grad is not None for network in networks for weight in network.parameters())


def _check_finite(what: str, value: Tensor, where: str = "") -> None:
    if not value.isfinite():
        raise PluginError(
            f"{what} is {float(value.detach())}{where} on the first images",
            hint="check its logarithms, roots and divisions at the values that untrained networks give",
        )


def _independent(loss: str, network: Network) -> PluginError:
    learns = "the discriminator's answers" if network == "discriminator" else "the generated images"
    return PluginError(
        f"{loss} does not depend on {learns} for the {network}, which would learn nothing",
        hint="no detach() and no constant in their place: step.fake.logits, step.real.logits, step.fake.images",
    )


@contextmanager
def _blaming(what: str, where: str, batch: Batch) -> Iterator[None]:
    """Turn a plugin's failure into an error that names it; with one image, it rather fails for the lack of a second."""
    try:
        with survived(what):
            yield
    except ValueReadError as error:
        raise PluginError(
            f"{what} reads a tensor's value {where} (.item(), float() or a condition on it)",
            hint="that would wait for the device in each step: step.log(name, tensor) logs, torch.where chooses",
        ) from error
    except GanzooError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        failure = f"{what} fails {where}: {blamed(error)}"
        if len(batch.z) == 1:
            hint = "one image at a time is too little for BatchNorm: a larger --batch, or a smaller --accumulate"
            raise UsageError(failure, hint=hint) from error
        hint = "check that loss and architecture go together: ganzoo models lists both"
        raise PluginError(failure, hint=hint) from error
