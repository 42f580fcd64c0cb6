"""ADA: changes as often as the discriminator needs them: https://arxiv.org/abs/2006.06676, section 3."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo import ImageShape
from ganzoo.training import Step
from ganzoo_plugins.augment import AdaOptions
from ganzoo_plugins.augment.bgc import Pipeline


class Ada(Pipeline):
    """Changes images with the probability p that keeps r_t, the mean sign of D at real images, at its target.

    Where r_t over ``interval`` batches was above the target, D overfits, and p goes up by the share of
    1,000 ``kimg`` that these were; where it was below, p goes down. That is done at the end of the next batch's phase,
    when it is known what all ranks and parts have seen. p stays in [0, 1].

    Args:
        options: the target, how often and how fast p is moved, and the kinds of change.
    """

    def __init__(self, options: AdaOptions) -> None:
        super().__init__(options.policy)
        self._target, self._interval, self._kimg = options.target, options.interval, options.kimg

    def draw(
        self,
        count: int,
        shape: ImageShape,
        generator: torch.Generator,
        device: torch.device,
        state: Mapping[str, Tensor],
    ) -> Mapping[str, Tensor]:
        """See ``Pipeline.drawn``."""
        return self.drawn(count, shape, generator, device, state["ada_p"])

    def observe(self, step: Step) -> None:
        """Add a batch's mean sign to those of its interval, and move p where one is complete."""
        p, total, batches = (step.state[f"ada_{name}"] for name in ("p", "signs", "batches"))
        complete = batches >= self._interval
        r = total / batches.clamp(min=1)
        pace = self._interval * step.batch / (1000 * self._kimg)
        sign = step.real.logits.sign().mean()
        step.remember("ada_p", torch.where(complete, p + pace * (r - self._target).sign(), p).clamp(0, 1))
        step.remember("ada_signs", torch.where(complete, 0.0, total) + sign)
        step.remember("ada_batches", torch.where(complete, 0.0, batches) + 1)
        step.log("ada_p", p)
        step.log("ada_r", sign)
