import json
import re
from itertools import pairwise, permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, events, requests, wire_text
from triochat.dialects.base import Dialect, Speaker
from triochat.dialects.http import HTTP, HttpSpeaker
from triochat.dialects.ndjson import NDJSON, NdjsonSpeaker, decode_event, decode_request, encode
from triochat.dialects.plain import PLAIN, PlainSpeaker, greeting, is_greeting
from triochat.dialects.recognition import BEGINNINGS, recognise
from triochat.exceptions import RemoteProtocolError
from triochat.messages import (
    Action,
    Ban,
    Bans,
    Closing,
    Deop,
    Event,
    Forget,
    Join,
    Joined,
    Kick,
    Left,
    Moderated,
    Mute,
    Notice,
    Op,
    Ping,
    Pong,
    Quiet,
    Quit,
    Recall,
    Recalled,
    Refused,
    Removed,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Servers,
    Stats,
    Topic,
    Typed,
    Unban,
    Unmute,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.order import AnyRequest, Reply
from triochat.text import clean

AT = "2026-01-02T03:04:05.678Z"
REQUESTS = get_args(Request)
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PRI"]
LENGTHS = {NdjsonSpeaker: 8192, PlainSpeaker: 4096}
NOT_UTF8 = Refused("not-utf8", "that line is not UTF-8 text; nothing was sent")
UNFINISHED = Refused("line-unfinished", "the last line has no line end; nothing was sent")

SPEAKERS = [NdjsonSpeaker, PlainSpeaker]


def too_long(speaker: type[Speaker]) -> Refused:
    """The refusal of a line that is too long for who speaks like this."""
    limit = f"a line of more than {LENGTHS[speaker]} bytes is not allowed"
    return Refused("line-too-long", f"{limit}; nothing was sent")


def bad_request(reason: str) -> Refused:
    """The refusal of a line that is no request."""
    return Refused("bad-request", f"not a request: {reason}; nothing was sent")


# ---- which one


@pytest.mark.parametrize("first", [b"{", b"{}", b'{"type":"join"', bytearray(b"{\n")])
def test_a_brace_is_ndjson(first: bytes | bytearray) -> None:
    """Who starts with ``{`` speaks NDJSON."""
    assert isinstance(recognise(first), NdjsonSpeaker)


@pytest.mark.parametrize(
    "first", [b"Jimmy", b"\n", b" {", b"[", b"\xff", b'"{', bytearray(b"J"), b"\x00"]
)
def test_anything_else_is_plain(first: bytes | bytearray) -> None:
    """Who starts in any other way is a plain peer."""
    assert isinstance(recognise(first), PlainSpeaker)


@pytest.mark.parametrize("method", METHODS)
def test_http(method: str) -> None:
    """Who starts with a method of HTTP, in capitals, and a blank is a browser."""
    for rest in ("/ HTTP/1.1\r\n", "* HTTP/2.0\r\n", "", "\n", "example.com:443 HTTP/1.1\r\n"):
        assert isinstance(recognise(f"{method} {rest}".encode()), HttpSpeaker)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_a_handle(method: str) -> None:
    """Who types a method as a handle has said all with its line end; so has who types its like."""
    beginning = method.encode()
    others = (beginning + b"\n", beginning + b"\r", beginning.lower() + b" ", beginning + b"X")
    assert all(isinstance(recognise(other), PlainSpeaker) for other in others)
    assert isinstance(recognise(b"Poppy"), PlainSpeaker)


@pytest.mark.parametrize("first", [b"", bytearray()])
def test_nothing_is_not_yet_recognised(first: bytes | bytearray) -> None:
    """Who has sent nothing yet may turn out to be anything."""
    assert recognise(first) is None


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_beginning_is_waited_for(beginning: bytes) -> None:
    """While a beginning is not whole nothing is said; then at once, whatever follows."""
    assert all(recognise(beginning[:count]) is None for count in range(len(beginning)))
    assert isinstance(recognise(beginning), BEGINNINGS[beginning])


def test_beginnings_are_told_apart() -> None:
    """No beginning is that of another, and none has a line end, for which a person waits."""
    for one, other in permutations(BEGINNINGS, 2):
        assert not one.startswith(other)
    assert not any(b"\n" in beginning or b"\r" in beginning for beginning in BEGINNINGS)


firsts = st.one_of(
    st.binary(max_size=12),
    st.builds(bytes.__add__, st.sampled_from([*BEGINNINGS]), st.binary(max_size=4)),
    st.builds(
        lambda beginning, cut: beginning[:cut], st.sampled_from([*BEGINNINGS]), st.integers()
    ),
)


@given(firsts)
def test_who_speaks_does_not_depend_on_the_cut(first: bytes) -> None:
    """Once it is said who speaks, more bytes would not have changed it."""
    said = [type(recognise(first[:count])) for count in range(len(first) + 1)]
    known = [speaker for speaker in said if speaker is not type(None)]
    assert said[len(said) - len(known) :] == known
    assert len(set(known)) <= 1


@pytest.mark.parametrize("first", [b"{", b"J", b"GET "])
def test_each_peer_has_its_own_speaker(first: bytes) -> None:
    """No two peers share a speaker, which remembers; those who speak alike share a dialect."""
    one, other = recognise(first), recognise(first)
    assert one is not None
    assert other is not None
    assert one is not other
    assert one.dialect is other.dialect


def test_the_first_bytes_are_not_heard_by_being_recognised() -> None:
    """To be recognised is not to be heard: the speaker knows nothing of the bytes yet."""
    speaker = recognise(b"{")
    assert speaker is not None
    assert speaker.end() is None


def test_who_hears_its_own_messages() -> None:
    """A program hears its own messages; a plain peer's terminal has shown them."""
    assert (NDJSON.name, NDJSON.echoes) == ("ndjson", True)
    assert (PLAIN.name, PLAIN.echoes) == ("plain", False)
    assert (NdjsonSpeaker().dialect, PlainSpeaker().dialect) == (NDJSON, PLAIN)
    assert (HTTP.name, HttpSpeaker().dialect) == ("http", HTTP)


def test_who_ends_without_a_word() -> None:
    """A program that ends without a word has died; the end of the input is how ``nc`` leaves."""
    assert (NdjsonSpeaker().parting, PlainSpeaker().parting) == ("connection lost", "quit")


@pytest.mark.parametrize("length", [1, 10, 32])
def test_a_greeting_names_the_room_s_own_limit(length: int) -> None:
    """And is known for a greeting whatever the limit is; nothing else that is said is one."""
    [line] = PLAIN.encode([greeting(length)]).decode().splitlines()
    assert line == f"* triochat: what is your handle? (1-{length} characters, no spaces)"
    assert is_greeting(line)
    assert not is_greeting("* Ann joined")
    assert not is_greeting(line.removeprefix("* "))


# ---- what is heard


def heard(speaker: Speaker, *pieces: bytes) -> list[AnyRequest]:
    """What is asked for with these bytes, in the pieces in which they come, and their end."""
    asked = [request for piece in pieces for request in speaker.hear(piece)]
    end = speaker.end()
    return asked if end is None else [*asked, end]


def test_plain_lines_are_heard_as_they_are_typed() -> None:
    """What a typed line means is not for the speaker to say: it depends on who types it."""
    typed = b"Jimmy\n\thello \r\n\n\\quit\n{}\npsst > Joe\n"
    assert heard(PlainSpeaker(), typed) == [
        Typed("Jimmy"),
        Typed("\thello "),
        Typed(""),
        Typed("\\quit"),
        Typed("{}"),
        Typed("psst > Joe"),
    ]


def test_ndjson_lines_are_requests() -> None:
    """Each line of a program is a request, or is refused in its place."""
    lines = b'{"type":"join","handle":"Ann"}\r\nhello\n{"type":"say","text":"hi"}\n'
    assert heard(NdjsonSpeaker(), lines) == [
        Join("Ann"),
        bad_request("JSON is malformed: invalid character (byte 0)"),
        Say("hi"),
    ]


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_lines_that_are_no_text(speaker: type[NdjsonSpeaker | PlainSpeaker]) -> None:
    """A line that is too long, or not UTF-8, is refused in its place; those around it are heard."""
    line = b'{"type":"ping"}'
    [ping] = speaker().hear(line + b"\n")
    lines = [line, b"\xff", line, b"x" * (LENGTHS[speaker] + 1), line, b""]
    assert heard(speaker(), b"\n".join(lines)) == [ping, NOT_UTF8, ping, too_long(speaker), ping]


def test_the_longest_message_can_be_written_in_escapes() -> None:
    """A program may write each character of a message as escapes, as many programs do."""
    request = {"type": "whisper", "to": "\U0001f600" * 10, "text": "\U0001f600" * 500}
    line = json.dumps(request)
    assert len(line) > 6000
    assert heard(NdjsonSpeaker(), f"{line}\n".encode()) == [
        Whisper("\U0001f600" * 10, "\U0001f600" * 500)
    ]


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_what_was_begun_is_not_obeyed(speaker: type[NdjsonSpeaker | PlainSpeaker]) -> None:
    """What stands after the last line end is refused when the bytes end, once."""
    one = speaker()
    assert one.hear(b'{"type":"quit"}') == []
    assert (one.end(), one.end()) == (UNFINISHED, None)


tricky_pieces = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r\n", b"\r", b"\xc3", b"\xa9", b"x" * 4096, b"\xed\xa0\x80"]),
        st.just(b"x" * 8192),
        st.sampled_from([b'{"type":"say","text":"hi"}\n', b'{"type":"who"}\n', b'{"type":5}\n']),
        requests(wire_text).map(encode),
        st.binary(max_size=5),
    ),
    max_size=12,
)
"""Bytes with many line ends, requests and no requests, long lines, and halves of characters."""


