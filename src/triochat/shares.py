"""Shares: those who wait to ask for something, first come, first served.

To wake all who wait, and let them take what they can, would starve those in the middle: who is
first then is whom the scheduler happens to take first. So each is given its share before it wakes.
"""

from collections import deque

import trio


class _Wait:
    __slots__ = ("came", "share", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.share = 0
        self.came = trio.Event()


class Shares:
    """Who waits."""

    def __init__(self) -> None:
        self._waiting: deque[_Wait] = deque()

    async def wait(self, wanted: int) -> int:
        """Wait for one's turn.

        Args:
            wanted: how many requests there are to be asked.

        Returns:
            How many may be asked now: at least one, and no more than wanted.
        """
        turn = _Wait(wanted)
        self._waiting.append(turn)
        try:
            await turn.came.wait()
        finally:
            if not turn.share:
                self._waiting.remove(turn)
        return turn.share

    def give(self, capacity: int) -> int:
        """Give this many requests to those who wait; how many of them were given away.

        Who comes first has all that it wants: what one says in a row is told as one, which is the
        cheapest for all.
        """
        left = capacity
        while left > 0 and self._waiting:
            turn = self._waiting.popleft()
            turn.share = min(turn.wanted, left)
            left -= turn.share
            turn.came.set()
        return capacity - left
