"""A person at a terminal, as a channel: lines that were typed come in, events go out above them.

The line editor lives in one worker thread with one event loop of its own for the whole session. It
is asked to stop when the block of `open_prompt` ends, and is waited for: the terminal is as it
was before `open_prompt` returns, whatever ended it.

Ctrl-C in the editor is what Ctrl-C is anywhere else: the process gets a SIGINT, and the line stays.
Ctrl-D on an empty line ends the input; what comes in is drawn even then.
"""

import asyncio
import logging
import os
import signal
import sys
import termios
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import trio
from msgspec.structs import replace
from prompt_toolkit.document import Document
from prompt_toolkit.patch_stdout import patch_stdout

from triochat.messages import Event, Refused, Renamed, Request, Said, Say, Speech
from triochat.terminal import Terminal, View
from triochat.terminals import editor
from triochat.terminals.desk import Desk, lines_of
from triochat.terminals.drawing import Drawing
from triochat.terminals.pipe import Output
from triochat.terminals.screen import Screen
from triochat.terminals.shown import Shown
from triochat.words import words_of

log = logging.getLogger(__name__)

AGAIN = 0.1
"""Seconds until the editor's thread is asked again to end."""

IDLE = 1.0
"""Seconds without a key after which somebody has stopped typing."""

IDLE_AT_MOST = 10.0
"""Seconds in which somebody who goes on typing is waited for."""

_UNASKED = Refused("not-asked", "nothing was sent: first an answer, please")
_LATE = Refused("not-asked", "nothing was sent: that is not asked any more")
_OF_LINES = ("unknown-command", "usage", _UNASKED.code)  # our own: the line taken last is meant


class Entered(NamedTuple):
    """A line on its way to whoever takes it, and what was asked when it was typed."""

    line: str | Say
    is_answer: bool
    is_secret: bool


