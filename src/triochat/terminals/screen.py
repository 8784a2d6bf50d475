"""What a person's screen shows: events in their order, as lines of styled text. Pure.

::

    21:07 Timmy> a message; what does not fit on the line
                 hangs under the text
    21:07 [Timmy -> you] a private message
    21:08 * a notice: somebody came, somebody left
    21:08 ! a refusal, and what to do
    ──────── Sunday 22 November 2026
    ──────── earlier, Saturday 21 November 2026
    21:07│Timmy> what was said before one came; all that is past
         │       has this bar, and rules above and below it
    ──────── now, Sunday 22 November 2026

What is what can be told without colour. Nothing that anybody sent is markup, an escape sequence or
a control character by the time it stands in a line (see `text.clean`), and nothing of it stands at
the left edge (see `wrapping`). A server may be anybody's: what is too long is cut, and says so.
"""

import re
from collections import deque
from collections.abc import Sequence
from datetime import datetime, tzinfo
from itertools import groupby
from typing import NamedTuple

from msgspec.structs import replace
from rich.style import Style
from rich.text import Text

from triochat.messages import (
    Event,
    Joined,
    Left,
    Moderated,
    Notice,
    Recalled,
    Refused,
    Removed,
    Renamed,
    Roster,
    Said,
    Welcome,
    Whispered,
)
from triochat.terminals.wrapping import cells_of, margin_of, wrap
from triochat.text import clean, handle_key
from triochat.words import found_of, statement_of, time_of, words_of

COLOURS = (167, 30, 130, 62, 64, 161, 32, 100, 134, 28, 164)
"""Of the 256 of a terminal: each has a contrast of 3.6 or more to black and to white."""

FOLD = 4
"""So many comings and goings in a row are one line."""

LONG = 5_000
"""The most characters that are shown of one event."""

LINES = 200
"""The most lines that are shown of one event."""

KNOWN = 10_000
"""Handles whose colour is remembered."""

BAR = "│"
"""Stands after the time of all that is past, and before what hangs under it."""

_NAMED = 8  # as many are named in such a line
_LONG_FIELDS = ("text", "reason")
_LONG_FIELD = 64  # characters of any other, a handle or a time


class Shown(NamedTuple):
    """An event as it goes to a screen, with what its reader was called then.

    What happened before its reader came (back) is past; a notice among that is its heading. The
    number is the id by which an operator can have it forgotten; 0 where it is not to be seen.
    """

    event: Event
    me: str
    is_past: bool = False
    number: int = 0


class Palette:
    """A colour for each handle: the same on every screen, unless a neighbour has it."""

    def __init__(self) -> None:
        self._colours: dict[str, int] = {}
        self._latest: deque[int] = deque(maxlen=len(COLOURS) - 1)

    def colour(self, handle: str) -> int:
        """The number of the colour of this handle, from now on."""
        key = handle_key(handle)
        if key not in self._colours:
            start = sum(map(ord, key)) % len(COLOURS)
            wheel = (*COLOURS[start:], *COLOURS[:start])
            self._put(key, next(colour for colour in wheel if colour not in self._latest))
            self._latest.append(self._colours[key])
        return self._colours[key]

    def rename(self, handle: str, new: str) -> None:
        """Who had this handle has the new one, and keeps the colour."""
        colour = self._colours.pop(handle_key(handle), None)
        if colour is not None:
            self._put(handle_key(new), colour)

    def _put(self, key: str, colour: int) -> None:
        if len(self._colours) >= KNOWN:
            del self._colours[next(iter(self._colours))]
        self._colours[key] = colour


