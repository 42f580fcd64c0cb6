"""Tables and listings in text, as wide as the terminal that shows them; elsewhere as wide as they are."""

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

from ganzoo.cli.output import columns, in_line
from ganzoo.cli.stage import data_stream

GAP = "  "
LEAST, LEAST_OF_THE_LAST = 16, 24
"""Characters to which the cells of a column are narrowed at least."""


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, dispensable: Sequence[str] = ()) -> str:
    """Aligned columns under a header; just the header where there are no rows.

    On a terminal that is too narrow, the widest cells are broken into lines; where that is not enough, columns are left
    out; and at last each row becomes a block of lines, a line a cell.

    Args:
        dispensable: names of columns that are left out, the first ones first.
    """
    lines = [list(header), *([in_line(str(cell)) for cell in row] for row in rows)]
    width = columns(data_stream())
    shown = list(range(len(header)))
    for name in (*dispensable, None):
        widths = _widths([[line[index] for index in shown] for line in lines], width)
        if widths is not None:
            return "\n".join(text for line in lines for text in _row([line[index] for index in shown], widths))
        shown = [index for index in shown if header[index] != name]
    return "\n\n".join(listing(zip(header, row, strict=True)) for row in lines[1:])


def listing(rows: Iterable[tuple[Any, Any]]) -> str:
    """Names and what each of them is, a line each."""
    lines = [[in_line(str(cell)) for cell in row] for row in rows]
    if not lines:
        return ""
    widths = _widths(lines, columns(data_stream())) or [max(len(name) for name, _ in lines), LEAST_OF_THE_LAST]
    return "\n".join(text for line in lines for text in _row(line, widths))


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The lines that a row takes."""
    broken = [_lines(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return [
        GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*broken, fillvalue="")
    ]


def _lines(cell: str, width: int) -> list[str]:
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)


def _widths(lines: Sequence[Sequence[str]], width: int | None) -> list[int] | None:
    """How wide each column is, the widest ones as narrow as it takes to fit; None: they do not fit.

    Words stay whole but for those of the last column, where summaries, digests and paths are.
    """
    texts = list(zip(*lines, strict=True))
    natural = [max(map(len, text)) for text in texts]
    gaps = len(GAP) * (len(natural) - 1)
    if width is None or sum(natural) + gaps <= width:
        return natural
    longest = [max(len(word) for cell in text for word in [*cell.split(), ""]) for text in texts]
    least = [*(max(LEAST, word) for word in longest[:-1]), LEAST_OF_THE_LAST]
    fitting = (_capped(natural, least, cap) for cap in range(max(natural), -1, -1))
    return next((widths for widths in fitting if sum(widths) + gaps <= width), None)


def _capped(natural: Sequence[int], least: Sequence[int], cap: int) -> list[int]:
    return [min(wide, max(low, cap)) for wide, low in zip(natural, least, strict=True)]
