import errno
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel
import trio.testing

from house import UNLIMITED, Peer, open_house
from triochat.allowance import FAST, LINES
from triochat.backlog import HELD, PATIENCE
from triochat.dialects.ndjson import NDJSON, NdjsonSpeaker
from triochat.history import History
from triochat.hub import Hub
from triochat.link import Link
from triochat.lobby import TURNED_AWAY
from triochat.messages import Closing, Join, Kick, Ping, Quit, Said, Say
from triochat.order import AnyRequest, Asked, Gone, Order
from triochat.outbox import LIMIT, LINGER, Way
from triochat.pace import BATCH, BREATH, CROWD, MOMENT
from triochat.ratelimit import Limits
from triochat.room import Room
from triochat.stranger import GREETING_DELAY, PERSON, TRIES
from triochat.telling import Telling, Told
from triochat.testing import open_memory_room


async def test_twenty_talkers_are_heard_in_one_order() -> None:
    """Everybody sees the same messages in the same order; nothing is lost, nothing doubled."""
    members, messages = 20, 25
    async with open_house() as house:
        peers = [await house.ndjson(f"p{number}") for number in range(members)]
        heard: dict[int, list[tuple[int, str]]] = {}

        async def talk(peer: Peer) -> None:
            for number in range(messages):
                await peer.ask({"type": "say", "text": f"m{number}"})

        async def listen(index: int, peer: Peer) -> None:
            said: list[tuple[int, str]] = []
            while len(said) < members * messages:
                event = await peer.event()
                if event["type"] == "said":
                    said.append((event["id"], f"{event['handle']}:{event['text']}"))
            heard[index] = said

        async with trio.open_nursery() as nursery:
            for index, peer in enumerate(peers):
                nursery.start_soon(talk, peer)
                nursery.start_soon(listen, index, peer)
    assert all(said == heard[0] for said in heard.values())
    first = members + 1  # each who joined has taken an id as well
    assert [number for number, _ in heard[0]] == list(range(first, first + members * messages))
    assert set(Counter(text for _, text in heard[0]).values()) == {1}
    for number in range(members):
        own = [text for _, text in heard[0] if text.startswith(f"p{number}:")]
        assert own == [f"p{number}:m{message}" for message in range(messages)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch takes so long that the feed's task gathers, however slow the machine is."""
    monkeypatch.setattr("triochat.pace.BREATH", math.inf)


class Member:
    """A member without a connection, and all that is written to it after its welcome."""

    def __init__(self, hub: Hub, *, is_console: bool = False) -> None:
        self.heard: list[bytes] = []
        self._hub = hub
        stream, _ = trio.testing.memory_stream_one_way_pair()
        self.link = Link(hub.backlog, stream, NdjsonSpeaker())
        self.link.outbox.write_through(self._write, self.heard)
        self.peer = hub.connect(self.link, is_console=is_console)

    @staticmethod
    def _write(heard: list[bytes], blob: bytes) -> int:
        heard.append(blob)
        return len(blob)

    def ask(self, *requests: AnyRequest) -> None:
        """Ask for this, and let it be told."""
        self._hub.ask(self.peer, requests)
        self._hub.flush()

    def events(self) -> list[str]:
        """What it was told since it was asked last: the types of the events."""
        lines = b"".join(self.heard).splitlines()
        self.heard.clear()
        return [json.loads(line)["type"] for line in lines]


async def join(hub: Hub, handle: str) -> Member:
    """A member that has read its welcome."""
    member = Member(hub)
    await trio.testing.wait_all_tasks_blocked()
    member.ask(Join(handle))
    await trio.testing.wait_all_tasks_blocked()
    member.heard.clear()
    return member


@asynccontextmanager
async def open_hub(hub: Hub) -> AsyncIterator[Hub]:
    """A hub whose feed runs until the end of the block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        yield hub
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("small")
async def test_who_speaks_alone_is_heard_at_once() -> None:
    """What one session flushes while nobody else speaks is told before anything else happens."""
    async with open_hub(Hub(Room())) as hub:
        ann = await join(hub, "Ann")
        hub.ask(ann.peer, [Say("one")])
        hub.ask(ann.peer, [Say("two")])
        assert ann.heard == []
        hub.flush()
        assert [blob.count(b"said") for blob in ann.heard] == [2]


@pytest.mark.usefixtures("small")
async def test_those_who_speak_in_one_pass_share_a_batch() -> None:
    """While several speak in each pass of the scheduler, each pass is one blob for each member."""
    async with open_hub(Hub(Room())) as hub:
        ann, bob = await join(hub, "Ann"), await join(hub, "Bob")

        async def speak_at_once(*members: Member) -> list[int]:
            ann.heard.clear()
            for member in members:
                member.ask(Say("hello"))
            await trio.testing.wait_all_tasks_blocked()
            return [blob.count(b"said") for blob in ann.heard]

        assert await speak_at_once(ann, bob, ann) == [1, 2]
        assert await speak_at_once(ann, bob, ann) == [3]
        assert await speak_at_once(ann, bob) == [2]
        assert await speak_at_once(bob) == [1]
        assert await speak_at_once(ann, bob) == [1, 1]


@pytest.mark.usefixtures("small")
async def test_to_flush_nothing_does_nothing() -> None:
    """Who had nothing to say does not make the next one share a batch."""
    async with open_hub(Hub(Room())) as hub:
        ann = await join(hub, "Ann")
        hub.flush()
        ann.ask(Say("one"))
        assert len(ann.heard) == 1


# ---- who comes and goes in a large room


async def crowd(hub: Hub) -> tuple[Member, Member]:
    """A room in which who comes and goes can wait, and two of its members."""
    members = [await join(hub, f"p{number}") for number in range(CROWD + 1)]
    await trio.sleep(MOMENT * 2)
    for member in members:
        member.heard.clear()
    return members[0], members[1]


async def test_in_a_large_room_who_comes_and_goes_is_told_a_moment_later() -> None:
    """Comings and goings of a moment are told as one; the newcomer is welcomed at once."""
    async with open_hub(Hub(Room())) as hub:
        ann, bob = await crowd(hub)
        new = Member(hub)
        new.ask(Join("New"))
        await trio.testing.wait_all_tasks_blocked()
        assert new.events() == ["welcome"]
        bob.ask(Quit())
        await trio.sleep(MOMENT * 0.9)
        assert ann.events() == []
        await trio.sleep(MOMENT * 0.2)
        assert len(ann.heard) == 1
        assert ann.events() == ["joined", "left"]
        assert new.events() == ["left"]


async def test_in_a_small_room_who_comes_is_told_at_once() -> None:
    """A room of a hundred is not a large one."""
    async with open_hub(Hub(Room())) as hub:
        ann = await join(hub, "Ann")
        for number in range(CROWD - 1):
            await join(hub, f"p{number}")
        assert ann.events() == ["joined"] * (CROWD - 1)


async def test_nobody_speaks_in_a_large_room_before_others_were_told_of_it() -> None:
    """Who comes and goes is told with the next message, in the order in which it was."""
    async with open_hub(Hub(Room())) as hub:
        ann, _ = await crowd(hub)
        new, newer = Member(hub), Member(hub)
        new.ask(Join("New"))
        newer.ask(Join("Newer"))
        await trio.testing.wait_all_tasks_blocked()
        new.heard.clear()
        newer.ask(Say("hello"))
        await trio.testing.wait_all_tasks_blocked()
        assert ann.events() == ["joined", "joined", "said"]
        assert new.events() == ["joined", "said"]
        assert newer.events() == ["welcome", "said"]
        await trio.sleep(1)
        assert ann.events() == []


async def test_answers_in_a_large_room_do_not_wait() -> None:
    """What is one peer's alone is told at once, and what waits goes on waiting."""
    async with open_hub(Hub(Room())) as hub:
        ann, bob = await crowd(hub)
        Member(hub).ask(Join("New"))
        for _ in range(3):
            ann.ask(Ping())
            await trio.testing.wait_all_tasks_blocked()
            assert ann.events() == ["pong"]
        bob.ask(Say(""))
        await trio.testing.wait_all_tasks_blocked()
        assert bob.events() == ["joined", "refused"], "an id has its place among the others"


async def test_a_kick_does_not_wait() -> None:
    """What an operator asks for is answered in order in a large room too."""
    async with open_hub(Hub(Room())) as hub:
        ann, _ = await crowd(hub)
        boss = Member(hub, is_console=True)
        boss.ask(Join("Server"))
        await trio.sleep(MOMENT * 2)
        boss.events()
        boss.ask(Kick("p1"), Ping())
        await trio.testing.wait_all_tasks_blocked()
        assert boss.events() == ["left", "pong"]
        assert ann.events() == ["joined", "left"]


async def test_who_quits_a_large_room_is_let_go_at_once() -> None:
    """A connection ends when the room says so; that the others hear of it later changes nothing."""
    async with open_hub(Hub(Room())) as hub:
        ann, bob = await crowd(hub)
        bob.ask(Quit())
        await trio.testing.wait_all_tasks_blocked()
        assert bob.link.outbox.way is Way.ENDING
        hub.disconnect(bob.peer, "quit")
        await trio.sleep(MOMENT)
        assert ann.events() == ["left"]


# ---- stations that take their time


class Disk(History):
    """A log that keeps nothing before it is told to."""

    is_instant = False

    def __init__(self) -> None:
        super().__init__()
        self.turns = trio.Semaphore(0)
        self.sizes: list[int] = []

    def keep(self, batch: Sequence[Telling]) -> Awaitable[None]:
        """Keep it in its turn."""
        said = [event for told in batch if isinstance(told, Told) for event in told.events]
        self.sizes.append(sum(isinstance(event, Said) for event in said))
        super().keep(batch)
        return self.turns.acquire()


async def test_nobody_is_told_what_is_not_kept_yet() -> None:
    """A history that takes its time is waited for, and what is said meanwhile is the next batch."""
    disk = Disk()
    disk.turns.release()
    async with open_hub(Hub(Room(), disk)) as hub:
        ann = await join(hub, "Ann")
        ann.ask(Say("one"))
        await trio.testing.wait_all_tasks_blocked()
        ann.ask(Say("two"))
        ann.ask(Say("three"))
        await trio.testing.wait_all_tasks_blocked()
        assert ann.events() == []
        disk.turns.release()
        await trio.testing.wait_all_tasks_blocked()
        assert ann.events() == ["said"]
        disk.turns.release()
        await trio.testing.wait_all_tasks_blocked()
        assert ann.events() == ["said", "said"]
    assert disk.sizes == [0, 1, 2]


def shared_order(asked: list[Asked]) -> Order:
    """An order that places nothing by itself; what it is asked is added to this list."""

    def order(one: Asked) -> Sequence[Asked]:
        asked.append(one)
        return ()

    return order


async def test_what_has_no_place_yet_is_not_in_the_room() -> None:
    """An order that others share is the room's: it hears what is asked when its place is known."""
    asked: list[Asked] = []
    async with open_hub(Hub(Room(), order=shared_order(asked))) as hub:
        ann, bob = Member(hub), Member(hub)
        for member, handle in ((ann, "Ann"), (bob, "Bob")):
            member.ask(Join(handle))
            member.ask(Say("hello"))
        assert len(hub.room.members) == 0
        hub.apply([*asked[2:], *asked[:2]])
        await trio.testing.wait_all_tasks_blocked()
        assert hub.room.roster == ("Ann", "Bob")
        assert bob.events() == ["welcome", "said", "joined", "said"]
        assert ann.events() == ["welcome", "said"]


async def test_a_history_that_is_stuck_does_not_hold_up_the_end() -> None:
    """The server stops within the linger, whatever a station still waits for."""
    async with open_memory_room(Hub(Room(), Disk())) as listener:
        ann = Peer(await listener.connect())
        await ann.type("Ann")
        await trio.sleep(1)
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(LINGER)


async def test_who_joins_late_is_heard_as_long_as_it_likes() -> None:
    """Where an order takes its time, a member that has been silent is still heard."""
    asked: list[Asked] = []

    async def place() -> None:
        while True:
            await trio.sleep(1)
            hub.apply([asked.pop(0) for _ in range(len(asked))])

    hub = Hub(Room(), order=shared_order(asked))
    async with open_memory_room(hub) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(place)
        ann = Peer(await listener.connect())
        await ann.ask({"type": "join", "handle": "Ann"})
        assert (await ann.event())["type"] == "welcome"
        await trio.sleep(PERSON * 2)
        await ann.ask({"type": "say", "text": "still here"})
        assert (await ann.event())["type"] == "said"
        nursery.cancel_scope.cancel()


async def test_a_program_is_not_greeted_in_its_own_language() -> None:
    """The greeting is for who has said nothing, and is written as for a person, at once."""
    disk = Disk()
    async with open_memory_room(Hub(Room(), disk)) as listener:
        bot = Peer(await listener.connect())
        await trio.sleep(GREETING_DELAY)
        await bot.ask({"type": "join", "handle": "bot"})
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(9):
            disk.turns.release()
        assert (await bot.line()).startswith("* triochat")
        assert (await bot.event())["type"] == "welcome"


async def test_what_nobody_need_know_is_not_waited_for() -> None:
    """Who goes before anybody has heard of it is told that nothing more comes of what it asked."""
    asked: list[Asked] = []

    def order(one: Asked) -> Sequence[Asked]:
        asked.append(one)
        return [Asked(one.peer, (), 0) for one in asked] if type(one.requests[0]) is Gone else ()

    async with open_hub(Hub(Room(), order=order)) as hub:
        ann = Member(hub)
        ann.ask(Join("Ann"))
        assert hub.is_unplaced(ann.peer)
        hub.disconnect(ann.peer, "connection lost")
        assert not hub.is_unplaced(ann.peer)


class Full(History):
    """A log that has no space left as soon as somebody speaks."""

    def keep(self, batch: Sequence[Telling]) -> None:
        """Keep nothing."""
        if any(isinstance(told, Told) and isinstance(told.events[0], Said) for told in batch):
            raise OSError(errno.ENOSPC, "no space left")


async def test_what_cannot_be_kept_is_not_told_and_ends_the_room() -> None:
    """When the history fails nobody hears what it lost, and the feed ends with its error."""
    hub = Hub(Room(), Full())
    heard: list[bytes] = []

    async def speak() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.run)
            ann = await join(hub, "Ann")
            ann.ask(Say("hello"))
            heard.extend(ann.heard)

    with pytest.raises(ExceptionGroup) as caught:
        await speak()
    assert caught.group_contains(OSError, match="no space left")
    assert heard == []


