"""Who is meant by a name."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ganzoo.errors import ExitCode, MissingPackageError, NotFoundError, PluginError
from ganzoo.specs import Architecture, Dataset, Loss, Model, Penalty, Spec
from ganzoo.zoo.discovery import Manager, Plugin, State
from ganzoo.zoo.names import Zoo, load_target, zoo


def plugin(distribution: str, name: str, *specs: Spec, state: State = State.ACTIVE, reason: str = "") -> Plugin:
    return Plugin(
        name=name,
        distribution=distribution,
        version="1.2",
        location="",
        target=name,
        api="v1",
        state=state,
        reason=reason,
        specs=specs,
    )


def loss(name: str) -> Loss:
    return Loss(name=name, target="a:B")


OURS, THEIRS, ALSO_THEIRS = loss("hinge"), loss("hinge"), loss("hinge")
UNIQUE, TWIN_A, TWIN_B = loss("unique"), loss("twin"), loss("twin")
MODEL = Model(name="hinge", architecture="net", loss="hinge")


@pytest.fixture
def some() -> Zoo:
    return Zoo(
        Manager(
            [
                plugin("aaa", "losses", THEIRS, UNIQUE, TWIN_A),
                plugin("bbb", "losses", ALSO_THEIRS, TWIN_B),
                plugin("broken-dist", "wrecked", state=State.BROKEN, reason="ValueError: boo"),
                plugin("aaa", "partly", state=State.BROKEN, reason="ValueError: half"),
                plugin("ganzoo", "off", state=State.DISABLED, reason="left out of GANZOO_PLUGINS"),
                plugin("old", "ancient", state=State.INCOMPATIBLE, reason="written for plugin API v0"),
                plugin("ganzoo", "losses", OURS, MODEL),
            ]
        )
    )


@pytest.mark.parametrize(
    ("name", "home", "meant"),
    [
        ("hinge", None, OURS),
        ("ganzoo/hinge", None, OURS),
        ("aaa/hinge", None, THEIRS),
        ("AAA/hinge", None, THEIRS),
        ("hinge", "bbb", ALSO_THEIRS),
        ("hinge", "ccc", OURS),
        ("aaa/hinge", "bbb", THEIRS),
        ("unique", None, UNIQUE),
        ("unique", "bbb", UNIQUE),
        ("twin", "aaa", TWIN_A),
        ("bbb/twin", None, TWIN_B),
    ],
)
def test_who_is_meant(some: Zoo, name: str, home: str | None, meant: Loss) -> None:
    assert some.get(Loss, name, home=home) is meant


def test_kinds_are_apart(some: Zoo) -> None:
    assert some.get(Model, "hinge") is MODEL


@pytest.mark.parametrize("home", [None, "ganzoo", "ccc"])
def test_two_third_parties_are_not_chosen_between(some: Zoo, home: str | None) -> None:
    with pytest.raises(NotFoundError) as caught:
        some.get(Loss, "twin", home=home)
    assert str(caught.value) == "loss 'twin' is provided by more than one plugin"
    assert caught.value.hint == "choose one of: aaa/twin, bbb/twin"
    assert caught.value.exit_code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrecked", "plugin broken-dist/wrecked 1.2, which is broken: ValueError: boo"),
        ("broken-dist", "plugin broken-dist/wrecked 1.2, which is broken: ValueError: boo"),
        ("broken-dist/anything", "plugin broken-dist/wrecked 1.2, which is broken: ValueError: boo"),
        ("Broken_Dist/wrecked", "plugin broken-dist/wrecked 1.2, which is broken: ValueError: boo"),
        ("partly", "plugin aaa/partly 1.2, which is broken: ValueError: half"),
        ("aaa/partly", "plugin aaa/partly 1.2, which is broken: ValueError: half"),
        ("off", "plugin ganzoo/off 1.2, which is disabled: left out of GANZOO_PLUGINS"),
        ("ancient", "plugin old/ancient 1.2, which is incompatible: written for plugin API v0"),
    ],
)
def test_a_name_from_an_unusable_plugin_says_so(some: Zoo, name: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        some.get(Loss, name)
    assert str(caught.value) == f"loss {name!r} should come from {message}"
    assert caught.value.hint == "see: ganzoo plugins"
    assert caught.value.exit_code == ExitCode.PLUGIN


BROKEN = "; broken plugins: broken-dist/wrecked, aaa/partly (see: ganzoo plugins)"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("hinje", "did you mean 'hinge'?" + BROKEN),
        ("aaa/hinje", "did you mean 'aaa/hinge'?" + BROKEN),
        (
            "xyz",
            "choose one of: aaa/hinge, aaa/twin, bbb/hinge, bbb/twin, hinge, unique" + BROKEN,
        ),
        ("", "choose one of: aaa/hinge, aaa/twin, bbb/hinge, bbb/twin, hinge, unique" + BROKEN),
    ],
)
def test_an_unknown_name(some: Zoo, name: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        some.get(Loss, name)
    assert str(caught.value) == f"unknown loss {name!r}"
    assert caught.value.hint == hint
    assert caught.value.exit_code == ExitCode.NOT_FOUND


def test_nothing_of_a_kind(some: Zoo) -> None:
    with pytest.raises(NotFoundError) as caught:
        Zoo(Manager([])).get(Dataset, "digits")
    assert caught.value.hint == "choose one of: none is available"
    assert some.all(Dataset) == []


def test_listing(some: Zoo) -> None:
    specs = some.all(Loss)
    assert [some.qualified(spec) for spec in specs] == [
        "ganzoo/hinge",
        "aaa/hinge",
        "aaa/twin",
        "aaa/unique",
        "bbb/hinge",
        "bbb/twin",
    ]
    assert [some.shortest(spec) for spec in specs] == [
        "hinge",
        "aaa/hinge",
        "aaa/twin",
        "unique",
        "bbb/hinge",
        "bbb/twin",
    ]
    assert all(some.get(Loss, some.shortest(spec)) is spec for spec in specs)
    assert some.owner(THEIRS).distribution == "aaa"


@dataclass(frozen=True, kw_only=True)
class Own(Penalty):
    name: str = "own"


def test_a_changed_copy_belongs_to_whom_the_original_does(some: Zoo) -> None:
    assert some.owner(replace(UNIQUE, summary="changed")) is some.owner(UNIQUE)
    assert some.owner(replace(THEIRS, summary="changed")).builtin  # as the bare name would mean
    with pytest.raises(LookupError, match="no plugin provides the loss 'strange'"):
        some.owner(loss("strange"))


def test_a_penalty_may_stand_only_in_a_loss() -> None:
    inside = Own(weight=3)
    first, second = (Loss(name=name, target="a:B", penalties=(inside,)) for name in ("one", "two"))
    found = Zoo(Manager([plugin("aaa", "losses", first, second)]))
    assert found.all(Penalty) == [inside]
    assert found.get(Penalty, "own") is inside
    assert found.owner(replace(inside, weight=1)).distribution == "aaa"


def test_a_borrowed_penalty_stays_its_owners() -> None:
    theirs = Loss(name="theirs", target="a:B", penalties=(Own(weight=3),))
    original = Own()
    found = Zoo(Manager([plugin("aaa", "losses", theirs), plugin("ganzoo", "losses", original)]))
    assert found.all(Penalty) == [original]
    assert found.owner(theirs.penalties[0]).builtin


def test_every_built_in_model_is_whole() -> None:
    models = zoo().all(Model)
    assert {"vanilla", "dcgan", "wgan-gp", "conditional"} <= {zoo().shortest(model) for model in models}
    for model in models:
        home = zoo().owner(model).distribution
        architecture = zoo().get(Architecture, model.architecture, home=home)
        for target in (architecture.generator, architecture.discriminator):
            assert isinstance(load_target(target), type)
        assert isinstance(load_target(zoo().get(Loss, model.loss, home=home).target), type)


def test_targets() -> None:
    assert load_target("pathlib:Path") is Path
    assert load_target("pathlib:Path.exists") is Path.exists


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:A", "no_such_module:A cannot be loaded: ModuleNotFoundError: No module named"),
        ("pathlib:Nope", "pathlib:Nope cannot be loaded: AttributeError: module 'pathlib' has no attribute"),
    ],
)
def test_a_target_that_is_not_there(target: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        load_target(target)
    assert str(caught.value).startswith(message)
    assert caught.value.hint == "that is for the plugin's author to repair; ganzoo plugins lists what is installed"
    assert caught.value.exit_code == ExitCode.PLUGIN


def test_the_spec_and_plugin_of_a_failing_target_are_named(
    some: Zoo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "explosive.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    lost = Loss(name="lost", target="explosive:Loss")
    monkeypatch.setattr("ganzoo.zoo.names.zoo", lambda: Zoo(Manager([plugin("aaa", "losses", lost)])))
    with pytest.raises(PluginError) as caught:
        load_target("explosive:Loss")
    assert str(caught.value) == (
        "explosive:Loss (loss 'lost' of plugin aaa/losses 1.2) cannot be loaded: ZeroDivisionError: division by zero"
    )


def test_a_package_of_ours_that_is_absent_is_not_the_plugins_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "wants_torch.py").write_text("import torch.nn")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "torch.nn", None)
    with pytest.raises(MissingPackageError) as caught:
        load_target("wants_torch:Loss")
    assert str(caught.value) == "this needs the package torch, which is not installed"
    assert str(caught.value.hint).startswith('pip install "torch>=')
    assert caught.value.exit_code == ExitCode.MISSING_PACKAGE


def test_an_observer_of_a_built_in_name_hides_no_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    watching = {"ganzoo_report": [plugin("ganzoo", "board"), plugin("zzz", "board")]}
    found = Zoo(Manager([]))
    monkeypatch.setattr(found.manager, "watching", lambda hook: watching.get(hook, []))
    names = [found.observer(name) for name in ("board", "ganzoo/board", "zzz/board", "ZZZ/board")]
    assert names == ["board", "board", "zzz/board", "zzz/board"]
    watching["ganzoo_evaluated"] = [plugin("zzz", "chart"), plugin("yyy", "chart")]
    assert found.observer("yyy/chart") == "yyy/chart"
    with pytest.raises(NotFoundError, match="observer 'chart' is provided by more than one plugin") as caught:
        found.observer("chart")
    assert caught.value.hint == "choose one of: zzz/chart, yyy/chart"
    with pytest.raises(NotFoundError) as caught:
        found.observer("zzz/bord")
    assert caught.value.hint == "did you mean 'zzz/board'?"
    with pytest.raises(NotFoundError) as caught:
        found.observer("bord")
    assert caught.value.hint == "did you mean 'board'?"
