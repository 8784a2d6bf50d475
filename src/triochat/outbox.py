"""The bounded queue on its way to one peer, and the task that empties it.

The contract between the hub, which fills outboxes, and the sessions, which own them:

* `put` MUST NOT block, whatever the peer does: the slowest reader never sets the pace.
* Bytes leave in the order in which they were put, and nothing is put after `close`.
* Bytes are written by one writer at a time. While nothing is queued `put` may write to a plain
  socket itself (write-through); what the socket does not take, and everything after it, goes
  through the memory channel to the sender task, until that has caught up. Channel and task
  are made when first needed: without them an idle member takes a third less memory.
* The sender takes all that is queued and sends it as one: one `send_all` an event would let a
  burst of talkers outrun it.
* A peer that lets more than `LIMIT` bytes pile up, or needs `STALL` seconds for 64 KiB, is
  evicted: its session is cancelled there and then.
* `close` is the polite ending: the sender says all that is queued, then ends its direction of the
  stream. It has `LINGER` seconds for that; then the session is cancelled.
"""

import math
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

import trio

from triochat.dialects import PLAIN, Dialect
from triochat.sockets import is_plain_socket

T = TypeVar("T")

_Channel: TypeAlias = tuple[trio.MemorySendChannel[bytes], trio.MemoryReceiveChannel[bytes]]

LIMIT = 1 << 20
"""Bytes that may wait for one peer."""

STALL = 30.0
"""Seconds that a peer may need for the next 64 KiB, or for all that waits if that is less."""

PATIENCE = 1.0
"""Seconds for which talkers may be held back for a peer that is far behind."""

LINGER = 2.0
"""Seconds that a closing session may still drain."""

_PIECE = 1 << 16  # bytes given to one send_all, so that a slow peer's progress can be seen


class Backlog:
    """The outboxes that are far behind, and the talkers who are held back until none is.

    Nobody is held back for the same outbox longer than `PATIENCE` seconds: the slowest reader does
    not set the pace. By then it has caught up, or will be evicted.
    """

    def __init__(self) -> None:
        self._since: dict[Outbox, float] = {}
        self._cleared = trio.Event()

    def __bool__(self) -> bool:
        return bool(self._since) and (max(self._since.values()) > trio.current_time() - PATIENCE)

    def add(self, outbox: "Outbox") -> None:
        """This outbox is far behind."""
        self._since.setdefault(outbox, trio.current_time())

    def discard(self, outbox: "Outbox") -> None:
        """This outbox has caught up, or is gone."""
        if self._since.pop(outbox, None) is not None and not self._since:
            self._cleared.set()
            self._cleared = trio.Event()

    async def wait_clear(self) -> None:
        """Return as soon as there is no outbox to wait for."""
        while self:
            with trio.move_on_at(max(self._since.values()) + PATIENCE):
                await self._cleared.wait()


def put_all(outboxes: "Iterable[Outbox]", blob: bytes) -> None:
    """`Outbox.put` the same bytes into each. A server does nothing as often as this loop."""
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
            outbox._queue_up(blob[sent:])


class Outbox:
    """What one peer is still to be sent, and how: its dialect, its ending.

    Attributes:
        scope: the cancel scope of the session.
        dialect: in which the hub writes what it puts here; does not change once the peer is in the
            room.
        closed: nothing can be put any more.
        evicted: why the session was ended from this side; empty if it was not.
        reset: the peer has reset the connection. The system says so once, and said it to `put`;
            who reads sees what the peer said before, then an ordinary end.
        released: the hub hears no more of this peer, and closes the outbox with its next batch.
    """

    __slots__ = (
        "_backlog",
        "_direct",
        "_ends",
        "_queued",
        "_start",
        "_target",
        "_write",
        "closed",
        "dialect",
        "evicted",
        "released",
        "reset",
        "scope",
    )

    def __init__(self, backlog: Backlog, dialect: Dialect = PLAIN) -> None:
        self.scope = trio.CancelScope()
        self.dialect = dialect
        self.evicted = ""
        self.closed = False
        self.released = False
        self.reset = False
        self._backlog = backlog
        self._write: Callable[[Any, bytes], int] = os.write
        self._target: object = None
        self._direct: object = None
        self._queued = 0
        self._start: Callable[[], object] | None = None
        self._ends: _Channel | None = None

    def send_lazily(self, stream: trio.abc.SendStream, start: Callable[[], object]) -> None:
        """Send to this stream what is put, with no sender task before there is need of one.

        Args:
            stream: if it is a plain socket, what it takes at once needs no task.
            start: starts the task, which is `send_to` this stream; called once, when something is
                queued or nothing more comes. `start_sender` or `abandon` MUST come before it
                cannot be called any more.
        """
        self._start = start
        if is_plain_socket(stream):
            self.write_through(os.write, stream.socket.fileno())
        if self._queued or self.closed:
            self.start_sender()

    def start_sender(self) -> None:
        """Start the sender task, if it does not run yet."""
        if self._start is not None:
            start, self._start = self._start, None
            start()

    def write_through(self, write: Callable[[T, bytes], int], target: T) -> None:
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
        self._direct = None if self._queued or self.closed else target

    def put(self, blob: bytes) -> None:
        """Send these bytes after all that was put before; never blocks. Evicts who fell behind."""
        put_all([self], blob)

    def _has_failed(self, error: OSError) -> bool:
        """Whether to forget bytes that could not be written at once; else they are queued."""
        if isinstance(error, BlockingIOError):
            return False
        if isinstance(error, ConnectionResetError):
            self.reset = True
        elif not isinstance(error, ConnectionError):  # the reader hears of the others
            self.evict("connection lost")
        return True

    def _queue_up(self, blob: bytes) -> None:
        if self.closed:
            return
        self._direct = None
        self._queued += len(blob)
        self._channel()[0].send_nowait(blob)
        self.start_sender()
        if self._queued > LIMIT // 2:
            self._backlog.add(self)
            if self._queued > LIMIT:
                self.evict("fell behind")

    def close(self) -> None:
        """Take no more; what is queued is still sent, within `LINGER` seconds."""
        if not self.closed:
            self.closed = True
            self._direct = None
            self._channel()[0].close()
            self.start_sender()
            self.scope.deadline = min(self.scope.deadline, trio.current_time() + LINGER)

    def evict(self, reason: str) -> None:
        """End the session now, for this reason; what is queued is lost."""
        self.evicted = reason
        self.abandon()
        self.scope.cancel()

    def abandon(self) -> None:
        """Take no more and send no more: the stream is about to be closed."""
        self.closed = True
        self._target = self._direct = None
        self._start = None
        if self._ends is not None:
            self._ends[0].close()
        self._backlog.discard(self)

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
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
        else:
            self.scope.cancel()

    def _channel(self) -> _Channel:
        """Both ends of the memory channel, which is made when it is first needed, like the task."""
        if self._ends is None:
            self._ends = trio.open_memory_channel[bytes](math.inf)
        return self._ends

    async def _send(self, stream: trio.abc.SendStream, blob: bytes) -> None:
        for start in range(0, len(blob), _PIECE):
            piece = blob[start : start + _PIECE]
            with trio.move_on_after(STALL) as stalled:
                await stream.send_all(piece)
            if stalled.cancelled_caught:
                self.evict("fell behind")
            self._queued -= len(piece)
            if not self._queued and not self.closed:
                self._direct = self._target
            if self._queued < LIMIT // 4:
                self._backlog.discard(self)
