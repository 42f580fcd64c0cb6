"""Plugins as people install them, good and hostile: real metadata in a directory on ``sys.path``."""

import signal
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from ganzoo.config import RunConfig
from ganzoo.errors import ExitCode, PluginError
from ganzoo.records.run import Run
from ganzoo.specs import Loss
from ganzoo.zoo.discovery import Manager, Plugin, State, discover, unknown_names
from ganzoo.zoo.installed import spare_others

Install = Callable[..., Path]

GOOD = """
from ganzoo import Loss, hookimpl

@hookimpl
def ganzoo_specs():
    yield Loss(name="tame", target="nowhere.losses:Tame")
"""

OBSERVER = """
from ganzoo import hookimpl

@hookimpl
def ganzoo_report(run, step):
    return [run, step]
"""


PRIVATE = """
from ganzoo import Loss, hookimpl
from ganzoo.errors import described
from ganzoo.files import write_atomic
from ganzoo.records.journal import append

@hookimpl
def ganzoo_specs():
    yield Loss(name="curious", target="nowhere.losses:Curious")
"""


def find(plugins: list[Plugin], qualified: str) -> Plugin:
    (plugin,) = (plugin for plugin in plugins if plugin.qualified == qualified)
    return plugin


def third_parties(plugins: list[Plugin]) -> list[Plugin]:
    return [plugin for plugin in plugins if not plugin.builtin]


def test_a_plugin_is_known_by_being_installed(install: Install) -> None:
    site = install("Some_GAN", {"tame": GOOD}, version="2.3")
    plugin = find(Manager().plugins, "some-gan/tame")
    assert plugin.state is State.ACTIVE
    assert (plugin.version, plugin.target, plugin.api) == ("2.3", "Some_GAN_tame", "v1")
    assert Path(plugin.location) == site
    assert [spec.name for spec in plugin.specs] == ["tame"]
    assert str(plugin) == "some-gan/tame 2.3"


def test_every_built_in_is_active() -> None:
    builtins = [plugin for plugin in Manager(environ={}).plugins if plugin.builtin]
    assert {plugin.state for plugin in builtins} == {State.ACTIVE}
    assert [plugin.name for plugin in builtins if not plugin.specs] == ["tensorboard"]  # an observer


def test_discovery_imports_no_plugin(install: Install) -> None:
    install("slow", {"slow": "raise AssertionError('imported')"})
    assert find(discover(), "slow/slow").state is State.AVAILABLE
    assert "slow_slow" not in sys.modules


