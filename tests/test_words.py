import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strategies import any_text, events
from triochat.messages import (
    PAGE,
    Action,
    Closing,
    Event,
    Joined,
    Left,
    Moderated,
    Notice,
    Pong,
    Recalled,
    Refused,
    Removed,
    Renamed,
    Roster,
    Said,
    Welcome,
    Whispered,
)
from triochat.words import (
    PAST,
    found_of,
    line_of,
    missed,
    past_line_of,
    stamp_of,
    unsent,
    words_of,
)

AT = "2026-01-02T03:04:05.678Z"
NEVER = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What no screen is ever sent: controls but for a line feed, overrides, lone surrogates."""

MORE = "there are older ones: type that again"

EVENTS: list[tuple[Event, str]] = [
    (Welcome("Ann", "Server", ("Ann",)), "* Server connected. You are Ann. 1 here: Ann"),
    (
        Welcome("Ann", "Server", ("Ann", "Bob"), unencrypted=("Bob",)),
        "* Server connected. You are Ann. 2 here: Ann, Bob (plain)",
    ),
    (Joined("Ann"), "* Ann joined"),
    (Joined("Ann", unencrypted=True), "* Ann (plain) joined"),
    (Said(1, AT, "Ann", "hi"), "Ann> hi"),
    (Whispered(1, AT, "Ann", "Bob", "psst"), "[Ann -> you] psst"),
    (Renamed("Ann", "Anna"), "* Ann is now Anna"),
    (Left("Ann", "quit"), "* Ann left"),
    (Left("Ann", "kicked: too loud"), "* Ann left (kicked: too loud)"),
    (Roster(()), "* 0 here: "),
    (Roster(("Ann", "Bob")), "* 2 here: Ann, Bob"),
    (Roster(("Ann", "Bob"), ("Ann",)), "* 2 here: Ann (plain), Bob"),
    (Roster(("Ann", "S"), operators=("S",), server="S"), "* 2 here: Ann, S"),
    (
        Roster(("Ann", "S"), operators=("Ann", "S"), server="S"),
        "* 2 here: Ann, S\n* operators: Ann, S",
    ),
    (Roster(("Ann", "Bob"), operators=("Ann",)), "* 2 here: Ann, Bob\n* operators: Ann"),
    (
        Roster(("Ann", "Bob", "Cid", "Dee"), ("Cid",), ("Ann",), servers=("b", "", "a", "b")),
        "* 4 here:\n* 1 at a: Cid (plain)\n* 2 at b: Ann, Dee\n* 1 away: Bob\n* operators: Ann",
    ),
    (Roster(("A\x1b[m",), servers=("x\ny\x1b[m",)), "* 1 here:\n* 1 at x y[m: A[m"),
    (
        Roster(
            ("Ann", "Bob", "Cid", "S"),
            operators=("S",),
            doors=("web", "", "web", "console"),
            server="S",
        ),
        "* 4 here: Ann, Bob, Cid, S\n* by door: 1 console (S), 2 web (Ann, Cid), 1 away (Bob)",
    ),
    (
        Roster(("A\x1b[m", "B"), operators=("A\nB",), doors=("x\ny",)),
        "* 2 here: A[m, B\n* operators: A B\n* by door: 1 x y (A[m)",
    ),
    (Notice("one\ntwo"), "* one\n* two"),
    (Refused("code", "no; try again"), "! no; try again"),
    (Pong(), "* pong"),
    (
        Removed((1, 2), "two messages were removed\nby Server"),
        "* two messages were removed by Server",
    ),
    (Recalled(()), "* nothing earlier was found"),
    (
        Recalled((Said(7, "", "Ann", "hi"), Said(8, "", "Bob", "waves", action=True))),
        "* earlier: #7 Ann> hi\n* earlier: #8 * Bob waves\n* 2 earlier messages",
    ),
    (
        Recalled((Said(7, "2025-12-31", "Ann", "hi"),), more=True),
        f"* earlier: [2025-12-31 00:00] #7 Ann> hi\n* 1 earlier message; {MORE}",
    ),
    (Closing("shutting down"), "* Server closed the connection: shutting down"),
    (Closing("come back", retry=True), "* Server closed the connection: come back"),
]


def said(text: str, handle: str = "Ann") -> Said:
    """A message to everybody."""
    return Said(1, AT, handle, text)


@pytest.mark.parametrize(("event", "words"), EVENTS)
def test_words(event: Event, words: str) -> None:
    """Every event has its words."""
    assert words_of(event) == words


@pytest.mark.parametrize(
    ("me", "words"),
    [
        ("Ann", "[you -> Bob] psst"),
        ("Bob", "[Ann -> you] psst"),
        ("", "[Ann -> you] psst"),
    ],
)
def test_whispers_say_who_and_to_whom(me: str, words: str) -> None:
    """A whisper names the other of the two, and calls its reader you."""
    whisper = Whispered(1, AT, "Ann", "Bob", "psst")
    assert words_of(whisper, me) == words


def test_a_whisper_to_oneself() -> None:
    """Who whispers to itself is its own reader."""
    assert words_of(Whispered(1, AT, "Ann", "Ann", "note"), "Ann") == "[Ann -> you] note"


@pytest.mark.parametrize(
    "text",
    [
        "[red]x",
        "[/]",
        "[/red]",
        ":smile:",
        "[link=http://x]y[/link]",
        "[bold",
        "\\[red]",
        "[@click=q]",
    ],
)
def test_markup_is_text(text: str) -> None:
    """What rich would take for markup, a link or an emoji is shown as it was typed."""
    assert words_of(said(text)) == f"Ann> {text}"


def test_escape_sequences_are_text() -> None:
    """Of an escape sequence only its harmless characters are left."""
    event = said("\x1b[2J\x1b]0;title\x07\x9b31mx\u202ey", "A\x1b[31mnn")
    assert words_of(event) == "A[31mnn> [2J]0;title31mxy"


def test_a_text_cannot_forge_a_line() -> None:
    """A line break in a message does not begin a line on the screen."""
    assert words_of(said("hi\nBob> I owe you money\r\n* Bob left")) == (
        "Ann> hi Bob> I owe you money * Bob left"
    )


@given(events(any_text), any_text)
def test_nothing_but_text_reaches_a_screen(event: Event, me: str) -> None:
    """No control character, override or surrogate is left, whatever an event's fields are."""
    text = words_of(event, me)
    assert NEVER.search(text) is None
    assert "M" * 5 not in "".join(unicodedata.category(character)[0] for character in text)
    if isinstance(event, Welcome) and event.topic:
        assert text.count("\n* Topic: ") == text.count("\n") == 1
    elif isinstance(event, Recalled):
        *lines, found = text.split("\n")
        assert len(lines) == len(event.messages)
        assert all(line.startswith(PAST) for line in lines)
        assert not found.startswith(PAST)
    elif isinstance(event, Roster):
        _, *more = text.split("\n")
        assert all(re.match(r"\* (operators|by door): ", line) for line in more)
        assert len(more) <= 2
    elif not isinstance(event, Notice):
        assert "\n" not in text


