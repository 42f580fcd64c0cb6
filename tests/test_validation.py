"""Each malformed spec is refused with a message that shows the wanted form."""

import os
import string
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, strategies as st

from ganzoo.config import NetworkConfig
from ganzoo.errors import ExitCode, PluginError
from ganzoo.specs import (
    KINDS,
    Architecture,
    Augmentation,
    Dataset,
    Extractor,
    Loss,
    Metric,
    Model,
    Optimizer,
    Penalty,
    Preset,
    Reader,
    Spec,
)
from ganzoo.zoo.validation import OF_EVERY_NETWORK, validate


@dataclass(frozen=True, kw_only=True)
class Options:
    width: int = 8


@dataclass(frozen=True, kw_only=True)
class Rate:
    lr: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Demanding:
    width: int


@dataclass(frozen=True, kw_only=True)
class Complete(Penalty):
    def points(self, step: Any) -> Any:
        return step

    def value(self, squared_norm: Any) -> Any:
        return squared_norm


@dataclass(frozen=True, kw_only=True)
class Kindly(Complete):
    kind: str = "two-sided"  # type: ignore[misc]  # what a plugin may write


@dataclass(frozen=True, kw_only=True)
class Unwritten:
    act: Callable[[Any], Any] = len
    width: int = 8


@dataclass(frozen=True, kw_only=True)
class Mixed:
    place: "Path | complex | None" = None


@dataclass(frozen=True, kw_only=True)
class Hollow:
    table: dict[str, int | None] = field(default_factory=lambda: {"a": None})


@dataclass(frozen=True, kw_only=True)
class Hole:
    inner: Hollow = Hollow()


@dataclass(frozen=True, kw_only=True)
class Gap:
    among: tuple[int | None, ...] = (1, None)


@dataclass(frozen=True, kw_only=True)
class Numbered:
    words: dict[int, str] = field(default_factory=lambda: {1: "a"})


@dataclass(frozen=True, kw_only=True)
class Untold:
    width: int = 8
    dtype: "torch.dtype | None" = None  # type: ignore[name-defined]  # noqa: F821 - imported for type checkers alone


class Pointless(Penalty):
    def value(self, squared_norm: Any) -> Any:
        return squared_norm


ARCHITECTURE = Architecture(
    name="net", generator="pkg.net:G", discriminator="pkg.net:D", options=Options, resolutions=(8, 16)
)
LOSS = Loss(name="loss", target="pkg.loss:L", penalties=(Complete(name="p"),))
MODEL = Model(name="model", architecture="net", loss="other-dist/loss")
PENALTY = Complete(name="p", weight=0, every=16)
DATASET = Dataset(name="data", target="pkg.data:load")
READER = Reader(name="reader", target="pkg.read:read", files=("*.zip",), folders=("*.tar", "*"))
EXTRACTOR = Extractor(name="extractor", file="pkg.sub:features-1.onnx", sha256="0" * 64)
BUILT = Extractor(name="built", builder="pkg.sub:write", from_images=True, recipe=1)
METRIC = Metric(name="metric", target="pkg.figures:sharp", figures={"sharp": "higher", "odd": ""})
AUGMENTATION = Augmentation(name="noise", target="pkg.noise:Noise", options=Options)
OPTIMIZER = Optimizer(name="lion", target="pkg.lion:lion", options=Options)
GOOD = (ARCHITECTURE, LOSS, MODEL, PENALTY, DATASET, READER, EXTRACTOR, METRIC, AUGMENTATION, OPTIMIZER)


def test_every_kind_is_here() -> None:
    assert len(GOOD) == len(KINDS)


def test_well_formed_specs_pass_unchanged() -> None:
    assert validate(iter(GOOD)) == GOOD


def test_names_are_unique_per_kind_only() -> None:
    specs = (replace(ARCHITECTURE, name="same"), replace(MODEL, name="same"), replace(LOSS, name="same"))
    assert validate(specs) == specs