@pytest.mark.parametrize("speaker", SPEAKERS)
@given(tricky_pieces, st.lists(st.integers(0, 300)))
def test_pieces_mean_nothing(
    speaker: type[NdjsonSpeaker | PlainSpeaker], pieces: list[bytes], cuts: list[int]
) -> None:
    """A speaker hears the same whatever the pieces in which the bytes come."""
    data = b"".join(pieces)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole = heard(speaker(), data)
    assert heard(speaker(), *pieces) == whole
    assert heard(speaker(), *(data[one:two] for one, two in pairwise(places))) == whole


@given(tricky_pieces)
def test_a_chunk_is_heard_line_by_line(pieces: list[bytes]) -> None:
    """Whatever bytes a program sends, each of its lines is a request, or is refused."""
    data = b"".join(pieces)
    asked = NdjsonSpeaker().hear(data)
    one_by_one = NdjsonSpeaker()
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
    assert asked == [request for line in lines for request in one_by_one.hear(line)]
    assert all(isinstance(request, (*REQUESTS, Refused)) for request in asked)
    whole = data[: data.rfind(b"\n") + 1]
    assert len(NdjsonSpeaker().hear(whole)) == data.count(b"\n")


@given(st.binary())
def test_no_bytes_make_a_speaker_raise(data: bytes) -> None:
    """Whatever the bytes, what is heard are requests, typed lines and refusals."""
    assert all(isinstance(one, (*REQUESTS, Refused)) for one in heard(NdjsonSpeaker(), data))
    assert all(isinstance(one, Typed | Refused) for one in heard(PlainSpeaker(), data))
    assert all(isinstance(one, Quit | Reply) for one in heard(HttpSpeaker(), data))
    recognise(data)


