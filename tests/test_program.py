from functools import partial

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from doubles import Street, Stub
from faults import Road
from house import open_house
from triochat import ClosedError, RefusedError, join
from triochat.connection import ENTRY
from triochat.messages import (
    Closing,
    Event,
    Join,
    Joined,
    Ping,
    Pong,
    Quit,
    Refused,
    Rename,
    Said,
    Say,
    Welcome,
    Whispered,
    Who,
)


async def test_a_program_joins_says_and_hears() -> None:
    """A program's own message comes back as its receipt, in the order of the room."""
    async with open_house() as house, join(await house.listener.connect(), "bot") as bot:
        assert bot.welcome == Welcome("bot", "Server", ("bot",), last=1, token=bot.welcome.token)
        assert len(bot.welcome.token) == 22
        ann = await house.plain("Ann")
        joined = await bot.receive()
        assert isinstance(joined, Joined)
        assert (joined.id, joined.handle) == (2, "Ann")
        await bot.say("hello")
        await bot.whisper("ann", "psst")
        said, whispered = await bot.receive(), await bot.receive()
        assert isinstance(said, Said)
        assert (said.id, said.handle, said.text) == (3, "bot", "hello")
        assert isinstance(whispered, Whispered)
        assert (whispered.to, whispered.text) == ("Ann", "psst")
        assert await ann.hear(2) == ["bot> hello", "[bot -> you] psst"]


async def test_leaving_the_block_delivers_first() -> None:
    """All that a program sent is delivered before it leaves, and it leaves by saying so."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        async with join(await house.listener.connect(), "bot") as bot:
            for number in range(300):
                await bot.say(f"{number}")
        assert await ann.hear(302) == [
            "* bot joined", *(f"bot> {number}" for number in range(300)), "* bot left"
        ]  # fmt: skip


async def test_a_refused_program_is_told_why() -> None:
    """Joining under a taken handle raises with the room's own sentence."""
    async with open_house() as house:
        await house.plain("Ann")
        with pytest.raises(RefusedError, match='handle "ANN" is taken; try another') as caught:
            async with join(await house.listener.connect(), "ANN"):
                pytest.fail("joined")
        assert caught.value.code == "handle-taken"


async def test_a_program_follows_its_own_rename() -> None:
    """A client knows its handle after it was changed, and events end when the server closes."""
    async with open_house() as house, join(await house.listener.connect(), "bot") as bot:
        await bot.send(Rename("robot"))
        await bot.receive()
        assert bot.handle == "robot"
        house.hub.close("enough")
        assert [event async for event in bot] == [Closing("enough")]


async def test_a_lost_connection_is_no_end() -> None:
    """A program that is cut off, or whose server is frozen, hears of it; in the room, or before."""
    server = Stub()
    await server.tell(Welcome("bot", "S", ("bot",)))
    async with join(server.theirs, "bot") as bot:
        await server.ours.aclose()
        with pytest.raises(trio.BrokenResourceError, match="connection lost"):
            await anext(bot)
    server = Stub()
    with pytest.raises(trio.BrokenResourceError, match="no answer for 30 seconds"):
        async with join(server.theirs, "bot"):
            pytest.fail("joined")


async def test_a_server_that_closes_is_no_refusal() -> None:
    """Whether the handle was refused or the server closed is told by the error's class."""
    server = Stub()
    await server.tell(Closing("shutting down"))
    with pytest.raises(ClosedError, match="shutting down") as caught:
        async with join(server.theirs, "bot"):
            pytest.fail("joined")
    assert isinstance(caught.value, RefusedError)


