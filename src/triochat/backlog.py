"""The outboxes that are far behind, for whose sake talkers are held back."""

from collections.abc import Hashable

import trio

PATIENCE = 2.0
"""Seconds for which talkers are held back for a reader that has taken less than 64 KiB."""


HELD = 1 << 18
"""Bytes a second that all talkers together tell each member meanwhile."""


TOTAL = 1 << 28
"""Bytes that may wait for all together; for more the one for which most waits has to go."""


class Backlog:
    """What waits for whom, and who is far behind.

    While anybody is who reads, all talkers together are held to what a reader can take, one after
    the other: so a reader that reads need not be put out, and an ordinary conversation does not
    notice. One that does not read is not waited for.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, int] = {}  # bytes that wait
        self._total = 0
        self._readers: dict[Hashable, float] = {}  # who is far behind
        self._cleared = trio.Event()
        self._next = 0.0  # when the one after all who wait may speak

    def __bool__(self) -> bool:
        if not self._readers:
            return False
        return self._newest() > trio.current_time() - PATIENCE

    def _newest(self) -> float:
        """When one that is far behind has taken something last."""
        return next(reversed(self._readers.values()))

    def __contains__(self, reader: Hashable) -> bool:
        return reader in self._readers

    def hold(self, reader: Hashable, size: int) -> None:
        """So many bytes more wait for this one; or less, when it has taken some."""
        self._total += size
        held = self._held.get(reader, 0) + size
        if held:
            self._held[reader] = held
        else:
            del self._held[reader]

    def release(self, reader: Hashable) -> None:
        """Nothing waits for this one any more."""
        self._total -= self._held.pop(reader, 0)
        self.discard(reader)

    def too_much(self) -> Hashable | None:
        """For whom most waits, where too much waits for all together."""
        return max(self._held, key=self._held.__getitem__) if self._total > TOTAL else None

    def add(self, reader: Hashable) -> None:
        """This one is far behind, and has taken something, or begins to be far behind."""
        self._readers.pop(reader, None)  # the newest stands last
        self._readers[reader] = trio.current_time()

    def discard(self, reader: Hashable) -> None:
        """This one has caught up, or is gone."""
        if self._readers.pop(reader, None) is not None and not self._readers:
            self._next = 0.0
            self._cleared.set()
            self._cleared = trio.Event()

    async def wait_room(self, size: int) -> None:
        """Wait until those who are behind have taken so many bytes more, or nobody is."""
        self._next = max(self._next, trio.current_time()) + size / HELD
        with trio.move_on_at(self._next):
            while self:
                with trio.move_on_at(self._newest() + PATIENCE):
                    await self._cleared.wait()
