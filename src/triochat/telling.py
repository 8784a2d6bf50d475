"""What the room says: who is told what, who hears what is for all, whose connection ends."""

from typing import TypeAlias

from msgspec import Struct

from triochat.messages import Event
from triochat.order import Peer


class Told(Struct, frozen=True, gc=False):
    """Events for somebody.

    Attributes:
        events: what is told, in order.
        to: these peers, each once; None for all who follow.
        author: whose words they carry.
        can_wait: in a large room they may be told a moment later, with what comes next.
    """

    events: list[Event]
    to: tuple[Peer, ...] | None = None
    author: Peer | None = None
    can_wait: bool = False


class Follows(Struct, frozen=True, gc=False):
    """From here on this peer hears what is for all."""

    peer: Peer


class Unfollows(Struct, frozen=True, gc=False):
    """From here on this peer does not hear what is for all."""

    peer: Peer


class Reports(Struct, frozen=True, gc=False):
    """Here this peer is told how the server does to which it is connected. The room cannot know."""

    peer: Peer


class Ends(Struct, frozen=True, gc=False):
    """The connection of this peer ends, for this reason, after what it is told until here."""

    peer: Peer
    reason: str


Telling: TypeAlias = Told | Follows | Unfollows | Reports | Ends
