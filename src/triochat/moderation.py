"""What operators do: the deeds of their requests, of which everybody is told in one line."""

from collections import Counter

from msgspec.structs import replace

from triochat import coming
from triochat.durations import spell
from triochat.hosts import is_local
from triochat.messages import (
    Ban,
    Closing,
    Deop,
    Forget,
    Kick,
    Moderated,
    Mute,
    Notice,
    Op,
    Quiet,
    Refused,
    Removed,
    Topic,
    Unban,
    Unmute,
)
from triochat.order import HOUSE, Peer
from triochat.powers import NO_TOPIC
from triochat.sanctions import MINUTE, Sanction, as_network, lines, person_of
from triochat.state import State
from triochat.telling import Forgets
from triochat.text import accept_text, excerpt, normalise_handle

NAMED = 1000
"""Ids that are told of messages that were removed; the older ones are on no screen."""


def kick(state: State, peer: Peer, request: Kick) -> None:
    """Put a member, or somebody who waits, out."""
    why = _accept(request.reason)
    if isinstance(why, Refused):
        state.refuse(peer, why)
        return
    target, reason = state.members.find(request.handle), f"kicked{_because(why)}"
    state.tell(Closing(reason), target)
    by, members = state.members[peer], state.members
    absent = members.queue.get(target), members.held.get(target)
    for handle, so in zip(absent, ("is out of the line", "cannot come back"), strict=True):
        if handle:
            state.tell(Moderated(f"{handle} {so}", state.next_id(), state.at, by), peer)
    # the operator's other answers come after it, so it cannot wait
    coming.leave(state, target, reason, by=by, can_wait=False)


def ban(state: State, peer: Peer, request: Ban) -> None:
    """Put this one out, or all who come from there, and let them in no more."""
    why = _accept(request.reason)
    if isinstance(why, Refused):
        state.refuse(peer, why)
        return
    network = as_network(request.handle)
    if network:
        sanction = Sanction(network, network, _until(state, request.minutes), why)
        whom, held = "an address", ""  # it is nobody else's business
    else:
        whom, host, held = _who(state, peer, request.handle)
        sanction = Sanction(whom, host, _until(state, request.minutes), why)
    state.rulings.bans.add(sanction, state.now)
    more = _for(request.minutes) + _because(why)
    _moderate(state, peer, f"{whom} was banned by", more, done=("ban", whom))
    if held:
        state.warn(peer, held)
    reason, members = f"banned{_because(why)}", state.members
    everybody = {**members.queue, **members.held, **members}  # so nobody is let in for that
    for one, handle in everybody.items():
        if not one.is_console and state.rulings.bans.find(handle, one.host, state.now) is sanction:
            state.tell(Closing(reason), one)
            coming.leave(state, one, reason, by=state.members[peer], can_wait=False)


def unban(state: State, peer: Peer, request: Unban) -> None:
    """Let them in again."""
    lifted = state.rulings.bans.lift(request.handle)
    name = lifted.name if lifted and not as_network(lifted.name) else "an address"
    _moderate(state, peer, f"{name} was unbanned by", done=("unban", name))


def mute(state: State, peer: Peer, request: Mute) -> None:
    """Let it say nothing."""
    name, host, held = _who(state, peer, request.handle)
    state.rulings.mutes.add(Sanction(name, host, _until(state, request.minutes)), state.now)
    _moderate(state, peer, f"{name} was muted by", _for(request.minutes), done=("mute", name))
    state.warn(peer, held)


def unmute(state: State, peer: Peer, request: Unmute) -> None:
    """Let it speak again."""
    lifted = state.rulings.mutes.lift(request.handle)
    name = lifted.name if lifted else request.handle
    _moderate(state, peer, f"{name} was unmuted by", done=("unmute", name))


def quiet(state: State, peer: Peer, request: Quiet) -> None:
    """Let only operators speak, or everybody."""
    state.rulings.is_quiet = request.on
    what, more = "the quiet was ended by", ": everybody may speak"
    if request.on:
        what, more = "the room was made quiet by", ": only operators speak"
    _moderate(state, peer, what, more, done=("quiet", "on" if request.on else "off"))


def topic(state: State, peer: Peer, request: Topic) -> None:
    """Say what the room is about, or change it."""
    if not request.text:
        now = state.rulings.topic
        state.tell(Notice(f"Topic: {now}" if now else "there is no topic"), peer)
        return
    text = accept_text(request.text)
    if isinstance(text, Refused):
        state.refuse(peer, text)
        return
    new = state.rulings.topic = "" if text.strip() == NO_TOPIC else text.strip()
    what, more = ("the topic was set by", f": {new}") if new else ("the topic was removed by", "")
    _moderate(state, peer, what, more, done=("topic", new))


