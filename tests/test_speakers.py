"""What the server does for a door, whatever it is: held by one that uses all of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Unpack

import pytest
import trio
import trio.testing

from doubles import BoxSpeaker, box
from house import House, Peer, Rules, open_house
from triochat.dialects.recognition import BEGINNINGS
from triochat.outbox import LINGER

TOKEN = "t" * 22


class SeatedBox(BoxSpeaker):
    """One that may come back."""

    __slots__ = ()

    has_seat = True


@pytest.fixture(autouse=True)
def _boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a door more."""
    monkeypatch.setitem(BEGINNINGS, b"box ", BoxSpeaker)
    monkeypatch.setitem(BEGINNINGS, b"seat ", SeatedBox)


@asynccontextmanager
async def open_kitchen(*, is_sealed: bool = False, **rules: Unpack[Rules]) -> AsyncIterator[House]:
    """A house whose room has a name."""
    rules.setdefault("name", "kitchen")
    async with open_house(is_sealed=is_sealed, **rules) as house:
        yield house


async def member(house: House, handle: str, first: str = "box") -> Peer:
    """A member that speaks in boxes, and has read its welcome."""
    peer = await house.connect()
    await peer.type(f'{first} {{"type":"join","handle":"{handle}","history":0}}')
    await heard(peer)
    return peer


async def heard(peer: Peer) -> str:
    """What it has heard by now, as it stands there."""
    data = b""
    await trio.testing.wait_all_tasks_blocked()
    while True:
        with trio.move_on_after(0.1) as late:
            piece = await peer.stream.receive_some()
            data += piece
        if late.cancelled_caught or not piece:
            return data.decode()


# ---- the beginning


async def test_a_speaker_begins_once_before_all_that_its_peer_says() -> None:
    """It is told where it is as soon as it is known who speaks, in however many pieces."""
    async with open_kitchen() as house:
        peer = await house.connect()
        for piece in (b"b", b"ox =1", b"\n=2\nAnn\n"):
            await peer.stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        told = await heard(peer)
        assert told.startswith("<hello kitchen><1><2>[")
        assert told.count("<hello") == 1
        assert "(Ann)* Server connected. You are Ann." in told


async def test_a_speaker_knows_that_it_is_sealed() -> None:
    """Over TLS it begins inside, and is told so."""
    async with open_kitchen(is_sealed=True) as house:
        peer = await house.connect()
        await peer.type("box =1")
        assert await heard(peer) == "<hello kitchen is_sealed><1>"


async def test_a_speaker_knows_that_a_network_is_between() -> None:
    """From another machine, without TLS, all can be overheard."""
    async with open_kitchen() as house:
        peer = await house.from_host("10.0.0.1")
        await peer.type("box =1")
        assert await heard(peer) == "<hello kitchen is_remote><1>"


async def test_a_speaker_s_patience_bounds_a_stranger() -> None:
    """Who does not join within it is told so, whatever it says; then comes the last word."""
    async with open_kitchen() as house:
        peer = await house.connect()
        await trio.sleep(3)
        await peer.type("box =1")
        await trio.sleep(6.5)
        await peer.type("=2")
        assert (await heard(peer)).endswith("<1><2>")
        await trio.sleep(0.5)
        reason = "not joined within 7 seconds"
        end = f"()* Server closed the connection: {reason}\n<bye: {reason}>"
        assert (await heard(peer)).endswith(end)


# ---- in the room


async def test_a_reply_keeps_its_place_while_the_past_is_told() -> None:
    """What was asked after coming in is answered after what was before, and before what comes."""
    async with open_kitchen() as house:
        ann = await house.ndjson("Ann")
        for number in range(30):
            await ann.ask({"type": "say", "text": f"{number}"})
        bob = await house.connect()
        join = '{"type":"join","handle":"Bob","history":1000}'
        await bob.type(f"box {join}", "=1", "hello", "=2")
        past = "".join(f"(Bob)Ann> {number}\n" for number in range(30))
        own = box(b"(Bob)Bob> hello\n").decode()
        assert (await heard(bob)).endswith(f"{past}<1>{own}<2>")