@given(st.lists(requests(wire_text)))
def test_what_a_program_asks_is_heard(asked: list[Request]) -> None:
    """Requests come out of a chunk as they went in, in their order."""
    short = [request for request in asked if len(encode(request)) <= 8192]
    assert heard(NdjsonSpeaker(), b"".join(map(encode, short))) == short


# ---- what many are told


@pytest.mark.parametrize("dialect", [NDJSON, PLAIN])
@given(st.lists(events(wire_text), max_size=5))
def test_what_many_are_told(dialect: Dialect, told: list[Event]) -> None:
    """Several events are told as each of them is, one after the other; also to one peer alone."""
    each = b"".join(dialect.encode([event]) for event in told)
    assert dialect.encode(told) == each
    speaker = NdjsonSpeaker() if dialect is NDJSON else PlainSpeaker()
    assert speaker.tell(told) == each


@pytest.mark.parametrize("dialect", [NDJSON, PLAIN])
def test_nothing_told(dialect: Dialect) -> None:
    """Nothing is told in no bytes."""
    assert dialect.encode([]) == b""
    assert len({dialect, dialect}) == 1


# ---- plain: what is written


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (greeting(10), "* triochat: what is your handle? (1-10 characters, no spaces)"),
        (
            Welcome("Jimmy", "Server", ("Jimmy", "Timmy")),
            "* Server connected. You are Jimmy. 2 here: Jimmy, Timmy",
        ),
        (Said(1, AT, "Timmy", "Hey guys!"), "Timmy> Hey guys!"),
        (Whispered(2, AT, "Timmy", "Jimmy", "psst"), "[Timmy -> you] psst"),
        (Joined("Timmy"), "* Timmy joined"),
        (Left("Timmy", "quit"), "* Timmy left"),
        (Left("Timmy", "connection lost"), "* Timmy left (connection lost)"),
        (Renamed("Timmy", "Tim"), "* Timmy is now Tim"),
        (Roster(("Jimmy", "Server", "Timmy")), "* 3 here: Jimmy, Server, Timmy"),
        (
            Refused("handle-taken", 'handle "Jimmy" is taken; try another'),
            '! handle "Jimmy" is taken; try another',
        ),
        (
            Refused("no-such-handle", 'nobody here is called "Joee"; nothing was sent'),
            '! nobody here is called "Joee"; nothing was sent',
        ),
        (
            Refused(
                "message-too-long", "501 characters; at most 500 are allowed; nothing was sent"
            ),
            "! 501 characters; at most 500 are allowed; nothing was sent",
        ),
        (
            Notice("The room is full; you are number 2 in line"),
            "* The room is full; you are number 2 in line",
        ),
        (Closing("shutting down"), "* Server closed the connection: shutting down"),
        (Notice("one\ntwo"), "* one\n* two"),
        (Pong(), "* pong"),
    ],
)
def test_what_a_plain_peer_sees(event: Event, line: str) -> None:
    """The plain lines are those of the protocol's table, to the letter."""
    assert PLAIN.encode([event]) == f"{line}\n".encode()


