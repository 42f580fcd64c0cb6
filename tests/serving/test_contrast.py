"""Whether the greys of the pages can be read: WCAG 2.1 asks for a contrast of 4.5:1."""

import re

import pytest

from ganzoo.reporting.style import STYLE
from ganzoo.web import files

_LIGHT, _DARK = "light", "dark"


def _colours(style: str, scheme: str) -> dict[str, str]:
    """The opaque custom colours of a style sheet: those of the light scheme, and what the dark one lays over them."""
    light, *dark = style.split("@media (prefers-color-scheme: dark)")
    blocks = [light, *(text.split("}")[0] for text in dark)] if scheme == _DARK else [light]
    return {k: v for text in blocks for k, v in re.findall(r"--([a-z]+): #((?:[0-9a-f]{3}){1,2})[;\s}]", text)}


def _luminance(colour: str) -> float:
    """Relative luminance of three or six hexadecimal digits (WCAG 2.1)."""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_known_colours() -> None:
    assert _contrast("000", "ffffff") == pytest.approx(21)
    assert _contrast("808080", "fff") == pytest.approx(3.95, abs=0.01)


@pytest.mark.parametrize("scheme", [_LIGHT, _DARK])
@pytest.mark.parametrize("style", [STYLE, files("over_http")["page/style.css"].decode()], ids=["report", "server"])
def test_text_can_be_read(style: str, scheme: str) -> None:
    colours = _colours(style, scheme)
    backgrounds = {"page", "card"} & set(colours)
    assert "page" in backgrounds
    for text in ("text", "dim"):
        for background in backgrounds:
            assert _contrast(colours[text], colours[background]) >= 4.5, (text, background)
