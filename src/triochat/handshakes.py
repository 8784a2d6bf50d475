"""Handshakes: how many of TLS begin in a second, and whose is the next.

To shake hands costs the server a hundred times what a line costs it, before it knows anything of
whoever asks for it, and anybody can ask as often as they like. So they wait for each other; those
who wait are not read from, and there are no more of them than may be strangers.

The lobby closes the oldest of them: where more begin than may, whoever came first would be turned
away just before its turn. So they draw lots when they come, and who has a good one waits for
hardly anybody; whoever came last would be the next by its timing, which a flood can choose.
"""

import math
from collections import Counter, deque
from collections.abc import Callable
from random import random

import trio

from triochat.ratelimit import TokenBucket

BURST = 10.0
"""Handshakes that may begin at once: 6 ms of work."""

RATE = 300.0
"""Handshakes a second after that: a fifth of a core."""

RECENT = 3000
"""Handshakes of which it is remembered whose they were: those of ten seconds, where many begin."""


class Handshakes:
    """Those who want to begin one."""

    def __init__(self) -> None:
        self._tokens = TokenBucket(BURST, RATE)
        self._waiting: dict[trio.CancelScope, tuple[str, float]] = {}  # host and lot
        self._next: trio.CancelScope | None = None
        self._recent = deque[str]()
        self._counts = Counter[str]()

    async def wait_turn(self, host: str, is_wanted: Callable[[], bool]) -> None:
        """Wait until one may begin: the lot decides, and the fewer the host had the better it is.

        Args:
            host: whose it is.
            is_wanted: whether it still wants its turn when that comes; else it costs nobody one.
        """
        turn = trio.CancelScope()
        self._waiting[turn] = host, random()  # noqa: S311  who guesses it gains nothing
        try:
            with turn:
                self._call()
                await trio.sleep_forever()
            if is_wanted():
                self._tokens.spend(1, trio.current_time())
                self._note(host)
        finally:
            del self._waiting[turn]
            self._call()

    def _call(self) -> None:
        """Have the one whose turn it is wake when there is a token, and nobody else."""
        if self._next:
            self._next.deadline = math.inf
        self._next = min(self._waiting, key=self._rank, default=None)
        if self._next:
            now = trio.current_time()
            self._next.deadline = now + self._tokens.wait(now)

    def _rank(self, turn: trio.CancelScope) -> float:
        host, lot = self._waiting[turn]
        return lot * (1 + self._counts[host])

    def _note(self, host: str) -> None:
        self._recent.append(host)
        self._counts[host] += 1
        if len(self._recent) > RECENT:
            old = self._recent.popleft()
            self._counts[old] -= 1
            if not self._counts[old]:
                del self._counts[old]