def op(state: State, peer: Peer, request: Op) -> None:
    """Make it an operator."""
    target = state.members.find(request.handle)
    _appoint(state, target, is_operator=True)
    handle = state.members[target]
    _announce(state, peer, f"{handle} was made an operator by", done=("op", handle))


def deop(state: State, peer: Peer, request: Deop) -> None:
    """Let it be one no more."""
    target = state.members.find(request.handle)
    _appoint(state, target, is_operator=False)
    handle = state.members[target]
    _announce(state, peer, f"{handle} was dismissed as an operator by", done=("deop", handle))


def bans(state: State, peer: Peer, _: object) -> None:
    """Tell who is banned, and who is muted."""
    held = [*lines(state.rulings, state.now)]
    state.tell(Notice("\n".join(held) or "nobody is banned or muted"), peer)


def servers(state: State, peer: Peer, _: object) -> None:
    """Tell which servers share the room, and how many are at each."""
    shared = state.servers
    here, at = shared.name_of(peer), Counter(map(shared.name_of, state.members))
    lines = [
        f"{server.name}: {at[server.name]:,} here, up for {spell(state.now - server.since)}"
        + "; you are at this one" * (server.name == here)
        for server in sorted(shared.values(), key=lambda server: server.name)
    ]
    if away := at[""]:
        lines.append(f"{away:,} away, whose server is gone")
    alone = "no other server shares this room"
    state.tell(Notice("\n".join(lines) if shared else alone), peer)


def forget(state: State, peer: Peer, request: Forget) -> None:
    """Remove messages, of which it is known by now whose they are."""
    ids, count = request.ids, len(request.ids)
    whose = f" of {excerpt(normalise_handle(request.handle))}" if request.handle else ""
    by = state.members[peer]
    text = f"{count:,} message{'s' * (count != 1)}{whose} {'were' if count != 1 else 'was'}"
    state.telling.append(Forgets(ids, request.handle))
    removed = Removed(ids[-NAMED:], f"{text} removed by {by}", state.next_id(), state.at, by)
    state.tell(removed)


def turn_away(state: State, peer: Peer, banned: Refused) -> None:
    """Tell somebody who is banned so, and hear no more of it."""
    state.refuse(peer, banned)
    state.tell(Closing("banned"), peer)
    state.end(peer, "banned")


def _appoint(state: State, peer: Peer, *, is_operator: bool) -> None:
    state.members.appoint(peer, is_operator=is_operator)
    if seat := state.seats.of(peer):
        state.seat(replace(seat, is_operator=is_operator))


def _moderate(
    state: State, peer: Peer, what: str, more: str = "", *, done: tuple[str, str]
) -> None:
    """Tell everybody what was done, and by whom; it is kept."""
    state.rulings.version += 1
    _announce(state, peer, what, more, done=done)


def _announce(
    state: State, peer: Peer, what: str, more: str = "", *, done: tuple[str, str]
) -> None:
    by = state.members[peer]
    state.tell(Moderated(f"{what} {by}{more}", state.next_id(), state.at, by, *done))


def _who(state: State, peer: Peer, wanted: str) -> tuple[str, str, str]:
    """Who has this handle, or had it; the host that is held with it, if any; and both in words.

    A class may sit behind one address, perhaps with this operator; and the server's own machine is
    no host of anybody's.
    """
    target, nobody = state.members.find(wanted), ""
    name = state.members.handle_of(target) or normalise_handle(wanted)
    if target == HOUSE:
        nobody = f"nobody here is called {name}; "
        target = state.former.get(person_of(wanted), HOUSE)
    if target == HOUSE:
        return name, "", f"{nobody}the name is held"
    host, everybody = target.host, (*state.members, *state.members.queue)
    shown = host.removesuffix("/32")
    if not host:
        why = "where it comes from is not known"
    elif is_local(host):
        why = "this is where the server runs"
    elif any(one.host == host and (one != target or one == peer) for one in everybody):
        why = f"others come from {shown}"
    else:
        return name, host, f"{nobody}whoever comes from {shown} is held too"
    return name, "", f"{nobody}only the name is held: {why}"


def _accept(reason: str) -> str | Refused:
    accepted = accept_text(reason) if reason else ""
    return accepted if isinstance(accepted, Refused) else accepted.strip()


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _until(state: State, minutes: float) -> float:
    return state.now + minutes * MINUTE if minutes else 0.0


def _for(minutes: float) -> str:
    return f" for {spell(minutes * MINUTE)}" if minutes else ""
