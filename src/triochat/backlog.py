"""The outboxes that are far behind, for whose sake talkers are held back."""

from collections.abc import Hashable

import trio

PATIENCE = 2.0
"""Seconds for which talkers are held back for a reader that has taken less than 64 KiB."""


HELD = 20.0
"""Lines a second that each talker is read then."""


class Backlog:
    """Who is far behind.

    While anybody is who reads, each talker is read at a steady rate, burst or no burst, and no
    slower: so a reader that reads need not be put out, and one that does not is not waited for.
    """

    def __init__(self) -> None:
        self._readers: dict[Hashable, float] = {}
        self._cleared = trio.Event()

    def __bool__(self) -> bool:
        if not self._readers:
            return False
        return self._newest() > trio.current_time() - PATIENCE

    def _newest(self) -> float:
        """When one that is far behind has taken something last."""
        return next(reversed(self._readers.values()))

    def __contains__(self, reader: Hashable) -> bool:
        return reader in self._readers

    def add(self, reader: Hashable) -> None:
        """This one is far behind, and has taken something, or begins to be far behind."""
        self._readers.pop(reader, None)  # the newest stands last
        self._readers[reader] = trio.current_time()

    def discard(self, reader: Hashable) -> None:
        """This one has caught up, or is gone."""
        if self._readers.pop(reader, None) is not None and not self._readers:
            self._cleared.set()
            self._cleared = trio.Event()

    async def wait_clear(self) -> None:
        """Return as soon as there is nobody to wait for."""
        while self:
            with trio.move_on_at(self._newest() + PATIENCE):
                await self._cleared.wait()
