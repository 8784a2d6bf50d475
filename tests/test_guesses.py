"""Who guesses the password: counted and slowed by host, whoever connects how often."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from house import House, Peer, open_house
from triochat.dialects.plain import EXPOSED
from triochat.ratelimit import GUESSES, HOSTS, Guesses
from triochat.session import Session
from triochat.stranger import GUESSING, PERSON

RIGHT = {"type": "join", "password": "sesame"}
WRONG = {"type": "join", "handle": "Eve", "password": "simsim"}


class Street:
    """A room with a password, and hosts from which one can come to it."""

    def __init__(self, house: House, nursery: trio.Nursery) -> None:
        self.house = house
        self.tries = 0
        self._nursery = nursery

    def come(self, host: str) -> Peer:
        """Somebody from this host, who has said nothing yet."""
        ours, theirs = trio.testing.memory_stream_pair()
        session = Session(theirs, self.house.hub, f"{host} port 1", host=host)
        self._nursery.start_soon(session.run)
        return Peer(ours)

    async def guess(self, host: str) -> None:
        """Say wrong passwords from there as fast as one is heard; come again when put out."""
        peer = self.come(host)
        while True:
            try:
                await peer.ask(WRONG)
                assert (await peer.event())["code"] == "password-wrong"
                self.tries += 1
            except (EOFError, KeyError, trio.BrokenResourceError):
                peer = self.come(host)

    async def guess_in_passing(self, host: str) -> None:
        """The same by a new connection each time, which waits for no answer."""
        while True:
            peer = self.come(host)
            await peer.ask(WRONG)
            await trio.sleep(0.01)
            await peer.stream.aclose()

    async def seconds_to_join(self, host: str, handle: str) -> float:
        """How long a person from there needs, who types a handle, and the password."""
        start = trio.current_time()
        peer = self.come(host)
        await peer.type(handle)
        await peer.until("* this room has a password; what is it?")
        await peer.type("sesame")
        await peer.until(f"* Server connected. You are {handle}.")
        await peer.stream.aclose()
        return trio.current_time() - start


@asynccontextmanager
async def open_street() -> AsyncIterator[Street]:
    """A room that can be reached from anywhere, with the password sesame."""
    async with open_house(password="sesame") as house, trio.open_nursery() as nursery:
        yield Street(house, nursery)
        nursery.cancel_scope.cancel()


async def test_a_thousand_wrong_ones_keep_nobody_else_waiting() -> None:
    """While one host guesses a thousand times, who comes from another is in within a second."""
    async with open_street() as street, trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(street.guess, "10.0.0.1/32")
        start = trio.current_time()
        for number in range(20):
            await trio.sleep(6)
            assert await street.seconds_to_join("10.0.0.2/32", f"ann{number}") < 1
        burst, rate = GUESSES
        assert 1000 <= street.tries <= burst + rate * (trio.current_time() - start)
        nursery.cancel_scope.cancel()


async def test_who_shares_a_host_with_who_guesses_gets_in() -> None:
    """While ten connections of a host guess, an honest newcomer from there needs some seconds."""
    async with open_street() as street, trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(street.guess, "10.0.0.1/32")
        for number in range(10):
            await trio.sleep(10)
            assert await street.seconds_to_join("10.0.0.1/32", f"ann{number}") < 4
        nursery.cancel_scope.cancel()


async def test_who_is_gone_owes_nothing() -> None:
    """A host whose strangers ask and do not wait is no more behind than its lobby is large."""
    async with open_street() as street:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(street.guess_in_passing, "10.0.0.1/32")
            await trio.sleep(6)
            nursery.cancel_scope.cancel()
        assert await street.seconds_to_join("10.0.0.1/32", "ann") < 25  # and not 52


async def test_a_class_comes_in_at_once() -> None:
    """Thirty people behind one address, who all know the password, are in within five seconds."""
    async with open_street() as street, trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = trio.current_time() + 5
        for number in range(30):
            nursery.start_soon(street.seconds_to_join, "10.0.0.1/32", f"ann{number}")
    assert not nursery.cancel_scope.cancelled_caught


async def test_who_comes_from_elsewhere_is_told_who_may_listen() -> None:
    """Before it is asked a plain peer from another machine learns that the answer can be read."""
    async with open_street() as street:
        far, near = street.come("10.0.0.1"), street.come("127.0.0.1")
        asked = "* this room has a password; what is it?"
        for peer in (far, near):
            await peer.type("Ann")
        assert (await far.line()).startswith(f"* {EXPOSED}")
        assert [await far.line(), await near.line()] == [asked, asked]


async def test_to_connect_anew_is_no_new_burst() -> None:
    """Each line of a stranger counts, over whichever connection it comes."""
    async with open_street() as street:
        start = trio.current_time()
        for _ in range(40):
            peer = street.come("10.0.0.1/32")
            await peer.ask(WRONG)
            await peer.line()
            await peer.stream.aclose()
        burst, rate = GUESSES
        assert trio.current_time() - start == pytest.approx((40 - burst) / rate)


async def test_the_time_to_join_is_not_stretched() -> None:
    """A stranger has as long in all, whatever it types, and however long it waits for its turn."""
    async with open_street() as street, trio.open_nursery() as nursery:
        slow = street.come("10.0.0.1/32")
        await slow.type("Ann")
        nursery.start_soon(street.guess, "10.0.0.1/32")
        for _ in range(2):
            await trio.sleep(PERSON - 10)
            await slow.type("simsim")
        lines = await slow.rest()
        assert "closed the connection: not joined within" in lines[-1]
        assert trio.current_time() == pytest.approx(GUESSING, abs=1)
        nursery.cancel_scope.cancel()


async def test_the_log_says_who_guesses(caplog: pytest.LogCaptureFixture) -> None:
    """Each wrong password stands in the log with its address, the tenth of a host as a warning."""
    caplog.set_level(logging.INFO, "triochat")
    async with open_street() as street:
        for _ in range(10):
            peer = street.come("10.0.0.1/32")
            await peer.ask(WRONG)
            await peer.line()
            await peer.stream.aclose()
        await street.seconds_to_join("10.0.0.2/32", "Ann")
    refusals = [one for one in caplog.messages if "refused" in one]
    assert refusals == ["10.0.0.1/32 port 1: refused (password-wrong)"] * 10
    [warned] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert warned.getMessage() == "10.0.0.1/32 port 1: 10 wrong passwords from its host"
    assert "simsim" not in caplog.text
    assert "sesame" not in caplog.text


async def test_a_room_without_a_password_slows_nobody_so() -> None:
    """Where there is nothing to guess strangers of a host do not wait for each other."""
    async with open_house() as house, trio.open_nursery() as nursery:
        street = Street(house, nursery)
        for number in range(40):
            peer = street.come("10.0.0.1/32")
            await peer.type(f"ann{number}")
            await peer.until(f"* Server connected. You are ann{number}.")
        assert trio.current_time() == 0
        nursery.cancel_scope.cancel()


def test_hosts_share_nothing() -> None:
    """What one host has tried is its own; those that were heard last are remembered."""
    guesses = Guesses()
    assert [guesses.spend("here", 0.0) for _ in range(22)] == [0.0] * 20 + [0.1, 0.2]
    assert guesses.spend("there", 0.0) == 0.0
    guesses.spend("here", 0.0, -1)
    assert guesses.spend("here", 0.0) == 0.2, "who is gone has left its place to the next"
    assert [guesses.count_wrong(host) for host in ("here", "here", "there")] == [1, 2, 1]
    for number in range(HOSTS):
        guesses.spend(f"{number}", 0.0)
    assert guesses.spend("here", 0.0) == 0.0, "so many others were heard since"
    assert guesses.count_wrong("here") == 1
