"""Whom somebody at a terminal ignores: what they say is not shown there, and nowhere else missed.

Pure. It is by handle, and follows it when it changes; who comes and goes is always shown.
"""

from typing import NamedTuple

from msgspec.structs import replace

from triochat.grammar import Ignore
from triochat.messages import Answer, Event, Notice, Recalled, Refused, Renamed, Said, Whispered
from triochat.stay import Stay
from triochat.text import excerpt, handle_key


class Ignored(NamedTuple):
    """The handles that are ignored, as they were last seen."""

    handles: tuple[str, ...] = ()

    def hides(self, event: Event) -> bool:
        """Whether this is the words of one of them."""
        if not self.handles or not isinstance(event, Said | Whispered):
            return False
        return event.handle in self.handles

    def without(self, event: Event) -> Event:
        """The same; of what is told again without their words."""
        if not self.handles or not isinstance(event, Recalled):
            return event
        return replace(event, messages=tuple(one for one in event.messages if not self.hides(one)))

    def after(self, event: Event) -> "Ignored":
        """The same, when this has happened."""
        if not self.handles or not isinstance(event, Renamed) or event.handle not in self.handles:
            return self
        return Ignored(tuple(event.new if one == event.handle else one for one in self.handles))

    def change(self, asked: Ignore, stay: Stay) -> tuple["Ignored", Answer]:
        """The same, when somebody asks for this whose stay this is, and what is told for it."""
        key, names = handle_key(asked.handle), ", ".join(self.handles)
        if not asked.handle:
            return self, Notice(f"ignored: {names}" if names else "you ignore nobody")
        others = tuple(one for one in self.handles if handle_key(one) != key)
        if not asked.is_on:
            if others == self.handles:
                name = excerpt(asked.handle)
                return self, Refused("no-such-handle", f'you do not ignore "{name}"')
            [shown] = set(self.handles) - set(others)
            return Ignored(others), Notice(f"what {shown} says is shown again")
        if key == handle_key(stay.handle):
            return self, Refused("not-allowed", "you cannot ignore yourself")
        name = next((one for one in stay.roster if handle_key(one) == key), "")
        if not name:
            wrong = f'nobody here is called "{excerpt(asked.handle)}"; nobody is ignored by that'
            return self, Refused("no-such-handle", wrong)
        told = f"what {name} says is not shown to you any more; \\unignore {name} shows it again"
        return Ignored((*others, name)), Notice(told)
