"""What the line editor shows and asks: the prompt, the status line, what is held back, and Tab."""

import threading
from collections import deque

from prompt_toolkit.application import get_app
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.validation import ValidationError, Validator
from rich.color import Color

from triochat.chat import View
from triochat.grammar import Place, parse
from triochat.messages import Refused, Say, Whisper
from triochat.terminals.completion import complete
from triochat.terminals.screen import Palette
from triochat.text import TEXT_LENGTH, accept_text, clean

PASTE = 1 << 16
"""The most bytes that are sent at once."""

COUNTED = 50
"""So few characters are left when the counter appears."""

HANDLE = 32
"""The most characters of a handle before the line, whatever the server allows."""

SPOKE = 100
"""So many of those who spoke last come first in a completion."""


class Desk(Validator):
    """What the editor shows and asks: one for a terminal, changed from outside while it runs.

    Attributes:
        place: where its lines are typed.
        view: what is shown; frozen, since the editor has a thread of its own.
        returned: the messages that came back into the line last.
        ways: in which the line can be completed, from the one that was chosen last on.
        continued: is set when the process goes on after Ctrl-Z.
    """

    def __init__(self, place: Place, palette: Palette) -> None:
        self.place = place
        self.view = View()
        self.returned: list[Say | Whisper] = []
        self.ways: deque[Document] = deque()
        self.continued = threading.Event()
        self._palette = palette
        self._spoke: deque[str] = deque(maxlen=SPOKE)

    def spoke(self, handle: str) -> None:
        """Somebody has said something, and may be answered soon."""
        if handle in self._spoke:
            self._spoke.remove(handle)
        self._spoke.appendleft(handle)

    def prompt(self) -> StyleAndTextTuples:
        """What stands before the line."""
        view = self.view
        if view.question:
            return [("bold", clean(view.question))]
        if not view.handle:
            return []
        handle = clean(view.handle)[: max(1, min(view.handle_length, HANDLE))]
        colour = Color.from_ansi(self._palette.colour(handle)).get_truecolor().hex
        return [(f"bold fg:{colour}", f"{handle}> ")]

    def toolbar(self) -> StyleAndTextTuples:
        """The status line."""
        view = self.view
        message = None if view.question else message_of(get_app().current_buffer.text, self.place)
        left = TEXT_LENGTH - len(message.text) if message else TEXT_LENGTH
        parts: StyleAndTextTuples = []
        if left < COUNTED:
            parts.append(("bold fg:ansired" if left < 0 else "bold", f"{left} left"))
        if view.where:
            parts.append(("", view.where))
        elif not view.state:
            parts.append(("", "not connected"))
        if view.where and view.handle:
            parts.append(("", f"{len(view.roster)} here"))
        if view.state:
            parts.append(("bold fg:ansired", clean(view.state)))
        elif view.where and view.lag is not None:
            parts.append(("", f"lag {view.lag * 1000:.0f} ms"))
        return [piece for part in parts for piece in (("", " · "), part)][1:]

    def validate(self, document: Document) -> None:
        """Keep in the line what cannot be taken now, and what the room would refuse for its length.

        Raises `ValidationError` with the reason.
        """
        problem = self.view.holds or ("" if self.view.question else self._problem(document.text))
        if problem:
            raise ValidationError(len(document.text), problem)

    def _problem(self, text: str) -> str:
        size = len(text.encode(errors="replace"))
        if size > PASTE:
            return f"{size} bytes; at most {PASTE} can be sent at once"
        for line in lines_of(text):
            message = message_of(line, self.place) if isinstance(line, str) else line
            refused = accept_text(message.text) if message else ""
            if isinstance(refused, Refused) and refused.code == "message-too-long":
                return refused.text
        return ""

    def complete(self, before: str) -> tuple[int, list[str]]:
        """What may stand in place of how many characters before the cursor."""
        view = self.view
        if view.question:
            return 0, []
        roster = sorted(set(view.roster) - {view.handle}, key=str.casefold)
        last = {handle: place for place, handle in enumerate(self._spoke)}
        roster.sort(key=lambda handle: last.get(handle, SPOKE))
        return complete(before, self.place, roster)

    def text_of_returned(self) -> str:
        """How what has come back is typed; empty where it is not all text that can be pasted."""
        if len(self.returned) == 1:
            return line_of(self.returned[0], self.place)
        is_paste = all(isinstance(message, Say) for message in self.returned)
        return "\n".join(message.text for message in self.returned) if is_paste else ""


def lines_of(text: str) -> list[str | Say]:
    """What Enter sends: a line that was typed, or the lines of a paste as they stand."""
    if "\n" not in text:
        return [text]
    return [Say(line) for line in text.split("\n") if line.strip()]


def message_of(line: str, place: Place) -> Say | Whisper | None:
    """The message that this line is, if it is one."""
    asked = parse(line, place) if "\n" not in line else None
    return asked if isinstance(asked, Say | Whisper) else None


def line_of(message: Say | Whisper, place: Place) -> str:
    """The line by which this message is typed, whatever its text looks like."""
    text = message.text
    if isinstance(message, Whisper):
        typed = [f"{text} > {message.to}", f"\\msg {message.to} {text}"]
    else:
        typed = [text, f"{text[:1]}{text}", f"\\say {text}"]
    return next((line for line in typed if parse(line, place) == message), typed[-1])
