"""Settings, from text to a checked configuration."""

import re
import tomllib
from dataclasses import dataclass, field, is_dataclass, make_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from ganzoo.cli.settings import nested, parse_settings, read_file
from ganzoo.config import (
    Keys,
    NetworkConfig,
    PenaltyConfig,
    RunConfig,
    Schedule,
    Settings,
    TermConfig,
    as_settings,
    changes,
    check_keys,
    convert,
    merge,
)
from ganzoo.config.tables import EXAMPLES
from ganzoo.errors import ExitCode, NotFoundError, UsageError

VALUES = st.integers() | st.text(max_size=3)
INNER = st.fixed_dictionaries({}, optional={"x": VALUES, "y": VALUES})
SETTINGS = st.fixed_dictionaries({}, optional={"x": VALUES, "y": VALUES, "t": INNER, "u": INNER})
"""A key is a table in each or in none of them, as in any configuration that means something."""

CONFIG = RunConfig(
    model="m", architecture="a", loss="l", options={"width": 8}, penalties={"r1": PenaltyConfig(weight=2)}
)


def error_of(error: pytest.ExceptionInfo[Any]) -> tuple[str, str | None]:
    return str(error.value), error.value.hint


# --set


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("3", 3),
        ("-1e-4", -1e-4),
        ("true", True),
        ("[0.5, 0.9]", [0.5, 0.9]),
        ('"3"', "3"),
        ("'a b'", "a b"),
        ("{weight = 1}", {"weight": 1}),
        ("wgan-gp", "wgan-gp"),
        ("/data/photos", "/data/photos"),
        ("a=b", "a=b"),
        ("", ""),
        ("True", "True"),
        ("1\nother = 2", "1\nother = 2"),
        ("[0.5,", "[0.5,"),
    ],
)
def test_a_value_is_toml_where_it_can_be_and_else_a_string(pair: str, value: Any) -> None:
    assert parse_settings([f"key={pair}"]) == {"key": value}


def test_dotted_keys_are_tables_and_the_last_word_counts() -> None:
    settings = parse_settings(["generator.lr=1", "batch=8", "generator.betas=[0, 1]", "generator.lr=2", "batch=9"])
    assert settings == {"generator": {"lr": 2, "betas": [0, 1]}, "batch": 9}
    assert parse_settings(["a.b.c=1", "a=2"]) == {"a": 2}
    assert parse_settings([]) == {}


@pytest.mark.parametrize("pair", ["batch", "", "=3", "a..b=1", ".a=1", "a.=1"])
def test_a_pair_that_is_none(pair: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings([pair])
    assert error_of(caught) == (f"--set {pair}: not of the form KEY=VALUE", "for example: --set batch=32")
    assert caught.value.exit_code == ExitCode.USAGE


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.integers())
def test_nested_is_the_inverse_of_looking_up(path: list[str], value: int) -> None:
    found: Any = nested(".".join(path), value)
    for key in path:
        found = found[key]
    assert found == value


# merge


def leaves(table: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(table, dict):
        return {prefix: table}
    return {place: value for key, below in table.items() for place, value in leaves(below, f"{prefix}.{key}").items()}


@given(SETTINGS, SETTINGS)
def test_what_is_laid_over_wins_and_the_rest_stays(below: Any, above: Any) -> None:
    merged = leaves(merge(below, above))
    assert merged == {**leaves(below), **leaves(above)}


@given(SETTINGS, SETTINGS, SETTINGS)
def test_merging_is_associative_has_an_identity_and_changes_nothing_in_place(a: Any, b: Any, c: Any) -> None:
    before = repr((a, b, c))
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) == merge(a, b, c)
    assert merge(a) == merge(a, {}) == merge({}, a) == merge(a, a) == a
    assert repr((a, b, c)) == before


# What Python gives


