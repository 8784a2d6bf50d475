"""The server: listeners, and a session for each connection.

Two nested nurseries: the doors (the listeners) inside the sessions; around both the one that tells
what the journal left out. To stop politely, close the doors: everybody is told, each session sends
what it still has to send, and all is over within the linger. To stop at once, cancel `serve`.
"""

import logging
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeAlias

import trio

from triochat.absence import give_up_absent
from triochat.away import CUT_OFF
from triochat.hosts import host_of
from triochat.hub import CROWDED, Hub
from triochat.idleness import put_out_idle
from triochat.ledger import LedgerError
from triochat.outage import tell_of_outages
from triochat.outbox import LINGER
from triochat.presence import ask_silent
from triochat.session import Session
from triochat.sharing import Sharing
from triochat.sockets import accept_more

VANISHED = {
    "TCP_KEEPIDLE": 60,
    "TCP_KEEPINTVL": 15,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 120_000,
}
"""After how many seconds of silence the system asks whether a peer is there, how often, and how
many questions without an answer mean that it is not; and, where something is on its way, after how
many milliseconds without a sign that it came."""

Listeners: TypeAlias = Sequence[trio.SocketListener]
"""What a server listens on, all on one port."""

QUEUE = 4096
"""Connections that the system holds until we accept them."""

TOGETHER = 4
"""Connections that are accepted together: one in each pass of the scheduler would be too few where
many come, and all that there are would hold up members."""


async def serve(
    listeners: Sequence[trio.abc.Listener[trio.abc.Stream]],
    hub: Hub,
    sharing: Sharing | None = None,
    *,
    task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a room on these listeners, until the doors are closed.

    Args:
        listeners: where connections come from; closed when the doors are.
        hub: the room; it is closed when the doors are.
        sharing: its order, where other servers share it; the doors are opened when it knows them.
        task_status: is given the doors, a cancel scope: cancel it to stop politely.

    Raises:
        LedgerError: the room cannot be shared from here any more; says why. (In a group.)
    """
    places = _Places(hub.limits.connections)

    async def serve_stream(stream: trio.abc.Stream) -> None:
        try:
            watch(stream)
            host, address = peer_of(stream)
            await Session(stream, hub, address, host=host).run()
        finally:
            places.give_back()

    async with trio.open_nursery() as journal:
        journal.start_soon(hub.journal.run)
        async with trio.open_nursery() as sessions:
            sessions.start_soon(hub.run)
            if sharing:
                await sessions.start(_share, sharing, hub)
            async with trio.open_nursery() as doors:
                doors.start_soon(put_out_idle, hub)
                doors.start_soon(give_up_absent, hub)
                doors.start_soon(ask_silent, hub)
                if sharing:
                    doors.start_soon(tell_of_outages, hub, sharing)
                task_status.started(doors.cancel_scope)
                held = [_Door(listener, places) for listener in listeners]
                with _telling_lacks(hub):
                    await trio.serve_listeners(serve_stream, held, handler_nursery=sessions)
            hub.close("shutting down", retry=sharing is not None)
            if sharing:
                sharing.leave()
            sessions.cancel_scope.deadline = trio.current_time() + LINGER  # a history may be stuck
        journal.cancel_scope.cancel()


async def _share(sharing: Sharing, hub: Hub, *, task_status: trio.TaskStatus[None]) -> None:
    """Share what this hub is asked; if that cannot go on, everybody is told before all ends."""
    try:
        await sharing.run(hub, task_status=task_status)
    except ValueError as error:
        hub.close(CUT_OFF, retry=True)
        await trio.sleep(LINGER)
        raise LedgerError(str(error)) from error


class _Places:
    """How many connections there may be besides those that there are: some files are for others."""

    def __init__(self, count: float) -> None:
        self.free = count
        self._waiting = trio.lowlevel.ParkingLot()

    async def wait(self) -> None:
        """Wait until there is one."""
        while self.free < 1:
            await self._waiting.park()

    def give_back(self) -> None:
        """A connection is closed."""
        self.free += 1
        self._waiting.unpark_all()


class _Door(trio.abc.Listener[trio.abc.Stream]):
    """A listener that takes connections only while there are places, and some at once."""

    def __init__(self, listener: trio.abc.Listener[trio.abc.Stream], places: _Places) -> None:
        self._listener = listener
        self._places = places
        self._accepted: deque[trio.abc.Stream] = deque()

    async def accept(self) -> trio.abc.Stream:
        """The next connection. Does not checkpoint while there are some that have come with it."""
        if not self._accepted:
            await self._places.wait()
            self._accepted.append(await self._listener.accept())
            more = min(TOGETHER, self._places.free) - 1
            self._accepted += accept_more(self._listener, more)
            self._places.free -= len(self._accepted)
        return self._accepted.popleft()

    async def aclose(self) -> None:
        """Listen no more."""
        await self._listener.aclose()


@contextmanager
def _telling_lacks(hub: Hub) -> Iterator[None]:
    """Say in our words what the system lacks for a connection; trio would say it each time."""

    def tell(record: logging.LogRecord) -> bool:
        _, why, *_ = record.args if isinstance(record.args, tuple) else ("", "")
        hub.lack(CROWDED.format(str(why).lower()))
        return False

    logger = logging.getLogger("trio.serve_listeners")
    logger.addFilter(tell)
    try:
        yield
    finally:
        logger.removeFilter(tell)


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Listeners on each address of a host, all on one port, also where ``port`` is 0.

    ``::`` is all addresses of this machine, those of IPv4 too.

    Raises:
        OSError: the port is taken, or the host is not this one.
    """
    hosts = [host, "0.0.0.0"] if host == "::" else [host]
    if not port:
        found = await trio.socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
        hosts[:1] = [str(address[0]) for *_, address in found]
    listeners: list[trio.SocketListener] = []
    for name in hosts:
        listeners += await trio.open_tcp_listeners(port, host=name, backlog=QUEUE)
        port = port_of(listeners)
    return listeners


def port_of(listeners: Listeners) -> int:
    """The port on which these listeners listen."""
    port: int = listeners[0].socket.getsockname()[1]
    return port


def watch(stream: trio.abc.Stream) -> None:
    """Let the system notice a peer that vanishes without a word."""
    if isinstance(stream, trio.SocketStream):
        with suppress(OSError):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in VANISHED.items():
                if hasattr(socket, option):
                    stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def peer_of(stream: trio.abc.Stream) -> tuple[str, str]:
    """The host at the other end, and its address in words."""
    if isinstance(stream, trio.SocketStream):
        with suppress(OSError, ValueError):
            name, port, *_ = stream.socket.getpeername()
            return host_of(name), f"{name} port {port}"
    return "", "a peer"