class Screen:
    """Draws events for one reader, who is told times in this zone; in the local one if None."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.palette = Palette()
        self._zone = zone
        self._day = ""
        self._at: datetime | None = None
        self._is_past = False

    def draw(self, shown: Sequence[Shown], now: datetime, width: int) -> list[Text]:
        """The rows for these events, each without its line end and at most as wide as the screen.

        Args:
            shown: what happened, in order.
            now: when this is drawn, with a time zone.
            width: of the screen, in cells.
        """
        rows: list[Text] = []
        now = now.astimezone(self._zone)
        for item in fold([piece for one in shown for piece in spread(one)]):
            self._at = at = self._time_of(item, now)
            if words := self._words_before(item, at, now):
                rows += wrap(Text(f"──────── {words}", "dim"), width, margin_of(9, width))
            if not heading_of(item):
                rows += self._draw_one(item, f"{at:%H:%M}", width)
        return rows

    def _time_of(self, item: "Shown | Folded", now: datetime) -> datetime:
        """When it happened; where nobody can tell, now, or as what is past before it."""
        event = item.moves[-1].event if isinstance(item, Folded) else item.event
        if at := time_of(getattr(event, "at", ""), self._zone):
            return at
        return self._at if self._at and item.is_past and not heading_of(item) else now

    def _words_before(self, item: "Shown | Folded", at: datetime, now: datetime) -> str:
        """What parts this from all that was before: whether it is past, and of which day."""
        day, before = day_of(at), self._day or day_of(now)
        words = heading_of(item)
        if item.is_past != self._is_past:
            words = words or ("earlier" if item.is_past else "now")
        self._day, self._is_past = day, item.is_past
        return ", ".join(filter(None, (words, day if day != before else "")))

    def _draw_one(self, item: "Shown | Folded", stamp: str, width: int) -> list[Text]:
        head, *bodies = self._parts(item)
        stamp += BAR if item.is_past else " "
        if isinstance(item, Shown) and item.number:
            stamp += f"#{item.number} "
        start = Text.assemble((stamp, "dim"), head, " ")
        margin = margin_of(cells_of(start.plain), width)
        if item.is_past and margin.isspace():
            margin = margin.replace("      ", f"     {BAR}", 1)
        rows: list[Text] = []
        for body in bodies:
            rows += wrap(start + body, width, margin, len(start))
            start = Text(margin)
        for row in rows if item.is_past else ():
            row.style = "dim"
        return rows

    def _parts(self, item: "Shown | Folded") -> list[Text]:
        """What stands before the text, and the text; a notice may have several lines of it."""
        if isinstance(item, Folded):
            return [Text("*", "dim"), Text(item.words(), "dim")]
        event, me, is_past, _ = item
        match event:
            case Said(handle=handle, text=text, action=action):
                body = Text(clean(text))
                if me and handle != me:
                    body.highlight_regex(_mention(me), "bold reverse")
                name, own = clean(handle), self.style(handle, is_past=is_past)
                if action:
                    return [Text("*", own), Text.assemble((name, own), " ", body)]
                return [Text(f"{name}>", own), body]
            case Whispered(handle=handle, text=text):
                head = words_of(event, me)[: -len(clean(text)) - 1]
                return [Text(head, "bold magenta"), Text(clean(text), "italic")]
            case Refused(text=text):
                return [Text("!", "bold red"), Text(clean(text), "bold")]
            case Notice(text=text) | Moderated(text=text):
                return [Text("*", "cyan"), *(Text(clean(line)) for line in text.split("\n"))]
            case Removed(text=text):
                return [Text("*", "cyan"), Text(clean(text), "dim")]
            case Renamed(handle=handle, new=new):
                self.palette.rename(handle, new)
        style = "" if isinstance(event, Welcome) else "dim"
        lines = statement_of(event).split("\n")
        return [Text("*", "cyan"), *(Text(line, style) for line in lines)]

    def style(self, handle: str, *, is_past: bool = False) -> Style:
        """In which this handle is written; it is never dim, or its colour could not be seen."""
        return Style(color=f"color({self.palette.colour(handle)})", bold=not is_past, dim=False)


def day_of(at: datetime) -> str:
    """The day of this time, as it is shown."""
    return f"{at:%A} {at.day} {at:%B %Y}"


def heading_of(item: "Shown | Folded") -> str:
    """What stands in a rule above what is past, if this is that."""
    match item:
        case Shown(event=Notice(text=text), is_past=True):
            return clean(text)
    return ""


def rings(event: Event, me: str, bell: str) -> bool:
    """Whether the bell rings for this event; never for one's own words."""
    match event:
        case Said(handle=handle, text=text) if handle != me:
            return bell == "all" or (bell == "mention" and mentions(text, me) is not None)
        case Whispered(handle=handle) if handle != me:
            return bell != "off"
    return False


