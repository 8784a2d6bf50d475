"""A snapshot has all that is so in a room, also what is thought of only later."""

from itertools import chain, count

from triochat import snapshots
from triochat.members import Members
from triochat.messages import Ban, Join, Kick, Mute, Op, Quiet, Rename, Say, Topic, Typed, Whisper
from triochat.order import (
    HOUSE,
    Admitted,
    AnyRequest,
    Asked,
    Came,
    Exposed,
    Gone,
    Peer,
    ServerCame,
    ServerGone,
)
from triochat.ratelimit import TokenBucket
from triochat.room import Room
from triochat.sanctions import Rulings, Sanctions
from triochat.seats import HASHED, Seats
from triochat.servers import Servers
from triochat.state import State

NOW = 1767323045.0
ALPHA, BETA, GAMMA = "aaaaaaaa", "bbbbbbbb", "cccccccc"

APART: dict[type, set[str]] = {
    State: {
        "telling",  # what was asked last has led to it
        *("server", "max_clients", "handle_length", "name", "replay", "grace", "hold"),
        *("has_turns", "password", "place"),  # which are options
    },
    Members: {
        *("_who", "_where"),  # are made again when somebody asks
        *("server", "handle_length", "max_clients", "_reserved"),
    },
    Rulings: {"version"},  # counts the changes that were seen here
    Seats: set(),
    Servers: set(),
    Sanctions: set(),
}
"""What a room consists of, and the attributes that are none of a snapshot's affair."""


def parts(thing: object) -> object:
    """What is so in a room, or in a part of it, by the names of the attributes."""
    if isinstance(thing, TokenBucket):
        return thing.state
    found: dict[object, object] = {**thing} if isinstance(thing, dict) else {}
    for kind, apart in APART.items():
        if isinstance(thing, kind):
            found |= {key: value for key, value in vars(thing).items() if key not in apart}
            break
    else:
        if not isinstance(thing, dict):
            return thing
    return {key: parts(value) for key, value in found.items()}


def untouched(peopled: object, new: object, path: str = "room") -> list[str]:
    """What is so in this room as it is in a new one."""
    if isinstance(peopled, dict) and isinstance(new, dict) and new:
        found = [untouched(peopled[key], new[key], f"{path}.{key}") for key in sorted(new)]
        return [*chain.from_iterable(found)]
    return [path] if peopled == new else []


def make_room() -> Room:
    """As each of the servers has it when nobody is in it yet."""
    return Room(max_clients=5, turns=True, password="open", place="port 9999")


def peopled_room() -> Room:
    """A room in which everything has happened that leaves a trace."""
    room = make_room()
    numbers = count(1)

    def ask(peer: Peer, *requests: AnyRequest, later: float = 1.0) -> None:
        room.apply(Asked(peer, requests, max(room.now, NOW) + later))

    def come(handle: str, *before: AnyRequest, server: str = ALPHA) -> Peer:
        peer = Peer(f"{server}-{handle}", "", f"10.0.0.{next(numbers)}/32")
        ask(peer, *before, Admitted(), Join(handle, token=HASHED + handle))
        return peer

    for incarnation in (ALPHA, BETA, GAMMA):
        ask(HOUSE, ServerCame(f"{incarnation}:9999", incarnation))
    boss = Peer(f"{ALPHA}-1", is_console=True)
    ask(boss, Join("Server"))
    ann, _, cid = come("Ann", Exposed(), Came("irc")), come("Bob"), come("Cid", server=BETA)
    come("Dee", server=GAMMA)
    ask(HOUSE, ServerGone(GAMMA))
    eve = come("Eve")
    *_, last = [come(handle) for handle in ("Fay", "Gus", "Hal", "Ivo")]  # who have to wait
    ask(ann, Rename("Anna"))
    ask(boss, Op("Anna"), Mute("Bob"), Ban("10.9.0.0/16"), Topic("tea"), Quiet(on=True))
    ask(cid, Gone("connection lost"), later=room.grace)  # Dee's is over, and its handle held
    ask(boss, Whisper("Cid", "psst"), Kick("Eve"))
    assert eve in room.ended
    ask(Peer(f"{ALPHA}-2"), Typed("Joe"))  # who is asked for the password
    ask(ann, Say("hello"))
    ask(last, Gone("quit"))
    return room


def test_it_has_all_that_is_so_in_a_room() -> None:
    """Whoever adds an attribute to a room adds it to its snapshot too, or says why not.

    It must leave a trace in `peopled_room`, or nobody would notice here.
    """
    room, new, loaded = peopled_room(), make_room(), make_room()
    assert untouched(parts(room), parts(new)) == []
    snapshots.load(loaded, snapshots.dump(room))
    assert parts(loaded) == parts(room)
    assert snapshots.dump(loaded) == snapshots.dump(room)
