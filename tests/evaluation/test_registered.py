"""Judging versions and files: one protocol for all, figures beside the version."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganzoo
from ganzoo import api, latents
from ganzoo.cli import main
from ganzoo.errors import ExitCode, UsageError
from ganzoo.evaluation import candidates
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.records import evaluation
from ganzoo.records.evaluation import Evaluation, attached, keys
from ganzoo.zoo.names import zoo
from ganzoo_registry import NotWritable, Registry

TINY: dict[str, Any] = {"steps": 2, "batch": 8, "options": {"width": 2, "latent_dim": 3}, "device": "cpu"}
QUICK: dict[str, Any] = {"n": 40, "seeds": 2, "device": "cpu"}


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


def evaluations(store: Registry, reference: str) -> list[Evaluation | None]:
    version = store.resolve(reference)
    return [attached(store, version, key) for key in keys(store, version)]


def run(*arguments: str) -> int:
    return main(["eval", "-n", "40", "--seeds", "2", "--device", "cpu", *arguments])


def test_the_newest_version_is_judged_and_the_figures_stay_with_it(store: Registry) -> None:
    found = ganzoo.evaluate(["vanilla"], **QUICK)
    assert list(found) == ["vanilla:2"]
    evaluation = found["vanilla:2"]
    assert evaluations(store, "vanilla:2") == [evaluation]
    assert evaluation.protocol.n == 40
    assert evaluation.protocol.seeds == (0, 1)
    assert evaluation.notes == ()
    assert {"fd", "kid", "recall", "coverage", "is", "copying"} <= evaluation.figures.keys()
    assert "accuracy" not in evaluation.figures


def test_what_is_attached_is_not_computed_again(store: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ganzoo.evaluate(["vanilla:1"], **QUICK)
    judged: list[Any] = []
    judge = Evaluator.figures
    monkeypatch.setattr(Evaluator, "figures", lambda self, source: judged.append(source) or judge(self, source))  # type: ignore[func-returns-value]
    assert ganzoo.evaluate(["vanilla:1"], **QUICK) == before
    assert judged == []
    assert ganzoo.evaluate(["vanilla:1"], force=True, **QUICK) == before
    assert len(judged) == 2
    assert ganzoo.evaluate(["vanilla:1"], **{**QUICK, "n": 41}) != before
    assert len(evaluations(store, "vanilla:1")) == 2


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
    ("question", "notes"),
    [
        ({"against": "training"}, ["it is held against the very images that it was trained on"]),
        (
            {"data": "own.npy", "features": "digits"},
            ["4 real images are few: figures are coarse", "it was trained on other images (digits)"],
        ),
    ],
)
def test_notes(
    store: Registry, trained: Path, question: Any, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    assert ganzoo.evaluate(["vanilla:1"], **question, **QUICK)["vanilla:1"].notes == tuple(notes)


def test_an_extractor_whose_weights_were_in_training_is_marked(
    store: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_frozen(digest: str) -> tuple[str, ...]:
        frozen = {"frozen": {"discriminator.features": digest}}
        monkeypatch.setattr(Registry, "lineage", lambda self, version: {**lineage(self, version), **frozen})
        return ganzoo.evaluate(["vanilla:1"], force=True, **QUICK)["vanilla:1"].notes

    lineage = Registry.lineage
    assert with_frozen("0" * 64) == ()
    seen = open_extractor("digits", zoo(), device="cpu").sha256
    assert with_frozen(seen) == ("digits was in training: its weights are part of the networks, which flatters",)


def test_held_out_images_of_ones_own(store: Registry, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.parent)
    lineage = store.lineage(store.resolve("own"))["data"]
    assert (lineage["count"], lineage["held_out"]["count"]) == (36, 4)
    evaluation = ganzoo.evaluate(["own"], data="own.npy", features="digits", **QUICK)["own:1"]
    assert evaluation.notes == ("4 real images are few: figures are coarse",)
    assert evaluation.protocol.digest == lineage["held_out"]["digest"]
    assert (evaluation.protocol.data, evaluation.protocol.features) == ("own.npy", "digits")


def test_images_without_a_name_are_found_by_the_run(
    store: Registry, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluation = ganzoo.evaluate("own", features="digits", runs=trained.parent / "runs", **QUICK)["own:1"]
    assert (evaluation.protocol.data, evaluation.protocol.against) == ("own.npy", "held-out")
    assert evaluation.notes == ("4 real images are few: figures are coarse",)
    shutil.copy(trained.parent / "own.npy", tmp_path)
    assert ganzoo.evaluate("own", features="digits", **QUICK)["own:1"] == evaluation, "no run, but the folder is here"


def test_images_that_changed_since_are_not_passed_off_as_the_same(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("own.npy", np.random.default_rng(1).integers(0, 256, (40, 8, 8), np.uint8))
    assert run("own") == ExitCode.USAGE
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "Error: ./own.npy has other images now than own:1 was trained on"
    assert hint.endswith("--data ./own.npy")
    assert run("own", "--data", "./own.npy", "--features", "digits") == 0
    assert "it was trained on other images (own.npy)" in capsys.readouterr().out


def test_a_model_that_was_trained_on_the_held_out_part(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganzoo_plugins.digits.reader import held_out

    images = held_out()
    np.savez(tmp_path / "cheat.npz", images=images.pixels[:, 0], labels=images.labels, class_names=images.class_names)  # type: ignore[arg-type]
    settings = {**TINY, "data": str(tmp_path / "cheat.npz"), "held_out": 0.0, "name": "cheat"}
    ganzoo.train("vanilla", settings=settings, runs=tmp_path / "runs")
    evaluation = ganzoo.evaluate(["cheat"], data="digits", **QUICK)["cheat:1"]
    assert evaluation.notes == ("it is held against the very images that it was trained on",)


# The command


def test_the_page(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("vanilla") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split()[:2] == ["FIGURE", "vanilla:2"]
    assert "REAL IMAGES (n=40)" in out[0]
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


def test_another_versions_damaged_record_costs_no_figures(
    store: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = store.root / "models" / "vanilla" / "versions" / "1"
    record.chmod(0o600)
    record.write_text("x")
    assert run("vanilla:2", "-o", str(tmp_path / "figures.json")) == 0
    assert (tmp_path / "figures.json").exists()
    assert "Error" not in capsys.readouterr().err


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
        (".md", lambda data: data.startswith(b"| FIGURE | vanilla:1 | vanilla:2 |")),
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


def test_accuracy_never_stands_alone(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """One image a class has an accuracy of 1: variety within classes is shown beside it, also where it only sorts."""
    assert main(["eval", "conditional", "-n", "40", "--seeds", "1"]) == 0
    figures = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:] if line.strip()]
    assert figures[figures.index("accuracy") + 1 :][:2] == ["class_deviation", "least_class_deviation"]
    assert main(["registry", "ls", "conditional", "--sort", "accuracy"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert re.findall(r"[A-Z_]+(?= \()", header) == ["ACCURACY", "LEAST_CLASS_DEVIATION"]
    assert len(row.split()) == 3
    assert main(["registry", "ls", "conditional", "--sort", "accuracy", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["beside"].keys() == {"least_class_deviation"}
    assert listed["beside"]["least_class_deviation"].keys() == listed["figures"].keys()


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (["nothing"], 3, "no model 'nothing'", "did you mean|choose|ganzoo"),
        (["vanilla", "dotty"], 2, "several references", "ganzoo eval --compare vanilla dotty"),
        (["--compare", "vanilla"], 2, "two or more", "ganzoo eval --compare A B"),
        (["--compare", "vanilla", "dotty"], 2, "trained on different images: digits, dots", "--data SOURCE"),
        (["--compare", "vanilla", "dotty", "--data", "digits"], 2, "different sizes: 8 pixels, 16 pixels", "one size"),
        (["own"], 3, "./own.npy: the images that own:1 was trained on are not there", "--data PATH"),
        (["--compare", "vanilla", "vanilla:2"], 2, "two of the references mean one version", "different ones"),
        (["vanilla", "--data", "stacked-digits"], 2, "makes images of 1 channel, and those of", "--data SOURCE"),
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


def damage(store: Registry, reference: str) -> None:
    version = store.resolve(reference)
    for key in keys(store, version):
        path = store.path(version, f"eval-{key}")
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)


def test_a_damaged_evaluation_hides_no_other_and_can_be_replaced(
    store: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--compare", "vanilla:1", "vanilla:2") == 0
    damage(store, "vanilla:1")
    capsys.readouterr()
    assert main(["registry", "ls", "vanilla", "--sort", "fd", "--json"]) == ExitCode.INTEGRITY
    out, err = capsys.readouterr()
    assert [len(version["figures"]) for version in json.loads(out)] == [1, 0]
    assert "vanilla:1 (eval-" in err
    assert run("vanilla:2") == 0
    assert run("vanilla:1") == ExitCode.INTEGRITY
    assert run("vanilla:1", "--force") == 0
    assert run("vanilla:1") == 0


def test_equal_images_by_another_name_have_the_same_key(
    store: Registry, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    shutil.copy("own.npy", tmp_path / "moved.npy")
    one = ganzoo.evaluate(["own"], data="own.npy", features="digits", **QUICK)["own:1"]
    other = ganzoo.evaluate(["own"], data=str(tmp_path / "moved.npy"), features="digits", **QUICK)["own:1"]
    assert one == other
    assert "/" not in json.dumps(one.to_dict()["protocol"])


def test_the_smallest_held_out_part_is_what_none_of_them_saw(
    store: Registry, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    settings = {**TINY, "data": "own.npy", "held_out": 0.5, "name": "half"}
    ganzoo.train("vanilla", settings=settings, runs=tmp_path / "runs")
    found = ganzoo.evaluate(["half", "own"], data="own.npy", features="digits", **QUICK)
    assert {evaluation.protocol.real for evaluation in found.values()} == {4}
    assert found["own:1"].notes == ("4 real images are few: figures are coarse",)


def test_a_metric_that_was_installed_since_is_computed(store: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    ganzoo.evaluate(["vanilla:1"], **QUICK)
    key = keys(store, store.resolve("vanilla:1"))[0]
    old = attached(store, store.resolve("vanilla:1"), key)
    assert old
    fewer = {name: value for name, value in old.figures.items() if name != "kid"}
    stored = replace(old, figures=fewer, metrics=tuple(name for name in old.metrics if "kernel" not in name))
    evaluation.attach(store, store.resolve("vanilla:1"), stored, force=True)
    assert ganzoo.evaluate(["vanilla:1"], **QUICK)["vanilla:1"] == old
    assert attached(store, store.resolve("vanilla:1"), key) == old


def test_what_another_process_found_first_counts(store: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ganzoo.evaluate(["vanilla:1"], **QUICK)["vanilla:1"]
    version = store.resolve("vanilla:1")
    other = replace(first, floor_n=7)
    assert candidates._attach(store, version, other, force=False) == first
    assert candidates._attach(store, version, other, force=True) == other


def test_a_registry_that_takes_nothing_costs_no_figures(
    store: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise NotWritable("the file system of the registry is read-only")

    monkeypatch.setattr(Registry, "attach", refuse)
    assert run("vanilla:1") == 0
    out = capsys.readouterr().out
    assert out.startswith("FIGURE ")
    assert "the registry did not take these figures: the file system of the registry is read-only." in out
    assert keys(store, store.resolve("vanilla:1")) == []


def test_samples_of_a_conditional_model_have_the_labels_of_the_training_images(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it trains and when it has; but what is shown of it has each class equally often."""
    drawn: dict[bool, list[int]] = {True: [], False: []}
    draw = latents.draw

    def see(seed: int, start: int, count: int, latent_dim: int, classes: int, pool: Any) -> Any:
        z, labels = draw(seed, start, count, latent_dim, classes, pool)
        assert labels is not None
        drawn[pool is not None].extend(labels.tolist())
        return z, labels

    monkeypatch.setattr(latents, "draw", see)
    pixels = np.random.default_rng(0).integers(0, 256, (400, 8, 8), np.uint8)
    np.savez(tmp_path / "odd.npz", images=pixels, labels=np.repeat([0, 1], [380, 20]), class_names=["many", "few"])
    settings = {**TINY, "data": str(tmp_path / "odd.npz"), "name": "odd", "features": "digits", "eval_every": 2}
    trained = ganzoo.train("conditional", settings={**settings, "held_out": 0.25}, runs=tmp_path / "runs")
    assert len(drawn[True]) == 300 + 5 * 300 + 256  # and those that are looked at for copies
    assert abs(np.mean(drawn[True]) - 0.05) < 0.02
    assert abs(np.mean(drawn[False]) - 0.5) < 0.2
    drawn[True].clear()
    ganzoo.evaluate([str(trained.version)], data=str(tmp_path / "odd.npz"), features="digits", **{**QUICK, "n": 500})
    assert abs(np.mean(drawn[True]) - 0.05) < 0.02


def test_a_figure_without_a_better_side_sorts_nothing(store: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registry", "ls", "--sort", "copying"]) == ExitCode.USAGE
    assert "'copying' has no better side" in capsys.readouterr().err


def test_nothing_to_evaluate() -> None:
    with pytest.raises(UsageError, match="nothing to evaluate"):
        api.evaluate([])


def test_a_file_needs_to_be_told_the_images(file: str) -> None:
    with pytest.raises(UsageError, match="does not say what it was trained on"):
        api.evaluate([file], **QUICK)
