"""IRC, for whoever has a client of it."""

from triochat.dialects.base import Speaker
from triochat.dialects.plain import PLAIN
from triochat.messages import Quit, Refused
from triochat.order import AnyRequest

COMMANDS = (b"CAP", b"NICK", b"USER", b"PASS")
"""What an IRC client begins with, and a blank; in any case."""

_NOT_YET = Refused("bad-request", "no IRC is spoken here")


class IrcSpeaker(Speaker):
    """A client of IRC."""

    __slots__ = ()

    dialect = PLAIN
    parting = "connection lost"

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:  # noqa: ARG002
        """Not yet."""
        return [_NOT_YET, Quit()]
