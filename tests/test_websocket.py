import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from frames import Frames
from house import House, Peer, open_house
from triochat.dialects.base import Setting
from triochat.dialects.http import HttpSpeaker
from triochat.dialects.ndjson import NDJSON
from triochat.dialects.websocket import LINES, MESSAGE, WEBSOCKET, text_frame
from triochat.messages import Join, Notice, Ping, Quit, Refused, Say, Typed
from triochat.order import AnyRequest, Gone, Reply

OPENING = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
LOST = Gone("connection lost")
PING, SAY = b'{"type":"ping"}', b'{"type":"say","text":"h\xc3\xab"}'
LINE = 8192
TEXT, CONT, BINARY = Opcode.TEXT, Opcode.CONT, Opcode.BINARY
CLOSE, ASK, ANSWER = Opcode.CLOSE, Opcode.PING, Opcode.PONG


def frame(data: bytes, opcode: Opcode = TEXT, *, fin: bool = True) -> bytes:
    """A frame, as a client sends it."""
    return Frame(opcode, data, fin).serialize(mask=True)


def message(*pieces: bytes) -> bytes:
    """A message in these fragments."""
    last = len(pieces) - 1
    frames = enumerate(pieces)
    return b"".join(frame(one, CONT if at else TEXT, fin=at == last) for at, one in frames)


def close(code: int, reason: str = "") -> bytes:
    """A client's close frame."""
    return frame(code.to_bytes(2) + reason.encode(), CLOSE)


def opened(*, is_member: bool = False) -> HttpSpeaker:
    """Who has asked for a WebSocket; perhaps it has joined."""
    speaker = HttpSpeaker()
    speaker.begin(Setting())
    [replied] = speaker.hear(OPENING)
    assert isinstance(replied, Reply)
    if is_member:
        speaker.tell([Notice("welcome")], "Ann")
    return speaker


def spoken(*pieces: bytes, is_member: bool = False) -> tuple[Sequence[AnyRequest], bytes, bytes]:
    """What is asked for with these bytes, what is replied, and the last words."""
    speaker = opened(is_member=is_member)
    asked = [one for piece in pieces for one in speaker.hear(piece)]
    replied = b"".join(one.data for one in asked if isinstance(one, Reply))
    others = [one for one in asked if not isinstance(one, Reply)]
    return others, replied, speaker.part("going")


def heard(*pieces: bytes, is_member: bool = False) -> Sequence[AnyRequest]:
    """What is asked for with these bytes."""
    asked, _, _ = spoken(*pieces, is_member=is_member)
    return asked


def last_words(*pieces: bytes, is_member: bool = False) -> tuple[int, str]:
    """The close frame with which this ends, which asks for no more: its code and its reason."""
    speaker = opened(is_member=is_member)
    asked = [one for piece in pieces for one in speaker.hear(piece)]
    assert asked[-1] in (LOST, Quit())
    assert speaker.hear(frame(SAY)) == []
    return closed_with(speaker.part("whatever"))


def closed_with(data: bytes) -> tuple[int, str]:
    """The code and the reason in the only frame there is."""
    assert data[:1] == b"\x88"
    assert len(data) == data[1] + 2
    return int.from_bytes(data[2:4]), data[4:].decode()


# ---- what is heard


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (PING, [Ping()]),
        (PING + b"\n", [Ping()]),
        (PING + b"\r\n\r\n\n" + SAY, [Ping(), Say("h\xeb")]),
        (b"\n\n\r\n", []),
        (b"", []),
        (b'{"type":"typed","line":"psst > Joe"}', [Typed("psst > Joe")]),
        (b'{"type":"join","handle":"Ann"}\n' + PING, [Join("Ann"), Ping()]),
    ],
)
def test_a_message_holds_lines(text: bytes, asked: list[AnyRequest]) -> None:
    """Each line is a request; the last needs no end, empty ones are nothing."""
    assert heard(frame(text)) == asked


