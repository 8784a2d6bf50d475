"""How what is past looks: on the screen, and at a terminal that only prints."""

import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from doubles import Paper
from strategies import any_text, events
from test_screen import FORGED, said
from triochat.messages import (
    Event,
    Joined,
    Left,
    Moderated,
    Notice,
    Recalled,
    Refused,
    Removed,
    Renamed,
    Said,
    Say,
    Whispered,
)
from triochat.terminal import View
from triochat.terminals.screen import BAR, Screen
from triochat.terminals.shown import Shown
from triochat.terminals.teletype import Teletype, open_teletype
from triochat.terminals.wrapping import cells_of
from triochat.words import stamp_of

NOW = datetime(2026, 1, 2, 21, 7, tzinfo=UTC)
TODAY = "2026-01-02T20:{:02}:00Z"
YESTERDAY = "2026-01-01T20:{:02}:00Z"
CONSOLE = Console()
AWAY = Notice("2 messages while you were away, 20:01 to 20:02")


def past(*happened: Event, me: str = "Bob") -> list[Shown]:
    """This, as it is told again."""
    return [Shown(event, me, is_past=True) for event in happened]


def new(*happened: Event, me: str = "Bob") -> list[Shown]:
    """This, as it happens."""
    return [Shown(event, me) for event in happened]


def draw(*shown: Shown, width: int = 80, screen: Screen | None = None) -> list[str]:
    """The rows of a screen for this, without styles."""
    return [row.plain for row in (screen or Screen(UTC)).draw(shown, NOW, width)]


def dim(row: Text) -> str:
    """The characters of a row that are dim."""
    looks = [row.get_style_at_offset(CONSOLE, place) for place in range(len(row))]
    return "".join(one for one, look in zip(row.plain, looks, strict=True) if look.dim)


def is_something(event: Event) -> bool:
    """Whether this can be past; that nothing was found is new."""
    return not isinstance(event, Recalled) or bool(event.messages)


def test_what_is_past_has_a_bar_and_stands_between_rules() -> None:
    """It is told from what is new by signs alone, in the columns in which what is new stands."""
    shown = [
        *new(Notice("hello")),
        *past(said("a", at=TODAY.format(1)), said("b", at=TODAY.format(2))),
        *new(said("c"), said("d")),
    ]
    assert draw(*shown) == [
        "21:07 * hello",
        "──────── earlier",
        "20:01│Ann> a",
        "20:02│Ann> b",
        "──────── now",
        "21:07 Ann> c",
        "21:07 Ann> d",
    ]
    screen = Screen(UTC)
    assert [row for one in shown for row in draw(one, screen=screen)] == draw(*shown), "in batches"


def test_what_hangs_under_it_has_the_bar_too() -> None:
    """A long message is past in each of its rows."""
    words = said("The quick brown fox jumps over the lazy dog, and so on", at=TODAY.format(1))
    assert draw(*past(words), width=40)[1:] == [
        "20:01│Ann> The quick brown fox jumps",
        "     │     over the lazy dog, and so on",
    ]
    assert draw(*past(words), width=20)[1:3] == ["20:01│Ann> The quick", "     │brown fox"]


def test_the_day_is_said_where_it_changes() -> None:
    """In the rules, where there is one; and of the first that is told, if it is not today."""
    night = said("c", at="2026-01-02T00:00:00Z")
    shown = [*past(said("a", at=YESTERDAY.format(1)), said("b", at=YESTERDAY.format(2)), night)]
    assert draw(*shown, *new(said("d"))) == [
        "──────── earlier, Thursday 1 January 2026",
        "20:01│Ann> a",
        "20:02│Ann> b",
        "──────── Friday 2 January 2026",
        "00:00│Ann> c",
        "──────── now",
        "21:07 Ann> d",
    ]
    assert draw(*shown[:1], *new(said("d")))[2] == "──────── now, Friday 2 January 2026"


def test_times_are_the_readers() -> None:
    """Whatever happened has the time when it did, in the zone of who reads it."""
    at = TODAY.format(30)
    happened: list[Event] = [
        Whispered(1, at, "Ann", "Bob", "psst"),
        Joined("Cid", 2, at),
        Renamed("Cid", "Sid", 3, at),
        Left("Sid", "quit", 4, at),
        Moderated("Sid was banned", 5, at),
        Refused("no", "no", 6),  # it has none, and stands where it stood
    ]
    screen = Screen(timezone(timedelta(hours=5, minutes=30)))
    rows = draw(*past(*happened), screen=screen)
    assert [row[:6] for row in rows[1:]] == [f"02:00{BAR}"] * 6


def test_a_heading() -> None:
    """A notice that is past says what follows, in the rule."""
    rows = draw(*past(AWAY, said("a", at=TODAY.format(1))), *new(said("b")))
    assert rows == [
        f"──────── {AWAY.text}",
        "20:01│Ann> a",
        "──────── now",
        "21:07 Ann> b",
    ]


