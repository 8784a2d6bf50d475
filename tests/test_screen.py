import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from strategies import any_text, events
from triochat.messages import (
    Closing,
    Event,
    Joined,
    Left,
    Notice,
    Pong,
    Refused,
    Renamed,
    Roster,
    Said,
    Welcome,
    Whispered,
)
from triochat.terminals.screen import FOLD, Screen, Shown, mentions, rings, wrap
from triochat.text import clean
from triochat.words import words_of

NOW = datetime(2026, 1, 2, 21, 7, tzinfo=UTC)
AT = "2026-01-02T21:07:04.678Z"
URL = re.compile(r"\w+://\S")


def said(text: str, handle: str = "Ann", at: str = AT) -> Said:
    """A message to everybody."""
    return Said(1, at, handle, text)


def draw(*happened: Event, me: str = "Bob", width: int = 80, screen: Screen | None = None) -> str:
    """What a screen shows for these events, without styles."""
    screen = screen or Screen(UTC)
    lines = screen.draw([Shown(event, me) for event in happened], NOW, width)
    return "\n".join(line.plain for line in lines)


def styles(line: Text) -> list[tuple[str, str]]:
    """The pieces of a line that have a style, with it."""
    return [(line.plain[span.start : span.end], str(span.style)) for span in line.spans]


def draw_one(event: Event, me: str = "Bob") -> Text:
    """The only line of an event."""
    [line] = Screen(UTC).draw([Shown(event, me)], NOW, 200)
    return line


# ---- times and days


@pytest.mark.parametrize(
    ("hours", "minutes", "shown"),
    [(0, 0, "21:07"), (1, 0, "22:07"), (-5, 0, "16:07"), (5, 30, "02:37"), (14, 0, "11:07")],
)
def test_times_are_told_in_the_readers_zone(hours: int, minutes: int, shown: str) -> None:
    """A message has the time when it was said, in the zone of who reads it."""
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    assert draw(said("hi"), screen=Screen(zone)) == f"{shown} Ann> hi"


def test_the_local_zone() -> None:
    """Where no zone is named, it is the machine's."""
    local = datetime.fromisoformat(AT).astimezone()
    assert draw(said("hi"), screen=Screen()) == f"{local:%H:%M} Ann> hi"


def test_what_has_no_time_has_the_readers() -> None:
    """A notice has the time when it is drawn."""
    assert draw(Notice("hm")) == "21:07 * hm"


@pytest.mark.parametrize("at", ["", "yesterday", "2026-13-01T00:00:00Z", "\x1b[2J", "9" * 99])
def test_a_time_that_is_none(at: str) -> None:
    """A server that cannot tell the time does not stop the reading."""
    assert draw(said("hi", at=at), screen=Screen(UTC)) == "21:07 Ann> hi"


def test_a_line_for_each_new_day() -> None:
    """When the reader's date changes a line says which day it is; none before the first."""
    screen = Screen(timezone(timedelta(hours=1)))
    before, after = "2026-01-02T22:59:59.000Z", "2026-01-02T23:00:00.000Z"
    assert draw(said("a", at=before), screen=screen) == "23:59 Ann> a"
    assert draw(said("b", at=after), said("c", at=after), screen=screen).split("\n") == [
        "──────── Saturday 3 January 2026",
        "00:00 Ann> b",
        "00:00 Ann> c",
    ]


# ---- lines that do not fit


LONG = "The quick brown fox jumps over the lazy dog, and then it does so again, and again."


def test_a_hanging_indent() -> None:
    """What does not fit hangs under the text, not under the handle."""
    assert draw(said(LONG)).split("\n") == [
        "21:07 Ann> The quick brown fox jumps over the lazy dog, and then it does so",
        "           again, and again.",
    ]
    assert draw(said(LONG), width=40).split("\n") == [
        "21:07 Ann> The quick brown fox jumps",
        "           over the lazy dog, and then",
        "           it does so again, and again.",
    ]


def test_a_hanging_indent_of_other_lines() -> None:
    """Whispers, notices and refusals hang in the same way."""
    whisper = Whispered(1, AT, "Ann", "Bob", LONG)
    assert draw(whisper, width=60).split("\n") == [
        "21:07 [Ann -> you] The quick brown fox jumps over the lazy",
        "                   dog, and then it does so again, and",
        "                   again.",
    ]
    assert draw(Notice(LONG), width=60).split("\n")[1].startswith("        t")
    assert draw(Refused("no", LONG), width=60).split("\n")[1].startswith("        t")


def test_a_narrow_screen_has_a_small_indent() -> None:
    """Where the handle would take more than half of the screen, the text hangs under the time."""
    whisper = Whispered(1, AT, "0123456789", "Bob", "one two three four five six")
    assert draw(whisper, width=40).split("\n") == [
        "21:07 [0123456789 -> you] one two three",
        "      four five six",
    ]
    assert draw(said("one two three four five six"), width=20).split("\n") == [
        "21:07 Ann> one two",
        "three four five six",
    ]


