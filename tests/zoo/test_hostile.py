"""Plugins that misbehave: what they raise, answer and change harms nobody else, here in one process."""

import gc
import io
import json
import locale
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from ganzoo.errors import PluginError, PluginWarning, ToldToEnd
from ganzoo.zoo import foreign
from ganzoo.zoo.discovery import Manager, Plugin, State, discover
from ganzoo.zoo.foreign import Patience, called, contained, in_one_line, loading, survived
from ganzoo.zoo.process import kept

Install = Callable[..., Path]

GOOD = """
from ganzoo import Loss, Metric, hookimpl

@hookimpl
def ganzoo_specs():
    yield Loss(name="tame", target="nowhere.losses:Tame")

@hookimpl
def ganzoo_report(step):
    return step
"""

SPECS = "from ganzoo import Loss, Metric, hookimpl\n@hookimpl\ndef ganzoo_specs():\n    "

RAISING = {
    "a message that cannot be shown": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "E: (its message cannot be shown)",
    ),
    "a message that exits": (
        "class E(Exception):\n    def __str__(self): raise SystemExit(0)\nraise E",
        "E: (its message cannot be shown)",
    ),
    "a message that is an interrupt": (
        "class E(BaseException):\n    def __str__(self): raise KeyboardInterrupt\nraise E",
        "E: (its message cannot be shown)",
    ),
    "a hint that raises": (
        "from ganzoo import UsageError\nclass E(UsageError):\n    hint = property(lambda self: 1 / 0)\n"
        "    def __init__(self): pass\nraise E",
        "E",
    ),
    "a hint of two lines": ("from ganzoo import UsageError\nraise UsageError('no', hint='a\\nb')", "no; a b"),
    "a name that raises": (
        "class E(ImportError):\n    @property\n    def name(self): raise SystemExit(0)\nraise E('no')",
        "E: no",
    ),
    "a class that raises": (
        "class E(BaseException):\n    __class__ = property(lambda self: 1 / 0)\nraise E('no')",
        "E: no",
    ),
    "an endless message": ("raise ValueError('x' * 1_000_000)", f"ValueError: {'x' * 488}…"),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "a generator's end": ("raise GeneratorExit", "GeneratorExit"),
    "a cancelled task": ("import asyncio\nraise asyncio.CancelledError", "CancelledError"),
    "an end of input": ("input()", "EOFError: EOF when reading a line"),
    "click's exit": ("from click.exceptions import Exit\nraise Exit(0)", "Exit: 0"),
    "click's abort": ("from click.exceptions import Abort\nraise Abort", "Abort"),
    "a closed pipe": ("raise BrokenPipeError(32, 'Broken pipe')", "BrokenPipeError: [Errno 32] Broken pipe"),
    "recursion": ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    "no memory": ("raise MemoryError", "MemoryError"),
    "several errors": ("raise ExceptionGroup('both', [ValueError(), TypeError()])", "ExceptionGroup: both"),
    "no hook at all": (
        "name = 'a module like any other'",
        "it has no hook; wanted: one at least, such as ganzoo_specs",
    ),
    "an interrupt in a generator": (f"{SPECS}yield from ()\n    raise KeyboardInterrupt", "KeyboardInterrupt"),
    "specs without end": (
        f"{SPECS}n = 0\n    while True:\n        n += 1\n        yield Loss(name=f'l{{n}}', target='a:B')",
        "ganzoo_specs yielded more than 1,000 specs; does it end?",
    ),
    "an endless answer": (
        "import itertools\nfrom ganzoo import Loss, hookimpl\n"
        "@hookimpl\ndef ganzoo_specs(): return (Loss(name=f'l{n}', target='a:B') for n in itertools.count())",
        "ganzoo_specs yielded more than 1,000 specs; does it end?",
    ),
    "a name that fills screens": (
        f"{SPECS}yield Loss(name='n' * 100_000, target='a:B')",
        "a loss name has 100,000 characters; wanted: at most 100",
    ),
    "a malformed name that fills screens": (f"{SPECS}yield Loss(name='N' * 100_000, target='a:B')", "loss name 'NNN"),
    "a summary that fills screens": (
        f"{SPECS}yield Loss(name='l', target='a:B', summary='s' * 100_000)",
        "loss 'l': summary='ss",
    ),
    "a summary of two lines": (
        f"{SPECS}yield Loss(name='l', target='a:B', summary='one\\u2028two')",
        "loss 'l': summary='one\\u2028two'; wanted: one line of text",
    ),
    "a figure that fills screens": (
        f"{SPECS}yield Metric(name='m', target='a:B', figures={{'f' * 100_000: 'lower'}})",
        "metric 'm': figures={'ff",
    ),
    "figures that cannot be read": (
        "class Odd(dict):\n    def values(self): raise KeyboardInterrupt\n"
        f"{SPECS}yield Metric(name='m', target='a:B', figures=Odd(f='lower'))",
        "KeyboardInterrupt",
    ),
    "a spec that cannot be shown": (
        f"class Odd:\n    def __repr__(self): raise SystemExit(0)\n{SPECS}yield Odd()",
        "SystemExit: 0",
    ),
    "a module that answers wildly": (
        "import sys\nclass Odd:\n    def __dir__(self): raise SystemExit(0)\nsys.modules[__name__] = Odd()",
        "SystemExit: 0",
    ),
    "an attribute that raises": (
        "import sys\nclass Odd:\n    @property\n    def ganzoo_specs(self): raise KeyboardInterrupt\n"
        "sys.modules[__name__] = Odd()",
        "KeyboardInterrupt",
    ),
}


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is told once a process; here, once a test."""
    monkeypatch.setattr(foreign, "_said", set())


def load(install: Install, source: str, **environ: str) -> tuple[Plugin, Manager]:
    """The bad plugin, and the manager that has loaded it before a good one."""
    install("aaa", {"bad": source})
    install("zzz", {"tame": GOOD})
    environ = {"GANZOO_PLUGINS": "aaa/bad,zzz/tame", **environ}
    manager = Manager(discover(environ), environ)
    bad, tame = (plugin for plugin in manager.plugins if not plugin.builtin)
    assert [spec.name for spec in tame.specs] == ["tame"]
    assert (tame, 3) in manager.notify("ganzoo_report", pytest.fail, run=None, step=3, metrics={})
    return bad, manager


@pytest.mark.parametrize(("source", "reason"), RAISING.values(), ids=RAISING)
def test_what_a_plugin_raises_is_its_own(install: Install, source: str, reason: str) -> None:
    bad, _ = load(install, source)
    assert bad.state is State.BROKEN
    assert bad.reason.startswith(reason)
    assert len(bad.reason) <= 501
    assert "\n" not in bad.reason


@pytest.mark.parametrize("answer", ["True", "1 / 0"])
def test_an_object_that_compares_oddly_is_compared_with_nothing(install: Install, answer: str) -> None:
    source = (
        "import sys\nfrom ganzoo import Loss, hookimpl\nclass Odd:\n"
        f"    def __eq__(self, other): return {answer}\n    __hash__ = None\n"
        "    @hookimpl\n    def ganzoo_specs(self): yield Loss(name='odd', target='a:B')\n"
        "sys.modules[__name__] = Odd()"
    )
    bad, _ = load(install, source)
    assert (bad.state, [spec.name for spec in bad.specs]) == (State.ACTIVE, ["odd"])


def follows_its_weight() -> bool:
    """Whether a product in bf16 is that of the weight as it is now: autocast keeps copies until it is left."""
    weight = torch.ones(8, 8, requires_grad=True)
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            product = torch.nn.functional.linear(torch.ones(1, 8), weight)
        with torch.no_grad():
            weight *= 2
    return bool((product == 16).all())


def everything() -> dict[str, Any]:
    """What all code of a process shares, read in other words than the code under test has."""
    torch_state = {
        "dtype": torch.get_default_dtype(),
        "device": torch.zeros(1).device.type,
        "gradients": (torch.ones(1, requires_grad=True) * 2).requires_grad,
        "denormal": float(np.float64(1e-310) / np.float64(2)),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "cudnn": torch.backends.cudnn.enabled,
        "autocast": (torch.is_autocast_enabled("cpu"), follows_its_weight()),
        "anomaly": torch.is_anomaly_enabled(),
        "threads": torch.get_num_threads(),
        "rounding": torch.backends.mkldnn.matmul.fp32_precision,  # type: ignore[attr-defined]
    }
    return {
        "names": (open, json.dumps, sys.excepthook, os.getcwd),
        "filters": list(warnings.filters),
        "tracing": (sys.gettrace(), sys.getprofile()),
        "digits": sys.get_int_max_str_digits(),
        "directory": Path.cwd(),
        "environment": dict(os.environ),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "open": (sys.stdout.closed, sys.stderr.closed),
        "files": [os.fstat(number).st_ino for number in range(3)],
        "recursion": sys.getrecursionlimit(),
        "handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "umask": subprocess.run(["sh", "-c", "umask"], capture_output=True, text=True, check=True).stdout,
        "locale": locale.setlocale(locale.LC_ALL),
        "files at once": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "garbage": gc.isenabled(),
        "numpy": np.geterr(),
        "processors": os.sched_getaffinity(0),
        "time out": socket.getdefaulttimeout(),
        "truncated": ImageFile.LOAD_TRUNCATED_IMAGES,
        "pixels": Image.MAX_IMAGE_PIXELS,
        **torch_state,
    }


CHANGING = {
    "the working directory": "import os; os.chdir('/')",
    "the environment": "import os; os.environ['HOME'] = '/'; os.environ['NEW'] = '1'; os.environ.pop('PATH')",
    "stdout": "import io, sys; sys.stdout = io.StringIO()",
    "stderr": "import sys; sys.stderr = None",
    "the recursion limit": "import sys; sys.setrecursionlimit(150)",
    "the umask": "import os; os.umask(0o777)",
    "signal handlers": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "timers": "import signal; signal.setitimer(signal.ITIMER_REAL, 3600)",
    "resource limits": "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (99, r.getrlimit(r.RLIMIT_NOFILE)[1]))",
    "the locale": "import locale; locale.setlocale(locale.LC_ALL, 'C')",
    "the processors": "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])",
    "the garbage collector": "import gc; gc.disable()",
    "builtins.open": "import builtins; builtins.open = None",
    "json.dumps": "import json; json.dumps = None",
    "sys.excepthook": "import sys; sys.excepthook = print",
    "os.getcwd": "import os; del os.getcwd",
    "the filters of warnings": "import warnings; warnings.simplefilter('ignore')",
    "trace functions": "import sys; sys.setprofile(lambda *_: None)",
    "the limit of digits": "import sys; sys.set_int_max_str_digits(640)",
    "torch.set_num_threads": "import torch; torch.set_num_threads(torch.get_num_threads() + 1)",
    "torch.backends.mkldnn.matmul.fp32_precision": "import torch; torch.backends.mkldnn.matmul.fp32_precision = 'bf16'",
    "torch.set_default_dtype": "import torch; torch.set_default_dtype(torch.float64)",
    "torch.set_default_device": "import torch; torch.set_default_device('meta')",
    "torch.set_flush_denormal": "import torch; torch.set_flush_denormal(True)",
    "torch.set_grad_enabled": "import torch; torch.set_grad_enabled(False)",
    "torch.autograd.set_detect_anomaly": "import torch; torch.autograd.set_detect_anomaly(True)",
    "torch.autocast": "import torch; torch.autocast('cpu').__enter__()",
    "torch.backends.mkldnn.enabled": "import torch; torch.backends.mkldnn.enabled = False",
    "numpy.seterr": "import numpy; numpy.seterr(all='raise')",
    "socket.setdefaulttimeout": "import socket; socket.setdefaulttimeout(0.001)",
    "PIL.ImageFile.LOAD_TRUNCATED_IMAGES": "from PIL import ImageFile; ImageFile.LOAD_TRUNCATED_IMAGES = True",
    "PIL.Image.MAX_IMAGE_PIXELS": "from PIL import Image; Image.MAX_IMAGE_PIXELS = None",
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize(("aspect", "source"), CHANGING.items(), ids=CHANGING)
def test_what_a_plugin_changes_is_put_back_and_said(install: Install, aspect: str, source: str) -> None:
    before = everything()
    if (aspect, before["locale"]) == ("the locale", "C") or (aspect, len(before["processors"])) == (
        "the processors",
        1,
    ):
        pytest.skip("it is so already")
    with pytest.warns(PluginWarning, match=rf"^plugin aaa/bad 1\.0 changed what all .*: {re.escape(aspect)}$"):
        bad, _ = load(install, f"{source}\n{GOOD}")
    assert everything() == before
    assert bad.state is State.ACTIVE


@pytest.mark.parametrize("aspect", ["the working directory", "stdout", "signal handlers", "torch.set_default_dtype"])
def test_what_a_hook_changes_is_put_back_and_said_once(install: Install, aspect: str) -> None:
    hook = f"from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_evaluated():\n    {CHANGING[aspect]}"
    _, manager = load(install, hook)
    before, said = everything(), list[str]()
    for step in (1, 2):
        manager.notify("ganzoo_evaluated", said.append, run=None, step=step, figures={})
    assert everything() == before
    assert said == [f"plugin aaa/bad 1.0 changed what all code shares, and it was put back: {aspect}"]


@pytest.mark.parametrize(
    "source",
    [
        "import sys; assert sys.stdin.read() == ''",
        "import os; assert os.read(0, 9) == b''",
        "import subprocess; assert subprocess.run(['cat'], capture_output=True, check=True).stdout == b''",
    ],
)
def test_a_plugin_that_is_loaded_waits_for_nobodys_input(install: Install, source: str) -> None:
    """It is no plugin's: a loop in a shell reads its lines from the same stdin."""
    before = os.dup(0)
    reading, writing = os.pipe()
    try:
        os.dup2(reading, 0)
        os.write(writing, b"a line")
        bad, _ = load(install, f"{source}\n{GOOD}")
        assert (bad.state, bad.reason) == (State.ACTIVE, "")
        assert os.read(0, 9) == b"a line"
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reading, writing):
            os.close(descriptor)


