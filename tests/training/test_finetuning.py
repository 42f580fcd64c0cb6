"""--init-from: a new run that starts with a registered version's weights."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load

from ganzoo import api
from ganzoo.cli import main
from ganzoo.errors import ExitCode
from ganzoo.records.result import TrainResult
from ganzoo_registry import Registry

Train = Callable[..., TrainResult]


@pytest.fixture
def registry() -> Registry:
    return Registry(Path(os.environ["GANZOO_REGISTRY"]))


def test_the_first_weights_are_the_parents(model: str, train: Train, registry: Registry) -> None:
    parent = train(model, steps=3).version
    plan = api.plan(settings={"seed": 99}, init_from=str(parent), registry=registry.root)
    assert plan.trainer.steps_done == 0
    for kind, module in plan.trainer.modules().items():
        stored = load(registry.read(parent, kind))
        assert stored.keys() == module.state_dict().keys()
        assert all(torch.equal(value, stored[key]) for key, value in module.state_dict().items())
    assert plan.recipe.config.seed == 99
    assert plan.recipe.config.init_from == str(parent)


def test_lineage(train: Train, registry: Registry) -> None:
    parent = train("vanilla", steps=3).version
    child = train("vanilla", init_from="vanilla", steps=2, name="tuned", seed=5).version
    assert str(child) == "tuned:1"
    record = registry.lineage(child)
    assert record["parents"] == [{"relation": "init-from", "name": "vanilla", "digest": parent.digest}]
    assert record["config"]["init_from"] == "vanilla:1"
    assert registry.lineage(parent)["parents"] == []


def test_the_parents_model_need_not_be_said_again(
    train: Train,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    train("dcgan", steps=1)
    assert main(["train", "--init-from", "dcgan:1", "--steps", "1", "--batch", "4", "--no-export"]) == 0
    record = registry.lineage(registry.resolve("dcgan:2"))
    assert record["config"]["options"] == registry.lineage(registry.resolve("dcgan:1"))["config"]["options"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--set", "options.width=16"], "generator.layers.0.weight should be [16, 100], and is [8, 100]"),
        (["--set", "options.latent_dim=7"], "generator.layers.0.weight should be [8, 7], and is [8, 100]"),
        (["--size", "16"], "should be ["),
        (["--model", "dcgan", "--set", "architecture=dcgan"], "should be ["),
    ],
)
def test_a_mismatch_is_refused(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    train("vanilla", steps=1)
    runs = ["--runs", str(tmp_path / "new")]
    assert main(["train", "--init-from", "vanilla", *arguments, *runs]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert error.startswith("Error: --init-from vanilla:1: is another model's: ")
    assert reason.removeprefix("generator.") in error
    assert error.endswith("\nHint: fine-tune with the same model, options, size and classes\n")
    assert not (tmp_path / "new").exists()


def test_weights_that_would_be_left_out(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    """The convolutions fit a discriminator without norms, but what it would compute is not what was trained."""
    train("dcgan", steps=1)
    arguments = ["--init-from", "dcgan", "--set", "options.discriminator_norm=none", "--dry-run"]
    assert main(["train", *arguments]) == ExitCode.USAGE
    assert "Error: --init-from dcgan:1: is another model's: there is no layers." in capsys.readouterr().err


def test_a_version_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--init-from", "nothing:3"]) == ExitCode.NOT_FOUND
    assert "nothing" in capsys.readouterr().err


def test_penalties_go_with_the_loss(train: Train, registry: Registry) -> None:
    parent = train("vanilla", steps=2, penalties={"r1": {"weight": 3.0}}).version
    same = train("vanilla", init_from=str(parent), steps=2, name="same").version
    assert registry.lineage(same)["config"]["penalties"]["r1"]["weight"] == 3.0
    other = train("vanilla", init_from=str(parent), steps=2, name="other", loss="hinge").version
    assert registry.lineage(other)["config"]["penalties"] == {}


def with_classes(folder: Path, *names: str) -> str:
    """A set in which each class has its own shade of grey."""
    pixels = np.stack([np.full((8, 8), 40 * ord(name[0]) % 251, np.uint8) for name in names for _ in range(4)])
    labels = np.arange(len(names)).repeat(4)
    path = folder / f"{'-'.join(names)}.npz".replace("́", "+")
    np.savez(path, images=pixels, labels=labels, class_names=list(names))
    return str(path)


@pytest.mark.parametrize(
    ("there", "here", "refused"),
    [
        (("a", "b", "c"), ("a", "b", "c"), None),
        (("a", "b", "c"), ("c", "a", "b"), "class 'c' is number 2 there and 0 in the data"),
        (("a", "b", "c"), ("a", "c", "b"), "class 'c' is number 2 there and 1 in the data"),
        (("a", "b"), ("b", "x"), "class 'b' is number 1 there and 0 in the data"),
        (("a", "b"), ("a", "b", "c"), "it has 2 classes, and the data 3"),
        (("a", "cafe\N{COMBINING ACUTE ACCENT}"), ("a", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"), None),
    ],
)
def test_a_label_keeps_its_class(
    train: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    there: tuple[str, ...],
    here: tuple[str, ...],
    refused: str | None,
) -> None:
    """The rows of an embedding are numbered, and people know names."""
    train("conditional", data=with_classes(tmp_path, *there), steps=1, name="parent")
    again = ["train", "--init-from", "parent", "--data", with_classes(tmp_path, *here), "--steps", "1", "--no-export"]
    code = main([*again, "--batch", "4", "--runs", str(tmp_path / "runs")])
    assert code == (0 if refused is None else ExitCode.USAGE)
    err = capsys.readouterr().err
    assert refused is None or f"Error: --init-from parent:1: {refused}\nHint: give " in err
    assert "other classes" not in err


def test_labels_that_now_mean_other_classes_are_said(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train("conditional", data=with_classes(tmp_path, "a", "b"), steps=1, name="parent")
    again = [
        "train",
        "--init-from",
        "parent",
        "--data",
        with_classes(tmp_path, "x", "y"),
        "--steps",
        "1",
        "--no-export",
    ]
    assert main([*again, "--batch", "4", "--runs", str(tmp_path / "runs")]) == 0
    said = "Warning: parent:1 was trained on other classes; now its labels mean 'x', 'y'\n"
    assert said in capsys.readouterr().err


def test_the_file_that_a_run_was_begun_with_goes_on_with_it(train: Train, tmp_path: Path) -> None:
    """A name without a number means the version that it meant then; another version is another training."""
    for seed in range(2):
        train("vanilla", steps=1, seed=seed, name="parent")
    runs = ["--runs", str(tmp_path / "runs"), "--no-export"]
    begun = tmp_path / "c.toml"
    begun.write_text('init_from = "parent"\nname = "fine"\nsteps = 1\n')
    assert main(["train", "--config", str(begun), *runs]) == 0
    train("vanilla", steps=1, seed=2, name="parent")
    again = ["train", "--config", str(begun), "--steps", "2", "--resume", "fine/1", *runs]
    assert main(again) == 0
    begun.write_text('init_from = "parent:1"\nname = "fine"\n')
    assert main(again) == ExitCode.USAGE
