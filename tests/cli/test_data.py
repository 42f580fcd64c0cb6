"""``ganzoo data``: what there is, what is in it, and packing it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo import api
from ganzoo.cli import main
from ganzoo.data import ImageSet, load
from ganzoo.data.statistics import channel_statistics
from ganzoo.specs import Dataset, Reader
from ganzoo.zoo.names import zoo

TINY = {"steps": 3, "batch": 4, "device": "cpu", "precision": "fp32", "options": {"width": 2, "latent_dim": 3}}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve cats, eight dogs, and one file that is no image."""
    rng = np.random.default_rng(0)
    for name, count in (("cat", 12), ("dog", 8)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(count):
            noise = rng.integers(0, 256, (12, 10, 3), np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{index}.png")
    (tmp_path / "photos" / "cat" / "bad.png").write_bytes(b"no image")
    return tmp_path / "photos"


def test_ls_names_every_set_and_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "ls"]) == 0
    out = capsys.readouterr().out
    for spec in [*zoo().all(Dataset), *zoo().all(Reader)]:
        assert f"\n{spec.name} " in out
        assert spec.summary
        assert spec.summary in out
    assert main(["data", "ls", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"digits", "stacked-digits", "dots", "mnist"} <= {each["name"] for each in found["datasets"]}


def test_show_counts(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "photos", "--size", "8", "--json"]) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    parts = load("photos", zoo(), size=8, held_out=0.1)
    assert (facts["count"], facts["held_out"], facts["skipped"]) == (18, 2, 1)
    assert sum(facts["classes"].values()) == 18
    assert list(facts["classes"]) == ["cat", "dog"]
    assert facts["digest"] == parts.training.digest
    pixels = parts.training.pixels.astype(float)
    assert facts["mean"] == pytest.approx(pixels.mean((0, 2, 3)), abs=0.01)
    assert facts["standard_deviation"] == pytest.approx(pixels.std((0, 2, 3)), abs=0.01)
    assert "Skipped cat/bad.png: " in err


def test_show_counts_groups(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "photos"]) == 0
    assert "\ngroups" not in capsys.readouterr().out
    pixels = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    np.savez("films.npz", images=pixels, groups=np.arange(30) // 5)
    assert main(["data", "show", "films.npz", "--held-out", "0.3"]) == 0
    assert "\ngroups      4 to train on, 2 held out\n" in capsys.readouterr().out
    assert main(["data", "show", "films.npz", "--held-out", "0.3", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["count"], facts["groups"], facts["held_out_groups"]) == (20, 4, 2)


def test_show_writes_nothing_unless_told(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path().rglob("*"))
    assert main(["data", "show", "photos"]) == 0
    assert "contact sheet" not in capsys.readouterr().out
    assert sorted(Path().rglob("*")) == before


def test_statistics_take_little_memory() -> None:
    images = ImageSet(pixels=np.broadcast_to(np.arange(256, dtype=np.uint8), (64, 1, 1024, 256)))
    tracemalloc.start()
    means, deviations = channel_statistics(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (means, deviations) == ([127.5], [73.9])
    assert peak < 2**26


def test_show_draws_a_contact_sheet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "digits", "-o", "sheet.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=1)[1] == "1,438 to train on, 359 held out"
    assert lines[-1].endswith("sheet.png")
    with Image.open("sheet.png") as sheet:
        assert sheet.size == (398, 398)
        assert len(set(sheet.get_flattened_data())) > 5


def test_a_set_of_many_classes_fits_on_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "stacked-digits"]) == 0
    assert "1,000: 000 (20), " in (out := capsys.readouterr().out)
    assert "and 980 more" in out


def test_a_packed_set_is_the_folder_that_it_was_made_of(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "pack", "photos", "photos.npy", "--size", "8", "--held-out", "0.2", "--json"]) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert (facts["count"], facts["held_out"], facts["skipped"], facts["classes"]) == (16, 4, 1, 2)
    assert "ganzoo train --model dcgan --data photos.npy" in err
    settings = {**TINY, "size": 8, "held_out": 0.2}
    one = api.train("dcgan", settings={**settings, "data": "photos"}, runs="a", export=False)
    other = api.train("dcgan", settings={**settings, "data": "photos.npy"}, runs="b", export=False)
    store = api.open_registry()
    assert store.kinds(one.version)["generator"] == store.kinds(other.version)["generator"]
    assert store.lineage(one.version)["data"]["held_out"] == store.lineage(other.version)["data"]["held_out"]


