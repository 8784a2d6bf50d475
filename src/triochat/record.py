"""The record of one peer: what is logged and counted of what it brings about."""

import logging
from collections.abc import Iterable
from typing import Any

from triochat.hub import Hub
from triochat.messages import Closing, Event, Left, Moderated, Refused, Renamed, Welcome
from triochat.order import Peer
from triochat.telling import Telling, Told

WARNED = (10, 100, 1000)
"""So many wrong passwords from one host are said aloud."""

NOTED = {Closing, Left, Moderated, Refused, Renamed, Welcome}
"""Events that are logged when a peer's own asking has led to them."""


class Record:
    """What is known of a peer that is worth a line.

    Args:
        hub: has the journal and the counts.
        peer: whom it is of.

    Attributes:
        handle: the last one that it had.
        level: of what is logged when it is gone: strangers come and go.
    """

    def __init__(self, hub: Hub, peer: Peer) -> None:
        self.handle = ""
        self.level = logging.DEBUG
        self._hub = hub
        self._peer = peer

    def note(self, event: str, words: str = "", **more: Any) -> None:  # noqa: ANN401
        """Log this of the peer; see `Journal.note`."""
        self._hub.journal.note(self._peer, event, words, handle=self.handle, **more)

    def note_join(self, handle: str, dialect: str) -> None:
        """It is a member now, or waits for its place."""
        self.handle = handle
        self.note("joined", f"is {handle} ({dialect})", dialect=dialect)

    def note_failure(self, problem: str) -> None:
        """What it has sealed cannot be opened."""
        self._hub.counts.failures += 1
        self.note("failed", problem, reason=problem)

    def note_end(self, reason: str, *, is_evicted: bool) -> None:
        """It is gone."""
        how = "gone"
        if is_evicted:
            how = "evicted"
            self._hub.counts.evictions[reason] += 1
        self.note(how, f"{how} ({reason})", level=self.level, reason=reason)

    def note_told(self, told: Iterable[Telling]) -> None:
        """What it asked for has led to this; log, and count, what of it is worth that."""
        for telling in told:
            if type(telling) is Told and type(telling.events[0]) in NOTED:
                self._note_event(telling.events[0])

    def _note_event(self, event: Event) -> None:
        match event:
            case Refused(code=code):
                self._hub.counts.refusals[code] += 1
                self.note("refused", f"refused ({code})", code=code)
                if code == "password-wrong":
                    self._note_guess()
            case Moderated(text=text, by=by) if by and by == self.handle:
                is_topic = text.startswith("the topic ")  # which is a message like any other
                self.note("moderated", text.partition(":")[0] if is_topic else text)
            case Left(handle=handle, reason=reason) if reason.startswith("kicked"):
                self.note("moderated", f"kicked {handle}")
            case Closing():  # a stranger that may not stay
                self.level = logging.INFO
            case Welcome(handle=handle):
                self.handle = handle
            case Renamed(handle=old, new=new) if old == self.handle:
                self.handle = new
                self.note("renamed", f"is {new} now", before=old)

    def _note_guess(self) -> None:
        count = self._hub.guesses.count_wrong(self._peer.host)
        if count in WARNED:
            words = f"{count} wrong passwords from its host"
            self.note("guesses", words, level=logging.WARNING, count=count)
