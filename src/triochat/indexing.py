"""Indexing: the words of what was said follow into the archive's index, when there is time."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable

import trio

from triochat.scribe import Scribe

log = logging.getLogger(__name__)

MOMENT = 0.25
"""Seconds after which it is looked whether there is time."""

FEW = 250
"""Ids that are given in a moment while there is time."""

BEHIND = 100_000
"""Ids which the index may be behind before it is written whether there is time or not."""

RETRY = 5.0
"""Seconds after which it is tried again to write."""


class Indexing:
    """The one who does it.

    Args:
        scribe: whose index it is.
        write: does this in a thread, when nobody else writes.
    """

    def __init__(
        self, scribe: Scribe, write: Callable[[Callable[[], bool]], Awaitable[bool]]
    ) -> None:
        self._scribe = scribe
        self._write = write
        self._wake = trio.Event()
        self.wake()  # what was not indexed when the last server ended

    def wake(self) -> None:
        """There may be something to index."""
        self._wake.set()

    async def run(self) -> None:
        """Index what was said, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            try:
                while await self._index():
                    pass
            except sqlite3.Error as error:  # what is said is kept, and found, all the same
                log.warning("cannot index %s: %s", self._scribe.path, error)
                await trio.sleep(RETRY)
                self.wake()

    async def _index(self) -> bool:
        """Index a piece, if there is time; whether there may be more to do."""
        before = self._scribe.behind
        if before <= BEHIND:
            await trio.sleep(MOMENT)
            if self._scribe.behind > before + FEW:
                return True
        return await self._write(self._scribe.index)
