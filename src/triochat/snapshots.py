"""Snapshots: a room that servers share, as bytes, and back. Pure.

Two rooms that were asked the same are equal by these bytes; and one that is loaded goes on as the
other one does. So what has an order in a room has it here, and what has none is sorted.
"""

from zlib import crc32

from msgspec import Struct, msgpack

from triochat.deeds import RENAMES
from triochat.entries import Comes, hide, reveal
from triochat.history import Tail
from triochat.ledger import DAMAGED, LedgerError
from triochat.order import Peer
from triochat.ratelimit import TokenBucket
from triochat.room import Room
from triochat.sanctions import dump as dump_rulings
from triochat.sanctions import load as load_rulings
from triochat.seats import Seat
from triochat.servers import Server


class Snapshot(Struct, frozen=True):
    """What a server has to know that begins to share a room.

    Attributes:
        terms: what its servers agreed on.
        entries: how many are in it, ever.
        room: how it stands, as `dump` has it.
        tail: what its members may have missed, and what was said last.
    """

    terms: dict[str, str]
    entries: int
    room: bytes
    tail: Tail


class _State(Struct, frozen=True):
    """A room. What is a list of pairs has the order of a dict."""

    now: float
    last_id: int
    members: list[tuple[Peer, str]]
    operators: list[Peer]
    queue: list[tuple[Peer, str]]
    joining: list[tuple[Peer, Comes]]
    places: list[tuple[Peer, int]]
    held: list[tuple[Peer, str]]
    seats: list[Seat]
    away: list[str]
    waiting: list[tuple[str, int]]
    servers: list[tuple[str, Server]]
    gone: list[str]
    doors: list[tuple[Peer, str]]
    exposed: list[Peer]
    admitted: list[Peer]
    introduced: list[tuple[Peer, str]]
    ended: list[Peer]
    renames: list[tuple[Peer, tuple[float, float]]]
    former: list[tuple[str, Peer]]
    last_speaker: Peer | None
    is_unsettled: bool
    rulings: bytes


_encoder = msgpack.Encoder()


def encode(snapshot: Snapshot) -> bytes:
    """A snapshot as it is kept: what a byte is wrong in would make another room of it."""
    data = _encoder.encode(snapshot)
    return crc32(data).to_bytes(4) + data


def decode(data: bytes) -> Snapshot:
    """What is kept there.

    Raises:
        LedgerError: it is damaged.
        msgspec.MsgspecError: it is none that this release has written.
    """
    if crc32(data[4:]).to_bytes(4) != data[:4]:
        raise LedgerError(DAMAGED)
    return msgpack.decode(memoryview(data)[4:], type=Snapshot)


def dump(room: Room) -> bytes:
    """How a room stands."""
    members, seats = room.members, room.seats
    return _encoder.encode(
        _State(
            now=room.now,
            last_id=room.last_id,
            members=[*members.items()],
            operators=sorted(members.operators),
            queue=[*members.queue.items()],
            joining=[(peer, hide(join)) for peer, join in room.joining.items()],
            places=sorted(room.places.items()),
            held=sorted(members.held.items()),
            seats=[seats[key] for key in sorted(seats)],
            away=[*seats.away],
            waiting=sorted((key, count) for key, count in seats.waiting.items() if count),
            servers=[*room.servers.items()],
            gone=[*room.servers.gone],
            doors=sorted(room.doors.items()),
            exposed=sorted(room.exposed),
            admitted=sorted(room.admitted),
            introduced=sorted(room.introduced.items()),
            ended=sorted(room.ended),
            renames=sorted((peer, bucket.state) for peer, bucket in room.renames.items()),
            former=[*room.former.items()],
            last_speaker=room.last_speaker,
            is_unsettled=room.is_unsettled,
            rulings=dump_rulings(room.rulings, room.now),
        )
    )


def load(room: Room, data: bytes) -> None:
    """Let a room stand like this, which has the same options; whatever was in it is forgotten.

    Raises:
        ValueError: this is no room.
    """
    state = msgpack.decode(data, type=_State)
    room.clear()
    room.set_time(state.now)
    room.last_id, room.is_unsettled = state.last_id, state.is_unsettled
    room.last_speaker = state.last_speaker
    room.exposed.update(state.exposed)
    _load_members(room, state)
    _load_seats(room, state)
    room.joining.update((peer, reveal(comes)) for peer, comes in state.joining)
    room.places.update(state.places)
    room.doors.update(state.doors)
    room.admitted.update(state.admitted)
    room.introduced.update(state.introduced)
    room.ended.update(state.ended)
    room.former.update(state.former)
    for peer, (tokens, then) in state.renames:
        room.renames[peer] = TokenBucket(*RENAMES, tokens, then)
    room.servers.update(state.servers)
    room.servers.gone.update(dict.fromkeys(state.gone))
    room.rulings.adopt(load_rulings(state.rulings))


def _load_members(room: Room, state: _State) -> None:
    members = room.members
    for peer, handle in state.members:
        members.enter(peer, handle)
    for peer in state.operators:
        members.appoint(peer)
    for peer, handle in state.queue:
        members.wait(peer, handle)
    for peer, handle in state.held:
        members.hold(peer, handle)


def _load_seats(room: Room, state: _State) -> None:
    seats = {seat.key: seat for seat in state.seats}
    for key in (*state.away, *seats):
        room.seats.put(seats[key])
    room.seats.waiting.update(dict(state.waiting))