def test_nobody_is_folded_into_what_is_new() -> None:
    """Comings and goings in a row are one line, on either side of the rule."""
    before = [Joined(f"g{number}", number, TODAY.format(number)) for number in range(4)]
    rows = draw(*past(*before), *new(*[Left(f"g{number}", "quit") for number in range(4)]))
    assert rows == [
        "──────── earlier",
        "20:03│* g0, g1, g2, g3 joined",
        "──────── now",
        "21:07 * g0, g1, g2, g3 left",
    ]


def test_what_is_past_is_dim_but_for_the_handles_and_what_is_meant() -> None:
    """The eye finds who said what, and oneself; the colour of a handle is the same, and plain."""
    screen = Screen(UTC)
    [_, row, hanging] = screen.draw(past(said("hi Bob, " + "x" * 65)), NOW, 80)
    looks = [row.get_style_at_offset(CONSOLE, place) for place in range(len(row))]
    assert dim(row).replace(" ", "") == f"21:07{BAR}hiBob,"
    assert all(look.color == screen.style("Ann").color and not look.bold for look in looks[6:10])
    assert dim(hanging) == hanging.plain
    assert looks[row.plain.index("Bob")].reverse


@given(events(any_text).filter(is_something), st.integers(1, 200))
@example(said(FORGED), 80)
@example(said(FORGED), 13)
def test_nothing_past_stands_at_the_left_edge(event: Event, width: int) -> None:
    """Each row fits; what is ours is a rule, a time, or a margin with the bar, and nothing else."""
    rows = draw(*past(event), width=width)
    assert all(cells_of(row) <= width for row in rows)
    for row in filter(None, rows):
        assert width >= 12 or row[0] in "2─|"
        assert (
            width < 12 or row[:6] == f"21:07{BAR}" or row[:6] in ("──────", "      ", f"     {BAR}")
        )


# ---- what was asked for


def test_what_was_recalled_is_past() -> None:
    """It is told below its heading, with the ids by which it can be forgotten."""
    found = Recalled((Said(7, TODAY.format(1), "Ann", "a"), said("b", at=TODAY.format(2))))
    heading, *rows = draw(*new(said("before")), *new(found), *new(said("c")))[1:]
    assert heading.startswith("──────── 2 earlier messages")
    assert rows == ["20:01│#7 Ann> a", "20:02│#1 Ann> b", "──────── now", "21:07 Ann> c"]
    twice = draw(*new(found), *new(found))
    assert [row for row in twice if row.startswith("─")] == [heading] * 2


def test_nothing_was_found() -> None:
    """Then that is said, as what is new."""
    assert draw(*new(Recalled(()))) == ["21:07 * nothing earlier was found"]


def test_what_was_removed_is_told() -> None:
    """In a dim line, with the room's words."""
    removed = Removed((1, 2), "2 messages were removed", 9, TODAY.format(9))
    [row] = Screen(UTC).draw(new(removed), NOW, 80)
    assert row.plain == "20:09 * 2 messages were removed"
    assert "2 messages" in dim(row)


# ---- on paper


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (said("hi", at=YESTERDAY.format(1)), "* earlier: [2026-01-01 20:01] Ann> hi"),
        (Whispered(1, "", "Bob", "Ann", "psst"), "* earlier: [you -> Ann] psst"),
        (Refused("no", "no"), "* earlier: ! no"),
        (AWAY, f"* {AWAY.text}"),
    ],
)
async def test_what_is_past_on_paper(
    event: Event, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where lines are only printed each says that it is past, and when it was."""
    monkeypatch.setattr("triochat.terminals.teletype.stamp_of", lambda at: stamp_of(at, NOW))
    paper = Paper()
    teletype = Teletype(0, paper)
    await teletype.show(event, "Bob", is_past=True)
    await teletype.show(event, "Bob")
    assert paper.lines[0] == line
    assert not paper.lines[1].startswith("* earlier")


# ---- on paper, what is not confirmed yet


async def test_a_line_that_is_not_confirmed_for_long_is_told_once() -> None:
    """With what is wrong; not when all is well, nor again, nor when the person leaves."""
    paper, said = Paper(), (Say("a"), Say("b"))
    read_end, write_end = os.pipe()
    late = View(handle="Bob", state="no answer for 5 s", unconfirmed=said)
    async with open_teletype(read_end, paper) as teletype:
        for view in (
            View(unconfirmed=said),
            View(state="no answer for 5 s"),
            late._replace(holds="the chat is over"),
            late,
            late._replace(state="no answer for 6 s"),
            View(),
            late._replace(unconfirmed=said[:1]),
        ):
            teletype.update(view)
            await trio.testing.wait_all_tasks_blocked()
    os.close(read_end)
    os.close(write_end)
    assert paper.lines == [
        "* no answer for 5 s; 2 lines are not confirmed yet",
        "* no answer for 5 s; a line is not confirmed yet",
    ]
