import asyncio
import random
import re
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.application.current import set_app
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from triochat.messages import (
    Event,
    Joined,
    Kick,
    Left,
    Notice,
    Refused,
    Removed,
    Renamed,
    Request,
    Said,
    Say,
    Whisper,
)
from triochat.terminal import View
from triochat.terminals import desk, drawing, editor, prompt, screen, shown
from triochat.terminals.prompt import Prompt, open_prompt
from triochat.terminals.screen import Screen
from triochat.terminals.shown import Shown

pytestmark = pytest.mark.real_time  # the editor has a thread of its own

AT = ""  # now
HERE = View("127.0.0.1 port 9", "Ann", {"Ann", "Bob", "Bea"})


class Display(DummyOutput):
    """A screen that keeps what is drawn above the line."""

    def __init__(self) -> None:
        self.drawn = ""

    def write_raw(self, data: str) -> None:
        """Keep it."""
        self.drawn += data


class PromptTypist:
    """A person at a prompt: types, and looks."""

    def __init__(self, keys: PipeInput, display: Display, prompt: Prompt) -> None:
        self._keys = keys
        self.display = display
        self.prompt = prompt

    @property
    def line(self) -> str:
        """What stands in the line."""
        return self.prompt._session.default_buffer.text

    @property
    def rows(self) -> list[str]:
        """What stands above it, without the times."""
        return [row[6:] if row[:1].isdigit() else row for row in self.display.drawn.splitlines()]

    async def until(self, is_so: Callable[[], object]) -> None:
        """Look until this is so."""
        while not is_so():  # noqa: ASYNC110
            await trio.sleep(0.001)

    async def type(self, keys: str, line: str | None = None) -> None:
        """Press these keys, and look until this stands in the line."""
        self._keys.send_bytes(keys.encode(errors="surrogateescape"))
        if line is not None:
            await self.until(lambda: self.line == line)

    async def show(self, *events: Event, asked: Request | None = None) -> None:
        """Let these be seen."""
        for event in events:
            await self.prompt.show(event, "Ann", asked)


@contextmanager
def a_terminal() -> Iterator[tuple[PipeInput, Display]]:
    """A keyboard and a screen that are none."""
    display = Display()
    with create_pipe_input() as keys, create_app_session(input=keys, output=display):
        yield keys, display


@asynccontextmanager
async def typing(
    monkeypatch: pytest.MonkeyPatch, history: Path | None = None
) -> AsyncIterator[PromptTypist]:
    """A person at a prompt whose standard output is the terminal as well, without colours."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with a_terminal() as (keys, display), trio.fail_after(20):
        monkeypatch.setattr(editor, "create_output", lambda **_: display)
        async with open_prompt(history=history, colour=False) as prompt:
            typist = PromptTypist(keys, display, prompt)
            prompt._drawing._console.no_color = True
            prompt._drawing._console._color_system = None
            prompt.update(HERE)
            await typist.until(lambda: prompt._session.app.is_running)
            yield typist


@pytest.mark.parametrize("unheard", [1, 3])
@pytest.mark.parametrize("error", [EOFError, OSError])
async def test_an_editor_that_does_not_hear_is_asked_again(
    unheard: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The editor's thread ends also where it is asked to just as its input goes away."""
    asked = threading.Event()

    async def read(*_: object, **__: object) -> str:
        for _try in range(unheard):
            asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        raise error

    monkeypatch.setattr(PromptSession, "prompt_async", read)
    with a_terminal(), trio.fail_after(10):
        async with open_prompt():
            assert await trio.to_thread.run_sync(asked.wait, 10)


async def test_a_bug_in_the_editor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in the editor's thread ends the program, and is not waited for."""

    async def read(*_: object, **__: object) -> str:
        raise LookupError

    monkeypatch.setattr(PromptSession, "prompt_async", read)
    with a_terminal(), trio.fail_after(10):
        try:
            async with open_prompt():
                await trio.sleep_forever()
        except* LookupError as group:
            told = group
    assert told.exceptions


# ---- what is drawn


