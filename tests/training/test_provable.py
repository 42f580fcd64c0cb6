"""What the end needs is proven at the start: a training that could never be registered does not begin."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganzoo.config import RunConfig, changes, convert
from ganzoo.errors import UsageError
from ganzoo.files import json_value, parse_json
from ganzoo.training.ranks import ALONE
from ganzoo_registry.documents import canonical

NOT_FINITE = [math.inf, -math.inf, math.nan]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of an architecture that clips."""

    clip: float = math.inf
    bounds: float | None = None
    norm: str = "none"


def config(**options: object) -> RunConfig:
    return RunConfig(model="m", architecture="a", loss="l", options=options)


@pytest.mark.parametrize("number", NOT_FINITE)
def test_an_option_that_is_not_finite_goes_through_a_lineage(number: float) -> None:
    """A plugin's "no clipping" is infinity."""
    stored = parse_json(canonical(json_value({"clip": number, "bounds": number, "norm": "inf"})))
    found = convert(stored, Options)
    assert repr(found) == repr(Options(clip=number, bounds=number, norm="inf"))


@pytest.mark.parametrize("number", NOT_FINITE)
def test_what_is_not_finite_is_equal_to_itself(number: float) -> None:
    """So ranks were told the same, and a resumed run changes nothing."""
    assert changes(config(clip=number, all=[number]), config(clip=float(str(number)), all=[float(str(number))])) == []
    assert changes(config(clip=number), config(clip=1.0)) == [f"options.clip: {number} -> 1.0"]
    ALONE.check_told({"options.clip": number})


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1.5"])
def test_only_the_words_that_json_needs_are_numbers(text: str) -> None:
    assert math.isnan(convert({"clip": "nan"}, Options).clip)
    assert convert({"norm": text}, Options).norm == text
    with pytest.raises(UsageError):
        convert({"clip": "infinite"}, Options)
    if text == "1.5":
        with pytest.raises(UsageError):
            convert({"clip": text}, Options)


def test_paths_that_a_run_keeps_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run can go on from another working directory."""
    import numpy as np

    from ganzoo import api
    from ganzoo.records.run import Run

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.savez("d.npz", images=np.zeros((20, 8, 8), np.uint8))
    settings = {"data": "d.npz", "batch": 4, "steps": 1, "device": "cpu"}
    done = api.train("vanilla", settings=settings, registry=tmp_path / "registry", export=False)
    run = Run.find(str(done.run), Path("runs"))
    assert run.config.data == str(tmp_path / "here" / "d.npz")
    assert run.facts["data"]["name"] == "d.npz"
    monkeypatch.chdir(tmp_path)
    api.train(resume="here/runs/vanilla/1", settings={"steps": 2}, registry=tmp_path / "registry", export=False)
