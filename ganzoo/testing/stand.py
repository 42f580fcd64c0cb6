"""A stand for parts of a model: the smallest networks that train, with every answer that a discriminator may give.

Losses, penalties and augmentations are tried on them, so that a check of one does not depend on the networks of another
plugin.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from ganzoo.specs import Architecture, ImageShape, Loss, Model
from ganzoo.step import Output, Step
from ganzoo.training.precision import in_fp32
from ganzoo.zoo.installed import API, Plugin, State

WIDTH = 16


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the stand.

    Args:
        latent_dim: length of z.
    """

    latent_dim: int = 8


class Generator(nn.Module):
    """A perceptron of z and the label."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        self.labels = nn.Embedding(shape.classes, options.latent_dim)
        pixels = shape.channels * shape.height * shape.width
        self.layers = nn.Sequential(
            nn.Linear(options.latent_dim, WIDTH), nn.ReLU(), nn.Linear(WIDTH, pixels), nn.Tanh()
        )
        self.unflatten = nn.Unflatten(1, (shape.channels, shape.height, shape.width))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """z [B, L] and labels [B] -> images [B, C, H, W]."""
        images: Tensor = self.unflatten(self.layers(z + self.labels(labels)))
        return images


class Discriminator(nn.Module):
    """A perceptron with three heads; LeakyReLU lets each parameter have a gradient."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        pixels = shape.channels * shape.height * shape.width
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(pixels, WIDTH), nn.LeakyReLU(0.2))
        self.logit, self.classes = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, shape.classes)

    def forward(self, images: Tensor, labels: Tensor) -> Output:
        """Images [B, C, H, W] -> a logit and class logits of each, and the features that both come from."""
        features = self.layers(images)
        return Output(in_fp32(self.logit, features).flatten(), in_fp32(self.classes, features), features)


class NonSaturating:
    """Softplus of the logits (Goodfellow et al., 2014, section 3), for parts that come with no loss."""

    def discriminator(self, step: Step) -> Tensor:
        """-log D(x) - log(1 - D(G(z)))."""
        return nn.functional.softplus(-step.real.logits).mean() + nn.functional.softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        """-log D(G(z))."""
        return nn.functional.softplus(-step.fake.logits).mean()


NAME = "kit.stand"
"""With a dot, which no plugin can have in a name."""

HEADS = {"class_logits", "features"}
"""What its discriminator gives beside logits."""

PLUGIN = Plugin(
    name=NAME,
    distribution="ganzoo-testing",
    version="0",
    location="",
    target=__name__,
    api=API,
    state=State.ACTIVE,
    specs=(
        Architecture(
            name=NAME,
            generator=f"{__name__}:Generator",
            discriminator=f"{__name__}:Discriminator",
            options=Options,
            resolutions=(8,),
            conditional=True,
        ),
        Loss(name=NAME, target=f"{__name__}:NonSaturating"),
        Model(name=NAME, architecture=NAME, loss=NAME),
    ),
)
"""The stand as a plugin that is loaded; it is not installed, so no command lists it."""
