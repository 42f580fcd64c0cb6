"""The two losses of a discriminator that classifies."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from ganzoo.training import Step, View
from ganzoo_plugins.acgan import ACOptions, D2DOptions
from ganzoo_plugins.losses.losses import Hinge, NonSaturating


class AuxiliaryClassifier(NonSaturating):
    """The source S and the class C of an image: https://arxiv.org/abs/1610.09585, equations 2 and 3.

    Args:
        options: weights of the class.
    """

    def __init__(self, options: ACOptions) -> None:
        self.options = options

    def discriminator(self, step: Step) -> Tensor:
        """-L_S - L_C, with the class of real and of generated images."""
        real = cross_entropy(step.real.class_logits, step.labels)  # type: ignore[arg-type]
        step.log("loss_classes", real)
        return super().discriminator(step) + self.options.discriminator * (real + self._generated(step))

    def generator(self, step: Step) -> Tensor:
        """-L_C + L_S, the latter non-saturating."""
        return super().generator(step) + self.options.generator * self._generated(step)

    def _generated(self, step: Step) -> Tensor:
        return cross_entropy(step.fake.class_logits, step.fake_labels)  # type: ignore[arg-type]


class DataToDataCrossEntropy(Hinge):
    """Images of other classes stand where a softmax has the other classes: https://arxiv.org/abs/2111.01118.

    Args:
        options: weight, margin and temperature.
    """

    def __init__(self, options: D2DOptions) -> None:
        self.options = options

    def discriminator(self, step: Step) -> Tensor:
        """The hinge loss and the term of real images."""
        classes = self._classes(step.real, step.labels)
        step.log("loss_classes", classes)
        return super().discriminator(step) + self.options.weight * classes

    def generator(self, step: Step) -> Tensor:
        """The hinge loss and the term of generated images."""
        return super().generator(step) + self.options.weight * self._classes(step.fake, step.fake_labels)

    def _classes(self, view: View, labels: Tensor | None) -> Tensor:
        embedding, proxy = view.extras["embedding"], view.extras["proxy"]
        margin, temperature = self.options.margin, self.options.temperature
        return data_to_data_cross_entropy(embedding, proxy, labels, margin, temperature)  # type: ignore[arg-type]


def data_to_data_cross_entropy(
    embedding: Tensor, proxy: Tensor, labels: Tensor, margin: float, temperature: float
) -> Tensor:
    """Mean of -log(e^a / (e^a + sum of e^r over images of other classes)): Kang et al., 2021, equation 7.

    a = min(0, f.v - m) / t of an image's embedding f and its class's proxy v, and r = max(0, f.g - (1 - m)) / t of
    two embeddings, all of length 1. (The authors' code subtracts the largest r from all r, and not from a, against
    overflow, which is another function; cosines over t overflow nowhere.)

    Args:
        embedding, proxy: [B, E].
        labels: int64 [B].
    """
    f, v = normalize(embedding, dim=1), normalize(proxy, dim=1)
    attraction = ((f * v).sum(1) - margin).clamp(max=0) / temperature
    repulsion = (f @ f.T - (1 - margin)).clamp(min=0) / temperature
    repulsion = repulsion.masked_fill(labels[:, None] == labels, -torch.inf)
    return (torch.cat([attraction[:, None], repulsion], 1).logsumexp(1) - attraction).mean()
