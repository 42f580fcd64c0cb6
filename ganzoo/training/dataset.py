"""The real images on the training device, as uint8: 1 byte a value, and no loader between it and the step."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo.training.precision import Precision

if TYPE_CHECKING:
    from ganzoo.data import ImageSet


class DeviceData:
    """All images of a set, resident on the device."""

    def __init__(self, images: "ImageSet", precision: Precision) -> None:
        self._pixels = torch.from_numpy(images.pixels).to(precision.device)
        self._labels = None if images.labels is None else torch.from_numpy(images.labels).to(precision.device)
        self._memory_format = precision.memory_format
        self.classes = len(images.class_names)

    def __len__(self) -> int:
        return len(self._pixels)

    def images(self, indices: Tensor) -> Tensor:
        """[B, C, H, W] in fp32 on [-1, 1]."""
        pixels = self._pixels[indices].to(torch.float32, memory_format=self._memory_format)
        return pixels.mul_(2 / 255).sub_(1)

    def labels(self, indices: Tensor) -> Tensor | None:
        """[B] in int64, or None where the set has none."""
        return None if self._labels is None else self._labels[indices]
