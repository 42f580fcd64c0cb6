"""The card that an exported file carries: what was written is read, and nothing else is."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ganzoo.errors import ExitCode, IntegrityError
from ganzoo.runtime.card import GeneratorCard

CARD = GeneratorCard(name="tiny", latent_dim=100, channels=1, height=8, width=8)


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        GeneratorCard(
            name="pets",
            version=3,
            digest=f"sha256:{0:064}",
            latent_dim=1,
            channels=3,
            height=64,
            width=32,
            class_names=("cat", "été"),
        ),
    ],
)
def test_what_was_written_is_read(card: GeneratorCard) -> None:
    assert GeneratorCard.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("name", None),
        ("version", "3"),
        ("version", 0),
        ("version", True),
        ("digest", 5),
        ("latent_dim", 100.0),
        ("latent_dim", 0),
        ("channels", True),
        ("height", "8"),
        ("width", -8),
        ("class_names", "abc"),
        ("class_names", [1, 2, 3]),
        ("class_names", None),
        ("stream", 1),
    ],
)
def test_a_field_of_another_type(field: str, value: Any) -> None:
    with pytest.raises(IntegrityError) as caught:
        GeneratorCard.from_json(json.dumps({**json.loads(CARD.to_json()), field: value}))
    assert str(caught.value) == f"the ONNX file's ganzoo card cannot be read: '{field}' is not as it should be"
    assert caught.value.exit_code == ExitCode.INTEGRITY


@pytest.mark.parametrize("field", json.loads(CARD.to_json()))
def test_a_missing_field(field: str) -> None:
    fields = json.loads(CARD.to_json())
    del fields[field]
    with pytest.raises(IntegrityError, match=f"ganzoo card cannot be read: .*{field}"):
        GeneratorCard.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "5", '{"format": 1}', "[" * 100_000, '{"format": 1, "name": "\\ud800"}']
)
def test_what_is_no_card(text: str) -> None:
    with pytest.raises(IntegrityError, match="ganzoo card cannot be read: ") as caught:
        GeneratorCard.from_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "\u202egpj.exe", "x" * 201])
def test_a_name_that_could_not_be_shown(name: str) -> None:
    with pytest.raises(IntegrityError, match="'name' is not as it should be"):
        GeneratorCard.from_json(json.dumps({**json.loads(CARD.to_json()), "name": name}))


@pytest.mark.parametrize("sizes", [{"latent_dim": 10**9}, {"height": 10**9}, {"height": 1 << 16, "width": 1 << 16}])
def test_sizes_that_no_machine_holds(sizes: dict[str, int]) -> None:
    with pytest.raises(IntegrityError, match="ganzoo card cannot be read: "):
        GeneratorCard.from_json(json.dumps({**json.loads(CARD.to_json()), **sizes}))


def test_a_card_of_before_there_was_a_check_sum() -> None:
    assert "weights" not in json.loads(CARD.to_json())
    summed = replace(CARD, weights="0-1")
    assert GeneratorCard.from_json(summed.to_json()) == summed


@pytest.mark.parametrize("change", [{"format": 2, "palette": "x"}, {"stream": "philox-2"}, {"palette": "x"}])
def test_a_newer_card(change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="written by a newer ganzoo") as caught:
        GeneratorCard.from_json(json.dumps({**json.loads(CARD.to_json()), **change}))
    assert caught.value.hint == "pip install --upgrade ganzoo"
