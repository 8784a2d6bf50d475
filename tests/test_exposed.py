import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from house import House, Peer, open_house
from tls import client_context, make_tls
from triochat.console import run_relay
from triochat.dialects.plain import EXPOSED
from triochat.session import Session
from triochat.stranger import TRIES

WARNING = f"* {EXPOSED}; triochat client HOST PORT encrypts"


class Street:
    """From where peers come to a house: from this machine, or over a network."""

    def __init__(self, house: House, nursery: trio.Nursery) -> None:
        self.house = house
        self._nursery = nursery

    async def come(self, address: str = "192.0.2.5", host: str = "192.0.2.5/32") -> Peer:
        """A peer from there that has said nothing yet."""
        ours, theirs = trio.testing.memory_stream_pair()
        session = Session(theirs, self.house.hub, f"{address} port 5", host=host)
        self._nursery.start_soon(session.run)
        await trio.lowlevel.checkpoint()
        return Peer(ours)

    async def sealed(self) -> Peer:
        """The same over TLS."""
        far = await self.come()
        stream = trio.SSLStream(far.stream, client_context(), server_hostname="localhost")
        await stream.do_handshake()
        return Peer(stream)  # type: ignore[arg-type]

    async def plain(self, handle: str) -> Peer:
        """A member from another machine, at plain lines, that has read its welcome."""
        far = await self.come()
        await far.type(handle)
        assert await far.line() == WARNING
        assert f"You are {handle}." in await far.line()
        return far


@asynccontextmanager
async def street(*, has_tls: bool = True, max_clients: int = 1000) -> AsyncIterator[Street]:
    """A house, and the street before it."""
    async with (
        open_house(max_clients=max_clients, tls=make_tls() if has_tls else None) as house,
        trio.open_nursery() as nursery,
    ):
        yield Street(house, nursery)
        nursery.cancel_scope.cancel()


async def test_who_can_be_overheard_is_marked() -> None:
    """Whoever is here sees who comes unencrypted from another machine, and later asks for it."""
    async with street() as far:
        ann, cid = await far.house.plain("Ann"), await far.house.ndjson("Cid")
        assert await ann.line() == "* Cid joined"
        joe = await far.come()
        await joe.type("Joe", "?")
        assert await joe.hear(3) == [
            WARNING,
            "* Server connected. You are Joe. 3 here: Ann, Cid, Joe (plain)",
            "* 3 here: Ann, Cid, Joe (plain)",
        ]
        assert await ann.line() == "* Joe (plain) joined"
        joined = await cid.event()
        assert (joined["handle"], joined["unencrypted"]) == ("Joe", True)
        await cid.ask({"type": "who"})
        roster = {"type": "roster", "handles": ["Ann", "Cid", "Joe"], "unencrypted": ["Joe"]}
        assert await cid.event() == roster
        await joe.type("\\nick Jo", "psst > Ann", "hi")
        assert await ann.hear(3) == ["* Joe is now Jo", "[Jo -> you] psst", "Jo> hi"]
        await ann.type("?")
        assert await ann.line() == "* 3 here: Ann, Cid, Jo (plain)"
        await joe.stream.aclose()
        assert await ann.line() == "* Jo left"
        await ann.type("?")
        assert await ann.line() == "* 2 here: Ann, Cid"
        await trio.testing.wait_all_tasks_blocked()
        assert not far.house.room.exposed


async def test_who_encrypts_is_not_marked() -> None:
    """Neither over TLS, nor on this machine, nor where no network is known of."""
    async with street() as far:
        sealed = await far.sealed()
        await sealed.type("Sue")
        assert await sealed.line() == "* Server connected. You are Sue. 1 here: Sue"
        near = await far.come("127.0.0.1", "127.0.0.1/32")
        await near.type("Ned")
        assert await near.line() == "* Server connected. You are Ned. 2 here: Ned, Sue"
        await far.house.plain("Bob")
        assert far.house.room.members.who.unencrypted == ()


async def test_a_program_learns_it_in_its_welcome() -> None:
    """A program from another machine is told in a field, in no line of its own."""
    async with street() as far:
        bot = await far.come()
        await bot.ask({"type": "join", "handle": "bot"}, {"type": "ping"})
        welcome = await bot.event()
        assert (welcome["type"], welcome["unencrypted"]) == ("welcome", ["bot"])
        assert await bot.event() == {"type": "pong"}
        joe = await far.plain("Joe")
        await joe.type("?")
        assert await joe.line() == "* 2 here: bot (plain), Joe (plain)"


async def test_events_of_others_have_no_such_field() -> None:
    """Where nobody can be overheard nothing is said of it on the wire."""
    async with street() as far:
        ann = await far.house.connect()
        await ann.ask({"type": "join", "handle": "Ann"}, {"type": "who"})
        await far.house.plain("Bob")
        lines = await ann.hear(3)
        assert [json.loads(line)["type"] for line in lines] == ["welcome", "roster", "joined"]
        assert "unencrypted" not in "".join(lines)


async def test_without_tls_all_from_elsewhere_are_marked() -> None:
    """It is no less true there; but nobody is told of a way that there is not."""
    async with street(has_tls=False) as far:
        joe = await far.come()
        await joe.type("Joe")
        assert await joe.hear(2) == [
            f"* {EXPOSED}",
            "* Server connected. You are Joe. 1 here: Joe (plain)",
        ]


async def test_who_waited_for_a_place_is_marked_then() -> None:
    """What was known of one from its first bytes on still holds when it is let in."""
    async with street(max_clients=1) as far:
        ann = await far.house.plain("Ann")
        joe = await far.come()
        await joe.type("Joe")
        assert await joe.hear(2) == [WARNING, "* The room is full; you are number 1 in line"]
        await ann.type("\\quit")
        assert (await joe.line()).endswith("1 here: Joe (plain)")


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\x64\n\n"])
async def test_who_is_sent_away_is_not_warned(first: bytes) -> None:
    """What is not taken in as a person is told what it was told before."""
    async with street(has_tls=False) as far:
        page = await far.come()
        await page.stream.send_all(first)
        assert EXPOSED not in "".join(await page.rest())


async def test_console_and_relay_see_the_marks() -> None:
    """The operator, and who reads what a server without a terminal shows, see what members see."""
    async with street() as far, trio.open_nursery() as nursery:
        screen = trio.testing.MemorySendStream()
        nursery.start_soon(run_relay, far.house.hub, screen)
        operator = await far.house.operator()
        await far.plain("Joe")
        assert (await operator.event())["unencrypted"] is True
        assert b" * Joe (plain) joined\n" in bytes(await screen.get_data())
        nursery.cancel_scope.cancel()


async def test_the_warning_is_no_answer(autojump_clock: trio.testing.MockClock) -> None:
    """Who is warned has said no line yet: it has no more time for that, and no try less."""
    async with street() as far:
        joe = await far.come()
        await trio.sleep(50)
        await joe.stream.send_all(b"J")
        with trio.fail_after(20):
            assert (await joe.rest())[-1].endswith("not joined within 60 seconds")
        ann = await far.come()
        await ann.type(*["a b"] * TRIES)
        refused = [line for line in await ann.rest() if line.startswith("! ")]
        assert len(refused) == TRIES
