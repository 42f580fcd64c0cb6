"""``ganzoo train`` as a person sees it; what it trains has its own tests."""

import json
import re
import shlex
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from terminal import terminal

from ganzoo import api
from ganzoo.cli import main
from ganzoo.config import RunConfig, convert
from ganzoo.errors import ExitCode, TrainingStopped
from ganzoo.progress import training as progress
from ganzoo.progress.meter import Meter

TINY = ["--model", "vanilla", "--steps", "3", "--batch", "4", "--device", "cpu", "--set", "options.width=2"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GANZOO_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*arguments: str) -> int:
    return main(["train", *TINY, "--no-export", *arguments])


def test_what_is_said_and_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "registered  vanilla:1",
        "samples     runs/vanilla/1/samples.png",
        "report      runs/vanilla/1/report.html",
        "onnx        runs/vanilla/1/generator.onnx",
    ]
    lines = err.splitlines()
    assert re.fullmatch(r"vanilla on digits: 1,438 images, 8x8; cpu in (bf16|fp32); runs/vanilla/1", lines[0])
    assert re.fullmatch(r"step 3/3  [\d,]+ images/s  loss_d -?\d+\.\d{3}  loss_g -?\d+\.\d{3}", lines[1])
    gates = ["structure", "randomness", "signature", "parity", "independence"]
    assert [line.split()[2] for line in lines if line.startswith("gate passed: ")] == gates
    following = lines[lines.index("Next:") + 1 :]
    assert [line.strip() for line in following] == [
        "ganzoo registry show vanilla:1",
        "ganzoo sample vanilla -n 64 --seed 7 -o grid.png",
        "ganzoo serve vanilla",
    ]
    for command in following[:2]:  # what is proposed works
        assert main(command.split()[1:]) == 0
    assert Path("grid.png").exists()


def test_without_an_export_the_export_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    out, err = capsys.readouterr()
    assert "onnx" not in out
    assert err.splitlines()[-2:] == ["  ganzoo registry show vanilla:1", "  ganzoo export vanilla"]


def test_what_comes_next_is_in_the_same_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--registry", "my models") == 0
    following = capsys.readouterr().err.splitlines()[-2:]
    assert following == [
        "  ganzoo registry show vanilla:1 --registry 'my models'",
        "  ganzoo export vanilla --registry 'my models'",
    ]
    assert main(shlex.split(following[0])[1:]) == 0


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert sorted(result) == ["best", "evaluations", "gates", "metrics", "onnx", "report", "run", "samples", "version"]
    assert (result["version"], result["run"], result["onnx"]) == ("vanilla:1", "runs/vanilla/1", None)
    keys = ["grad_norm_d", "grad_norm_g", "images_per_second", "loss_d", "loss_g", "seconds"]
    assert sorted(result["metrics"]) == keys


def test_a_dry_run_says_what_would_happen_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--dry-run") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["generator", "discriminator", "data"]
    weights = 64 * 8 + 8 + 8 * 4 + 4 + 4 + 1  # the discriminator's: 64 -> 4 * width -> 2 * width -> 1
    assert lines[1] == f"discriminator: {weights} parameters"
    assert lines[2] == "data: 1,438 images, 8x8, sha256:f2cbaaff6976; 359 held out"
    assert re.fullmatch(r"would train 3 steps of vanilla on cpu in (bf16|fp32)", lines[3])
    assert (err, list(here.iterdir())) == ("", [])