CLOSING = """
import os, sys
from ganzoo.zoo.process import kept
changed = []
with kept(changed.extend):
    {source}
assert changed and set(changed) <= {{"stdin", "stdout", "stderr"}}, changed
for number, stream in ((1, sys.stdout), (2, sys.stderr)):
    stream.write("by stream ")
    stream.flush()
    os.write(number, b"by number")
assert sys.stdin.read() == "typed"
"""


@pytest.mark.parametrize(
    "source",
    ["sys.stdout.close()", "sys.stderr.detach()", "os.close(1)", "os.closerange(0, 3)", "os.dup2(0, 2)"],
)
def test_what_is_closed_is_opened_again(source: str) -> None:
    command = [sys.executable, "-c", CLOSING.format(source=source)]
    done = subprocess.run(command, input="typed", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "by stream by number", "by stream by number")


def test_what_is_left_alone_is_not_mentioned() -> None:
    with kept(lambda names: pytest.fail(str(names))):
        os.environ["USED"] = "1"
    del os.environ["USED"]


def test_a_filter_of_a_librarys_own_warnings_stays() -> None:
    with warnings.catch_warnings():
        with kept(lambda names: pytest.fail(str(names))):
            warnings.filterwarnings("ignore", message="numpy.dtype size changed")
        assert warnings.filters[0][0] == "ignore"
        with kept(lambda names: None):
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", message="another")
        assert [each[0] for each in warnings.filters[:2]] == ["ignore", "ignore"]


