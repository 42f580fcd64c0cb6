"""Signs of a training that goes wrong: numbers that are not finite, and images that are all alike."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from ganzoo.latents import draw
from ganzoo.step import as_output
from ganzoo.training.trainer import Trainer

LOOK_EVERY = 64
"""Steps between two looks at the generator's images: one takes 0.04 to 0.32 of a built-in model's step."""

PREVIEWS = 128
ANCHORS = 256
SCORED = 32

SURVEYED, CLASSES = 2048, 16
"""Labelled real images among which those to compare with are looked for, and the most classes that they are of."""

THUMBNAIL = 16
"""Pixels of a thumbnail's side: they tell images apart at a glance, at a cost that does not grow with image size."""

GROUP = 4
"""Fewest images of a class whose variance means something."""

NOTHING = 1e-9
"""Largest variance, relative to the mean square, of real images that count as identical."""

GRACE = 512
"""First steps of a run, in which nothing is called a collapse: a generator begins with images that are all grey."""

EARLIER: Mapping[str, int] = {"class_spread": 64}
"""Figure -> its own first steps: grey images of one class differ no less than those of two."""

FALLS: Mapping[str, tuple[float, float]] = {"spread": (0.005, 1.0), "class_spread": (0.2, 1.0), "variety": (0.45, 0.1)}
"""Figure -> (share of its highest value so far, below which it shows a collapse; least that the highest counts as).

Highest values count up to 1, what real images have. Measured after ``GRACE`` steps in runs of the built-in models on
digits and on dots: in sound ones variety stayed above 0.28, and above 0.57 of its highest value. Of 64 trainings of 800
to 4,000 steps only dcgan's on dots fell below the limit, 5 of 10, and they ended with 8 to 17 of the 25 kinds. One
image for all latents has a spread of 0 and, of digits, a variety of 0.013; real digits of one class have a variety of
0.04 to 0.37. The least highest values are there for a generator that never looked at its latents.

Spread and class spread are held against real images alone: their limits are absolute. In sound runs spread stayed above
0.07, also of dots, whose jitter is the last that is learnt; of generators that had hardly learnt anything yet it was
0.02 to 0.04. Class spread stayed above 0.28 from the first look on. Where labels drowned the latents, on digits of 32
pixels, it was 0.11 to 0.18 after 64 steps, 0.03 to 0.09 after 128, and then less.
"""

SIGNS: Mapping[str, str] = {
    "spread": "images, or those of one class, are all alike",
    "class_spread": "images of one class are nearly alike, whatever the latents",
    "variety": "images are of few kinds",
}
"""Figure -> what its fall is called; of several falls the first in ``FALLS`` has the word."""


def bad_number(trainer: Trainer, weights: bool) -> str | None:
    """What is not a finite number, in one line, or None; waits for the device.

    Gradients themselves are not checked. One that is not finite has either changed the weights, or was skipped by
    fp16's loss scaling, which finds its scale that way. A large one shows by its square in the optimizer's second
    moment: where that has become infinite, a weight never moves again.

    Args:
        weights: look at weights, buffers and the optimizers' moments, too, and not at losses alone.
    """
    step = trainer.telemetry.bad_step()
    if step is not None:
        return f"the loss of step {step + 1} is not a finite number"
    for name, module in trainer.modules().items() if weights else ():
        if not _finite(module.state_dict().values()):
            return f"after step {trainer.steps_done} the {name}'s weights are not finite numbers"
    for name, optimization in trainer.optimizations.items() if weights else ():
        if optimization.overflows:
            return f"up to step {trainer.steps_done} the {name}'s gradients are not finite at any scale of fp16"
        if not _finite(optimization.moments().values()):
            return f"after step {trainer.steps_done} the moments of the {name}'s optimizer are not finite numbers"
    return None


