import unicodedata

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text
from wcwidth import wcswidth, wcwidth

from strategies import any_text
from triochat.terminals.wrapping import MARK, cells_of, margin_of, wrap
from triochat.text import clean

FAMILY = "👨\u200d👩\u200d👧\u200d👦"

texts = st.one_of(
    any_text,
    st.text(f"{FAMILY}❤\ufe0f👍🏽🇩🇪1\u20e3\u1112\u1161\u11abe\u0301กำ你 \u2800ab", max_size=120),
).map(clean)
"""What can stand in a line, with much whose width nobody agrees about."""


class Terminal(pyte.Screen):
    """A terminal that takes its characters one by one; marks at its right edge stay there."""

    def draw(self, data: str) -> None:
        """Show these characters."""
        for character in data:
            if self.cursor.x < self.columns or wcwidth(character) > 0:
                super().draw(character)


def rows_of(text: str, width: int, start: str = "21:07 Ann> ") -> list[str]:
    """The rows of a line that starts with this."""
    margin = margin_of(cells_of(start), width)
    return [row.plain for row in wrap(Text(start + text), width, margin, len(start))]


def squeezed(text: str) -> str:
    """The characters that are no white space."""
    return "".join(text.split())


@given(texts, st.integers(1, 200))
@example("x http://" + "y" * 50 + " z", 20)
@example("\u2800" * 30 + "12:17 Ann> send it", 24)
@example(FAMILY * 20, 13)
@example("a" + " " * 50, 20)
@example("", 5)
def test_rows_fit_and_lose_nothing(text: str, width: int) -> None:
    """Whatever is wrapped keeps all its characters but spaces; each row fits, after its margin."""
    first, *others = rows_of(text, width)
    assert all(cells_of(row) <= width for row in (first, *others))
    margin = margin_of(11, width)
    assert all(row.startswith(margin) for row in others)
    if width >= 3:
        kept = first + "".join(row[len(margin) :] for row in others)
        assert squeezed(kept) == squeezed(f"21:07 Ann>{text}")


@given(texts, st.integers(3, 120))
@example("https://x.org/" + "\u2800" * 60 + "12:17", 80)
@example("👍🏽" * 60, 80)
def test_a_terminal_shows_the_same_rows(text: str, width: int) -> None:
    """A terminal breaks no row by itself: each stands in one of its own."""
    rows = rows_of(text, width)
    terminal = Terminal(width, len(rows) + 2)
    pyte.Stream(terminal).feed("\r\n".join(rows))
    assert terminal.cursor.y == len(rows) - 1
    for shown, row in zip(terminal.display, rows, strict=False):
        assert shown[:1] == row[:1]


@given(texts)
def test_cells_are_counted_high(text: str) -> None:
    """No text takes more cells than that by the tables of others, whole or one by one."""
    assert cells_of(text) >= max(cell_len(text), wcswidth(text), sum(map(wcwidth, text)))


def test_no_character_is_wider() -> None:
    """Of all characters, none is counted with fewer cells than others count."""
    named = [*range(0x20, 0x7F), *range(0xA0, 0xD800), *range(0xE000, 0x40000)]
    rare = [*range(0xE0000, 0xE1000), *range(0x40000, 0x110000, 0xFF)]
    characters = [*map(chr, named + rare)]
    assert [c for c in characters if cells_of(c) < max(wcwidth(c), cell_len(c))] == []


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("你好", 4),
        ("e\u0301", 1),
        ("❤\ufe0f", 2),
        (FAMILY, 11),
        ("👍🏽", 4),
        ("🇩🇪", 4),
        ("\u1112\u1161\u11ab", 4),
        ("\U0003fffd", 2),
        ("\ue0b0", 2),
    ],
)
def test_the_larger_counts(text: str, cells: int) -> None:
    """Where terminals do not agree, it is the most that any of them takes."""
    assert cells_of(text) == cells


@pytest.mark.parametrize("text", [FAMILY * 9, "e\u0301" * 90, "👍🏽" * 30, "❤\ufe0f" * 50])
def test_what_looks_like_one_is_not_parted(text: str) -> None:
    """A row begins with a character, not with what belongs to the one before it."""
    for row in rows_of(text, 40)[1:]:
        start = row.lstrip()[0]
        assert unicodedata.category(start)[0] not in "MC"
        assert start != "🏽"


def test_a_screen_that_is_too_narrow() -> None:
    """On one or two cells there is only a mark; from three on everything."""
    assert rows_of("hi", 1) == rows_of("hi", 2) == [MARK]
    assert rows_of("你", 3) == ["21:", "|07", "| A", "|nn", "|>", "|你"]
    assert rows_of("one two", 12) == ["21:07 Ann>", "      one", "      two"]
