"""The hub: who is connected to a room, from opening to closing."""

from itertools import count
from secrets import token_hex

from triochat.feed import Feed
from triochat.link import Link
from triochat.messages import Closing
from triochat.order import Gone, Peer
from triochat.telling import Ends, Told


class Hub(Feed):
    """A feed, and those who are connected to it. Its arguments are those of `Feed`."""

    _ids = map(f"{token_hex(4)}-{{}}".format, count(1))  # nobody has them on another server

    def connect(self, link: Link, address: str = "", *, is_operator: bool = False) -> Peer:
        """A connection was opened; from now on it may be told something. Returns who that is."""
        peer = Peer(next(self._ids), address, is_operator)
        self.fan_out.links[peer] = link
        if self.is_closed:
            link.outbox.close("shutting down")
        return peer

    def disconnect(self, peer: Peer, reason: str) -> None:
        """A connection is gone: nothing more can be told to it. The room hears of it at once."""
        self.fan_out.unfollow(peer)
        del self.fan_out.links[peer]
        self.ask(peer, (Gone(reason),))
        self.flush()

    def close(self, reason: str) -> None:
        """Say so to everybody, and end every connection politely; nobody is heard any more."""
        peers = tuple(self.fan_out.links)
        ends = [Ends(peer, reason) for peer in peers]
        self.finish([Told([Closing(reason)], peers), *ends])
