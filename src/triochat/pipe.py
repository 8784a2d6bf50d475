"""Standard input and output that are no terminal: the same channel as a person, for programs.

Lines come in as they are, each a message (a blank one is none); nothing in them is a command.
Events go out as plain lines. What was refused goes to standard error, with the number of its line;
what was neither confirmed nor refused when the connection ended was perhaps not delivered.

Nothing here blocks trio, and nothing changes the mode of a file description that other programs
share: output waits until the system says that a piece of it will not block.
"""

import os
import select
from collections import deque
from contextlib import suppress
from typing import Protocol

import trio

from triochat.framing import Lines
from triochat.messages import Event, Refused, Said, Say
from triochat.render import plain

WINDOW = 256
"""Lines that may be on their way, not yet confirmed."""

LIMIT = 1 << 16
"""The most bytes in a line of standard input."""


class Writer(Protocol):
    """Somewhere to write lines to."""

    async def write(self, line: str) -> None:
        """Write a line; returns when it is written."""


class Output:
    """A file descriptor that takes lines; once nobody reads it any more, it swallows them."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._gone = False

    async def write(self, line: str) -> None:
        """Write a line, now; returns when it is written."""
        data = f"{line}\n".encode()
        while data and not self._gone:
            await self._wait_writable()
            try:
                data = data[os.write(self._fd, data[: select.PIPE_BUF]) :]
            except BlockingIOError:
                continue
            except OSError:
                self._gone = True

    async def _wait_writable(self) -> None:
        if select.select([], [self._fd], [], 0)[1]:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_writable(self._fd)


class Pipe:
    """Standard input, or nothing, as the keyboard; standard output as the screen.

    Args:
        source: the bytes of the keyboard; None for none at all.
        output: where events go.
        errors: where refusals of lines go.
    """

    is_person = False

    def __init__(
        self, source: trio.abc.ReceiveStream | None, output: Writer, errors: Writer
    ) -> None:
        self._source = source
        self._output = output
        self._errors = errors
        self._framing = Lines(LIMIT)
        self._lines: deque[str | Refused] = deque()
        self._number = 0
        self._on_their_way: deque[int] = deque()
        self._answered = trio.Event()
        self._refused = 0

    def set_prompt(self, prompt: str) -> None:
        """There is nobody to ask."""

    def set_status(self, status: object) -> None:
        """There is nobody to tell."""

    def set_bell(self, setting: str) -> None:
        """There is nobody to ring for."""

    async def receive(self) -> Say:
        """The next line that is not blank. Raises `trio.EndOfChannel` at the end."""
        while len(self._on_their_way) >= WINDOW:
            await self._answered.wait()
        while True:
            line = await self._next_line()
            self._number += 1
            if isinstance(line, Refused):
                await self._refuse(self._number, line)
            elif line.strip():
                self._on_their_way.append(self._number)
                return Say(line)

    async def show(self, event: Event, me: str) -> None:
        """Write an event as a line; one's own echo and refusals confirm the lines in turn."""
        if isinstance(event, Refused):
            await self._refuse(self._confirm(), event)
            return
        if isinstance(event, Said) and event.handle == me:
            self._confirm()
        await self._output.write(plain(event, me))

    async def finish(self) -> bool:
        """Say on standard error what may be lost; whether every line was delivered."""
        if lost := self._on_their_way:
            await self._errors.write(
                f"! {len(lost)} lines were not confirmed and may be lost, from line {lost[0]} on"
            )
        return not (self._refused or lost)

    def _confirm(self) -> int:
        """The number of the line that has just been answered; 0 if it was no line."""
        number = self._on_their_way.popleft() if self._on_their_way else 0
        self._answered.set()
        self._answered = trio.Event()
        return number

    async def _refuse(self, number: int, refused: Refused) -> None:
        self._refused += 1
        where = f"line {number}: " if number else ""
        await self._errors.write(f"! {where}{plain(refused)[2:]}")

    async def _next_line(self) -> str | Refused:
        while not self._lines:
            if self._source is None:
                raise trio.EndOfChannel
            data = await self._source.receive_some()
            self._lines += self._framing.feed(data or b"\n")  # the last line may lack its end
            if not data:
                self._source = None
        return self._lines.popleft()


def open_stdin() -> trio.abc.ReceiveStream | None:
    """Standard input as a stream, where it is no terminal; None if it is closed."""
    with suppress(OSError):
        return trio.lowlevel.FdStream(os.dup(0))
    return None


def open_pipe(*, keyboard: bool = True) -> Pipe:
    """The standard streams; without the keyboard for a screen that only shows."""
    return Pipe(open_stdin() if keyboard else None, Output(1), Output(2))
