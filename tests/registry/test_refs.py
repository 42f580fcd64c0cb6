import re

import pytest
from hypothesis import given, strategies as st

from ganzoo_registry import InvalidName, Reference
from ganzoo_registry.refs import check_alias, check_kind, check_name, check_new_name

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("dcgan", Reference("dcgan")),
        ("a", Reference("a")),
        ("wgan-gp:12", Reference("wgan-gp", number=12)),
        ("my_gan.v2@champion", Reference("my_gan.v2", alias="champion")),
        (f"dcgan@{DIGEST}", Reference("dcgan", digest=DIGEST)),
    ],
)
def test_the_four_forms(text: str, reference: Reference) -> None:
    assert Reference.parse(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        *("dcgan:", "dcgan:0", "dcgan:01", "dcgan:-1", "dcgan:latest", "dcgan:1:2", "dcgan:1\n"),
        "dcgan:" + "9" * 5000,
        *("dcgan@sha256", f"dcgan@{DIGEST[:-1]}", f"dcgan@sha256:{'0F' * 32}"),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="is not a reference to a version") as caught:
        Reference.parse(text)
    assert caught.value.hint == "write NAME, NAME:3, NAME@ALIAS or NAME@sha256:<64 hexadecimal digits>"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "DCGAN", "-a", "a-", ".", "..", "a/b", "a b", "é", "a" * 65, "a\n"])
def test_bad_names(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(text)
    assert str(caught.value) == f"{text!r} is not a model name"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("use 1 to 64 of a-z")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "Champion", "a b"])
def test_what_is_no_name_is_no_alias(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_alias(text)
    assert str(caught.value) == f"{text!r} is not an alias"


@pytest.mark.parametrize("text", ["digits.onnx", "a.onnx", "digits.v2.onnx"])
def test_a_new_model_is_not_called_like_a_file(text: str) -> None:
    assert check_name(text) == text  # one from before can be asked for
    with pytest.raises(InvalidName, match=f"{text!r} cannot be a model's name: what ends in .onnx is a file") as caught:
        check_new_name(text)
    assert caught.value.hint == "choose a name without this ending"
    assert check_new_name(text.replace(".onnx", "-onnx")).endswith("-onnx")


@pytest.mark.parametrize("text", ["onnx.bak", "desktop.ini", "a.b", "thumbs.db"])
def test_what_is_attached_has_no_dot_in_its_name(text: str) -> None:
    with pytest.raises(InvalidName, match="is not a kind of attached content") as caught:
        check_kind(text)
    assert caught.value.hint == "use a name without a dot, which files of others have"
    assert check_kind("eval-2c76ead0623f") == "eval-2c76ead0623f"


@pytest.mark.parametrize("text", ["3", "2024", "sha256", "sha256-old"])
def test_an_alias_is_neither_a_number_nor_a_digest(text: str) -> None:
    assert check_name(text) == text
    with pytest.raises(InvalidName, match=f"'{text}' is not an alias") as caught:
        check_alias(text)
    assert caught.value.hint == "an alias has a letter in it and does not start with 'sha256'"
    assert caught.value.exit_code == 2


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9._-]{1,66}[:@][a-z0-9:]{0,70}", fullmatch=True))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidName:
        return
    assert re.fullmatch(r"[a-z0-9._-]{1,64}", reference.name)
    assert sum(part is not None for part in (reference.number, reference.alias, reference.digest)) <= 1


@pytest.mark.parametrize("path", ["runs/net/1", "./net", "/net:1"])
def test_a_path_is_called_one(path: str) -> None:
    with pytest.raises(InvalidName, match="is a path, not a reference") as caught:
        Reference.parse(path)
    assert caught.value.hint is not None
    assert "ganzoo runs ls" in caught.value.hint
