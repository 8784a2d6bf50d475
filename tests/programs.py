"""A program with our own client, as a member of whom an account is kept (`accounts`)."""

from collections import deque
from collections.abc import Sequence

import trio

from accounts import Account, Asked, Heard, Roll
from triochat import open_client
from triochat.exceptions import TriochatError
from triochat.messages import Event, Say, Whisper


class Program:
    """Who says what it is to say, and hears, and leaves it to the client to come back somewhere.

    Attributes:
        account: what it has to tell.
        unanswered: what it has asked for, and has no answer yet.
        has_joined: it has been in the room.
    """

    def __init__(self, handle: str, ports: Sequence[int]) -> None:
        self.account = Account(handle)
        self.unanswered: deque[Asked] = deque()
        self.has_joined = trio.Event()
        self._addresses = [("127.0.0.1", port) for port in ports]
        self._scope = trio.CancelScope()
        self._ask, self._asked = trio.open_memory_channel[Asked](1000)

    def ask(self, asked: Asked) -> None:
        """Say or whisper this."""
        self.account.asked.append(asked)
        self.unanswered.append(asked)
        self._ask.send_nowait(asked)

    def leave(self) -> None:
        """Quit, when all is answered."""
        self._scope.cancel()

    async def run(self) -> None:
        """Be there until it has left."""
        (host, port), *also = self._addresses
        me = self.account.handle
        try:
            async with (
                open_client(host, port, me, also=also, insecure=True) as client,
                trio.open_nursery() as nursery,
            ):
                self._scope = nursery.cancel_scope
                self.account.rolls.append(Roll(client.welcome.last, client.welcome.roster))
                self.has_joined.set()
                nursery.start_soon(self._speak, client)
                async for event in client:
                    self._hear(event)
        except* (TriochatError, trio.BrokenResourceError) as error:
            self._witness("gave up", repr(error.exceptions))

    async def _speak(self, client: trio.abc.SendChannel[Say | Whisper]) -> None:
        async for text, to in self._asked:
            await client.send(Whisper(to, text) if to else Say(text))

    def _hear(self, event: Event) -> None:
        kind, number = type(event).__name__.lower(), getattr(event, "id", 0)
        handle, to = getattr(event, "handle", ""), getattr(event, "to", "")
        text = next(
            filter(None, (getattr(event, name, "") for name in ("text", "reason", "new"))), ""
        )
        if number or text:
            heard = Heard(trio.current_time(), kind, number, handle, to, text)
            self.account.heard.append(heard)
        if handle == self.account.handle and self.unanswered and self.unanswered[0] == (text, to):
            self.unanswered.popleft()

    def _witness(self, kind: str, text: str) -> None:
        self.account.heard.append(Heard(trio.current_time(), kind, text=text))
