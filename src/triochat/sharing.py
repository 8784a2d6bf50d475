"""Sharing: one room on several servers. What is asked has its place where all of them read it.

Each server writes what it is asked into the ledger, and applies what it reads there, its own and
that of others, in one order and at the time at which it was written. So the rooms of all are one.

One task reads, one writes, one renews the lease, one keeps snapshots, for as long as the ledger can
be reached. When it cannot, all begin again; what was written, but not read, is written once more,
and is applied once. What becomes of a ledger that has lost something is told in `mending`.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from secrets import token_hex

import trio

from triochat.away import CUT_OFF
from triochat.entries import Founded, gives_up
from triochat.gathering import Gathering
from triochat.hub import Hub
from triochat.leases import TICK, look_for_twin, renew
from triochat.ledger import (
    DAMAGED,
    START,
    Access,
    Entry,
    GapError,
    Ledger,
    LedgerError,
    LostError,
    Position,
    Standing,
)
from triochat.mending import mend, take_over
from triochat.order import HOUSE, Asked, ServerCame, ServerGone
from triochat.pace import BREATH
from triochat.replica import Replica, read_batch, read_entry
from triochat.telling import Seated

log = logging.getLogger(__name__)

SNAPSHOT = 60.0, 10_000
"""Seconds, and entries, after which a snapshot is taken; a longer one counts by the KiB."""

FORGOTTEN = 30.0
"""Seconds after which what was written, and nobody has read, is written again."""

PIECE, PIECES = 1 << 20, 64
"""So many bytes of entries, so many times, are kept at most: or a flood could fill the ledger."""

KEPT = 60.0
"""Seconds for which entries are kept at least, for servers that are slow."""

PAUSES = 0.05, 0.1, 0.2, 0.5, 1.0
"""Seconds between two tries to reach the ledger; the last one for ever after."""

STOPPED = "its server stopped"
"""Why those have left who were here when the server stopped."""

LOST = (
    "{} has lost what was written last; the room goes on from what its servers know"
    " (to have it keep everything: appendonly yes, appendfsync always)"
)
"""What operators are told."""


class Sharing:
    """The order of one server that shares a room.

    Args:
        ledger: where it is shared.
        name: what this server is called; no other has that name.
        replica: the room, as this server knows it.

    Attributes:
        where: what operators know the ledger by.
        name: what this server is called.
        lost_since: since when the ledger cannot be reached, on trio's clock; None while it can.
        problem: why, in words for operators.
    """

    def __init__(self, ledger: Ledger, name: str, replica: Replica) -> None:
        self.where, self.name = ledger.where, name
        self.lost_since: float | None = None
        self.problem = ""
        self._ledger = ledger
        self._replica = replica
        self._room = replica.room
        self._kept = max(KEPT, replica.room.hold)  # for so long
        self._incarnation = token_hex(4)
        self._gathering = Gathering(replica.room, self._incarnation)
        self._run = ""  # of the ledger
        self._unsaved = 0  # entries since the last snapshot
        self._size = 0  # bytes of entries since the last of ...
        self._pieces: deque[Position] = deque(maxlen=PIECES)  # ... these, which are one long
        self._saved = trio.current_time()
        self._waits_since: float | None = None  # what was written, and nothing was read since
        self._wake = trio.Event()
        self._here = trio.Event()
        self._has_started = False
        self._is_leaving = False
        self._left = trio.Event()

    def __call__(self, asked: Asked) -> Sequence[Asked]:
        """The order: see `order.Order`."""
        placed = self._gathering.take(asked)
        if not placed:
            self._wake.set()
        return placed

    @property
    def stuck_since(self) -> float | None:
        """Since when what is asked waits in vain, on trio's clock; None while it does not."""
        return self._waits_since if self.lost_since is None else self.lost_since

    # ---- coming in

    async def begin(self) -> None:
        """Take over the room as the others have it; if there is none, share it as it is here.

        Raises:
            ValueError: it may not be shared from here; with a sentence.
            LedgerError: it cannot be, for now.
        """
        async with self._ledger.open() as access:
            await look_for_twin(access, self.name)
            has_failed = False
            while (kept := await access.load()) is None or await access.last() is None:
                if kept:
                    self._replica.load(*kept)
                    self._replica.go_on()
                elif has_failed:
                    raise LedgerError(DAMAGED)
                first, snapshot, _ = self._replica.founding(self._incarnation)
                has_failed = not await access.found(first, snapshot)
            await take_over(access, self._replica, self._incarnation, kept)

    # ---- being there

    async def run(
        self, hub: Hub, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Share what this hub is asked, until it has left. Started when it knows the room.

        Raises:
            ValueError: this server cannot go on; with a sentence.
        """
        self._hub = hub
        self._keep_seats()
        self._announce()
        tries = 0
        while not self._left.is_set():
            failure = await self._try(task_status)
            if failure is None:
                continue
            if self.lost_since is None:
                self.lost_since, tries = trio.current_time(), 0
                log.warning("cannot reach the other servers: %s", failure)
            self.problem = str(failure)
            await trio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1

    async def _try(self, task_status: trio.TaskStatus[None]) -> LedgerError | None:
        """Share, as long as the ledger can be reached; what went wrong, if anything did."""
        has_opened = False
        try:
            async with self._ledger.open() as access:
                has_opened = True
                await access.sign(self.name, self._incarnation, ())
                await self._compare(access)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, access)
                    nursery.start_soon(self._write, access)
                    nursery.start_soon(renew, access, self.name, self._hub)
                    nursery.start_soon(self._save, access)
                    await self._here.wait()
                    if not self._has_started:
                        self._has_started = True
                        task_status.started()
                    await self._left.wait()
                    nursery.cancel_scope.cancel()
                await access.resign(self.name, self._incarnation)
        except* (LedgerError, ValueError) as errors:
            failure = _first(errors)
        else:
            return None
        if isinstance(failure, LedgerError):
            return failure
        if not has_opened:  # whoever set it up otherwise may do so once more
            return LedgerError(str(failure))
        raise failure

    def leave(self) -> None:
        """Share nothing more than what was asked until now."""
        self._is_leaving = True
        self._gathering.take(Asked(HOUSE, (ServerGone(self._incarnation, STOPPED),), 0))
        self._wake.set()

    def _keep_seats(self) -> None:
        """Have the history know those of all servers."""
        self._hub.tell([Seated(seat) for seat in self._room.seats.values()])

    def _announce(self) -> None:
        self._hub.incarnation = self._incarnation
        self._here = trio.Event()
        self._hub.ask(HOUSE, (ServerCame(self.name, self._incarnation),))

    async def _write(self, access: Access) -> None:
        """Write what is asked, a batch at a time; first what may not have been written before."""
        self._waits_since = trio.current_time() if self._gathering.unread() else None
        for data in self._gathering.unread():
            await access.add(data)
        while True:
            while (batch := self._gathering.next_batch()) is not None:
                self._waits_since = self._waits_since or trio.current_time()
                await access.add(batch)
            if self._is_leaving:
                self._left.set()
            self._wake = trio.Event()
            await self._wake.wait()

    async def _read(self, access: Access) -> None:
        """Apply what is written, by whomever."""
        since = time.perf_counter()
        while True:
            try:
                entries = await access.read(self._replica.reached.position)
            except GapError:
                await self._cross(access)
                continue
            for entry in entries:
                if self._hub.is_closed:
                    return  # nothing is applied any more
                self._take(entry)
                if time.perf_counter() - since > BREATH:  # others have their turn
                    await trio.lowlevel.checkpoint()
                    since = time.perf_counter()
            if self._waits_since and trio.current_time() - self._waits_since > FORGOTTEN:
                raise LedgerError(f"{self.where} has forgotten what was written")
            if self.lost_since is not None and not self._gathering.unread():
                self.lost_since = None
                log.warning("the other servers are reached again")

    def _take(self, entry: Entry) -> None:
        read = read_batch(entry)
        if self._room.servers.take(read.incarnation, read.number):
            if gives_up(read, self._incarnation):
                self._hub.name_unheard()  # before they are told to go
            self._hub.apply(self._gathering.read(read, entry.position.time / 1000))
            if read.incarnation == self._incarnation:
                self._waits_since = trio.current_time() if self._gathering.unread() else None
        self._replica.reached = self._replica.reached.then(entry.position)
        self._unsaved += 1 + (len(entry.data) >> 10)
        self._size += len(entry.data)
        if self._size >= PIECE:
            self._size = 0
            self._pieces.append(entry.position)
        if self._incarnation in self._room.servers:
            self._here.set()
        elif self._here.is_set() and not self._is_leaving:
            log.warning("the other servers have given this one up; it comes again")
            self._come_again()

    async def _save(self, access: Access) -> None:
        """Keep a snapshot in time, if it is for this server, and no entries that nobody needs.

        It is a task of its own, since a history may be slow.
        """
        seconds, most = SNAPSHOT
        while True:
            is_mine = await access.take_duty(self._incarnation)
            is_time = trio.current_time() - self._saved >= seconds
            if is_mine and self._unsaved >= (1 if is_time else most):
                self._unsaved, self._saved = 0, trio.current_time()
                position, snapshot = await self._hub.look(self._replica.dump)
                floor = self._pieces[0] if len(self._pieces) == PIECES else START
                keep = max(floor, Position(position.time - int(1000 * self._kept)))
                await access.save(snapshot, position, keep)
            await trio.sleep(TICK)

    # ---- when something is missing

    async def _compare(self, access: Access) -> None:
        """Find out whether all is still there that was read; if not, see that it is mended."""
        standing = await access.standing(self._replica.reached.position)
        if self._run not in ("", access.run) or standing is not Standing.KEPT:
            await mend(access, self.name, self._replica, partial(self._found, access))
        self._run = access.run

    async def _found(self, access: Access) -> bool:
        """Begin the entries anew from what is known here, if it is for this server to do so."""
        if not await access.take_lead(self._incarnation):
            return False
        founding = partial(self._replica.founding, self._incarnation)
        has_founded = await access.found(*await self._hub.look(founding))
        if has_founded:
            self._hub.alert(LOST.format(self._ledger.where))
        return has_founded

    async def _cross(self, access: Access) -> None:
        """Go on where what comes next cannot be read: this machine may have been asleep.

        Or the entries begin anew, from what another server knew, or this one.
        """
        [first, *_] = await access.read(START)
        founded, reached = read_entry(first), self._replica.reached
        if isinstance(founded, Founded) and founded.former == reached.position:
            self._replica.reached = reached.then(first.position)
        elif isinstance(founded, Founded) and founded.entries < reached.entries:
            raise LostError(f"{self._ledger.where} has lost what was written")
        else:
            await self._reload(access)

    async def _reload(self, access: Access) -> None:
        """Go on from the newest snapshot: what was missed is in it, and told to who comes back."""
        kept = await access.load()
        if kept is None:
            raise LostError(f"{self._ledger.where} has lost the room")
        if await access.standing(kept[0]) is not Standing.KEPT:
            await access.resign(self.name, self._incarnation)  # the duty is for who can read
            raise LedgerError(DAMAGED)
        await self._hub.look(lambda: None)  # what was told until now is not what comes next
        self._replica.load(*kept)
        self._replica.go_on()
        self._keep_seats()
        self._hub.fan_out.told = self._room.last_id
        log.warning("this server goes on from what the others know; it comes again")
        self._come_again()

    def _come_again(self) -> None:
        """Who was here is away, and asks again what has no answer: of some of it others know."""
        self._incarnation = token_hex(4)
        self._gathering = Gathering(self._room, self._incarnation)
        self._waits_since = None
        self._hub.let_go(CUT_OFF)
        self._announce()


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    """One of those that went wrong together."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
