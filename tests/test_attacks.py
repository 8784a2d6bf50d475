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

MOST = 1 << 14
"""Bytes that a speaker may keep."""

LONG = 65
"""Seconds that an attack goes on."""

ANSWERS = (200 + 20 * LONG) * 400
"""Bytes that a member may be answered by then."""

FEW = 1 << 15
"""Bytes that a stranger may."""

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


async def suffer(attack: Attack, before: bytes = b"") -> bytes:
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
            for _ in range(LONG):
                await trio.sleep(1)
                for link in links or house.hub.fan_out.links.values():
                    assert weight(link.speaker) <= MOST, "a speaker keeps little"
                    assert link.outbox._queued <= 1 << 18, "little waits"
            nursery.cancel_scope.cancel()
        if attack.ends is not None:
            assert eve.ended is not None, "it goes on"
            assert eve.ended <= attack.ends
        for words in attack.told:
            assert words in eve.heard, eve.heard[-500:]
        assert len(eve.heard) <= (ANSWERS if before else FEW), len(eve.heard)
        return bytes(eve.heard)


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
