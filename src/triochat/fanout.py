"""Fan-out: a batch of events to one blob for each peer that is to have any of them.

Nearly all of a batch is for everybody. So what is told to everyone (or else to the largest
audience), the *common* events, is written once for each dialect, as one blob that most peers get
as it stands. For the others the blob is edited: a peer may be told something of its own in between,
may come or go in the middle, may not hear its own words. Each peer gets its events in the order of
the batch, in one `put`.
"""

from collections import defaultdict
from collections.abc import Sequence
from enum import Enum, auto
from itertools import accumulate

from triochat.audience import Audience, Everyone
from triochat.dialects import Dialect
from triochat.messages import Event
from triochat.outbox import Outbox, put_all
from triochat.room import Told


class Change(Enum):
    """How what one peer is told differs from the common events, from a place among them on."""

    COMES = auto()  # it is told them from here on, and was not before
    GOES = auto()  # it is told no more of them
    MISSES = auto()  # it is not told this one


Edits = defaultdict[Outbox, list[tuple[int, Change | Event]]]
"""For each peer for whom the blob does not fit: at which places something changes, or an event that
it alone is told comes before the common one."""


class FanOut:
    """Puts batches into outboxes, and remembers who speaks which dialect."""

    def __init__(self) -> None:
        self._everyone: Audience[Outbox] = ()
        self._speakers: dict[Dialect, list[Outbox]] = {}

    def send(self, events: Sequence[Event], batch: Sequence[Told[Outbox]]) -> int:
        """Put into each outbox what is for it.

        Args:
            events: as the history gave them back, with their ids.
            batch: the same events as the room told them, with their audiences and authors.

        Returns:
            The bytes of an event for everyone, on average; 0 if there was none.
        """
        main = _find_main(batch)
        common, edits = _compare(events, batch, main)
        texts: dict[Dialect, _Text] = {}
        for dialect, outboxes in self._by_dialect(main).items():
            text = texts[dialect] = _Text(common, dialect)
            if edits:
                _put_edited(text, outboxes, edits)
            else:
                put_all(outboxes, text.blob)
        for outbox, own in edits.items():  # who is not of the main audience
            if outbox.dialect not in texts:
                texts[outbox.dialect] = _Text(common, outbox.dialect)
            outbox.put(texts[outbox.dialect].edit([(0, Change.GOES), *own]))
        if not isinstance(main, Everyone):
            return 0
        return max((len(text.blob) for text in texts.values()), default=0) // len(common)

    def _by_dialect(self, main: Audience[Outbox]) -> dict[Dialect, list[Outbox]]:
        """The outboxes of each dialect; first those of the dialect that most speak.

        Nearly always the audience is the same as for the last batch. Then so is the answer.
        """
        if main is self._everyone:
            return self._speakers
        speakers: dict[Dialect, list[Outbox]] = {}
        for outbox in main:
            speakers.setdefault(outbox.dialect, []).append(outbox)
        speakers = dict(sorted(speakers.items(), key=lambda group: -len(group[1])))
        if isinstance(main, Everyone):
            self._everyone, self._speakers = (main, speakers) if main.is_settled else ((), {})
        return speakers


def _put_edited(text: "_Text", outboxes: list[Outbox], edits: Edits) -> None:
    """Put the text into these outboxes; take those edits that are for them."""
    put_all([outbox for outbox in outboxes if outbox not in edits], text.blob)
    for outbox in outboxes:
        own = edits.pop(outbox, None)
        if own and not outbox.closed and (edited := text.edit(own)):
            outbox.put(edited)


def _find_main(batch: Sequence[Told[Outbox]]) -> Audience[Outbox]:
    """Everyone, or else the largest audience; of akin ones, those who are in any of them."""
    if len(batch) == 1:
        return batch[0].audience
    audiences = [told.audience for told in batch]
    main = max(audiences, key=lambda audience: (isinstance(audience, Everyone), len(audience)))
    if isinstance(main, Everyone):
        for audience in audiences:
            if audience is not main and main.is_akin(audience):
                main = main.union(audience)
    return main


def _compare(
    events: Sequence[Event], batch: Sequence[Told[Outbox]], main: Audience[Outbox]
) -> tuple[list[Event], Edits]:
    """The events that are told to the main audience, and what differs from them for whom.

    Where everyone is not the same throughout the batch, main is a union and no event's audience.
    """
    common: list[Event] = []
    edits: Edits = defaultdict(list)
    last: Everyone[Outbox] | None = None
    for event, (_, audience, author) in zip(events, batch, strict=True):
        place = len(common)
        if audience is not (main if last is None else last):
            if not isinstance(main, Everyone) or not main.is_akin(audience):
                for outbox in audience:
                    if outbox is not author or outbox.dialect.echoes:
                        edits[outbox].append((place, event))
                continue
            for outbox, change in _find_changes(main, last, audience):
                edits[outbox].append((place, change))
            last = audience
        common.append(event)
        if author is not None and not author.dialect.echoes:
            edits[author].append((place, Change.MISSES))
    return common, edits


def _find_changes(
    main: Everyone[Outbox], last: Everyone[Outbox] | None, audience: Everyone[Outbox]
) -> list[tuple[Outbox, Change]]:
    """Who of the main audience comes and goes between the last audience and this one."""
    if last is None:  # this is the first: who comes later is not there yet
        return [(outbox, Change.GOES) for outbox in main.gained_since(audience)]
    return [
        *((outbox, Change.COMES) for outbox in audience.gained_since(last)),
        *((outbox, Change.GOES) for outbox in audience.lost_since(last)),
    ]


class _Text:
    """The common events in one dialect."""

    def __init__(self, common: list[Event], dialect: Dialect) -> None:
        self._encode = dialect.encode
        self._lines = [*map(dialect.encode, common)]
        self._starts: list[int] = []
        self._others: dict[int, bytes] = {}
        self.blob = b"".join(self._lines)

    def edit(self, edits: list[tuple[int, Change | Event]]) -> bytes:
        """The blob for one peer: with what it alone is told, without what it is not."""
        starts = self._starts = self._starts or [*accumulate(map(len, self._lines), initial=0)]
        start, is_here = 0, True
        parts: list[bytes] = []
        for place, edit in edits:
            if is_here:
                parts.append(self.blob[start : starts[place]])
            start = starts[place]
            match edit:
                case Change.COMES:
                    is_here = True
                case Change.GOES:
                    is_here = False
                case Change.MISSES:
                    start = starts[place + 1]
                case event:
                    parts.append(self._write(event))
        if is_here:
            parts.append(self.blob[start:])
        return b"".join(parts)

    def _write(self, event: Event) -> bytes:
        """An event that is not for all of them, written once for those who are told it."""
        key = id(event)
        if key not in self._others:
            self._others[key] = self._encode(event)
        return self._others[key]