def _finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers are finite: by each tensor's least and greatest, because a sum overflows before they do.

    The infinity norm would take 20 times as long on a CPU: 2 % of a training with a look every 64 steps. What an
    optimizer counts may lie on the CPU beside moments on a GPU, so each device is asked for itself.
    """
    ends: dict[torch.device, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        if tensor.is_floating_point() and tensor.numel():
            ends[tensor.device] += tensor.aminmax()
    return all(bool(torch.stack(each).isfinite().all()) for each in ends.values())


class Look:
    """Compares images that the averaged generator makes from fixed latents with as many real ones.

    All is computed on the device, from thumbnails x of at most 16 x 16 pixels:

    - ``spread``: sum over the images of |x - mean|^2, relative to that sum for the real images. For a conditional
      generator it is computed for each class, and the least value is the figure.
    - ``class_spread``, of a conditional generator: the mean over classes, relative to that sum over all images whatever
      their class. It is small where the label alone decides what is drawn, from the beginning on: as long as all images
      are grey, those of one class are as unlike one another as those of two.
    - ``variety``: the effective number of different nearest neighbours, n^2 / sum_j n_j^2. Each of the n = 128 images
      has its nearest neighbour among ``ANCHORS`` other real images, and n_j counts how often that is image j. It is
      again relative to the number for the real images. Missing kinds show in it, as they do in coverage (Naeem et
      al., 2020).

    Beside them ``critic_accuracy``, how often the critic puts a real image above a generated one: 1/2 where it cannot
    tell, and 1 where it is saturated, from which on most losses leave the generator little to learn from. The critic
    is in training mode, in which one with BatchNorm knows real batches from generated ones by their statistics.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._generator = trainer.ema.generator
        self._objective = trainer.objective
        config = trainer.config
        self._at_once = config.batch // (trainer.ranks.count * config.accumulate)
        self._real, real, anchors, self._labels = _real_images(trainer)
        z, _ = draw(config.seed, 0, PREVIEWS, trainer.latent_dim)
        self._z = torch.from_numpy(z).to(self._real)
        self._anchors, self._lengths = anchors, anchors.square().sum(1)
        self._groups = _groups(self._labels, real)
        self._scatter = _scatter(real, self._groups)
        # Identical real images tell nothing: they differ from their mean only by rounding.
        differing = self._scatter > NOTHING * (self._groups @ real.square().sum(1))
        self._groups, self._scatter = self._groups[differing], self._scatter[differing]
        # What is logged is averaged over the ranks, so all of them log the same.
        self._spreads = not trainer.ranks.any(not len(self._groups))
        self._all = _groups(None, real)
        self._scatter_of_all = _scatter(real, self._all)
        self._classes = self._spreads and not trainer.ranks.any(bool((self._groups == self._all).all()))
        self._kinds = self._effective(real)

    @torch.no_grad()
    def figures(self) -> dict[str, Tensor]:
        """The figures that apply, as scalars on the device: no spread where real images do not differ either."""
        scored: list[Tensor] = []
        thumbnails: list[Tensor] = []
        for start in range(0, PREVIEWS, self._at_once):
            part = slice(start, start + self._at_once)
            images = self._generator(self._z[part], None if self._labels is None else self._labels[part]).clamp(-1, 1)
            scored += [images] if start < SCORED else []
            thumbnails.append(_thumbnails(images))
        fake = torch.cat(thumbnails)
        figures = {"variety": self._effective(fake) / self._kinds}
        if "discriminator" in self._objective.networks:
            figures["critic_accuracy"] = self._accuracy(torch.cat(scored)[:SCORED])
        if self._spreads:
            of_class = _scatter(fake, self._groups) / self._scatter
            figures["spread"] = of_class.min()
        if self._classes:
            whole = (_scatter(fake, self._all) / self._scatter_of_all).squeeze()
            figures["class_spread"] = torch.where(whole > 0, of_class.mean() / whole, 1.0)
        return figures

    def _accuracy(self, fake: Tensor) -> Tensor:
        """Share of the pairs of a real and a generated image in which the real one has the larger logit."""
        labels = None if self._labels is None else self._labels[:SCORED]
        critic, scores = self._objective.discriminator, []
        for images in (self._real, fake):
            # On copies, so that its norms' statistics stay as they are; torch's generator is seeded at each phase.
            buffers = {name: buffer.clone() for name, buffer in critic.named_buffers()}
            with self._objective.precision.autocast():
                scores.append(as_output(functional_call(critic, buffers, (images, labels))).logits)
        return (scores[0] > scores[1]).float().mean()

    def _effective(self, x: Tensor) -> Tensor:
        """n^2 / sum_j n_j^2; the sum is the number of pairs that have the same nearest anchor."""
        nearest = torch.addmm(self._lengths, x, self._anchors.T, alpha=-2).argmin(1)
        return len(x) ** 2 / (nearest[:, None] == nearest).sum()


