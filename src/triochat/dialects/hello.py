"""TLS where there is none: it is sent away, and nothing in it is taken for a line.

A client's hello may hold anything, line ends too: whoever makes somebody else's client send one
could otherwise speak by it. (Where there is TLS the link opens it, and no speaker sees it.)
"""

from triochat.dialects.base import Speaker
from triochat.dialects.plain import PLAIN
from triochat.messages import Quit, Refused
from triochat.order import AnyRequest

HELLO = b"\x16"
"""The first byte of TLS. No text begins with it."""

_NO_TLS = Refused(
    "bad-request",
    "no TLS is spoken here; if you trust the network, join without it"
    " (triochat client HOST PORT --insecure, or nc HOST PORT)",
)


class HelloSpeaker(Speaker):
    """A peer that begins with TLS. It is told so in plain text, and let go."""

    __slots__ = ()

    dialect = PLAIN
    parting = "quit"

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:  # noqa: ARG002  none of it counts
        """Always the same; the room hears nothing after the first `Quit`."""
        return [_NO_TLS, Quit()]
