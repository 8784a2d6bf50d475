"""The line editor: prompt_toolkit, set up for a chat.

What stands before the line is the person's own handle in its colour, or a question. Tab goes
through commands and handles, Shift-Tab back; up and Ctrl-R search the history; when fewer than 50
characters are left a counter says so, and a message that is too long stays in the line with the
reason. A paste of several lines stands in the line as it is until Enter sends it, and Ctrl-C clears
it.
"""

import asyncio
import logging
import os
import signal
import time
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer, ValidationState
from prompt_toolkit.clipboard import InMemoryClipboard
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyProcessor
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, Dimension
from prompt_toolkit.layout.dimension import to_dimension
from prompt_toolkit.layout.processors import (
    ConditionalProcessor,
    Processor,
    Transformation,
    TransformationInput,
)
from prompt_toolkit.output import ColorDepth, create_output
from prompt_toolkit.styles import Style

from triochat.messages import Speech
from triochat.terminal import View
from triochat.terminals.desk import LATE, Desk
from triochat.text import clean

log = logging.getLogger(__name__)

TAB = 4
"""The columns of a tab in what is pasted."""

_STYLE = Style.from_dict({"bottom-toolbar": "noreverse fg:ansibrightblack"})


def open_session(desk: Desk, history: Path | None, *, colour: bool) -> PromptSession[str]:
    """An editor for this desk, coloured if it may be; without a path its history ends with it."""
    session: PromptSession[str] = PromptSession(
        desk.prompt,
        output=create_output(always_prefer_tty=True),
        color_depth=ColorDepth.DEPTH_8_BIT if colour else ColorDepth.DEPTH_1_BIT,
        erase_when_done=True,
        complete_while_typing=False,
        validator=desk,
        validate_while_typing=False,
        history=open_history(desk, history),
        bottom_toolbar=desk.toolbar,
        key_bindings=key_bindings(desk),
        input_processors=[ConditionalProcessor(Hidden(), Condition(desk.is_secret))],
        style=_STYLE,
    )
    # Without this, keys that are typed while messages are drawn are echoed into them.
    session.app.input.cooked_mode = session.app.input.raw_mode  # type: ignore[method-assign]
    survive_keys(session.app.key_processor)
    _bound_rows(session)
    return session


