"""The outboxes that are far behind, and the talkers who are held back until none is."""

from collections.abc import Hashable

import trio

PATIENCE = 1.0
"""Seconds for which talkers may be held back for a peer that is far behind."""


class Backlog:
    """Who is far behind.

    Nobody is held back for the same one longer than `PATIENCE` seconds: the slowest reader does
    not set the pace. By then it has caught up, or will be evicted.
    """

    def __init__(self) -> None:
        self._since: dict[Hashable, float] = {}
        self._cleared = trio.Event()

    def __bool__(self) -> bool:
        return bool(self._since) and (max(self._since.values()) > trio.current_time() - PATIENCE)

    def add(self, reader: Hashable) -> None:
        """This one is far behind."""
        self._since.setdefault(reader, trio.current_time())

    def discard(self, reader: Hashable) -> None:
        """This one has caught up, or is gone."""
        if self._since.pop(reader, None) is not None and not self._since:
            self._cleared.set()
            self._cleared = trio.Event()

    async def wait_clear(self) -> None:
        """Return as soon as there is nobody to wait for."""
        while self:
            with trio.move_on_at(max(self._since.values()) + PATIENCE):
                await self._cleared.wait()
