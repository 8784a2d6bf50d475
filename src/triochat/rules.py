"""The rules: what the room refuses, and why. A table: for each kind of request, what is checked.

A rule looks at the state of the room and at what is asked, changes nothing, and says no with a
code and a sentence, or nothing. What is wrong with a text or a handle itself is found where these
are taken in (`text`, `members`). What is not refused becomes a deed.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from triochat.messages import Join, Kick, Refused, Rename, Say, Stats, Whisper, Who
from triochat.order import HOUSE, Peer
from triochat.state import State
from triochat.text import accept_handle, excerpt

QUEUE = 1000
"""Peers in the queue for a full room; the next ones are refused."""

_NAMED = 3  # as many members are named when it is their turn; more are "anybody else"

Rule: TypeAlias = Callable[[State, Peer, Any], Refused | None]
"""Says why this peer cannot have what it asks for; None if this rule does not stand against it."""


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
    if state.password is None or not state.needs_password(peer):
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


def has_place(state: State, peer: Peer, _: Join) -> Refused | None:
    """A queue ends somewhere."""
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
    return _nobody_called(whisper.to, "nothing was sent")


def is_client(_state: State, peer: Peer, _: Rename) -> Refused | None:
    """The operator is known by its handle."""
    if peer.is_console:
        return Refused("not-allowed", "the operator keeps the server's handle")
    return None


def may_kick(state: State, peer: Peer, kick: Kick) -> Refused | None:
    """Only operators kick, and only others."""
    if not state.is_operator(peer):
        return Refused("not-allowed", "only the operator can kick")
    target = state.members.find(kick.handle)
    if target == HOUSE:
        return _nobody_called(kick.handle, "nobody was kicked")
    if target == peer:
        return Refused("not-allowed", "you cannot kick yourself")
    return None


def may_ask_stats(state: State, peer: Peer, _: Stats) -> Refused | None:
    """How the server does concerns who runs it."""
    if not state.is_operator(peer):
        return Refused("not-allowed", "only the operator can ask for that")
    return None


def _unsent(request: object) -> str:
    """What matters most to who wanted to say something."""
    return "; nothing was sent" if isinstance(request, Say | Whisper) else ""


def _nobody_called(handle: str, outcome: str) -> Refused:
    return Refused("no-such-handle", f'nobody here is called "{excerpt(handle)}"; {outcome}')


RULES: dict[type, tuple[Rule, ...]] = {
    Join: (is_new, has_password, has_place),
    Say: (has_joined, has_turn),
    Whisper: (has_joined, has_reader),
    Rename: (has_joined, is_client),
    Who: (has_handle,),
    Kick: (has_joined, may_kick),
    Stats: (has_joined, may_ask_stats),
}
"""What is checked, in this order, before a request is obeyed; the first no counts."""
