"""What a loss and a penalty see of one phase of a training step. Light: torch's types only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Output:
    """A discriminator's answer.

    Args:
        logits: [B], large for real, a critic's score; or [B, …], the scores of several critics or patches.
        class_logits: [B, classes], for losses with an auxiliary classifier.
        features: any shape, for losses that match features.
        extras: further heads by name, for losses that read them.
    """

    logits: "Tensor"
    class_logits: "Tensor | None" = None
    features: "Tensor | None" = None
    extras: "Mapping[str, Tensor]" = field(default_factory=dict)


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
        extras = {name: widen(head) for name, head in answer.extras.items()}
        return Output(_column(widen(answer.logits)), class_logits, features, extras)
    return Output(_column(widen(answer)))


def _column(logits: "Tensor") -> "Tensor":
    """[B, 1] and [B, 1, 1, 1] as [B], which broadcasts with other tensors as losses expect."""
    return logits.flatten() if logits.dim() > 1 and logits.numel() == len(logits) else logits


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
        """[B], or [B, …], in fp32."""
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

    @property
    def extras(self) -> "Mapping[str, Tensor]":
        """The discriminator's further heads by name, in fp32."""
        return self._output.extras


Distribution = Literal["normal", "uniform"]


class Step:
    """One phase: a batch of real images, as many fakes, and the discriminator.

    Losses, penalties and a network's ``regularise`` are pure functions of it: no backward, optimizer or ``.item()``, no
    random numbers but those that it gives, no memory but ``state``.

    Args:
        real: the real images, made when first read.
        fake: the generator's images, made when first read.
        z: [B, L], the fakes' latents.
        labels: [B] in int64, or None.
        epsilon: [B, 1, 1, 1], uniform on [0, 1), one per sample.
        discriminator: see ``Discriminator``.
        log: receives what ``log`` is called with.
        fake_labels: those that the fakes were drawn with; None: the real images'.
        labelled: labels -> the discriminator with these filled in; None: it takes none.
        generator: (latents, labels) -> images; None: it cannot be called.
        state: name -> each number that is remembered.
        remember: receives what ``remember`` is called with.
        progress: gives ``progress``; None: 0.
        draw: (distribution, like) -> random numbers of its shape; None: torch's own.
        mean: mean of [B, …] over the samples of the whole batch; None: of these samples.
        batch: what ``batch`` is; None: the length of z.
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
        fake_labels: "Tensor | None" = None,
        labelled: "Callable[[Tensor], Discriminator] | None" = None,
        generator: "Callable[[Tensor, Tensor | None], Tensor] | None" = None,
        state: "Mapping[str, Tensor] | None" = None,
        remember: "Callable[[str, Tensor], None] | None" = None,
        progress: "Callable[[], Tensor] | None" = None,
        draw: "Callable[[Distribution, Tensor], Tensor] | None" = None,
        mean: "Callable[[Tensor], Tensor] | None" = None,
        batch: int | None = None,
    ) -> None:
        others = fake_labels is not None and labelled is not None
        self.real = View(real, discriminator)
        self.fake = View(fake, labelled(fake_labels) if others else discriminator)  # type: ignore[misc, arg-type]
        self.z = z
        self.labels = labels
        self.fake_labels = labels if fake_labels is None else fake_labels
        self.epsilon = epsilon
        self.state = {} if state is None else state
        self.batch = len(z) if batch is None else batch
        self._discriminator = discriminator
        self._labelled = labelled
        self._generator = generator
        self._log = log
        self._remember = remember
        self._progress = progress
        self._draw = draw
        self._mean = mean

    @property
    def progress(self) -> "Tensor":
        """Share of the run that is over, [] in [0, 1]; a run that reads it cannot be resumed with more steps."""
        return self.z.new_zeros(()) if self._progress is None else self._progress()

    def score(self, images: "Tensor", labels: "Tensor | None" = None) -> Output:
        """The discriminator's answer to other images [B, C, H, W], with the real images' labels or others [B].

        Raises:
            TypeError: labels are given, and the discriminator takes none.
        """
        if labels is None:
            return self._discriminator(images)
        if self._labelled is None:
            raise TypeError("step.score was given labels, and this discriminator takes none")
        return self._labelled(labels)(images)

    def generate(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """The generator's images [B, C, H, W] of other latents [B, L], with the fakes' labels unless others are given.

        They have their graph in the generator's phase alone, and are as the generator makes them: not augmented.

        Raises:
            TypeError: there is no generator here.
        """
        if self._generator is None:
            raise TypeError("step.generate was called, and this step has no generator")
        return self._generator(z, self.fake_labels if labels is None else labels)

    def normal_like(self, x: "Tensor") -> "Tensor":
        """Numbers from N(0, 1) in the shape of ``x`` [B, …]: a function of seed, step, phase and number of the call."""
        return x.detach().new_empty(x.shape).normal_() if self._draw is None else self._draw("normal", x)

    def uniform_like(self, x: "Tensor") -> "Tensor":
        """Numbers uniform on [0, 1), as ``normal_like`` gives normal ones."""
        return x.detach().new_empty(x.shape).uniform_() if self._draw is None else self._draw("uniform", x)

    def mean(self, x: "Tensor") -> "Tensor":
        """The mean [...] of x [B, …] over the samples of the whole batch, on all ranks: differentiable, also twice."""
        return x.mean(0) if self._mean is None else self._mean(x)

    def remember(self, name: str, value: "Tensor") -> None:
        """Make the mean of ``value``, over all ranks and parts, what ``state[name]`` is from the next phase on.

        Raises:
            TypeError: no state of this name was declared, or it is no tensor.
        """
        if name not in self.state:
            declared = ", ".join(self.state) or "none"
            raise TypeError(f"step.remember({name!r}) without a declaration in state={{…}}; declared: {declared}")
        if self._remember is not None:
            self._remember(name, _scalar(value, f"step.remember({name!r}, …)"))

    def log(self, name: str, value: "Tensor") -> None:
        """Log the mean of ``value`` as ``name``; it is read only for a log line, so it costs no synchronisation."""
        self._log(name, _scalar(value, f"step.log({name!r}, …)"))


def _scalar(value: "Tensor", who: str) -> "Tensor":
    """The mean of a tensor of any type, without its graph: [] in floats; of booleans, the share that is true.

    Raises:
        TypeError: it is no tensor.
    """
    if not hasattr(value, "detach"):
        raise TypeError(f"{who} is given a {type(value).__name__}, not a tensor")
    value = value.detach()
    value = value if value.is_floating_point() else value.float()
    return value.mean() if value.dim() else value
