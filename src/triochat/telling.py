"""What the room says: who is told what, who hears what is for all, whose connection ends."""

from typing import TypeAlias

from msgspec import Struct

from triochat.messages import Event, Recall
from triochat.order import Peer
from triochat.seats import Seat


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
    """From here on this peer hears what is for all.

    Attributes:
        peer: who.
        since: before that it is told all that it has missed since the event with this id; None:
            it has missed nothing.
        seat: the key of its seat, what it alone has missed was told to that; empty if it has none.
        but: ids of what it has not missed: that itself was away, and came back.
        count: before all this it is told the newest messages, at most so many.
    """

    peer: Peer
    since: int | None = None
    seat: str = ""
    but: tuple[int, ...] = ()
    count: int = 0

    @property
    def replays(self) -> bool:
        """Whether it is told anything before."""
        return self.count > 0 or self.since is not None


class Unfollows(Struct, frozen=True, gc=False):
    """From here on this peer does not hear what is for all."""

    peer: Peer


class Reports(Struct, frozen=True, gc=False):
    """Here this peer is told how the server does to which it is connected. The room cannot know."""

    peer: Peer


class Replies(Struct, frozen=True, gc=False):
    """Here this peer is told these bytes, which are no event: its speaker answers by itself."""

    peer: Peer
    data: bytes


class Recalls(Struct, frozen=True, gc=False):
    """Here this peer is told of the history what it has asked for. The room does not know it."""

    peer: Peer
    asked: Recall


class Seated(Struct, frozen=True, gc=False):
    """So a seat stands now; nobody is told, but it is kept."""

    seat: Seat


class Vacated(Struct, frozen=True, gc=False):
    """The seat with this key is given up; what was kept for it alone is not kept any more."""

    key: str


class Forgets(Struct, frozen=True, gc=False):
    """From here on these messages are kept no more.

    If a handle is given they are all that was said under it; where more is kept, that goes, too.
    """

    ids: tuple[int, ...]
    handle: str = ""


class Ends(Struct, frozen=True, gc=False):
    """The connection of this peer ends, for this reason, after what it is told until here."""

    peer: Peer
    reason: str


Telling: TypeAlias = (
    Told | Follows | Unfollows | Reports | Replies | Recalls | Seated | Vacated | Forgets | Ends
)
