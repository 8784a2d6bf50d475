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
the left edge (see `wrapping`).
"""

import re
from collections import deque
from collections.abc import Sequence
from datetime import datetime, tzinfo

from rich.style import Style
from rich.text import Text

from triochat.messages import (
    Event,
    Moderated,
    Notice,
    Refused,
    Removed,
    Renamed,
    Said,
    Welcome,
    Whispered,
)
from triochat.terminals.shown import Folded, Shown, fold, heading_of, spread
from triochat.terminals.wrapping import cells_of, margin_of, wrap
from triochat.text import clean, handle_key
from triochat.words import statement_of, time_of, words_of

COLOURS = (167, 30, 130, 62, 64, 161, 32, 100, 134, 28, 164)
"""Of the 256 of a terminal: each has a contrast of 3.6 or more to black and to white."""

KNOWN = 10_000
"""Handles whose colour is remembered."""

BAR = "│"
"""Stands after the time of all that is past, and before what hangs under it."""


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
