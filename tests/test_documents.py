"""The one parser of JSON and TOML that may come from anywhere: a value, or one exception."""

import contextlib
import json

import pytest
from hypothesis import given, strategies as st

from ganzoo.files import Unreadable, parse_json, parse_object, parse_toml

BAD_JSON = {
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "half a character as an escape": b'{"name": "\\ud800"}',
    "half a character in capitals": b'"\\uD800"',
    "half a character as bytes": b'"\xed\xa0\x80"',
    "half a character in text": '"\ud800"',
    "not UTF-8": b'{"name": "caf\xe9"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "an endless integer": b"9" * 5000,
    "cut": b'{"a": [1, 2',
    "nothing": b"",
    "two values": b"{} {}",
}
BAD_TOML = {
    "deep arrays": b"a = " + b"[" * 100_000,
    "half a character": b'a = "\\ud800"',
    "not UTF-8": b'a = "caf\xe9"',
    "an endless integer": b"a = " + b"9" * 5000,
    "a key twice": b"a = 1\na = 2",
}


@pytest.mark.parametrize("data", BAD_JSON.values(), ids=BAD_JSON)
def test_damaged_json_is_one_exception_of_one_line(data: bytes | str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse_json(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", BAD_TOML.values(), ids=BAD_TOML)
def test_damaged_toml_is_the_same_exception(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        parse_toml(data)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_unreadable(data: bytes) -> None:
    for parse in (parse_json, parse_object, parse_toml):
        with contextlib.suppress(Unreadable):
            parse(data)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each, max_size=3)))
def test_what_json_writes_is_read(value: object) -> None:
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_of_a_toml_file_end_as_on_any_system(end: bytes) -> None:
    lines = (b"a = 1 # one", b"", b"[b]", b'c = """', b'd"""', b"")
    assert parse_toml(end.join(lines)) == {"a": 1, "b": {"c": "d"}}


def test_a_byte_order_mark_is_passed_over_and_a_bound_is_kept() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parse_toml(b"\xef\xbb\xbfa = 1") == {"a": 1}
    with pytest.raises(Unreadable, match="larger than 10 bytes"):
        parse_json(b" " * 11, largest=10)
    with pytest.raises(Unreadable, match="not a JSON object"):
        parse_object(b"[]")
