"""The bounded queue on its way to one peer, and the task that empties it.

The contract between the fan-out, which fills outboxes, and the sessions, which own them:

* `put` MUST NOT block, whatever the peer does: the slowest reader never sets the pace.
* Bytes leave in the order in which they were put, and nothing is put after `close`.
* Bytes are written by one writer at a time. While nothing is queued `put` may write to a plain
  socket itself (write-through); what the socket does not take, and everything after it, goes
  through the memory channel to the sender task, until that has caught up. Channel and task
  are made when first needed: without them an idle member takes a third less memory.
* What a sealed link is told is sealed when it is put: what is queued are wire bytes.
* The sender takes all that is queued and sends it as one: one `send_all` an event would let a
  burst of talkers outrun it.
* A peer that lets more than `LIMIT` bytes pile up, or needs `STALL` seconds for the next 64 KiB, or
  `AGE` seconds for all that waited at one moment, is evicted: its session is cancelled there and
  then.
* Where more waits for all together than may, the one for which most waits is evicted.
* `close` is the polite ending: the sender says all that is queued, then ends its direction of the
  stream. It has `LINGER` seconds for that; then the session is cancelled.
"""

import math
import os
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any, TypeAlias

import trio

from triochat.backlog import Backlog
from triochat.sockets import end
from triochat.tls import Codec

_Channel: TypeAlias = tuple[trio.MemorySendChannel[bytes], trio.MemoryReceiveChannel[bytes]]

LIMIT = 1 << 20
"""Bytes that may wait for one peer."""

STALL = 30.0
"""Seconds that a peer may need for the next 64 KiB, or for all that waits if that is less."""

AGE = 120.0
"""Seconds that a peer may need for all that waited for it at one moment."""

LINGER = 2.0
"""Seconds that a closing session may still drain."""

LOST = "connection lost"
"""Why a connection ends that nobody has ended."""

_PIECE = 1 << 16  # bytes given to one send_all, so that a slow peer's progress can be seen


class Way(Enum):
    """How far an outbox has come."""

    OPEN = auto()  # it takes what is put
    ENDING = auto()  # it takes no more, and sends what is queued
    GONE = auto()  # it sends no more


def put_all(outboxes: "Iterable[Outbox]", blob: bytes) -> None:
    """`Outbox.put` the same bytes into each. A server does nothing as often as this loop.

    Sealed outboxes are never written to from here, so that the others need not be asked.
    """
    size = len(blob)
    for outbox in outboxes:
        sent = 0
        if outbox._direct is not None:
            try:
                sent = outbox._write(outbox._direct, blob)
            except OSError as error:
                if outbox._has_failed(error):
                    continue
        if sent != size:
            outbox._take(blob[sent:])


