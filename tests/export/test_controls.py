"""Controls: numbers chosen when sampling, from a plugin's spec to the bytes of the command line and of a server."""

import asyncio
import inspect
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, strategies as st
from onnx import TensorProto, helper
from starlette.applications import Starlette
from torch import Tensor, nn

import ganzoo
from ganzoo.cli import main, sample as sample_command
from ganzoo.controls import TAKEN_NAMES, Control
from ganzoo.errors import ExitCode, GanzooError, IntegrityError, PluginError, UsageError
from ganzoo.exporting.convert import to_onnx
from ganzoo.exporting.exporter import export
from ganzoo.exporting.gates import check
from ganzoo.exporting.rebuilding import rebuild
from ganzoo.exporting.reference import reference
from ganzoo.images import encode_npy, to_uint8
from ganzoo.latents import draw
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.controls import control_values
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.vetting import Refused, vet_generator
from ganzoo.serving.app import create_app
from ganzoo.serving.query import PARAMETERS
from ganzoo.specs import Architecture
from ganzoo.zoo.names import zoo
from ganzoo.zoo.validation import validate
from ganzoo_registry import Registry

DIGIT = Control(default=-1, low=-1, high=9)


@dataclass(frozen=True, kw_only=True)
class Options:
    pass


class Style(nn.Module):
    """StyleGAN's mapping (Karras et al., 2019) with its truncation: w_mean + psi (w - w_mean)."""

    latent_dim = 4
    w_mean: Tensor

    def __init__(self, shape: Any = None, options: Any = None) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.mapping = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2))
        self.synthesis = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
        self.register_buffer("w_mean", torch.randn(16))

    def forward(self, z: Tensor, labels: Tensor | None, truncation: Tensor | None = None) -> Tensor:
        w = self.mapping(z)
        if self.training:
            self.w_mean.lerp_(w.detach().float().mean(0), 0.01)
        if truncation is not None:
            w = self.w_mean.lerp(w, truncation)
        images: Tensor = self.synthesis(w)
        return images


class Info(nn.Module):
    """InfoGAN's categorical code (Chen et al., 2016): z says which of ten, unless ``digit`` does."""

    latent_dim = 12

    def __init__(self, shape: Any = None, options: Any = None) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.table = nn.Embedding(10, 8)
        self.layers = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))

    def forward(
        self, z: Tensor, labels: Tensor | None, digit: Tensor | None = None, gain: Tensor | None = None
    ) -> Tensor:
        code = z[:, :10].argmax(1)
        if digit is not None:
            code = torch.where(digit[:, 0] < 0, code, digit[:, 0].round().long())
        images: Tensor = self.layers(torch.cat([self.table(code), z[:, 10:]], 1))
        return images if gain is None else images * gain[:, :, None, None]


class Critic(nn.Module):
    def __init__(self, shape: Any, options: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 1)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        logits: Tensor = self.layer(images.flatten(1)).flatten()
        return logits


