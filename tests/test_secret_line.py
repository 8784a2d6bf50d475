"""A line that is typed in secret, at the prompt: it is handed over, and not remembered."""

from pathlib import Path

import pytest
import trio

from test_prompt import HERE, PromptTypist, typing
from triochat.messages import Notice, Refused
from triochat.questions import ASK_PASSWORD
from triochat.terminal import View

pytestmark = pytest.mark.real_time  # the editor has a thread of its own

SECRET = View("there", question=ASK_PASSWORD, is_secret=True)
UNDO, KILL, YANK, SEARCH, UP = "\x1f", "\x15", "\x19", "\x12", "\x1b[A"


async def ask(ann: PromptTypist) -> None:
    """Ask for a secret, and wait until the editor knows."""
    ann.prompt.update(SECRET)
    await ann.until(lambda: ann.prompt._desk.view.is_secret)


async def test_it_is_handed_over_and_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the history nor its file has it, and what was being typed comes back."""
    history = tmp_path / "history"
    async with typing(monkeypatch, history) as ann:
        await ann.type("half", "half")
        await ask(ann)
        await ann.type("sesame", "sesame")
        await ann.type("\r")
        assert await ann.prompt.receive() == "sesame"
        assert ann.prompt._taken == ""
        ann.prompt.update(HERE)
        await ann.until(lambda: ann.line == "half")
        await ann.type(KILL + UP, "")
        await ann.type("said\r")
        assert await ann.prompt.receive() == "said"
    assert "sesame" not in ann.prompt._session.history.get_strings()
    assert "said" in history.read_text()
    assert "sesame" not in history.read_text()
    assert not any("sesame" in row for row in ann.rows)


async def test_what_was_half_typed_is_gone_with_the_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question that is withdrawn leaves nothing to be seen, undone or yanked."""
    async with typing(monkeypatch) as ann:
        await ask(ann)
        await ann.type("sesame", "sesame")
        await ann.type(KILL, "")
        await ann.type("simsim", "simsim")
        ann.prompt.update(HERE)
        await ann.until(lambda: ann.line == "")
        await ann.type(UNDO + YANK + "x", "x")
    assert ann.rows == ["not sent: x"]


async def test_one_that_comes_too_late_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entered when it is not asked for any more it is not sent, and one line says so."""
    async with typing(monkeypatch) as ann:
        await ask(ann)
        await ann.type("sesame\r")
        await ann.until(lambda: ann.prompt._lines)
        ann.prompt.update(HERE)
        with trio.move_on_after(0.1):
            await ann.prompt.receive()
        await ann.until(lambda: ann.rows)
        await ann.show(Refused("unknown-command", "there is no command \\frob"))
        await ann.until(lambda: len(ann.rows) == 2)
        assert ann.line == ""
    assert ann.rows[0] == "! nothing was sent: that is not asked any more"
    assert not any("sesame" in row for row in ann.rows)


async def test_none_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody took, and what was being typed, is no part of what was not sent."""
    async with typing(monkeypatch) as ann:
        await ask(ann)
        await ann.type("sesame\r")
        await ann.until(lambda: ann.prompt._lines)
        await ann.type("simsim", "simsim")
    assert ann.rows == []


async def test_a_paste_is_a_secret_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tabs and what nobody sees are part of it, a line end after it is not."""
    async with typing(monkeypatch) as ann:
        await ask(ann)
        await ann.type("\x1b[200~se\t\u200bsame\r\n\x1b[201~", "se\t\u200bsame")
        await ann.type("\r")
        assert await ann.prompt.receive() == "se\t\u200bsame"


async def test_a_search_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-R does nothing, and Enter with nothing is an answer too."""
    async with typing(monkeypatch) as ann:
        await ask(ann)
        await ann.type("\r")
        assert await ann.prompt.receive() == ""
        await ann.until(lambda: ann.prompt._session.app.is_running)
        await ann.type(SEARCH + "sesame", "sesame")


async def test_a_line_that_was_seen_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was entered as another answer is not taken for the password."""
    async with typing(monkeypatch) as ann:
        ann.prompt.update(View("there", question="Your handle? "))
        await ann.until(lambda: ann.prompt._desk.view.question)
        await ann.type("Bob\r")
        await ann.until(lambda: ann.prompt._lines)
        await ask(ann)
        with trio.move_on_after(0.1):
            await ann.prompt.receive()
        await ann.show(Notice("so"))
        await ann.until(lambda: len(ann.rows) == 2)
        assert ann.rows[0].startswith("! nothing was sent: first an answer, please")
