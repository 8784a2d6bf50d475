import os
import tempfile

import pytest
import trio
import trio.testing

from doubles import Paper, Street, Stub, Text, sitting
from house import House, open_house
from triochat.allowance import FAST
from triochat.circle import Circle
from triochat.messages import Quit, Said, Say, Welcome
from triochat.person import Person
from triochat.terminals.pipe import (
    MAX_IN_FLIGHT,
    InFlight,
    InputLines,
    Line,
    Output,
    Pipe,
    wait_unread,
)


async def run_pipe(house: House, text: bytes) -> tuple[bool, list[str], list[str]]:
    """Pipe these bytes into the room as ``count``; how it went, the output, the errors."""
    output, errors = Paper(), Paper()
    pipe = Pipe(Text(text).receive_some, output, errors)
    person = Person(pipe, Circle({"here": house.listener.connect}), "count")
    went_well = await person.run(await house.listener.connect())
    return went_well, output.lines, errors.lines


async def test_every_line_arrives_in_order() -> None:
    """Each line is a message; all arrive, in order, the last one before the pipe leaves."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        numbers = [str(number) for number in range(MAX_IN_FLIGHT * 3)]
        went_well, output, errors = await run_pipe(house, "\n".join([*numbers, ""]).encode())
        assert went_well
        assert errors == []
        own = [f"count> {number}" for number in numbers]
        output.remove("* " + FAST.format(20))
        assert output == ["* Server connected. You are count. 2 here: Ann, count", *own]
        assert await ann.hear(len(own) + 2) == ["* count joined", *own, "* count left"]


async def test_nothing_in_a_pipe_is_a_command() -> None:
    """A line of a log is said as it stands, whatever it looks like; a blank line is none."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        lines = ["\\quit", "", "/var/log full", "?", "a > Ann", "  indented", "   "]
        assert (await run_pipe(house, "\r\n".join([*lines, ""]).encode()))[0]
        said = [f"count> {line}" for line in lines if line.strip()]
        assert await ann.hear(len(said) + 2) == ["* count joined", *said, "* count left"]


async def test_refused_lines_are_reported() -> None:
    """A refused line is told with its number, the others arrive, and the whole has failed."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        text = b"one\n\n" + b"x" * 501 + b"\ntwo\n\xff\nthree\n" + b"y" * 70_000 + b"\n"
        went_well, _, errors = await run_pipe(house, text)
        assert not went_well
        assert sorted(errors) == [  # what the room refuses may be told before or after the others
            "! line 3: 501 characters; at most 500 are allowed; nothing was sent",
            "! line 5: that line is not UTF-8 text; nothing was sent",
            "! line 7: a line of more than 65536 bytes is not allowed; nothing was sent",
        ]
        assert (await ann.hear(5))[1:4] == ["count> one", "count> two", "count> three"]


async def test_a_last_line_without_an_end_is_a_line() -> None:
    """A file whose last line has no line end is delivered whole."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        assert (await run_pipe(house, b"one\ntwo"))[0]
        assert (await ann.hear(3))[1:] == ["count> one", "count> two"]


@pytest.mark.parametrize(
    ("typed", "lines"),
    [(False, [(1, "one"), (3, "two")]), (True, [(1, "one"), (2, "")])],
)
async def test_what_is_typed_is_not_a_file(typed: bool, lines: list[Line]) -> None:
    """At a terminal a blank line may be an answer, and what has no line end is not obeyed."""
    source = Text(b"one\n\ntwo")
    assert [line async for line in InputLines(source.receive_some, typed=typed)] == lines


async def test_a_refused_handle_fails() -> None:
    """With nobody to ask for another handle the refusal is the end."""
    async with open_house() as house:
        await house.plain("count")
        went_well, output, errors = await run_pipe(house, b"one\n")
        assert not went_well
        assert output == []
        assert errors == ['! handle "count" is taken; try another']


async def test_a_lost_connection_tells_what_may_be_lost() -> None:
    """Lines that were not confirmed when the connection broke are reported, and it has failed."""
    into, source = trio.testing.memory_stream_one_way_pair()
    server, errors = Stub(), Paper()
    street, pipe = Street(server), Pipe(source.receive_some, Paper(), errors)
    async with sitting(pipe, street.connect, "count") as count:
        await server.tell(Welcome("count", "S", ("count",)))
        await into.send_all(b"one\ntwo\n")
        await trio.testing.wait_all_tasks_blocked()
        await server.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (count.ended, len(street.tries)) == ([False], 1)
    assert errors.lines == [
        "! connection lost",
        "! not confirmed, perhaps lost: 2 lines, from line 1 on",
    ]


