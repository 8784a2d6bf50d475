"""Standard input and output that are no terminal: the same channel as a person, for programs.

Lines come in as they are, each a message (a blank one is none); nothing in them is a command.
Events go out as plain lines. What was refused goes to standard error, with the number of its line;
what was neither confirmed nor refused when the connection ended was perhaps not delivered.

Nothing here blocks trio, and nothing changes the mode of a file description, which other programs
share: what would block waits until the system says that it will not.
"""

import os
import select
import stat
from collections import deque
from typing import Protocol

import trio

from triochat.framing import Lines
from triochat.messages import Event, Refused, Said, Say
from triochat.render import plain

WINDOW = 256
"""Lines that may be on their way, not yet confirmed."""

_CHUNK = 1 << 14

LIMIT = 1 << 16
"""The most bytes in a line of standard input."""


class Reader(Protocol):
    """Somewhere to take bytes from."""

    async def receive_some(self) -> bytes | bytearray:
        """The next bytes; none at the end."""


class Writer(Protocol):
    """Somewhere to write lines to."""

    async def write(self, line: str) -> None:
        """Write a line; returns when it is written."""


class Output(trio.abc.SendStream):
    """A file descriptor that takes bytes; once nobody reads it any more, it swallows them."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._may_block = _may_block(fd)
        self._gone = False
        self._writing = trio.StrictFIFOLock()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of this; returns when it is written. Several tasks may write."""
        async with self._writing:
            start, rest = 0, bytes(data)
            while start < len(rest) and not self._gone:
                await self.wait_send_all_might_not_block()
                start += self.write_nowait(rest[start : start + select.PIPE_BUF])

    def write_nowait(self, data: bytes) -> int:
        """Write what can be written without waiting; how many bytes that was."""
        sent = 0
        try:
            while sent < len(data) and not self._gone and self._is_writable():
                sent += os.write(self._fd, data[sent : sent + select.PIPE_BUF])
        except BlockingIOError:
            return sent
        except OSError:
            self._gone = True
        return len(data) if self._gone else sent

    def _is_writable(self) -> bool:
        return not self._may_block or bool(select.select([], [self._fd], [], 0)[1])

    async def write(self, line: str) -> None:
        """Write a line; returns when it is written."""
        await self.send_all(f"{line}\n".encode())

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until some bytes can be written: at least as many as a pipe takes at once."""
        if self._is_writable():
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_writable(self._fd)

    async def aclose(self) -> None:
        """The descriptor is the process's own, and stays open."""
        await trio.lowlevel.checkpoint()


def _may_block(fd: int) -> bool:
    """Whether writing there may have to wait for a reader; not so for files and /dev/null."""
    try:
        mode = os.fstat(fd).st_mode
        return not (stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not os.isatty(fd)))
    except OSError:
        return True


class Input:
    """A file descriptor that gives bytes; one that cannot be read is at its end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def receive_some(self) -> bytes:
        """The next bytes; none at the end."""
        try:
            if select.select([self._fd], [], [], 0)[0]:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(self._fd)
            return os.read(self._fd, _CHUNK)
        except OSError:
            return b""


class InputLines:
    """Lines from a stream of bytes, with their numbers; blank ones are left out.

    Args:
        source: the bytes.
    """

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._framing = Lines(LIMIT)
        self._lines: deque[str | Refused] = deque()
        self._ended = False
        self.number = 0

    def count_unread(self) -> int:
        """How many lines have come in that nobody has taken."""
        return sum(isinstance(line, str) and bool(line.strip()) for line in self._lines)

    async def receive(self) -> str | Refused:
        """The next line, whose number is then ``number``; or why it is none.

        Raises:
            trio.EndOfChannel: there is none.
        """
        while True:
            line = await self._next_line()
            self.number += 1
            if isinstance(line, Refused) or line.strip():
                return line

    async def _next_line(self) -> str | Refused:
        while not self._lines:
            if self._ended:
                raise trio.EndOfChannel
            data = await self._source.receive_some()
            self._lines += self._framing.feed(data or b"\n")  # the last line may lack its end
            self._ended = not data
        return self._lines.popleft()


class Pipe:
    """Standard input as the keyboard, standard output as the screen.

    Args:
        source: the bytes of the keyboard.
        output: where events go.
        errors: where refusals of lines go.
    """

    is_person = False

    def __init__(self, source: Reader, output: Writer, errors: Writer) -> None:
        self._lines = InputLines(source)
        self._output = output
        self._errors = errors
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
        while isinstance(line := await self._lines.receive(), Refused):
            await self._refuse(self._lines.number, line)
        self._on_their_way.append(self._lines.number)
        return Say(line)

    async def show(self, event: Event, me: str) -> None:
        """Write an event as a line; one's own echo and refusals confirm the lines in turn."""
        if isinstance(event, Refused):
            await self._refuse(self._confirm(), event)
            return
        if isinstance(event, Said) and event.handle == me:
            self._confirm()
        await self._output.write(plain(event, me))

    async def finish(self, problem: str) -> bool:
        """Say on standard error what may be lost; whether every line was delivered."""
        if problem:
            await self._errors.write(f"! {problem}")
        first = self._on_their_way[0] if self._on_their_way else self._lines.number + 1
        if lost := len(self._on_their_way) + self._lines.count_unread():
            await self._errors.write(
                f"! not confirmed, perhaps lost: {lost} line{'s'[: lost - 1]}, from line {first} on"
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


def open_pipe() -> Pipe:
    """The standard streams."""
    return Pipe(Input(0), Output(1), Output(2))
