"""The deeds: what a request leads to that no rule stands against. A table, as the rules are."""

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec.structs import replace

from triochat import away, coming, messages, moderation
from triochat.messages import Closing, Join, Moderated, Notice, Quit, Refused, Rename, Whisper, Who
from triochat.order import (
    Admitted,
    Alert,
    Came,
    Expired,
    Exposed,
    Gone,
    Idled,
    Lapse,
    Peer,
    Reply,
    ServerCame,
    ServerGone,
    Settle,
    Vacate,
    Warned,
)
from triochat.ratelimit import TokenBucket
from triochat.rules import banned
from triochat.state import State
from triochat.telling import Recalls, Replies, Reports, Told
from triochat.text import accept_text

RENAMES = (3.0, 1 / 20)
"""How often a member may change its handle at once, and then a second."""

IDLE = "idle"
"""Why a member has left that said nothing for too long."""

Deed: TypeAlias = Callable[[State, Peer, Any], None]
"""Changes the state as this peer asks, and says what there is to say."""


def join(state: State, peer: Peer, request: Join) -> None:
    """Let it in, or have it wait. It knows the password, and may try other handles."""
    if state.needs_password(peer):
        admit(state, peer, Admitted())
    seat = coming.seat_of(state, request)
    if refused := banned(state, peer, seat or request):
        moderation.turn_away(state, peer, refused)
        return
    if not seat and (former := away.waiting_by(state, request.token)):
        away.replace_waiting(state, former)
    handle = seat.handle if seat else state.members.check(peer, request.handle)
    if isinstance(handle, Refused):
        state.refuse(peer, away.kept_for(state, request.handle) or handle)
        return
    if seat:
        away.replace_former(state, seat)
    if seat and not seat.is_held:
        away.come_back(state, peer, seat, request)
        return
    if not peer.is_console:
        away.make_place(state)
    if state.members.is_full and not peer.is_console:
        coming.wait(state, peer, handle, request)
    else:
        coming.enter(state, peer, handle, request)


def rename(state: State, peer: Peer, request: Rename) -> None:
    """Call it by another handle."""
    old = state.members[peer]
    new = state.members.check(peer, request.handle)
    if new == old:
        new = Refused("handle-taken", f'you are "{old}" already')
    if isinstance(new, Refused):
        state.refuse(peer, new)
    else:
        coming.remember(state, peer)
        state.members.rename(peer, new)
        state.renames.setdefault(peer, TokenBucket(*RENAMES)).spend(1, state.now)
        state.tell(messages.Renamed(old, new, state.next_id(), state.at))
        if seat := state.seats.of(peer):
            state.seat(replace(seat, handle=new))


def whisper(state: State, peer: Peer, request: Whisper) -> None:
    """Tell the two whom it concerns."""
    text = accept_text(request.text)
    if isinstance(text, Refused):
        state.refuse(peer, text)
        return
    members, reader = state.members, state.members.find(request.to)
    if (seat := state.seats.of(reader)) and seat.away is not None:
        state.seats.waiting[seat.key] += 1
    event = messages.Whispered(state.next_id(), state.at, members[peer], members[reader], text)
    state.telling.append(Told([event], (peer,) if reader == peer else (reader, peer), peer))


def leave(state: State, peer: Peer, _: Quit) -> None:
    """Let it go; all others, if the console asks."""
    if not peer.is_console:
        coming.leave(state, peer, coming.QUIT)
        return
    reason = "the operator ended the chat"
    for key in [*state.seats.away]:
        away.give_up(state, state.seats[key])
    clients = [one for one in state.members if not one.is_console] + [*state.members.queue]
    state.telling.append(Told([Closing(reason, retry=True, ask=True)], tuple(clients)))
    handles = []
    for one in clients:
        if seat := state.seats.of(one):
            state.vacate(seat.key)
        handles.append(coming.remove(state, one))
        state.end(one, reason)
    for handle in filter(None, handles):  # who was in the queue was never here
        coming.tell_left(state, handle, reason, can_wait=False)
    if state.members.keys() - {peer}:  # consoles of other servers, which have not asked for it
        by = state.members.get(peer, "")
        text = f"all clients were disconnected by {by or state.server}"
        state.tell(Moderated(text, state.next_id(), state.at, by))
    else:  # this is not kept: each server has a place of its own
        where = f"; still listening on {state.place}" if state.place else ""
        state.tell(Notice(f"all clients disconnected{where}"))


