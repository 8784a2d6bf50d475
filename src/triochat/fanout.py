"""Fan-out: the last station of the feed. What a batch tells becomes one blob for each peer.

Nearly all of a batch is for all who follow. So this, the *common* text, is written once for each
dialect, as one blob that most peers get as it stands. For the others the blob is edited: a peer may
be told something of its own in between, may begin or cease to follow in the middle, may not hear
its own words. Each peer gets its events in the order of the batch, in one `put`.

Who follows is known here alone; to the room all are "all".
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate

from triochat.dialects import Dialect, Speaker
from triochat.link import Link
from triochat.messages import Event
from triochat.order import Peer
from triochat.outbox import Outbox, put_all
from triochat.telling import Ends, Follows, Telling, Told, Unfollows


class Edit:
    """What one peer is told, where that is not just the common text.

    Attributes:
        pieces: from which run to which of the common text, or events for this peer alone.
        start: where the next piece begins, if the peer follows.
    """

    def __init__(self) -> None:
        self.pieces: list[slice | list[Event]] = []
        self.start = 0


class FanOut:
    """Puts batches into outboxes.

    Attributes:
        links: of all peers that are connected here, members or not.
    """

    def __init__(self) -> None:
        self.links: dict[Peer, Link] = {}
        self._followers: dict[Dialect, dict[Peer, Outbox]] = {}
        self._common: list[list[Event]] = []
        self._edits: dict[Peer, Edit] = {}
        self._ends: dict[Peer, str] = {}

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
        self._common, self._edits, self._ends = [], {}, {}
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
        for peer, edit in edits.items():
            self._cut(peer)
            link = self.links[peer]
            dialect = link.speaker.dialect
            if dialect not in texts:
                texts[dialect] = _Text(common, dialect)
            if blob := texts[dialect].edit(edit, link.speaker):
                link.outbox.put(blob)
        for peer, reason in self._ends.items():
            if peer in self.links:
                self.links[peer].outbox.close(reason)
        return size and size // sum(map(len, common))

    def _compare(self, telling: Telling) -> None:
        """Put this to what is common, or to what differs from it for whom."""
        match telling:
            case Told(events=events, to=None, author=author):
                if author is not None and not self._echoes(author):
                    self._cut(author, misses=1)
                self._common.append(events)
            case Told(events=events, to=to, author=author):
                for peer in to or ():
                    if peer != author or self._echoes(peer):
                        self._cut(peer, events)
            case Follows(peer=peer):
                self._cut(peer)
                self.follow(peer)
            case Unfollows(peer=peer):
                self._cut(peer)
                self.unfollow(peer)
            case Ends(peer=peer):
                self._cut(peer)
                self._ends.setdefault(peer, telling.reason)

    def _echoes(self, peer: Peer) -> bool:
        """Whether this peer is to hear its own words; nobody is who is not connected."""
        return peer in self.links and self.links[peer].speaker.dialect.echoes

    def _cut(self, peer: Peer, own: list[Event] | None = None, misses: int = 0) -> None:
        """Until here a peer was told all, if it follows; then its own, if it is connected."""
        if (link := self.links.get(peer)) and peer not in self._ends:
            edit, place = self._edits.setdefault(peer, Edit()), len(self._common)
            if peer in self._followers.get(link.speaker.dialect, ()):
                edit.pieces.append(slice(edit.start, place))
            edit.start = place + misses
            if own:
                edit.pieces.append(own)


class _Text:
    """The common text in one dialect."""

    def __init__(self, common: list[list[Event]], dialect: Dialect) -> None:
        self._runs = [*map(dialect.encode, common)]
        self.blob = b"".join(self._runs)

    @cached_property
    def _starts(self) -> list[int]:
        return [*accumulate(map(len, self._runs), initial=0)]

    def edit(self, edit: Edit, speaker: Speaker) -> bytes:
        """The blob for one peer: with what it alone is told, without what it is not."""
        starts, parts = self._starts, list[bytes]()
        for piece in edit.pieces:
            if isinstance(piece, slice):
                parts.append(self.blob[starts[piece.start] : starts[piece.stop]])
            else:
                parts.append(speaker.tell(piece))
        return b"".join(parts)
