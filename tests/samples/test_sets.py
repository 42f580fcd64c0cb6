"""Sets of samples: read back as what they are, whoever makes them, and gone on with after any kill."""

import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from ganzoo import GanzooError, MissingPackageError, UsageError
from ganzoo.data.load import load
from ganzoo.images import encode_png
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.samples import shards
from ganzoo.samples.arrays import Array
from ganzoo.samples.pictures import Pictures
from ganzoo.samples.request import Request
from ganzoo.samples.sets import unfinished, write_set
from ganzoo.samples.unfinished import Unfinished
from ganzoo.zoo.names import zoo

KILLS = max(4, settings().max_examples // 20)
"""Of each form: 4, and with ``--full`` 100."""

FORMS = {"pictures": "", "set.npy": ".npy", "set.npz": ".npz", "tars": "tar", "parquets": "parquet"}
"""Output -> form."""


def request_of(generator: ImageGenerator, each: int, **options: Any) -> Request:
    return Request(generator=generator.sha256, **{"seed": 7, "start": 0, "each": each, **options})


def write(
    generator: ImageGenerator,
    request: Request,
    output: Path,
    *,
    workers: int = 2,
    seen: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Write a set; returns what was noted."""
    noted: list[str] = []
    write_set(generator, request, output, FORMS[output.name], workers=workers, seen=seen, noted=noted.append)
    return noted


def contents(place: Path) -> dict[str, bytes]:
    """Every file of a set by its path, hidden ones too."""
    if place.is_file():
        beside = place.parent.glob(f"*{place.name}*")
        return {path.name: path.read_bytes() if path.is_file() else b"" for path in beside}
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of hundreds of images that are committed as often as those of a million."""
    for form in (Array, Pictures, shards.Shards):
        monkeypatch.setattr(form, "step", 64)
    monkeypatch.setattr(shards, "GROUP", 24)
    monkeypatch.setattr("ganzoo.samples.request.PIECE", 10)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("small_steps")
def test_the_same_bytes_whatever_the_workers(petite: ImageGenerator, name: str, tmp_path: Path) -> None:
    request = request_of(petite, 150, classes=("3", "1"), start=5)
    found = []
    for workers in (1, 2, 5):
        output = tmp_path / str(workers) / name
        output.parent.mkdir()
        assert write(petite, request, output, workers=workers) == []
        found.append(contents(output))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", [name for name in FORMS if name != "set.npy"])
@pytest.mark.usefixtures("small_steps")
def test_a_set_is_read_back_with_its_classes(petite: ImageGenerator, name: str, tmp_path: Path) -> None:
    output = tmp_path / name
    write(petite, request_of(petite, 200), output)
    images, labels = petite.pixels(200, 7)
    assert labels is not None
    found = load(str(output), zoo(), size=8).training
    assert found.labels is not None
    assert found.class_names == petite.card.class_names
    read = sorted((int(label), pixels.tobytes()) for label, pixels in zip(found.labels, found.pixels, strict=True))
    assert read == sorted((int(label), pixels.tobytes()) for label, pixels in zip(labels, images, strict=True))


def test_arrays_are_those_of_numpy(petite: ImageGenerator, tmp_path: Path) -> None:
    request = request_of(petite, 70, classes=("3",))
    write(petite, request, tmp_path / "set.npy")
    write(petite, request, tmp_path / "set.npz")
    expected = petite.sample(70, 7, "3")
    np.save(tmp_path / "numpy.npy", expected, allow_pickle=False)
    assert (tmp_path / "set.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    with np.load(tmp_path / "set.npz") as arrays:
        assert np.array_equal(arrays["images"], expected)
        assert arrays["labels"].tolist() == [petite.resolve_label("3")] * 70
        assert tuple(arrays["class_names"]) == petite.card.class_names


def test_a_picture_has_the_index_of_its_seed_and_a_member_says_it(petite: ImageGenerator, tmp_path: Path) -> None:
    request = request_of(petite, 2, classes=("3", "1"), start=4)
    write(petite, request, tmp_path / "pictures")
    assert sorted(contents(tmp_path / "pictures")) == ["1/000004.png", "1/000005.png", "3/000004.png", "3/000005.png"]
    write(petite, request, tmp_path / "tars")
    with tarfile.open(tmp_path / "tars" / "samples-00000-of-00001.tar") as archive:
        said = archive.extractfile("00000003.json")
        assert said is not None
        assert json.load(said) == {"label": "1", "seed": 7, "index": 5}


STOPPED_AT = 130
"""An image at which the second of several commits is done, and the third is under way."""


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("small_steps")
def test_what_was_stopped_goes_on(petite: ImageGenerator, name: str, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done >= STOPPED_AT:
            raise KeyboardInterrupt

    (tmp_path / "whole").mkdir()
    request = request_of(petite, 300)
    write(petite, request, tmp_path / "whole" / name)
    output = tmp_path / name
    with pytest.raises(KeyboardInterrupt):
        write(petite, request, output, seen=stop)
    assert unfinished(output, FORMS[name]).seed() == 7
    other = request_of(petite, 300, start=1)
    with pytest.raises(UsageError, match="is unfinished, and was asked for otherwise: start was 0, and is 1") as caught:
        write(petite, other, output)
    assert caught.value.hint is not None
    started: list[int] = []
    assert write(petite, request, output, seen=lambda done, total: started.append(done)) == [
        "Going on behind image 128 of 300."
    ]
    assert started[0] > 128
    assert contents(output) == contents(tmp_path / "whole" / name)
    assert unfinished(output, FORMS[name]).seed() is None


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("small_steps")
def test_a_set_that_was_killed_when_it_was_in_its_place_is_made_whole_again(
    petite: ImageGenerator, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, output = request_of(petite, 150), tmp_path / name
    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "remove", lambda self: None)  # as if the process were killed before
        write(petite, request, output)
    before = {path: data for path, data in contents(output).items() if ".partial" not in path}
    assert write(petite, request, output) == ["Going on behind image 128 of 150."]
    assert contents(output) == before


@pytest.mark.parametrize("name", FORMS)
def test_a_set_that_fails_at_once_leaves_nothing(petite: ImageGenerator, name: str, tmp_path: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise GanzooError("no")

    with pytest.raises(GanzooError, match="no"):
        write(petite, request_of(petite, 300), tmp_path / name, seen=fail)
    assert bool([path for path in tmp_path.rglob("*") if ".partial" in str(path)]) == (name == "pictures")
    assert not (tmp_path / name).is_file()


def test_pictures_are_gone_on_with_from_the_first_one_on(petite: ImageGenerator, tmp_path: Path) -> None:
    """They are in their places before anything is committed, and another seed would lie among them."""
    output, whole = tmp_path / "pictures", tmp_path / "whole" / "pictures"
    whole.parent.mkdir()

    def fail(done: int, total: int) -> None:
        raise GanzooError("no")

    noted: list[str] = []
    request = request_of(petite, 300, seed=11)
    with pytest.raises(GanzooError, match="no"):
        write_set(petite, request, output, "", workers=2, seen=fail, noted=noted.append)
    assert noted == ["Stopped behind image 0 of 300; the same command goes on there."]
    assert unfinished(output, "").seed() == 11
    with pytest.raises(UsageError, match="is unfinished, and was asked for otherwise: seed was 11, and is 7"):
        write(petite, request_of(petite, 300), output)
    write(petite, request, output)
    assert unfinished(output, "").seed() is None
    write(petite, request, whole)
    assert contents(output) == contents(whole)


def test_pictures_among_others_are_told_of(petite: ImageGenerator, tmp_path: Path) -> None:
    output = tmp_path / "pictures"
    assert write(petite, request_of(petite, 20), output) == []
    (note,) = write(petite, request_of(petite, 30), output)
    assert note == f"{output} has pictures already: those of the same name are replaced, and others stay."


@pytest.mark.parametrize("name", ["pictures", "tars"])
@pytest.mark.parametrize("place", ["a.JPG", "cats/a.webp", "000003.png", "cats/000003.png", "0001.png"])
def test_a_persons_own_images_are_neither_replaced_nor_mixed_with_samples(
    petite: ImageGenerator, tmp_path: Path, name: str, place: str
) -> None:
    """One that is called like a sample is known by its size."""
    output = tmp_path / name
    own = output / place
    own.parent.mkdir(parents=True)
    own.write_bytes(encode_png(np.zeros((3, 33, 17), np.uint8)))
    before = contents(output)
    with pytest.raises(UsageError, match=rf"has other images, {place} for one: readers would take both") as caught:
        write(petite, request_of(petite, 20), output)
    assert caught.value.hint == "choose another -o, for these samples alone"
    assert contents(output) == before


@pytest.mark.parametrize("name", ["pictures", "tars"])
def test_what_systems_leave_behind_and_texts_are_no_images(petite: ImageGenerator, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    for folder in (".partial", "@eaDir", "cats/.thumbs"):
        (output / folder).mkdir(parents=True)
        (output / folder / "17.png").write_bytes(b"x")
    for other in ("README.md", ".DS_Store", "._000001.png", "cats/._2.jpg"):
        (output / other).write_bytes(b"x")
    assert write(petite, request_of(petite, 20), output) == []


def test_a_set_that_was_killed_before_its_first_commit_goes_on(petite: ImageGenerator, tmp_path: Path) -> None:
    """With what was under way, whole pictures, and one that a power cut has left without content."""
    output, whole = tmp_path / "pictures", tmp_path / "whole" / "pictures"
    write(petite, request_of(petite, 30), whole)

    def killed(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(petite, request_of(petite, 30), output, seen=killed)
    (output / ".partial").mkdir(exist_ok=True)
    (output / ".partial" / "17.png").write_bytes(b"\x89PNG")
    empty = output / next(whole.rglob("*.png")).relative_to(whole)
    empty.parent.mkdir(exist_ok=True)
    empty.write_bytes(b"")
    write(petite, request_of(petite, 30), output)
    assert contents(output) == contents(whole)


@pytest.mark.parametrize("name", ["tars", "parquets"])
@pytest.mark.usefixtures("small_steps")
def test_shards_of_two_sets_are_not_mixed(petite: ImageGenerator, name: str, tmp_path: Path) -> None:
    output = tmp_path / name
    write(petite, request_of(petite, 150), output)
    before = contents(output)
    with pytest.raises(UsageError, match="has shards of another set, samples-00000-of-00003"):
        write(petite, request_of(petite, 20), output)
    assert contents(output) == before
    assert write(petite, request_of(petite, 140, seed=8), output) == []  # which replace them all


@pytest.mark.parametrize("record", ['{"asked": {}, "done": 5}', '{"asked": {"seed": "x"}, "done": 5}', "[]", "{"])
def test_a_damaged_record(petite: ImageGenerator, tmp_path: Path, record: str) -> None:
    output = tmp_path / "pictures"
    (output / ".partial").mkdir(parents=True)
    (output / ".partial" / "record.json").write_text(record)
    for read in (unfinished(output, "").seed, lambda: write(petite, request_of(petite, 9), output)):
        with pytest.raises(GanzooError, match=r"record\.json is damaged\n"):
            read()


@pytest.mark.parametrize("name", FORMS)
def test_a_full_disk_leaves_the_old_set(
    petite: ImageGenerator, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    output = tmp_path / name
    write(petite, request_of(petite, 40), output)
    before = contents(output)
    monkeypatch.setattr(os, "replace", full)  # as a disk that is full at the latest then
    with pytest.raises(GanzooError) as caught:
        write(petite, request_of(petite, 40, start=1), output)
    assert str(caught.value) == f"cannot write {output}: the disk is full"
    assert caught.value.hint == "free some space, or choose a directory on another disk"
    assert contents(output) == before


def test_a_file_that_is_replaced_passes_its_permissions_on(petite: ImageGenerator, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "old.npy").write_bytes(b"old")
    (tmp_path / "elsewhere" / "old.npy").chmod(0o600)
    for name in ("set.npy", "set.npz"):
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / "old.npy")
        write(petite, request_of(petite, 4), tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert isinstance(np.load(tmp_path / name), np.ndarray) == name.endswith(".npy")
        assert (tmp_path / "elsewhere" / "old.npy").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["old.npy"]


def test_two_processes_do_not_write_one_set(petite: ImageGenerator, tmp_path: Path) -> None:
    output = tmp_path / "set.npy"
    with unfinished(output, ".npy").held({}, bool), pytest.raises(GanzooError, match="another process is writing"):
        write(petite, request_of(petite, 3), output)


def test_a_damaged_record_is_said_to_be_one(petite: ImageGenerator, tmp_path: Path) -> None:
    work = unfinished(tmp_path / "tars", "tar")
    work.place.mkdir(parents=True)
    (work.place / "record.json").write_bytes(b"{")
    with pytest.raises(GanzooError, match="is damaged") as caught:
        write(petite, request_of(petite, 3), tmp_path / "tars")
    assert caught.value.hint == f"start anew: remove {work.place}"


def test_parquet_needs_pyarrow(petite: ImageGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError) as caught:
        write(petite, request_of(petite, 3), tmp_path / "parquets")
    assert caught.value.hint == 'pip install "ganzoo[parquet]"'
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("unfit", ["cats/dogs", "..", ".hidden", "Thumbs.db", "x" * 300])
def test_a_class_that_can_be_no_folder(petite: ImageGenerator, unfit: str, tmp_path: Path) -> None:
    card = GeneratorCard(name="m", latent_dim=1, channels=1, height=8, width=8, class_names=("cat", unfit))
    with pytest.raises(UsageError, match="cannot be the name of a folder"):
        Pictures(tmp_path / "set", tmp_path / "work", card, request_of(petite, 3))
    assert not any(tmp_path.iterdir())


KILLED = """
import os, sys
from pathlib import Path
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.samples import request, sets, shards
from ganzoo.samples.sets import write_set
import numpy, onnxruntime, pyarrow.parquet

for form in (sets.Array, sets.Pictures, shards.Shards):
    form.step = 64
request.PIECE = 10

def write(output, form):
    generator = ImageGenerator.from_bytes(Path(sys.argv[1]).read_bytes(), device="cpu", threads=1)
    asked = request.Request(generator=generator.sha256, seed=7, start=0, each=1500)
    write_set(generator, asked, Path(output), form, workers=2, seen=lambda done, total: None, noted=lambda line: None)

for line in sys.stdin:
    if not (child := os.fork()):
        write(*line.rstrip("\\n").split("\\t"))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Writes a set for each line in a process of its own, and says its number and how it ended."""


def test_a_set_that_was_killed_at_any_moment_is_the_same(tmp_path: Path, tell: Callable[[str], None]) -> None:
    chance = random.Random(0)
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1] / "packaging" / "petite.onnx")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        pipe, answers = writer.stdin, writer.stdout
        assert pipe is not None
        assert answers is not None

        def killed(output: Path, after: float | None) -> bool:
            """Whether the process was killed before it was done."""
            print(output, FORMS[output.name], sep="\t", file=pipe, flush=True)
            child = int(answers.readline())
            if after is not None:
                time.sleep(after)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(int(answers.readline())) != 0

        count = 0
        for name in FORMS:
            whole, output = tmp_path / "whole" / name, tmp_path / name
            whole.parent.mkdir(exist_ok=True)
            begun = time.monotonic()
            assert not killed(whole, None)
            lasts = time.monotonic() - begun
            for _ in range(KILLS):
                count += killed(output, chance.uniform(0, lasts / 2))
            assert not killed(output, None)
            assert contents(output) == contents(whole)
        pipe.close()
    tell(f"sets of samples killed: {count} times, every one whole and the same afterwards")


MEMORY = """
import resource, sys
from pathlib import Path
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.samples.request import Request
from ganzoo.samples.sets import write_set

generator = ImageGenerator.from_bytes(Path(sys.argv[1]).read_bytes(), device="cpu", threads=1)
for each in (500, 5000):
    asked = Request(generator=generator.sha256, seed=7, start=0, each=each)
    write_set(generator, asked, Path("set.npz"), ".npz", workers=2, seen=lambda *_: None, noted=print)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number(tmp_path: Path) -> None:
    """5,000 images of 12 kB are 61 MB."""
    values = 3 * 64 * 64
    weights = numpy_helper.from_array(np.eye(3, values, dtype=np.float32), "W")
    shape = numpy_helper.from_array(np.array([-1, 3, 64, 64]), "shape")
    nodes = [helper.make_node("MatMul", ["z", "W"], ["f"]), helper.make_node("Reshape", ["f", "shape"], ["images"])]
    ports = [
        helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 3]),
        helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 64, 64]),
    ]
    graph = helper.make_graph(nodes, "wide", ports[:1], ports[1:], [weights, shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    card = GeneratorCard(name="wide", latent_dim=3, channels=3, height=64, width=64)
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    (tmp_path / "wide.onnx").write_bytes(model.SerializeToString())
    command = [sys.executable, "-c", MEMORY, "wide.onnx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    few, many = (1024 * int(line) for line in done.stdout.split())
    assert many - few < 16e6