async def test_whoever_cannot_come_back_has_no_token_and_no_grace() -> None:
    """Where a speaker has no seat its member has left as soon as its connection has."""
    async with open_kitchen() as house:
        ann = await house.plain("Ann")
        bob, cid = await member(house, "Bob"), await member(house, "Cid", "seat")
        assert [seat.handle for seat in house.room.seats.values()] == ["Cid"]
        await ann.hear(2)
        began = trio.current_time()
        await bob.stream.aclose()
        await cid.stream.aclose()
        assert await ann.line() == "* Bob left (box closed)"
        assert trio.current_time() == began
        assert await ann.line() == "* Cid left (box closed)"
        assert trio.current_time() >= began + 10


async def test_operators_are_told_the_doors() -> None:
    """Each by which it has come, also who has waited; nobody else is told."""
    async with open_kitchen(max_clients=2) as house:
        boss = await house.operator()
        ann, bob = await house.plain("Ann"), await member(house, "Bob")
        waits = await house.connect()
        await waits.type("box Cid")
        await ann.type("\\quit")
        await trio.testing.wait_all_tasks_blocked()
        await boss.heard_by_now()
        await boss.ask({"type": "who"})
        roster = await boss.event()
        assert roster["handles"] == ["Bob", "Cid", "Server"]
        assert roster["doors"] == ["boxes", "boxes", "console"]
        await bob.type("?")
        assert "boxes" not in await heard(bob)
        await trio.sleep(LINGER)
        assert len(house.room.doors) == 3


# ---- the end


async def leave(house: House, peer: Peer) -> None:
    """It quits."""
    await peer.type("=1", "\\quit", "=2")


async def kick(house: House, peer: Peer) -> None:
    """The operator puts it out."""
    boss = await house.operator()
    await peer.type("=1")
    await boss.ask({"type": "kick", "handle": "Bob", "reason": "why"})


async def stop(house: House, peer: Peer) -> None:
    """The server stops."""
    await peer.type("=1")
    await trio.testing.wait_all_tasks_blocked()
    house.hub.close("shutting down")


async def half_close(house: House, peer: Peer) -> None:
    """It says that it says no more, in the middle of a line."""
    await peer.stream.send_all(b"=1\nrest")
    assert isinstance(peer.stream, trio.StapledStream)
    await peer.stream.send_eof()


async def come_again(house: House, peer: Peer) -> None:
    """Its owner is here over another connection."""
    await peer.type("=1")
    await trio.testing.wait_all_tasks_blocked()
    [seat] = house.room.seats.values()
    assert seat.handle == "Bob"
    other = await house.connect()
    await other.ask({"type": "join", "handle": "Bob", "token": TOKEN})
    assert (await other.event())["resumed"]


ENDINGS: dict[Callable[[House, Peer], Awaitable[None]], str] = {
    leave: "quit",
    kick: "kicked: why",
    stop: "shutting down",
    half_close: "box closed",
    come_again: "replaced",
}


@pytest.mark.parametrize(
    ("ending", "is_sealed"),
    [(ending, is_sealed) for ending in ENDINGS for is_sealed in {False, ending is not half_close}],
)
async def test_the_last_word_of_a_polite_ending(
    ending: Callable[[House, Peer], Awaitable[None]], is_sealed: bool
) -> None:
    """Whoever ends it, and why: all that is due comes before it, and nothing after it."""
    async with open_kitchen(is_sealed=is_sealed) as house:
        peer = await house.connect()
        await peer.type(f'seat {{"type":"join","handle":"Bob","token":"{TOKEN}"}}')
        await heard(peer)
        await ending(house, peer)
        told = await heard(peer)
        assert told.startswith("<1>")
        assert told.endswith(f"<bye: {ENDINGS[ending]}>")
        assert told.count("<bye") == 1
        assert "<2>" not in told


async def test_who_falls_behind_has_no_last_word() -> None:
    """Its connection is cut: nothing is said into what it does not read."""
    async with open_house(lockstep=True) as house:
        slow, ann = await house.connect(), await house.connect()
        await slow.type("box Bob")
        session = next(iter(house.hub.fan_out.links.values()))
        session.outbox.evict("fell behind")
        await trio.testing.wait_all_tasks_blocked()
        assert "bye" not in await heard(slow)
        await ann.stream.aclose()
