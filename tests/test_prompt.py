import asyncio
import threading
from contextlib import suppress

import pytest
import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from triochat.terminals.prompt import open_prompt


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
    with (
        create_pipe_input() as keys,
        create_app_session(input=keys, output=DummyOutput()),
        trio.fail_after(10),
    ):
        async with open_prompt():
            await trio.to_thread.run_sync(asked.wait)
