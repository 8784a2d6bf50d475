"""Somebody at a terminal: a program at a pty, and a screen that shows what it draws."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pexpect
import pyte
from wcwidth import wcwidth

from real import PATIENCE, TRIOCHAT

TICK = 0.05  # seconds for which a look at the screen waits for something new to stand on it

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
CTRL_C, CTRL_D, CTRL_R, CTRL_U, CTRL_Z = "\x03", "\x04", "\x12", "\x15", "\x1a"
TAB, ENTER = "\t", "\r"


class Line(NamedTuple):
    """What stands in the editor: a list of cells for each of its rows, and the cursor.

    The second cell of a wide character is empty; the cursor's row counts from the editor's first.
    """

    rows: tuple[tuple[str, ...], ...]
    row: int
    column: int


def lay_out(prompt: str, text: str, columns: int, cursor: int | None = None) -> Line:
    """How this text stands on a screen of this width, with the cursor before that character."""
    rows: list[list[str]] = [[]]
    place = (0, 0)
    cursor = len(prompt) + (len(text) if cursor is None else cursor)
    for index, character in enumerate(f"{prompt}{text} "):  # the cursor may stand after the end
        width = wcwidth(character)
        if len(rows[-1]) + width > columns:
            rows.append([])
        if index == cursor:
            place = (len(rows) - 1, len(rows[-1]))
        rows[-1] += [character, *[""] * (width - 1)]
    cells = [(*row, *[" "] * (columns - len(row))) for row in rows]
    return Line(tuple(cells), *place)


class _Eyes(pyte.HistoryScreen):
    """A screen that counts its bells, and answers when it is asked where its cursor is."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], object]) -> None:
        super().__init__(columns, lines, history=20_000, ratio=0.5)
        self.bells = 0
        self._answer = answer

    def bell(self, *_: object) -> None:
        """It has rung."""
        self.bells += 1

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """As terminals do it: rows go at the top only where the cursor would not fit."""
        height, row = lines or self.lines, self.cursor.y
        gone = max(0, row - height + 1)
        self.cursor.y = self.lines - 1
        for _ in range(gone):
            self.index()
        for below in range(height, self.lines):
            self.buffer.pop(below, None)
        self.lines = min(self.lines, height)
        super().resize(height, columns)
        self.cursor.y = row - gone

    def write_process_input(self, data: str) -> None:
        """It was asked something."""
        self._answer(data)


