"""From gradients to updated weights: one network's optimizer, its learning rate and, in fp16, its loss scale.

No other module knows that the optimizer is Adam.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from ganzoo.config import AdamConfig
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import Ranks

FIRST_SCALE = 2.0**16


class Optimization:
    """Updates one network by Adam (Kingma and Ba, 2015).

    Args:
        network: only what the plugin left trainable is updated: a layer that it froze stays frozen.
        capturable: keep all of the optimizer's state on the device, so that a CUDA graph can hold its step.
    """

    rule = "adam"
    """Name of the update rule, under which checkpoints hold its moments."""

    def __init__(self, network: nn.Module, config: AdamConfig, precision: Precision, capturable: bool = False) -> None:
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self._named = dict(network.named_parameters())
        self._rate = config.lr
        self._capturable = capturable
        self._adam = torch.optim.Adam(
            self.weights,
            lr=torch.tensor(config.lr, device=precision.device) if capturable else config.lr,
            betas=config.betas,
            fused=True,
            capturable=capturable,
        )
        # Else torch warns of steps outside of a graph: those before a capture, and fp16's, which are never in one.
        self._adam._warned_capturable_if_run_uncaptured = True
        # A scaler for each network: with one for both, an overflow in either would stop and rescale the other, too.
        self._scaler = torch.amp.GradScaler(precision.device.type, FIRST_SCALE) if precision.scaled else None
        self._one = torch.ones((), device=precision.device)
        self._factor = 1.0

    @property
    def in_graph(self) -> bool:
        """Whether a CUDA graph may hold the step: not with a loss scale, which is decided on outside."""
        return self._capturable and self._scaler is None

    @property
    def scale(self) -> Tensor | None:
        """What the loss is multiplied by before its backward pass; None: nothing."""
        return self._scaler.scale(self._one) if self._scaler else None

    def set_rate(self, factor: float) -> None:
        """Use ``factor`` times the configured learning rate."""
        (group,) = self._adam.param_groups
        if not self._capturable:
            group["lr"] = self._rate * factor
        elif factor != self._factor:  # a write to the device, so only when it changes
            group["lr"].fill_(self._rate * factor)
        self._factor = factor

    def clear(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:  # Adam.zero_grad records itself for a profiler: 1 % of a small model's step
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
        """Update the weights by Adam; in fp16, if a gradient overflowed, halve the scale instead."""
        if self._scaler is None:
            self._update()
            return
        self._scaler.unscale_(self._adam)
        self._scaler.step(self._adam)
        self._scaler.update()

    @torch.no_grad()
    def _update(self) -> None:
        """``Adam.step`` by its functional form, without hooks, profiler marks and look-ups: a third of a small update.

        The first update of a weight makes its moments, and is left to ``Adam.step``.
        """
        moved = [weight for weight in self.weights if weight.grad is not None]
        states = [self._adam.state[weight] for weight in moved]
        if not all(states):
            self._adam.step()
            return
        (group,) = self._adam.param_groups
        beta1, beta2 = group["betas"]
        adam(
            list(moved),
            [weight.grad for weight in moved if weight.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            capturable=self._capturable,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )

    def moments(self) -> dict[str, Tensor]:
        """What the rule remembers of each weight, as ``weight.moment``; nothing before its first update."""
        return {
            f"{name}.{key}": value
            for name, weight in self._named.items()
            for key, value in self._adam.state.get(weight, {}).items()
        }

    def load_moments(self, moments: Mapping[str, Tensor]) -> None:
        """Go on from what ``moments`` gave; moments that are there already keep their place in memory."""
        for name, weight in self._named.items():
            own = {k.removeprefix(f"{name}."): v for k, v in moments.items() if k.rpartition(".")[0] == name}
            if held := self._adam.state.get(weight):  # a CUDA graph may look for it where it is, so it must stay there
                for key, value in held.items():
                    value.copy_(own.get(key, torch.zeros(())))
            elif own:
                self._adam.state[weight] = {key: _like(weight, value) for key, value in own.items()}

    @contextmanager
    def unmoved(self) -> Iterator[None]:
        """Put weights and moments back in place, where a CUDA graph looks for them; new moments become zero."""
        weights = [(weight, weight.detach().clone()) for weight in self.weights]
        before = {key: value.clone() for key, value in self.moments().items()}
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, kept in weights:
                    weight.copy_(kept)
            for key, value in self.moments().items():
                value.copy_(before[key]) if key in before else value.zero_()

    def state(self) -> dict[str, float]:
        """Scalars that the next step depends on, beside the moments."""
        return {name: float(value) for name, value in self._scaler.state_dict().items()} if self._scaler else {}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Go on from what ``state`` gave."""
        if self._scaler and state:
            whole = {"growth_interval", "_growth_tracker"}
            self._scaler.load_state_dict({name: int(v) if name in whole else v for name, v in state.items()})


def _like(weight: Tensor, value: Tensor) -> Tensor:
    """A moment in its weight's memory format, so that a resumed update is the same to the bit."""
    if value.shape != weight.shape:
        return value.to(weight.device, copy=True)
    return torch.empty_like(weight).copy_(value)
