"""The extractor: EfficientNet-Lite0 on images of any size, as one ONNX file."""

from pathlib import Path
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.exporting.extractor import write_extractor
from ganzoo_plugins.effnet.networks import EfficientNetLite0
from ganzoo_plugins.effnet.weights import pretrained

SIZE = 96
"""Side that images are resized to, in pixels."""


class Features(nn.Module):
    """uint8 [N, 3, H, W] -> features [N, 320], means of the last maps, and ImageNet's logits [N, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        self.network = cast(EfficientNetLite0, pretrained().network)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Resized to 96 x 96 by bilinear interpolation; (x - 127) / 128, as the network was trained."""
        resized = F.interpolate(images.float(), (SIZE, SIZE), mode="bilinear", align_corners=False)
        return self.network.classify((resized - 127) / 128)


def write(path: Path) -> None:
    """Convert the network, and hold the file against it.

    Raises:
        MissingPackageError: the extra is not installed.
        IntegrityError: the weights are others.
    """
    write_extractor(Features(), path, (3, None, None))
