"""A whole training, and what it leaves: the run's directory, the version, its lineage; plugins that watch."""

import getpass
import importlib.metadata
import json
import platform
import re
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo import api
from ganzoo.cli import main
from ganzoo.config import RunConfig, convert
from ganzoo.data import load
from ganzoo.errors import ExitCode, GanzooError, NotFoundError, UsageError
from ganzoo.observer import Observer
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.training.objective import generator_loss
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.discovery import State
from ganzoo.zoo.names import zoo
from ganzoo_registry import NotWritable, Registry, RegistryError

REPORTED = ["grad_norm_d", "grad_norm_g", "images_per_second", "loss_d", "loss_g", "seconds"]

TINY = {
    "steps": 3,
    "batch": 4,
    "report_every": 2,
    "preview_every": 2,
    "checkpoint_every": 2,
    "options": {"width": 2, "latent_dim": 3},
    "device": "cpu",
    "precision": "fp32",
}
GREEDY = '''
"""A plugin whose generator takes the batch's mean away: it trains, and must not be exported."""

from dataclasses import dataclass

import ganzoo


@dataclass(frozen=True, kw_only=True)
class Options:
    latent_dim: int = 3


@ganzoo.hookimpl
def ganzoo_specs():
    yield ganzoo.Architecture(
        name="greedy",
        generator="greedy_networks:Generator",
        discriminator="ganzoo_plugins.vanilla.networks:Discriminator",
        options=Options,
        resolutions=(8,),
    )
    yield ganzoo.Model(name="greedy", architecture="greedy", loss="hinge")
'''
GREEDY_NETWORKS = """
from torch import nn


class Generator(nn.Module):
    def __init__(self, shape, options):
        super().__init__()
        self.latent_dim = options.latent_dim
        self.layers = nn.Sequential(nn.Linear(options.latent_dim, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, z, labels):
        images = self.layers(z)
        return images - images.mean(0, keepdim=True)


class Discriminator(nn.Module):
    def __init__(self, shape, options):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))

    def forward(self, images, labels):
        return self.layers(images)
"""
WATCHER = """
import ganzoo

HEARD = []


@ganzoo.hookimpl
def ganzoo_run_started(run):
    HEARD.append(("started", run.config.model, run.directory.name))


@ganzoo.hookimpl
def ganzoo_report(step, metrics):
    HEARD.append(("report", step, sorted(metrics)))


@ganzoo.hookimpl
def ganzoo_run_ended(run, result):
    HEARD.append(("ended", None if result is None else str(result.version)))


@ganzoo.hookimpl
def ganzoo_lineage(run):
    return {"budget": 3, "seed seen": run.config.seed}
"""
GRUMPY = "import ganzoo\n" + "".join(
    f"@ganzoo.hookimpl\ndef {hook}(run):\n    raise ValueError('no {hook}')\n"
    for hook in ("ganzoo_run_started", "ganzoo_report", "ganzoo_run_ended", "ganzoo_lineage")
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs go to ``./runs``."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``install("greedy", greedy="source", ...)``: a distribution with these modules, the first being its plugin."""
    site = tmp_path / "site"
    installed: list[str] = []

    def install(distribution: str, **modules: str) -> None:
        metadata = site / f"{distribution.replace('-', '_')}-2.5.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.5\n")
        plugin = next(iter(modules))
        (metadata / "entry_points.txt").write_text(f"[ganzoo.v1]\n{plugin} = {plugin}\n")
        for name, source in modules.items():
            (site / f"{name}.py").write_text(source)
            installed.append(name)
        monkeypatch.syspath_prepend(site)
        zoo.cache_clear()

    yield install
    for name in installed:
        sys.modules.pop(name, None)
    zoo.cache_clear()


def train(model: str | None = "vanilla", *, export: bool = False, **options: Any) -> TrainResult:
    settings = {**TINY, **options.pop("settings", {})}
    return api.train(model, settings=settings, export=export, **options)


def lineage(result: TrainResult) -> dict[str, Any]:
    return api.open_registry().lineage(result.version)


