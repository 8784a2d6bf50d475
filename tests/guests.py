"""Somebody in a real room, by any door: what they do there, and what they are shown."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest

from real import PATIENCE, TRIOCHAT
from screen_reader import CTRL_U, ENTER, TICK, Reader

SIZE = (120, 150)
"""Rows and columns of a screen: nothing of a short talk scrolls away, and no line is folded."""

TIME = re.compile(r"^\d\d:\d\d(:\d\d)?(?=│)|^\d\d:\d\d(:\d\d)? ")
"""What stands before a line on a screen."""


class Guest:
    """Somebody in a room, by one of its doors.

    Args:
        home: an empty folder, for all that their program reads and writes.
        port: of the server, on this machine.
        handle: what they want to be called.
        password: of the room, if there is one.

    Attributes:
        program: what must be installed; empty if it is ours.
        lines: what they have been shown, without times, up to the last look.
    """

    program: ClassVar[str] = ""

    def __init__(self, home: Path, port: int, handle: str = "Jimmy", password: str = "") -> None:
        self.home, self.port, self.handle, self.password = home, port, handle, password
        self.lines: list[str] = []
        self._read: dict[Path, int] = {}
        self.enter()

    def enter(self) -> None:
        """Begin."""
        raise NotImplementedError

    def is_in(self) -> object:
        """Whether they are shown that they are in."""
        raise NotImplementedError

    def type(self, line: str) -> None:
        """Type a line for the room."""
        raise NotImplementedError

    def whisper(self, to: str, text: str) -> None:
        """Say this to one person."""
        self.type(f"{text} > {to}")

    def rename(self, handle: str) -> None:
        """Ask to be called something else."""
        self.type(f"\\nick {handle}")

    def look(self) -> None:
        """Take in what is shown by now, or in a moment."""
        raise NotImplementedError

    def new_lines(self, pattern: str) -> list[str]:
        """The whole lines that are new in these files of its home."""
        new: list[str] = []
        for path in sorted(self.home.glob(pattern)):
            read, text = self._read.get(path, 0), path.read_bytes()
            self._read[path] = text.rfind(b"\n") + 1
            new += map(self.clean, text[read : self._read[path]].decode().splitlines())
        return new

    def clean(self, line: str) -> str:
        """A line of such a file without its time."""
        return line

    def wait(self, pattern: str, start: int = 0) -> None:
        """Look until there is such a line, the first ones left out."""
        found = re.compile(pattern).search
        self.wait_until(lambda: any(map(found, self.lines[start:])), pattern)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Look until this is so."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            time.sleep(TICK / 5)
            self.look()
            if time.monotonic() > deadline:
                shown = "\n".join(self.lines)
                raise AssertionError(f"{type(self).__name__} was not shown {what}, but\n{shown}")

    def close(self) -> None:
        """End it, whatever it does."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Nothing of the tester's own."""
        names = ("CONFIG", "DATA", "CACHE", "STATE")
        folders = {f"XDG_{name}_HOME": str(self.home) for name in names}
        return {**folders, "HOME": str(self.home), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}


class AtTerminal(Guest):
    """One whose program draws."""

    reader: Reader

    def enter(self) -> None:
        """Begin."""
        self.reader = Reader(self.command(), self.home, SIZE, self.environment())

    def command(self) -> list[str]:
        """The program and its arguments."""
        raise NotImplementedError

    def type(self, line: str) -> None:
        """Type it, and Enter."""
        self.reader.type(line + ENTER)

    def look(self) -> None:
        """Take in what has been drawn."""
        self.reader.look()
        self.lines = [TIME.sub("", row) for row in self.window() if row]

    def window(self) -> list[str]:
        """The rows of the screen that are neither bars nor the line being typed."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""
        self.reader.close()


class Running(Guest):
    """One whose program only prints."""

    process: "subprocess.Popen[bytes]"

    def enter(self) -> None:
        """Begin."""
        with (self.home / "out").open("wb") as output:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment()},
            )

    def command(self) -> list[str]:
        """The program and its arguments."""
        raise NotImplementedError

    def type(self, line: str) -> None:
        """Write it to standard input."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def look(self) -> None:
        """Take in what it has printed."""
        self.lines += self.new_lines("out")

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


