"""Files that are made of a file: in int8, and with pixels as their output."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.exporting import derived
from ganzoo.exporting.convert import to_onnx
from ganzoo.exporting.derived import check_derived, psnr
from ganzoo.exporting.gates import card_of
from ganzoo.exporting.int8 import to_int8
from ganzoo.exporting.uint8 import to_uint8
from ganzoo.images import to_uint8 as pixels_of
from ganzoo.latents import draw
from ganzoo.runtime import session
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.vetting import Refused

CLASSES = ("cat", "dog")


class Convolutions(nn.Module):
    """z and a label -> 3 x 16 x 16 pixels, as DCGAN makes them."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(max(classes, 1), 8)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(8, 16, 4),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(16, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.layers((z if labels is None else z + self.embedding(labels))[:, :, None, None])
        return images


@pytest.fixture(scope="module", params=[0, 2], ids=["plain", "labelled"])
def whole(request: pytest.FixtureRequest) -> bytes:
    """The file in fp32 of a generator whose norms have seen what it makes."""
    generator = Convolutions(request.param)
    with torch.no_grad():
        for _ in range(20):
            generator(torch.randn(64, 8), torch.randint(2, (64,)) if request.param else None)
    names = CLASSES[: request.param]
    card = GeneratorCard(name="small", latent_dim=8, channels=3, height=16, width=16, class_names=names)
    return to_onnx(generator.eval(), card)


@pytest.fixture(scope="module")
def int8(whole: bytes) -> bytes:
    return to_int8(whole, card_of(whole))


def test_a_file_in_int8_passes_every_gate(whole: bytes, int8: bytes) -> None:
    found = check_derived(int8, whole)
    assert list(found) == ["structure", "randomness", "signature", "fidelity", "independence"]
    assert "of 1,024 images" in found["fidelity"]


def test_its_card_says_so_and_is_otherwise_the_same(whole: bytes, int8: bytes) -> None:
    card, before = card_of(int8), card_of(whole)
    assert card.int8
    assert not before.int8
    assert (card.name, card.latent_dim, card.class_names) == (before.name, before.latent_dim, before.class_names)
    assert card.weights != before.weights


def test_layers_between_the_first_and_the_last_are_in_int8(int8: bytes) -> None:
    graph = onnx.load_from_string(int8).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    scaled = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    of_int8 = [kinds.get(scaled.get(layer.input[1], "")) == onnx.TensorProto.INT8 for layer in layers]
    assert of_int8 == [False, True, True, True, True, False, False, False, False][: len(layers)]


def test_two_of_them_are_the_same_file(whole: bytes, int8: bytes) -> None:
    assert to_int8(whole, card_of(whole)) == int8


def test_one_that_comes_not_near_enough_is_refused(whole: bytes, int8: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that is asked for is what the worst image has, and a little more."""
    found = check_derived(int8, whole)["fidelity"]
    worst = float(found.removeprefix("PSNR against fp32 ").partition(" ")[0])
    monkeypatch.setattr(derived, "LEAST_PSNR", worst + 0.2)
    with pytest.raises(Refused, match=r"(?m)^fidelity: the worst of 1,024 images has \d+\.\d dB PSNR against fp32"):
        check_derived(int8, whole)


def test_psnr_in_closed_form() -> None:
    """A difference of 0.02 in every pixel: 10 log10(4 / 0.0004) = 40 dB. What lies outside [-1, 1] is clamped."""
    images = np.zeros((2, 1, 4, 4), np.float32)
    images[1] = 7
    other = images + np.float32(0.02)
    assert psnr(images, other) == pytest.approx([40, 120], abs=1e-4)


def test_too_few_layers(make_generator: Callable[..., Any], make_card: Callable[..., GeneratorCard]) -> None:
    data = to_onnx(make_generator().eval(), make_card())
    with pytest.raises(UsageError, match=r"(?m)^tiny has 1 layers: none is left for int8"):
        to_int8(data, card_of(data))


@pytest.mark.parametrize("opset", [17, 20])
def test_pixels_are_what_ganzoo_makes_itself(opset: int) -> None:
    card = GeneratorCard(name="small", latent_dim=8, channels=3, height=16, width=16)
    data = to_onnx(Convolutions(0).eval(), card, opset)
    made = to_uint8(data, card_of(data))
    found = check_derived(made, data)
    assert found["pixels"] == "every pixel as ganzoo makes it"
    z, _ = draw(3, 0, 5, 8)
    wanted = pixels_of(ImageGenerator.from_bytes(data, device="cpu").run(z))
    generator = ImageGenerator.from_bytes(made, device="cpu")
    assert generator.card.uint8
    assert np.array_equal(pixels_of(generator.run(z)), wanted)
    assert np.array_equal(generator.sample(5, 3), ImageGenerator.from_bytes(data, device="cpu").sample(5, 3))


def test_pixels_of_int8(int8: bytes) -> None:
    made = to_uint8(int8, card_of(int8))
    assert card_of(made).int8
    assert card_of(made).uint8
    assert "pixels" in check_derived(made, int8)


def test_without_vnni_the_images_are_the_same(int8: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights become uint8 there, which changes no product."""
    usual = ImageGenerator.from_bytes(int8, device="cpu").pixels(8, 1)[0]
    monkeypatch.setattr(session, "saturates", lambda: True)
    assert np.array_equal(ImageGenerator.from_bytes(int8, device="cpu").pixels(8, 1)[0], usual)
