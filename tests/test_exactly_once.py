"""Whatever is cut, and wherever: all that was said is in everybody's list once, in one order."""

import random
from collections.abc import Callable
from typing import NamedTuple

import pytest
import trio
import trio.lowlevel
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from faults import Road
from frames import Frames
from house import House, in_virtual_time, open_house
from triochat.messages import (
    Event,
    Joined,
    Left,
    Ping,
    Rename,
    Renamed,
    Request,
    Said,
    Say,
    Whisper,
    Whispered,
    Who,
)
from triochat.program import Client, join

ASKED: list[Request] = [
    Say("one"),
    Who(),
    Say("same"),
    Say("same"),
    Whisper("Ann", "psst"),
    Rename("Rob"),
    Ping(),
    Say("two"),
    Whisper("Nobody", "lost?"),
    Say("three"),
]
"""What is asked by who is cut off; by the others a message after each."""

SHOWN = (Said, Whispered, Renamed)

Way = Callable[[trio.abc.HalfCloseableStream], trio.abc.HalfCloseableStream]


def in_frames(stream: trio.abc.HalfCloseableStream) -> Frames:
    """By WebSocket, in messages of any fragments."""
    return Frames(stream, random.Random(1))  # noqa: S311  no secret


WAYS: dict[str, tuple[Way, int]] = {
    "ndjson": (lambda stream: stream, 2262),
    "web": (in_frames, 2900),
}
"""How Bob speaks, and the bytes of all this, both ways together: about, in whatever pieces."""


class Told(NamedTuple):
    """What was told in one run."""

    bob: list[Event]
    ann: list[Event]


async def listen(client: Client, heard: list[Event]) -> None:
    """Note all that it hears."""
    while True:
        heard.append(await client.receive())


async def talk(house: House, road: Road, way: Way) -> Told:
    """Bob, whose connections are cut, and Ann, whose is not, say all that is to be said."""

    async def connect() -> trio.abc.Stream:
        return way(await road.connect(house.listener))

    told = Told([], [])
    async with (
        join(await house.listener.connect(), "Ann") as ann,
        join(await connect(), "Bob", connect=connect) as bob,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(listen, ann, told.ann)
        nursery.start_soon(listen, bob, told.bob)
        for number, request in enumerate(ASKED):
            await bob.send(request)
            await ann.say(f"{number}")
            await trio.lowlevel.checkpoint()
        await trio.sleep(60)
        assert not bob.stay.unanswered
        assert not bob.stay.unsent
        assert bob.handle == "Rob"
        assert bob.stay.roster == ann.stay.roster == {"Ann", "Rob"}
        nursery.cancel_scope.cancel()
    return told


def hold(told: Told) -> None:
    """Hold that all was told once, in one order, and nobody seemed to have left."""
    for events in told:
        said = [event.text for event in events if isinstance(event, Said)]
        assert [text for text in said if not text.isdigit()] == [
            "one", "same", "same", "two", "three"
        ]  # fmt: skip
        assert [text for text in said if text.isdigit()] == [str(n) for n in range(len(ASKED))]
        assert [event.text for event in events if isinstance(event, Whispered)] == ["psst"]
        assert not any(isinstance(event, Left) for event in events)
        ids = [event.id for event in events if hasattr(event, "id")]
        assert ids == sorted({*ids})
    lists = [[event for event in events if isinstance(event, SHOWN)] for events in told]
    assert lists[0] == lists[1]
    assert sum(isinstance(event, Joined) for event in told.ann) <= 1


async def cut_after(how: str, *lengths: int) -> None:
    """Hold this where the first connections are cut after so many bytes, both ways together."""
    way, whole = WAYS[how]
    road = Road(sum(lengths))
    road.lengths = [*lengths]
    async with open_house(grace=300) as house:  # four cuts in a row take longer than the usual one
        hold(await talk(house, road, way))
    assert len(road.streams) > 1 or lengths[0] > whole - 300, "it was cut"


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("how", WAYS)
def test_a_cut_anywhere_loses_nothing_and_doubles_nothing(how: str, first: int) -> None:
    """Wherever a connection ends, also in the middle of a line, of a frame, or of the welcome."""
    for length in range(1 + 62 * first, WAYS[how][1], 248):
        in_virtual_time(cut_after)(how, length)


@given(st.sampled_from([*WAYS]), st.lists(st.integers(1, 3000), min_size=2, max_size=4))
@settings(max_examples=25)
def test_many_cuts_lose_nothing_either(how: str, lengths: list[int]) -> None:
    """Also where who comes back is cut off while being told what was missed."""
    in_virtual_time(cut_after)(how, *lengths)
