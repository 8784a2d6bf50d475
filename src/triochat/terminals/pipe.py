"""Standard input and output that are no terminal: the same channel as a person, for programs.

Lines come in as they are, each a message (a blank one is none); nothing in them is a command.
Events go out as plain lines. What was refused goes to standard error, with the number of its line;
what was neither confirmed nor refused when the connection ended was perhaps not delivered. When
nobody reads the output any more no more lines are taken.

Nothing here blocks trio, and nothing changes the mode of a file description, which other programs
share: what would block waits until the system says that it will not.
"""

import errno
import os
import select
import stat
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol

import trio

from triochat.framing import Lines
from triochat.messages import Event, Refused, Request, Say
from triochat.terminal import Terminal
from triochat.text import clean
from triochat.words import words_of

MAX_IN_FLIGHT = 256
"""Lines that may be on their way, not yet confirmed."""

LINE_LIMIT = 1 << 16
"""The most bytes in a line of standard input."""

_CHUNK = 1 << 14
_PAUSE = 1.0  # seconds between two looks at an output that somebody types into
_LOOK = 0.1  # seconds, for what is on its way in when nobody reads the output any more

Read = Callable[[], Awaitable[bytes | bytearray]]
"""Gives the next bytes; none at the end."""

Line = tuple[int, str | Refused]
"""A line's number, 0 for what is no line of a file; and the line, or why it is none."""


class Writer(Protocol):
    """Somewhere to write lines to."""

    async def write(self, line: str) -> None:
        """Write a line; returns when it is written."""


class Output(trio.abc.SendStream):
    """A file descriptor that takes bytes; once nobody reads it any more, it swallows them.

    Args:
        fd: the descriptor.
        strict: raise `OSError` if it takes no more for any other reason.
    """

    def __init__(self, fd: int, *, strict: bool = False) -> None:
        self._fd = fd
        self._strict = strict
        self._gone = False
        self._may_block = True
        with suppress(OSError):
            mode = os.fstat(fd).st_mode
            self._may_block = not stat.S_ISREG(mode) and (os.isatty(fd) or not stat.S_ISCHR(mode))
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
        except OSError as error:
            self._gone = True
            if self._strict and error.errno not in (errno.EPIPE, errno.EIO):
                raise
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


async def read(fd: int) -> bytes:
    """The next bytes of a file descriptor; one that cannot be read is at its end."""
    try:
        if select.select([fd], [], [], 0)[0]:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(fd)
        return os.read(fd, _CHUNK)
    except OSError:
        return b""


async def wait_unread(fd: int) -> None:
    """Wait until nobody can read any more what is written to this file descriptor.

    To the system a pipe without a reader is ready for anything, also to be read from. So nothing
    is asked again and again, but for a terminal into which somebody types.
    """
    poll = select.poll()
    poll.register(fd, 0)  # errors and hang-ups are told unasked
    while not poll.poll(0):
        try:
            await trio.lowlevel.wait_readable(fd)
        except OSError:  # a file: nobody need read it now
            await trio.sleep_forever()
        if not poll.poll(0):
            await trio.sleep(_PAUSE)


class InputLines(trio.abc.ReceiveChannel[Line]):
    """Lines from bytes, with their numbers.

    Args:
        read: gives the bytes.
        typed: at a terminal, where a blank line may be an answer, and what has no line end is
            not to be obeyed; elsewhere the one is none, and the other is as good as any.
    """

    def __init__(self, read: Read, *, typed: bool = False) -> None:
        self._read = read
        self._typed = typed
        self._framing = Lines(LINE_LIMIT)
        self._lines: deque[str | Refused] = deque()
        self._number = 0
        self._ended = False

    def count_unread(self) -> int:
        """How many lines have come in that nobody has taken."""
        return sum(isinstance(line, str) and bool(line.strip()) for line in self._lines)

    async def look(self) -> None:
        """Take in what is there by now, so that it counts as unread."""
        with trio.move_on_after(_LOOK):
            await self._feed()

    async def receive(self) -> Line:
        """The next line. Raises `trio.EndOfChannel` where there is none."""
        while True:
            while not self._lines:
                if self._ended:
                    raise trio.EndOfChannel
                await self._feed()
            line = self._lines.popleft()
            self._number += 1
            if self._typed or isinstance(line, Refused) or line.strip():
                return self._number, line

    async def _feed(self) -> None:
        data = await self._read()
        self._ended = not data
        if data or not self._typed:
            self._lines += self._framing.feed(data or b"\n")

    async def aclose(self) -> None:
        """Whoever reads the bytes owns where they come from."""
        await trio.lowlevel.checkpoint()