SIZE = {"channels": 1, "height": 8, "width": 8}
STYLE = GeneratorCard(name="style", latent_dim=4, controls={"truncation": Control(default=1.0)}, **SIZE)  # type: ignore[arg-type]
INFO = GeneratorCard(
    name="info",
    latent_dim=12,
    controls={"digit": DIGIT, "gain": Control(default=1, low=0.5, high=2)},
    **SIZE,  # type: ignore[arg-type]
)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Exported through every gate, as the whole export does."""
    return {"style": export(Style(), STYLE)[0], "info": to_onnx(Info().eval(), INFO)}


@pytest.fixture(scope="module")
def generators(files: dict[str, bytes]) -> dict[str, ImageGenerator]:
    return {name: ImageGenerator.from_bytes(data, device="cpu", threads=1) for name, data in files.items()}


@torch.no_grad()
def by_torch(network: nn.Module, seed: int, count: int, **controls: float) -> Any:
    """uint8 [N, C, H, W] of ``seed``, as torch makes them."""
    z, _ = draw(seed, 0, count, network.latent_dim)  # type: ignore[arg-type]
    columns = {name: torch.full((count, 1), value) for name, value in controls.items()}
    return to_uint8(network.eval()(torch.from_numpy(z), None, **columns).numpy(), start=0)


def test_the_graph_takes_one_number_a_row(files: dict[str, bytes]) -> None:
    graph = onnx.load_from_string(files["info"]).graph
    ports = {
        port.name: [port.type.tensor_type.elem_type, *(dim.dim_param or dim.dim_value for dim in shape)]
        for port in graph.input
        for shape in [port.type.tensor_type.shape.dim]
    }
    assert ports == {name: [TensorProto.FLOAT, "batch", size] for name, size in (("z", 12), ("digit", 1), ("gain", 1))}


def test_the_gates_see_defaults_and_both_ends_of_every_range() -> None:
    arrays = reference(Info(), INFO)
    values = np.concatenate([arrays["digit"], arrays["gain"]], 1)
    seen = {tuple(row) for row in values.tolist()}
    assert seen == {(-1, 1), (9, 1), (-1, 0.5), (-1, 2)}
    for corner in (0, 4, -4):
        at = (arrays["z"] == corner).all(1)
        assert {tuple(row) for row in values[at].tolist()} == seen
    check(to_onnx(Info().eval(), INFO), dict(arrays))
    for name in ("digit", "gain"):  # what the file makes of a control is compared, too
        wrong = {**arrays, name: np.full_like(arrays[name], INFO.controls[name].default)}
        with pytest.raises(Refused, match=r"^parity: differs"):
            check(to_onnx(Info().eval(), INFO), wrong)


def test_every_label_is_seen_beside_controls() -> None:
    class Labelled(Style):
        def forward(self, z: Tensor, labels: Tensor | None, truncation: Tensor | None = None) -> Tensor:
            assert labels is not None
            return super().forward(z + labels[:, None], None, truncation)

    card = replace(STYLE, class_names=tuple(map(str, range(100))))
    arrays = reference(Labelled(), card)
    assert set(arrays["labels"][arrays["truncation"][:, 0] == 1].tolist()) == set(range(100))


@pytest.mark.parametrize("value", [0.0, 0.7, 1.0])
def test_truncation_is_that_of_the_paper(generators: dict[str, ImageGenerator], value: float) -> None:
    images, _ = generators["style"].pixels(40, 7, controls={"truncation": value})  # more than one batch
    np.testing.assert_allclose(images.astype(int), by_torch(Style(), 7, 40, truncation=value).astype(int), atol=1)
    same = (images == images[:1]).all()
    assert same if value == 0 else not same  # at 0 each image is that of w_mean


def test_a_code_that_is_chosen(generators: dict[str, ImageGenerator]) -> None:
    """Ten images of one latent, one a digit; -1 is whatever the latent says."""
    info = generators["info"]
    z = np.repeat(draw(7, 0, 1, 12)[0], 1, axis=0)
    free = info.run(z)
    chosen = [info.run(z, controls={"digit": digit}) for digit in range(10)]
    assert len({images.tobytes() for images in chosen}) == 10
    np.testing.assert_array_equal(free, chosen[int(z[0, :10].argmax())])
    np.testing.assert_allclose(info.run(z, controls={"gain": 2, "digit": 3}), 2 * chosen[3], rtol=1e-6)
    images, _ = info.pixels(5, 7, controls={"digit": 3, "gain": 0.5})
    np.testing.assert_allclose(images.astype(int), by_torch(Info(), 7, 5, digit=3, gain=0.5).astype(int), atol=1)
    (served,) = ask({"info": info}, "/v1/models/info/sample?n=5&seed=7&format=npy&digit=3&gain=0.5")
    assert served.content == encode_npy(images)


def test_without_controls_it_is_their_defaults(generators: dict[str, ImageGenerator]) -> None:
    style = generators["style"]
    np.testing.assert_array_equal(style.sample(5, 7), style.sample(5, 7, controls={"truncation": 1}))
    np.testing.assert_allclose(style.pixels(5, 7)[0].astype(int), by_torch(Style(), 7, 5).astype(int), atol=1)


# Words for numbers


@pytest.mark.parametrize("value", [0.7, "0.7", "7e-1", ".7", "+0.70", np.float64(0.7)])
def test_a_value_and_its_digits_mean_the_same(value: Any) -> None:
    found = control_values({"truncation": value}, STYLE.controls, "style")
    assert found == {"truncation": pytest.approx(0.7, abs=1e-7)}


@pytest.mark.parametrize(
    "value",
    [1.5, -0.1, "2", "nan", "inf", "", "1_0", "٣", "0x1", " 1", "1e999", math.nan, math.inf, None, True, [1], 10**400],
)
def test_a_value_that_cannot_be(value: Any, generators: dict[str, ImageGenerator]) -> None:
    with pytest.raises(UsageError) as caught:
        generators["style"].sample(1, 7, controls={"truncation": value})
    assert str(caught.value) == f"truncation must be a number from 0 to 1, not {value!r}"
    assert (caught.value.hint, caught.value.exit_code) == ("truncation=1 is the default", ExitCode.USAGE)


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(-100, 100), st.floats(0, 100, exclude_min=True))
def test_values_are_within_their_range_or_refused(value: float, low: float, width: float) -> None:
    controls = {"c": Control(default=low, low=low, high=low + width)}
    for given_value in (value, repr(value)):
        try:
            (found,) = control_values({"c": given_value}, controls, "m").values()
        except UsageError:
            assert not low <= value <= low + width
        else:
            assert found == value


def test_a_control_that_there_is_not(generators: dict[str, ImageGenerator], plain: tuple[bytes, Any]) -> None:
    with pytest.raises(UsageError, match=r"(?m)^style has no control 'truncaton'$") as caught:
        generators["style"].sample(1, 7, controls={"truncaton": 1})
    assert caught.value.hint == "did you mean 'truncation'?"
    with pytest.raises(UsageError, match=r"(?m)^tiny has no control 'truncation'$") as caught:
        ImageGenerator.from_bytes(plain[0], device="cpu").run(np.zeros((1, 4), np.float32), controls={"truncation": 1})
    assert caught.value.hint == "leave it out"
    with pytest.raises(UsageError, match=r"(?m)^controls must be a mapping, not 0\.7$"):
        generators["style"].sample(1, 7, controls=0.7)  # type: ignore[arg-type]


# The command line


def sample(*arguments: str) -> int:
    return main(["sample", "--device", "cpu", "-n", "5", "--seed", "7", *arguments])


def test_on_the_command_line(
    files: dict[str, bytes], generators: dict[str, ImageGenerator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, data in files.items():
        Path(f"{name}.onnx").write_bytes(data)
    assert sample("style.onnx", "--control", "truncation=0.7", "-o", "a.npy") == 0
    np.testing.assert_array_equal(np.load("a.npy"), generators["style"].sample(5, 7, controls={"truncation": 0.7}))
    assert sample("info.onnx", "--control", "digit=3", "--control", "gain=0.5", "-o", "b.npy") == 0
    np.testing.assert_array_equal(np.load("b.npy"), generators["info"].sample(5, 7, controls={"digit": 3, "gain": 0.5}))
    assert sample("style.onnx", "-o", "c.npy") == 0
    np.testing.assert_array_equal(np.load("c.npy"), generators["style"].sample(5, 7))


@pytest.mark.parametrize(
    ("controls", "error", "hint"),
    [
        (["truncation"], "--control 'truncation' is no NAME=VALUE", "for example --control truncation=0.7"),
        (["=1"], "--control '=1' is no NAME=VALUE", "for example --control truncation=0.7"),
        (["truncation=1", "truncation=1"], "the control 'truncation' is given twice", "give it once"),
        (["truncation=2"], "truncation must be a number from 0 to 1, not '2'", "truncation=1 is the default"),
        (["truncation=nan"], "truncation must be a number from 0 to 1, not 'nan'", "truncation=1 is the default"),
        (["psi=1"], "style has no control 'psi'", "choose one of: truncation"),
    ],
)
def test_bad_controls(
    files: dict[str, bytes],
    tmp_path: Path,
    controls: list[str],
    error: str,
    hint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ganzoo.runtime import opening

    monkeypatch.setattr(opening, "vet_generator", lambda *_: None)
    file = tmp_path / "style.onnx"
    file.write_bytes(files["style"])
    assert sample(str(file), *(word for each in controls for word in ("--control", each))) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines() == [f"Error: {error}", f"Hint: {hint}"]
    assert list(tmp_path.glob("*.png")) == []


# HTTP


def ask(generators: dict[str, ImageGenerator], *paths: str, **headers: str) -> list[httpx.Response]:
    async def scenario() -> list[httpx.Response]:
        app: Starlette = create_app(generators)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get(path, headers=headers) for path in paths]

    return asyncio.run(scenario())


def test_over_http(generators: dict[str, ImageGenerator]) -> None:
    url = "/v1/models/style/sample?n=5&seed=7&format=npy"
    plain, one, some, same = ask(
        generators, url, f"{url}&truncation=1", f"{url}&truncation=0.7", f"{url}&truncation=7e-1"
    )
    pixels, _ = generators["style"].pixels(5, 7, controls={"truncation": 0.7})
    assert some.content == same.content == encode_npy(pixels) != plain.content
    assert plain.headers["etag"] == one.headers["etag"] != some.headers["etag"] == same.headers["etag"]
    (unchanged,) = ask(generators, f"{url}&truncation=0.7", **{"If-None-Match": some.headers["etag"]})
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    ("query", "error", "hint"),
    [
        ("truncation=2", "truncation must be a number from 0 to 1, not '2'", "truncation=1 is the default"),
        ("truncation=nan", "truncation must be a number from 0 to 1, not 'nan'", "truncation=1 is the default"),
        ("truncation=", "truncation must be a number from 0 to 1, not ''", "truncation=1 is the default"),
        ("truncation=1&truncation=1", "the parameter 'truncation' is given twice", "give it once"),
        ("digit=1", "there is no parameter 'digit'", "choose one of: format, label, n, seed, truncation"),
        ("truncaton=1", "there is no parameter 'truncaton'", "did you mean 'truncation'?"),
    ],
)
def test_bad_parameters(generators: dict[str, ImageGenerator], query: str, error: str, hint: str) -> None:
    (answer,) = ask(generators, f"/v1/models/style/sample?{query}")
    assert (answer.status_code, answer.json()) == (422, {"error": error, "hint": hint})


def test_models_tell_of_their_controls(generators: dict[str, ImageGenerator], plain: tuple[bytes, Any]) -> None:
    tiny = ImageGenerator.from_bytes(plain[0], device="cpu")
    (models,) = ask({**generators, "tiny": tiny}, "/v1/models")
    listed = {each["name"]: each["controls"] for each in models.json()["models"]}
    assert listed["style"] == {"truncation": {"default": 1.0, "low": 0.0, "high": 1.0}}
    assert list(listed["info"]) == ["digit", "gain"]
    assert listed["tiny"] == {}
    (sent,) = ask(generators, "/v1/models/info/sample?n=16&seed=7&digit=-1&gain=1")
    assert sent.status_code == 200


# Files


def test_a_file_from_elsewhere_is_tried_at_both_ends(files: dict[str, bytes]) -> None:
    vet_generator(files["info"], "info.onnx")
    model = onnx.load_from_string(files["style"])
    for node in model.graph.node:
        node.output[:] = ["raw" if name == "images" else name for name in node.output]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [0])
    model.graph.initializer.append(axes)
    model.graph.node.extend(
        [
            helper.make_node("ReduceMin", ["truncation", "axes"], ["least"]),
            helper.make_node("Unsqueeze", ["least", "axes"], ["wide"]),
            helper.make_node("Unsqueeze", ["wide", "axes"], ["wider"]),
            helper.make_node("Mul", ["raw", "wider"], ["images"]),
        ]
    )
    card = GeneratorCard.from_json(model.metadata_props[0].value)
    model.metadata_props[0].value = replace(card, weights=None).to_json()
    with pytest.raises(IntegrityError, match="mixes the rows of a batch"):
        vet_generator(model.SerializeToString(), "style.onnx")


@pytest.mark.parametrize(
    "controls",
    [
        {"truncation": {"default": 2, "low": 0, "high": 1}},
        {"truncation": {"default": 1, "low": 1, "high": 1}},
        {"truncation": {"default": "1", "low": 0, "high": 1}},
        {"truncation": {"default": 1, "low": 0}},
        {"truncation": {"default": math.nan, "low": 0, "high": 1}},
        {"truncation": {"default": 1, "low": 0, "high": 1e39}},
        {"seed": {"default": 1, "low": 0, "high": 1}},
        {"Truncation": {"default": 1, "low": 0, "high": 1}},
        {"truncation": 1},
        {f"c{number}": {"default": 1, "low": 0, "high": 1} for number in range(9)},
        ["truncation"],
    ],
)
def test_a_card_with_controls_that_cannot_be(controls: Any) -> None:
    with pytest.raises(IntegrityError, match="ganzoo card cannot be read: "):
        GeneratorCard.from_json(json.dumps({**json.loads(STYLE.to_json()), "controls": controls}))


def test_a_card_is_read_as_it_was_written() -> None:
    assert GeneratorCard.from_json(INFO.to_json()) == INFO
    assert "controls" not in json.loads(replace(INFO, controls={}).to_json())  # an older ganzoo reads it


def test_a_graph_that_lacks_a_control_of_its_card(plain: tuple[bytes, Any]) -> None:
    model = onnx.load_from_string(plain[0])
    card = GeneratorCard.from_json(model.metadata_props[0].value)
    (entry,) = (each for each in model.metadata_props if each.key == METADATA_KEY)
    entry.value = replace(card, controls=STYLE.controls).to_json()
    with pytest.raises(IntegrityError, match="does not match its card"):
        ImageGenerator.from_bytes(model.SerializeToString(), device="cpu")


@pytest.mark.filterwarnings("ignore")  # the quantiser's own
def test_a_quantised_copy_keeps_its_controls(files: dict[str, bytes], tmp_path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    (tmp_path / "style.onnx").write_bytes(files["style"])
    quantize_dynamic(tmp_path / "style.onnx", tmp_path / "small.onnx")
    small = ImageGenerator.from_bytes((tmp_path / "small.onnx").read_bytes(), device="cpu")
    whole = ImageGenerator.from_bytes(files["style"], device="cpu")
    images, wanted = (each.sample(4, 7, controls={"truncation": 0}) for each in (small, whole))
    assert np.abs(images.astype(int) - wanted.astype(int)).mean() < 8
    assert (images == images[:1]).all()


# Plugins


def spec(**controls: Any) -> Architecture:
    return Architecture(
        name="net",
        generator="controlled:Style",
        discriminator="controlled:Critic",
        options=Options,
        resolutions=(8,),
        controls=controls,
    )


def test_a_plain_number_is_a_default_between_0_and_1() -> None:
    (found,) = validate([spec(truncation=1, zoom=Control(default=2, low=1, high=4))])
    assert isinstance(found, Architecture)
    assert found.control_ranges == {
        "truncation": Control(default=1.0, low=0.0, high=1.0),
        "zoom": Control(default=2, low=1, high=4),
    }


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"truncation": 2}, r"control 'truncation' is 2, outside of \[0, 1\]; wanted: Control\(default="),
        ({"truncation": math.nan}, "control 'truncation' is nan, outside"),
        ({"truncation": "1"}, "controls: 'truncation' is neither a number nor a Control; wanted: "),
        ({"truncation": True}, "'truncation' is neither a number nor a Control"),
        ({"seed": 1}, "the name 'seed' means something else when sampling"),
        ({"Truncation": 1}, "the name 'Truncation' is not lower-case letters"),
        ({"zoom": Control(default=5)}, "'zoom' is 5 by default, which is not within 0 to 1"),
        ({"zoom": Control(default=1, low=1, high=1)}, "'zoom' has nothing to choose: it goes from 1 to 1"),
        ({"zoom": Control(default=0, high=math.inf)}, "'zoom' has a default or an end that is not a finite number"),
        ({f"c{number}": 1 for number in range(9)}, "wanted: a mapping of at most 8 names to numbers or Controls"),
    ],
)
def test_a_spec_with_controls_that_cannot_be(controls: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        validate([spec(**controls)])


def test_no_control_is_called_as_something_that_sampling_takes() -> None:
    options = {parameter.name for parameter in sample_command.command.params} - {"controls", "count"}
    calls: list[Callable[..., Any]] = [
        ImageGenerator.sample,
        ImageGenerator.pixels,
        ImageGenerator.run,
        ImageGenerator.forward,
    ]
    arguments = {name for call in calls for name in inspect.signature(call).parameters} - {"self"}
    parameters = {name for known in PARAMETERS.values() for name in known}
    assert options | arguments | parameters | {"z", "labels", "images"} <= TAKEN_NAMES


@pytest.mark.parametrize("default", [0.5, 1.0])
def test_what_training_leaves_out_is_the_default(default: float) -> None:
    card = replace(STYLE, controls={"truncation": Control(default=default)})
    if default == 1:
        reference(Style(), card)
        return
    with pytest.raises(GanzooError, match="other images at its controls' defaults than without") as caught:
        reference(Style(), card)
    assert caught.value.hint == "training, previews and evaluations run without controls: None must mean the default"


PLUGIN = """
from dataclasses import dataclass

