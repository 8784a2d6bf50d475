"""What a dialect is, and a speaker of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from triochat.framing import LINE_LENGTH, Lines
from triochat.messages import Event, Refused
from triochat.order import AnyRequest

UNENCRYPTED = (
    "this room wants TLS from other machines; join it with: triochat client HOST PORT,"
    " and without --insecure; or with a browser: https://HOST:PORT"
)
"""What a peer is told that does without, where it must not."""


@dataclass(frozen=True)
class Setting:
    """Where a speaker speaks: what it may have to know of that before it is told anything.

    Attributes:
        room: what the room is called.
        handle_length: the most characters in a handle.
        hosts: names of this machine, by which a browser may have come; small letters.
        has_page: browsers are served.
        has_tls: TLS is spoken here, whether this peer does or not.
        is_remote: what this peer says crosses a network.
        is_sealed: it is encrypted.
    """

    room: str = "room"
    handle_length: int = 10
    hosts: frozenset[str] = frozenset()
    has_page: bool = True
    has_tls: bool = False
    is_remote: bool = False
    is_sealed: bool = False

    @property
    def is_exposed(self) -> bool:
        """Whether others on the network can read it."""
        return self.is_remote and not self.is_sealed


@dataclass(frozen=True, eq=False)
class Dialect:
    """How events are written that many are told: once for all who speak alike.

    Attributes:
        name: for the log, and for operators: the door.
        echoes: members hear their own messages; if not, their own screen has shown them.
        encode: writes the events, one after the other, each with its line end. (A list: what
            writes JSON leaks an object for each other sequence.)
        frame: what goes around all that is told at once, if anything does.
    """

    name: str
    echoes: bool
    encode: Callable[[list[Event]], bytes]
    frame: Callable[[bytes], bytes] | None = None

    def wrap(self, text: bytes) -> bytes:
        """What is sent of all that is told at once, and was written by this.

        Nothing of nothing: some doors have no words for some events.
        """
        return self.frame(text) if self.frame and text else text


class Speaker:
    """One peer's way to speak: bytes in, requests out, and what is for this peer alone.

    There is one for each connection. It does no I/O, and never raises, whatever it hears. What it
    answers by itself, without an event, it asks to be told (`Reply`). This one speaks in lines.

    Attributes:
        dialect: in which it is told what all are told; the same from when it asks to join.
        parting: why a peer has left whose input ends without a word.
        line_length: the most bytes in a line, without its ending.
        is_person: whoever speaks so types, and so has a person's time.
        has_seat: whoever speaks so can come back by a token.
        has_spares: whoever speaks so opens connections for later, and says nothing there.
        final: codes of refusals after which it is not asked again who it is, and let go.
        patience: seconds in which it must have joined, from its first byte on, if it is no person.
        silence: seconds without a word after which it is asked whether it is there.
        heard: how often it has said anything, where that counts.
    """

    __slots__ = ("_lines",)

    dialect: Dialect
    parting: str
    line_length: ClassVar[int] = LINE_LENGTH
    is_person: ClassVar[bool] = False
    has_seat: bool = False
    has_spares: ClassVar[bool] = False
    final: ClassVar[frozenset[str]] = frozenset()
    patience: float = 20.0
    silence: ClassVar[float] = math.inf
    heard: int = 0

    def __init__(self) -> None:
        self._lines = Lines(self.line_length)

    def begin(self, setting: Setting) -> Sequence[AnyRequest]:  # noqa: ARG002  most need not know
        """It is known now who speaks, and where; what it is to be told before all that it says."""
        return ()

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What the peer asks for with these bytes; in place of what it cannot ask, answers."""
        return self._read(self._lines.feed(data))

    def _read(self, lines: list[str | Refused]) -> list[AnyRequest]:
        """What these lines ask for."""
        raise NotImplementedError

    def end(self) -> Refused | None:
        """The refusal of what was begun, and will never be whole; if there is any."""
        return self._lines.end()

    def tell(self, events: list[Event], me: str = "") -> bytes:  # noqa: ARG002  most need not know
        """What this peer alone is told, in its dialect; still to be wrapped.

        Args:
            events: what.
            me: its handle now; empty if it has none.
        """
        return self.dialect.encode(events)

    def tell_past(self, events: Sequence[Event], me: str = "") -> bytes:
        """The same of what was said before this peer came."""
        return self.tell([*events], me)

    def ask_presence(self) -> bytes:
        """The bytes that ask whether it is there, where it must be asked."""
        return b""

    def pulse(self) -> bytes:
        """The bytes that say only that the server is there, where a client goes by that."""
        return b""

    def part(self, reason: str) -> bytes:  # noqa: ARG002  most have heard it by then
        """The last bytes before its connection ends, for this reason."""
        return b""
