"""The hub: the room plus the outboxes. It puts requests in order and fans events out.

`submit` is synchronous: the room answers at once, and what it tells joins the batch of this pass
of trio's scheduler. The hub's own task, `run`, wakes once for all that was submitted meanwhile:
the history gives the batch its ids, each event is written once for each dialect, and each member
gets one blob. So the cost of a delivery falls as the load rises.

Who may be held back, and by what: a talker waits for the next pass when the batch of this one is
full (`wait_room`), and one who has used up its burst waits while any reader is far behind
(`backlog`). Readers are never waited for here; who falls too far behind is evicted (see `outbox`).
"""

import time
from collections.abc import Callable, Iterable
from itertools import groupby

import trio

from triochat.dialects import Dialect
from triochat.history import History
from triochat.messages import Answer, Closing, Notice, Refused, Request
from triochat.outbox import Backlog, Outbox
from triochat.room import Room, Told

BATCH = 1000
"""Events that one pass fans out; who submits after that waits for the next."""

BREATH = 0.002
"""Seconds; a batch that was quicker than this is not waited for to grow."""


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
        self.outboxes: set[Outbox] = set()
        self._batch: list[Told[Outbox]] = []
        self._released: list[Outbox] = []
        self.closed = False
        self._wake = trio.Event()
        self._sent = trio.Event()

    # ---- what sessions call

    def attach(self, outbox: Outbox) -> None:
        """A connection was opened; from now on it is told when the hub closes."""
        self.outboxes.add(outbox)
        if self.closed:
            outbox.close()

    def submit(self, outbox: Outbox, asked: Request | Answer) -> None:
        """Let the room answer a request; an answer found on the way goes back in its order."""
        if outbox.released:
            return
        if isinstance(asked, Refused | Notice):
            self._tell([Told(asked, (outbox,))])
        else:
            self._tell(self.room.handle(outbox, asked, self._clock()))

    def leave(self, outbox: Outbox, reason: str) -> None:
        """Its peer is not in the room any more, for this reason; it may still be told things."""
        self._tell(self.room.leave(outbox, reason))

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
        """Whether the batch of this pass is full."""
        return len(self._batch) >= BATCH

    async def wait_room(self) -> None:
        """Return when the batch that is full now has been fanned out."""
        await self._sent.wait()

    # ---- what the server calls

    def close(self, reason: str) -> None:
        """Say so to everybody, and end every session politely; nobody is heard any more."""
        self._tell([Told(Closing(reason), tuple(self.outboxes))])
        self.closed = True
        self._wake.set()

    async def run(self) -> None:
        """Fan out what is submitted, until the hub was closed and the last batch is out."""
        spent = 0.0
        while not self.closed or self._batch:
            await self._wake.wait()
            await self._gather(spent)
            self._wake = trio.Event()
            start = time.perf_counter()
            self._pass_on()
            spent = time.perf_counter() - start
            self._sent.set()
            self._sent = trio.Event()

    async def _gather(self, seconds: float) -> None:
        """Wait while each pass brings more to tell, at most as long as the last batch took.

        In a large room a batch is as dear for one event as for a hundred. So there, under load,
        half of the time goes to hearing.
        """
        if seconds < BREATH:
            return
        until = time.perf_counter() + seconds
        size = 0
        while size < len(self._batch) < BATCH and time.perf_counter() < until:
            size = len(self._batch)
            await trio.lowlevel.checkpoint()

    def _pass_on(self) -> None:
        self._batch += self.room.tell_places()
        batch, self._batch = self._batch, []
        released, self._released = self._released, []
        events = self._history.append(told.event for told in batch)
        _fan_out(told._replace(event=event) for event, told in zip(events, batch, strict=True))
        for outbox in released:
            outbox.close()

    def _tell(self, told: list[Told[Outbox]]) -> None:
        if self.closed or not (told or self.room.line_changed):
            return
        self._batch += told
        self._wake.set()
        for event, audience, _ in told:
            if isinstance(event, Closing):
                for outbox in audience:
                    self.release(outbox)


def _fan_out(batch: Iterable[Told[Outbox]]) -> None:
    """Give each outbox, as one blob, all of a batch that is for it."""
    writer = _Writer()
    groups = [list(group) for _, group in groupby(batch, key=lambda told: id(told.audience))]
    if len(groups) == 1:  # the usual case, and worth to be quick
        writer.write(groups[0], Outbox.put)
        return
    blobs: dict[Outbox, list[bytes]] = {}
    for group in groups:
        writer.write(group, lambda outbox, blob: blobs.setdefault(outbox, []).append(blob))
    for outbox, parts in blobs.items():
        outbox.put(parts[0] if len(parts) == 1 else b"".join(parts))


class _Writer:
    """Writes the events of one batch, each once for each dialect."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, Dialect], bytes] = {}

    def write(self, group: list[Told[Outbox]], deliver: Callable[[Outbox, bytes], None]) -> None:
        """Deliver to each of an audience the events that are all for this audience."""
        authors = {told.author for told in group}
        written: dict[Dialect, _Written] = {}
        dialect: Dialect | None = None
        for outbox in group[0].audience:
            if outbox.dialect is not dialect:
                dialect = outbox.dialect
                if dialect not in written:
                    written[dialect] = _Written(group, self._encode(group, dialect))
                text = written[dialect]
                blob, echoes = text.blob, dialect.echoes
            if echoes or outbox not in authors:
                deliver(outbox, blob)
            elif rest := text.without(outbox):
                deliver(outbox, rest)

    def _encode(self, group: list[Told[Outbox]], dialect: Dialect) -> list[bytes]:
        lines = self._lines
        encoded: list[bytes] = []
        for told in group:
            key = id(told.event), dialect
            line = lines.get(key)
            if line is None:
                line = lines[key] = dialect.encode(told.event)
            encoded.append(line)
        return encoded


class _Written:
    """The events for one audience in one dialect, as one blob that can be had without some."""

    def __init__(self, group: list[Told[Outbox]], lines: list[bytes]) -> None:
        self.blob = b"".join(lines)
        self._group = group
        self._lines = lines
        self._places: dict[Outbox | None, list[slice]] = {}

    def without(self, author: Outbox) -> bytes:
        """All but this author's own words, cut out of the blob."""
        if not self._places:
            self._find_places()
        start, parts = 0, []
        for own in self._places[author]:
            parts.append(self.blob[start : own.start])
            start = own.stop
        parts.append(self.blob[start:])
        return b"".join(parts)

    def _find_places(self) -> None:
        end = 0
        for told, line in zip(self._group, self._lines, strict=True):
            start, end = end, end + len(line)
            self._places.setdefault(told.author, []).append(slice(start, end))
