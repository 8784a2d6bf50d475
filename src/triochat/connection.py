"""A channel of messages over a byte stream, as a client has it: requests out, events in.

It is NDJSON on the wire. `receive` always checkpoints, also while lines are buffered, so that a
flood from the server cannot starve the other tasks of the client.

A server that is there answers. Where no answer was due for a while `receive` asks for one, which is
handed out to nobody; where one is due, and nothing at all comes, the connection is lost. Only the
time in which somebody receives counts: who does not listen cannot say that nothing was said.

Who comes back is told first what was missed, and asks for nothing new before that: what is sent
meanwhile waits, and goes after what is sent again.
"""

import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from triochat.dialects.ndjson import decode_event, encode
from triochat.dialects.plain import is_greeting
from triochat.exceptions import RemoteProtocolError
from triochat.framing import Lines
from triochat.messages import Closing, Event, Join, Quit, Refused, Request, Welcome
from triochat.stay import PROBE, Stay
from triochat.words import words_of

EVENT_LIMIT = 1 << 20
"""The most bytes in a line from a server: a welcome names everybody in the room."""

PING = 15.0
"""Seconds after an answer in which no other one is asked for by `receive` itself."""

LOST = 30.0
"""Seconds in which an answer is due and nothing is heard, until the connection counts as lost."""

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between tries to come back; the last one for ever after."""

PATIENCE = 600.0
"""Seconds in which who is no person tries to: as long as a server keeps its place."""

ENTRY = 10.0
"""The same for who was never welcomed: as long as nobody has heard that it is gone."""

QUIT_TIMEOUT = 2.0
"""Seconds in which the server is to let go of who has quit."""

HURRY = 0.7
"""The same for who is interrupted, and wants to be gone."""

GONE = trio.BrokenResourceError, trio.ClosedResourceError
"""What is raised where there is no connection any more."""

Connect = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens a stream to a server, or raises `UnreachableError` or `UntrustedError`."""

_CHUNK = 1 << 16
_PIECE = 1 << 14  # bytes that are sent again at once: the system takes them without waiting
_SENDING = 1.0  # seconds for a ping to be on its way: nothing else is, so it takes none
_PARTING = words_of(Closing(""))


class Connection(trio.abc.SendChannel[Request], trio.abc.ReceiveChannel[Event]):
    """A channel to a server. Several tasks may send; one may receive.

    Args:
        stream: the bytes; the connection owns it and closes it.
        stay: of who comes back; else a new one.

    Attributes:
        stay: what is known of the room, by what was sent and received so far.
        lag: seconds between the last request that was answered and its answer; None before.
    """

    def __init__(self, stream: trio.abc.Stream, stay: Stay | None = None) -> None:
        self.stay = stay or Stay()
        self.stay.reconnect()
        self.lag: float | None = None
        self._stream = stream
        self._lines = Lines(EVENT_LIMIT)
        self._received: deque[str | Refused] = deque()
        self._is_known = False  # as a server of ours
        self._may_end = False
        self._sending = trio.StrictFIFOLock()
        self._is_over = False
        self._first: list[Request] = []  # what is sent before all that is unsent
        self._welcome: tuple[Event, Request | None] | None = None  # until all is told before it
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

        It may not even have been sent, where what was missed is still being told. Whatever happens,
        the stay knows of it: it is sent again over the next connection.

        Raises:
            ValueError: it holds half a character (a surrogate); nothing was sent.
            trio.BrokenResourceError: the connection is lost.
        """
        try:
            encode(value)
        except UnicodeEncodeError:
            raise ValueError("that is not UTF-8 text; nothing was sent") from None
        if isinstance(value, Join):
            self._first += [value] if self.stay.is_whole else [value, PROBE]
        elif value is PROBE:
            self._first.append(value)
        else:
            self.stay.intend(value)
        await self._write()

    async def _write(self, most: float = math.inf) -> None:
        """Send what is to be sent and can be; no more than so many bytes of what waits."""
        async with self._sending:
            if self._is_over:
                raise trio.ClosedResourceError
            stay, requests = self.stay, self._first
            data = bytearray(b"".join(map(encode, requests)))
            self._first = []
            while stay.is_whole and stay.unsent and len(data) < most:
                requests.append(stay.unsent.popleft())
                data += encode(requests[-1])
            for request in requests:
                stay.ask(request)
                self._asked.append(trio.current_time())
                self._may_end = self._may_end or isinstance(request, Quit)
            if data:
                await self._stream.send_all(data)

    async def _send_again(self) -> None:
        """Send what waits, piece by piece: the next one when all of the one before is answered.

        So it waits for nobody: who receives does this.
        """
        stay = self.stay
        if (
            stay.is_resumed
            and not stay.is_whole
            and all(one is not PROBE for one in stay.unanswered)
        ):
            self._first.append(PROBE)  # the first was answered while we were in the queue
        elif not (stay.unsent and stay.is_whole and not stay.unanswered):
            return
        if not self._sending.locked():
            with trio.CancelScope(shield=True) as sending, suppress(*GONE):
                sending.deadline = trio.current_time() + _SENDING
                await self._write(_PIECE)
            if sending.cancelled_caught:  # in the middle of a line
                raise trio.BrokenResourceError("connection lost")

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
        """The next event, and one's own request that it answers. Raises as `receive` does.

        Who has come back hears what was missed first, and then of being welcome.
        """
        await trio.lowlevel.checkpoint()
        while True:
            await self._send_again()
            if self._received:
                event = self._understand(self._received.popleft())
                if event and not self.stay.has_seen(event) and (heard := self._hear(event)):
                    return heard
                continue
            data = await self._read()
            if not data and self._may_end:
                raise trio.EndOfChannel
            if not data:
                raise trio.BrokenResourceError("connection lost")
            self._received += self._lines.feed(data)

    def _hear(self, event: Event) -> tuple[Event, Request | None] | None:
        """What is handed out of this event, and of what it answers."""
        stay = self.stay
        waiting, was_whole = len(stay.unanswered), stay.is_whole
        asked = stay.hear(event)
        if len(stay.unanswered) < waiting:
            self._answered = trio.current_time()
            self.lag = self._answered - self._asked.popleft()
        if isinstance(event, Welcome) and not stay.is_whole:
            self._welcome = event, asked
            return None
        if stay.is_whole and not was_whole and self._welcome:
            return self._welcome
        return None if asked is PROBE else (event, asked)

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
                    sending.deadline = trio.current_time() + _SENDING
                    await self.send(PROBE)

    async def aclose(self) -> None:
        """Close the stream, whatever is under way."""
        self.abandon()
        await self._stream.aclose()

    def abandon(self) -> None:
        """Send nothing more: whatever waits to be sent is for the next connection."""
        self._is_over = True


def pause_before(number: int) -> float:
    """Seconds before this try to come back; jittered, so that not all of a room come at once."""
    return PAUSES[min(number, len(PAUSES) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311
