import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from house import Peer
from ledgers import MemoryLedger, Road
from triochat import snapshots
from triochat.agreement import Agreement
from triochat.entries import encode_asked, encode_batch
from triochat.history import History
from triochat.hub import Hub
from triochat.ledger import LEASE, START, LedgerError, Position
from triochat.order import HOUSE, ServerGone
from triochat.outbox import LINGER
from triochat.passwords import Password
from triochat.replica import Replica
from triochat.room import Room
from triochat.server import serve
from triochat.sharing import SNAPSHOT, Sharing
from triochat.telling import Telling
from triochat.testing import MemoryListener

TOKENS = (f"{letter * 22}" for letter in "abcdefghijklmnopqrstuvwxyz")


class Server:
    """One that shares a room."""

    def __init__(self, name: str, road: Road, history: History | None = None) -> None:
        self.name = name
        self.room = Room(name="shared")
        self.history = history or History()
        self.road = road
        self.replica = Replica(self.room, self.history, Agreement({}))
        self.sharing = Sharing(road, name, self.replica)
        self.listener = MemoryListener()
        self.scope = trio.CancelScope()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve, until it is killed, or told to stop."""
        await self.sharing.begin()
        self.hub = Hub(self.room, self.history, order=self.sharing)
        with self.scope:
            async with trio.open_nursery() as nursery:
                self.doors = await nursery.start(serve, [self.listener], self.hub, self.sharing)
                task_status.started()

    async def join(self, handle: str, token: str = "", after: int | None = None) -> Peer:
        """A member of it, that has been welcomed."""
        peer = Peer(await self.listener.connect())
        more = {} if after is None else {"after": after}
        await peer.ask({"type": "join", "handle": handle, "token": token or "x" * 22, **more})
        await peer.until('{"type":"welcome"')
        return peer

    def cut(self) -> None:
        """There is no way to the ledger from here."""
        self.road.is_open = False
        self.road.cut()

    def mend(self) -> None:
        """There is one again."""
        self.road.is_open = True

    @property
    def state(self) -> bytes:
        """How its room stands."""
        return snapshots.dump(self.room)


class Site:
    """A few servers, and the ledger that they share."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.ledger = MemoryLedger()
        self._nursery = nursery

    async def open(self, name: str, **faults: float) -> Server:
        """One more server."""
        server = Server(name, self.ledger.road(**faults))
        await self.add(server)
        return server

    async def open_two(self) -> tuple[Server, Server, Peer, Peer]:
        """Two, with Ann at the one, and Bob at the other."""
        one, two = await self.open("one"), await self.open("two")
        return one, two, await one.join("Ann", "a" * 22), await two.join("Bob", "b" * 22)

    async def add(self, server: Server) -> None:
        """This one."""
        await self._nursery.start(server.run)


@asynccontextmanager
async def open_site(seconds: float = 3600) -> AsyncIterator[Site]:
    """A ledger; whoever shares it is killed at the end, which must come in time."""
    with trio.fail_after(seconds):
        async with trio.open_nursery() as nursery:
            yield Site(nursery)
            nursery.cancel_scope.cancel()


