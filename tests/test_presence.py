"""Who is silent, and can be asked, is asked whether it is there; others are not."""

import pytest
import trio

from house import open_house
from triochat.dialects.plain import PlainSpeaker
from triochat.dialects.recognition import BEGINNINGS
from triochat.order import AnyRequest
from triochat.presence import LOOK, PATIENCE


class Asked(PlainSpeaker):
    """Plain lines, of somebody who can be asked; whatever is said counts, but asks for nothing."""

    parting = "connection lost"
    silence = 90.0

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """Count it."""
        self.heard += 1
        return super().hear(bytes(data).replace(b"~", b"").replace(b"here\n", b""))

    def ask_presence(self) -> bytes:
        """In a word."""
        return b"there?\n"


@pytest.fixture(autouse=True)
def door(monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock) -> None:
    """Whoever begins with a ``~`` can be asked."""
    monkeypatch.setitem(BEGINNINGS, b"~", Asked)


async def test_who_is_silent_is_asked_and_goes_where_no_answer_comes() -> None:
    """After its silence it is asked once; then it has left like anybody whose cable is cut."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        bob = await house.connect()
        await bob.type("~Bob")
        await bob.until("* Server connected")
        start = trio.current_time()
        assert await bob.line() == "there?"
        assert Asked.silence <= trio.current_time() - start <= Asked.silence + 2 * LOOK
        assert await bob.rest() == []
        gone = trio.current_time() - start
        assert Asked.silence + PATIENCE <= gone <= Asked.silence + PATIENCE + 2 * LOOK
        assert await ann.hear(2) == ["* Bob joined", "* Bob left (connection lost)"]
        assert not house.room.seats


async def test_who_answers_stays_and_is_asked_again() -> None:
    """Any word will do; who is asked for nothing else waits in silence as long as it likes."""
    async with open_house() as house:
        await house.plain("Ann")
        bob = await house.connect()
        await bob.type("~Bob")
        await bob.until("* Server connected")
        for _ in range(5):
            start = trio.current_time()
            assert await bob.line() == "there?"
            assert trio.current_time() - start >= Asked.silence
            await bob.type("here")
        assert house.room.roster == ("Ann", "Bob")


async def test_who_speaks_is_not_asked() -> None:
    """Whoever says something now and then is there."""
    async with open_house() as house:
        bob = await house.connect()
        await bob.type("~Bob")
        await bob.until("* Server connected")
        for _ in range(10):
            await trio.sleep(Asked.silence - 2 * LOOK)
            await bob.type("here")
        assert await bob.heard_nothing()