def test_the_printed_configuration_is_complete_and_can_be_trained(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--print-config", "--seed", "5") == 0
    printed = capsys.readouterr().out
    assert list(here.iterdir()) == []
    config = convert(tomllib.loads(printed), RunConfig)
    assert (config.seed, config.steps, config.size, config.options) == (5, 3, 8, {"latent_dim": 100, "width": 2})
    assert "auto" not in (config.device, config.precision)
    Path("run.toml").write_text(printed, "utf-8")
    assert main(["train", "--config", "run.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == printed
    assert main(["train", "--config", "run.toml", "--no-export"]) == 0
    digest, kept = Path("runs/vanilla/1/config.toml").read_text("utf-8").split("\n", 1)
    assert digest.startswith("# ")
    assert kept == printed


def test_options_lie_over_set_over_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.toml").write_text('model = "dcgan"\nbatch = 8\nsteps = 5\nseed = 1\n[generator]\nlr = 0.5\n', "utf-8")
    arguments = ["--set", "batch=16", "--set", "steps=6", "--steps", "7", "--set", "generator.betas=[0, 0.5]"]
    assert main(["train", "--config", "run.toml", *arguments, "--print-config"]) == 0
    config = convert(tomllib.loads(capsys.readouterr().out), RunConfig)
    assert (config.model, config.batch, config.steps, config.seed) == ("dcgan", 16, 7, 1)
    assert (config.generator.lr, config.generator.options["betas"]) == (0.5, [0.0, 0.5])


@pytest.mark.parametrize("length", [["--kimg", "0.02"], ["--set", "kimg=0.02"]])
def test_a_length_lies_over_the_files(length: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever of the two the file says; a run's own says ``kimg = 0.0`` besides."""
    Path("run.toml").write_text('model = "vanilla"\nbatch = 4\nsteps = 9\nkimg = 0.0\n', "utf-8")
    assert main(["train", "--config", "run.toml", *length, "--print-config"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["steps"] == 5
    Path("run.toml").write_text('model = "vanilla"\nbatch = 4\nkimg = 1.0\n', "utf-8")
    assert main(["train", "--config", "run.toml", "--steps", "7", "--print-config"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["steps"] == 7
    assert train("--steps", "7", "--kimg", "1", "--print-config") == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("Error: steps and kimg exclude each other\n")


def test_every_option_arrives(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[Any] = []

    def stand_in(model: str | None, **options: Any) -> None:
        calls.append((model, options))
        raise TrainingStopped("stopped by SIGINT after step 2 of 3", hint="go on with: ganzoo train --resume r")

    monkeypatch.setattr(api, "train", stand_in)
    arguments = "--data d --size 8 --steps 3 --batch 4 --seed 5 --name n --device cpu --precision fp32 --resume last"
    switches = ["--no-export", "--strict", "--runs", "r", "--registry", "g"]
    assert main(["train", *arguments.split(), *switches]) == ExitCode.STOPPED
    ((model, options),) = calls
    assert (model, options.pop("observer").__class__) == (None, progress.Progress)
    machine = {"device": "cpu", "precision": "fp32"}
    assert options == {
        "settings": {"data": "d", "size": 8, "steps": 3, "batch": 4, "seed": 5, "name": "n", **machine},
        "resume": "last",
        "init_from": None,
        "registry": Path("g"),
        "runs": Path("r"),
        "export": False,
        "strict": True,
    }
    stopped = "Stopped by SIGINT after step 2 of 3\nHint: go on with: ganzoo train --resume r --registry g\n"
    assert capsys.readouterr() == ("", stopped)


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["--init-from", "x"], "--resume and --init-from exclude each other", "a resumed run has its weights"),
        (["--dry-run"], "--resume goes on at once", "what it goes on with is in the run's config.toml"),
        (["--print-config"], "--resume goes on at once", "what it goes on with is in the run's config.toml"),
    ],
)
def test_what_a_resumed_run_cannot_have(
    arguments: list[str], error: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--resume", "last", *arguments]) == ExitCode.USAGE
    assert capsys.readouterr() == ("", f"Error: {error}\nHint: {hint}\n")


def test_no_model_no_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == ExitCode.USAGE
    hint = "ganzoo train --model NAME; ganzoo models lists them"
    assert capsys.readouterr() == ("", f"Error: no model was chosen\nHint: {hint}\n")


# Progress


def test_a_log_gets_a_line_a_report_but_not_too_many(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter(range(0, 1000, 2))  # two seconds pass whenever the clock is looked at
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    assert train("--steps", "12", "--set", "report_every=1") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    steps = [int(re.match(r"step (\d+)/12  ", line)[1]) for line in lines]  # type: ignore[index]
    assert steps == sorted(set(steps))
    assert steps[-1] == 12
    assert 3 <= len(steps) <= 6


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Meter, "redraw_seconds", 0.0)
    with terminal(120) as made:
        assert train("--steps", "4", "--set", "report_every=2") == 0
    positions = [int(at) for at in re.findall(r"training +\d+% .*? (\d)/4 steps", made.text)]
    assert positions[0] == 0
    assert positions[-1] == 4
    assert positions == sorted(positions)
    assert set(positions) >= {1, 2, 3}
    assert re.search(r" 4/4 .* images/s  loss_d -?\d+\.\d{3}  loss_g ", made.text)
    assert "loading the data …" in made.text
    assert "registering …" in made.text
    assert "…" not in "".join(made.lines())  # of what is done nothing is left
    assert not re.search(r"^step ", made.text, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--print-config", "--dry-run"], "--print-config builds nothing, and --dry-run everything"),
        (["--print-config", "--json"], "--json is of a training, and none takes place"),
        (["--dry-run", "--json"], "--json is of a training, and none takes place"),
    ],
)
def test_what_does_not_go_together(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(*arguments) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", f"Error: {error}")


@pytest.mark.parametrize("line", ["models --json show vanilla", "models --loss x show vanilla", "plugins --json list"])
def test_options_before_a_subcommand_that_does_not_see_them(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        f"Error: {line.split()[1]} before {line.split()[-2 if 'show' in line else -1]} is for the list"
    )


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    with terminal(columns) as made:
        assert train("--steps", "4", "--eval-every", "2", "--set", "data=digits") == 0
    assert made.wraps() == []
    assert any(line.startswith("training 100%") for line in made.lines())


def test_quiet_leaves_results_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--steps", "2", "--quiet") == 0
    out, err = capsys.readouterr()
    assert out.startswith("registered  vanilla:1\n")
    assert err == ""


def test_quiet_draws_nothing() -> None:
    with terminal(80) as made:
        assert train("--steps", "2", "-q") == 0
    assert [line.split()[0] for line in made.lines()] == ["registered", "samples", "report"]
    assert "\x1b" not in made.text


def test_verbose_says_what_is_done_and_every_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--steps", "4", "--set", "report_every=1", "-v") == 0
    err = capsys.readouterr().err
    assert re.findall(r"^ +\d+\.\d s  (.*)$", err, re.MULTILINE) == [
        "loading the data",
        "building the networks",
        "preparing the first step",
        "registering",
    ]
    assert re.findall(r"^step (\d)/4  ", err, re.MULTILINE) == ["1", "2", "3", "4"]


def test_an_option_counts_more_than_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.toml").write_text('model = "wgan"\ninit_from = ""\n')
    assert main(["train", "--config", str(tmp_path / "run.toml"), "--model", "dcgan", "--print-config"]) == 0
    assert 'model = "dcgan"' in capsys.readouterr().out
