"""What is past, and what is not confirmed, at a real terminal."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from screen_reader import ENTER, Reader, reading_command

ME = "Jimmy> "
HALF = "half of a line with 你好 in it"
SIZES = [(24, 80), (15, 40)]

SLOW_ROOM = """
import trio
from triochat.messages import Said, Say
from triochat.terminal import View
from triochat.terminals.prompt import open_prompt

async def main():
    async with open_prompt(None, colour=COLOUR) as prompt:
        said = []
        def look():
            prompt.update(View("here", "Jimmy", ("Ann", "Jimmy"), unconfirmed=tuple(said)))
        async def confirm():
            one = said.pop(0)
            look()
            await prompt.show(Said(9, "", "Jimmy", one.text), "Jimmy", one)
        look()
        for number in range(3):
            at = f"2026-01-01T20:0{number}:00Z"
            long_ago = Said(number, at, "Ann", f"{number} is what Jimmy may remember, long ago")
            await prompt.show(long_ago, "Jimmy", is_past=True)
        await prompt.show(Said(4, "", "Ann", "hello"), "Jimmy")
        while True:
            line = await prompt.receive()
            if line == "confirm":
                await confirm()
                continue
            said.append(Say(line))
            look()
            if line.startswith("quick"):
                await trio.sleep(0.005)
                await confirm()

trio.run(main)
"""
"""A room that confirms the oldest line when it is told to; and what is quick, at once."""


@contextmanager
def at_slow_room(
    state: Path, size: tuple[int, int] = (24, 80), *, colour: bool = True
) -> Iterator[Reader]:
    """Somebody there, who has seen what was said before."""
    script = SLOW_ROOM.replace("COLOUR", str(colour))
    with reading_command([sys.executable, "-c", script], state, size, {"TZ": "UTC"}) as jimmy:
        jimmy.wait_for("Ann> hello")
        jimmy.wait_line(ME, "")
        yield jimmy


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colour", [True, False])
def test_what_is_past_is_told_apart(tmp_path: Path, size: tuple[int, int], colour: bool) -> None:
    """With colours and without: rules, and a bar in a column of its own, on any screen."""
    with at_slow_room(tmp_path, size, colour=colour) as jimmy:
        rows = [row for row in jimmy.rows if row and not row.startswith(ME)][:-1]
        rules = [place for place, row in enumerate(rows) if row.startswith("────────")]
        assert rows[rules[0]].startswith("──────── earlier, Thursday 1 January")
        assert rows[rules[-1]].startswith("──────── now")
        past = rows[rules[0] + 1 + (size[1] < 80) : rules[-1]]
        assert all(re.match(r"(20:0[0-2]|     )│", row) for row in past)
        assert "".join(past).count("Ann>") == 3
        assert jimmy.bells == 0


@pytest.mark.parametrize("size", SIZES)
def test_what_is_not_confirmed(tmp_path: Path, size: tuple[int, int]) -> None:
    """It stands above the line, which stays as it is, until the room's copy takes its place."""
    with at_slow_room(tmp_path, size) as jimmy:
        jimmy.type("one" + ENTER + HALF)
        jimmy.wait(lambda: f"…     {ME}one" in jimmy.rows)
        jimmy.wait_line(ME, HALF)
        jimmy.type("\x15two" + ENTER + "confirm" + ENTER + HALF)
        jimmy.wait(lambda: f"…     {ME}two" in jimmy.rows)
        jimmy.wait_line(ME, HALF)
        told = [row for row in jimmy.everything if row.endswith(f"{ME}one")]
        assert [row[2] for row in told] == [":"], "once, with its time"


def test_many_that_are_not_confirmed(tmp_path: Path) -> None:
    """Some rows at most are theirs, however many they are, also on a screen that shrinks."""
    with at_slow_room(tmp_path) as jimmy:
        for number in range(9):
            jimmy.type(f"line {number}" + ENTER)
        jimmy.wait(lambda: "…     and 6 more" in jimmy.rows)
        jimmy.resize(15, 40)
        jimmy.wait(lambda: "…     and 7 more" in jimmy.rows)
        jimmy.wait_line(ME, "")
        for _ in range(9):
            jimmy.type("confirm" + ENTER)
        jimmy.wait(lambda: not any(row.startswith("…") for row in jimmy.rows))
        jimmy.wait_for(f"{ME}line 8")
        told = [row for row in jimmy.everything if re.search(r"> line \d$", row)]
        assert [row[-1] for row in told] == list("012345678")


def test_what_is_confirmed_soon_is_never_seen_twice(tmp_path: Path) -> None:
    """Nothing flickers while a room answers at once."""
    with at_slow_room(tmp_path) as jimmy:
        for number in range(20):
            jimmy.type(f"quick {number}" + ENTER)
            jimmy.wait_for(f"{ME}quick {number}")
        assert "…" not in jimmy.output.decode()
