import pytest
import trio
import trio.testing

from doubles import Stub
from house import open_house
from triochat import ClosedError, RefusedError, join
from triochat.messages import (
    Closing,
    Joined,
    Rename,
    Said,
    Welcome,
    Whispered,
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
