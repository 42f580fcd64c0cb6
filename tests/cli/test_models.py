"""``ganzoo models`` and ``ganzoo plugins``, with what is installed and with what is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganzoo.cli import main
from ganzoo.specs import Model
from ganzoo.version import __version__
from ganzoo.zoo.names import zoo

BUILT_IN = {"conditional", "dcgan", "vanilla", "wgan-gp"}


def install(site: Path, distribution: str, source: str) -> None:
    information = site / f"{distribution}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[ganzoo.v1]\n{distribution} = {distribution}_module\n")
    (site / f"{distribution}_module.py").write_text(source)


def ganzoo(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in its own process, with ``site`` on the path."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "ganzoo", *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_registered_model_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in listed] == [zoo().shortest(model) for model in zoo().all(Model)]
    assert BUILT_IN.issubset(model["name"] for model in listed)
    for model in listed:
        assert model["problem"] is None
        assert model["resolutions"]
        assert model["summary"]
    conditional = next(model for model in listed if model["name"] == "conditional")
    assert conditional["conditional"] is True
    assert conditional["provided_by"] == f"ganzoo {__version__}"


def test_the_table_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["MODEL", "ARCHITECTURE", "LOSS", "PIXELS", "LABELS", "FROM", "SUMMARY"]
    assert BUILT_IN.issubset(row.split()[0] for row in rows)


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "wgan-gp", "--json"]) == 0
    model = json.loads(capsys.readouterr().out)
    assert model["architecture"] == "ganzoo/wgan-gp"
    assert model["loss"] == "ganzoo/wgan-gp"
    assert model["penalties"]["gradient-penalty"]["weight"] == 10
    assert model["defaults"]["critic_steps"] == 5
    assert model["options"]["latent_dim"] > 0
    assert main(["models", "show", "ganzoo/wgan-gp"]) == 0
    out = capsys.readouterr().out
    table = out.partition("SETTING")[2].partition("\n\n")[0]
    settings = dict(line.split(None, 1) for line in reversed(table.splitlines()[1:]))  # those of all sizes come first
    assert settings["critic_steps"] == "5"
    assert settings["penalties.gradient-penalty.weight"] == "10.0"
    assert settings["options.latent_dim"] == str(model["options"]["latent_dim"])


def test_what_a_plugins_model_says_of_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options of its loss, schedules in one row, what it remembers; nothing where there is nothing."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "contract" / "site")
    zoo.cache_clear()
    try:
        assert main(["models", "show", "lecam"]) == 0
        out = capsys.readouterr().out
        assert out.startswith("lecam\n")
        facts = dict(line.split(None, 1) for line in out.splitlines() if len(line.split(None, 1)) == 2)
        assert facts["remembers"] == "real, fake"
        assert facts["loss_options.decay"] == "0.9"
        assert "penalties" not in out
        assert main(["models", "show", "schedules"]) == 0
        out = capsys.readouterr().out
        assert "0.002 to 0.0005 until 80%, cosine" in out
        assert "[0.0, 0.9 to 0.99 until 80%, cosine]" in out
        assert main(["models", "show", "clipping"]) == 0
        out = capsys.readouterr().out
        facts = dict(line.split(None, 1) for line in out.splitlines() if len(line.split(None, 1)) == 2)
        assert (facts["generator.optimizer"], facts["generator.eps"]) == ("rmsprop", "1e-08")
    finally:
        zoo.cache_clear()


def test_a_model_of_two_architectures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The discriminator that trains, its options, and the sizes that both make."""
    info = tmp_path / "joined-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: joined\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganzoo.v1]\njoined = joined\n")
    (tmp_path / "joined.py").write_text(
        "from ganzoo import Model, hookimpl\n"
        "@hookimpl\n"
        "def ganzoo_specs():\n"
        "    defaults = {'discriminator_of': 'vanilla', 'discriminator_options': {'width': 8}}\n"
        "    yield Model(name='joined', architecture='dcgan', loss='non-saturating', defaults=defaults)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    zoo.cache_clear()
    try:
        assert main(["models", "show", "joined", "--json"]) == 0
        model = json.loads(capsys.readouterr().out)
        assert model["generator"] == "ganzoo_plugins.dcgan.networks:Generator"
        assert model["discriminator"] == "ganzoo_plugins.vanilla.networks:Discriminator"
        assert model["resolutions"] == [8, 16, 32, 64]
        assert model["defaults"]["discriminator_options"]["width"] == 8
    finally:
        zoo.cache_clear()


def test_an_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "dcgn"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Error: unknown model 'dcgn'\nHint: did you mean 'dcgan'?\n"


def test_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json"]) == 0
    plugins = {plugin["name"]: plugin for plugin in json.loads(capsys.readouterr().out)}
    assert plugins["dcgan"]["state"] == "active"
    assert plugins["dcgan"]["distribution"] == "ganzoo"
    assert {"kind": "model", "name": "dcgan"} in plugins["dcgan"]["provides"]
    assert main(["plugins"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("ganzoo/dcgan "))
    assert row.split()[1:3] == [__version__, "active"]
    assert row.endswith("architecture dcgan, model dcgan")


@pytest.mark.parametrize("source", ["raise SystemExit(9)", "import nowhere_at_all", "def ganzoo_specs(): pass"])
def test_a_broken_plugin_is_listed_and_harmless(tmp_path: Path, source: str) -> None:
    install(tmp_path, "wreck", source)
    done = ganzoo(tmp_path, "plugins", "--json")
    assert done.returncode == 0
    wreck = next(plugin for plugin in json.loads(done.stdout) if plugin["name"] == "wreck")
    assert wreck["state"] == "broken"

    done = ganzoo(tmp_path, "models")
    assert done.returncode == 0
    assert BUILT_IN.issubset(row.split()[0] for row in done.stdout.splitlines())
    assert done.stderr == f"Plugin wreck/wreck 1.0 is broken: {wreck['reason']}\n"

    done = ganzoo(tmp_path, "models", "show", "wreck")
    assert done.returncode == 5
    assert done.stderr == (
        f"Error: model 'wreck' should come from plugin wreck/wreck 1.0, which is broken: {wreck['reason']}\n"
        "Hint: see: ganzoo plugins\n"
    )

    done = ganzoo(tmp_path, "models", GANZOO_STRICT_PLUGINS="1")
    assert done.returncode == 5
    assert done.stderr == f"Error: plugin wreck/wreck 1.0 is broken: {wreck['reason']}\n"


def test_a_third_partys_model_is_listed_until_it_is_gone(tmp_path: Path) -> None:
    install(
        tmp_path,
        "stranger",
        "from ganzoo import Model, hookimpl\n@hookimpl\ndef ganzoo_specs():\n"
        "    yield Model(name='dcgan', architecture='dcgan', loss='hinge')\n"
        "    yield Model(name='lost', architecture='nowhere', loss='hinge')\n",
    )
    listed = {model["name"]: model for model in json.loads(ganzoo(tmp_path, "models", "--json").stdout)}
    assert listed["stranger/dcgan"]["loss"] == "hinge"
    assert listed["dcgan"]["provided_by"].startswith("ganzoo ")
    assert listed["lost"]["problem"] == "unknown architecture 'nowhere'"
    assert "unusable: unknown architecture 'nowhere'" in ganzoo(tmp_path, "models").stdout
    assert "stranger" not in ganzoo(tmp_path / "empty", "models").stdout


def test_the_allow_list(tmp_path: Path) -> None:
    done = ganzoo(tmp_path, "models", GANZOO_PLUGINS="")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    done = ganzoo(tmp_path, "plugins", GANZOO_PLUGINS="dcgan,dcgn")
    assert done.returncode == 0
    assert done.stderr == "GANZOO_PLUGINS names 'dcgn', which is not installed.\n"
    done = ganzoo(tmp_path, "models", "show", "dcgan", GANZOO_PLUGINS="")
    assert done.returncode == 5
    assert "which is disabled: left out of GANZOO_PLUGINS" in done.stderr


NOISY = """
import atexit, logging, os, subprocess, sys, threading
from ganzoo import Model, hookimpl
import this
print("by print")
os.write(1, b"by number\\n")
subprocess.run(["echo", "by a child"])
logging.basicConfig(stream=sys.stdout, level="INFO")
logging.info("by logging")
atexit.register(print, "at the end")
threading.Thread(target=print, args=["by a thread"]).start()
sys.__stdout__.write("by the original stream\\n")

@hookimpl
def ganzoo_specs():
    print("by a hook")
    yield Model(name="loud", architecture="dcgan", loss="hinge")
"""


def test_what_a_plugin_prints_is_no_data(tmp_path: Path) -> None:
    install(tmp_path, "noisy", NOISY)
    for _ in range(2):  # the first time, another process has loaded it before
        done = ganzoo(tmp_path, "models", "--json", GANZOO_CACHE=str(tmp_path / "cache"))
        assert "loud" in {model["name"] for model in json.loads(done.stdout)}
        said = ("print", "number", "a child", "logging", "a thread", "the original stream", "a hook")
        assert [way for way in said if f"by {way}" not in done.stderr] == []
        assert done.stderr.endswith("at the end\n")


def test_no_command_ends_with_a_plugin(tmp_path: Path) -> None:
    """Not the first one, which nobody has told of it, and none after that."""
    install(tmp_path, "wreck", "import os\nos._exit(0)")
    for command in ("models --json", "data ls --json", "plugins --json", "doctor --json"):
        done = ganzoo(tmp_path, *command.split(), GANZOO_CACHE=str(tmp_path / "cache"))
        assert done.returncode == 0
        assert json.loads(done.stdout)
        assert done.stderr.startswith(
            "Plugin wreck/wreck 1.0 is broken: it ends the process that loads it (exit code 0)"
        )


def test_options_that_json_lacks_are_text(tmp_path: Path) -> None:
    install(
        tmp_path,
        "vast",
        "from dataclasses import dataclass\nfrom ganzoo import Architecture, Model, hookimpl\n"
        "@dataclass\nclass Inner:\n    low: float = float('-inf')\n"
        "@dataclass\nclass Options:\n    clip: float = float('inf')\n    odd: float = float('nan')\n"
        "    many: tuple = (1, Inner())\n"
        "@hookimpl\ndef ganzoo_specs():\n"
        "    yield Architecture(name='vast', generator='a:B', discriminator='a:B', options=Options, resolutions=(8,))\n"
        "    yield Model(name='vast', architecture='vast', loss='hinge')\n",
    )
    shown = ganzoo(tmp_path, "models", "show", "vast", "--json", GANZOO_CACHE=str(tmp_path / "cache")).stdout
    options = json.loads(shown, parse_constant=pytest.fail)["options"]
    assert options == {"clip": "inf", "odd": "nan", "many": [1, {"low": "-inf"}]}


def test_a_name_that_is_not_installed_is_said_by_every_command(tmp_path: Path) -> None:
    done = ganzoo(tmp_path, "models", GANZOO_PLUGINS="dcgn,DCGAN,ganzoo_/losses,losses")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == (
        "GANZOO_PLUGINS names 'dcgn', which is not installed.\n"
        "GANZOO_PLUGINS names 'ganzoo-/losses', which is not installed.\n"
    )
