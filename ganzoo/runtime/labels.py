"""What a label means: the one way from what was typed to the index of a class, for Python, command line and HTTP."""

import difflib
import operator
import re
import unicodedata
from collections.abc import Sequence

from ganzoo.errors import UsageError

ALL = "all"
"""What stands for every class, unless one is called so."""

_SHOWN = 10


def find_class(label: int | str, class_names: Sequence[str], model: str) -> int:
    """The index of a class, given by its name or by its index; a number and its digits, 3 and ``"3"``, mean the same.

    A name counts before an index, and an index never stands for a class that is called by a number: of the classes
    ``1``, ``2`` and ``3``, 1 is the first one and 0 is none. Names are compared composed (NFC), so that it does not
    matter which machine wrote an accent.

    Args:
        label: what was typed.
        class_names: the names of all classes, by index.
        model: names the model in messages.

    Raises:
        UsageError: there is no such class, or there are no classes at all.
    """
    if not class_names:
        raise UsageError(f"{model} takes no labels", hint="leave the label out")
    text = _text(label)
    if text is not None:
        if text in class_names:
            return class_names.index(text)
        alike = [index for index, name in enumerate(class_names) if composed(name) == composed(text)]
        if len(alike) == 1:
            return alike[0]
        # `int` alone would also take "1_0" and other scripts' digits.
        index = int(text) if re.fullmatch("[0-9]{1,9}", text) else len(class_names)
        if index < len(class_names) and not _is_number(class_names[index]):
            return index
    raise UsageError(f"{model} has no class {label!r}", hint=_hint(str(label), class_names))


def find_classes(labels: str, class_names: Sequence[str], model: str) -> list[int]:
    """The indices of several classes, once each: ``all``, or some with commas between; see ``find_class``.

    A class that is called so, comma and all, comes first.

    Raises:
        UsageError: there is no such class, or there are no classes at all.
    """
    if labels in class_names or not class_names:
        return [find_class(labels, class_names, model)]
    if labels == ALL:
        return list(range(len(class_names)))
    each = (label if label in class_names else label.strip() for label in labels.split(","))
    return list(dict.fromkeys(find_class(label, class_names, model) for label in each))


def composed(name: str) -> str:
    """A name in the one of its spellings that is compared (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name)


def _text(label: object) -> str | None:
    """A name as it is, and a Python or NumPy integer in digits; None: it is neither."""
    if isinstance(label, str):
        return label
    if isinstance(label, bool):  # True would pass for 1
        return None
    try:
        return str(operator.index(label))  # type: ignore[arg-type]
    except TypeError:
        return None


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _hint(label: str, class_names: Sequence[str]) -> str:
    close = [] if label.isdecimal() else difflib.get_close_matches(label, class_names, n=1)
    if close:
        return f"did you mean '{_printable(close[0])}'?"
    numbered = any(map(_is_number, class_names))
    names = list(map(_printable, class_names[:_SHOWN]))
    shown = ", ".join(names if numbered else [f"{index} ({name})" for index, name in enumerate(names)])
    more = ", …" if numbered else f", … {len(class_names) - 1}"
    return f"choose {'a name' if numbered else 'an index or a name'}: {shown}" + more * (len(class_names) > _SHOWN)


def _printable(name: str) -> str:
    """A name without control characters; a backslash stays one, as it is typed."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in name)
