"""Makes ``extractor.onnx``: ``python -m ganzoo_plugins.digits.make_extractor`` (ten seconds).

It holds a small classifier of digits, trained on the training part alone; nothing was chosen by the held-out part.
Another torch or another CPU makes another file, as good as this one, but with figures that cannot be compared: so the
file is kept, and this script says where it is from.
"""

import json
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.data import ImageSet
from ganzoo.evaluation import FeatureExtractor
from ganzoo.exporting.extractor import write_extractor
from ganzoo_plugins.digits.reader import held_out, training

VERSION = 1
"""Version of this script; it rises with each change that changes the file."""

SEED, EPOCHS, BATCH, RATE = 0, 30, 64, 3e-3
FILE = Path(__file__).with_name("extractor.onnx")
METADATA_KEY = "ganzoo.extractor"


class Classifier(nn.Module):
    """uint8 [N, 1, 8, 8] -> features [N, 64], each at least 0, and logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *self._convolution(1, 16, stride=1),
            *self._convolution(16, 32, stride=2),
            *self._convolution(32, 64, stride=1),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 2 * 2, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    @staticmethod
    def _convolution(channels: int, width: int, stride: int) -> tuple[nn.Module, ...]:
        convolution = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        return convolution, nn.BatchNorm2d(width), nn.ReLU()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits."""
        features = self.body(images.float() / 127.5 - 1)
        return features, self.head(features)


def train(images: ImageSet) -> Classifier:
    """Fit a classifier: cross-entropy, AdamW, one cycle of the learning rate, shifts by up to a pixel."""
    pixels, labels = torch.from_numpy(images.pixels), torch.from_numpy(np.asarray(images.labels))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = Classifier()
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
        batches = len(pixels) // BATCH
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * batches)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(pixels))[: batches * BATCH].view(batches, BATCH):
                _, logits = network(_shifted(pixels[rows]))
                optimizer.zero_grad()
                torch.autograd.backward(F.cross_entropy(logits, labels[rows]))
                optimizer.step()
                schedule.step()
    return network.eval()


def _shifted(images: Tensor) -> Tensor:
    """Each image moved by -1, 0 or 1 pixels in both directions; the pixels that come in are background."""
    padded = F.pad(images, (1, 1, 1, 1))
    starts = torch.randint(3, (2, len(images), 1))
    rows, columns = starts + torch.arange(images.shape[-1])
    return padded[torch.arange(len(images))[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def main() -> None:
    """Train, write the file, and say how good it is."""
    torch.set_num_threads(1)  # sums of several threads are not repeatable
    images = training()
    about = {
        "script": __spec__.name,
        "version": VERSION,
        "seed": SEED,
        "epochs": EPOCHS,
        "data": images.digest,
        "torch": torch.__version__,
    }
    sha256 = write_extractor(train(images), FILE, (1, 8, 8), about={METADATA_KEY: json.dumps(about)})
    judged = held_out()
    _, logits = FeatureExtractor(FILE.read_bytes(), FILE.name, device="cpu")(judged.pixels)
    right = np.asarray(logits).argmax(axis=1) == judged.labels
    click.echo(f"accuracy on {len(judged)} held-out digits: {right.mean():.4f}")
    click.echo(f"sha256 of {FILE.name}: {sha256} ({FILE.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
