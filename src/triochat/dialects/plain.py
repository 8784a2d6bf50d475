"""Plain lines, for `nc`, telnet and whatever else sends text: what people type, what they read.

What a line means is for the room to say: a handle, until one was taken, then what the grammar makes
of it.
"""

from collections.abc import Sequence

from triochat.dialects.base import Dialect, Setting, Speaker
from triochat.messages import Event, Notice, Refused, Typed
from triochat.order import AnyRequest, Reply
from triochat.words import line_of, past_line_of

EXPOSED = "your connection is not encrypted; others on the network can read it"
"""What a person is told that is let in without TLS, over a network."""

_NAME = "triochat: "
_WAY_OUT = "; triochat client HOST PORT encrypts"


def greeting(handle_length: int) -> Notice:
    """What a peer sees that does not speak first, where a handle has so many characters."""
    return Notice(f"{_NAME}what is your handle? (1-{handle_length} characters, no spaces)")


def is_greeting(line: str) -> bool:
    """Whether this is a server's greeting, whatever its room allows."""
    return line.startswith(f"* {_NAME}")


def _encode(events: list[Event]) -> bytes:
    return "".join([line_of(event) + "\n" for event in events]).encode()


PLAIN = Dialect("plain", echoes=False, encode=_encode)
"""The dialect of people without the client: the line (for some notices: lines) that one reads."""


class PlainSpeaker(Speaker):
    """A person at the other end, or somebody who is taken for one. The end is how `nc` leaves."""

    __slots__ = ()

    dialect = PLAIN
    is_person = True
    parting = "quit"

    def begin(self, setting: Setting) -> Sequence[AnyRequest]:
        """Say what a person should know before it says more."""
        if not setting.is_exposed:
            return ()
        warning = Notice(EXPOSED + _WAY_OUT * setting.has_tls)
        return [Reply(_encode([warning]))]  # it answers no line that did not let it in

    def _read(self, lines: list[str | Refused]) -> list[AnyRequest]:
        return [line if isinstance(line, Refused) else Typed(line) for line in lines]

    def tell_past(self, events: Sequence[Event], me: str = "") -> bytes:  # noqa: ARG002  the same for all
        """Each as a line that nobody takes for what is said now."""
        return "".join([past_line_of(event) + "\n" for event in events]).encode()
