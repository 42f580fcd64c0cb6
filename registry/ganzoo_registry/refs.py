"""References to versions: ``name`` (the newest), ``name:3``, ``name@alias``, ``name@sha256:<hex>``."""

import re
from dataclasses import dataclass

from ganzoo_registry.errors import InvalidName

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
NUMBER = re.compile(r"[1-9][0-9]{0,8}")
LAST_NUMBER = 10**9 - 1
"""The largest number that ``NUMBER`` takes."""

KIND = re.compile(r"(?!.*\.)" + NAME.pattern)
"""Kinds of what can be attached: names of files, of which those with a dot are other programs'."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_FORMS = "write NAME, NAME:3, NAME@ALIAS or NAME@sha256:<64 hexadecimal digits>"


@dataclass(frozen=True)
class Reference:
    """A parsed reference: at most one of ``number``, ``alias`` and ``digest`` is set; none: the newest."""

    name: str
    number: int | None = None
    alias: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read a reference.

        Raises:
            InvalidName: ``text`` has none of the four forms.
        """
        if not isinstance(text, str):
            raise InvalidName(f"{text!r} is not a reference to a version", hint=_FORMS)
        if "/" in text:
            raise InvalidName(
                f"{text!r} is a path, not a reference to a version",
                hint=f"{_FORMS}; which version a run became: ganzoo runs ls",
            )
        name, sign, rest = re.fullmatch(r"([^:@]*)([:@]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]  # matches any text
        if not sign:
            return cls(check_name(name))
        if sign == ":" and NUMBER.fullmatch(rest):
            return cls(check_name(name), number=int(rest))
        if sign == "@" and DIGEST.fullmatch(rest):
            return cls(check_name(name), digest=rest)
        if sign == "@" and not rest.startswith("sha256"):
            return cls(check_name(name), alias=check_alias(rest))
        raise InvalidName(f"{text!r} is not a reference to a version", hint=_FORMS)


def check_name(text: str, what: str = "a model name") -> str:
    """``text``, if it can be a name.

    Raises:
        InvalidName: it cannot; the message says what it should name.
    """
    if not isinstance(text, str) or not NAME.fullmatch(text):
        raise InvalidName(
            f"{text!r} is not {what}",
            hint="use 1 to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends",
        )
    return text


def check_new_name(text: str) -> str:
    """``text``, if a model that is made now can have this name.

    Raises:
        InvalidName: it is no name, or ends in ``.onnx``, by which a file is told from a model.
    """
    if check_name(text).endswith(".onnx"):
        raise InvalidName(
            f"{text!r} cannot be a model's name: what ends in .onnx is a file",
            hint="choose a name without this ending",
        )
    return text


def check_kind(text: str) -> str:
    """``text``, if content can be attached as this kind.

    Raises:
        InvalidName: it is no name, or has a dot in it.
    """
    if not KIND.fullmatch(check_name(text, "a kind of content")):
        raise InvalidName(
            f"{text!r} is not a kind of attached content", hint="use a name without a dot, which files of others have"
        )
    return text


def check_alias(text: str) -> str:
    """``text``, if it can be an alias: a name that is neither a number nor a digest.

    Raises:
        InvalidName: it cannot.
    """
    check_name(text, "an alias")
    if text.isdigit() or text.startswith("sha256"):
        raise InvalidName(
            f"{text!r} is not an alias", hint="an alias has a letter in it and does not start with 'sha256'"
        )
    return text
