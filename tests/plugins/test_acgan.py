"""The two losses of a discriminator that classifies, each against a loop written from its equation."""

from collections.abc import Mapping
from math import exp, log, sqrt
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from ganzoo.specs import ImageShape
from ganzoo.testing import PluginConformance
from ganzoo.training import Output, Step
from ganzoo_plugins.acgan import ACOptions, D2DOptions, Options
from ganzoo_plugins.acgan.losses import (
    AuxiliaryClassifier,
    DataToDataCrossEntropy,
    data_to_data_cross_entropy,
)
from ganzoo_plugins.acgan.networks import Discriminator

COUNT, CLASSES, LENGTH = 6, 3, 4
REAL, FAKE = torch.tensor([0, 1, 2, 1, 1, 0]), torch.tensor([2, 1, 0, 0, 1, 2])


class TestConformance(PluginConformance):
    plugin = "acgan"
    settings: ClassVar[Mapping[str, Any]] = {"options": {"width": 8}, "batch": 8}


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def step_of(real: Output, fake: Output) -> Step:
    """A step in which the discriminator answers so; the images say which of the two is asked."""
    return Step(
        real=lambda: torch.ones(COUNT, 1, 1, 1, dtype=torch.float64),
        fake=lambda: torch.zeros(COUNT, 1, 1, 1, dtype=torch.float64),
        z=torch.zeros(COUNT, 1, dtype=torch.float64),
        labels=REAL,
        fake_labels=FAKE,
        epsilon=torch.full((COUNT, 1, 1, 1), 0.5),
        discriminator=lambda images: real if images.sum() > 0 else fake,
        log=lambda name, value: None,
    )


def answer(seed: int) -> Output:
    extras = {"embedding": numbers(COUNT, LENGTH, seed=seed + 2), "proxy": numbers(COUNT, LENGTH, seed=seed + 3)}
    return Output(numbers(COUNT, seed=seed), class_logits=numbers(COUNT, CLASSES, seed=seed + 1), extras=extras)


def softplus(x: float) -> float:
    return log(1 + exp(x))


def classified(logits: Tensor, labels: Tensor) -> float:
    """Minus the mean logarithm of the probability of each image's class."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        total -= log(exp(row[label]) / sum(exp(x) for x in row))
    return total / len(labels)


def test_the_auxiliary_classifier() -> None:
    """-L_S - L_C and -L_C + L_S (equations 2 and 3): each batch by its own labels; the class has weights."""
    real, fake = answer(0), answer(10)
    step, loss = step_of(real, fake), AuxiliaryClassifier(ACOptions(discriminator=0.6, generator=0.1))
    assert real.class_logits is not None
    assert fake.class_logits is not None
    source = sum(softplus(-x) for x in real.logits.tolist()) + sum(softplus(x) for x in fake.logits.tolist())
    classes = classified(real.class_logits, REAL) + classified(fake.class_logits, FAKE)
    assert loss.discriminator(step).item() == pytest.approx(source / COUNT + 0.6 * classes, rel=1e-12)
    fooled = sum(softplus(-x) for x in fake.logits.tolist()) / COUNT
    assert loss.generator(step).item() == pytest.approx(fooled + 0.1 * classified(fake.class_logits, FAKE), rel=1e-12)


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def by_loop(embedding: Tensor, proxy: Tensor, labels: Tensor, margin: float, temperature: float) -> float:
    """ReACGAN's equation, image by image."""
    total = 0.0
    for i in range(len(labels)):
        own = exp(min(0.0, cosine(embedding[i].tolist(), proxy[i].tolist()) - margin) / temperature)
        others = 0.0
        for j in range(len(labels)):
            if labels[j] != labels[i]:
                likeness = cosine(embedding[i].tolist(), embedding[j].tolist())
                others += exp(max(0.0, likeness - (1 - margin)) / temperature)
        total -= log(own / (own + others))
    return total / len(labels)


@pytest.mark.parametrize(("margin", "temperature"), [(0.98, 0.5), (0.3, 0.1), (1.0, 1.0), (0.0, 2.0)])
def test_data_to_data_cross_entropy(margin: float, temperature: float) -> None:
    embedding, proxy = numbers(COUNT, LENGTH), numbers(COUNT, LENGTH, seed=1)
    found = data_to_data_cross_entropy(embedding, proxy, REAL, margin, temperature).item()
    assert found == pytest.approx(by_loop(embedding, proxy, REAL, margin, temperature), rel=1e-12)


