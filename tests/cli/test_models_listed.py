"""``ganzoo models`` narrowed down, and what was measured of a model in ``ganzoo models show``."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ganzoo.cli import main
from ganzoo.errors import ExitCode, PluginError
from ganzoo.specs import Architecture, Model
from ganzoo.zoo.measured import Cost, measured
from ganzoo.zoo.names import zoo

MEASURED = {
    "costs": {
        "8": {"generator": {"parameters": 1234567, "gflop": 0.5}, "discriminator": {"parameters": 9, "gflop": 1}}
    },
    "trainings": [
        {
            "data": "digits",
            "size": 8,
            "settings": "preset=small",
            "budget": "60 s of one core",
            "seeds": 3,
            "figures": {"fd": [7.25, 0.5], "accuracy": [0.98, 0]},
        }
    ],
}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Model]:
    """A model whose plugin lies in a package with that text as its file of measurements."""

    def make(text: str) -> Model:
        package = tmp_path / f"measured_{uuid4().hex}"  # a module is imported once
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "measured.json").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        return Model(name="m", architecture="dcgan", loss="hinge", measured=f"{package.name}:measured.json")

    return make


@pytest.fixture
def listed(capsys: pytest.CaptureFixture[str]) -> Callable[..., set[str]]:
    def names(*arguments: str) -> set[str]:
        assert main(["models", *arguments, "--json"]) == 0
        return {model["name"] for model in json.loads(capsys.readouterr().out)}

    return names


def test_the_list_can_be_narrowed_by_loss_and_by_labels(listed: Callable[..., set[str]]) -> None:
    every = listed()
    assert listed("--loss", "wgan-gp") >= {"wgan-gp"}
    assert "dcgan" not in listed("--loss", "wgan-gp")
    assert listed("--loss", "ganzoo/wgan-gp") == listed("--loss", "wgan-gp")
    taking = {zoo().shortest(m) for m in zoo().all(Model) if zoo().get(Architecture, m.architecture).conditional}
    assert listed("--conditional") == taking
    assert listed("--unconditional") == every - taking
    assert listed("--loss", "non-saturating", "--conditional") >= {"conditional"}
    assert listed("--loss", "minimax", "--conditional") == set()


def test_a_loss_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--loss", "hing"]) == ExitCode.NOT_FOUND
    assert capsys.readouterr().err == "Error: unknown loss 'hing'\nHint: did you mean 'hinge'?\n"


def test_what_was_measured_is_shown(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = zoo().get(Model, "dcgan")
    monkeypatch.setattr(zoo(), "get", _instead(spec, replace(spec, measured=model(json.dumps(MEASURED)).measured)))
    assert main(["models", "show", "dcgan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5].split("  ")[0] == "PIXELS"
    assert lines[-4].split() == ["8", "1,234,567", "0.5", "9", "1.0"]
    row = " ".join(lines[-1].split())
    assert row == "digits, 8 px, preset=small 60 s of one core 3 fd 7.25 [6.75, 7.75], accuracy 0.98"


def test_a_network_that_was_not_measured_at_some_size_leaves_a_cell_empty(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cost = {"parameters": 1000, "gflop": 0.5}
    costs = {"8": {"generator": cost, "discriminator": cost}, "16": {"discriminator": cost}}
    spec = zoo().get(Model, "dcgan")
    given = model(json.dumps({"costs": costs})).measured
    monkeypatch.setattr(zoo(), "get", _instead(spec, replace(spec, measured=given)))
    assert main(["models", "show", "dcgan"]) == 0
    header, both, one = capsys.readouterr().out.splitlines()[-3:]
    assert header.split()[:2] == ["PIXELS", "GENERATOR"]
    assert both.split() == ["8", "1,000", "0.5", "1,000", "0.5"]
    assert one.split() == ["16", "1,000", "0.5"]
    assert one.index("1,000") == header.index("DISCRIMINATOR")


def _instead(spec: Model, other: Model) -> Callable[..., object]:
    found = zoo().get

    def get(kind: type[Any], name: str, **others: str) -> object:
        answer: object = found(kind, name, **others)
        return other if answer is spec else answer

    return get


def test_nothing_is_shown_of_a_model_of_which_nothing_was_measured() -> None:
    assert measured(Model(name="m", architecture="dcgan", loss="hinge")).costs == {}


def test_measurements_are_read(model: Callable[[str], Model]) -> None:
    found = measured(model(json.dumps(MEASURED)))
    assert found.costs[8]["generator"] == Cost(1234567, 0.5)
    assert found.trainings[0].figures["fd"] == (7.25, 0.5)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"costs": {"x": {}}}', '{"trainings": [{"data": "digits"}]}', "{" * 100_000]
)
def test_a_file_of_another_form_is_the_plugins_fault(model: Callable[[str], Model], text: str) -> None:
    with pytest.raises(PluginError, match=r"^measured_\w+:measured\.json \(model 'm'\) cannot be read: "):
        measured(model(text))


def test_a_file_that_is_not_there_is_the_plugins_fault() -> None:
    spec = Model(name="m", architecture="dcgan", loss="hinge", measured="ganzoo_plugins.dcgan:nothing.json")
    with pytest.raises(PluginError, match="cannot be read"):
        measured(spec)
    with pytest.raises(PluginError, match="cannot be read"):
        measured(replace(spec, measured="nowhere_at_all:measured.json"))


def test_readme_names_every_built_in_model() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    rows = text.partition("| what for | models |")[2].partition("\n\n")[0]
    built_in = {model.name for model in zoo().all(Model) if zoo().owner(model).builtin}
    assert set(re.findall("`([a-z0-9-]+)`", rows)) == built_in
