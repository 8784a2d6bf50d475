"""The hub: who is connected to a room, from opening to closing."""

import time
from collections.abc import Callable
from itertools import count

from triochat.backlog import Backlog
from triochat.feed import Feed
from triochat.history import History
from triochat.link import Link
from triochat.messages import Closing
from triochat.order import Gone, Order, Peer, arrival
from triochat.room import Room
from triochat.telling import Ends, Told


class Hub:
    """One room's traffic.

    Args:
        room: who is here and who hears what.
        history: keeps what was said; in memory if left out.
        order: gives what is asked its place.
        clock: the time in seconds since the epoch, UTC.

    Attributes:
        feed: what leads from what is asked to what is told.
        backlog: who is far behind.
    """

    def __init__(
        self,
        room: Room,
        history: History | None = None,
        *,
        order: Order = arrival,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.room = room
        self.backlog = Backlog()
        self.feed = Feed(room, order=order, history=history, clock=clock)
        self._numbers = count(1)

    def connect(self, link: Link, address: str = "", *, is_operator: bool = False) -> Peer:
        """A connection was opened; from now on it may be told something. Returns who that is."""
        peer = Peer(str(next(self._numbers)), address, is_operator)
        self.feed.fan_out.links[peer] = link
        if self.feed.is_closed:
            link.outbox.close("shutting down")
        return peer

    def watch(self, link: Link) -> Peer:
        """The same, of somebody who is to hear what all are told, and is not in the room."""
        peer = self.connect(link)
        self.feed.fan_out.follow(peer)
        return peer

    def disconnect(self, peer: Peer, reason: str) -> None:
        """A connection is gone: nothing more can be told to it. The room hears of it at once."""
        self.feed.fan_out.unfollow(peer)
        del self.feed.fan_out.links[peer]
        self.feed.ask(peer, (Gone(reason),))
        self.feed.flush()

    def close(self, reason: str) -> None:
        """Say so to everybody, and end every connection politely; nobody is heard any more."""
        peers = tuple(self.feed.fan_out.links)
        ends = [Ends(peer, reason) for peer in peers]
        self.feed.finish([Told((Closing(reason),), peers), *ends])
