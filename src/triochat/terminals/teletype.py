"""A person at a terminal that only prints: for screen readers, and terminals that cannot do more.

No cursor is moved, nothing is coloured or drawn again: one line for each event, and what is typed
is the terminal's own business until Enter. The grammar and the questions are those of any terminal.

While the person types a secret the terminal echoes nothing. It echoes again whatever happens then,
also for the shell of who is stopped (Ctrl-Z), and for who is killed by Ctrl-Backslash.
"""

import os
import signal
import termios
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

from triochat.messages import Event, Notice, Request
from triochat.terminal import Terminal, View
from triochat.terminals.pipe import InputLines, Writer, read
from triochat.text import clean
from triochat.words import PAST, stamp_of, words_of


class Teletype(Terminal):
    """A person at a terminal that hands over whole lines, and the paper that it prints on.

    Only the one of `open_teletype` leaves the terminal as it was.
    """

    def __init__(self, fd: int, output: Writer) -> None:
        self._fd = fd
        self._lines = InputLines(partial(read, fd), typed=True)
        self._output = output
        self._view = View()
        self._reading = trio.CancelScope()
        self._is_worried = False
        self._worries, self._worried = trio.open_memory_channel[str](1)
        self._echoing: list[object] | None = None  # how the terminal was, while it does not echo

    def update(self, view: View) -> None:
        """A question is printed when it is new; what is wrong, once, if lines are unconfirmed.

        All else would be drawn again.
        """
        before, self._view = self._view, view
        count = 0 if view.holds else len(view.unconfirmed)
        if count and view.state and not self._is_worried:
            lines = "a line is" if count == 1 else f"{count} lines are"
            with suppress(trio.WouldBlock):  # the last one is not printed yet
                self._worries.send_nowait(f"* {clean(view.state)}; {lines} not confirmed yet")
        self._is_worried = bool(count and (self._is_worried or view.state))
        self.echo(not view.is_secret)
        if view.question and view.question != before.question:
            self._reading.cancel()

    async def receive(self) -> str:
        """The next line; a blank one takes the offer. Raises `trio.EndOfChannel` after Ctrl-D."""
        while True:
            view = self._view
            if view.question:
                offer = f"[{view.offer}] " if view.offer else ""
                await self._output.write(f"{view.question}{offer}")
            with trio.CancelScope() as self._reading:  # until another question comes
                return await self._receive_line()

    async def _receive_line(self) -> str:
        while True:
            _, line = await self._lines.receive()
            if isinstance(line, str):
                return line if line.strip() else self._view.offer or line
            await self._output.write(words_of(line))

    async def show(
        self,
        event: Event,
        me: str,
        asked: Request | None = None,  # noqa: ARG002
        *,
        is_past: bool = False,
    ) -> None:
        """Print an event; what is past says so, and when it was."""
        words = words_of(event, me)
        if is_past and not isinstance(event, Notice):
            stamp = stamp_of(getattr(event, "at", ""))
            words = f"{PAST}[{stamp}] {words}" if stamp else f"{PAST}{words}"
        await self._output.write(words)

    async def tell_worries(self) -> None:
        """Print what is wrong, as soon as it is."""
        async for words in self._worried:
            await self._output.write(words)

    def echo(self, is_on: bool) -> None:
        """Have the terminal show what is typed, or not; if it is one, and ours to command now."""
        if is_on == (self._echoing is None):
            return
        with suppress(OSError, termios.error):
            if os.tcgetpgrp(self._fd) != os.getpgrp():  # it is the shell's; to touch it stops us
                return
            mode = termios.tcgetattr(self._fd)
            if self._echoing is not None:
                mode, self._echoing = self._echoing, None
            else:
                self._echoing = [*mode]
                mode[3] = mode[3] & ~termios.ECHO | termios.ECHONL
            termios.tcsetattr(self._fd, termios.TCSANOW, mode)

    async def watch_signals(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Let nobody who stops us, or ends us at once, have a terminal that does not echo."""
        stops = [
            each
            for each in (signal.SIGTSTP, signal.SIGQUIT)
            if signal.getsignal(each) == signal.SIG_DFL
        ]
        with trio.open_signal_receiver(signal.SIGCONT, *stops) as signals:
            task_status.started()
            async for number in signals:
                if number != signal.SIGCONT:
                    self.echo(True)
                    handler = signal.signal(number, signal.SIG_DFL)
                    signal.pthread_kill(threading.get_ident(), number)
                    signal.signal(number, handler)
                self.echo(not self._view.is_secret)


@asynccontextmanager
async def open_teletype(fd: int, output: Writer) -> AsyncIterator[Teletype]:
    """The terminal at this descriptor, which echoes again when the block has ended."""
    teletype = Teletype(fd, output)
    async with trio.open_nursery() as nursery:
        await nursery.start(teletype.watch_signals)
        nursery.start_soon(teletype.tell_worries)
        try:
            yield teletype
        finally:
            teletype.echo(True)
        nursery.cancel_scope.cancel()
