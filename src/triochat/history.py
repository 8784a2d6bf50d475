"""History: the third station of the feed. What the room tells is kept here before anybody sees it.

The feed gives each batch to `keep`, awaits that where the history is not instant, and only then
lets anybody be told. What can be missed (it has an id) is kept for who comes back, what was said to
all is kept to be read again. What somebody alone was told is kept only as long as its seat may miss
it, and found by nobody else.
"""

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice

import trio
from msgspec import Struct

from triochat.finding import RECALLED, Wanted, sought
from triochat.messages import Event, Recall, Recalled, Said
from triochat.order import HOUSE, Peer
from triochat.seats import HOLD, Seat
from triochat.telling import Forgets, Seated, Telling, Told, Vacated

KEPT = 1000
"""Messages that are kept to be read again."""

TAIL = 10_000
"""Events for all that are kept for who comes back."""

PIECE = 20
"""Messages that are looked at without a pause, where words are wanted."""

OWN = 500
"""Events for one seat alone that are kept for it."""

ALONE = 10_000
"""The same for all seats together in a tail, where each has its newest."""

UNSEEN = 150.0
"""Seconds after which what was sent has arrived, or the system has noticed that it has not."""


class Alone(Struct, frozen=True):
    """What one seat alone was told.

    Attributes:
        key: of the seat.
        peer: who sits there.
        floor: what has an id of at most this may be missing.
        events: what it was told, and when that was kept, in seconds since the epoch.
    """

    key: str
    peer: Peer
    floor: int
    events: tuple[tuple[float, Event], ...]


class Tail(Struct, frozen=True):
    """The newest of a history, for another server to go on with. Equal histories have equal ones.

    Attributes:
        last: the newest id that was given to anything.
        said: the newest messages.
        said_floor: messages with an id of at most this may be missing there.
        events: what all were told last.
        floor: what has an id of at most this may be missing there.
        removed: what was removed last, each after the newest id of that time: an id; or, with a
            handle, all up to this id that was said under it.
        alone: what each seat alone was told, by their keys.
    """

    last: int
    said: tuple[Said, ...]
    said_floor: int
    events: tuple[Event, ...]
    floor: int
    removed: tuple[tuple[int, int, str], ...]
    alone: tuple[Alone, ...]


