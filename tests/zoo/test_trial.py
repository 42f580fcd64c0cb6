"""Plugins that end the process, tried in one of their own: no command goes down with them, not even the first."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ganzoo.errors import PluginError, PluginWarning
from ganzoo.zoo import foreign, trial
from ganzoo.zoo.discovery import Manager, Plugin, State, discover
from ganzoo.zoo.trial import tried, try_again

Install = Callable[..., Path]

ENDED = trial._caller(2**22 + 1)
"""The words of a process that does not run: numbers end before that."""

GOOD = "from ganzoo import Loss, hookimpl\n@hookimpl\ndef ganzoo_specs():\n    yield Loss(name='tame', target='a:B')\n"

ENDING = {
    "exit": ("import os; os._exit(0)", "it ends the process that loads it (exit code 0)"),
    "crash": ("import ctypes; ctypes.string_at(0)", "it ends the process that loads it (SIGSEGV)"),
    "signal": (
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "it ends the process that loads it (SIGKILL)",
    ),
    "program": ("import os; os.execv('/bin/true', ['true'])", "it ends the process that loads it (exit code 0)"),
    "at its end": (
        "import atexit, os; atexit.register(os._exit, 7)",
        "it ends the process that loads it (exit code 7)",
    ),
    "hook": (
        "import os\nfrom ganzoo import hookimpl\n@hookimpl\ndef ganzoo_specs(): os._exit(0)",
        "it ends the process that loads it (exit code 0)",
    ),
    "thread": (
        "import os, threading; threading.Timer(0.1, os._exit, [0]).start()",
        "it ends the process that loads it (exit code 0)",
    ),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own, and nothing told yet."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(foreign, "_said", set())
    return tmp_path / "cache"


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plugins that were tried, by name."""
    made: list[str] = []
    really = trial._try

    def note(plugin: Plugin) -> str:
        made.append(plugin.qualified)
        return really(plugin)

    monkeypatch.setattr(trial, "_try", note)
    return made


def found() -> Plugin:
    """The one plugin that is not built-in, after the trial."""
    plugins = discover({})
    with tried(plugins):
        pass
    (plugin,) = (plugin for plugin in plugins if not plugin.builtin)
    return plugin


@pytest.mark.parametrize(("source", "reason"), ENDING.values(), ids=ENDING)
def test_what_ends_the_process_is_set_aside(install: Install, source: str, reason: str) -> None:
    install("aaa", {"bad": source})
    with pytest.warns(PluginWarning, match=r"^Plugin aaa/bad 1\.0 is broken: it ends the process") as told:
        plugin = found()
    assert (plugin.state, plugin.reason) == (State.BROKEN, f"{reason}; ganzoo plugins tries it again")
    assert len(told) == 1


