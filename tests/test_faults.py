"""Connections that are reset, or half closed, at any byte; and that rough streams are rough."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from faults import Road, Rough
from house import House, Peer, in_virtual_time, open_house

seeds = st.integers(1, 1000)
LINES = ["Eve", "one", "", "two " * 50, "psst > Ann", "?", "\\nick Eva", "three"]
SCRIPT = "".join(f"{line}\n" for line in LINES).encode()
TOLD = [
    "* Eve joined",
    "Eve> one",
    f"Eve> {'two ' * 50}",
    "[Eve -> you] psst",
    "* Eve is now Eva",
    "Eva> three",
]
"""What Ann, at plain lines, hears of all of `LINES`."""


@asynccontextmanager
async def open_rough_house(road: Road) -> AsyncIterator[House]:
    """A house to which this road leads."""
    with pytest.MonkeyPatch.context() as patch:
        road.pave(patch)
        with trio.fail_after(1000):  # nobody waits for ever, and time is virtual
            async with open_house() as house:
                yield house


async def hear_out(ann: Peer) -> list[str]:
    """What Ann has heard when nothing more happens, but for what she was welcomed with."""
    await trio.sleep(10)
    return await ann.heard_by_now()


def is_beginning(heard: list[str], left: str) -> bool:
    """Whether this is what is told of so many of `LINES`, and that who said them has left."""
    if not heard:
        return True
    *before, last = heard
    name = "Eva" if "* Eve is now Eva" in before else "Eve"
    return before == TOLD[: len(before)] and last == f"* {name} left{left}"


@settings(max_examples=60)
@given(seeds, st.integers(1, 600))
@in_virtual_time
async def test_a_reset_at_any_byte(seed: int, length: int) -> None:
    """Who is cut off anywhere, both ways counted, has said whole lines, and has left once."""
    road = Road(seed)
    async with open_rough_house(road) as house:
        ann = await house.plain("Ann")
        road.lengths = [length]
        eve = await house.connect()
        with suppress(trio.BrokenResourceError):
            await eve.stream.send_all(SCRIPT)
        await trio.sleep(10)
        await eve.stream.aclose()  # if it was not cut off yet, it goes now
        heard = await hear_out(ann)
        assert is_beginning(heard, " (connection lost)") or is_beginning(heard, "")
        assert house.room.roster == ("Ann",)
        assert road.streams[1].is_closed
        assert len(house.hub.fan_out.links) == 1
        assert not house.room.ended


@settings(max_examples=60)
@given(seeds, st.integers(0, len(SCRIPT)), st.booleans())
@in_virtual_time
async def test_a_half_close_at_any_byte(seed: int, cut: int, reads: bool) -> None:
    """Who says no more after any byte has said all whole lines before, and none that is cut."""
    road = Road(seed)
    async with open_rough_house(road) as house:
        ann, eve = await house.plain("Ann"), await house.connect()
        if not reads:
            road.streams[1].stall()
        await eve.stream.send_all(SCRIPT[:cut])
        assert isinstance(eve.stream, trio.StapledStream)
        await eve.stream.send_eof()
        heard = await hear_out(ann)
        assert is_beginning(heard, "")
        told = [line for line in LINES[: SCRIPT[:cut].count(b"\n")] if line not in ("", "?")]
        assert len(heard) == (len(told) + 1 if told else 0)
        if reads:
            *_, last = ["", *await eve.rest()]
            is_whole = cut == 0 or SCRIPT[:cut].endswith(b"\n")
            assert is_whole or last == "! the last line has no line end; nothing was sent"
        assert house.room.roster == ("Ann",)
        assert road.streams[1].is_closed


@given(seeds, st.binary(min_size=1, max_size=500), st.binary(min_size=1, max_size=500))
@in_virtual_time
async def test_a_rough_stream_loses_nothing(seed: int, upward: bytes, downward: bytes) -> None:
    """Whatever the pieces, all bytes arrive in their order; what was not taken at once is not."""
    ours, theirs = trio.testing.memory_stream_pair()
    rough = Rough(theirs, ours, random.Random(seed))  # noqa: S311  no secret
    heard = bytearray()
    await ours.send_all(upward)
    while len(heard) < len(upward):
        heard += await rough.receive_some(len(upward))
    assert heard == upward
    left = downward
    with suppress(BlockingIOError):
        while left:
            left = left[rough.write(left) :]
    await rough.send_all(left)
    await rough.aclose()
    assert b"".join([bytes(piece) async for piece in ours]) == downward


async def test_a_rough_stream_is_rough() -> None:
    """It hears in pieces, is late, and takes a part or nothing of what is written at once."""
    ours, theirs = trio.testing.memory_stream_pair()
    rough = Rough(theirs, ours, random.Random(1))  # noqa: S311  no secret
    await ours.send_all(bytes(1000))
    sizes = {len(await rough.receive_some(50)) for _ in range(10)}
    assert {1, 7, 50} <= sizes
    written = set()
    for _ in range(50):
        try:
            written.add(rough.write(bytes(10)))
        except BlockingIOError:
            written.add(0)
    assert written == {0, 1, 5, 10}


async def test_a_rough_stream_stalls_and_breaks() -> None:
    """One that is stalled takes nothing until it flows; one that is reset is lost both ways."""
    ours, theirs = trio.testing.memory_stream_pair()
    rough = Rough(theirs, ours, random.Random(1))  # noqa: S311  no secret
    rough.stall()
    with pytest.raises(BlockingIOError):
        rough.write(b"x")
    with trio.move_on_after(100) as late:
        await rough.send_all(b"x")
    assert late.cancelled_caught
    rough.flow()
    await rough.send_all(b"y")
    assert await ours.receive_some() == b"y"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.testing.wait_all_tasks_blocked)
        nursery.start_soon(_expect_broken, rough)
        await trio.testing.wait_all_tasks_blocked()
        rough.reset()
    assert await ours.receive_some() == b""
    with pytest.raises(ConnectionResetError):
        rough.write(b"x")
    with pytest.raises(trio.BrokenResourceError):
        await rough.send_all(b"x")


async def _expect_broken(rough: Rough) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await rough.receive_some()
