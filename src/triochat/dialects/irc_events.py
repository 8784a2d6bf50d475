"""Events as lines of IRC: what all are told, written alike for all who can do the same."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from triochat import messages
from triochat.dialects.base import Dialect
from triochat.dialects.irc_words import (
    HOST,
    LENGTH,
    SERVER,
    cut,
    name,
    source,
    spread,
    written,
)
from triochat.messages import Event, Said, Whispered
from triochat.text import clean
from triochat.words import past_line_of, words_of

ECHO, TIME, TAGS = "echo-message", "server-time", "message-tags"
CAPABILITIES = (ECHO, TAGS, TIME)
"""What a client may ask for: to hear its own words, their ids, and when something was said."""

_TIME = re.compile(r"[0-9T:.Z-]+")
_MODES = {"op": "+o", "deop": "-o"}


class Style(NamedTuple):
    """How events are written for all who asked for the same.

    Attributes:
        channel: what the room is called.
        has_time: each line says when that was, where that is known.
        has_ids: each line says by which id the message is known.
    """

    channel: str
    has_time: bool = False
    has_ids: bool = False

    def encode(self, events: Sequence[Event]) -> bytes:
        """The lines for these events."""
        channel, has_time, has_ids = self
        text = ""
        for event in events:
            if type(event) is Said and not event.action:  # most events
                said = event.text
                line = f"{_said_by(event.handle, channel)}{said}\r\n"
                if len(line) <= LENGTH and line.isascii() and said.isprintable():
                    if has_time or has_ids:
                        text += _tags(event.at, event.id, has_time, has_ids)
                    text += line
                    continue
            text += self._tagged(event, self.lines_of(event))
        return text.encode()

    def encode_past(self, events: Sequence[Event]) -> bytes:
        """The same for what is told again: it says when that was, in words if need be."""
        if self.has_time:
            return self.encode(events)
        return self.notices("\n".join(map(past_line_of, events)), self.channel)

    def notices(self, text: str, to: str) -> bytes:
        """What the server says to them, or to one of them, line by line."""
        head = f":{SERVER} NOTICE {to} :"
        return written(*(line for text in text.split("\n") for line in spread(head, text)))

    def _tagged(self, event: Event, lines: list[str]) -> str:
        """Of several lines only the first has the id: two with one would be taken for one."""
        at, number = getattr(event, "at", ""), getattr(event, "id", 0)
        first = _tags(at, number, self.has_time, self.has_ids)
        later = _tags(at, 0, self.has_time, self.has_ids)
        return "".join(
            [f"{later if place else first}{line}\r\n" for place, line in enumerate(lines)]
        )

    def lines_of(self, event: Event) -> list[str]:
        """The lines for this event, without tags and endings."""
        channel = self.channel
        match event:
            case Said(handle=handle, text=text, action=is_action):
                head, tail = ("\x01ACTION ", "\x01") if is_action else ("", "")
                return spread(f"{source(handle)} PRIVMSG {channel} :{head}", text, tail)
            case Whispered(handle=handle, to=to, text=text):
                return spread(f"{source(handle)} PRIVMSG {name(to)} :", text)
            case messages.Joined(handle=handle, unencrypted=is_exposed, operator=is_operator):
                mode = [f":{SERVER} MODE {channel} +o {name(handle)}"] * is_operator
                return [f"{source(handle, host_of(is_exposed=is_exposed))} JOIN {channel}", *mode]
            case messages.Left(handle=handle, reason=reason, by=by) if by:
                return [cut(f"{source(by)} KICK {channel} {name(handle)} :{clean(reason)}")]
            case messages.Left(handle=handle, reason=reason):
                return [cut(f"{source(handle)} QUIT :{clean(reason)}")]
            case messages.Renamed(handle=handle, new=new):
                return [f"{source(handle)} NICK {name(new)}"]
            case messages.Moderated():
                return self._lines_of_deed(event)
            case messages.Pong():
                return []
        head = f":{SERVER} NOTICE {channel} :"
        texts = words_of(event).split("\n")
        return [line for text in texts for line in spread(head, text.removeprefix("* "))]

    def _lines_of_deed(self, event: messages.Moderated) -> list[str]:
        channel, what = self.channel, event.what
        by = source(event.by) if event.by else f":{SERVER}"
        notice = spread(f":{SERVER} NOTICE {channel} :", event.text)
        match event.deed:
            case "op" | "deop":
                return [f"{by} MODE {channel} {_MODES[event.deed]} {name(what)}"]
            case "quiet":
                return [f"{by} MODE {channel} {'+m' if what == 'on' else '-m'}"]
            case "topic":
                [whole, *more] = spread(f"{by} TOPIC {channel} :", what)
                return [whole, *(notice if more else [])]
        return notice


def host_of(*, is_exposed: bool) -> str:
    """Where somebody comes from, as far as that is anybody's business: who can be overheard."""
    return "plain.triochat" if is_exposed else HOST


@lru_cache(4096)
def _said_by(handle: str, channel: str) -> str:
    return f"{source(handle)} PRIVMSG {channel} :"


def _tags(at: str, number: int, has_time: bool, has_ids: bool) -> str:
    time = _time_tag(at) if has_time else ""
    if has_ids and number:
        return f"@{time}msgid={number} "
    return f"@{time[:-1]} " if time else ""


@lru_cache(64)
def _time_tag(at: str) -> str:
    return f"time={at};" if _TIME.fullmatch(at) else ""


@lru_cache(256)
def dialect_of(channel: str, asked: tuple[str, ...] = ()) -> tuple[Dialect, Style]:
    """How all are written to that have asked for these capabilities: one object for all of them."""
    style = Style(channel, TIME in asked, TAGS in asked)
    return Dialect("irc", echoes=ECHO in asked, encode=style.encode), style