def test_what_was_closed_before_is_not_blamed_on_who_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr("sys.stdout", stream)
    with kept(lambda names: pytest.fail(str(names))):
        pass


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("@hookimpl\nasync def ganzoo_report(step): pass", "async"),
        ("@hookimpl\nasync def ganzoo_report(step): yield 1", "async"),
        ("@hookimpl\nasync def ganzoo_specs(): return ()", "async"),
        ("@hookimpl\ndef ganzoo_report(step): yield step", "a generator (it has a yield)"),
    ],
)
def test_a_hook_that_would_never_run_is_refused(install: Install, source: str, kind: str) -> None:
    bad, _ = load(install, f"from ganzoo import hookimpl\n{source}")
    assert bad.reason.endswith(f" is {kind}, which would never run; wanted: a function that returns")


def _loaded(work: Callable[[], None]) -> None:
    with Patience() as patience, loading("anybody", patience) as interrupts:
        try:
            work()
        except BaseException as error:
            if error in interrupts:
                raise


def _survived(work: Callable[[], None]) -> None:
    with survived("anybody"):
        work()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("around", [lambda work: called("anybody", work), _survived, _loaded])
def test_a_signal_in_a_plugins_code_is_no_fault_of_the_plugin(
    number: signal.Signals, around: Callable[..., None]
) -> None:
    """Not even where its handler raises an exit, as for the first process of a container."""

    def end(number: int, frame: object) -> None:
        raise ToldToEnd(128 + number)

    def work() -> None:
        signal.raise_signal(number)

    before = signal.signal(number, end)
    try:
        with pytest.raises(ToldToEnd):
            around(work)
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), ToldToEnd(0)])
def test_what_would_end_the_process_names_who_raised_it(error: BaseException) -> None:
    with pytest.raises(PluginError, match=r"^model 'odd' would end ganzoo: ") as caught, survived("model 'odd'"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError("an error that others put into words"), MemoryError()])
