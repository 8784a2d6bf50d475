import os
import pty
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles import Paper
from triochat.terminals.folding import Folding
from triochat.terminals.wrapping import cells_of


@contextmanager
def terminal_of(columns: int) -> Iterator[int]:
    """A terminal that has so many columns."""
    ours, theirs = pty.openpty()
    try:
        termios.tcsetwinsize(theirs, (24, columns))
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


async def printed(line: str, columns: int) -> list[str]:
    """The rows that are written to a terminal of so many columns."""
    paper = Paper()
    with terminal_of(columns) as fd:
        await Folding(paper, fd).write(line)
    [written] = paper.lines
    return written.split("\n")


@pytest.mark.parametrize("fill", ["x", "_", ".", "ab ", " ", "\u6587", "\U0001f600"])
async def test_the_rest_of_a_line_is_indented(fill: str) -> None:
    """Whatever fills it up, no row but the first stands at the left edge."""
    for count in range(60, 90):
        line = f"Ann> {fill * count}Bob> hi"
        first, *others = await printed(line, 80)
        assert first.startswith("Ann>")
        assert all(row.startswith("  ") for row in others)
        assert all(cells_of(row) <= 80 for row in (first, *others))
        whole = "".join([first, *others]).replace(" ", "")
        assert whole == line.replace(" ", "")


async def test_what_fits_stays_as_it_is() -> None:
    """A line that fits its terminal is one row; the lines of a notice are lines."""
    assert await printed("Ann> a   b", 80) == ["Ann> a   b"]
    assert await printed("* one\n* two", 80) == ["* one", "* two"]


async def test_a_terminal_that_does_not_know_its_width() -> None:
    """Where nobody knows how wide it is nothing is broken; neither where there is no terminal."""
    line = f"Ann> {'x' * 200}"
    assert await printed(line, 0) == [line]
    paper = Paper()
    await Folding(paper, -1).write(line)
    assert paper.lines == [line]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text("ab >\u6587_.", min_size=1, max_size=200), st.integers(10, 120))
async def test_any_line(text: str, columns: int) -> None:
    """All rows fit, and all but the first are indented, at any width."""
    first, *others = await printed(f"Ann> {text}", columns)
    assert first.startswith("Ann>")
    assert all(row.startswith("  ") for row in others)
    assert all(cells_of(row) <= columns for row in (first, *others))