def test_what_is_no_request() -> None:
    """It is refused in its place, as a line that is too long is, and the others are heard."""
    text = b"\n".join([PING, b"hello", b"x" * (LINE + 1), PING])
    first, bad, long, last = heard(frame(text), is_member=True)
    assert first == last == Ping()
    assert isinstance(bad, Refused)
    assert isinstance(long, Refused)
    assert (bad.code, long.code) == ("bad-request", "line-too-long")


@given(st.lists(st.integers(0, len(SAY)), max_size=6))
def test_fragments(cuts: list[int]) -> None:
    """A message may come in any fragments, cut anywhere, with pings between them."""
    pieces = [SAY[one:two] for one, two in pairwise([0, *sorted(cuts), len(SAY)])]
    assert heard(message(*pieces)) == [Say("h\xeb")]
    frames = [frame(piece, CONT if at else TEXT, fin=False) for at, piece in enumerate(pieces)]
    pinged = frame(b"?", ASK).join([*frames, frame(b"", CONT)])
    assert spoken(pinged)[:2] == ([Say("h\xeb")], b"\x8a\x01?" * len(frames))


def test_an_unfinished_message_is_nothing() -> None:
    """What was begun, and never ends, is not obeyed."""
    assert heard(message(PING + b"\n", b"")[: -len(frame(b"", CONT))]) == []
    assert heard(frame(PING)[:-1]) == []


def test_pings() -> None:
    """Each is answered with what it says; answers that nobody asked for are nothing."""
    asked = opened().hear(frame(b"", ASK) + frame(b"x" * 125, ASK) + frame(b"y", ANSWER))
    assert asked == [Reply(b"\x8a\x00" + b"\x8a\x7d" + b"x" * 125)]


def test_pings_come_first() -> None:
    """A ping between the fragments of a message is answered before what that asks for."""
    first, last = frame(PING[:5], fin=False), frame(PING[5:], CONT)
    asked = opened().hear(first + frame(b"?", ASK) + last)
    assert asked == [Reply(b"\x8a\x01?"), Ping()]


stories = st.lists(
    st.sampled_from(
        [
            frame(PING),
            frame(SAY + b"\n\n" + PING),
            message(SAY[:26], SAY[26:27], SAY[27:]),
            message(b"", b""),
            frame(b"hello"),
            frame(b"?", ASK),
            frame(b"!", ANSWER),
            frame(b"x" * 300),
        ]
    ),
    max_size=6,
)
endings = st.sampled_from(
    [b"", close(1000), close(1001), frame(b"", CLOSE), b"\x81\x00", frame(b"", BINARY), b"\xff"]
)


@given(stories, endings, st.data())
def test_pieces_make_no_difference(story: list[bytes], end: bytes, data: st.DataObject) -> None:
    """Wherever it is cut, the same is asked for, in the same order, and the same is answered."""
    whole = b"".join([*story, end])
    places = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=20)))
    pieces = [whole[one:two] for one, two in zip([0, *places], [*places, None], strict=True)]
    asked, replied, last = spoken(whole)
    for cut in (pieces, [bytes([byte]) for byte in whole]):
        others, more, end = spoken(*cut)
        assert (others, more + end) == (asked, replied + last)


def test_what_comes_with_the_request_for_it() -> None:
    """Who does not wait for the answer is heard all the same, wherever that is cut."""
    data = OPENING + frame(PING)
    for cut in range(1, len(data)):
        speaker = HttpSpeaker()
        speaker.begin(Setting())
        replied, *asked = [*speaker.hear(data[:cut]), *speaker.hear(data[cut:])]
        assert isinstance(replied, Reply)
        assert asked == [Ping()]


