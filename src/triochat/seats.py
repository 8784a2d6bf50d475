"""Seats: what a member has in a room, over one connection after the other.

A peer is one connection; a seat outlives it. Who was given a token for its seat, and vanishes, is
*away*: for a while nobody hears of it; then it has left, but its handle is *held* for it. Who comes
back with the token takes the seat again. Here only what a token hashes to is known, the *key*.
"""

from collections import Counter
from hashlib import sha256

from msgspec import Struct

from triochat.order import Peer

GRACE = 10.0
"""Seconds in which a member may be away before the others hear of it."""

HOLD = 600.0
"""Seconds in which it may come back."""

AWAY = 1000
"""Seats whose owners are away; for one more the first of the host that has most is given up."""

HASHED = "sha256:"
"""What comes before a key that stands in place of its token. Nobody can say so: see `Token`."""

WHISPERS = 200
"""Private messages that may wait for who is away; a history keeps more than that for each seat."""


class Seat(Struct, frozen=True, gc=False):
    """A member's place in the room, which is kept for it.

    Attributes:
        key: what its token hashes to.
        peer: the connection over which it is here, or was last.
        handle: its handle.
        began: the id of the event by which others heard that it came.
        is_operator: it was made one.
        is_exposed: it can be overheard.
        away: since when it is away, in seconds since the epoch; None while it is here.
        why: why it is away, in words.
        is_held: the others have heard that it has left.
        absences: ids of the last events by which others heard that it had left, or was back.
    """

    key: str
    peer: Peer
    handle: str
    began: int
    is_operator: bool = False
    is_exposed: bool = False
    away: float | None = None
    why: str = ""
    is_held: bool = False
    absences: tuple[int, ...] = ()


class Seats(dict[str, Seat]):
    """All seats of a room, by their keys.

    Attributes:
        away: the keys of those whose owners are away, in the order in which they went; with the
            host of each.
        waiting: how many private messages wait for these, by their keys.
    """

    def __init__(self) -> None:
        super().__init__()
        self.away: dict[str, str] = {}
        self.waiting: Counter[str] = Counter()
        self._keys: dict[Peer, str] = {}

    def of(self, peer: Peer) -> Seat | None:
        """The seat of this peer, if it has one."""
        return self.get(self._keys.get(peer, ""))

    def put(self, seat: Seat) -> None:
        """So it stands now."""
        if former := self.get(seat.key):
            del self._keys[former.peer]
        self[seat.key] = seat
        self._keys[seat.peer] = seat.key
        if seat.away is None:
            self._end_absence(seat.key)
        else:
            self.away[seat.key] = seat.peer.host

    def drop(self, key: str) -> None:
        """There is no such seat any more."""
        if seat := self.pop(key, None):
            del self._keys[seat.peer]
            self._end_absence(key)

    def _end_absence(self, key: str) -> None:
        """Nobody of this seat is away any more."""
        self.away.pop(key, None)
        self.waiting.pop(key, None)

    def superfluous(self) -> Seat | None:
        """The one to give up, where too many are away."""
        if len(self.away) <= AWAY:
            return None
        [(most, _)] = Counter(self.away.values()).most_common(1)  # of several: who went first
        return next(self[key] for key, host in self.away.items() if host == most)


def key_of(token: str) -> str:
    """What a token hashes to: by this it is known, and nobody can make the token of it."""
    if token.startswith(HASHED):
        return token.removeprefix(HASHED)
    return sha256(token.encode()).hexdigest()
