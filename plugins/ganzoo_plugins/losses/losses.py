"""Each loss as two functions of the step. ``softplus(x) = log(1 + exp(x))``, so ``softplus(-x) = -log sigmoid(x)``."""

from torch import Tensor
from torch.nn.functional import relu, softplus

from ganzoo.training import Step


class NonSaturating:
    """The generator maximises log D(G(z)): https://arxiv.org/abs/1406.2661, section 3."""

    def discriminator(self, step: Step) -> Tensor:
        """-log D(x) - log(1 - D(G(z)))."""
        return softplus(-step.real.logits).mean() + softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        """-log D(G(z))."""
        return softplus(-step.fake.logits).mean()


class Minimax(NonSaturating):
    """The two-player value function itself: https://arxiv.org/abs/1406.2661, equation 1."""

    def generator(self, step: Step) -> Tensor:
        """log(1 - D(G(z))), which is flat where the discriminator is sure."""
        return -softplus(step.fake.logits).mean()


class LeastSquares:
    """Targets 0, 1 and 1: https://arxiv.org/abs/1611.04076, equation 9."""

    def discriminator(self, step: Step) -> Tensor:
        """(D(x) - 1)^2 / 2 + D(G(z))^2 / 2."""
        return ((step.real.logits - 1).square().mean() + step.fake.logits.square().mean()) / 2

    def generator(self, step: Step) -> Tensor:
        """(D(G(z)) - 1)^2 / 2."""
        return (step.fake.logits - 1).square().mean() / 2


class Wasserstein:
    """The Kantorovich-Rubinstein dual: https://arxiv.org/abs/1701.07875, equation 2."""

    def discriminator(self, step: Step) -> Tensor:
        """D(G(z)) - D(x); its negative estimates the distance."""
        return step.fake.logits.mean() - step.real.logits.mean()

    def generator(self, step: Step) -> Tensor:
        """-D(G(z))."""
        return -step.fake.logits.mean()


class Hinge:
    """https://arxiv.org/abs/1705.02894; in the form of https://arxiv.org/abs/1802.05957, equations 17 and 18."""

    def discriminator(self, step: Step) -> Tensor:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z)))."""
        return relu(1 - step.real.logits).mean() + relu(1 + step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        """-D(G(z))."""
        return -step.fake.logits.mean()


class RelativisticPairing:
    """Each fake is compared with one real image: https://arxiv.org/abs/2501.05441, equation 2."""

    def discriminator(self, step: Step) -> Tensor:
        """softplus(D(G(z)) - D(x))."""
        return softplus(step.fake.logits - step.real.logits).mean()

    def generator(self, step: Step) -> Tensor:
        """softplus(D(x) - D(G(z)))."""
        return softplus(step.real.logits - step.fake.logits).mean()
