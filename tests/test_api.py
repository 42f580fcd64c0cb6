"""The few calls of ``ganzoo``, as a person makes them in Python."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from traceback import format_exception
from typing import Any

import numpy as np
import pytest

import ganzoo
from ganzoo import api, observer
from ganzoo.config.synonyms import meant_by
from ganzoo.errors import ExitCode, NotFoundError, TrainingStopped, UsageError
from ganzoo.exporting.web import RUNTIME
from ganzoo.images import encode_picture, encode_png, grid
from ganzoo.records.result import TrainResult
from ganzoo_registry import NotFound, Version

Trained = tuple[Path, TrainResult]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    home = tmp_path_factory.mktemp("api")
    settings = {"steps": 2, "batch": 4, "options": {"width": 2, "latent_dim": 3}, "device": "cpu"}
    result = ganzoo.train("vanilla", settings=settings, registry=str(home / "registry"), runs=str(home / "runs"))
    return home / "registry", result


def test_models_are_the_installed_ones() -> None:
    models = ganzoo.models()
    assert all(isinstance(model, ganzoo.Model) for model in models)
    assert {"conditional", "dcgan", "vanilla", "wgan-gp"} <= {model.name for model in models}


@pytest.mark.parametrize("form", ["vanilla", "vanilla:1", "vanilla@champion", "vanilla@{digest}", "{file}"])
def test_every_way_to_name_a_version_gives_the_same_images(trained: Trained, form: str) -> None:
    root, result = trained
    api.open_registry(root).alias("vanilla:1", "champion")
    reference = form.format(digest=result.version.digest, file=result.onnx)
    images = ganzoo.load(reference, registry=root, device="cpu").sample(5, seed=7)
    assert images.shape == (5, 8, 8, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, ganzoo.load("vanilla", registry=root, device="cpu").sample(5, seed=7))


def test_what_is_returned_says_in_a_line_what_it_is_and_shows_its_images_in_a_notebook(trained: Trained) -> None:
    root, result = trained
    generator = ganzoo.load("vanilla", registry=root, device="cpu")
    assert repr(generator) == "<ImageGenerator vanilla:1, 8x8 grey, on cpu>"
    assert generator._repr_png_() == encode_png(grid(generator.pixels(16, 0)[0]))
    assert repr(result) == f"<TrainResult last vanilla:1, {result.run}>"
    assert result._repr_png_() == result.grid.read_bytes()
    assert replace(result, grid=root / "gone")._repr_png_() is None
    version = result.version
    assert repr(version) == f"<Version vanilla:1, {version.digest[:19]}, {version.created}>"
    evaluation = ganzoo.evaluate("vanilla", n=20, seeds=1, registry=root, device="cpu")["vanilla:1"]
    assert re.fullmatch(r"<Evaluation fd [\d.]+, .*; 20 samples a seed, .* protocol \w{12}>", repr(evaluation))


def test_a_file_may_be_given_as_a_path(trained: Trained) -> None:
    file = trained[1].onnx
    assert file is not None
    assert ganzoo.load(file, device="cpu").sha256 == ganzoo.load(str(file), device="cpu").sha256


def test_the_registry_may_stand_in_the_environment(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_REGISTRY", str(trained[0]))
    assert ganzoo.load("vanilla").card.version == 1


def test_export_writes_the_file_that_training_attached(trained: Trained, tmp_path: Path) -> None:
    root, result = trained
    exported = ganzoo.export("vanilla", output=str(tmp_path / "v.onnx"), registry=root)
    assert exported.path == tmp_path / "v.onnx"
    assert result.onnx is not None
    assert exported.path.read_bytes() == result.onnx.read_bytes()


@pytest.mark.parametrize("call", [ganzoo.load, ganzoo.export])
def test_a_version_that_does_not_exist(trained: Trained, call: Any) -> None:
    with pytest.raises(NotFound) as caught:
        call("vanilla:9", registry=trained[0])
    assert (str(caught.value), caught.value.hint) == (
        "the version vanilla:9 does not exist",
        "versions of 'vanilla' that exist: 1",
    )
    assert caught.value.exit_code == ExitCode.NOT_FOUND


def test_one_family_of_errors_whose_hints_a_traceback_shows(tmp_path: Path) -> None:
    with pytest.raises(ganzoo.GanzooError) as caught:
        api.open_registry(tmp_path).resolve("vanilla:9")
    assert isinstance(caught.value, NotFound)
    with pytest.raises(ganzoo.GanzooError) as own:
        ganzoo.plan("dcgna")
    *_, last, hint = "".join(format_exception(own.value)).splitlines()
    assert (last, hint) == ("ganzoo.errors.NotFoundError: unknown model 'dcgna'", "Hint: did you mean 'dcgan'?")
    assert str(own.value) == "unknown model 'dcgna'"


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        ganzoo.load(str(tmp_path / "no.onnx"))
    assert str(caught.value) == f"{tmp_path}/no.onnx: No such file or directory"
    assert caught.value.hint == "give the path of an exported file, or a registry name"


@pytest.mark.parametrize("name", ganzoo.__all__)
def test_no_call_is_hidden_by_a_module_of_its_name(name: str) -> None:
    """``import ganzoo.x.y`` would put the module ``x`` in the call's place."""
    assert find_spec(f"ganzoo.{name}") is None


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="module 'ganzoo' has no attribute 'tain'"):
        ganzoo.tain  # noqa: B018


