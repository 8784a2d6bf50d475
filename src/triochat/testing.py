"""A room without a socket, to test programs that talk to one: the same code over memory streams.

::

    async with open_memory_room() as listener:
        async with join(await listener.connect(), "Ann") as ann:
            await ann.say("hello")

Nothing here waits for real time, so it runs under trio's `trio.testing.MockClock` as it stands.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from triochat.hub import Hub
from triochat.room import Room
from triochat.server import serve


class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """A listener whose connections are memory streams, opened with `connect`.

    Args:
        lockstep: a sender waits until what it sent was received, so that a reader who does not
            read can be played; else nothing ever waits to be sent.
    """

    def __init__(self, *, lockstep: bool = False) -> None:
        self._open_pair = (
            trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
        )
        self._send, self._accepted = trio.open_memory_channel[trio.abc.Stream](float("inf"))

    async def connect(self) -> trio.abc.HalfCloseableStream:
        """Open a connection; returns the client's end.

        Raises:
            trio.BrokenResourceError: nobody listens any more.
        """
        ours, theirs = self._open_pair()
        await self._send.send(theirs)
        return ours

    async def accept(self) -> trio.abc.Stream:
        """The server's end of the next connection."""
        return await self._accepted.receive()

    async def aclose(self) -> None:
        """Listen no more."""
        self._accepted.close()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_memory_room(
    hub: Hub | None = None, *, lockstep: bool = False
) -> AsyncIterator[MemoryListener]:
    """Serve a room that can only be reached in this process; stop it politely at the end.

    Without a hub it is one with the usual rules; another room, for example one with a password, is
    ``Hub(Room(password="..."))``. For ``lockstep`` see `MemoryListener`.
    """
    listener = MemoryListener(lockstep=lockstep)
    async with trio.open_nursery() as nursery:
        doors = await nursery.start(serve, [listener], hub or Hub(Room()))
        yield listener
        doors.cancel()
