"""What a person can get wrong, and what can go wrong under them: two lines, an exit code, and nothing half-written."""

import errno
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganzoo import api, files
from ganzoo.cli import main
from ganzoo.records.run import Run
from ganzoo_registry import Registry, disk

TINY = {
    "steps": 3,
    "batch": 4,
    "report_every": 2,
    "checkpoint_every": 2,
    "options": {"width": 2, "latent_dim": 3},
    "device": "cpu",
}
TRAIN = (
    "train --model vanilla --steps 3 --batch 4 --device cpu --set report_every=2 --set checkpoint_every=2 "
    "--set options.width=2 --set options.latent_dim=3"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with ``plain:1``, which takes no labels, and ``labelled:1``, which does; both exported."""
    home = tmp_path_factory.mktemp("trained")
    for name, model in {"plain": "vanilla", "labelled": "conditional"}.items():
        api.train(model, settings={**TINY, "name": name}, registry=home / "registry", runs=home / "runs")
    return home / "registry"


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a copy of that registry, which is the one in use."""
    monkeypatch.delenv("GANZOO_DEBUG", raising=False)
    home = tmp_path / "here"
    shutil.copytree(trained, home / "registry")
    monkeypatch.setenv("GANZOO_REGISTRY", str(home / "registry"))
    monkeypatch.chdir(home)
    return home


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Every file with its content, and every directory."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def failure(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, error and hint of a command that must fail, after checking their form."""
    capsys.readouterr()
    code = main(command.split())
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    *before, error, hint = err.splitlines()
    assert error.startswith("Error: ")
    assert hint.startswith("Hint: ")
    assert not [line for line in before if line.startswith(("Error", "Hint"))]
    return code, error.removeprefix("Error: "), hint.removeprefix("Hint: ")


# What is typed wrongly


def nothing(here: Path) -> None:
    """There is nothing to prepare."""


def empty_folder(here: Path) -> None:
    (here / "photos").mkdir()


def photos(here: Path) -> None:
    """Two whole images and a truncated one, without labels."""
    empty_folder(here)
    for name in ("a", "b", "c"):
        Image.effect_noise((32, 32), 50).save(here / "photos" / f"{name}.png")
    whole = (here / "photos" / "b.png").read_bytes()
    (here / "photos" / "b.png").write_bytes(whole[: len(whole) // 2])


def unreadable_photos(here: Path) -> None:
    empty_folder(here)
    (here / "photos" / "a.png").write_text("I am a text")


def a_file(here: Path) -> None:
    (here / "taken").write_text("mine")


def spoil(kind: str, reference: str = "labelled:1") -> Callable[[Path], None]:
    """Change one bit of a blob of a version."""

    def change(here: Path) -> None:
        store = Registry(here / "registry")
        blob = store.path(store.resolve(reference), kind)
        data = bytearray(blob.read_bytes())
        data[len(data) // 2] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(data)

    return change


TABLE = {
    "model": (nothing, "train --model wgan-pg", 3, "unknown model 'wgan-pg'", "did you mean 'wgan-gp'?"),
    "loss": (nothing, f"{TRAIN} --set loss=hing", 3, "unknown loss 'hing'", "did you mean 'hinge'?"),
    "data set": (
        nothing,
        f"{TRAIN} --data digitz",
        3,
        "unknown dataset 'digitz'",
        "did you mean 'digits'?; or give a path",
    ),
    "key": (nothing, f"{TRAIN} --set bacth=3", 2, "unknown configuration key 'bacth'", "did you mean 'batch'?"),
    "inner key": (
        nothing,
        f"{TRAIN} --set generator.beta=3",
        2,
        "unknown configuration key 'generator.beta'",
        "did you mean 'generator.betas'?",
    ),
    "option": (
        nothing,
        f"{TRAIN} --set options.wdith=3",
        2,
        "unknown configuration key 'options.wdith'",
        "did you mean 'options.width'?",
    ),
    "value": (
        nothing,
        f"{TRAIN} --set critic_steps=0",
        2,
        "configuration key 'critic_steps': expected `int` >= 1",
        "a whole number, such as 8",
    ),
    "size": (
        nothing,
        f"{TRAIN} --size 7",
        2,
        "architecture 'vanilla' makes no 7x7 images",
        "choose --size from: 8, 16, 32, 64",
    ),
    "run name": (
        nothing,
        f"{TRAIN} --name ../mine",
        2,
        "'../mine' is not a model name",
        "use 1 to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends",
    ),
    "device": (nothing, f"{TRAIN} --device tpu", 2, "unknown device 'tpu'", "choose one of: auto, cpu, cuda, cuda:N"),
    "penalty with BatchNorm": (
        nothing,
        "train --model dcgan --set loss=wgan-gp",
        2,
        "the penalty 'gradient-penalty' needs each sample's own gradient, and the discriminator's BatchNorm "
        "(layers.3) mixes the samples of a batch",
        "an architecture with LayerNorm or no norm there (--set architecture=wgan-gp, or --set "
        "options.discriminator_norm=layer where it has that option), or a loss without a penalty",
    ),
    "config file": (nothing, "train --config no.toml", 3, "--config no.toml: no such file", "check the path"),
    "missing folder": (
        nothing,
        f"{TRAIN} --data my/photos",
        3,
        "--data my/photos: no such file or folder",
        "check the path, or use --data digits",
    ),
    "empty folder": (
        empty_folder,
        f"{TRAIN} --data photos",
        2,
        "photos: no images",
        "it should hold .png, .jpg, .jpeg, .webp files, or sub-folders of them",
    ),
    "truncated image": (
        photos,
        f"{TRAIN} --data photos --strict",
        2,
        "photos: 1 of 3 images cannot be read; the first is b.png: ",
        "mend or remove them, or leave out --strict to skip them",
    ),
    "unreadable images": (
        unreadable_photos,
        f"{TRAIN} --data photos",
        2,
        "photos: 1 of 1 images cannot be read; the first is a.png: not a PNG, JPEG or WebP",
        "is this the right folder?",
    ),
    "array": (
        lambda here: (here / "x.npz").write_text("I am a text"),
        f"{TRAIN} --data x.npz",
        2,
        "x.npz: not a NumPy file of plain numbers",
        "np.savez(path, images=...), and labels=..., class_names=... and groups=... if it has them",
    ),
    "labels of unlabelled data": (
        photos,
        "train --model conditional --data photos",
        2,
        "architecture 'conditional' needs labels, and the data has none",
        "give images in one sub-folder per class, or choose an unconditional model (ganzoo models)",
    ),
    "label of an unconditional version": (
        nothing,
        "sample plain --label 3",
        2,
        "plain takes no labels",
        "leave the label out",
    ),
    "label out of range": (
        nothing,
        "sample labelled --label 10",
        2,
        "labelled has no class '10'",
        "choose a name: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
    ),
    "no images": (
        nothing,
        "sample plain -n 0",
        2,
        "invalid value for '-n': 0 is not in the range x>=1",
        "see: ganzoo sample --help",
    ),
    "too many images": (
        nothing,
        "sample plain -n 65537",
        2,
        "n must be a whole number from 1 to 65536, not 65537",
        "draw the rest with another start",
    ),
    "directory for samples": (
        nothing,
        "sample plain -o no/grid.png",
        1,
        "cannot write no/grid.png: the directory no does not exist",
        "make it first: mkdir -p no",
    ),
    "registry is a file": (
        a_file,
        f"{TRAIN} --registry taken",
        1,
        "cannot use the registry {here}/taken: {here}/taken is a file, not a directory",
        "choose another place with --registry DIR or GANZOO_REGISTRY",
    ),
    "registry below a file": (
        a_file,
        f"{TRAIN} --registry taken/registry",
        1,
        "cannot use the registry {here}/taken/registry: {here}/taken is a file, not a directory",
        "choose another place with --registry DIR or GANZOO_REGISTRY",
    ),
    "version": (
        nothing,
        "sample plain:2",
        3,
        "the version plain:2 does not exist",
        "versions of 'plain' that exist: 1",
    ),
    "alias": (
        nothing,
        "sample plain@best",
        3,
        "'plain' has no alias 'best'",
        "set it with: ganzoo registry alias plain:N best",
    ),
    "parent": (
        nothing,
        f"{TRAIN} --init-from plain:9",
        3,
        "the version plain:9 does not exist",
        "versions of 'plain' that exist: 1",
    ),
    "other model's weights": (
        nothing,
        f"{TRAIN} --init-from labelled:1",
        2,
        "--init-from labelled:1: is another model's: ",
        "fine-tune with the same model, options, size and classes",
    ),
    "run": (
        nothing,
        "train --resume plain/3",
        3,
        "no run 'plain/3'",
        "ganzoo runs ls lists them; or give a run's directory",
    ),
    "no run": (nothing, "train --resume last", 3, "no run in runs", "start one: ganzoo train --model wgan-gp"),
    "file": (
        nothing,
        "sample no.onnx",
        3,
        "no.onnx: No such file or directory",
        "give the path of an exported file, or a registry name",
    ),
    "rubbish file": (
        lambda here: (here / "bad.onnx").write_bytes(b"rubbish"),
        "sample bad.onnx",
        4,
        "bad.onnx cannot be loaded: ",
        "ganzoo runs what ganzoo export could have written; export it again: ganzoo export NAME -o FILE",
    ),
}


@pytest.mark.parametrize(("prepare", "command", "code", "error", "hint"), TABLE.values(), ids=TABLE)
def test_bad_input(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], None],
    command: str,
    code: int,
    error: str,
    hint: str,
) -> None:
    prepare(here)
    before = snapshot(here)
    found = failure(command, capsys)
    error = error.replace("{here}", str(here))
    assert found[0] == code
    assert found[1] == error or (error.endswith((": ", "(")) and found[1].startswith(error))
    assert found[2] == hint
    assert snapshot(here) == before


@pytest.mark.parametrize(
    ("kind", "reference", "command"),
    [
        ("onnx", "labelled:1", "sample labelled --seed 1"),
        ("onnx", "labelled:1", "serve labelled --port 0"),
        ("onnx", "labelled:1", "export labelled -o x.onnx"),
        ("generator-ema", "plain:1", "export plain --force"),
        ("discriminator", "plain:1", f"{TRAIN} --init-from plain"),
    ],
)
def test_a_corrupted_blob_is_named_with_its_version(
    here: Path, capsys: pytest.CaptureFixture[str], kind: str, reference: str, command: str
) -> None:
    store = Registry(here / "registry")
    digest = store.kinds(store.resolve(reference))[kind].digest
    spoil(kind, reference)(here)
    before = snapshot(here)
    code, error, hint = failure(command, capsys)
    assert (code, error) == (4, f"blob {digest} of {reference} ({kind}) is damaged: its bytes changed")
    place = f"blobs/sha256/{digest.removeprefix('sha256:')}"
    assert hint == f"restore {place} from a copy of the registry, or register or attach the same content again"
    assert snapshot(here) == before


def test_a_port_in_use(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, error, hint = failure(f"serve plain --port {port}", capsys)
    assert (code, error) == (1, f"port {port} on 127.0.0.1 is in use")
    assert hint == "choose another, or any free one: --port 0"


def test_a_truncated_image_is_named_and_counted_and_the_rest_is_trained_on(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos(here)
    assert main(f"{TRAIN} --data photos --size 8 --batch 2 --no-export".split()) == 0
    warning = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning: "))
    assert warning.startswith("Warning: 1 of 3 images cannot be read and are left out: b.png: ")


# What goes wrong under one: refused and full disks


class Refusing(disk.System):
    """A registry's file system that fails whatever would change it."""

    def __init__(self, number: int) -> None:
        def fail(*arguments: Any, **options: Any) -> None:
            raise OSError(number, os.strerror(number))

        for call in ("open", "write", "link", "mkdir"):
            setattr(self, call, fail)


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``no_room("checkpoints")``: files below a directory of that name, or of that name, find the disk full."""
    real = files._write

    def fill(part: str) -> None:
        def write(path: Path, data: bytes) -> None:
            if target in path.parts:
                real(path, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(path, data)

        target = part
        monkeypatch.setattr(files, "_write", write)

    return fill


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "permission denied: {here}/new"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ENOSPC, "the disk is full"),
    ],
)
def test_a_registry_that_cannot_be_written_to_is_known_before_the_first_step(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    monkeypatch.setattr(disk, "system", Refusing(number))
    before = snapshot(here)
    code, error, hint = failure(f"{TRAIN} --registry new", capsys)
    assert (code, error) == (1, f"cannot use the registry {here}/new: {reason.format(here=here)}")
    assert hint.endswith("choose another place with --registry DIR or GANZOO_REGISTRY")
    assert snapshot(here) == before


def test_a_full_disk_leaves_the_old_samples(
    here: Path, capsys: pytest.CaptureFixture[str], no_room: Callable[[str], None]
) -> None:
    """Of arrays, pictures and shards tests/samples shows it."""
    (here / "grid.png").write_bytes(b"the old one")
    before = snapshot(here)
    no_room(here.name)
    code, error, hint = failure("sample plain -n 4 --seed 1 -o grid.png", capsys)
    assert (code, error) == (1, "cannot write grid.png: the disk is full")
    assert hint == "free some space, or choose a directory on another disk"
    assert snapshot(here) == before


def test_a_full_disk_while_a_run_is_made_leaves_no_run(
    here: Path, capsys: pytest.CaptureFixture[str], no_room: Callable[[str], None]
) -> None:
    no_room("runs")
    code, error, _ = failure(TRAIN, capsys)
    assert (code, error) == (1, "cannot write runs/vanilla/1/run.json: the disk is full")
    assert list((here / "runs" / "vanilla").iterdir()) == []


def disk_full_in_metrics(monkeypatch: pytest.MonkeyPatch, no_room: Callable[[str], None]) -> None:
    real = Run.log

    def report(run: Run, step: int, metrics: Any) -> None:
        (run.directory / "metrics.jsonl").symlink_to("/dev/full")  # says ENOSPC to whoever writes
        try:
            real(run, step, metrics)
        finally:
            (run.directory / "metrics.jsonl").unlink()

    monkeypatch.setattr(Run, "log", report)


def disk_full_in_registry(monkeypatch: pytest.MonkeyPatch, no_room: Callable[[str], None]) -> None:
    """When the training is over: there was room when it began."""
    real = Registry.register

    def register(*arguments: Any) -> Any:
        monkeypatch.setattr(disk, "system", Refusing(errno.ENOSPC))
        return real(*arguments)

    monkeypatch.setattr(Registry, "register", register)


def test_a_full_registry_leaves_a_run_that_can_be_finished(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_room: Callable[[str], None]
) -> None:
    registry = snapshot(here / "registry")
    with monkeypatch.context() as patch:
        disk_full_in_registry(patch, no_room)
        code, said, hint = failure(f"{TRAIN} --no-export", capsys)
    monkeypatch.undo()
    assert (code, said) == (1, f"cannot use the registry {here}/registry: the disk is full")
    assert hint.startswith("free some space, or ")
    assert snapshot(here / "registry") == registry
    assert not list(here.rglob("*.partial"))

    monkeypatch.chdir(here)
    monkeypatch.setenv("GANZOO_REGISTRY", str(here / "registry"))
    assert main(["train", "--resume", "last", "--no-export"]) == 0
    assert capsys.readouterr().out.startswith("registered  vanilla:1\n")
    assert main([*TRAIN.split(), "--no-export"]) == 0  # never interrupted, and the same version
    assert capsys.readouterr().out.startswith("registered  vanilla:1\n")


def test_checkpoints_that_find_no_room_cost_no_version(
    here: Path, capsys: pytest.CaptureFixture[str], no_room: Callable[[str], None]
) -> None:
    no_room("checkpoints")
    assert main([*TRAIN.split(), "--no-export"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("registered  vanilla:1\n")
    lost = "Warning: cannot write runs/vanilla/1/checkpoints/step-00000003.safetensors: the disk is full"
    assert f"{lost}; what was trained is registered from memory" in err
    assert not list(here.rglob("*.partial"))


def test_a_report_that_finds_no_room_costs_no_training(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_room: Callable[[str], None]
) -> None:
    disk_full_in_metrics(monkeypatch, no_room)
    assert main([*TRAIN.split(), "--no-export"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("registered  vanilla:1\n")
    assert "Warning: cannot write runs/vanilla/1/metrics.jsonl: the disk is full" in err


def test_a_full_disk_at_the_end_says_how_to_go_on(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    no_room: Callable[[str], None],
) -> None:
    disk_full_in_registry(monkeypatch, no_room)
    assert failure(f"{TRAIN} --no-export", capsys)[2].endswith("; then: ganzoo train --resume runs/vanilla/1")


def test_a_full_disk_at_the_export_leaves_the_version_and_its_attachment(
    here: Path, capsys: pytest.CaptureFixture[str], no_room: Callable[[str], None]
) -> None:
    (here / "out").mkdir()
    before = snapshot(here)
    no_room("out")
    code, error, _ = failure("export plain -o out/plain.onnx", capsys)
    assert (code, error) == (1, "cannot write out/plain.onnx: the disk is full")
    assert snapshot(here) == before