class InFlight:
    """Lines on their way: at most `MAX_IN_FLIGHT`, until each is confirmed or refused.

    Args:
        lines: where they come from.
        errors: where refusals go, each with the number of its line.

    Attributes:
        numbers: of those that are on their way, in order.
        last: the number of the line that was taken last.
        any_refused: not every line got through.
    """

    def __init__(self, lines: trio.abc.ReceiveChannel[Line], errors: Writer) -> None:
        self.numbers: deque[int] = deque()
        self.last = 0
        self.any_refused = False
        self._lines = lines
        self._errors = errors
        self._free = trio.Semaphore(MAX_IN_FLIGHT)

    async def take(self) -> str:
        """The next line, when it may be sent. Raises `trio.EndOfChannel` where there is none.

        Who is cancelled has taken none.
        """
        while True:
            await self._free.acquire()
            try:
                self.last, line = await self._lines.receive()
            except BaseException:
                self._free.release()
                raise
            if isinstance(line, str):
                self.numbers.append(self.last)
                return line
            self._free.release()
            await self.refuse(line, self.last)

    def settle(self) -> int:
        """The first has been answered; its number."""
        self._free.release()
        return self.numbers.popleft()

    async def refuse(self, refused: Refused, number: int = 0) -> None:
        """Tell why the line of this number, if it has one, did not get through."""
        self.any_refused = True
        where = f"line {number}: " if number else ""
        await self._errors.write(f"! {where}{clean(refused.text)}")


class Pipe(Terminal):
    """Standard input as the keyboard, standard output as the screen, and refusals elsewhere."""

    is_person = False

    def __init__(self, read: Read, output: Writer, errors: Writer) -> None:
        self._lines = InputLines(read)
        self._in_flight = InFlight(self._lines, errors)
        self._output = output
        self._errors = errors
        self._is_unread = False
        self._taking = trio.CancelScope()

    def update(self, view: object) -> None:
        """There is nobody to show it to."""

    async def receive(self) -> Say:
        """The next line that is not blank. Raises `trio.EndOfChannel` at the end."""
        with trio.CancelScope() as self._taking:
            if not self._is_unread:
                return Say(await self._in_flight.take())
        raise trio.EndOfChannel

    def leave(self) -> None:
        """Nobody reads the output any more: take no more lines."""
        self._is_unread = True
        self._taking.cancel()

    async def show(
        self,
        event: Event,
        me: str,
        asked: Request | None = None,
        *,
        is_past: bool = False,  # noqa: ARG002
    ) -> None:
        """Write an event as a line; what answers a line confirms or refuses it."""
        number = self._in_flight.settle() if isinstance(asked, Say) else 0
        if isinstance(event, Refused):
            await self._in_flight.refuse(event, number)
        else:
            await self._output.write(words_of(event, me))

    async def finish(self, problem: str) -> bool:
        """Say on standard error what may be lost; whether every line was delivered."""
        if problem:
            await self._errors.write(f"! {problem}")
        if self._is_unread:
            await self._lines.look()
        first, *_ = [*self._in_flight.numbers, self._in_flight.last + 1]
        lost = len(self._in_flight.numbers) + self._lines.count_unread()
        if lost and self._is_unread:
            await self._errors.write("! nobody reads the output any more")
        if lost:
            await self._errors.write(
                f"! not confirmed, perhaps lost: {lost} line{'s'[: lost - 1]}, from line {first} on"
            )
        return not (self._in_flight.any_refused or lost)


@asynccontextmanager
async def open_pipe() -> AsyncIterator[Pipe]:
    """The standard streams of this process, until nobody reads the output any more."""
    pipe = Pipe(partial(read, 0), Output(1), Output(2))

    async def leave_unread() -> None:
        await wait_unread(1)
        pipe.leave()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_unread)
        yield pipe
        nursery.cancel_scope.cancel()
