"""Least absolute deviations."""


class Absolute:
    """Targets 1 for real images and -1 for fakes."""

    def discriminator(self, step):
        """|D(x) - 1| + |D(G(z)) + 1|."""
        return (step.real.logits - 1).abs().mean() + (step.fake.logits + 1).abs().mean()

    def generator(self, step):
        """|D(G(z)) - 1|."""
        return (step.fake.logits - 1).abs().mean()
