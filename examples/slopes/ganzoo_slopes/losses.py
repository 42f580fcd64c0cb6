"""Relativistic pairing (Jolicoeur-Martineau, 2019) with R1 and R2 (Mescheder et al., 2018) by finite differences."""

from torch.nn.functional import softplus


class Relativistic:
    def __init__(self, options):
        self.options = options

    def discriminator(self, step):
        slopes = self.squared_slope(step, step.real) + self.squared_slope(step, step.fake)
        return softplus(step.fake.logits - step.real.logits).mean() + self.options.gamma / 2 * slopes

    def generator(self, step):
        return softplus(step.real.logits - step.fake.logits).mean()

    def squared_slope(self, step, view):
        """E |D(x + s u) - D(x)|^2 / s^2 = |grad D(x)|^2 + O(s^2) for u of N(0, I) (Lin et al., 2025)."""
        near = view.images + self.options.sigma * step.normal_like(view.images)
        return ((step.score(near).logits - view.logits) / self.options.sigma).square().mean()
