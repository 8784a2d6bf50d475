"""What a dialect is, and a speaker of it."""

from collections.abc import Sequence
from typing import Protocol

from triochat.messages import Event, Refused
from triochat.order import AnyRequest


class Dialect(Protocol):
    """How events are written that many are told: once for all who speak alike.

    Stateless and hashable; who speaks the same dialect is told the same bytes.
    """

    @property
    def name(self) -> str:
        """For the log."""

    @property
    def echoes(self) -> bool:
        """Whether members hear their own messages; if not, their own screen has shown them."""

    def encode(self, events: Sequence[Event]) -> bytes:
        """The events, one after the other, each with its line end."""


class Speaker(Protocol):
    """One peer's way to speak: bytes in, requests out, and what is for this peer alone.

    There is one for each connection. It does no I/O, and never raises, whatever it hears.
    """

    @property
    def dialect(self) -> Dialect:
        """In which it is told what all are told."""

    @property
    def parting(self) -> str:
        """Why a peer has left whose input ends without a word."""

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What the peer asks for with these bytes; in place of what it cannot ask, answers."""

    def end(self) -> Refused | None:
        """The refusal of what was begun, and will never be whole; if there is any."""

    def tell(self, events: Sequence[Event]) -> bytes:
        """The bytes of what this peer alone is told."""
