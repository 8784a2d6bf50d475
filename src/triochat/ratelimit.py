"""How much one peer may ask: a burst at once, then a steady rate. Pure; the caller has the clock.

A token bucket: it holds `burst` tokens, `rate` come back each second, every line costs some. It
never refuses, it says how long the peer must wait for what it has taken beyond its tokens.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from triochat.messages import Pong, Refused, Roster, Who
from triochat.order import AnyRequest, Typed
from triochat.telling import Telling, Told

BURST = 200.0
"""Lines that a member may send at once: a long paste."""

RATE = 20.0
"""Lines a second that it may send after that, however the readers are doing."""

STRANGERS = 200
"""Connections that have not joined."""

REFUSED = 1.0
"""What a refusal costs, beside its line. (What is said has a price by itself: all hear it.)"""

PING = 0.1
"""What a ping costs: whoever asks whether we are there has to know."""

NAMES = 32
"""So many names in an answer cost as much as a line."""

_HOSTS = 1000  # with more of them all are looked through for what need not be kept
_ASKS_NAMES = re.compile(r"\s*(\?\s*\Z|[\\/]who\b)", re.IGNORECASE)


class Limits(NamedTuple):
    """What anybody may have of a server.

    Attributes:
        burst: lines that a member may send at once.
        rate: lines a second after that; 0 for as many as the readers take.
        strangers: connections that have not joined; for one more the oldest of the address that
            has most is closed.
    """

    burst: float = BURST
    rate: float = RATE
    strangers: int = STRANGERS


class TokenBucket:
    """The tokens of one peer. Times are in seconds, of any clock that does not go back."""

    __slots__ = ("_burst", "_rate", "_then", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._then = 0.0

    def left(self, now: float) -> float:
        """How many tokens there are, or, below 0, how many are owed."""
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate)
        self._then = now
        return self._tokens

    def is_full(self, now: float) -> bool:
        """Whether there are as many tokens as there can be."""
        return self.left(now) >= self._burst

    def spend(self, tokens: float, now: float) -> float:
        """Take tokens, and say how many seconds from now they will all have come back.

        The debt is bounded by a burst, so that nobody waits longer than that takes.
        """
        self._tokens = max(self.left(now) - tokens, -self._burst)
        return 0.0 if self._tokens >= 0 else -self._tokens / self._rate


class Buckets:
    """The tokens of members, and of those who have just left.

    Who leaves and comes back has the tokens that it had, or that another of its host had: to
    connect again is no way to a new burst.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left: dict[str, deque[TokenBucket]] = {}  # in the order in which they left

    def take(self, host: str) -> TokenBucket | None:
        """The tokens of a new member, who comes from this host; None if it needs none."""
        if not self._limits.rate:
            return None
        left = self._left.get(host)
        return left.pop() if left else TokenBucket(self._limits.rate, self._limits.burst)

    def give_back(self, host: str, bucket: TokenBucket | None, now: float) -> None:
        """A member from this host has left. Nothing is kept of those who could have a burst."""
        if bucket is None:
            return
        self._left.setdefault(host, deque()).append(bucket)
        for one in (host,) if len(self._left) <= _HOSTS else tuple(self._left):
            left = self._left[one]
            while left and left[0].is_full(now):
                left.popleft()
            if not left:
                del self._left[one]


def portion(requests: Sequence[AnyRequest]) -> int:
    """How many of these may be asked together in a large room.

    Who is there is asked alone: what one is told for one chunk must not be more than one's
    connection takes.
    """
    for count, request in enumerate(requests):
        if type(request) is Who or (type(request) is Typed and _ASKS_NAMES.match(request.line)):
            return count or 1
    return len(requests)


def price(count: int, told: Iterable[Telling]) -> float:
    """What so many lines cost that led to this."""
    cost = float(count)
    for telling in told:
        if type(telling) is Told and telling.to is not None:
            event = telling.events[0]
            if isinstance(event, Refused):
                cost += REFUSED
            elif isinstance(event, Roster):
                cost += len(event.handles) / NAMES
            elif isinstance(event, Pong):
                cost += PING - 1
    return cost
