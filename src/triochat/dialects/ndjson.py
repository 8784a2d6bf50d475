"""NDJSON: one JSON object a line, tagged by ``"type"``; for programs, our client among them."""

import msgspec

from triochat.exceptions import RemoteProtocolError
from triochat.messages import Answer, Event, Refused, Request
from triochat.text import clean

_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


class Ndjson:
    """The dialect of programs."""

    name = "ndjson"
    echoes = True

    def decode(self, line: str, *, joined: bool) -> Request | Answer | None:  # noqa: ARG002
        """The request in this line, or the refusal that says what is wrong with it."""
        try:
            return _requests.decode(line)
        except (ValueError, RecursionError) as error:
            reason = clean(str(error))
            return Refused("bad-request", f"not a request: {reason}; nothing was sent")

    def encode(self, event: Event) -> bytes:
        """The event as a JSON object on one line."""
        return _encoder.encode(event) + b"\n"  # no call of `encode`: nothing runs as often


def encode(message: Request | Event) -> bytes:
    """A message as it goes over the wire, in either direction."""
    return _encoder.encode(message) + b"\n"


def decode_event(line: str) -> Event | None:
    """The event in a line from a server; None for an event that is not understood here.

    Raises:
        RemoteProtocolError: the line is not an event at all; this is no triochat server.
    """
    try:
        return _events.decode(line)
    except (ValueError, RecursionError):
        if _is_tagged(line):
            return None
        raise RemoteProtocolError(
            "not-triochat", "what answers there is not a triochat server"
        ) from None


class _Tagged(msgspec.Struct):
    type: str


def _is_tagged(line: str) -> bool:
    try:
        msgspec.json.decode(line, type=_Tagged)
    except (ValueError, RecursionError):
        return False
    return True
