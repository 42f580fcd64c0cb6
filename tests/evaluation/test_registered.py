"""Judging versions and files: one protocol for all, figures beside the version."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganzoo
from ganzoo import api
from ganzoo.cli import main
from ganzoo.errors import ExitCode, UsageError
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.record import attached
from ganzoo_registry import Registry

TINY: dict[str, Any] = {"steps": 2, "batch": 8, "options": {"width": 2, "latent_dim": 3}, "device": "cpu"}
QUICK = {"n": 40, "seeds": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with ``vanilla:1``, ``vanilla:2``, ``conditional:1`` of digits, ``dotty:1`` and ``own:1``."""
    home = tmp_path_factory.mktemp("trained")
    np.save(home / "own.npy", np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8))
    dots = {**TINY, "data": "dots", "name": "dotty"}
    own = {**TINY, "data": str(home / "own.npy"), "name": "own"}
    plain = [TINY, {**TINY, "seed": 1}, dots, own]
    for model, settings in [*(("vanilla", each) for each in plain), ("conditional", TINY)]:
        ganzoo.train(model, settings=settings, registry=home / "registry", runs=home / "runs")
    return home / "registry"


@pytest.fixture
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A copy of it, to be changed; what is called ``registry`` in the environment."""
    registry = Registry(Path(shutil.copytree(trained, tmp_path / "copy")))
    monkeypatch.setenv("GANZOO_REGISTRY", str(registry.root))
    return registry


@pytest.fixture
def file(store: Registry, tmp_path: Path) -> str:
    path = tmp_path / "vanilla.onnx"
    path.write_bytes(store.read(store.resolve("vanilla:2"), "onnx"))
    return str(path)


def run(*arguments: str) -> int:
    return main(["eval", "-n", "40", "--seeds", "2", "--device", "cpu", *arguments])


def test_the_newest_version_is_judged_and_the_figures_stay_with_it(store: Registry) -> None:
    found = ganzoo.evaluate(["vanilla"], **QUICK)
    assert list(found) == ["vanilla:2"]
    evaluation = found["vanilla:2"]
    assert attached(store, store.resolve("vanilla:2")) == [evaluation]
    assert evaluation.protocol.n == 40
    assert evaluation.protocol.seeds == (0, 1)
    assert evaluation.notes == ()
    assert {"fd", "kid", "recall", "coverage", "is", "copying"} <= evaluation.figures.keys()
    assert "accuracy" not in evaluation.figures


def test_what_is_attached_is_not_computed_again(store: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ganzoo.evaluate(["vanilla:1"], **QUICK)
    judged: list[Any] = []
    judge = Evaluator.judge
    monkeypatch.setattr(Evaluator, "judge", lambda self, source: judged.append(source) or judge(self, source))
    assert ganzoo.evaluate(["vanilla:1"], **QUICK) == before
    assert judged == []
    assert ganzoo.evaluate(["vanilla:1"], force=True, **QUICK) == before
    assert len(judged) == 2
    assert ganzoo.evaluate(["vanilla:1"], **{**QUICK, "n": 41}) != before
    assert len(attached(store, store.resolve("vanilla:1"))) == 2


def test_a_file_is_judged_like_its_version(store: Registry, file: str) -> None:
    of_file = ganzoo.evaluate([file], data="digits", **QUICK)[file]
    of_version = ganzoo.evaluate(["vanilla:2"], **QUICK)["vanilla:2"]
    assert of_file.figures == of_version.figures
    assert of_file.notes == ("it is not known what it was trained on",)


def test_accuracy_is_that_of_the_labels_asked_for(store: Registry) -> None:
    figures = ganzoo.evaluate(["conditional"], **QUICK)["conditional:1"].figures
    assert 0 <= figures["accuracy"].mean <= 0.5


def test_all_are_judged_by_one_protocol(store: Registry) -> None:
    found = ganzoo.evaluate(["vanilla:1", "vanilla:2", "conditional"], **QUICK)
    assert len({evaluation.protocol.key for evaluation in found.values()}) == 1
    assert found["vanilla:1"].figures["fd"] != found["vanilla:2"].figures["fd"]


def test_known_modes(store: Registry) -> None:
    figures = ganzoo.evaluate(["dotty"], **QUICK)["dotty:1"].figures
    assert figures["modes"].mean == figures["good"].mean == 0


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ({"against": "training"}, "it is held against the images that it was trained on"),
        ({"data": "own.npy", "features": "digits"}, "it was trained on other images (digits)"),
    ],
)
def test_notes(store: Registry, trained: Path, question: Any, note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.parent)
    assert ganzoo.evaluate(["vanilla:1"], **question, **QUICK)["vanilla:1"].notes == (note,)


def test_held_out_images_of_ones_own(store: Registry, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.parent)
    lineage = store.lineage(store.resolve("own"))["data"]
    assert (lineage["count"], lineage["held_out"]["count"]) == (36, 4)
    evaluation = ganzoo.evaluate(["own"], data="own.npy", features="digits", **QUICK)["own:1"]
    assert evaluation.notes == ()
    assert evaluation.protocol.digest == lineage["held_out"]["digest"]


def test_a_model_that_was_trained_on_the_held_out_part(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganzoo_plugins.digits.reader import held_out

    images = held_out()
    np.savez(tmp_path / "cheat.npz", images=images.pixels[:, 0], labels=images.labels, class_names=images.class_names)
    settings = {**TINY, "data": str(tmp_path / "cheat.npz"), "held_out": 0.0, "name": "cheat"}
    ganzoo.train("vanilla", settings=settings, runs=tmp_path / "runs")
    evaluation = ganzoo.evaluate(["cheat"], data="digits", **QUICK)["cheat:1"]
    assert evaluation.notes == ("it was trained on the very images that are held out here",)


# The command


def test_the_page(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("vanilla") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split()[:2] == ["FIGURE", "vanilla:2"]
    assert "real images (n=40)" in out[0]
    assert out[1].startswith("fd ")
    assert any("40 samples a seed, 2 sample seeds; against 359 held-out images of digits" in line for line in out)


def test_the_best_is_named_beside_the_last(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("vanilla:1") == 0
    assert "Best" not in capsys.readouterr().err
    assert run("--compare", "vanilla:1", "vanilla:2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    best, other = sorted(found, key=lambda name: found[name]["figures"]["fd"]["mean"])
    assert run(best) == 0
    assert "Best" not in capsys.readouterr().err
    assert run(other) == 0
    assert f"Best by this protocol so far: {best} (fd " in capsys.readouterr().err


def test_comparing(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--compare", "vanilla:1", "conditional") == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split()[:3] == ["FIGURE", "vanilla:1", "conditional:1"]
    block = out[out.index("fd (lower is better)") :].splitlines()[1:4]
    assert [line.split()[0] for line in block] == ["vanilla:1", "conditional:1", "real"]
    assert all("●" in line for line in block)


def test_json(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("vanilla", "--json") == 0
    one = json.loads(capsys.readouterr().out)
    assert len(one["figures"]["fd"]["values"]) == 2
    assert run("--compare", "vanilla:1", "vanilla:2", "--json") == 0
    both = json.loads(capsys.readouterr().out)
    assert both["vanilla:2"] == one


@pytest.mark.parametrize(
    ("suffix", "fits"),
    [
        (".md", lambda data: data.startswith(b"| figure | vanilla:1 | vanilla:2 |")),
        (".json", lambda data: json.loads(data).keys() == {"vanilla:1", "vanilla:2"}),
        (".png", lambda data: data.startswith(b"\x89PNG")),
        (".svg", lambda data: b"<svg" in data and b"pickle" not in data),
    ],
)
def test_files(store: Registry, tmp_path: Path, suffix: str, fits: Callable[[bytes], bool]) -> None:
    output = tmp_path / f"figures{suffix}"
    assert run("--compare", "vanilla:1", "vanilla:2", "-o", str(output)) == 0
    assert fits(output.read_bytes())


def test_sorting_versions(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--compare", "vanilla:1", "vanilla:2", "conditional", "-o", str(store.root / "x.json")) == 0
    found = json.loads((store.root / "x.json").read_text())
    capsys.readouterr()
    assert main(["registry", "ls", "vanilla", "--sort", "fd", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    means = [next(iter(version["figures"].values())) for version in listed]
    assert means == sorted(found[name]["figures"]["fd"]["mean"] for name in ("vanilla:1", "vanilla:2"))
    assert main(["registry", "ls", "vanilla", "--sort", "coverage", "--json"]) == 0
    means = [next(iter(version["figures"].values())) for version in json.loads(capsys.readouterr().out)]
    assert means == sorted(means, reverse=True)


def test_figures_of_two_protocols_have_two_columns(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    for n, versions in (("40", ("vanilla:1",)), ("41", ("vanilla:1", "vanilla:2"))):
        for version in versions:
            assert main(["eval", version, "-n", n, "--seeds", "1"]) == 0
    capsys.readouterr()
    assert main(["registry", "ls", "vanilla", "--sort", "fd"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.count("FD (") == 2
    assert {len(row.split()) for row in rows} == {2, 3}
    assert main(["registry", "ls", "--sort", "fd"]) == 0
    assert main(["registry", "ls", "--sort", "recal"]) == ExitCode.USAGE
    assert "did you mean 'recall'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (["nothing"], 3, "no model 'nothing'", "did you mean|choose|ganzoo"),
        (["vanilla", "dotty"], 2, "several references", "ganzoo eval --compare vanilla dotty"),
        (["--compare", "vanilla"], 2, "two or more", "ganzoo eval --compare A B"),
        (["--compare", "vanilla", "dotty"], 2, "trained on different images: digits, dots", "--data SOURCE"),
        (["--compare", "vanilla", "dotty", "--data", "digits"], 2, "different sizes: 8 pixels, 16 pixels", "one size"),
        (["own"], 2, "'own.npy' is not the name of a data set", "--data PATH"),
        (["vanilla", "--data", "stacked-digits"], 2, "images of 1 channels, and those of", "--data SOURCE"),
        (["vanilla", "--features", "inception"], 3, "inception", "digits"),
        (["vanilla", "--features", "none.onnx"], 3, "none.onnx", ""),
        (["dotty", "--features", "digits"], 2, "takes images of 1 x 8 x 8", "--size 8"),
        (["vanilla", "-o", "x.txt"], 2, "cannot write figures to x.txt", ".md, .json, .png, .svg"),
        (["missing.onnx", "--data", "digits"], 3, "missing.onnx", "exported"),
    ],
)
def test_what_cannot_be_judged(
    store: Registry,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    error: str,
    hint: str,
) -> None:
    import re

    before = sorted(store.root.rglob("*"))
    assert run(*arguments) == code
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith("Error: ")
    assert error in first
    assert re.search(hint, "\n".join(others))
    assert sorted(store.root.rglob("*")) == before


def test_a_file_needs_to_be_told_the_images(file: str) -> None:
    with pytest.raises(UsageError, match="does not say what it was trained on"):
        api.evaluate([file], **QUICK)