def test_a_notice_of_several_lines() -> None:
    """Each line of a notice stands under the first."""
    assert draw(Notice("one\ntwo\n three")).split("\n") == [
        "21:07 * one",
        "        two",
        "         three",
    ]


def test_wide_characters_count_two_cells() -> None:
    """Where a line is broken depends on cells, not on characters."""
    text = "你好" * 20
    lines = draw(said(text), width=40).split("\n")
    assert [cell_len(line) for line in lines] == [39, 39, 35]
    assert "".join(line[11:] for line in lines) == text


def test_emoji_count_two_cells() -> None:
    """A row of emoji is broken between them."""
    lines = draw(said("🎉" * 30), width=40).split("\n")
    assert [line[11:] for line in lines] == ["🎉" * 14, "🎉" * 14, "🎉" * 2]


def test_long_words_are_broken() -> None:
    """A word that is wider than the line is broken where it must, and nothing of it is lost."""
    lines = draw(said("a " + "x" * 60 + " b"), width=40).split("\n")
    assert [line[11:] for line in lines] == ["a", "x" * 29, "x" * 29, "xx b"]


@pytest.mark.parametrize("width", [40, 80])
def test_urls_stay_whole(width: int) -> None:
    """A URL stands on one line of its own however long it is, to be clicked."""
    url = "https://example.com/" + "path/" * 20
    lines = draw(said(f"see {url} there"), width=width).split("\n")
    assert lines == ["21:07 Ann> see", " " * 11 + url, " " * 11 + "there"]


def test_short_urls_are_words() -> None:
    """A URL that fits stands where it is."""
    assert draw(said("see http://x.org/ there")) == "21:07 Ann> see http://x.org/ there"


def test_spaces_stay() -> None:
    """What is aligned by spaces stays so."""
    assert draw(said("a   b")) == "21:07 Ann> a   b"


def joined(lines: Sequence[Text]) -> str:
    """The characters of these lines that are no white space."""
    return "".join("".join(line.plain.split()) for line in lines)


@given(any_text.map(clean), st.integers(1, 90), st.integers(1, 90))
@example("x http://" + "y" * 50 + " z", 10, 10)
@example("你 " * 9, 5, 4)
@example("x" * 20 + " more", 14, 34)
def test_wrapping_loses_nothing(text: str, first: int, width: int) -> None:
    """Whatever is wrapped keeps all its characters but spaces, and no line is too wide."""
    lines = wrap(Text(text), first, width)
    assert joined(lines) == "".join(text.split())
    for index, line in enumerate(lines):
        fits = cell_len(line.plain.rstrip()) <= (width if index else first)
        one_wide = sum(cell_len(character) > 0 for character in line.plain.strip()) <= 1
        assert fits or one_wide or URL.match(line.plain.lstrip()), (text, line.plain)


@given(events(any_text), any_text, st.integers(1, 200))
def test_any_event_can_be_drawn(event: Event, me: str, width: int) -> None:
    """No event, reader or width makes a screen raise, and nothing is drawn that is not clean."""
    for line in Screen(UTC).draw([Shown(event, me)], NOW, width):
        assert "\n" not in line.plain
        assert not any(unicodedata.category(character) == "Cc" for character in line.plain)


# ---- what is what


ALL: list[tuple[Event, str]] = [
    (said("hi"), "21:07 Ann> hi"),
    (Whispered(1, AT, "Ann", "Bob", "hi"), "21:07 [Ann -> you] hi"),
    (Whispered(1, AT, "Bob", "Ann", "hi"), "21:07 [you -> Ann] hi"),
    (Refused("no", "hi"), "21:07 ! hi"),
    (Notice("hi"), "21:07 * hi"),
    (Joined("Ann"), "21:07 * Ann joined"),
    (Left("Ann", "quit"), "21:07 * Ann left"),
    (Left("Ann", "kicked: x"), "21:07 * Ann left (kicked: x)"),
    (Renamed("Ann", "Zoe"), "21:07 * Ann is now Zoe"),
    (Roster(("Ann", "Bob")), "21:07 * 2 here: Ann, Bob"),
    (
        Welcome("Bob", "Server", ("Bob",)),
        "21:07 * Server connected. You are Bob. 1 here: Bob",
    ),
    (Closing("x"), "21:07 * Server closed the connection: x"),
    (Pong(), "21:07 * pong"),
]


@pytest.mark.parametrize(("event", "line"), ALL)
def test_what_is_what_without_colour(event: Event, line: str) -> None:
    """Messages, whispers, notices and refusals are told apart by their signs alone."""
    assert draw(event) == line
    assert draw(event)[6:] == words_of(event, "Bob")


