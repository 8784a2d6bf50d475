"""HTTP: one request a connection, for the page, or for the WebSocket over which that speaks.

A web page can make a browser speak to any port, as anybody. So nothing but the head of a request
counts, and only where its *Host* is this machine (a page could have its own name lead here, and
then read what is said), and its *Origin*, if it has one, is that very host.
"""

import gzip
import re
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from typing import TypeAlias

import h11

from triochat.dialects.base import UNENCRYPTED, Dialect, Setting, Speaker
from triochat.dialects.websocket import WebSocketSpeaker
from triochat.messages import Closing, Event, Quit
from triochat.order import AnyRequest, Reply
from triochat.page import CSP, PAGE
from triochat.stranger import LATE
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

HEAD = 1 << 13
"""Bytes in the head of a request."""

PATIENCE = 10.0
"""Seconds that it may take."""

_SAFE = (
    "X-Content-Type-Options: nosniff",
    "Referrer-Policy: no-referrer",
    "Cache-Control: no-store",
    "Cross-Origin-Resource-Policy: same-origin",
)
_Fields: TypeAlias = dict[str, list[str]]


def response(
    status: str, body: bytes, *headers: str, kind: str = "text/plain; charset=utf-8"
) -> bytes:
    """A whole response, the last on its connection."""
    length = f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers, length, "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _no(status: str, why: str, *headers: str) -> bytes:
    return response(status, f"{why}\n".encode(), *_SAFE, *headers)


_BAD = _no("400 Bad Request", "that is no request of HTTP/1.1, or it does not say its Host")
_TOO_LONG = _no(
    "431 Request Header Fields Too Large",
    f"a request may have {HEAD:,} bytes before its body; remove the cookies of this site",
)
_NO_PAGE = _no(
    "404 Not Found",
    "this is a triochat room, not a web page; join it with the client (triochat client HOST PORT)"
    " or with nc (nc HOST PORT)",
)
_NOT_HERE = _no(
    "421 Misdirected Request",
    "this room does not know that name of its machine; open it by the address, or start it with"
    " --web-name NAME",
)
_NO_METHOD = _no("405 Method Not Allowed", "GET it; there is nothing else", "Allow: GET, HEAD")
_NOT_OWN = _no("403 Forbidden", "pages from elsewhere may not speak here; open this room's own: /")
_NOT_FOUND = _no("404 Not Found", "there is only the room's page here, /, and its WebSocket, /ws")
_NO_SOCKET = _no(
    "426 Upgrade Required",
    "this is a WebSocket, for programs (version 13, with a key, without a body); for people: /",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
)
_WHY = {LATE.format(PATIENCE): "408 Request Timeout", UNENCRYPTED: "403 Forbidden"}
"""The status for the reason why its connection ends; for any other it is 503."""


def _encode(events: list[Event]) -> bytes:
    reasons = [one.reason for one in events if isinstance(one, Closing)]
    status = _WHY.get("".join(reasons), "503 Service Unavailable")
    return _no(status, "\n".join(map(words_of, events)))


HTTP = Dialect("http", echoes=True, encode=_encode)
"""The dialect of who has not asked for anything yet: whatever it is told is the response."""


