"""While the other servers cannot be reached nothing is lost, and all are told."""

import json
from collections.abc import Callable

import pytest
import trio
import trio.testing

from doubles import Typist
from house import Peer
from test_sharing import Server, Site, open_site
from triochat.absence import LOOK
from triochat.connection import LOST as SILENCE
from triochat.connection import Connection
from triochat.console import run_console
from triochat.dialects.base import Speaker
from triochat.dialects.http import HttpSpeaker
from triochat.dialects.irc import IrcSpeaker
from triochat.dialects.ndjson import PULSE, NdjsonSpeaker, decode_event
from triochat.dialects.plain import PlainSpeaker
from triochat.dialects.websocket import WebSocketSpeaker, text_frame
from triochat.entries import Batch, decode
from triochat.messages import Join, Moderated, Said, Say
from triochat.order import HOUSE
from triochat.outage import BACK, LOST, PATIENCE
from triochat.passwords import Password
from triochat.presence import PATIENCE as ANSWERS
from triochat.ratelimit import Limits
from triochat.words import UNREAD

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def plain(server: Server, *lines: str) -> Peer:
    """Somebody who types this there."""
    peer = Peer(await server.listener.connect())
    await peer.type(*lines)
    return peer


async def told(peer: Peer) -> list[str]:
    """What a program has heard by now, each event by its text, or its type."""
    events = [json.loads(line) for line in await peer.heard_by_now()]
    return [event.get("text", event["type"]) for event in events]


async def test_all_are_told_once_and_when_it_is_over() -> None:
    """Who waits and who does not, by whichever door; and what waited comes before the good news."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        ann, bob = await one.join("Ann"), await plain(one, "Bob")
        await trio.sleep(5)
        await told(ann), await bob.heard_by_now()
        one.cut()
        await ann.ask({"type": "say", "text": "hello"})
        await trio.sleep(PATIENCE - 0.5)
        assert await told(ann) == []
        await trio.sleep(60)
        assert 60 < one.hub.figures().lost < 62
        assert await told(ann) == [LOST, *["pulse"] * 5]
        assert await bob.heard_by_now() == [f"* {LOST}"]
        one.mend()
        await trio.sleep(5)
        assert [text for text in await told(ann) if text != "pulse"] == ["hello", BACK]
        assert await bob.heard_by_now() == ["Ann> hello", f"* {BACK}"]
        assert one.hub.figures().lost == 0


async def test_what_programs_are_told() -> None:
    """It has no id, so nobody takes it for what is past, or misses it."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        ann = await one.join("Ann")
        one.cut()
        assert await ann.until('{"type":"moderated"') == (
            f'{{"type":"moderated","text":"{LOST}","by":""}}'
        )


async def test_what_takes_a_moment_is_nobody_s_business() -> None:
    """Nobody is told of an outage that is over before anybody would ask."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        ann = await one.join("Ann")
        for _ in range(5):
            one.cut()
            await ann.ask({"type": "say", "text": "hello"})
            await trio.sleep(PATIENCE / 2)
            one.mend()
            await trio.sleep(5)
        assert await told(ann) == ["hello"] * 5


async def test_operators_are_told_why() -> None:
    """Who can do something about it is told what is wrong."""
    async with open_site(10_000) as site, trio.open_nursery() as nursery:
        one, boss = await site.open("one"), Typist()
        nursery.start_soon(run_console, one.hub, boss)
        await trio.sleep(1)
        one.cut()
        await trio.sleep(10)
        one.mend()
        await trio.sleep(5)
        assert boss.screen == [f"* {LOST} (there is no way to it)", f"* {BACK}"]
        nursery.cancel_scope.cancel()


async def test_a_ledger_that_does_not_answer() -> None:
    """It is an outage also where nothing fails, and nothing comes back."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        ann = await one.join("Ann")
        one.road.delay = 100
        await trio.sleep(200)
        assert await told(ann) == []  # nothing waits
        await ann.ask({"type": "say", "text": "hello"})
        await trio.sleep(400)
        one.road.delay = 0
        await trio.sleep(100)
        heard = [text for text in await told(ann) if text != "pulse"]
        assert heard == [LOST, "hello", BACK]


