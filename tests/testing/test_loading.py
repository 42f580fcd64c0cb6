"""Plugins that break the contract as a whole: how they load, what they are called, and their hooks."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor

from ganzoo import Model, Penalty, hookspecs
from ganzoo.step import Step
from ganzoo.testing.running import Outcome, Result, check_plugin
from ganzoo.zoo.installed import Plugin, State

ResultOf = Callable[..., Result]


def test_a_name_that_a_built_in_has(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Model(name="dcgan", architecture="dcgan", loss="hinge")
    result = result_of(plug(spec), "names")
    assert result.reason.startswith("model 'dcgan' is also in ganzoo/dcgan ")
    assert result.reason.endswith("people would have to type traps/dcgan")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import numpy", "imports numpy"),
        ("import time\nwhile time.process_time() < 0.3: pass", "and what it needs of ganzoo"),
        ("import time\ntime.sleep(1)", " ms with waiting), and what it needs of ganzoo"),
        ("1 / 0", "cannot be imported alone: ZeroDivisionError"),
        ("raise SystemExit", "cannot be imported alone: exit code 0"),
    ],
)
def test_a_module_that_is_not_light(
    plug: Callable[..., Plugin], result_of: ResultOf, install: Callable[..., Path], source: str, reason: str
) -> None:
    install("heavy", {"trap": source})
    result = result_of(plug(module="heavy_trap"), "light import")
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_penalty_of_its_own_class_with_a_name_that_a_built_in_has(
    plug: Callable[..., Plugin], result_of: ResultOf
) -> None:
    class Own(Penalty):
        def points(self, step: Step) -> Tensor:
            return step.real.images

        def value(self, squared_norm: Tensor) -> Tensor:
            return squared_norm

    result = result_of(plug(Own(name="r1")), "names")
    assert result.outcome is Outcome.FAIL
    assert result.reason.startswith("penalty 'r1' is also in ganzoo/losses ")


def test_a_module_that_prints_at_its_end(
    plug: Callable[..., Plugin], result_of: ResultOf, install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a sys.path that is not of text alone."""
    install("chatty", {"trap": "import atexit\nprint('hello')\natexit.register(print, 'bye')"})
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere")])
    assert result_of(plug(module="chatty_trap"), "light import").outcome is Outcome.PASS


def test_hooks_that_fail(plug: Callable[..., Plugin], result_of: ResultOf, install: Callable[..., Path]) -> None:
    hook = "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_run_ended(run, result):\n    "
    install("hooked", {"trap": hook + "result.versions", "sound": hook + "(run.directory / 'notes').touch()"})
    failed = result_of(plug(module="hooked_trap"), "hooks")
    assert failed.outcome is Outcome.FAIL
    assert "failed in ganzoo_run_ended: AttributeError" in failed.reason
    assert result_of(plug(module="hooked_sound"), "hooks").reason == "ganzoo_run_ended"


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        ("object()", Outcome.FAIL, "answered ganzoo_lineage with what is not a JSON object: TypeError"),
        ("{'score': float('nan')}", Outcome.FAIL, "answered ganzoo_lineage with what is not a JSON object: ValueError"),
        ("{'score': 0.5}", Outcome.PASS, "ganzoo_lineage"),
        ("None", Outcome.PASS, "ganzoo_lineage"),
    ],
)
def test_what_is_answered_for_the_lineage(
    plug: Callable[..., Plugin],
    result_of: ResultOf,
    install: Callable[..., Path],
    answer: str,
    outcome: Outcome,
    reason: str,
) -> None:
    install("hooked", {"trap": f"from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_lineage(run): return {answer}"})
    result = result_of(plug(module="hooked_trap"), "hooks")
    assert result.outcome is outcome
    assert reason in result.reason


def test_every_hook_is_called(plug: Callable[..., Plugin], result_of: ResultOf, install: Callable[..., Path]) -> None:
    """Each plugin has one, which fails."""
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("ganzoo_")}
    for name, hook in hooks.items():
        if name != "ganzoo_specs":
            arguments = ", ".join(inspect.signature(hook).parameters)
            source = f"from ganzoo import hookimpl\n@hookimpl\ndef {name}({arguments}):\n    1 / 0"
            install(f"all-{name}", {"trap": source}, site=name)
            result = result_of(plug(module=f"all_{name}_trap"), "hooks")
            assert f"failed in {name}: ZeroDivisionError" in result.reason


def test_a_plugin_that_was_not_loaded(plug: Callable[..., Plugin]) -> None:
    plugin = plug(state=State.BROKEN, reason="ZeroDivisionError: division by zero")
    (result,) = check_plugin(plugin)
    assert (result.check, result.outcome) == ("loads", Outcome.FAIL)
    assert result.reason == "it is broken: ZeroDivisionError: division by zero"


def test_a_plugin_that_was_left_out(plug: Callable[..., Plugin]) -> None:
    (result,) = check_plugin(plug(state=State.DISABLED, reason="left out of GANZOO_PLUGINS"))
    assert (result.check, result.outcome) == ("loads", Outcome.NOT_RUN)
    assert result.reason == "it is disabled: left out of GANZOO_PLUGINS"
