"""The door of the calls from Python: what a process may lack, and values that no call can use."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo import api
from ganzoo.errors import UsageError
from ganzoo.files import check_absent, checked, write_folder
from ganzoo.images import encode_picture, grid
from ganzoo.observer import Observer
from ganzoo.progress import stderr
from ganzoo.progress.bars import ProgressBar, doing
from ganzoo.progress.colours import coloured, wanted
from ganzoo.progress.training import watched
from ganzoo_registry import InvalidName, Registry

ROOT = Path(__file__).parents[1]

# Without torch

WITHOUT_TORCH = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NotInstalled())
"""

NAMES = """
import inspect
import ganzoo
assert {name for name, _ in inspect.getmembers(ganzoo)} == set(ganzoo.__all__)
assert all(hasattr(ganzoo, name) for name in ("create", "load_torch", "api", "observer", "TrainingStopped"))
from ganzoo import *
print(create.__name__, load_torch.__name__)
"""

CALLS = """
import ganzoo
from ganzoo import api
calls = {
    "create": lambda: ganzoo.create("dcgan", size=8),
    "load_torch": lambda: ganzoo.load_torch("vanilla"),
    "train": lambda: ganzoo.train("vanilla", steps=1),
    "plan": lambda: ganzoo.plan("vanilla"),
    "export": lambda: ganzoo.export("vanilla"),
    "export_web": lambda: api.export_web("vanilla", "web", ort_web="ort"),
    "export_triton": lambda: api.export_triton("vanilla", "triton"),
}
for name, call in calls.items():
    try:
        call()
    except ganzoo.MissingPackageError as error:
        print(name, error, error.hint, sep="; ")
"""


def python(code: str, place: Path, redirection: str = "") -> str:
    """What a process prints; its standard error, if it has one, is ours."""
    line = f'exec "$0" -c "$1" {redirection}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, code], cwd=place, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def test_every_name_can_be_had_without_torch(tmp_path: Path) -> None:
    assert python(WITHOUT_TORCH + NAMES, tmp_path) == "create load_torch\n"


def test_every_call_that_needs_torch_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"steps": 1, "batch": 4, "options": {"width": 2, "latent_dim": 3}, "device": "cpu"}
    ganzoo.train("vanilla", settings=settings, export=False)
    (tmp_path / "ort" / "dist").mkdir(parents=True)
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        (tmp_path / "ort" / "dist" / name).touch()
    lines = python(WITHOUT_TORCH + CALLS, tmp_path).splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        *("create", "load_torch", "train", "plan", "export", "export_web", "export_triton")
    ]
    for line in lines:
        _, said, hint = line.split("; ", 2)
        assert said == "this needs the package torch, which is not installed"
        assert hint.startswith('pip install "torch>=')


# Without standard error

TOLD = """
import sys
assert sys.stderr is None
import ganzoo
try:
    ganzoo.evaluate("m")
except ganzoo.GanzooError as error:
    print(error)
settings = {"steps": 1, "batch": 4, "options": {"width": 2, "latent_dim": 3}, "device": "cpu"}
print(ganzoo.train("vanilla", settings=settings, export=False).version)
"""


def test_a_process_whose_standard_error_is_closed_is_served(tmp_path: Path) -> None:
    first, second = python(TOLD, tmp_path, "2>&-").splitlines()
    assert first.startswith("no model 'm' in the registry ")
    assert second == "vanilla:1"


