"""The line editor: prompt_toolkit, set up for a chat.

What stands before the line is the person's own handle in its colour, or a question. Tab completes
commands and handles; up and Ctrl-R search the history; when fewer than 50 characters are left a
counter says so, and a message that is too long stays in the line with the reason. A paste of
several lines stands in the line as it is until Enter sends it, and Ctrl-C clears it.
"""

import os
import re
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, create_output
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError, Validator
from rich.color import Color

from triochat.chat import View
from triochat.grammar import COMMANDS, PREFIXES, Place, parse
from triochat.messages import Refused, Say, Whisper
from triochat.terminals.screen import Palette
from triochat.text import HANDLE_LENGTH, TEXT_LENGTH, accept_text, clean

PASTE = 1 << 16
"""The most bytes that are sent at once."""

COUNTED = 50
"""So few characters are left when the counter appears."""

_HANDLE_PLACE = re.compile(r"(?:\S\s+>\s+|^[\\/](?:msg|kick)\s+|(?:^|\s))(\S*)$")
_STYLE = Style.from_dict({"bottom-toolbar": "noreverse fg:ansibrightblack"})


class InterruptedLineError(Exception):
    """Ctrl-C was typed."""


class Desk(Completer, Validator):
    """What the editor shows and asks: one for a terminal, changed from outside while it runs.

    Attributes:
        place: where its lines are typed.
        view: what is shown; frozen, since the editor has a thread of its own.
        continued: is set when the process goes on after Ctrl-Z.
    """

    def __init__(self, place: Place, palette: Palette) -> None:
        self.place = place
        self.view = View()
        self.continued = threading.Event()
        self._palette = palette

    def prompt(self) -> StyleAndTextTuples:
        """What stands before the line."""
        view = self.view
        if view.question:
            return [("bold", view.question)]
        if not view.handle:
            return []
        handle = clean(view.handle)[:HANDLE_LENGTH]  # a server may be anybody's
        colour = Color.from_ansi(self._palette.colour(handle)).get_truecolor().hex
        return [(f"bold fg:{colour}", f"{handle}> ")]

    def toolbar(self) -> StyleAndTextTuples:
        """The status line."""
        view = self.view
        if view.where is None:
            return [("", "not connected")]
        message = None if view.question else _message(get_app().current_buffer.text, self.place)
        left = TEXT_LENGTH - len(message.text) if message else TEXT_LENGTH
        counter = [("bold fg:ansired" if left < 0 else "bold", f"{left} left · ")]
        parts = [view.where]
        if view.handle:
            parts.append(f"{len(view.roster)} here")
        if view.lag is not None:
            parts.append(f"lag {view.lag * 1000:.0f} ms")
        status = [("", " · ".join(filter(None, parts)))]
        return [*counter, *status] if left < COUNTED else [*status]

    def validate(self, document: Document) -> None:
        """Keep in the line what the room would refuse for its length."""
        if self.view.question:
            return
        size = len(document.text.encode(errors="replace"))
        if size > PASTE:
            raise ValidationError(
                len(document.text), f"{size} bytes; at most {PASTE} can be sent at once"
            )
        for line in lines_of(document.text):
            message = _message(line, self.place) if isinstance(line, str) else line
            refused = accept_text(message.text) if message else ""
            if isinstance(refused, Refused) and refused.code == "message-too-long":
                raise ValidationError(len(document.text), refused.text)

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002
    ) -> Iterable[Completion]:
        """Commands at the start of a line, and handles wherever one may stand."""
        before = document.text_before_cursor
        if before.startswith(PREFIXES) and " " not in before:
            for name, command in COMMANDS.items():
                if command.place in self.place and name.startswith(before[1:].lower()):
                    text = f"{before[0]}{name}"
                    space = " " if " " in command.usage else ""
                    yield Completion(f"{text}{space}", -len(before), display=text)
        elif found := _HANDLE_PLACE.search(before):
            for handle in sorted(self.view.roster, key=str.casefold):
                if handle.casefold().startswith(found[1].casefold()):
                    yield Completion(clean(handle), -len(found[1]))


def open_session(desk: Desk, history: Path | None, *, colour: bool) -> PromptSession[str]:
    """An editor for this desk, coloured if it may be; without a path its history ends with it."""
    session: PromptSession[str] = PromptSession(
        desk.prompt,
        output=create_output(always_prefer_tty=True),
        color_depth=ColorDepth.DEPTH_8_BIT if colour else ColorDepth.DEPTH_1_BIT,
        interrupt_exception=InterruptedLineError,
        erase_when_done=True,
        completer=desk,
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        validator=desk,
        validate_while_typing=False,
        history=open_history(desk, history),
        bottom_toolbar=desk.toolbar,
        key_bindings=key_bindings(desk),
        style=_STYLE,
    )
    # Without this, keys that are typed while messages are drawn are echoed into them.
    session.app.input.cooked_mode = session.app.input.raw_mode  # type: ignore[method-assign]
    return session


def draw_again(session: PromptSession[str]) -> None:
    """Lay the line out anew, on a screen of another size or after another program."""
    session.app.renderer.erase()
    session.app.renderer.request_absolute_cursor_position()  # or there is no room for the status
    session.app.invalidate()


def put_back(session: PromptSession[str], line: str) -> None:
    """Let this line stand in the editor again, unless the next is being typed."""
    buffer = session.default_buffer
    if not buffer.text:
        buffer.text = line
        buffer.cursor_position = len(line)


def lines_of(text: str) -> list[str | Say]:
    """What Enter sends: a line that was typed, or the lines of a paste as they stand."""
    if "\n" not in text:
        return [text]
    return [Say(line) for line in text.split("\n") if line.strip()]


def _message(line: str, place: Place) -> Say | Whisper | None:
    asked = parse(line, place) if "\n" not in line else None
    return asked if isinstance(asked, Say | Whisper) else None


def key_bindings(desk: Desk) -> KeyBindings:
    """The keys that mean something else in a chat than in any line editor."""
    bindings = KeyBindings()

    @bindings.add("c-z")
    def _(event: KeyPressEvent) -> None:
        """Take the line away, stop, and draw it again."""

        def suspend() -> None:
            desk.continued.clear()
            with type(event.app.input).cooked_mode(event.app.input):  # for other programs
                os.kill(0, signal.SIGTSTP)
                desk.continued.wait(1)  # the signal stops another thread first, this one soon after

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


def open_history(desk: Desk, path: Path | None) -> InMemoryHistory | FileHistory:
    """What was said here, and not what was answered to questions; also in a file if it can be."""
    history: InMemoryHistory | FileHistory = InMemoryHistory()
    if path is not None:
        with suppress(OSError):  # then it is kept in memory only
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600)
            history = FileHistory(str(path))
    append = history.append_string

    def append_message(string: str) -> None:
        if not desk.view.question:
            with suppress(OSError):  # a disk that is full loses the memory, not the chat
                append(string)

    history.append_string = append_message  # type: ignore[method-assign]
    return history