async def test_no_event_stops_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be drawn has a line that says so, and all else is seen in its place."""

    def parts(screen: Screen, item: object) -> object:
        if "bad" in str(item):  # hidden in an event, or in a row of them
            raise LookupError("no \x1b[2J such thing")
        return real_parts(screen, item)

    real_parts: Callable[[Screen, object], object] = vars(Screen)["_parts"]
    async with typing(monkeypatch) as ann:
        monkeypatch.setattr(Screen, "_parts", parts)
        await ann.show(Notice("one"), Notice("bad"), Notice("two"), *[Joined("bad")] * 4)
        await ann.until(lambda: len(ann.rows) > 3)
        await ann.show(Notice("three"))
        await ann.until(lambda: "* three" in ann.rows)
    problem = "! something could not be shown: LookupError: no [2J such thing"
    assert ann.rows == ["* one", problem, "* two", *[problem] * 4, "* three"]


@pytest.mark.parametrize("name", ["fold", "rings", "wrap"])
async def test_no_bug_stops_the_screen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong, the next event is seen."""

    def fail(*_: object) -> None:
        raise OverflowError

    async with typing(monkeypatch) as ann:
        with monkeypatch.context() as patch:
            module = drawing if name == "rings" else screen
            patch.setattr(module, name, fail)
            await ann.show(Notice("one"))
            await ann.until(lambda: ann.rows)
        await ann.show(Notice("two"))
        await ann.until(lambda: "* two" in ann.rows)
    assert ann.rows[0].startswith("! something could not be shown: OverflowError")


async def test_who_comes_first_is_told_at_once_and_the_others_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Comings and goings soon after the first wait, and are one line, until something else is."""
    monkeypatch.setattr(drawing, "GATHER", 1e9)
    async with typing(monkeypatch) as ann:
        await ann.show(Joined("Bob"))
        await ann.until(lambda: ann.rows)
        for number in range(9):
            await ann.show(Joined(f"g{number}"))
            await ann.type(f"{number}", "0123456789"[: number + 1])  # the editor has its turn
        assert ann.rows == ["* Bob joined"]
        await ann.show(Said(1, AT, "Bob", "hello"), Left("Bob", "quit"))
        await ann.until(lambda: len(ann.rows) > 2)
    names = ", ".join(f"g{number}" for number in range(8))
    assert ann.rows[1:3] == [f"* {names} and 1 other joined", "Bob> hello"]
    assert "* Bob left" in ann.rows  # at the end at the latest


async def test_who_comes_later_is_told_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody's coming is kept back for longer than that."""
    monkeypatch.setattr(drawing, "GATHER", 0.02)
    async with typing(monkeypatch) as ann:
        await ann.show(Joined("Bob"))
        await ann.until(lambda: ann.rows)
        await ann.show(Joined("Cid"))
        await ann.until(lambda: len(ann.rows) == 2)


async def test_what_waits_is_bounded_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few large events make whoever shows more wait, as many small ones do."""
    shown = 0

    async def flood(ann: PromptTypist) -> None:
        nonlocal shown
        while True:
            await ann.show(Said(shown, AT, "Bob", "x" * 1_000_000))
            shown += 1

    async with typing(monkeypatch) as ann, trio.open_nursery() as nursery:
        monkeypatch.setattr(drawing.Drawing, "wake", lambda *_: None)  # nothing is drawn
        nursery.start_soon(flood, ann)
        await trio.testing.wait_all_tasks_blocked()
        assert 1 < shown < 20
        nursery.cancel_scope.cancel()
    assert sum(row.startswith("Bob> ") for row in ann.rows) == shown + 1


async def test_a_batch_is_bounded_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much comes in, keys have their turn between two batches of a bounded size."""
    batches: list[int] = []
    real_draw = Screen.draw

    def draw(self: Screen, shown: list[Shown], *rest: object) -> object:
        batches.append(sum(drawing.weight_of(one.event) for one in shown))
        return real_draw(self, shown, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Screen, "draw", draw)
    async with typing(monkeypatch) as ann:
        await ann.show(*(Said(n, AT, "Bob", "x" * 9_000) for n in range(30)), Notice("end"))
        await ann.until(lambda: "* end" in ann.rows)
    assert max(batches) < drawing.FRAME + 10_000
    assert sum(batches) > 30 * shown.LONG


