from typing import get_args

import pytest

from triochat.deeds import DEEDS
from triochat.messages import (
    Action,
    Ban,
    Bans,
    Deop,
    Join,
    Kick,
    Mute,
    Op,
    Ping,
    Quiet,
    Quit,
    Refused,
    Rename,
    Request,
    Say,
    Servers,
    Speech,
    Stats,
    Topic,
    Typed,
    Unban,
    Unmute,
    Whisper,
    Who,
)
from triochat.order import HOUSE, AnyRequest, Peer
from triochat.rules import QUEUE, RULES
from triochat.state import State

ANN, BOB, CID, DAN, EVE = (Peer(name) for name in ("ann", "bob", "cid", "dan", "eve"))
BOSS, MATE = Peer("boss", is_console=True), Peer("mate", is_console=True)
WAITING = "the room is full; wait until you are let in"


def state(*peers: Peer, waiting: tuple[Peer, ...] = (), last: Peer | None = None) -> State:
    """A room in which these peers are, or wait; with turns, if it is said who spoke last."""
    state = State(max_clients=len(peers) if waiting else 1000, turns=last is not None)
    for peer in peers:
        state.members.enter(peer, peer.id.capitalize())
    for peer in waiting:
        state.members.wait(peer, peer.id.capitalize())
    state.last_speaker = last
    return state


def refusal(state: State, peer: Peer, request: Request) -> tuple[str, str] | None:
    """The first no that a peer hears who asks for this, as a code and a sentence."""
    for rule in RULES.get(type(request), ()):
        if refused := rule(state, peer, request):
            assert type(refused) is Refused
            assert refused.id == 0, "ids are the room's"
            return refused.code, refused.text
    return None


def test_the_table_of_rules_is_complete() -> None:
    """Every request of the wire has its rules, but for the two that anybody may ask for."""
    assert {*RULES} == {*get_args(Request)} - {Ping, Quit, Typed}
    assert all(RULES.values())


def test_the_table_of_deeds_is_complete() -> None:
    """Whatever the room may be asked leads to something; lines are read first, says make runs."""
    assert {*DEEDS} == {*get_args(AnyRequest)} - {Typed, Say, Action}


@pytest.mark.parametrize("request_", [Ping(), Quit()], ids=str)
@pytest.mark.parametrize("peer", [ANN, BOB, CID, BOSS])
def test_what_anybody_may_ask(request_: Request, peer: Peer) -> None:
    """No rule stands against a ping, or against going; not for strangers either."""
    assert refusal(state(ANN, waiting=(BOB,)), peer, request_) is None


REQUESTS = (
    Say("x"),
    Action("x"),
    Whisper("Ann", "x"),
    Rename("Zoe"),
    Who(),
    Topic(),
    Kick("Ann"),
    Op("Ann"),
    Deop("Ann"),
    Ban("Ann"),
    Unban("Ann"),
    Mute("Ann"),
    Unmute("Ann"),
    Quiet(on=True),
    Bans(),
    Stats(),
    Servers(),
)


def unsent(request_: Request) -> str:
    """What is added for who wanted to say something."""
    return "; nothing was sent" if isinstance(request_, Speech) else ""


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_strangers_are_told_nothing(request_: Request) -> None:
    """Whoever has no handle yet, be it an operator, has to join first."""
    not_joined = ("not-joined", f"join with a handle first{unsent(request_)}")
    assert refusal(state(ANN), BOB, request_) == not_joined
    assert refusal(state(ANN), BOSS, request_) == not_joined


@pytest.mark.parametrize("request_", [*REQUESTS, Join("Bob")], ids=str)
def test_who_waits_may_only_look(request_: Request) -> None:
    """Whoever is in the queue may ask who is here, and for nothing else."""
    wanted = None if request_ == Who() else ("waiting", WAITING + unsent(request_))
    assert refusal(state(ANN, waiting=(BOB,)), BOB, request_) == wanted


def test_nobody_joins_twice() -> None:
    """A member is told how to change its handle instead; a stranger may join."""
    assert refusal(state(ANN), ANN, Join("Zoe")) == (
        "already-joined",
        'you are "Ann" already; \\nick NAME changes your handle',
    )
    assert refusal(state(ANN), BOB, Join("Zoe")) is None


def test_a_queue_ends_somewhere() -> None:
    """The queue for a full room takes no more than so many; operators need not wait."""
    waiting = tuple(Peer(f"p{number}") for number in range(QUEUE))
    full = state(ANN, waiting=waiting)
    assert refusal(full, EVE, Join("Eve")) == (
        "queue-full",
        "the room is full, and so is the line; try again later",
    )
    assert refusal(full, BOSS, Join("Server")) is None
    full.members.remove(waiting[5])
    assert refusal(full, EVE, Join("Eve")) is None


def test_without_turns_anybody_speaks() -> None:
    """In a room without turns it does not matter who spoke last."""
    room = state(ANN, BOB)
    room.last_speaker = ANN
    assert refusal(room, ANN, Say("x")) is None


