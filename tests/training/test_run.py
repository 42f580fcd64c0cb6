"""What a run leaves in its directory."""

import errno
import io
import json
import math
import os
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo.config import RunConfig
from ganzoo.errors import ExitCode, GanzooError, IntegrityError, NotFoundError
from ganzoo.records import journal
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.records.sealed import sealed_toml

TOP = 'model = "vanilla"\narchitecture = "vanilla"\nloss = "hinge"\nname = "mine"'
CONFIG = RunConfig(model="vanilla", architecture="vanilla", loss="hinge", name="mine")
FACTS = {"data": {"name": "digits", "digest": "sha256:0", "class_names": []}, "environment": {}, "parents": []}


def test_a_whole_run(train: Callable[..., TrainResult], tmp_path: Path) -> None:
    result = train("vanilla", steps=40, report_every=10, preview_every=20, checkpoint_every=10)
    assert result.run == tmp_path / "runs" / "vanilla" / "1"
    assert sorted(path.name for path in result.run.iterdir()) == [
        "checkpoints",
        "clock.json",
        "config.toml",
        "lock",
        "metrics.jsonl",
        "nearest.png",
        "outcome.json",
        "real.png",
        "report.html",
        "run.json",
        "samples",
        "samples.png",
        "samples.webp",
    ]
    lines = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30, 40]
    keys = {"step", "loss_d", "loss_g", "grad_norm_d", "grad_norm_g", "images_per_second", "seconds"}
    assert all(line.keys() == keys for line in lines)
    assert result.metrics == {key: value for key, value in lines[-1].items() if key != "step"}
    assert [path.name for path in sorted((result.run / "samples").iterdir())] == [
        "step-00000020.png",
        "step-00000040.png",
    ]
    newest_three = [f"step-{step:08d}.safetensors" for step in (20, 30, 40)]
    assert [path.name for path in sorted((result.run / "checkpoints").iterdir())] == newest_three
    with Image.open(result.grid) as grid:
        assert grid.format == "PNG"
        assert grid.width >= 8 * 8
        with Image.open(result.run / "real.png") as real, Image.open(result.run / "nearest.png") as pairs:
            assert real.size == grid.size
            assert pairs.height == 2 * (8 * 6 + 2) - 2  # a row of samples, and one of training images
    # The last preview and the samples are drawn from the same latents and weights.
    assert result.grid.read_bytes() == (result.run / "samples" / "step-00000040.png").read_bytes()
    config = tomllib.loads((result.run / "config.toml").read_text())
    assert (config["steps"], config["size"], config["device"]) == (40, 8, "cpu")


def test_previews_are_drawn_from_fixed_latents_and_draw_nothing(train: Callable[..., TrainResult]) -> None:
    """Looking does not change what is trained."""
    seen = train("vanilla", steps=6, preview_every=1)
    unseen = train("vanilla", steps=6)
    last = "checkpoints/step-00000006.safetensors"
    assert (seen.run / last).read_bytes() == (unseen.run / last).read_bytes()


def test_previews_of_classes_have_a_row_each(train: Callable[..., TrainResult]) -> None:
    result = train("conditional", steps=2, preview_every=2)
    last = result.run / "samples" / "step-00000002.png"
    assert last.read_bytes() == result.grid.read_bytes()
    with Image.open(last) as picture:
        tile = 8 * 6 + 2  # magnified, and a gap
        assert picture.height == 10 * tile - 2
        names = np.asarray(picture)[:, : picture.width - (8 * tile - 2)]
        with Image.open(result.run / "real.png") as real:
            assert (real.size, real.mode) == (picture.size, picture.mode)
            assert np.array_equal(np.asarray(real)[:, : names.shape[1]], names)
    assert all((row < 128).any() for row in np.array_split(names, 10))


def test_runs_are_numbered(tmp_path: Path) -> None:
    first, second = (Run.create(tmp_path, CONFIG, FACTS) for _ in range(2))
    assert (first.directory, second.directory) == (tmp_path / "mine" / "1", tmp_path / "mine" / "2")
    (tmp_path / "mine" / "9").mkdir()
    (tmp_path / "mine" / "notes").mkdir()
    assert Run.create(tmp_path, CONFIG, FACTS).directory == tmp_path / "mine" / "10"


def test_what_is_read_back_is_what_was_written(tmp_path: Path) -> None:
    made = Run.create(tmp_path, CONFIG, FACTS)
    found = Run.find("mine/1", tmp_path)
    assert (found.config, found.directory) == (CONFIG, made.directory)
    assert found.facts == {**FACTS, "touched": pytest.approx(time.time(), abs=60)}


