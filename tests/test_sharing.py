from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from house import Peer
from ledgers import MemoryLedger, Road
from triochat import snapshots
from triochat.agreement import Agreement
from triochat.history import History
from triochat.hub import Hub
from triochat.room import Room
from triochat.server import serve
from triochat.sharing import Sharing
from triochat.testing import MemoryListener

TOKENS = (f"{letter * 22}" for letter in "abcdefghijklmnopqrstuvwxyz")


class Server:
    """One that shares a room."""

    def __init__(self, name: str, road: Road) -> None:
        self.name = name
        self.room = Room(name="shared")
        self.history = History()
        self.road = road
        self.sharing = Sharing(road, name, self.room, self.history, Agreement({}))
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
        await self._nursery.start(server.run)
        return server


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    """A ledger; whoever shares it is killed at the end."""
    async with trio.open_nursery() as nursery:
        yield Site(nursery)
        nursery.cancel_scope.cancel()


async def test_two_servers_are_one_room(autojump_clock: trio.testing.MockClock) -> None:
    """What is said at one server is told at the other, in the same order, with the same ids."""
    async with open_site() as site:
        one, two = await site.open("one"), await site.open("two")
        ann, bob = await one.join("Ann", "a" * 22), await two.join("Bob", "b" * 22)
        await ann.ask({"type": "say", "text": "hello"})
        heard = [await ann.until('{"type":"said"'), await bob.until('{"type":"said"')]
        assert heard[0] == heard[1]
        await trio.sleep(1)
        assert one.state == two.state
