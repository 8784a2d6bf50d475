"""Where bytes from outside come in, each as a function of some bytes: what is fuzzed.

Each raises nothing, whatever the bytes, but for an `AssertionError` that says what does not hold.
`tests/fuzz.py` runs them by coverage; `test_fuzz.py` plays what was found.
"""

import gc
import logging
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from types import FunctionType, ModuleType

import trio
import trio.testing

from tls import Sealer, make_tls
from triochat.backlog import Backlog
from triochat.connection import EVENT_LIMIT
from triochat.dialects.base import Dialect, Setting, Speaker
from triochat.dialects.ndjson import decode_event
from triochat.dialects.plain import PlainSpeaker
from triochat.dialects.recognition import recognise
from triochat.exceptions import RemoteProtocolError
from triochat.framing import Lines
from triochat.grammar import parse
from triochat.link import Link
from triochat.messages import Join, Quit, Refused, Say
from triochat.order import AnyRequest, Asked, Gone, Peer, Reply
from triochat.room import Room
from triochat.stay import MANY, Stay
from triochat.telling import Ends, Replies, Telling, Told
from triochat.terminals.screen import Screen
from triochat.terminals.shown import Shown, bounded
from triochat.terminals.wrapping import cells_of
from triochat.text import clean
from triochat.tls import Codec, Tls
from triochat.words import words_of

MOST = 1 << 14
"""Bytes that a link may keep between two pieces, all its parts together."""

_SHARED = (type, FunctionType, ModuleType, logging.Logger, Dialect, Setting)

NOW = 1767323045.5
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WIDTH = 40


def pieces_of(data: bytes) -> Iterator[bytes]:
    """These bytes but the first, cut into pieces by what it and they are."""
    if not data:
        return
    step, data = data[0] or 256, data[1:]
    while data:
        size = 1 + (step * 31 + len(data)) % (step + 1)
        yield data[:size]
        data = data[size:]


def hear_cut(data: bytes) -> None:
    """However bytes are cut, a link understands the same, up to the end, and keeps little."""
    whole, cut = _link(), _link()
    pieces = [*pieces_of(data)]
    expected = whole.hear(b"".join(pieces)) if pieces else []
    asked: list[AnyRequest] = []
    for piece in pieces:
        asked += cut.hear(piece)
        assert len(cut._first or b"") + weight(cut.speaker) <= MOST, "a link keeps little"
    assert _meant(asked, cut.speaker) == _meant(expected, whole.speaker), "the cut means nothing"
    assert type(whole.speaker) is type(cut.speaker)
    assert whole.end() == cut.end()


def weight(speaker: Speaker) -> int:
    """Bytes of all that a speaker keeps for itself, about."""
    seen, found, total = {id(speaker)}, [*gc.get_referents(speaker)], 0
    while found:
        one = found.pop()
        if id(one) in seen or isinstance(one, _SHARED):
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray | str):
            total += len(one)
        else:
            total += 8
            found += gc.get_referents(one)
    return total


def _meant(asked: list[AnyRequest], speaker: Speaker) -> tuple[list[AnyRequest], bytes]:
    """What the room is asked for, as far as it hears that, and what is answered without it.

    Of a reply only the bytes count: how many there are, and of a pong also where, is the cut's.
    """
    asked = _until_quit(asked)
    replies = b"".join(one.data for one in asked if isinstance(one, Reply))
    if asked and isinstance(asked[-1], Quit | Gone):
        replies += speaker.part("quit")
    heard: list[AnyRequest] = [one for one in asked if not isinstance(one, Reply)]
    return heard, re.sub(rb"\r\nDate: [^\r]*", b"", replies)


def _link() -> Link:
    return Link(Backlog(), trio.testing.MemorySendStream())


def _until_quit(asked: list[AnyRequest]) -> list[AnyRequest]:
    """What the room hears of it: nothing after what ends it."""
    ends = [place for place, one in enumerate(asked) if isinstance(one, Quit | Gone)]
    return asked[: ends[0] + 1] if ends else asked


def ask_room(data: bytes) -> None:
    """Whatever two peers say, the room answers, and what is told can be written for everybody."""
    room = Room(max_clients=1 + len(data) % 2)
    links = [_link(), _link()]
    for number, piece in enumerate(pieces_of(data)):
        peer = Peer(str(number % 2), is_console=False)
        told = room.apply(Asked(peer, links[number % 2].hear(piece), NOW))
        for telling in told:
            _write(telling, links, room)
    for number in range(2):
        room.apply(Asked(Peer(str(number)), (Gone("lost"),), NOW))
    assert room.roster == ()