async def test_output_waits_for_its_reader_and_outlives_it() -> None:
    """A full pipe makes the writer wait, not the process; a closed one swallows the rest."""
    read_end, write_end = os.pipe()
    output = Output(write_end)
    line = "x" * 1000
    with trio.move_on_after(0.05) as full:
        for _ in range(1000):
            await output.write(line)
    assert full.cancelled_caught
    os.close(read_end)
    await output.write("nobody reads this")
    os.close(write_end)


@pytest.mark.parametrize(
    ("rest", "went_well", "told"),
    [
        (b"", True, []),
        (
            b"two\n" * MAX_IN_FLIGHT * 2,
            False,
            [
                "! nobody reads the output any more",
                "! not confirmed, perhaps lost: 256 lines, from line 258 on",
            ],
        ),
    ],
)
async def test_who_is_not_read_leaves(rest: bytes, went_well: bool, told: list[str]) -> None:
    """When nobody reads the output no more lines are taken; those on their way are waited for."""
    server, output, errors = Stub(), Paper(), Paper()
    into, source = trio.testing.memory_stream_one_way_pair()
    pipe = Pipe(source.receive_some, output, errors)
    async with sitting(pipe, server.connect, "count") as count:
        await server.tell(Welcome("count", "S", ("count",)))
        await into.send_all(b"one\n")
        await trio.testing.wait_all_tasks_blocked()
        await server.tell(Said(1, "", "count", "one"))
        await into.send_all(rest)
        await trio.testing.wait_all_tasks_blocked()
        pipe.leave()
        await trio.testing.wait_all_tasks_blocked()
        asked = await server.asked()
        assert asked[-1] == Quit()
        assert count.ended == []
        await server.tell(*[Said(1, "", "count", "two")] * asked[2:].count(Say("two")))
        await server.ours.aclose()
        await trio.sleep(1)
    assert (count.ended, errors.lines) == ([went_well], told)


async def test_what_nobody_has_taken_in_is_lost_as_well() -> None:
    """What came in just when nobody read the output any more counts, though no line was taken."""
    server, output, errors = Stub(), Paper(), Paper()
    into, source = trio.testing.memory_stream_one_way_pair()
    pipe = Pipe(source.receive_some, output, errors)
    async with sitting(pipe, server.connect, "count") as count:
        pipe.leave()
        await server.tell(Welcome("count", "S", ("count",)))
        await into.send_all(b"one\n\ntwo\n")
        assert (await server.asked())[-1] == Quit()
        await server.ours.aclose()
    assert count.ended == [False]
    assert errors.lines[1:] == ["! not confirmed, perhaps lost: 2 lines, from line 1 on"]


async def test_an_output_without_a_reader_is_noticed() -> None:
    """When the reader of a pipe is gone that is seen without writing to it; a file has none."""
    read_end, write_end = os.pipe()
    with tempfile.TemporaryFile() as file:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_unread, file.fileno())
            async with trio.open_nursery() as inner:
                inner.start_soon(wait_unread, write_end)
                await trio.testing.wait_all_tasks_blocked()
                os.close(read_end)
            assert len(nursery.child_tasks) == 1
            nursery.cancel_scope.cancel()
    os.close(write_end)


async def test_somebody_who_types_is_not_a_reader_who_is_gone() -> None:
    """Something to read at an output, as at a terminal, does not end it."""
    ours, theirs = os.openpty()
    os.write(ours, b"typed\n")
    with trio.move_on_after(60) as waiting:
        await wait_unread(theirs)
    assert waiting.cancelled_caught
    os.close(ours)
    await wait_unread(theirs)
    os.close(theirs)


async def test_no_line_is_lost_with_who_was_to_take_it() -> None:
    """Whoever is cancelled while it takes a line leaves it to the next: also where it must wait."""
    into, source = trio.testing.memory_stream_one_way_pair()
    flight = InFlight(InputLines(source.receive_some), Paper())
    taken: list[str] = []
    for number in range(2 * MAX_IN_FLIGHT):
        await into.send_all(f"{number}\n".encode())
    while len(taken) < 2 * MAX_IN_FLIGHT:
        with trio.CancelScope() as scope:
            scope.cancel()
            taken.append(await flight.take())
        with trio.move_on_after(1):
            taken.append(await flight.take())
        if len(taken) % MAX_IN_FLIGHT == 0:
            for _ in range(MAX_IN_FLIGHT):
                flight.settle()
    assert taken == [str(number) for number in range(2 * MAX_IN_FLIGHT)]
    assert not flight.numbers
