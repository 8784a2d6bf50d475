"""What is done to a server through its doors, in virtual time: bounded answers, clear words.

Each attack is sent as fast as it is taken. Meanwhile two others talk, who must not notice; what the
speaker keeps, and what it answers, stays small, and who attacks is told what is wrong.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import chain, repeat
from typing import NamedTuple

import pytest
import trio
import trio.testing

from entries import weight
from house import House, Peer, open_house
from triochat.dialects.websocket import MESSAGE

MOST = 1 << 14
"""Bytes that a speaker may keep; but a member's by WebSocket a message, and the frame before it."""

LONG = 65
"""Seconds that an attack goes on."""

ANSWERS = (200 + 20 * LONG) * 400
"""Bytes that a member may be answered by then."""

FEW = 1 << 16
"""Bytes that a stranger may: the page is one of them."""

GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Attack(NamedTuple):
    """Something that is sent, once.

    Attributes:
        name: what it is.
        sent: the pieces, each as it is sent.
        told: what must be among the answers.
        ends: seconds within which the connection must have ended; None if it need not.
    """

    name: str
    sent: Iterator[bytes]
    told: tuple[bytes, ...]
    ends: float | None = None


class Attacker:
    """Who attacks, and what it was answered."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.heard = bytearray()
        self.began = trio.current_time()
        self.ended: float | None = None

    async def read(self) -> None:
        """Hear the answers until the end."""
        with suppress(*GONE):
            while data := await self.peer.stream.receive_some(1 << 16):
                self.heard += data
        self.ended = trio.current_time() - self.began

    async def send(self, pieces: Iterator[bytes]) -> None:
        """Send all this."""
        with suppress(*GONE):
            for piece in pieces:
                await self.peer.stream.send_all(piece)


@asynccontextmanager
async def talking(house: House) -> AsyncIterator[None]:
    """Two talk all the time; each hears the other at once."""
    ann, bob = await house.ndjson("Ann"), await house.plain("Bob")

    async def talk() -> None:
        while True:
            await ann.ask({"type": "say", "text": "hello"})
            said = trio.current_time()
            await bob.until("Ann> hello")
            assert trio.current_time() == said, "others wait"
            await bob.type("hi")
            said = trio.current_time()
            while (await ann.event()).get("text") != "hi":
                pass
            assert trio.current_time() == said, "others wait"
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        yield
        nursery.cancel_scope.cancel()


async def suffer(attack: Attack, before: bytes = b"", most: int = MOST) -> bytes:
    """Let this be done, by who has said this before; what it was answered."""
    async with open_house(lockstep=True) as house, talking(house):
        eve = Attacker(await house.connect())
        known = {*house.hub.fan_out.links}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(eve.read)
            if before:
                await eve.peer.stream.send_all(before)
                await trio.sleep(1)
            nursery.start_soon(eve.send, attack.sent)
            links = [link for peer, link in house.hub.fan_out.links.items() if peer not in known]
            for _ in range(0, LONG, 5):
                await trio.sleep(5)
                for link in links or house.hub.fan_out.links.values():
                    assert weight(link.speaker) <= most, "a speaker keeps little"
                    assert link.outbox._queued <= 1 << 18, "little waits"
            nursery.cancel_scope.cancel()
        if attack.ends is not None:
            assert eve.ended is not None, "it goes on"
            assert eve.ended <= attack.ends
        for words in attack.told:
            assert words in eve.heard, eve.heard[-500:]
        assert len(eve.heard) <= (ANSWERS if before else FEW), len(eve.heard)
        return bytes(eve.heard)


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost:9999\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

# ---- IRC

REGISTERED = b"NICK Eve\r\nUSER e 0 * :e\r\n"
CHANNELS = ",".join(f"#c{number}" for number in range(5000))

STRANGERS = [
    Attack("10,000 NICKs", repeat(b"NICK Eve\r\n", 10_000), (b"not joined within",), 25),
    Attack("10,000 names", (b"NICK e%d\r\n" % n for n in range(10_000)), (b"not joined",), 25),
    Attack("USER again and again", repeat(b"USER e 0 * :e\r\n", 10_000), (b"not joined",), 25),
    Attack("CAP LS again and again", repeat(b"CAP LS 302\r\n", 10_000), (b"not joined",), 25),
    Attack(
        "capabilities without end",
        (b"CAP REQ :%s\r\n" % (b"x" * 400) for _ in range(10_000)),
        (b" NAK :", b"not joined"),
        25,
    ),
    Attack("pings before a name", chain([b"NICK Eve\r\n"], repeat(b"PING 1\r\n", 10_000)), (), 25),
    Attack("a name that never ends", chain([b"NICK "], repeat(b"x" * 100, 10_000)), (b"417",), 62),
    Attack("half a line", chain([b"NICK Eve\r\nUSER"]), (b"not joined",), 25),
    Attack(
        "handles that cannot be had", repeat(b"NICK Ann\r\nUSER a 0 * a\r\n", 99), (b"433",), 62
    ),
    Attack("passwords", (b"PASS %d\r\n" % n for n in range(10_000)), (b"not joined",), 25),
]
MEMBERS = [
    Attack(
        "NICKs", (b"NICK e%d\r\n" % n for n in range(10_000)), (b"changed your handle too often",)
    ),
    Attack("5,000 channels in a line", chain([f"JOIN {CHANNELS}\r\n".encode()]), (b"417",)),
    Attack(
        "5,000 channels, some in each line",
        (f"JOIN {CHANNELS[place : place + 400]}\r\n".encode() for place in range(0, 35_000, 400)),
        (b"403", b"At most 4 at once"),
    ),
    Attack("USER again and again", repeat(b"USER e 0 * :e\r\n", 10_000), (b"462",)),
    Attack("WHO again and again", repeat(b"WHO #room\r\n", 10_000), (b"352", b"315")),
    Attack("pings", repeat(b"PING 1\r\n", 10_000), (b"PONG",)),
    Attack("modes", repeat(b"MODE #room +" + b"o" * 99 + b"\r\n", 999), (b"461",)),
    Attack("many targets", repeat(b"PRIVMSG " + b"#room," * 60 + b"Ann :spam\r\n", 999), (b"407",)),
    Attack("a line without end", repeat(b"PRIVMSG #room :" + b"x" * 4000, 99), (b"417",)),
    Attack("NULs and CRs", repeat(b"PRIVMSG #room :a\0b\rQUIT\r\n", 99), ()),
    Attack("half a line", chain([b"PRIVMSG #room"]), ()),
]


@pytest.mark.parametrize("attack", STRANGERS, ids=lambda attack: attack.name)
async def test_a_stranger_at_irc(attack: Attack) -> None:
    """It is heard slowly, for as long as anybody may take to come in."""
    await suffer(attack)


@pytest.mark.parametrize("attack", MEMBERS, ids=lambda attack: attack.name)
async def test_a_member_at_irc(attack: Attack) -> None:
    """It is heard at the rate at which anybody is."""
    await suffer(attack, REGISTERED)


# ---- HTTP

GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: localhost:9999\r\n"

HEADS = [
    Attack("half a head", iter([GET + HOST]), (b"HTTP/1.1 408 ", b"10 seconds"), 13),
    Attack("a method", iter([b"GET "]), (b"HTTP/1.1 408 ",), 13),
    Attack("100 kB of a head", repeat(b"Cookie: " + b"x" * 1000, 100), (), 62),
    Attack("a head of 100 kB", chain([GET], repeat(b"x" * 1000, 100)), (b"HTTP/1.1 431 ",), 13),
    Attack(
        "a head of many fields",
        chain([GET, HOST], repeat(b"a: b\r\n" * 100, 200)),
        (b"HTTP/1.1 431 ",),
        13,
    ),
    Attack("an address of 100 kB", chain([b"GET /"], repeat(b"x" * 1000, 100)), (b" 431 ",), 13),
    Attack(
        "a body of 100 kB",
        chain([b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n"], repeat(b"x", 9)),
        (b"HTTP/1.1 405 ",),
        13,
    ),
    Attack("HTTP/2", iter([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]), (b"HTTP/1.1 400 ",), 13),
    Attack("requests in a row", repeat(GET + HOST + b"\r\n", 1000), (b"HTTP/1.1 200 ",), 13),
    Attack(
        "another name",
        iter([GET + b"Host: evil.example\r\n\r\n"]),
        (b"HTTP/1.1 421 ", b"--web-name"),
        13,
    ),
    Attack(
        "a page from elsewhere",
        iter([UPGRADE.replace(b"\r\n\r\n", b"\r\nOrigin: http://evil.example\r\n\r\n")]),
        (b"HTTP/1.1 403 ",),
        13,
    ),
    Attack("a WebSocket, and then nothing", iter([UPGRADE]), (b" 101 ", b"\x88"), 25),
]


@pytest.mark.parametrize("attack", HEADS, ids=lambda attack: attack.name)
async def test_a_browser_that_is_none(attack: Attack) -> None:
    """It has one answer, which says why, and then the connection ends."""
    heard = await suffer(attack)
    assert heard.count(b"HTTP/1.1 ") <= 1


async def test_a_head_that_comes_a_byte_a_second() -> None:
    """It is waited for no longer than for one that does not come."""
    async with open_house() as house:
        eve = Attacker(await house.connect())

        async def drip() -> None:
            for byte in GET + HOST * 10:
                await eve.send(iter([bytes([byte])]))
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            await eve.read()
            nursery.cancel_scope.cancel()
        assert eve.heard.startswith(b"HTTP/1.1 408 ")
        assert eve.ended == pytest.approx(10, abs=3.1)


# ---- WebSocket


def frame(
    first: int, text: bytes = b"", *, size: int | None = None, is_masked: bool = True
) -> bytes:
    """A frame as a browser sends it, of which perhaps more is announced than comes."""
    size = len(text) if size is None else size
    mask = 0x80 * is_masked
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 1 << 16:
        head = bytes((first, mask | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, mask | 127)) + size.to_bytes(8)
    return head + bytes(4 * is_masked) + text


TEXT, BINARY, CLOSE, PING, PONG, MORE, END = 0x81, 0x82, 0x88, 0x89, 0x8A, 0x00, 0x80
JOIN = frame(TEXT, b'{"type":"join","handle":"Eve"}')
SAY = b'{"type":"say","text":"spam"}'


def closed(code: int) -> bytes:
    """How a close frame of the server's goes on behind its length."""
    return code.to_bytes(2)


