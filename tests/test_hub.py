import errno
import json
import math
from collections import Counter
from collections.abc import Iterable

import pytest
import trio
import trio.testing

from house import Peer, open_house
from triochat.dialects import NDJSON
from triochat.history import History
from triochat.hub import BATCH, Hub
from triochat.messages import Closing, Event, Join, Said, Say
from triochat.outbox import LIMIT, PATIENCE, Backlog, Outbox
from triochat.ratelimit import BURST, RATE
from triochat.room import Room


async def test_twenty_talkers_are_heard_in_one_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
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
    assert [number for number, _ in heard[0]] == list(range(1, members * messages + 1))
    assert set(Counter(text for _, text in heard[0]).values()) == {1}
    for number in range(members):
        own = [text for _, text in heard[0] if text.startswith(f"p{number}:")]
        assert own == [f"p{number}:m{message}" for message in range(messages)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch takes so long that the hub's task gathers, however slow the machine is."""
    monkeypatch.setattr("triochat.hub.BREATH", math.inf)


@pytest.mark.usefixtures("small")
async def test_who_speaks_alone_is_heard_at_once() -> None:
    """What one session flushes while nobody else speaks is told before anything else happens."""
    hub = Hub(Room())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        ann, heard = await joined(hub, "Ann")
        hub.submit(ann, Say("one"))
        hub.submit(ann, Say("two"))
        assert heard == []
        hub.flush()
        assert [blob.count(b"said") for blob in heard] == [2]
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("small")
async def test_those_who_speak_in_one_pass_share_a_batch(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """While several speak in each pass of the scheduler, each pass is one blob for each member."""
    hub = Hub(Room())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        ann, heard = await joined(hub, "Ann")
        bob, _ = await joined(hub, "Bob")

        async def speak_at_once(*outboxes: Outbox) -> list[int]:
            heard.clear()
            for outbox in outboxes:
                hub.submit(outbox, Say("hello"))
                hub.flush()
            await trio.testing.wait_all_tasks_blocked()
            return [blob.count(b"said") for blob in heard]

        assert await speak_at_once(ann, bob, ann) == [1, 2]
        assert await speak_at_once(ann, bob, ann) == [3]
        assert await speak_at_once(ann, bob) == [2]
        assert await speak_at_once(bob) == [1]
        assert await speak_at_once(ann, bob) == [1, 1]
        nursery.cancel_scope.cancel()


async def test_to_flush_nothing_does_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """Who had nothing to say does not make the next one share a batch."""
    hub = Hub(Room())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        ann, heard = await joined(hub, "Ann")
        hub.flush()
        hub.submit(ann, Say("one"))
        hub.flush()
        assert len(heard) == 1
        nursery.cancel_scope.cancel()


class Full(History):
    """A log that has no space left as soon as somebody speaks."""

    def append(self, events: Iterable[Event]) -> list[Event]:
        """Keep nothing."""
        events = list(events)
        if any(isinstance(event, Said) for event in events):
            raise OSError(errno.ENOSPC, "no space left")
        return super().append(events)


async def test_what_cannot_be_kept_is_not_told_and_ends_the_room(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """When the history fails nobody hears what it lost, and the hub ends with its error."""
    hub = Hub(Room(), Full())
    heard: list[bytes] = []

    async def speak() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.run)
            ann, blobs = await joined(hub, "Ann")
            hub.submit(ann, Say("hello"))
            hub.flush()
            heard.extend(blobs)

    with pytest.raises(ExceptionGroup) as caught:
        await speak()
    assert caught.group_contains(OSError, match="no space left")
    assert heard == []


async def test_nobody_hears_of_a_place_after_the_good_bye(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Closing is the last that those in line are told, whoever left before them."""
    hub = Hub(Room(max_clients=1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        _, _ = await joined(hub, "Ann")
        bob, _ = await joined(hub, "Bob")
        cid, heard = await joined(hub, "Cid")
        hub.attach(cid)
        hub.leave(bob, "quit")
        hub.close("bye")
    [blob] = heard
    assert blob.endswith(NDJSON.encode(Closing("bye")))


async def joined(hub: Hub, handle: str) -> tuple[Outbox, list[bytes]]:
    """A member without a connection, and the list of what is written to it from now on."""
    heard: list[bytes] = []

    def write(blobs: list[bytes], blob: bytes) -> int:
        blobs.append(blob)
        return len(blob)

    outbox = Outbox(hub.backlog, NDJSON)
    outbox.write_through(write, heard)
    await trio.testing.wait_all_tasks_blocked()
    hub.submit(outbox, Join(handle))
    hub.flush()
    await trio.testing.wait_all_tasks_blocked()
    heard.clear()
    return outbox, heard


async def test_plain_peers_do_not_hear_themselves_in_a_batch(
    autojump_clock: trio.testing.MockClock,
) -> None:
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


async def test_who_comes_later_does_not_hear_what_was_said_before(
    autojump_clock: trio.testing.MockClock,
) -> None:
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


async def test_a_paste_reaches_everybody(autojump_clock: trio.testing.MockClock) -> None:
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


async def test_who_never_reads_harms_nobody(autojump_clock: trio.testing.MockClock) -> None:
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


async def test_a_flood_is_held_to_its_rate_while_somebody_is_behind(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Beyond its burst a talker waits for its rate, and for no longer than somebody is behind."""
    async with open_house() as house:
        bob, ann = await house.plain("Bob"), await house.plain("Ann")
        assert await bob.line() == "* Ann joined"
        slow = Outbox(house.hub.backlog)
        house.hub.backlog.add(slow)
        await ann.type(*["?"] * int(BURST + RATE / 2))
        await ann.type("held back")
        assert await bob.line() == "Ann> held back"
        assert trio.current_time() == pytest.approx(0.5, abs=0.05)
        await ann.type(*["?"] * 500)
        await ann.type("set free")
        await trio.sleep(0.2)
        house.hub.backlog.discard(slow)
        assert await bob.line() == "Ann> set free"
        assert trio.current_time() == pytest.approx(0.7, abs=0.05)


async def test_nobody_is_held_back_for_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A reader who stays behind holds a flood back for a second, then no longer."""
    async with open_house() as house:
        bob, ann = await house.plain("Bob"), await house.plain("Ann")
        assert await bob.line() == "* Ann joined"
        house.hub.backlog.add(Outbox(house.hub.backlog))
        await ann.type(*["?"] * int(BURST * 2))
        await ann.type("on we go")
        assert await bob.line() == "Ann> on we go"
        assert trio.current_time() == pytest.approx(PATIENCE)


async def test_nobody_is_held_back_while_nobody_is_behind(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A flood goes as fast as the readers take it."""
    async with open_house() as house:
        bob, ann = await house.plain("Bob"), await house.plain("Ann")
        assert await bob.line() == "* Ann joined"
        await ann.type(*["?"] * int(BURST * 3), "through")
        assert await bob.line() == "Ann> through"
        assert trio.current_time() == 0


async def test_a_batch_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    """A chunk with more lines than a batch holds is heard whole, over several passes."""
    async with open_house() as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        lines = [str(number) for number in range(BATCH * 2 + 10)]
        await bob.type(*lines)
        await ann.line()
        assert await ann.hear(len(lines)) == [f"Bob> {line}" for line in lines]


async def test_a_batch_is_bounded_however_many_talk(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The longest messages of many at once are told in batches that no outbox is too small for."""
    async with open_house() as house:
        talkers = [await house.ndjson(f"t{number}") for number in range(100)]
        reader = await house.ndjson("reader")
        sizes: list[int] = []
        house.hub.outboxes.add(spy := Spy(house.hub.backlog, sizes))
        house.room.watch(spy)
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


class Spy(Outbox):
    """An outbox that keeps nothing but the sizes of what is put."""

    def __init__(self, backlog: Backlog, sizes: list[int]) -> None:
        super().__init__(backlog, NDJSON)
        self.write_through(self._note, sizes)

    @staticmethod
    def _note(sizes: list[int], blob: bytes) -> int:
        sizes.append(len(blob))
        return len(blob)


async def test_a_batch_for_one_member_is_one_blob(
    autojump_clock: trio.testing.MockClock,
) -> None:
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