BAD: list[tuple[object, str]] = [
    ("dcgan", "ganzoo_specs yielded 'dcgan'; wanted: one of Architecture, Loss, Penalty, Model, Dataset"),
    (
        Spec(name="bare"),
        "ganzoo_specs yielded Spec(name='bare', summary='', paper='', year=0, reference=''; wanted: one of Archi",
    ),
    (Loss, "ganzoo_specs yielded <class 'ganzoo.specs.Loss'>; wanted: one of"),
    (replace(LOSS, name=7), "loss name 7 is malformed; wanted: lower-case letters, digits, inner '-'"),  # type: ignore[arg-type]
    (replace(LOSS, summary="two\nlines"), "loss 'loss': summary='two\\nlines'; wanted: one line of text"),
    (replace(LOSS, target="pkg.loss.L"), "loss 'loss': target='pkg.loss.L'; wanted: 'package.module:Class'"),
    (replace(LOSS, penalties=["p"]), "loss 'loss': penalties=['p']; wanted: a tuple of Penalty"),  # type: ignore[arg-type]
    (
        replace(LOSS, penalties=(Complete(name="p", weight=-1),)),
        "penalty 'p': weight=-1; wanted: a finite number",
    ),
    (replace(LOSS, penalties=(Complete(name=None),)), "penalty name None is malformed; wanted: lower-case"),  # type: ignore[arg-type]
    (replace(LOSS, penalties=(Complete(name=7),)), "penalty name 7 is malformed; wanted: lower-case letters"),  # type: ignore[arg-type]
    (replace(LOSS, penalties=(Complete(name="a.b/c d"),)), "penalty name 'a.b/c d' is malformed; wanted: lower-case"),
    (replace(LOSS, penalties=(Complete(name="p" * 101),)), "a penalty name has 101 characters; wanted: at most 100"),
    (replace(LOSS, penalties=(Complete(name="p", year="1"),)), "penalty 'p': year='1'; wanted: a year, or 0"),  # type: ignore[arg-type]
    (
        replace(LOSS, penalties=(Complete(name="p", summary="a\nb"),)),
        "penalty 'p': summary='a\\nb'; wanted: one line of text",
    ),
    (
        replace(LOSS, penalties=(PENALTY, replace(PENALTY, weight=2.0))),
        "loss 'loss': two of its penalties have one name: p, p",
    ),
    (Kindly(name="p"), "penalty 'p': kind='two-sided'; wanted: another name for that field"),
    (replace(LOSS, penalties=(Kindly(name="p"),)), "penalty 'p': kind='two-sided'; wanted: another name for that"),
    (
        replace(ARCHITECTURE, options=Unwritten),
        "architecture 'net': Unwritten: act=<built-in function len> cannot be written down: Encoding objects of type",
    ),
    *(
        (replace(LOSS, options=kind), f"loss 'loss': {kind.__name__}: {value} cannot be written down: {reason}")
        for kind, value, reason in (
            (Hollow, "table={'a': None}", "no table or list of TOML has None in it"),
            (Hole, "inner=Hollow(table={'a': None})", "no table or list of TOML has None in it"),
            (Gap, "among=(1, None)", "no table or list of TOML has None in it"),
            (Numbered, "words={1: 'a'}", "keys of a table are text"),
        )
    ),
    (
        replace(LOSS, options=Mixed),
        "loss 'loss': Mixed: place=None cannot be written down: Type unions may not contain more than",
    ),
    (
        replace(AUGMENTATION, options=Untold),
        "augmentation 'noise': Untold: the type of 'dtype' cannot be read: NameError: name 'torch' is not defined",
    ),
    (replace(LOSS, defaults=5), "loss 'loss': defaults=5; wanted: a mapping with string keys"),  # type: ignore[arg-type]
    (
        replace(ARCHITECTURE, generator=print),  # type: ignore[arg-type]
        "architecture 'net': generator=<built-in function print>; wanted: '",
    ),
    (
        replace(ARCHITECTURE, discriminator=""),
        "architecture 'net': discriminator=''; wanted: 'package.module:Class'",
    ),
    (
        replace(ARCHITECTURE, options=dict),
        "architecture 'net': options=<class 'dict'>; wanted: a dataclass type",
    ),
    (
        replace(ARCHITECTURE, options=Options()),  # type: ignore[arg-type]
        "architecture 'net': options=Options(width=8); wanted: a dataclass",
    ),
    (replace(ARCHITECTURE, options=Demanding), "architecture 'net': Demanding() fails: "),
    (
        replace(ARCHITECTURE, resolutions=()),
        "architecture 'net': resolutions=(); wanted: a non-empty tuple of pixels",
    ),
    (
        replace(ARCHITECTURE, resolutions=[8]),  # type: ignore[arg-type]
        "architecture 'net': resolutions=[8]; wanted: a non-empty tuple",
    ),
    (
        replace(ARCHITECTURE, resolutions=(0,)),
        "architecture 'net': resolutions=(0,); wanted: a non-empty tuple",
    ),
    (replace(ARCHITECTURE, conditional=1), "architecture 'net': conditional=1; wanted: True or False"),  # type: ignore[arg-type]
    (
        Pointless(name="p"),
        "penalty 'p': Pointless lacks points(); wanted: a subclass of Penalty with points() and",
    ),
    (Penalty(name="p"), "penalty 'p': Penalty lacks points(); wanted: a subclass of Penalty"),
    (replace(PENALTY, weight=float("nan")), "penalty 'p': weight=nan; wanted: a finite number >= 0"),
    (replace(PENALTY, weight=True), "penalty 'p': weight=True; wanted: a finite number >= 0"),
    (replace(PENALTY, every=0), "penalty 'p': every=0; wanted: a whole number of steps >= 1"),
    (replace(PENALTY, every=1.5), "penalty 'p': every=1.5; wanted: a whole number of steps >= 1"),  # type: ignore[arg-type]
    (replace(MODEL, architecture=ARCHITECTURE), "model 'model': architecture=Architecture("),  # type: ignore[arg-type]
    (replace(MODEL, loss="a/b/c"), "model 'model': loss='a/b/c'; wanted: 'name' or 'distribution/name'"),
    (replace(MODEL, defaults={1: 2}), "model 'model': defaults={1: 2}; wanted: a mapping with string keys"),  # type: ignore[dict-item]
    (
        replace(MODEL, defaults_up_to={8: {"steps": 1}, 0: {}}),
        "model 'model': defaults_up_to={8: {'steps': 1}, 0: {}}; wanted: a mapping of sizes in pixels to mappings "
        "with string keys",
    ),
    (replace(MODEL, code="a\nb"), "model 'model': code='a\\nb'; wanted: one line of text"),
    (replace(MODEL, presets={"A": Preset()}), "model 'model': presets={'A': Preset("),
    (replace(MODEL, presets={"a": {}}), "model 'model': presets={'a': {}}; wanted: a mapping of names to Preset("),  # type: ignore[dict-item]
    (replace(MODEL, presets={"a": Preset(resolutions=(0,))}), "model 'model': presets={'a': Preset("),
    (replace(MODEL, presets={"a": Preset(defaults=[])}), "model 'model': presets={'a': Preset("),  # type: ignore[arg-type]
    (replace(MODEL, presets={"a": Preset(summary="a\nb")}), "model 'model': presets={'a': Preset("),
    (replace(MODEL, measured="m.json"), "model 'model': measured='m.json'; wanted: 'package:file.json', or ''"),
    (replace(MODEL, measured="pkg:m.toml"), "model 'model': measured='pkg:m.toml'; wanted: 'package:file.json'"),
    (replace(DATASET, target="pkg:"), "dataset 'data': target='pkg:'; wanted: 'package.module:attribute'"),
    (replace(DATASET, held_out="test"), "dataset 'data': held_out='test'; wanted: 'package.module:attribute', or ''"),
    (replace(DATASET, modes=25), "dataset 'data': modes=25; wanted: 'package.module:attribute', or ''"),  # type: ignore[arg-type]
    (replace(DATASET, extractor="a b"), "dataset 'data': extractor='a b'; wanted: 'name' or 'distribution/name'"),
    (replace(READER, target="read"), "reader 'reader': target='read'; wanted: 'package.module:function'"),
    (replace(READER, files="*.zip"), "reader 'reader': files='*.zip'; wanted: a tuple of lower-case patterns"),  # type: ignore[arg-type]
    (replace(READER, folders=("*.TAR",)), "reader 'reader': folders=('*.TAR',); wanted: a tuple of lower-case"),
    (replace(READER, files=("",)), "reader 'reader': files=('',); wanted: a tuple of lower-case patterns"),
    (replace(READER, files=(), folders=()), "reader 'reader': files=(); wanted: a pattern in files or in folders"),
    (replace(EXTRACTOR, file="x.onnx"), "extractor 'extractor': file='x.onnx'; wanted: 'package:file.onnx'"),
    (replace(EXTRACTOR, file="pkg:../x.onnx"), "extractor 'extractor': file='pkg:../x.onnx'; wanted: 'package:file"),
    (replace(EXTRACTOR, sha256="F" * 64), "extractor 'extractor': sha256='FFFF"),
    (replace(EXTRACTOR, from_images=True), "extractor 'extractor': builder=''; wanted: a builder, which is given"),
    (replace(BUILT, sha256="0" * 64), "extractor 'built': sha256='0000"),
    (replace(BUILT, recipe=0), "extractor 'built': recipe=0; wanted: a whole number from 1"),
    (replace(BUILT, file="pkg:x.onnx"), "extractor 'built': file='pkg:x.onnx'; wanted: '' beside a builder"),
    (replace(METRIC, target=print), "metric 'metric': target=<built-in function print>; wanted: 'package.module:f"),  # type: ignore[arg-type]
    (replace(METRIC, figures={}), "metric 'metric': figures={}; wanted: a mapping of names to 'lower', 'higher'"),
    (replace(METRIC, figures={"": ""}), "metric 'metric': figures={'': ''}; wanted: a mapping of names to 'lower'"),
    (replace(METRIC, figures={"a,b": ""}), "metric 'metric': figures={'a,b': ''}; wanted: a mapping of names to"),
    (replace(METRIC, figures={"x\ny": ""}), "metric 'metric': figures={'x\\ny': ''}; wanted: a mapping of names to"),
    (replace(METRIC, figures={" x": ""}), "metric 'metric': figures={' x': ''}; wanted: a mapping of names to"),
    (replace(METRIC, bounds={"dull": (0, 1)}), "metric 'metric': bounds={'dull': (0, 1)}; wanted: a mapping of names"),
    (replace(METRIC, bounds={"odd": (1, 0)}), "metric 'metric': bounds={'odd': (1, 0)}; wanted: a mapping of names"),
    (replace(METRIC, bounds={"odd": 1}), "metric 'metric': bounds={'odd': 1}; wanted: a mapping of names"),  # type: ignore[dict-item]
    (replace(METRIC, figures={"a": "up"}), "metric 'metric': figures={'a': 'up'}; wanted: a mapping of names"),
    (replace(AUGMENTATION, target=""), "augmentation 'noise': target=''; wanted: 'package.module:Class'"),
    (replace(AUGMENTATION, options=Demanding), "augmentation 'noise': Demanding() fails: "),
    (
        replace(AUGMENTATION, state={"p": "0"}),  # type: ignore[dict-item]
        "augmentation 'noise': state={'p': '0'}; wanted: a mapping of identifiers",
    ),
    (replace(ARCHITECTURE, batch_coupled="no"), "architecture 'net': batch_coupled='no'; wanted: True or False"),  # type: ignore[arg-type]
    (replace(ARCHITECTURE, channels=(2,)), "architecture 'net': channels=(2,); wanted: a non-empty tuple of 1 and 3"),
    (replace(ARCHITECTURE, channels=([3],)), "architecture 'net': channels=([3],); wanted: a non-empty tuple of 1"),  # type: ignore[arg-type]
    (replace(ARCHITECTURE, channels=3), "architecture 'net': channels=3; wanted: a non-empty tuple of 1 and 3"),  # type: ignore[arg-type]
    (replace(LOSS, state={"a b": 0.0}), "loss 'loss': state={'a b': 0.0}; wanted: a mapping of identifiers"),
    (replace(LOSS, state={"a": float("nan")}), "loss 'loss': state={'a': nan}; wanted: a mapping of identifiers"),
    (replace(LOSS, options=Demanding), "loss 'loss': Demanding() fails: "),
    (replace(LOSS, reads="features"), "loss 'loss': reads='features'; wanted: a tuple of heads"),  # type: ignore[arg-type]
    (replace(LOSS, batch_coupled=1), "loss 'loss': batch_coupled=1; wanted: True or False"),  # type: ignore[arg-type]
    (replace(LOSS, year="2018"), "loss 'loss': year='2018'; wanted: a year, or 0"),  # type: ignore[arg-type]
    (replace(LOSS, paper="two\nlines"), "loss 'loss': paper='two\\nlines'; wanted: one line of text"),
    (replace(PENALTY, batch_coupled=None), "penalty 'p': batch_coupled=None; wanted: True or False"),  # type: ignore[arg-type]
    (replace(OPTIMIZER, target="lion"), "optimizer 'lion': target='lion'; wanted: 'package.module:function'"),
    (
        replace(OPTIMIZER, options=Rate),
        "optimizer 'lion': the option 'lr' is a key of every network's; wanted: another",
    ),
]


