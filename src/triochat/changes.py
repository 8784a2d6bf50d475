"""Changes: what is to be written into an archive with its next commit. Pure."""

from dataclasses import dataclass, field

from triochat.messages import Event, Said
from triochat.seats import Seat


@dataclass
class Changes:
    """What is to be written with the next commit, in the order in which it is written.

    Attributes:
        vacated: keys of seats that are given up; what was kept for them is deleted.
        forgotten: ids of messages that are kept no more.
        forgotten_by: by handle, up to which id what was said under it is kept no more.
        gaps: what stands where messages are missing: that they are. It is nobody's to remove.
        said: messages.
        passing: the key of the seat that is told, empty if all are; the id; another event.
        seats: as they stand now.
        rulings: what operators decided; None if nothing has changed.
        floors: by the key of a seat, or empty for all: ids up to which something is missing.
        last: the newest id.
    """

    vacated: set[str] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)
    forgotten_by: dict[str, int] = field(default_factory=dict)
    gaps: list[Said] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    passing: list[tuple[str, int, Event]] = field(default_factory=list)
    seats: dict[str, Seat] = field(default_factory=dict)
    rulings: bytes | None = None
    floors: dict[str, int] = field(default_factory=dict)
    last: int = 0

    def __bool__(self) -> bool:
        gone = self.vacated, self.forgotten, self.forgotten_by
        lists = self.gaps, self.said, self.passing
        return any((*gone, *lists, self.seats, self.floors)) or self.rulings is not None

    def vacate(self, key: str) -> None:
        """This seat is given up."""
        self.vacated.add(key)
        self.seats.pop(key, None)
        self.floors.pop(key, None)
        self.passing = [one for one in self.passing if one[0] != key]

    def forget(self, ids: set[int]) -> None:
        """These messages are kept no more."""
        self.forgotten |= ids
        self.said = [said for said in self.said if said.id not in ids]

    def add(self, later: "Changes") -> None:
        """What has changed after this has changed as well."""
        for key in later.vacated:
            self.vacate(key)
        self.forget(later.forgotten)
        self.forgotten_by |= later.forgotten_by
        self.gaps += later.gaps
        self.said += later.said
        self.passing += later.passing
        self.seats |= later.seats
        self.rulings = self.rulings if later.rulings is None else later.rulings
        self.floors |= later.floors
        self.last = max(self.last, later.last)
