"""Events as text: a plain line for anything, and the same line as rich `Text` for a screen.

Both say the same words. Nothing in an event is ever markup or an escape sequence here: texts are
cleaned again, whoever sent them, and styles are laid over spans, never written into the text.
"""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from rich.text import Text

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_magenta", "red")


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


def rich_text(event: Event, me: str = "") -> "Text":
    """The same words as `plain`, styled for a screen."""
    from rich.text import Text  # noqa: PLC0415  a headless server need not load it

    text = Text(plain(event, me))
    match event:
        case Said(handle=handle):
            text.stylize(handle_style(handle), 0, len(clean(handle)) + 1)
        case Whispered():
            text.stylize("bold magenta", 0, text.plain.find("]") + 1)
            text.stylize("italic", text.plain.find("]") + 1)
        case Refused():
            text.stylize("bold red")
        case Notice() | Welcome() | Roster():
            text.stylize("cyan")
        case Closing():
            text.stylize("bold yellow")
        case _:
            text.stylize("dim")
    return text


def handle_style(handle: str) -> str:
    """The colour in which this handle stands on every screen."""
    return f"bold {_COLOURS[sum(map(ord, handle.casefold())) % len(_COLOURS)]}"
