"""Reading back at a terminal: how far somebody has read, and what is written to a file.

A terminal shows what is older than all that it has shown, so that to ask again shows more. What is
exported is asked for page by page, in a task of its own: who waits for it chats on.
"""

import math
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import trio
from msgspec.structs import replace

from triochat.exports import FORMATS, Pages, open_pages
from triochat.folders import put_file
from triochat.messages import (
    PAGE,
    Answer,
    Event,
    Notice,
    Recall,
    Recalled,
    Refused,
    Request,
    Said,
    Welcome,
)
from triochat.stay import Stay

_BACK = Recall(0)  # whatever was said; how much of it does not count
_OVER = "the connection ended before all was there; export it again"

T = TypeVar("T")
Send: TypeAlias = Callable[[Request], Awaitable[None]]


class Reader:
    """What one person reads back, over one connection after the other."""

    def __init__(self) -> None:
        self._oldest: int | None = None  # id of what was shown
        self._found = _BACK  # what was looked for last, and the id before which there is more
        self._files, self._wanted = trio.open_memory_channel[str](math.inf)
        self._unfinished: list[str] = []
        self._page = _BACK
        self._pages, self._answers = trio.open_memory_channel[Event](1)

    # ---- on the screen

    def older(self, asked: T) -> T | Recall:
        """What is to be asked in place of this: for what was not shown yet."""
        if not isinstance(asked, Recall):
            return asked
        what = replace(asked, count=0)
        if what == _BACK:
            return replace(asked, before=self._oldest)
        is_same = what == replace(self._found, before=None)
        return replace(asked, before=self._found.before if is_same else None)

    def hear(self, event: Event, asked: Request | None) -> bool:
        """Note what is told, and what it answers; whether it is for a file, and not to be shown."""
        if asked is self._page:
            self._pages.send_nowait(event)
            return True
        if isinstance(event, Welcome) and not event.resumed:
            self._oldest = None  # between what was shown and what is told now there may be more
        elif isinstance(event, Said):
            self._oldest = min(self._oldest or event.id, event.id)
        elif isinstance(event, Recalled) and isinstance(asked, Recall):
            oldest = event.messages[0].id if event.messages else None
            if replace(asked, count=0, before=None) == _BACK:
                self._oldest = oldest or self._oldest
            else:
                before = oldest if event.more else None
                self._found = replace(asked, count=0, before=before)
        return False

    # ---- to a file

    def write(self, file: str) -> None:
        """Have all that was said written to this file, when those before it are done."""
        self._unfinished.append(file)
        self._files.send_nowait(file)

    def break_off(self, stay: Stay) -> list[Refused]:
        """End what is not done, at the end of a connection: what is told of it."""
        stay.drop(self._page)
        files, self._unfinished = self._unfinished, []
        self._files, self._wanted = trio.open_memory_channel[str](math.inf)
        self._pages, self._answers = trio.open_memory_channel[Event](1)
        return [_not_exported(file, _OVER) for file in files]

    async def write_files(self, send: Send, tell: Callable[[Answer], Awaitable[None]]) -> None:
        """Write what is to be written, and tell how that went, until cancelled.

        Args:
            send: asks the server.
            tell: tells the person.
        """
        async for file in self._wanted:
            answer = await self._export(file, send)
            self._unfinished.remove(file)
            await tell(answer)

    async def _export(self, file: str, send: Send) -> Answer:
        path = expand(file)
        if problem := problem_of(path):
            return _not_exported(file, problem)
        try:
            with open_pages(FORMATS[path.suffix], path.parent) as pages:
                refused = await self._fetch(pages, send)
                if refused is None:
                    await trio.to_thread.run_sync(partial(put_file, path, pages, is_new=True))
        except OSError as error:
            return _not_exported(file, f"{str(error.strerror).lower()}; nothing was written")
        if refused:
            return _not_exported(file, refused.text)
        return Notice(f"exported {pages.count:,} message{'s' * (pages.count != 1)} to {file}")

    async def _fetch(self, pages: Pages, send: Send) -> Refused | None:
        """Take all that was said, the newest first; what stands against it, if anything does."""
        before: int | None = None
        while True:
            self._page = Recall(PAGE, before)
            await send(self._page)
            answer = await self._answers.receive()
            if isinstance(answer, Refused):
                return answer
            found = answer if isinstance(answer, Recalled) else Recalled(())
            pages.add(found.messages)
            oldest = found.messages[0].id if found.messages else 0
            if not found.more or oldest >= (before or math.inf) or not oldest:
                return None  # at the latest where it would go round in a circle
            before = oldest


def expand(file: str) -> Path:
    """The file that somebody names, ``~`` being a home."""
    return Path(os.path.expanduser(file))  # noqa: PTH111  Path's own raises where there is none


def problem_of(path: Path) -> str:
    """Why nothing can be written there, and what to do; empty if it can be tried."""
    if path.suffix not in FORMATS:
        return "name it .txt, .md or .jsonl; so it is written as text, Markdown or JSON Lines"
    if os.path.lexists(path):
        return "there is such a file; name another one, or remove it first"
    return ""


def _not_exported(file: str, why: str) -> Refused:
    return Refused("not-exported", f"not exported to {file}: {why}")
