"""The journal: what peers bring about, a line of the log each; never what anybody says.

Whoever floods would fill the log as well. So in each `WINDOW` only some lines of one kind are
written for one host, and then one says how many more there were.
"""

import logging
from collections import Counter
from typing import Any

import trio

from triochat.order import Peer

log = logging.getLogger("triochat")

WINDOW = 10.0
"""Seconds for which lines are counted, from the first one on."""

LINES = 20
"""Lines of one kind from one host in a window."""

ALL = 500
"""Lines from all hosts in a window."""

_HOSTS = 10  # as many are named with what was left out; the others are counted


def fields(**found: object) -> dict[str, Any]:
    """What a record has beside its sentence, as `logging` takes it: ``extra=fields(...)``."""
    return {"fields": {name: value for name, value in found.items() if value}}


class Journal:
    """Writes the lines. `run` must run, or what was left out is never told."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()
        self._written = 0
        self._left_out: Counter[tuple[str, str, int]] = Counter()
        self._begun = trio.Event()

    def note(
        self,
        peer: Peer,
        event: str,
        words: str = "",
        *,
        level: int = logging.INFO,
        error: BaseException | None = None,
        **found: object,
    ) -> None:
        """Log what has happened to a peer.

        Args:
            peer: to whom.
            event: what kind of thing; lines of one kind are counted together.
            words: the line, but for the address; the event, if left out.
            level: how much it matters.
            error: the bug that it is about.
            found: what else a program may want to know of it: ``reason``, ``code``, ``handle``.
        """
        if not log.isEnabledFor(level):
            return
        host = peer.host.removesuffix("/32") or peer.address
        self._begun.set()
        self._seen[host, event] += 1
        is_full = self._written >= ALL and level < logging.WARNING
        if self._seen[host, event] > LINES or is_full:
            self._left_out[host, event, level] += 1
            return
        self._written += 1
        about = fields(event=event, address=peer.address, **found)
        log.log(level, "%s: %s", peer.address, words or event, extra=about, exc_info=error)

    async def run(self) -> None:
        """Tell in time what was left out; until cancelled, and then once more."""
        try:
            while True:
                await self._begun.wait()
                await trio.sleep(WINDOW)
                self._end_window()
        finally:
            self._end_window()

    def _end_window(self) -> None:
        most = self._left_out.most_common()
        for (host, event, level), count in most[:_HOSTS]:
            about = fields(event=event, host=host, count=count)
            log.log(level, "%s: %s more %s", host, f"{count:,}", event, extra=about)
        if others := most[_HOSTS:]:
            total = sum(count for _, count in others)
            hosts = len({host for (host, _, _), _ in others})
            about = fields(count=total)
            log.info("and %s more lines about %s other hosts", f"{total:,}", hosts, extra=about)
        self._begun = trio.Event()
        self._seen.clear()
        self._left_out.clear()
        self._written = 0
