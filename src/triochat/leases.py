"""Leases: the sign that a server is there; and what is done about one that gives none any more."""

import trio

from triochat.hub import Hub
from triochat.ledger import LEASE, Access
from triochat.order import HOUSE, ServerGone

TICK = 1.0
"""Seconds between two signs of life."""

TWIN = "another server shares this room as {}; this one needs a host name, or a port, of its own"


async def look_for_twin(access: Access, name: str) -> None:
    """Raise `ValueError` if one of this name renews its lease: that is no former self.

    Once is not enough: the last sign of a former self may come late.
    """
    _, left = await access.holder(name)
    for _ in range(2):
        before = left
        if before:
            await trio.sleep(1.5 * TICK)
            _, left = await access.holder(name)
        if left <= max(0.0, before - TICK):
            return
    raise ValueError(TWIN.format(name))


async def renew(access: Access, name: str, hub: Hub) -> None:
    """Say each second that this server is there; ask to give up who does not. Does not end."""
    since = signed = trio.current_time()
    while True:
        names = {key: one.name for key, one in hub.room.servers.items()}
        names.pop(hub.incarnation, None)
        leases = await access.sign(name, hub.incarnation, [*names.values()])
        now = trio.current_time()
        if now - signed > 2 * TICK:  # they may not have been heard either
            since = now
        signed = now
        gone = [ServerGone(key) for key, other in names.items() if other not in leases]
        if gone and now - since >= LEASE and not hub.is_unplaced(HOUSE):
            hub.ask(HOUSE, gone)
        await trio.sleep(TICK)