class Reader:
    """A program at a terminal of its own.

    Args:
        command: the program and its arguments.
        state: the folder that holds what it remembers.
        size: rows and columns.
        environment: variables of the environment, beside those of these tests.

    Attributes:
        output: every byte that it wrote.
        code: how it ended, once `wait_end` has returned.
    """

    def __init__(
        self,
        command: Sequence[str],
        state: Path,
        size: tuple[int, int] = (24, 80),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        inherited = {name: os.environ[name] for name in os.environ if name != "NO_COLOR"}
        self.child: pexpect.spawn[bytes] = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=pexpect_environment(inherited, state, environment),
            timeout=PATIENCE,
            dimensions=size,
        )
        self.child.delaybeforesend = None
        self._pid = int(vars(self.child)["ptyproc"].pid)
        self.output = b""
        self.code: int | None = None
        self._screen = _Eyes(size[1], size[0], self._answer)
        self._stream = pyte.ByteStream(self._screen)

    def _answer(self, data: str) -> None:
        if self.child.isalive():
            self.child.send(data)

    # ---- fingers

    def type(self, keys: str) -> None:
        """Press these keys."""
        self.child.send(keys.encode())

    def paste(self, text: str) -> None:
        """Paste, as a terminal does that brackets what is pasted."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def resize(self, rows: int, columns: int) -> None:
        """Drag the window's corner."""
        self._screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def close_window(self) -> None:
        """Hang up; the program is not at a terminal any more."""
        vars(self.child)["ptyproc"].fileobj.close()
        self.child.closed = True

    # ---- eyes

    @property
    def bells(self) -> int:
        """How often it rang."""
        return self._screen.bells

    @property
    def cursor(self) -> tuple[int, int]:
        """Its row and column."""
        return self._screen.cursor.y, self._screen.cursor.x

    @property
    def columns(self) -> int:
        """The screen's width."""
        return int(self._screen.columns)

    @property
    def rows(self) -> list[str]:
        """What stands on the screen now."""
        return [row.rstrip() for row in self._screen.display]

    @property
    def everything(self) -> list[str]:
        """The same, below what has left the screen at its top."""
        gone = ["".join(row[x].data for x in range(self.columns)) for row in self._history()]
        return [*(row.rstrip() for row in gone), *self.rows]

    def _history(self) -> "list[Mapping[int, pyte.screens.Char]]":
        return list(self._screen.history.top)

    def cells(self, row: int) -> "list[pyte.screens.Char]":
        """The cells of one of the rows, each with its colours."""
        return [self._screen.buffer[row][column] for column in range(self.columns)]

    def line(self, prompt: str) -> Line | None:
        """What stands in the editor, below the last row that starts with this prompt."""
        starts = [y for y, row in enumerate(self._screen.display) if row.startswith(prompt)]
        if not starts:
            return None
        rows = [tuple(cell.data for cell in self.cells(y)) for y in range(starts[-1], self._last)]
        return Line(tuple(rows), self._screen.cursor.y - starts[-1], self._screen.cursor.x)

    @property
    def _last(self) -> int:
        """The row of the status line, which is the last that is not empty."""
        return max((y for y, row in enumerate(self.rows) if row), default=0)

    @property
    def status(self) -> str:
        """The status line."""
        return self.rows[self._last]

    def look(self) -> bool:
        """Take in what has been drawn, for as long as a tick; False when the program has ended."""
        try:
            data = self.child.read_nonblocking(1 << 16, TICK)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.output += data
        self._stream.feed(data)
        return True

    # ---- patience

    def wait(self, condition: Callable[[], object], what: str = "") -> None:
        """Look at the screen until this is so."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if not self.look() and not condition():
                raise AssertionError(self._complaint(f"it ended before {what or condition}"))
            if time.monotonic() > deadline:
                raise AssertionError(self._complaint(f"not seen: {what or condition}"))

    def wait_for(self, *texts: str) -> None:
        """Look at the screen until these texts stand on it, or stood on it and scrolled away."""
        self.wait(lambda: all(text in "\n".join(self.everything) for text in texts), repr(texts))

    def wait_line(self, prompt: str, text: str, cursor: int | None = None, below: str = "") -> None:
        """Look until the editor has exactly these cells, and its cursor before that character.

        Args:
            prompt: what stands before the line.
            text: the line.
            cursor: the index of the character under the cursor; None for the end.
            below: the words between the line and the status line: a menu, or a complaint.
        """
        expected = lay_out(prompt, text, self.columns, cursor)
        count = len(expected.rows)

        def is_so() -> bool:
            line = self.line(prompt)
            if line is None or (line.rows[:count], *line[1:]) != expected:
                return False
            rest = " ".join("".join(row) for row in line.rows[count:])
            return " ".join(rest.split()) == below

        self.wait(is_so, f"the line {prompt + text!r}, the cursor at {expected[1:]}, {below!r}")

    def wait_end(self) -> int:
        """Look until it has ended; the exit code, as a shell would tell it."""
        deadline = time.monotonic() + PATIENCE
        while self.look():
            if time.monotonic() > deadline:
                raise AssertionError(self._complaint("it has not ended"))
        self.child.close()
        signalled = self.child.signalstatus
        self.code = 128 + signalled if signalled is not None else self.child.exitstatus
        assert self.code is not None
        return self.code

    def wait_gone(self) -> None:
        """Wait until it has ended, after `close_window`."""
        deadline = time.monotonic() + PATIENCE
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                raise AssertionError(self._complaint("it stays without its window"))
            time.sleep(TICK)
        self.child.terminated = True

    def _complaint(self, problem: str) -> str:
        frame = "\n".join(f"|{row.ljust(self.columns)}|" for row in self.rows)
        cursor = f"{self._screen.cursor.y}, {self._screen.cursor.x}"
        return f"{problem}\n{frame}\ncursor: {cursor}; last bytes: {self.output[-400:]!r}"

    def close(self) -> None:
        """End it, whatever it does."""
        if not self.child.terminated:
            os.kill(self._pid, signal.SIGKILL)  # to ask whether it lives may wait for its end
            self.child.close(force=True)


def pexpect_environment(
    inherited: Mapping[str, str], state: Path, more: Mapping[str, str] | None
) -> dict[str, str]:
    """The environment of a program at a terminal: nothing of the tester's own history."""
    return {
        **inherited,
        "TERM": "xterm-256color",
        "LOGNAME": "no handle",  # so that none is offered
        "XDG_STATE_HOME": str(state),
        "PYTHONUNBUFFERED": "1",
        **(more or {}),
    }


@contextmanager
def reading(
    *arguments: str,
    state: Path,
    size: tuple[int, int] = (24, 80),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Reader]:
    """Somebody at ``triochat`` with these arguments, until the end of the block."""
    with reading_command([*TRIOCHAT, *arguments], state, size, environment) as reader:
        yield reader


@contextmanager
def reading_command(
    command: Sequence[str],
    state: Path,
    size: tuple[int, int] = (24, 80),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Reader]:
    """The same for any command."""
    reader = Reader(command, state, size, environment)
    try:
        yield reader
    finally:
        reader.close()