@given(events(any_text))
def test_plain_lines_are_lines(event: Event) -> None:
    """Any event is one line of UTF-8, a notice as many as it has; a topic has its own.

    What is recalled has a line for each message, and one more.
    """
    text = PLAIN.encode([event]).decode()
    lines = event.text.count("\n") + 1 if isinstance(event, Notice) else 1
    lines += isinstance(event, Welcome) and bool(event.topic)
    lines += len(event.messages) if isinstance(event, Recalled) else 0
    if isinstance(event, Roster):  # who moderates, and the doors, have lines of their own
        lines += bool({*event.operators} - {event.server}) + bool(event.doors)
    assert text.endswith("\n")
    assert text.count("\n") == lines
    assert len(text.splitlines()) == lines


# ---- NDJSON


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (Join("Jimmy"), '{"type":"join","handle":"Jimmy"}'),
        (Say("hi"), '{"type":"say","text":"hi"}'),
        (Whisper("Joe", "psst"), '{"type":"whisper","to":"Joe","text":"psst"}'),
        (Rename("Jim"), '{"type":"rename","handle":"Jim"}'),
        (Who(), '{"type":"who"}'),
        (Ping(), '{"type":"ping"}'),
        (Kick("Joe", "loud"), '{"type":"kick","handle":"Joe","reason":"loud"}'),
        (Action("waves"), '{"type":"action","text":"waves"}'),
        (Op("Joe"), '{"type":"op","handle":"Joe"}'),
        (Deop("Joe"), '{"type":"deop","handle":"Joe"}'),
        (
            Ban("10.0.0.0/24", 1.5, "spam"),
            '{"type":"ban","handle":"10.0.0.0/24","minutes":1.5,"reason":"spam"}',
        ),
        (Unban("Joe"), '{"type":"unban","handle":"Joe"}'),
        (Mute("Joe", 10), '{"type":"mute","handle":"Joe","minutes":10}'),
        (Unmute("Joe"), '{"type":"unmute","handle":"Joe"}'),
        (Quiet(on=True), '{"type":"quiet","on":true}'),
        (Bans(), '{"type":"bans"}'),
        (Topic("tea"), '{"type":"topic","text":"tea"}'),
        (Stats(), '{"type":"stats"}'),
        (Servers(), '{"type":"servers"}'),
        (Quit(), '{"type":"quit"}'),
        (
            Join("J", token="t" * 22, after=7),
            '{"type":"join","handle":"J","token":"tttttttttttttttttttttt","after":7}',
        ),
        (Join("J", history=None), '{"type":"join","handle":"J","history":null}'),
        (Recall(), '{"type":"recall"}'),
        (
            Recall(5, 9, "tea", "J", 30),
            '{"type":"recall","count":5,"before":9,"find":"tea","from":"J","minutes":30}',
        ),
        (Forget((1, 2)), '{"type":"forget","ids":[1,2]}'),
        (Forget(handle="J"), '{"type":"forget","handle":"J"}'),
        (
            Welcome("Jimmy", "Server", ("Jimmy", "Timmy"), 40),
            (
                '{"type":"welcome","handle":"Jimmy","server":"Server","roster":["Jimmy","Timmy"],'
                '"last":40,"handle_length":10,"topic":"","room":"room","resumed":false}'
            ),
        ),
        (
            Welcome("J", "S", ("J", "T"), 0, 10, unencrypted=("T",)),
            (
                '{"type":"welcome","handle":"J","server":"S","roster":["J","T"],"last":0,'
                '"handle_length":10,"topic":"","unencrypted":["T"],"room":"room","resumed":false}'
            ),
        ),
        (
            Welcome("J", "S", ("J",), 7, room="tea", token="t" * 22, resumed=True),
            (
                '{"type":"welcome","handle":"J","server":"S","roster":["J"],"last":7,'
                '"handle_length":10,"topic":"","room":"tea","token":"tttttttttttttttttttttt",'
                '"resumed":true}'
            ),
        ),
        (
            Recalled((Said(1, AT, "J", "hi"),), more=True),
            (
                '{"type":"recalled","messages":[{"type":"said","id":1,'
                '"at":"2026-01-02T03:04:05.678Z","handle":"J","text":"hi"}],"more":true}'
            ),
        ),
        (
            Removed((1, 2), "gone", 3, AT, "Server"),
            (
                '{"type":"removed","ids":[1,2],"text":"gone","id":3,'
                '"at":"2026-01-02T03:04:05.678Z","by":"Server"}'
            ),
        ),
        (
            Joined("Timmy", 41, AT, unencrypted=True),
            (
                '{"type":"joined","handle":"Timmy","id":41,"at":"2026-01-02T03:04:05.678Z",'
                '"unencrypted":true}'
            ),
        ),
        (
            Joined("Timmy", 41, AT),
            '{"type":"joined","handle":"Timmy","id":41,"at":"2026-01-02T03:04:05.678Z"}',
        ),
        (
            Said(42, AT, "Timmy", "hi"),
            '{"type":"said","id":42,"at":"2026-01-02T03:04:05.678Z","handle":"Timmy","text":"hi"}',
        ),
        (
            Said(42, AT, "Timmy", "waves", action=True),
            (
                '{"type":"said","id":42,"at":"2026-01-02T03:04:05.678Z","handle":"Timmy",'
                '"text":"waves","action":true}'
            ),
        ),
        (
            Moderated("Timmy was muted by Server", 42, AT, "Server"),
            (
                '{"type":"moderated","text":"Timmy was muted by Server","id":42,'
                '"at":"2026-01-02T03:04:05.678Z","by":"Server"}'
            ),
        ),
        (
            Whispered(43, AT, "Timmy", "Jimmy", "psst"),
            (
                '{"type":"whispered","id":43,"at":"2026-01-02T03:04:05.678Z",'
                '"handle":"Timmy","to":"Jimmy","text":"psst"}'
            ),
        ),
        (
            Renamed("Timmy", "Tim", 44, AT),
            (
                '{"type":"renamed","handle":"Timmy","new":"Tim",'
                '"id":44,"at":"2026-01-02T03:04:05.678Z"}'
            ),
        ),
        (
            Left("Timmy", "quit", 45, AT),
            (
                '{"type":"left","handle":"Timmy","reason":"quit",'
                '"id":45,"at":"2026-01-02T03:04:05.678Z"}'
            ),
        ),
        (Roster(("Jimmy",)), '{"type":"roster","handles":["Jimmy"]}'),
        (
            Roster(("Jimmy",), ("Jimmy",)),
            '{"type":"roster","handles":["Jimmy"],"unencrypted":["Jimmy"]}',
        ),
        (Notice("a\nb"), '{"type":"notice","text":"a\\nb"}'),
        (Refused("handle-taken", "no"), '{"type":"refused","code":"handle-taken","text":"no"}'),
        (
            Refused("handle-taken", "no", 46),
            '{"type":"refused","code":"handle-taken","text":"no","id":46}',
        ),
        (Pong(), '{"type":"pong"}'),
        (Closing("full"), '{"type":"closing","reason":"full"}'),
        (Closing("bye", retry=True), '{"type":"closing","reason":"bye","retry":true}'),
    ],
)
def test_ndjson_to_the_letter(message: Request | Event, line: str) -> None:
    """Every request and event has its one JSON object, tagged by its type."""
    assert encode(message) == f"{line}\n".encode()
    if isinstance(message, Request):
        assert decode_request(line) == message
        assert NdjsonSpeaker().hear(f"{line}\n".encode()) == [message]
    else:
        assert NDJSON.encode([message]) == f"{line}\n".encode()
        assert decode_event(line) == message


