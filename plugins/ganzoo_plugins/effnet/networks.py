"""EfficientNet-Lite0. Its layers have the names that they have in the file of weights."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

BLOCKS = (
    (1, 16, 1, 3, 1),
    (2, 24, 6, 3, 2),
    (2, 40, 6, 5, 2),
    (3, 80, 6, 3, 2),
    (3, 112, 6, 5, 1),
    (4, 192, 6, 5, 2),
    (1, 320, 6, 3, 1),
)
"""How many blocks, their channels, expansion, kernel size, and the stride of the first (Tan and Le, 2019, table 1)."""

STAGES = (0, 3, 5, 11, 16)
"""The blocks after which maps have a quarter, an eighth, a 16th and a 32nd of the image's sides: ends of slices."""

CHANNELS = (24, 40, 112, 320)
"""Channels of these maps."""

STRIDE = 32
"""What the sides of images are multiples of: "same" padding then is the same for all of them."""


class Convolution(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow does: at stride 2, less before the image than behind it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, (kernel - stride) // 2, groups=groups, bias=False)
        self.before, self.behind = (kernel - stride) // 2, (kernel - stride + 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> [B, O, H / stride, W / stride]."""
        if self.before == self.behind:
            return super().forward(x)
        padded = F.pad(x, (self.before, self.behind, self.before, self.behind))
        return F.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


def norm(channels: int) -> nn.BatchNorm2d:
    """BatchNorm as TensorFlow has it."""
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Inverted residuals (MobileNetV2: Sandler et al., 2018): 1x1 to more maps, one filter for each, 1x1 to few."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = Convolution(inputs, inner, 1), norm(inner)
        self._depthwise_conv, self._bn1 = Convolution(inner, inner, kernel, stride, groups=inner), norm(inner)
        self._project_conv, self._bn2 = Convolution(inner, outputs, 1), norm(outputs)
        self.rectify = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> [B, O, H / stride, W / stride]."""
        y = self.rectify(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self.rectify(self._bn1(self._depthwise_conv(y)))
        projected: Tensor = self._bn2(self._project_conv(y))
        return x + projected if self.adds else projected


class EfficientNetLite0(nn.Module):
    """Images [B, 3, S, S] on [-1, 1], S a multiple of 32 -> maps of four sizes, or features and scores of classes."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = Convolution(3, 32, 3, 2), norm(32)
        blocks, inputs = [], 32
        for count, outputs, expansion, kernel, stride in BLOCKS:
            for number in range(count):
                blocks.append(Block(inputs, outputs, expansion, kernel, 1 if number else stride))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Convolution(320, 1280, 1), norm(1280)
        self._fc = nn.Linear(1280, 1000)
        self.rectify = nn.ReLU6()

    def forward(self, images: Tensor) -> list[Tensor]:
        """[B, 24, S / 4, S / 4], [B, 40, S / 8, S / 8], [B, 112, S / 16, S / 16] and [B, 320, S / 32, S / 32]."""
        x = self.rectify(self._bn0(self._conv_stem(images)))
        maps = []
        for start, end in pairwise(STAGES):
            for block in self._blocks[start:end]:
                x = block(x)
            maps.append(x)
        return maps

    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, 320], means of the last maps; and the scores of ImageNet's classes [B, 1000]."""
        last = self(images)[-1]
        return last.mean((2, 3)), self._fc(self.rectify(self._bn1(self._conv_head(last))).mean((2, 3)))

    def fuse(self) -> None:
        """Make BatchNorm part of the convolution before it: the same but for rounding, with half as many layers."""
        for module in self.modules():
            children = list(module.named_children())
            for (convolution_name, convolution), (norm_name, after) in pairwise(children):
                if isinstance(convolution, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                    setattr(module, convolution_name, fuse_conv_bn_eval(convolution.eval(), after.eval()))
                    setattr(module, norm_name, nn.Identity())
