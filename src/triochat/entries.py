"""Entries: what stands in the ledger of a room that servers share. Pure.

A *batch* is what one server was asked in one pass. Not all of that goes there: who asks for what
changes nothing is answered by its own server, in its place. Nor does what is nobody's business: of
a token only its hash is told, of a password only whether it was right.
"""

from collections.abc import Sequence
from itertools import chain
from typing import TypeAlias

from msgspec import Raw, Struct, msgpack
from msgspec.structs import replace

from triochat.messages import (
    Bans,
    Forget,
    Id,
    Join,
    Message,
    Notice,
    Ping,
    Recall,
    Refused,
    Servers,
    Stats,
    Topic,
    Typed,
    Who,
)
from triochat.order import HOUSE, Admitted, AnyRequest, Aside, Asked, Peer, Reply, ServerGone
from triochat.room import Room
from triochat.seats import HASHED, key_of

WRONG = "\n"
"""What stands in place of a wrong password: nobody can say so in a line."""

ANSWERED = Who, Ping, Recall, Stats, Servers, Bans, Reply, Notice, Refused
"""What changes nothing. (A `Topic` without a text does not either.)"""


class Comes(Message, frozen=True, tag="comes"):
    """A `Join`, without what nobody else is to know."""

    handle: str
    history: int | None
    key: str
    after: Id | None
    has_wrong_password: bool


class Removes(Message, frozen=True, tag="removes"):
    """A `Forget`, of however many messages: all that somebody has ever said."""

    ids: tuple[Id, ...]
    handle: str


Written: TypeAlias = AnyRequest | Comes | Removes
"""A request, as it stands in an entry."""

Shared: TypeAlias = tuple[Peer, Sequence[Written]]
"""Who asks, and what for."""


class Batch(Struct, frozen=True, array_like=True, tag=0, gc=False):
    """What one server was asked.

    Attributes:
        incarnation: which server.
        number: the batches of a server are counted from 1.
        asked: in order.
    """

    incarnation: str
    number: int
    asked: Sequence[Shared]


class Founded(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Here the entries begin, or begin anew: those who have read ``former`` last may go on.

    Attributes:
        incarnation: who has begun them.
        former: the last entry that it had read of those before.
        entries: how many it had read, ever.
    """

    incarnation: str
    former: tuple[int, int]
    entries: int


_decoder: msgpack.Decoder[Batch | Founded] = msgpack.Decoder(Batch | Founded)
_shared: msgpack.Decoder[Shared] = msgpack.Decoder(Shared)
_encoder = msgpack.Encoder()


def encode_founded(founded: Founded) -> bytes:
    """A `Founded` as it is written."""
    return _encoder.encode(founded)


def encode_asked(peer: Peer, requests: Sequence[AnyRequest | Aside]) -> Raw:
    """What others have to know of what a peer asks, for `encode_batch`; empty if nothing.

    Raises:
        ValueError: they could not read it. Nobody can say so in a line; and if somebody can, it
            must not stand where all servers read it.
    """
    kept = [one for one in requests if not isinstance(one, Aside)]
    if not kept:
        return Raw()
    written = _encoder.encode((peer, [*map(_write, kept)]))
    _shared.decode(written)
    return Raw(written)


def encode_batch(incarnation: str, number: int, asked: Sequence[Raw]) -> bytes:
    """A `Batch` as it is written."""
    return _encoder.encode((0, incarnation, number, asked))


def decode(data: bytes) -> Batch | Founded:
    """What is written there. Raises `msgspec.MsgspecError` if that is no entry."""
    return _decoder.decode(data)


def prepare(room: Room, asked: Asked) -> list[AnyRequest | Aside]:
    """What is asked, as this server's own room is to apply it; aside is what no other need know.

    Lines mean what they mean to the room now: who speaks has heard of all that it asked before.
    """
    requests: list[AnyRequest] = []
    for request in asked.requests:
        meant = None if isinstance(request, Aside) else request
        if type(request) is Typed and _may_read(room, asked.peer):
            meant = room.read(asked.peer, request.line)
        if type(meant) is Join:
            requests += _admit(room, asked.peer, meant)
        elif meant is not None:
            requests.append(meant)
    return [Aside(one) if _is_answered(room, asked.peer, one) else one for one in requests]


def _may_read(room: Room, peer: Peer) -> bool:
    """Whether a line of this peer may hold a password, or means the same wherever it is read."""
    return peer in room.members or peer in room.members.queue or peer in room.introduced


def _admit(room: Room, peer: Peer, join: Join) -> list[AnyRequest]:
    """Who joins, after its password was looked at: no other server need know it."""
    if not join.password or not room.needs_password(peer):
        return [replace(join, password="")]
    if room.password and room.password.is_same(join.password):
        return [Admitted(), replace(join, password="")]
    return [replace(join, password=WRONG)]


def _is_answered(room: Room, peer: Peer, request: AnyRequest) -> bool:
    """Whether this server alone deals with it: it changes nothing.

    A refusal has an id, so whoever may not ask is told so in the order of all.
    """
    if isinstance(request, ANSWERED) or (type(request) is Topic and not request.text):
        return type(request) is Who or room.check(peer, request) is None
    return False


def hide(join: Join) -> Comes:
    """What others may know of it, also of who waits. Its password was looked at before."""
    key = key_of(join.token) if join.token else ""
    return Comes(join.handle, join.history, key, join.after, join.password == WRONG)


def _write(request: AnyRequest) -> Written:
    if isinstance(request, Join):
        return hide(request)
    if isinstance(request, Forget):
        return Removes(request.ids, request.handle)
    return request


def taken(shared: Shared, now: float) -> Asked:
    """What a server has shared, as another one's room is to apply it."""
    peer, requests = shared
    return Asked(peer, [*map(_read, requests)], now)


def reveal(comes: Comes) -> Join:
    """What a room takes for that `Join`."""
    token = HASHED + comes.key if comes.key else ""
    password = WRONG if comes.has_wrong_password else ""
    return Join(comes.handle, password, comes.history, token, comes.after)


def _read(written: Written) -> AnyRequest:
    if isinstance(written, Comes):
        return reveal(written)
    if isinstance(written, Removes):
        return Forget(written.ids, written.handle)
    return written


def gives_up(batch: Batch, incarnation: str) -> bool:
    """Whether this server is taken for gone there."""
    asked = chain.from_iterable(requests for peer, requests in batch.asked if peer == HOUSE)
    return any(isinstance(one, ServerGone) and one.incarnation == incarnation for one in asked)
