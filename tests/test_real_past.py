"""What is past, and what is not confirmed, at a real terminal."""

import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from real import Peer, Server
from screen_reader import ENTER, Reader, reading, reading_command

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


# ---- with a server


class Proxy:
    """A way to a server that can be cut."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._server))
                self._ends += [here, there]
                Thread(target=self._pump, args=(here, there), daemon=True).start()
                Thread(target=self._pump, args=(there, here), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)

    def cut(self) -> None:
        """End all connections, at once and without a word."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let nobody through any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for end in self._ends:
            end.close()


def client(port: int, *options: str) -> tuple[str, ...]:
    """The arguments of ``triochat`` for Jimmy."""
    return "client", "127.0.0.1", str(port), "--handle", "Jimmy", *options


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [(), ("--no-color",)])
def test_what_was_said_before_somebody_came(
    server: Server, ann: Peer, tmp_path: Path, size: tuple[int, int], options: tuple[str, ...]
) -> None:
    """It is told behind a bar and between rules; what is said then is not, and rings alone."""
    for number in range(3):
        ann.type(f"Jimmy, this is {number}")
        server.wait_line(f"Ann> Jimmy, this is {number}")
    with reading(*client(server.port, *options), state=tmp_path, size=size) as jimmy:
        jimmy.wait_for("this is 2")
        jimmy.wait_line(ME, "")
        rows = [row for row in jimmy.rows if row]
        start = rows.index("──────── earlier")
        assert [row[5:] for row in rows[start + 1 : start + 4]] == [
            f"│Ann> Jimmy, this is {number}" for number in range(3)
        ]
        assert jimmy.bells == 0
        ann.type("Jimmy?")
        jimmy.wait_for(" Ann> Jimmy?")
        assert jimmy.rows[jimmy.rows.index("──────── now") + 1].endswith(" Ann> Jimmy?")
        jimmy.wait(lambda: jimmy.bells == 1)


def test_what_is_read_back(server: Server, ann: Peer, tmp_path: Path) -> None:
    """What was found stands below how much it is, each with its number; then comes what is new."""
    for number in range(23):
        ann.type(f"this is {number}")
    server.wait_line("Ann> this is 22")
    with reading(*client(server.port), state=tmp_path, size=(40, 60)) as jimmy:
        jimmy.wait_for("this is 22")
        assert not any(row[-9:] == "this is 2" for row in jimmy.everything)
        jimmy.type("\\back" + ENTER)
        jimmy.wait(lambda: "──────── 3 earlier messages" in jimmy.rows)
        start = jimmy.rows.index("──────── 3 earlier messages")
        found = jimmy.rows[start + 1 : start + 4]
        assert [re.sub(r"#\d+", "#", row[5:]) for row in found] == [
            f"│# Ann> this is {number}" for number in range(3)
        ]
        jimmy.type("\\find nonsense" + ENTER)
        jimmy.wait(lambda: any(row[6:] == "* nothing earlier was found" for row in jimmy.rows))
        assert jimmy.rows[start + 4] == "──────── now"


def test_what_was_said_before_on_paper(server: Server, ann: Peer, tmp_path: Path) -> None:
    """With ``--plain`` each line says that it is past."""
    ann.type("hello")
    server.wait_line("Ann> hello")
    with reading(*client(server.port, "--plain"), state=tmp_path) as jimmy:
        jimmy.wait(
            lambda: any(re.match(r"\* earlier: \[..:..\] Ann> hello$", r) for r in jimmy.rows)
        )
        ann.type("and now")
        jimmy.wait(lambda: "Ann> and now" in jimmy.rows)


def test_a_server_that_does_not_answer(server: Server, tmp_path: Path) -> None:
    """What is said to it stands above the line until it is told, once; each refusal is as ever."""
    with reading(*client(server.port), state=tmp_path) as jimmy:
        jimmy.wait_line(ME, "")
        server.process.send_signal(signal.SIGSTOP)
        jimmy.type("one" + ENTER + "two > Nobody" + ENTER + "\\me waves" + ENTER + HALF)
        jimmy.wait(lambda: "…     * Jimmy waves" in jimmy.rows)
        place = jimmy.rows.index("…     Jimmy> one")
        assert jimmy.rows[place + 1] == "…     [you -> Nobody] two"
        jimmy.wait_line(ME, HALF)
        server.process.send_signal(signal.SIGCONT)
        jimmy.wait_for("* Jimmy waves", '"Nobody"')
        jimmy.wait(lambda: not any(row.startswith("…") for row in jimmy.rows))
        jimmy.wait_line(ME, HALF)
        assert [row[6:] for row in jimmy.everything if "Jimmy> one" in row] == ["Jimmy> one"]


def test_a_server_that_does_not_answer_on_paper(server: Server, tmp_path: Path) -> None:
    """With ``--plain`` it is said once that something is not confirmed, when that takes long."""
    with reading(*client(server.port, "--plain"), state=tmp_path) as jimmy:
        jimmy.wait_for("You are Jimmy")
        server.process.send_signal(signal.SIGSTOP)
        jimmy.type("one" + ENTER)
        worry = "* no answer for 5 s; a line is not confirmed yet"
        jimmy.wait(lambda: worry in jimmy.rows)
        time.sleep(1.5)
        server.process.send_signal(signal.SIGCONT)
        jimmy.wait(lambda: "Jimmy> one" in jimmy.rows)
        assert sum("not confirmed" in row for row in jimmy.everything) == 1


def test_what_was_missed(server: Server, ann: Peer, tmp_path: Path) -> None:
    """Who comes back sees how much it was, then that, and only then what is new."""
    proxy = Proxy(server.port)
    with reading(*client(proxy.port), state=tmp_path) as jimmy:
        jimmy.wait_line(ME, "")
        proxy.cut()
        ann.type("one")
        ann.type("two")
        server.wait_line("Ann> two")
        jimmy.wait_for("while you were away", "│Ann> two")
        ann.type("three")
        jimmy.wait_for(" Ann> three")
        rows = [row for row in jimmy.rows if row]
        start = next(i for i, row in enumerate(rows) if "while you were away" in row)
        assert re.match(r"──────── 2 messages while you were away, \d\d:\d\d", rows[start])
        assert [row[5:] for row in rows[start + 1 : start + 3]] == ["│Ann> one", "│Ann> two"]
        assert rows[start + 3] == "──────── now"
        assert "".join(rows).count("Ann> two") == 1
    proxy.close()
