"""Paths that a person gives: what is none is refused wherever it can be given, on the command line and in Python."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganzoo import api
from ganzoo.cli import main
from ganzoo.errors import GanzooError, UsageError
from ganzoo.files import cache_root, checked, registry_root, write_atomic

NO_PLACES = {
    "nothing": "",
    "stdin or stdout": "-",
    "a bucket": "s3://bucket/models",
    "a bucket as pathlib writes it": "s3:/bucket/models",
    "an address of a file": "file:///srv/models",
    "a page": "https://models.example/a",
    "the home of nobody": "~nosuchuser/models",
    "a zero byte": "a\0b",
}
PLACES = ["models", "./-", "a b", "C:/models", "a:b", "~/models", "/srv/a//b", "s3", "günther/ß"]


@pytest.mark.parametrize("text", NO_PLACES.values(), ids=NO_PLACES)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(text, "--registry")
    assert str(caught.value).startswith("--registry")
    assert caught.value.hint


@pytest.mark.parametrize("text", PLACES)
def test_what_is_a_place_is_taken(text: str) -> None:
    assert checked(text, "--registry").absolute() == Path(text).expanduser().absolute()


CALLS: dict[str, Callable[[str], object]] = {
    "load": lambda path: api.load("net", registry=path),
    "train registry": lambda path: api.train("vanilla", registry=path),
    "train runs": lambda path: api.train("vanilla", runs=path, registry="registry"),
    "export output": lambda path: api.export("net", output=path, registry="registry"),
    "report output": lambda path: api.report(["last"], output=path, registry="registry"),
    "report runs": lambda path: api.report(["last"], runs=path, registry="registry"),
    "evaluate": lambda path: api.evaluate(["net"], registry=path),
}
COMMANDS = {
    "sample output": "sample net -o",
    "sample registry": "sample net --registry",
    "export output": "export net -o",
    "report output": "report last -o",
    "report runs": "report last --runs",
    "eval output": "eval net -o",
    "pack": "data pack digits",
    "train runs": "train --model vanilla --runs",
    "train registry": "train --model vanilla --registry",
    "train config": "train --config",
    "registry": "registry ls --registry",
    "serve": "serve net --registry",
    "doctor": "doctor --registry",
}
GIVEN = {key: text for key, text in NO_PLACES.items() if key != "stdin or stdout"}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("text", GIVEN.values(), ids=GIVEN)
def test_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[str], object], text: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GanzooError) as caught:
        call(text)
    assert caught.value.exit_code in (2, 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("text", GIVEN.values(), ids=GIVEN)
def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), text]) == 2
    assert capsys.readouterr().err.startswith(("Error: -", "Error: FILE.npy"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("variable", ["GANZOO_REGISTRY", "GANZOO_CACHE"])
@pytest.mark.parametrize("text", [text for text in GIVEN.values() if text and "\0" not in text])
def test_in_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(UsageError, match=variable):
        registry_root() if variable == "GANZOO_REGISTRY" else cache_root()


@pytest.mark.parametrize("root", [registry_root, cache_root])
def test_a_user_without_a_home_is_told_what_to_say(
    monkeypatch: pytest.MonkeyPatch, root: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "GANZOO_REGISTRY", "GANZOO_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a number that no user has
    with pytest.raises(GanzooError, match="no home directory") as caught:
        root()
    assert "HOME=DIR" in str(caught.value.hint)
    assert main(["doctor"]) == 0
    assert "no home directory" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/1", "/dev/null"])
def test_a_stream_is_no_file(path: str) -> None:
    with pytest.raises(GanzooError, match="not a regular file"):
        write_atomic(path, b"")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_that_is_replaced_passes_its_permissions_on(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "image.png"
    path.touch()
    path.chmod(mode)
    write_atomic(path, b"new")
    assert path.stat().st_mode & 0o777 == mode


def test_a_file_that_is_called_like_stdout_can_be_named() -> None:
    """As the hint says, and again where what came of it is looked at once more."""
    path = checked("./-", "--runs")
    assert checked(path, "runs") == path == Path("-").absolute()
