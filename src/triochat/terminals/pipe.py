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
from triochat.messages import Event, Refused, Request, Say
from triochat.text import clean
from triochat.words import words_of

MAX_IN_FLIGHT = 256
"""Lines that may be on their way, not yet confirmed."""

_CHUNK = 1 << 14

LINE_LIMIT = 1 << 16
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
        self._gone = False
        try:
            mode = os.fstat(fd).st_mode
            never_blocks = stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not os.isatty(fd))
        except OSError:
            never_blocks = False
        self._may_block = not never_blocks
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
        self._framing = Lines(LINE_LIMIT)
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
            while not self._lines:
                if self._ended:
                    raise trio.EndOfChannel
                data = await self._source.receive_some()
                self._lines += self._framing.feed(data or b"\n")  # the last may lack its end
                self._ended = not data
            line = self._lines.popleft()
            self.number += 1
            if isinstance(line, Refused) or line.strip():
                return line


class InFlight:
    """The lines that are neither confirmed nor refused yet, at most `MAX_IN_FLIGHT` of them.

    Attributes:
        numbers: theirs, in order; 0 for what is no line of a file.
    """

    def __init__(self) -> None:
        self.numbers: deque[int] = deque()
        self._free = trio.Semaphore(MAX_IN_FLIGHT)

    async def add(self, number: int) -> None:
        """Count one more as on its way; returns when it may be sent."""
        self.numbers.append(number)
        await self._free.acquire()

    def settle(self) -> int:
        """The first has been answered; its number."""
        self._free.release()
        return self.numbers.popleft()


def refusal_of(number: int, refused: Refused) -> str:
    """How it is told that the line of this number was refused; 0 if it has none."""
    where = f"line {number}: " if number else ""
    return f"! {where}{clean(refused.text)}"


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
        self._in_flight = InFlight()
        self._any_refused = False

    def update(self, view: object) -> None:
        """There is nobody to show it to."""

    async def receive(self) -> Say:
        """The next line that is not blank. Raises `trio.EndOfChannel` at the end."""
        while isinstance(line := await self._lines.receive(), Refused):
            await self._refuse(line, self._lines.number)
        await self._in_flight.add(self._lines.number)
        return Say(line)

    async def show(self, event: Event, me: str, asked: Request | None = None) -> None:
        """Write an event as a line; what answers a line confirms or refuses it."""
        number = self._in_flight.settle() if isinstance(asked, Say) else 0
        if isinstance(event, Refused):
            await self._refuse(event, number)
        else:
            await self._output.write(words_of(event, me))

    async def finish(self, problem: str) -> bool:
        """Say on standard error what may be lost; whether every line was delivered."""
        if problem:
            await self._errors.write(f"! {problem}")
        numbers = self._in_flight.numbers
        first = numbers[0] if numbers else self._lines.number + 1
        if lost := len(numbers) + self._lines.count_unread():
            await self._errors.write(
                f"! not confirmed, perhaps lost: {lost} line{'s'[: lost - 1]}, from line {first} on"
            )
        return not (self._any_refused or lost)

    async def _refuse(self, refused: Refused, number: int) -> None:
        self._any_refused = True
        await self._errors.write(refusal_of(number, refused))


def open_pipe() -> Pipe:
    """The standard streams."""
    return Pipe(Input(0), Output(1), Output(2))