# ---- the line


async def test_what_was_not_sent_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that were entered and not taken, and the one that was being typed, are told."""
    async with typing(monkeypatch) as ann:
        await ann.type("one\r")
        assert await ann.prompt.receive() == "one"
        await ann.type("two\r")
        await ann.type("\x1b[200~three\nfour\x1b[201~\r")
        await ann.type("half a line", "half a line")
        await ann.show(Notice("shutting down"))
    assert ann.rows == [
        "* shutting down",
        "not sent: two",
        "not sent: three",
        "not sent: four",
        "not sent: half a line",
    ]


async def test_nothing_is_told_where_all_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an empty line, nor an answer to a question, nor after Ctrl-D."""
    async with typing(monkeypatch) as ann:
        await ann.type("  ", "  ")
    assert ann.rows == []
    async with typing(monkeypatch) as ann:
        ann.prompt.update(View(question="Your handle? "))
        await ann.type("Jim", "Jim")
    assert ann.rows == []
    async with typing(monkeypatch) as ann:
        await ann.type("\x04")
        with pytest.raises(trio.EndOfChannel):
            await ann.prompt.receive()
    assert ann.rows == []


async def test_what_was_not_sent_is_clean_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that comes back at the end is wrapped and cleaned as any other."""
    async with typing(monkeypatch) as ann:
        await ann.type("x" * 200, "x" * 200)
    assert ann.rows == ["not sent:", "  " + "x" * 78, "  " + "x" * 78, "  " + "x" * 44]


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (Say("hello"), "hello"),
        (Say("a > Joe"), "\\say a > Joe"),
        (Whisper("Joee", "secret"), "secret > Joee"),
        (Kick("Joee"), ""),
        (None, ""),
    ],
)
async def test_what_was_refused_comes_back(
    asked: Request | None, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the message that was refused, not the one typed last, and only into an empty line."""
    async with typing(monkeypatch) as ann:
        await ann.type("typed later\r")
        assert await ann.prompt.receive() == "typed later"
        await ann.show(Refused("no-such-handle", "no"), asked=asked)
        await ann.until(lambda: ann.rows)
        await ann.until(lambda: ann.line == line)
        await ann.type("\x15the next", "the next")
        await ann.show(Refused("no", "no"), asked=asked)
        await ann.until(lambda: len(ann.rows) == 2)
        assert ann.line == "the next"
        assert ann.rows[1] == ("! no; Up has it" if line else "! no")


