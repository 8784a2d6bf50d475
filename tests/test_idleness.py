from contextlib import suppress

import pytest
import trio

from house import Peer, open_house
from triochat.idleness import BUSY, LOOK, WARNING
from triochat.ratelimit import Limits

LIMIT = 300.0


async def ping(peer: Peer, seconds: float) -> None:
    """Ping all the time."""
    with trio.move_on_after(seconds), suppress(trio.BrokenResourceError):
        while True:
            await peer.ask({"type": "ping"})
            await trio.sleep(10)


async def test_who_says_nothing_is_warned_and_put_out() -> None:
    """A minute before its time a member is told; then it is out, and the others know why."""
    async with open_house(limits=Limits(idle=LIMIT)) as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        assert await ann.line() == "* Bob joined"
        start = trio.current_time()
        assert "or you are put out" in await bob.line()
        assert LIMIT - WARNING <= trio.current_time() - start <= LIMIT - WARNING + LOOK
        await ann.type("?")
        assert await bob.rest() == ["* Server closed the connection: idle"]
        assert LIMIT <= trio.current_time() - start <= LIMIT + 2 * LOOK
        assert (await ann.hear(3))[-1] == "* Bob left (idle)"


async def test_a_client_asks_before_it_comes_back() -> None:
    """Pings do not count; who is put out may come back, if a person wants to."""
    async with open_house(limits=Limits(idle=LIMIT)) as house:
        ann = await house.ndjson("Ann")
        await ping(ann, LIMIT + WARNING)
        lines = await ann.rest()
        assert lines[-1] == '{"type":"closing","reason":"idle","retry":true,"ask":true}'


async def test_who_says_something_after_the_warning_stays() -> None:
    """Whatever a member asks for it is there; later it is warned again."""
    async with open_house(limits=Limits(idle=LIMIT)) as house:
        ann = await house.plain("Ann")
        for _ in range(5):
            assert "or you are put out" in await ann.line()
            await trio.sleep(WARNING / 2)
            await ann.type("?")
            assert await ann.line() == "* 1 here: Ann"


async def test_operators_are_never_idle() -> None:
    """The console, and members that were made operators, stay; and by default everybody does."""
    async with open_house(limits=Limits(idle=LIMIT)) as house:
        console, ann = await house.operator(), await house.plain("Ann")
        house.room.operators.add(next(peer for peer in house.room.members if not peer.is_console))
        assert (await console.event())["type"] == "joined"
        await trio.sleep(LIMIT * 3)
        assert await ann.heard_nothing()
        assert await console.heard_nothing()
    async with open_house() as house:
        ann = await house.plain("Ann")
        await trio.sleep(BUSY * 3)
        assert await ann.heard_nothing()


@pytest.mark.parametrize("waiting", [1, 2])
async def test_idle_members_give_way_where_more_wait_than_are_in(waiting: int) -> None:
    """Who is idle for half an hour then is warned, and out; whose turn comes has its own time."""
    async with open_house(max_clients=1) as house:
        ann = await house.plain("Ann")
        await trio.sleep(BUSY * 2)
        line = [await house.connect() for _ in range(waiting)]
        for number, peer in enumerate(line, 1):
            await peer.type(f"p{number}")
            assert "number" in await peer.line()
        if waiting == 1:
            await trio.sleep(BUSY * 2)
            assert await ann.heard_nothing()
            return
        assert "or you are put out" in await ann.line()
        assert await ann.rest() == ["* Server closed the connection: idle"]
        assert (await line[0].line()).startswith("* Server connected. You are p1.")
        await trio.sleep(BUSY * 2)  # now one waits, and one may be in
        await line[0].type("?")
        assert await line[0].line() == "* 1 here: p1"
