"""What a dialect is, and a speaker of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from triochat.framing import LINE_LENGTH, Lines
from triochat.messages import Event, Refused
from triochat.order import AnyRequest


@dataclass(frozen=True, eq=False)
class Dialect:
    """How events are written that many are told: once for all who speak alike.

    Attributes:
        name: for the log.
        echoes: members hear their own messages; if not, their own screen has shown them.
        encode: writes the events, one after the other, each with its line end. (A list: what
            writes JSON leaks an object for each other sequence.)
    """

    name: str
    echoes: bool
    encode: Callable[[list[Event]], bytes]


class Speaker:
    """One peer's way to speak: bytes in, requests out, and what is for this peer alone.

    There is one for each connection. It does no I/O, and never raises, whatever it hears. This one
    speaks in lines.

    Attributes:
        dialect: in which it is told what all are told.
        parting: why a peer has left whose input ends without a word.
        line_length: the most bytes in a line, without its ending.
    """

    __slots__ = ("_lines",)

    dialect: ClassVar[Dialect]
    parting: ClassVar[str]
    line_length: ClassVar[int] = LINE_LENGTH

    def __init__(self) -> None:
        self._lines = Lines(self.line_length)

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What the peer asks for with these bytes; in place of what it cannot ask, answers."""
        return self._read(self._lines.feed(data))

    def _read(self, lines: list[str | Refused]) -> list[AnyRequest]:
        """What these lines ask for."""
        raise NotImplementedError

    def end(self) -> Refused | None:
        """The refusal of what was begun, and will never be whole; if there is any."""
        return self._lines.end()

    def tell(self, events: list[Event]) -> bytes:
        """The bytes of what this peer alone is told."""
        return self.dialect.encode(events)

    def tell_past(self, events: Sequence[Event]) -> bytes:
        """The bytes of what was said before this peer came."""
        return self.tell([*events])
