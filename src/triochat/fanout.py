"""Fan-out: the last station of the feed. What a batch tells becomes one blob for each peer.

Nearly all of a batch is for all who follow. So this, the *common* text, is written once for each
dialect, as one blob that most peers get as it stands. For the others the blob is edited: a peer may
be told something of its own in between, may begin or cease to follow in the middle, may not hear
its own words. Each peer gets its events in the order of the batch, in one `put`.

Who follows is known here alone; to the room all are "all".
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import accumulate, chain

import trio

from triochat.counts import Counts
from triochat.dialects.base import Dialect
from triochat.history import History
from triochat.link import Link
from triochat.messages import Event, Notice
from triochat.order import Peer
from triochat.outbox import Outbox, Way, put_all
from triochat.past import Past
from triochat.telling import (
    Ends,
    Follows,
    Forgets,
    Recalls,
    Replies,
    Reports,
    Seated,
    Telling,
    Told,
    Unfollows,
    Vacated,
)


class Edit:
    """What one peer is told, where that is not just the common text.

    Attributes:
        link: its connection.
        follows: it is told the common text from here on.
        start: where the next piece of that begins.
        me: its handle, when the batch is told.
        pieces: from which run to which of the common text, or events for this peer alone, or bytes
            that are none.
        why: why its connection ends after them, if it does.
    """

    __slots__ = ("follows", "link", "me", "pieces", "start", "why")

    def __init__(self, link: Link, follows: bool, me: str) -> None:
        self.link = link
        self.follows = follows
        self.me = me
        self.start = 0
        self.pieces: list[tuple[int, int] | list[Event] | bytes] = []
        self.why: str | None = None

    def cut(self, place: int, own: list[Event] | bytes = b"", misses: int = 0) -> None:
        """Until here it was told all, if it follows; then its own."""
        if self.why is None:
            if self.follows:
                self.pieces.append((self.start, place))
            self.start = place + misses
            if own:
                self.pieces.append(own)


class FanOut:
    """Puts batches into outboxes.

    Args:
        counts: where it is counted how much is told.
        history: where who comes back, or reads back, finds what was told.

    Attributes:
        links: of all peers that are connected here, members or not.
        told: the newest id that was told.
        report: says how the server does.
        name_of: says which handle a peer has.
    """

    def __init__(self, counts: Counts, history: History | None = None) -> None:
        self.links: dict[Peer, Link] = {}
        self.told = 0
        self._history = history or History()
        self.report: Callable[[], str] = str
        self.name_of: Callable[[Peer], str] = lambda _: ""
        self._counts = counts
        self._followers: dict[Dialect, dict[Peer, Outbox]] = {}
        self._common: list[list[Event]] = []
        self._edits: dict[Peer, Edit] = {}
        self._turns = trio.StrictFIFOLock()
        self._counted = 0  # so many events of the common text
        self._place = 0  # in so many runs

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
        self._common, self._edits = [], {}
        self._counted = self._place = 0
        for telling in batch:
            self._compare(telling)
        common, edits = self._common, self._edits.values()
        texts = _Texts(common if edits else [[*chain.from_iterable(common)]])
        edited = {edit.link.outbox for edit in edits}
        size = 0
        for dialect, followers in self._followers.items():
            if common and followers and (blob := dialect.wrap(texts[dialect].blob)):
                size = max(size, len(blob))
                if edits:
                    put_all([outbox for outbox in followers.values() if outbox not in edited], blob)
                else:
                    put_all(followers.values(), blob)
        for edit in edits:
            if edit.follows and edit.why is None:
                edit.pieces.append((edit.start, len(common)))
            outbox = edit.link.outbox
            if blob := texts[edit.link.speaker.dialect].edit(edit):
                outbox.put(blob)
            if edit.why is not None:
                edit.link.close(edit.why)
        if size:
            events = sum(map(len, common))
            self._count(events - self._counted)
            size //= events
        return size

    def _count(self, events: int) -> None:
        """Count so many events as told to all who follow now."""
        self._counts.deliveries += events * sum(map(len, self._followers.values()))

    def _count_until(self, place: int) -> None:
        """Count what was for all until here: from here on they are others."""
        events = sum(map(len, self._common[self._place : place]))
        self._count(events)
        self._counted += events
        self._place = place

    def _compare(self, telling: Telling) -> None:
        """Put this to what is common, or to what differs from it for whom."""
        if isinstance(telling, Told):
            if telling.to is None:
                self._compare_common(telling)
            else:
                self._compare_own(telling, telling.to)
            self.told = getattr(telling.events[-1], "id", 0) or self.told
        elif isinstance(telling, Seated | Vacated | Forgets):
            return  # nobody is told
        elif link := self.links.get(telling.peer):
            self._change(telling, link)

    def _compare_common(self, told: Told) -> None:
        """All are told this, but for an author that need not hear its own words."""
        place, author = len(self._common), told.author
        self._common.append(told.events)
        link = self.links.get(author) if author else None
        if author and link and not link.speaker.dialect.echoes:
            edit = self._edit(author, link)
            edit.cut(place, misses=1)
            self._counts.deliveries -= len(told.events) * edit.follows

    def _compare_own(self, told: Told, to: tuple[Peer, ...]) -> None:
        """These are told this."""
        for peer in to:
            link = self.links.get(peer)
            if link is None or link.outbox.way is not Way.OPEN:
                continue
            if peer != told.author or link.speaker.dialect.echoes:
                self._tell_own(peer, link, told.events)

    def _tell_own(self, peer: Peer, link: Link, own: list[Event] | bytes) -> None:
        if link.past:
            link.past.defer(own)
            return
        edit = self._edit(peer, link)
        edit.cut(len(self._common), own)
        if isinstance(own, list):
            self._counts.deliveries += len(own) * (edit.why is None)

    def _change(
        self, telling: Follows | Unfollows | Ends | Recalls | Reports | Replies, link: Link
    ) -> None:
        """From here on this peer is told otherwise."""
        if isinstance(telling, Replies):
            self._tell_own(telling.peer, link, telling.data)
            return
        if isinstance(telling, Reports):
            self._tell_own(telling.peer, link, [Notice(self.report())])
            return
        if link.past and isinstance(telling, Recalls | Ends):
            link.past.defer(telling.asked if isinstance(telling, Recalls) else telling)
            return
        if link.past:
            link.past.end()
        place, peer = len(self._common), telling.peer
        edit = self._edit(peer, link)
        edit.cut(place)
        is_past = isinstance(telling, Recalls) or (isinstance(telling, Follows) and telling.replays)
        edit.follows = isinstance(telling, Follows) and not is_past
        self._count_until(place)
        (self.follow if edit.follows else self.unfollow)(peer)
        if is_past:
            self._begin_past(telling, link)
        elif isinstance(telling, Ends) and edit.why is None:
            edit.why = telling.reason

    def _begin_past(self, telling: Follows | Unfollows | Ends | Recalls, link: Link) -> None:
        """It follows later: first it is told what was."""
        peer = telling.peer
        follows = telling if isinstance(telling, Follows) else Follows(peer)
        past = Past(link, self._history, lambda: self.told, follows, self._turns)
        if isinstance(telling, Recalls):
            past.defer(telling.asked)
        past.begin(partial(self.name_of, peer), partial(self.follow, peer))

    def _edit(self, peer: Peer, link: Link) -> Edit:
        edit = self._edits.get(peer)
        if edit is None:
            is_follower = peer in self._followers.get(link.speaker.dialect, ())
            edit = self._edits[peer] = Edit(link, is_follower, self.name_of(peer))
        return edit


class _Text:
    """The common text in one dialect."""

    def __init__(self, common: list[list[Event]], dialect: Dialect) -> None:
        self._runs = [*map(dialect.encode, common)]
        self.blob = b"".join(self._runs)

    @cached_property
    def _starts(self) -> list[int]:
        return [*accumulate(map(len, self._runs), initial=0)]

    def edit(self, edit: Edit) -> bytes:
        """The blob for one peer: with what it alone is told, without what it is not."""
        starts, blob, speaker = self._starts, self.blob, edit.link.speaker
        wrap = speaker.dialect.wrap
        done, text = [], []
        for piece in edit.pieces:
            if isinstance(piece, tuple):
                text.append(blob[starts[piece[0]] : starts[piece[1]]])
            elif isinstance(piece, list):
                text.append(speaker.tell(piece, edit.me))
            else:
                done += [wrap(b"".join(text)), piece]
                text = []
        return b"".join([*done, wrap(b"".join(text))])


class _Texts(dict[Dialect, _Text]):
    """The common text in each dialect, written when it is first asked for."""

    def __init__(self, common: list[list[Event]]) -> None:
        super().__init__()
        self._common = common

    def __missing__(self, dialect: Dialect) -> _Text:
        self[dialect] = text = _Text(self._common, dialect)
        return text
