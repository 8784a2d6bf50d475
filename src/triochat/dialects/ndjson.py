"""NDJSON: one JSON object a line, tagged by ``"type"``; for programs, our client among them."""

from contextlib import suppress

import msgspec

from triochat.dialects.base import Dialect, Speaker
from triochat.exceptions import RemoteProtocolError
from triochat.messages import Event, Refused, Request
from triochat.order import AnyRequest
from triochat.text import clean

_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_tagged = msgspec.json.Decoder(msgspec.defstruct("Tagged", [("type", str)]))
_encoder = msgspec.json.Encoder()


NDJSON = Dialect("ndjson", echoes=True, encode=_encoder.encode_lines)
"""The dialect of programs: each event is a JSON object on one line."""

PULSE = b'{"type":"pulse"}\n'


class NdjsonSpeaker(Speaker):
    """A program at the other end. One that ends without a word has died."""

    __slots__ = ()

    dialect = NDJSON
    has_seat = True
    parting = "connection lost"
    line_length = 1 << 13  # the longest message takes 6,000 bytes if all of it is escaped

    def pulse(self) -> bytes:
        """An event of a type that nobody knows, and everybody ignores."""
        return PULSE

    def _read(self, lines: list[str | Refused]) -> list[AnyRequest]:
        decode = _requests.decode
        try:
            return [decode(line) for line in lines]  # type: ignore[arg-type]
        except (TypeError, ValueError, RecursionError):  # one of them is no request, or no line
            return [line if isinstance(line, Refused) else decode_request(line) for line in lines]


def encode(message: Request | Event) -> bytes:
    """A message as it goes over the wire, in either direction."""
    return _encoder.encode(message) + b"\n"


def decode_request(line: str) -> Request | Refused:
    """The request in this line, or the refusal that says what is wrong with it."""
    try:
        return _requests.decode(line)
    except (ValueError, RecursionError) as error:
        reason = clean(str(error))
        return Refused("bad-request", f"not a request: {reason}; nothing was sent")


def decode_event(line: str) -> Event | None:
    """The event in a line from a server; None for an event that is not understood here.

    Raises:
        RemoteProtocolError: the line is not an event at all; this is no triochat server.
    """
    try:
        return _events.decode(line)
    except (ValueError, RecursionError):
        with suppress(ValueError, RecursionError):
            _tagged.decode(line)  # then it is of a type that is not known here
            return None
        problem = "what answers there is not a triochat server"
        raise RemoteProtocolError("not-triochat", problem) from None