def test_what_the_page_names_is_there_after_the_import_of_the_package_alone() -> None:
    assert (ganzoo.api, ganzoo.observer, ganzoo.TrainingStopped) == (api, observer, TrainingStopped)


WRONG: dict[str, Callable[[Path], object]] = {
    "no seeds": lambda root: ganzoo.evaluate(["vanilla"], seeds=0, registry=root),
    "seeds as text": lambda root: ganzoo.evaluate(["vanilla"], seeds="2", registry=root),  # type: ignore[arg-type]
    "yes for seeds": lambda root: ganzoo.evaluate(["vanilla"], seeds=True, registry=root),
    "no samples": lambda root: ganzoo.evaluate(["vanilla"], n=0, registry=root),
    "half a sample": lambda root: ganzoo.evaluate(["vanilla"], n=1.5, registry=root),  # type: ignore[arg-type]
    "more seeds than on the command line": lambda root: ganzoo.evaluate(["vanilla"], n=2, seeds=101, registry=root),
    "no references": lambda root: ganzoo.evaluate([], registry=root),
    "a run of no name": lambda root: api.train("vanilla", resume=""),
    "a beginning of no name": lambda root: api.train("vanilla", init_from=""),
    "a number for a reference": lambda root: api.evaluate([5], registry=root),  # type: ignore[list-item]
    "a list of settings": lambda root: api.train("vanilla", settings=["batch=8"]),  # type: ignore[arg-type]
    "text for settings": lambda root: api.plan("vanilla", settings="batch=8"),  # type: ignore[arg-type]
    "a plan from nothing": lambda root: api.plan("vanilla", init_from=""),
    "a number for a registry": lambda root: api.load("net", registry=5),  # type: ignore[arg-type]
    "a number for an extractor": lambda root: api.evaluate("vanilla", features=5, registry=root),  # type: ignore[arg-type]
    "images of no size": lambda root: api.describe_data("digits", size=0),
    "images of less than no size": lambda root: api.describe_data("digits", size=-4),
    "yes for a size": lambda root: api.describe_data("digits", size=True),
    "half a pixel": lambda root: api.describe_data("digits", size=8.5),  # type: ignore[arg-type]
    "all held out": lambda root: api.describe_data("digits", held_out=1.0),
    "more than all held out": lambda root: api.describe_data("digits", held_out=2),
    "less than none held out": lambda root: api.describe_data("digits", held_out=-0.1),
    "yes for a share": lambda root: api.describe_data("digits", held_out=True),
    "a share as text": lambda root: api.describe_data("digits", held_out="0.1"),  # type: ignore[arg-type]
    "a registry as bytes": lambda root: ganzoo.load("vanilla", registry=bytes(root)),  # type: ignore[arg-type]
    "a registry as a number": lambda root: ganzoo.load("vanilla", registry=0),  # type: ignore[arg-type]
    "to go on with nothing": lambda root: ganzoo.train("vanilla", resume="", registry=root),
    "to go on with blanks": lambda root: ganzoo.train("vanilla", resume=" ", registry=root),
    "to start from nothing": lambda root: ganzoo.train("vanilla", init_from="", registry=root),
    "to plan from nothing": lambda root: api.plan("vanilla", init_from="", registry=root),
    "to go on and to start anew": lambda root: ganzoo.train(resume="last", init_from="vanilla", registry=root),
    "opset 0": lambda root: ganzoo.export("vanilla", opset=0, registry=root),
    "an opset as text": lambda root: ganzoo.export("vanilla", opset="18", registry=root),  # type: ignore[arg-type]
    "yes for an opset": lambda root: ganzoo.export("vanilla", opset=True, registry=root),
    "a million threads": lambda root: ganzoo.train("vanilla", settings={"threads": 10**6}, registry=root),
    "yes for a size of training": lambda root: ganzoo.train("vanilla", settings={"size": True}, registry=root),
    "another device": lambda root: ganzoo.train("vanilla", settings={"device": "gpu"}, registry=root),
    "a device in capitals": lambda root: ganzoo.train("vanilla", settings={"device": "CUDA"}, registry=root),
    "a model that is a number": lambda root: ganzoo.train(5, registry=root),  # type: ignore[arg-type]
    "a number for a model in settings": lambda root: ganzoo.plan(settings={"model": 5}, registry=root),
    "a model given twice": lambda root: ganzoo.plan("dcgan", settings={"model": "wgan"}, registry=root),
    "a beginning given twice": lambda root: ganzoo.train(
        init_from="vanilla", settings={"init_from": "vanilla:1"}, registry=root
    ),
    "a key given twice": lambda root: ganzoo.train("vanilla", settings={"batch": 4}, batch=4, registry=root),
    "a pattern that is none": lambda root: ganzoo.list_models(None),  # type: ignore[arg-type]
    "a model that is none": lambda root: ganzoo.create(None, size=8),  # type: ignore[arg-type]
    "channels as text": lambda root: ganzoo.create("dcgan", size=8, channels="3"),  # type: ignore[arg-type]
    "yes for channels": lambda root: ganzoo.create("dcgan", size=8, channels=True),
    "an alias as a number": lambda root: api.move_alias("vanilla", 3, registry=root),  # type: ignore[arg-type]
    "a ranking of none": lambda root: api.ranked(None, registry=root),  # type: ignore[arg-type]
    "a figure as a number": lambda root: api.ranked("vanilla", 3, registry=root),  # type: ignore[arg-type]
    "a protocol that is none": lambda root: api.best_version("vanilla", None, registry=root),  # type: ignore[arg-type]
    "another tool's keyword": lambda root: ganzoo.train("vanilla", lr=1e-4, registry=root),  # type: ignore[call-arg]
    "features at an address": lambda root: ganzoo.train(
        "vanilla", settings={"features": "s3://bucket/x.onnx"}, registry=root
    ),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_is_refused_as_on_the_command_line(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        call(trained[0])
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


TINY: dict[str, Any] = {"options": {"width": 2, "latent_dim": 3}}

REFERENCES: dict[str, Callable[[Any, Path], object]] = {
    "load": lambda given, root: ganzoo.load(given, registry=root, device="cpu").sample(2, seed=7).tolist(),
    "load_torch": lambda given, root: weights(ganzoo.load_torch(given, registry=root)),
    "create": lambda given, root: weights(
        ganzoo.create("vanilla", size=8, settings=TINY, pretrained=given, registry=root).generator
    ),
    "export": lambda given, root: ganzoo.export(given, registry=root),
    "evaluate": lambda given, root: list(ganzoo.evaluate(given, n=16, seeds=1, registry=root, device="cpu")),
    "evaluate several": lambda given, root: list(ganzoo.evaluate((given,), n=16, seeds=1, registry=root, device="cpu")),
    "best_version": lambda given, root: api.best_version(given, "a protocol", registry=root),
    "move_alias": lambda given, root: api.move_alias(given, "given", registry=root),
    "report": lambda given, root: ganzoo.report(given, registry=root).read_bytes(),
    "report several": lambda given, root: ganzoo.report(iter([given]), registry=root).read_bytes(),
    "plan": lambda given, root: ganzoo.plan(init_from=given, device="cpu", registry=root).recipe.config,
    "a folder for Triton": lambda given, root: api.export_triton(given, Path(given_name(given)), registry=root).name,
}
"""Calls that are given a reference."""


def weights(module: Any) -> Mapping[str, Any]:
    return {name: each.tolist() for name, each in module.state_dict().items()}


def given_name(given: object) -> str:
    return f"folder-of-{type(given).__name__}"


@pytest.mark.parametrize("call", REFERENCES.values(), ids=REFERENCES)
def test_a_version_and_a_path_name_what_their_text_names(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Any, Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    root, result = trained
    expected = call("vanilla:1", root)
    assert isinstance(result.version, Version)
    assert call(result.version, root) == expected
    assert call(Path("vanilla:1"), root) == expected


@pytest.mark.parametrize(("name", "call"), REFERENCES.items(), ids=REFERENCES)
def test_what_names_nothing_is_refused_in_one_line(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: Callable[[Any, Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = [] if name in ("create", "plan") else [None]  # where it means that there is nothing to start from
    for given in (5, 1.5, True, b"vanilla", object(), *nothing):
        with pytest.raises(UsageError) as caught:
            call(given, trained[0])
        assert "\n" not in str(caught.value)
        assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_run_may_be_given_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {**TINY, "steps": 1, "batch": 4, "device": "cpu"}
    run = ganzoo.train("vanilla", settings=settings, export=False).run
    assert ganzoo.train(resume=Path(run), steps=2, export=False).run.samefile(run)
    page = ganzoo.report(Path(run))
    assert page.samefile(run / "report.html")
    assert ganzoo.report([Path(run)]) == ganzoo.report(str(run)) == page
    for gone in (Path("gone"), "gone"):
        with pytest.raises(NotFoundError, match="no run 'gone'"):
            ganzoo.train(resume=gone)


def test_of_a_version_that_is_named_in_settings_the_number_is_recorded(trained: Trained) -> None:
    """The newest is another one when the run goes on."""
    named: dict[str, Any]
    for named in ({"settings": {"init_from": "vanilla"}}, {"init_from": "vanilla"}):
        assert ganzoo.plan(**named, device="cpu", registry=trained[0]).recipe.config.init_from == "vanilla:1"


DATA: dict[str, Callable[[Any, Path], object]] = {
    "plan": lambda data, root: ganzoo.plan("vanilla", data=data, settings=TINY, batch=4).recipe.config,
    "settings": lambda data, root: ganzoo.plan("vanilla", settings={**TINY, "data": data}, batch=4).recipe.config,
    "train": lambda data, root: ganzoo.train(
        "vanilla", data=data, settings=TINY, device="cpu", steps=1, batch=4, export=False
    ).metrics.keys(),
    "describe_data": lambda data, root: api.describe_data(data),
    "evaluate": lambda data, root: (
        ganzoo.evaluate("vanilla:1", data=data, n=8, seeds=1, device="cpu", registry=root, force=True)[
            "vanilla:1"
        ].protocol
    ),
}


@pytest.mark.parametrize("call", DATA.values(), ids=DATA)
def test_images_may_be_given_as_a_path(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Any, Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(40):
        shade = np.random.default_rng(number).integers(0, 256, (1, 8, 8), np.uint8)
        (photos / f"{number}.png").write_bytes(encode_picture(shade, ".png"))
    assert call(photos, trained[0]) == call(str(photos), trained[0])
    said = []
    for gone in (tmp_path / "gone", str(tmp_path / "gone")):
        with pytest.raises(NotFoundError) as caught:
            call(gone, trained[0])
        said.append((str(caught.value), caught.value.hint))
    assert said[0] == said[1]


def test_the_best_of_what_no_training_made_is_asked_for_without_harm(tmp_path: Path) -> None:
    store = api.open_registry(tmp_path)
    for lineage in ({}, {"config": 5}, {"made": "by hand"}):
        version = store.register("net", {}, lineage)
        assert api.best_version(version, "a protocol", registry=tmp_path) is None


@pytest.mark.parametrize("call", [api.export_web, api.export_triton])
def test_a_folder_of_a_name_that_is_too_long_is_refused(trained: Trained, tmp_path: Path, call: Any) -> None:
    (tmp_path / "ort" / "dist").mkdir(parents=True)
    for name in RUNTIME:
        (tmp_path / "ort" / "dist" / name).write_bytes(b"")
    how = {"ort_web": tmp_path / "ort"} if call is api.export_web else {}
    with pytest.raises(ganzoo.GanzooError, match="File name too long"):
        call("vanilla:1", tmp_path / ("x" * 300), registry=trained[0], **how)


def test_keywords_are_settings(tmp_path: Path) -> None:
    settings = {"batch": 4, "options": {"width": 2}, "device": "cpu"}
    plan = ganzoo.plan("vanilla", settings=settings, size=16, generator={"lr": 1e-4}, registry=tmp_path)
    assert plan.recipe.config == ganzoo.plan("vanilla", generator={"lr": 1e-4}, size=16, **settings).recipe.config  # type: ignore[arg-type]
    assert plan.recipe.config.generator.lr == 1e-4


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"stepps": 3}, ("unknown configuration key 'stepps'", "did you mean 'steps'?")),
        ({"epochs": 3}, ("unknown configuration key 'epochs'", f"that is {meant_by('--epochs')}")),
        ({"batch": 4, "settings": {"batch": 8}}, ("'batch' is given as a keyword and in settings", "give it once")),
    ],
)
def test_a_wrong_keyword_is_named(keys: dict[str, Any], said: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        ganzoo.train("vanilla", **keys)
    assert (str(caught.value), caught.value.hint) == said


def test_one_reference_may_stand_alone(trained: Trained) -> None:
    for references in ("vanilla", ["vanilla"]):
        assert list(ganzoo.evaluate(references, data="digits", n=16, seeds=1, registry=trained[0])) == ["vanilla:1"]