async def test_a_ledger_that_is_too_slow() -> None:
    """Where it takes long each time that is one outage, until it does not."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        ann = await one.join("Ann")
        one.road.delay = 10
        for _ in range(20):
            await ann.ask({"type": "say", "text": "hello"})
            await trio.sleep(20)
        one.road.delay = 0
        await trio.sleep(60)
        heard = [text for text in await told(ann) if text not in ("pulse", "hello")]
        assert heard == [LOST, BACK]


async def test_a_client_waits() -> None:
    """A client of ours that has said something does not take the server for dead."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        stream = await one.listener.connect()
        async with Connection(stream) as connection:
            await connection.send(Join("Ann", token="a" * 22))
            await connection.receive()
            one.cut()
            await connection.send(Say("hello"))
            assert await connection.receive() == Moderated(LOST)
            with trio.move_on_after(10 * SILENCE):
                raise AssertionError(await connection.receive())
            one.mend()
            said, asked = await connection.receive_answer()
            assert isinstance(said, Said)
            assert asked == Say("hello")
            assert await connection.receive() == Moderated(BACK)


@pytest.mark.parametrize("speaker", [PlainSpeaker, IrcSpeaker, HttpSpeaker])
def test_who_needs_no_pulse(speaker: Callable[[], Speaker]) -> None:
    """People, and clients of IRC, do not go by that; who asks for a page gets that alone."""
    assert speaker().pulse() == b""


@pytest.mark.parametrize("speaker", [NdjsonSpeaker, WebSocketSpeaker])
def test_a_pulse(speaker: Callable[[], Speaker]) -> None:
    """It is a line, or a message, of which nobody has to know anything."""
    one = speaker()
    assert one.dialect.wrap(one.pulse()) in (PULSE, text_frame(PULSE))
    assert decode_event(one.pulse().decode().strip()) is None


async def test_who_comes_meanwhile() -> None:
    """A person that waits to join is told why; and that time does not count."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        await one.join("Ann")
        one.cut()
        bob, eve = await plain(one, "Bob"), await plain(one, "Ann")
        silent = await plain(one)
        await trio.sleep(300)
        one.mend()
        assert await bob.line() == await eve.line() == f"* {LOST}"
        assert (await bob.line()).startswith("* Server connected. You are Bob.")
        assert await eve.line() == '! handle "Ann" is taken; try another'
        assert await eve.line() == f"* {BACK}"
        await trio.sleep(50)
        await eve.type("Eve")
        assert (await eve.line()).startswith("* Server connected. You are Eve.")
        assert "not joined within 60 seconds" in (await silent.rest())[-1]


async def test_what_comes_meanwhile() -> None:
    """So is a client that waits to join, of ours or of IRC; what only fetched the page is not."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        one.cut()
        bob = await plain(
            one, '{"type": "join", "handle": "Bob", "token": "bbbbbbbbbbbbbbbbbbbbbb"}'
        )
        eve = await plain(one, "NICK Eve\r\nUSER eve 0 * :Eve\r")
        page = await plain(one, "GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r")
        await trio.sleep(8)
        assert await told(bob) == [LOST]
        assert (await eve.heard_by_now())[-1].endswith(f":{LOST}")
        one.mend()
        await trio.sleep(5)
        assert await told(bob) == ["welcome", "joined", BACK]
        assert LOST not in "\n".join(await page.rest())


async def test_who_guesses_meanwhile() -> None:
    """Where there is a password the time in all does not go on while a stranger waits for us."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        ann = await one.join("Ann")
        one.room.password = Password("secret")
        one.cut()
        eve = await plain(one, "Ann", "secret")
        await trio.sleep(300)
        one.mend()
        await eve.until('! handle "Ann" is taken')
        await trio.sleep(50)
        await eve.type("Eve")
        await eve.until("* Server connected. You are Eve.")
        await ann.until('{"type":"joined","handle":"Eve"')


async def test_who_cannot_be_heard_is_not_put_out() -> None:
    """Who is not read, since it waits, is neither idle nor asked whether it is there."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        one.hub.limits = Limits(idle=100)
        ann = await plain(one, "NICK Ann\r\nUSER ann 0 * :Ann\r")
        await ann.until(":*.triochat 366")
        await trio.sleep(30)
        one.cut()
        await ann.type("PRIVMSG #shared :hello")
        await trio.sleep(10 * (IrcSpeaker.silence + ANSWERS))
        one.mend()
        await trio.sleep(5)
        texts = [line.partition(" :")[2].strip() for line in await ann.heard_by_now()]
        assert texts == [LOST, BACK]
        assert [*one.room.members.values()] == ["Ann"]


async def absent(site: Site) -> Server:
    """A server of which somebody is away, just now."""
    one = await site.open("one")
    ann = await one.join("Ann")
    await trio.testing.wait_all_tasks_blocked()
    await ann.stream.aclose()
    await trio.sleep(LOOK)
    assert one.room.seats.away
    return one


async def test_only_what_is_due_is_asked() -> None:
    """Who is away costs the others nothing before it is time."""
    async with open_site(10_000) as site:
        one = await absent(site)
        before = len(site.ledger.entries)
        await trio.sleep(one.room.grace - 2 * LOOK)
        assert len(site.ledger.entries) == before
        await trio.sleep(3 * LOOK)
        assert not one.room.members
        assert len(site.ledger.entries) == before + 1
        await trio.sleep(one.room.hold)
        assert not one.room.seats
        assert len(site.ledger.entries) == before + 2