def _bound_rows(session: PromptSession[str]) -> None:
    """Let a long paste take half of the screen at most: the other half is for what others say."""
    window = next(
        window
        for window in session.layout.find_all_windows()
        if isinstance(window.content, BufferControl)
        and window.content.buffer is session.default_buffer
    )
    usual = window.height

    def height() -> Dimension:
        size, text = session.output.get_size(), session.default_buffer.text
        half = max(1, size.rows // 2)
        is_long = len(text) // size.columns + text.count("\n") >= half
        return Dimension(max=half) if is_long else to_dimension(usual)

    window.height = height


class Hidden(Processor):
    """Draws nothing in place of the line, and the cursor where it begins."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:  # noqa: ARG002
        """As of any processor."""
        return Transformation([], lambda _: 0, lambda _: 0)


def survive_keys(processor: KeyProcessor) -> None:
    """Let no sequence of keys end the editor, whatever prompt_toolkit makes of it."""
    process = processor.process_keys

    def process_keys() -> None:
        try:
            process()
        except Exception:
            log.info("keys that the editor does not understand", exc_info=True)

    processor.process_keys = process_keys  # type: ignore[method-assign]


def draw_again(session: PromptSession[str]) -> None:
    """Lay the line out anew, on a screen of another size or after another program."""
    session.app.renderer.erase()
    session.app.renderer.request_absolute_cursor_position()  # or there is no room for the status
    session.app.invalidate()


def judge_again(session: PromptSession[str]) -> None:
    """Forget why the line was not taken: what stands against it may have changed."""
    session.default_buffer.validation_state = ValidationState.UNKNOWN
    session.default_buffer.validation_error = None


def look(session: PromptSession[str], desk: Desk, view: View) -> None:
    """Show this from now on. What is being typed is kept aside while there is a question."""
    before = desk.view
    if desk.look(view, time.monotonic()):
        asyncio.get_running_loop().call_later(LATE, session.app.invalidate)
    if before.is_secret and not view.is_secret:
        forget(session, desk)
    if (before.question, before.holds) != (view.question, view.holds):
        judge_again(session)
    if view.question and not before.question:
        desk.aside = line(session, desk)
    if view.question and view.question != before.question:
        _put(session, desk, Document())
    if before.question and not view.question and desk.aside.text:
        ahead = line(session, desk).text  # after the answer
        aside, desk.aside = desk.aside, Document()
        _put(session, desk, Document(aside.text + ahead, aside.cursor_position))
    session.app.invalidate()


def forget(session: PromptSession[str], desk: Desk) -> None:
    """Leave nothing of a secret: not in the line, nor where undoing or yanking would find it."""
    if _is_open(session):
        session.default_buffer.reset()
    desk.first = Document()
    session.clipboard = InMemoryClipboard()


def line(session: PromptSession[str], desk: Desk) -> Document:
    """What is being typed; what has been entered is not."""
    return session.default_buffer.document if _is_open(session) else desk.first


def put_back(session: PromptSession[str], desk: Desk, message: str | Speech) -> None:
    """Let this stand in the line again, or aside with it, unless something else stands there.

    Several that come back in a row stand there as the lines of a paste.
    """
    if not has_room(session, desk):
        return
    stands = _message(session, desk)
    desk.returned = [*desk.returned, message] if stands else [message]
    text = Document(desk.text_of_returned())
    if desk.view.question:
        desk.aside = text
    elif text.text:
        _put(session, desk, text)


def has_room(session: PromptSession[str], desk: Desk) -> bool:
    """Whether what comes back has a place: where nothing is, or what came back before."""
    return _message(session, desk) in ("", desk.text_of_returned())


def _message(session: PromptSession[str], desk: Desk) -> str:
    return (desk.aside if desk.view.question else line(session, desk)).text


def complete(desk: Desk, buffer: Buffer, step: int) -> None:
    """Complete what stands before the cursor; if there are several ways, go on, or back."""
    document = buffer.document
    if not desk.ways or desk.ways[0] != document:
        before, after = document.text_before_cursor, document.text_after_cursor
        length, words = desk.complete(before)
        lines = [before[: len(before) - length] + word for word in words]
        desk.ways = deque([document, *(Document(line + after, len(line)) for line in lines)])
    desk.ways.rotate(-step)
    buffer.document = desk.ways[0]
    if len(desk.ways) < 3:  # there is nothing to choose from: the next time it is another word
        desk.ways.clear()


def _is_open(session: PromptSession[str]) -> bool:
    """Whether keys go into the line; between two lines it is to be the next one's beginning."""
    return session.app.is_running and not session.app.is_done


def _put(session: PromptSession[str], desk: Desk, document: Document) -> None:
    if _is_open(session):
        session.default_buffer.document = document
    else:
        desk.first = document


def key_bindings(desk: Desk) -> KeyBindings:
    """The keys that mean something else in a chat than in any line editor."""
    bindings = KeyBindings()

    @bindings.add(Keys.Tab)
    def _(event: KeyPressEvent) -> None:
        """Complete, or go on."""
        complete(desk, event.current_buffer, 1)

    for key in "-0123456789":
        bindings.add("escape", key)(_do_nothing)
    for key in ("c-r", "c-s"):  # what is searched for would be seen
        bindings.add(key, filter=Condition(desk.is_secret), eager=True)(_do_nothing)

    @bindings.add(Keys.BackTab)
    def _(event: KeyPressEvent) -> None:
        """Go back."""
        complete(desk, event.current_buffer, -1)

    @bindings.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        """Insert what will be sent."""
        is_secret = desk.view.is_secret
        text = event.data.strip("\r\n") if is_secret else tidy(event.data)
        event.current_buffer.insert_text(text)

    @bindings.add("c-z")
    def _(event: KeyPressEvent) -> None:
        """Take the line away, stop, and draw it again."""
        run_in_terminal(partial(suspend, desk, event.app.input))

    @bindings.add("c-c", eager=True)
    def _(event: KeyPressEvent) -> None:
        """Clear a paste; else interrupt, and leave the line to be told when all has ended."""
        if "\n" in event.current_buffer.text:
            event.current_buffer.reset()
        else:
            os.kill(os.getpid(), signal.SIGINT)

    return bindings


def tidy(pasted: str) -> str:
    """What is pasted, as lines: tabs are spaces, and there is nothing that is not seen."""
    lines = pasted.replace("\r\n", "\n").replace("\r", "\n").expandtabs(TAB).split("\n")
    return "\n".join(map(clean, lines))


def suspend(desk: Desk, keyboard: Input) -> None:
    """Stop the process, as Ctrl-Z does; return when it goes on."""
    desk.continued.clear()
    with type(keyboard).cooked_mode(keyboard):  # for other programs
        os.kill(0, signal.SIGTSTP)
        desk.continued.wait(1)  # the signal stops another thread first, this one soon after


def _do_nothing(event: KeyPressEvent) -> None:
    """No key is done several times, either: some of them fail when it is fewer than once."""


# ---- history


def open_history(desk: Desk, path: Path | None) -> InMemoryHistory | FileHistory:
    """What was said here, and not what was answered to questions; also in a file if it can be."""
    history: InMemoryHistory | FileHistory = InMemoryHistory()
    if path is not None:
        with suppress(OSError):  # then it is kept in memory only
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            path.touch(0o600)
            path.open("ab+").close()  # it is a file that can be read and written
            history = FileHistory(str(path))
    append = history.append_string

    def append_message(string: str) -> None:
        if not desk.view.question:
            with suppress(OSError, ValueError):  # no room, or no text: forgotten
                append(string)

    history.append_string = append_message  # type: ignore[method-assign]
    return history