def test_styles() -> None:
    """The time is dim; a handle, a whisper, a notice and a refusal each have their own look."""
    screen = Screen(UTC)
    [line] = screen.draw([Shown(said("hi"), "Bob")], NOW, 80)
    assert styles(line) == [("21:07 ", "dim"), ("Ann>", str(screen.style("Ann")))]
    looks = [styles(draw_one(event))[1][1] for event, _ in ALL[1:5]]
    assert looks == ["bold magenta", "bold magenta", "bold red", "cyan"]


@pytest.mark.parametrize(
    "text", ["[red]x[/red]", "[/]", ":smile:", "[link=http://x]y[/link]", "[@click=q]", "\\[b]"]
)
def test_nothing_is_markup(text: str) -> None:
    """What rich would take for markup, a link or an emoji is shown as it was typed."""
    for event in (
        said(text),
        Whispered(1, AT, "Ann", "Bob", text),
        Notice(text),
        Refused("", text),
    ):
        assert draw(event).endswith(f" {text}")
    assert draw(said("x", handle=text)) == f"21:07 {text}> x"
    [line] = Screen(UTC).draw([Shown(said(text), "Bob")], NOW, 80)
    assert [piece for piece, _ in styles(line)] == ["21:07 ", "Ann>"]


# ---- comings and goings


def test_few_comings_and_goings_are_told_one_by_one() -> None:
    """Three in a row have a line each."""
    assert FOLD == 4
    assert draw(Joined("A"), Left("A", "quit"), Joined("B")).split("\n") == [
        "21:07 * A joined",
        "21:07 * A left",
        "21:07 * B joined",
    ]


def test_many_comings_and_goings_are_one_line() -> None:
    """Four and more in a row are one line, with what they come to."""
    crowd: list[Event] = [Joined("A"), Joined("B"), Left("C", "connection lost"), Joined("D")]
    assert draw(*crowd) == "21:07 * A, B, D joined; C left"


def test_a_crowd_is_counted() -> None:
    """Of very many the first eight are named."""
    names = ", ".join(f"g{number}" for number in range(8))
    crowd = [Left(f"g{number}", "quit") for number in range(100)]
    assert draw(*crowd, width=200) == f"21:07 * {names} and 92 others left"


def test_what_is_said_parts_the_comings() -> None:
    """Only what comes in a row is folded: nothing that was said changes its place."""
    crowd = [Joined(f"g{number}") for number in range(4)]
    assert draw(*crowd[:2], said("hi"), *crowd[2:], *crowd).split("\n") == [
        "21:07 * g0 joined",
        "21:07 * g1 joined",
        "21:07 Ann> hi",
        "21:07 * g2, g3, g0, g1, g2, g3 joined",
    ]


# ---- mentions and the bell


@pytest.mark.parametrize(
    ("text", "is_mention"),
    [
        ("Bob", True),
        ("hi bob!", True),
        ("BOB: x", True),
        ("(bob)", True),
        ("@bob", True),
        ("bob, bob", True),
        ("Bobby", False),
        ("kebob", False),
        ("bob_", False),
        ("a-bob", False),
        ("bob-a", False),
        ("www.bob", False),
        ("bob.", True),
        ("", False),
    ],
)
def test_mentions(text: str, is_mention: bool) -> None:
    """A mention is the whole handle as a word of its own, in any case."""
    assert (mentions(text, "Bob") is not None) is is_mention
    assert rings(said(text), "Bob", "mention") is is_mention


def test_a_handle_is_no_pattern() -> None:
    """Points and dashes in a handle mean themselves; nobody is mentioned before having a name."""
    assert mentions("axb", "a.b") is None
    assert mentions("hi a.b", "a.b") is not None
    assert mentions("anything", "") is None


def test_mentions_are_marked() -> None:
    """Each mention is marked where it stands, but not in one's own words."""
    line = draw_one(said("Bob? bob! Bobby"))
    assert styles(line)[2:] == [("Bob", "bold reverse"), ("bob", "bold reverse")]
    assert styles(draw_one(said("I am Bob", handle="Bob")))[2:] == []


@pytest.mark.parametrize(
    ("event", "off", "mention", "everything"),
    [
        (said("hi"), False, False, True),
        (said("hi bob"), False, True, True),
        (said("hi bob", handle="Bob"), False, False, False),
        (Whispered(1, AT, "Ann", "Bob", "psst"), False, True, True),
        (Whispered(1, AT, "Bob", "Ann", "psst"), False, False, False),
        (Notice("Bob"), False, False, False),
        (Joined("Bob2"), False, False, False),
        (Refused("no", "Bob"), False, False, False),
    ],
)
def test_rings(event: Event, off: bool, mention: bool, everything: bool) -> None:
    """Never, for mentions and whispers, or for everything that others say."""
    assert rings(event, "Bob", "off") is off
    assert rings(event, "Bob", "mention") is mention
    assert rings(event, "Bob", "all") is everything
