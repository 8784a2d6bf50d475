"""Being away: who vanishes, is given up, or comes back. What the deeds share.

Who has a seat and vanishes is *away*: still a member, of whom the others hear nothing. After the
grace they hear that it has left; its place is free, but its handle is *held*. By its token it comes
back in either case, from a new peer, and is told what it has missed; the former one is not heard
any more.
"""

import math
from collections.abc import Iterable

from msgspec.structs import replace

from triochat.coming import QUIT, enter, fill, leave, remove, tell_left, welcome_back
from triochat.durations import spell
from triochat.messages import Closing, Join, Refused
from triochat.order import Peer
from triochat.seats import Seat, key_of
from triochat.servers import incarnation_of
from triochat.state import State
from triochat.telling import Unfollows

LOST = "connection lost"
"""Why somebody is away, if nothing else is known."""

CUT_OFF = "this server was cut off from the others"
"""What those are told who were at a server that was given up."""

REPLACED = "you came back over another connection"
"""Why the former connection of somebody who has come back ends."""


def lose(state: State, peer: Peer, why: str) -> None:
    """It is not here any more; if it was not before either, nobody hears of it."""
    seat = state.seats.of(peer)
    if seat is None or why == QUIT or peer in state.members.queue:
        leave(state, peer, why)
    elif seat.away is None:
        go_away(state, seat, why)
    state.forget(peer)


def go_away(state: State, seat: Seat, why: str) -> None:
    """The owner of a seat has vanished, and may come back."""
    is_operator = seat.peer in state.operators
    state.telling.append(Unfollows(seat.peer))
    state.end(seat.peer, why)
    state.seat(replace(seat, away=state.now, why=why, is_operator=is_operator))
    if superfluous := state.seats.superfluous():
        give_up(state, superfluous)
    lapse(state)


def lapse(state: State) -> None:
    """Give up what was kept for too long for who is away."""
    for key in [*state.seats.away]:
        seat = state.seats[key]
        gone = state.now - (seat.away or 0.0)
        if gone < state.grace:
            return  # the others went later
        if gone >= state.hold:
            give_up(state, seat)
        elif not seat.is_held:
            depart(state, seat)
            fill(state)


def due(state: State) -> float:
    """When `lapse` has something to do; never, if infinite."""
    away = map(state.seats.__getitem__, state.seats.away)
    lapses = ((seat.away or 0.0) + (state.hold if seat.is_held else state.grace) for seat in away)
    return min(lapses, default=math.inf)


def give_up_server(state: State, incarnation: str, reason: str = "") -> None:
    """Nobody is at this server any more: who has a seat is away, and all others have left."""
    for peer in [*state.members, *state.members.queue]:
        if incarnation_of(peer) == incarnation:
            state.tell(Closing(CUT_OFF, retry=True), peer)  # it may be there, and hear this late
            lose(state, peer, reason or LOST)
    for peer in state.passing():
        if incarnation_of(peer) == incarnation:
            state.forget(peer)
    state.servers.go(incarnation)


def depart(state: State, seat: Seat) -> None:
    """Tell the others that who is away has left; its place is free, its handle is held."""
    remove(state, seat.peer)
    told = tell_left(state, seat.handle, seat.why or LOST)
    state.members.hold(seat.peer, seat.handle)
    state.seat(replace(seat, is_held=True, absences=(*seat.absences, told)))


def give_up(state: State, seat: Seat) -> None:
    """Keep this seat no more, whose owner is away."""
    if seat.peer not in state.members.queue:
        if remove(state, seat.peer):
            tell_left(state, seat.handle, seat.why or LOST)
        state.exposed.discard(seat.peer)
    state.vacate(seat.key)
    fill(state)


def make_place(state: State) -> None:
    """In a full room let go of who has been away longest, if anybody is: others want to come in."""
    if state.members.is_full:
        away = map(state.seats.__getitem__, state.seats.away)
        if first := next((seat for seat in away if not seat.is_held), None):
            depart(state, first)
            fill(state)


# ---- coming back


def kept_for(state: State, handle: str) -> Refused | None:
    """Why nobody else has the handle of who is away."""
    seat = state.seats.of(state.members.find(handle))
    if seat is None or seat.away is None:
        return None
    left = spell(seat.away + state.hold - state.now)
    why = f"is kept for who lost the connection, who has another {left} to come back"
    return Refused("handle-taken", f'handle "{seat.handle}" {why}; try another, or wait')


def come_back(state: State, peer: Peer, seat: Seat, join: Join) -> None:
    """Let the owner of a seat take it again, which is still a member."""
    former = seat.peer
    if (peer in state.exposed) is not (former in state.exposed):
        depart(state, seat)  # for all are to know whether it can be overheard now
        enter(state, peer, seat.handle, join)
        return
    state.members.move(former, peer)
    if former in state.renames:
        state.renames[peer] = state.renames.pop(former)
    if state.last_speaker == former:
        state.last_speaker = peer
    welcome_back(state, peer, seat, join)


def replace_former(state: State, seat: Seat) -> None:
    """The owner of this seat is here again: hear no more of the connection that it had before."""
    if seat.peer in state.members.queue:
        replace_waiting(state, seat.peer)
    elif seat.away is None:
        state.tell(Closing(REPLACED), seat.peer)
        state.telling.append(Unfollows(seat.peer))
        state.end(seat.peer, "replaced")


def replace_waiting(state: State, peer: Peer) -> None:
    """The same where it waits in the queue."""
    remove(state, peer)
    state.tell(Closing(REPLACED), peer)
    state.end(peer, "replaced")


def waiting_by(state: State, token: str) -> Peer | None:
    """Who waits in the queue by this token."""
    key = key_of(token) if token else ""
    joining = state.joining.items() if key else ()
    return next((peer for peer, one in joining if one.token and key_of(one.token) == key), None)


def restore(state: State, seats: Iterable[Seat], now: float) -> None:
    """Go on with these seats, which were kept; who was here is away from now on.

    Whose handle nobody may have here now, such as the server's new one, has no seat any more.
    """
    away = [seat if seat.away is not None else replace(seat, away=now, why=LOST) for seat in seats]
    for seat in sorted(away, key=lambda seat: seat.away or 0.0):
        if isinstance(state.members.check(seat.peer, seat.handle), Refused):
            continue
        if seat.is_exposed:
            state.exposed.add(seat.peer)
        if seat.is_held:
            state.members.hold(seat.peer, seat.handle)
        else:
            state.members.enter(seat.peer, seat.handle)
            if seat.is_operator:
                state.members.appoint(seat.peer)
        state.seats.put(seat)
