"""A member that comes back, written from docs/protocol.md alone: nothing of ours is used here.

So what the program and its tests take for granted alike is not taken for granted here.
"""

import json
import random
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import trio

from accounts import Account, Asked, Heard, Roll

GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
PAUSE = 0.2
"""The most seconds before it tries again."""


class Wanderer:
    """Who has no connection that lasts, and a token; it comes by any of these ports each time.

    Attributes:
        account: what it has to tell.
        unanswered: what it has asked for, and has no answer yet.
        has_joined: it has been in the room.
        token: by which it comes back.
    """

    def __init__(self, handle: str, ports: Sequence[int], seed: int) -> None:
        self.account = Account(handle)
        self.unanswered: deque[Asked] = deque()
        self.has_joined = trio.Event()
        self._ports = ports
        self._chance = random.Random(f"{seed} {handle}")  # noqa: S311  of a room without secrets
        self.token = urlsafe_b64encode(self._chance.randbytes(16)).decode().rstrip("=")
        self._last: int | None = None  # the newest id that it has seen
        self._newest = 0  # what the last welcome said
        self._sent = 0  # of the unanswered, over this connection
        self._is_in = self._leaves = False
        self._wake = trio.Event()

    def ask(self, asked: Asked) -> None:
        """Say or whisper this, over as many connections as it takes."""
        self.account.asked.append(asked)
        self.unanswered.append(asked)
        self._wake.set()

    def leave(self) -> None:
        """Quit, when all is answered."""
        self._leaves = True
        self._wake.set()

    async def run(self) -> None:
        """Be there until it has left."""
        while not (self._leaves and not self.unanswered):
            port = self._chance.choice(self._ports)
            with suppress(*GONE):
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    self._note(f"at {port}")
                    try:
                        await self._stay(stream)
                    finally:
                        self._note("gone")
            await trio.sleep(self._chance.uniform(0, PAUSE))

    async def _stay(self, stream: trio.SocketStream) -> None:
        self._is_in = False
        join: dict[str, Any] = {
            "type": "join",
            "handle": self.account.handle,
            "token": self.token,
        }
        if self._last is not None:
            join["after"] = self._last
        await stream.send_all(_line(join) + _line({"type": "ping"}))
        rest = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak, stream, nursery)
            with suppress(*GONE):
                while data := await stream.receive_some(1 << 16):
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self._hear(json.loads(line))
            nursery.cancel_scope.cancel()

    async def _speak(self, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        with suppress(*GONE):
            while True:
                self._wake = trio.Event()
                while self._is_in and self._sent < len(self.unanswered):
                    text, to = self.unanswered[self._sent]
                    self._sent += 1
                    said = {"type": "say", "text": text}
                    whispered = {"type": "whisper", "to": to, "text": text}
                    await stream.send_all(_line(whispered if to else said))
                if self._leaves and self._is_in and not self.unanswered:
                    await stream.send_all(_line({"type": "quit"}))
                await self._wake.wait()
        nursery.cancel_scope.cancel()

    def _hear(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "welcome":
                self._enter(event)
            case "pong":  # what it missed, it has been told now
                self._last = max(self._last or 0, self._newest)
                self._is_in, self._sent = True, 0
                self._wake.set()
            case "closing":
                self._note(f"closing: {event['reason']}")
            case _ if "id" in event or event["type"] in ("refused", "moderated"):
                self._keep(event)

    def _enter(self, welcome: dict[str, Any]) -> None:
        self._note(f"resumed: {welcome['resumed']}, after {self._last}, last {welcome['last']}")
        self._newest = welcome["last"]
        self.account.rolls.append(Roll(self._newest, tuple(welcome["roster"])))
        if not welcome["resumed"]:
            if self.has_joined.is_set():
                self._witness("new stay")
            self._last = welcome["last"]
        if welcome["handle"] != self.account.handle:
            self._witness("another handle", welcome["handle"])
        if welcome.get("token") != self.token:
            self._witness("another token")
        self.has_joined.set()

    def _keep(self, event: dict[str, Any]) -> None:
        kind, number = event["type"], event.get("id", 0)
        handle, to = event.get("handle", ""), event.get("to", "")
        text = event.get("text") or event.get("reason") or event.get("new", "")
        heard = Heard(trio.current_time(), kind, number, handle, to, text)
        self.account.heard.append(heard)
        self._last = max(self._last or 0, number)
        is_own = handle == self.account.handle and kind in ("said", "whispered")
        if is_own and self.unanswered and self.unanswered[0] == (text, to):
            self.unanswered.popleft()
            self._sent = max(0, self._sent - 1)

    def _witness(self, kind: str, text: str = "") -> None:
        self.account.heard.append(Heard(trio.current_time(), kind, text=text))

    def _note(self, what: str) -> None:
        self.account.happened.append((trio.current_time(), what))


def _line(request: dict[str, Any]) -> bytes:
    return json.dumps(request).encode() + b"\n"
