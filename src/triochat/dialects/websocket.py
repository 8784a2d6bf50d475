"""WebSocket: NDJSON in messages, for browsers, which can speak no other way.

`websockets` reads the frames, and answers those that are about the connection. But it takes 5 us
for each, and nearly all are whole short texts: what comes before any other frame is read here, all
that was read at once together. What all are told is wrapped in one frame: a browser takes many
times as much in one as in many, and a server's frame is the same for everybody. Nothing is
compressed: that could not be shared.
"""

import logging
from collections.abc import Iterable
from typing import cast

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as Opening
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from triochat.dialects.base import Dialect
from triochat.dialects.ndjson import NDJSON, NdjsonSpeaker
from triochat.messages import Event, Quit
from triochat.order import AnyRequest, Gone, Reply

MESSAGE = 1 << 16
"""Bytes in a message of a member. A stranger's has as many as a line."""

LINES = 256
"""Lines in a message: all that it asks for waits here as soon as it is whole."""

_WHY = {
    CloseCode.MESSAGE_TOO_BIG: f"a message has at most {LINES} lines",
    CloseCode.UNSUPPORTED_DATA: "only text is understood here",
    CloseCode.INVALID_DATA: "a message is UTF-8",
}
_LEAVES = CloseCode.NORMAL_CLOSURE.to_bytes(2)
_REASON = 123  # bytes that fit into a close frame beside its code

_silent = logging.getLogger(__name__)
_silent.setLevel(logging.CRITICAL)  # what is said is not for the log


def text_frame(text: bytes) -> bytes:
    """A whole message, as a server sends it."""
    size = len(text)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 1 << 16:
        head = b"\x81\x7e" + size.to_bytes(2)
    else:
        head = b"\x81\x7f" + size.to_bytes(8)
    return head + text


def whole_texts(data: bytes, most: int) -> tuple[list[bytes], bytes, bool]:
    """The messages of at most so many bytes that come first, each in one frame as browsers send it.

    Returns:
        The messages, the bytes after them, and whether these may be the beginning of another one.
    """
    texts: list[bytes] = []
    place = 0
    while len(data) > place + 1:
        start, size = place + 6, data[place + 1] - 0x80
        if data[place] != 0x81 or not 0 <= size < 127:
            return texts, data[place:], False
        if size == 126:
            start, size = place + 8, int.from_bytes(data[place + 2 : place + 4])
        if size > most:
            return texts, data[place:], False
        if start + size > len(data):
            break
        mask = (data[start - 4 : start] * (size // 4 + 1))[:size]
        text = int.from_bytes(data[start : start + size]) ^ int.from_bytes(mask)
        texts.append(text.to_bytes(size))
        place = start + size
    return texts, data[place:], True


WEBSOCKET = Dialect("web", echoes=True, encode=NDJSON.encode, frame=text_frame)
"""The dialect of browsers: NDJSON, and what is told at once is one message."""


class WebSocketSpeaker(NdjsonSpeaker):
    """A browser, or a program that speaks like one. One that ends without a word has died."""

    __slots__ = ("_beginning", "_frames", "_last", "_message", "_most")

    dialect = WEBSOCKET

    def __init__(self) -> None:
        super().__init__()
        self._most = self.line_length  # bytes in a message
        self._beginning = b""  # of a text, as long as it is read here
        self._frames: ServerProtocol | None = None  # from then on; it takes 1.6 kB
        self._message = bytearray()  # what has come of it until now
        self._last = b""

    def open(self, headers: Iterable[tuple[str, str]]) -> bytes:
        """The response to a request with these headers; empty if it asks for no WebSocket."""
        response = ServerProtocol(logger=_silent).accept(Opening("/ws", Headers([*headers])))
        return response.serialize() if response.status_code == 101 else b""

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What its messages ask for. Whatever ends them but a good close may be an accident."""
        requests: list[AnyRequest] = []
        if self._frames is None:
            requests, data = self._read_texts(self._beginning + data)
        frames = self._frames
        if frames is None or frames.state is not OPEN:
            return requests
        frames.receive_data(data)
        leaves = False
        for frame in cast("list[Frame]", frames.events_received()):
            read = self._read_frame(frame)
            if isinstance(read, CloseCode):
                frames.fail(read, _WHY[read])
                leaves = False
                break
            requests += read
            leaves = frame.opcode is Opcode.CLOSE and frame.data[:2] == _LEAVES
        sent = b"".join(frames.data_to_send())
        if frames.state is OPEN:
            return [Reply(sent), *requests] if sent else requests
        self._last = sent
        return [*requests, Quit() if leaves else Gone(self.parting)]

    def _read_texts(self, data: bytes) -> tuple[list[AnyRequest], bytes]:
        """What the first messages ask for, and what is left to the library."""
        texts, rest, may_go_on = whole_texts(data, self._most)
        are_short = all(text.count(b"\n") <= LINES for text in texts)
        requests = self._read_whole(b"\n".join([*texts, b""])) if are_short else None
        if requests is None:
            self._hand_over()
            return [], data
        self._beginning = rest
        if not may_go_on:
            self._hand_over()
        return requests, rest

    def _hand_over(self) -> ServerProtocol:
        """From here on the library reads, and answers."""
        self._beginning = b""
        self._frames = ServerProtocol(state=OPEN, max_size=self._most, logger=_silent)
        return self._frames

    def _read_frame(self, frame: Frame) -> list[AnyRequest] | CloseCode:
        """What it asks for, if a message is whole with it; or why it must not be sent."""
        if frame.opcode is Opcode.BINARY:
            return CloseCode.UNSUPPORTED_DATA
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return []
        self._message += frame.data
        if not frame.fin:
            return []
        message, self._message = self._message, bytearray()
        if message.count(b"\n") > LINES:
            return CloseCode.MESSAGE_TOO_BIG
        requests = self._read_whole(message + b"\n")
        return CloseCode.INVALID_DATA if requests is None else requests

    def _read_whole(self, messages: bytes | bytearray) -> list[AnyRequest] | None:
        """What these messages ask for, each with a line end; None if that is not UTF-8."""
        try:
            messages.decode()
        except UnicodeDecodeError:
            return None
        return self._read([line for line in self._lines.feed(messages) if line])

    def tell(self, events: list[Event], me: str = "") -> bytes:
        """What it alone is told. Who has a handle may say more at once."""
        if me:
            self._most = MESSAGE
            if self._frames is not None:
                self._frames.max_message_size = MESSAGE
        return super().tell(events, me)

    def part(self, reason: str) -> bytes:
        """A close frame: the answer to its own, or the first."""
        frames = self._frames or self._hand_over()
        if frames.state is OPEN:
            code = CloseCode.NORMAL_CLOSURE if reason == "quit" else CloseCode.GOING_AWAY
            frames.send_close(code, reason.encode()[:_REASON].decode(errors="ignore"))
            self._last = b"".join(frames.data_to_send())
        last, self._last = self._last, b""
        return last
