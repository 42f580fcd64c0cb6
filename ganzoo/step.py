"""What a loss and a penalty see of one phase of a training step. Light: torch's types only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Output:
    """A discriminator's answer.

    Args:
        logits: [B], large for real; a critic's score.
        class_logits: [B, classes], for losses with an auxiliary classifier.
        features: any shape, for losses that match features.
    """

    logits: "Tensor"
    class_logits: "Tensor | None" = None
    features: "Tensor | None" = None


Discriminator = Callable[["Tensor"], Output]
"""The discriminator with the batch's labels filled in; what it returns is in fp32 (or float64) whatever it ran in."""


def widen(x: "Tensor") -> "Tensor":
    """Half precision to fp32; wider types stay, so that the mathematics can be checked in float64."""
    return x.float() if x.is_floating_point() and x.element_size() < 4 else x


def as_output(answer: "Tensor | Output") -> Output:
    """A discriminator's answer, whichever of the two forms it has, in fp32 (or float64)."""
    if isinstance(answer, Output):
        heads = (answer.class_logits, answer.features)
        class_logits, features = (None if head is None else widen(head) for head in heads)
        return Output(widen(answer.logits), class_logits, features)
    return Output(widen(answer))


class View:
    """Images [B, C, H, W], and what the discriminator says of them; both are computed once, when they are first read.

    ``functools.cached_property`` would not do: torch.compile cannot trace its lock (Python 3.11).
    """

    def __init__(self, images: "Callable[[], Tensor]", discriminator: Discriminator) -> None:
        self._make = images
        self._discriminator = discriminator
        self._images: Tensor | None = None
        self._answer: Output | None = None

    @property
    def images(self) -> "Tensor":
        """The images, nominally in [-1, 1]."""
        if self._images is None:
            self._images = self._make()
        return self._images

    @property
    def _output(self) -> Output:
        if self._answer is None:
            self._answer = self._discriminator(self.images)
        return self._answer

    def track(self) -> "Tensor":
        """Make the images a leaf of the graph, for the gradient with respect to them; call it before any reading."""
        self._images = self.images.detach().requires_grad_(True)
        return self._images

    @property
    def logits(self) -> "Tensor":
        """[B] in fp32."""
        return self._output.logits

    @property
    def class_logits(self) -> "Tensor":
        """[B, classes] in fp32.

        Raises:
            TypeError: the discriminator returns none.
        """
        if self._output.class_logits is None:
            raise TypeError("the loss reads class_logits, which this discriminator does not return")
        return self._output.class_logits

    @property
    def features(self) -> "Tensor":
        """The discriminator's features, in fp32.

        Raises:
            TypeError: the discriminator returns none.
        """
        if self._output.features is None:
            raise TypeError("the loss reads features, which this discriminator does not return")
        return self._output.features


class Step:
    """One phase: a batch of real images, as many fakes drawn with the same labels, and the discriminator.

    Losses and penalties are pure functions of it: no backward, no optimizer, no ``.item()``, no random draws.

    Args:
        real: the real images, made when first read.
        fake: the generator's images, made when first read.
        z: [B, L], the fakes' latents.
        labels: [B] in int64, or None.
        epsilon: [B, 1, 1, 1], uniform on [0, 1), one per sample.
        discriminator: see ``Discriminator``.
        log: receives what ``log`` is called with.
    """

    def __init__(
        self,
        *,
        real: "Callable[[], Tensor]",
        fake: "Callable[[], Tensor]",
        z: "Tensor",
        labels: "Tensor | None",
        epsilon: "Tensor",
        discriminator: Discriminator,
        log: "Callable[[str, Tensor], None]",
    ) -> None:
        self.real = View(real, discriminator)
        self.fake = View(fake, discriminator)
        self.z = z
        self.labels = labels
        self.epsilon = epsilon
        self.score = discriminator
        self._log = log

    def log(self, name: str, value: "Tensor") -> None:
        """Log the mean of ``value`` as ``name``; it is read only for a log line, so it costs no synchronisation."""
        value = value.detach()
        self._log(name, value.mean() if value.dim() else value)