def test_the_loss_of_reacgan() -> None:
    """Hinge, and lambda times the term: of real images for the discriminator, of generated ones for the generator."""
    real, fake = answer(0), answer(10)
    step, loss = step_of(real, fake), DataToDataCrossEntropy(D2DOptions(weight=0.7))
    hinge = sum(max(0.0, 1 - x) for x in real.logits.tolist()) + sum(max(0.0, 1 + x) for x in fake.logits.tolist())
    on_real, on_fake = (
        by_loop(each.extras["embedding"], each.extras["proxy"], labels, 0.98, 0.5)
        for each, labels in ((real, REAL), (fake, FAKE))
    )
    assert loss.discriminator(step).item() == pytest.approx(hinge / COUNT + 0.7 * on_real, rel=1e-12)
    assert loss.generator(step).item() == pytest.approx(-fake.logits.mean().item() + 0.7 * on_fake, rel=1e-12)


def test_lengths_do_not_matter_and_one_class_has_nothing_to_tell_apart() -> None:
    embedding, proxy = numbers(COUNT, LENGTH), numbers(COUNT, LENGTH, seed=1)
    one = data_to_data_cross_entropy(embedding, proxy, REAL, 0.98, 0.5)
    torch.testing.assert_close(data_to_data_cross_entropy(7 * embedding, proxy / 3, REAL, 0.98, 0.5), one)
    assert data_to_data_cross_entropy(embedding, proxy, torch.zeros_like(REAL), 0.98, 0.5) == 0


def test_what_is_near_enough_is_left_alone() -> None:
    """Embeddings on their proxies and at right angles to each other: past both margins, there is no gradient."""
    embedding = torch.eye(3, dtype=torch.float64, requires_grad=True)
    value = data_to_data_cross_entropy(embedding, embedding.detach(), torch.arange(3), 0.9, 0.5)
    assert value.item() == pytest.approx(log(3), rel=1e-12)  # e^0 / (e^0 + 2 e^0)
    (gradient,) = torch.autograd.grad(value, embedding)
    assert gradient.abs().max() == 0


def test_gradcheck() -> None:
    embedding, proxy = numbers(COUNT, LENGTH).requires_grad_(), numbers(COUNT, LENGTH, seed=1).requires_grad_()

    def reacgan(embedding: Tensor, proxy: Tensor) -> Tensor:
        return data_to_data_cross_entropy(embedding, proxy, REAL, 0.6, 0.5)

    def acgan(logits: Tensor, classes: Tensor) -> Tensor:
        step = step_of(Output(logits, class_logits=classes), Output(-logits, class_logits=classes.square()))
        loss = AuxiliaryClassifier(ACOptions())
        return loss.discriminator(step) + loss.generator(step)

    assert torch.autograd.gradcheck(reacgan, (embedding, proxy))
    assert torch.autograd.gradcheck(acgan, (numbers(COUNT).requires_grad_(), numbers(COUNT, CLASSES).requires_grad_()))


@pytest.mark.parametrize("embedding", [None, 5])
def test_a_class_has_the_classifiers_weights_for_a_proxy(embedding: int | None) -> None:
    """Class logits are the embedding's products with all proxies; labels decide nothing else."""
    shape = ImageShape(channels=1, height=8, width=8, classes=CLASSES)
    network = Discriminator(shape, Options(width=4, discriminator_norm="none", embedding=embedding))
    images = torch.randn(COUNT, 1, 8, 8)
    one, other = network(images, REAL), network(images, FAKE)
    assert torch.equal(one.logits, other.logits)
    assert torch.equal(one.class_logits, other.class_logits)
    products = (one.extras["embedding"] * one.extras["proxy"]).sum(1)
    torch.testing.assert_close(one.class_logits.gather(1, REAL[:, None]).flatten(), products)
    assert embedding is None or one.extras["embedding"].shape == (COUNT, embedding)


@pytest.mark.parametrize("wrong", [{"margin": 1.5}, {"temperature": 0.0}, {"weight": -1.0}])
def test_options_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="margin on"):
        D2DOptions(**wrong)


def test_weights_below_0() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        ACOptions(generator=-0.1)
