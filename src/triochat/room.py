"""The room: who is here, what is said, in which order, who hears what.

Pure and synchronous: no I/O, no clock, no tasks. Each method takes one thing that happened and
returns what is to be told to whom, in order. Since nothing can come in between, that order is
everybody's order. No input makes it raise: what the rules forbid is answered by a `Refused`.

A *peer* is whatever the caller uses to know a connection by: any hashable object, here only
compared and handed back. A peer is a stranger, then perhaps in line (the room was full), then a
member. Three kinds of peer hear everything public: members, the operator (a member under the
server's own handle, who does not count against the capacity) and watchers (who are not members).

``id`` is 0 in what is returned; the history gives the ids.
"""

from bisect import bisect_left, insort
from collections.abc import Hashable
from datetime import UTC, datetime
from typing import Generic, NamedTuple, TypeVar

from triochat.audience import Audience, Everyone
from triochat.messages import (
    Closing,
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Notice,
    Ping,
    Pong,
    Quit,
    Refused,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.text import accept_handle, accept_text, clean, handle_key, normalise_handle

P = TypeVar("P", bound=Hashable)

MAX_CLIENTS = 1000
"""Members at once, where nothing else is said; the next ones wait in line."""

MAX_LINE = 1000
"""Peers in line at once; the next ones are refused."""

_NAMED = 3  # as many members are named when it is their turn; more are "anybody else"
_MILLISECONDS = [f".{number:03d}Z" for number in range(1000)]  # formatting would take longer
_SHOWN = 40  # characters of an unknown handle that are repeated in its refusal


class Told(NamedTuple, Generic[P]):
    """An event, and the peers that are to have it; `author` is the one whose words it carries."""

    event: Event
    audience: Audience[P]
    author: P | None = None


class Room(Generic[P]):
    """One room.

    Args:
        server: the operator's handle, which nobody else may take.
        max_clients: members at once, the operator not counted.
        turns: nobody speaks twice in a row, and a client speaks first.
        place: where it can be reached, told to the operator, e.g. ``port 9999``.

    Attributes:
        is_unsettled: somebody has left the room or the line; `settle` has something to do.
    """

    def __init__(
        self,
        server: str = "Server",
        *,
        max_clients: int = MAX_CLIENTS,
        turns: bool = False,
        place: str = "",
    ) -> None:
        self.server = server
        self.place = place
        self._max_clients = max_clients
        self._turns = turns
        self._operator: P | None = None
        self._members: dict[P, str] = {}
        self._line: dict[P, str] = {}
        self._places: dict[P, int] = {}
        self.is_unsettled = False
        self._watchers: set[P] = set()
        self._taken: dict[str, P] = {}
        self._sorted: list[tuple[str, str]] = []
        self._everyone = Everyone[P]()
        self._roster: Roster | None = None
        self._last_speaker: P | None = None
        self._second = (-1, "")

    # ---- what can be asked about it

    @property
    def roster(self) -> tuple[str, ...]:
        """The handles that are in the room, sorted without regard to case."""
        return self._whole_roster().handles

    def handle_of(self, peer: P) -> str | None:
        """The handle of a member, or the one that a peer in line will have."""
        return self._members.get(peer) or self._line.get(peer)

    # ---- what can happen to it

    def appoint(self, peer: P) -> None:
        """Make this peer the operator: it may join under the server's handle, and kick."""
        self._operator = peer

    def watch(self, peer: P) -> None:
        """Let this peer hear everything public without being a member."""
        if peer not in self._members and peer not in self._watchers:
            self._everyone = self._everyone.including(peer)
        self._watchers.add(peer)

    def handle(self, peer: P, request: Request, now: float) -> list[Told[P]]:
        """What a request leads to.

        Args:
            peer: who asks.
            request: what it asks; ``Quit`` of anybody but the operator is the same as `leave`.
            now: the time in seconds since the epoch, UTC.
        """
        match request:
            case Say(text=text):
                return self._say(peer, text, now)
            case Whisper(to=to, text=text):
                return self._whisper(peer, to, text, now)
            case Join(handle=handle):
                return self._join(peer, handle)
            case Rename(handle=handle):
                return self._rename(peer, handle)
            case Who():
                return self._who(peer)
            case Ping():
                return [Told(Pong(), (peer,))]
            case Kick(handle=handle, reason=reason):
                return self._kick(peer, handle, reason)
            case Quit():
                return self._disconnect_all() if peer == self._operator else self.leave(peer)

    def leave(self, peer: P, reason: str = "quit") -> list[Told[P]]:
        """A peer is gone, for this reason; a peer that was never here changes nothing."""
        if peer in self._watchers:
            self._watchers.discard(peer)
            if peer not in self._members:
                self._exclude(peer)
        if peer in self._line:
            self._leave_line(peer)
            return []
        if peer not in self._members:
            return []
        handle = self._remove(peer)
        return [Told(Left(handle, reason), self._everyone), *self._admit()]

    def settle(self) -> list[Told[P]]:
        """What those in line are to be told, whose place has changed since they were last told.

        Not part of what the other methods return: their caller calls this when `is_unsettled`, once
        for all that happened meanwhile, so that a thousand who leave do not each move all others.
        Forgets who is gone.
        """
        self.is_unsettled = False
        self._everyone = self._everyone.settled()
        told = [
            self._tell_place(peer, place)
            for place, peer in enumerate(self._line, 1)
            if self._places.get(peer) != place
        ]
        self._places = {peer: place for place, peer in enumerate(self._line, 1)}
        return told

    # ---- coming, going, names

    def _join(self, peer: P, wanted: str) -> list[Told[P]]:
        if peer in self._line:
            return self._refuse_outsider(peer)
        if current := self._members.get(peer):
            return _refuse(
                peer,
                "already-joined",
                f'you are "{current}" already; \\nick NAME changes your handle',
            )
        handle = self._free_handle(peer, wanted)
        if isinstance(handle, Refused):
            return [Told(handle, (peer,))]
        if peer != self._operator and self._is_full():
            return self._stand_in_line(peer, handle)
        self._taken[handle_key(handle)] = peer
        return self._enter(peer, handle)

    def _free_handle(self, peer: P, wanted: str) -> str | Refused:
        """The handle as it will be kept, if this peer may have it; else why not."""
        if peer == self._operator and normalise_handle(wanted) == self.server:
            return self.server
        handle = accept_handle(wanted)
        if isinstance(handle, Refused):
            return handle
        key = handle_key(handle)
        if self._taken.get(key, peer) != peer:
            return Refused("handle-taken", f'handle "{handle}" is taken; try another')
        if key == handle_key(self.server):
            return Refused("handle-reserved", f'handle "{handle}" is reserved; try another')
        return handle

    def _enter(self, peer: P, handle: str) -> list[Told[P]]:
        others = self._everyone
        if not self._clients():
            self._last_speaker = self._operator
        self._members[peer] = handle
        self._remember(handle)
        self._everyone = others if peer in self._watchers else others.including(peer)
        return [
            Told(Joined(handle), others),
            Told(Welcome(handle, self.server, self.roster), (peer,)),
        ]

    def _remove(self, peer: P) -> str:
        handle = self._members.pop(peer)
        self._forget(handle)
        if self._last_speaker == peer:
            self._last_speaker = None
        if peer not in self._watchers:
            self._exclude(peer)
        return handle

    def _remember(self, handle: str) -> None:
        insort(self._sorted, (handle_key(handle), handle))
        self._roster = None

    def _forget(self, handle: str) -> None:
        self._roster = None
        key = handle_key(handle)
        del self._taken[key]
        del self._sorted[bisect_left(self._sorted, (key, handle))]

    def _rename(self, peer: P, wanted: str) -> list[Told[P]]:
        old = self._members.get(peer)
        if old is None:
            return self._refuse_outsider(peer)
        if peer == self._operator:
            return _refuse(peer, "not-allowed", "the operator keeps the server's handle")
        new = self._free_handle(peer, wanted)
        if isinstance(new, Refused):
            return [Told(new, (peer,))]
        if new == old:
            return _refuse(peer, "handle-taken", f'you are "{old}" already')
        self._forget(old)
        self._taken[handle_key(new)] = peer
        self._members[peer] = new
        self._remember(new)
        return [Told(Renamed(old, new), self._everyone)]

    def _exclude(self, peer: P) -> None:
        self._everyone = self._everyone.excluding(peer)
        self.is_unsettled = True

    # ---- capacity

    def _clients(self) -> int:
        return len(self._members) - (self._operator in self._members)

    def _is_full(self) -> bool:
        return self._clients() >= self._max_clients

    def _stand_in_line(self, peer: P, handle: str) -> list[Told[P]]:
        if len(self._line) >= MAX_LINE:
            return _refuse(
                peer, "line-full", "the room is full, and so is the line; try again later"
            )
        self._taken[handle_key(handle)] = peer
        self._line[peer] = handle
        self._places[peer] = len(self._line)
        return [self._tell_place(peer, len(self._line))]

    def _tell_place(self, peer: P, place: int) -> Told[P]:
        return Told(Notice(f"The room is full; you are number {place} in line"), (peer,))

    def _leave_line(self, peer: P) -> str:
        handle = self._line.pop(peer)
        del self._taken[handle_key(handle)]
        self.is_unsettled = True
        return handle

    def _admit(self) -> list[Told[P]]:
        """Let in those in line for whom there is room now."""
        told: list[Told[P]] = []
        while self._line and not self._is_full():
            peer = next(iter(self._line))
            handle = self._leave_line(peer)
            self._taken[handle_key(handle)] = peer
            told += self._enter(peer, handle)
        return told

    def _refuse_outsider(self, peer: P) -> list[Told[P]]:
        if peer in self._line:
            return _refuse(
                peer, "waiting", "the room is full; wait until you are let in; nothing was sent"
            )
        return _refuse(peer, "not-joined", "join with a handle first; nothing was sent")

    def _who(self, peer: P) -> list[Told[P]]:
        if self.handle_of(peer) is None:
            return self._refuse_outsider(peer)
        return [Told(self._whole_roster(), (peer,))]

    def _whole_roster(self) -> Roster:
        """Made once for as long as nothing changes: asking again and again must cost little."""
        if self._roster is None:
            self._roster = Roster(tuple(handle for _, handle in self._sorted))
        return self._roster

    # ---- speaking

    def _say(self, peer: P, text: str, now: float) -> list[Told[P]]:
        handle = self._members.get(peer)
        if handle is None:
            return self._refuse_outsider(peer)
        accepted = accept_text(text)
        if isinstance(accepted, Refused):
            return [Told(accepted, (peer,))]
        if self._turns:
            if peer == self._last_speaker:
                return _refuse(peer, "not-your-turn", f"{self._whose_turn()}; nothing was sent")
            self._last_speaker = peer
        said = Said(0, self._stamp(now), handle, accepted)
        return [Told(said, self._everyone, peer)]

    def _whisper(self, peer: P, to: str, text: str, now: float) -> list[Told[P]]:
        handle = self._members.get(peer)
        if handle is None:
            return self._refuse_outsider(peer)
        target = self._find(to)
        if target is None:
            return self._refuse_unknown(peer, to, "nothing was sent")
        accepted = accept_text(text)
        if isinstance(accepted, Refused):
            return [Told(accepted, (peer,))]
        whispered = Whispered(0, self._stamp(now), handle, self._members[target], accepted)
        return [Told(whispered, (target, peer) if target != peer else (peer,), peer)]

    def _whose_turn(self) -> str:
        others = [
            handle
            for _, handle in self._sorted
            if self._taken[handle_key(handle)] != self._last_speaker
        ]
        if not others:
            return "wait for somebody to answer; nobody else is here"
        if len(others) > _NAMED:
            return "it is anybody else's turn"
        return f"it is the turn of {' or '.join(others)}"

    # ---- the operator

    def _kick(self, peer: P, handle: str, why: str) -> list[Told[P]]:
        if peer not in self._members:
            return self._refuse_outsider(peer)
        if peer != self._operator:
            return _refuse(peer, "not-allowed", "only the operator can kick")
        target = self._taken.get(handle_key(handle))
        if target is None:
            return self._refuse_unknown(peer, handle, "nobody was kicked")
        if target == peer:
            return _refuse(peer, "not-allowed", "you cannot kick yourself")
        reason = "kicked"
        if why:
            accepted = accept_text(why)
            if isinstance(accepted, Refused):
                return [Told(accepted, (peer,))]
            reason = f"kicked: {accepted.strip()}"
        told = [Told(Closing(reason), (target,))]
        if target in self._line:
            told.append(Told(Notice(f"{self._line[target]} is out of the line"), (peer,)))
        return [*told, *self.leave(target, reason)]

    def _disconnect_all(self) -> list[Told[P]]:
        clients = [*(peer for peer in self._members if peer != self._operator), *self._line]
        self._line.clear()
        self.is_unsettled = True
        for peer in clients:
            if peer in self._members:
                self._remove(peer)
        self._taken = {handle_key(handle): peer for peer, handle in self._members.items()}
        where = f"; still listening on {self.place}" if self.place else ""
        return [
            Told(Closing("the operator ended the chat", retry=True), tuple(clients)),
            Told(Notice(f"all clients disconnected{where}"), self._everyone),
        ]

    # ---- small things

    def _find(self, handle: str) -> P | None:
        peer = self._taken.get(handle_key(handle))
        return peer if peer in self._members else None

    def _refuse_unknown(self, peer: P, handle: str, outcome: str) -> list[Told[P]]:
        shown = clean(handle)[:_SHOWN]
        return _refuse(peer, "no-such-handle", f'nobody here is called "{shown}"; {outcome}')

    def _stamp(self, now: float) -> str:
        """The time as it stands on the wire; the seconds' part is kept for the next message."""
        second, millisecond = divmod(round(now * 1000), 1000)
        if second != self._second[0]:
            self._second = (second, datetime.fromtimestamp(second, UTC).isoformat()[:-6])
        return self._second[1] + _MILLISECONDS[millisecond]


def _refuse(peer: P, code: str, text: str) -> list[Told[P]]:
    return [Told(Refused(code, text), (peer,))]
