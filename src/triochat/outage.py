"""Outages: while the other servers of a room cannot be reached, who is connected here is told so.

Nothing is lost meanwhile. What is asked waits for its place, and whoever has asked is not read; so
nobody's question whether we are there is answered. Those who would think that we are not are sent
something from time to time.
"""

import math

import trio

from triochat.hub import Hub
from triochat.messages import Join, Moderated, Typed
from triochat.order import HOUSE, Lapse, Peer
from triochat.sharing import Sharing
from triochat.telling import Told

PATIENCE = 2.0
"""Seconds in which nobody need hear of it."""

PULSE = 10.0
"""Seconds between two signs that we are there; clients wait for thirty."""

LOOK = 0.5
"""Seconds between two looks."""

LOST = "messages wait: the connection to the other servers is lost"

COMING = Join | Typed
"""What strangers ask for who wait to come in; who only fetches a page says nothing of this."""

BACK = "the connection to the other servers is back; what waited was sent"


async def tell_of_outages(hub: Hub, sharing: Sharing) -> None:
    """Tell who is connected here when there is an outage, and when it is over. Does not end."""
    while True:
        await _wait_until(sharing, is_out=True)
        hub.stuck_since = sharing.stuck_since
        told: set[Peer] = set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tell_all, hub, sharing, told)
            nursery.start_soon(_pulse, hub)
            took = math.inf
            while took >= PATIENCE:
                await _wait_until(sharing, is_out=False)
                since = trio.current_time()
                await hub.ask_in_place(HOUSE, (Lapse(),))  # behind all that waited
                took = trio.current_time() - since
            nursery.cancel_scope.cancel()
        hub.stuck_since = None
        hub.tell([Told([Moderated(BACK)], tuple(told))])


async def _wait_until(sharing: Sharing, *, is_out: bool) -> None:
    """Return when there is an outage, or none."""
    while True:
        since = sharing.stuck_since
        if is_out is (since is not None and trio.current_time() - since >= PATIENCE):
            return
        await trio.sleep(LOOK)


async def _tell_all(hub: Hub, sharing: Sharing, told: set[Peer]) -> None:
    """Tell everybody once, and note whom; also who comes to wait. Does not end."""
    while True:
        await _wait_until(sharing, is_out=True)  # who comes when it is all but over need not hear
        room = hub.room
        new = {
            peer
            for peer in hub.fan_out.links
            if room.members.handle_of(peer)
            or any(isinstance(one, COMING) for one in hub.unplaced(peer))
        } - told
        told |= new
        operators = {*filter(room.is_operator, new)}
        why = sharing.problem if sharing.lost_since is not None else "no answer"
        for text, peers in ((LOST, new - operators), (f"{LOST} ({why})", operators)):
            if peers:
                hub.tell([Told([Moderated(text)], tuple(peers))])
        await trio.sleep(LOOK)


async def _pulse(hub: Hub) -> None:
    """Say again and again that we are there. Does not end."""
    while True:
        await trio.sleep(PULSE)
        for link in [*hub.fan_out.links.values()]:
            link.put(link.speaker.pulse())
