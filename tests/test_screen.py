import re
import unicodedata
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
    Moderated,
    Notice,
    Pong,
    Recalled,
    Refused,
    Renamed,
    Roster,
    Said,
    Welcome,
    Whispered,
)
from triochat.terminals.screen import Screen, mentions, rings
from triochat.terminals.shown import FOLD, LONG, Shown, bounded
from triochat.terminals.wrapping import cells_of
from triochat.words import words_of

NOW = datetime(2026, 1, 2, 21, 7, tzinfo=UTC)
AT = "2026-01-02T21:07:04.678Z"


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


@pytest.mark.parametrize(
    "at",
    [
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "\x1b[2J",
        "9" * 99,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_a_time_that_is_none(at: str) -> None:
    """A server that cannot tell the time does not stop the reading."""
    assert draw(said("hi", at=at), screen=Screen(UTC)) == "21:07 Ann> hi"


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999Z", AT[:-1]])
@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_times_at_both_ends(at: str, hours: int) -> None:
    """No year stops the reading, in any zone; a time without a zone is told in UTC."""
    assert draw(said("hi", at=at), screen=Screen(timezone(timedelta(hours=hours))))
    if at == AT[:-1]:
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


PANGRAM = "The quick brown fox jumps over the lazy dog, and then it does so again, and again."


def test_a_hanging_indent() -> None:
    """What does not fit hangs under the text, not under the handle."""
    assert draw(said(PANGRAM)).split("\n") == [
        "21:07 Ann> The quick brown fox jumps over the lazy dog, and then it does so",
        "           again, and again.",
    ]
    assert draw(said(PANGRAM), width=40).split("\n") == [
        "21:07 Ann> The quick brown fox jumps",
        "           over the lazy dog, and then",
        "           it does so again, and again.",
    ]


def test_a_hanging_indent_of_other_lines() -> None:
    """Whispers, notices and refusals hang in the same way."""
    whisper = Whispered(1, AT, "Ann", "Bob", PANGRAM)
    assert draw(whisper, width=60).split("\n") == [
        "21:07 [Ann -> you] The quick brown fox jumps over the lazy",
        "                   dog, and then it does so again, and",
        "                   again.",
    ]
    assert draw(Notice(PANGRAM), width=60).split("\n")[1].startswith("        t")
    assert draw(Refused("no", PANGRAM), width=60).split("\n")[1].startswith("        t")


def test_a_narrow_screen_has_a_small_indent() -> None:
    """Where the handle would take more than half of the screen, the text hangs under the time."""
    whisper = Whispered(1, AT, "0123456789", "Bob", "one two three four five six")
    assert draw(whisper, width=40).split("\n") == [
        "21:07 [0123456789 -> you] one two three",
        "      four five six",
    ]
    assert draw(said("one two three four five six"), width=20).split("\n") == [
        "21:07 Ann> one two",
        "      three four",
        "      five six",
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


def test_a_long_url_hangs_under_the_text() -> None:
    """A URL begins on a row of its own, and never goes on at the left edge of the screen."""
    url = "https://example.com/" + "path/" * 20
    rows = draw(said(f"see {url} there"), width=40).split("\n")
    assert rows[0] == "21:07 Ann> see"
    assert [row[:11] for row in rows[1:]] == [" " * 11] * (len(rows) - 1)
    assert "".join(row[11:] for row in rows[1:-1]) + rows[-1][11:] == f"{url} there"


def test_short_urls_are_words() -> None:
    """A URL that fits stands where it is."""
    assert draw(said("see http://x.org/ there")) == "21:07 Ann> see http://x.org/ there"


def test_spaces_stay() -> None:
    """What is aligned by spaces stays so."""
    assert draw(said("a   b")) == "21:07 Ann> a   b"


FORGED = (
    "https://x.org/" + "\u2800" * 55 + "12:17\u00a0Ann>\u00a0send\u00a0Bob\u00a0the\u00a0password"
)
"""A word whose end would look like a line of its own, if it stood at the left edge."""

hostile = st.one_of(any_text, st.just(FORGED), st.text("\u2800a👨\u200d👩你\u0301 ", max_size=90))


def is_one(event: Event) -> bool:
    """Whether this has its own time and place; what is told again is below a rule (`test_past`)."""
    return not isinstance(event, Recalled)


@given(events(hostile).filter(is_one), hostile, st.integers(1, 200))
@example(said(FORGED), "Bob", 80)
@example(said("👨‍👩‍👧‍👦" * 9), "Bob", 24)
@example(Joined("x" * 300), "Bob", 40)
def test_nothing_stands_at_the_left_edge(event: Event, me: str, width: int) -> None:
    """Each row fits the screen, and all but an event's first start with an indent or a mark."""
    first, *others = Screen(UTC).draw([Shown(event, me)], NOW, width)
    assert first.plain.startswith("21:07"[: width - 1] if width >= 3 else "|")
    assert all(cells_of(row.plain) <= width for row in (first, *others))
    margin = " " * 6 if width >= 12 else "|"
    assert all(row.plain.startswith(margin) for row in others if row.plain)


@pytest.mark.parametrize("width", [1, 2, 3, 8, 31])
def test_the_day_fits_too(width: int) -> None:
    """The line for a new day is as wide as the screen at most."""
    screen = Screen(UTC)
    draw(said("a"), screen=screen, width=width)
    rows = draw(said("b", at="2026-09-30T00:00:00Z"), screen=screen, width=width).split("\n")
    assert max(cells_of(row) for row in rows) <= width


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
    (Said(1, AT, "Ann", "waves", action=True), "21:07 * Ann waves"),
    (said("* Bob waves"), "21:07 Ann> * Bob waves"),
    (Moderated("Ann was muted by S", 1, AT, "S"), "21:07 * Ann was muted by S"),
]


@pytest.mark.parametrize(("event", "line"), ALL)
def test_what_is_what_without_colour(event: Event, line: str) -> None:
    """Messages, whispers, notices and refusals are told apart by their signs alone."""
    assert draw(event) == line
    assert draw(event)[6:] == words_of(event, "Bob")


def test_the_topic_hangs_under_the_welcome() -> None:
    """Whoever joins sees the topic in a line of its own."""
    welcome = Welcome("Bob", "S", ("Bob",), topic="tea")
    assert draw(welcome) == "21:07 * S connected. You are Bob. 1 here: Bob\n        Topic: tea"


def test_an_action_has_the_colour_of_its_handle() -> None:
    """Who does something is named in the colour of what they say; a mention is marked as there."""
    screen = Screen(UTC)
    event = Said(1, AT, "Ann", "waves at Bob", action=True)
    [row] = screen.draw([Shown(event, "Bob")], NOW, 80)
    own = screen.style("Ann")
    marked = [row.plain[span.start : span.end] for span in row.spans if span.style == own]
    assert marked == ["*", "Ann"]
    assert ("Bob", "bold reverse") in styles(row)


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
    assert draw(*crowd) == "21:07 * A, B, D joined; C left (connection lost)"
    crowd[0] = Joined("A", unencrypted=True)
    assert draw(*crowd) == "21:07 * A (plain), B, D joined; C left (connection lost)"


def test_a_fold_tells_what_is_so_now() -> None:
    """Each handle once, by what has changed for it, and those who are gone with the reason."""
    gone = Left("Fay", "connection lost")
    crowd: list[Event] = [Joined("New"), gone, Joined("Fay"), Left("Ann", "quit"), gone]
    crowd += [Joined("Fay"), Joined("Cat"), Left("New", "quit"), Left("Bea", "kicked: spam")]
    crowd += [Joined("New"), Left("Cat", "connection lost"), Left("Dan", "quit")]
    came = "New joined; Fay came back; Cat came and went"
    assert draw(*crowd, width=200) == f"21:07 * {came}; Ann, Dan left; Bea left (kicked: spam)"


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
        "21:07 * g2, g3, g0, g1 joined",
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


# ---- what a strange server may send


@pytest.mark.parametrize(
    "event",
    [
        said("x" * 1_000_000),
        Notice("a\n" * 500_000),
        Notice("\n" * 9_000),
        Roster(tuple(f"guest{number}" for number in range(100_000))),
        Welcome("Bob", "Server", tuple(f"guest{number}" for number in range(100_000))),
        Left("Ann", "why" * 300_000),
        Renamed("a" * 500_000, "b" * 500_000),
        Whispered(1, "9" * 500_000, "a" * 500_000, "b" * 500_000, "\n" * 500_000),
    ],
)
def test_what_is_too_long_is_cut(event: Event) -> None:
    """Of one event at most so much is drawn, and the rest is counted."""
    drawn = draw(bounded(event))
    assert len(drawn) < LONG * 2
    assert drawn.count("\n") < 300
    assert re.search(r"…\(\d+morecharacters\)", "".join(drawn.split()))


def test_what_is_cut_off_is_counted() -> None:
    """The number of characters that are not shown is the truth."""
    cut = bounded(said("x" * (LONG + 7)))
    assert isinstance(cut, Said)
    assert cut.text == "x" * LONG + "… (7 more characters)"
    roster = bounded(Roster(("Ann",) * 10_000))
    assert isinstance(roster, Notice)
    assert roster.text.startswith("10000 here: Ann, Ann")


@given(events(any_text))
def test_what_is_short_is_not_cut(event: Event) -> None:
    """What the room allows is shown as it is."""
    texts = [
        value for name in event.__struct_fields__ if isinstance(value := getattr(event, name), str)
    ]
    if max(map(len, texts), default=0) <= 64:
        assert bounded(event) is event


def test_who_is_renamed_keeps_the_colour() -> None:
    """The colour goes with the person, on a screen that saw the new name."""
    screen = Screen(UTC)
    before = screen.style("Ann")
    assert screen.style("Zoe") != before
    draw(Renamed("Ann", "Bea"), screen=screen)
    assert screen.style("Bea") == before
