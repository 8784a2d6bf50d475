"""How much one peer may ask: a burst at once, then a steady rate. Pure; the caller has the clock.

A token bucket: it holds `burst` tokens, `rate` come back each second, every line costs one. It
never refuses, it says how long the peer must wait for what it has taken beyond its tokens. Whether
to hold it to that is the session's choice (it does while some reader is behind).
"""

BURST = 1000.0
"""Lines that anybody may send at once: a long paste."""

RATE = 100.0
"""Lines a second that anybody may send, however the readers are doing."""


class TokenBucket:
    """The tokens of one peer. Times are in seconds, of any clock that does not go back."""

    __slots__ = ("_burst", "_rate", "_then", "_tokens")

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._then = 0.0

    def spend(self, tokens: int, now: float) -> float:
        """Take tokens, and say how many seconds from now they will all have come back.

        The debt is bounded by a burst, so that what was let through while nobody was behind
        does not silence its sender for long afterwards.
        """
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate)
        self._tokens = max(self._tokens - tokens, -self._burst)
        self._then = now
        return max(0.0, -self._tokens / self._rate)
