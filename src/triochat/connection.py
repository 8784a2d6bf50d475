"""A channel of messages over a byte stream, as a client has it: requests out, events in.

It is NDJSON on the wire. `receive` always checkpoints, also while lines are buffered, so that a
flood from the server cannot starve the other tasks of the client.
"""

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from triochat.dialects.ndjson import decode_event, encode
from triochat.dialects.plain import is_greeting
from triochat.exceptions import RemoteProtocolError
from triochat.framing import Lines
from triochat.messages import Event, Refused, Request
from triochat.stay import Stay

EVENT_LIMIT = 1 << 20
"""The most bytes in a line from a server: a welcome names everybody in the room."""

Connect = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens a stream to a server, or raises `UnreachableError`."""

_CHUNK = 1 << 16


class Connection(trio.abc.SendChannel[Request], trio.abc.ReceiveChannel[Event]):
    """A channel to a server. Several tasks may send; one may receive.

    Args:
        stream: the bytes; the connection owns it and closes it.

    Attributes:
        stay: what is known of the room, by what was sent and received so far.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stay = Stay()
        self._stream = stream
        self._lines = Lines(EVENT_LIMIT)
        self._received: deque[str | Refused] = deque()
        self._answered = False
        self._sending = trio.StrictFIFOLock()

    async def send(self, value: Request) -> None:
        """Send a request; it has not been answered when this returns.

        Raises:
            trio.BrokenResourceError: the connection is lost.
        """
        async with self._sending:
            self.stay.ask(value)
            await self._stream.send_all(encode(value))

    async def receive(self) -> Event:
        """The next event, in the order of the room; those not understood here are left out.

        Raises:
            trio.EndOfChannel: the server has said all.
            trio.BrokenResourceError: the connection is lost.
            RemoteProtocolError: what came is not triochat.
        """
        event, _ = await self.receive_answer()
        return event

    async def receive_answer(self) -> tuple[Event, Request | None]:
        """The next event, and one's own request that it answers. Raises as `receive` does."""
        await trio.lowlevel.checkpoint()
        while True:
            while self._received:
                line = self._received.popleft()
                if isinstance(line, Refused):
                    raise RemoteProtocolError("not-triochat", f"the server sent: {line.text}")
                if not self._answered and is_greeting(line):  # it took our silence for a person's
                    continue
                self._answered = True
                if event := decode_event(line):
                    return event, self.stay.hear(event)
            data = await self._stream.receive_some(_CHUNK)
            if not data:
                raise trio.EndOfChannel
            self._received += self._lines.feed(data)

    async def aclose(self) -> None:
        """Close the stream, whatever is under way."""
        await self._stream.aclose()
