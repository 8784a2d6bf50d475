"""The rules: what the room refuses, and why. A table: for each kind of request, what is checked.

A rule looks at the state of the room and at what is asked, changes nothing, and says no with a
code and a sentence, or nothing. What is wrong with a text or a handle itself is found where these
are taken in (`text`, `members`). What is not refused becomes a deed.
"""

import re
from math import ceil

from triochat.coming import seat_of
from triochat.lookalikes import skeleton
from triochat.messages import (
    Action,
    Ban,
    Bans,
    Deop,
    Forget,
    Join,
    Kick,
    Mute,
    Op,
    Quiet,
    Recall,
    Refused,
    Rename,
    Say,
    Servers,
    Speech,
    Stats,
    Topic,
    Unban,
    Unmute,
    Whisper,
    Who,
)
from triochat.order import Peer
from triochat.powers import (
    Rule,
    can_be_banned,
    can_be_muted,
    frees_another,
    is_change,
    is_held,
    is_here,
    is_kept,
    is_operator,
    may_change,
    may_set,
    nobody_called,
    spares,
)
from triochat.seats import WHISPERS, Seat
from triochat.state import State
from triochat.text import accept_handle, strip_invisible

QUEUE = 1000
"""Peers in the queue for a full room; the next ones are refused."""

_LOOKED_AT = 120  # characters of an action
_STATED = re.compile(
    r"\S+( \(plain\))?( and \S+)*( (has|have|had|just))*"
    r" (joined|left|came back|came and went|is now \S+|is out of the line)"
    r"(\.?$| \(| the (room|chat))"
    r"|\S+( \(plain\))?( and \S+)* (was|were|is|are|has been|have been|got)"
    r" ((un)?(banned|muted)|kicked|made an operator|dismissed)\b|\S+ connected\. you are "
    r"|(all|an|nobody|one|the|there|this|topic:?|you|your|\d+) |_*earlier[_.'-]* ".replace(
        "m", "rn"
    ),
)
"""How what the room states begins, as it looks: see `lookalikes.skeleton`."""

_NAMED = 3  # as many members are named when it is their turn; more are "anybody else"


def has_joined(state: State, peer: Peer, request: object) -> Refused | None:
    """Only members speak, and change anything."""
    if peer in state.members:
        return None
    return has_handle(state, peer, request) or Refused(
        "waiting", f"the room is full; wait until you are let in{_unsent(request)}"
    )


def has_handle(state: State, peer: Peer, request: object) -> Refused | None:
    """Strangers are told nothing."""
    if state.members.handle_of(peer) is None:
        return Refused("not-joined", f"join with a handle first{_unsent(request)}")
    return None


def is_new(state: State, peer: Peer, _: Join) -> Refused | None:
    """Nobody joins twice."""
    if peer in state.members:
        return Refused(
            "already-joined",
            f'you are "{state.members[peer]}" already; \\nick NAME changes your handle',
        )
    return has_joined(state, peer, _) if peer in state.members.queue else None


def has_password(state: State, peer: Peer, join: Join) -> Refused | None:
    """Only who knows the password learns whether a handle is taken, or the room full."""
    if state.password is None or not state.needs_password(peer) or seat_of(state, join):
        return None
    if state.password.is_same(join.password):
        return None
    if join.password:
        return Refused("password-wrong", "that is not the password of this room; try again")
    handle = accept_handle(join.handle, state.members.handle_length)
    if isinstance(handle, Refused):
        return handle
    how = "triochat takes it by --password-file FILE, or from TRIOCHAT_PASSWORD"
    return Refused("password-needed", f"this room has a password; join with it ({how})")


def has_place(state: State, peer: Peer, join: Join) -> Refused | None:
    """A queue ends somewhere."""
    if (seat := seat_of(state, join)) and not seat.is_held:
        return None
    if state.members.is_full and len(state.members.queue) >= QUEUE and not peer.is_console:
        return Refused("queue-full", "the room is full, and so is the line; try again later")
    return None


def has_turn(state: State, peer: Peer, _: Say) -> Refused | None:
    """In a room with turns nobody speaks twice in a row."""
    if not state.has_turns or not state.spoke_last(peer):
        return None
    others = [one for one in state.members if not state.spoke_last(one)]
    if not others:
        turn = "wait for somebody to answer; nobody else is here"
    elif len(others) > _NAMED:
        turn = "it is anybody else's turn"
    else:
        handles = {state.members[one] for one in others}
        named = [handle for handle in state.members.roster if handle in handles]
        turn = f"it is the turn of {' or '.join(named)}"
    return Refused("not-your-turn", f"{turn}; nothing was sent")


def has_reader(state: State, _: Peer, whisper: Whisper) -> Refused | None:
    """A whisper to nobody is told to nobody."""
    if state.members.find(whisper.to) in state.members:
        return None
    return nobody_called(whisper.to, "nothing was sent")


