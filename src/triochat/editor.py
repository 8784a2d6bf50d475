"""The line editor: prompt_toolkit, set up for a chat.

What stands before the line is the person's own handle in its colour, or a question. Tab completes
commands and handles; up and Ctrl-R search the history; when fewer than 50 characters are left a
counter says so, and a message that is too long stays in the line with the reason. A paste of
several lines stands in the line as it is until Enter sends it, and Ctrl-C clears it.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, create_output
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError, Validator

from triochat.chat import Status
from triochat.grammar import COMMANDS, MARKS, Place, parse
from triochat.messages import Refused, Say, Whisper
from triochat.text import HANDLE_LENGTH, TEXT_LENGTH, accept_text, clean

PASTE = 1 << 16
"""The most bytes that are sent at once."""

COUNTED = 50
"""So few characters are left when the counter appears."""

_HANDLE_PLACE = re.compile(r"(?:\S\s+>\s+|^[\\/](?:msg|kick)\s+|(?:^|\s))(\S*)$")
_STYLE = Style.from_dict({"bottom-toolbar": "noreverse fg:ansibrightblack"})


class InterruptedLineError(Exception):
    """Ctrl-C was typed."""


class Desk:
    """What the editor shows and asks: one for a terminal, changed from outside while it runs."""

    def __init__(self, place: Place, colour: Callable[[str], str]) -> None:
        self.place = place
        self.question = ""
        self.status: Status | None = None
        self._colour = colour

    def prompt(self) -> StyleAndTextTuples:
        """What stands before the line."""
        if self.question:
            return [("bold", self.question)]
        if self.status is None or not self.status.handle:
            return []
        handle = clean(self.status.handle)[:HANDLE_LENGTH]  # a server may be anybody's
        return [(f"bold fg:{self._colour(handle)}", f"{handle}> ")]

    def toolbar(self) -> StyleAndTextTuples:
        """The status line."""
        status = self.status
        if status is None:
            return [("", "not connected")]
        parts = [status.where]
        if status.handle:
            parts.append(f"{len(status.roster)} here")
        if status.lag is not None:
            parts.append(f"lag {status.lag * 1000:.0f} ms")
        return [*self._counter(), ("", " · ".join(part for part in parts if part))]

    def _counter(self) -> StyleAndTextTuples:
        """How many characters are left, when they are few."""
        message = None if self.question else _message(get_app().current_buffer.text, self.place)
        left = TEXT_LENGTH - len(message.text) if message else TEXT_LENGTH
        if left >= COUNTED:
            return []
        return [("bold fg:ansired" if left < 0 else "bold", f"{left} left · ")]


def open_session(
    desk: Desk, history: Path | None, suspend: Callable[[], None], *, colour: bool
) -> PromptSession[str]:
    """An editor for this desk; without a path its history ends with it.

    Args:
        desk: what it shows and asks.
        history: the file that keeps its history.
        suspend: stops the process, at Ctrl-Z, and returns when it goes on.
        colour: whether it may be coloured.
    """
    session: PromptSession[str] = PromptSession(
        desk.prompt,
        output=create_output(always_prefer_tty=True),
        color_depth=ColorDepth.DEPTH_8_BIT if colour else ColorDepth.DEPTH_1_BIT,
        interrupt_exception=InterruptedLineError,
        erase_when_done=True,
        completer=_Completer(desk),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        validator=_Validator(desk),
        validate_while_typing=False,
        history=_open_history(desk, history),
        bottom_toolbar=desk.toolbar,
        key_bindings=_bindings(suspend),
        style=_STYLE,
    )
    # Without this, keys that are typed while messages are drawn are echoed into them.
    session.app.input.cooked_mode = session.app.input.raw_mode  # type: ignore[method-assign]
    return session


def cooked_mode(session: PromptSession[str]) -> AbstractContextManager[None]:
    """The terminal as it is for other programs, for as long as the block lasts."""
    return type(session.app.input).cooked_mode(session.app.input)


def lines_of(text: str) -> list[str | Say]:
    """What Enter sends: a line that was typed, or the lines of a paste as they stand."""
    if "\n" not in text:
        return [text]
    return [Say(line) for line in text.split("\n") if line.strip()]


def _message(line: str, place: Place) -> Say | Whisper | None:
    asked = parse(line, place) if "\n" not in line else None
    return asked if isinstance(asked, Say | Whisper) else None


class _Validator(Validator):
    """Keeps in the line what the room would refuse for its length."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def validate(self, document: Document) -> None:
        if self._desk.question:
            return
        size = len(document.text.encode(errors="replace"))
        if size > PASTE:
            raise ValidationError(
                len(document.text), f"{size} bytes; at most {PASTE} can be sent at once"
            )
        messages = [
            _message(line, self._desk.place) if isinstance(line, str) else line
            for line in lines_of(document.text)
        ]
        for message in messages:
            refused = accept_text(message.text) if message else ""
            if isinstance(refused, Refused) and refused.code == "message-too-long":
                raise ValidationError(len(document.text), refused.text)


class _Completer(Completer):
    """Completes commands at the start of a line, and handles wherever one may stand."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002
    ) -> Iterable[Completion]:
        before = document.text_before_cursor
        if before.startswith(MARKS) and " " not in before:
            return self._commands(before)
        if found := _HANDLE_PLACE.search(before):
            return self._handles(found[1])
        return []

    def _commands(self, before: str) -> Iterable[Completion]:
        for name, command in COMMANDS.items():
            if command.place in self._desk.place and name.startswith(before[1:].lower()):
                text = f"{before[0]}{name}"
                space = " " if " " in command.usage else ""
                yield Completion(f"{text}{space}", -len(before), display=text)

    def _handles(self, start: str) -> Iterable[Completion]:
        roster = sorted(self._desk.status.roster, key=str.casefold) if self._desk.status else []
        for handle in roster:
            if handle.casefold().startswith(start.casefold()):
                yield Completion(clean(handle), -len(start))


def _bindings(suspend: Callable[[], None]) -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("c-z")
    def _(_event: KeyPressEvent) -> None:
        """Take the line away, stop, and draw it again."""
        run_in_terminal(suspend)

    @bindings.add("c-c", eager=True)
    def _(event: KeyPressEvent) -> None:
        """Clear a paste; else interrupt."""
        if "\n" in event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=InterruptedLineError, style="class:aborting")

    return bindings


# ---- history


def history_path() -> Path:
    """Where this platform keeps what a program remembers: its state folder."""
    if sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    elif os.name == "nt":
        folder = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return folder / "triochat" / "history"


def _open_history(desk: Desk, path: Path | None) -> History:
    if path is not None:
        with suppress(OSError):  # then it is kept in memory only
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600)
            return _FileHistory(desk, path)
    return _MemoryHistory(desk)


class _MemoryHistory(InMemoryHistory):
    """Remembers what was said, not what was answered to questions."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def append_string(self, string: str) -> None:
        if not self._desk.question:
            super().append_string(string)


class _FileHistory(FileHistory):
    """The same, in a file; a disk that is full loses the memory, not the chat."""

    def __init__(self, desk: Desk, path: Path) -> None:
        super().__init__(str(path))
        self._desk = desk

    def append_string(self, string: str) -> None:
        if not self._desk.question:
            with suppress(OSError):
                super().append_string(string)
