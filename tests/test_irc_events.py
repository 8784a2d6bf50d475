"""Events as lines of IRC: what all are told."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import CONTROLS, any_text, events
from triochat.dialects.irc_events import CAPABILITIES, ECHO, TAGS, TIME, dialect_of
from triochat.dialects.irc_words import LENGTH
from triochat.messages import (
    Event,
    Joined,
    Left,
    Moderated,
    Notice,
    Pong,
    Removed,
    Renamed,
    Said,
    Whispered,
)
from triochat.text import clean

AT = "2026-01-02T03:04:05.678Z"
NEVER = {*CONTROLS, *"\u2028\u2029\u202a\u202b\u202d\u202e\u2066\u2067\u2069\ufeff\u200b"}
"""What `clean` takes out wherever it stands."""

long_text = st.builds(str.__mul__, any_text, st.sampled_from([1, 1, 40]))
asked = st.lists(st.sampled_from(CAPABILITIES), unique=True).map(sorted).map(tuple)
moderated = st.builds(
    Moderated,
    any_text,
    by=any_text,
    deed=st.sampled_from(["op", "deop", "topic", "quiet", "mute", ""]),
    what=long_text,
)


def told(*events: Event, asked: tuple[str, ...] = ()) -> list[str]:
    """The lines that all are told."""
    dialect, _ = dialect_of("#tea", asked)
    return dialect.encode([*events]).decode().split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Said(7, AT, "Ann", "hi all"), ":Ann!Ann@triochat PRIVMSG #tea :hi all"),
        (Said(7, AT, "Ann", ":)"), ":Ann!Ann@triochat PRIVMSG #tea ::)"),
        (Said(7, AT, "Жан", "да"), ":Жан!Жан@triochat PRIVMSG #tea :да"),
        (
            Said(7, AT, "Ann", "waves", action=True),
            ":Ann!Ann@triochat PRIVMSG #tea :\x01ACTION waves\x01",
        ),
        (Whispered(7, AT, "Ann", "Bob", "psst"), ":Ann!Ann@triochat PRIVMSG Bob :psst"),
        (Joined("Ann", 7, AT), ":Ann!Ann@triochat JOIN #tea"),
        (Joined("Ann", 7, AT, unencrypted=True), ":Ann!Ann@plain.triochat JOIN #tea"),
        (Left("Ann", "quit", 7, AT), ":Ann!Ann@triochat QUIT :quit"),
        (
            Left("Ann", "kicked: spam", 7, AT, "Bob"),
            ":Bob!Bob@triochat KICK #tea Ann :kicked: spam",
        ),
        (Renamed("Ann", "Anna", 7, AT), ":Ann!Ann@triochat NICK Anna"),
        (
            Moderated("Ann was made an operator by Bob", 7, AT, "Bob", "op", "Ann"),
            ":Bob!Bob@triochat MODE #tea +o Ann",
        ),
        (Moderated("...", 7, AT, "Bob", "deop", "Ann"), ":Bob!Bob@triochat MODE #tea -o Ann"),
        (Moderated("...", 7, AT, "Bob", "quiet", "on"), ":Bob!Bob@triochat MODE #tea +m"),
        (Moderated("...", 7, AT, "Bob", "quiet", "off"), ":Bob!Bob@triochat MODE #tea -m"),
        (Moderated("...", 7, AT, "Bob", "topic", "cake"), ":Bob!Bob@triochat TOPIC #tea :cake"),
        (Moderated("...", 7, AT, "Bob", "topic", ""), ":Bob!Bob@triochat TOPIC #tea :"),
        (
            Moderated("Ann was muted by Bob", 7, AT, "Bob", "mute", "Ann"),
            ":*.triochat NOTICE #tea :Ann was muted by Bob",
        ),
        (
            Removed((3,), "1 message was removed by Bob"),
            ":*.triochat NOTICE #tea :1 message was removed by Bob",
        ),
    ],
)
def test_an_event_is_a_line(event: Event, line: str) -> None:
    """What clients of IRC know they are told in their words, all else as a notice."""
    assert told(event) == [line]


def test_a_pong_is_nothing() -> None:
    """It tells only how somebody is called now."""
    assert told(Pong()) == []


def test_times_and_ids_are_tags() -> None:
    """Each for those who asked for it; of two lines for one message the first has its id."""
    said = Said(7, AT, "Ann", "hi")
    line = ":Ann!Ann@triochat PRIVMSG #tea :hi"
    assert told(said, asked=(ECHO,)) == [line]
    assert told(said, asked=(TIME,)) == [f"@time={AT} {line}"]
    assert told(said, asked=(TAGS,)) == [f"@msgid=7 {line}"]
    assert told(said, asked=(TAGS, TIME)) == [f"@time={AT};msgid=7 {line}"]
    first, second = told(Said(7, AT, "Ann", "x" * 500), asked=(TAGS, TIME))
    assert first.startswith(f"@time={AT};msgid=7 :Ann")
    assert second.startswith(f"@time={AT} :Ann")
    assert told(Notice("hi"), asked=(TAGS, TIME)) == [":*.triochat NOTICE #tea :hi"]


def test_a_long_action_is_several() -> None:
    """Each of its lines is one."""
    lines = told(Said(7, AT, "Ann", "waves " * 80, action=True))
    assert len(lines) == 2
    assert all("\x01ACTION " in line and line.endswith("\x01") for line in lines)


def test_a_long_topic_is_told_whole() -> None:
    """What does not fit in the line for it is in a notice as well."""
    topic = "tea and cake " * 38
    first, *notices = told(Moderated(f"topic: {topic}", 7, AT, "Bob", "topic", topic))
    assert first.startswith(":Bob!Bob@triochat TOPIC #tea :tea and cake")
    head = ":*.triochat NOTICE #tea :"
    assert "".join(line.removeprefix(head) for line in notices) == f"topic: {topic}"


def test_who_can_do_the_same_is_told_by_one_dialect() -> None:
    """So what all are told is written once for all of them; only some hear themselves."""
    one, _ = dialect_of("#tea", (TIME,))
    assert one is dialect_of("#tea", (TIME,))[0]
    assert one is not dialect_of("#tea")[0]
    assert one is not dialect_of("#room", (TIME,))[0]
    assert (one.name, one.echoes, dialect_of("#tea", (ECHO,))[0].echoes) == ("irc", False, True)


def test_who_comes_as_an_operator() -> None:
    """A client knows that from a line of its own."""
    assert told(Joined("Ann", 7, AT, operator=True)) == [
        ":Ann!Ann@triochat JOIN #tea",
        ":*.triochat MODE #tea +o Ann",
    ]


@pytest.mark.parametrize("text", ["a\r\nQUIT", "a\x01b\x07", "a\0b"])
@pytest.mark.parametrize("action", [False, True])
def test_nobody_speaks_as_another(text: str, action: bool) -> None:
    """What would end a line is cleaned again, whoever let it through."""
    [line] = told(Said(7, AT, "A\r\nnn", text, action), asked=(TIME,))
    assert "QUIT" not in line or line.endswith(("a QUIT", "a QUIT\x01"))
    assert line.startswith(f"@time={AT} :A_nn!A_nn@triochat PRIVMSG #tea :")
    assert not NEVER & {*line.replace("\x01ACTION ", "").removesuffix("\x01")}


@given(st.lists(st.one_of(events(long_text), moderated), max_size=3), asked)
def test_no_line_can_be_another(told_at_once: list[Event], asked: tuple[str, ...]) -> None:
    """Whatever is in an event, lines fit, end where they end, and hold nothing but text."""
    dialect, style = dialect_of("#tea", asked)
    assert dialect.encode(told_at_once) == b"".join(
        map(dialect.encode, map(list, zip(told_at_once, strict=True)))
    )
    for blob in (dialect.encode(told_at_once), style.encode_past(told_at_once)):
        assert not blob or blob.endswith(b"\r\n")
        for line in blob.decode().split("\r\n")[:-1]:
            untagged = re.sub(r"^@[\w=:;.-]+ ", "", line)
            assert len(untagged.encode()) <= LENGTH
            assert untagged.startswith(":")
            bare = re.sub("\x01(ACTION )?", "", untagged)
            assert not NEVER & {*bare}


@given(long_text, st.booleans())
def test_a_text_is_told_whole(text: str, action: bool) -> None:
    """The pieces of a message, joined, are the message."""
    text = clean(text)
    lines = told(Said(7, AT, "Ann", text, action))
    head, tail = (":\x01ACTION ", "\x01") if action else (":", "")
    pieces = [line.removeprefix(":Ann!Ann@triochat PRIVMSG #tea ") for line in lines]
    assert "".join(piece.removeprefix(head).removesuffix(tail) for piece in pieces) == text