@pytest.mark.parametrize(
    ("peers", "turn"),
    [
        ((ANN,), "wait for somebody to answer; nobody else is here"),
        ((ANN, BOB), "it is the turn of Bob"),
        ((DAN, ANN, CID, BOB), "it is the turn of Bob or Cid or Dan"),
        ((ANN, BOB, CID, DAN, EVE), "it is anybody else's turn"),
    ],
)
def test_nobody_speaks_twice_in_a_row(peers: tuple[Peer, ...], turn: str) -> None:
    """With turns, who spoke last is told whose turn it is: up to three by name."""
    room = state(*peers, last=ANN)
    assert refusal(room, ANN, Say("x")) == ("not-your-turn", f"{turn}; nothing was sent")
    assert all(refusal(room, peer, Say("x")) is None for peer in peers if peer != ANN)


def test_a_client_speaks_first() -> None:
    """Where the house has the last word, operators wait for a client, and are not named."""
    room = state(BOSS, MATE, ANN, last=HOUSE)
    wanted = ("not-your-turn", "it is the turn of Ann; nothing was sent")
    assert refusal(room, BOSS, Say("x")) == wanted
    assert refusal(room, MATE, Say("x")) == wanted
    assert refusal(room, ANN, Say("x")) is None


def test_operators_take_turns_like_anybody() -> None:
    """Once an operator has spoken the other one may."""
    room = state(BOSS, MATE, ANN, last=BOSS)
    assert refusal(room, BOSS, Say("x")) == (
        "not-your-turn",
        "it is the turn of Ann or Mate; nothing was sent",
    )
    assert refusal(room, MATE, Say("x")) is None


def test_whispers_have_no_turns() -> None:
    """Who spoke last may still whisper."""
    assert refusal(state(ANN, BOB, last=ANN), ANN, Whisper("Bob", "x")) is None


@pytest.mark.parametrize("to", ["Eve", "Bob", "", "a b"])
def test_a_whisper_needs_a_reader(to: str) -> None:
    """A whisper to somebody who is not here, or waits still, is told to nobody."""
    assert refusal(state(ANN, waiting=(BOB,)), ANN, Whisper(to, "x")) == (
        "no-such-handle",
        f'nobody here is called "{to}"; nothing was sent',
    )
    assert refusal(state(ANN, waiting=(BOB,)), ANN, Whisper("aNN", "x")) is None


def test_an_unknown_handle_is_shown_cleaned_and_in_part() -> None:
    """Of a handle that nobody has, 40 characters are repeated, without controls."""
    assert refusal(state(ANN), ANN, Whisper("\x1b[31m" + "x" * 50, "x")) == (
        "no-such-handle",
        f'nobody here is called "{"[31m" + "x" * 35}\u2026"; nothing was sent',
    )


def test_operators_keep_their_handles() -> None:
    """No operator renames itself; clients do."""
    wanted = ("not-allowed", "the console keeps the server's handle")
    assert refusal(state(BOSS, ANN), BOSS, Rename("Chief")) == wanted
    assert refusal(state(BOSS, ANN), ANN, Rename("Anna")) is None


@pytest.mark.parametrize("handle", ["Ann", "Bob", "Eve", "Boss"])
def test_only_operators_kick(handle: str) -> None:
    """A client kicks nobody, and does not learn whether there is such a one."""
    wanted = ("not-allowed", "only operators can use \\kick")
    assert refusal(state(BOSS, ANN, BOB), ANN, Kick(handle)) == wanted


def test_whom_an_operator_kicks() -> None:
    """An operator kicks members and who waits; not itself, not a console, and not nobody."""
    room = state(BOSS, MATE, ANN, waiting=(BOB,))
    assert [refusal(room, BOSS, Kick(one)) for one in ("ann", "BOB")] == [None] * 2
    wanted = ("not-allowed", "the console cannot be kicked")
    assert [refusal(room, BOSS, Kick(one)) for one in ("Mate", "Server")] == [wanted] * 2
    assert refusal(room, BOSS, Kick("bOSS")) == ("not-allowed", "you cannot kick yourself")
    assert refusal(room, BOSS, Kick("Eve")) == (
        "no-such-handle",
        'nobody here is called "Eve"; nobody was kicked',
    )


@pytest.mark.parametrize("request_", [Join("Zoe"), *REQUESTS], ids=str)
def test_rules_change_nothing(request_: Request) -> None:
    """To be refused, or not, leaves the room as it was."""
    room = state(ANN, BOSS, waiting=(BOB,), last=ANN)
    for peer in (ANN, BOB, CID, BOSS):
        refusal(room, peer, request_)
    assert (room.members.roster, room.members.queue) == (("Ann", "Boss"), {BOB: "Bob"})
    assert room.last_speaker == ANN


def test_only_operators_ask_how_the_server_does() -> None:
    """The console may, and a member that was made an operator; nobody else."""
    room = state(BOSS, ANN, BOB)
    room.operators.add(BOB)
    assert refusal(room, ANN, Stats()) == ("not-allowed", "only operators can use \\stats")
    assert [refusal(room, peer, Stats()) for peer in (BOSS, BOB)] == [None, None]