def has_room(state: State, _: Peer, whisper: Whisper) -> Refused | None:
    """Nobody is kept from coming back by what waits for it."""
    seat = state.seats.of(state.members.find(whisper.to))
    if seat is None or state.seats.waiting[seat.key] < WHISPERS:
        return None
    return Refused(
        "slow-down",
        f'"{seat.handle}" has lost its connection, and {WHISPERS} private messages wait for it;'
        " try again when it is back; nothing was sent",
    )


def is_client(_state: State, peer: Peer, _: Rename) -> Refused | None:
    """The console is known by its handle."""
    if peer.is_console:
        return Refused("not-allowed", "the console keeps the server's handle")
    return None


def is_deed(state: State, peer: Peer, action: Action) -> Refused | None:
    """An action is drawn as the room's own lines are: so nobody ``left``, and was not there."""
    text = " ".join(strip_invisible(action.text[:_LOOKED_AT]).split())
    line = f"{state.members[peer]} {text}"
    if any(map(_STATED.match, (skeleton(line).casefold(), skeleton(line.casefold())))):
        return Refused("not-allowed", "only the room says that; nothing was sent")
    return None


def is_calm(state: State, peer: Peer, _: Rename) -> Refused | None:
    """Everybody is told who is called otherwise now, and can follow only so many."""
    bucket = state.renames.get(peer)
    if bucket and (seconds := bucket.wait(state.now)):
        again = f"again in {ceil(seconds)} seconds"
        return Refused("slow-down", f"you have changed your handle too often; {again}")
    return None


# ---- what operators decided


def is_heard(state: State, peer: Peer, request: object) -> Refused | None:
    """Who is muted says nothing, by no way; in a quiet room nobody does but operators.

    To ask an operator in private stays possible there: how else is anybody to be heard again?
    """
    rulings = state.rulings
    if not (rulings.is_quiet or rulings.mutes) or peer.is_console:
        return None
    if held := rulings.mutes.find(state.members[peer], peer.host, state.now):
        return Refused("muted", f"you are muted{held.left(state.now)}{_unsent(request)}")
    if not rulings.is_quiet or state.is_operator(peer) or isinstance(request, Rename):
        return None
    if isinstance(request, Whisper) and state.is_operator(state.members.find(request.to)):
        return None
    quiet = "the room is quiet: only operators speak, and others only to them alone"
    return Refused("quiet", f"{quiet}{_unsent(request)}")


def has_say(state: State, peer: Peer, request: Topic | Kick | Ban) -> Refused | None:
    """Who says nothing does not do so as the topic, nor as a reason."""
    if isinstance(request, Topic):
        return is_heard(state, peer, request) if request.text else None
    refused = is_heard(state, peer, request) if request.reason else None
    return refused and Refused(refused.code, f"{refused.text}; leave the reason out")


def banned(state: State, peer: Peer, request: Join | Rename | Seat) -> Refused | None:
    """Who is banned does not come in, nor does anybody under that handle."""
    held = state.rulings.bans.find(request.handle, peer.host, state.now)
    if held is None or peer.is_console:
        return None
    why = f": {held.why}" if held.why else ""
    whom = "you are" if not isinstance(request, Rename) else f'handle "{held.name}" is'
    return Refused("banned", f"{whom} banned here{held.left(state.now)}{why}")


def _unsent(request: object) -> str:
    """What matters most to who wanted to say something."""
    return "; nothing was sent" if isinstance(request, Speech) else ""


RULES: dict[type, tuple[Rule, ...]] = {
    Join: (is_new, has_password, has_place),
    Say: (has_joined, is_heard, has_turn),
    Action: (has_joined, is_heard, has_turn, is_deed),
    Whisper: (has_joined, has_reader, has_room, is_heard),
    Rename: (has_joined, is_client, is_heard, is_calm, banned),
    Who: (has_handle,),
    Recall: (has_joined,),
    Topic: (has_joined, may_set, has_say),
    Kick: (has_joined, is_operator, spares, is_here, has_say),
    Op: (has_joined, is_operator, is_here, may_change),
    Deop: (has_joined, is_operator, is_here, may_change),
    Ban: (has_joined, is_operator, spares, can_be_banned, has_say),
    Unban: (has_joined, is_operator, is_held),
    Mute: (has_joined, is_operator, spares, can_be_muted),
    Unmute: (has_joined, is_operator, frees_another, is_held),
    Quiet: (has_joined, is_operator, is_change),
    Bans: (has_joined, is_operator),
    Stats: (has_joined, is_operator),
    Servers: (has_joined, is_operator),
    Forget: (has_joined, is_operator, is_kept),
}
"""What is checked, in this order, before a request is obeyed; the first no counts."""