async def test_two_servers_are_one_room(autojump_clock: trio.testing.MockClock) -> None:
    """What is said at one server is told at the other, in the same order, with the same ids."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        await ann.ask({"type": "say", "text": "hello"})
        heard = [await ann.until('{"type":"said"'), await bob.until('{"type":"said"')]
        assert heard[0] == heard[1]
        await trio.sleep(1)
        assert one.state == two.state


async def test_one_handle_is_given_once(autojump_clock: trio.testing.MockClock) -> None:
    """Two who ask for one handle at the same moment, at two servers: one of them gets it."""
    async with open_site() as site:
        servers = [await site.open("one", delay=0.1), await site.open("two", delay=0.1, seed=1)]
        peers = [Peer(await each.listener.connect()) for each in servers]
        for peer, token in zip(peers, TOKENS, strict=False):
            await peer.ask({"type": "join", "handle": "Ann", "token": token})
        answers = sorted([(await peer.event())["type"] for peer in peers])
        assert answers == ["refused", "welcome"]
        await trio.sleep(1)
        assert servers[0].state == servers[1].state


async def test_who_is_at_a_dead_server_comes_back_at_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The members of a server that dies are away, and come back elsewhere to what they missed."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        await bob.ask({"type": "whisper", "to": "Ann", "text": "psst"})
        last = json.loads(await ann.until('{"type":"whispered"'))["id"]
        one.scope.cancel()
        await bob.ask(*({"type": type_, **more} for type_, more in SAID))
        await trio.sleep(8)
        assert next(iter(two.room.servers.values())).name == "two"
        assert len(two.room.seats.away) == 1
        again = await two.join("Ann", "a" * 22, last)
        heard = [json.loads(line) for line in await again.hear(2)]
        assert [(event["type"], event["text"]) for event in heard] == [
            ("said", "are you there?"),
            ("whispered", "hm"),
        ]
        assert not two.room.seats.away
        told = [json.loads(line)["type"] for line in await bob.hear(3)]
        assert told == ["whispered", "said", "whispered"]


SAID = (("say", {"text": "are you there?"}), ("whisper", {"to": "Ann", "text": "hm"}))


async def test_who_starts_late_is_equal(autojump_clock: trio.testing.MockClock) -> None:
    """A server that starts from a snapshot has the same room, and tells what was said before."""
    async with open_site() as site:
        one = await site.open("one")
        ann = await one.join("Ann", "a" * 22)
        for number in range(5):
            await ann.ask({"type": "say", "text": f"m{number}"})
            await ann.until(f'{{"type":"said","id":{number + 2}')
            await trio.sleep(30)
        two = await site.open("two")
        bob = Peer(await two.listener.connect())
        await bob.ask({"type": "join", "handle": "Bob", "history": 10, "token": "b" * 22})
        await bob.until('{"type":"welcome"')
        assert [json.loads(line)["text"] for line in await bob.hear(5)] == [
            f"m{number}" for number in range(5)
        ]
        await trio.sleep(1)
        assert one.state == two.state
        assert len(site.ledger.entries) < 20


async def test_who_starts_while_others_wait_is_equal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Those in the queue are told their places where entries are read that nobody hears, too."""
    async with open_site() as site:
        one, two = Server("one", site.ledger.road()), Server("two", site.ledger.road())
        for server in (one, two):
            server.room.members.max_clients = server.room.max_clients = 1
        await site.add(one)
        await one.join("Ann", "a" * 22)
        peers = [Peer(await one.listener.connect()) for _ in "bc"]
        for peer, handle in zip(peers, ("Bob", "Cid"), strict=True):
            await peer.ask({"type": "join", "handle": handle, "token": handle * 8})
            await peer.until('{"type":"notice"')
        await peers[0].ask({"type": "quit"})
        await trio.sleep(1)
        assert one.room.places
        await two.sharing.begin()
        assert two.state == one.state


async def test_ids_go_on_where_a_history_ended(autojump_clock: trio.testing.MockClock) -> None:
    """On all servers, if the first one has it."""
    async with open_site() as site:
        history = History()
        history.last_id = 7
        one = Server("one", site.ledger.road(), history)
        await site.add(one)
        await one.join("Ann")
        two = await site.open("two")
        await trio.sleep(1)
        assert one.room.last_id == two.room.last_id == 8
        assert one.state == two.state


async def test_a_cut_loses_and_doubles_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """What was written and not answered is written again, and told once, whatever is cut."""
    async with open_site() as site:
        one = await site.open("one", lost=0.3, twice=0.3, delay=0.01)
        two = await site.open("two", lost=0.3, twice=0.3, delay=0.01, seed=1)
        ann, bob = await one.join("Ann", "a" * 22), await two.join("Bob", "b" * 22)
        for number in range(30):
            await ann.ask({"type": "say", "text": f"a{number}"})
            await bob.ask({"type": "say", "text": f"b{number}"})
            await trio.sleep(0.05)
        heard = {}
        for peer in (ann, bob):
            texts: list[str] = []
            while len(texts) < 60:
                event = await peer.event()
                texts += [event["text"]] if event["type"] == "said" else []
            heard[peer] = texts
        assert heard[ann] == heard[bob]
        for one_of in "ab":
            own = [text for text in heard[ann] if text[0] == one_of]
            assert own == [f"{one_of}{number}" for number in range(30)]
        assert one.state == two.state