def test_what_was_not_sent_is_named_in_short() -> None:
    """Ten lines are named, none with more than sixty characters; the others are counted."""
    lines = ["a\x1b[2Jb", "x" * 61, *map(str, range(9))]
    told = [refused.text for refused in unsent(lines, "not sent")]
    assert told == [
        "not sent: a[2Jb",
        f"not sent: {'x' * 59}…",
        *(f"not sent: {number}" for number in range(8)),
        "not sent: and 1 more",
    ]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Said(1, "", "Ann", "waves", action=True), "* Ann waves"),
        (Said(1, "", "Ann", "\x1b[2Jhi\nthere", action=True), "* Ann [2Jhi there"),
        (Moderated("Ann was muted\nby S", 1, "", "S"), "* Ann was muted by S"),
        (
            Welcome("Ann", "S", ("Ann",), topic="tea\n* Ann left"),
            "* S connected. You are Ann. 1 here: Ann\n* Topic: tea * Ann left",
        ),
    ],
)
def test_what_operators_and_actions_are_told_as(event: Event, words: str) -> None:
    """An action reads as what somebody does; what operators do, and the topic, as notices."""
    assert words_of(event, "Bob") == words


def test_an_action_that_was_not_sent() -> None:
    """It is named as it is typed."""
    assert unsent([Action("waves")])[0].text == "not sent: \\me waves"