HOSTILE = {
    "import-error": (
        "import no_such_package_here",
        "ModuleNotFoundError: No module named 'no_such_package_here'",
    ),
    "syntax-error": ("def (", "SyntaxError: invalid syntax"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "base-exception": ("class Odd(BaseException): pass\nraise Odd('boo')", "Odd: boo"),
    "two-lines": ("raise ValueError('first\\nsecond')", "ValueError: first"),
    "wordless": ("raise ValueError", "ValueError"),
    "misspelt": (
        "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_raport(run): pass",
        "unknown hook 'ganzoo_raport'; did you mean 'ganzoo_report'?",
    ),
    "undecorated": (
        "def ganzoo_specs(): return []",
        "ganzoo_specs is not marked as a hook; wanted: @ganzoo.hookimpl above def ganzoo_specs",
    ),
    "wrapper": (
        "from ganzoo import hookimpl\n@hookimpl(wrapper=True)\ndef ganzoo_report(run): return (yield)",
        "ganzoo_report is a wrapper; wanted: @ganzoo.hookimpl without arguments",
    ),
    "async": (
        "from ganzoo import hookimpl\n@hookimpl\nasync def ganzoo_report(run): pass",
        "ganzoo_report is async, which would never run; wanted: a function that returns",
    ),
    "async-specs": (
        "from ganzoo import hookimpl\n@hookimpl\nasync def ganzoo_specs(): return []",
        "ganzoo_specs is async, which would never run; wanted: a function that returns",
    ),
    "async-generator": (
        "from ganzoo import hookimpl\n@hookimpl\nasync def ganzoo_specs(): yield 1",
        "ganzoo_specs is async, which would never run; wanted: a function that returns",
    ),
    "coroutine": (
        "from ganzoo import hookimpl\nasync def some(): return []\n@hookimpl\ndef ganzoo_specs(): return some()",
        "TypeError: 'coroutine' object is not iterable",
    ),
    "argument": (
        "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_report(epoch): pass",
        "PluginValidationError: Plugin 'aaa/bad' for hook 'ganzoo_report'; hookimpl definition: ganzoo_report(epoch); "
        "Argument(s) {'epoch'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "second": (
        "from ganzoo import hookimpl\n@hookimpl(specname='ganzoo_report')\ndef one(run): pass\n"
        "@hookimpl(specname='ganzoo_report')\ndef two(run): pass",
        "one and two are the hook ganzoo_report; wanted: one function for each hook",
    ),
    "penalties": (
        "from dataclasses import dataclass\nfrom ganzoo import Loss, Penalty, hookimpl\n"
        "class One(Penalty):\n    def points(self, step): pass\n    def value(self, squared_norm): pass\n"
        "class Two(One): pass\n"
        "@hookimpl\ndef ganzoo_specs():\n    yield Loss(name='l', target='a:B', penalties=(Two(name='p'),))\n"
        "    yield One(name='p')",
        "penalty 'p' is a Two and a One; wanted: another name for each class",
    ),
    "raising": ("from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_specs(): 1 / 0", "ZeroDivisionError"),
    "half-registered": (OBSERVER + "@hookimpl\ndef ganzoo_specs(): 1 / 0", "ZeroDivisionError: division by zero"),
    "half-way": (GOOD + "    raise RuntimeError('half')", "RuntimeError: half"),
    "not-iterable": (
        "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_specs(): return 7",
        "TypeError: 'int'",
    ),
    "not-a-spec": (
        "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_specs(): return ['dcgan']",
        "ganzoo_specs yielded 'dcgan'; wanted: one of Architecture, Loss, Penalty, Model, Dataset",
    ),
    "bad-spec": (
        GOOD.replace('"tame"', '"My Loss"'),
        "loss name 'My Loss' is malformed; wanted: lower-case letters, digits, inner '-'",
    ),
    "twice": (
        GOOD + GOOD.strip().splitlines()[-1],
        "loss 'tame' is provided twice; wanted: unique names per kind",
    ),
}


@pytest.mark.parametrize(("source", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_broken_plugin_hurts_nobody_else(install: Install, source: str, reason: str) -> None:
    install("aaa", {"bad": source})
    install("zzz", {"tame": GOOD, "observer": OBSERVER})
    manager = Manager()
    bad = find(manager.plugins, "aaa/bad")
    assert bad.state is State.BROKEN
    assert bad.reason.startswith(reason)
    assert "\n" not in bad.reason
    assert bad.specs == ()
    others = [plugin for plugin in manager.plugins if plugin is not bad]
    assert {plugin.state for plugin in others} == {State.ACTIVE}
    assert [spec.name for spec in find(others, "zzz/tame").specs] == ["tame"]
    (observed,) = manager.notify("ganzoo_report", pytest.fail, run="r", step=1, metrics={})
    assert observed == (find(others, "zzz/observer"), ["r", 1])


def test_a_module_without_the_attribute_is_broken(install: Install) -> None:
    install("aaa", {"tame": GOOD}, entry_points="[ganzoo.v1]\ntame = aaa_tame:plugin")
    assert find(Manager().plugins, "aaa/tame").reason.startswith("AttributeError: module 'aaa_tame'")


def test_a_plugin_may_be_an_object(install: Install) -> None:
    source = (
        "from dataclasses import dataclass\nfrom ganzoo import Loss, hookimpl\n"
        "@dataclass\nclass Plugin:\n    name: str\n    @hookimpl\n    def ganzoo_specs(self):\n"
        "        yield Loss(name=self.name, target='a:B')\n"
        "    @hookimpl\n    def ganzoo_report(self, step):\n        return step\n"
        "plugin = Plugin('own')"
    )
    install("aaa", {"tame": source}, entry_points="[ganzoo.v1]\ntame = aaa_tame:plugin")
    manager = Manager()
    plugin = find(manager.plugins, "aaa/tame")
    assert [spec.name for spec in plugin.specs] == ["own"]
    assert manager.notify("ganzoo_report", pytest.fail, run=None, step=4, metrics={}) == [(plugin, 4)]


def test_a_hook_of_a_later_v1_may_be_marked_optional(install: Install) -> None:
    source = "from ganzoo import hookimpl\n@hookimpl(optionalhook=True)\ndef ganzoo_from_the_future(run): pass"
    install("aaa", {"new": source})
    assert find(Manager().plugins, "aaa/new").state is State.ACTIVE


def test_ctrl_c_at_import_is_not_swallowed(install: Install) -> None:
    install("aaa", {"bad": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)"})
    with pytest.raises(KeyboardInterrupt):
        Manager()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_hook_is_not_swallowed(install: Install, number: signal.Signals) -> None:
    """Whatever handles it, a plugin that catches everything is passed over by the second one, as of a training."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    source = f"from ganzoo import hookimpl\nimport os\n@hookimpl\ndef ganzoo_report(): os.kill(os.getpid(), {number})"
    install("aaa", {"bad": source})
    manager, before = Manager(), signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            manager.notify("ganzoo_report", pytest.fail, run=None, step=1, metrics={})
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)


PENALTY = """
from ganzoo import Loss, Penalty, hookimpl

class Slope(Penalty):
    def points(self, step): pass
    def value(self, squared_norm): pass

@hookimpl
def ganzoo_specs():
    yield Loss(name={!r}, target="a:B", penalties=(Slope(name="slope", weight={}),))
"""


def test_penalties_of_one_name_are_of_one_class_in_a_distribution(install: Install) -> None:
    """Else the name would mean either; another distribution's is another one."""
    install("aaa", {"one": PENALTY.format("one", 1.0), "two": PENALTY.format("two", 2.0)})
    install("bbb", {"one": PENALTY.format("one", 3.0)})
    plugins = Manager().plugins
    assert [find(plugins, name).state for name in ("aaa/one", "bbb/one")] == [State.ACTIVE] * 2
    assert (
        find(plugins, "aaa/two").reason == "penalty 'slope' is a Slope and a Slope; wanted: another name for each class"
    )


def test_one_class_may_be_in_several_losses_with_other_weights(install: Install) -> None:
    source = PENALTY.format("one", 1.0) + '    yield Loss(name="two", target="a:B", penalties=(Slope(name="slope"),))\n'
    install("aaa", {"one": source})
    assert find(Manager().plugins, "aaa/one").state is State.ACTIVE


def test_extras_of_an_entry_point_are_for_pip_alone(install: Install) -> None:
    install("aaa", {"tame": GOOD}, entry_points="[ganzoo.v1]\ntame = aaa_tame [fast,more]")
    plugin = find(Manager().plugins, "aaa/tame")
    assert (plugin.state, plugin.target) == (State.ACTIVE, "aaa_tame")


WATCHER = "from ganzoo import hookimpl\nseen = []\n@hookimpl\ndef ganzoo_report(run): seen.append(run.config.observers)"


@pytest.mark.parametrize(
    ("observers", "aaa", "bbb"),
    [
        (["tensorboard"], ["ganzoo/tensorboard"], ["ganzoo/tensorboard"]),
        (["aaa/tensorboard"], ["tensorboard"], ["aaa/tensorboard"]),
        (["bbb/tensorboard", "x/y"], ["bbb/tensorboard", "x/y"], ["tensorboard", "x/y"]),
    ],
)
def test_an_observer_finds_itself_by_its_bare_name_and_no_other_one(
    install: Install, tmp_path: Path, observers: list[str], aaa: list[str], bbb: list[str]
) -> None:
    """So it need not know the distribution that it is in, nor what else is installed."""
    for name in ("aaa", "bbb"):
        install(name, {"tensorboard": WATCHER})
    manager = Manager()
    run = Run(tmp_path, RunConfig(model="m", architecture="a", loss="l", observers=observers), {})
    for _ in range(2):
        manager.notify("ganzoo_report", pytest.fail, run=run, step=1, metrics={})
    assert sys.modules["aaa_tensorboard"].seen == [aaa] * 2
    assert sys.modules["bbb_tensorboard"].seen == [bbb] * 2
    assert run.config.observers == observers


@pytest.mark.parametrize("value", ["0", "", "no"])
def test_strict_mode_is_off(install: Install, value: str) -> None:
    install("aaa", {"bad": "raise SystemExit(0)"})
    assert find(Manager(environ={"GANZOO_STRICT_PLUGINS": value}).plugins, "aaa/bad").state is State.BROKEN


@pytest.mark.parametrize("value", ["1", "true", "Yes", "on"])
def test_strict_mode_raises_what_is_broken(install: Install, value: str) -> None:
    install("aaa", {"bad": "raise SystemExit(0)"})
    with pytest.raises(PluginError) as caught:
        Manager(environ={"GANZOO_STRICT_PLUGINS": value})
    assert str(caught.value) == "plugin aaa/bad 1.0 is broken: SystemExit: 0"
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert isinstance(caught.value.__cause__, SystemExit)


@pytest.mark.parametrize("api", ["v0", "v2", "v11"])
def test_another_api_is_named_and_not_imported(install: Install, api: str) -> None:
    install("aaa", {"old": "raise AssertionError('imported')"}, entry_points=f"[ganzoo.{api}]\nold = aaa_old")
    plugin = find(Manager().plugins, "aaa/old")
    assert plugin.state is State.INCOMPATIBLE
    assert plugin.reason == f"written for plugin API {api}; this ganzoo speaks v1"
    assert "aaa_old" not in sys.modules


def test_a_plugin_may_serve_two_apis(install: Install) -> None:
    install("aaa", {"tame": GOOD}, entry_points="[ganzoo.v2]\ntame = nowhere\n[ganzoo.v1]\ntame = aaa_tame")
    (plugin,) = third_parties(Manager().plugins)
    assert (plugin.state, plugin.api) == (State.ACTIVE, "v1")


def test_one_module_offered_twice_is_loaded_once(install: Install) -> None:
    install("aaa", {"tame": GOOD})
    install("bbb", {}, entry_points="[ganzoo.v1]\ntame = aaa_tame")
    manager = Manager()
    assert find(manager.plugins, "aaa/tame").state is State.ACTIVE
    twin = find(manager.plugins, "bbb/tame")
    assert (twin.state, twin.reason) == (State.DUPLICATE, "aaa_tame is loaded as aaa/tame already")


def test_two_distributions_may_use_one_plugin_name(install: Install) -> None:
    install("aaa", {"tame": GOOD})
    install("bbb", {"tame": GOOD})
    assert [plugin.state for plugin in third_parties(Manager().plugins)] == [State.ACTIVE, State.ACTIVE]


def test_the_copy_that_comes_first_on_the_path_counts(install: Install) -> None:
    install("aaa", {"tame": GOOD}, version="1.0", site="later")
    install("aaa", {"tame": GOOD}, version="2.0", site="earlier")
    (plugin,) = third_parties(Manager().plugins)
    assert (plugin.version, plugin.state) == ("2.0", State.ACTIVE)


def test_a_plugin_of_a_shadowed_copy_is_none(install: Install) -> None:
    install("aaa", {"tame": GOOD}, version="1.0", site="later")
    install("aaa", {}, version="2.0", site="earlier", entry_points="")
    assert third_parties(Manager().plugins) == []


def test_lib64_does_not_double_anything(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = install("aaa", {"tame": GOOD})
    (tmp_path / "site64").symlink_to(site)
    monkeypatch.syspath_prepend(tmp_path / "site64")
    (plugin,) = third_parties(Manager().plugins)
    assert plugin.state is State.ACTIVE


@pytest.mark.parametrize(
    "content", [b"[ganzoo.v1]\nthis is no entry point", b"[ganzoo.v1]\n\xff", b"\xff[console_scripts]"]
)
def test_unreadable_metadata_is_reported(install: Install, content: bytes) -> None:
    """Whatever it declares, it may be plugins."""
    site = install("aaa", {})
    (site / "aaa-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    install("zzz", {"tame": GOOD})
    unreadable, tame = third_parties(Manager().plugins)
    assert unreadable.state is State.BROKEN
    assert unreadable.reason.startswith("entry_points.txt cannot be read: ")
    assert tame.state is State.ACTIVE


@pytest.mark.parametrize("content", [b"[ganzoo.v1]\nthis is no entry point", b"[console_scripts]\n\xff = a:b"])
def test_unreadable_metadata_ends_nobody_who_looks_at_all(
    install: Install, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """As torch does, which would not be imported, and could not export."""
    site = install("aaa", {})
    (site / "aaa-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    monkeypatch.setattr(metadata.Distribution, "entry_points", metadata.Distribution.entry_points)  # put back later
    with pytest.raises((UnicodeDecodeError, ValueError, TypeError, AttributeError)):
        metadata.entry_points(group="any")
    for _ in range(2):
        plugins = discover()
        spare_others(plugins)
        assert not metadata.entry_points(group="any")
        assert find(plugins, "aaa/?").state is State.BROKEN


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("METADATA", b""),
        ("METADATA", b"Metadata-Version: 2.1\nName: aaa\n"),
        ("METADATA", None),
    ],
)
def test_a_damaged_distribution_is_nobody(install: Install, file: str, content: bytes | None) -> None:
    damaged = install("aaa", {"tame": GOOD}) / "aaa-1.0.dist-info" / file
    if content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content)
    install("zzz", {"tame": GOOD})
    (plugin,) = third_parties(Manager().plugins)
    assert (plugin.qualified, plugin.state) == ("zzz/tame", State.ACTIVE)


@pytest.mark.parametrize(
    ("allowed", "active"),
    [
        ("", []),
        ("tame", ["aaa/tame", "bbb/tame"]),
        (" bbb/tame , aaa/other ", ["aaa/other", "bbb/tame"]),
        ("nobody", []),
        ("BBB/Tame", ["bbb/tame"]),
    ],
)
def test_the_allow_list(install: Install, allowed: str, active: list[str]) -> None:
    install("aaa", {"tame": GOOD, "other": GOOD.replace("tame", "other")})
    install("bbb", {"tame": GOOD})
    plugins = Manager(environ={"GANZOO_PLUGINS": allowed}).plugins
    assert [plugin.qualified for plugin in plugins if plugin.state is State.ACTIVE] == active
    rest = {(plugin.state, plugin.reason) for plugin in plugins if plugin.qualified not in active}
    assert rest == {(State.DISABLED, "left out of GANZOO_PLUGINS")}


def test_a_disabled_plugin_is_not_imported(install: Install) -> None:
    install("aaa", {"bad": "raise AssertionError('imported')"})
    Manager(environ={"GANZOO_PLUGINS": "dcgan"})
    assert "aaa_bad" not in sys.modules


def test_the_allow_list_compares_names_as_pip_does(install: Install) -> None:
    install("P-D_x", {"tame": GOOD})
    for spelt in ("p_d_x/tame", "P-D.X/tame", "p-d-x/tame"):
        environ = {"GANZOO_PLUGINS": spelt}
        plugins = Manager(environ=environ).plugins
        assert [plugin.qualified for plugin in plugins if plugin.state is State.ACTIVE] == ["p-d-x/tame"]
        assert unknown_names(plugins, environ) == []


def test_one_word_allows_all_built_ins(install: Install) -> None:
    install("aaa", {"tame": GOOD})
    environ = {"GANZOO_PLUGINS": "builtin"}
    plugins = Manager(environ=environ).plugins
    assert {plugin.state for plugin in plugins if plugin.builtin} == {State.ACTIVE}
    assert find(plugins, "aaa/tame").state is State.DISABLED
    assert unknown_names(plugins, environ) == []
    assert find(Manager(environ={"GANZOO_PLUGINS": "builtin,aaa/tame"}).plugins, "aaa/tame").state is State.ACTIVE


def test_a_stranger_of_our_name_hides_no_built_in(install: Install) -> None:
    ours = [plugin.name for plugin in discover({}) if plugin.builtin]
    install("GanZoo", {"tame": GOOD}, version="9.0")
    assert [plugin.name for plugin in discover({}) if plugin.builtin] == ours


def test_a_name_that_is_declared_twice_means_neither(install: Install) -> None:
    install("aaa", {"tame": GOOD}, entry_points="[ganzoo.v1]\ntame = aaa_tame\ntame = aaa_other")
    (plugin,) = third_parties(Manager().plugins)
    assert (plugin.state, plugin.reason) == (State.BROKEN, "it is declared twice: as aaa_tame and as aaa_other")


def test_a_name_that_fills_screens_is_cut_and_refused(install: Install) -> None:
    install("aaa", {}, entry_points=f"[ganzoo.v1]\n{'n' * 100_000} = aaa_tame")
    (plugin,) = third_parties(Manager().plugins)
    assert (plugin.state, plugin.reason) == (State.BROKEN, "its name has 100,000 characters; wanted: at most 100")
    assert len(str(plugin)) < 100


def test_a_misspelt_allow_list_is_noticed() -> None:
    environ = {"GANZOO_PLUGINS": "dcgan,ganzoo/dcgan,dcgn"}
    assert unknown_names(discover(environ), environ) == ["dcgn"]
    assert unknown_names(discover({}), {}) == []


def test_qualified_names_stay_exact(install: Install) -> None:
    install("aaa", {"one": GOOD, "two": GOOD})
    one, two = third_parties(Manager().plugins)
    assert one.state is State.ACTIVE
    assert (two.state, two.reason) == (State.BROKEN, "loss 'tame' is provided by aaa/one already")


def test_nobody_offers_a_built_in_plugin_as_its_own(install: Install) -> None:
    install("aaa", {}, entry_points="[ganzoo.v1]\ntheirs = ganzoo_plugins.dcgan")
    plugins = Manager(environ={}).plugins
    assert find(plugins, "ganzoo/dcgan").state is State.ACTIVE
    assert find(plugins, "aaa/theirs").reason == "ganzoo_plugins.dcgan is loaded as ganzoo/dcgan already"


def test_nobody_provides_the_spec_of_another(install: Install) -> None:
    shared = "from ganzoo import Loss\nLOSS = Loss(name='tame', target='a:B')"
    use = "from ganzoo import hookimpl\nimport aaa_shared\n@hookimpl\ndef ganzoo_specs(): yield aaa_shared.LOSS"
    install("aaa", {"shared": shared, "one": use})
    install("bbb", {"two": use})
    thief = find(Manager().plugins, "bbb/two")
    assert (thief.state, thief.reason) == (State.BROKEN, "loss 'tame' is the very object of aaa/one")


@pytest.mark.parametrize("failure", ["1 / 0", "raise SystemExit", "raise BaseException", "raise KeyboardInterrupt"])
def test_a_raising_hook_is_passed_over_and_mentioned_once(install: Install, failure: str) -> None:
    install("aaa", {"bad": f"from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_report(step):\n    {failure}"})
    install("bbb", {"observer": OBSERVER})
    manager = Manager()
    problems: list[str] = []
    for step in (1, 2):
        answers = manager.notify("ganzoo_report", problems.append, run="r", step=step, metrics={})
        assert answers == [(find(manager.plugins, "bbb/observer"), ["r", step])]
    (problem,) = problems
    assert problem.startswith("plugin aaa/bad 1.0 failed in ganzoo_report: ")
    assert "\n" not in problem


def test_a_hook_that_nobody_implements_has_no_answers() -> None:
    assert Manager([]).notify("ganzoo_lineage", pytest.fail, run=None) == []


def test_managers_are_independent(install: Install) -> None:
    install("aaa", {"tame": GOOD})
    first, second = (find(Manager().plugins, "aaa/tame").specs for _ in range(2))
    assert first == second == (Loss(name="tame", target="nowhere.losses:Tame"),)


def test_what_is_not_public_can_be_imported_all_the_same(install: Install) -> None:
    """What docs/contract.md lists is a promise, and no fence."""
    install("ganzoo-curious", {"curious": PRIVATE})
    (plugin,) = (each for each in Manager().plugins if each.distribution == "ganzoo-curious")
    assert (plugin.state, [spec.name for spec in plugin.specs]) == (State.ACTIVE, ["curious"])
