"""Unkept: what is said while the disk fails, and is told all the same.

It waits in memory, and people hear that it is not kept. What there is no more room for is lost, and
the file says so in its place afterwards.
"""

import logging
import math
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from triochat.changes import Changes
from triochat.history import TAIL
from triochat.messages import Said
from triochat.order import Peer
from triochat.telling import Telling, Told

log = logging.getLogger(__name__)

REMIND = 600.0
"""Seconds after which operators are told again that nothing is kept."""

UNKEPT = "what is said is not being kept ({}); this is tried again every few seconds"
"""What operators are told."""

UNHEARD = "what you say now is told to all who are here, but not kept ({})"
"""What authors are told."""


class Unkept:
    """Whether a file cannot be written now, who has heard of it, and what was lost by that.

    Args:
        path: of the file.
        server: the server's handle; it says where something is missing.

    Attributes:
        problem: why it cannot be written; empty if it can.
        alert: tells operators something.
        warn: tells a peer something that it has not asked for.
    """

    def __init__(self, path: Path, server: str) -> None:
        self.problem = ""
        self.alert: Callable[[str], None] = log.warning
        self.warn: Callable[[Peer, str], None] = lambda peer, text: None  # noqa: ARG005
        self._path = path
        self._server = server
        self._alerted = -math.inf
        self._warned: set[Peer] = set()
        self._count = 0  # of messages that are lost
        self._last: Said | None = None

    def note(self, error: sqlite3.Error) -> None:
        """It could not be written; tell operators, if they have not heard so for long."""
        self.problem = str(error)
        now = trio.current_time()
        if now - self._alerted >= REMIND:
            self._alerted = now
            log.warning("cannot write %s: %s", self._path, error)
            self.alert(UNKEPT.format(error))

    def tell_authors(self, batch: Sequence[Telling]) -> None:
        """Tell those of this batch, each once, that it is not kept."""
        for telling in batch:
            if isinstance(telling, Told) and telling.author and telling.author not in self._warned:
                self._warned.add(telling.author)
                self.warn(telling.author, UNHEARD.format(self.problem))

    def bound(self, changes: Changes) -> dict[str, int]:
        """Lose the oldest of what waits to be written, where that is too much.

        Returns:
            The floors that have risen by that.
        """
        floors = {key: number for key, number, _ in changes.passing[:-TAIL]}
        del changes.passing[:-TAIL]
        if lost := changes.said[:-TAIL]:
            self._count += len(lost)
            self._last = lost[-1]
            floors[""] = max(floors.get("", 0), lost[-1].id)
            del changes.said[:-TAIL]
        return floors

    def end(self) -> tuple[list[Said], str]:
        """It can be written again.

        Returns:
            What the file is to say where messages are missing, if any are; and that in words.
        """
        gaps, missing = [], "nothing is missing"
        if last := self._last:
            missing = f"{self._count:,} messages are missing"
            text = f"could not keep {self._count:,} messages, up to this one ({self.problem})"
            gaps.append(Said(last.id, last.at, self._server, text, action=True))
        self._count, self._last = 0, None
        self.problem, self._alerted, self._warned = "", -math.inf, set()
        return gaps, missing

    def tell_end(self, missing: str) -> None:
        """Tell operators that all is kept again, and what is not."""
        log.warning("%s is written again; %s", self._path, missing)
        self.alert(f"what is said is kept again; {missing}")