class Notes(Observer):
    """Collects what a person would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def noted(self, message: str) -> None:
        self.told.append(message)


# The run's directory


def test_what_a_run_leaves_on_disk() -> None:
    result = train()
    assert result.run == Path("runs/vanilla/1")
    assert sorted(path.relative_to(result.run).as_posix() for path in result.run.rglob("*") if path.is_file()) == [
        "checkpoints/step-00000002.safetensors",
        "checkpoints/step-00000003.safetensors",
        "clock.json",
        "config.toml",
        "lock",
        "metrics.jsonl",
        "nearest.png",
        "outcome.json",
        "real.png",
        "report.html",
        "run.json",
        "samples.png",
        "samples.webp",
        "samples/step-00000002.png",
    ]
    config = convert(tomllib.loads((result.run / "config.toml").read_text("utf-8")), RunConfig)
    assert (config.model, config.name, config.size, config.steps) == ("vanilla", "vanilla", 8, 3)
    reports = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert [report.pop("step") for report in reports] == [2, 3]
    assert {**reports[0], **reports[-1]} == dict(result.metrics)
    assert sorted(reports[0]) == REPORTED
    facts = json.loads((result.run / "run.json").read_text("utf-8"))
    assert sorted(facts) == ["data", "environment", "launch", "parents", "plugins", "sha256", "touched"]
    for picture in (result.grid, result.run / "samples" / "step-00000002.png"):
        with Image.open(picture) as image:
            assert image.size == (64, 64) or min(image.size) > 64


def test_the_version_holds_the_networks_and_the_grid() -> None:
    result = train()
    store = api.open_registry()
    assert str(result.version) == "vanilla:1"
    assert sorted(store.kinds(result.version)) == ["discriminator", "generator", "generator-ema", "preview"]
    assert store.read(result.version, "preview") == result.grid.read_bytes()
    assert (result.onnx, dict(result.gates)) == (None, {})
    with pytest.raises(NotFoundError) as caught:
        api.load("vanilla")
    assert (str(caught.value), caught.value.hint) == ("vanilla:1 has no ONNX file yet", "ganzoo export vanilla:1")


def test_runs_are_numbered_by_name() -> None:
    assert [str(train(settings={"seed": seed}).run) for seed in (0, 1)] == ["runs/vanilla/1", "runs/vanilla/2"]
    named = train(settings={"name": "mine"}, runs="elsewhere")
    assert (str(named.run), str(named.version)) == ("elsewhere/mine/1", "mine:1")
    assert lineage(named)["config"]["model"] == "vanilla"
    Path("runs/vanilla/7").mkdir()
    Path("runs/vanilla/notes").mkdir()
    assert str(train(settings={"seed": 2}).run) == "runs/vanilla/8"


def test_a_model_may_be_named_in_the_settings() -> None:
    assert str(train(None, settings={"model": "vanilla"}).version) == "vanilla:1"
    with pytest.raises(UsageError) as caught:
        train(None)
    assert (str(caught.value), caught.value.hint) == (
        "no model was chosen",
        "ganzoo train --model NAME; ganzoo models lists them",
    )


# Lineage


def test_the_lineage_has_what_it_takes_to_train_again() -> None:
    record = lineage(train("conditional"))
    assert sorted(record) == [
        *("config", "data", "environment", "extra", "format", "generator", "metrics", "parents", "plugins", "training"),
    ]
    digits = load("digits", zoo())
    assert digits.held_out
    assert record["data"] == {
        "name": "digits",
        "named": True,
        "digest": digits.training.digest,
        "count": 1438,
        "held_out": {"digest": digits.held_out.digest, "count": 359},
        "skipped": 0,
        "class_names": list("0123456789"),
    }
    assert record["generator"] == {
        "architecture": "conditional",
        "options": {"discriminator_norm": "batch", "latent_dim": 3, "width": 2},
        "channels": 1,
        "height": 8,
        "width": 8,
        "latent_dim": 3,
        "class_names": list("0123456789"),
    }
    assert record["training"] == {"steps": 3, "images": 12, "events": []}
    assert sorted(record["metrics"]) == ["grad_norm_d", "grad_norm_g", "loss_d", "loss_g"]
    assert record["config"]["seed"] == 0
    ours = {"distribution": "ganzoo", "version": importlib.metadata.version("ganzoo"), "api": "v1"}
    assert record["plugins"] == [{"name": name, **ours} for name in ("conditional", "digits", "losses", "optimizers")]
    assert record["environment"]["python"] == platform.python_version()
    for library in ("torch", "numpy", "onnx", "ganzoo"):
        assert record["environment"]["libraries"][library] == importlib.metadata.version(library)
    assert (record["parents"], record["extra"], record["format"]) == ([], {}, 1)


def test_an_unconditional_model_keeps_the_datas_class_names_and_takes_no_labels() -> None:
    record = lineage(train())
    assert len(record["data"]["class_names"]) == 10
    assert record["generator"]["class_names"] == []


def test_nothing_that_is_registered_names_the_machine_or_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "zaphod-the-user")
    monkeypatch.setattr(socket, "gethostname", lambda: "zaphod-the-host")
    monkeypatch.setattr(platform, "node", lambda: "zaphod-the-host")
    assert getpass.getuser() == "zaphod-the-user"
    photos = tmp_path / "secret place" / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        for number in (1, 2, 3):
            Image.new("L", (8, 8), number + ord(name[0])).save(photos / name / f"{number}.png")
    (photos / "cat" / "0.png").write_bytes(b"damaged")
    result = train("conditional", settings={"data": str(photos), "size": 8}, export=True)
    record = lineage(result)
    assert record["data"]["name"] == record["config"]["data"] == "photos"
    assert (record["data"]["class_names"], record["data"]["skipped"]) == (["cat", "dog"], 1)
    store = api.open_registry()
    contents = [store.read(result.version, kind) for kind in store.kinds(result.version)]
    for content in [json.dumps(record).encode(), *contents]:
        assert b"zaphod" not in content
        assert b"secret place" not in content
        assert str(tmp_path).encode() not in content
        assert sys.prefix.encode() not in content
    assert not re.search(r'"/', json.dumps(record))


def test_the_same_training_is_the_same_version() -> None:
    first, second = train(), train()
    assert (second.version, second.run.name) == (first.version, "2")
    assert len(api.open_registry().versions("vanilla")) == 1
    assert str(train(settings={"seed": 1}).version) == "vanilla:2"


def test_torchs_own_generator_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    train()
    assert torch.equal(torch.random.get_rng_state(), state)


# Before the first step


@pytest.fixture
def no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """No training step may be taken in this test."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError("a step was taken")

    monkeypatch.setattr(Trainer, "step", refuse)


