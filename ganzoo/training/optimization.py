"""From gradients to updated weights: one network's optimizer, its learning rate and, in fp16, its loss scale.

No other module knows which optimizer it is.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from ganzoo.config import Schedule
from ganzoo.config.schedule import at, varying, with_values
from ganzoo.errors import PluginError, UsageError
from ganzoo.training.moments import Moments
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import Ranks

FIRST_SCALE = 2.0**16

LEAST_SCALE = 2.0**-14
"""A scale of fp16's losses that no sound gradient needs, after 30 overflows in a row.

Left alone it falls to 0, and the next sound gradient, 0 times infinity, makes all weights NaN.
"""

Make = Callable[[list[nn.Parameter], float | Tensor, Any], torch.optim.Optimizer]
"""The interface of an ``Optimizer`` spec's target: (weights, learning rate, options) -> the optimizer."""


class Rule(NamedTuple):
    """An optimizer that was chosen: its name, what makes it, and its options, of which floats may be schedules.

    ``from_zero``: moments of zero are as good as none, which ``optimizers.rehearse`` finds out. NAdam's are not, whose
    product of momenta begins at 1.
    """

    name: str
    make: Make
    options: Any
    from_zero: bool = True


class Optimization:
    """Updates one network by its optimizer, and then lets the network ``constrain`` its weights, if it does.

    Args:
        network: only what the plugin left trainable is updated: a layer that it froze stays frozen.
        rule: the optimizer; checkpoints hold its moments under its name.
        lr: learning rate.
        steps: steps of the whole run.
        capturable: keep all of the optimizer's state on the device, so that a CUDA graph can hold its step, if its
            moments may begin at zero: what the capture made of them is undone in place.
    """

    def __init__(
        self,
        network: nn.Module,
        rule: Rule,
        lr: float | Schedule,
        steps: int,
        precision: Precision,
        capturable: bool = False,
    ) -> None:
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.rule, make, options, from_zero = rule
        self._constrain: Callable[[], object] | None = getattr(network, "constrain", None)
        self._rate, self._steps, self._asked, self._from_zero = lr, steps, capturable, from_zero
        self._varying = varying(options)
        first = at(lr, 0, steps)
        fixed = with_values(options, {name: _at(value, 0, steps) for name, value in self._varying.items()})
        held = capturable and from_zero and not self._varying
        rate = torch.tensor(first, device=precision.device) if held else None
        self._optimizer = make(self.weights, first if rate is None else rate, fixed)
        on_device = all(isinstance(group.get("lr"), Tensor) for group in self._optimizer.param_groups)
        self._capturable = rate is not None and on_device and bool(self._optimizer.defaults.get("capturable"))
        if rate is not None and not self._capturable:
            self._optimizer = make(self.weights, first, fixed)
        self._moments = Moments(
            self._optimizer, dict(network.named_parameters()), self._varying, in_place=self._capturable
        )
        self._following = {  # a group with a value of its own, no weight decay of biases, say, keeps it
            name: [group for group in self._optimizer.param_groups if group.get(name) == getattr(fixed, name)]
            for name in self._varying
        }
        self._check_groups()
        given = float(rate) if rate is not None and self._capturable else first
        self._shares = [float(group["lr"]) / given for group in self._optimizer.param_groups]
        # Else torch warns of steps outside of a graph: those before a capture, and fp16's, which are never in one.
        self._optimizer._warned_capturable_if_run_uncaptured = True
        self._plain_adam = _is_plain_adam(self._optimizer)
        # A scaler for each network: with one for both, an overflow in either would stop and rescale the other, too.
        self._scaler = torch.amp.GradScaler(precision.device.type, FIRST_SCALE) if precision.scaled else None
        self._one = torch.ones((), device=precision.device)
        self._current = first

    def _check_groups(self) -> None:
        """Refuse an optimizer that leaves weights as they are, or that cannot be told what changes from step to step.

        Raises:
            PluginError: it has other weights than it was given, or no ``lr``.
            UsageError: an option is a schedule, which would not reach it.
        """
        who, groups = f"optimizer {self.rule!r}", self._optimizer.param_groups
        moved = {id(weight) for group in groups for weight in group["params"]}
        given = {id(weight) for weight in self.weights}
        if moved != given:
            raise PluginError(
                f"{who} has {len(moved & given)} of the {len(given)} weights that it was given in its param_groups",
                hint="what is in none of them would never learn: update all weights, each kind by its own rule",
            )
        if not all("lr" in group for group in groups):
            raise PluginError(
                f"{who} has no lr in its param_groups", hint="schedules, warm-up and recovery write the rate there"
            )
        for name, following in self._following.items():
            if not following:
                raise UsageError(
                    f"{name} cannot change in the course of the run: {who} does not keep it in its param_groups",
                    hint=f"give {name} one value",
                )

    @property
    def in_graph(self) -> bool:
        """Whether a CUDA graph may hold the step: not with a loss scale, which is decided on outside."""
        return self._capturable and self._scaler is None

    @property
    def left_out(self) -> str | None:
        """Why a CUDA graph cannot hold the step although it should; None: it can, or need not."""
        if not self._asked or self._capturable:
            return None
        if not self._from_zero:
            return "its state does not begin at zero"
        return "its options change from step to step" if self._varying else "it does not keep its state on the device"

    @property
    def overflows(self) -> bool:
        """Whether gradients overflow at any scale of fp16's losses; waits for the device."""
        return self._scaler is not None and self._scaler.get_scale() < LEAST_SCALE

    @property
    def scale(self) -> Tensor | None:
        """What the loss is multiplied by before its backward pass; None: nothing."""
        return self._scaler.scale(self._one) if self._scaler else None

    def set_rate(self, factor: float, step: int) -> None:
        """Use ``factor`` times the learning rate of ``step``, and what other options are in that step.

        A group that was made with a multiple of the rate keeps that multiple.
        """
        rate = at(self._rate, step, self._steps) * factor
        if rate != self._current:
            for group, share in zip(self._optimizer.param_groups, self._shares, strict=True):
                if self._capturable:
                    group["lr"].fill_(rate * share)
                else:
                    group["lr"] = rate * share
            self._current = rate
        for name, groups in self._following.items():
            value = _at(self._varying[name], step, self._steps)
            for group in groups:
                group[name] = value

    def clear(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:  # zero_grad records itself for a profiler: 1 % of a small model's step
            weight.grad = None

    def average(self, ranks: Ranks, parts: int) -> None:
        """Make the gradients, which are sums over ``parts`` of a rank's batch, the mean over all parts of all ranks.

        A weight without a gradient on some ranks counts as zero there; one without on all of them keeps none, because
        Adam would move it by its momentum.
        """
        without = [index for index, weight in enumerate(self.weights) if weight.grad is None]
        if ranks.count > 1:
            for index in without:
                self.weights[index].grad = torch.zeros_like(self.weights[index])
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        if parts > 1:
            torch._foreach_div_(gradients, parts)
        if ranks.count == 1 or not gradients:
            return
        # Every rank sends which gradients it has, because all must send the same; only a rank that lacks one waits.
        there = torch.ones(len(gradients), dtype=gradients[0].dtype, device=gradients[0].device)
        there[without] = 0
        ranks.average_([*gradients, there])
        if without:
            for index in set(without).difference(there.nonzero().flatten().tolist()):
                self.weights[index].grad = None

    def step(self) -> None:
        """Update the weights; in fp16, if a gradient overflowed, halve the scale instead."""
        if self._scaler is None:
            self._update()
        else:
            self._scaler.unscale_(self._optimizer)
            self._scaler.step(self._optimizer)
            self._scaler.update()
        if self._constrain is not None:
            with torch.no_grad():
                self._constrain()

    @torch.no_grad()
    def _update(self) -> None:
        """The optimizer's step; ``Adam.step`` by its functional form, which saves a third of a small update.

        That form has no hooks, profiler marks and look-ups. The first update of a weight makes its moments, and is left
        to ``Adam.step``.
        """
        moved = [weight for weight in self.weights if weight.grad is not None]
        states = [self._optimizer.state[weight] for weight in moved] if self._plain_adam else [{}]
        if not all(states):
            self._optimizer.step()
            return
        (group,) = self._optimizer.param_groups
        beta1, beta2 = group["betas"]
        adam(
            list(moved),
            [weight.grad for weight in moved if weight.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=group["fused"],
            capturable=self._capturable,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )

    def moments(self) -> dict[str, Tensor]:
        """See ``Moments.tensors``."""
        return self._moments.tensors()

    def load_moments(self, moments: Mapping[str, Tensor]) -> None:
        """See ``Moments.load``."""
        self._moments.load(moments)

    @contextmanager
    def unmoved(self) -> Iterator[None]:
        """Put weights, moments and counts back, in place where a CUDA graph looks for them."""
        weights = [(weight, weight.detach().clone()) for weight in self.weights]
        before, state = {key: value.clone() for key, value in self.moments().items()}, self.state()
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, kept in weights:
                    weight.copy_(kept)
                self.load_moments(before)
            self.load_state(state)

    def state(self) -> dict[str, float]:
        """Scalars that the next step depends on beside the moments: the scale, and what the optimizer counts."""
        scale = {name: float(value) for name, value in self._scaler.state_dict().items()} if self._scaler else {}
        return scale | self._moments.counts()

    def load_state(self, state: Mapping[str, float]) -> None:
        """Go on from what ``state`` gave; what it does not mention is as it was at the beginning."""
        scale = {name: value for name, value in state.items() if not name.startswith("group.")}
        if self._scaler and scale:
            whole = {"growth_interval", "_growth_tracker"}
            self._scaler.load_state_dict({name: int(v) if name in whole else v for name, v in scale.items()})
        self._moments.load_counts({name: value for name, value in state.items() if name.startswith("group.")})


def _is_plain_adam(optimizer: torch.optim.Optimizer) -> bool:
    """Whether its step is the one that ``_update`` writes out: Adam's, of one group, without variants."""
    variants = ("amsgrad", "decoupled_weight_decay", "differentiable")
    plain = type(optimizer) is torch.optim.Adam and not any(optimizer.defaults.get(name) for name in variants)
    return plain and len(optimizer.param_groups) == 1


def _at(value: Any, step: int, steps: int) -> Any:
    return tuple(at(each, step, steps) for each in value) if isinstance(value, tuple) else at(value, step, steps)
