"""What a person's screen shows: events in their order, as lines of styled text. Pure.

::

    21:07 Timmy> a message; what does not fit on the line
                 hangs under the text
    21:07 [Timmy -> you] a private message
    21:08 * a notice: somebody came, somebody left
    21:08 ! a refusal, and what to do
    ──────── Sunday 22 November 2026

What is what can be told without colour. Nothing that anybody sent is markup, an escape sequence or
a control character by the time it stands in a line (see `text.clean`).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from triochat.messages import Event, Joined, Left, Notice, Refused, Said, Welcome, Whispered
from triochat.text import clean, handle_key
from triochat.words import statement_of, words_of

COLOURS = (167, 30, 130, 62, 64, 161, 32, 100, 134, 28, 164)
"""Of the 256 of a terminal: each has a contrast of 3.6 or more to black and to white."""

FOLD = 4
"""So many comings and goings in a row are one line."""

_NAMED = 8  # as many are named in such a line
_URL = re.compile(r"\w+://\S")
_WORD = re.compile(r"\s*\S+")


class Shown(NamedTuple):
    """An event as it goes to a screen, with what its reader was called then."""

    event: Event
    me: str


class Palette:
    """A colour for each handle: the same on every screen, unless a neighbour has it."""

    def __init__(self) -> None:
        self._colours: dict[str, int] = {}

    def colour(self, handle: str) -> int:
        """The number of the colour of this handle, from now on."""
        key = handle_key(handle)
        if key not in self._colours:
            start = sum(map(ord, key)) % len(COLOURS)
            wheel = (*COLOURS[start:], *COLOURS[:start])
            neighbours = list(self._colours.values())[1 - len(COLOURS) :]
            self._colours[key] = next(colour for colour in wheel if colour not in neighbours)
        return self._colours[key]


class Screen:
    """Draws events for one reader, who is told times in this zone; in the local one if None."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.palette = Palette()
        self._zone = zone
        self._day = ""

    def draw(self, shown: Sequence[Shown], now: datetime, width: int) -> list[Text]:
        """The lines for these events, each without its line end.

        Args:
            shown: what happened, in order.
            now: when this is drawn, with a time zone.
            width: of the screen, in cells.
        """
        lines: list[Text] = []
        for item in fold(shown):
            at = now
            if isinstance(item, Shown) and isinstance(item.event, Said | Whispered):
                with suppress(ValueError):  # a server that cannot tell the time
                    at = datetime.fromisoformat(item.event.at)
            at = at.astimezone(self._zone)
            day = f"{at:%A} {at.day} {at:%B %Y}"
            if self._day not in ("", day):
                lines.append(Text(f"──────── {day}", style="dim"))
            self._day = day
            lines += self._draw_one(item, f"{at:%H:%M} ", width)
        return lines

    def _draw_one(self, item: "Shown | Folded", stamp: str, width: int) -> list[Text]:
        head, *bodies = self._parts(item)
        first = Text.assemble((stamp, "dim"), head, " ")
        indent = cell_len(first.plain)
        if indent > width // 2:
            indent = min(len(stamp), max(0, width - 20))
        lines: list[Text] = []
        for body in bodies:
            start = cell_len(first.plain) if not lines else indent
            for wrapped in wrap(body, width - start, width - indent):
                lines.append((first if not lines else Text(" " * indent)) + wrapped)
        return lines

    def _parts(self, item: "Shown | Folded") -> list[Text]:
        """What stands before the text, and the text; a notice may have several lines of it."""
        if isinstance(item, Folded):
            return [Text("*", "dim"), Text(item.words(), "dim")]
        event, me = item
        match event:
            case Said(handle=handle, text=text):
                body = Text(clean(text))
                if me and handle != me:
                    body.highlight_regex(_mention(me), "bold reverse")
                return [Text(f"{clean(handle)}>", self.style(handle)), body]
            case Whispered(handle=handle, text=text):
                head = words_of(event, me)[: -len(clean(text)) - 1]
                return [Text(head, "bold magenta"), Text(clean(text), "italic")]
            case Refused(text=text):
                return [Text("!", "bold red"), Text(clean(text), "bold")]
            case Notice(text=text):
                return [Text("*", "cyan"), *(Text(clean(line)) for line in text.split("\n"))]
        style = "" if isinstance(event, Welcome) else "dim"
        return [Text("*", "cyan"), Text(statement_of(event), style)]

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
        """What they come to, in one line."""
        parts = []
        for kind, verb in ((Joined, "joined"), (Left, "left")):
            handles = [clean(event.handle) for event, _ in self.moves if isinstance(event, kind)]
            more = len(handles) - _NAMED
            others = f" and {more} others" if more > 0 else ""
            parts += [f"{', '.join(handles[:_NAMED])}{others} {verb}"] if handles else []
        return "; ".join(parts)


def fold(shown: Sequence[Shown]) -> list[Shown | Folded]:
    """The same with one item in place of each long row of comings and goings."""
    folded: list[Shown | Folded] = []
    for is_move, group in groupby(shown, lambda item: isinstance(item.event, Joined | Left)):
        run = list(group)
        folded += [Folded(run)] if is_move and len(run) >= FOLD else run
    return folded


# ---- wrapping


def wrap(text: Text, first: int, width: int) -> list[Text]:
    """Break a text between words, by cells.

    A word that is wider than a line is broken where it must, but for a URL: that stands whole on
    a line of its own, for the terminal to wrap and the person to click.

    Args:
        text: one line of it.
        first: cells on the first line.
        width: cells on the others.
    """
    offsets: list[int] = []
    room = max(1, first)
    width = max(1, width)
    for found in _WORD.finditer(text.plain):
        word = found[0]
        if cell_len(word) <= room:
            room -= cell_len(word)
            continue
        bare = word.lstrip()
        place = found.end() - len(bare)
        if place and place not in offsets:
            offsets.append(place)
        room = width if place else max(1, first)
        if cell_len(bare) > room and not _URL.match(bare):
            for index, character in enumerate(bare):
                cells = cell_len(character)
                if cells > room:
                    offsets.append(place + index)
                    room = width
                room -= cells
        else:
            room = max(0, room - cell_len(bare))
    lines = [line for line in text.divide(offsets) if line.plain] or [text]
    for line in lines[:-1]:
        line.rstrip()
    return lines