def test_what_would_not_is_left_to_others(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, survived("model 'odd'"):
        raise error
    assert caught.value is error


def test_an_interrupt_that_somebody_else_listened_for_is_none_of_the_plugins() -> None:
    with pytest.raises(KeyboardInterrupt), survived("model 'odd'", lambda: True):
        raise KeyboardInterrupt


def test_a_call_cannot_end_the_process_but_a_child_of_its_own_can() -> None:
    def fork_and_exit() -> None:
        child = os.fork()
        if not child:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        os._exit(0)

    before = os._exit
    with pytest.raises(PluginError, match=r"(?m)^the metric fails: SystemExit: os\._exit\(0\)$"):
        called("the metric", fork_and_exit)
    assert os._exit is before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(0), EOFError(), OSError(5, "Input/output error")])
def test_what_was_asked_for_and_fails_names_its_plugin(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(PluginError, match=r"^reader 'odd' of plugin aaa/odd 1\.0 fails: ") as caught:
        called("reader 'odd' of plugin aaa/odd 1.0", fail)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [PluginError("it lacks a file", hint="make one"), MemoryError()])
def test_what_says_enough_is_passed_on(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        called("anybody", fail)
    assert caught.value is error


def test_a_line_is_told_once() -> None:
    with pytest.warns(PluginWarning) as told:
        list(map(foreign.warn, ["one", "two", "one"]))
    assert [str(each.message) for each in told] == ["one", "two"]


def test_telling_ends_nothing_where_warnings_are_errors() -> None:
    foreign.warn("this is a warning, and the tests have all of them raise")


def test_an_error_is_one_line() -> None:
    assert in_one_line(PluginError("it is broken\nin two", hint="mend it")) == "it is broken; mend it"


def test_signals_are_put_back_after_a_call() -> None:
    before = [signal.getsignal(number) for number in foreign.ENDING]
    with contained("anybody") as interrupts:
        assert KeyboardInterrupt() not in interrupts
        assert [signal.getsignal(number) for number in foreign.ENDING] != before
    assert [signal.getsignal(number) for number in foreign.ENDING] == before


def test_a_plugin_that_takes_long_to_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one thread, which looks at the plugin that is being loaded, and not at those before it."""
    told: list[str] = []
    heard = threading.Event()
    monkeypatch.setattr(foreign, "PATIENCE_SECONDS", 0.05)

    def warn(line: str) -> None:
        told.append(line)
        heard.set()

    monkeypatch.setattr(foreign, "warn", warn)
    with Patience() as patience:
        with loading("the fast one", patience):
            pass
        with loading("the slow one", patience):
            assert heard.wait(60)
    assert set(told) == {"the slow one is still being loaded after 0.05 seconds; without it: GANZOO_PLUGINS=builtin"}