def _write(telling: Telling, links: list[Link], room: Room) -> None:
    """Write it for whom it is, and for everybody who might be there."""
    for event in getattr(telling, "events", []):
        plain = PlainSpeaker().tell([event]).decode()
        assert all(clean(line) == line for line in plain.split("\n")), "a line is a line"
        for link in links:
            _read_lines(link.speaker.dialect.encode([event]))
    if isinstance(telling, Told):
        for peer in telling.to or ():
            told = links[int(peer.id)].speaker.tell(telling.events, room.members.get(peer, ""))
            _read_lines(told)
    elif isinstance(telling, Replies):
        assert telling.data
    elif isinstance(telling, Ends):
        links[int(telling.peer.id)].speaker.part(telling.reason)


def _read_lines(told: bytes) -> None:
    lines = told.decode().split("\n")
    assert lines.pop() == "" or told.startswith(b"HTTP/1.1 "), "whole lines"
    for line in lines:
        if line.endswith("\r") and line.startswith((":", "@")):
            text = line.removesuffix("\r")
            text = text.split(" ", 1)[1] if text.startswith("@") else text
            assert len(text.encode()) <= 510, "a line of IRC"
            assert not {"\0", "\r"} & {*text}


def read_line(data: bytes) -> None:
    """Whatever a person types means something, and is never a secret told to all."""
    line = data.decode(errors="surrogateescape")
    request = parse(line)
    if isinstance(request, Say):
        assert clean(request.text) == request.text, "nothing is said that nobody sees"
    speaker = recognise(data)
    assert speaker is None or speaker.hear(data) is not None


_TLS: list[Tls] = []
"""One for all: what one peer does must not harm the next one."""


def shake_hands(data: bytes) -> None:
    """Whatever comes instead of, or into, a handshake: nothing is left in what all share."""
    tls = _tls()
    codec = tls.codec()
    _feed(tls, codec, _changed(Sealer().hello(), data))
    codec.seal(b"x")
    codec.end()
    _assert_empty(tls)


def break_records(data: bytes) -> None:
    """Whatever comes after a handshake, another peer is neither disturbed nor overheard."""
    tls = _tls()
    (codec, client), (other, friend) = _pair(tls), _pair(tls)
    _feed(tls, codec, _changed(client.say(b"hello") + client.say(b"again"), data))
    assert codec.has_ended or codec.problem == ""
    plain, _ = other.open(friend.say(b"hello"))
    assert plain == b"hello"
    try:
        friend.hear(other.seal(b"there"))
    except ssl.SSLError as error:
        raise AssertionError("another peer's link is broken") from error
    assert friend.heard == b"there"
    _assert_empty(tls)


def _changed(wire: bytes, data: bytes) -> Iterable[bytes]:
    """Real bytes, with some bits of them turned over; or else something different altogether."""
    if data[:1] >= b"\x80":
        return pieces_of(data)
    changed = bytearray(wire)
    for place, value in zip(data[1::2], data[2::2], strict=False):
        changed[place * 7 % len(changed)] ^= value
    return [bytes(changed[: len(changed) // 2]), bytes(changed[len(changed) // 2 :])]


def _tls() -> Tls:
    if not _TLS:
        _TLS.append(make_tls())
    return _TLS[0]


def _pair(tls: Tls) -> tuple[Codec, Sealer]:
    codec, client = tls.codec(), Sealer()
    wire = client.hello()
    while wire:
        _, answer = codec.open(wire)
        wire = client.hear(answer)
    return codec, client


def _feed(tls: Tls, codec: Codec, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        if codec.has_ended:
            break
        codec.open(piece)
        _assert_empty(tls)


def _assert_empty(tls: Tls) -> None:
    left = (tls._incoming.pending, tls._outgoing.pending)
    assert left == (0, 0), "what all share is empty"


def serve_client(data: bytes) -> None:
    """Whatever a server says, a client draws lines of text that fit, or says that it is none."""
    lines, stay, screen = Lines(EVENT_LIMIT), Stay(), Screen(UTC)
    stay.ask(Join("Joe"))
    for piece in pieces_of(data):
        for line in lines.feed(piece):
            try:
                event = None if isinstance(line, Refused) else decode_event(line)
            except RemoteProtocolError:
                return
            if event is None:
                continue
            stay.hear(event)
            assert len(stay.roster) <= MANY + 1
            words = words_of(event, stay.handle)
            assert all(clean(one) == one for one in words.split("\n")), "nothing but text"
            for row in screen.draw([Shown(bounded(event), stay.handle)], NOON, WIDTH):
                assert cells_of(row.plain) <= WIDTH, "a row fits the screen"


ENTRIES: dict[str, Callable[[bytes], None]] = {
    entry.__name__: entry
    for entry in (hear_cut, ask_room, read_line, shake_hands, break_records, serve_client)
}
"""The entries by their names."""