class History:
    """The newest events, in memory. Another history is a subclass, with methods of its own.

    Args:
        kept: so many messages can be read again.
        hold: seconds for which a seat may be away.
        clock: the time in seconds since the epoch.

    Attributes:
        is_instant: `keep` has kept the batch when it returns, and returns nothing to wait for.
        last_id: the newest id that was given to anything.
        seats: those that were kept before, for the room to go on with.
    """

    is_instant = True
    last_id = 0
    seats: Sequence[Seat] = ()

    def __init__(
        self, kept: int = KEPT, *, hold: float = HOLD, clock: Callable[[], float] = time.time
    ) -> None:
        self._hold = hold
        self._clock = clock
        self._kept = kept
        self._said: deque[Said] = deque()
        self._said_floor = 0  # messages with an id of at most this may have been forgotten
        self._events: deque[Event] = deque()
        self._floor = 0  # the same of what all were told
        self._removed: deque[tuple[int, int, str]] = deque(maxlen=TAIL)
        self._keys: dict[Peer, str] = {}
        self._own: dict[str, _Own] = {}

    # ---- keeping

    def keep(self, batch: Sequence[Telling]) -> Awaitable[None] | None:
        """Keep what of this batch is to be kept; it is when what is returned has been awaited."""
        for telling in batch:
            match telling:
                case Told():
                    self._keep(telling)
                case Seated(seat=seat):
                    self._seat(seat)
                case Vacated(key=key):
                    self._vacate(key)
                case Forgets(ids=ids, handle=handle):
                    self._forget({*ids}, handle)
        return None

    def _keep(self, told: Told) -> None:
        events = told.events
        if not (newest := _id(events[-1])):
            return  # it cannot be missed
        self.last_id = newest
        if told.to is None:
            self._events += events
            while len(self._events) > TAIL:
                self._floor = _id(self._events.popleft())
            if type(events[0]) is Said:
                self._said += events  # type: ignore[arg-type]
                while len(self._said) > self._kept:
                    self._said_floor = self._said.popleft().id
        else:
            for peer in told.to:
                if key := self._keys.get(peer):
                    own, now = self._own[key], self._clock()
                    own.forget(now - self._hold - UNSEEN)
                    own.keep(now, events)

    def _seat(self, seat: Seat) -> None:
        own = self._own.setdefault(seat.key, _Own())
        if own.peer != seat.peer:
            self._keys.pop(own.peer, None)
            self._keys[seat.peer] = seat.key
            own.peer = seat.peer

    def _vacate(self, key: str) -> None:
        if own := self._own.pop(key, None):
            self._keys.pop(own.peer, None)

    def _forget(self, ids: set[int], handle: str) -> None:
        self._removed += ((self.last_id, number, "") for number in sorted(ids))
        if handle:
            self._removed.append((self.last_id, max(ids), handle))
        self._said = deque(one for one in self._said if one.id not in ids)
        self._events = deque(one for one in self._events if _id(one) not in ids)
        sought.cache_clear()  # which knows their words

    # ---- going on elsewhere

    def tail(self) -> Tail:
        """The newest of it, for another server; nothing in it changes later."""
        counts = [own.count for own in self._own.values() if own.count]
        most = OWN if sum(counts) <= ALONE else ALONE // len(counts)
        return Tail(
            self.last_id,
            (*self._said,),
            self._said_floor,
            (*self._events,),
            self._floor,
            (*self._removed,),
            tuple(own.tail(key, most) for key, own in sorted(self._own.items())),
        )

    def adopt(self, tail: Tail) -> None:
        """Go on as the history that this is the tail of, and forget what is here."""
        self.last_id = tail.last
        self._said, self._said_floor = deque(tail.said), tail.said_floor
        self._events, self._floor = deque(tail.events), tail.floor
        self._removed = deque(tail.removed, TAIL)
        self._own = {one.key: _Own(one.peer, one.floor, one.events) for one in tail.alone}
        self._keys = {one.peer: one.key for one in tail.alone}

    # ---- reading

    def reaches(self, key: str, after: int) -> bool:
        """Whether all is still here that who has this seat may have missed after this id.

        Where the key is empty: that others may have missed.
        """
        own = self._own.get(key)
        return (own is not None or not key) and max(own.floor if own else 0, self._floor) <= after

    async def missed(self, key: str, after: int, upto: int, count: int) -> Sequence[Event]:
        """What all, and this seat alone, were told after the one id, and up to the other.

        Args:
            key: of the seat; empty if that has nothing of its own.
            after: what has an id of at most this is not wanted.
            upto: nor is what has a greater one than this, which may not have been told yet.
            count: the most events that are wanted.

        Returns:
            The oldest of these, by their ids; fewer than ``count`` only if that is all.
        """
        own = self._own[key].events() if key in self._own else ()
        events = [
            *_between(self._events, after, upto, count),
            *_between(own, after, upto, count),
        ]
        return sorted(events, key=_id)[:count]

    async def recall(self, asked: Recall, upto: int) -> Recalled:
        """What is asked for, of what was said up to this id."""
        wanted = Wanted.of(asked, self._clock())
        before = upto + 1 if asked.before is None else min(asked.before, upto + 1)
        count = max(0, min(asked.count, RECALLED))
        found: list[Said] = []
        for place, said in enumerate([*reversed(self._said)], 1):
            if place % PIECE == 0 and wanted.words:
                await trio.lowlevel.checkpoint()  # to look at words takes long
            if said.id < before and wanted.matches(said):
                if len(found) == count:
                    return Recalled((*reversed(found),), more=True)
                found.append(said)
        return Recalled((*reversed(found),))

    async def ids_by(self, handle: str) -> Sequence[int]:
        """The ids of all messages that were said under this handle, oldest first."""
        wanted = Wanted.of(Recall(author=handle), 0)
        return [said.id for said in self._said if wanted.matches(said)]

    async def kept(self, ids: Iterable[int]) -> Sequence[int]:
        """Those of these ids that belong to messages which are kept, oldest first."""
        newest = {_id(event) for event in (*self._events, *self._said) if type(event) is Said}
        found = []
        for number in sorted({*ids}):
            if number not in newest:
                messages = (await self.recall(Recall(1), number)).messages
                if not messages or messages[0].id != number:
                    continue
            found.append(number)
        return found


class _Own:
    """What one seat alone was told.

    Attributes:
        peer: who sits there.
        floor: what has an id of at most this may have been forgotten.
    """

    __slots__ = ("_events", "floor", "peer")

    def __init__(
        self,
        peer: Peer = HOUSE,
        floor: int = 0,
        events: Iterable[tuple[float, Event]] = (),
    ) -> None:
        self.peer = peer
        self.floor = floor
        self._events = [*events]  # most have none, and a deque takes 600 bytes

    def keep(self, now: float, events: Sequence[Event]) -> None:
        self._events += [(now, event) for event in events]
        while len(self._events) > OWN:
            self._drop()

    def forget(self, before: float) -> None:
        while self._events and self._events[0][0] < before:
            self._drop()

    def _drop(self) -> None:
        self.floor = _id(self._events.pop(0)[1])

    @property
    def count(self) -> int:
        return len(self._events)

    def tail(self, key: str, most: int) -> Alone:
        first = max(0, self.count - most)
        floor = _id(self._events[first - 1][1]) if first else self.floor
        return Alone(key, self.peer, floor, (*self._events[first:],))

    def events(self) -> list[Event]:
        return [event for _, event in self._events]


def _id(event: Event) -> int:
    number: int = getattr(event, "id", 0)
    return number


def _between(
    events: "deque[Event] | Sequence[Event]", after: int, upto: int, count: int
) -> list[Event]:
    """The first so many between these ids; many who come back at once ask for them."""
    first = bisect_right(events, after, key=_id)
    last = bisect_right(events, upto, lo=first, key=_id)
    return [*islice(events, first, min(last, first + count))]