@pytest.mark.parametrize("settings", [{1: 2}, {"generator": {1: 2}}, {"penalties": {"r1": {1: 2}}}, {"a": [{1: 2}]}])
def test_a_key_that_is_not_text_is_refused_at_any_depth(settings: Any) -> None:
    pairs: list[tuple[Any, Any]] = [(settings, {}), ({}, settings)]
    for pair in pairs:
        with pytest.raises(UsageError, match=r"configuration key [a-z\d.]*1: it is not text"):
            as_settings(*pair)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (np.float64(1e-4), 1e-4),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([0.0, 0.5]), [0.0, 0.5]),
        (torch.tensor(0.5), 0.5),
        (Path("photos"), "photos"),
    ],
)
def test_a_value_is_what_a_file_would_say(value: Any, meant: Any) -> None:
    found = as_settings({"a": value, "t": {"b": value}}, {"c": (value, {"d": value})})
    assert found == {"a": meant, "t": {"b": meant}, "c": [meant, {"d": meant}]}
    for each in (found["a"], found["t"]["b"], found["c"][0], found["c"][1]["d"]):
        assert type(each) is type(meant)


def test_numbers_of_numpy_are_numbers_of_a_configuration() -> None:
    rate = np.float64(1e-4)
    settings = {
        "ema_kimg": np.float32(2),
        "batch": np.int64(8),
        "penalties": {"r1": {"weight": np.float32(3)}},
        "generator": {"lr": rate},
        "discriminator": {"lr": {"from": rate, "to": rate / 2}},
    }
    config = convert({**BASE, **as_settings(settings)}, RunConfig)
    assert (config.ema_kimg, config.batch, config.penalties["r1"].weight) == (2.0, 8, 3.0)
    assert (config.generator.lr, config.discriminator.lr.start) == (1e-4, 1e-4)
    assert convert(tomllib.loads(config.to_toml()), RunConfig) == config


# Files


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('model = "dcgan"\n[generator]\nlr = 1e-4\n', "utf-8")
    assert read_file(file) == {"model": "dcgan", "generator": {"lr": 1e-4}}


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_file(tmp_path / name)
    assert error_of(caught) == (f"--config {tmp_path / name}: no such file", "check the path")


