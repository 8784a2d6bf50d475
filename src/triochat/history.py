"""The log of a room: every message gets its place here before anybody sees it.

Ids are given out here and nowhere else, one after the other. Whispers take an id, so that they
have their place in the order of those who see them, but are not kept. The newest public messages
stay in a ring in memory.

The hub calls `append` once for each batch that it fans out, in the task of whoever speaks alone or
in its own, and sends only what comes back; another log stands behind the same three methods.
"""

from collections import deque
from collections.abc import Iterable

import msgspec

from triochat.messages import Event, Said, Whispered

KEPT = 1000
"""Public messages that are kept."""


class History:
    """The log in memory."""

    def __init__(self, kept: int = KEPT) -> None:
        self._last_id = 0
        self._said: deque[Said] = deque(maxlen=kept)

    def append(self, events: Iterable[Event]) -> list[Event]:
        """The same events in the same order, the messages among them with their ids."""
        placed: list[Event] = []
        for event in events:
            if isinstance(event, Said | Whispered):
                self._last_id += 1
                event = msgspec.structs.replace(event, id=self._last_id)  # noqa: PLW2901
            if isinstance(event, Said):
                self._said.append(event)
            placed.append(event)
        return placed

    def since(self, last_id: int) -> list[Said]:
        """What was said to all after the message with this id, as far as it is kept."""
        return [said for said in self._said if said.id > last_id]

    def last(self, count: int) -> list[Said]:
        """The newest public messages, at most this many, oldest first."""
        return list(self._said)[-count:] if count > 0 else []
