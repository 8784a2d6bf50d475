"""A program in a room: a channel of events, over a stream that is open already."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from triochat.chat import QUIT_TIMEOUT
from triochat.connection import Connection
from triochat.exceptions import ClosedError, RefusedError
from triochat.messages import Closing, Join, Quit, Refused, Say, Welcome, Whisper


class Client(Connection):
    """A member of a room, as a program.

    ``async for event in client`` gives the room's events in order, until the server has said
    good-bye (`Closing`); a connection that is lost raises `trio.BrokenResourceError`. The answer
    to what is sent comes as one of them: the echo, or `Refused`.

    Attributes:
        welcome: the server's first answer: its name, and who was here.
    """

    welcome: Welcome

    @property
    def handle(self) -> str:
        """One's own, as it is now."""
        return self.stay.handle

    async def say(self, text: str) -> None:
        """Tell everybody; one's own `Said` is the receipt. Raises as `send` does."""
        await self.send(Say(text))

    async def whisper(self, to: str, text: str) -> None:
        """Tell one member; one's own `Whispered` is the receipt. Raises as `send` does."""
        await self.send(Whisper(to, text))


@asynccontextmanager
async def join(
    stream: trio.abc.Stream, handle: str, *, password: str = ""
) -> AsyncIterator[Client]:
    """As `open_client`, over a stream that is open already; closes it at the end."""
    async with Client(stream) as client:
        await client.send(Join(handle, password))
        async for event in client:
            match event:
                case Welcome():
                    client.welcome = event
                    break
                case Refused(code=code, text=text):
                    raise RefusedError(code, text)
                case Closing(reason=reason):
                    raise ClosedError("closing", reason)
        yield client
        with (
            trio.move_on_after(QUIT_TIMEOUT) as silence,
            suppress(trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            await client.send(Quit())
            while True:  # all that was asked before is done first, however slowly it is read
                _, answered = await client.receive_answer()
                if answered:
                    silence.deadline = trio.current_time() + QUIT_TIMEOUT
