"""Presence: who has said nothing for a while, and speaks so that it can be asked, is asked.

TCP notices a peer that has vanished after minutes; whoever answers questions is known sooner. One
task looks at all of them every few seconds; nobody has one of its own.
"""

import math

import trio

from triochat.hub import Hub
from triochat.order import Gone, Peer, Reply

PATIENCE = 60.0
"""Seconds in which whoever is asked must say something."""

LOOK = 5.0
"""Seconds between two looks."""


async def ask_silent(hub: Hub) -> None:
    """Ask who is silent whether it is there, and let it go where no answer comes. Does not end."""
    heard: dict[Peer, tuple[int, float]] = {}
    asked: set[Peer] = set()
    while True:
        await trio.sleep(LOOK)
        now = trio.current_time()
        links = {
            peer: link
            for peer, link in hub.fan_out.links.items()
            if link.speaker.silence < math.inf and hub.room.members.handle_of(peer)
        }
        heard = {peer: heard[peer] for peer in links.keys() & heard.keys()}
        asked &= links.keys()
        for peer, link in links.items():
            count, since = heard.setdefault(peer, (-1, now))
            if count != link.speaker.heard or hub.is_unplaced(peer):  # it is not read meanwhile
                heard[peer] = link.speaker.heard, now
                asked.discard(peer)
            elif peer not in asked and now - since >= link.speaker.silence:
                asked.add(peer)
                hub.ask(peer, (Reply(link.speaker.ask_presence()),))
            elif now - since >= link.speaker.silence + PATIENCE:
                hub.ask(peer, (Gone(link.speaker.parting),))
        hub.flush()
