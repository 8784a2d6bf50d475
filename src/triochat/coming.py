"""Coming and going: who enters, waits, or has left. What the deeds share."""

from msgspec.structs import replace

from triochat.messages import Join, Joined, Left, Notice, Welcome
from triochat.order import HOUSE, Peer
from triochat.sanctions import person_of
from triochat.seats import Seat, key_of
from triochat.state import State
from triochat.telling import Follows, Told, Unfollows

FORMER = 200
"""Handles given up last of which is remembered by whom: a ban may come a little late."""

FORMER_OF_HOST = 20
"""As many of them come from one host, or it could have all others forgotten."""

ABSENCES = 8
"""Of the last so many it is known that they were its own, and are not told to who was away."""

QUIT = "quit"
"""Why a member has left that wanted to."""


def enter(state: State, peer: Peer, handle: str, join: Join) -> None:
    """Let a peer in under this handle, which is free, or is that of its seat."""
    members, seat = state.members, seat_of(state, join)
    if not members.clients:
        state.last_speaker = HOUSE
    if seat and seat.peer in members.held:
        members.remove(seat.peer)
    members.enter(peer, handle)
    if seat and seat.is_operator:
        members.appoint(peer)
    is_exposed, is_operator = peer in state.exposed, state.is_operator(peer)
    joined = Joined(handle, state.next_id(), state.at, is_exposed, is_operator)
    state.telling.append(Told([joined], can_wait=True))
    if seat:
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


def seat_of(state: State, join: Join) -> Seat | None:
    """The seat that this is the token of."""
    return state.seats.get(key_of(join.token)) if join.token else None


# ---- going


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
