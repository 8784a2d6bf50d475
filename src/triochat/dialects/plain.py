"""Plain lines, for `nc`, telnet and whatever else sends text: what people type, what they read.

What a line means is for the room to say: a handle, until one was taken, then what the grammar makes
of it.
"""

from collections.abc import Sequence

from triochat.framing import Lines
from triochat.messages import Event, Notice, Refused
from triochat.order import AnyRequest, Typed
from triochat.words import words_of

GREETING = Notice("triochat: what is your handle? (1-10 characters, no spaces)")
"""What a peer sees that does not speak first."""


class Plain:
    """The dialect of people without the client."""

    name = "plain"
    echoes = False

    def encode(self, events: Sequence[Event]) -> bytes:
        """The line (for some notices: lines) of each event that a person reads."""
        return "".join([f"{words_of(event)}\n" for event in events]).encode()


PLAIN = Plain()


class PlainSpeaker:
    """A person at the other end, or somebody who is taken for one. The end is how `nc` leaves."""

    __slots__ = ("_lines",)

    dialect = PLAIN
    parting = "quit"

    def __init__(self) -> None:
        self._lines = Lines()

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """The lines, as they were typed."""
        lines = self._lines.feed(data)
        return [line if isinstance(line, Refused) else Typed(line) for line in lines]

    def end(self) -> Refused | None:
        """The refusal of what came after the last line end."""
        return self._lines.end()

    def tell(self, events: Sequence[Event]) -> bytes:
        """As everybody is told."""
        return PLAIN.encode(events)
