"""The powers of operators: the rules of what only they may ask for. The table of rules names them.

The console is an operator by itself, and nobody does anything to it; the others were made one.
"""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, TypeAlias

from triochat.messages import (
    Ban,
    Deop,
    Forget,
    Kick,
    Mute,
    Op,
    Quiet,
    Refused,
    Topic,
    Unban,
    Unmute,
)
from triochat.order import HOUSE, Peer
from triochat.sanctions import MOST, as_network, is_within, key_of, person_of
from triochat.state import State
from triochat.text import HANDLE_LIMIT, accept_handle, excerpt, handle_key

Rule: TypeAlias = Callable[[State, Peer, Any], Refused | None]
"""Says why this peer cannot have what it asks for; None if this rule does not stand against it."""

NO_TOPIC = "-"
"""The topic that is none."""

_VERBS: dict[type, tuple[str, str]] = {
    Kick: ("kick", "kicked"),
    Ban: ("ban", "banned"),
    Mute: ("mute", "muted"),
    Op: ("op", "made an operator"),
    Deop: ("deop", "dismissed"),
}


def is_operator(state: State, peer: Peer, request: object) -> Refused | None:
    """Only operators moderate."""
    if state.is_operator(peer):
        return None
    return Refused("not-allowed", f"only operators can use \\{type(request).__name__.lower()}")


def may_set(state: State, peer: Peer, topic: Topic) -> Refused | None:
    """Anybody may ask what the room is about."""
    if refused := is_operator(state, peer, topic) if topic.text else None:
        return refused
    if topic.text.strip() == NO_TOPIC and not state.rulings.topic:
        return Refused("not-allowed", "there is no topic")
    return None


def spares(state: State, peer: Peer, request: Kick | Ban | Mute) -> Refused | None:
    """Nobody does it to itself, nor to the console."""
    what, done = _VERBS[type(request)]
    target = state.members.find(request.handle)
    if target == peer:
        return Refused("not-allowed", f"you cannot {what} yourself")
    is_server = handle_key(request.handle) == handle_key(state.members.server)
    if is_server or (target.is_console and target != HOUSE):
        return Refused("not-allowed", f"the console cannot be {done}")
    return None


def frees_another(state: State, peer: Peer, unmute: Unmute) -> Refused | None:
    """Nobody lets itself speak again, whatever it was called when it was muted."""
    mutes = state.rulings.mutes
    own = mutes.find(state.members[peer], peer.host, state.now)
    if own is None or peer.is_console or mutes.get(key_of(unmute.handle)) is not own:
        return None
    return Refused("not-allowed", "you cannot unmute yourself")


def is_here(state: State, _: Peer, request: Kick | Op | Deop) -> Refused | None:
    """It is about somebody who is here; or waits, or may come back, and is not to."""
    target = state.members.find(request.handle)
    if target in state.members:
        return None
    if isinstance(request, Kick) and state.members.handle_of(target):
        return None
    return nobody_called(request.handle, f"nobody was {_VERBS[type(request)][1]}")


def may_change(state: State, peer: Peer, request: Op | Deop) -> Refused | None:
    """Nobody is made what it is; and the console is an operator."""
    target, is_op = state.members.find(request.handle), isinstance(request, Op)
    if target.is_console:
        return Refused("not-allowed", "the console is an operator, and stays one")
    if state.is_operator(target) is not is_op:
        return None
    who = "you are" if target == peer else f'"{state.members[target]}" is'
    return Refused("not-allowed", f"{who} {'an operator already' if is_op else 'no operator'}")


def can_be_banned(state: State, peer: Peer, ban: Ban) -> Refused | None:
    """A ban is of a handle, or of addresses that are not one's own; and there are so many."""
    network = as_network(ban.handle)
    if network and not peer.is_console and peer.host:
        if is_within(ip_network(peer.host), ip_network(network)):
            return Refused("not-allowed", "you come from there yourself; nobody was banned")
    elif not network and isinstance(accept_handle(ban.handle, HANDLE_LIMIT), Refused):
        wrong = f'"{excerpt(ban.handle)}" is neither a handle nor an address; nobody was banned'
        return Refused("no-such-handle", wrong)
    bans = state.rulings.bans
    if len(bans.current(state.now)) >= MOST and not bans.has(ban.handle, state.now):
        return Refused("not-allowed", f"there are {MOST} bans; \\unban somebody first")
    return None


def can_be_muted(state: State, _: Peer, mute: Mute) -> Refused | None:
    """A mute is of somebody who is here, or was a little while ago; and there are so many."""
    is_known = person_of(mute.handle) in state.former
    if state.members.find(mute.handle) == HOUSE and not is_known:
        return nobody_called(mute.handle, "nobody was muted")
    mutes = state.rulings.mutes
    if len(mutes.current(state.now)) >= MOST and not mutes.has(mute.handle, state.now):
        return Refused("not-allowed", f"there are {MOST} mutes; \\unmute somebody first")
    return None


def is_held(state: State, _: Peer, request: Unban | Unmute) -> Refused | None:
    """What does not hold cannot be lifted."""
    is_ban = isinstance(request, Unban)
    table, word = (state.rulings.bans, "ban") if is_ban else (state.rulings.mutes, "mute")
    if table.has(request.handle, state.now):
        return None
    wrong = f'there is no {word} of "{excerpt(request.handle)}"; \\bans lists them'
    return Refused("no-such-handle", wrong)


def is_kept(_state: State, _: Peer, forget: Forget) -> Refused | None:
    """There is something to remove."""
    if forget.ids:
        return None
    if forget.handle:
        whose = f'nothing is kept that "{excerpt(forget.handle)}" has said'
        return Refused("no-such-message", f"{whose}; nothing was removed")
    return Refused("no-such-message", "no such message is kept; nothing was removed")


def is_change(state: State, _: Peer, quiet: Quiet) -> Refused | None:
    """What is so already is not made so."""
    if state.rulings.is_quiet is not quiet.on:
        return None
    return Refused("not-allowed", f"the room is {'quiet already' if quiet.on else 'not quiet'}")


def nobody_called(handle: str, outcome: str) -> Refused:
    """No, since there is no such handle; and what did not happen therefore."""
    return Refused("no-such-handle", f'nobody here is called "{excerpt(handle)}"; {outcome}')
