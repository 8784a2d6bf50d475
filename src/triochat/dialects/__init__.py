"""How requests and events look on the wire: one port, the dialect is told by the first line.

A first line that starts with ``{`` is NDJSON; any other is plain, and its first line is a handle.
"""

from typing import Protocol

from triochat.dialects.ndjson import Ndjson
from triochat.dialects.plain import Plain
from triochat.messages import Answer, Event, Request

__all__ = ["NDJSON", "PLAIN", "Dialect", "choose"]


class Dialect(Protocol):
    """A way to write events and to read requests. Stateless: one instance serves everybody."""

    @property
    def name(self) -> str:
        """For the log."""

    @property
    def echoes(self) -> bool:
        """Whether members hear their own messages; if not, their own screen has shown them."""

    def decode(self, line: str, *, joined: bool) -> Request | Answer | None:
        """What a line asks for, or the answer that it gets at once; None for nothing.

        Never raises, whatever the line. ``joined`` says whether the peer has asked to join.
        """

    def encode(self, event: Event) -> bytes:
        """The event, with its line end."""


PLAIN: Dialect = Plain()
NDJSON: Dialect = Ndjson()


def choose(first_bytes: bytes | bytearray) -> Dialect:
    """The dialect of a peer whose first line starts with these bytes."""
    return NDJSON if first_bytes.startswith(b"{") else PLAIN
