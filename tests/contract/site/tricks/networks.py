"""Small networks, and what a network says of its own weights."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganzoo import ImageShape
from ganzoo.layers import Frozen
from ganzoo.training import Output, Step
from tricks import ClippedOptions, Options

CODES = 4
FEATURES = "58a90630d9a26c37a7c52327e7cf3775ab160d671b1c7b6f441915967f803524"


def layers(inside: int, width: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inside, width), nn.LeakyReLU(0.2), nn.Linear(width, outside))


class Generator(nn.Module):
    latent_dim = 8

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.shape = (shape.channels, shape.height, shape.width)
        self.layers = layers(self.latent_dim, options.width, shape.channels * shape.height * shape.width)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self.layers(z).unflatten(1, self.shape).tanh()


class Discriminator(nn.Module):
    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.layers = layers(shape.channels * shape.height * shape.width, options.width, 1)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.layers(images.flatten(1)).flatten()


class Clipped(Discriminator):
    """WGAN (Arjovsky et al., 2017, algorithm 1): weights in [-c, c] after each update."""

    def __init__(self, shape: ImageShape, options: ClippedOptions) -> None:
        super().__init__(shape, options)
        self.clip = options.clip

    def constrain(self) -> None:
        for weight in self.parameters():
            weight.clamp_(-self.clip, self.clip)


class Orthogonal(Generator):
    """BigGAN (Brock et al., 2019, equation 3): |W W^T o (1 - I)|^2."""

    def regularise(self, step: Step) -> Tensor:
        terms = []
        for weight in self.parameters():
            if weight.dim() == 2:
                products = weight.T @ weight
                terms.append((products - products.diag().diag()).square().sum())
        return torch.stack(terms).sum()


class PathLength(Generator):
    """StyleGAN2 (Karras et al., 2020, equation 4): (|J^T y| - a)^2, a the mean of past lengths."""

    mean: Tensor

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        self.register_buffer("mean", torch.zeros(()))

    def regularise(self, step: Step) -> Tensor:
        z = step.z.detach().requires_grad_(True)
        images = self(z, step.labels)
        noise = step.normal_like(images) / (images.shape[2] * images.shape[3]) ** 0.5
        (slope,) = torch.autograd.grad((images * noise).sum(), z, create_graph=True)
        lengths = slope.square().sum(1).sqrt()
        mean = self.mean.lerp(step.mean(lengths.detach()), 0.1)
        self.mean.copy_(mean)
        return (lengths - mean).square().mean()


class Truncated(Generator):
    """StyleGAN's truncation (Karras et al., 2019, B): styles are drawn towards their mean, which training tracks."""

    mean: Tensor

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        self.mapping = nn.Sequential(nn.Linear(self.latent_dim, self.latent_dim), nn.LeakyReLU(0.2))
        self.register_buffer("mean", torch.zeros(self.latent_dim))

    def forward(self, z: Tensor, labels: Tensor | None, truncation: Tensor | None = None) -> Tensor:
        style = self.mapping(z)
        if self.training:
            self.mean.lerp_(style.detach().to(self.mean).mean(0), 0.1)
        if truncation is not None:
            style = self.mean + truncation * (style - self.mean)
        return super().forward(style, labels)


class Coded(Generator):
    """InfoGAN (Chen et al., 2016): the largest of the first few latents is the code, unless one is chosen."""

    def forward(self, z: Tensor, labels: Tensor | None, code: Tensor | None = None) -> Tensor:
        chosen = one_hot(z[:, :CODES].argmax(1), CODES).to(z)
        if code is not None:
            codes = torch.arange(CODES, device=z.device)
            chosen = torch.where(code < 0, chosen, (codes == code.round()).to(z))
        return super().forward(torch.cat([chosen, z[:, CODES:]], 1), labels)


class Coder(nn.Module):
    """A discriminator whose second head says which code it sees."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.layers = layers(shape.channels * shape.height * shape.width, options.width, 1 + CODES)

    def forward(self, images: Tensor, labels: Tensor | None) -> Output:
        answer = self.layers(images.flatten(1))
        return Output(answer[:, 0], extras={"codes": answer[:, 1:]})


class Patches(Discriminator):
    """A score for each quarter of the image (Isola et al., 2017)."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        self.layers = nn.Sequential(nn.Conv2d(shape.channels, options.width, 4, 4), nn.LeakyReLU(0.2))
        self.head = nn.Conv2d(options.width, 1, 1)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.head(self.layers(images))


class Projected(Discriminator):
    """It looks at features of a network that somebody trained (Sauer et al., 2021)."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        self.features = Frozen(nn.Linear(64, 16), "tricks:features.safetensors", FEATURES)
        self.layers = layers(16, options.width, 1)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.layers(self.features(images.flatten(1))).flatten()


class Labelled(Generator):
    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        self.classes = nn.Embedding(shape.classes, self.latent_dim)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return super().forward(z + self.classes(labels), labels)


class Matcher(Discriminator):
    """How well image and label match."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__(shape, options)
        self.layers = layers(shape.channels * shape.height * shape.width, options.width, shape.classes)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.layers(images.flatten(1)).gather(1, labels[:, None]).flatten()
