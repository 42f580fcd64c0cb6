"""InfoGAN's loss."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from ganzoo.training import Step
from ganzoo_plugins.infogan import LossOptions, codes
from ganzoo_plugins.losses.losses import NonSaturating


class InfoGAN(NonSaturating):
    """Both networks raise the mutual information of codes and images: https://arxiv.org/abs/1606.03657, equation 6.

    Args:
        options: the weights.
    """

    def __init__(self, options: LossOptions) -> None:
        self.options = options

    def discriminator(self, step: Step) -> Tensor:
        """The non-saturating loss, less the bound of the information."""
        return super().discriminator(step) + self._information(step)

    def generator(self, step: Step) -> Tensor:
        """The same for the generator."""
        return super().generator(step) + self._information(step)

    def _information(self, step: Step) -> Tensor:
        """-E log Q(c|G(z)), the bound of equation 5 without what is constant.

        Q is categorical, and normal with variance 1 (``fix_std`` of the authors' code).
        """
        categorical, mean = step.fake.extras["categorical"], step.fake.extras["continuous"]
        categories, count = categorical.shape[1], mean.shape[1]
        read = cross_entropy(categorical, codes.category(step.z, categories))
        distance = (mean - codes.continuous(step.z, categories, count)).square().sum(1).mean() / 2
        step.log("loss_code", read)
        return self.options.categorical * read + self.options.continuous * distance
