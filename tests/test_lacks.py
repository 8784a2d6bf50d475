import errno
import logging
import os

import pytest
import trio
import trio.testing

from house import House, open_house
from triochat.hub import AGAIN, Hub
from triochat.room import Room
from triochat.server import serve
from triochat.testing import MemoryListener

SAID = (
    "nobody new gets in (too many open files);"
    " to have more: ulimit -n, or LimitNOFILE= of a service"
)


class Full(MemoryListener):
    """A listener for whose connections the system lacks files, from 1 s until a time."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until
        self.tries = 0

    async def accept(self) -> trio.abc.Stream:
        """The next connection."""
        self.tries += 1
        await trio.sleep_until(1.0)
        if trio.current_time() < self.until:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return await super().accept()


async def test_that_files_lack_is_said_once_a_minute(
    caplog: pytest.LogCaptureFixture, nursery: trio.Nursery
) -> None:
    """In the log and to the operators, in one line; and who waited gets in when there are some."""
    hub, listener = Hub(Room()), Full(until=AGAIN + 9)
    house = House(hub, listener)
    doors = await nursery.start(serve, [listener], hub)
    operator = await house.operator()
    await trio.sleep(AGAIN)
    assert caplog.messages == [SAID]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert (await operator.event())["text"] == SAID
    assert await operator.heard_nothing()
    await trio.sleep(5)
    assert caplog.messages == [SAID, SAID]
    assert listener.tries > 300
    await house.plain("Ann")
    doors.cancel()
    nursery.cancel_scope.cancel()


async def test_a_lack_is_told_to_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """Members need not know; and another lack is said for itself."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        for lack in ("this", "that", "this"):
            house.hub.lack(lack)
        assert await ann.heard_nothing()
    assert caplog.messages == ["this", "that"]