def mentions(text: str, me: str) -> re.Match[str] | None:
    """Where a text first has this handle as a word of its own."""
    return _mention(me).search(text) if me else None


def _mention(me: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(me)}(?![\w-])", re.IGNORECASE)


# ---- comings and goings


class Folded(NamedTuple):
    """Many comings and goings in a row."""

    moves: list[Shown]

    @property
    def is_past(self) -> bool:
        """Whether they are."""
        return self.moves[0].is_past

    def words(self) -> str:
        """What they come to, in one line: each handle once, those who are here first."""
        first: dict[str, Event] = {}
        last: dict[str, Event] = {}
        for event, *_ in self.moves:
            if isinstance(event, Joined | Left):
                first.setdefault(event.handle, event)
                last[event.handle] = event
        changes: dict[str, list[str]] = {"joined": [], "came back": [], "came and went": []}
        for handle, event in first.items():
            was_here, now, name = isinstance(event, Left), last[handle], clean(handle)
            words = statement_of(now)
            if isinstance(now, Joined):
                change = "came back" if was_here else "joined"
                name = words.removesuffix(" joined")  # as it is marked
            else:
                change = words.removeprefix(f"{name} ") if was_here else "came and went"
            changes.setdefault(change, []).append(name)
        return "; ".join(
            f"{_names(handles)} {change}" for change, handles in changes.items() if handles
        )


def _names(handles: list[str]) -> str:
    more = len(handles) - _NAMED
    others = f" and {more} other{'s'[: more - 1]}" if more > 0 else ""
    return ", ".join(handles[:_NAMED]) + others


def fold(shown: Sequence[Shown]) -> list[Shown | Folded]:
    """The same with one item in place of each long row of comings and goings."""
    folded: list[Shown | Folded] = []
    for (are_moves, _), group in groupby(shown, lambda one: (is_move(one), one.is_past)):
        run = list(group)
        folded += [Folded(run)] if are_moves and len(run) >= FOLD else run
    return folded


def spread(shown: Shown) -> list[Shown]:
    """The same; what was recalled message by message, below its heading, as all that is past."""
    event = shown.event
    if not isinstance(event, Recalled):
        return [shown]
    found = [Shown(said, shown.me, is_past=True, number=said.id) for said in event.messages]
    return [shown._replace(event=Notice(found_of(event)), is_past=bool(found)), *found]


def is_move(shown: Shown) -> bool:
    """Whether somebody came or went."""
    return isinstance(shown.event, Joined | Left)


# ---- what a strange server may send


def bounded(event: Event) -> Event:
    """The event as far as anybody would read it; what is cut off is counted at the end."""
    if isinstance(event, Welcome | Roster):
        words = statement_of(event)
        return event if len(words) <= LONG else Notice(_cut(words, LONG))
    cut = {}
    for field in event.__struct_fields__:
        value = getattr(event, field)
        if isinstance(value, str):
            shown = _cut(value, LONG if field in _LONG_FIELDS else _LONG_FIELD)
            if shown is not value:
                cut[field] = shown
    return replace(event, **cut) if cut else event


def _cut(text: str, most: int) -> str:
    if len(text) <= most and text.count("\n") < LINES:
        return text
    shown = "\n".join(text[:most].split("\n", LINES)[:LINES])
    return f"{shown}… ({len(text) - len(shown)} more characters)"