@pytest.mark.parametrize("place", ["file", "file/registry"])
def test_an_unusable_registry_is_found_before_the_first_step(here: Path, no_step: None, place: str) -> None:
    (here / "file").write_text("mine")
    with pytest.raises(NotWritable, match=r"file is a file, not a directory"):
        train(registry=here / place)
    assert sorted(path.name for path in here.iterdir()) == ["file"]
    assert (here / "file").read_text() == "mine"


def test_something_else_than_a_registry_is_left_alone(here: Path, no_step: None) -> None:
    (here / "other").mkdir()
    (here / "other" / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    with pytest.raises(Exception, match=r"holds another program.s OCI layout, not a registry of models") as caught:
        train(registry=here / "other")
    assert caught.value.exit_code == ExitCode.FAILURE  # type: ignore[attr-defined]
    assert not Path("runs").exists()


def test_a_run_that_cannot_be_planned_leaves_nothing(here: Path) -> None:
    for settings in ({"bacth": 3}, {"size": 9}, {"options": {"widht": 3}}, {"data": "nowhere"}):
        with pytest.raises(GanzooError):
            train(settings=settings)
    assert list(here.iterdir()) == []


def test_runs_that_cannot_be_made(here: Path, no_step: None) -> None:
    (here / "runs").write_text("a file")
    with pytest.raises(GanzooError) as caught:
        train()
    assert str(caught.value).startswith("cannot make a run in runs/vanilla: ")
    assert caught.value.hint == "choose another place: --runs DIR"


# Resuming what has not begun, and fine-tuning from a file


def test_a_run_that_has_recorded_nothing_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost then."""

    def fail(*arguments: Any) -> None:
        raise GanzooError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("ganzoo.training.trainer.Trainer.step", fail)
        with pytest.raises(GanzooError):
            train()
    assert not list(Path("runs/vanilla/1/checkpoints").iterdir())
    resumed = api.train(resume="last", export=False)
    assert str(resumed.run) == "runs/vanilla/1"
    assert train().version == resumed.version  # the same as one that was never interrupted


def test_a_configuration_file_that_names_its_parent_starts_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = train()
    child = train(None, init_from="vanilla:1", settings={"name": "child", "steps": 2})
    settings = tomllib.loads((child.run / "config.toml").read_text("utf-8"))
    assert settings["init_from"] == "vanilla:1"
    again = api.train(settings=settings, export=False)
    assert again.version == child.version
    assert lineage(again)["parents"] == [{"relation": "init-from", "name": "vanilla", "digest": parent.version.digest}]


# Plugins


def test_a_plugin_hears_of_a_run_and_adds_to_its_lineage(install: Callable[..., None]) -> None:
    install("ganzoo-watcher", watcher=WATCHER)
    result = train()
    assert sys.modules["watcher"].HEARD == [
        ("started", "vanilla", "1"),
        ("report", 2, REPORTED),
        ("report", 3, ["images_per_second", "loss_d", "loss_g", "seconds"]),
        ("ended", "vanilla:1"),
    ]
    assert lineage(result)["extra"] == {"ganzoo-watcher/watcher": {"budget": 3, "seed seen": 0}}


BOOKKEEPER = """
import ganzoo

HEARD = []


@ganzoo.hookimpl
def ganzoo_registered(run, version):
    HEARD.append(("registered", run.config.name, str(version)))


@ganzoo.hookimpl
def ganzoo_alias_moved(version, alias):
    HEARD.append(("moved", str(version), alias))
    raise ValueError("not today")
"""


def test_a_plugin_hears_of_versions_and_aliases(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], own_registry: Path
) -> None:
    """And stops nothing when it raises; an alias that is not moved is not told."""
    install("ganzoo-bookkeeper", bookkeeper=BOOKKEEPER)
    train()
    heard = sys.modules["bookkeeper"].HEARD
    assert heard == [("registered", "vanilla", "vanilla:1")]
    assert main(["registry", "alias", "vanilla:1", "champion"]) == 0
    assert "plugin ganzoo-bookkeeper/bookkeeper 2.5 failed in ganzoo_alias_moved: ValueError" in capsys.readouterr().err
    assert heard[1:] == [("moved", "vanilla:1", "champion")]
    assert api.open_registry().resolve("vanilla@champion").number == 1
    with pytest.raises(RegistryError):
        api.move_alias("vanilla:9", "champion")
    assert len(heard) == 2


def test_a_plugin_hears_of_a_failure(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    install("ganzoo-watcher", watcher=WATCHER)

    def fail(*arguments: Any) -> None:
        raise GanzooError("diverged")

    monkeypatch.setattr(Trainer, "step", fail)
    with pytest.raises(GanzooError, match="diverged"):
        train()
    assert sys.modules["watcher"].HEARD == [("started", "vanilla", "1"), ("ended", None)]


@pytest.mark.parametrize("answer", ["'text'", "{'score': float('nan')}", "{'where': run.directory}", "7"])
def test_a_lineage_that_is_not_json_is_left_out(answer: str, install: Callable[..., None]) -> None:
    """It comes when the training is over: it must not cost the version."""
    hook = f"import ganzoo\n\n@ganzoo.hookimpl\ndef ganzoo_lineage(run):\n    return {answer}\n"
    install("ganzoo-odd", odd=hook)
    notes = Notes()
    assert lineage(train(observer=notes))["extra"] == {}
    (note,) = notes.told
    assert note.startswith("plugin ganzoo-odd/odd 2.5 answered ganzoo_lineage with what is not a JSON object: ")


def test_a_plugin_that_empties_the_report(install: Callable[..., None]) -> None:
    install("ganzoo-odd", odd="import ganzoo\n\n@ganzoo.hookimpl\ndef ganzoo_report(metrics):\n    metrics.clear()\n")
    assert set(lineage(train())["metrics"]) == {"grad_norm_d", "grad_norm_g", "loss_d", "loss_g"}


def test_a_diagnostic_that_is_not_finite_costs_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(step: Any, *arguments: Any) -> Any:
        step.log("ratio", torch.tensor(float("nan")))
        return real(step, *arguments)

    real = generator_loss
    monkeypatch.setattr("ganzoo.training.objective.generator_loss", odd)
    result = train()
    assert set(lineage(result)["metrics"]) == {"grad_norm_d", "grad_norm_g", "loss_d", "loss_g"}
    assert json.loads((result.run / "metrics.jsonl").read_text().splitlines()[-1])["ratio"] is None


def test_a_plugin_that_raises_is_named_once_and_stops_nothing(install: Callable[..., None]) -> None:
    install("ganzoo-grumpy", grumpy=GRUMPY)
    install("ganzoo-watcher", watcher=WATCHER)
    notes = Notes()
    result = train(observer=notes)
    assert notes.told == [
        "plugin ganzoo-grumpy/grumpy 2.5 failed in ganzoo_run_started: ValueError: no ganzoo_run_started"
    ]
    assert len(sys.modules["watcher"].HEARD) == 4
    assert list(lineage(result)["extra"]) == ["ganzoo-watcher/watcher"]


def test_a_failed_export_leaves_the_weights_registered_and_no_file(
    install: Callable[..., None], own_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that could not be foreseen: the generator is not tried before."""
    monkeypatch.setattr("ganzoo.pipeline.plan.preflight", lambda *_: None)
    networks = GREEDY.replace("ganzoo_plugins.vanilla.networks", "greedy_networks")
    install("acme-greedy", greedy=networks, greedy_networks=GREEDY_NETWORKS)
    (plugin,) = (plugin for plugin in zoo().manager.plugins if plugin.name == "greedy")
    assert plugin.state is State.ACTIVE, plugin.reason
    settings = {"options": {"latent_dim": 3}}
    with pytest.raises(GanzooError) as caught:
        train("greedy", settings=settings, export=True)
    assert re.fullmatch(
        r"an image of the generator depends on the others of its batch in eval mode, by up to \S+ "
        r"\(the weights are registered as greedy:1\)",
        str(caught.value),
    )
    assert caught.value.exit_code == ExitCode.FAILURE
    assert not list(Path("runs").rglob("*.onnx"))
    store = Registry(own_registry)
    version = store.resolve("greedy:1")
    assert sorted(store.kinds(version)) == ["discriminator", "generator", "generator-ema", "preview"]
    record = store.lineage(version)
    assert record["config"]["model"] == record["config"]["architecture"] == "acme-greedy/greedy"
    assert {"name": "greedy", "distribution": "acme-greedy", "version": "2.5", "api": "v1"} in record["plugins"]
    assert np.frombuffer(store.read(version, "generator-ema"), np.uint8).size > 64


def test_skipped_images_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for shade in range(3):
        Image.new("L", (8, 8), 100 * shade).save(tmp_path / f"b{shade}.png")
    for number in range(12):
        (tmp_path / f"{number:02}.png").write_bytes(b"")
    notes = Notes()
    train(settings={"data": str(tmp_path), "size": 8}, observer=notes)
    (told,) = notes.told
    assert told.startswith("12 of 16 images cannot be read and are left out: 00.png: empty")
    assert ("09.png" in told, "10.png" in told) == (True, False)
    assert Run.find("last", Path("runs")).facts["data"]["skipped"] == 12


def test_what_is_held_out_does_not_depend_on_who_said_the_size(tmp_path: Path) -> None:
    """12 pixels become 16 or 8: trained without a size, resumed, and trained from its own configuration."""
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 256, (40, 12, 12), np.uint8))
    settings: dict[str, Any] = {**TINY, "data": str(tmp_path / "own.npy")}
    result = api.train("vanilla", settings=settings, runs=tmp_path / "runs", export=False)
    store = api.open_registry()
    facts = store.lineage(result.version)["data"]
    assert facts["held_out"]["count"] == 4
    api.train(resume=str(result.run), settings={"steps": 4}, runs=tmp_path / "runs", export=False)
    written = tomllib.loads((result.run / "config.toml").read_text())
    again = api.train(settings={**written, "name": "again"}, runs=tmp_path / "runs", export=False)
    assert store.lineage(again.version)["data"] == facts
    size = store.lineage(result.version)["config"]["size"]
    split = load(settings["data"], zoo(), size=size, held_out=0.1)
    assert split.training.digest == facts["digest"]
