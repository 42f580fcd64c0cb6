"""The figures against the libraries that people compute them with, on equal features, in float64."""

from typing import Any

import numpy as np
import prdc
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.image.mifid import MemorizationInformedFrechetInceptionDistance

from ganzoo.evaluation import counting, figures

Features = NDArray[np.float64]
Pair = tuple[Features, Features]

# torchmetrics says that it keeps all features, which a user of its metrics may not expect.
pytestmark = pytest.mark.filterwarnings("ignore:Metric `.*` will save all extracted features:UserWarning")


def near(wanted: float) -> Any:
    return pytest.approx(wanted, rel=1e-6, abs=1e-12)


class Given(nn.Module):
    """An "Inception" whose features are its input."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.num_features = dimensions

    def forward(self, features: Tensor) -> Tensor:
        return features


def compute(metric: Any, real: Features, fake: Features) -> float:
    """In float64: torchmetrics answers in the type of the features."""
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(fake), real=False)
    answer = metric.compute()
    value = answer[0] if isinstance(answer, tuple) else answer
    assert value.dtype == torch.float64
    return float(value)


def moments(features: Features) -> figures.Moments:
    gathered = figures.Moments()
    for batch in np.array_split(features, 7):
        gathered.add(batch)
    return gathered


def distance(real: Features, fake: Features) -> float:
    return figures.frechet_distance(moments(real), moments(fake))


def test_frechet_distance(pair: Pair) -> None:
    real, fake = pair
    wanted = compute(FrechetInceptionDistance(feature=Given(real.shape[1])), real, fake)
    assert distance(real, fake) == near(wanted)
    assert wanted > 1e-3


def test_frechet_distance_to_the_last_digits(pair: Pair) -> None:
    """tr (S_a S_b)^(1/2) is the sum of the singular values of A B^T, centred data over the roots of n - 1."""
    real, fake = ((features - features.mean(axis=0)) / np.sqrt(len(features) - 1) for features in pair)
    trace = np.square(real).sum() + np.square(fake).sum() - 2 * np.linalg.svd(real @ fake.T, compute_uv=False).sum()
    wanted = np.square(pair[0].mean(axis=0) - pair[1].mean(axis=0)).sum() + trace
    assert distance(*pair) == pytest.approx(wanted, rel=1e-9)


def test_kernel_distance(pair: Pair) -> None:
    real, fake = pair
    metric = KernelInceptionDistance(feature=Given(real.shape[1]), subsets=1, subset_size=len(real))
    assert figures.kernel_distance(real, fake) == near(compute(metric, real, fake))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_density_coverage(pair: Pair, k: int, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = prdc.compute_prdc(*pair, nearest_k=k)
    assert figures.prdc(*pair, k) == {name: near(float(value)) for name, value in wanted.items()}
    capsys.readouterr()  # prdc prints


def test_precision_recall_density_coverage_of_points_on_the_rim() -> None:
    """On a small grid nearly every distance is some radius, and many points coincide."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        real, fake = (random.integers(4, size=(n, 3)).astype(np.float64) for n in (40, 30))
        wanted = prdc.compute_prdc(real, fake, nearest_k=4)
        assert figures.prdc(real, fake, 4) == {name: near(float(value)) for name, value in wanted.items()}


def test_memorisation_informed_distance(pair: Pair) -> None:
    """torchmetrics looks for the generated image nearest to each real one: the roles are exchanged."""
    train, fake = pair
    for copies in (0, len(fake) // 2, len(fake) - 1):
        partly = np.concatenate([train[:copies], fake[copies:]])
        metric = MemorizationInformedFrechetInceptionDistance(feature=Given(train.shape[1]))
        wanted = compute(metric, partly, train)
        assert figures.mifid(distance(train, partly), partly, train) == near(wanted)


@pytest.mark.filterwarnings("ignore:std:UserWarning")  # it also takes the deviation over splits, of which there is one
@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_inception_score(pair: Pair, scale: float) -> None:
    logits = scale * pair[0]
    metric = InceptionScore(feature=Given(logits.shape[1]), splits=1)
    metric.update(torch.from_numpy(logits))
    tally = counting.Tally()
    for batch in np.array_split(logits, 5):
        tally.add(batch)
    assert tally.inception_score == near(float(metric.compute()[0]))