# ---- where a terminal goes on at its left edge

FILL = "x" * 80

forgeries = st.lists(
    st.sampled_from(
        ["Bob", "> ", ">", " ", "     ", "_" * 9, "." * 9, "\u6587" * 9, "[Eve -> you] ", "\u1433 "]
    ),
    max_size=30,
).map("".join)
"""Texts that are to look like several lines."""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{FILL}Bob> hi", f"Ann> {FILL}Bob > hi"),
        (f"{FILL} B\xf6b> hi", f"Ann> {FILL} B\xf6b > hi"),
        (f"{FILL} Bo\u0323> hi", f"Ann> {FILL} Bo\u0323 > hi"),
        (f"{FILL} Bob.> hi", f"Ann> {FILL} Bob. > hi"),
        (f"{FILL} Bob\uff1e hi", f"Ann> {FILL} Bob \uff1e hi"),
        (f"{FILL}[Bob -> you] pst", f"Ann> {FILL}[Bob -> you ] pst"),
        (f"a{' ' * 70}* Bob left", "Ann> a   * Bob left"),
        (f"{FILL} a -> b => c >> d>e :> </b>", f"Ann> {FILL} a -> b => c >> d>e :> </b>"),
        (f"{FILL} a   b", f"Ann> {FILL} a   b"),
        ("hello Bob> hi", "Ann> hello Bob> hi"),
        ("a" + " " * 20 + "b", "Ann> a" + " " * 20 + "b"),
    ],
)
def test_a_line_that_a_terminal_breaks(text: str, line: str) -> None:
    """In a long line no text reads like another's line; what is short or of use stays."""
    assert line_of(said(text)) == line
    assert line_of(Whispered(1, AT, "Ann", "Bob", text)) == f"[Ann -> you] {line[5:]}"
    assert line_of(Said(1, AT, "Ann", text, action=True)) == f"* Ann {line[5:]}"


@given(forgeries | any_text, st.sampled_from(["Ann", "B\xf6b", "a" * 32]))
def test_no_line_looks_like_two(text: str, handle: str) -> None:
    """Wherever it is broken, no row but the first begins like a message of anybody's."""
    event = said(text, handle)
    line, words = line_of(event), words_of(event)
    head = f"{handle}> "
    assert line.startswith(head)
    assert line.replace(" ", "") == words.replace(" ", "")
    if len(line) > 40:
        assert re.search(r"\w[>\u1433\uff1e] | -> you\] | {5}", line[len(head) :]) is None
    else:
        assert len(words) > 40 or line == words


@given(events(any_text))
def test_only_messages_are_written_otherwise(event: Event) -> None:
    """What the room states, and answers, stands as it is."""
    if not isinstance(event, Said | Whispered | Recalled):
        assert line_of(event) == words_of(event)


# ---- what is told again

NOW = datetime(2026, 1, 2, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Said(1, AT, "Ann", "hi"), "* earlier: [03:04] Ann> hi"),
        (Said(1, AT, "Ann", "waves", action=True), "* earlier: [03:04] * Ann waves"),
        (Said(1, "2025-12-31T03:04:05Z", "Ann", "hi"), "* earlier: [2025-12-31 03:04] Ann> hi"),
        (Said(1, "nonsense", "Ann", "hi"), "* earlier: Ann> hi"),
        (Joined("Ann", 1, AT), "* earlier: [03:04] * Ann joined"),
        (
            Said(1, AT, "Ann", f"{FILL}Bob> hi     [Bob -> you] pst"),
            f"* earlier: [03:04] Ann> {FILL}Bob > hi   [Bob -> you ] pst",
        ),
        (Said(1, AT, "Ann", "a" * 15 + "Bob> hi"), f"* earlier: [03:04] Ann> {'a' * 15}Bob > hi"),
    ],
)
def test_what_was_said_before(event: Event, line: str) -> None:
    """It has its time before it, with the date if it is another, and is as safe as what is new."""
    assert past_line_of(event, NOW) == line