@pytest.mark.parametrize("code", ["unknown-command", "usage"])
async def test_a_command_that_is_none_comes_back(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that the grammar refused can be mended, like a message that the room refused."""
    async with typing(monkeypatch) as ann:
        await ann.type("\\hlep me\r")
        assert await ann.prompt.receive() == "\\hlep me"
        await ann.show(Refused(code, "no"))
        await ann.until(lambda: ann.line == "\\hlep me")
        await ann.type("\x15", "")
        await ann.show(Refused(code, "no"))  # a server's doing
        await ann.type("x", "x")


async def test_a_paste_that_was_refused_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """All its lines stand there again, in order, unless somebody has begun to type."""
    async with typing(monkeypatch) as ann:
        for text in ("one", "\\two", "three > Joe"):
            await ann.show(Refused("slow-down", "no"), asked=Say(text))
        await ann.until(lambda: ann.line == "one\n\\two\nthree > Joe")
        await ann.type("\r")
        assert [await ann.prompt.receive() for _ in range(3)] == [
            Say("one"),
            Say("\\two"),
            Say("three > Joe"),
        ]


async def test_enter_takes_the_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is offered stands in the question, never in the line."""
    asks = View(question="Your handle? ", offer="root")
    async with typing(monkeypatch) as ann:
        ann.prompt.update(asks)
        await ann.type("\r")
        assert await ann.prompt.receive() == "root"
        await ann.type("Ann\r")
        assert await ann.prompt.receive() == "Ann"
        ann.prompt.update(asks._replace(offer="other"))  # after a refusal
        await ann.type("Zo", "Zo")
        ann.prompt.update(asks)
        await ann.type("e\r")
        assert await ann.prompt.receive() == "Zoe"


async def test_a_half_typed_line_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept aside while something is asked, whatever else is asked then, and comes back."""
    async with typing(monkeypatch) as ann:
        await ann.type("half a line\x02\x02", "half a line")
        ann.prompt.update(View(question="Reconnect? [y/N] "))
        await ann.until(lambda: ann.line == "")
        await ann.type("y\r")
        assert await ann.prompt.receive() == "y"
        await ann.type("An", "An")
        ann.prompt.update(View(question="Your handle? "))
        await ann.until(lambda: ann.line == "")
        await ann.type("Ann\r")
        assert await ann.prompt.receive() == "Ann"
        ann.prompt.update(HERE)
        await ann.until(lambda: ann.line == "half a line")
        await ann.type("!", "half a li!ne")


async def test_what_is_kept_aside_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that a question has put aside was not sent; an answer is no line."""
    async with typing(monkeypatch) as ann:
        await ann.type("half a line", "half a line")
        ann.prompt.update(View(question="Reconnect? [y/N] "))
        await ann.until(lambda: ann.line == "")
        await ann.type("n", "n")
    assert ann.rows == ["not sent: half a line"]


async def test_what_was_entered_before_a_question_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line that nobody had taken yet when something was asked is refused, and kept aside."""
    async with typing(monkeypatch) as ann:
        await ann.type("y\r")
        await ann.until(lambda: ann.prompt._lines)
        ann.prompt.update(View(question="Reconnect? [y/N] "))
        await ann.until(lambda: ann.prompt._desk.view.question)
        await ann.type("n\r")
        assert await ann.prompt.receive() == "n"
        ann.prompt.update(HERE)
        await ann.until(lambda: ann.line == "y")
    assert ann.rows == ["! nothing was sent: first an answer, please", "not sent: y"]


async def test_what_is_typed_ahead_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who goes on typing after the answer, before it is taken, loses nothing."""
    async with typing(monkeypatch) as ann:
        ann.prompt.update(View(question="Your handle? "))
        await ann.until(lambda: ann.prompt._desk.view.question)
        await ann.type("Ann\rhello\rand", "and")
        assert await ann.prompt.receive() == "Ann"
        ann.prompt.update(HERE)
        assert await ann.prompt.receive() == "hello"
        await ann.type("!", "and!")


async def test_ctrl_c_keeps_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is a signal to the process; what stood in the line is told when that has ended it."""
    signals: list[int] = []
    monkeypatch.setattr("os.kill", lambda _, number: signals.append(number))
    async with typing(monkeypatch) as ann:
        await ann.type("half a line", "half a line")
        await ann.type("\x03")
        await ann.until(lambda: signals)
    assert signals == [signal.SIGINT]
    assert ann.rows == ["not sent: half a line"]


async def test_who_is_typing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until no key was pressed for a moment; who presses none is not waited for."""
    monkeypatch.setattr(prompt, "IDLE", 0.05)
    async with typing(monkeypatch) as ann:
        with trio.fail_after(0.04):
            await ann.prompt.wait_idle()
        await ann.type("half", "half")
        begun = trio.current_time()
        await ann.prompt.wait_idle()
        assert 0 < trio.current_time() - begun < 5
    assert ann.rows == ["not sent: half"]


async def test_who_never_stops_typing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is typed, the end comes."""
    monkeypatch.setattr(prompt, "IDLE", 1e9)
    monkeypatch.setattr(prompt, "IDLE_AT_MOST", 0.01)
    async with typing(monkeypatch) as ann:
        await ann.type("half", "half")
        await ann.prompt.wait_idle()


async def test_what_is_held_stays_in_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the view says that no line can be taken, Enter leaves it; afterwards it is sent."""
    async with typing(monkeypatch) as ann:
        ann.prompt.update(HERE._replace(holds="not connected"))
        await ann.type("hello\r", "hello")
        buffer = ann.prompt._session.default_buffer
        await ann.until(lambda: buffer.validation_error)
        assert buffer.validation_error
        assert buffer.validation_error.message == "not connected"
        ann.prompt.update(HERE)
        await ann.type("\r")
        assert await ann.prompt.receive() == "hello"


async def test_tab_goes_through_the_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tab shows one way after the other and then what was typed, Shift-Tab goes back."""
    async with typing(monkeypatch) as ann:
        await ann.type("hi b\t", "hi Bea")
        for line in ("hi Bob", "hi b", "hi Bea"):
            await ann.type("\t", line)
        for line in ("hi b", "hi Bob"):
            await ann.type("\x1b[Z", line)
        await ann.type("!\t", "hi Bob!")
        await ann.type("\x15\\bell \t\t", "\\bell mention")
        await ann.type("\x15be\tyes", "Bea: yes")
    assert ann.rows == ["not sent: Bea: yes"]


async def test_a_paste_keeps_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tabs become spaces, and nothing stands in the line that would not be sent."""
    async with typing(monkeypatch) as ann:
        await ann.type("\x1b[200~if x:\r\n\treturn\x1b[2J\n\n\ta\tb\x1b[201~")
        await ann.until(lambda: ann.line == "if x:\n    return[2J\n\n    a   b")
        await ann.type("\r")
        said = [await ann.prompt.receive() for _ in range(3)]
    assert said == [Say("if x:"), Say("    return[2J"), Say("    a   b")]


@pytest.mark.parametrize("what", ["a folder", "garbage", "unreadable", "in a file"])
async def test_any_history_file(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A history that cannot be read or written is none, and nobody hears of it."""
    path = tmp_path / "triochat" / "history"
    if what == "a folder":
        path.mkdir(parents=True)
    elif what == "in a file":
        path.parent.write_text("no folder")
    else:
        path.parent.mkdir()
        path.write_bytes(b"\xff\x00+\xfe\n+one\n\x80" * 100)
        path.chmod(0o600 if what == "garbage" else 0o000)
    async with typing(monkeypatch, path) as ann:
        await ann.type("hello\r")
        assert await ann.prompt.receive() == "hello"
        await ann.type("\x1b[A", "hello")
        await ann.type("\x1b[A\x1b[A\x15", "")
    assert ann.rows == []
    assert capfd.readouterr() == ("", "")


KEYS = (
    *map(chr, range(32)),
    "\x7f",
    "\x1b[200~",
    "\x1b[201~",
    "\x1b[200~a\nb\x1b[201~",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGk=\x07",
    "\x1b[A",
    "\x1b[Z",
    "\x1b[1;5C",
    "\x1b[999;999R",
    "\x1bOP",
    "\x1b[<0;1;1M",
    "\x1b",
    "hello",
    "你",
    "\\b",
    " > b",
    "\x18(",
    "\x18)",
    "\x18e",
    "\x1b!",
    "\x1b-",
    "\x1b9",
    "\x1b[27;5;13~",
    "\r",
)
"""What may come from a keyboard, or from somebody who pastes without brackets."""


@pytest.mark.parametrize("seed", range(12))
async def test_any_keys(
    seed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever is typed or pasted, nothing is printed but by us, and the editor goes on."""
    source = random.Random(seed)  # noqa: S311
    caplog.set_level("INFO", "triochat")
    monkeypatch.setattr("os.kill", lambda *_: None)
    async with typing(monkeypatch, tmp_path / "history") as ann:
        for _ in range(150):
            key = source.choice([*KEYS, chr(source.randrange(0xDC80, 0xDD00))])
            if key not in ("\x04", "\x1a"):
                await ann.type(key)
        await ann.type("\x1b[201~")
        await ann.show(Notice("here"))
        await ann.until(lambda: "* here" in ann.rows)
        await ann.type("\x07\x03\x03")
    assert [row for row in ann.rows if not row.startswith(("* here", "not sent: ", " "))] == []
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize("keys", ["\x1b-\x1b[A", "\x1b-\x0e", "\x1b-9\x10", "\x1b0\x7f", "\x18e"])
async def test_keys_that_mean_less_than_once(
    keys: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Arguments of keys, which could be less than one and end the editor, there are none."""
    caplog.set_level("INFO", "triochat")
    async with typing(monkeypatch) as ann:
        await ann.type("\x1b[200~one\ntwo\x1b[201~")
        await ann.type(keys)
        await ann.type("\x15\x15")
        await ann.until(lambda: "two" not in ann.line or not ann.line)
        await ann.type("\x1b[200~end\x1b[201~")
        await ann.until(lambda: "end" in ann.line)
    assert caplog.records == []


async def test_a_bug_in_a_key_loses_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong with one key does not end the editor."""

    def fail(*_: object) -> None:
        raise LookupError

    async with typing(monkeypatch) as ann:
        with monkeypatch.context() as patch:
            patch.setattr(editor, "complete", fail)
            await ann.type("a", "a")
            await ann.type("\t")
            await ann.until(lambda: not ann.prompt._session.app.key_processor.input_queue)
        await ann.type("b", "ab")


async def test_who_has_spoken_is_known_by_any_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who spoke last comes first in what Tab offers, also under another handle."""
    async with typing(monkeypatch) as ann:
        await ann.show(Said(1, AT, "Joe", "hello"), Renamed("Joe", "Bob"))
        await ann.type("b\t", "Bob: ")


# ---- what is past, and what is not confirmed yet


async def test_what_is_ours_is_ascii_where_the_terminal_has_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule and a bar are seen as such in any encoding."""
    monkeypatch.setattr(Display, "encoding", lambda _: "iso8859-1")
    async with typing(monkeypatch) as ann:
        await ann.prompt.show(Said(1, AT, "Bob", "hello"), "Ann", is_past=True)
        await ann.until(lambda: len(ann.rows) == 2)
    assert ann.rows[0] == "-------- earlier"
    assert re.fullmatch(r"\d\d:\d\d\|Bob> hello", ann.display.drawn.splitlines()[1])


async def test_the_bell_is_for_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is called by what was said before; a mention in it is only marked."""
    async with typing(monkeypatch) as ann:
        said = Said(1, AT, "Bob", "Ann?")
        await ann.prompt.show(said, "Ann", is_past=True)
        await ann.until(lambda: "Bob> Ann?" in ann.rows)
        assert "\a" not in ann.display.drawn
        await ann.prompt.show(said, "Ann")
        await ann.until(lambda: "\a" in ann.display.drawn)


async def test_what_is_removed_while_it_waits_is_not_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message that nobody has seen yet is not shown any more; what has its id later is."""
    async with typing(monkeypatch) as ann:
        with monkeypatch.context() as patch:
            patch.setattr(drawing.Drawing, "wake", lambda *_: None)  # nothing is drawn
            await ann.show(Said(1, AT, "Bob", "one"), Said(2, AT, "Bob", "two"))
            await ann.show(Removed((1,), "1 message was removed"))
        await ann.show(Said(1, AT, "Bob", "another room's"))
        await ann.until(lambda: len(ann.rows) == 3)
    assert ann.rows == ["Bob> two", "* 1 message was removed", "Bob> another room's"]


async def test_what_is_not_confirmed_stands_above_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a moment, until the answer comes: then only what the room tells stands there."""
    monkeypatch.setattr(desk, "LATE", 0.05)
    monkeypatch.setattr(editor, "LATE", 0.05)
    rendered: list[str] = []
    async with typing(monkeypatch) as ann:
        app = ann.prompt._session.app

        def keep(_: object) -> None:
            with set_app(app):
                rendered.append("".join(part[1] for part in ann.prompt._desk.prompt()))

        app.after_render += keep
        said = Say("hello")
        ann.prompt.update(HERE._replace(unconfirmed=(said,)))
        await ann.until(lambda: "…     Ann> hello\nAnn> " in rendered)
        assert rendered[0] == "Ann> "
        await ann.show(Said(1, AT, "Ann", "hello"), asked=said)  # the view is as it was
        await ann.until(lambda: "Ann> hello" in ann.rows)
        await ann.until(lambda: rendered[-1] == "Ann> ")
        ann.prompt.update(HERE)