@pytest.mark.parametrize("content", [b"batch = ", b"batch: 3", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_file(file)
    message, hint = error_of(caught)
    assert message.startswith(f"--config {file}: ")
    assert "\n" not in message
    assert hint == "it should be TOML: key = value"


def test_a_configuration_survives_its_own_file() -> None:
    again = convert(tomllib.loads(CONFIG.to_toml()), RunConfig)
    assert again == CONFIG
    assert again.penalties["r1"] == PenaltyConfig(weight=2.0, every=1)


# Checking


@dataclass(frozen=True, kw_only=True)
class Options:
    width: int = 64
    depth: "int | None" = None
    inner: TermConfig = field(default_factory=TermConfig)


BASE = {"model": "m", "architecture": "a", "loss": "l"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch": "many"}, "configuration key 'batch': expected `int`, got `str`"),
        ({"batch": 1}, "configuration key 'batch': expected `int` >= 2"),
        ({"steps": 0}, "configuration key 'steps': expected `int` >= 1"),
        ({"steps": 2.5}, "configuration key 'steps': expected `int`, got `float`"),
        ({"critic_steps": 0}, "configuration key 'critic_steps': expected `int` >= 1"),
        ({"size": -8}, "configuration key 'size': expected `int` >= 0"),
        ({"seed": -1}, "configuration key 'seed': expected `int` >= 0"),
        ({"seed": 2**63}, "configuration key 'seed': expected `int` <= 9223372036854775807"),
        ({"ema_kimg": 0}, "configuration key 'ema_kimg': expected `float` > 0.0"),
        ({"generator": {"lr": 0.0}}, "configuration key 'generator.lr': expected `float` > 0.0"),
        ({"generator": {"lr": float("nan")}}, "configuration key 'generator.lr': expected `float` > 0.0"),
        ({"generator": {"lr": float("inf")}}, "configuration key 'generator.lr': expected `float` <= 1.79"),
        ({"generator": 5}, "configuration key 'generator': expected `object`, got `int`"),
        ({"name": 5}, "configuration key 'name': expected `str`, got `int`"),
        ({"report_every": 0}, "configuration key 'report_every': expected `int` >= 1"),
        ({"penalties": {"r1": {"weight": -1}}}, "configuration key 'penalties.r1.weight': expected `float` >= 0.0"),
        (
            {"penalties": {"a": {"weight": 1}, "b": {"weight": "x"}}, "batch": "q"},
            "configuration key 'penalties.b.weight': expected `float`, or a schedule, got `str`",
        ),
    ],
)
def test_a_wrong_value_names_its_key_and_what_it_should_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert({**BASE, **values}, RunConfig)
    assert str(caught.value).startswith(message)
    kind = re.search(r"expected `(\w+)`", message)
    assert kind
    assert caught.value.hint == EXAMPLES[kind[1]]
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("values", "key", "hint"),
    [
        ({"bach": 3}, "bach", "did you mean 'batch'?"),
        (
            {"generator": {"regularise": {"evry": 3}}},
            "generator.regularise.evry",
            "did you mean 'generator.regularise.every'?",
        ),
        (
            {"discriminator": {"regularise": {"xyzzy": 3}}},
            "discriminator.regularise.xyzzy",
            "choose one of: discriminator.regularise.every, discriminator.regularise.weight",
        ),
    ],
)
def test_an_unknown_key_at_any_depth(values: dict[str, Any], key: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert({**BASE, **values}, RunConfig)
    assert error_of(caught) == (f"unknown configuration key {key!r}", hint)


def test_a_wrong_value_of_a_table_in_a_list() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Tables:
        tables: list[dict[str, int]]

    with pytest.raises(UsageError) as caught:
        convert({"tables": [{"a": 1}, {"b": "x"}]}, Tables, "options.")
    assert error_of(caught) == (
        "configuration key 'options.tables[1][...]': expected `int`, got `str`",
        "a whole number, such as 8",
    )


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (list[str], 'a list, such as ["tensorboard"]'),
        (tuple[str, ...] | None, 'a list, such as ["tensorboard"]'),
        (list[float], "a list, such as [0.5, 0.999]"),
        (tuple[float, float], "a list, such as [0.5, 0.999]"),
    ],
)
def test_a_list_of_what_is_wanted_is_shown(kind: Any, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert({"some": "x"}, make_dataclass("Listed", [("some", kind)]))
    assert caught.value.hint == hint


def test_the_keys_of_a_plugins_options_are_checked_likewise() -> None:
    assert convert({"width": 8, "inner": {"weight": 2.0}}, Options, "options.") == Options(
        width=8, inner=TermConfig(weight=2.0)
    )
    with pytest.raises(UsageError, match=r"unknown configuration key 'options\.inner\.beta'"):
        check_keys({"inner": {"beta": 1}}, Options, "options.")
    with pytest.raises(UsageError, match=r"configuration key 'options\.depth': expected `int \| null`, got `str`"):
        convert({"depth": "deep"}, Options, "options.")


def test_changes_are_named_by_key() -> None:
    other = replace(CONFIG, batch=32, generator=NetworkConfig(lr=1.0), penalties={"r2": PenaltyConfig(weight=2)})
    assert changes(CONFIG, other) == [
        "batch: 64 -> 32",
        "generator.lr: 0.0002 -> 1.0",
        "penalties.r1.every: 1 -> None",
        "penalties.r1.weight: 2 -> None",
        "penalties.r2.every: None -> 1",
        "penalties.r2.weight: None -> 2",
    ]
    assert changes(CONFIG, replace(CONFIG)) == []


def keyword(hint: Any) -> Any:
    """What a caller gives for a field: a table for a dataclass, text for a word of a closed set."""
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(keyword(each) for each in get_args(hint))]  # noqa: UP007 - of a tuple
    if is_dataclass(hint) or hint is Schedule or get_origin(hint) is dict:
        return Settings
    return str if isinstance(hint, type) and issubclass(hint, str) else hint


def test_keywords_are_the_keys_with_their_types() -> None:
    expected = {key: keyword(hint) for key, hint in get_type_hints(RunConfig).items()}
    assert expected == get_type_hints(Keys) | {"model": str, "init_from": str}
