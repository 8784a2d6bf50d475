import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from triochat.terminals.prompt import open_prompt


@contextmanager
def a_terminal() -> Iterator[None]:
    """A keyboard and a screen that are none."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield


@pytest.mark.parametrize("unheard", [1, 3])
@pytest.mark.parametrize("error", [EOFError, OSError])
async def test_an_editor_that_does_not_hear_is_asked_again(
    unheard: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The editor's thread ends also where it is asked to just as its input goes away."""
    asked = threading.Event()

    async def prompt(*_: object, **__: object) -> str:
        for _try in range(unheard):
            asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        raise error

    monkeypatch.setattr(PromptSession, "prompt_async", prompt)
    with a_terminal(), trio.fail_after(10):
        async with open_prompt():
            await trio.to_thread.run_sync(asked.wait)


async def test_a_bug_in_the_editor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in the editor's thread ends the program, and is not waited for."""

    async def prompt(*_: object, **__: object) -> str:
        raise LookupError

    monkeypatch.setattr(PromptSession, "prompt_async", prompt)
    with a_terminal(), trio.fail_after(10):
        try:
            async with open_prompt():
                await trio.sleep_forever()
        except* LookupError as group:
            told = group
    assert told.exceptions
