"""What a person's screen shows: events in their order, as lines of styled text. Pure.

::

    21:07 Timmy> a message; what does not fit on the line
                 hangs under the text
    21:07 [Timmy -> you] a private message
    21:08 * a notice: somebody came, somebody left
    21:08 ! a refusal, and what to do
    ──────── Sunday 22 November 2026

What is what can be told without colour. Nothing that anybody sent is markup, an escape sequence or
a control character by the time it stands in a line (see `text.clean`), and nothing of it stands at
the left edge (see `wrapping`). A server may be anybody's: what is too long is cut, and says so.
"""

import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
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
    Refused,
    Renamed,
    Roster,
    Said,
    Welcome,
    Whispered,
)
from triochat.terminals.wrapping import cells_of, margin_of, wrap
from triochat.text import clean, handle_key
from triochat.words import statement_of, words_of

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

_NAMED = 8  # as many are named in such a line
_LONG_FIELDS = ("text", "reason")
_LONG_FIELD = 64  # characters of any other, a handle or a time


class Shown(NamedTuple):
    """An event as it goes to a screen, with what its reader was called then."""

    event: Event
    me: str


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

    def draw(self, shown: Sequence[Shown], now: datetime, width: int) -> list[Text]:
        """The rows for these events, each without its line end and at most as wide as the screen.

        Args:
            shown: what happened, in order.
            now: when this is drawn, with a time zone.
            width: of the screen, in cells.
        """
        rows: list[Text] = []
        for item in fold(shown):
            at = self._time_of(item, now)
            day = f"{at:%A} {at.day} {at:%B %Y}"
            if self._day not in ("", day):
                rows += wrap(Text(f"──────── {day}", style="dim"), width, margin_of(9, width))
            self._day = day
            rows += self._draw_one(item, f"{at:%H:%M} ", width)
        return rows

    def _time_of(self, item: "Shown | Folded", now: datetime) -> datetime:
        """When a message was said; of all else, and where a server cannot tell, the time now."""
        if isinstance(item, Shown) and isinstance(item.event, Said | Whispered):
            with suppress(ValueError, OverflowError, OSError):
                at = datetime.fromisoformat(item.event.at)
                return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(self._zone)
        return now.astimezone(self._zone)

    def _draw_one(self, item: "Shown | Folded", stamp: str, width: int) -> list[Text]:
        head, *bodies = self._parts(item)
        start = Text.assemble((stamp, "dim"), head, " ")
        margin = margin_of(cells_of(start.plain), width)
        rows: list[Text] = []
        for body in bodies:
            rows += wrap(start + body, width, margin, len(start))
            start = Text(margin)
        return rows

    def _parts(self, item: "Shown | Folded") -> list[Text]:
        """What stands before the text, and the text; a notice may have several lines of it."""
        if isinstance(item, Folded):
            return [Text("*", "dim"), Text(item.words(), "dim")]
        event, me = item
        match event:
            case Said(handle=handle, text=text, action=action):
                body = Text(clean(text))
                if me and handle != me:
                    body.highlight_regex(_mention(me), "bold reverse")
                name, own = clean(handle), self.style(handle)
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
            case Renamed(handle=handle, new=new):
                self.palette.rename(handle, new)
        style = "" if isinstance(event, Welcome) else "dim"
        lines = statement_of(event).split("\n")
        return [Text("*", "cyan"), *(Text(line, style) for line in lines)]

    def style(self, handle: str) -> Style:
        """In which this handle is written."""
        return Style(color=f"color({self.palette.colour(handle)})", bold=True)


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

    def words(self) -> str:
        """What they come to, in one line: each handle once, those who are here first."""
        first: dict[str, Event] = {}
        last: dict[str, Event] = {}
        for event, _ in self.moves:
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
    for are_moves, group in groupby(shown, is_move):
        run = list(group)
        folded += [Folded(run)] if are_moves and len(run) >= FOLD else run
    return folded


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
