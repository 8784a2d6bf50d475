"""Fan-out: the last station of the feed. What a batch tells becomes one blob for each peer.

Nearly all of a batch is for all who follow. So this, the *common* text, is written once for each
dialect, as one blob that most peers get as it stands. For the others the blob is edited: a peer may
be told something of its own in between, may begin or cease to follow in the middle, may not hear
its own words. Each peer gets its events in the order of the batch, in one `put`.

Who follows is known here alone; to the room all are "all".
"""

from collections.abc import Sequence
from enum import Enum, auto
from itertools import accumulate
from typing import TypeAlias

from triochat.dialects import Dialect, Speaker
from triochat.link import Link
from triochat.messages import Event
from triochat.order import Peer
from triochat.outbox import Outbox, put_all
from triochat.telling import Ends, Follows, Telling, Told, Unfollows


class Change(Enum):
    """How what one peer is told differs from the common text, from a place in it on."""

    COMES = auto()  # it is told all from here on, and was not before
    GOES = auto()  # it is told no more of it
    MISSES = auto()  # it is not told what stands here


Edits: TypeAlias = tuple[bool, list[tuple[int, Change | Sequence[Event]]]]
"""What makes one peer's text of the common one: whether it is told that from its beginning; and at
which places something changes, or events for this peer alone come in between."""


class FanOut:
    """Puts batches into outboxes.

    Attributes:
        links: of all peers that are connected here, members or not.
    """

    def __init__(self) -> None:
        self.links: dict[Peer, Link] = {}
        self._followers: dict[Dialect, dict[Peer, Outbox]] = {}
        self._common: list[Sequence[Event]] = []
        self._edits: dict[Peer, Edits] = {}
        self._ends: list[Ends] = []

    def follow(self, peer: Peer) -> None:
        """From here on this peer is told what all are told, if it is connected."""
        if link := self.links.get(peer):
            self._followers.setdefault(link.speaker.dialect, {})[peer] = link.outbox

    def unfollow(self, peer: Peer) -> None:
        """From here on it is not."""
        if link := self.links.get(peer):
            self._followers.get(link.speaker.dialect, {}).pop(peer, None)

    def send(self, batch: Sequence[Telling]) -> int:
        """Put into each outbox what is for it.

        Returns:
            The bytes of an event for all, on average; 0 if there was none.
        """
        self._common, self._edits, self._ends = [], {}, []
        for telling in batch:
            self._compare(telling)
        common, edits = self._common, self._edits
        texts: dict[Dialect, _Text] = {}
        size = 0
        for dialect, followers in self._followers.items():
            if not (common and followers):
                continue
            text = texts[dialect] = _Text(common, dialect)
            size = max(size, len(text.blob))
            if edits:
                put_all([followers[peer] for peer in followers if peer not in edits], text.blob)
            else:
                put_all(followers.values(), text.blob)
        for peer, own in edits.items():
            link = self.links[peer]
            dialect = link.speaker.dialect
            if dialect not in texts:
                texts[dialect] = _Text(common, dialect)
            if blob := texts[dialect].edit(own, link.speaker):
                link.outbox.put(blob)
        for end in self._ends:
            if end.peer in self.links:
                self.links[end.peer].outbox.close(end.reason)
        return size and size // sum(map(len, common))

    def _compare(self, telling: Telling) -> None:
        """Put this to what is common, or to what differs from it for whom."""
        match telling:
            case Told(events=events, to=None, author=author):
                if author is not None and not self._echoes(author):
                    self._cut(author, Change.MISSES)
                self._common.append(events)
            case Told(events=events, to=to, author=author):
                for peer in to or ():
                    if peer != author or self._echoes(peer):
                        self._cut(peer, events)
            case Follows(peer=peer):
                self._cut(peer, Change.COMES)
                self.follow(peer)
            case Unfollows(peer=peer):
                self._cut(peer, Change.GOES)
                self.unfollow(peer)
            case Ends():
                self._ends.append(telling)

    def _echoes(self, peer: Peer) -> bool:
        """Whether this peer is to hear its own words; nobody is who is not connected."""
        return peer in self.links and self.links[peer].speaker.dialect.echoes

    def _cut(self, peer: Peer, change: Change | Sequence[Event]) -> None:
        """From this place on something differs for this peer, if it is connected."""
        if link := self.links.get(peer):
            if peer not in self._edits:
                follows = peer in self._followers.get(link.speaker.dialect, {})
                self._edits[peer] = follows, []
            self._edits[peer][1].append((len(self._common), change))


class _Text:
    """The common text in one dialect."""

    def __init__(self, common: Sequence[Sequence[Event]], dialect: Dialect) -> None:
        self._parts = [*map(dialect.encode, common)]
        self._starts: list[int] = []
        self.blob = b"".join(self._parts)

    def edit(self, edits: Edits, speaker: Speaker) -> bytes:
        """The blob for one peer: with what it alone is told, without what it is not."""
        starts = self._starts = self._starts or [*accumulate(map(len, self._parts), initial=0)]
        start, (follows, cuts) = 0, edits
        parts: list[bytes] = []
        for place, change in cuts:
            if follows:
                parts.append(self.blob[start : starts[place]])
            start = starts[place]
            match change:
                case Change.COMES:
                    follows = True
                case Change.GOES:
                    follows = False
                case Change.MISSES:
                    start = starts[place + 1]
                case events:
                    parts.append(speaker.tell(events))
        if follows:
            parts.append(self.blob[start:])
        return b"".join(parts)
