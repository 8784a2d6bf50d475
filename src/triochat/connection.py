"""A channel of messages over a byte stream, as a client has it: requests out, events in.

It is NDJSON on the wire. `receive` always checkpoints, also while lines are buffered, so that a
flood from the server cannot starve the other tasks of the client.

A server that is there answers. Where no answer was due for a while `receive` asks for one, which is
handed out to nobody; where one is due, and nothing at all comes, the connection is lost. Only the
time in which somebody receives counts: who does not listen cannot say that nothing was said.
"""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from triochat.dialects.ndjson import decode_event, encode
from triochat.dialects.plain import is_greeting
from triochat.exceptions import RemoteProtocolError
from triochat.framing import Lines
from triochat.messages import Closing, Event, Ping, Quit, Refused, Request
from triochat.stay import Stay
from triochat.words import words_of

EVENT_LIMIT = 1 << 20
"""The most bytes in a line from a server: a welcome names everybody in the room."""

PING = 15.0
"""Seconds after an answer in which no other one is asked for by `receive` itself."""

LOST = 30.0
"""Seconds in which an answer is due and nothing is heard, until the connection counts as lost."""

Connect = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens a stream to a server, or raises `UnreachableError` or `UntrustedError`."""

_CHUNK = 1 << 16
_PATIENCE = 1.0  # seconds for a ping to be on its way: nothing else is, so it takes none
_PARTING = words_of(Closing(""))


class Connection(trio.abc.SendChannel[Request], trio.abc.ReceiveChannel[Event]):
    """A channel to a server. Several tasks may send; one may receive.

    Args:
        stream: the bytes; the connection owns it and closes it.

    Attributes:
        stay: what is known of the room, by what was sent and received so far.
        lag: seconds between the last request that was answered and its answer; None before.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stay = Stay()
        self.lag: float | None = None
        self._stream = stream
        self._lines = Lines(EVENT_LIMIT)
        self._received: deque[str | Refused] = deque()
        self._is_known = False  # as a server of ours
        self._may_end = False
        self._sending = trio.StrictFIFOLock()
        self._ping = Ping()
        self._asked: deque[float] = deque()  # when, for each request that has no answer yet
        self._answered = trio.current_time()
        self._silence = 0.0  # seconds in which `receive` has waited in vain, before ...
        self._waiting_since = math.inf

    @property
    def waited(self) -> float:
        """Seconds in which an answer was due, and nothing at all was heard."""
        if not self._asked:
            return 0.0
        now = trio.current_time()
        return min(now - self._asked[0], self._silence + max(0.0, now - self._waiting_since))

    async def send(self, value: Request) -> None:
        """Send a request; it has not been answered when this returns.

        Raises:
            ValueError: it holds half a character (a surrogate); nothing was sent.
            trio.BrokenResourceError: the connection is lost.
        """
        try:
            data = encode(value)
        except UnicodeEncodeError:
            raise ValueError("that is not UTF-8 text; nothing was sent") from None
        async with self._sending:
            self.stay.ask(value)
            self._asked.append(trio.current_time())
            self._may_end = self._may_end or isinstance(value, Quit)
            await self._stream.send_all(data)

    async def receive(self) -> Event:
        """The next event, in the order of the room; those not understood here are left out.

        Raises:
            trio.EndOfChannel: the server has said good-bye, or we have.
            trio.BrokenResourceError: the connection is lost, or the server does not answer.
            RemoteProtocolError: what came is not triochat.
        """
        event, _ = await self.receive_answer()
        return event

    async def receive_answer(self) -> tuple[Event, Request | None]:
        """The next event, and one's own request that it answers. Raises as `receive` does."""
        await trio.lowlevel.checkpoint()
        while True:
            while self._received:
                if event := self._understand(self._received.popleft()):
                    if asked := self.stay.hear(event):
                        self._answered = trio.current_time()
                        self.lag = self._answered - self._asked.popleft()
                    if asked is not self._ping:
                        return event, asked
            data = await self._read()
            if not data and self._may_end:
                raise trio.EndOfChannel
            if not data:
                raise trio.BrokenResourceError("connection lost")
            self._received += self._lines.feed(data)

    def _understand(self, line: str | Refused) -> Event | None:
        """The event in this line, if there is one that is known here."""
        if isinstance(line, Refused):
            raise RemoteProtocolError("not-triochat", f"the server sent: {line.text}")
        if not self._is_known and is_greeting(line):  # it took our silence for a person's
            return None
        if not self._is_known and line.startswith(_PARTING):
            event: Event | None = Closing(line.removeprefix(_PARTING))
        else:
            event = decode_event(line)
        self._is_known = True
        self._may_end = self._may_end or isinstance(event, Closing)
        return event

    async def _read(self) -> bytes | bytearray:
        """The next bytes; none at the end."""
        while True:
            now = self._waiting_since = trio.current_time()
            due = now + LOST - self.waited if self._asked else self._answered + PING
            try:
                with trio.move_on_at(due):
                    data = await self._stream.receive_some(_CHUNK)
                    self._silence, self._waiting_since = 0.0, math.inf
                    return data
            finally:
                self._silence += max(0.0, trio.current_time() - self._waiting_since)
                self._waiting_since = math.inf
            if self.waited >= LOST:
                raise trio.BrokenResourceError(f"no answer for {LOST:.0f} seconds")
            if not self._asked:
                with trio.CancelScope(shield=True) as sending, suppress(trio.BrokenResourceError):
                    sending.deadline = trio.current_time() + _PATIENCE
                    await self.send(self._ping)

    async def aclose(self) -> None:
        """Close the stream, whatever is under way."""
        await self._stream.aclose()
