"""History: the third station of the feed. What the room tells is kept here before anybody sees it.

The feed gives each batch to `keep`, awaits that where the history is not instant, and only then
lets anybody be told. Kept is what was said to all; whispers are in no history.
"""

from collections import deque
from collections.abc import Awaitable, Sequence

from triochat.messages import Said
from triochat.telling import Telling, Told

KEPT = 1000
"""Public messages that are kept."""


class History:
    """The newest messages, in memory. Another history is a subclass, with methods of its own.

    Attributes:
        is_instant: `keep` has kept the batch when it returns, and returns nothing to wait for.
        last_id: the newest id that was given to anything before this history was opened.
    """

    is_instant = True
    last_id = 0

    def __init__(self, kept: int = KEPT) -> None:
        self._said: deque[Said] = deque(maxlen=kept)

    def keep(self, batch: Sequence[Telling]) -> Awaitable[None] | None:
        """Keep what of this batch is to be kept; it is when what is returned has been awaited."""
        for telling in batch:
            if type(telling) is Told and telling.to is None:
                self._said += [event for event in telling.events if type(event) is Said]
        return None

    def since(self, last_id: int) -> list[Said]:
        """What was said to all after the message with this id, as far as it is kept."""
        return [said for said in self._said if said.id > last_id]

    def last(self, count: int) -> list[Said]:
        """The newest public messages, at most this many, oldest first."""
        return list(self._said)[-count:] if count > 0 else []