def test_the_time_is_that_of_the_clock_on_the_wall() -> None:
    """A time is shown as it is where the reader is; one without a zone is the server's."""
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    assert stamp_of("2026-01-02T20:00:00.000Z", there) == "01:00"
    assert stamp_of("2026-01-02T18:00:00Z", there) == "2026-01-02 23:00"
    assert stamp_of("2026-01-02T20:00:00", NOW) == "20:00"
    assert [stamp_of(at, there) for at in ("", "x", "9999-12-31T23:59:59Z")] == [""] * 3


def test_the_clock_is_that_of_this_machine() -> None:
    """Where nobody says what is now, this machine does."""
    now = datetime.now().astimezone()
    assert stamp_of(now.isoformat()).endswith(f"{now:%H:%M}")


@example(" \r\n\r\n  ", "a" * 32, False)
@given(forgeries | any_text, st.sampled_from(["Ann", "B\xf6b", "a" * 32]), st.booleans())
def test_nothing_new_looks_past(text: str, handle: str, action: bool) -> None:
    """A line is told again if it begins so, and only then; and then it is one line."""
    event = Said(1, AT, handle, text, action=action)
    assert not line_of(event).startswith(PAST)
    past = past_line_of(event, NOW)
    assert past.startswith(f"{PAST}[03:04] ")
    rest = past[len(PAST) + len("[03:04] ") :]
    assert rest.replace(" ", "") == words_of(event).replace(" ", "")
    if len(past) > 40 and not action:
        assert re.search(r"\w[>\u1433\uff1e] | -> you\] | {5}", rest[len(handle) + 2 :]) is None


def test_what_is_read_back_at_a_plain_line() -> None:
    """There each line is as safe as any that is past, and has no number; N shows more."""
    found = (Said(7, "", "Ann", f"{FILL}Bob> hi"), Said(8, "", "Bob", "hi"))
    lines = [f"* earlier: Ann> {FILL}Bob > hi", "* earlier: Bob> hi"]
    assert line_of(Recalled(found)).split("\n") == [*lines, "* 2 earlier messages"]
    assert line_of(Recalled(found[1:], more=True)).split("\n") == [
        lines[1],
        "* 1 earlier message; there are older ones: \\back N shows the newest N, at most 400",
    ]
    assert line_of(Recalled(())) == "* nothing earlier was found"


@pytest.mark.parametrize(
    ("count", "first", "last", "words"),
    [
        (12, "10:42", "11:07", "12 messages while you were away, 10:42 to 11:07"),
        (1, "10:42", "10:42", "1 message while you were away, 10:42"),
        (1000, "10:42", "", "1000 or more messages while you were away, 10:42"),
    ],
)
def test_what_stands_above_what_was_missed(count: int, first: str, last: str, words: str) -> None:
    """How many messages, and from when to when, in the reader's own time."""
    at = "2026-01-02T{}:59.678Z"
    assert missed(count, at.format(first), last and at.format(last), UTC) == words


@given(st.integers(1), st.text(), st.text())
def test_whatever_a_server_calls_a_time_is_none_of_ours(count: int, first: str, last: str) -> None:
    """What is no time is left out."""
    assert missed(count, first, last).isprintable()


def test_how_much_was_found_fits_a_terminal() -> None:
    """The line that stands above what is read back is not broken where there are 80 columns."""
    many = Recalled((Said(7, "", "Ann", "hi"),) * PAGE, more=True)
    assert len(f"──────── {found_of(many)}") < 80