async def test_nobody_hears_of_a_place_after_the_good_bye() -> None:
    """Closing is the last that those in the queue are told, whoever left before them."""
    hub = Hub(Room(max_clients=1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        await join(hub, "Ann")
        bob, cid = await join(hub, "Bob"), await join(hub, "Cid")
        hub.ask(bob.peer, [Quit()])
        hub.close("bye")
    [blob] = cid.heard
    assert blob.endswith(NDJSON.encode([Closing("bye")]))


async def test_who_closes_first_has_the_last_word() -> None:
    """What was said in closing, that one may come back, is not said again in other words."""
    hub = Hub(Room())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        ann = await join(hub, "Ann")
        hub.close("back soon", retry=True)
        hub.close("shutting down")
    [blob] = ann.heard
    assert blob == NDJSON.encode([Closing("back soon", retry=True)])


@pytest.mark.smooth
async def test_plain_peers_do_not_hear_themselves_in_a_batch() -> None:
    """In one batch of several talkers each plain peer hears all but its own, in order."""
    async with open_house() as house:
        ann, bob, eve = [await house.plain(name) for name in ("Ann", "Bob", "Eve")]
        await ann.hear(2)
        await bob.hear(1)
        await ann.type("a1", "a2")
        await bob.type("b1")
        await ann.type("a3", "?")
        everything = await eve.hear(4)
        assert sorted(everything) == ["Ann> a1", "Ann> a2", "Ann> a3", "Bob> b1"]
        assert await ann.hear(2) == ["Bob> b1", "* 3 here: Ann, Bob, Eve"]
        assert await bob.hear(3) == ["Ann> a1", "Ann> a2", "Ann> a3"]


async def test_who_comes_later_does_not_hear_what_was_said_before() -> None:
    """A message goes to those who are in the room when it is said, also within one batch."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        bob = await house.connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ann.type, "before")
            nursery.start_soon(bob.type, "Bob")
        await trio.testing.wait_all_tasks_blocked()
        await ann.type("after")
        order = [line for line in await bob.hear(2) if line != "Ann> before"]
        assert order[-1] == "Ann> after" or order[0].startswith("* Server connected")


async def test_a_paste_reaches_everybody() -> None:
    """One person pastes 200 long lines into a room of 50: all get all, nobody is put out."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        readers = [await house.plain(f"r{number}") for number in range(50)]
        lines = [f"{number} " + "x" * 490 for number in range(200)]
        await ann.type(*lines)
        for reader in readers:
            said = [line for line in await hear_until(reader, lines[-1]) if line.startswith("Ann>")]
            assert said == [f"Ann> {line}" for line in lines]
        assert len(house.room.roster) == 51


async def hear_until(peer: Peer, text: str) -> list[str]:
    """All lines up to the one that ends in this text."""
    lines = [await peer.line()]
    while not lines[-1].endswith(text):
        lines.append(await peer.line())
    return lines


async def test_who_never_reads_harms_nobody() -> None:
    """A member that never reads is put out, the others hear everything, and hear of that."""
    async with open_house(lockstep=True) as house:
        talker, reader = await house.connect(), await house.connect()
        heard: list[str] = []

        async def listen(peer: Peer, into: list[str]) -> None:
            while True:
                into.append(await peer.line())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, talker, [])
            nursery.start_soon(listen, reader, heard)
            await talker.type("talker")
            await reader.type("reader")
            await trio.testing.wait_all_tasks_blocked()
            dead = await house.connect()
            await dead.type("dead")
            await trio.testing.wait_all_tasks_blocked()
            for number in range(1000):
                await talker.type(f"{number}")
            await trio.sleep(60)
            assert house.room.roster == ("reader", "talker")
            nursery.cancel_scope.cancel()
    said = [line for line in heard if line.startswith("talker>")]
    assert said == [f"talker> {number}" for number in range(1000)]
    assert "* dead left (fell behind)" in heard


async def test_who_talks_too_much_is_read_slowly() -> None:
    """After a burst a member is heard at its rate, and all that it says is heard in the end."""
    async with open_house(limits=Limits(burst=10, rate=4)) as house:
        bob, ann = await house.plain("Bob"), await house.plain("Ann")
        assert await bob.line() == "* Ann joined"
        lines = [str(number) for number in range(30)]
        await ann.type(*lines)
        at: list[float] = []
        for line in lines:
            assert await bob.line() == f"Ann> {line}"
            at.append(trio.current_time())
    assert at == [*[0.0] * 10, *(pytest.approx(step / 4) for step in range(1, 21))]


async def test_what_is_refused_is_dear() -> None:
    """Who is refused is heard at half of its rate."""
    async with open_house(limits=Limits(burst=5, rate=5)) as house:
        bob, ann = await house.plain("Bob"), await house.plain("Ann")
        assert await bob.line() == "* Ann joined"
        await ann.type(*["\\never heard of"] * 15, "hi")
        assert await bob.line() == "Ann> hi"
        assert trio.current_time() == pytest.approx(5, abs=1)


async def test_who_is_here_costs_what_it_takes_to_tell() -> None:
    """Whoever asks for the names of a large room again and again is told all, and not put out."""
    async with open_house(limits=Limits(burst=100, rate=10)) as house:
        for number in range(CROWD + 60):
            await house.plain(f"p{number}")
        ann = await house.ndjson("Ann")
        await ann.ask(*[{"type": "who"}] * 50)
        told = [(await ann.event())["type"] for _ in range(51)]
        assert sorted(told) == ["moderated"] + ["roster"] * 50
        assert trio.current_time() > 15


async def test_while_somebody_is_behind_all_talkers_share_what_it_takes() -> None:
    """Without any limit floods are read as a reader takes it, as long as one is far behind."""
    size = HELD // 100
    async with open_house(limits=UNLIMITED) as house:
        bob, ann, eve = [await house.plain(name) for name in ("Bob", "Ann", "Eve")]
        assert await bob.hear(2) == ["* Ann joined", "* Eve joined"]
        text = "x" * 400
        await ann.type(*[text] * 1000)
        await bob.hear(1000)
        assert trio.current_time() == 0
        house.hub.backlog.add("slow")
        for talker in (ann, eve):
            await talker.type(*[text] * 1000)
        await bob.hear(size // 5)
        assert trio.current_time() == pytest.approx(1, abs=0.1)
        house.hub.backlog.discard("slow")
        await bob.hear(2000 - size // 5)
        assert trio.current_time() == pytest.approx(1, abs=0.1)


async def test_who_says_little_is_not_held_back_by_who_floods() -> None:
    """While one floods and another is far behind a third is heard at once."""
    async with open_house(limits=UNLIMITED) as house:
        bob, ann, eve = [await house.plain(name) for name in ("Bob", "Ann", "Eve")]
        house.hub.backlog.add("slow")
        await ann.type(*["x" * 400] * 1000)
        await trio.sleep(0.5)
        await eve.type("hi")
        while await bob.line() != "Eve> hi":
            pass
        assert trio.current_time() == pytest.approx(0.5, abs=0.05)


async def test_nobody_is_held_back_for_who_takes_nothing() -> None:
    """For a reader who stays far behind, and takes nothing, a flood is held back for a moment."""
    async with open_house(limits=UNLIMITED) as house:
        bob, ann = await house.plain("Bob"), await house.plain("Ann")
        assert await bob.line() == "* Ann joined"
        house.hub.backlog.add("dead")
        await ann.type(*["x" * 400] * 3000)
        await bob.hear(3000)
        assert trio.current_time() == pytest.approx(PATIENCE, abs=0.1)


async def test_who_quits_pays_for_what_it_said() -> None:
    """To say much, quit in the same breath and come back is no way to say more."""
    async with open_house(limits=Limits(burst=50, rate=1)) as house:
        ann = await house.plain("Ann")
        for _ in range(3):
            eve = await house.connect()
            await eve.type("Eve", *["x"] * 40, "\\quit")
            await trio.testing.wait_all_tasks_blocked()
        await trio.lowlevel.checkpoint()
        heard = [line for line in await ann.heard_by_now() if line == "Eve> x"]
        assert len(heard) <= 51


async def test_a_chunk_of_blank_lines_waits_unread() -> None:
    """Of many lines that must wait few are understood: the others wait as bytes."""
    understood: list[int] = []

    class Counting(NdjsonSpeaker):
        __slots__ = ()

        def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
            requests = super().hear(data)
            understood.append(len(requests))
            return requests

    async with open_house() as house:
        ann = await house.ndjson("Ann")
        next(link for link in house.hub.fan_out.links.values()).speaker = Counting()
        await ann.type(*[""] * 2000)
        await trio.testing.wait_all_tasks_blocked()
        assert 0 < max(understood) <= LINES


@pytest.mark.smooth
async def test_those_who_flood_have_equal_shares() -> None:
    """Of twenty who always have more to say nobody is heard much less than others."""
    async with open_house(limits=UNLIMITED) as house:
        floods = [await house.plain(f"p{number}") for number in range(20)]
        ann = await house.ndjson("Ann")
        async with trio.open_nursery() as nursery:
            for flood in floods:
                nursery.start_soon(flood.type, *["x"] * 4000)
            heard: Counter[str] = Counter()
            while heard.total() < 40_000:
                heard[(await ann.event())["handle"]] += 1
    assert min(heard.values()) > 40_000 / 20 / 2


@pytest.mark.smooth
async def test_a_member_is_heard_among_many_who_flood() -> None:
    """Who says one thing while fifty flood is heard after a turn of each, not after all."""
    async with open_house(limits=UNLIMITED) as house:
        floods = [await house.plain(f"p{number}") for number in range(50)]
        ann = await house.ndjson("Ann")
        async with trio.open_nursery() as nursery:
            for flood in floods:
                nursery.start_soon(flood.type, *["x"] * 2000)
            await ann.event()
            await ann.ask({"type": "ping"})
            before = 0
            while (await ann.event())["type"] != "pong":
                before += 1
            nursery.cancel_scope.cancel()
        assert before <= 2 * 50 * BATCH


async def test_who_is_too_fast_is_told_so_once() -> None:
    """When a member begins to wait it is told, in its own language, and loses nothing."""
    async with open_house(limits=Limits(burst=10, rate=5)) as house:
        ann, bob = await house.ndjson("Ann"), await house.plain("Bob")
        await ann.event()
        lines = [str(number) for number in range(60)]
        await bob.type(*lines)
        said = [await ann.event() for _ in lines]
        assert [event["text"] for event in said] == lines
        assert trio.current_time() == pytest.approx(10, abs=1)
        assert await bob.line() == "* " + FAST.format(5)
        assert not await bob.heard_by_now()


@pytest.mark.smooth
@pytest.mark.parametrize("line", ["x" * 80, "\N{EURO SIGN}" * 160, "x" * 500])
async def test_an_ordinary_paste_waits_for_nothing(line: str) -> None:
    """Two hundred lines of prose, or of long paragraphs, are said at once, and nobody is told."""
    async with open_house() as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        await trio.sleep(1)
        await bob.type(*[line] * 200)
        await ann.hear(201)
        assert trio.current_time() == 1
        assert not await bob.heard_by_now()


@pytest.mark.parametrize("line", [b"x" * 1999 + b"\n", b"x" * 2000])
async def test_bytes_have_a_rate(line: bytes) -> None:
    """Whatever a member sends, lines or none, it is read as fast as 20 lines of 512 bytes."""
    async with open_house() as house:
        bob = await house.plain("Bob")
        async with trio.open_nursery() as nursery:
            stream = await house.listener.connect()
            eve = Peer(stream)
            nursery.start_soon(eve.type, "Eve")
            assert await bob.line() == "* Eve joined"
            nursery.start_soon(stream.send_all, line * 200)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(eve.type, "", "done")
            assert await bob.line() == "Eve> done"
        assert trio.current_time() > (2000 * 200 / 512 - 200) / 20 - 5


async def test_joins_and_leaves_in_a_loop_are_slowed_down() -> None:
    """Who comes and goes all the time under one handle is let in more slowly; others are not."""
    async with open_house() as house:
        ann = await house.ndjson("Ann")
        times = []
        for _ in range(20):
            bob = await house.plain("Bob")
            times.append(trio.current_time())
            await bob.type("\\quit")
            await bob.rest()
            await bob.stream.aclose()
        assert times[9] == 0
        assert times[-1] == pytest.approx(60)
        await house.plain("Cat")
        assert trio.current_time() == times[-1]
        told = [(await ann.event())["type"] for _ in range(41)]
        assert told == ["joined", "left"] * 20 + ["joined"]


async def test_a_stranger_is_read_slowly() -> None:
    """Who has not joined gets a few answers, then a few a second; as a member it is free again."""
    async with open_house(limits=UNLIMITED) as house:
        eve = await house.connect()
        join, ping = {"type": "join", "handle": "Eve"}, {"type": "ping"}
        await eve.ask(*[ping] * 240, join, *[ping] * 500)
        await eve.hear(240)
        assert (await eve.event())["type"] == "welcome"
        then = trio.current_time()
        assert then >= 1
        await eve.hear(500)
        assert trio.current_time() == then


@pytest.mark.parametrize("pause", [0.0, 1.0, PERSON - 1])
async def test_a_stranger_that_is_refused_again_and_again_is_closed(pause: float) -> None:
    """Who says what is no handle is asked again, a few times, and then told so and closed."""
    async with open_house() as house:
        eve = await house.connect()
        for _ in range(TRIES):
            await trio.sleep(pause)
            await eve.type("!!")
        lines = [line for line in await eve.rest() if line.startswith("! handle")]
        assert len(lines) == TRIES
        assert trio.current_time() == pytest.approx(pause * TRIES)


async def test_strangers_make_room_for_others() -> None:
    """One stranger more than there may be, and the oldest is told so and closed; no member is."""
    async with open_house(limits=Limits(strangers=3)) as house:
        ann = await house.plain("Ann")
        silent = [await house.connect() for _ in range(5)]
        await trio.sleep(0.4)
        for peer in silent[:2]:
            assert await peer.rest() == [
                "* Server closed the connection: too many others are waiting to join"
            ]
        await silent[2].type("Bob")
        assert await ann.line() == "* Bob joined"
        for peer in silent[3:]:
            assert await peer.heard_nothing()
        await ann.type("?")
        assert await ann.line() == "* 2 here: Ann, Bob"


async def test_what_does_not_fit_waits_outside() -> None:
    """While all connections are taken no other one is accepted; one that ends makes room."""
    async with open_house(limits=Limits(connections=TURNED_AWAY + 2)) as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        others = [await house.connect() for _ in range(50)]
        await trio.testing.wait_all_tasks_blocked()
        assert len(house.hub.fan_out.links) <= TURNED_AWAY + 4  # two are on their way in
        for other in others:
            assert "no place for more people" in (await other.rest())[-1]
            await other.stream.aclose()
        assert await ann.line() == "* Bob joined"
        await bob.stream.aclose()
        assert await ann.line() == "* Bob left"
        await house.plain("Cat")


async def test_a_batch_is_bounded() -> None:
    """A chunk with more lines than a batch holds is heard whole, over several passes."""
    async with open_house(limits=UNLIMITED) as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        lines = [str(number) for number in range(BATCH * 2 + 10)]
        await bob.type(*lines)
        await ann.line()
        assert await ann.hear(len(lines)) == [f"Bob> {line}" for line in lines]


@pytest.mark.smooth
@pytest.mark.parametrize("breath", [BREATH, 0.0], ids=["quick", "slow"])
async def test_a_batch_is_bounded_however_many_talk(
    breath: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest messages of many at once are told in batches that no outbox is too small for."""
    monkeypatch.setattr("triochat.pace.BREATH", breath)  # a slow room tells nothing at once
    async with open_house(limits=UNLIMITED) as house:
        talkers = [await house.ndjson(f"t{number}") for number in range(100)]
        reader = await house.ndjson("reader")
        sizes: list[int] = []
        stream, _ = trio.testing.memory_stream_one_way_pair()
        spy = Link(house.hub.backlog, stream, NdjsonSpeaker())
        spy.outbox.write_through(note_size, sizes)
        house.hub.fan_out.follow(house.hub.connect(spy))
        line = '{"type":"say","text":"%s"}' % ("\N{GRINNING FACE}" * 500)
        async with trio.open_nursery() as nursery:
            for talker in talkers:
                nursery.start_soon(talker.type, *[line] * 7)
        said = 0
        with trio.fail_after(10):
            while said < 700:
                said += (await reader.event())["type"] == "said"
        assert sum(sizes) > 700 * 2000
        assert max(sizes) < LIMIT
        assert sorted(sizes)[-2] < LIMIT // 10  # only the first did not know how long they are
        assert len(house.room.roster) == 101


def note_size(sizes: list[int], blob: bytes) -> int:
    """Write nothing but how much it is."""
    sizes.append(len(blob))
    return len(blob)


async def test_a_batch_for_one_member_is_one_blob() -> None:
    """What one pass says to a member leaves as one write."""
    async with open_house() as house:
        ann, bob = await house.ndjson("Ann"), await house.ndjson("Bob")
        assert (await ann.event())["type"] == "joined"
        await bob.ask(*[{"type": "say", "text": str(number)} for number in range(100)])
        await trio.testing.wait_all_tasks_blocked()
        data = await ann.stream.receive_some(LIMIT)
        assert [json.loads(line)["text"] for line in data.splitlines()] == [
            str(number) for number in range(100)
        ]


async def test_a_batch_that_shrinks_gives_nobody_less_than_nothing() -> None:
    """Where longer messages make the next batch smaller than what was claimed, one waits."""
    async with open_hub(Hub(Room())) as hub:
        assert hub.claim(300) == 300
        hub._pace.end(1000, 0)
        assert hub.claim(1) == 0
