"""The servers that share a room: who they are, and what each of them has asked. Pure.

An *incarnation* is one run of a server under its name. What it asks comes in batches that it
numbers: one that is written twice, or after its server was given up, is nothing.
"""

from msgspec import Struct

from triochat.order import Peer

GONE = 1000
"""Incarnations that are remembered after they are gone."""


class Server(Struct):
    """One that shares the room.

    Attributes:
        name: what it is called; no other has that name.
        since: when it came, in seconds since the epoch.
        number: of its newest batch.
    """

    name: str
    since: float
    number: int = 0


class Servers(dict[str, Server]):
    """Those that share the room now, by their incarnations, in the order in which they came.

    Attributes:
        gone: incarnations that were here, the latest last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gone: dict[str, None] = {}

    def come(self, incarnation: str, name: str, now: float) -> None:
        """It is here."""
        self[incarnation] = Server(name, now, 1)

    def go(self, incarnation: str) -> None:
        """It is not here any more, and does not come again."""
        if self.pop(incarnation, None):
            self.gone[incarnation] = None
            if len(self.gone) > GONE:
                del self.gone[next(iter(self.gone))]

    def take(self, incarnation: str, number: int) -> bool:
        """Whether this is the next batch of who has this incarnation, and is to be applied.

        The first one is, if it was never here: in that it says who it is.
        """
        if server := self.get(incarnation):
            is_next = number == server.number + 1
            server.number += is_next
            return is_next
        return number == 1 and incarnation not in self.gone

    def named(self, name: str) -> str | None:
        """The incarnation of the one with this name."""
        return next((key for key, server in self.items() if server.name == name), None)

    def name_of(self, peer: Peer) -> str:
        """The name of the server at which this peer is; empty if that is not known."""
        server = self.get(incarnation_of(peer))
        return server.name if server else ""


def incarnation_of(peer: Peer) -> str:
    """The server that gave this peer its id."""
    return peer.id.partition("-")[0]