async def test_what_was_not_written_is_written_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Also what is cut off before it comes there."""
    async with open_site() as site:
        one, _, ann, bob = await site.open_two()
        one.road.delay = 1.0
        await ann.ask({"type": "say", "text": "hello"})
        await trio.sleep(0.2)
        assert one.sharing._gathering.unread()
        one.cut()
        one.mend()
        assert json.loads(await bob.until('{"type":"said"'))["text"] == "hello"


async def test_a_ledger_that_is_gone_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    """While there is no way to the ledger nobody is put out, and what is said waits."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        await ann.until('{"type":"joined"')
        for server in (one, two):
            server.cut()
        await ann.ask({"type": "say", "text": "hello?"})
        await bob.ask({"type": "ping"})
        assert json.loads(await bob.line())["type"] == "pong"
        await trio.sleep(60)
        heard = {json.loads(line)["type"] for line in await bob.heard_by_now()}
        assert heard == {"moderated", "pulse"}
        for server in (one, two):
            server.mend()
        assert json.loads(await bob.until('{"type":"said"'))["text"] == "hello?"
        assert json.loads(await ann.until('{"type":"said"'))["text"] == "hello?"
        await trio.sleep(10)
        assert len(one.room.servers) == 2
        assert len(one.room.members) == 2
        assert one.state == two.state


async def test_a_server_that_was_cut_off_comes_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One that alone is cut off is given up by the others; its members come back, also to it."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        one.cut()
        await trio.sleep(8)
        assert len(two.room.servers) == 1
        await bob.ask({"type": "say", "text": "where are you?"})
        one.mend()
        closing = json.loads(await ann.until('{"type":"closing"'))
        assert closing["retry"]
        again = await one.join("Ann", "a" * 22, 1)
        assert json.loads(await again.until('{"type":"said"'))["text"] == "where are you?"
        await trio.sleep(1)
        assert one.state == two.state
        assert sorted(one.room.members.values()) == ["Ann", "Bob"]


async def test_who_is_slow_itself_gives_nobody_up(autojump_clock: trio.testing.MockClock) -> None:
    """Where signs of life take longer than they hold those of the others may only be late, too."""
    async with open_site() as site:
        one, two, *_ = await site.open_two()
        await trio.sleep(2 * LEASE)
        servers = [*one.room.servers]
        for server in (one, two):
            server.road.delay = 2 * LEASE
        await trio.sleep(300)
        assert [*one.room.servers] == [*two.room.servers] == servers


class Slow(History):
    """One that takes its time."""

    is_instant = False

    def __init__(self, seconds: float = 0.05) -> None:
        super().__init__()
        self._seconds = seconds

    def keep(self, batch: Sequence[Telling]) -> Awaitable[None]:
        """Keep it, and take a while."""
        super().keep(batch)
        return self._wait()

    async def _wait(self) -> None:
        await trio.sleep(self._seconds)