@given(st.lists(st.binary(), max_size=8), st.booleans())
def test_no_bytes_make_it_raise(pieces: list[bytes], is_member: bool) -> None:
    """Whatever comes, it ends once at most, and then says good-bye in one frame at most."""
    speaker = opened(is_member=is_member)
    asked = [one for piece in pieces for one in speaker.hear(piece)]
    assert sum(isinstance(one, Quit | Gone) for one in asked) <= 1
    assert speaker.part("x")[:1] in (b"", b"\x88")
    assert speaker.part("x") == b""


# ---- how it ends


@pytest.mark.parametrize(
    ("sent", "last"),
    [
        (close(1000), Quit()),
        (close(1000, "bye"), Quit()),
        (close(1001), LOST),
        (close(3000), LOST),
        (close(4999, "tab"), LOST),
        (frame(b"", CLOSE), LOST),
    ],
)
def test_good_byes(sent: bytes, last: AnyRequest) -> None:
    """Who closes with 1000 leaves; who closes otherwise may come back. What is said is echoed."""
    assert heard(frame(SAY) + sent + frame(PING)) == [Say("h\xeb"), last]
    speaker = opened()
    speaker.hear(sent)
    assert speaker.part("quit") == Frame(CLOSE, payload_of(sent)).serialize(mask=False)
    assert speaker.part("quit") == b""


def payload_of(sent: bytes) -> bytes:
    """What is in a masked frame."""
    mask, masked = sent[2:6], sent[6:]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))


ANNOUNCED = bytes.fromhex("81ff 0000000040000000 00000000")  # a gigabyte


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\xc1\x80" + bytes(4), 1002),  # a reserved bit
        (b"\xa1\x80" + bytes(4), 1002),
        (b"\x91\x80" + bytes(4), 1002),
        (b"\x83\x80" + bytes(4), 1002),  # an opcode of nothing
        (b"\x8b\x80" + bytes(4), 1002),
        (frame(b"", CONT), 1002),  # nothing was begun
        (message(b"a", b"")[:7] + frame(b"b"), 1002),  # two at once
        (b"\x09\x80" + bytes(4), 1002),  # a ping in fragments
        (b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002),  # one that is too long
        (frame(b"x", CLOSE), 1002),  # half a code
        (close(1005), 1002),  # codes that nobody sends
        (close(999), 1002),
        (frame(b"\x03\xe8\xff", CLOSE), 1007),  # a reason that is no text
        (message(b"a", b"")[:7] + close(1000), 1002),  # in the middle of a message
        (frame(b"", BINARY), 1003),
        (frame(PING, BINARY), 1003),
        (frame(PING, BINARY, fin=False), 1003),
        (frame(b"\xff"), 1007),
        (frame(b"\xed\xa0\x80"), 1007),  # half a surrogate pair
        (message(b"\xc3", b""), 1007),  # a character that never ends
        (message(b"\xc3", b"\n\xab"), 1007),
        (frame(b"x" * (LINE + 1)), 1009),
        (message(b"x" * LINE, b"x"), 1009),
        (frame(b"\n" * (LINES + 1)), 1009),
        (message(b"1\n" * LINES, b"\n"), 1009),
        (ANNOUNCED, 1009),
    ],
)
def test_what_breaks_the_protocol(sent: bytes, code: int) -> None:
    """It ends the connection, as if it were lost; what was said before counts."""
    assert last_words(frame(SAY) + sent)[0] == code
    assert last_words(*(bytes([byte]) for byte in sent))[0] == code
    assert heard(frame(SAY) + sent) == [Say("h\xeb"), LOST]
    assert heard(frame(SAY) + sent + frame(PING) + close(1000)) == [Say("h\xeb"), LOST]


def test_reasons_say_what_to_do() -> None:
    """Who sends what is not understood here is told what is."""
    assert last_words(frame(b"", BINARY)) == (1003, "only text is understood here")
    assert last_words(frame(b"\xff")) == (1007, "a message is UTF-8")
    many = last_words(frame(b"\n" * (LINES + 1)))
    assert many == (1009, "a message has at most 256 lines")


