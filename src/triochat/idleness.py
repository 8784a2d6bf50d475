"""Idleness: members that say nothing give way, where they are asked to or others wait.

One task looks at all of them every few seconds; nobody has one of its own.
"""

import math

import trio

from triochat.durations import spell
from triochat.hub import Hub
from triochat.order import Idled, Peer, Warned
from triochat.rules import QUEUE

BUSY = 30 * 60.0
"""Seconds after which idle members give way where more wait than may be in the room."""

WARNING = 60.0
"""Seconds before that, in which a member is told."""

LOOK = 5.0
"""Seconds between two looks."""

_SOON = "you have said nothing for a long time; say something within {}, or you are put out"


async def put_out_idle(hub: Hub) -> None:
    """Put members out that say nothing for too long, and warn them before. Does not end."""
    warned: dict[Peer, float] = {}
    links = hub.fan_out.links
    while True:
        await trio.sleep(LOOK)
        members, now, limit = hub.room.members, trio.current_time(), _limit(hub)
        lead = min(WARNING, limit / 2)
        warned = {peer: since for peer, since in warned.items() if peer in links}
        for peer, link in [*links.items()] if limit < math.inf else []:
            if peer in members.queue or hub.is_unplaced(peer):
                link.spoke = now  # who has waited for long has not been silent for long
            elif peer not in members or hub.room.is_operator(peer):
                continue
            elif now - link.spoke < limit - lead:
                warned.pop(peer, None)
            elif peer not in warned:
                warned[peer] = now
                hub.ask(peer, (Warned(_SOON.format(spell(lead))),))
            elif now - link.spoke >= limit and now - warned[peer] >= lead:
                hub.ask(peer, (Idled(),))
        hub.flush()


def _limit(hub: Hub) -> float:
    """Seconds that a member may say nothing now."""
    members = hub.room.members
    is_crowded = len(members.queue) > members.max_clients or len(members.queue) >= QUEUE
    return min(hub.limits.idle, BUSY if is_crowded else math.inf)
