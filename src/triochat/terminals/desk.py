"""What the line editor shows and asks: the prompt, the status line, what is held back, and Tab."""

import re
import threading
import time
from collections import deque

from prompt_toolkit.application import get_app
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.validation import ValidationError, Validator
from rich.color import Color

from triochat.grammar import Place, parse
from triochat.messages import Action, Refused, Said, Say, Speech, Whisper, Whispered
from triochat.terminal import View
from triochat.terminals.completion import complete
from triochat.terminals.screen import Palette
from triochat.terminals.wrapping import cells_of, cut
from triochat.text import TEXT_LENGTH, accept_text, clean
from triochat.words import words_of

PASTE = 1 << 16
"""The most bytes that are sent at once."""

COUNTED = 50
"""So few characters are left when the counter appears."""

HANDLE = 32
"""The most characters of a handle before the line; no server allows more."""

SPOKE = 100
"""So many of those who spoke last come first in a completion."""

LATE = 0.3
"""Seconds after which what was said is shown above the line, if nobody has confirmed it."""

ROWS = 4
"""The most rows of such lines."""

_BRACKETS = re.compile(r" \([^()]*\)")


class Desk(Validator):
    """What the editor shows and asks: one for a terminal, changed from outside while it runs.

    Attributes:
        view: what is shown; frozen, and changed only in the editor's thread.
        aside: what was being typed when a question came, until there is none.
        first: what stands in the line that is asked for next.
        returned: the lines and messages that came back into the line last.
        ways: in which the line can be completed, from the one that was chosen last on.
        continued: is set when the process goes on after Ctrl-Z.
    """

    def __init__(self, palette: Palette) -> None:
        self.view = View()
        self.aside = Document()
        self.first = Document()
        self.returned: list[str | Speech] = []
        self.ways: deque[Document] = deque()
        self.continued = threading.Event()
        self._palette = palette
        self._since: dict[int, float] = {}  # when it was seen first, for each of the unconfirmed
        self._spoke: deque[str] = deque(maxlen=SPOKE)

    def look(self, view: View, now: float) -> bool:
        """Show this from now on; whether something has been said since the last look."""
        before, self._since = self._since, {}
        for said in view.unconfirmed:
            self._since[id(said)] = before.get(id(said), now)
        self.view = view
        return not before.keys() >= self._since.keys()

    def answered(self, said: Speech) -> None:
        """Show this no more, whatever the view says: its answer is drawn next."""
        self._since.pop(id(said), None)

    def late(self, now: float, width: int, height: int) -> list[str]:
        """What was said a while ago and is not confirmed yet, in rows for a screen of this size.

        Each is as it will be told, with dots where its time will stand.
        """
        due = now - LATE
        late = [one for one in self.view.unconfirmed if self._since.get(id(one), now) <= due]
        most = max(2, min(ROWS, height // 4))
        shown = late if len(late) <= most else late[: most - 1]
        rows = [words_of(told_as(said, self.view.handle), self.view.handle) for said in shown]
        if more := len(late) - len(shown):
            rows.append(f"and {more} more")
        return [cut(f"…     {row}", width) for row in rows]

    def spoke(self, handle: str) -> None:
        """Somebody has said something, and may be answered soon."""
        if handle in self._spoke:
            self._spoke.remove(handle)
        self._spoke.appendleft(handle)

    def renamed(self, handle: str, new: str) -> None:
        """Who had this handle has the new one, and has spoken when the old one did."""
        spoke = (new if one == handle else one for one in self._spoke if one != new)
        self._spoke = deque(spoke, SPOKE)

    def is_secret(self) -> bool:
        """Whether what is typed is not to be seen, now or later."""
        return self.view.is_secret

    def prompt(self) -> StyleAndTextTuples:
        """What stands before the line."""
        view = self.view
        if view.question:
            offer = f"[{view.offer}] " if view.offer else ""
            return [("bold", clean(view.question + offer))]
        if not view.handle:
            return []
        handle = clean(view.handle)[:HANDLE]
        colour = Color.from_ansi(self._palette.colour(handle)).get_truecolor().hex
        size = get_app().output.get_size()
        late = [("dim", f"{row}\n") for row in self.late(time.monotonic(), size.columns, size.rows)]
        return [*late, (f"bold fg:{colour}", f"{handle}> ")]

    def toolbar(self) -> StyleAndTextTuples:
        """The status line; where it is too long for the screen what is wrong comes first."""
        view = self.view
        message = None if view.question else message_of(get_app().current_buffer.text)
        left = TEXT_LENGTH - len(message.text) if message else TEXT_LENGTH
        parts: StyleAndTextTuples = []
        if left < COUNTED:
            count = f"{left} left" if left >= 0 else f"{-left} too many"
            parts.append(("bold fg:ansired" if left < 0 else "bold", count))
        if view.where:
            parts.append(("", view.where))
        elif not view.state:
            parts.append(("", "not connected"))
        if view.where and view.handle:
            plain = f", {len(view.unencrypted)} plain" if view.unencrypted else ""
            parts.append(("", f"{len(view.roster)} here{plain}"))
        if view.state:
            parts.append(("bold fg:ansired", clean(view.state)))
        elif view.where and view.lag is not None:
            is_long = view.lag >= 1
            lag = f"{view.lag:.0f} s" if is_long else f"{view.lag * 1000:.0f} ms"
            parts.append(("", f"lag {lag}"))
        if not fits(parts):
            if view.state:
                parts.insert(0, (parts.pop()[0], _BRACKETS.sub("", clean(view.state))))
            while len(parts) > 1 and not fits(parts):
                parts.pop()
        return joined(parts)

    def validate(self, document: Document) -> None:
        """Keep in the line what cannot be taken now, and what the room would refuse for its length.

        Raises `ValidationError` with the reason.
        """
        problem = self.view.holds or ("" if self.view.question else self._problem(document.text))
        if problem:
            while "; " in problem and not fits([("", problem)]):
                problem = problem.rpartition("; ")[0]
            raise ValidationError(len(document.text), problem)

    def _problem(self, text: str) -> str:
        size = len(text.encode(errors="replace"))
        if size > PASTE:
            return f"{size} bytes; at most {PASTE} can be sent at once"
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            message = message_of(line) if len(lines) == 1 else Say(line)
            refused = accept_text(message.text) if message else ""
            if isinstance(refused, Refused) and refused.code == "message-too-long":
                return f"line {number}: {refused.text}" if len(lines) > 1 else refused.text
        return ""

    def complete(self, before: str) -> tuple[int, list[str]]:
        """What may stand in place of how many characters before the cursor."""
        view = self.view
        if view.question:
            return 0, []
        roster = sorted(set(view.roster) - {view.handle}, key=str.casefold)
        last = {handle: place for place, handle in enumerate(self._spoke)}
        roster.sort(key=lambda handle: last.get(handle, SPOKE))
        return complete(before, roster)

    def text_of_returned(self) -> str:
        """How what has come back is typed; empty where it is not all text that can be pasted."""
        if len(self.returned) == 1:
            return line_of(self.returned[0])
        texts = [message.text for message in self.returned if isinstance(message, Say)]
        return "\n".join(texts) if len(texts) == len(self.returned) else ""


def told_as(said: Speech, me: str) -> Said | Whispered:
    """How the room will tell what was said."""
    if isinstance(said, Whisper):
        return Whispered(0, "", me, said.to, said.text)
    return Said(0, "", me, said.text, isinstance(said, Action))


def joined(parts: StyleAndTextTuples) -> StyleAndTextTuples:
    """These parts of a status line, with what stands between them."""
    return [piece for part in parts for piece in (("", " · "), part)][1:]


def fits(parts: StyleAndTextTuples) -> bool:
    """Whether there is room for these parts below the line."""
    words = "".join(part[1] for part in joined(parts))
    return cells_of(words) <= get_app().output.get_size().columns


def lines_of(text: str) -> list[str | Say]:
    """What Enter sends: a line that was typed, or the lines of a paste as they stand."""
    if "\n" not in text:
        return [text]
    return [Say(line) for line in text.split("\n") if line.strip()]


def message_of(line: str) -> Speech | None:
    """The message that this line is, if it is one."""
    asked = parse(line, Place.TERMINAL) if "\n" not in line else None
    return asked if isinstance(asked, Speech) else None


def line_of(message: str | Speech) -> str:
    """The line by which this message is typed, whatever its text looks like; a line as it is."""
    if isinstance(message, str):
        return message
    text = message.text
    if isinstance(message, Whisper):
        typed = [f"{text} > {message.to}", f"\\msg {message.to} {text}"]
    elif isinstance(message, Action):
        typed = [f"\\me {text}"]
    else:
        typed = [text, f"{text[:1]}{text}", f"\\say {text}"]
    return next((line for line in typed if parse(line, Place.TERMINAL) == message), typed[-1])
