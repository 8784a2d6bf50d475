"""HTTP, for now only to send it away: a web page can make a browser speak to any port, as anybody.

What looks like an HTTP request is answered by one response that says what this is, and the
connection ends. Nothing in it is obeyed: the body of a ``POST`` is somebody else's words.
"""

from triochat.dialects.base import Dialect, Speaker
from triochat.messages import Event, Quit, Refused
from triochat.order import AnyRequest
from triochat.words import words_of

METHODS = (
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"PRI",  # how HTTP/2 begins
)
"""What a request begins with, and a blank."""

_NO_PAGE = Refused(
    "bad-request",
    "this is a triochat room, not a web page; join it with the client (triochat client HOST PORT)"
    " or with nc (nc HOST PORT)",
)


def response(
    status: str, body: bytes, *headers: str, kind: str = "text/plain; charset=utf-8"
) -> bytes:
    """A whole response, the last on its connection."""
    length = f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers, length, "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _encode(events: list[Event]) -> bytes:
    body = "".join([words_of(event) + "\n" for event in events]).encode()
    return response("400 Bad Request", body)


HTTP = Dialect("http", echoes=True, encode=_encode)
"""The dialect of browsers: what is told at once is one response, the last on its connection."""


class HttpSpeaker(Speaker):
    """A browser, or somebody who thinks that this is a web server. It is told so, and let go."""

    __slots__ = ()

    dialect = HTTP
    parting = "quit"
    has_spares = True

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:  # noqa: ARG002  none of it counts
        """Always the same; the room hears nothing after the first `Quit`."""
        return [_NO_PAGE, Quit()]
