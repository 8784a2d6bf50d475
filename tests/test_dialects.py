import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, events, requests, wire_text
from triochat.dialects import NDJSON, PLAIN, choose
from triochat.dialects.ndjson import decode_event, encode
from triochat.dialects.plain import GREETING
from triochat.exceptions import RemoteProtocolError
from triochat.grammar import help_text
from triochat.messages import (
    Closing,
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Notice,
    Ping,
    Pong,
    Quit,
    Refused,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.text import clean

AT = "2026-01-02T03:04:05.678Z"
REQUESTS = (Join, Say, Whisper, Rename, Who, Ping, Kick, Quit)
NOT_JOINED = Refused("not-joined", "first a handle, please; nothing was sent")


def bad_request(reason: str) -> Refused:
    """The refusal of a line that is no request."""
    return Refused("bad-request", f"not a request: {reason}; nothing was sent")


# ---- which one


@pytest.mark.parametrize("first", [b"{", b"{}", b'{"type":"join"', bytearray(b"{\n")])
def test_a_brace_is_ndjson(first: bytes | bytearray) -> None:
    """A first line that starts with ``{`` is NDJSON."""
    assert choose(first) is NDJSON


@pytest.mark.parametrize("first", [b"Jimmy", b"\n", b" {", b"[", b"\xff", b"", b'"{'])
def test_anything_else_is_plain(first: bytes) -> None:
    """Any other first line is a plain peer's."""
    assert choose(first) is PLAIN


def test_who_hears_its_own_messages() -> None:
    """A program hears its own messages; a plain peer's terminal has shown them."""
    assert (NDJSON.name, NDJSON.echoes) == ("ndjson", True)
    assert (PLAIN.name, PLAIN.echoes) == ("plain", False)


# ---- plain: what is read


@pytest.mark.parametrize("line", ["Jimmy", " Jimmy ", "\tJimmy\t"])
def test_the_first_plain_line_is_a_handle(line: str) -> None:
    """Before joining a plain line is a handle, without the white space around it."""
    assert PLAIN.decode(line, joined=False) == Join("Jimmy")


@pytest.mark.parametrize("line", ["a b", "?", "hello > Joe", "", "5 > 3", "{", "\x0bJim"])
def test_any_plain_line_is_a_handle_before_joining(line: str) -> None:
    """Before joining nothing is said or whispered; the room tells what is no handle."""
    assert PLAIN.decode(line, joined=False) == Join(line)


@pytest.mark.parametrize("joined", [False, True])
def test_plain_commands_that_always_work(*, joined: bool) -> None:
    r"""``\quit`` and ``\help`` mean the same before joining as after."""
    assert PLAIN.decode("\\quit", joined=joined) == Quit()
    assert PLAIN.decode(" /quit", joined=joined) == Quit()
    assert PLAIN.decode("\\help", joined=joined) == Notice(help_text())


@pytest.mark.parametrize(
    "line",
    ["\\who", "/say hi", "\\msg Joe hi", "\\nick Jim", "\\kick Joe", "\\foo", "\\\\Jim", "/"],
)
def test_plain_commands_before_joining(line: str) -> None:
    """Every other command needs a handle first."""
    assert PLAIN.decode(line, joined=False) == NOT_JOINED


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("Jimmy", Say("Jimmy")),
        (" hi ", Say(" hi ")),
        ("?", Who()),
        ("psst > Joe", Whisper("Joe", "psst")),
        ("5 > 3", Say("5 > 3")),
        ("\\nick Jim", Rename("Jim")),
        ("\\kick Joe", Kick("Joe")),
        ("//quit", Say("/quit")),
        ("{}", Say("{}")),
        ("", None),
    ],
)
def test_plain_lines_after_joining(line: str, asked: Request | None) -> None:
    """After joining a plain line is what the grammar says."""
    assert PLAIN.decode(line, joined=True) == asked


# ---- plain: what is written


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (GREETING, "* triochat: what is your handle? (1-10 characters, no spaces)"),
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
    assert PLAIN.encode(event) == f"{line}\n".encode()


