"""Seats: what a member has in a room, over one connection after the other.

A peer is one connection; a seat outlives it. Who was given a token for its seat, and vanishes, is
*away*: for a while nobody hears of it; then it has left, but its handle is *held* for it. Who comes
back with the token takes the seat again. Here only what a token hashes to is known, the *key*.
"""

from hashlib import sha256

from msgspec import Struct

from triochat.order import Peer

GRACE = 10.0
"""Seconds in which a member may be away before the others hear of it."""

HOLD = 600.0
"""Seconds in which it may come back."""


class Seat(Struct, frozen=True, gc=False):
    """A member's place in the room, which is kept for it.

    Attributes:
        key: what its token hashes to.
        peer: the connection over which it is here, or was last.
        handle: its handle.
        began: the id of the event by which others heard that it came.
        is_operator: it was made one.
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
    away: float | None = None
    why: str = ""
    is_held: bool = False
    absences: tuple[int, ...] = ()


def key_of(token: str) -> str:
    """What a token hashes to: by this it is known, and nobody can make the token of it."""
    return sha256(token.encode()).hexdigest()
