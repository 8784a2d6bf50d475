"""Coming and going: who enters, waits, is away, comes back, or has left. What the deeds share.

Who has a seat and vanishes is *away*: still a member, of whom the others hear nothing. After the
grace they hear that it has left; its place is free, but its handle is *held*. By its token it comes
back in either case, from a new peer, and is told what it has missed; the former one is not heard
any more.
"""

import math
from collections.abc import Iterable

from msgspec.structs import replace

from triochat.durations import spell
from triochat.messages import Closing, Join, Joined, Left, Notice, Refused, Welcome
from triochat.order import HOUSE, Peer
from triochat.sanctions import person_of
from triochat.seats import Seat, key_of
from triochat.servers import incarnation_of
from triochat.state import State
from triochat.telling import Follows, Told, Unfollows

FORMER = 200
"""Handles given up last of which is remembered by whom: a ban may come a little late."""

FORMER_OF_HOST = 20
"""As many of them come from one host, or it could have all others forgotten."""

ABSENCES = 8
"""Of the last so many it is known that they were its own, and are not told to who was away."""

LOST = "connection lost"
"""Why somebody is away, if nothing else is known."""

QUIT = "quit"
"""Why a member has left that wanted to."""

CUT_OFF = "this server was cut off from the others"
"""What those are told who were at a server that was given up."""

REPLACED = "you came back over another connection"
"""Why the former connection of somebody who has come back ends."""


def enter(state: State, peer: Peer, handle: str, join: Join) -> None:
    """Let a peer in under this handle, which is free, or is that of its seat."""
    members, seat = state.members, seat_of(state, join)
    if not members.clients:
        state.last_speaker = HOUSE
    if seat and seat.peer in members.held:
        members.remove(seat.peer)
    members.enter(peer, handle)
    joined = Joined(handle, state.next_id(), state.at, peer in state.exposed)
    state.telling.append(Told([joined], can_wait=True))
    if seat:
        if seat.is_operator:
            members.appoint(peer)
        welcome_back(state, peer, replace(seat, absences=(*seat.absences, joined.id)), join)
        return
    key = key_of(join.token) if join.token else ""
    if key:
        state.seat(Seat(key, peer, handle, joined.id, is_exposed=joined.unencrypted))
    welcome(state, peer, join)
    state.telling.append(Follows(peer, count=_wanted(state, peer, join)))


def welcome(state: State, peer: Peer, join: Join, *, is_back: bool = False) -> None:
    """Tell a peer that it is in."""
    members = state.members
    told = Welcome(
        members[peer],
        members.server,
        members.roster,
        state.last_id,
        members.handle_length,
        state.rulings.topic,
        members.who.unencrypted,
        state.name,
        join.token,
        is_back,
        members.who.operators,
    )
    state.tell(told, peer)


def welcome_back(state: State, peer: Peer, seat: Seat, join: Join) -> None:
    """A peer has taken its seat again; tell it what it has missed, and then all."""
    if seat.peer != peer:  # which it is if it had to wait
        state.exposed.discard(seat.peer)
    seat = replace(
        seat,
        peer=peer,
        away=None,
        is_held=False,
        absences=seat.absences[-2 * ABSENCES :],
        handle=state.members[peer],
        is_exposed=peer in state.exposed,
    )
    state.seat(seat)
    welcome(state, peer, join, is_back=True)
    count = _wanted(state, peer, join) if join.after is None else 0
    since = max(join.after or 0, seat.began)
    state.telling.append(Follows(peer, since, seat.key, seat.absences, count))


def _wanted(state: State, peer: Peer, join: Join) -> int:
    """How many messages it is told first."""
    if join.history is not None:
        return max(0, join.history)
    return state.replay if join.token or peer.is_console else (state.replay + 1) // 2


# ---- coming back


