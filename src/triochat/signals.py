"""Signals: what ends a command politely the first time, and at once the second time."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache

import trio

from triochat.connection import QUIT_TIMEOUT

PARTING = 1.0
"""Seconds in which who has left, or has given up leaving politely, is told what got lost."""

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""What ends a server or a client politely."""


@asynccontextmanager
async def open_signals() -> AsyncIterator[AsyncIterator[int]]:
    """The signals that end us, but for those that whoever started us wants ignored (``nohup``)."""
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    _has_terminal()
    with trio.open_signal_receiver(*heard) as signals:
        yield aiter(signals)


async def next_end(signals: AsyncIterator[int], hang_up: Callable[[], object]) -> signal.Signals:
    """The next of these that ends a server.

    A hang-up is none where there never was a terminal: then a service manager has sent it, which
    means to say that a file has changed: ``hang_up`` is called, each time.
    """
    while True:
        heard = signal.Signals(await anext(signals))
        if heard.name != "SIGHUP" or _has_terminal():
            return heard
        hang_up()


@cache
def _has_terminal() -> bool:
    """Whether the system would tell this process by a signal that its terminal has gone away.

    That is looked up once, while it is there.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def until_signal(
    act: Callable[[], Awaitable[int]], leave: Callable[[], Awaitable[bool]]
) -> int:
    """Do this, and return its exit code; or a signal's, which makes it leave, the next one at once.

    ``leave`` says whether there is an end to be waited for.
    """
    signalled = code = 0

    async def leave_on_signal() -> None:
        nonlocal signalled
        async with open_signals() as signals:
            signalled = 128 + await anext(signals)
            if await leave():
                with trio.move_on_after(QUIT_TIMEOUT + PARTING):
                    await anext(signals)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_on_signal)
        code = await act()
        nursery.cancel_scope.cancel()
    return signalled or code
