"""Archiving: a history that survives. What is told is in a file, too, before anybody sees it.

Memory holds what is newest, as a cache; what is older is read from the file, by a connection of its
own, so that nobody waits who writes. One thread at a time writes, and commits a batch as one.

When the file cannot be written the room lives on (`unkept`); it is tried again every few seconds.
"""

import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import trio
from msgspec.structs import replace

from triochat.archive import DAMAGED
from triochat.changes import Changes
from triochat.filling import filling
from triochat.finding import RECALLED
from triochat.history import KEPT, History, Tail
from triochat.indexing import RETRY, Indexing
from triochat.messages import Event, Recall, Recalled, Said
from triochat.order import Peer
from triochat.outbox import LINGER
from triochat.sanctions import Rulings, dump, load
from triochat.scribe import Scribe
from triochat.seats import HOLD, Seat
from triochat.telling import Telling, Told
from triochat.unkept import Unkept

log = logging.getLogger(__name__)

MINUTE = 60.0
"""Seconds between two signs of life; as often it is deleted what need not be kept any more."""

AHEAD = (
    "{} has what was never told in this room: it is another room's, or the servers have lost"
    " something; name another file, or move it away"
)
"""Why a file cannot go on with a tail."""

_T = TypeVar("_T")


class Archived(History):
    """A history in a file.

    Args:
        scribe: writes it.
        keeps_rulings: what operators decide is kept there as well.
        server: the server's handle; it says where something is missing.
        hold: seconds for which a seat may be away.
        clock: the time in seconds since the epoch.
        kept: so many messages are in memory.

    Attributes:
        rulings: what operators decided, for the room to go on with.
        unkept: whether it cannot be written now.
    """

    is_instant = False

    def __init__(
        self,
        scribe: Scribe,
        *,
        keeps_rulings: bool = True,
        server: str = "Server",
        hold: float = HOLD,
        clock: Callable[[], float] = time.time,
        kept: int = KEPT,
    ) -> None:
        super().__init__(kept, hold=hold, clock=clock)
        self.last_id = self._floor = scribe.last_id  # what was before is in the file alone
        self.seats = scribe.seats
        for seat in self.seats:
            super()._seat(seat)
            self._own[seat.key].floor = self._floor
        said, self._said_floor = scribe.newest(kept)
        self._said += said
        self._scribe = scribe
        self._reading = scribe.open_reading()
        self._floors = {**scribe.floors}
        self.rulings = _rulings(scribe)
        self._ruled = self.rulings.version if keeps_rulings else math.inf
        self._server = server
        self._changes = Changes()
        self._writers = trio.CapacityLimiter(1)
        self._readers = trio.CapacityLimiter(1)
        self._wake = trio.Event()
        self._indexing = Indexing(scribe, self._write)
        self.unkept = Unkept(scribe.path, server)

    # ---- keeping

    def keep(self, batch: Sequence[Telling]) -> Awaitable[None] | None:
        """As `History.keep`; returns None also while nothing can be kept, and the room goes on."""
        super().keep(batch)
        changes, rulings = self._changes, self.rulings
        if rulings.version > self._ruled:
            self._ruled, changes.rulings = rulings.version, dump(rulings, self._clock())
        if self.unkept.problem:
            self._rise(self.unkept.bound(changes))
            self.unkept.tell_authors(batch)
            return None
        return self._keep_now(batch) if changes else None

    async def _keep_now(self, batch: Sequence[Telling]) -> None:
        if not await self._commit():
            self.unkept.tell_authors(batch)

    def _keep(self, told: Told) -> None:
        super()._keep(told)
        if told.to is None and isinstance(last := told.events[-1], Said):  # so are all of this run
            self._changes.said += told.events  # type: ignore[arg-type]
            self._changes.last = max(self._changes.last, last.id)
            return
        keys = (
            [""] if told.to is None else [self._keys[one] for one in told.to if one in self._keys]
        )
        for event in told.events:
            number = getattr(event, "id", 0)
            self._changes.last = max(self._changes.last, number)
            if number:
                self._changes.passing += [(key, number, event) for key in keys]

    def _seat(self, seat: Seat) -> None:
        super()._seat(seat)
        if floor := self._floors.setdefault(seat.key, 0):
            self._changes.floors[seat.key] = floor
        self._changes.seats[seat.key] = seat

    def _vacate(self, key: str) -> None:
        super()._vacate(key)
        self._floors.pop(key, None)
        self._changes.vacate(key)

    def _forget(self, ids: set[int], handle: str) -> None:
        super()._forget(ids, handle)
        self._changes.forget(ids)
        if handle:
            self._changes.forgotten_by[handle] = max(ids)
        self._wake.set()

    async def _commit(self) -> bool:
        """Write what has changed; whether that was done. If not, it waits to be written."""
        changes, self._changes = self._changes, Changes()
        try:
            await self._write(self._scribe.commit, changes, self._clock())
        except BaseException as error:
            changes.add(self._changes)
            self._changes = changes
            if not isinstance(error, sqlite3.Error):
                raise
            self.unkept.note(error)
            self._wake.set()
            return False
        self._indexing.wake()
        return True

    async def _write(self, do: Callable[..., _T], *values: object) -> _T:
        return await trio.to_thread.run_sync(do, *values, limiter=self._writers)

    def adopt(self, tail: Tail) -> None:
        """As `History.adopt`; what the file has missed is in it after the next batch.

        The seats themselves, where the file has others, are kept as ever: from `Seated`.

        Raises:
            ValueError: with a sentence, if the file has what is not in this tail.
        """
        told = {one.id: one for one in tail.said}
        if self.last_id > tail.last or any(told.get(one.id, one) != one for one in self._said):
            raise ValueError(AHEAD.format(self._scribe.path))
        changes = filling(tail, self.last_id, self._floors, self._server)
        super().adopt(tail)
        self._changes.add(changes)
        self._floors = {key: self._floors.get(key, 0) for key in ("", *self._own)}
        self._rise(changes.floors)

    # ---- when nothing can be written

    def _rise(self, floors: dict[str, int]) -> None:
        """What has an id of at most these may be missing from now on."""
        for key, floor in floors.items():
            if key in self._floors:
                self._changes.floors[key] = self._floors[key] = max(self._floors[key], floor)

    async def _mend(self) -> None:
        """Try again. When that works, say where something is missing, and go on as before."""
        if not await self._commit():
            return
        gaps, missing = self.unkept.end()
        self._changes.gaps += gaps
        if not self._changes or await self._commit():
            self.unkept.tell_end(missing)

    # ---- cleaning up

    async def run(self) -> None:
        """Index, clean up once a minute, and try again what went wrong; until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._indexing.run)
            await self._run_tidy()

    async def _run_tidy(self) -> None:
        while True:
            with trio.move_on_after(MINUTE):
                await self._wake.wait()
                await trio.sleep(RETRY)
            self._wake = trio.Event()
            await self.tidy()

    async def tidy(self) -> None:
        """Delete what need not be kept any more, from the log of changes as well."""
        if self.unkept.problem:
            await self._mend()
        if self.unkept.problem:
            return
        try:
            while (floors := await self._write(self._scribe.clean, self._clock())) is not None:
                self._rise(floors)
            while await self._write(self._scribe.merge):
                pass
            is_clean = await self._write(self._scribe.sign, self._clock())
        except sqlite3.Error as error:  # what is said may be kept all the same
            is_clean = False
            log.warning("cannot clean up %s: %s", self._scribe.path, error)
        if not is_clean:
            self._wake.set()

    async def aclose(self) -> None:
        """Write what is not written yet, and close the file."""
        if self._changes:
            await self._commit()
        await self.tidy()
        self._reading.close()
        await self._write(self._scribe.close)

    # ---- reading

    def reaches(self, key: str, after: int) -> bool:
        """As `History.reaches`."""
        return key in self._floors and max(self._floors[key], self._floors[""]) <= after

    async def missed(self, key: str, after: int, upto: int, count: int) -> Sequence[Event]:
        """As `History.missed`; from memory, if that has all of it."""
        events = await super().missed(key, after, upto, count)
        own = self._own.get(key)
        if max(self._floor, own.floor if own else 0) <= after:
            return events
        older = await self._read(self._reading.missed, key, after, upto, count)
        merged = {getattr(event, "id", 0): event for event in (*(older or ()), *events)}
        return [merged[number] for number in sorted(merged)][:count]

    async def recall(self, asked: Recall, upto: int) -> Recalled:
        """As `History.recall`; what is not in memory comes from the file."""
        newest = await super().recall(asked, upto)
        if newest.more:
            return newest
        before = min(self._said[0].id if self._said else upto + 1, upto + 1)
        before = before if asked.before is None else min(asked.before, before)
        count = max(0, min(asked.count, RECALLED)) - len(newest.messages)
        rest = replace(asked, count=count, before=before)
        older = await self._read(self._reading.recall, rest, None, self._clock())
        return Recalled(older.messages + newest.messages, older.more) if older else newest

    async def ids_by(self, handle: str) -> Sequence[int]:
        """As `History.ids_by`."""
        older = await self._read(self._reading.ids_by, handle)
        return sorted({*(older or ()), *await super().ids_by(handle)})

    async def kept(self, ids: Iterable[int]) -> Sequence[int]:
        """As `History.kept`."""
        gaps = await self._read(self._reading.gaps_among, ids := {*ids})
        return await super().kept(ids - (gaps or set()))

    async def _read(self, do: Callable[..., _T], *values: object) -> _T | None:
        """What the file says; None where it cannot be read, and what memory has must do."""
        try:
            return await trio.to_thread.run_sync(do, *values, limiter=self._readers)
        except sqlite3.Error as error:
            log.warning("cannot read %s: %s", self._scribe.path, error)
            return None


def _rulings(scribe: Scribe) -> Rulings:
    try:
        return load(scribe.rulings) if scribe.rulings else Rulings()
    except ValueError:
        scribe.close()
        raise ValueError(DAMAGED.format(scribe.path)) from None


@asynccontextmanager
async def archiving(
    history: Archived, alert: Callable[[str], None], warn: Callable[[Peer, str], None]
) -> AsyncIterator[None]:
    """Clean up in the block, and try again what goes wrong; at its end close the file.

    Args:
        history: what is in the file.
        alert: tells operators something.
        warn: tells a peer something that it has not asked for.
    """
    history.unkept.alert, history.unkept.warn = alert, warn
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(history.run)
            yield
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(LINGER, shield=True):
            await history.aclose()
