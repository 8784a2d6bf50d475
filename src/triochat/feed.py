"""The feed: order, room, history, fan-out, in this order. All that a room does goes through here.

What a peer asks for gets its place from the *order*; the *room* makes of it what is told; the
*history* keeps this, before anybody sees it; the *fan-out* tells it. What is asked in one pass of
trio's scheduler becomes one batch, and `Pace` says when it is told, and in whose task. Where a
station has to be waited for, that is done in the feed's task; what is asked meanwhile gathers.

Who may be held back, and by what: a talker waits for its share when the batch of this pass is full
(`shares`), and all share what a reader can take while one is far behind (`backlog`). Readers are
never waited for here; who falls too far behind is evicted (see `outbox`).
"""

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, filterfalse
from typing import TypeVar

import trio

from triochat.backlog import Backlog
from triochat.counts import Counts
from triochat.fanout import FanOut
from triochat.history import History
from triochat.order import HOUSE, AnyRequest, Asked, Order, Peer, Settle, arrival
from triochat.pace import CROWD, MOMENT, Pace
from triochat.room import Room
from triochat.shares import Shares
from triochat.telling import Follows, Telling, Told, Unfollows

_T = TypeVar("_T")


class Feed:
    """What leads from what is asked to what is told.

    Args:
        room: what it means.
        history: keeps what is told; in memory, if left out.
        order: gives what is asked its place.
        clock: the time in seconds since the epoch, UTC.

    Attributes:
        history: keeps what was told.
        fan_out: who is told.
        backlog: who is far behind.
        counts: what has happened until now.
        is_closed: the last words were said; nobody is heard any more.
    """

    def __init__(
        self,
        room: Room,
        history: History | None = None,
        *,
        order: Order = arrival,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.room = room
        self.counts = Counts()
        self.history = history or History(hold=room.hold, clock=clock)
        self.fan_out = FanOut(self.counts, self.history)
        self.fan_out.name_of = lambda peer: room.members.get(peer, "")
        self.backlog = Backlog()
        self.is_closed = False
        self._order = order
        self.room.last_id = max(self.room.last_id, self.history.last_id)
        self.fan_out.told = self.room.last_id
        self._clock = clock
        self._ahead = -math.inf  # a shared order's clock, of trio's
        self._pace = Pace()
        self._batch: list[Telling] = []
        self._shares = Shares()
        self._claimed = 0  # how much may be asked, or was, since the last one was taken
        self._can_wait = True  # nothing in it need be told now, but for what is one peer's alone
        self._waiting = 0  # so many at its beginning wait
        self._due = math.inf  # and until when
        self._settles = False
        self._failure: Exception | None = None  # what went wrong in a session's task
        self._wake = trio.Event()
        self._unplaced: dict[Peer, _Unplaced] = {}
        self._looks: list[Callable[[], object]] = []
        self._ruled = trio.lowlevel.ParkingLot()
        self._ruling = room.rulings.version

    # ---- what sessions call

    def claim(self, wanted: int) -> int:
        """How many of so many requests may be asked for this batch; 0 where it is full."""
        left = self._pace.capacity - self._claimed  # which may have become less than nothing
        count = wanted if self.is_closed else max(0, min(wanted, left))
        self._claimed += count
        return count

    async def wait_share(self, wanted: int) -> int:
        """Wait until some of so many requests may be asked, when none may now; how many."""
        self._wake.set()
        return await self._shares.wait(wanted)

    def ask(self, peer: Peer, requests: Sequence[AnyRequest]) -> Sequence[Telling]:
        """Let a peer ask for this.

        Nobody is told before `flush`, which must follow before the session waits for more.

        Returns:
            What that leads to, as far as it is known at once; else see `ask_in_place`.
        """
        if self.is_closed:
            return ()
        placed = self._order(Asked(peer, requests, self._clock()))
        if not placed:
            self._unplaced.setdefault(peer, _Unplaced()).asked.append(requests)
            return ()
        if unplaced := self._unplaced.pop(peer, None):
            unplaced.done.set()  # what it has asked before has its place with this, or needs none
        told: Sequence[Telling] = ()
        for asked in placed:
            led_to = self._apply(asked)
            told = led_to if asked.peer == peer else told
        return told

    @property
    def now(self) -> float:
        """What time it is in the room, in seconds since the epoch; rather too late than too early.

        Servers that share an order go by its clock, and not by their own.
        """
        return self._clock() if self._ahead == -math.inf else trio.current_time() + self._ahead

    def is_unplaced(self, peer: Peer) -> bool:
        """Whether something that this peer has asked for has no place yet."""
        return peer in self._unplaced

    def unplaced(self, peer: Peer) -> list[AnyRequest]:
        """What this peer has asked for, and has no place yet."""
        unplaced = self._unplaced.get(peer)
        return [*chain.from_iterable(unplaced.asked)] if unplaced else []

    async def ask_in_place(self, peer: Peer, requests: Sequence[AnyRequest]) -> Sequence[Telling]:
        """As `ask` and `flush`; returns when it is known what all that leads to.

        So who speaks is held back where the order takes its time: it is not read meanwhile.
        """
        told = self.ask(peer, requests)
        self.flush()
        if unplaced := self._unplaced.get(peer):
            await unplaced.done.wait()
            return unplaced.told
        return told

    def apply(self, placed: Sequence[Asked]) -> None:
        """What an order could not place at once has its place now: next after all before it.

        What is placed together is placed so on each server that shares the order. Each `Asked` that
        the order has taken is to be given back once.
        """
        for asked in placed:
            self._ahead = max(self._ahead, asked.now - trio.current_time())
            told = self._apply(asked)
            if unplaced := self._unplaced.get(asked.peer):
                unplaced.told += told
                unplaced.asked.popleft()
                if not unplaced.asked:
                    del self._unplaced[asked.peer]
                    unplaced.done.set()
        if self.room.is_unsettled:
            self._apply(Asked(HOUSE, (Settle(),), self.room.now))
        self.flush()

    def abandon_unplaced(self) -> None:
        """What has no place yet will have none."""
        unplaced, self._unplaced = self._unplaced, {}
        for each in unplaced.values():
            each.done.set()

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Tell this to who is connected here, after all that was told until now.

        The room does not know of it, nor do other servers that share it.
        """
        self._batch += tellings
        self._can_wait = False
        self.flush()

    def _apply(self, asked: Asked) -> Sequence[Telling]:
        if self.is_closed:
            return ()
        told = self.room.apply(asked)
        self._batch += told
        if self._can_wait:
            self._can_wait = len(self.room.members) > CROWD and not any(map(_presses, told))
        return told

    def flush(self) -> None:
        """All was asked that was heard at once; tell it, now or with what others say."""
        if not self._batch:
            return
        if self._wake.is_set():
            self._pace.voices += 1
            return
        if not (self.history.is_instant and self._pace.may_tell(self.counts.passes)):
            self._wake.set()
            return
        try:
            batch = self._take()
            self.history.keep(batch)
            self._tell(batch)
        except Exception as error:  # noqa: BLE001  not lost: `run` raises it, and ends the room
            self._failure = error
            self._wake.set()

    # ---- what the server calls

    async def look(self, see: Callable[[], _T]) -> _T:
        """What this sees at a moment at which the history has all that the room has said."""
        seen: list[_T] = []
        done = trio.Event()

        def look() -> None:
            seen.append(see())
            done.set()

        self._looks.append(look)
        self._can_wait = False
        self._wake.set()
        await done.wait()
        return seen[0]

    def finish(self, last_words: Sequence[Telling]) -> None:
        """Tell this after all that was asked until now, and hear nobody any more."""
        self._batch += last_words
        self._can_wait = False
        self.is_closed = True
        self.abandon_unplaced()
        self._wake.set()

    async def wait_ruling(self, version: int) -> None:
        """Return when operators have decided more than in this version of it."""
        while self.room.rulings.version == version:
            await self._ruled.park()

    async def run(self) -> None:
        """Tell what is asked, until it is finished and the last batch is out.

        Raises:
            Exception: the history's, or a bug's; then the batch is lost, and the room must end.
        """
        trio.lowlevel.add_instrument(self.counts)
        try:
            while not self.is_closed or self._batch:
                with trio.move_on_at(self._due):
                    await self._wake.wait()
                if self._failure is not None:
                    raise self._failure
                await self._gather()
                self._wake = trio.Event()
                self._pace.begin()
                batch = self._take()
                kept = self.history.keep(batch) if batch else None
                looks, self._looks = self._looks, []
                for look in looks:
                    look()
                if kept:  # others speak meanwhile
                    self._claimed = self._shares.give(self._pace.capacity)
                    await kept
                self._tell(batch)
                if not kept:  # now it is known how long messages are
                    self._claimed = self._shares.give(self._pace.capacity)
        finally:
            self._shares.give(sys.maxsize)  # nobody is heard any more, and nobody need wait
            trio.lowlevel.remove_instrument(self.counts)

    async def _gather(self) -> None:
        """Wait while each pass brings more to tell, at most as long as the last batch took."""
        until = time.perf_counter() + self._pace.breath if self._pace.breath else 0.0
        size = 0
        while size < len(self._batch) and time.perf_counter() < until:
            if self._claimed >= self._pace.capacity:
                return
            size = len(self._batch)
            await trio.lowlevel.checkpoint()

    def _take(self) -> list[Telling]:
        """What is to be told now; the rest stays."""
        if self.room.is_unsettled and not self._settles:
            self.ask(HOUSE, (Settle(),))
        self._settles = self.room.is_unsettled  # it was asked, and has no place yet
        self.counts.lines += self._claimed
        self._claimed = 0
        now = trio.current_time() if self._can_wait else math.inf
        if now < self._due:
            new = self._batch[self._waiting :]
            self._batch[self._waiting :] = filter(_waits, new)
            self._waiting = len(self._batch)
            if self._waiting and self._due == math.inf:
                self._due = now + MOMENT
                self._wake.set()  # for the feed's task to know how long to wait
            return [*filterfalse(_waits, new)]
        batch, self._batch = self._batch, []
        self._can_wait, self._waiting, self._due = True, 0, math.inf
        return batch

    def _tell(self, batch: list[Telling]) -> None:
        if batch:
            start = time.perf_counter()
            size = self.fan_out.send(batch)
            now = time.perf_counter()
            self._pace.end(size, now - start)
            self.counts.look(now)
            if self.room.rulings.version != self._ruling:
                self._ruling = self.room.rulings.version
                self._ruled.unpark_all()


class _Unplaced:
    """What one peer has asked for, and has no place yet.

    Attributes:
        asked: what, each time, in order.
        told: what that has led to.
        done: all of it has its place.
    """

    __slots__ = ("asked", "done", "told")

    def __init__(self) -> None:
        self.asked: deque[Sequence[AnyRequest]] = deque()
        self.told: list[Telling] = []
        self.done = trio.Event()


def _waits(telling: Telling) -> bool:
    """Whether this may be told later in a large room: it is about who comes and goes."""
    return telling.can_wait if type(telling) is Told else type(telling) in (Follows, Unfollows)


def _presses(telling: Telling) -> bool:
    """Whether all must be told with this: it has its place among what everybody is told."""
    if type(telling) is not Told or _waits(telling):
        return False
    return telling.to is None or getattr(telling.events[0], "id", 0) > 0