@pytest.mark.parametrize("target", ["photos.npy", "other.npy"])
def test_a_pack_is_not_packed_again(photos: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    """Its labels would be lost and, onto itself, for good."""
    assert main(["data", "pack", "photos", "photos.npy", "--size", "8"]) == 0
    before = {path: path.read_bytes() for path in Path().glob("*.*")}
    capsys.readouterr()
    assert main(["data", "pack", "photos.npy", target]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "Error: photos.npy: packed already; its labels and what is held out would be lost"
    assert hint == "Hint: pack what it was made of; or, if it never was a packed set, move photos.json away"
    assert {path: path.read_bytes() for path in Path().glob("*.*")} == before


def test_sigterm_leaves_no_partial_file(photos: Path) -> None:
    """The disk takes its time with the array, and the process is told to go."""
    stuck = "import sys, time; from ganzoo.cli import main; from ganzoo.data import packing; "
    stuck += "packing._sync = lambda file: time.sleep(60); sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", stuck, "data", "pack", "photos", "x.npy", "--size", "8"], stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 50
        while not list(Path().glob(".*.partial")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=50)
    assert process.returncode == 130
    assert told.strip() == b"Error: interrupted"
    assert list(Path().iterdir()) == [Path("photos")]


def test_show_and_pack_tell_what_is_passed_over(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "dog" / "x.bmp").write_bytes(b"BM")
    told = "kinds of files that are not read: 1 .bmp (dog/x.bmp)"
    for command in (["show", "photos", "--size", "8"], ["pack", "photos", "photos.npy", "--size", "8"]):
        assert main(["data", *command, "--json"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["notes"] == [told]
        assert f"Warning: {told}\n" in err


def test_show_says_why_a_set_is_unlabelled(capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("x.npz", images=np.resize(np.arange(251, dtype=np.uint8), (9, 8, 8)), labels=np.linspace(0, 1, 9))
    assert main(["data", "show", "x.npz"]) == 0
    out, err = capsys.readouterr()
    assert "classes     none\n" in out
    assert "Warning: the images count as unlabelled: 0.0 is neither a class number nor a class name\n" in err


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"x\x1b[2J"])
def test_no_name_of_a_class_breaks_what_is_printed(name: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (b"set/" + name, b"set/tea"):
        os.makedirs(folder)
        for number in range(3):
            Image.effect_noise((8, 8), 90).save(os.path.join(folder, b"%d.png" % number))
    assert main(["data", "show", "set", "--size", "8", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    json.dumps(facts, ensure_ascii=False).encode()
    written = next(each for each in facts["classes"] if each != "tea")
    assert written.isprintable()
    assert main(["data", "show", "set", "--size", "8"]) == 0
    assert f"{written} (3)" in capsys.readouterr().out
    assert main(["data", "pack", "set", "set.npy", "--size", "8"]) == 0
    assert load("set.npy", zoo()).training.class_names == tuple(sorted([written, "tea"]))


@pytest.mark.parametrize(
    "arguments",
    [["show", "{}"], ["pack", "{}", "x.npy"], ["pack", "photos", "{}.npy"], ["show", "photos", "-o", "{}.png"]],
)
def test_paths_that_are_not_utf8_are_refused_in_one_line(
    photos: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    odd = os.fsdecode(b"caf\xe9")
    shutil.copytree(photos, odd)
    before = sorted(Path().rglob("*"))
    assert main(["data", *(each.format(odd) for each in arguments)]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert r"caf\xe9" in error
    assert "this path is not UTF-8, so no record could keep it" in error
    assert hint.startswith("Hint: rename it")
    assert sorted(Path().rglob("*")) == before


def test_labels_that_nobody_needs_stop_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A conditional model needs them, and is refused with the reason before anything is written."""
    np.savez("x.npz", images=np.resize(np.arange(251, dtype=np.uint8), (9, 8, 8)), labels=np.linspace(0, 1, 9))
    options = ["--data", "x.npz", "--batch", "4", "--steps", "2", "--device", "cpu", "--no-export", "--runs", "runs"]
    assert main(["train", "--model", "conditional", *options]) == 2
    error = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: "))
    assert error == (
        "Error: architecture 'conditional' needs labels, and those of the data cannot be used: "
        "0.0 is neither a class number nor a class name"
    )
    assert not Path("runs").exists()
    assert main(["train", "--model", "vanilla", *options]) == 0
    told = "Warning: the images count as unlabelled: 0.0 is neither a class number nor a class name"
    assert capsys.readouterr().err.count(told) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["show", "photoz"], 3, "unknown dataset 'photoz'"),
        (["show", "photos", "-o", "none/sheet.png"], 1, "cannot write none/sheet.png"),
        (["show", "photos", "-o", "x.txt"], 2, "x.txt: a contact sheet is called FILE.png"),
        (["show", "photos", "-o", "photos/cat/x.png"], 2, "photos/cat/x.png: lies inside photos, and would be one of"),
        (["show", "photos", "--held-out", "nan"], 2, "--held-out': nan is not a number"),
        (["show", "photos", "--strict"], 2, "1 of 21 images cannot be read"),
        (["pack", "nothing", "x.npy"], 3, "unknown dataset 'nothing'"),
        (["pack", "no/thing", "x.npy"], 3, "no/thing: no such file or folder"),
        (["pack", "digits", "x.npy"], 2, "digits is a data set's name, and needs no packing"),
        (["pack", "photos", "x.npz"], 2, "a packed set is called FILE.npy"),
        (["pack", "photos", "none/x.npy"], 1, "cannot write none/x.npy"),
        (["pack", "photos", "x.npy", "--strict"], 2, "1 of 21 images cannot be read"),
        (["pack", "photos", "x.npy", "--held-out", "1"], 2, "--held-out"),
        (["pack", "empty", "x.npy"], 2, "empty: no images"),
        (["shwo", "photos"], 2, "no such command: ganzoo data shwo"),
    ],
)
def test_what_cannot_be_done_leaves_nothing(
    photos: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, error: str
) -> None:
    Path("empty").mkdir()
    before = sorted(Path().rglob("*"))
    assert main(["data", *arguments]) == code
    first, hint = capsys.readouterr().err.splitlines()[:2]
    assert first.startswith("Error: ")
    assert error in first
    assert hint.startswith("Hint: ")
    assert sorted(Path().rglob("*")) == before
