"""Events as text: the words that paper and screen have in common.

Nothing in an event is ever an escape sequence here: texts are cleaned again, whoever sent them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo

from triochat import messages
from triochat.text import clean

NAMED = 10
"""Lines that are repeated when they were not sent; the others are counted."""

PAST = "* earlier: "
"""How a line begins that tells of what was told before. Nobody is called so, who acts like that."""

AGAIN = "type that again"
"""How older messages are seen where it is remembered which were."""

BACK = f"\\back N shows the newest N, at most {messages.PAGE}"
"""How they are seen elsewhere."""

_SHOWN = 60  # characters of each

_MESSAGES = messages.Said, messages.Whispered
_SHORT = 40  # characters: at most 80 cells
_GAP = re.compile(" {4,}")
_HEAD = re.compile(  # as lines begin: a name right before ``>`` (or what looks like it), a whisper
    r"[>\u203a\u1433\uff1e](?<=[^\s!-\-/:-@\[-^`{-~].)(?= )|\](?<=-> you\])(?= )"
)


def words_of(event: messages.Event, me: str = "") -> str:
    """The event as text, without a line end (a `Notice` may have several lines).

    Args:
        event: what happened.
        me: the reader's handle; a whisper by anybody else is taken to be to the reader.
    """
    if isinstance(event, messages.Said):  # most events
        words = (
            f"* {event.handle} {event.text}" if event.action else f"{event.handle}> {event.text}"
        )
        return clean(words)
    match event:
        case messages.Whispered(handle=handle, to=to, text=text):
            who = f"you -> {to}" if handle == me and to != me else f"{handle} -> you"
            return clean(f"[{who}] {text}")
        case messages.Refused(text=text):
            return f"! {clean(text)}"
        case messages.Notice(text=text):
            return "\n".join(f"* {clean(line)}" for line in text.split("\n"))
        case messages.Recalled():
            lines = [f"{_past(said)}#{said.id} {words_of(said)}" for said in event.messages]
            return "\n".join([*lines, f"* {found_of(event)}"])
    return "\n".join(f"* {line}" for line in statement_of(event).split("\n"))


def line_of(event: messages.Event, head: str = "") -> str:
    """The same for who may have a terminal that goes on at its left edge with what does not fit.

    There a text must not read like somebody else's. So in a long line a name in a text does not
    stand right before a ``>`` (``Bob> hi`` becomes ``Bob > hi``), whatever is before it, and no
    more than three blanks fill it up. All else is as it was said. The ``head`` is ours, and comes
    first.
    """
    words = words_of(event)
    line = head + words
    if isinstance(event, _MESSAGES):
        if len(line) <= _SHORT:
            return line
    elif isinstance(event, messages.Recalled):
        lines = map(past_line_of, event.messages)
        return "\n".join([*lines, f"* {found_of(event, BACK)}"])
    else:
        return line
    is_action = isinstance(event, messages.Said) and event.action
    start = 0 if is_action else words.find("> " if isinstance(event, messages.Said) else "] ") + 2
    text = words[start:]
    if text.isascii() and ">" not in text and "    " not in text:  # most texts
        return line
    return head + words[:start] + _HEAD.sub(r" \g<0>", _GAP.sub("   ", text))


def past_line_of(event: messages.Event, now: datetime | None = None) -> str:
    """The same for what is told again: ``* earlier: [21:07] Ann> hi``. Nothing new looks like it.

    Args:
        event: what happened then.
        now: what is today, and where that is so; None: as this machine has it.
    """
    return line_of(event, _past(event, now))


def _past(event: messages.Event, now: datetime | None = None) -> str:
    stamp = stamp_of(getattr(event, "at", ""), now)
    return f"{PAST}[{stamp}] " if stamp else PAST


def found_of(event: messages.Recalled, how: str = AGAIN) -> str:
    """How much was found, in words; and, where there is more, how to see it."""
    count = len(event.messages)
    if not count and not event.more:
        return "nothing earlier was found"
    found = f"{count} earlier message{'s'[: count - 1]}"
    return f"{found}; there are older ones: {how}" if event.more else found


def stamp_of(at: str, now: datetime | None = None) -> str:
    """A time on the wire as a clock shows it, with the date if that is another; or nothing.

    Args:
        at: the time.
        now: what is today, and where that is so; None: as this machine has it.

    Returns:
        ``21:07``, or ``2026-01-02 21:07``; empty if that is no time.
    """
    now = now or datetime.now().astimezone()
    time = time_of(at, now.tzinfo)
    if time is None:
        return ""
    return f"{time:%H:%M}" if time.date() == now.date() else f"{time:%Y-%m-%d %H:%M}"


def time_of(at: str, zone: tzinfo | None = None) -> datetime | None:
    """A time on the wire, in this zone, or in this machine's; None if it is none."""
    with suppress(ValueError, OverflowError, OSError):
        time = datetime.fromisoformat(at)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(zone)
    return None