@pytest.mark.parametrize("closed", [True, False])
def test_what_would_be_told_is_dropped_where_there_is_no_standard_error(
    monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    stream = io.StringIO() if closed else None
    if stream:
        stream.close()
    monkeypatch.setattr("sys.stderr", stream)
    assert not stderr.draws()
    assert not wanted(stream)
    assert stderr.columns(stream) is None
    assert coloured("Error: x", stream) == "Error: x"
    for tell in (stderr.show, stderr.note, stderr.say, stderr.say_whole):
        tell("a line")
    stderr.clear()
    with doing("loading"), ProgressBar("reading", "images") as bar, watched(None, True) as told:
        bar(1, 2)
        assert type(told) is Observer


# Paths and names


@pytest.mark.parametrize("path", ["/tmp/\ud800", "x\udfff", "~/\ud800"])
@pytest.mark.parametrize(
    "call",
    [
        lambda path: checked(path, "--registry"),
        lambda path: api.open_registry(path),
        lambda path: ganzoo.load("net", registry=path),
        lambda path: ganzoo.report("net", runs=path),
        lambda path: api.describe_data(path),
    ],
)
def test_half_a_character_is_in_no_path(path: str, call: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a file") as caught:
        call(path)
    assert str(caught.value).isprintable()


def test_a_byte_that_is_not_utf8_may_be_in_a_path() -> None:
    assert checked("/tmp/\udcff", "--registry") == Path("/tmp/\udcff")


@pytest.mark.parametrize("call", ["resolve", "versions", "aliases", "log"])
@pytest.mark.parametrize("given", [None, 5, b"net", ["net"]])
def test_the_registry_refuses_what_is_no_text(tmp_path: Path, call: str, given: Any) -> None:
    store = Registry(tmp_path)
    store.register("net", {}, {})
    with pytest.raises(InvalidName):
        getattr(store, call)(given)
    with pytest.raises(InvalidName):
        store.alias("net", given)


def test_a_file_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = ROOT / "tests" / "packaging" / "petite.onnx"
    (tmp_path / "x.onnx").write_bytes(file.read_bytes())
    (tmp_path / "blob").write_bytes(file.read_bytes())
    for reference in ("~/x.onnx", Path("~/x.onnx"), "~/blob"):
        assert ganzoo.load(reference, device="cpu").sha256 == ganzoo.load(file, device="cpu").sha256


def test_a_new_folder_where_it_cannot_be_seen_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As below a directory that others may not read: whoever writes then gets the reason."""
    place, real = tmp_path / "hidden" / "new", {name: getattr(os, name) for name in ("stat", "lstat", "mkdir")}

    def refusing(name: str) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(path, str | Path) and Path(path).is_relative_to(place.parent):
                raise PermissionError(13, "Permission denied", str(path))
            return real[name](path, *arguments, **options)

        return call

    for name in real:
        monkeypatch.setattr(os, name, refusing(name))
    check_absent(place, "--web")
    with pytest.raises(ganzoo.GanzooError, match="is not writable"):
        write_folder(place, {"a": b""})


def test_what_is_there_is_found_be_it_only_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path, tmp_path / "link"):
        with pytest.raises(UsageError, match="is there already"):
            check_absent(place, "--web")


# Pictures


@pytest.mark.parametrize("columns", [2.5, "3", [2]])
def test_columns_that_are_no_whole_number(columns: Any) -> None:
    with pytest.raises(UsageError, match="is not a whole number"):
        grid(np.zeros((4, 1, 60, 60), np.uint8), columns)
    assert grid(np.zeros((4, 1, 60, 60), np.uint8), np.int64(2)).shape == (1, 122, 122)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_what_is_transparent_is_white_in_a_format_without_transparency(suffix: str) -> None:
    image = np.zeros((4, 8, 24), np.uint8)
    image[0] = 200
    image[3, :, 8:] = 255
    image[3, :, 16:] = 102
    with Image.open(io.BytesIO(encode_picture(image, suffix))) as picture:
        found = np.asarray(picture.convert("RGB"), np.int16)
    expected = [(255, 255, 255), (200, 0, 0), (233, 153, 153)]  # of the last: 255 - 2/5 (255 - 200), 255 - 2/5 255
    for part, colour in enumerate(expected):
        assert abs(found[2:6, 8 * part + 2 : 8 * part + 6] - colour).max() <= 12, colour


# The page of calls


def test_an_entry_begins_with_a_name_and_not_with_a_line_that_goes_on() -> None:
    spec = spec_from_file_location("calls", ROOT / "docs" / "calls.py")
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    block = "Args:\n    a, b: first;\n        None: what is found.\n    c: second."
    assert made.markdown(block) == "Args:\n\n- `a`, `b`: first; None: what is found.\n- `c`: second."