def test_how_long_a_message_may_be() -> None:
    """A member may say 64 KiB at once; a stranger has to join before."""
    lines = (PING.ljust(255) + b"\n") * LINES
    assert len(lines) == MESSAGE
    assert set(heard(frame(lines), is_member=True)) == {Ping()}
    assert last_words(frame(lines + b"\n"), is_member=True)[0] == 1009
    pieces = [lines[start : start + 999] for start in range(0, MESSAGE, 999)]
    assert set(heard(message(*pieces), is_member=True)) == {Ping()}
    assert last_words(message(*pieces, b"\n"), is_member=True)[0] == 1009
    assert last_words(frame(lines)[:14])[0] == 1009
    assert heard(frame(b"\n" * LINES), is_member=True) == []


@pytest.mark.parametrize(
    ("reason", "code"), [("quit", 1000), ("shutting down", 1001), ("kicked: \xe9" * 40, 1001)]
)
def test_the_server_says_good_bye(reason: str, code: int) -> None:
    """With a close frame that says why, as far as that fits; once; it hears nothing more."""
    speaker = opened()
    found = closed_with(speaker.part(reason))
    assert found[0] == code
    assert found[1]
    assert reason.startswith(found[1])
    assert speaker.part(reason) == b""
    assert speaker.hear(frame(SAY)) == []


# ---- what is told


def read_by_a_client(data: bytes) -> list[Frame]:
    """What a client finds in these bytes, which breaks no rule."""
    client = ClientProtocol(parse_uri("ws://localhost/ws"), state=OPEN, max_size=None)
    client.receive_data(data)
    assert client.parser_exc is None
    return [one for one in client.events_received() if isinstance(one, Frame)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 1 << 20])
def test_a_frame_of_any_size(size: int) -> None:
    """What is told at once is one message, of any length, for all the same."""
    assert read_by_a_client(text_frame(b"x" * size)) == [Frame(TEXT, b"x" * size)]


def test_what_is_told_is_ndjson() -> None:
    """Each event is a line of the one message."""
    told = [Notice("one"), Notice("two")]
    assert WEBSOCKET.encode([*told]) == NDJSON.encode([*told])
    [frame] = read_by_a_client(WEBSOCKET.wrap(WEBSOCKET.encode([*told])))
    assert [json.loads(line)["text"] for line in bytes(frame.data).splitlines()] == ["one", "two"]


# ---- in a room


class Browser(Peer):
    """A page: NDJSON over a WebSocket, as `websockets` speaks that."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.frames = Frames(stream)
        super().__init__(self.frames)


async def browser(house: House, handle: str, **join: str | int) -> Browser:
    """One that has read its welcome."""
    peer = Browser((await house.connect()).stream)
    await peer.ask({"type": "join", "handle": handle, **join})
    assert (await peer.event())["type"] == "welcome"
    return peer


async def kinds(peer: Peer) -> list[str]:
    """The kinds of events until the end."""
    return [json.loads(line)["type"] for line in await peer.rest()]


@pytest.mark.parametrize("is_sealed", [False, True])
async def test_a_browser_is_a_member(is_sealed: bool) -> None:
    """It joins, speaks, is spoken to and leaves as anybody does."""
    async with open_house(is_sealed=is_sealed) as house:
        ann = await house.plain("Ann")
        bob = await browser(house, "Bob")
        await ann.type("hi")
        assert (await bob.event())["text"] == "hi"
        await bob.ask({"type": "typed", "line": "psst > Ann"}, {"type": "quit"})
        assert await ann.hear(3) == ["* Bob joined", "[Bob -> you] psst", "* Bob left"]
        assert await kinds(bob) == ["whispered"]
        assert bob.frames.closed == (1000, "quit")


async def test_a_batch_is_one_message() -> None:
    """What was said at once comes in one frame."""
    async with open_house() as house:
        ann, bob = await house.ndjson("Ann"), await browser(house, "Bob")
        await ann.ask(*({"type": "say", "text": str(number)} for number in range(50)))
        assert [(await bob.event())["text"] for _ in range(50)] == [str(one) for one in range(50)]
        assert len(bob.frames.messages) == 2


async def test_a_reload_keeps_the_place(autojump_clock: trio.testing.MockClock) -> None:
    """Who closes as a page that goes away does, or just breaks off, comes back by its token."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        token = "t" * 22
        bob = await browser(house, "Bob", token=token)
        await bob.frames.leave(1001)
        assert await kinds(bob) == []
        assert bob.frames.closed == (1001, "")
        await ann.type("hi")
        bob = await browser(house, "Bob", token=token, after=2)
        await bob.stream.send_eof()
        bob = await browser(house, "Bob", token=token, after=2)
        assert (await bob.event())["text"] == "hi"
        await bob.frames.leave()
        assert await ann.hear(2) == ["* Bob joined", "* Bob left"]


