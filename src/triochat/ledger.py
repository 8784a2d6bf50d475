"""The ledger: where servers that share a room write what they are asked, and read it in one order.

What is here is what a shared order (`sharing`) needs of it; `streams` is the one in Redis. Entries
are bytes: what stands in them is the order's affair.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto
from typing import NamedTuple, Protocol


class LedgerError(Exception):
    """It cannot be reached, or does not do what it is asked; says why, in words for operators.

    What was to be written may have been, or not.
    """


class LostError(LedgerError):
    """The room's entries are gone, all of them."""


class GapError(LedgerError):
    """What comes next may be gone: the entry before that is not there any more."""


DAMAGED = (
    "the snapshot of this room is gone, or damaged; its servers write another one within a minute"
    " in which something is said; if none of them runs, forget the room (see docs/operating.md)"
)
"""What operators are told where nobody can begin with it."""


class Position(NamedTuple):
    """The place of an entry; positions grow. ``time`` is in milliseconds since the epoch, UTC."""

    time: int = 0
    number: int = 0


START = Position()
"""Before all entries."""


class Reached(NamedTuple):
    """How far a server has read: so many entries, the last one here."""

    entries: int
    position: Position

    def then(self, position: Position) -> "Reached":
        """The same, and one entry more, which is here."""
        return Reached(self.entries + 1, position)


class Entry(NamedTuple):
    """What somebody has written, in its place."""

    position: Position
    data: bytes


class Standing(Enum):
    """What became of an entry that was read once."""

    KEPT = auto()
    TRIMMED = auto()  # older than all that is kept
    LOST = auto()  # it is not there, and others may be missing with it


class Ledger(Protocol):
    """One room's entries, wherever they are.

    Attributes:
        where: what operators know it by; without a password.
    """

    where: str

    def open(self) -> "AbstractAsyncContextManager[Access]":
        """Reach it, for as long as the block takes; what was opened is thrown away with it.

        Raises:
            LedgerError: it cannot be reached, from here or from whatever is called in the block.
            ValueError: it must not be used as it is set up; says why, and what to do.
        """


class Access(Protocol):
    """A ledger that is reached. Methods raise `LedgerError`, and answer within seconds.

    Attributes:
        run: names this run of it: another one may have come back with less.
    """

    run: str

    async def read(self, after: Position) -> Sequence[Entry]:
        """The oldest entries after this one; waits up to a second for some. Called by one task.

        Raises:
            GapError: there are newer ones, but this one, unless it is `START`, is gone.
            LostError: it is gone, and there are no newer ones.
        """

    async def last(self) -> Position | None:
        """Where the newest entry is; None if there has never been one, or none is left."""

    async def standing(self, position: Position) -> Standing:
        """Whether the entry that was there is there still."""

    async def add(self, data: bytes) -> None:
        """Write an entry after all others. Called by one task.

        Raises `LostError`, and writes nothing, if there are none.
        """

    async def found(self, entry: bytes, snapshot: bytes, former: Position | None = None) -> bool:
        """Begin anew with this first entry and this snapshot, at once or not at all.

        Args:
            entry: the first one.
            snapshot: of the room after it; its position is the entry's, see `load`.
            former: what was there is thrown away, and the entry comes after that, and after this
                position; only who has taken the lead by `take_lead` may do so. None: only where
                there is nothing.

        Returns:
            Whether that was done.
        """

    async def load(self) -> tuple[Position, bytes] | None:
        """The newest snapshot, and the entry after which it was taken; None if there is none."""

    async def save(self, snapshot: bytes, position: Position, keep: Position) -> None:
        """Keep this snapshot, taken after that entry, instead of the one before.

        Entries that are older than it, and than ``keep``, need not be kept any more.
        """

    async def holder(self, name: str) -> tuple[str, float]:
        """Which incarnation has the lease of this name, and for how many seconds more.

        Empty, and 0, if none has.
        """

    async def sign(self, name: str, incarnation: str, names: Sequence[str]) -> dict[str, str]:
        """Renew the lease of the server with this name, in this incarnation.

        Returns:
            Which of the servers with these names have one now, and in which incarnation.
        """

    async def resign(self, name: str, incarnation: str) -> None:
        """Give up the lease and the duty, if they are held in this incarnation."""

    async def take_duty(self, incarnation: str) -> bool:
        """Whether it is for this server to write snapshots, for the next seconds; one has it."""

    async def take_lead(self, incarnation: str) -> bool:
        """Whether it is for this server to begin anew, for the next seconds; one has it."""

    async def call_roll(self, name: str, reached: Reached) -> dict[str, Reached]:
        """Say how far the server with this name has read, and ask how far the others have.

        Those who have said so within the last seconds are there, this one too.
        """


LEASE = 5.0
"""Seconds for which a lease holds."""

DUTY = 10.0
"""Seconds for which one server has the duty, or the lead, or has answered the roll."""
