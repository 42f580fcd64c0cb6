"""The observer ``tensorboard``: what it writes can be read back, and who does not ask for it never meets it."""

import io
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ganzoo_plugins.tensorboard as observer
from ganzoo import api
from ganzoo.records.run import Run
from ganzoo.zoo.names import zoo

MakeRun = Callable[..., Run]


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    yield
    assert observer._watched == {}


def notify(hook: str, notes: list[str] | None = None, **arguments: Any) -> None:
    """Call a hook as a training does; a failure is an error unless ``notes`` collects it."""

    def complain(message: str) -> None:
        raise AssertionError(message)

    zoo().manager.notify(hook, complain if notes is None else notes.append, **arguments)


def written(run: Path) -> list[Any]:
    """Every value of every event file, oldest first, and steps from which on a file takes the place of others."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    files = sorted((run / "tensorboard").iterdir(), key=lambda path: path.name)
    found: list[Any] = []
    for event in (event for file in files for event in EventFileLoader(str(file)).Load()):
        if event.HasField("session_log"):
            found.append(("from", event.step))
        found += [(value.tag, event.step, value) for value in event.summary.value]
    return found


def scalars(run: Path) -> dict[tuple[str, int], float]:
    values = [entry for entry in written(run) if entry[0].startswith(("training/", "evaluation/"))]
    return {(tag, step): value.tensor.float_val[0] for tag, step, value in values}


def test_what_is_written_can_be_read_back(make_run: MakeRun) -> None:
    run = make_run(observers=("tensorboard",), reports=[], samples=[])
    notify("ganzoo_run_started", run=run)
    notify("ganzoo_report", run=run, step=10, metrics={"loss_d": 0.5, "loss_g": math.nan})
    notify("ganzoo_evaluated", run=run, step=10, figures={"fd": 25.0})
    run.sample_path(10).write_bytes((make_run(samples=[7]).sample_path(7)).read_bytes())
    assert scalars(run.directory)["training/loss_d", 10] == 0.5  # at once, not when the run ends
    notify("ganzoo_run_ended", run=run, result=None)
    found = scalars(run.directory)
    assert math.isnan(found.pop(("training/loss_g", 10)))
    assert found == {("training/loss_d", 10): 0.5, ("evaluation/fd", 10): 25.0}
    values = {entry[0]: entry[1:] for entry in written(run.directory)}
    assert b'    name = "net"' in values["configuration/text_summary"][1].tensor.string_val[0]
    step, picture = values["samples"]
    assert step == 10
    with Image.open(io.BytesIO(picture.tensor.string_val[2])) as grid:
        assert (grid.size, grid.getpixel((0, 0))) == ((16, 16), (7, 7, 7))


def test_a_resumed_run_shows_every_step_once(make_run: MakeRun) -> None:
    run = make_run(observers=("tensorboard",), samples=[10, 20, 30, 40])
    notify("ganzoo_run_started", run=run)
    notify("ganzoo_run_ended", run=run, result=None)
    found = written(run.directory)
    assert ("from", 31) in found  # all reports are of step 30 and before
    assert [step for tag, step, *_ in found if tag == "samples"] == [40]


def test_a_run_that_went_back_shows_every_step_once(make_run: MakeRun) -> None:
    run = make_run(observers=("tensorboard",), reports=[], samples=[])
    grid = make_run(samples=[7]).sample_path(7).read_bytes()
    notify("ganzoo_run_started", run=run)
    for step in (8, 16):
        run.sample_path(step).write_bytes(grid)
        notify("ganzoo_report", run=run, step=step, metrics={"loss_d": 1.0})
    run.record_event(13, "recovered", "back to step 12")
    for step in (16, 24):
        notify("ganzoo_report", run=run, step=step, metrics={"loss_d": 2.0})
    notify("ganzoo_run_ended", run=run, result=None)
    found = written(run.directory)
    assert [step for tag, step, *_ in found if tag == "from"].count(13) == 1
    after = found[found.index(("from", 13)) :]
    assert [step for tag, step, *_ in after if tag == "training/loss_d"] == [16, 24]
    assert [step for tag, step, *_ in after if tag == "samples"] == [16]


def test_without_being_asked_nothing_is_written_or_imported(make_run: MakeRun) -> None:
    run = make_run()
    code = (
        "import sys\nfrom pathlib import Path\nfrom ganzoo.records.run import Run\nfrom ganzoo.zoo.names import zoo\n"
        f"run = Run.find({str(run.directory)!r}, Path())\n"
        "def tell(hook, **arguments):\n    zoo().manager.notify(hook, sys.exit, run=run, **arguments)\n"
        "tell('ganzoo_run_started')\ntell('ganzoo_report', step=1, metrics={'loss_d': 1.0})\n"
        "tell('ganzoo_evaluated', step=1, figures={'fd': 1.0})\ntell('ganzoo_run_ended', result=None)\n"
        "assert 'ganzoo_plugins.tensorboard' in sys.modules\n"
        "assert {'tensorboard', 'torch', 'torch.utils.tensorboard'}.isdisjoint(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert not (run.directory / "tensorboard").exists()


def test_without_the_package_a_note_says_what_to_install(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("tensorboard", "torch.utils.tensorboard"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "ganzoo_plugins.tensorboard.events", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    monkeypatch.setattr(zoo().manager, "_warned", set())
    run = make_run(observers=("tensorboard",))
    notes: list[str] = []
    notify("ganzoo_run_started", notes, run=run)
    notify("ganzoo_report", run=run, step=1, metrics={"loss_d": 1.0})
    notify("ganzoo_run_ended", run=run, result=None)
    (plugin,) = (plugin for plugin in zoo().manager.plugins if plugin.name == "tensorboard")
    assert notes == [
        f"plugin {plugin} failed in ganzoo_run_started: this needs the package tensorboard, which is not installed; "
        'pip install "tensorboard>=2.18"'
    ]
    assert not (run.directory / "tensorboard").exists()


class Absent:
    """Finds no package ``tensorboard``."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "tensorboard":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_training_that_asks_for_it(tmp_path: Path, own_registry: Path) -> None:
    settings = {"steps": 4, "batch": 4, "device": "cpu", "report_every": 2, "preview_every": 2, "eval_every": 4}
    result = api.train(
        "vanilla",
        settings={**settings, "options": {"width": 8}, "observers": ["tensorboard"]},
        registry=own_registry,
        runs=tmp_path / "runs",
        export=False,
    )
    found = scalars(result.run)
    assert {(tag, step) for tag, step in found if tag.startswith("training/loss")} == {
        (f"training/loss_{network}", step) for network in "dg" for step in (2, 4)
    }
    assert found["training/loss_d", 4] == pytest.approx(result.metrics["loss_d"])
    assert ("evaluation/fd", 4) in found
    assert [step for tag, step, *_ in written(result.run) if tag == "samples"] == [2, 4]
