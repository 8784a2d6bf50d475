"""The state of a room: all that is so in it, and the few ways in which that changes.

What changes it says so, in order, into `telling`. Rules look at it; deeds change it.
"""

from datetime import UTC, datetime

from triochat.members import Members
from triochat.messages import Event, Join, Moderated, Refused
from triochat.order import HOUSE, Peer
from triochat.passwords import Password
from triochat.ratelimit import TokenBucket
from triochat.sanctions import Rulings
from triochat.seats import GRACE, HOLD, Seat, Seats
from triochat.telling import Ends, Seated, Telling, Told, Vacated
from triochat.text import HANDLE_LENGTH

_MILLISECONDS = [f".{number:03d}Z" for number in range(1000)]  # formatting would take longer


MAX_CLIENTS = 1000
"""Members at once, where nothing else is said; the next ones wait in the queue."""

REPLAY = 20
"""Messages that people are shown when they join; half of them at a screen that is not ours."""


class State:
    """What is so in one room now.

    Args:
        server: the console's handle, which nobody else may take.
        max_clients: members at once, the console not counted.
        turns: nobody speaks twice in a row, and a client speaks first.
        place: where it can be reached, told at the console, e.g. ``port 9999``.
        handle_length: the most characters in a handle, 1 to `text.HANDLE_LIMIT`.
        password: what who joins must know; empty if nothing.
        name: what the room is called.
        replay: how many messages people are shown when they join.
        grace: seconds in which a member may be away before the others hear of it.
        hold: seconds in which it may come back.

    Attributes:
        members: who is here, and who waits.
        seats: what is kept for those members that may come back.
        servers: those that share the room; none where it is on one alone.
        joining: what those who wait have asked for.
        telling: what is said of it that nobody has been told yet.
        now: what time it is, in seconds since the epoch.
        at: the same, as it stands on the wire.
        doors: by which door peers are here, as far as that was said.
        exposed: peers whose connections cross a network unencrypted. Those of `members`.
        password: what is kept of the password; None where there is none.
        admitted: peers that have said it.
        introduced: peers that are asked for it, with the handle that each has typed before.
        renames: how often those who have changed their handles may do so.
        operators: members that were made operators; the console is one without that.
        rulings: what operators decided, and what survives a restart of it.
        former: who had a handle, as `person_of` tells it, a little while ago: it left, or renamed.
        last_id: the newest id that was given to anything.
        last_speaker: who may not speak now, if there are turns; the house stands for the console.
        ended: peers whose connection has been said to end; they are not heard.
        is_unsettled: somebody has left the queue, and the others do not know where they stand now.
        places: where those who wait were told that they stand.
    """

    def __init__(  # noqa: PLR0913  all that an operator can set, by name
        self,
        server: str = "Server",
        *,
        max_clients: int = MAX_CLIENTS,
        turns: bool = False,
        place: str = "",
        handle_length: int = HANDLE_LENGTH,
        password: str = "",
        name: str = "room",
        replay: int = REPLAY,
        grace: float = GRACE,
        hold: float = HOLD,
    ) -> None:
        self.server, self.max_clients, self.handle_length = server, max_clients, handle_length
        self.name = name
        self.replay = replay
        self.grace, self.hold = grace, max(grace, hold)
        self.has_turns = turns
        self.place = place
        self.password = Password(password) if password else None
        self.rulings = Rulings()
        self.last_id = 0
        self.clear()

    def clear(self) -> None:
        """Let nobody be in it, and nothing be known of anybody."""
        self.members = Members(self.server, self.max_clients, self.handle_length)
        self.seats = Seats()
        self.servers = self.members.servers
        self.joining: dict[Peer, Join] = {}
        self.telling: list[Telling] = []
        self.now = 0.0
        self.at = ""
        self.doors: dict[Peer, str] = {}
        self.exposed = self.members.exposed
        self.admitted: set[Peer] = set()
        self.introduced: dict[Peer, str] = {}
        self.renames: dict[Peer, TokenBucket] = {}
        self.operators = self.members.operators
        self.former: dict[str, Peer] = {}
        self.last_speaker: Peer | None = None
        self.ended: set[Peer] = set()
        self.is_unsettled = False
        self.places: dict[Peer, int] = {}
        self._traces = self.ended, self.admitted, self.introduced, self.doors, self.exposed
        self._milliseconds = self._second = -1
        self._stamp = ""

    @property
    def roster(self) -> tuple[str, ...]:
        """The handles that are in the room, sorted without regard to case."""
        return self.members.roster

    def is_operator(self, peer: Peer) -> bool:
        """Whether this peer may put others out, and the like."""
        return peer.is_console or peer in self.operators

    def knows(self, peer: Peer) -> bool:
        """Whether anything here is about this peer."""
        is_some = self.members.handle_of(peer) is not None or self.seats.of(peer) is not None
        return is_some or any(peer in some for some in self._traces)

    def forget(self, peer: Peer) -> None:
        """Nothing here is about this peer any more, but for what its seat keeps, if it has one."""
        self.ended.discard(peer)
        self.admitted.discard(peer)
        self.introduced.pop(peer, None)
        self.doors.pop(peer, None)
        if not self.seats.of(peer):
            self.exposed.discard(peer)

    def passing(self) -> set[Peer]:
        """All of whom something is known beside whether they are members, or will be."""
        return {peer for some in self._traces for peer in some}

    def needs_password(self, peer: Peer) -> bool:
        """Whether this peer must say the password before it is let in."""
        return self.password is not None and peer not in self.admitted and not peer.is_console

    def spoke_last(self, peer: Peer) -> bool:
        """Whether it is for others to speak, where there are turns."""
        return peer == self.last_speaker or (peer.is_console and self.last_speaker == HOUSE)

    def next_id(self) -> int:
        """An id that is newer than all."""
        self.last_id += 1
        return self.last_id

    def set_time(self, now: float) -> None:
        """From here on it is now, in seconds since the epoch."""
        self.now = now
        milliseconds = round(now * 1000)
        if milliseconds == self._milliseconds:
            return
        self._milliseconds = milliseconds
        second, millisecond = divmod(milliseconds, 1000)
        if second != self._second:  # else its part of the stamp is what it was
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).isoformat()[:-6]
        self.at = self._stamp + _MILLISECONDS[millisecond]

    # ---- telling

    def tell(self, event: Event, peer: Peer | None = None) -> None:
        """Tell an event to one peer, or to all who follow."""
        self.telling.append(Told([event], None if peer is None else (peer,)))

    def refuse(self, peer: Peer, refused: Refused) -> None:
        """Say no to what would have changed the room; the no has its place among what is told."""
        self.tell(Refused(refused.code, refused.text, self.next_id()), peer)

    def warn(self, peer: Peer, text: str) -> None:
        """Tell a member what is no answer to anything that it asked."""
        self.tell(Moderated(text, self.next_id(), self.at), peer)

    def end(self, peer: Peer, reason: str) -> None:
        """Hear no more of this peer; its connection ends."""
        self.ended.add(peer)
        self.telling.append(Ends(peer, reason))

    # ---- seats

    def seat(self, seat: Seat) -> None:
        """So this seat stands now, and is kept."""
        self.seats.put(seat)
        self.telling.append(Seated(seat))

    def vacate(self, key: str) -> None:
        """Give this seat up; what was kept for it is not kept any more."""
        self.seats.drop(key)
        self.telling.append(Vacated(key))
