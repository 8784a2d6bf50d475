"""The state of a room: all that is so in it, and the few ways in which that changes.

What changes it says so, in order, into `telling`. Rules look at it; deeds change it.
"""

from datetime import UTC, datetime

from triochat.members import Members
from triochat.messages import Event, Joined, Left, Moderated, Notice, Refused, Welcome
from triochat.order import HOUSE, Peer
from triochat.passwords import Password
from triochat.ratelimit import TokenBucket
from triochat.sanctions import Rulings, person_of
from triochat.telling import Ends, Follows, Telling, Told, Unfollows
from triochat.text import HANDLE_LENGTH

_MILLISECONDS = [f".{number:03d}Z" for number in range(1000)]  # formatting would take longer


MAX_CLIENTS = 1000
"""Members at once, where nothing else is said; the next ones wait in the queue."""

FORMER = 200
"""Handles given up last of which is remembered by whom: a ban may come a little late."""

FORMER_OF_HOST = 20
"""As many of them come from one host, or it could have all others forgotten."""


class State:
    """What is so in one room now.

    Args:
        server: the console's handle, which nobody else may take.
        max_clients: members at once, the console not counted.
        turns: nobody speaks twice in a row, and a client speaks first.
        place: where it can be reached, told at the console, e.g. ``port 9999``.
        handle_length: the most characters in a handle, 1 to `text.HANDLE_LIMIT`.
        password: what who joins must know; empty if nothing.

    Attributes:
        members: who is here, and who waits.
        telling: what is said of it that nobody has been told yet.
        now: what time it is, in seconds since the epoch.
        at: the same, as it stands on the wire.
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
    """

    def __init__(
        self,
        server: str = "Server",
        *,
        max_clients: int = MAX_CLIENTS,
        turns: bool = False,
        place: str = "",
        handle_length: int = HANDLE_LENGTH,
        password: str = "",
    ) -> None:
        self.members = Members(server, max_clients, handle_length)
        self.has_turns = turns
        self.place = place
        self.telling: list[Telling] = []
        self.now = 0.0
        self.at = ""
        self.exposed = self.members.exposed
        self.password = Password(password) if password else None
        self.admitted: set[Peer] = set()
        self.introduced: dict[Peer, str] = {}
        self.renames: dict[Peer, TokenBucket] = {}
        self.operators: set[Peer] = set()
        self.rulings = Rulings()
        self.former: dict[str, Peer] = {}
        self.last_id = 0
        self.last_speaker: Peer | None = None
        self.ended: set[Peer] = set()
        self.is_unsettled = False
        self._places: dict[Peer, int] = {}
        self._milliseconds = self._second = -1
        self._stamp = ""

    @property
    def roster(self) -> tuple[str, ...]:
        """The handles that are in the room, sorted without regard to case."""
        return self.members.roster

    def is_operator(self, peer: Peer) -> bool:
        """Whether this peer may put others out, and the like."""
        return peer.is_console or peer in self.operators

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

    # ---- coming and going

    def enter(self, peer: Peer, handle: str) -> None:
        """Let a peer in under this handle, which is free."""
        members = self.members
        if not members.clients:
            self.last_speaker = HOUSE
        members.enter(peer, handle)
        joined = Joined(handle, self.next_id(), self.at, peer in self.exposed)
        self.telling += [Told([joined], can_wait=True), Follows(peer)]
        welcome = Welcome(
            handle,
            members.server,
            members.roster,
            self.last_id,
            members.handle_length,
            self.rulings.topic,
            members.who.unencrypted,
        )
        self.tell(welcome, peer)

    def leave(self, peer: Peer, reason: str, *, can_wait: bool = True) -> None:
        """Whatever this peer was, its place is free now, and its connection ends."""
        if handle := self.remove(peer):
            left = Left(handle, reason, self.next_id(), self.at)
            self.telling.append(Told([left], can_wait=can_wait))
        self.end(peer, reason)
        queue = self.members.queue
        while queue and not self.members.is_full:
            first = next(iter(queue))
            self.enter(first, self.members.remove(first))
            self.is_unsettled = True

    def remove(self, peer: Peer) -> str | None:
        """Take a peer out without a word; return the handle that it had as a member."""
        if peer in self.members.queue:
            self.members.remove(peer)
            self.is_unsettled = True
        if peer not in self.members:
            return None
        if self.last_speaker == peer:
            self.last_speaker = None
        self.operators.discard(peer)
        self.renames.pop(peer, None)
        self.telling.append(Unfollows(peer))
        self.remember(peer)
        return self.members.remove(peer)

    def remember(self, peer: Peer) -> None:
        """Note of a member who gives its handle up that it had it."""
        former = self.former
        former.pop(person := person_of(self.members[peer]), None)  # or it would keep its place
        of_host = [one for one, who in former.items() if who.host == peer.host]
        if len(of_host) >= FORMER_OF_HOST:
            del former[of_host[0]]
        elif len(former) >= FORMER:
            del former[next(iter(former))]
        former[person] = peer

    def settle(self) -> None:
        """Tell who waits where it stands now, if that has changed."""
        self.is_unsettled = False
        before, self._places = self._places, {}
        for place, peer in enumerate(self.members.queue, 1):
            if before.get(peer) == place:
                self._places[peer] = place
            else:
                self.tell_place(peer, place)

    def tell_place(self, peer: Peer, place: int) -> None:
        """Tell a peer where it stands in the queue."""
        self._places[peer] = place
        self.tell(Notice(f"The room is full; you are number {place} in line"), peer)