@pytest.mark.parametrize(
    "source", ["while True: pass", "import threading, time\nthreading.Thread(target=time.sleep, args=[99]).start()"]
)
def test_what_does_not_end_is_set_aside(install: Install, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """An endless import, and a thread that no command would end before."""
    monkeypatch.setattr(trial, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(trial, "LIMIT_SECONDS", 1.0)
    install("aaa", {"bad": source})
    with pytest.warns(PluginWarning) as told:
        plugin = found()
    assert plugin.reason == "a process that loads it had not ended after 1 seconds; ganzoo plugins tries it again"
    assert (
        str(told[0].message) == "plugin aaa/bad 1.0 is being tried for the first time, and takes more than 0.5 seconds"
    )


@pytest.mark.parametrize("source", [GOOD, "raise SystemExit(3)", "raise KeyboardInterrupt", "print('x' * 1_000_000)"])
def test_what_can_be_caught_is_left_to_who_loads_it(install: Install, source: str) -> None:
    install("aaa", {"tame": source})
    assert found().state is State.AVAILABLE


def test_a_plugin_is_tried_once_until_it_changes(install: Install, trials: list[str]) -> None:
    site = install("aaa", {"tame": GOOD})
    for _ in range(3):
        assert found().state is State.AVAILABLE
    assert trials == ["aaa/tame"]
    (site / "aaa_tame.py").write_text("import os; os._exit(0)")
    for _ in range(3):
        assert found().state is State.BROKEN
    assert trials == ["aaa/tame"] * 2
    (site / "aaa_tame.py").write_text(GOOD)
    assert found().state is State.AVAILABLE
    assert trials == ["aaa/tame"] * 3


def test_a_file_of_a_package_counts(install: Install, trials: list[str]) -> None:
    site = install("aaa", {}, entry_points="[ganzoo.v1]\ntame = package.inner:thing")
    package = site / "package"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported here')")
    (package / "inner.py").write_text("")
    found()
    (package / "data.bin").write_bytes(b"new")
    found()
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "inner.pyc").write_bytes(b"")
    found()
    assert len(trials) == 2


def test_one_that_ends_this_process_all_the_same_is_tried_again(install: Install, trials: list[str]) -> None:
    """The word that it loads is taken back meanwhile, so nobody has to write down who died of what."""
    install("aaa", {"tame": GOOD})
    found()
    with tried(discover({})):
        assert found().state is State.AVAILABLE  # as another process sees it, at the same time or after the end of this
    assert trials == ["aaa/tame"] * 2


def test_what_was_set_aside_is_tried_again_when_asked_for(install: Install, trials: list[str]) -> None:
    install("aaa", {"tame": ENDING["exit"][0]})
    install("bbb", {"tame": GOOD})
    for _ in range(2):
        with tried(discover({})):
            pass
    try_again()
    with tried(discover({})):
        pass
    assert trials == ["aaa/tame", "bbb/tame", "aaa/tame"]


def test_without_a_place_to_remember_each_start_has_its_trial(
    install: Install, trials: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", "/proc/nowhere")
    install("aaa", {"tame": GOOD})
    for _ in range(2):
        assert found().state is State.AVAILABLE
    try_again()
    assert len(trials) == 2


@pytest.mark.parametrize("content", [b"", b"\xff\n", b"loads", b"\n\n\n"])
def test_a_damaged_memory_is_none(install: Install, trials: list[str], cache: Path, content: bytes) -> None:
    install("aaa", {"tame": GOOD})
    found()
    (file,) = (cache / "plugins").iterdir()
    file.write_bytes(content)
    assert found().state is State.AVAILABLE
    assert len(trials) == 2


def test_where_nothing_can_be_started_what_can_be_caught_is(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    install("aaa", {"tame": GOOD})
    assert found().state is State.AVAILABLE


def test_a_plugin_that_asks_ganzoo_while_it_is_loaded_starts_no_further_trial(install: Install) -> None:
    install("aaa", {"tame": f"import ganzoo\nganzoo.models()\n{GOOD}"})
    assert found().state is State.AVAILABLE


def test_the_built_ins_and_what_is_disabled_are_not_tried(install: Install, trials: list[str]) -> None:
    install("aaa", {"tame": GOOD})
    with tried(discover({"GANZOO_PLUGINS": "builtin"})):
        pass
    assert trials == []


def test_strict_mode_raises_what_the_trial_found(install: Install) -> None:
    install("aaa", {"bad": ENDING["crash"][0]})
    plugins = discover({})
    with pytest.warns(PluginWarning), tried(plugins):
        pass
    with pytest.raises(PluginError, match=r"^plugin aaa/bad 1\.0 is broken: it ends the process that loads it"):
        Manager(plugins, {"GANZOO_STRICT_PLUGINS": "1"})


@pytest.mark.parametrize("moment", ["loaded", "called"])
def test_what_a_plugin_imports_first_is_as_quiet_as_where_ganzoo_does(
    install: Install, moment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """ONNX Runtime reads it when it is imported, and a plugin may do that before ganzoo does."""
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    said = tmp_path / "said"
    line = (
        f"import os, pathlib; pathlib.Path({str(said)!r}).write_text(os.environ.get('ORT_DISABLE_TELEMETRY', 'loud'))"
    )
    hook = f"from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_run_started(run):\n    {line}\n"
    install("aaa", {"first": line if moment == "loaded" else hook})
    plugins = discover({})
    with tried(plugins):
        Manager(plugins, {}).notify("ganzoo_run_started", lambda problem: None, run=None)
    assert said.read_text() == "1"


# What a hook does to the process

CALL = """
import os, sys
from ganzoo.zoo.discovery import Manager, discover
from ganzoo.zoo.trial import tried
plugins = discover({})
with tried(plugins):
    manager = Manager(plugins, {})
manager.notify("ganzoo_report", print, run=None, step=1, metrics={})
"""
HOOK = "import os, ctypes\nfrom ganzoo import hookimpl\n@hookimpl\ndef ganzoo_report(step): "


@pytest.mark.parametrize("source", ["ctypes.string_at(0)", "ctypes.CDLL(None).exit(0)", "os.kill(os.getpid(), 9)"])
def test_who_ended_a_process_by_a_hook_is_set_aside_by_the_next(
    install: Install, cache: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    site = install("aaa", {"bad": HOOK + source})
    install("bbb", {"tame": HOOK + "pass"})
    monkeypatch.setenv("PYTHONPATH", str(site))
    subprocess.run([sys.executable, "-c", CALL], capture_output=True, check=False)

    def plugin() -> Plugin:
        plugins = discover({})
        with tried(plugins):
            pass
        bad, tame = (plugin for plugin in plugins if not plugin.builtin)
        assert tame.state is State.AVAILABLE
        return bad

    with pytest.warns(PluginWarning, match=r"^Plugin aaa/bad 1\.0 is broken: a process ended while it ran"):
        assert plugin().state is State.BROKEN
    assert plugin().reason == "a process ended while it ran ganzoo_report of it; ganzoo plugins tries it again"
    try_again()
    assert plugin().state is State.AVAILABLE
    assert not [path for path in (cache / "plugins").iterdir() if path.suffix]


def test_a_hook_that_returns_or_raises_leaves_nothing_written(install: Install, cache: Path) -> None:
    install("aaa", {"bad": HOOK + "raise SystemExit", "good": HOOK + "pass"})
    plugins = discover({})
    with tried(plugins):
        manager = Manager(plugins, {})
    manager.notify("ganzoo_report", lambda line: None, run=None, step=1, metrics={})
    assert not [path for path in (cache / "plugins").iterdir() if path.suffix]


def test_a_call_that_is_under_way_elsewhere_is_nobodys_fault(install: Install, cache: Path) -> None:
    install("aaa", {"tame": GOOD})
    plugin = found()
    with subprocess.Popen(["sleep", "60"]) as other:
        trial._place(plugin, trial._caller(other.pid)).write_text(f"{trial._state(plugin)}\nit")
        assert found().state is State.AVAILABLE
        other.kill()
    with pytest.warns(PluginWarning, match="a process ended while it ran it of it"):
        assert found().state is State.BROKEN


def test_one_that_was_mended_since_is_not_blamed(install: Install, cache: Path) -> None:
    site = install("aaa", {"tame": GOOD})
    plugin = found()
    note = trial._place(plugin, ENDED)
    note.write_text(f"{trial._state(plugin)}\nit")
    (site / "aaa_tame.py").write_text(f"{GOOD}# mended\n")
    assert found().state is State.AVAILABLE
    assert not note.exists()


def started_again(pid: int) -> str:
    """The words of an earlier process that had the number of one that runs."""
    return f"{trial._here()}-{pid}-7"


@pytest.mark.parametrize("caller", [f"elsewhere-{2**22 + 1}-7", "elsewhere-{}-7", "a-b"])
def test_a_call_of_another_machine_or_container_is_left_alone(install: Install, cache: Path, caller: str) -> None:
    """No number of a process says anything about another machine's; what is a month old is taken away."""
    install("aaa", {"tame": GOOD})
    plugin = found()
    note = cache / "plugins" / f"{trial._name(plugin)}.{caller.format(os.getpid())}"
    note.write_text(f"{trial._state(plugin)}\nit")
    try_again()
    assert found().state is State.AVAILABLE
    assert note.exists()
    os.utime(note, (0, 0))
    found()
    assert not note.exists()


def test_what_an_earlier_ganzoo_wrote_down_accuses_nobody_and_is_taken_away(install: Install, cache: Path) -> None:
    """A number alone, of a process that may be another machine's."""
    install("aaa", {"tame": GOOD})
    plugin = found()
    note = cache / "plugins" / f"{trial._name(plugin)}.{2**22 + 1}"
    note.write_text(f"{trial._state(plugin)}\nit")
    assert found().state is State.AVAILABLE
    assert not note.exists()


def test_a_process_that_ended_and_that_nobody_asked_about_is_no_running_call(install: Install) -> None:
    install("aaa", {"tame": GOOD})
    plugin = found()
    with subprocess.Popen(["true"]) as other:
        note = trial._place(plugin, trial._caller(other.pid))
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # a zombie from now on
        note.write_text(f"{trial._state(plugin)}\nit")
        with pytest.warns(PluginWarning, match="a process ended while it ran it of it"):
            assert found().state is State.BROKEN


def test_a_number_that_another_process_has_now_is_no_running_call(install: Install) -> None:
    install("aaa", {"tame": GOOD})
    plugin = found()
    with subprocess.Popen(["sleep", "60"]) as other:
        note = trial._place(plugin, started_again(other.pid))
        note.write_text(f"{trial._state(plugin)}\nit")
        with pytest.warns(PluginWarning, match="a process ended while it ran it of it"):
            assert found().state is State.BROKEN
        other.kill()


def test_trying_again_spares_calls_that_run_and_passes_over_what_cannot_be_read(install: Install, cache: Path) -> None:
    install("aaa", {"tame": ENDING["exit"][0]})
    with pytest.warns(PluginWarning):
        plugin = found()
    memory, state = trial._place(plugin), trial._state(plugin)
    for name in ("0" * 32, "f" * 32):  # whichever the directory lists first
        (cache / "plugins" / name).write_bytes(b"\xff")
        (cache / "plugins" / f"{name[1:]}e").symlink_to("nowhere")
    with subprocess.Popen(["sleep", "60"]) as other:
        running, ended = (trial._place(plugin, each) for each in (trial._caller(other.pid), ENDED))
        for note in (running, ended):
            note.write_text(f"{state}\nit")
        try_again()
        assert (running.exists(), ended.exists(), memory.exists()) == (True, False, False)
        other.kill()


def test_what_a_hook_writes_down_says_where_it_runs(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_states", {})
    install("aaa", {"tame": GOOD})
    plugin = found()
    with trial.written_down(plugin, "it"):
        note = trial._place(plugin, trial._caller(os.getpid()))
        where, number, start = note.suffix[1:].split("-")
        assert (where, int(number), start) == (trial._here(), os.getpid(), trial._start(os.getpid()))
        assert int(start) > 0
        assert note.read_text() == f"{trial._state(plugin)}\nit"
    assert not note.exists()


def test_a_path_object_on_the_path_of_imports(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Imports pass over it, so a trial must not find there what nothing finds here."""
    (tmp_path / "hidden.py").write_text("import os; os._exit(0)")
    install("aaa", {"tame": f"import contextlib\nwith contextlib.suppress(ImportError):\n    import hidden\n{GOOD}"})
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path])
    assert found().state is State.AVAILABLE


def test_many_files_of_data_are_not_all_looked_at(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the package itself come first, and no folder is read before its turn."""
    monkeypatch.setattr(trial, "MOST_FILES", 3)
    package = install("aaa", {}, entry_points="[ganzoo.v1]\ntame = package") / "package"
    for name in ("a/b/c.bin", "a/0.bin", "z/0.bin", "net.py", "__init__.py", "__pycache__/net.pyc"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    looked: list[str] = []
    real = os.scandir

    def scandir(path: str) -> Any:
        looked.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [path.name for path in islice(trial._below(package), 3)] == ["__init__.py", "net.py", "0.bin"]
    assert looked == [str(package), str(package / "a")]