def kept_for(state: State, handle: str) -> Refused | None:
    """Why nobody else has the handle of who is away."""
    seat = state.seats.of(state.members.find(handle))
    if seat is None or seat.away is None:
        return None
    left = spell(seat.away + state.hold - state.now)
    why = f"is kept for who lost the connection, who has another {left} to come back"
    return Refused("handle-taken", f'handle "{seat.handle}" {why}; try another, or wait')


def seat_of(state: State, join: Join) -> Seat | None:
    """The seat that this is the token of."""
    return state.seats.get(key_of(join.token)) if join.token else None


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


# ---- going


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


def give_up_server(state: State, incarnation: str) -> None:
    """Nobody is at this server any more: who has a seat is away, and all others have left."""
    for peer in [*state.members, *state.members.queue]:
        if incarnation_of(peer) == incarnation:
            state.tell(Closing(CUT_OFF, retry=True), peer)  # it may be there, and hear this late
            lose(state, peer, LOST)
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


def leave(state: State, peer: Peer, reason: str, *, by: str = "", can_wait: bool = True) -> None:
    """Whatever this peer was, its place is free now, and its connection ends, if it has one.

    The others are told which operator did that, if one did.
    """
    seat = state.seats.of(peer)
    is_here = seat is None or seat.away is None or peer in state.members.queue
    if handle := remove(state, peer):
        tell_left(state, handle, reason, by=by, can_wait=can_wait)
    if seat:
        state.vacate(seat.key)
    if is_here:
        state.end(peer, reason)
    else:
        state.exposed.discard(peer)
    fill(state)


def remove(state: State, peer: Peer) -> str | None:
    """Take a peer out without a word; return the handle that it had as a member."""
    members = state.members
    state.joining.pop(peer, None)
    if peer in members.queue:
        members.remove(peer)
        state.is_unsettled = True
    elif peer in members.held:
        members.remove(peer)
    if peer not in members:
        return None
    if state.last_speaker == peer:
        state.last_speaker = None
    members.appoint(peer, is_operator=False)
    state.renames.pop(peer, None)
    state.telling.append(Unfollows(peer))
    remember(state, peer)
    return members.remove(peer)


def tell_left(
    state: State, handle: str, reason: str, *, by: str = "", can_wait: bool = True
) -> int:
    """Tell all that this one has left; return the id of that."""
    left = Left(handle, reason, state.next_id(), state.at, by)
    state.telling.append(Told([left], can_wait=can_wait))
    return left.id


def remember(state: State, peer: Peer) -> None:
    """Note of a member who gives its handle up that it had it."""
    former = state.former
    former.pop(person := person_of(state.members[peer]), None)  # or it would keep its place
    of_host = [one for one, who in former.items() if who.host == peer.host]
    if len(of_host) >= FORMER_OF_HOST:
        del former[of_host[0]]
    elif len(former) >= FORMER:
        del former[next(iter(former))]
    former[person] = peer


# ---- the queue


def wait(state: State, peer: Peer, handle: str, join: Join) -> None:
    """Put a peer at the end of the queue."""
    if seat := seat_of(state, join):
        remove(state, seat.peer)
        state.exposed.discard(seat.peer)
        state.seat(replace(seat, peer=peer))
    state.members.wait(peer, handle)
    state.joining[peer] = join
    tell_place(state, peer, len(state.members.queue))


def fill(state: State) -> None:
    """Let in who waits, as far as there are places."""
    queue = state.members.queue
    while queue and not state.members.is_full:
        first = next(iter(queue))
        handle = state.members.remove(first)
        enter(state, first, handle, state.joining.pop(first, Join(handle)))
        state.is_unsettled = True


def settle(state: State) -> None:
    """Tell who waits where it stands now, if that has changed."""
    state.is_unsettled = False
    before, state.places = state.places, {}
    for place, peer in enumerate(state.members.queue, 1):
        if before.get(peer) == place:
            state.places[peer] = place
        else:
            tell_place(state, peer, place)


def tell_place(state: State, peer: Peer, place: int) -> None:
    """Tell a peer where it stands in the queue."""
    state.places[peer] = place
    state.tell(Notice(f"The room is full; you are number {place} in line"), peer)