async def test_what_has_no_place_yet_is_not_asked_again() -> None:
    """While the ledger is gone nothing piles up that the house would ask for."""
    async with open_site(10_000) as site:
        one = await absent(site)
        before = len(site.ledger.entries)
        one.cut()
        await trio.sleep(100)
        one.mend()
        await trio.sleep(5)
        assert not one.room.members
        batches = [decode(entry.data) for entry in site.ledger.entries[before:]]
        asked = [one for batch in batches if isinstance(batch, Batch) for one in batch.asked]
        assert [peer for peer, _ in asked] == [HOUSE] * 2  # what is due, and behind all that waited


async def test_what_waits_when_its_server_stops_is_named() -> None:
    """Who cannot come back by itself is told which lines perhaps nobody has heard."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        irc = await plain(one, "NICK Eve\r\nUSER eve 0 * :Eve\r")
        await irc.until(":*.triochat 366")
        ann, bob = await one.join("Ann"), await plain(one, "Bob", "this has a place")
        await trio.sleep(5)
        await told(ann), await bob.heard_by_now(), await irc.heard_by_now()
        one.cut()
        await ann.ask({"type": "say", "text": "asked again by itself"})
        await bob.type("?", "hello", "psst > Ann")
        await irc.type("PRIVMSG #shared :hi\r")
        await trio.sleep(10)
        one.hub.close("shutting down", retry=True)
        assert "refused" not in await told(ann)
        bye = "* Server closed the connection: shutting down"
        assert (await bob.heard_by_now())[-4:] == [
            "! perhaps not sent: hello",
            "! perhaps not sent: psst > Ann",
            f"! {UNREAD}",
            bye,
        ]
        assert "perhaps not sent: hi" in " ".join(await irc.heard_by_now())


async def test_what_was_not_even_read_is_not_lost_in_silence() -> None:
    """Who waits is not read, so what was typed after that cannot be named: but that is told."""
    async with open_site(10_000) as site:
        one = await site.open("one")
        bob, eve = await plain(one, "Bob"), await plain(one, "Eve")
        ned, ann = await plain(one, "Ned"), await one.join("Ann")
        await trio.sleep(5)
        one.cut()
        for text in ("first", "second", "third"):
            await bob.type(text)
            await ann.ask({"type": "say", "text": text})
            await trio.sleep(5)
        await eve.type("\\nick Eva", "hello")
        await trio.sleep(5)
        one.hub.close("shutting down", retry=True)
        assert (await bob.rest())[-3:-1] == ["! perhaps not sent: first", f"! {UNREAD}"]
        assert (await eve.rest())[-4:-1] == [
            "! perhaps not sent: \\nick Eva",
            "! perhaps not sent: hello",
            f"! {UNREAD}",
        ]
        assert UNREAD not in "".join([*await ned.rest(), *await ann.rest()])


async def test_the_console_comes_back_as_others_do() -> None:
    """Who sits at a server that was given up is a member again, and is told what it has missed."""
    async with open_site(10_000) as site, trio.open_nursery() as nursery:
        one, two = await site.open("one"), await site.open("two")
        ann, boss = await two.join("Ann"), Typist()
        await ann.ask({"type": "say", "text": "seen"})
        await trio.sleep(1)
        nursery.start_soon(run_console, one.hub, boss)
        await trio.sleep(1)
        one.cut()
        await boss.type("into the void")
        await trio.sleep(30)
        await ann.ask({"type": "say", "text": "missed"})
        await trio.sleep(1)
        one.mend()
        await trio.sleep(10)
        await boss.type("here again")
        await trio.sleep(1)
        assert boss.screen == [
            "Ann> seen",
            f"* {LOST} (there is no way to it)",
            "! perhaps not sent: into the void",
            "Ann> missed",
            "Server> here again",
        ]
        nursery.cancel_scope.cancel()


async def test_what_was_given_up_is_named() -> None:
    """The same where the other servers have taken this one for gone meanwhile."""
    async with open_site(10_000) as site:
        one, two = await site.open("one"), await site.open("two")
        bob = await plain(one, "Bob", "this has a place")
        await trio.sleep(5)
        await bob.heard_by_now()
        one.cut()
        await bob.type("hello")
        await trio.sleep(30)
        assert len(two.room.servers) == 1
        one.mend()
        await trio.sleep(5)
        heard = await bob.heard_by_now()
        assert "! perhaps not sent: hello" in heard
        assert not [line for line in heard if "a place" in line]
