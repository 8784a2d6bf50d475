"""A replica: what one server knows of a room that several share, and how far it has read.

It begins with a snapshot, and goes on with the entries after that. From what it knows another one
may begin, or all of them, when entries are lost.
"""

from collections.abc import Sequence

from msgspec import MsgspecError

from triochat import snapshots
from triochat.agreement import Agreement
from triochat.entries import Batch, Founded, decode, encode_founded, taken
from triochat.history import History
from triochat.ledger import START, Access, Entry, Position, Reached
from triochat.order import HOUSE, Asked, Settle
from triochat.room import Room
from triochat.snapshots import Snapshot

LATEST = 250_000_000_000_000
"""Milliseconds since the epoch after which no time can be told: some years before 10,000."""

LATE = (
    "somebody has written there at a time that cannot be, so nothing can follow;"
    " forget the room (see docs/operating.md)"
)

OTHER = (
    "what is kept of this room was written by another release: run the same one on all servers, or"
    " stop all, and forget the room (see docs/operating.md)"
)


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
        self._loaded = history
        self._agreement = agreement
        self._terms = agreement.terms()

    def load(self, position: Position, data: bytes, *, must_agree: bool = True) -> None:
        """Go on from a snapshot that was taken after this entry; see `go_on`.

        Where the two need not agree this server holds all others to its own terms from here on.

        Raises:
            LedgerError: it is damaged.
            ValueError: this server cannot; with a sentence.
        """
        try:
            snapshot = snapshots.decode(data)
            if must_agree:
                self._agreement.check(snapshot.terms)
                self._terms = snapshot.terms
            snapshots.load(self.room, snapshot.room)
        except MsgspecError:
            raise ValueError(OTHER) from None
        self._loaded = History(hold=self.room.hold)
        self._loaded.adopt(snapshot.tail)
        self.reached = Reached(snapshot.entries, position)

    async def catch_up(self, access: Access) -> None:
        """Apply what was written since then: a file may have kept some of it already.

        Raises:
            LedgerError: that cannot be read.
        """
        newest = await access.last()
        while newest and self.reached.position < newest:
            for entry in await access.read(self.reached.position):
                batch = read_batch(entry)
                if self.room.servers.take(batch.incarnation, batch.number):
                    self._apply([taken(one, entry.position.time / 1000) for one in batch.asked])
                self.reached = self.reached.then(entry.position)

    def _apply(self, placed: Sequence[Asked]) -> None:
        """As `Feed.apply`, where nobody is told."""
        for asked in placed:
            self._loaded.keep(self.room.apply(asked))
        if self.room.is_unsettled:
            self._loaded.keep(self.room.apply(Asked(HOUSE, (Settle(),), self.room.now)))

    def go_on(self) -> None:
        """The history has what was loaded, and all since then.

        Raises:
            ValueError: it is another room's; with a sentence.
        """
        self._history.adopt(self._loaded.tail())

    def part(self) -> None:
        """Let nobody who has read as far go on from here: what all agree on is changed."""
        self.reached = self.reached.then(Position(self.reached.position.time + 1))

    def dump(self) -> tuple[Position, bytes]:
        """A snapshot of it now, and after which entry. What it has told must be in the history."""
        return self.reached.position, self._dump(self.reached.entries)

    def founding(self, incarnation: str) -> tuple[bytes, bytes, Position]:
        """What entries begin with that go on from here: see `ledger.Access.found`."""
        entries, position = self.reached
        first = encode_founded(Founded(incarnation, position, entries))
        return first, self._dump(entries + 1), position

    def _dump(self, entries: int) -> bytes:
        room = snapshots.dump(self.room)
        return snapshots.encode(Snapshot(self._terms, entries, room, self._history.tail()))


def read_batch(entry: Entry) -> Batch:
    """What was asked, in this one. Raises `ValueError`, with a sentence, if that is nothing."""
    if isinstance(read := read_entry(entry), Founded):  # that is only ever the first
        raise ValueError(OTHER)
    return read


def read_entry(entry: Entry) -> Batch | Founded:
    """What stands in this one. Raises `ValueError`, with a sentence, if that is nothing."""
    if entry.position.time > LATEST:
        raise ValueError(LATE)
    try:
        return decode(entry.data)
    except MsgspecError:
        raise ValueError(OTHER) from None
