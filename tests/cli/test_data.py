"""``ganzoo data``: what there is, what is in it, and packing it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo import api
from ganzoo.cli import main
from ganzoo.data import load
from ganzoo.specs import Dataset, Reader
from ganzoo.zoo import zoo

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
    data = load("photos", zoo(), size=8, held_out=0.1)
    assert (facts["count"], facts["held_out"], facts["skipped"]) == (18, 2, 1)
    assert sum(facts["classes"].values()) == 18
    assert list(facts["classes"]) == ["cat", "dog"]
    assert facts["digest"] == data.training.digest
    pixels = data.training.pixels.astype(float)
    assert facts["mean"] == pytest.approx(pixels.mean((0, 2, 3)), abs=0.01)
    assert facts["standard_deviation"] == pytest.approx(pixels.std((0, 2, 3)), abs=0.01)
    assert "Skipped cat/bad.png: " in err


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


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["show", "photoz"], 3, "unknown dataset 'photoz'"),
        (["show", "photos", "-o", "none/sheet.png"], 1, "cannot write none/sheet.png"),
        (["show", "photos", "--strict"], 2, "1 of 21 images cannot be read"),
        (["pack", "nothing", "x.npy"], 3, "nothing: no such file or folder"),
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
