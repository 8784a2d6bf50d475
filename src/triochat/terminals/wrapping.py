"""Lines to rows: how many cells a text may take, and where it is broken. Pure.

A terminal goes on at its left edge with what does not fit, and there a text can look like a line of
its own, by whomever it likes. So nothing is left to the terminal to break: every row fits, whatever
is in it, and every row but a line's first starts with a margin.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len
from rich.text import Text
from wcwidth import wcwidth

MARK = "|"
"""Starts the rows of a line where the screen is too narrow for an indent."""

_INDENT = 6  # cells: a time and a space
_NARROW = 3  # cells: the mark and a wide character
_WORD = re.compile(r"\S+")
_JOINER = "\u200d"
_WIDENS = "\ufe0f"  # asks for the wide, coloured shape of the character before it


def cells_of(text: str) -> int:
    """The most cells that a terminal may give this text.

    Terminals do not agree: a family of emoji is one picture here, and four in a row there.
    """
    return len(text) if text.isascii() else sum(map(_cells, text))


@lru_cache(1 << 14)
def _cells(character: str) -> int:
    category = unicodedata.category(character)
    if (
        unicodedata.east_asian_width(character) in "WF"
        or category in ("Cn", "Co")  # newer than this Python, or anybody's own
        or 0x1F000 <= ord(character) < 0x1FC00  # pictures, and the letters that make flags
    ):
        return 2
    is_mark = category in ("Mn", "Me") and character != _WIDENS
    return max(cell_len(character), wcwidth(character), 0 if is_mark else 1)


def margin_of(indent: int, width: int) -> str:
    """What the rows below the first start with: this indent, or a smaller one that leaves room."""
    if indent > width // 2:
        indent = _INDENT
    return " " * indent if indent <= width // 2 else MARK


def cut(text: str, width: int) -> str:
    """As much of this as fits in so many cells; where that is not all it ends in dots."""
    short = text[:width]
    if short == text and cells_of(text) <= width:
        return text
    while short and cells_of(short) >= width:
        short = short[:-1]
    return f"{short}…"


def wrap(text: Text, width: int, margin: str, start: int = 0) -> list[Text]:
    """Break a line between words, and a word that is wider than a row wherever it must be.

    Args:
        text: one line.
        width: of the screen, in cells; on less than three it is shown only that there is a line.
        margin: see `margin_of`.
        start: so many characters at the beginning are ours, and the text stands beside them.
    """
    if width < _NARROW:
        return [Text(MARK[:width])]
    if cells_of(text.plain) <= width:
        return [text]
    text.rstrip()
    breaks = _breaks(text.plain, width, width - len(margin), start)
    rows = text.divide(list(breaks))
    for row in rows:
        row.rstrip()
    return [Text(margin) + row if index else row for index, row in enumerate(rows)]


def _breaks(plain: str, room: int, width: int, start: int) -> Iterator[int]:
    """Where the rows after the first begin, which has room for so many cells."""
    end = 0
    head = len(plain[:start].rstrip())
    words = [(0, head), *(found.span() for found in _WORD.finditer(plain, head))]
    for number, (begin, stop) in enumerate(words):
        cells = cells_of(plain[begin:stop])
        room -= cells_of(plain[end:begin])
        end = stop
        if cells <= room:
            room -= cells
            continue
        if number > 1 or (number and cells <= width):  # the first must be broken anyway
            yield begin
            room = width
        for place, size in _clusters(plain, begin, stop, width):
            if size > room:
                yield place
                room = width
            room -= size


def _clusters(plain: str, start: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """What is one character to its reader, if it has at most so many cells: where, how many."""
    first, cells = start, 0
    for place in range(start, end):
        character = plain[place]
        is_part = (
            unicodedata.category(character)[0] == "M"
            or character == _JOINER
            or "\U0001f3fb" <= character <= "\U0001f3ff"  # the colours of skin
            or (place > start and plain[place - 1] == _JOINER)
        )
        more = _cells(character)
        if place > first and (not is_part or cells + more > most):
            yield first, cells
            first, cells = place, 0
        cells += more
    yield first, cells
