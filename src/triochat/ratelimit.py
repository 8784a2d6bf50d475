"""How much one peer may ask: a burst at once, then a steady rate. Pure; the caller has the clock.

A token bucket: it holds `burst` tokens, `rate` come back each second, every line costs some. It
never refuses, it says how long the peer must wait for what it has taken beyond its tokens.
"""

import math
from collections import deque
from typing import NamedTuple

RESERVE = 24
"""Files that are not for connections: listeners, the console, the log, what is kept."""


class Limits(NamedTuple):
    """What anybody may have of a server.

    Attributes:
        burst: lines that a member may send at once: a long paste.
        rate: lines a second after that; 0 for as many as the readers take.
        strangers: connections that have not joined; for one more another is closed (see `lobby`).
        connections: that there may be in all; what comes beyond is let wait.
        idle: seconds after which a member that says nothing is put out.
    """

    burst: float = 200.0
    rate: float = 20.0
    strangers: int = 200
    connections: float = math.inf
    idle: float = math.inf

    def fit(self, files: int) -> "Limits":
        """The same for a process that may open so many files."""
        return self._replace(
            strangers=min(self.strangers, files // 4),
            connections=files - min(RESERVE, files // 2),
        )


STRANGER = (20.0, 4.0)
"""The burst and the rate of who has not joined."""

GUESSES = (20.0, 10.0)
"""The same for all of one host together, where there is a password."""

HOSTS = 4096
"""Hosts of whom it is remembered what they have tried."""
COMINGS = (10.0, 1 / 6)
"""How often somebody may come in at once under one handle, and then a second."""

RETURNS = (100.0, 5.0)
"""How often those of one host may come back of whom others have not heard that they were away: a
class at once, but what each has missed is dear to tell."""


class TokenBucket:
    """The tokens of one peer. Times are in seconds, of any clock; one set back gives none.

    Args:
        burst: tokens at most.
        rate: that come back in a second.
        tokens: that there are ...
        then: ... at this time. If left out, it is full.
    """

    __slots__ = ("_burst", "_rate", "_then", "_tokens")

    def __init__(
        self, burst: float, rate: float, tokens: float = math.inf, then: float = 0.0
    ) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = min(tokens, burst)
        self._then = then

    @property
    def state(self) -> tuple[float, float]:
        """How many tokens there were, and when: what another one is to go on with."""
        return self._tokens, self._then

    def left(self, now: float) -> float:
        """How many tokens there are, or, below 0, how many are owed."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._then) * self._rate)
        self._then = now
        return self._tokens

    def wait(self, now: float) -> float:
        """How many seconds from now there is a token, if none is taken before."""
        return max(0.0, 1.0 - self.left(now)) / self._rate

    def is_full(self, now: float) -> bool:
        """Whether there are as many tokens as there can be."""
        return self.left(now) >= self._burst

    def spend(self, tokens: float, now: float) -> float:
        """Take tokens, and say how many seconds from now all that are owed will have come back."""
        self._tokens = self.left(now) - tokens
        return 0.0 if self._tokens >= 0 else -self._tokens / self._rate


class Buckets:
    """The tokens of members, and of those who have just left.

    Who leaves and comes back has the tokens that it had, or that another of its host had: to
    connect again is no way to a new burst.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left: dict[str, deque[TokenBucket]] = {}
        self._hosts: deque[str] = deque()  # in the order in which they left

    def take(self, host: str) -> TokenBucket | None:
        """The tokens of a new member, who comes from this host; None where there is no limit."""
        if not self._limits.rate:
            return None
        left = self._left.get(host)
        return left.pop() if left else TokenBucket(self._limits.burst, self._limits.rate)

    def give_back(self, host: str, bucket: TokenBucket | None, now: float) -> None:
        """A member from this host has left. Nothing is kept of those who could have a burst."""
        if bucket is None:
            return
        self._left.setdefault(host, deque()).append(bucket)
        self._hosts.append(host)
        for _ in range(_LOOKED_AT):
            if self._hosts and self._forget(self._hosts[0], now):
                self._hosts.popleft()

    def _forget(self, host: str, now: float) -> bool:
        """Whether nothing need be kept of the one who left this host first."""
        left = self._left.get(host)
        if left and left[0].is_full(now):
            left.popleft()
        elif left:
            return False
        if left is not None and not left:
            del self._left[host]
        return True


class Guesses:
    """What strangers have tried, by host, where there is a password: who connects anew is no other.

    The hosts that were heard last are remembered, as many as `HOSTS`.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[TokenBucket, int]] = {}

    def spend(self, host: str, now: float, lines: int = 1) -> float:
        """A stranger from this host has said a line; how many seconds it has to wait, unheard.

        Those of one host wait in the order in which they asked. With ``lines=-1`` one that waited
        is gone, and what it was to pay is not owed.
        """
        tokens, count = self._known(host)
        self._hosts.pop(host, None)  # to be the last again
        self._hosts[host] = tokens, count
        if len(self._hosts) > HOSTS:
            del self._hosts[next(iter(self._hosts))]
        return tokens.spend(lines, now)

    def count_wrong(self, host: str) -> int:
        """A stranger from this host has said a wrong password; how many those were so far."""
        tokens, count = self._known(host)
        self._hosts[host] = tokens, count + 1
        return count + 1

    def _known(self, host: str) -> tuple[TokenBucket, int]:
        return self._hosts.get(host) or (TokenBucket(*GUESSES), 0)


_LOOKED_AT = 3  # of those who left first, whenever one leaves: so there are never many


class Comings:
    """How often somebody from one host has come in under one handle.

    Everybody is told who comes and goes. Whoever does nothing else is let in more slowly, and so
    nothing that happens need be left out of what is told. Those who came last are remembered, as
    many as `HOSTS`.
    """

    def __init__(self, burst: float = COMINGS[0], rate: float = COMINGS[1]) -> None:
        self._burst, self._rate = burst, rate
        self._buckets: dict[tuple[str, str], TokenBucket] = {}  # who came last stands last

    def wait(self, host: str, handle: str, now: float) -> float:
        """How many seconds from now this one may come in, if no other does so before."""
        bucket = self._buckets.get((host, handle))
        return bucket.wait(now) if bucket else 0.0

    def note(self, host: str, handle: str, now: float) -> None:
        """It has come in."""
        who = host, handle
        bucket = self._buckets.pop(who, None) or TokenBucket(self._burst, self._rate)
        bucket.spend(1, now)
        self._buckets[who] = bucket
        if len(self._buckets) > HOSTS:
            del self._buckets[next(iter(self._buckets))]
