"""A replica: what one server knows of a room that several share, and how far it has read.

It begins with a snapshot, and goes on with the entries after that. From what it knows another one
may begin, or all of them, when entries are lost.
"""

from msgspec import MsgspecError

from triochat import snapshots
from triochat.agreement import Agreement
from triochat.entries import Founded, encode
from triochat.history import History
from triochat.ledger import START, Position, Reached
from triochat.room import Room
from triochat.snapshots import Snapshot

OTHER = "what stands there was written by another release: run the same one on all servers"


class Replica:
    """A room as one of its servers knows it.

    Args:
        room: how it stands.
        history: what it has told.
        agreement: what its servers must have in common with this one.

    Attributes:
        reached: the last entry that is in it.
    """

    def __init__(self, room: Room, history: History, agreement: Agreement) -> None:
        self.room = room
        room.last_id = max(room.last_id, history.last_id)
        self.reached = Reached(0, START)
        self._history = history
        self._agreement = agreement
        self._terms = agreement.terms()

    def load(self, position: Position, data: bytes) -> None:
        """Go on from a snapshot that was taken after this entry.

        Raises:
            ValueError: this server cannot; with a sentence.
        """
        try:
            snapshot = snapshots.decode(data)
        except MsgspecError:
            raise ValueError(OTHER) from None
        self._agreement.check(snapshot.terms)
        self._terms = snapshot.terms
        snapshots.load(self.room, snapshot.room)
        self._history.adopt(snapshot.tail)
        self.reached = Reached(snapshot.entries, position)

    def dump(self) -> tuple[Position, bytes]:
        """A snapshot of it now, and after which entry. What it has told must be in the history."""
        return self.reached.position, self._dump(self.reached.entries)

    def founding(self, incarnation: str) -> tuple[bytes, bytes, Position | None]:
        """What entries begin with that go on from here: see `ledger.Access.found`."""
        entries, position = self.reached
        first = encode(Founded(incarnation, position, entries))
        return first, self._dump(entries + 1), position if entries else None

    def _dump(self, entries: int) -> bytes:
        room = snapshots.dump(self.room)
        return snapshots.encode(Snapshot(self._terms, entries, room, self._history.tail()))
