"""What somebody has missed: held back until all of it is told, and shown with how much it is."""

from triochat.messages import Event, Notice, Request, Said, Whispered
from triochat.terminal import Terminal
from triochat.words import missed

MOST = 1000
"""The most events that are held back; more are shown as they come."""


class Missed:
    """What is shown at this terminal of what happened while a person was away."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._items: list[tuple[Event, str, Request | None]] = []
        self._is_counted = False

    async def add(self, event: Event, me: str, asked: Request | None) -> None:
        """One more; the arguments are those of `Terminal.show`."""
        self._items.append((event, me, asked))
        if self._is_counted or len(self._items) >= MOST:
            await self.show(is_all=False)

    async def show(self, *, is_all: bool = True) -> None:
        """Show what is held back, and above it, once, how many messages of others that is."""
        if not (items := self._items):
            return
        self._items = []
        said = [
            (event, me)
            for event, me, _ in items
            if isinstance(event, Said | Whispered) and event.handle != me
        ]
        if said and not self._is_counted:
            (first, _), (last, me) = said[0], said[-1]
            text = missed(len(said), first.at, last.at if is_all else "")
            await self._terminal.show(Notice(text), me, is_past=True)
        self._is_counted = self._is_counted or not is_all
        for event, me, asked in items:
            await self._terminal.show(event, me, asked, is_past=True)