from ganzoo import Architecture, Control, Model, hookimpl


@dataclass(frozen=True, kw_only=True)
class Options:
    pass


@hookimpl
def ganzoo_specs():
    common = {"discriminator": "controlled:Critic", "options": Options, "resolutions": (8,)}
    yield Architecture(name="style", generator="controlled:Style", controls={"truncation": 1.0}, **common)
    yield Architecture(name="deaf", generator="controlled:Style", controls={"digit": 1.0}, **common)
    for name in ("style", "deaf"):
        yield Model(name=name, architecture=name, loss="non-saturating")
"""


@pytest.fixture
def plugin(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = ModuleType("controlled")
    module.Style, module.Critic = Style, Critic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "controlled", module)
    install("ganzoo-controlled", {"net": PLUGIN})
    monkeypatch.chdir(tmp_path)
    zoo.cache_clear()


SETTINGS = {"steps": 3, "batch": 16, "device": "cpu"}


@pytest.mark.usefixtures("plugin")
def test_a_training_of_a_generator_with_controls(capsys: pytest.CaptureFixture[str]) -> None:
    """Its mean of w moves in training, and is what truncation goes to in the file."""
    result = ganzoo.train("style", settings=SETTINGS)
    store = Registry(ganzoo.api.open_registry().root)
    network, card = rebuild(store, result.version)
    assert isinstance(network, Style)
    assert not torch.equal(network.w_mean, Style().w_mean)
    trained = ganzoo.load("style", device="cpu")
    assert trained.card.controls == card.controls == STYLE.controls
    for value in (0.0, 0.7):
        images, _ = trained.pixels(5, 7, controls={"truncation": value})
        np.testing.assert_allclose(images.astype(int), by_torch(network, 7, 5, truncation=value).astype(int), atol=1)
    assert main(["registry", "show", "style:1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["lineage"]["generator"]["controls"]
    assert shown == {"truncation": {"default": 1.0, "low": 0.0, "high": 1.0}}
    assert main(["models", "show", "style"]) == 0
    assert "control truncation  1, from 0 to 1" in capsys.readouterr().out


@pytest.mark.usefixtures("plugin")
def test_a_control_that_forward_does_not_take() -> None:
    with pytest.raises(PluginError, match=r"'deaf' cannot be exported: .* unexpected keyword argument 'digit'"):
        ganzoo.train("deaf", settings=SETTINGS)
    assert not Path("runs").exists()
