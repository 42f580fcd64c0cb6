"""Extractors: what is taken, what is refused, the one that ships, and the ones that docs/evaluation.md makes."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto
from PIL import Image
from torch import Tensor, nn

from ganzoo.data import ImageSet, load as load_images
from ganzoo.errors import ExitCode, GanzooError, IntegrityError, NotFoundError, PluginError, UsageError, page
from ganzoo.evaluation.criteria import choose_criteria
from ganzoo.evaluation.extractor import open_extractor, try_extractor
from ganzoo.evaluation.features import BATCH, FeatureExtractor
from ganzoo.exporting.extractor import write_extractor
from ganzoo.exporting.tracing import trace
from ganzoo.exporting.writing import finish
from ganzoo.specs import Extractor, ImageShape
from ganzoo.zoo.discovery import Manager, Plugin, State
from ganzoo.zoo.names import Zoo, zoo
from ganzoo_plugins.digits import make_extractor as script, reader

Pixels = NDArray[np.uint8]
Make = Callable[..., bytes]

CONTRACT = f"{page('evaluation.md')} says what an extractor must be, and how to make one"
FORM = {"features": ["batch", 3]}


def load(data: bytes) -> FeatureExtractor:
    return FeatureExtractor(data, "own.onnx", device="cpu", threads=1)


def drawn(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


# What is taken


def test_uint8_input_gets_pixels_as_they_are(make_extractor: Make) -> None:
    pixels = drawn(2 * BATCH + 3, 3, 8, 8)
    features, logits = load(make_extractor([], FORM))(pixels)
    assert features.dtype == np.float32
    assert (features.shape, logits) == ((len(pixels), 3), None)
    np.testing.assert_allclose(features, pixels.mean(axis=(2, 3)), rtol=1e-5)


def test_float_input_gets_pixels_on_minus_1_to_1(make_extractor: Make) -> None:
    extractor = load(make_extractor([], FORM, dtype=TensorProto.FLOAT))
    pixels = np.zeros((3, 3, 8, 8), np.uint8)
    pixels[1], pixels[2] = 255, 51
    np.testing.assert_allclose(extractor(pixels)[0], np.repeat([[-1], [1], [-0.6]], 3, axis=1), rtol=1e-6)


def test_logits(make_extractor: Make) -> None:
    data = make_extractor([("Neg", ["features"], ["logits"])], {"logits": ["batch", 3], **FORM})
    features, logits = load(data)(drawn(5, 3, 8, 8))
    np.testing.assert_array_equal(logits, -features)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('["a", "caf\u00e9"]', ("a", "caf\u00e9")),
        ("[", "its metadata 'classes' cannot be read: "),
        ('{"a": 1}', "its metadata 'classes' is no list of names"),
        ("[1, 2]", "its metadata 'classes' is no list of names"),
    ],
)
def test_names_of_the_logits(make_extractor: Make, text: str, wanted: Any) -> None:
    assert load(make_extractor([], FORM)).class_names == ()
    model = onnx.load_from_string(make_extractor([], FORM))
    model.metadata_props.add(key="classes", value=text)
    if isinstance(wanted, tuple):
        assert load(model.SerializeToString()).class_names == wanted
    else:
        with pytest.raises(UsageError, match=re.escape(wanted)):
            load(model.SerializeToString())


def test_an_output_under_another_name(make_extractor: Make) -> None:
    nodes = [("Neg", ["features"], ["pooled"]), ("Abs", ["pixels"], ["maps"])]
    data = make_extractor(nodes, {"maps": ["batch", 3, 8, 8], "pooled": ["batch", 3]})
    pixels = drawn(5, 3, 8, 8)
    np.testing.assert_allclose(load(data)(pixels)[0], -pixels.mean(axis=(2, 3)), rtol=1e-5)


def test_dynamic_sizes_take_any(make_extractor: Make) -> None:
    extractor = load(make_extractor([], {"features": ["batch", "channels"]}, shape=("batch", "channels", "h", "w")))
    for shape in ((1, 5, 9), (3, 16, 4)):
        extractor.check(ImageShape(channels=shape[0], height=shape[1], width=shape[2]))
        assert extractor(drawn(2, *shape))[0].shape == (2, shape[0])


def test_grey_images_are_three_equal_channels_to_a_network_for_colour(make_extractor: Make) -> None:
    pixels = drawn(4, 1, 8, 8)
    features, _ = load(make_extractor([], FORM))(pixels)
    np.testing.assert_allclose(features, np.repeat(pixels.mean(axis=(2, 3)), 3, axis=1), rtol=1e-5)


# What is refused

SHAPES = {
    "another size": (
        ("batch", 3, 32, 32),
        "extractor own.onnx takes images of 3 x 32 x 32 (channels x height x width), not 3 x 8 x 8",
        f"use --size 32, or an extractor with dynamic sizes: {page('evaluation.md')}",
    ),
    "not square": (
        ("batch", 3, 32, "w"),
        "extractor own.onnx takes images of 3 x 32 x any (channels x height x width), not 3 x 8 x 8",
        f"use images of 3 x 32 x any, or an extractor with dynamic sizes: {page('evaluation.md')}",
    ),
    "colour for a network for grey": (
        ("batch", 1, 8, 8),
        "extractor own.onnx takes images of 1 x 8 x 8 (channels x height x width), not 3 x 8 x 8",
        f"use images of 1 x 8 x 8, or an extractor with dynamic sizes: {page('evaluation.md')}",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_images_that_do_not_fit(name: str, make_extractor: Make) -> None:
    shape, message, hint = SHAPES[name]
    extractor = load(make_extractor([], {"features": ["batch", "d"]}, shape=shape))
    calls: list[Callable[[], object]] = [
        lambda: extractor.check(ImageShape(channels=3, height=8, width=8)),
        lambda: extractor(drawn(2, 3, 8, 8)),
    ]
    for call in calls:
        with pytest.raises(UsageError) as caught:
            call()
        assert (str(caught.value), caught.value.hint) == (message, hint)
        assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("pixels", [np.zeros((2, 3, 8, 8)), np.zeros((3, 8, 8), np.uint8), drawn(0, 3, 8, 8)])
def test_what_is_no_images(pixels: Any, make_extractor: Make) -> None:
    with pytest.raises(UsageError, match=r"^images must be uint8 \[N, C, H, W\], not "):
        load(make_extractor([], FORM))(pixels)


NETWORKS: dict[str, tuple[dict[str, Any], str]] = {
    "two inputs": (
        {"inputs": ("images", "labels")},
        "it has 2 inputs (images, labels) instead of one",
    ),
    "flat input": (
        {"shape": ("batch", 64), "nodes": [("Abs", ["pixels"], ["features"])]},
        "its input is tensor(uint8) ['batch', 64], not uint8 or float32 [N, C, H, W]",
    ),
    "whole numbers": (
        {"dtype": TensorProto.INT64},
        "its input is tensor(int64) ['batch', 3, 8, 8], not uint8 or float32 [N, C, H, W]",
    ),
    "fixed batch": (
        {"shape": (1, 3, 8, 8)},
        "it takes batches of 1 only; its first dimension must be dynamic",
    ),
    "maps instead of features": (
        {"nodes": [("Abs", ["pixels"], ["maps"])], "outputs": {"maps": ["batch", 3, 8, 8]}},
        "it has no output 'features', and no single other float32 [N, D], among maps tensor(float) ['batch', 3, 8, 8]",
    ),
    "logits alone": (
        {"nodes": [("Abs", ["features"], ["logits"])], "outputs": {"logits": ["batch", 3]}},
        "it has no output 'features', and no single other float32 [N, D], among logits tensor(float) ['batch', 3]",
    ),
    "two that could be meant": (
        {
            "nodes": [("Abs", ["features"], ["a"]), ("Neg", ["features"], ["b"])],
            "outputs": {"a": ["batch", 3], "b": ["batch", 3]},
        },
        "it has no output 'features', and no single other float32 [N, D], among "
        "a tensor(float) ['batch', 3], b tensor(float) ['batch', 3]",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_other_networks(name: str, make_extractor: Make) -> None:
    changed, reason = NETWORKS[name]
    data = make_extractor(**{"nodes": [], "outputs": FORM, **changed})
    with pytest.raises(UsageError) as caught:
        load(data)
    assert str(caught.value) == f"extractor own.onnx cannot be used: {reason}"
    assert (caught.value.hint, caught.value.exit_code) == (CONTRACT, ExitCode.USAGE)


@pytest.mark.parametrize("data", [b"", b"<!doctype html>", b"\x80\x04\x95."])
def test_bytes_that_are_no_network(data: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"^extractor own\.onnx cannot be loaded: ") as caught:
        load(data)
    assert (caught.value.hint, caught.value.exit_code) == (CONTRACT, ExitCode.INTEGRITY)


def test_features_that_are_not_finite(make_extractor: Make) -> None:
    """1 / 0 where a channel is black."""
    extractor = load(make_extractor([("Reciprocal", ["features"], ["inverse"])], {"inverse": ["batch", 3]}))
    assert np.isfinite(extractor(drawn(2, 3, 8, 8))[0]).all()
    with pytest.raises(GanzooError, match=r"(?m)^extractor own\.onnx: 'inverse' holds NaN or infinity$") as caught:
        extractor(np.zeros((1, 3, 8, 8), np.uint8))
    assert caught.value.hint == "use another extractor"


def test_features_of_all_images_together(make_extractor: Make) -> None:
    """A network that says [N, D] and makes one row of a batch."""
    nodes = [("ReduceMax", ["features", "along"], ["greatest"])]
    extractor = load(make_extractor(nodes, {"greatest": ["batch", 3]}))
    with pytest.raises(UsageError, match=r"(?m)cannot be used: 'greatest' has shape \[1, 3\] for 2 images$"):
        extractor(drawn(2, 3, 8, 8))


def test_a_network_that_fails_on_small_images(make_extractor: Make) -> None:
    nodes = [("Reshape", ["pixels", "rows"], ["flat"])]
    extractor = load(make_extractor(nodes, {"flat": ["batch", 192]}, shape=("batch", 3, "h", "w")))
    assert extractor(drawn(2, 3, 8, 8))[0].shape == (2, 192)
    with pytest.raises(GanzooError, match=r"^extractor own\.onnx fails on images of 3 x 2 x 2: ") as caught:
        extractor(drawn(2, 3, 2, 2))
    assert caught.value.hint == f"it may need larger images; {CONTRACT}"
    assert "\n" not in str(caught.value)


# Tried before figures are made


class Odd(nn.Module):
    """Grey images -> features that are no figure's, each in another way; or the right ones."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fault = fault
        self.convolution = nn.Conv2d(1, 8, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        features = F.relu(self.convolution(images.float() / 255)).mean(dim=(2, 3))
        match self.fault:
            case "batch norm":
                features = (features - features.mean(0)) / (features.var(0, unbiased=False) + 1e-5).sqrt()
            case "mean of the batch":
                features = features + 0.01 * features.mean(dim=0)
            case "noise":
                features = features + 0.1 * torch.randn_like(features)
            case "constant":
                features = 0 * features + 1
            case "dead":
                features = F.relu(features - 1e6)
            case "not pooled":
                features = images.float().flatten(1).repeat(1, 1 + 4096 // 64)
            case "not finite":
                features = features / (features - features).abs()
        return features


def written(fault: str, path: Path) -> str:
    """The file, though ``write_extractor`` would not write it."""
    with torch.no_grad():
        dynamic = {"images": {0: torch.export.Dim("batch", min=2)}}
        images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
        path.write_bytes(finish(trace(Odd(fault).eval(), "network", (images,), dynamic, ["features"]), {}))
    return str(path)


FAULTS = {
    "batch norm": ("mixes the rows of a batch", "features of an image change with the images beside it"),
    "mean of the batch": ("mixes the rows of a batch", "features of an image change with the images beside it"),
    "noise": ("draws random numbers itself", "two looks at the same images give different features"),
    "constant": ("gives the same features", "it gives the same features for all images"),
    "dead": ("gives the same features", "it gives the same features for all images"),
    "not pooled": ("", "makes 4,160 features an image; at most 4,096 are compared, whose covariance alone takes 128"),
    "not finite": ("", "'features' holds NaN or infinity"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_extractor_that_makes_no_figures_is_refused_before_the_samples(fault: str, tmp_path: Path) -> None:
    """A file is tried beside this process; one that a plugin ships, only here."""
    beside, here = FAULTS[fault]
    path = written(fault, tmp_path / "odd.onnx")
    parts = load_images("digits", zoo())
    with pytest.raises(GanzooError, match=re.escape(beside or here)) as caught:
        choose_criteria("digits", parts, zoo(), features=path)
    assert caught.value.hint
    with pytest.raises(GanzooError, match=re.escape(here)) as caught:
        try_extractor(load(Path(path).read_bytes()), parts.training)
    assert caught.value.hint


def test_an_extractor_that_makes_figures_is_taken(tmp_path: Path) -> None:
    path = written("", tmp_path / "own.onnx")
    parts = load_images("digits", zoo())
    assert choose_criteria("digits", parts, zoo(), features=path).features == 8


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_or_equal_images_say_nothing_against_an_extractor(count: int, digits: FeatureExtractor) -> None:
    black = ImageSet(pixels=np.zeros((count, 1, 8, 8), np.uint8))
    assert try_extractor(digits, black) == 64


def test_many_features_are_said_to_take_long(tmp_path: Path) -> None:
    chosen = choose_criteria("digits", load_images("digits", zoo()), zoo())
    assert (chosen.features, chosen.cost) == (64, "")
    assert replace(chosen, features=2048).cost.startswith("2,048 features an image: the Fréchet distance of each seed")


# By name and by path


def test_by_path(tmp_path: Path, make_extractor: Make) -> None:
    path = tmp_path / "own.ONNX"
    path.write_bytes(make_extractor([], FORM))
    extractor = open_extractor(str(path), zoo(), device="cpu", threads=1)
    assert extractor.name == "own.ONNX"
    assert extractor.sha256 == load(path.read_bytes()).sha256
    with pytest.raises(NotFoundError, match=r"(?m)none\.onnx: No such file or directory$") as caught:
        open_extractor(str(tmp_path / "none.onnx"), zoo())
    assert caught.value.hint == "check the path, or name an extractor: digits"


def test_an_unknown_name() -> None:
    with pytest.raises(NotFoundError, match=r"(?m)^unknown extractor 'digit'$") as caught:
        open_extractor("digit", zoo())
    hint = f"did you mean 'digits'?; or give a FILE.onnx ({page('evaluation.md')} shows how to make one)"
    assert caught.value.hint == hint


def providing(spec: Extractor) -> Zoo:
    here = {"name": "own", "distribution": "acme", "version": "1", "location": "", "target": "x", "api": "v1"}
    return Zoo(Manager([Plugin(**here, state=State.ACTIVE, specs=(spec,))]))


def test_a_shipped_file_that_has_changed() -> None:
    spec = Extractor(name="own", file="ganzoo_plugins.digits:extractor.onnx", sha256="0" * 64)
    with pytest.raises(IntegrityError) as caught:
        open_extractor("own", providing(spec))
    shipped = open_extractor("digits", zoo(), device="cpu", threads=1).sha256
    assert str(caught.value) == (
        "ganzoo_plugins.digits:extractor.onnx (extractor 'own') has changed: "
        f"sha256 {shipped[:16]} instead of 0000000000000000"
    )
    assert caught.value.hint == "install the plugin again: figures of another network could not be compared"


@pytest.mark.parametrize("file", ["ganzoo_plugins.digits:none.onnx", "ganzoo_no_such_package:extractor.onnx"])
def test_a_shipped_file_that_is_missing(file: str) -> None:
    with pytest.raises(PluginError, match=rf"^{re.escape(file)} \(extractor 'own'\) cannot be read: ") as caught:
        open_extractor("own", providing(Extractor(name="own", file=file, sha256="0" * 64)))
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert caught.value.hint == "install the plugin again; if that does not help, its author has to repair it"


# The extractor that ships


@pytest.fixture(scope="module")
def digits() -> FeatureExtractor:
    return open_extractor("digits", zoo(), device="cpu", threads=1)


def accuracy(logits: NDArray[np.float32] | None) -> float:
    return float((np.asarray(logits).argmax(axis=1) == reader.held_out().labels).mean())


def test_the_digits_extractor(digits: FeatureExtractor, tell: Callable[[str], None]) -> None:
    features, logits = digits(reader.held_out().pixels)
    assert (features.shape, np.asarray(logits).shape) == ((359, 64), (359, 10))
    assert (features >= 0).all()
    tell(f"digits extractor: {accuracy(logits):.2%} of held-out digits, sha256 {digits.sha256[:16]}")
    assert accuracy(logits) >= 0.98
    assert script.FILE.stat().st_size < 200_000


def test_its_images_do_not_meet(digits: FeatureExtractor) -> None:
    pixels = reader.held_out().pixels[:9]
    alone = np.concatenate([digits(pixels[row : row + 1])[0] for row in range(9)])
    np.testing.assert_allclose(digits(pixels)[0], alone, rtol=1e-5, atol=1e-5)


def test_the_script_made_it_and_makes_as_good_a_one_again(
    digits: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    monkeypatch.setattr(script, "FILE", tmp_path / "extractor.onnx")
    state = torch.random.get_rng_state()
    script.main()
    assert torch.equal(torch.random.get_rng_state(), state)
    shipped, again = (
        onnx.load(path) for path in (Path(script.__file__).with_name("extractor.onnx"), tmp_path / "extractor.onnx")
    )
    about, about_again = ({each.key: each.value for each in model.metadata_props} for model in (shipped, again))
    made, made_again = (json.loads(each[script.METADATA_KEY]) for each in (about, about_again))
    assert {**made, "torch": ""} == {**made_again, "torch": ""}
    assert made["data"] == reader.training().digest
    pixels = reader.held_out().pixels
    anew = load((tmp_path / "extractor.onnx").read_bytes())
    gap = float(np.abs(anew(pixels)[0] - digits(pixels)[0]).max())
    tell(f"digits extractor trained again: {accuracy(anew(pixels)[1]):.2%}, features differ by at most {gap:.2g}")
    assert accuracy(anew(pixels)[1]) >= 0.98
    assert [node.op_type for node in again.graph.node] == [node.op_type for node in shipped.graph.node]


def test_it_does_not_say_where_it_was_made() -> None:
    assert (
        str(Path(script.__file__).parents[2]).encode()
        not in Path(script.__file__).with_name("extractor.onnx").read_bytes()
    )


# Making one


class Small(nn.Module):
    """Colour -> features, and logits if asked for."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, classes) if classes else None

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = F.relu(self.norm(self.convolution(images.float() / 255))).mean(dim=(2, 3))
        return features if self.head is None else (features, self.head(features))


@pytest.mark.parametrize("classes", [0, 4])
@pytest.mark.parametrize("size", [(3, 8, 8), (3, None, None)])
def test_what_is_written_is_an_extractor(classes: int, size: tuple[int, Any, Any], tmp_path: Path) -> None:
    network, path = Small(classes), tmp_path / "own.onnx"
    sha256 = write_extractor(network, path, size, about={"made by": "hand"})
    extractor = open_extractor(str(path), zoo(), device="cpu", threads=1)
    assert extractor.sha256 == sha256
    pixels = drawn(5, 3, 8, 8)
    wanted = network(torch.from_numpy(pixels))
    for ours, theirs in zip(extractor(pixels), wanted if classes else (wanted, None), strict=True):
        if theirs is None:
            assert ours is None
        else:
            assert ours is not None
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert {each.key: each.value for each in onnx.load(path).metadata_props} == {"made by": "hand"}


class Fickle(Small):
    """Grows with every call, which no file repeats."""

    calls = 0

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        self.calls += 1
        features: Tensor = self.calls * self.norm(self.convolution(images.float() / 255)).mean(dim=(2, 3))
        return features


def test_a_network_that_the_file_does_not_repeat(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(b"before")
    with pytest.raises(
        GanzooError, match=r"(?m)^the converted network is off by .* of the largest value, over 0\.001$"
    ) as caught:
        write_extractor(Fickle(), path, (3, 8, 8))
    assert caught.value.hint == "its forward must be a pure function of the images, in eval mode"
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["own.onnx"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("batch norm", "mixes the rows of a batch"),
        ("noise", "draws random numbers itself"),
        ("constant", "gives the same features"),
        ("not pooled", "makes 4,160 features an image"),
        ("not finite", "holds NaN or infinity"),
    ],
)
def test_an_extractor_that_makes_no_figures_is_not_written(fault: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(GanzooError, match=told):
        write_extractor(Odd(fault), tmp_path / "own.onnx", (1, 8, 8))
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_fails_on_the_images(tmp_path: Path) -> None:
    with pytest.raises(GanzooError, match=r"^the network fails on images of 1 x 8 x 8: ") as caught:
        write_extractor(Small(), tmp_path / "own.onnx", (1, 8, 8))
    assert "(channels, height, width)" in str(caught.value.hint)


def test_a_network_that_torch_cannot_convert(tmp_path: Path) -> None:
    class Stubborn(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.float().flatten(1) if images.sum().item() > 0 else images.float()

    message = (
        r"^the network's forward looks at a tensor's value in Python \(evaluation/test_extractor\.py:\d+\): an if, "
    )
    with pytest.raises(GanzooError, match=message) as caught:
        write_extractor(Stubborn(), tmp_path / "own.onnx", (3, 8, 8))
    hint = "torch.where chooses without looking; a check can stand behind `if self.training:`"
    assert (caught.value.hint, caught.value.exit_code) == (hint, ExitCode.FAILURE)
    assert list(tmp_path.iterdir()) == []


# The scripts of docs/evaluation.md, with small networks in the place of the real ones


def shown(heading: str) -> str:
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
    found = re.search(rf"^### {heading}\n.*?```python\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def test_the_script_for_inception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def network(name: str, features_list: list[str], feature_extractor_weights_path: str) -> nn.Module:
        assert features_list == ["2048", "logits_unbiased"]
        small = Small(4)
        small.load_state_dict(torch.load(feature_extractor_weights_path))
        return small

    monkeypatch.chdir(tmp_path)
    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    vars(module)["FeatureExtractorInceptionV3"] = network
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    torch.save(Small(4).state_dict(), "weights-inception-2015-12-05-6726825d.pth")
    exec(shown("The FID Inception network"), {"__name__": "script"})
    extractor = load((tmp_path / "inception.onnx").read_bytes())
    assert capsys.readouterr().out == f"{extractor.sha256}\n"
    features, logits = extractor(drawn(2, 1, 20, 30))
    assert features.shape == (2, 8)
    assert np.asarray(logits).shape == (2, 4)


class Patches(nn.Module):
    """A vision transformer of one block: 14 x 14 patches -> the class token."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, 32, 14, stride=14)
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.mixed = nn.Linear(32, 96)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.embed(images).flatten(2).mT
        tokens = torch.cat([self.token.expand(patches.shape[0], -1, -1), patches], dim=1)
        query, key, value = self.mixed(tokens)[:, None].chunk(3, dim=-1)
        return F.scaled_dot_product_attention(query, key, value)[:, 0, 0]


@pytest.fixture
def run_dinov2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], dict[str, Any]]:
    """Run the script for images of a size; returns what it defined."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "load", lambda repository, model: Patches())

    def run(size: int) -> dict[str, Any]:
        defined: dict[str, Any] = {"__name__": "script"}
        exec(shown("DINOv2").replace("SIZE = 64", f"SIZE = {size}"), defined)
        return defined

    return run


def test_the_script_for_dinov2(run_dinov2: Callable[[int], dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    run_dinov2(64)
    extractor = load(Path("dinov2.onnx").read_bytes())
    assert capsys.readouterr().out == f"{extractor.sha256}\n"
    assert extractor(drawn(2, 1, 64, 64))[0].shape == (2, 32)
    with pytest.raises(UsageError, match="takes images of 3 x 64 x 64"):
        extractor(drawn(2, 3, 32, 32))


@pytest.mark.parametrize("size", [40, 300])
def test_it_resizes_as_pillow_does(size: int, run_dinov2: Callable[[int], dict[str, Any]]) -> None:
    module = run_dinov2(size)["DINOv2"]()
    module.network = nn.Identity()
    pixels = drawn(1, 3, size, size)
    image = Image.fromarray(pixels[0].transpose(1, 2, 0)).resize((224, 224), Image.Resampling.BICUBIC)
    found = (module(torch.from_numpy(pixels)) * module.std + module.mean)[0] * 255
    gap = np.abs(found.numpy().transpose(1, 2, 0) - np.asarray(image, np.float32))
    assert gap.max() < 1.01  # Pillow's weights have 8 bits after the point
    assert gap.mean() < 0.01