def vacate(state: State, _: Peer, request: Vacate) -> None:
    """Give a seat up; its owner comes in as anybody does."""
    if seat := state.seats.get(request.key):
        away.replace_former(state, seat)
        away.give_up(state, seat)


def expire(state: State, peer: Peer, expired: Expired) -> None:
    """Close a stranger's connection."""
    if state.members.handle_of(peer) is None:
        state.tell(Closing(expired.reason, expired.may_return, expired.may_return), peer)
        state.end(peer, expired.reason)


def put_out(state: State, peer: Peer, _: Idled) -> None:
    """Let a member go that only takes a place."""
    if peer in state.members and not state.is_operator(peer):
        state.tell(Closing(IDLE, retry=True, ask=True), peer)
        coming.leave(state, peer, IDLE)


def expose(state: State, peer: Peer, _: Exposed) -> None:
    """Mark it as one that can be overheard. It is known from its first bytes on, or never."""
    if peer not in state.members:
        state.exposed.add(peer)


def come_by(state: State, peer: Peer, came: Came) -> None:
    """Know by which door it has come."""
    state.doors[peer] = came.door


def admit(state: State, peer: Peer, _: Admitted) -> None:
    """It need not say the password any more."""
    state.admitted.add(peer)
    state.introduced.pop(peer, None)


def server_came(state: State, _: Peer, came: ServerCame) -> None:
    """Know of it; whoever was at the one that had its name is not there any more."""
    if former := state.servers.named(came.name):
        away.give_up_server(state, former)
    state.servers.come(came.incarnation, came.name, state.now)


def who(state: State, peer: Peer, _: Who) -> None:
    """Tell it who is here, and at which server; an operator also by which door each is."""
    told, members, doors = state.members.where, state.members, state.doors
    if state.is_operator(peer):
        told = replace(told, doors=tuple(doors.get(members.find(one), "") for one in told.handles))
    state.tell(told, peer)


def pass_on(state: State, peer: Peer, answer: messages.Answer) -> None:
    """Tell it what it would have been told without the room, in its place."""
    state.tell(answer, peer)


def alert(state: State, _: Peer, request: Alert) -> None:
    """Tell those who can do something about it. It is no answer to anything that they asked."""
    operators = tuple(filter(state.is_operator, state.members))
    if operators:
        told = Moderated(request.text, state.next_id(), state.at)
        state.telling.append(Told([told], operators))


def warn(state: State, peer: Peer, request: Warned) -> None:
    """Tell it this. It is no answer to anything that it asked."""
    if peer in state.members:
        state.warn(peer, request.text)


DEEDS: dict[type, Deed] = {
    Join: join,
    Rename: rename,
    Whisper: whisper,
    Who: who,
    messages.Ping: lambda state, peer, _: state.tell(messages.Pong(), peer),
    messages.Recall: lambda state, peer, asked: state.telling.append(Recalls(peer, asked)),
    messages.Forget: moderation.forget,
    messages.Servers: moderation.servers,
    messages.Stats: lambda state, peer, _: state.telling.append(Reports(peer)),
    messages.Topic: moderation.topic,
    messages.Kick: moderation.kick,
    messages.Op: moderation.op,
    messages.Deop: moderation.deop,
    messages.Ban: moderation.ban,
    messages.Unban: moderation.unban,
    messages.Mute: moderation.mute,
    messages.Unmute: moderation.unmute,
    messages.Quiet: moderation.quiet,
    messages.Bans: moderation.bans,
    Quit: leave,
    Gone: lambda state, peer, gone: away.lose(state, peer, gone.reason),
    Expired: expire,
    Idled: put_out,
    Exposed: expose,
    Came: come_by,
    Reply: lambda state, peer, reply: state.telling.append(Replies(peer, reply.data)),
    Warned: warn,
    Alert: alert,
    Lapse: lambda state, _peer, _: away.lapse(state),
    Vacate: vacate,
    Settle: lambda state, _peer, _: coming.settle(state),
    Admitted: admit,
    ServerCame: server_came,
    ServerGone: lambda state, _, gone: away.give_up_server(state, gone.incarnation, gone.reason),
    Notice: pass_on,
    Refused: pass_on,
}
"""What each request does; but for `Say` and `Action`, which the room does by the run."""
