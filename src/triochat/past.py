"""The past: what a peer is told of what was, before it follows, or follows again.

Whoever joins, or has come back, catches up: it is told page by page, as fast as it reads, what the
history keeps, until there is nothing left that others know. What it reads back takes its place in
the same way. What it alone is told meanwhile waits here for its place.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import trio

from triochat.history import History
from triochat.link import Link
from triochat.messages import Event, Recall, Recalled, Said
from triochat.telling import Ends, Follows

PAGE = 400
"""Events that are taken from the history at once."""

WAITING = 1000
"""What waits here at most for one peer; who is told more by then has fallen behind."""

ANSWER = 1 << 18
"""Bytes of messages that are recalled at once, about; what a peer has not taken is bounded."""

_AROUND = 200  # bytes of a message beside its text

Own: TypeAlias = "Sequence[Event] | bytes | Recall | Ends"
"""What is for one peer alone."""


class Past:
    """What one peer is to be told before it follows.

    Args:
        link: its connection.
        history: where that is kept.
        told: says what the newest id is that anybody was told.
        follows: from where on, and what before that.
        turns: all who are told the past take these, or many together would hold up the room.
    """

    def __init__(
        self,
        link: Link,
        history: History,
        told: Callable[[], int],
        follows: Follows,
        turns: trio.StrictFIFOLock,
    ) -> None:
        self._link = link
        self._history = history
        self._told = told
        self._follows = follows
        self._turns = turns
        self._here = told()  # from here on what is for it alone waits here
        self._last = self._here if follows.since is None else follows.since
        self._until = math.inf  # it follows no more what comes after
        self._waiting: deque[tuple[int, Own]] = deque()

    def end(self) -> None:
        """From here on it follows no more, as it would if it did."""
        self._until = min(self._until, self._told())

    def _newest(self) -> int:
        """The newest id of what it is told here, as far as that has been told to others."""
        return int(min(self._told(), self._until))

    def defer(self, own: Own) -> None:
        """Tell this peer alone this, in its place: after all that is told until now."""
        self._waiting.append((self._newest(), own))
        if isinstance(own, Ends):
            self._link.outbox.linger()
        elif len(self._waiting) > WAITING:
            self._link.outbox.evict("fell behind")

    def begin(self, name: Callable[[], str], follow: Callable[[], object]) -> None:
        """Tell the peer all this, in a task of its session; then have it follow.

        Args:
            name: says which handle it has.
            follow: has it do so; not called if it is to follow no more by then.
        """
        self._link.past = self
        self._link.start(partial(self._catch_up, name, follow))

    async def _catch_up(self, name: Callable[[], str], follow: Callable[[], object]) -> None:
        is_following = await self._tell(name)
        self._link.past = None
        if is_following:
            follow()

    async def _tell(self, name: Callable[[], str]) -> bool:
        """Tell all this; whether the peer is to follow now, at once."""
        link, history = self._link, self._history
        await trio.lowlevel.checkpoint()
        if self._follows.count:
            found = await history.recall(Recall(self._follows.count), self._last)
            async with self._turns:
                if recent := fitting(found).messages:
                    link.put(link.speaker.tell_past(recent, name()))
        while not self._is_done:
            if self._waiting and self._waiting[0][0] <= self._last:
                _, own = self._waiting.popleft()
                if isinstance(own, Ends):
                    link.close(own.reason)
                    return False
                if isinstance(own, Recall):
                    found = await history.recall(own, self._last)
                    async with self._turns:
                        link.tell([fitting(found)], name())
                elif isinstance(own, bytes):
                    link.outbox.put(own)
                else:
                    link.tell([*own], name())
            else:
                async with self._turns:
                    await self._tell_page(name())
                    if self._is_done:  # before others say more, or it would never be
                        break
            await link.outbox.wait_sent()
        return self._until == math.inf

    @property
    def _is_done(self) -> bool:
        """Whether it has been told all that others have been told by now."""
        return not self._waiting and self._last >= self._newest()

    async def _tell_page(self, me: str) -> None:
        """Tell what comes next of what others were told, as far as nothing has its place before."""
        upto = self._waiting[0][0] if self._waiting else self._newest()
        key = ""
        if self._last < self._here:
            key, upto = self._follows.seat, min(upto, self._here)
        page = await self._history.missed(key, self._last, upto, PAGE)
        if self._until == math.inf and not self._history.reaches(key, self._last):
            self._link.outbox.evict("fell behind")  # some of it is not kept any more
            return
        self._last = upto if len(page) < PAGE else page[-1].id  # type: ignore[union-attr]
        but = self._follows.but
        events = [event for event in page if getattr(event, "id", 0) not in but]
        if not self._link.speaker.dialect.echoes:
            events = [one for one in events if type(one) is not Said or one.handle != me]
        if events:
            self._link.tell(events, me)


def fitting(found: Recalled) -> Recalled:
    """The newest of these that can be told at once, however long they are."""
    left = ANSWER
    for count, said in enumerate(reversed(found.messages)):
        left -= _AROUND + len(said.text.encode())
        if left < 0:
            return Recalled(found.messages[-count:], more=True)
    return found
