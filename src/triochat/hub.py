"""The hub: the room plus the outboxes. It puts requests in order and fans events out.

`submit` is synchronous: the room answers at once, and what it tells joins the batch. The history
gives the batch its ids, each event is written once for each dialect, and each peer gets one blob.

Whose turn it is to fan the batch out depends on the load:

* Who speaks alone is heard at once: `flush` fans out on the spot, in the session's own task.
* Where several speak in one pass of trio's scheduler, the hub's task, `run`, wakes once for all of
  them. So the cost of a delivery falls as the load rises.
* In a large room the batch may grow over several passes, since it is as dear for one event as for
  a hundred: as long as the last one took, while each pass brings more.

Who may be held back, and by what: a talker waits for the next pass when the batch of this one is
full (`wait_room`), and one who has used up its burst waits while any reader is far behind
(`backlog`). Readers are never waited for here; who falls too far behind is evicted (see `outbox`).
"""

import time
from collections.abc import Callable

import trio

from triochat.fanout import FanOut
from triochat.history import History
from triochat.messages import Answer, Closing, Request
from triochat.outbox import Backlog, Outbox
from triochat.room import Room, Told

BATCH = 400
"""Events that one pass fans out at most; who has more to say waits for the next. So many of the
longest messages are less than an outbox may hold."""

BLOB = 1 << 16
"""Bytes that one pass tells everybody, if messages are as long as in the one before. A socket takes
as much at once; the rest would go through the queues, and cost twice as much."""

BREATH = 0.002
"""Seconds; a batch that took longer is worth that the next one grows."""


class _Passes(trio.abc.Instrument):
    """Counts the passes of trio's scheduler."""

    def __init__(self) -> None:
        self.count = 0

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        """A pass begins."""
        self.count += 1


class Hub:
    """One room's traffic.

    Args:
        room: who is here and who hears what.
        history: gives ids and keeps what was said.
        clock: the time in seconds since the epoch, UTC.

    Attributes:
        closed: it has said good-bye to everybody.
        outboxes: of all connections that are open, members or not.
    """

    def __init__(
        self,
        room: Room[Outbox],
        history: History | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.room = room
        self.backlog = Backlog()
        self._history = history or History()
        self._clock = clock
        self._fan_out = FanOut()
        self.outboxes: set[Outbox] = set()
        self._batch: list[Told[Outbox]] = []
        self._released: list[Outbox] = []
        self.closed = False
        self._passes = _Passes()
        self._flushed_in = -1  # the pass in which a session fanned out last
        self._voices = 0  # sessions that have flushed since a batch was last told
        self._alone = True  # at most one session has flushed for the last batch of the hub's task
        self._capacity = BATCH  # events that this batch may have
        self._spent = 0.0  # seconds that the last batch took
        self._failure: Exception | None = None  # what went wrong in a session's task
        self._wake = trio.Event()
        self._sent = trio.Event()

    # ---- what sessions call

    def attach(self, outbox: Outbox) -> None:
        """A connection was opened; from now on it is told when the hub closes."""
        self.outboxes.add(outbox)
        if self.closed:
            outbox.close()

    def submit(self, outbox: Outbox, asked: Request | Answer) -> None:
        """Let the room answer a request; an answer found on the way goes back in its order.

        Nobody is told before `flush`, which must follow before the session waits for more.
        """
        if outbox.released:
            return
        if isinstance(asked, Answer):
            self._tell([Told(asked, (outbox,))])
        else:
            self._tell(self.room.handle(outbox, asked, self._clock()))

    def flush(self) -> None:
        """All is submitted that was heard at once; tell it, now or with what others say."""
        if not self._batch:
            return
        is_first = self._flushed_in != self._passes.count
        if is_first and self._alone and self._spent < BREATH and not self._wake.is_set():
            self._flushed_in, self._voices = self._passes.count, 1
            self._try_to_pass_on()
        else:
            self._voices += 1
            self._wake.set()

    def leave(self, outbox: Outbox, reason: str) -> None:
        """Its peer is not in the room any more, for this reason; it may still be told things."""
        self._tell(self.room.leave(outbox, reason))
        self._wake.set()

    def dismiss(self, outbox: Outbox, reason: str) -> None:
        """Tell a peer that its connection is closed, and why; it may come back."""
        self._tell([Told(Closing(reason, retry=True), (outbox,))])

    def release(self, outbox: Outbox) -> None:
        """Hear no more of this peer; close its outbox when all is in it that was told so far."""
        if not outbox.released:
            outbox.released = True
            self._released.append(outbox)
            self._wake.set()

    def detach(self, outbox: Outbox, reason: str) -> None:
        """A connection is gone: nothing more can be told to it. The room hears of it at once."""
        outbox.released = True
        outbox.abandon()
        self.outboxes.discard(outbox)
        self.leave(outbox, reason)

    @property
    def is_full(self) -> bool:
        """Whether the batch is full."""
        return len(self._batch) >= self._capacity

    async def wait_room(self) -> None:
        """Return when the batch that is full now has been fanned out."""
        self._wake.set()
        await self._sent.wait()

    # ---- what the server calls

    def close(self, reason: str) -> None:
        """Say so to everybody, and end every session politely; nobody is heard any more."""
        self._tell([Told(Closing(reason), tuple(self.outboxes))])
        self.closed = True
        self._wake.set()

    async def run(self) -> None:
        """Fan out what is submitted, until the hub was closed and the last batch is out.

        Raises:
            Exception: the history's, or a bug's; then the batch is lost, and the room must end.
        """
        trio.lowlevel.add_instrument(self._passes)
        try:
            while not self.closed or self._batch:
                await self._wake.wait()
                if self._failure is not None:
                    raise self._failure
                await self._gather(self._spent)
                self._wake = trio.Event()
                self._alone, self._voices = self._voices <= 1, 0
                self._pass_on()
                self._sent.set()
                self._sent = trio.Event()
        finally:
            trio.lowlevel.remove_instrument(self._passes)

    async def _gather(self, seconds: float) -> None:
        """Wait while each pass brings more to tell, at most as long as the last batch took."""
        if seconds < BREATH:
            return
        until = time.perf_counter() + seconds
        size = 0
        while size < len(self._batch) < self._capacity and time.perf_counter() < until:
            size = len(self._batch)
            await trio.lowlevel.checkpoint()

    def _try_to_pass_on(self) -> None:
        """A failure ends the room, as in the hub's task; not the session that it happened in."""
        try:
            self._pass_on()
        except Exception as error:  # noqa: BLE001  not lost: `run` raises it
            self._failure = error
            self._wake.set()

    def _pass_on(self) -> None:
        if self.room.is_unsettled:
            self._tell(self.room.settle())
        batch, self._batch = self._batch, []
        released, self._released = self._released, []
        if batch:
            start = time.perf_counter()
            events = self._history.append([told.event for told in batch])
            if size := self._fan_out.send(events, batch):
                self._capacity = min(BATCH, 1 + BLOB // size)
            self._spent = time.perf_counter() - start
        for outbox in released:
            outbox.close()

    def _tell(self, told: list[Told[Outbox]]) -> None:
        if self.closed:
            return
        self._batch += told
        for event, audience, _ in told:
            if isinstance(event, Closing):
                for outbox in audience:
                    self.release(outbox)
