"""What stands in for a person, and for a sheet of paper."""

import trio
import trio.testing

from triochat.chat import Terminal, View
from triochat.messages import Event, Request, Say
from triochat.words import words_of


class Typist(Terminal):
    """A person whose keyboard is a channel, and whose screen is a list of plain lines."""

    def __init__(self) -> None:
        self.keys, self._lines = trio.open_memory_channel[str | Say](100)
        self.screen: list[str] = []
        self.view = View()

    def update(self, view: View) -> None:
        """Show it."""
        self.view = view

    @property
    def prompt(self) -> str:
        """What stands before the line."""
        return self.view.question or (f"{self.view.handle}> " if self.view.handle else "")

    async def receive(self) -> str | Say:
        """The next line."""
        return await self._lines.receive()

    async def show(self, event: Event, me: str, asked: Request | None = None) -> None:  # noqa: ARG002
        """Put it on the screen."""
        self.screen.append(words_of(event, me))

    async def type(self, line: str) -> None:
        """Type a line, and let everything happen that follows."""
        await self.keys.send(line)
        await trio.testing.wait_all_tasks_blocked()


class Paper:
    """An output that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def write(self, line: str) -> None:
        """Keep it."""
        await trio.lowlevel.checkpoint()
        self.lines.append(line)
