"""Exported files in the ONNX Runtimes that docs/serving.md promises them to: `tox -e old-runtimes`.

``$OLD_RUNTIMES`` has a folder a version, with the wheel and what it needs.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganzoo.exporting.convert import to_onnx
from ganzoo.exporting.reference import reference
from ganzoo.exporting.tracing import DEFAULT_OPSET
from ganzoo.runtime.card import GeneratorCard

LOAD = """
import sys, numpy, onnxruntime
assert onnxruntime.__version__ == sys.argv[3], onnxruntime.__version__
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
arrays = numpy.load(sys.argv[2])
(images,) = session.run(["images"], {name: arrays[name] for name in arrays.files if name != "images"})
assert abs(images - arrays["images"]).max() < 1e-5
"""


class Generator(nn.Module):
    """What the built-in generators are made of, for 1 x 8 x 8 pixels."""

    latent_dim = 4

    def __init__(self, classes: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(classes, 4) if classes else None
        self.layers = nn.Sequential(
            nn.Linear(4, 64),
            nn.Unflatten(1, (16, 2, 2)),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(8, 1, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.layers(z if self.embedding is None else z + self.embedding(labels))
        return images


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(("version", "opset"), [("1.15.1", 18), ("1.17.3", 18), ("1.17.3", DEFAULT_OPSET)])
def test_a_file_makes_the_same_images(version: str, opset: int, classes: int, tmp_path: Path) -> None:
    names = tuple(map(str, range(classes)))
    card = GeneratorCard(name="tiny", latent_dim=4, channels=1, height=8, width=8, class_names=names)
    generator = Generator(classes).eval()
    file, arrays = tmp_path / "tiny.onnx", tmp_path / "reference.npz"
    file.write_bytes(to_onnx(generator, card, opset))
    np.savez(arrays, allow_pickle=False, **reference(generator, card))
    environment = {**os.environ, "PYTHONPATH": str(Path(os.environ["OLD_RUNTIMES"]) / version)}
    subprocess.run([sys.executable, "-c", LOAD, file, arrays, version], env=environment, check=True)