def test_runs_cannot_be_made_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(GanzooError) as caught:
        Run.create(tmp_path / "runs", CONFIG, FACTS)
    assert str(caught.value).startswith(f"cannot make a run in {tmp_path / 'runs' / 'mine'}: ")
    assert caught.value.hint == "choose another place: --runs DIR"
    assert caught.value.exit_code == ExitCode.FAILURE


@pytest.mark.parametrize("file", ["config.toml", "run.json"])
def test_a_damaged_record(tmp_path: Path, file: str) -> None:
    (Run.create(tmp_path, CONFIG, FACTS).directory / file).write_text("{[")
    with pytest.raises(IntegrityError) as caught:
        Run.find("mine/1", tmp_path)
    assert str(tmp_path / "mine" / "1") in str(caught.value)
    assert caught.value.exit_code == ExitCode.INTEGRITY
    assert "ganzoo train --config" in str(caught.value.hint)


def flips(data: bytes) -> Iterator[bytes]:
    """``data`` with one bit changed, for one bit of each byte: every seventh, so each of the eight has its turn."""
    for place in range(0, 8 * len(data), 7):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


@pytest.mark.parametrize("file", ["config.toml", "run.json"])
def test_a_bit_that_fell_over_is_seen(tmp_path: Path, file: str) -> None:
    """Else the lineage would say what was not so."""
    run = Run.create(tmp_path, CONFIG, FACTS)
    path, whole = run.directory / file, Run.find("mine/1", tmp_path)
    for changed in flips(path.read_bytes()):
        path.write_bytes(changed)
        try:
            found = Run.find("mine/1", tmp_path)
        except IntegrityError:
            continue
        assert (found.config, found.facts["data"]) == (whole.config, whole.facts["data"])