@pytest.mark.parametrize(("spec", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_a_malformed_spec_is_refused(spec: object, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        validate([spec])
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == ExitCode.PLUGIN


@dataclass(frozen=True, kw_only=True)
class Inner:
    low: float = -1.0


class Mode(Enum):
    ONE = "one"


@dataclass(frozen=True, kw_only=True)
class Plain:
    width: int | None = None
    betas: tuple[float, float] = (0.5, 0.9)
    table: dict[str, list[int]] = field(default_factory=dict)
    mode: Mode = Mode.ONE
    word: Literal["a", "b"] = "a"
    anything: Any = True
    wrong: int = "eight"  # type: ignore[assignment]  # which the check of the kit tells


@dataclass(frozen=True, kw_only=True)
class Rich(Plain):
    inner: Inner = Inner()
    act: Callable[[Any], Any] | None = None
    data: bytes = b""
    among: frozenset[int] = frozenset({1})


@pytest.mark.parametrize("options", [Plain, Rich])
def test_what_a_configuration_can_hold_passes(options: type[Any]) -> None:
    validate([replace(ARCHITECTURE, options=options)])


def test_plain_options_do_without_msgspec() -> None:
    """Its import would take as long as that of all built-in plugins, and each command would wait for it."""
    code = (
        "import sys\nfrom ganzoo.zoo.names import zoo\nfrom ganzoo.specs import Architecture\n"
        "assert zoo().all(Architecture)\nassert 'msgspec' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "GANZOO_PLUGINS": "builtin"}, check=True)


def test_a_missing_default_is_named() -> None:
    with pytest.raises(PluginError, match=r"(?m)wanted: a usable default for each of width$"):
        validate([replace(ARCHITECTURE, options=Demanding)])


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(PluginError, match=r"loss 'loss' is provided twice; wanted: unique names per kind"):
        validate([LOSS, DATASET, replace(LOSS, summary="another")])


@given(st.one_of(st.text(alphabet="ab9-_A.é \n", max_size=6), st.text(max_size=6)))
def test_names_are_what_people_can_type(name: str) -> None:
    allowed = set(string.ascii_lowercase + string.digits + "-")
    fine = bool(name) and set(name) <= allowed and not name.startswith("-") and not name.endswith("-")
    if fine:
        assert validate([replace(LOSS, name=name)])
    else:
        with pytest.raises(PluginError, match="is malformed"):
            validate([replace(LOSS, name=name)])


def test_the_keys_of_every_network_are_those_of_the_configuration() -> None:
    assert {field.name for field in fields(NetworkConfig)} == OF_EVERY_NETWORK
