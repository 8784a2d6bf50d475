"""The other end of a WebSocket, as a stream of lines: `websockets` does it, and no code of ours."""

import random
from contextlib import suppress

import trio
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CONNECTING, OPEN
from websockets.uri import parse_uri

WHERE = "ws://localhost:9999/ws"


class Frames(trio.abc.HalfCloseableStream):
    """Lines over a WebSocket over another stream.

    It asks for the WebSocket with its first lines; what is sent before the answer waits for it.

    Args:
        stream: over which.
        chance: cuts messages into fragments, with pings between them; else each is one frame.
        where: the address that it says it has come to.

    Attributes:
        messages: what was told, a message each.
        response: the answer to the request; None as long as there is none.
        closed: the code and the reason of the server's close frame.
        pongs: how often it was answered that it is there.
    """

    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream,
        chance: random.Random | None = None,
        where: str = WHERE,
    ) -> None:
        self.messages: list[bytes] = []
        self.response: Response | None = None
        self.closed: tuple[int, str] | None = None
        self.pongs = 0
        self._stream = stream
        self._chance = chance
        self._protocol = ClientProtocol(parse_uri(where), max_size=None)
        self._writing = trio.Lock()
        self._has_asked = self._says_no_more = False
        self._unsent = b""
        self._heard = bytearray()

    async def open(self) -> None:
        """Ask for the WebSocket, if that was not done."""
        if not self._has_asked:
            self._has_asked = True
            self._protocol.send_request(self._protocol.connect())
            await self._write()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send the lines that are whole with this, in one message."""
        if self._protocol.state not in (OPEN, CONNECTING):
            raise trio.BrokenResourceError("closed")
        whole, end, self._unsent = (self._unsent + bytes(data)).rpartition(b"\n")
        if self.response is not None:
            self._say(whole + end)
            await self._write()
        else:
            self._unsent = whole + end + self._unsent
            await self.open()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Some of what was told, whatever the frames."""
        while not self._heard:
            data = await self._stream.receive_some(1 << 16)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            for event in self._protocol.events_received():
                self._hear(event)
            with suppress(trio.BrokenResourceError):  # who has said good-bye need not be there
                await self._write()
            if not data:
                return b""
        data = bytes(self._heard[:max_bytes])
        del self._heard[: len(data)]
        return data

    async def leave(self, code: int = 1000) -> None:
        """Say good-bye; as good as that can be done."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(code)
            await self._write()
        else:
            await self.aclose()

    async def send_eof(self) -> None:
        """Break off, without a word."""
        async with self._writing:
            self._says_no_more = True
            await self._stream.send_eof()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the server takes something."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """The same, both ways."""
        await self._stream.aclose()

    def _hear(self, event: object) -> None:
        if isinstance(event, Response):
            self.response = event
            if event.status_code != 101:
                self._heard += event.body or b""
                return
            whole, end, self._unsent = self._unsent.rpartition(b"\n")
            self._say(whole + end)  # with what was sent before the answer
        elif isinstance(event, Frame):
            if event.opcode is Opcode.TEXT:
                assert event.fin, "a message is one frame"
                self.messages.append(bytes(event.data))
                self._heard += event.data
            elif event.opcode is Opcode.CLOSE:
                self.closed = int.from_bytes(event.data[:2]), bytes(event.data[2:]).decode()
            self.pongs += event.opcode is Opcode.PONG

    def _say(self, text: bytes) -> None:
        if not text:
            return
        cuts: list[int] = []
        if self._chance is not None:
            cuts = sorted(
                self._chance.choices(range(len(text)), k=self._chance.choice((0, 0, 1, 3)))
            )
            if self._chance.random() < 0.5:
                text = text.removesuffix(b"\n")
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        for number, piece in enumerate(pieces):
            send = self._protocol.send_continuation if number else self._protocol.send_text
            send(piece, fin=number == len(pieces) - 1)
            if self._chance is not None and self._chance.random() < 0.2:
                self._protocol.send_ping(b"there?")

    async def _write(self) -> None:
        async with self._writing:
            for data in self._protocol.data_to_send():
                if data and not self._says_no_more:
                    await self._stream.send_all(data)
