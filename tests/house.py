"""A room over memory streams, and peers that speak either dialect."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial, wraps
from typing import Any, ParamSpec, TypedDict, Unpack

import trio
import trio.testing

from tls import client_context, make_tls
from triochat.framing import Lines
from triochat.hosts import host_of
from triochat.hub import Hub
from triochat.ratelimit import Limits
from triochat.room import Room
from triochat.session import Session
from triochat.testing import MemoryListener, open_memory_room
from triochat.tls import Tls

EPOCH = 1767322984.678  # 2026-01-02T03:03:04.678Z
UNLIMITED = Limits(rate=0)

P = ParamSpec("P")


def in_virtual_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Let hypothesis run this; it would otherwise run asynchronous tests in real time."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(partial(test, *args, **kwargs), clock=clock)

    return run


class Peer:
    """The other end of a connection, line by line, with no code of ours but the framing."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self._lines = Lines(1 << 24)
        self._heard: list[str] = []
        self._ended = False

    async def type(self, *lines: str) -> None:
        """Send these lines at once."""
        await self.stream.send_all("".join(f"{line}\n" for line in lines).encode())

    async def ask(self, *requests: dict[str, Any]) -> None:
        """Send these requests, as JSON, at once."""
        await self.type(*(json.dumps(request) for request in requests))

    async def line(self) -> str:
        """The next line; raises EOFError at the end."""
        while not self._heard:
            data = await self.stream.receive_some(1 << 16)
            if not data:
                raise EOFError
            self._heard += [str(line) for line in self._lines.feed(data)]
        return self._heard.pop(0)

    async def until(self, beginning: str) -> str:
        """The first line from here on that begins like this."""
        while not (line := await self.line()).startswith(beginning):
            pass
        return line

    async def event(self) -> dict[str, Any]:
        """The next event, from JSON."""
        event: dict[str, Any] = json.loads(await self.line())
        return event

    async def hear(self, count: int) -> list[str]:
        """The next lines, as many as that."""
        return [await self.line() for _ in range(count)]

    async def heard_nothing(self) -> bool:
        """Whether there is nothing to hear once everybody has done all they can."""
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, nursery.cancel_scope)
            await trio.testing.wait_all_tasks_blocked()  # to read what is there takes a moment
            nursery.cancel_scope.cancel()
        return not self._heard

    async def _listen(self, scope: trio.CancelScope) -> None:
        with suppress(EOFError):
            self._heard.insert(0, await self.line())
        scope.cancel()

    async def heard_by_now(self) -> list[str]:
        """What there is to hear once everybody has done all they can."""
        lines = []
        while not await self.heard_nothing():
            lines.append(self._heard.pop(0))
        return lines

    async def rest(self) -> list[str]:
        """All lines until the end."""
        lines = []
        try:
            while True:
                lines.append(await self.line())
        except EOFError:
            return lines


class House:
    """A hub that serves a room over memory streams, from `EPOCH` on."""

    def __init__(self, hub: Hub, listener: MemoryListener, *, is_sealed: bool = False) -> None:
        self.hub = hub
        self.is_sealed = is_sealed
        self.room = hub.room
        self.listener = listener

    async def connect(self) -> Peer:
        """A peer that has said nothing yet; over TLS, if all are."""
        return await self.sealed() if self.is_sealed else Peer(await self.listener.connect())

    async def sealed(self) -> Peer:
        """The same over TLS; it insists on a good end."""
        stream: Any = trio.SSLStream(
            await self.listener.connect(), client_context(), server_hostname="localhost"
        )
        await stream.do_handshake()
        return Peer(stream)

    async def plain(self, handle: str) -> Peer:
        """A member that speaks plain lines and has read its welcome."""
        peer = await self.connect()
        await peer.type(handle)
        assert (await peer.line()).startswith(f"* Server connected. You are {handle}.")
        return peer

    async def ndjson(self, handle: str) -> Peer:
        """A member that speaks NDJSON and has read its welcome."""
        peer = await self.connect()
        await peer.ask({"type": "join", "handle": handle})
        assert (await peer.event())["type"] == "welcome"
        return peer

    async def from_host(self, address: str) -> Peer:
        """A peer that has said nothing yet, and comes from this address."""
        ours, theirs = trio.testing.memory_stream_pair()
        session = Session(theirs, self.hub, f"{address} port 5", host=host_of(address))
        trio.lowlevel.spawn_system_task(session.run)
        return Peer(ours)

    async def operator(self) -> Peer:
        """The operator, as the console is: a session of our own, which has read its welcome."""
        ours, theirs = trio.testing.memory_stream_pair()
        trio.lowlevel.spawn_system_task(Session(theirs, self.hub, is_console=True).run)
        peer = Peer(ours)
        await peer.ask({"type": "join", "handle": "Server"})
        assert (await peer.event())["type"] == "welcome"
        return peer


class Rules(TypedDict, total=False):
    """What a room may be told, beside who runs it and where it is."""

    max_clients: int
    turns: bool
    handle_length: int
    password: str
    name: str
    replay: int
    grace: float
    hold: float


@asynccontextmanager
async def open_house(
    server: str = "Server",
    *,
    lockstep: bool = False,
    limits: Limits = Limits(),  # noqa: B008
    tls: Tls | None = None,
    is_sealed: bool = False,
    **rules: Unpack[Rules],
) -> AsyncIterator[House]:
    """A served room with these rules, as `Room` takes them; stopped politely at the end.

    Where it is sealed all who connect do so over TLS.
    """
    room = Room(server, place="port 9999", **rules)
    tls = make_tls() if is_sealed else tls
    began = trio.current_time()
    clock = lambda: EPOCH + trio.current_time() - began  # noqa: E731
    hub = Hub(room, clock=clock, limits=limits, tls=tls)
    async with open_memory_room(hub, lockstep=lockstep) as listener:
        yield House(hub, listener, is_sealed=is_sealed)