class Collapse:
    """Compares each log line's figures with real images' and with those before it: a collapse is a fall.

    It depends on the lines alone, so a resumed run, which has kept them, comes to the same result.

    Args:
        lines: the run's log lines so far, oldest first: ``step`` and metrics.
    """

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self._highest: dict[str, float] = {}
        self._low: dict[str, int] = {}
        self.since: int | None = None
        """The step of the first line of a collapse that goes on, or None."""
        for line in lines:
            self.see(line["step"], line)

    def see(self, step: int, metrics: Mapping[str, float | None]) -> str | None:
        """Take a log line into account; returns what to say if a collapse begins or ends with it.

        It begins with the second line in a row that is low, and ends with the first that is not.
        """
        fallen: dict[str, str] = {}
        for name, (share, least) in FALLS.items():
            value = metrics.get(name)
            if value is None:
                continue
            limit = share * max(min(self._highest.get(name, 0.0), 1.0), least)
            low = step > EARLIER.get(name, GRACE) and value < limit
            self._low[name] = self._low.get(name, 0) + 1 if low else 0
            self._highest[name] = max(self._highest.get(name, 0.0), value)
            if self._low[name] >= 2:
                fallen[name] = f"{name} {value:.2g}, and at best {self._highest[name]:.2g}"
        if fallen and self.since is None:
            self.since = step
            what = next(SIGNS[name] for name in FALLS if name in fallen)
            figures = "; ".join(fallen.values())
            return f"at step {step} the generator's {what}: {figures} (1: as real images)"
        if self.since is not None and not any(self._low.values()):
            since, self.since = self.since, None
            return f"at step {step} the generator's images differ again, after the collapse of step {since}"
        return None


def _real_images(trainer: Trainer) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Real images of the first batches.

    Returns:
        Images [SCORED, C, H, W] to score; thumbnails [PREVIEWS, D] to compare with, the same ones first; thumbnails
        [ANCHORS, D] of others; and the labels [PREVIEWS] of what is compared, or None.
    """
    share = trainer.config.batch // trainer.ranks.count
    count = SURVEYED if trainer.batches.draw(0, 0).labels is not None else PREVIEWS + ANCHORS
    scored: list[Tensor] = []
    thumbnails: list[Tensor] = []
    labels: list[Tensor] = []
    for step in range(-(-count // share)):
        batch = trainer.batches.draw(step, 0)
        scored += [batch.real] if step * share < SCORED else []
        thumbnails.append(_thumbnails(batch.real))
        if batch.labels is not None:
            labels.append(batch.labels)
    # Clones, because a view would keep the memory of all that it was cut from.
    first, small = torch.cat(scored)[:SCORED].clone(), torch.cat(thumbnails)
    if not labels:
        return first, small[:PREVIEWS].clone(), small[PREVIEWS : PREVIEWS + ANCHORS].clone(), None
    known = torch.cat(labels)
    chosen = _of_each_class(known)
    others = torch.ones_like(known, dtype=torch.bool).index_fill(0, chosen, False).nonzero().flatten()[:ANCHORS]
    return first, small[chosen], small[others], known[chosen]


def _of_each_class(labels: Tensor) -> Tensor:
    """Places [PREVIEWS]: the first ``SCORED``, as many as can be of each of ``CLASSES`` classes, and what comes next.

    The commonest classes, if there are more. Images as they come would leave rare classes, and each of many classes,
    fewer than ``GROUP``.
    """
    counts = labels.bincount()
    classes = counts.argsort(descending=True, stable=True)[: min(CLASSES, int((counts > 0).sum()))]
    quota = (PREVIEWS - SCORED) // len(classes)
    later = torch.arange(len(labels), device=labels.device) >= SCORED
    of_class = (labels == classes[:, None]) & later
    taken = (of_class & (of_class.cumsum(1) <= quota)).any(0) | ~later
    return (~taken).to(torch.int8).argsort(stable=True)[:PREVIEWS]


def _thumbnails(images: Tensor) -> Tensor:
    """[n, C, H, W] -> [n, D] in fp32."""
    height, width = images.shape[2:]
    small = F.adaptive_avg_pool2d(images, (min(height, THUMBNAIL), min(width, THUMBNAIL)))
    return small.flatten(1).float()


def _groups(labels: Tensor | None, images: Tensor) -> Tensor:
    """[G, n] in fp32: 1 where an image is in a group, a class of at least ``GROUP`` images, or else all images."""
    if labels is not None:
        of_class = F.one_hot(labels).T
        enough = of_class[of_class.sum(1) >= GROUP]
        if len(enough):
            return enough.to(images)
    return images.new_ones(1, len(images))


def _scatter(x: Tensor, groups: Tensor) -> Tensor:
    """[G]: sum over a group of |x - mean|^2.

    Not computed as sum |x|^2 - |sum x|^2 / n, whose rounding is as large as what is looked for.
    """
    means = groups @ x / groups.sum(1, keepdim=True)
    return groups @ (x - groups.T @ means).square().sum(1)
