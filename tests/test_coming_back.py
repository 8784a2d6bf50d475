"""Who vanishes and comes back is where it was: over memory streams, in virtual time."""

import json
from typing import Any

import pytest
import trio

from house import EPOCH, House, Peer, open_house
from tls import make_tls
from triochat.absence import LOOK
from triochat.history import History
from triochat.hub import Hub
from triochat.messages import Join, Recall, Recalled, Say
from triochat.past import fitting
from triochat.ratelimit import Limits
from triochat.room import Room
from triochat.seats import AWAY, GRACE, HOLD, key_of
from triochat.telling import Seated
from triochat.testing import open_memory_room

TOKEN = "0123456789abcdefghijklm"
OTHER = "another-token-of-the-same-length"


async def join(house: House, handle: str, **more: object) -> tuple[Peer, dict[str, Any]]:
    """A program that joins like this, and its welcome."""
    peer = await house.connect()
    await peer.ask({"type": "join", "handle": handle, **more})
    return peer, await peer.event()


async def ping(peer: Peer) -> list[dict[str, Any]]:
    """What this peer is told until its ping is answered."""
    await peer.ask({"type": "ping"})
    events = []
    while (event := await peer.event())["type"] != "pong":
        events.append(event)
    return events


async def say(peer: Peer, text: str) -> int:
    """Have a program say this; the id that it got."""
    await peer.ask({"type": "say", "text": text})
    while (event := await peer.event())["type"] != "said" or event["text"] != text:
        pass
    number: int = event["id"]
    return number


def texts(events: list[dict[str, Any]]) -> list[str]:
    """What these say, in a word or two."""
    return [
        event.get("text") or f"{event.get('handle', '')} {event['type']}".strip()
        for event in events
    ]


async def cut(peer: Peer) -> None:
    """Lose the connection."""
    await peer.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()


async def test_who_is_back_in_time_was_never_away(autojump_clock: trio.testing.MockClock) -> None:
    """The others hear nothing of an absence that is shorter than the grace."""
    async with open_house() as house:
        bob = await house.plain("Bob")
        ann, welcome = await join(house, "Ann", token=TOKEN)
        assert not welcome["resumed"]
        assert await bob.line() == "* Ann joined"
        last = await say(ann, "one")
        assert await bob.line() == "Ann> one"
        await cut(ann)
        await bob.type("two")
        await trio.sleep(GRACE - 1)
        ann, welcome = await join(house, "Ann", token=TOKEN, after=last)
        assert welcome["resumed"]
        assert (welcome["handle"], welcome["token"]) == ("Ann", TOKEN)
        assert texts(await ping(ann)) == ["two"]
        await bob.type("three")
        assert (await ann.event())["text"] == "three"
        assert await bob.heard_nothing()


