"""The extractor: EfficientNet-Lite0 on images of any size, as one ONNX file."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.exporting.extractor import write_extractor
from ganzoo_plugins.effnet.weights import pretrained

SIZE = 64
"""Side that images are resized to, in pixels."""


class Features(nn.Module):
    """uint8 [N, 3, H, W] -> features [N, 1280] and ImageNet's logits [N, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        self.network = pretrained().network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Resized to 64 x 64 by bilinear interpolation; (x - 127) / 128, as the network was trained."""
        resized = F.interpolate(images.float(), (SIZE, SIZE), mode="bilinear", align_corners=False)
        features: tuple[Tensor, Tensor] = self.network.classify((resized - 127) / 128)
        return features


def write(path: Path) -> None:
    """Convert the network, and hold the file against it.

    Raises:
        MissingPackageError: the extra is not installed.
        IntegrityError: the weights are others.
    """
    write_extractor(Features(), path, (3, None, None))
