import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
import trio
import trio.testing

from doubles import Typist
from house import EPOCH, House, open_house
from triochat.console import run_console, run_relay
from triochat.outbox import LINGER


@asynccontextmanager
async def open_console(house: House) -> AsyncIterator[Typist]:
    """The operator of this house, at the console."""
    typist = Typist()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_console, house.hub, typist)
        await trio.testing.wait_all_tasks_blocked()
        yield typist
        nursery.cancel_scope.cancel()


async def test_the_operator_is_a_member() -> None:
    """The operator is in the roster, speaks to all, whispers, and hears everything public."""
    async with open_house() as house, open_console(house) as operator:
        assert operator.prompt == "Server> "
        jimmy = await house.connect()
        await jimmy.type("Jimmy", "Me first!")
        await trio.testing.wait_all_tasks_blocked()
        await operator.type("My turn")
        await operator.type("psst > jimmy")
        await operator.type("?")
        assert operator.screen == [
            "* Jimmy joined",
            "Jimmy> Me first!",
            "Server> My turn",
            "[you -> Jimmy] psst",
            "* 2 here: Jimmy, Server\n* by door: 1 console (Server), 1 plain (Jimmy)",
        ]
        assert await jimmy.hear(3) == [
            "* Server connected. You are Jimmy. 2 here: Jimmy, Server",
            "Server> My turn",
            "[Server -> you] psst",
        ]


async def test_the_operator_kicks() -> None:
    r"""A kicked member is told why, the others hear it, and ``\help`` knows the command."""
    async with open_house() as house, open_console(house) as operator:
        joe, ann = await house.plain("Joe"), await house.plain("Ann")
        await operator.type("\\kick joe being too loud")
        closing = "* Server closed the connection: kicked: being too loud"
        assert await joe.rest() == ["* Ann joined", closing]
        assert await ann.line() == "* Joe left (kicked: being too loud)"
        await operator.type("\\help")
        assert "\\kick NAME [WHY]" in operator.screen[-1]


async def test_the_operators_quit_ends_every_connection_and_not_the_server() -> None:
    """Everybody is told and disconnected; the console says so, and the next may join."""
    async with open_house() as house, open_console(house) as operator:
        ann, bob = await house.plain("Ann"), await house.ndjson("Bob")
        await operator.type("\\quit")
        await trio.testing.wait_all_tasks_blocked()
        reason = "the operator ended the chat"
        assert operator.screen[2:] == [
            f"* Ann left ({reason})",
            f"* Bob left ({reason})",
            "* all clients disconnected; still listening on port 9999",
        ]
        assert set(operator.view.roster) == {"Server"}
        assert (await ann.rest())[-1] == f"* Server closed the connection: {reason}"
        assert await bob.event() == {
            "type": "closing",
            "reason": reason,
            "retry": True,
            "ask": True,
        }
        assert await bob.rest() == []
        await house.plain("Ann")
        assert house.room.roster == ("Ann", "Server")


async def test_the_operator_is_not_told_that_the_server_stops() -> None:
    """Who stops the server knows it, and is no client that is sent away."""
    async with open_house() as house, open_console(house) as operator:
        house.hub.close("shutting down")
        await trio.testing.wait_all_tasks_blocked()
        assert operator.screen == []


async def test_the_end_of_the_operators_input_is_not_the_end_of_the_room() -> None:
    """At Ctrl-D the operator leaves; everybody else stays."""
    async with open_house() as house:
        async with open_console(house) as operator:
            ann = await house.plain("Ann")
            await operator.keys.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert house.room.roster == ("Ann",)
        await ann.type("?")
        assert await ann.hear(2) == ["* Server left", "* 1 here: Ann"]


async def test_an_operator_that_was_put_out_comes_back() -> None:
    """A console that fell behind is opened again, as operator."""
    async with open_house() as house, open_console(house) as operator:
        (link,) = house.hub.fan_out.links.values()
        link.outbox.evict("fell behind")
        await trio.testing.wait_all_tasks_blocked()
        assert house.room.roster == ("Server",)
        await operator.type("still here")
        assert operator.screen[-1] == "Server> still here"


async def test_the_relay_shows_and_takes_no_part() -> None:
    """The relay shows everything public with its time, is in no roster, and sees no whisper."""
    screen, paper = trio.testing.memory_stream_one_way_pair()
    async with open_house() as house, trio.open_nursery() as nursery:
        nursery.start_soon(run_relay, house.hub, screen)
        await trio.testing.wait_all_tasks_blocked()
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        await ann.type("hello", "psst > Bob")
        assert await bob.hear(2) == ["Ann> hello", "[Ann -> you] psst"]
        await bob.type("\\quit")
        assert (await ann.hear(2))[1] == "* Bob left"
        assert house.room.roster == ("Ann",)
        house.hub.close("shutting down")
        await trio.testing.wait_all_tasks_blocked()
    *lines, last = (await paper.receive_some()).decode().splitlines()
    now = datetime.fromtimestamp(EPOCH).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert lines == [
        f"{now} * Ann joined",
        f"{now} * Bob joined",
        f"{now} Ann> hello",
        f"{now} * Bob left",
    ]
    closing = "* Server closed the connection: shutting down"
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d " + re.escape(closing), last)


async def test_a_relay_that_nobody_reads_holds_up_nothing() -> None:
    """A screen that takes nothing misses lines, and the server stops within the linger."""
    screen, _paper = trio.testing.lockstep_stream_one_way_pair()
    async with open_house() as house, trio.open_nursery() as nursery:
        nursery.start_soon(run_relay, house.hub, screen)
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        assert await ann.line() == "* Bob joined"
        for number in range(100):
            await ann.type(f"{number}")
        assert await bob.hear(100) == [f"Ann> {number}" for number in range(100)]
        assert trio.current_time() == 0
        house.hub.close("shutting down")
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(LINGER)
