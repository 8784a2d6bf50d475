"""Absence: what is kept for who is away is given up in time.

One task looks at it; nobody has one of its own.
"""

import trio

from triochat import away
from triochat.hub import Hub
from triochat.order import HOUSE, Lapse

LOOK = 0.5
"""Seconds between two looks."""


async def give_up_absent(hub: Hub) -> None:
    """Let who is away leave, and its seat go, when it is time. Does not end."""
    while True:
        await trio.sleep(LOOK)
        if not hub.is_unplaced(HOUSE) and hub.now >= away.due(hub.room):
            hub.ask(HOUSE, (Lapse(),))
            hub.flush()