@given(requests(wire_text))
def test_requests_round_trip(request_: Request) -> None:
    """Every request comes out of its one line as it went in."""
    line = encode(request_)
    assert line.index(b"\n") == len(line) - 1
    assert decode_request(line[:-1].decode()) == request_


@given(events(wire_text))
def test_events_round_trip(event: Event) -> None:
    """Every event comes out of its one line as it went in."""
    line = NDJSON.encode([event])
    assert line == encode(event)
    assert line.index(b"\n") == len(line) - 1
    assert decode_event(line[:-1].decode()) == event


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ('{"type":"say","text":"hi","mood":"good"}', Say("hi")),
        ('{"text":"hi","type":"say"}', Say("hi")),
        (' { "type" : "say" , "text" : "hi" } ', Say("hi")),
        ('{"type":"who","x":{"y":[1,2,{"z":null}]}}', Who()),
        ('{"type":"kick","handle":"Joe"}', Kick("Joe", "")),
        ('{"type":"say","text":"\\u00e9\\ud83d\\ude00\\n"}', Say("\u00e9\U0001f600\n")),
    ],
)
def test_the_format_can_grow(line: str, request_: Request) -> None:
    """Unknown fields and their order mean nothing, and later fields have defaults."""
    assert decode_request(line) == request_


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"type":"say"}', "Object missing required field `text`"),
        ('{"text":"hi"}', "Object missing required field `type`"),
        ('{"type":"say","text":5}', "Expected `str`, got `int` - at `$.text`"),
        ('{"type":"say","text":null}', "Expected `str`, got `null` - at `$.text`"),
        ('{"type":"said"}', "Invalid value 'said' - at `$.type`"),
        ('{"type":"Say","text":"hi"}', "Invalid value 'Say' - at `$.type`"),
        ('{"type":1}', "Expected `str` - at `$.type`"),
        ("[]", "Expected `object`, got `array`"),
        ('"say"', "Expected `object`, got `str`"),
        ("5", "Expected `object`, got `int`"),
        ("null", "Expected `object`, got `null`"),
        ("", "Input data was truncated"),
        ('{"type":"say"', "Input data was truncated"),
        ('{"type":"who"}{"type":"who"}', "JSON is malformed: trailing characters (byte 15)"),
        ("hello", "JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_lines_that_are_no_requests(line: str, reason: str) -> None:
    """A line that is no request is refused with what is wrong with it."""
    assert decode_request(line) == bad_request(reason)
    assert NdjsonSpeaker().hear(f"{line}\n".encode()) == [bad_request(reason)]


nested = [
    pytest.param("[" * 3000, id="open arrays"),
    pytest.param('{"a":' * 3000, id="open objects"),
    pytest.param("[" * 3000 + "]" * 3000, id="arrays"),
    pytest.param('{"type":"say","text":' + "[" * 3000 + "]" * 3000 + "}", id="in the text"),
    pytest.param('{"type":"who","x":' + '{"a":' * 3000, id="open in an unknown field"),
    pytest.param('{"type":"' + "[" * 3000 + '"}', id="as the type"),
]
unread = [
    pytest.param('{"type":"who","x":' + "[" * 3000 + "]" * 3000 + "}", id="in an unknown field"),
    pytest.param('{"x":' + "[" * 3000 + "]" * 3000 + ',"type":"who"}', id="before the type"),
]
surrogates = [
    pytest.param("\ud800", id="alone"),
    pytest.param('{"type":"say","text":"\udfff"}', id="in the text"),
    pytest.param('{"type":"say","text":"\\ud800"}', id="escaped"),
    pytest.param('{"type":"say","text":"\\ud800\\ud800 x"}', id="escaped twice"),
    pytest.param('{"type":"say","text":"\\udc00\\ud800 x"}', id="escaped the wrong way round"),
    pytest.param('{"type":"say","text":"\\ud800 and more text"}', id="escaped before text"),
    pytest.param('{"type":"\\ud800"}', id="as the type"),
]


@pytest.mark.parametrize("line", [*nested, *surrogates])
def test_hostile_lines_are_refused(line: str) -> None:
    """Neither depth nor lone surrogates raise, and the refusal can be sent."""
    asked = decode_request(line)
    assert isinstance(asked, Refused)
    assert asked.code == "bad-request"
    assert clean(asked.text) == asked.text
    assert decode_event(NDJSON.encode([asked])[:-1].decode()) == asked


@pytest.mark.parametrize("line", unread)
def test_depth_where_nobody_looks(line: str) -> None:
    """In a field that is not known depth means nothing; how much of it is skipped Python says."""
    asked = decode_request(line)
    assert asked == Who() or (isinstance(asked, Refused) and asked.code == "bad-request")


@pytest.mark.parametrize("line", [*nested, *unread])
def test_hostile_lines_among_others(line: str) -> None:
    """What stands around a hostile line is heard as if it were not there."""
    short = line[:8192]
    chunk = f'{{"type":"who"}}\n{short}\n{{"type":"ping"}}\n'.encode()
    assert NdjsonSpeaker().hear(chunk) == [Who(), decode_request(short), Ping()]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
almost_messages = st.fixed_dictionaries(
    {"type": st.sampled_from(["join", "say", "whisper", "kick", "who", "said", "left", ""])},
    optional=dict.fromkeys(("handle", "text", "to", "reason", "id", "x"), json_values),
).map(json.dumps)
lines = st.one_of(any_text, st.text(), json_values.map(json.dumps), almost_messages)


@given(lines)
def test_no_line_makes_ndjson_raise(line: str) -> None:
    """Whatever the line, it is a request or is refused, in words that can be sent."""
    asked = decode_request(line)
    assert isinstance(asked, (*REQUESTS, Refused))
    if isinstance(asked, Refused):
        assert asked.code == "bad-request"
        assert clean(asked.text) == asked.text
        assert NDJSON.encode([asked]).endswith(b"\n")


# ---- events, at the client


@given(lines)
def test_no_line_makes_the_client_raise_anything_else(line: str) -> None:
    """Whatever a server sends is an event, is left out, or is no triochat."""
    try:
        decode_event(line)
    except RemoteProtocolError as error:
        assert error.code == "not-triochat"  # noqa: PT017


@pytest.mark.parametrize(
    "line", ['{"type":"edited","id":5,"text":"hi"}', '{"type":""}', '{"x":[{}],"type":"say"}']
)
def test_types_of_event_not_known_here(line: str) -> None:
    """An object with a type that is not known is left out, so that servers can grow."""
    assert decode_event(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "[]",
        "{}",
        "SSH-2.0-OpenSSH_9.2",
        '{"type":5}',
        "[" * 3000,
        "\ud800",
        '{"a":' * 3000,
    ],
)
def test_what_is_not_triochat(line: str) -> None:
    """A line that is no tagged object at all comes from something else than triochat."""
    with pytest.raises(
        RemoteProtocolError, match=r"\Awhat answers there is not a triochat server\Z"
    ) as raised:
        decode_event(line)
    assert raised.value.code == "not-triochat"


