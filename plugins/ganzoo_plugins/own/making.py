"""Makes the extractor: one network, one training on one thread, half a minute for images of 32 pixels."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ganzoo.data import ImageSet
from ganzoo.evaluation import CLASSES
from ganzoo.exporting.extractor import write_extractor
from ganzoo_plugins.own import RECIPE

SEED, STEPS, BATCH, RATE, DECAY = 0, 600, 64, 3e-3, 1e-2
TEMPERATURE = 0.2
"""Temperature of the similarities (Chen et al., 2020, take 0.1 to 0.5)."""

WIDTHS = (16, 32, 64)
EMBEDDING = 64
LARGEST = 32
"""Most pixels of a map's side: of larger images, the first convolution has a stride, so that all cost the same."""

SCALED_BY = 2048
"""Most training images by which the features are scaled."""

METADATA_KEY = "ganzoo.extractor"


class Network(nn.Module):
    """uint8 [N, C, H, W] -> features [N, 176], each at least 0, and logits [N, classes] where there are classes.

    The features are the embedding, which knows what is shown, and the means of all maps, which know how: noise, blur
    and colour. Each of both kinds has a total variance of 1 over the training images.
    """

    scale: Tensor

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        stride = max(1, size // LARGEST)
        side = size // stride
        blocks = []
        for width in WIDTHS:
            convolution = nn.Conv2d(channels, width, stride + 2, stride=stride, padding=1, bias=False)
            blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU()))
            channels, stride, side = width, 1, -(-side // 2)
        self.blocks = nn.ModuleList(blocks)
        self.embed = nn.Sequential(nn.Flatten(), nn.Linear(channels * side**2, EMBEDDING), nn.ReLU())
        self.head = nn.Linear(EMBEDDING, classes) if classes else None
        self.register_buffer("scale", torch.ones(2))

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding [N, 64] and the means of all maps [N, 112] of images on [-1, 1]."""
        means = []
        for block in self.blocks:
            images = block(images)
            means.append(images.mean((2, 3)))
            images = F.max_pool2d(images, 2, ceil_mode=True)
        return self.embed(images), torch.cat(means, 1)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Features, and logits where there are classes."""
        embedding, means = self.maps(images.float() / 127.5 - 1)
        features = torch.cat([embedding * self.scale[0], means * self.scale[1]], 1)
        return features if self.head is None else (features, self.head(embedding))


def write(path: Path, images: ImageSet) -> None:
    """Train on ``images`` and write the extractor; the same images give the same bytes on the same machine."""
    shape = images.shape
    made = {"recipe": RECIPE, "seed": SEED, "data": images.digest, "torch": torch.__version__}
    about = {METADATA_KEY: json.dumps(made)}
    if images.class_names:
        about[CLASSES] = json.dumps(images.class_names)
    write_extractor(train(images), path, (shape.channels, shape.height, shape.width), about=about)


def train(images: ImageSet) -> Network:
    """Fit the network: AdamW, one cycle of the learning rate.

    Of each batch two views of each image are compared: z_i and z_i' of one image are to be more alike than z_i and all
    others, -log softmax(cos(z_i, .) / T)[i']. Where there are labels, the cross-entropy is added.
    """
    with _repeatable():
        network = Network(images.shape.channels, images.shape.height, len(images.class_names))
        project = nn.Linear(EMBEDDING, EMBEDDING)
        optimizer = torch.optim.AdamW([*network.parameters(), *project.parameters()], weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
        for rows in _batches(len(images)):
            pixels = _normal(images.pixels[rows])
            embedding, _ = network.maps(torch.cat([view(pixels), view(pixels)]))
            loss = instance_loss(project(embedding))
            if network.head is not None and images.labels is not None:
                labels = torch.from_numpy(images.labels[rows])
                loss = loss + F.cross_entropy(network.head(embedding), labels.repeat(2))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        _scale(network.eval(), images)
    return network


def view(images: Tensor) -> Tensor:
    """Each image moved by whole pixels, at most an eighth of its side, and with a square of half its side hidden.

    Nothing is resampled or recoloured, because what is made alike here cannot be told apart later.
    """
    size, most = images.shape[-1], max(1, images.shape[-1] // 8)
    count = len(images)
    padded = F.pad(images, (most,) * 4, mode="replicate")
    rows, columns = torch.randint(2 * most + 1, (2, count, 1)) + torch.arange(size)
    moved = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
    across, down = ((torch.arange(size) - torch.randint(size, (count, 1))).abs() <= size // 4 for _ in range(2))
    return torch.where((down[:, :, None] & across[:, None, :])[:, None], 0.0, moved)


def instance_loss(projected: Tensor) -> Tensor:
    """The loss NT-Xent of rows i and i + B, which belong together (Chen et al., 2020, equation 1)."""
    count = len(projected) // 2
    unit = F.normalize(projected, dim=1)
    alike = (unit @ unit.T / TEMPERATURE).masked_fill(torch.eye(2 * count, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(alike, torch.arange(2 * count).roll(count))


def _batches(count: int) -> Iterator[NDArray[np.int64]]:
    """``STEPS`` batches of different rows; each row comes once before any comes again, but for the rest of a round."""
    size, left = min(BATCH, count), torch.zeros(0, dtype=torch.long)
    for _ in range(STEPS):
        if len(left) < size:
            left = torch.randperm(count)
        yield left[:size].numpy()
        left = left[size:]


@torch.no_grad()
def _scale(network: Network, images: ImageSet) -> None:
    pixels = images.pixels[np.linspace(0, len(images) - 1, min(SCALED_BY, len(images))).astype(int)]
    parts = [network.maps(_normal(pixels[first : first + BATCH])) for first in range(0, len(pixels), BATCH)]
    for index, kind in enumerate(zip(*parts, strict=True)):
        network.scale[index] = torch.cat(kind).var(0, correction=0).sum().clamp_min(1e-12).rsqrt()


def _normal(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).float() / 127.5 - 1


@contextmanager
def _repeatable() -> Iterator[None]:
    """Seeded, with gradients, and on one thread, since sums of several are not repeatable; as it was afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(SEED)
            yield
    finally:
        torch.set_num_threads(threads)
