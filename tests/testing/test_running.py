"""The two ways to run the kit, a process of its own and a pytest class, with a plugin that is installed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganzoo.errors import NotFoundError, UsageError
from ganzoo.testing import PluginConformance
from ganzoo.testing.finding import find_plugin, third_party
from ganzoo.testing.isolation import check_isolated
from ganzoo.testing.running import Outcome
from ganzoo.zoo.names import zoo

LIGHT = """
from dataclasses import dataclass
from ganzoo import Architecture, Dataset, Metric, hookimpl

@dataclass(frozen=True, kw_only=True)
class Options:
    latent_dim: int = 4

@hookimpl
def ganzoo_specs():
    yield Metric(name="loud", target="odd_heavy:loud", figures={"loud": ""})
    yield Dataset(name="dark", target="odd_heavy:dark")
    yield Dataset(name="fatal", target="odd_heavy:fatal")
"""

DARK = """    yield Dataset(name="dark", target="odd_heavy:dark")
"""

HEAVY = """
import ctypes
import numpy as np
from ganzoo.data import ImageSet

def loud(evidence):
    print("anything")
    return {"loud": 1.0}

def dark():
    return ImageSet(pixels=np.zeros((20, 1, 8, 8), np.uint8))

def fatal():
    ctypes.string_at(0)
"""

FORKING = """
import os
import time
from pathlib import Path
import numpy as np

def dark():
    if (child := os.fork()) == 0:
        time.sleep(30)
        Path(__file__).with_name("over").touch()
        os._exit(0)
    Path(__file__).with_name("child").write_text(str(child))
    1 / 0
"""

TESTS = """
from ganzoo.testing import PluginConformance

class TestConformance(PluginConformance):
    plugin = "odd/trap"
    exempt = {"images of the set": "they are of the night"}
"""


@pytest.fixture
def odd(install: Callable[..., Path]) -> Iterator[Path]:
    """A plugin with a metric that prints, a black data set, and one that ends the process."""
    site = install("odd", {"trap": LIGHT})
    (site / "odd_heavy.py").write_text(HEAVY, "utf-8")
    zoo.cache_clear()
    yield site
    zoo.cache_clear()


def test_a_crash_is_named_and_ends_nothing_else(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, int]] = []
    exempt = {"images of the set of dataset dark": "it is of the night"}
    results = check_isolated(find_plugin("trap"), exempt=exempt, seen=lambda *count: seen.append(count))
    found = [(result.check, result.subject, result.outcome) for result in results]
    assert found == [
        ("light import", "", Outcome.PASS),
        ("names", "", Outcome.PASS),
        ("hooks", "", Outcome.NOT_RUN),
        ("figures", "metric loud", Outcome.PASS),
        ("images of the set", "dataset dark", Outcome.EXEMPT),
        ("modes", "dataset dark", Outcome.NOT_RUN),
        ("images of the set", "dataset fatal", Outcome.FAIL),
        ("modes", "dataset fatal", Outcome.NOT_RUN),
    ]
    assert results[6].reason == "it ends the process that runs it (SIGSEGV)"
    assert results[7].reason == "a check before it ended the process"
    assert seen[0] == (0, 8)
    assert seen[-1] == (8, 8)
    out, err = capfd.readouterr()
    assert out == ""
    assert "anything" in err
    assert 'odd_heavy.py", line' in err


def test_a_process_that_a_plugin_leaves_behind_is_not_waited_for(odd: Path) -> None:
    (odd / "odd_trap.py").write_text(LIGHT.partition("    yield Metric")[0] + DARK, "utf-8")
    (odd / "odd_heavy.py").write_text(FORKING, "utf-8")
    results = check_isolated(find_plugin("trap"))
    os.kill(int((odd / "child").read_text()), signal.SIGKILL)
    assert not (odd / "over").exists()
    assert [result.outcome for result in results[-2:]] == [Outcome.FAIL, Outcome.NOT_RUN]
    assert "ZeroDivisionError" in results[-2].reason


def test_the_process_imports_nothing_of_the_working_directory(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is no text in sys.path does no harm."""
    (odd / "odd_trap.py").write_text(LIGHT.partition("    yield Metric")[0] + DARK, "utf-8")
    (odd / "odd_heavy.py").write_text(HEAVY, "utf-8")
    (tmp_path / "json.py").write_text("raise SystemExit('not mine')", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere")])
    results = check_isolated(find_plugin("trap"))
    assert results[-2].reason == "all 20 training images are the same"


def test_wrong_exemptions_are_refused_before_a_process_is_started(odd: Path) -> None:
    with pytest.raises(UsageError, match="there is no check 'speed' of this plugin"):
        check_isolated(find_plugin("trap"), exempt={"speed": "slow"})


def test_as_a_pytest_class(odd: Path, tmp_path: Path) -> None:
    (odd / "odd_heavy.py").write_text(HEAVY.replace("ctypes.string_at(0)", "return dark()"), "utf-8")
    (tmp_path / "test_odd.py").write_text(TESTS.replace('"they are', '"they are really'), "utf-8")
    path = os.pathsep.join(filter(None, [str(odd), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", f"--rootdir={tmp_path}", "test_odd.py"]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed, 3 skipped, 2 xfailed" in done.stdout
    prefix = "test_odd.py::TestConformance::test_conformance"
    assert f"PASSED {prefix}[figures of metric loud]" in done.stdout
    assert f"XFAIL {prefix}[images of the set of dataset dark] - they are really of the night" in done.stdout


def test_the_class_makes_a_test_of_each_check(odd: Path) -> None:
    class Metafunc:
        fixturenames = ("case",)

        def parametrize(self, name: str, cases: list[object], ids: Callable[[object], str]) -> None:
            self.names = [ids(case) for case in cases]

    class Conformance(PluginConformance):
        plugin = "odd/trap"

    metafunc = Metafunc()
    Conformance().pytest_generate_tests(metafunc)
    assert metafunc.names[:4] == ["light import", "names", "hooks", "figures of metric loud"]


def test_the_kit_needs_no_pytest_until_its_tests_run() -> None:
    code = "import sys, ganzoo.testing; print({'pytest', 'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_which_plugin_is_meant(odd: Path, install: Callable[..., Path]) -> None:
    assert find_plugin("odd/trap") is find_plugin("trap")
    assert third_party() == [find_plugin("trap")]
    assert find_plugin("dcgan").builtin
    for name, hint in (
        ("trp", "did you mean 'trap'?"),
        ("Odd", "plugins of Odd: odd/trap"),
    ):
        with pytest.raises(NotFoundError, match=f"no plugin '{name}' is installed") as caught:
            find_plugin(name)
        assert caught.value.hint == hint


def test_two_plugins_of_one_name(odd: Path, install: Callable[..., Path]) -> None:
    install("even", {"trap": LIGHT.replace("odd_heavy", "even_heavy")})
    zoo.cache_clear()
    with pytest.raises(NotFoundError, match="two plugins are called 'trap'") as caught:
        find_plugin("trap")
    assert caught.value.hint == "choose one of: even/trap, odd/trap"
