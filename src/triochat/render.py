"""Events as text: the words that paper and screen have in common.

Nothing in an event is ever an escape sequence here: texts are cleaned again, whoever sent them.
"""

from triochat.messages import (
    Closing,
    Event,
    Joined,
    Left,
    Notice,
    Pong,
    Refused,
    Renamed,
    Roster,
    Said,
    Welcome,
    Whispered,
)
from triochat.text import clean


def plain(event: Event, me: str = "") -> str:
    """The event as text, without a line end (a `Notice` may have several lines).

    Args:
        event: what happened.
        me: the reader's handle; a whisper by anybody else is taken to be to the reader.
    """
    if isinstance(event, Notice):
        return "\n".join(f"* {clean(line)}" for line in event.text.split("\n"))
    return clean(_words(event, me))


def _words(event: Event, me: str) -> str:
    match event:
        case Said(handle=handle, text=text):
            return f"{handle}> {text}"
        case Whispered(handle=handle, to=to, text=text):
            who = f"you -> {to}" if handle == me and to != me else f"{handle} -> you"
            return f"[{who}] {text}"
        case Refused(text=text):
            return f"! {text}"
    return f"* {_statement(event)}"


def _statement(event: Event) -> str:
    match event:
        case Joined(handle=handle):
            return f"{handle} joined"
        case Left(handle=handle, reason="quit"):
            return f"{handle} left"
        case Left(handle=handle, reason=reason):
            return f"{handle} left ({reason})"
        case Renamed(handle=handle, new=new):
            return f"{handle} is now {new}"
        case Roster(handles=handles):
            return _roster(handles)
        case Welcome(handle=handle, server=server, roster=roster):
            return f"{server} connected. You are {handle}. {_roster(roster)}"
        case Closing(reason=reason):
            return f"Server closed the connection: {reason}"
        case Pong():
            return "pong"
    raise AssertionError(event)


def _roster(handles: tuple[str, ...]) -> str:
    return f"{len(handles)} here: {', '.join(handles)}"