async def test_after_the_grace_it_has_left_and_its_handle_is_held(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The others hear that it has left, and that it is back; nobody else gets its handle."""
    async with open_house() as house:
        bob = await house.plain("Bob")
        ann, welcome = await join(house, "Ann", token=TOKEN)
        await bob.line()
        await cut(ann)
        await trio.sleep(GRACE + LOOK + 0.1)
        assert await bob.line() == "* Ann left (connection lost)"
        _, refused = await join(house, "Ann", token=OTHER)
        assert refused["code"] == "handle-taken"
        await bob.type("hello")
        ann, welcome = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        assert welcome["resumed"]
        assert await bob.line() == "* Ann joined"
        assert texts(await ping(ann)) == ["hello"]


async def test_after_the_hold_everything_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who comes back too late is somebody new, and so may anybody be."""
    async with open_house() as house:
        ann, welcome = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        await trio.sleep(HOLD + LOOK + 0.1)
        ann, welcome = await join(house, "Ann", token=OTHER)
        assert (welcome["type"], welcome["resumed"]) == ("welcome", False)
        assert len(house.room.seats) == 1


async def test_whispers_and_refusals_are_replayed_to_their_reader_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What one alone was told while it was away is told to it, in its place, and to nobody else."""
    async with open_house() as house:
        bob, _ = await join(house, "Bob")
        ann, welcome = await join(house, "Ann", token=TOKEN)
        cid, seen = await join(house, "Cid", token=OTHER)
        await ann.ask({"type": "say", "text": ""})  # she does not read the answer
        await cut(ann)
        await cut(cid)
        await say(bob, "one")
        await bob.ask({"type": "whisper", "to": "Ann", "text": "psst"})
        await say(bob, "two")
        ann, welcome = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        heard = await ping(ann)
        assert [event["type"] for event in heard] == [
            "joined",
            "refused",
            "said",
            "whispered",
            "said",
        ]
        assert [event["id"] for event in heard] == sorted(event["id"] for event in heard)
        cid, welcome = await join(house, "Cid", token=OTHER, after=seen["last"])
        assert texts(await ping(cid)) == ["one", "two"]


async def test_the_former_connection_is_not_heard_any_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who has come back while its old connection still lives has one: the new one."""
    async with open_house() as house:
        former, welcome = await join(house, "Ann", token=TOKEN)
        ann, welcome = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        assert welcome["resumed"]
        assert (await former.event())["type"] == "closing"
        await former.ask({"type": "say", "text": "too late"})
        assert await ping(ann) == []
        with pytest.raises(EOFError):
            await former.event()


async def test_who_quits_does_not_come_back(autojump_clock: trio.testing.MockClock) -> None:
    """To quit gives the seat up at once: the handle is free, and the token is nobody's."""
    async with open_house() as house:
        bob = await house.plain("Bob")
        ann, _ = await join(house, "Ann", token=TOKEN)
        await ann.ask({"type": "quit"})
        assert await bob.line() == "* Ann joined"
        assert await bob.line() == "* Ann left"
        ann, welcome = await join(house, "Ann", token=TOKEN, after=1)
        assert not welcome["resumed"]


async def test_a_welcome_that_was_lost_is_told_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who has drawn its own token can join again before it has heard anything."""
    async with open_house() as house:
        bob, _ = await join(house, "Bob")
        ann = await house.connect()
        await ann.ask({"type": "join", "handle": "Ann", "token": TOKEN})
        await cut(ann)
        await say(bob, "one")
        ann, welcome = await join(house, "Ann", token=TOKEN)
        assert welcome["resumed"]
        assert texts(await ping(ann)) == ["one"]


async def test_who_comes_back_to_a_stay_that_it_does_not_know_begins_anew(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What was missed between two stays is never passed over, even if a welcome was lost."""
    async with open_house() as house:
        bob = await house.plain("Bob")
        ann, _ = await join(house, "Ann", token=TOKEN)
        last = await say(ann, "one")
        await cut(ann)
        await trio.sleep(HOLD + 2 * LOOK)
        await bob.type("two")
        ann, _ = await join(house, "Ann", token=TOKEN, after=last)  # and does not hear the welcome
        await cut(ann)
        ann, welcome = await join(house, "Ann", token=TOKEN, after=last)
        assert not welcome["resumed"]


async def test_who_was_let_in_twice_and_has_seen_nothing_is_where_it_was() -> None:
    """Its first welcome was lost, and all after the second: nothing seen is no other stay."""
    async with open_house() as house:
        bob = await house.plain("Bob")
        ann, _ = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        ann, welcome = await join(house, "Ann", token=TOKEN)
        assert welcome["resumed"]
        await cut(ann)
        ann, welcome = await join(house, "Ann", token=TOKEN, after=0)
        assert welcome["resumed"]
        assert await bob.line() == "* Ann joined"
        assert await bob.heard_nothing()


async def test_who_is_put_out_does_not_come_back(autojump_clock: trio.testing.MockClock) -> None:
    """Who was kicked while it was away is somebody new; so is who may not come in."""
    async with open_house() as house:
        server = await house.operator()
        ann, welcome = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        await server.ask({"type": "kick", "handle": "Ann"})
        ann, welcome = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        assert not welcome["resumed"]
        await cut(ann)
        await server.ask({"type": "ban", "handle": "Ann"})
        ann, refused = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        assert refused["code"] == "banned"


async def test_people_are_shown_what_was_said_before(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A program asks for so many messages, people get some; then comes what is new."""
    async with open_house(replay=4) as house:
        bob, _ = await join(house, "Bob")
        for number in range(6):
            await say(bob, f"m{number}")
        ann, welcome = await join(house, "Ann", history=3)
        assert [event["id"] <= welcome["last"] for event in await ping(ann)] == [True] * 3
        cid, welcome = await join(house, "Cid", history=None)
        assert texts(await ping(cid)) == ["m2", "m3", "m4", "m5"]
        dan = await house.plain("Dan")
        await say(bob, "new")
        assert "m4" in await dan.line()
        assert "m5" in await dan.line()
        assert await dan.line() == "Bob> new"


async def test_reading_back_keeps_its_place(autojump_clock: trio.testing.MockClock) -> None:
    """What is asked of the history is answered where the room would have answered."""
    async with open_house() as house:
        ann, _ = await join(house, "Ann")
        await say(ann, "tea at four")
        await say(ann, "coffee")
        for request in (
            {"type": "say", "text": "before"},
            {"type": "recall", "find": "TEA"},
            {"type": "who"},
            {"type": "say", "text": "after"},
            {"type": "recall", "count": 2},
        ):
            await ann.ask(request)
        heard = await ping(ann)
        assert [event["type"] for event in heard] == [
            "said",
            "recalled",
            "roster",
            "said",
            "recalled",
        ]
        assert texts(heard[1]["messages"]) == ["tea at four"]
        assert not heard[1]["more"]
        assert texts(heard[4]["messages"]) == ["before", "after"]
        assert heard[4]["more"]


async def test_what_is_removed_is_told_and_gone(autojump_clock: trio.testing.MockClock) -> None:
    """An operator removes messages by their ids, or by who has said them; everybody is told."""
    async with open_house() as house:
        server = await house.operator()
        ann, _ = await join(house, "Ann")
        first = await say(ann, "one")
        await say(ann, "two")
        await server.ask({"type": "forget", "ids": [first]})
        removed = await ann.event()
        assert (removed["type"], removed["ids"]) == ("removed", [first])
        assert removed["text"] == "1 message was removed by Server"
        await ann.ask({"type": "recall"})
        assert texts((await ann.event())["messages"]) == ["two"]
        await server.ask({"type": "forget", "handle": "ann"})
        assert (await ann.event())["text"] == "1 message of ann was removed by Server"
        await ann.ask({"type": "recall"})
        assert (await ann.event())["messages"] == []


async def test_what_is_not_there_is_not_said_to_be_removed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Only messages that are kept are counted; where none of them is, that is refused."""
    async with open_house() as house:
        server = await house.operator()
        ann, _ = await join(house, "Ann")
        first, second = await say(ann, "one"), await say(ann, "two")
        await server.ask({"type": "forget", "ids": [first, first, 9999, second + 1, 0]})
        removed = await ann.event()
        assert (removed["ids"], removed["text"]) == ([first], "1 message was removed by Server")
        await server.ask({"type": "forget", "ids": [first, 9999]})
        assert "no such message is kept" in (await server.heard_by_now())[-1]
        await ann.ask({"type": "recall"})
        assert texts((await ann.event())["messages"]) == ["two"]


async def test_in_a_full_room_who_is_away_gives_way(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nobody waits for the place of who is not there; who comes back then waits for its own."""
    async with open_house(max_clients=1) as house:
        ann, welcome = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        bob, first = await join(house, "Bob")
        assert first["type"] == "welcome"
        ann, notice = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        assert notice["type"] == "notice"
        await bob.ask({"type": "quit"})
        again = await ann.event()
        assert (again["type"], again["resumed"], again["handle"]) == ("welcome", True, "Ann")


async def test_a_room_goes_on_with_seats_that_were_kept(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who was here when its server died is away, and comes back as an operator if it was one."""
    async with open_house() as house:
        server = await house.operator()
        await join(house, "Ann", token=TOKEN)
        bob, _ = await join(house, "Bob", token=OTHER)
        await server.ask({"type": "op", "handle": "Bob"})
        assert (await bob.event())["type"] == "moderated"
        seats = [*house.room.seats.values()]
    async with open_house() as house:
        house.room.last_id = 10
        house.hub.fan_out.told = 10
        house.room.restore(seats, EPOCH)
        house.hub.history.keep([Seated(seat) for seat in seats])
        _, refused = await join(house, "Ann")
        assert refused["code"] == "handle-taken"
        bob, welcome = await join(house, "Bob", token=OTHER, after=10)
        assert (welcome["resumed"], welcome["roster"]) == (True, ["Ann", "Bob"])
        await bob.ask({"type": "kick", "handle": "Ann"})
        assert (await bob.event())["reason"] == "kicked"
        await trio.sleep(GRACE + LOOK + 0.1)
        assert await ping(bob) == []


async def test_who_may_be_overheard_now_is_seen_to_come_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nobody comes back unseen over a connection that others can read."""
    async with open_house(tls=make_tls()) as house:
        bob = await house.plain("Bob")
        ann, welcome = await join(house, "Ann", token=TOKEN)
        await bob.line()
        await cut(ann)
        ann = await house.from_host("192.0.2.7")
        await ann.ask({"type": "join", "handle": "Ann", "token": TOKEN, "after": welcome["last"]})
        assert (await ann.event())["resumed"]
        assert await bob.hear(2) == ["* Ann left (connection lost)", "* Ann (plain) joined"]
        assert await ping(ann) == []


async def test_a_slow_reader_is_told_everything(autojump_clock: trio.testing.MockClock) -> None:
    """Who has missed more than a connection takes at once is told it piece by piece."""
    async with open_house(lockstep=True, limits=Limits(rate=0)) as house:
        bob, _ = await join(house, "Bob")
        ann, welcome = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        for number in range(3000):
            await say(bob, f"{number} {'x' * 490}")
        ann, welcome = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        assert welcome["resumed"]
        heard = await ping(ann)
        assert [event["text"].split()[0] for event in heard] == [str(n) for n in range(3000)]


async def test_a_token_is_logged_nowhere(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the token nor what tells it is in any line of the log."""
    caplog.set_level("DEBUG")
    async with open_house() as house:
        ann, _ = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        await join(house, "Ann", token=TOKEN, after=1)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(Join("Ann", token=TOKEN))


async def test_too_many_who_are_away_are_given_up(autojump_clock: trio.testing.MockClock) -> None:
    """One host cannot hold all handles: the first of the host that has most goes."""
    async with open_house(limits=Limits(0)) as house:
        ann = await house.from_host("192.0.2.9")
        await ann.ask({"type": "join", "handle": "Ann", "token": TOKEN})
        await ann.event()
        await cut(ann)
        for number in range(AWAY + 5):
            peer, _ = await join(house, f"p{number}q")
            await cut(peer)
        seats = house.room.seats
        assert len(seats.away) == AWAY
        assert key_of(TOKEN) in seats


class Slow(History):
    """A history that takes its time."""

    async def recall(self, asked: Recall, upto: int) -> Recalled:
        """The same, a moment later."""
        await trio.sleep(1)
        return await super().recall(asked, upto)


async def test_who_leaves_while_it_is_told_the_past_does_not_hear_of_that(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What is told to one whose input has ended ends with what was for it, like anybody's."""
    hub = Hub(Room(), Slow())
    async with open_memory_room(hub) as listener:
        house = House(hub, listener)
        bob, _ = await join(house, "Bob")
        await say(bob, "before")
        eve = await house.connect()
        await eve.stream.send_all(b"Eva\nhalf")
        assert isinstance(eve.stream, trio.StapledStream)
        await eve.stream.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        await say(bob, "after")
        _, *heard = await eve.rest()
        assert [line.split("] ")[-1] for line in heard] == [
            "Bob> before",
            "! the last line has no line end; nothing was sent",
        ]
        assert hub.room.roster == ("Bob",)


@pytest.mark.parametrize("retry", [True, False])
async def test_seats_are_kept_where_there_will_be_a_server_again(
    autojump_clock: trio.testing.MockClock, retry: bool
) -> None:
    """When the chat is over nobody's handle is held, and nothing private is kept."""
    async with open_house() as house:
        ann, welcome = await join(house, "Ann", token=TOKEN)
        _, away = await join(house, "Bob", token=OTHER)
        house.hub.close("shutting down", retry=retry)
        assert [event["type"] for event in [await ann.event(), await ann.event()]] == [
            "joined",
            "closing",
        ]
        reaches = house.hub.history.reaches
        assert reaches(key_of(TOKEN), welcome["last"]) is retry
        assert reaches(key_of(OTHER), away["last"]) is retry


async def test_who_reads_too_slowly_what_it_has_missed_has_fallen_behind(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """What it is told has no gap, where what it had still to be told is kept no more."""
    monkeypatch.setattr("triochat.history.TAIL", 300)
    async with open_house(lockstep=True, limits=Limits(0)) as house:
        bob = await house.connect()
        await bob.ask({"type": "join", "handle": "Bob"})
        await bob.event()
        ann, welcome = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        first = await say(bob, "x" * 490)
        for _ in range(250):
            await say(bob, "x" * 490)
        ann, _ = await join(house, "Ann", token=TOKEN, after=welcome["last"])
        for _ in range(900):
            newest = await say(bob, "y" * 490)
        told = [json.loads(line) for line in await ann.rest()]
        ids = [event["id"] for event in told if event["type"] == "said"]
        assert ids == [*range(first, first + len(ids))]
        assert len(ids) < newest - first


async def test_who_is_told_the_past_takes_turns(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """However many come at once, the others have their turn between any two of them."""
    passes: list[int] = []

    def noted(found: Recalled) -> Recalled:
        passes.append(house.hub.counts.passes)
        return fitting(found)

    monkeypatch.setattr("triochat.past.fitting", noted)
    async with open_house() as house:
        bob, _ = await join(house, "Bob")
        await say(bob, "hello")
        peers = [await house.connect() for _ in range(5)]
        async with trio.open_nursery() as nursery:
            for number, peer in enumerate(peers):
                wish = {"type": "join", "handle": f"p{number}q", "history": 10}
                nursery.start_soon(peer.ask, wish)
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for peer in peers:
                nursery.start_soon(peer.ask, {"type": "recall"})
        await trio.testing.wait_all_tasks_blocked()
    assert len(passes) == len({*passes}) == 10


async def test_who_asks_for_a_handle_that_is_kept_is_told_for_how_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It may be its own, or be free in a while; before the others have heard of it, too."""
    async with open_house() as house:
        ann, _ = await join(house, "Ann", token=TOKEN)
        await cut(ann)
        for seconds, left in ((0, "10 minutes"), (GRACE + LOOK + 80, "9 minutes")):
            await trio.sleep(seconds)
            _, refused = await join(house, "ann")
            assert refused["code"] == "handle-taken"
            kept = 'handle "Ann" is kept for who lost the connection, who has another'
            assert refused["text"] == f"{kept} {left} to come back; try another, or wait"


async def test_who_comes_in_while_all_talk_follows_soon(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """However much is said in each pass, nobody is told from the history for ever."""
    async with open_house(limits=Limits(rate=0)) as house:
        hub, members = house.hub, house.room.members
        await join(house, "Bob")
        async with trio.open_nursery() as nursery:

            async def talk() -> None:
                while True:
                    hub.ask(members.find("Bob"), [Say("on and on")])
                    hub.flush()
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(talk)
            await join(house, "Ann", history=5)
            for _ in range(10):
                await trio.lowlevel.checkpoint()
            assert hub.fan_out.links[members.find("Ann")].past is None
            nursery.cancel_scope.cancel()
