"""Reports as files: of one run in its directory, of several side by side; and a run's end, which they never disturb."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ganzoo import api, reporting
from ganzoo.errors import ExitCode, GanzooError, NotFoundError, UsageError
from ganzoo.records.evaluation import Evaluation, Figure, Protocol, attach
from ganzoo.records.outcome import Outcome
from ganzoo.records.run import Run
from ganzoo.reporting import defaults
from ganzoo.reporting.animation import MAX_FRAMES, MAX_SIDE, MAX_STILLS
from ganzoo.reporting.curves import MAX_POINTS
from ganzoo.reporting.subject import find, of_run, of_version
from ganzoo_registry import Registry, Version

MakeRun = Callable[..., Run]
MakeVersion = Callable[..., Version]


def silent(message: str) -> None:
    raise AssertionError(message)


FINISHED = Outcome(state="finished", step=30, versions={"last": "net:2", "best": "net:1"})


def test_the_end_of_a_run_leaves_its_report_and_its_samples_in_motion(make_run: MakeRun, store: Registry) -> None:
    run = make_run()
    reporting.conclude(run, FINISHED, store, silent)
    assert run.outcome() == FINISHED
    text = (run.directory / "report.html").read_text("utf-8")
    for shown in (
        "<h1>net/1</h1>",
        "<p>finished</p>",
        "2,000 images/s",
        "1,800 s",
        "net:2",
        "best version",
        "digits, 1,438 images",
    ):
        assert shown in text, shown
    with Image.open(run.directory / "samples.webp") as picture:
        assert (picture.format, picture.n_frames) == ("WEBP", 3)  # type: ignore[attr-defined]
    assert not list(run.directory.glob(".*"))


def test_the_final_grid_is_the_last_frame(make_run: MakeRun, store: Registry) -> None:
    run = make_run(samples=[10, 20])
    (run.directory / "samples.png").write_bytes(run.sample_path(10).read_bytes())
    assert list(of_run(run, store).frames) == [10, 20]  # of an earlier end
    run.record_outcome(FINISHED)
    assert of_run(run, store).frames[30] == run.directory / "samples.png"
    assert of_run(run, store).picture == run.sample_path(10).read_bytes()


def test_real_images_are_those_of_the_end(make_run: MakeRun, store: Registry) -> None:
    run = make_run()
    run.real_path.write_bytes(b"real")
    run.nearest_path.write_bytes(b"pairs")
    assert (of_run(run, store).real, of_run(run, store).nearest) == (None, None)  # of an earlier end
    run.record_outcome(FINISHED)
    assert (of_run(run, store).real, of_run(run, store).nearest) == (b"real", b"pairs")


def test_one_grid_does_not_move(make_run: MakeRun, store: Registry) -> None:
    run = make_run(samples=[10])
    reporting.conclude(run, FINISHED, store, silent)
    assert not (run.directory / "samples.webp").exists()


def test_a_damaged_grid_costs_the_motion_and_no_more(make_run: MakeRun, store: Registry) -> None:
    run = make_run()
    run.sample_path(20).write_bytes(b"no picture")
    notes: list[str] = []
    reporting.conclude(run, FINISHED, store, notes.append)
    bad = run.sample_path(20)
    assert notes == [f"the samples of {run.directory} are not shown in motion: {bad} cannot be read as a picture"]
    assert "<h1>net/1</h1>" in (run.directory / "report.html").read_text("utf-8")


def test_a_page_elsewhere_moves_although_the_runs_directory_cannot_be_written(
    make_run: MakeRun, store: Registry, tmp_path: Path
) -> None:
    run = make_run()
    motion = run.directory / "samples.webp"
    motion.mkdir()
    notes: list[str] = []
    page = reporting.write([run], store, tmp_path / "x.html", notes.append)
    assert "data:image/webp" in page.read_text("utf-8")
    assert notes == [f"no samples.webp: cannot write {motion}: it is not a regular file"]


def test_a_run_ends_whatever_becomes_of_its_report(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, store: Registry
) -> None:
    run = make_run()
    notes: list[str] = []
    (run.directory / "report.html").mkdir()
    reporting.conclude(run, FINISHED, store, notes.append)
    report = run.directory / "report.html"
    assert notes == [f"no report of {run.directory}: cannot write {report}: it is not a regular file"]
    monkeypatch.setattr("ganzoo.reporting.of_run", lambda *_: 1 / 0)
    reporting.conclude(run, FINISHED, store, notes.append)
    assert notes[1:] == [f"no report of {run.directory}: division by zero"]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (None, "broke off after step 30 of 300"),
        (Outcome(state="finished", step=300), "finished"),
        (Outcome(state="finished", step=40, reason="max_time"), "finished after step 40 of 300: max_time"),
        (Outcome(state="stopped", step=31, reason="SIGTERM"), "stopped after step 31 of 300: SIGTERM"),
        (Outcome(state="failed", step=30), "failed after step 30 of 300"),
        (
            Outcome(
                state="failed", step=30, reason="cannot write /elsewhere/runs/a/1/step-30: no room; see http://x/y"
            ),
            "failed after step 30 of 300: cannot write step-30: no room; see http://x/y",
        ),
    ],
)
def test_states(make_run: MakeRun, outcome: Outcome | None, state: str, store: Registry) -> None:
    run = make_run(steps=300)
    if outcome:
        run.record_outcome(outcome)
    assert of_run(run, store).state == state


def test_how_many_steps_were_taken(make_run: MakeRun, store: Registry) -> None:
    run = make_run(steps=100_000)
    assert of_run(run, store).facts["steps"] == "30 of 100,000"
    run.record_outcome(Outcome(state="finished", step=1252, reason="max_time"))
    assert of_run(run, store).facts["steps"] == "1,252 of 100,000"
    run.record_outcome(Outcome(state="finished", step=100_000))
    assert of_run(run, store).facts["steps"] == "100,000"


def test_commands_name_what_a_run_registered(make_run: MakeRun, store: Registry) -> None:
    run = make_run()
    assert of_run(run, store).commands == []
    run.record_outcome(FINISHED)
    assert of_run(run, store).commands[::3] == ["ganzoo sample net:1", "ganzoo sample net:2"]


def test_of_a_version_that_takes_labels_all_classes_are_sampled(
    make_run: MakeRun, make_version: MakeVersion, store: Registry
) -> None:
    run = make_run()
    version = make_version(run, class_names=["cat", "dog"])
    run.record_outcome(Outcome(state="finished", step=30, versions={"last": str(version)}))
    for subject in (of_run(run, store), of_version(store, version)):
        assert subject.commands == ["ganzoo sample net:1 --label all", "ganzoo eval net:1", "ganzoo serve net:1"]


def test_evaluations_that_came_later_are_shown(make_run: MakeRun, make_version: MakeVersion, store: Registry) -> None:
    run = make_run()
    version = make_version(run)
    protocol = Protocol(
        features="", sha256="", data="d", digest="d", other="", against="training", real=9, n=8, pairs=0, seeds=(0,)
    )
    figures = {"fd": Figure(mean=25.5, low=None, high=None, values=(25.5,))}
    late = Evaluation(protocol=protocol, figures=figures, floor={}, floor_n=0, metrics=())
    reporting.conclude(run, Outcome(state="finished", step=30, versions={"last": str(version)}), store, silent)
    page = run.directory / "report.html"
    assert "25.5" not in page.read_text("utf-8")
    attach(store, version, late)
    reporting.write([run], store, None, silent)
    assert "<td>25.5</td>" in page.read_text("utf-8")
    store.remove(version)
    reporting.write([run], store, None, silent)
    assert "25.5" not in page.read_text("utf-8")


def test_another_registrys_version_of_the_same_name_is_no_runs(
    make_run: MakeRun, make_version: MakeVersion, store: Registry
) -> None:
    run = make_run()
    version = make_version(run, class_names=["cat", "dog"])
    for digest, shown in ((version.digest, True), ("sha256:" + "0" * 64, False)):
        outcome = Outcome(state="finished", step=30, versions={"last": str(version)}, digests={"last": digest})
        run.record_outcome(outcome)
        assert bool(of_run(run, store).commands) == shown
        assert bool(of_run(run, store).evaluations) == shown


def test_a_file_whose_name_is_no_text_is_linked(make_run: MakeRun, store: Registry) -> None:
    run = make_run()
    Path(os.fsdecode(os.fsencode(run.directory) + b"/a\xff.txt")).touch()
    reporting.write([run], store, None, silent)
    assert "a%FF.txt" in (run.directory / "report.html").read_text("utf-8", "surrogateescape")


def test_what_differs_from_the_models_own_settings_is_told(make_run: MakeRun, store: Registry) -> None:
    departures = of_run(make_run(seed=5), store).departures
    assert departures is not None
    assert departures["seed"] == (0, 5)
    assert departures["steps"] == (4_000, 30)  # of vanilla at 8 pixels
    assert departures.keys().isdisjoint({"batch", "size", "device", "precision", "threads"})
    assert defaults.departures({"model": "of-nobody", "size": 8}) is None


def test_a_page_beside_the_runs_files_links_to_them(make_run: MakeRun, store: Registry, tmp_path: Path) -> None:
    run = make_run()
    reporting.conclude(run, FINISHED, store, silent)
    named = re.findall('<a href="([^"]+)">', (run.directory / "report.html").read_text("utf-8"))
    assert {"samples.webp", "config.toml", "outcome.json", "metrics.jsonl"} <= set(named)
    assert all((run.directory / name).exists() for name in named)
    reporting.write([run], store, tmp_path / "r.html", silent)
    assert "<a " not in (tmp_path / "r.html").read_text("utf-8")


def test_a_run_that_is_under_way(make_run: MakeRun, store: Registry) -> None:
    run = make_run(reports=[])
    with run.locked():
        assert of_run(run, store).state == "running, at step 0 of 30"


def test_no_path_of_the_machine_is_told(make_run: MakeRun, tmp_path: Path, store: Registry) -> None:
    run = make_run(data=str(tmp_path / "digits"), features=str(tmp_path / "mine.onnx"))
    reporting.conclude(run, FINISHED, store, silent)
    assert str(tmp_path) not in (run.directory / "report.html").read_text("utf-8")


def test_a_version(make_run: MakeRun, make_version: MakeVersion, store: Registry, tmp_path: Path) -> None:
    version = make_version(make_run())
    subject = of_version(store, version)
    assert (subject.name, subject.reports, dict(subject.frames)) == ("net:1", (), {})
    assert subject.facts["model"] == "vanilla"
    assert subject.tables["Latest figures"] == {"loss_d": "0.25"}
    assert subject.tables["Origin"] == {
        "digest": version.digest,
        "images shown": 1920,
        "parents": "init-from old@sha256:1",
        "plugins": "ganzoo/vanilla 0.1.0",
        "ganzoo-notes/notes.mood": "good",
    }
    assert reporting.write([version], store, tmp_path / "v.html", silent) == tmp_path / "v.html"
    assert "<h1>net:1</h1>" in (tmp_path / "v.html").read_text("utf-8")


def test_a_run_and_a_version_side_by_side(
    make_run: MakeRun, make_version: MakeVersion, store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    version, run = make_version(make_run()), make_run(seed=5)
    assert reporting.write([run, version], store, None, silent) == Path("report.html")
    text = Path("report.html").read_text("utf-8")
    for shown in ("net/2", "net:1", "<td>5</td><td>0</td>", "Without curves"):
        assert shown in text, shown


def test_runs_of_one_name_are_told_apart(make_run: MakeRun, store: Registry, tmp_path: Path) -> None:
    here, there = make_run(runs="here"), make_run(runs="there")
    reporting.write([here, there], store, tmp_path / "r.html", silent)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert '<th scope="col">here/net/1</th><th scope="col">there/net/1</th>' in text


@pytest.mark.parametrize("times", [0, 2])
def test_nothing_and_one_thing_twice_are_refused(make_run: MakeRun, store: Registry, times: int) -> None:
    with pytest.raises(UsageError, match="each once") as caught:
        reporting.write([make_run()] * times, store, None, silent)
    assert caught.value.hint == "ganzoo report A B"
    assert caught.value.exit_code == ExitCode.USAGE


def test_what_people_mean(make_run: MakeRun, make_version: MakeVersion, store: Registry, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    run = make_run()
    version = make_version(run)
    for reference in ("net/1", "last", str(run.directory)):
        found = find(reference, runs, store)
        assert isinstance(found, Run)
        assert found.directory == run.directory
    for reference in ("net", "net:1", f"net@{version.digest}"):
        assert find(reference, runs, store) == version


def test_what_is_neither_a_run_nor_a_version(make_run: MakeRun, make_version: MakeVersion, store: Registry) -> None:
    make_version(make_run())
    for reference, message, hint in [
        ("net/7", "no run 'net/7' in r", "give a run's directory, NAME/N below r, or last"),
        ("last", "no run 'last' in r", "give a run's directory, NAME/N below r, or last"),
        ("nest", f"'nest' is no run in r, and no model 'nest' in the registry {store.root}", "did you mean 'net'?"),
        ("net:8", "'net:8' is no run in r, and the version net:8 does not exist", "versions of 'net' that exist: 1"),
    ]:
        with pytest.raises(NotFoundError) as caught:
            find(reference, Path("r"), store)
        assert (str(caught.value), caught.value.hint) == (message, hint)
        assert caught.value.exit_code == ExitCode.NOT_FOUND


def test_what_is_both_a_run_and_a_version(
    make_run: MakeRun, make_version: MakeVersion, store: Registry, tmp_path: Path
) -> None:
    run = make_run(name="last")
    version = make_version(run)
    with pytest.raises(NotFoundError) as caught:
        find("last", tmp_path / "runs", store)
    assert str(caught.value) == f"'last' is the run {run.directory} and the version {version}"
    assert caught.value.hint == f"write {run.directory}, or last:1"


def test_a_place_that_cannot_be_written(make_run: MakeRun, store: Registry, tmp_path: Path) -> None:
    with pytest.raises(GanzooError, match=r"the directory .* does not exist"):
        reporting.write([make_run()], store, tmp_path / "no" / "r.html", silent)


def test_every_file_that_a_run_leaves_is_documented(tmp_path: Path, own_registry: Path, store: Registry) -> None:
    settings = {"steps": 4, "batch": 4, "device": "cpu", "preview_every": 2, "eval_every": 4, "options": {"width": 8}}
    result = api.train(
        "vanilla", settings={**settings, "observers": ["tensorboard"]}, registry=own_registry, runs=tmp_path / "runs"
    )
    run = Run.find(str(result.run), tmp_path)
    run.record_event(4, "collapse", "something that this run was spared")
    (run.directory / "clock.json").write_text("{}")  # of a run that was stopped between two reports
    reporting.conclude(run, Outcome(state="finished", step=4), store, silent)
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf-8")
    documented = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert sorted(path.name for path in result.run.iterdir()) == sorted(documented)
    assert f"at most {MAX_FRAMES} grids" in page
    assert f"{MAX_SIDE} pixels" in page
    assert f"at most {MAX_STILLS} of them" in page
    assert f"more than {MAX_POINTS}\npoints" in page


def test_what_went_wrong_is_on_the_page(tmp_path: Path, own_registry: Path) -> None:
    settings = {"steps": 4, "batch": 4, "device": "cpu", "options": {"width": 8}}
    result = api.train("vanilla", settings=settings, registry=own_registry, runs=tmp_path / "runs", export=False)
    page = result.run / "report.html"
    assert "What went wrong" not in page.read_text("utf-8")
    Run.find(str(result.run), tmp_path).record_event(3, "recovered", "the loss of step 3 is <odd>")
    api.report([str(result.run)], registry=own_registry)
    assert "the loss of step 3 is &lt;odd&gt;" in page.read_text("utf-8").partition("What went wrong")[2]
