"""Order: the first station of the feed. Whatever is asked of the room gets its place here.

What is ordered are requests, and not what the room makes of them: a room that is shared by several
servers is the same on each, since each applies the same requests, of the same peers, at the same
times, in the same order.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from triochat.messages import Answer, Message, Request


class Peer(NamedTuple):
    """Whoever is at the other end of a connection: data, the same on every server.

    Attributes:
        id: nobody else has it, now or later.
        address: where it comes from, in words; empty if not known.
        host: with whom it shares what one host may have; empty if not known.
        is_console: it is at the server's own terminal, and may have the server's handle.
    """

    id: str
    address: str = ""
    host: str = ""
    is_console: bool = False


HOUSE = Peer("", is_console=True)
"""Who asks for what no peer asked for."""


class Gone(Message, frozen=True):
    """The peer has nothing more to say, and may be unreachable."""

    reason: str


class Expired(Message, frozen=True):
    """The time is over in which the peer was to join, or it may not; nothing, if it has joined.

    It is told whether it ``may_return``: whether to try again makes sense.
    """

    reason: str
    may_return: bool = True


class Idled(Message, frozen=True):
    """A member has said nothing for too long; nothing, if it is none."""


class Exposed(Message, frozen=True):
    """What this peer says and is told crosses a network, and can be read there."""


class Came(Message, frozen=True):
    """By this door this member is here: so its dialect is called."""

    door: str


class Reply(Message, frozen=True):
    """Tell it these bytes, in their place: what its speaker answers by itself."""

    data: bytes


class Warned(Message, frozen=True):
    """Tell this member, which has asked for nothing of the kind."""

    text: str


class Alert(Message, frozen=True):
    """Tell the operators this. The house's."""

    text: str


class Lapse(Message, frozen=True):
    """Give up what was kept for too long for who is away. The house's."""


class Vacate(Message, frozen=True):
    """Give this seat up: what its owner has missed cannot be told any more. The house's."""

    key: str


class Settle(Message, frozen=True):
    """Tell those who wait for a place in the room where they stand now. The house's."""


class Admitted(Message, frozen=True):
    """This stranger has said the password, to the server that it is connected to."""


class ServerCame(Message, frozen=True):
    """A server shares this room from now on; one that had its name before is gone. The house's."""

    name: str
    incarnation: str


class ServerGone(Message, frozen=True):
    """This server is not here any more, and nobody who was connected to it. The house's.

    The reason is why they are not, if it is known.
    """

    incarnation: str
    reason: str = ""


AnyRequest: TypeAlias = (
    Request
    | Answer
    | Reply
    | Came
    | Gone
    | Expired
    | Idled
    | Exposed
    | Warned
    | Alert
    | Lapse
    | Vacate
    | Settle
    | Admitted
    | ServerCame
    | ServerGone
)
"""What the room may be asked. An `Answer` passes through it as it is, to keep its place."""


class Aside(Struct, frozen=True, gc=False):
    """What changes nothing, asked of one of several servers alone: its answer has no id."""

    request: AnyRequest


class Asked(Struct, frozen=True, gc=False):
    """What one peer asked for at once.

    Attributes:
        peer: who asks.
        requests: what for, in order.
        now: when, in seconds since the epoch, UTC.
    """

    peer: Peer
    requests: Sequence[AnyRequest | Aside]
    now: float


Order: TypeAlias = Callable[[Asked], Sequence[Asked]]
"""Takes what is asked, and gives back what has its place now, and is next to be applied: nothing
yet, where servers share an order. What comes later is given to `Feed.apply`."""


def arrival(asked: Asked) -> Sequence[Asked]:
    """The order of one server: first come, first served."""
    return (asked,)