def statement_of(event: messages.Event) -> str:
    """What the room states by anything else, in words; some of it in several lines."""
    match event:
        case messages.Moderated(text=text) | messages.Removed(text=text):
            words = text
        case messages.Joined(handle=handle, unencrypted=unencrypted):
            words = f"{marked(handle) if unencrypted else handle} joined"
        case messages.Left(handle=handle, reason="quit"):
            words = f"{handle} left"
        case messages.Left(handle=handle, reason=reason):
            words = f"{handle} left ({reason})"
        case messages.Renamed(handle=handle, new=new):
            words = f"{handle} is now {new}"
        case messages.Roster():
            return _who(event)
        case messages.Welcome(handle=handle, server=server, topic=topic):
            who = _roster(event.roster, event.unencrypted)
            about = f"\nTopic: {clean(topic)}" if topic else ""
            return f"{clean(f'{server} connected. You are {handle}.')} {who}{about}"
        case messages.Closing(reason=reason):
            words = f"Server closed the connection: {reason}"
        case messages.Pong():
            words = "pong"
        case _:
            raise AssertionError(event)
    return clean(words)


def marked(handle: str) -> str:
    """How somebody is named who can be overheard; no handle looks like that."""
    return f"{handle} (plain)"


UNREAD = "not sent: whatever you have typed after that"
"""What is told of lines that nobody has read, so that they cannot be named."""


def unsent(said: Sequence[str | messages.Speech], how: str = "not sent") -> list[messages.Refused]:
    """What is told of lines that did not, or perhaps not, get to the room."""
    lines = [_line_of(one) for one in said]
    named = [
        line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
        for line in map(clean, lines[:NAMED])
    ]
    if more := len(lines[NAMED:]):
        named.append(f"and {more} more")
    return [messages.Refused("not-sent", f"{how}: {line}") for line in named]


def missed(count: int, first_at: str, last_at: str = "", zone: tzinfo | None = None) -> str:
    """What stands above as many messages that somebody has missed.

    Args:
        count: how many they are; without the time of the last one at least so many.
        first_at: when the first was said, as it stands on the wire.
        last_at: when the last was.
        zone: where the reader is; None for where this machine is.
    """
    more = "" if last_at else " or more"
    text = f"{count}{more} message{'s'[: count - 1]} while you were away"
    times = [f"{time:%H:%M}" for at in (first_at, last_at) if (time := time_of(at, zone))]
    return ", ".join([text, " to ".join(dict.fromkeys(times))]).rstrip(", ")


def _line_of(said: str | messages.Speech) -> str:
    match said:
        case messages.Whisper(to=to, text=text):
            return f"{text} > {to}"
        case messages.Action(text=text):
            return f"\\me {text}"
        case messages.Say(text=text):
            return text
    return said


def _roster(handles: tuple[str, ...], unencrypted: tuple[str, ...]) -> str:
    return f"{len(handles)} here: {', '.join(_names(handles, unencrypted))}"


def _names(handles: tuple[str, ...], unencrypted: tuple[str, ...]) -> Iterable[str]:
    exposed = {*unencrypted}
    names = (marked(handle) if handle in exposed else handle for handle in handles)
    return map(clean, names)  # one by one: most are cleaned by a glance


def _who(roster: messages.Roster) -> str:
    """Who is here; in lines of their own who moderates, if not the server alone, and the doors.

    Where several servers share the room there is a line for those at each.
    """
    if roster.servers:
        names, at = _names(roster.handles, roster.unencrypted), defaultdict[str, list[str]](list)
        for name, server in zip(names, roster.servers, strict=False):
            at[server].append(name)
        servers = sorted(at, key=lambda server: (not server, server))  # as with the doors
        where = ((at[one], f"at {clean(one)}" if one else "away") for one in servers)
        parts = (f"{len(there)} {place}: {', '.join(there)}" for there, place in where)
        lines = [f"{len(roster.handles)} here:", *parts]
    else:
        lines = [_roster(roster.handles, roster.unencrypted)]
    if {*roster.operators} - {roster.server}:
        lines.append(clean(f"operators: {', '.join(roster.operators)}"))
    if roster.doors:
        here: dict[str, list[str]] = {}
        for handle, door in zip(roster.handles, roster.doors, strict=False):
            here.setdefault(door, []).append(handle)
        doors = sorted(here, key=lambda door: (not door, door))  # who is away comes last
        parts = (f"{len(here[door])} {door or 'away'} ({', '.join(here[door])})" for door in doors)
        lines.append(clean(f"by door: {', '.join(parts)}"))
    return "\n".join(lines)
