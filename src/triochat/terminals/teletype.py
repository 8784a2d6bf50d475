"""A person at a terminal that only prints: for screen readers, and terminals that cannot do more.

No cursor is moved, nothing is coloured or drawn again: one line for each event, and what is typed
is the terminal's own business until Enter. The grammar and the questions are those of any terminal.
"""

from functools import partial

from triochat.chat import Terminal, View
from triochat.messages import Event, Request
from triochat.terminals.pipe import InputLines, Writer, read
from triochat.words import words_of


class Teletype(Terminal):
    """A person at a terminal that hands over whole lines, and the paper that it prints on."""

    def __init__(self, fd: int, output: Writer) -> None:
        self._lines = InputLines(partial(read, fd), typed=True)
        self._output = output
        self._question = self._offer = ""

    def update(self, view: View) -> None:
        """A question is printed when an answer is waited for; all else would be drawn again."""
        self._question, self._offer = view.question, view.offer

    async def receive(self) -> str:
        """The next line; a blank one takes the offer. Raises `trio.EndOfChannel` after Ctrl-D."""
        offer = self._offer
        if self._question:
            await self._output.write(f"{self._question}[{offer}] " if offer else self._question)
        while True:
            _, line = await self._lines.receive()
            if isinstance(line, str):
                return line if line.strip() else offer
            await self._output.write(words_of(line))

    async def show(self, event: Event, me: str, asked: Request | None = None) -> None:  # noqa: ARG002
        """Print an event."""
        await self._output.write(words_of(event, me))