class HttpSpeaker(Speaker):
    """A browser, or a program that speaks like one; from when it asks for that, by a WebSocket."""

    __slots__ = ("_reader", "_setting", "_size", "_web", "dialect", "has_seat", "patience")

    parting = "connection lost"
    has_spares = True

    def __init__(self) -> None:
        super().__init__()
        self.dialect = HTTP
        self.has_seat = False
        self.patience = PATIENCE
        self._reader: h11.Connection | None = h11.Connection(h11.SERVER, HEAD)
        self._setting = Setting()
        self._size = 0  # of all that was read
        self._web: WebSocketSpeaker | None = None

    def begin(self, setting: Setting) -> Sequence[AnyRequest]:
        """What is answered depends on where it is asked."""
        self._setting = setting
        return ()

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """The one answer, once the head is there; or what the WebSocket asks for."""
        if self._web is not None:
            return self._web.hear(data)
        if self._reader is None or not data:
            return []
        self._reader.receive_data(bytes(data))
        self._size += len(data)
        try:
            head = self._reader.next_event()
        except h11.RemoteProtocolError as error:
            return self._end(_TOO_LONG if error.error_status_hint == 431 else _BAD)
        if not isinstance(head, h11.Request):
            return []
        rest, _ = self._reader.trailing_data
        if self._size - len(rest) > HEAD:
            return self._end(_TOO_LONG)
        fields = _fields_of(head)
        answer = _response_to(head, fields, self._setting)
        if answer is None:
            return self._open(fields, rest)
        return self._end(answer if head.method != b"HEAD" else _without_body(answer))

    def _end(self, answer: bytes) -> list[AnyRequest]:
        self._reader = None
        return [Reply(answer), Quit()]

    def _open(self, fields: _Fields, rest: bytes) -> list[AnyRequest]:
        """From here on this is a WebSocket, if that is what is asked for."""
        web = WebSocketSpeaker()
        opening = web.open((name, value) for name, values in fields.items() for value in values)
        if not opening or "content-length" in fields or "transfer-encoding" in fields:
            return self._end(_NO_SOCKET)
        self._reader, self._web = None, web
        self.dialect, self.has_seat, self.patience = web.dialect, web.has_seat, web.patience
        return [Reply(opening), *web.hear(rest)]

    def end(self) -> None:
        """What is not whole is not refused: who would hear it speaks no more."""

    def tell(self, events: list[Event], me: str = "") -> bytes:
        """The response; or what it alone is told over the WebSocket."""
        return self._web.tell(events, me) if self._web else super().tell(events, me)

    def pulse(self) -> bytes:
        """A WebSocket's."""
        return self._web.pulse() if self._web else b""

    def part(self, reason: str) -> bytes:
        """A WebSocket's close frame."""
        return self._web.part(reason) if self._web else b""


def _fields_of(head: h11.Request) -> _Fields:
    fields: _Fields = {}
    for name, value in head.headers:
        fields.setdefault(name.decode(), []).append(value.decode("latin-1"))
    return fields


def _response_to(head: h11.Request, fields: _Fields, setting: Setting) -> bytes | None:
    """The response to a request with this head; None if it may have the WebSocket."""
    [host] = fields.get("host", [""])
    if not setting.has_page:
        return _NO_PAGE
    if head.http_version not in (b"1.0", b"1.1") or not host:
        return _BAD
    if not _is_here(host, setting.hosts):
        return _NOT_HERE
    if head.method not in (b"GET", b"HEAD"):
        return _NO_METHOD
    own = f"{'https' if setting.is_sealed else 'http'}://{host}".lower()
    if any(origin.lower() != own for origin in fields.get("origin", ())):
        return _NOT_OWN
    path = head.target.partition(b"?")[0]
    if path == b"/":
        return _page(is_packed=_takes_gzip(fields.get("accept-encoding", ())))
    if path != b"/ws":
        return _NOT_FOUND
    return None if (head.method, head.http_version) == (b"GET", b"1.1") else _NO_SOCKET


def _is_here(host: str, names: frozenset[str]) -> bool:
    """Whether this, with a port or without, is an address, or a name of this machine.

    No other page is at an address that it does not have; at a name there may be any.
    """
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and (port.isdecimal() or not port):
        host = name
    host = host.lower().removesuffix(".")
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        return ip_address(host[1:-1] if is_bracketed else host).version == 4 + 2 * is_bracketed
    except ValueError:
        return host == "localhost" or host in names


def _takes_gzip(accepted: Sequence[str]) -> bool:
    words = "".join(",".join(accepted).lower().split()).split(",")
    return any(re.fullmatch(r"gzip(;q=(?![0.]*$).*)?", word) for word in words)


@cache
def _page(*, is_packed: bool) -> bytes:
    headers = [*_SAFE, f"Content-Security-Policy: {CSP}"]
    if is_packed:
        headers.append("Content-Encoding: gzip")
    body = gzip.compress(PAGE, mtime=0) if is_packed else PAGE
    return response("200 OK", body, *headers, kind="text/html; charset=utf-8")


def _without_body(answer: bytes) -> bytes:
    return answer[: answer.index(b"\r\n\r\n") + 4]
