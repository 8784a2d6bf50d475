"""A person at a terminal that only prints: for screen readers, and terminals that cannot do more.

No cursor is moved, nothing is coloured or drawn again: one line for each event, and what is typed
is the terminal's own business until Enter. The grammar and the questions are those of any terminal.
"""

import os

import trio

from triochat.chat import View
from triochat.framing import Lines
from triochat.messages import Event, Refused, Request, Say
from triochat.terminals.pipe import LINE_LIMIT, Writer
from triochat.words import words_of

_CHUNK = 1 << 12


class Teletype:
    """A person and a printing terminal.

    Args:
        fd: the keyboard, a terminal that hands over whole lines.
        output: the paper.
    """

    is_person = True

    def __init__(self, fd: int, output: Writer) -> None:
        self._fd = fd
        self._output = output
        self._framing = Lines(LINE_LIMIT)
        self._lines: list[str | Refused] = []
        self._question = ""

    def update(self, view: View) -> None:
        """A question is printed when an answer is waited for; all else would be drawn again."""
        self._question = view.question

    async def receive(self) -> str | Say:
        """The next line. Raises `trio.EndOfChannel` after Ctrl-D."""
        if self._question:
            await self._output.write(self._question)
        while True:
            while not self._lines:
                await trio.lowlevel.wait_readable(self._fd)
                data = os.read(self._fd, _CHUNK)
                if not data:
                    raise trio.EndOfChannel
                self._lines += self._framing.feed(data)
            line = self._lines.pop(0)
            if isinstance(line, str):
                return line
            await self._output.write(words_of(line))

    async def show(self, event: Event, me: str, asked: Request | None = None) -> None:  # noqa: ARG002
        """Print an event."""
        await self._output.write(words_of(event, me))

    async def finish(self, problem: str) -> bool:  # noqa: ARG002
        """Nothing is left to say: a person has read what was refused."""
        return True