FRAMES = [
    Attack("no mask", iter([frame(TEXT, SAY, is_masked=False)]), (closed(1002),), 13),
    Attack("1 GB announced", iter([frame(TEXT, b"x" * 1000, size=1 << 30)]), (closed(1009),), 13),
    Attack("2^63 bytes announced", iter([frame(TEXT, size=(1 << 63) - 1)]), (closed(1009),), 13),
    Attack("more than may be", iter([frame(TEXT, b"x" * (1 << 16) + b"x")]), (closed(1009),), 13),
    Attack(
        "fragments without end",
        chain([frame(1, b"x" * 100)], repeat(frame(MORE, b"x" * 100), 10_000)),
        (closed(1009),),
        62,
    ),
    Attack("empty fragments", chain([frame(1)], repeat(frame(MORE), 10_000)), ()),
    Attack("pings", repeat(frame(PING, b"there?"), 10_000), (b"\x8a\x06there?",)),
    Attack("large pings", repeat(frame(PING, b"x" * 125), 3_000), (b"\x8a\x7dxxx",)),
    Attack("pongs", repeat(frame(PONG, b"x" * 125), 3_000), ()),
    Attack("a ping too large", iter([frame(PING, b"x" * 126)]), (closed(1002),), 13),
    Attack("a ping in pieces", iter([frame(0x09, b"x")]), (closed(1002),), 13),
    Attack("bytes", iter([frame(BINARY, SAY)]), (closed(1003),), 13),
    Attack("no text", iter([frame(TEXT, b"\xff\xfe")]), (closed(1007),), 13),
    Attack("a kind that is none", iter([frame(0x83)]), (closed(1002),), 13),
    Attack("compressed", iter([frame(0xC1, SAY)]), (closed(1002),), 13),
    Attack("an end of nothing", iter([frame(END, SAY)]), (closed(1002),), 13),
    Attack("a message in a message", iter([frame(1, b"x"), frame(TEXT, SAY)]), (closed(1002),), 13),
    Attack("half a frame", iter([frame(TEXT, SAY)[:9]]), ()),
    Attack("half a message", iter([frame(1, SAY)]), ()),
    Attack("lines without end", repeat(frame(TEXT, b"\n" * 60_000), 20), ()),
    Attack("a line too long", repeat(frame(TEXT, b"x" * 9000), 20), (b"line-too-long",)),
    Attack("no JSON", repeat(frame(TEXT, b"spam"), 10_000), (b"bad-request",)),
    Attack("a close of one byte", iter([frame(CLOSE, b"x")]), (closed(1002),), 13),
    Attack("closes", repeat(frame(CLOSE, closed(1000)), 1000), (b"\x88\x02" + closed(1000),), 13),
    Attack("a head again", repeat(UPGRADE, 1000), (closed(1002),), 13),
]


@pytest.mark.parametrize("attack", FRAMES, ids=lambda attack: attack.name)
async def test_a_member_by_websocket(attack: Attack) -> None:
    """Whatever breaks the rules of WebSocket is told by its number, and ends the connection."""
    await suffer(attack, UPGRADE + JOIN, MOST + 2 * MESSAGE)


async def test_a_stranger_s_message_is_as_long_as_a_line() -> None:
    """Nobody who has not joined makes a server keep 64 KiB."""
    sent = iter([UPGRADE, frame(TEXT, b"x" * 9000)])
    await suffer(Attack("", sent, (closed(1009),), 13))
