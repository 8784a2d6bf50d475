"""What is to be drawn, before it is: many comings in one line, what was found one by one. Pure.

A server may be anybody's: what is too long is cut, and says so.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from msgspec.structs import replace

from triochat.messages import Event, Joined, Left, Notice, Recalled, Roster, Welcome
from triochat.text import clean
from triochat.words import found_of, statement_of

FOLD = 4
"""So many comings and goings in a row are one line."""

LONG = 5_000
"""The most characters that are shown of one event."""

LINES = 200
"""The most lines that are shown of one event."""

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


def is_move(shown: Shown) -> bool:
    """Whether somebody came or went."""
    return isinstance(shown.event, Joined | Left)


def heading_of(item: "Shown | Folded") -> str:
    """What stands in a rule above what is past, if this is that."""
    match item:
        case Shown(event=Notice(text=text), is_past=True):
            return clean(text)
    return ""


def spread(shown: Shown) -> list[Shown]:
    """The same; what was recalled message by message, below its heading, as all that is past."""
    event = shown.event
    if not isinstance(event, Recalled):
        return [shown]
    found = [Shown(said, shown.me, is_past=True, number=said.id) for said in event.messages]
    return [shown._replace(event=Notice(found_of(event)), is_past=bool(found)), *found]


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