class Outbox:
    """What one peer is still to be sent.

    Attributes:
        scope: the cancel scope of the session.
        way: how far it has come.
        is_evicted: the peer fell behind; so there is more for it, which is lost.
        why: why it ended, as far as this side knows; empty if it does not. That a peer has reset
            the connection the system says once, and perhaps to `put`; who reads sees an ordinary
            end then.
    """

    __slots__ = (
        "_backlog",
        "_codec",
        "_direct",
        "_ends",
        "_queued",
        "_sent",
        "_start",
        "_target",
        "_write",
        "is_evicted",
        "scope",
        "way",
        "why",
    )

    def __init__(self, backlog: Backlog) -> None:
        self.scope = trio.CancelScope()
        self.way = Way.OPEN
        self.is_evicted = False
        self.why = ""
        self._backlog = backlog
        self._codec: Codec | None = None
        self._write: Callable[[Any, bytes], int] = os.write
        self._target: object = None
        self._direct: object = None
        self._queued = 0
        self._sent: trio.Event | None = None
        self._start: Callable[[], object] | None = None
        self._ends: _Channel | None = None

    def send_lazily(self, start: Callable[[], object]) -> None:
        """Send what is put, with no sender task before there is need of one.

        Args:
            start: starts the task, which is `send_to` the peer's stream; called once, when
                something is queued or nothing more comes. `start_sender` or `abandon` MUST come
                before it cannot be called any more.
        """
        self._start = start
        if self._queued or self.way is not Way.OPEN:
            self.start_sender()

    def start_sender(self) -> None:
        """Start the sender task, if it does not run yet."""
        if self._start is not None:
            start, self._start = self._start, None
            start()

    def write_through(self, write: Callable[[Any, bytes], int], target: object) -> None:
        """Let `put` write by itself while nothing is queued.

        Args:
            write: writes bytes to the target at once, and says how many; `BlockingIOError` for
                none. Not called any more after `abandon`, which must come before the target is
                closed. (A function and its target, not one bound object: a thousand of those are
                a thousand misses in the processor's cache.)
            target: what it writes to.
        """
        self._write = write
        self._target = target
        self._clear()

    def seal_with(self, codec: Codec) -> None:
        """From here on what is put is sealed; what was put before goes out as it is."""
        self._codec = codec
        self._direct = None

    def put(self, blob: bytes) -> None:
        """Send these bytes after all that was put before; never blocks. Evicts who fell behind."""
        put_all([self], blob)

    def put_wire(self, wire: bytes) -> None:
        """The same with bytes that are sealed already; there may be none."""
        if not wire or self.way is not Way.OPEN:
            return
        if self._target is not None and not self._queued:
            try:
                wire = wire[self._write(self._target, wire) :]
            except OSError as error:
                if self._has_failed(error):
                    return
        if wire:
            self._queue_up(wire)

    def _has_failed(self, error: OSError) -> bool:
        """Whether to forget bytes that could not be written at once; else they are queued."""
        if isinstance(error, BlockingIOError):
            return False
        if isinstance(error, ConnectionResetError):
            self.why = LOST
        elif not isinstance(error, ConnectionError):  # the reader hears of the others
            self.evict(LOST)
        return True

    def _take(self, blob: bytes) -> None:
        """What was not written; where it is to be sealed it was not tried."""
        if self.way is not Way.OPEN:
            return
        if self._codec is None:
            self._queue_up(blob)
            return
        try:
            wire = self._codec.seal(blob)
        except OSError:  # an SSLError is one
            self.evict(LOST)
        else:
            self.put_wire(wire)

    def _queue_up(self, blob: bytes) -> None:
        self._direct = None
        self._queued += len(blob)
        self._backlog.hold(self, len(blob))
        self._channel()[0].send_nowait(blob)
        self.start_sender()
        if self._queued > LIMIT // 2:
            if self not in self._backlog:
                self._backlog.add(self)
            if self._queued > LIMIT:
                self.evict("fell behind")
        if isinstance(most := self._backlog.too_much(), Outbox):
            most.evict("fell behind, and too much waits for all")

    def _clear(self) -> None:
        """Let `put` write again, if nothing stands against it."""
        if not self._queued and self.way is Way.OPEN and self._codec is None:
            self._direct = self._target

    def close(self, reason: str) -> None:
        """Take no more, for this reason; what is queued is still sent, within `LINGER` seconds."""
        if self._codec is not None and self.way is Way.OPEN:
            self.put_wire(self._codec.end())
        if self.way is Way.OPEN:
            self.way = Way.ENDING
            self.why = self.why or reason
            self._direct = None
            self._channel()[0].close()
            self.start_sender()
            self.linger()

    def linger(self, seconds: float = LINGER) -> None:
        """Whatever is still to come, in so many seconds the session is over."""
        self.scope.deadline = min(self.scope.deadline, trio.current_time() + seconds)

    def evict(self, reason: str) -> None:
        """End the session now, for this reason; what is queued is lost."""
        self.why = reason
        self.is_evicted = reason != LOST
        self.abandon()
        self.scope.cancel()

    def abandon(self) -> None:
        """Take no more and send no more: the stream is about to be closed."""
        self.way = Way.GONE
        self._target = self._direct = None
        self._start = None
        if self._ends is not None:
            self._ends[0].close()
        self._backlog.release(self)

    async def wait_sent(self) -> None:
        """Return when little is queued: the peer reads what it is told."""
        while self._queued > _PIECE and self.way is not Way.GONE:
            if self._sent is None:
                self._sent = trio.Event()
            await self._sent.wait()

    async def send_to(self, stream: trio.abc.SendStream) -> None:
        """Send what is put, until `close`; then end this direction of the stream.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """
        _, queue = self._channel()
        async for blob in queue:
            count = queue.statistics().current_buffer_used
            more = [queue.receive_nowait() for _ in range(count)]
            await self._send(stream, b"".join([blob, *more]))
        await end(stream)

    def _channel(self) -> _Channel:
        """Both ends of the memory channel, which is made when it is first needed, like the task."""
        if self._ends is None:
            self._ends = trio.open_memory_channel[bytes](math.inf)
        return self._ends

    async def _send(self, stream: trio.abc.SendStream, blob: bytes) -> None:
        late = trio.current_time() + AGE
        for start in range(0, len(blob), _PIECE):
            piece = blob[start : start + _PIECE]
            with trio.move_on_at(min(trio.current_time() + STALL, late)) as stalled:
                await stream.send_all(piece)
            if stalled.cancelled_caught:
                self.evict("fell behind")
                return
            self._queued -= len(piece)
            if self._sent is not None and self._queued <= _PIECE:
                self._sent.set()
                self._sent = None
            if self.way is not Way.GONE:
                self._backlog.hold(self, -len(piece))
            self._clear()
            if self._queued < LIMIT // 4:
                self._backlog.discard(self)
            elif self in self._backlog:
                self._backlog.add(self)