@given(events(any_text))
def test_plain_lines_are_lines(event: Event) -> None:
    """Any event is one line of UTF-8, a notice as many as it has; nothing else breaks a line."""
    text = PLAIN.encode(event).decode()
    lines = event.text.count("\n") + 1 if isinstance(event, Notice) else 1
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
        (Quit(), '{"type":"quit"}'),
        (
            Welcome("Jimmy", "Server", ("Jimmy", "Timmy")),
            '{"type":"welcome","handle":"Jimmy","server":"Server","roster":["Jimmy","Timmy"]}',
        ),
        (Joined("Timmy"), '{"type":"joined","handle":"Timmy"}'),
        (
            Said(42, AT, "Timmy", "hi"),
            '{"type":"said","id":42,"at":"2026-01-02T03:04:05.678Z","handle":"Timmy","text":"hi"}',
        ),
        (
            Whispered(43, AT, "Timmy", "Jimmy", "psst"),
            (
                '{"type":"whispered","id":43,"at":"2026-01-02T03:04:05.678Z",'
                '"handle":"Timmy","to":"Jimmy","text":"psst"}'
            ),
        ),
        (Renamed("Timmy", "Tim"), '{"type":"renamed","handle":"Timmy","new":"Tim"}'),
        (Left("Timmy", "quit"), '{"type":"left","handle":"Timmy","reason":"quit"}'),
        (Roster(("Jimmy",)), '{"type":"roster","handles":["Jimmy"]}'),
        (Notice("a\nb"), '{"type":"notice","text":"a\\nb"}'),
        (Refused("handle-taken", "no"), '{"type":"refused","code":"handle-taken","text":"no"}'),
        (Pong(), '{"type":"pong"}'),
        (Closing("full"), '{"type":"closing","reason":"full"}'),
        (Closing("bye", retry=True), '{"type":"closing","reason":"bye","retry":true}'),
    ],
)
def test_ndjson_to_the_letter(message: Request | Event, line: str) -> None:
    """Every request and event has its one JSON object, tagged by its type."""
    assert encode(message) == f"{line}\n".encode()
    if isinstance(message, REQUESTS):
        assert NDJSON.decode(line, joined=True) == message
    else:
        assert NDJSON.encode(message) == f"{line}\n".encode()
        assert decode_event(line) == message


@given(requests(wire_text), st.booleans())
def test_requests_round_trip(request_: Request, joined: bool) -> None:
    """Every request comes out of its one line as it went in."""
    line = encode(request_)
    assert line.index(b"\n") == len(line) - 1
    assert NDJSON.decode(line[:-1].decode(), joined=joined) == request_


@given(events(wire_text))
def test_events_round_trip(event: Event) -> None:
    """Every event comes out of its one line as it went in."""
    line = NDJSON.encode(event)
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
    assert NDJSON.decode(line, joined=True) == request_


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
    assert NDJSON.decode(line, joined=True) == bad_request(reason)
    assert NDJSON.decode(line, joined=False) == bad_request(reason)


nested = [
    pytest.param("[" * 3000, id="open arrays"),
    pytest.param('{"a":' * 3000, id="open objects"),
    pytest.param("[" * 3000 + "]" * 3000, id="arrays"),
    pytest.param('{"type":"say","text":' + "[" * 3000 + "]" * 3000 + "}", id="in the text"),
    pytest.param('{"type":"who","x":' + "[" * 3000 + "]" * 3000 + "}", id="in an unknown field"),
    pytest.param('{"x":' + "[" * 3000 + "]" * 3000 + ',"type":"who"}', id="before the type"),
    pytest.param('{"type":"who","x":' + '{"a":' * 3000, id="open in an unknown field"),
    pytest.param('{"type":"' + "[" * 3000 + '"}', id="as the type"),
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
@pytest.mark.parametrize("joined", [False, True])
def test_hostile_lines_are_refused(line: str, *, joined: bool) -> None:
    """Neither depth nor lone surrogates raise, and the refusal can be sent."""
    asked = NDJSON.decode(line, joined=joined)
    assert isinstance(asked, Refused)
    assert asked.code == "bad-request"
    assert clean(asked.text) == asked.text
    assert decode_event(NDJSON.encode(asked)[:-1].decode()) == asked


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


@given(lines, st.booleans())
def test_no_line_makes_ndjson_raise(line: str, joined: bool) -> None:
    """Whatever the line, it is a request or is refused, in words that can be sent."""
    asked = NDJSON.decode(line, joined=joined)
    assert isinstance(asked, (*REQUESTS, Refused))
    if isinstance(asked, Refused):
        assert asked.code == "bad-request"
        assert clean(asked.text) == asked.text
        assert NDJSON.encode(asked).endswith(b"\n")


@given(lines, st.booleans())
def test_no_line_makes_plain_raise(line: str, joined: bool) -> None:
    """Whatever the line, it is a request, an answer or nothing; before joining only a few."""
    asked = PLAIN.decode(line, joined=joined)
    assert asked is None or isinstance(asked, (*REQUESTS, Refused, Notice))
    if not joined:
        assert isinstance(asked, Join | Quit | Notice | Refused)


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
    assert raised.value.code == "not-triochat"


def test_events_may_grow() -> None:
    """An event with a field that is not known here is that event."""
    assert decode_event('{"type":"joined","handle":"Ann","from":"afar"}') == Joined("Ann")