async def test_leaving_takes_as_long_as_what_was_said() -> None:
    """All that a program sent is delivered before it leaves, also where it is read slowly."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        async with join(await house.listener.connect(), "bot") as bot:
            for number in range(400):
                await bot.say(str(number))
        heard = await ann.hear(402)
        assert heard[1:] == [*(f"bot> {number}" for number in range(400)), "* bot left"]


# ---- coming back

TOKEN = "a-token-of-22-letters_"
HERE = Welcome("bot", "S", ("bot",), 7, token=TOKEN)
BACK = Welcome("bot", "S", ("bot",), 12, token=TOKEN, resumed=True)
AT = "2026-01-02T03:04:05.678Z"


async def test_a_program_comes_back_by_itself() -> None:
    """What it missed comes as if nothing had been, and what was not heard is said again."""
    first, last = Stub(), Stub()
    street = Street(None, last)
    await first.tell(HERE)
    async with join(first.theirs, "bot", connect=street.connect) as bot:
        await bot.say("one")
        await bot.send(Who())
        await bot.say("two")
        await first.ours.aclose()
        await bot.say("three")
        await last.tell(BACK, Said(8, AT, "Ann", "hi"), Said(12, AT, "bot", "one"))
        await last.tell(Pong(), Joined("Eve", 13))
        heard = [await bot.receive() for _ in range(3)]
        assert heard == [Said(8, AT, "Ann", "hi"), Said(12, AT, "bot", "one"), Joined("Eve", 13)]
        assert await last.asked() == [
            Join("bot"), Ping(), Who(), Say("two"), Say("three")
        ]  # fmt: skip
        assert (last.joins[0].token, last.joins[0].after) == (TOKEN, 7)
        bot.give_up()


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([replace(BACK, resumed=False)], "the room does not know us any more"),
        ([Closing("banned")], "Server closed the connection: banned"),
        ([Refused("handle-taken", "taken")], "taken"),
    ],
)
async def test_a_program_that_has_lost_its_place_is_told(events: list[Event], problem: str) -> None:
    """It begins no other stay in silence."""
    first, last = Stub(), Stub()
    await first.tell(HERE)
    async with join(first.theirs, "bot", connect=Street(last).connect) as bot:
        await first.ours.aclose()
        await last.tell(*events)
        with pytest.raises(trio.BrokenResourceError, match=f"connection lost; {problem}"):
            await bot.receive()
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
            await bot.receive()
    assert (await last.asked())[-1] == (Quit() if "room" in problem else Ping())


async def test_a_server_that_restarts_meanwhile_is_tried_again() -> None:
    """A closing that says so is no end to who is coming back."""
    first, second, third = Stub(), Stub(), Stub()
    await first.tell(HERE)
    street = Street(second, third)
    async with join(first.theirs, "bot", connect=street.connect) as bot:
        await first.ours.aclose()
        await second.tell(Closing("shutting down", retry=True))
        await second.ours.aclose()
        await third.tell(BACK, Pong(), Joined("Eve", 13))
        assert await bot.receive() == Joined("Eve", 13)
        bot.give_up()


async def test_a_program_has_patience_and_no_more() -> None:
    """After that it is told of the loss; where it never was in, soon."""
    first = Stub()
    await first.tell(HERE)
    async with join(first.theirs, "bot", connect=Street().connect, patience=60) as bot:
        await first.ours.aclose()
        with pytest.raises(trio.BrokenResourceError, match="connection lost"):
            await bot.receive()
        assert 30 < trio.current_time() <= 60
        with pytest.raises(trio.BrokenResourceError):
            await bot.say("hello?")
    first = Stub()
    await first.ours.aclose()
    start = trio.current_time()
    with pytest.raises(trio.BrokenResourceError, match="connection lost"):
        async with join(first.theirs, "bot", connect=Street().connect):
            pytest.fail("joined")
    assert trio.current_time() - start <= ENTRY


async def test_a_join_whose_welcome_was_lost_is_said_again() -> None:
    """By the same token: it may be in already, and is not to stand in its own way."""
    first, last = Stub(), Stub()
    await first.ours.send_eof()
    await last.tell(replace(BACK, last=3), Pong())
    async with join(first.theirs, "bot", connect=Street(last).connect) as bot:
        assert bot.handle == "bot"
        assert await first.asked() == [Join("bot")]
        assert (await last.asked())[0] == Join("bot")
        assert last.joins == first.joins
        bot.give_up()


async def test_what_was_said_last_is_delivered_also_after_a_cut() -> None:
    """Who leaves the block comes back for it; and is told where that cannot be."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        road = Road(1)
        connect = partial(road.connect, house.listener)
        async with join(await connect(), "bot", connect=connect) as bot:
            await bot.say("one")
            road.streams[0].reset()
            await bot.say("two")
        heard = await ann.hear(4)
        assert heard == ["* bot joined", "bot> one", "bot> two", "* bot left"]
    first = Stub()
    await first.tell(HERE)

    async def speak() -> None:
        async with join(first.theirs, "bot", connect=Street().connect) as bot:
            await bot.say("one")
            await first.ours.aclose()

    with pytest.raises(trio.BrokenResourceError, match="messages not confirmed: 1"):
        await speak()


async def test_who_fails_in_the_block_leaves_all_the_same() -> None:
    """Its place is not kept for a program that has ended."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        with pytest.raises(ZeroDivisionError):
            async with join(await house.listener.connect(), "bot"):
                raise ZeroDivisionError
        assert await ann.hear(2) == ["* bot joined", "* bot left"]
