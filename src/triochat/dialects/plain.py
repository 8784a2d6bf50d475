r"""Plain lines, for `nc`, telnet and whatever else sends text: what people type, what they read.

The first line is a handle, and so is every line until a handle was accepted for trial; after that
a line is what the grammar says it is. ``\quit`` and ``\help`` mean the same before as after.
"""

from triochat.grammar import MARKS, Bell, parse
from triochat.messages import Answer, Event, Join, Notice, Quit, Refused, Request
from triochat.render import plain

GREETING = Notice("triochat: what is your handle? (1-10 characters, no spaces)")
"""What a peer sees that does not speak first."""


def _parse(line: str) -> Request | Answer | None:
    asked = parse(line)
    return None if isinstance(asked, Bell) else asked  # there is none on a plain line


class Plain:
    """The dialect of people without the client."""

    name = "plain"
    echoes = False

    def decode(self, line: str, *, joined: bool) -> Request | Answer | None:
        """What a typed line asks for; before joining, the handle that it offers."""
        if joined:
            return _parse(line)
        if line.strip().startswith(MARKS):
            asked = _parse(line)
            if isinstance(asked, Quit | Notice):
                return asked
            return Refused("not-joined", "first a handle, please; nothing was sent")
        return Join(line.strip(" \t"))

    def encode(self, event: Event) -> bytes:
        """The line (for some notices: lines) that a person reads."""
        return f"{plain(event)}\n".encode()
