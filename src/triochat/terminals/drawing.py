"""What is to be drawn above the line that is being typed: what waits, and how it gets there.

Events are drawn in batches of a bounded size, so that keys have their turn, whatever comes in.
Somebody who comes or goes is told at once; who follows within some seconds is told together with
others, unless something else is to be shown: nothing changes its place. Nothing that goes wrong
with one event keeps the others from being seen.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import StringIO

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.output import Output
from rich.console import Console
from rich.text import Text

from triochat.messages import Event, Removed, Said
from triochat.terminals.screen import BAR, Screen, rings
from triochat.terminals.shown import Shown, bounded, is_move, spread
from triochat.terminals.wrapping import margin_of, wrap
from triochat.text import clean

log = logging.getLogger(__name__)

EACH = 50
"""The weight of an event, and of a line break in it, beside its characters, which weigh 1."""

WAITING = 600 * EACH
"""The weight of what may wait to be drawn before whoever shows more has to wait."""

FRAME = 120 * EACH
"""The weight of what is drawn before the keys typed meanwhile have their turn."""

GATHER = 3.0
"""Seconds after somebody came or went in which others are gathered, to be told together."""

_ASCII = str.maketrans(f"─{BAR}…", "-|.")  # our own signs, where there are no others


class Drawing:
    """Events on their way to a screen. All but `add` and `is_full` are for the editor's thread.

    Args:
        screen: makes rows of them.
        output: where the rows go.
        colour: whether they may be coloured.
        drawn: is called after each batch, in the loop's thread.

    Attributes:
        bell: when to ring, one of `BELLS`.
    """

    def __init__(
        self, screen: Screen, output: Output, drawn: Callable[[], object], *, colour: bool
    ) -> None:
        self.bell = "mention"
        self._screen = screen
        self._output = output
        self._drawn = drawn
        self._console = Console(
            file=StringIO(),
            force_terminal=True,
            color_system="256",
            no_color=not colour,
            width=1 << 16,  # lines are wrapped by the screen
            highlight=False,
        )
        self._waiting: deque[Shown] = deque()
        self._added = 0  # the weight of all that ever was; only one thread changes this,
        self._taken = 0  # and only the other one this
        self._hurry = asyncio.Event()
        self._moved = float("-inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more should be added just now."""
        return self._added - self._taken > WAITING

    def add(self, shown: Shown) -> None:
        """Let this be drawn; `wake` is to be called next, in the loop."""
        pieces = [one._replace(event=bounded(one.event)) for one in spread(shown)]
        self._added += sum(weight_of(piece.event) for piece in pieces)
        self._waiting += pieces

    def wake(self, shown: Shown | None = None) -> None:
        """Draw what waits, of which this was the latest."""
        if self.is_full or shown is None or not is_move(shown):
            self._hurry.set()
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._draw_all())

    async def _draw_all(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                await run_in_terminal(self._draw)
        finally:
            self._task = None

    async def _gather(self) -> None:
        """Wait for more comings and goings, if there is nothing else, and some were just drawn."""
        self._hurry.clear()
        left = self._moved + GATHER - time.monotonic()
        if left > 0 and not self.is_full and all(map(is_move, self._waiting.copy())):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), left)

    def finish(self, *last: str) -> None:
        """Draw all that waits, and these lines, where there is no editor any more."""
        while self._waiting:
            self._draw()
        with suppress(OSError):  # the window is gone
            width = self._output.get_size().columns
            self._write("".join(self._line(text, width) for text in last))

    def _draw(self) -> None:
        """Draw a batch, at the place where the editor's line has just been taken away."""
        taken = self._taken
        shown: list[Shown] = []
        while self._waiting and self._taken < taken + FRAME:
            shown.append(self._waiting.popleft())
            self._taken += weight_of(shown[-1].event)
        shown = unremoved(shown, self._waiting.copy())
        with suppress(OSError):  # the window is gone
            self._write(self._render(shown, self._output.get_size().columns))
        if any(map(is_move, shown)):
            self._moved = time.monotonic()
        self._drawn()

    def _render(self, shown: Sequence[Shown], width: int) -> str:
        try:
            rows = self._screen.draw(shown, datetime.now(UTC), width)
            bell = any(rings(*one[:2], self.bell) for one in shown if not one.is_past)
            return self._paint(rows) + "\a" * bell
        except Exception as error:
            if len(shown) > 1:
                return "".join(self._render([one], width) for one in shown)
            log.info("%s could not be shown", type(shown[0].event).__name__, exc_info=error)
            problem = f"{type(error).__name__}: {error}"[:EACH]
            return self._line(f"! something could not be shown: {problem}", width)

    def _line(self, text: str, width: int) -> str:
        return self._paint(wrap(Text(clean(text)), width, margin_of(2, width)))

    def _paint(self, rows: Sequence[Text]) -> str:
        with self._console.capture() as capture:
            for row in rows:
                self._console.print(row, soft_wrap=True)
        return capture.get()

    def _write(self, text: str) -> None:
        if not self._output.encoding().lower().startswith("utf"):
            text = text.translate(_ASCII)
        self._output.write_raw(text)
        self._output.flush()


def unremoved(shown: Sequence[Shown], later: Iterable[Shown]) -> list[Shown]:
    """What of this is not removed by what comes after it: nobody has seen it yet."""
    removals = (one.event.ids for one in later if isinstance(one.event, Removed))
    gone = {number for ids in removals for number in ids}
    left = []
    for one in reversed(shown):
        if isinstance(one.event, Removed):
            gone.update(one.event.ids)
        if not isinstance(one.event, Said) or one.event.id not in gone:
            left.append(one)
    return left[::-1]


def weight_of(event: Event) -> int:
    """How much work it is to draw this."""
    weight = EACH
    for field in event.__struct_fields__:
        value = getattr(event, field)
        if isinstance(value, str):
            weight += len(value) + EACH * value.count("\n")
        elif isinstance(value, tuple):
            weight += sum(map(len, map(str, value)))
    return weight