async def test_the_server_closes() -> None:
    """It says so, then closes with a frame, and nothing comes after that."""
    async with open_house() as house:
        bob = await browser(house, "Bob")
        stranger = Browser((await house.connect()).stream)
        await stranger.frames.open()
        await trio.testing.wait_all_tasks_blocked()
    assert await kinds(bob) == ["closing"]
    assert await kinds(stranger) == ["closing"]
    assert bob.frames.closed == stranger.frames.closed == (1001, "shutting down")


async def test_it_must_join_in_time(autojump_clock: trio.testing.MockClock) -> None:
    """A WebSocket on which nobody joins is closed after twenty seconds, and says why."""
    async with open_house() as house:
        peer = Browser((await house.connect()).stream)
        await peer.frames.open()
        with trio.fail_after(21):
            assert await kinds(peer) == ["closing"]
        assert trio.current_time() >= 20
        assert peer.frames.closed == (1001, "not joined within 20 seconds")


async def test_who_breaks_the_rules_may_come_back(autojump_clock: trio.testing.MockClock) -> None:
    """A frame that is none closes the connection; the others hear nothing for a while."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        raw = await house.connect()
        join = b'{"type":"join","handle":"Bob"}'
        await raw.stream.send_all(OPENING + frame(join) + b"\x81\x02hi")
        data = b""
        while more := await raw.stream.receive_some():
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        *told, last = read_by_a_client(data)
        assert [json.loads(bytes(one.data))["type"] for one in told] == ["welcome"]
        assert (last.opcode, bytes(last.data[:2])) == (CLOSE, (1002).to_bytes(2))
        assert await ann.line() == "* Bob joined"
        assert await ann.heard_nothing()
        await trio.sleep(11)
        assert await ann.line() == "* Bob left (connection lost)"


async def test_a_flood_of_pings(autojump_clock: trio.testing.MockClock) -> None:
    """Who only pings is answered, and slowed down like who only talks."""
    async with open_house() as house:
        bob = await browser(house, "Bob")
        began = trio.current_time()
        for _ in range(100):
            bob.frames._protocol.send_ping(b"x" * 125)
        await bob.frames._write()
        await bob.ask({"type": "ping"})
        assert (await bob.event())["type"] == "pong"
        assert bob.frames.pongs == 100
        assert trio.current_time() == began
        for _ in range(50_000):
            bob.frames._protocol.send_ping(b"")
        await bob.frames._write()
        await bob.ask({"type": "ping"})
        await bob.until('{"type":"pong"')
        assert bob.frames.pongs > 49_000
        assert 15 < trio.current_time() - began < 60


async def test_a_stranger_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    """Who announces much, and has not joined, is closed at once; the others do not notice."""
    async with open_house() as house:
        raw = await house.connect()
        await raw.stream.send_all(OPENING + ANNOUNCED)
        with trio.fail_after(1):
            while await raw.stream.receive_some():
                pass
