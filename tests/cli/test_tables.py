"""Tables on terminals of any width."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, strategies as st
from terminal import terminal

from ganzoo.cli.output import print_data
from ganzoo.cli.tables import listing, table

Row = tuple[str, ...]

HEADER = ("NAME", "LOSS", "PIXELS", "SUMMARY")
ROWS = [("sngan", "hinge", "8, 16, 32, 64, 128, 256", "spectrally normalised GAN, for images of every size")]


def on(columns: int, header: Row = HEADER, rows: Sequence[Row] = ROWS, dispensable: Row = ()) -> list[str]:
    with terminal(columns) as made:
        print_data(table(header, rows, dispensable=dispensable))
    assert made.wraps() == []
    return made.lines()


def test_one_that_fits_is_as_it_is_elsewhere() -> None:
    assert on(200) == table(HEADER, ROWS).splitlines()


def test_the_widest_cells_are_broken() -> None:
    assert on(72) == [
        "NAME   LOSS   PIXELS                   SUMMARY",
        "sngan  hinge  8, 16, 32, 64, 128, 256  spectrally normalised GAN, for",
        "                                       images of every size",
    ]


def test_columns_that_can_be_spared_are_left_out() -> None:
    assert on(44, dispensable=("PIXELS",))[0].split() == ["NAME", "LOSS", "SUMMARY"]
    assert on(200, dispensable=("PIXELS",))[0].split() == list(HEADER)


def test_where_nothing_fits_a_row_is_a_block() -> None:
    assert on(36)[:3] == ["NAME     sngan", "LOSS     hinge", "PIXELS   8, 16, 32, 64, 128, 256"]


def test_long_words_are_broken_in_the_last_column_alone() -> None:
    lines = on(40, ("KIND", "DIGEST"), [("generator", "sha256:" + 64 * "a")])
    assert [len(line) for line in lines[1:]] == [40, 40, 24]
    assert all(line.startswith(("generator", " " * 11)) for line in lines[1:])


WORDS = st.text("ab c", max_size=60).map(str.strip)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4), st.integers(40, 120))
def test_no_line_is_wider_and_no_word_is_lost(rows: list[tuple[str, ...]], columns: int) -> None:
    with terminal(columns) as made:
        print_data(table(("A", "B", "C"), rows))
    assert made.wraps() == []
    letters = Counter("".join("".join(row) for row in rows))
    assert all(Counter("".join(made.lines()))[letter] == letters[letter] for letter in "abc")


def test_a_listing_is_broken_too() -> None:
    with terminal(40) as made:
        print_data(listing([("where", "/a/path/that/is/longer/than/a/terminal"), ("what", "words and more words")]))
    assert made.wraps() == []
    assert made.lines()[0] == "where  /a/path/that/is/longer/than/a/ter"
