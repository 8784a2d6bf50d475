"""A person at a terminal, as a channel: lines that were typed come in, events go out above them.

The line editor is prompt_toolkit's. It lives in one worker thread with one event loop of its own
for the whole session, is asked to stop when the block of `open_terminal` ends, and is waited for:
the terminal is as it was before `open_terminal` returns, whatever ended it.

Ctrl-C in the editor is what Ctrl-C is anywhere else: the process gets a SIGINT. Ctrl-D on an empty
line ends the input.
"""

import asyncio
import math
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from io import StringIO

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.output import create_output
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console

from triochat.messages import Event, Refused
from triochat.pipe import Output
from triochat.render import plain, rich_text

WAITING = 1000
"""Events that may wait to be drawn before whoever shows more has to wait."""


PUT_BACK = ("message-too-long", "not-your-turn", "waiting")
"""Refusals after which the line stands in the editor again."""


class _InterruptError(Exception):
    """Ctrl-C was typed."""


class Terminal:
    """A person at a terminal. Made by `open_terminal`.

    All methods are for trio's thread; those whose names start with ``_on_loop`` run in the
    editor's. The two share `_drawings`, a deque, whose ends are safe to use from both.
    """

    is_person = True

    def __init__(self) -> None:
        self._session: PromptSession[str] = PromptSession(
            output=create_output(always_prefer_tty=True),
            interrupt_exception=_InterruptError,
            erase_when_done=True,
        )
        # Without this, keys that are typed while messages are drawn are echoed into them.
        editor_input = self._session.app.input
        editor_input.cooked_mode = editor_input.raw_mode  # type: ignore[method-assign]
        self._elsewhere = None if sys.stdout.isatty() else Output(1)
        self._prompt = ""
        self._last_line = ""
        self._send_line, self._lines = trio.open_memory_channel[str](math.inf)
        self._drawings: deque[str] = deque()
        self._drawn = trio.Event()
        self._printing: asyncio.Task[None] | None = None
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._editing: asyncio.Task[None] | None = None
        self._token = trio.lowlevel.current_trio_token()

    # ---- the channel

    def set_prompt(self, prompt: str) -> None:
        """What stands before the line that is being typed."""
        self._prompt = prompt
        self._call(self._session.app.invalidate)

    async def receive(self) -> str:
        """The next line that was typed. Raises `trio.EndOfChannel` after Ctrl-D."""
        self._last_line = await self._lines.receive()
        return self._last_line

    async def show(self, event: Event, me: str) -> None:
        """Draw an event above the line that is being typed, which stays as it is.

        A line that will do later, or shorter, is put back, unless the next is being typed.
        """
        if isinstance(event, Refused) and event.code in PUT_BACK:
            self._call(self._on_loop_put_back, self._last_line)
        if self._elsewhere is not None:
            await self._elsewhere.write(plain(event, me))
            return
        self._drawings.append(self._draw(event, me))
        self._call(self._on_loop_print)
        if len(self._drawings) > WAITING:
            await self._drawn.wait()
        else:
            await trio.lowlevel.checkpoint()

    async def finish(self) -> bool:
        """Nothing is left to say: a person has seen what was refused."""
        return True

    def _draw(self, event: Event, me: str) -> str:
        width = self._session.app.output.get_size().columns
        console = Console(file=StringIO(), force_terminal=True, width=width, highlight=False)
        with console.capture() as capture:
            console.print(rich_text(event, me), soft_wrap=True)
        return capture.get()

    def _call(self, function: Callable[..., object], *args: object) -> None:
        """Run a function on the editor's loop, soon; not at all when there is none."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(function, *args)

    # ---- the editor's thread

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let the person type, until cancelled; the thread has ended when this returns."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_when_cancelled)
            task_status.started()
            with trio.CancelScope(shield=True):  # the sibling ends the thread
                await trio.to_thread.run_sync(lambda: asyncio.run(self._on_loop_run()))
            nursery.cancel_scope.cancel()

    async def _stop_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._stopping = True
            if self._editing is not None:
                self._call(self._editing.cancel)

    async def _on_loop_run(self) -> None:
        self._editing = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._on_loop_print()
        with suppress(asyncio.CancelledError), patch_stdout(raw=True):
            if not self._stopping:
                await self._on_loop_edit()
        self._print_drawings()

    async def _on_loop_edit(self) -> None:
        """Hand over line after line; after Ctrl-D only draw. Ends by being cancelled."""
        try:
            while True:
                try:
                    text = await self._session.prompt_async(lambda: self._prompt)
                except _InterruptError:
                    os.kill(os.getpid(), signal.SIGINT)
                    continue
                for line in text.split("\n"):
                    self._token.run_sync_soon(self._send_line.send_nowait, line)
        except EOFError:
            self._token.run_sync_soon(self._send_line.close)
            await asyncio.Event().wait()

    def _on_loop_print(self) -> None:
        if self._drawings and self._printing is None:
            self._printing = asyncio.create_task(self._on_loop_print_all())

    async def _on_loop_print_all(self) -> None:
        while self._drawings:
            await run_in_terminal(self._print_drawings)
        self._printing = None

    def _print_drawings(self) -> None:
        output = self._session.app.output
        for _ in range(len(self._drawings)):
            output.write_raw(self._drawings.popleft())
        output.flush()
        self._token.run_sync_soon(self._wake_shower)

    def _wake_shower(self) -> None:
        self._drawn.set()
        self._drawn = trio.Event()

    def _on_loop_put_back(self, line: str) -> None:
        buffer = self._session.default_buffer
        if not buffer.text:
            buffer.text = line
            buffer.cursor_position = len(line)


@asynccontextmanager
async def open_terminal() -> AsyncIterator[Terminal]:
    """The terminal of this process; as it was again when the block has ended."""
    async with trio.open_nursery() as nursery:
        terminal = Terminal()
        await nursery.start(terminal.run)
        yield terminal
        nursery.cancel_scope.cancel()
