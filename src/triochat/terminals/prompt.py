"""A person at a terminal, as a channel: lines that were typed come in, events go out above them.

The line editor lives in one worker thread with one event loop of its own for the whole session. It
is asked to stop when the block of `open_prompt` ends, and is waited for: the terminal is as it
was before `open_prompt` returns, whatever ended it.

Ctrl-C in the editor is what Ctrl-C is anywhere else: the process gets a SIGINT. Ctrl-D on an empty
line ends the input; what comes in is drawn even then.
"""

import asyncio
import logging
import math
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import trio
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console

from triochat.chat import Terminal, View
from triochat.grammar import Place
from triochat.messages import Event, Joined, Left, Refused, Request, Say
from triochat.terminals import editor
from triochat.terminals.pipe import Output
from triochat.terminals.screen import Screen, Shown, rings
from triochat.words import words_of

log = logging.getLogger(__name__)

WAITING = 1000
"""Events that may wait to be drawn before whoever shows more has to wait."""

FRAME = 100
"""Events that are drawn before the keys typed meanwhile have their turn."""

GATHER = 0.15
"""Seconds that comings and goings wait for more of them, to be drawn as one."""

AGAIN = 0.1
"""Seconds until the editor's thread is asked again to end."""

PUT_BACK = ("message-too-long", "not-your-turn", "waiting")
"""Refusals after which the line stands in the editor again."""


class Prompt(Terminal):
    """A person at a terminal. Made by `open_prompt`.

    All methods are for trio's thread; those whose names start with ``_on_loop`` run in the
    editor's. The two share `_waiting`, a deque, whose ends are safe to use from both.
    """

    def __init__(self, place: Place, history: Path | None, *, colour: bool) -> None:
        self._screen = Screen()
        self._desk = editor.Desk(place, self._screen.palette)
        self._session = editor.open_session(self._desk, history, colour=colour)
        self._console = Console(
            file=StringIO(),
            force_terminal=True,
            color_system="256",
            no_color=not colour,
            width=1 << 16,  # lines are wrapped by the screen
            highlight=False,
        )
        self._elsewhere = None if sys.stdout.isatty() else Output(1)
        self._last_line = ""
        self._send_line, self._lines = trio.open_memory_channel[str | Say](math.inf)
        self._waiting: deque[Shown] = deque()
        self._drawn = trio.lowlevel.ParkingLot()
        self._printing: asyncio.Task[None] | None = None
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._editing: asyncio.Task[None] | None = None
        self._token = trio.lowlevel.current_trio_token()

    # ---- the channel

    def update(self, view: View) -> None:
        """Show this before the line, and below it."""
        self._desk.view = view
        self._call(self._session.app.invalidate)

    async def receive(self) -> str | Say:
        """The next line that was typed or pasted. Raises `trio.EndOfChannel` after Ctrl-D."""
        line = await self._lines.receive()
        self._last_line = line if isinstance(line, str) else line.text
        return line

    async def show(self, event: Event, me: str, asked: Request | None = None) -> None:  # noqa: ARG002
        """Draw an event above the line that is being typed, which stays as it is.

        A line that will do later, or shorter, is put back, unless the next is being typed.
        """
        if isinstance(event, Refused) and event.code in PUT_BACK:
            self._call(editor.put_back, self._session, self._last_line)
        if self._elsewhere is not None:
            await self._elsewhere.write(words_of(event, me))
            return
        self._waiting.append(Shown(event, me))
        self._call(self._on_loop_print)
        if len(self._waiting) > WAITING:
            await self._drawn.park()
        else:
            await trio.lowlevel.checkpoint()

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
        self._on_loop_print()
        with suppress(asyncio.CancelledError), patch_stdout(raw=True):
            try:
                with self._session.app.input.raw_mode():  # also between two lines
                    while not self._stopping:
                        try:
                            text = await self._session.prompt_async(set_exception_handler=False)
                        except editor.InterruptedLineError:
                            os.kill(os.getpid(), signal.SIGINT)
                            continue
                        for line in editor.lines_of(text):
                            self._token.run_sync_soon(self._send_line.send_nowait, line)
            except (EOFError, OSError):  # Ctrl-D; or the window is gone
                self._token.run_sync_soon(self._send_line.close)
                if not self._stopping:
                    await asyncio.Event().wait()
        while self._waiting:
            self._print()

    def _on_loop_print(self) -> None:
        async def print_all() -> None:
            if all(isinstance(shown.event, Joined | Left) for shown in self._waiting.copy()):
                await asyncio.sleep(GATHER)
            while self._waiting:
                await run_in_terminal(self._print)
            self._printing = None

        if self._waiting and self._printing is None:
            self._printing = asyncio.create_task(print_all())

    def _print(self) -> None:
        """Draw a batch, at the place where the editor's line has just been taken away."""
        count = min(len(self._waiting), FRAME)
        shown = [self._waiting.popleft() for _ in range(count)]
        output = self._session.app.output
        with suppress(OSError):  # the window is gone
            lines = self._screen.draw(shown, datetime.now(UTC), output.get_size().columns)
            with self._console.capture() as capture:
                for line in lines:
                    self._console.print(line, soft_wrap=True)
            output.write_raw(capture.get())
            if any(rings(event, me, self.bell) for event, me in shown):
                output.write_raw("\a")
            output.flush()
        self._token.run_sync_soon(self._drawn.unpark_all)


def log_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of the editor's loop; but that the window is gone is nobody's error."""
    if not isinstance(context.get("exception"), OSError):
        log.error("the editor: %s", context["message"], exc_info=context.get("exception"))


@asynccontextmanager
async def open_prompt(
    place: Place = Place.TERMINAL, history: Path | None = None, *, colour: bool = True
) -> AsyncIterator[Prompt]:
    """The terminal of this process; as it was again when the block has ended.

    Args:
        place: whose it is; with `Place.CONSOLE` the operator's.
        history: the file that remembers what was typed; None to forget it.
        colour: whether it may be coloured.
    """
    async with trio.open_nursery() as nursery:
        prompt = Prompt(place, history, colour=colour)
        await nursery.start(prompt.run)
        yield prompt
        nursery.cancel_scope.cancel()