class Prompt(Terminal):
    """A person at a terminal. Made by `open_prompt`.

    All methods are for trio's thread; those whose names start with ``_on_loop`` run in the
    editor's. The two share what waits to be drawn, and `_lines`, a deque, whose ends are safe to
    use from both.
    """

    def __init__(self, history: Path | None, *, colour: bool) -> None:
        screen = Screen()
        self._desk = Desk(screen.palette)
        self._session = editor.open_session(self._desk, history, colour=colour)
        self._elsewhere = None if sys.stdout.isatty() else Output(1)
        self._lines: deque[Entered] = deque()
        self._taken = ""  # the line that was taken last, if it was typed
        self._half = ""  # the line that was being typed when the editor was told to end
        self._pressed = float("-inf")  # the monotonic time of the latest key
        self._view = View()
        self._has_ended = False
        self._heard = trio.lowlevel.ParkingLot()
        self._drawn = trio.lowlevel.ParkingLot()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._editing: asyncio.Task[None] | None = None
        self._token = trio.lowlevel.current_trio_token()
        self._drawing = Drawing(
            screen, self._session.app.output, lambda: self._wake(self._drawn), colour=colour
        )

    # ---- the channel

    def update(self, view: View) -> None:
        """Show this before the line, and below it."""
        self._view = view
        self._call(self._on_loop_look)

    async def receive(self) -> str | Say:
        """The next line that was typed or pasted. Raises `trio.EndOfChannel` after Ctrl-D.

        What was entered before a question was shown does not answer it, and is refused.
        """
        await trio.lowlevel.checkpoint()
        while True:
            while not self._lines:
                if self._has_ended:
                    raise trio.EndOfChannel
                await self._heard.park()
            line, is_answer, is_secret = self._lines.popleft()
            self._taken = line if isinstance(line, str) and not is_secret else ""
            if is_secret and not self._view.is_secret:
                await self.show(_LATE, "")
            elif not self._view.question or (is_answer and is_secret == self._view.is_secret):
                return line
            elif isinstance(line, Say):
                await self.show(_UNASKED, "", line)
            elif self._taken.strip():
                await self.show(_UNASKED, "")

    async def wait_idle(self) -> None:
        """Return when no key was pressed for a second, after ten seconds at the latest."""
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(IDLE_AT_MOST):
            while (left := self._pressed + IDLE - time.monotonic()) > 0:  # noqa: ASYNC110
                await trio.sleep(left)

    async def show(
        self, event: Event, me: str, asked: Request | None = None, *, is_past: bool = False
    ) -> None:
        """Draw an event above the line that is being typed, which stays as it is.

        What was refused is put back, unless the next is being typed: then it is told where it is.
        """
        if isinstance(event, Refused) and (back := self._refused(event, asked)):
            if not editor.has_room(self._session, self._desk):
                event = replace(event, text=f"{event.text}; Up has it")
            self._call(editor.put_back, self._session, self._desk, back)
        if self._elsewhere is not None:
            await self._elsewhere.write(words_of(event, me))
            return
        if isinstance(event, Said):
            self._desk.spoke(event.handle)
        elif isinstance(event, Renamed):
            self._desk.renamed(event.handle, event.new)
        if isinstance(asked, Speech):
            self._call(self._desk.answered, asked)
        self._drawing.bell = self.bell
        shown = Shown(event, me, is_past)
        self._drawing.add(shown)
        self._call(self._drawing.wake, shown)
        if self._drawing.is_full:
            await self._drawn.park()
        else:
            await trio.lowlevel.checkpoint()

    def _refused(self, refused: Refused, asked: Request | None) -> str | Speech | None:
        """What was refused, if it can be sent again: a message, or a line that was none."""
        if refused.code == "message-empty":
            return None
        if asked is None and refused.code in _OF_LINES:
            taken, self._taken = self._taken, ""
            return taken
        return asked if isinstance(asked, Speech) else None

    def _wake(self, waiting: trio.lowlevel.ParkingLot) -> None:
        self._token.run_sync_soon(waiting.unpark_all)

    def _call(self, function: Callable[..., object], *args: object) -> None:
        """Run a function on the editor's loop, soon; not at all when there is none."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(function, *args)

    # ---- the editor's thread

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let the person type, until cancelled; the thread has ended when this returns."""
        ended = trio.Event()

        async def stop_when_cancelled() -> None:
            try:
                await trio.sleep_forever()
            finally:
                self._stopping = True
                while not ended.is_set():  # a prompt that ends just then may not hear it
                    if self._editing is not None:
                        self._call(self._editing.cancel)
                    with trio.move_on_after(AGAIN, shield=True):
                        await ended.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_when_cancelled)
            await nursery.start(self._watch_signals)
            task_status.started()
            try:
                with trio.CancelScope(shield=True):  # the sibling ends the thread
                    await trio.to_thread.run_sync(lambda: asyncio.run(self._on_loop_run()))
            finally:
                ended.set()
            nursery.cancel_scope.cancel()

    async def _watch_signals(self, *, task_status: trio.TaskStatus[None]) -> None:
        """The editor's thread gets no signals: tell it of a new size, and that we go on."""
        with trio.open_signal_receiver(signal.SIGWINCH, signal.SIGCONT) as signals:
            task_status.started()
            async for number in signals:
                if number == signal.SIGCONT:
                    self._desk.continued.set()
                self._call(editor.draw_again, self._session)

    async def _on_loop_run(self) -> None:
        """Hand over line after line; after Ctrl-D only draw. Ends by being cancelled."""
        self._editing = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(log_error)
        self._session.app.key_processor.before_key_press += self._on_loop_press
        self._on_loop_look()
        self._drawing.wake()
        with suppress(asyncio.CancelledError), patch_stdout(raw=True):
            try:
                with self._session.app.input.raw_mode():  # also between two lines
                    while not self._stopping:
                        await self._on_loop_read()
            except (EOFError, OSError):  # Ctrl-D; or the window is gone
                self._has_ended = True
                self._wake(self._heard)
                if not self._stopping:
                    await asyncio.Event().wait()
        self._session.app.key_processor.before_key_press -= self._on_loop_press
        self._drawing.finish(*(f"not sent: {line}" for line in self._unsent()))
        drop_keys(self._session.app.input.fileno())

    def _on_loop_look(self) -> None:
        editor.look(self._session, self._desk, self._view)

    def _on_loop_press(self, _: object) -> None:
        self._pressed = time.monotonic()

    async def _on_loop_read(self) -> None:
        """Hand over what is entered next; keep what was not, if told to end."""
        first, self._desk.first = self._desk.first, Document()
        try:
            text = await self._session.prompt_async(default=first, set_exception_handler=False)
        except asyncio.CancelledError:
            if not self._desk.view.question:
                self._half = self._session.default_buffer.text
            raise
        view = self._desk.view
        lines = lines_of(text if text.strip() else view.offer)
        if view.is_secret:
            lines = [text]
        self._lines += [Entered(line, bool(view.question), view.is_secret) for line in lines]
        self._wake(self._heard)

    def _unsent(self) -> list[str]:
        """What was entered and nobody took, and what was being typed."""
        lines = [entered.line for entered in self._lines if not entered.is_secret]
        entered = [line.text if isinstance(line, Say) else line for line in lines]
        typed = f"{self._desk.aside.text}\n{self._half}".split("\n")
        return [line for line in (*entered, *typed) if line.strip()]


def drop_keys(fd: int) -> None:
    """Forget what was typed and nobody has read: the shell would obey it."""
    with suppress(OSError):
        if os.tcgetpgrp(fd) != os.getpgrp():  # it is the shell's already; to touch it would stop us
            return
    with suppress(OSError, termios.error):
        termios.tcflush(fd, termios.TCIFLUSH)


def log_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of the editor's loop; but that the window is gone is nobody's error."""
    if not isinstance(context.get("exception"), OSError):
        log.error("the editor: %s", context["message"], exc_info=context.get("exception"))


@asynccontextmanager
async def open_prompt(history: Path | None = None, *, colour: bool = True) -> AsyncIterator[Prompt]:
    """The terminal of this process; as it was again when the block has ended.

    Args:
        history: the file that remembers what was typed; None to forget it.
        colour: whether it may be coloured.
    """
    async with trio.open_nursery() as nursery:
        prompt = Prompt(history, colour=colour)
        await nursery.start(prompt.run)
        yield prompt
        nursery.cancel_scope.cancel()
