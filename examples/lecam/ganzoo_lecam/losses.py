"""The hinge loss with the LeCam distance, whose anchors are the state of the training."""

from torch.nn.functional import relu


class LeCam:
    def __init__(self, options):
        self.options = options

    def discriminator(self, step):
        for name, view in (("real", step.real), ("fake", step.fake)):
            step.remember(name, step.state[name].lerp(view.logits.detach().mean(), 1 - self.options.decay))
        real, fake = step.real.logits, step.fake.logits
        distance = (real - step.state["fake"]).square().mean() + (fake - step.state["real"]).square().mean()
        return relu(1 - real).mean() + relu(1 + fake).mean() + self.options.weight * distance

    def generator(self, step):
        return -step.fake.logits.mean()
