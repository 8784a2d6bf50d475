"""Counts: what has happened since the server began, how fast, and how late it was told.

Nobody counts on the way of a message: the feed does, once a batch, and what it knows anyway.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import trio

WINDOW = 30.0
"""Seconds; how fast and how late is told of the last one, and as much of the next as is over."""


class _Mark(NamedTuple):
    """Where the counts stood when a window began."""

    at: float
    lines: int
    deliveries: int


class Counts(trio.abc.Instrument):
    """What has happened. It has to be told of trio's passes, as an instrument.

    Args:
        clock: seconds of real time.

    Attributes:
        passes: of trio's scheduler, which gives each task that can go on its turn.
        lines: what was asked, by peers or on their behalf.
        deliveries: events told to somebody, each counted for each.
        refusals: by their codes.
        evictions: by their reasons.
        failures: handshakes and sealed links that failed.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.passes = 0
        self.lines = 0
        self.deliveries = 0
        self.refusals: Counter[str] = Counter()
        self.evictions: Counter[str] = Counter()
        self.failures = 0
        self._clock = clock
        self._opened = now = clock()
        self._began = now  # this pass
        self._before = self._mark = _Mark(now, 0, 0)
        self._longest_before = self._longest = 0.0
        self._turn = now + WINDOW

    def after_io_wait(self, timeout: float) -> None:
        """A pass begins; the one before it was just over, if nobody wanted to wait."""
        self.passes += 1
        now = self._clock()
        if not timeout:
            self.look(now)
        self._began = now

    def look(self, now: float) -> None:
        """This pass goes on until now, or did: to be told of its end would cost too much."""
        self._longest = max(self._longest, now - self._began)
        if now > self._turn:
            self._end_window(now)

    def _end_window(self, now: float) -> None:
        is_recent = now <= self._turn + WINDOW
        mark = _Mark(now, self.lines, self.deliveries)
        self._before = self._mark if is_recent else mark
        self._longest_before = self._longest if is_recent else 0.0
        self._mark, self._longest, self._turn = mark, 0.0, now + WINDOW

    @property
    def uptime(self) -> float:
        """Seconds since the server began."""
        return self._clock() - self._opened

    @property
    def lag(self) -> float:
        """How long it took of late, at most, until what could be read was told, in seconds.

        It is the longest pass, or what of it was over when something was told.
        """
        self.look(self._clock())
        return max(self._longest, self._longest_before)

    @property
    def rates(self) -> tuple[float, float]:
        """Lines and deliveries a second, of late."""
        now = self._clock()
        self.look(now)
        seconds = max(now - self._before.at, 1.0)
        lines, deliveries = (
            self.lines - self._before.lines,
            self.deliveries - self._before.deliveries,
        )
        return lines / seconds, deliveries / seconds