def test_a_run_of_an_older_ganzoo_has_no_digests(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    (run.directory / "config.toml").write_text(CONFIG.to_toml())
    (run.directory / "run.json").write_text(json.dumps(FACTS))
    found = Run.find("mine/1", tmp_path)
    assert (found.config, found.facts) == (CONFIG, FACTS)


@pytest.mark.parametrize("missing", ["data", "parents"])
def test_facts_that_are_missing_are_named(tmp_path: Path, missing: str) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    (run.directory / "run.json").write_text(json.dumps({key: FACTS[key] for key in FACTS if key != missing}))
    with pytest.raises(IntegrityError, match=f"run.json is damaged: it lacks '{missing}'"):
        Run.find("mine/1", tmp_path)


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "interrupted"])
def test_a_run_that_was_cut_off_while_it_was_made_is_none(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last run that can go on is found all the same."""
    whole = Run.create(tmp_path, CONFIG, FACTS)
    written = []

    def cut_off(path: Path, data: bytes) -> None:
        written.append(path.name)
        if len(written) > 1:
            raise KeyboardInterrupt
        path.write_bytes(data)

    monkeypatch.setattr("ganzoo.records.run.write_atomic", cut_off)
    if killed:
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        Run.create(tmp_path, CONFIG, FACTS)
    assert written == ["run.json", "config.toml"]
    assert (whole.directory.parent / "2").exists() == killed  # what has no configuration nobody could remove
    assert Run.find("last", tmp_path).directory == whole.directory
    monkeypatch.undo()
    assert Run.create(tmp_path, CONFIG, FACTS).directory.name == ("3" if killed else "2")


def test_the_last_run_stays_the_last_when_runs_are_copied(tmp_path: Path) -> None:
    for name in ("older", "newer"):
        Run.create(tmp_path / "runs", replace(CONFIG, name=name), FACTS)
    for name in ("newer", "older"):  # the older one is copied last
        shutil.copytree(tmp_path / "runs" / name, tmp_path / "copy" / name, copy_function=shutil.copyfile)
    assert Run.find("last", tmp_path / "copy").config.name == "newer"


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="mine/3"):
        Run.find("mine/3", tmp_path)


def test_the_last_run_is_found_without_its_checkpoints(tmp_path: Path) -> None:
    older, newer = (Run.create(tmp_path, CONFIG, FACTS) for _ in range(2))
    for run in (older, newer):
        (run.directory / "checkpoints").rmdir()
    os.utime(older.directory / "config.toml", (1, 1))
    assert Run.find("last", tmp_path).directory == newer.directory


def test_the_latest_figures_are_the_newest_of_each(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    assert run.latest_figures() == {}
    run.log(10, {"loss_d": 1.0, "variety": 0.5})
    run.log(20, {"loss_d": 2.0})
    assert run.latest_figures() == {"loss_d": 2.0, "variety": 0.5}
    assert run.latest_figures(15) == {"loss_d": 1.0, "variety": 0.5}
    run.log(30, {"loss_d": math.nan})
    assert run.latest_figures() == {"variety": 0.5}, "what is no longer a number is not what it was"


def test_reports_and_evaluations_are_rewound_to_a_step(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    for step in (10, 20, 30):
        run.log(step, {"loss_d": step / 10})
        run.record_evaluation(step, "key", {"fd": step})
        run.record_evaluation(step, "other", {"fd": -step})
        run.best_path(step).write_bytes(b"")
    with (run.directory / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40')
    run.rewind(20)
    assert run.evaluations("key") == {10: {"fd": 10}, 20: {"fd": 20}}
    assert sorted(run.best_checkpoints()) == [10, 20]
    lines = (run.directory / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 10, "loss_d": 1.0}, {"step": 20, "loss_d": 2.0}]


DAMAGED = [b"\xff\xfe\x00", b"[]", b'{"step": "x"}', b'{"step": NaN}', b'{"step": 15, "loss_d": "abc", "kind": 7}', b""]


def test_damaged_lines_do_not_count(tmp_path: Path) -> None:
    """Whatever they are: a run with whole checkpoints goes on, and its report shows what is left."""
    run = Run.create(tmp_path, CONFIG, FACTS)
    for step in (10, 20):
        run.log(step, {"loss_d": 1.0})
        run.record_evaluation(step, "key", {"fd": 2.0})
        run.record_event(step, "collapse", "alike")
        for log in (run.metrics_log, run.evaluation_log, run.event_log):
            with log.open("ab") as file:
                file.write(b"\n".join(DAMAGED) + b"\n")
    assert run.reports() == [{"step": step, "loss_d": 1.0} for step in (10, 20)]
    assert run.evaluations("key") == {10: {"fd": 2.0}, 20: {"fd": 2.0}}
    assert run.events() == [{"step": step, "kind": "collapse", "message": "alike"} for step in (10, 20)]
    run.rewind(10)
    assert [report["step"] for report in run.reports()] == [10]
    assert [event["step"] for event in run.events()] == [10]


def test_a_line_that_does_not_fit_on_the_disk_is_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    run.log(10, {"loss_d": 1.0})
    before = run.metrics_log.read_bytes()

    class Full(io.TextIOWrapper):
        def write(self, text: str) -> int:
            super().write(text[: len(text) // 2])
            self.flush()
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *_, **__: Full(io.FileIO(path, "a")))
        with pytest.raises(GanzooError) as caught:
            run.log(20, {"loss_d": 2.0})
    assert str(caught.value) == f"cannot write {run.metrics_log}: the disk is full"
    assert run.metrics_log.read_bytes() == before
    run.log(30, {"loss_d": 3.0})
    assert [report["step"] for report in run.reports()] == [10, 30]


def test_events_are_rewound_too(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    for step in (10, 20, 30):
        run.record_event(step, "collapse", f"at {step}")
    run.rewind(20)
    assert [event["message"] for event in run.events()] == ["at 10", "at 20"]


def test_what_a_rewound_run_is_past_is_gone(tmp_path: Path) -> None:
    """A later checkpoint is one that could not be read: it must not be taken for one of the newest three."""
    run = Run.create(tmp_path, CONFIG, FACTS)
    for step in (10, 20, 30):
        run.checkpoint_path(step).write_bytes(b"")
        run.sample_path(step).write_bytes(b"")
    (run.directory / "checkpoints" / ".00.partial").write_bytes(b"")
    run.rewind(20)
    assert run.checkpoints() == [run.checkpoint_path(10), run.checkpoint_path(20)]
    assert list(run.samples()) == [10, 20]
    assert not list(run.directory.glob("checkpoints/.*"))


def test_the_best_that_a_run_may_go_back_to_stays(tmp_path: Path) -> None:
    """Until a checkpoint is as new as what evaluated better, the run may go back behind it."""
    run = Run.create(tmp_path, CONFIG, FACTS)
    run.checkpoint_path(6).write_bytes(b"")
    for step in (2, 4, 8, 10):
        run.best_path(step).write_bytes(b"")
    run.prune_checkpoints()
    assert sorted(run.best_checkpoints()) == [4, 10]
    run.checkpoint_path(10).write_bytes(b"")
    run.prune_checkpoints()
    assert list(run.best_checkpoints()) == [10]


def test_going_back_frees_room_before_it_needs_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    run.best_path(30).write_bytes(b"")
    run.log(30, {"loss_d": 1.0})

    def full(*_: object) -> None:
        raise GanzooError("the disk is full")

    monkeypatch.setattr(journal, "write_atomic", full)
    with pytest.raises(GanzooError):
        run.rewind(20)
    assert not run.best_checkpoints()


STRANGERS = [
    *("{0} (1){1}", "{0}.sync-conflict-20260101{1}", "{0} copy{1}", "{0}{1}~", "{0}~{1}", "._{0}{1}", "{0}x{1}"),
    *("{0}{1}.tmp", "{0}{1}.bak"),
]


@pytest.mark.parametrize("stranger", [*STRANGERS, "step-{1}", "best-1 2{1}", "step-mine{1}", "step-\u0663{1}"])
def test_copies_of_what_is_written_each_step_are_neither_read_nor_removed(tmp_path: Path, stranger: str) -> None:
    """Synchronisers, editors and people leave them; a name without a number ended the training."""
    run = Run.create(tmp_path, CONFIG, FACTS)
    others = []
    for step in (10, 20, 30, 40, 50):
        for path in (run.checkpoint_path(step), run.best_path(step), run.sample_path(step)):
            path.write_bytes(b"")
            others.append(path.with_name(stranger.format(path.stem, path.suffix)))
    for other in others:
        other.write_bytes(b"")
    run.checkpoint_path(90).mkdir()
    run.prune_checkpoints()
    assert run.checkpoints() == [run.checkpoint_path(step) for step in (30, 40, 50)]
    assert list(run.best_checkpoints()) == [50]
    run.rewind(40)
    assert run.checkpoints() == [run.checkpoint_path(step) for step in (30, 40)]
    assert list(run.samples()) == [10, 20, 30, 40]
    assert all(other.exists() for other in others)


@pytest.mark.parametrize("cut", ['{"step": 20, "loss', '{"step": 20, "loss_d": 2.0}'])
def test_an_entry_after_one_that_was_cut_short_is_whole(tmp_path: Path, cut: str) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    run.log(10, {"loss_d": 1.0})
    with run.metrics_log.open("a") as file:
        file.write(cut)
    run.log(30, {"loss_d": 3.0})
    assert [report["step"] for report in run.reports()] == [10, *([20] if cut.endswith("}") else []), 30]


@pytest.mark.parametrize("line", ["colour = 'red'", "[generator.regularise]\nwieght = 1"])
def test_a_run_of_a_newer_ganzoo_is_told_from_a_wrong_setting(tmp_path: Path, line: str) -> None:
    run = Run.create(tmp_path, CONFIG, FACTS)
    path = run.directory / "config.toml"
    path.write_bytes(sealed_toml(f"{line}\n{CONFIG.to_toml()}" if "[" not in line else f"{TOP}\n{line}\n"))
    with pytest.raises(GanzooError) as caught:
        Run.find("mine/1", tmp_path)
    assert str(caught.value).startswith(f"{path} was written by another ganzoo: unknown configuration key ")
    assert caught.value.hint == "pip install --upgrade ganzoo"
    assert caught.value.exit_code == ExitCode.FAILURE


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [("config.toml", b"", "it lacks 'model'"), ("run.json", b'{"data": "x"}', "it has another form")],
)
def test_what_is_wrong_with_a_record_is_said_in_words(tmp_path: Path, file: str, content: bytes, problem: str) -> None:
    path = Run.create(tmp_path, CONFIG, FACTS).directory / file
    path.write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        Run.find("mine/1", tmp_path)
    assert str(caught.value) == f"{path} is damaged: {problem}"


@pytest.mark.parametrize("copy", ["1 (copy)", "1.bak", "x", "@eaDir", "1~", ".1"])
def test_a_copy_of_a_run_is_not_the_last_one(tmp_path: Path, copy: str) -> None:
    """It was touched when the run was; to train it instead would leave the run behind."""
    run = Run.create(tmp_path, CONFIG, {**FACTS, "launch": "here"})
    shutil.copytree(run.directory, run.directory.with_name(copy))
    time.sleep(0.01)
    Run.find(f"mine/{copy}", tmp_path).write_config()  # it is later, too
    assert Run.find("last", tmp_path).directory == run.directory
    assert [found.directory for found in Run.launched("here", tmp_path)] == [run.directory]
