"""The figures of quality that are computed from counts of predicted classes and of known modes."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganzoo.errors import UsageError
from ganzoo.evaluation.checks import Float, require_same_width, rows_of, whole_numbers


class Tally:
    """Sums over what a classifier says of images, which arrive in batches.

    Attributes:
        n: images so far.
    """

    def __init__(self) -> None:
        self.n = 0
        self._chances: Float = np.zeros(0)  # sums over images, by class
        self._votes = np.zeros(0, np.int64)
        self._negentropy = 0.0  # sum over images and classes of p log p
        self._labelled = self._right = 0

    def add(self, logits: ArrayLike, labels: NDArray[np.int64] | None = None) -> None:
        """Take in logits [m, K], and the labels [m] that the images should have, if there are any.

        Raises:
            UsageError: logits are not finite numbers of at least 2 classes, as before, or a label is out of range.
        """
        logits = rows_of(logits, "logits")
        classes = logits.shape[1]
        if classes < 2:
            raise UsageError("logits of 1 class say nothing", hint="choose an extractor that tells classes apart")
        if not self.n:
            self._chances, self._votes = np.zeros(classes), np.zeros(classes, np.int64)
        require_same_width(len(self._votes), classes, "logits")
        votes = logits.argmax(axis=1)
        if labels is not None:
            self._right += int((votes == whole_numbers(labels, len(logits), 0, classes, "labels")).sum())
            self._labelled += len(logits)
        logs = logits - logits.max(axis=1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        chances = np.exp(logs)
        self._negentropy += float((chances * logs).sum())
        self._chances += chances.sum(axis=0)
        self._votes += np.bincount(votes, minlength=classes)
        self.n += len(logits)

    @property
    def inception_score(self) -> float:
        """exp of the mean KL divergence of p(class | image) from p(class), 1 to K, over all images at once.

        After Salimans et al. (2016), who take ten splits; it has this name whatever the classifier is.
        """
        divergence = self._negentropy / self._counted + _entropy(self._chances)
        return float(np.clip(np.exp(divergence), 1, len(self._chances)))  # by rounding it may be without

    @property
    def class_entropy(self) -> float:
        """Entropy in nats of how often each class is the likeliest, 0 to log K."""
        return _entropy(self._votes / self._counted)

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled images whose likeliest class is the label; None without labels."""
        return self._right / self._labelled if self._labelled else None

    @property
    def _counted(self) -> int:
        if not self.n:
            raise UsageError("no image was classified", hint="add logits first")
        return self.n


def mode_figures(assigned: ArrayLike, count: int) -> dict[str, float]:
    """Figures for data whose modes are all known, and equally frequent (Srivastava et al., 2017, among others).

    Args:
        assigned: int64 [N], the mode of each sample, -1 for a sample that belongs to none.
        count: how many modes there are.

    Returns:
        ``modes``, how many have a sample; ``good``, the share of samples that belong to one; and, if there is any such
        sample, ``reverse_kl``, the divergence in nats of the modes' frequencies from equal ones, 0 to log ``count``.

    Raises:
        UsageError: no samples, or a mode out of range.
    """
    modes = whole_numbers(assigned, None, -1, count, "modes")
    samples = np.bincount(modes[modes >= 0], minlength=count)
    figures = {"modes": float((samples > 0).sum()), "good": float((modes >= 0).mean())}
    if samples.any():
        figures["reverse_kl"] = math.log(count) - _entropy(samples)
    return figures


def _entropy(weights: NDArray[Any]) -> float:
    """Entropy in nats, 0 to log K, of a distribution that is proportional to ``weights`` [K]."""
    shares = weights[weights > 0] / weights.sum()
    return min(max(float((shares * -np.log(shares)).sum()), 0.0), math.log(len(weights)))  # by rounding it is without