class Client(AtTerminal):
    """At our own client."""

    def command(self) -> list[str]:
        """It remembers nothing of other tests."""
        return [*TRIOCHAT, "client", str(self.port), "--handle", self.handle]

    def is_in(self) -> object:
        """It lets them type."""
        return self.reader.line(f"{self.handle}> ")

    def type(self, line: str) -> None:
        """Without what was refused, which stands there again; many keys at once are a paste."""
        self.reader.type(CTRL_U + line)
        self.reader.wait(lambda: self.reader.rows[self.reader.cursor[0]].endswith(f"> {line}"))
        self.reader.type(ENTER)

    def rename(self, handle: str) -> None:
        """The prompt will change as well."""
        super().rename(handle)
        self.handle = handle

    def window(self) -> list[str]:
        """Above the line being typed; what is not confirmed is not of the room yet."""
        rows = self.reader.rows
        starts = [y for y, row in enumerate(rows) if row.startswith(f"{self.handle}>")]
        return [row for row in rows[: starts[-1] if starts else -1] if "…" not in row]


class Nc(Running):
    """With nothing but `nc`."""

    program = "nc"

    def command(self) -> list[str]:
        """It is told the handle at once."""
        return [self.program, "127.0.0.1", str(self.port)]

    def enter(self) -> None:
        """Say the handle."""
        super().enter()
        self.type(self.handle)

    def is_in(self) -> bool:
        """They are welcomed."""
        return any(f"You are {self.handle}." in line for line in self.lines)


class Bot(Nc):
    """A program, that speaks NDJSON; `nc` carries it."""

    def enter(self) -> None:
        """Join, and ask for what was said before."""
        Running.enter(self)
        self._ask(type="join", handle=self.handle, history=None)

    def is_in(self) -> bool:
        """It is welcomed."""
        return any('"welcome"' in line for line in self.lines)

    def _ask(self, **request: object) -> None:
        super().type(json.dumps(request))

    def type(self, line: str) -> None:
        """Say it."""
        self._ask(type="say", text=line)

    def whisper(self, to: str, text: str) -> None:
        """A request of its own."""
        self._ask(type="whisper", to=to, text=text)

    def rename(self, handle: str) -> None:
        """A request of its own."""
        self._ask(type="rename", handle=handle)

    def clean(self, line: str) -> str:
        """Without times and ids, and the token."""
        line = re.sub(r'"(id|last)":\d+', r'"\1":…', line)
        return re.sub(r'"(at|token)":"[^"]*"', r'"\1":"…"', line)


class Tail(Bot):
    """`triochat tail --json`: it only hears."""

    program = ""

    def command(self) -> list[str]:
        """Standard input is not looked at."""
        return [*TRIOCHAT, "tail", str(self.port), "--handle", self.handle, "--json"]

    def enter(self) -> None:
        """Begin."""
        Running.enter(self)

    def is_in(self) -> bool:
        """It does not say so."""
        return True


G = TypeVar("G", bound=Guest)


@contextmanager
def at(
    kind: type[G], home: Path, port: int, handle: str = "Jimmy", password: str = ""
) -> Iterator[G]:
    """Somebody at such a program, until the end of the block; skips where it is not installed.

    Args:
        kind: of guest.
        home: a folder that is made for it.
        port: of the server.
        handle: what they want to be called.
        password: of the room.
    """
    if kind.program and not shutil.which(kind.program):
        pytest.skip(f"there is no {kind.program} here")
    home.mkdir()
    guest = kind(home, port, handle, password)
    try:
        yield guest
    finally:
        guest.close()
