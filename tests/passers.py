"""Who comes to a room and goes again, with no way back, written from docs/protocol.md alone.

Passers come as with ``nc``: what they say has no receipt, and they have no token. Rivals ask for
one handle at the same moment, wherever they are.
"""

import json
import random
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import trio

from accounts import Account, Asked, Heard
from wanderer import GONE

PAUSE = 0.5
"""The most seconds before it tries again."""


class Passer:
    """Who says what comes to its mind, at a plain socket, under the same handle each time.

    Attributes:
        stays: what it has to tell of each of its stays.
    """

    def __init__(self, handle: str, ports: Sequence[int], seed: int) -> None:
        self.stays: list[Account] = []
        self._handle = handle
        self._ports = ports
        self._chance = random.Random(f"{seed} {handle}")  # noqa: S311  no secret
        self._said = 0

    async def run(self, pause: float) -> None:
        """Come again and again, and say something after so many seconds, on average."""
        while True:
            with suppress(*GONE):
                async with await _reach(self._chance.choice(self._ports)) as stream:
                    await self._stay(stream, pause)
            await trio.sleep(self._chance.uniform(0, PAUSE))

    async def _stay(self, stream: trio.SocketStream, pause: float) -> None:
        lines = Lines(stream)
        await stream.send_all(f"{self._handle}\n".encode())
        async for line in lines:
            if line.startswith("! "):  # as long as its former stay is not known to be over
                return
            if f"You are {self._handle}." in line:
                break
        account = Account(self._handle)
        self.stays.append(account)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak, stream, account, pause)
            with suppress(*GONE):
                async for line in lines:
                    author, colon, text = line.partition("> ")
                    now = trio.current_time()
                    if line.startswith("["):
                        account.heard.append(Heard(now, "whispered", text=line))
                    elif colon and not author.startswith(("* ", "! ")):
                        account.heard.append(Heard(now, "said", handle=author, text=text))
            nursery.cancel_scope.cancel()

    async def _speak(self, stream: trio.SocketStream, account: Account, pause: float) -> None:
        with suppress(*GONE):
            while True:
                await trio.sleep(self._chance.uniform(0, 2 * pause))
                self._said += 1
                text = f"{self._handle}-{self._said:06}"
                account.asked.append(Asked(text))
                await stream.send_all(f"{text}\n".encode())


class Rival:
    """Who asks for a handle, over as many connections as it takes to be answered.

    Attributes:
        account: its name; it has nothing to tell.
        has_won: it is in.
    """

    def __init__(self, handle: str, ports: Sequence[int], chance: random.Random) -> None:
        self.account = Account(handle)
        self.has_won = False
        self._ports = ports
        self._token = urlsafe_b64encode(chance.randbytes(16)).decode().rstrip("=")
        self._stream: trio.SocketStream | None = None

    async def ask(self) -> None:
        """Ask for it, at the first of the ports, then at the others, until that is answered."""
        join = {"type": "join", "handle": self.account.handle, "token": self._token}
        number = 0
        while True:
            port = self._ports[number % len(self._ports)]
            with suppress(*GONE):
                self._stream = await _reach(port)
                await self._stream.send_all(_line(join))
                async for line in Lines(self._stream):
                    event: dict[str, Any] = json.loads(line)
                    if event["type"] in ("welcome", "refused"):
                        self.has_won = event["type"] == "welcome"
                        return
            await self.leave()
            number += 1
            await trio.sleep(0.1)

    async def leave(self) -> None:
        """Quit; who cannot say so is away, and its handle is nobody's for a while."""
        if self._stream:
            with trio.move_on_after(1), suppress(*GONE):
                await self._stream.send_all(_line({"type": "quit"}))
                async for _ in Lines(self._stream):
                    pass
            await trio.aclose_forcefully(self._stream)

    def close(self) -> None:
        """Whatever it does, it has no connection any more."""
        if self._stream:
            self._stream.socket.close()


async def _reach(port: int) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", port)


class Lines:
    """What is told over a connection, line by line, until it ends."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def __aiter__(self) -> "Lines":
        return self

    async def __anext__(self) -> str:
        while not self._lines:
            data = await self._stream.receive_some(1 << 16)
            if not data:
                raise StopAsyncIteration
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(lines)
        return self._lines.popleft().decode()


def _line(request: dict[str, Any]) -> bytes:
    return json.dumps(request).encode() + b"\n"