def test_events_may_grow() -> None:
    """An event with a field that is not known here is that event."""
    assert decode_event('{"type":"joined","handle":"Ann","from":"afar"}') == Joined("Ann")


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"renamed","handle":"a","new":"%s"}' % ("b" * 300),
        '{"type":"joined","handle":"%s"}' % ("b" * 300),
        '{"type":"welcome","handle":"%s","server":"S","roster":[]}' % ("b" * 300),
        '{"type":"roster","handles":["%s"]}' % ("b" * 300),
        '{"type":"said","id":1,"at":"%s","handle":"a","text":"hi"}' % ("1" * 300),
    ],
)
def test_names_that_no_room_allows_are_not_understood(line: str) -> None:
    """What a strange server calls people cannot fill whoever hears it."""
    assert decode_event(line) is None


def test_what_was_said_before_somebody_came() -> None:
    """To people each line says that it is past; programs know it by the id."""
    past: list[Event] = [Said(1, "x", "Ann", "hi"), Said(2, "x", "Ann", "waves", action=True)]
    assert PlainSpeaker().tell_past(past) == b"* earlier: Ann> hi\n* earlier: * Ann waves\n"
    for speaker in (NdjsonSpeaker(), HttpSpeaker()):
        assert speaker.tell_past(past) == speaker.tell(past)