async def test_who_was_here_before_it_was_cut_off_is_not_heard(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What a person types who is about to be let go is no handle of somebody new."""
    async with open_site() as site:
        two, one = await site.open("two"), Server("one", site.ledger.road(), Slow())
        await site.add(one)
        bob, ann = await two.join("Bob"), Peer(await one.listener.connect())
        await ann.type("Ann")
        await bob.until('{"type":"joined","handle":"Ann"')
        one.cut()
        for line in ("hello", "anybody"):
            await ann.type(line)
            await trio.sleep(5)
        one.mend()
        await trio.sleep(10)
        heard = [json.loads(line)["type"] for line in await bob.heard_by_now()]
        assert heard == ["left"]


async def test_what_is_written_late_frightens_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """That a server is gone, says one that is gone itself: nobody is told that a line is lost."""
    async with open_site() as site:
        one = await site.open("one", delay=0.3)
        ann = Peer(await one.listener.connect())
        await ann.type("Ann")
        await ann.until("* Server connected")
        await ann.type("hello")
        gone = encode_asked(HOUSE, [ServerGone(one.hub.incarnation)])
        for _ in range(20):
            await trio.sleep(0.1)
            site.ledger._add(encode_batch("ffffffff", 7, [gone]))
        await trio.sleep(10)
        assert await ann.heard_by_now() == []
        assert [said.text for said in one.history.tail().said] == ["hello"]


async def test_who_was_away_for_too_long_goes_on_from_a_snapshot(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where entries that it has not read are not kept any more it knows as much as the others."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        await one.join("Ann", "a" * 22)
        bob = await two.join("Bob", "b" * 22)
        one.cut()
        for number in range(30):
            await trio.sleep(one.room.hold / 20)
            await bob.ask({"type": "say", "text": f"bob-{number}"})
        one.mend()
        await trio.sleep(10)
        assert one.state == two.state
        assert one.replica.reached == two.replica.reached
        assert len(one.room.servers) == 2


async def test_who_has_slept_goes_on_from_a_snapshot(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A machine that was suspended, and has lost no connection, does not go on after a gap."""
    async with open_site(20_000) as site:
        one, two = await site.open("one"), await site.open("two")
        ann = await one.join("Ann", "a" * 22)
        two.road.delay = 2 * one.room.hold
        for number in range(40):
            await trio.sleep(one.room.hold / 20)
            await ann.ask({"type": "say", "text": f"ann-{number}"})
        two.road.delay = 0.0
        await trio.sleep(5 * one.room.hold)
        assert one.state == two.state
        assert len(one.room.servers) == 2


async def test_who_reads_a_little_late_has_all(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody may come back, and nothing is kept for that."""
    monkeypatch.setattr("triochat.sharing.SNAPSHOT", (1.0, 10_000))
    async with open_site() as site:
        one, two = Server("one", site.ledger.road()), Server("two", site.ledger.road(delay=0.5))
        for server in (one, two):
            server.room.grace = server.room.hold = 0.0
            await site.add(server)
        ann, bob = await one.join("Ann"), await two.join("Bob", "b" * 22)
        for number in range(200):
            await ann.ask({"type": "say", "text": f"ann-{number}"})
            await trio.sleep(0.1)
        await trio.sleep(5)
        assert one.state == two.state
        assert json.loads((await bob.heard_by_now())[-1])["text"] == "ann-199"


@pytest.mark.parametrize("keep", [0, 2, 5])
async def test_a_ledger_that_comes_back_with_less(
    autojump_clock: trio.testing.MockClock, keep: int
) -> None:
    """Where a ledger has lost what was written last the room goes on from what servers know."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        await ann.ask({"type": "say", "text": "before"})
        await bob.until('{"type":"said"')
        await trio.sleep(1)
        site.ledger.restart(keep)
        await ann.ask({"type": "say", "text": "after"})
        assert json.loads(await bob.until('{"type":"said"'))["text"] == "after"
        assert json.loads(await ann.until('{"type":"said","id":4'))["text"] == "after"
        await trio.sleep(5)
        assert one.state == two.state
        assert sorted(one.room.members.values()) == ["Ann", "Bob"]
        three = await site.open("three")
        await trio.sleep(1)
        assert three.state == one.state
        assert not any(server.hub.is_unplaced(HOUSE) for server in (one, two, three))


async def test_who_has_read_less_goes_on_from_what_another_knows(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where entries are lost that one server has read, and another has not, none is missing."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        await ann.until('{"type":"joined"')
        two.cut()
        await ann.ask({"type": "say", "text": "a"})
        last = json.loads(await ann.line())["id"]
        await bob.ask({"type": "say", "text": "b"})
        site.ledger.restart(len(site.ledger.entries) - 1)
        two.mend()
        assert json.loads(await bob.until('{"type":"closing"'))["retry"]
        bob = await two.join("Bob", "b" * 22, last - 1)
        assert [json.loads(await bob.until('{"type":"said"'))["text"] for _ in "ab"] == ["a", "b"]
        await trio.sleep(10)
        assert one.state == two.state
        assert len(one.room.servers) == 2
        assert not any(server.hub.is_unplaced(HOUSE) for server in (one, two))


async def test_what_others_knew_is_told_to_who_comes_back_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Though nothing is said since, and its server was told all that in one piece."""
    async with open_site() as site:
        _, two, ann, _ = await site.open_two()
        await ann.until('{"type":"joined"')
        two.cut()
        await ann.ask({"type": "say", "text": "a"})
        last = json.loads(await ann.line())["id"]
        site.ledger.restart(len(site.ledger.entries) - 1)
        await trio.sleep(LEASE)
        two.mend()
        await trio.sleep(1)
        bob = await two.join("Bob", "b" * 22, last - 1)
        assert json.loads(await bob.line())["text"] == "a"


async def test_who_is_there_does_not_go_on_with_less(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where the entries begin anew with less than it knows, it mends that."""
    async with open_site() as site:
        one = await site.open("one")
        ann = await one.join("Ann", "a" * 22)
        await trio.sleep(1)
        nobody = Server("nobody", site.ledger.road())
        first, snapshot, _ = nobody.replica.founding("ffffffff")
        site.ledger.entries.clear()
        site.ledger._append(first)
        site.ledger._snapshot = site.ledger._last, snapshot
        await trio.sleep(10)
        await ann.ask({"type": "say", "text": "still here"})
        assert json.loads(await ann.until('{"type":"said"'))["text"] == "still here"


async def test_a_restart_of_the_ledger_that_loses_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nobody hears of it."""
    async with open_site() as site:
        *_, ann, bob = await site.open_two()
        await ann.until('{"type":"joined"')
        before = [*site.ledger.entries]
        site.ledger.restart()
        await ann.ask({"type": "say", "text": "hello"})
        assert json.loads(await bob.line())["text"] == "hello"
        assert json.loads(await ann.line())["text"] == "hello"
        assert site.ledger.entries[: len(before)] == before


async def test_a_server_that_leaves_says_so(autojump_clock: trio.testing.MockClock) -> None:
    """One that stops politely is gone at once, and its members are told to come back."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        ann = await one.join("Ann", "a" * 22)
        one.doors.cancel()
        assert json.loads(await ann.until('{"type":"closing"'))["retry"]
        await trio.sleep(0.5)
        assert [server.name for server in two.room.servers.values()] == ["two"]
        assert site.ledger._holder("lease one") == ("", 0.0)
        again = await two.join("Ann", "a" * 22, 1)
        await again.ask({"type": "who"})
        assert json.loads(await again.line())["handles"] == ["Ann"]


async def test_a_server_that_is_closed_has_read_no_more_than_it_has_applied(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Or a snapshot that it still writes would lack what it says that it has."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        bob = await two.join("Bob")
        await trio.sleep(1)
        one.hub.close("shutting down")
        state, reached = one.state, one.replica.reached
        await bob.ask({"type": "say", "text": "hello"})
        await bob.until('{"type":"said"')
        await trio.sleep(1)
        assert (one.state, one.replica.reached) == (state, reached)


async def test_a_ledger_that_forgets_one_entry(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written, and is not there, is written again; and so is what came after it."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        ann, bob = await one.join("Ann", "a" * 22), await two.join("Bob", "b" * 22)
        cid = await one.join("Cid", "c" * 22)
        for others in ([], [cid, bob]):
            await trio.sleep(10)
            with monkeypatch.context() as patched:
                patched.setattr(site.ledger, "_add", lambda _: None)
                await ann.ask({"type": "say", "text": "ann"})
                await trio.sleep(1)
            for other in others:
                await other.ask({"type": "say", "text": "other"})
            for peer in (ann, bob, cid):
                said = [json.loads(await peer.until('{"type":"said"')) for _ in (ann, *others)]
                assert sorted(one["text"] for one in said) == ["ann", *["other" for _ in others]]
        await trio.sleep(60)
        assert one.state == two.state
        assert len(one.room.servers) == 2


async def test_a_snapshot_after_which_something_is_missing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who would have to go on from it waits for another one, and lets others write it."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        ann = await one.join("Ann", "a" * 22)
        await trio.sleep(5)
        two.road.is_open = False
        two.road.cut()
        for _ in range(5):
            await ann.ask({"type": "say", "text": "hello"})
            await trio.sleep(0.5)
        del site.ledger.entries[:-2]
        two.road.is_open = True
        await trio.sleep(20)
        assert len(site.ledger.entries) < 50
        await ann.ask({"type": "say", "text": "hello"})
        await trio.sleep(SNAPSHOT[0] + 30)
        assert one.state == two.state
        assert len(one.room.servers) == 2


async def test_a_flood_does_not_fill_the_ledger(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is asked, and long before it is old: who was away begins from a snapshot."""
    monkeypatch.setattr("triochat.sharing.PIECE", 5000)
    monkeypatch.setattr("triochat.sharing.PIECES", 10)
    monkeypatch.setattr("triochat.sharing.SNAPSHOT", (60.0, 20))
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        ann, bob = await one.join("Ann", "a" * 22), await two.join("Bob", "b" * 22)
        one.road.is_open = False
        one.road.cut()
        most = 0
        for _ in range(60):
            await bob.ask({"type": "say", "text": "x" * 5000})  # which is refused, when it is read
            await trio.sleep(2)
            most = max(most, sum(len(entry.data) for entry in site.ledger.entries))
        assert most < 10 * 6000 + 2 * 20_000
        one.road.is_open = True
        assert json.loads(await ann.until('{"type":"closing"'))["retry"]
        await trio.sleep(10)
        assert one.state == two.state


async def test_a_snapshot_is_not_waited_for_by_the_lease(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose disk takes long is there: the others do not give it up."""
    monkeypatch.setattr("triochat.sharing.SNAPSHOT", (0.0, 1))
    async with open_site() as site:
        await site.add(Server("one", site.ledger.road(), Slow(20)))
        two = await site.open("two")
        servers = [*two.room.servers]
        bob = await two.join("Bob")
        for _ in range(20):
            await bob.ask({"type": "say", "text": "hello"})
            await trio.sleep(5)
        assert [*two.room.servers] == servers


async def test_a_server_comes_again_under_its_name(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One that was killed, and starts again, gives up its former self first."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        await one.join("Ann", "a" * 22)
        one.scope.cancel()
        again = await site.open("one")
        assert sorted(server.name for server in two.room.servers.values()) == ["one", "two"]
        assert len(again.room.seats.away) == 1
        await trio.sleep(8)
        assert len(two.room.servers) == 2


async def test_no_two_have_one_name(autojump_clock: trio.testing.MockClock) -> None:
    """A server that finds another one alive under its name does not start."""
    async with open_site() as site:
        await site.open("one")
        twin = Server("one", site.ledger.road())
        with pytest.raises(ValueError, match="another server shares this room as one"):
            await twin.sharing.begin()


@pytest.mark.parametrize(("left", "late"), [(0.05, None), (5.0, 1.0)])
async def test_who_is_dead_is_no_twin(
    autojump_clock: trio.testing.MockClock, left: float, late: float | None
) -> None:
    """Its lease runs out just now; or its last sign of life arrives after it has died."""
    async with open_site() as site:
        await site.open("one")
        site.ledger._hold("lease two", "0123abcd", left)
        two = Server("two", site.ledger.road())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(two.sharing.begin)
            if late:
                await trio.sleep(late)
                site.ledger._hold("lease two", "0123abcd", 5.0)


async def test_no_secret_is_written(autojump_clock: trio.testing.MockClock) -> None:
    """Neither tokens nor passwords stand in the ledger, right ones nor wrong ones."""
    async with open_site() as site:
        one, two = (Server(name, site.ledger.road()) for name in ("one", "two"))
        for server in (one, two):
            server.room.password = Password("sesame")
            await site.add(server)
        peer = Peer(await one.listener.connect())
        joins = [{"type": "join", "handle": "Ann", "token": "a" * 22, "password": password}
                 for password in ("wrong-one", "", "sesame")]  # fmt: skip
        await peer.ask(*joins)
        answers = [await peer.event() for _ in joins]
        assert [one.get("code") for one in answers] == ["password-wrong", "password-needed", None]
        assert answers[2]["token"] == "a" * 22
        plain = Peer(await two.listener.connect())
        await plain.type("Bob", "sesame2", "sesame")
        await plain.until("* Server connected. You are Bob")
        await trio.sleep(70)
        assert one.state == two.state
        written = b"".join(entry.data for entry in site.ledger.entries)
        written += (site.ledger._snapshot or ((0, 0), b""))[1]
        for secret in (b"wrong-one", b"sesame", b"a" * 22):
            assert secret not in written


async def test_who_is_ahead_of_a_server_is_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who comes to a server that has not read yet what another one told it has missed nothing."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two", delay=0.5)
        ann = await one.join("Ann", "a" * 22)
        await ann.ask({"type": "say", "text": "one"}, {"type": "say", "text": "two"})
        await ann.until('{"type":"said","id":3')
        assert two.room.last_id < 3
        again = Peer(await two.listener.connect())
        await again.ask({"type": "join", "handle": "Ann", "token": "a" * 22, "after": 3})
        assert json.loads(await again.until('{"type":"welcome"'))["resumed"]
        await again.ask({"type": "ping"})
        assert json.loads(await again.line())["type"] == "pong"


@pytest.mark.parametrize("is_twice", [False, True])
async def test_what_one_alone_has_read_is_given_up_where_others_have_gone_on(
    autojump_clock: trio.testing.MockClock, is_twice: bool
) -> None:
    """Where a ledger has lost what one server has read, and others have written more, all agree."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        await ann.until('{"type":"joined"')
        two.cut()
        await ann.ask({"type": "say", "text": "lost"})
        await ann.until('{"type":"said"')
        one.cut()
        site.ledger.restart(len(site.ledger.entries) - 1)
        two.mend()
        for number in range(20):
            await bob.ask({"type": "say", "text": f"bob-{number}"})
            await bob.until('{"type":"said"')
        one.mend()
        if is_twice:
            site.ledger.restart()
        await trio.sleep(10)
        ann = await one.join("Ann", "a" * 22)
        await ann.ask({"type": "say", "text": "again"})
        await ann.until('{"type":"said"')
        await trio.sleep(30)
        assert one.state == two.state
        assert one.replica.reached == two.replica.reached
        assert len(one.room.servers) == 2


async def test_who_knows_less_does_not_begin_anew(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where a ledger that has lost all is founded anew, those who know the room mend that."""
    async with open_site() as site:
        one, two, ann, bob = await site.open_two()
        await ann.until('{"type":"joined"')
        for server in (one, two):
            server.cut()
        site.ledger.restart(0)
        site.ledger._snapshot = None
        three = await site.open("three")
        cid = await three.join("Cid", "c" * 22)
        for server in (one, two):
            server.mend()
        assert json.loads(await cid.until('{"type":"closing"'))["retry"]
        await ann.ask({"type": "say", "text": "still here"})
        assert json.loads(await bob.until('{"type":"said"'))["text"] == "still here"
        cid = await three.join("Cid", "c" * 22)
        await trio.sleep(30)
        assert one.state == two.state == three.state
        assert sorted(one.room.members.values()) == ["Ann", "Bob", "Cid"]
        assert len(one.room.servers) == 3


async def test_who_finds_no_snapshot_does_not_begin(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where it is gone, or damaged, one says so, and begins when there is another one."""
    async with open_site() as site:
        one = await site.open("one")
        ann = await one.join("Ann", "a" * 22)
        assert site.ledger._snapshot
        place, whole = site.ledger._snapshot
        other = bytes([whole[-1] ^ 1])
        for damaged in (None, (place, b""), (place, whole[:-9]), (place, whole[:-1] + other)):
            site.ledger._snapshot = damaged
            with pytest.raises(LedgerError, match="the snapshot of this room is gone, or damaged"):
                await Server("two", site.ledger.road()).sharing.begin()
        await ann.ask({"type": "say", "text": "hello"})
        await trio.sleep(SNAPSHOT[0] + 5)
        two = await site.open("two")
        await trio.sleep(1)
        assert one.state == two.state


async def test_a_server_that_cannot_go_on_says_so(autojump_clock: trio.testing.MockClock) -> None:
    """Its members are told that they may come back, and then who runs it is told why."""

    async def serve_until_then() -> None:
        async with open_site() as site:
            one = await site.open("one")
            ann = await one.join("Ann")
            site.ledger._add(b"?")
            assert json.loads(await ann.until('{"type":"closing"'))["retry"]
            await trio.sleep(LINGER + 1)

    with pytest.raises(ExceptionGroup) as ended:
        await serve_until_then()
    assert ended.group_contains(
        LedgerError, match="kept of this room was written by another release"
    )


@pytest.mark.parametrize("must_agree", [False, True])
async def test_a_room_of_another_release_is_refused_in_words(*, must_agree: bool) -> None:
    """Also where it need not be agreed with: all have left, and what it has is called otherwise."""
    agreement = Agreement({})
    replica = Replica(Room(), History(), agreement)
    other = snapshots.Snapshot(agreement.terms(), 1, b"\x80", History().tail())
    with pytest.raises(ValueError, match="kept of this room was written by another release"):
        replica.load(START, snapshots.encode(other), must_agree=must_agree)


async def test_an_entry_of_a_time_that_cannot_be(autojump_clock: trio.testing.MockClock) -> None:
    """Somebody else has written there: nobody can go on, and each says so."""

    async def serve_until_then() -> None:
        async with open_site() as site:
            one = await site.open("one")
            await one.join("Ann")
            entry = site.ledger.entries[-1]
            late = entry._replace(position=Position(1 << 63))
            site.ledger.entries.append(late)
            with pytest.raises(ValueError, match="at a time that cannot be"):
                await Server("two", site.ledger.road()).sharing.begin()
            await trio.sleep(LINGER + 3)

    with pytest.raises(ExceptionGroup) as ended:
        await serve_until_then()
    assert ended.group_contains(LedgerError, match="at a time that cannot be")


async def test_other_terms_hold_when_nobody_is_left(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A room that all servers have left is what the next one makes of it, with those in it."""

    def other(name: str) -> Server:
        server = Server(name, site.ledger.road())
        replica = Replica(server.room, server.history, Agreement({"--turns": ""}))
        server.sharing = Sharing(server.road, name, replica)
        return server

    async with open_site() as site:
        one = await site.open("one")
        ann = await one.join("Ann", "a" * 22)
        await ann.ask({"type": "say", "text": "before"})
        last = json.loads(await ann.until('{"type":"said"'))["id"]
        with pytest.raises(ValueError, match="this room has no --turns"):
            await other("two").sharing.begin()
        one.scope.cancel()
        with pytest.raises(ValueError, match="this room has no --turns"):
            await other("two").sharing.begin()  # for it may live
        await trio.sleep(LEASE)
        two = other("two")
        await site.add(two)
        again = await two.join("Ann", "a" * 22, after=last - 1)
        assert json.loads(await again.until('{"type":"said"'))["text"] == "before"
        with pytest.raises(ValueError, match="this room has --turns"):
            await Server("three", site.ledger.road()).sharing.begin()


async def test_who_was_away_when_terms_were_changed_does_not_go_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A server that was cut off from a room that has other terms now says so, and ends."""

    async def change_terms() -> None:
        async with open_site() as site:
            one = await site.open("one")
            await one.join("Ann", "a" * 22)
            await trio.sleep(1)
            one.cut()
            await trio.sleep(LEASE + 1)
            two = Server("two", site.ledger.road())
            replica = Replica(two.room, two.history, Agreement({"--turns": ""}))
            two.sharing = Sharing(two.road, "two", replica)
            await site.add(two)
            one.mend()
            await trio.sleep(60)

    with pytest.raises(ExceptionGroup) as ended:
        await change_terms()
    assert ended.group_contains(LedgerError, match="this room has --turns")
