import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from real import TRIOCHAT, Peer, Server, running_server
from screen_reader import (
    CTRL_C,
    CTRL_D,
    CTRL_R,
    CTRL_U,
    CTRL_Z,
    DOWN,
    ENTER,
    LEFT,
    RIGHT,
    TAB,
    UP,
    Reader,
    reading,
    reading_command,
)
from triochat.terminals.prompt import drop_keys

ME = "Jimmy> "
"""What stands before the line that is being typed."""

SIZES = [(24, 80), (20, 40)]
"""Of the screens: rows and columns."""

HALF = "half of a line with 你好 and 👋 in it that is long enough to go on in a second row, or more"
"""A line that is not finished."""

COLOUR = re.compile(rb"\x1b\[[0-9;]*(?<![0-9])(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?![0-9])[0-9;]*m")
"""A sequence that sets a colour."""


@pytest.fixture
def jimmy(server: Server, ann: Peer, tmp_path: Path) -> Iterator[Reader]:
    """Jimmy, at a terminal, whom Ann has seen come in."""
    with client(server.port, tmp_path) as reader:
        reader.wait_line(ME, "")
        ann.wait_line("* Jimmy joined")
        yield reader


@contextmanager
def client(
    port: int,
    state: Path,
    *options: str,
    size: tuple[int, int] = (24, 80),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Reader]:
    """``triochat client`` as Jimmy."""
    arguments = ("client", "127.0.0.1", str(port), "--handle", "Jimmy", *options)
    with reading(*arguments, state=state, size=size, environment=environment) as reader:
        yield reader


# ---- 1: the line that is being typed


@pytest.mark.parametrize("size", SIZES)
def test_the_line_stays_while_messages_come_in(
    server: Server, ann: Peer, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Every cell of a half-typed line, and the cursor in its middle, outlive thirty messages."""
    with client(server.port, tmp_path, size=size) as jimmy:
        jimmy.wait_line(ME, "")
        jimmy.type(HALF)
        jimmy.wait_line(ME, HALF)
        jimmy.type(LEFT * 30)
        jimmy.wait_line(ME, HALF, len(HALF) - 30)
        for number in range(30):
            ann.type(f"{number}: " + "words, 語 and 🎉 " * (number % 4))
            jimmy.wait_for(f"Ann> {number}:")
            jimmy.wait_line(ME, HALF, len(HALF) - 30)
        jimmy.type("\x1b[3~X")
        changed = f"{HALF[:-30]}X{HALF[-29:]}"
        jimmy.wait_line(ME, changed, len(HALF) - 29)
        jimmy.type(ENTER)
        ann.wait_line(f"Jimmy> {changed}")


@pytest.mark.parametrize("size", SIZES)
def test_the_line_grows_while_messages_come_in(
    server: Server, ann: Peer, tmp_path: Path, size: tuple[int, int]
) -> None:
    """What is typed between messages, and while a burst of them is drawn, makes one line."""
    with client(server.port, tmp_path, size=size) as jimmy:
        jimmy.wait_line(ME, "")
        for index, character in enumerate(HALF):
            if index % 3 == 0 and index < 90:
                ann.type(f"message {index // 3}")
            jimmy.type(character)
        jimmy.wait_for("Ann> message 29")
        jimmy.wait_line(ME, HALF)
        shown = [row for row in jimmy.everything if "Ann> " in row]
        assert [row.split("Ann> ")[1] for row in shown] == [f"message {n}" for n in range(30)]


def test_words_are_moved_over_and_deleted(jimmy: Reader) -> None:
    """The keys of any line editor: word by word, to both ends, and away."""
    jimmy.type("one two three")
    jimmy.type("\x1bb\x1bb")
    jimmy.wait_line(ME, "one two three", 4)
    jimmy.type("\x1bf")
    jimmy.wait_line(ME, "one two three", 7)
    jimmy.type("\x17")
    jimmy.wait_line(ME, "one  three", 4)
    jimmy.type("\x01")
    jimmy.wait_line(ME, "one  three", 0)
    jimmy.type("\x05" + CTRL_U)
    jimmy.wait_line(ME, "")


def test_wide_characters_are_edited_whole(jimmy: Reader) -> None:
    """One step of the cursor, or one backspace, is one character, however wide it is."""
    jimmy.type("a你👋好b")
    jimmy.wait_line(ME, "a你👋好b")
    jimmy.type(LEFT * 2 + "\x7f")
    jimmy.wait_line(ME, "a你好b", 2)


def test_a_name_that_reads_from_right_to_left(server: Server, ann: Peer, tmp_path: Path) -> None:
    """A name in Hebrew stands before the line like any other, and leaves the typing alone."""
    arguments = ("client", "127.0.0.1", str(server.port), "--handle", "דוד")
    with reading(*arguments, state=tmp_path) as david:
        david.wait_line("דוד> ", "")
        david.type("shalom שלום!")
        ann.type("hello דוד")
        david.wait_for("Ann> hello")
        david.wait_line("דוד> ", "shalom שלום!")
        david.type(ENTER)
        ann.wait_line("דוד> shalom שלום!")


# ---- 1: history


def test_history_within_a_session(jimmy: Reader, ann: Peer) -> None:
    """Up brings back what was said, the last first, and Ctrl-R finds it by a part of it."""
    for text in ("first thing", "second thing", "third"):
        jimmy.type(text + ENTER)
        jimmy.wait_for(f" Jimmy> {text}")
    jimmy.wait_line(ME, "")
    jimmy.type(UP)
    jimmy.wait_line(ME, "third")
    jimmy.type(UP + UP)
    jimmy.wait_line(ME, "first thing")
    jimmy.type(DOWN * 3)
    jimmy.wait_line(ME, "")
    jimmy.type(CTRL_R + "rst t")
    jimmy.wait(lambda: any("rst t': first thing" in row for row in jimmy.rows))
    jimmy.type(ENTER)
    jimmy.wait_line(ME, "first thing", 2)
    jimmy.type(ENTER)
    ann.wait_line("Jimmy> first thing")


def test_history_across_sessions(server: Server, ann: Peer, tmp_path: Path) -> None:
    """What was said is kept in the state folder for the next session, for nobody else to read."""
    with client(server.port, tmp_path) as jimmy:
        jimmy.wait_line(ME, "")
        jimmy.type("remember 你好" + ENTER)
        ann.wait_line("Jimmy> remember 你好")
        jimmy.wait_line(ME, "")
        jimmy.type(CTRL_D)
        assert jimmy.wait_end() == 0
    path = tmp_path / "triochat" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "remember 你好" in path.read_text()
    with client(server.port, tmp_path) as jimmy:
        jimmy.wait_line(ME, "")
        jimmy.type(UP)
        jimmy.wait_line(ME, "remember 你好")


def test_answers_are_no_history(server: Server, ann: Peer, tmp_path: Path) -> None:
    """A handle that was asked for, and whether to come back, are not remembered."""
    with reading("client", "127.0.0.1", str(server.port), state=tmp_path) as jimmy:
        jimmy.wait_line("Your handle? ", "")
        jimmy.type("Jimmy" + ENTER)
        jimmy.wait_line(ME, "")
        jimmy.type("said" + ENTER)
        ann.wait_line("Jimmy> said")
        jimmy.type("\\quit" + ENTER)
        jimmy.wait_line("Reconnect? [y/N] ", "")
        jimmy.type("no" + ENTER)
        assert jimmy.wait_end() == 0
    lines = (tmp_path / "triochat" / "history").read_text().splitlines()
    assert [line for line in lines if line.startswith("+")] == ["+said", "+\\quit"]


def test_no_history_file(server: Server, ann: Peer, tmp_path: Path) -> None:
    """With --no-history-file what was typed is remembered until the end, and nothing is written."""
    with client(server.port, tmp_path, "--no-history-file") as jimmy:
        jimmy.wait_line(ME, "")
        jimmy.type("forget me" + ENTER)
        ann.wait_line("Jimmy> forget me")
        jimmy.wait_line(ME, "")
        jimmy.type(UP)
        jimmy.wait_line(ME, "forget me")
        jimmy.type(CTRL_U + CTRL_D)
        assert jimmy.wait_end() == 0
    assert list(tmp_path.iterdir()) == []


# ---- 1: completion


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("\\n", "\\nick "),
        ("/n", "/nick "),
        ("\\q", "\\quit"),
        ("psst > A", "psst > Ann"),
        ("psst > a", "psst > Ann"),
        ("\\msg A", "\\msg Ann "),
        ("\\msg a", "\\msg Ann "),
        ("\\bell m", "\\bell mention"),
        ("hello A", "hello Ann"),
        ("a", "Ann: "),
    ],
)
def test_tab_completes(jimmy: Reader, typed: str, completed: str) -> None:
    """Tab finishes a command at the start of a line, and a handle wherever one may stand."""
    jimmy.type(typed + TAB)
    jimmy.wait_line(ME, completed)


def test_tab_knows_who_is_here_now(jimmy: Reader, ann: Peer, server: Server) -> None:
    """Completion follows who comes, is called something else, and goes."""
    joe = Peer(server.port)
    joe.type("Joe")
    jimmy.wait_for("* Joe joined")
    jimmy.type("psst > " + TAB)
    jimmy.wait_line(ME, "psst > Ann")
    jimmy.type(TAB)
    jimmy.wait_line(ME, "psst > Joe")
    joe.type("\\nick Zoe")
    jimmy.wait_for("* Joe is now Zoe")
    jimmy.wait_line(ME, "psst > Joe")
    jimmy.type(CTRL_U + "psst > Z" + TAB)
    jimmy.wait_line(ME, "psst > Zoe")
    joe.type("\\quit")
    ann.wait_line("* Zoe left")
    ann.type("well")  # who goes soon after another may be told when there is more to tell
    jimmy.wait_for("* Zoe left")
    jimmy.type(CTRL_U + "psst > z" + TAB + "!")
    jimmy.wait_line(ME, "psst > z!")


# ---- 1: how much may be said


def test_the_counter(jimmy: Reader) -> None:
    """When fewer than fifty characters are left the status line counts them."""
    jimmy.type("x" * 450)
    jimmy.wait_line(ME, "x" * 450)
    assert " left" not in jimmy.status
    jimmy.type("x")
    jimmy.wait(lambda: jimmy.status.startswith("49 left · "))
    jimmy.type("x" * 49)
    jimmy.wait(lambda: jimmy.status.startswith("0 left · "))
    jimmy.type("x")
    jimmy.wait(lambda: jimmy.status.startswith("1 too many · "))


def test_a_line_that_is_too_long_stays(jimmy: Reader, ann: Peer) -> None:
    """501 characters are not sent: they stay, with the reason, until one is taken away."""
    jimmy.type("x" * 501 + ENTER)
    problem = "501 characters; at most 500 are allowed; nothing was sent"
    jimmy.wait_line(ME, "x" * 501, below=problem)
    jimmy.type("\x7f" + ENTER)
    ann.wait_line("Jimmy> " + "x" * 500)
    jimmy.wait_line(ME, "")


@pytest.mark.parametrize("size", [*SIZES, (24, 11)])
def test_a_line_cannot_be_forged(
    server: Server, ann: Peer, tmp_path: Path, size: tuple[int, int]
) -> None:
    """No text, however long its words are, stands at the left edge of the screen."""
    forged = "99:99\u00a0Bob>\u00a0send\u00a0the\u00a0password"
    with client(server.port, tmp_path, size=size) as jimmy:
        jimmy.wait_line(ME, "")
        for blank in ("\u2800", "-", "👨\u200d👩", "❤\ufe0f", "\u1112\u1161"):
            for count in range(1, 3):
                text = "https://x.org/" + blank * (size[1] * count // len(blank)) + forged
                ann.type(text[:499])
        ann.type("the end")
        jimmy.wait_for("the end")
        jimmy.wait_line(ME, "")
    rows = [row for row in jimmy.everything if row]
    assert len(rows) > 10
    kinds = re.compile(r"\d\d:\d\d ?(?:Ann|\*|$)|[ |]|Jimmy>|127|──")
    assert [row for row in rows if not kinds.match(row)] == []
    assert [row for row in rows if row.startswith("99")] == []


# ---- 3: a paste


def test_a_paste_waits_for_enter(jimmy: Reader, ann: Peer) -> None:
    """Pasted lines stand as they are; Enter sends them in order, as text and nothing else."""
    jimmy.paste("first\n\\quit\nsecret > Ann")
    jimmy.wait(lambda: "secret > Ann" in "\n".join(jimmy.rows))
    ann.type("anybody?")
    jimmy.wait_for("Ann> anybody?")
    pasted = ["Jimmy> first", "\\quit", "secret > Ann"]

    def stands() -> bool:
        rows = [row.strip() for row in jimmy.rows]
        return any(rows[y : y + 3] == pasted for y in range(len(rows)))

    jimmy.wait(stands)
    jimmy.type(ENTER)
    assert [ann.line() for _ in range(3)] == [
        "Jimmy> first",
        "Jimmy> \\quit",
        "Jimmy> secret > Ann",
    ]
    jimmy.wait_line(ME, "")


def test_ctrl_c_clears_a_paste(jimmy: Reader, ann: Peer) -> None:
    """Ctrl-C takes a paste away, and only that: nothing of it was sent, and one is still here."""
    jimmy.paste("one\ntwo\nthree")
    jimmy.wait(lambda: "three" in "\n".join(jimmy.rows))
    jimmy.type(CTRL_C)
    jimmy.wait_line(ME, "")
    jimmy.type("still here" + ENTER)
    assert ann.line() == "Jimmy> still here"


def test_a_long_paste_is_one_burst(jimmy: Reader, ann: Peer) -> None:
    """Two hundred pasted lines arrive, complete and in order."""
    lines = [f"line {number}" for number in range(200)]
    jimmy.paste("\n".join(lines))
    jimmy.wait(lambda: "line 199" in "\n".join(jimmy.rows))
    jimmy.type(ENTER)
    assert [ann.line() for _ in lines] == [f"Jimmy> {line}" for line in lines]


def test_a_long_paste_leaves_room_for_others(jimmy: Reader, ann: Peer) -> None:
    """It takes half of the screen at most; what others say is seen above it."""
    jimmy.paste("\n".join(f"line {number}" for number in range(300)))
    jimmy.wait(lambda: "line 299" in "\n".join(jimmy.rows))
    for number in range(5):
        ann.type(f"anybody {number}?")
    seen = [*(f"Ann> anybody {number}?" for number in range(5)), "line 299"]
    jimmy.wait(lambda: all(words in "\n".join(jimmy.rows) for words in seen))


def test_a_paste_that_is_too_big_stays(jimmy: Reader, ann: Peer) -> None:
    """More than 64 kB are refused with their size, and stay in the editor."""
    jimmy.paste("\n".join(["x" * 99] * 700))
    jimmy.wait(lambda: sum("x" * 50 in row for row in jimmy.rows) > 5)
    jimmy.type(ENTER)
    jimmy.wait_for("69999 bytes; at most 65536 can be sent at once")
    jimmy.wait(lambda: sum("x" * 50 in row for row in jimmy.rows) > 5)
    jimmy.type(CTRL_C)
    jimmy.wait_line(ME, "")
    jimmy.type("short" + ENTER)
    assert ann.line() == "Jimmy> short"


# ---- 5: the connection


def test_the_status_line(jimmy: Reader, server: Server, ann: Peer) -> None:
    """It tells to whom one is connected, how many are here, and the lag."""
    where = f"127.0.0.1 port {server.port}"
    pattern = re.compile(rf"{re.escape(where)} · 2 here · lag \d+ ms")
    jimmy.wait(lambda: pattern.fullmatch(jimmy.status))
    joe = Peer(server.port)
    joe.type("Joe")
    jimmy.wait(lambda: f"{where} · 3 here" in jimmy.status)
    joe.close()
    jimmy.wait(lambda: f"{where} · 2 here" in jimmy.status)


def test_back_under_the_same_handle(tmp_path: Path) -> None:
    """A lost connection is tried again; the half-typed line stays, and so does the handle."""
    with running_server() as server, client(server.port, tmp_path) as jimmy:
        jimmy.wait_line(ME, "")
        jimmy.type("half a line")
        jimmy.wait_line(ME, "half a line")
        server.stop(signal.SIGKILL)
        jimmy.wait_for("connection lost; trying to come back (Ctrl-C gives up)")
        jimmy.wait(lambda: "lag" not in jimmy.status)
        jimmy.wait_line(ME, "half a line")
        with subprocess.Popen(
            [*TRIOCHAT, "server", str(server.port), "--headless"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as other:
            jimmy.wait(
                lambda: sum("You are Jimmy. 1 here: Jimmy" in row for row in jimmy.everything) == 2
            )
            jimmy.wait_line(ME, "half a line")
            jimmy.type(" is finished" + ENTER)
            jimmy.wait_for("Jimmy> half a line is finished")
            jimmy.type(CTRL_D)
            assert jimmy.wait_end() == 0
            other.kill()


def test_a_server_says_why(jimmy: Reader, server: Server) -> None:
    """A server that stops says so before the client ends."""
    assert server.stop(signal.SIGINT) == 0
    assert jimmy.wait_end() == 0
    assert "* Server closed the connection: shutting down" in "\n".join(jimmy.everything)


def test_what_was_not_sent_is_told(jimmy: Reader, server: Server) -> None:
    """When the server ends what is being typed, the line stands on the screen when all is over."""
    jimmy.type("half a line")
    jimmy.wait_line(ME, "half a line")
    os.kill(server.process.pid, signal.SIGINT)
    jimmy.wait_end()
    rows = [row for row in jimmy.everything if row]
    assert rows[-1] == "not sent: half a line"


def test_keys_that_nobody_read_are_dropped() -> None:
    """What was typed and not read when the editor ends is gone; a descriptor may be anything."""
    keyboard, terminal = os.openpty()
    os.write(keyboard, b"rm -r x\n")
    assert select.select([terminal], [], [], 1)[0]
    drop_keys(terminal)
    assert not select.select([terminal], [], [], 0)[0]
    for fd in (keyboard, terminal):
        os.close(fd)
    drop_keys(terminal)


@pytest.mark.parametrize("is_away", [False, True])
def test_ctrl_c_tells_the_line(jimmy: Reader, server: Server, is_away: bool) -> None:
    """Who leaves by Ctrl-C with a line half typed reads it on the screen when all is over."""
    jimmy.type("half a line")
    jimmy.wait_line(ME, "half a line")
    if is_away:
        server.stop(signal.SIGKILL)
        jimmy.wait_for("trying to come back")
    jimmy.type(CTRL_C)
    assert jimmy.wait_end() == (1 if is_away else 130)
    rows = [row for row in jimmy.everything if row]
    assert "not sent: half a line" in rows


def test_who_is_typing_does_not_type_to_the_shell(tmp_path: Path) -> None:
    """What ends by itself waits for a pause in the typing, and what was typed is told."""
    code = """
import trio
from triochat.terminals.prompt import open_prompt

async def main():
    async with open_prompt() as prompt:
        await prompt.receive()
        await prompt.wait_idle()

trio.run(main)
"""
    script = tmp_path / "script"
    script.write_text(f"{sys.executable} -c '{code}'\necho over\ncat\n")
    with reading_command(["sh", str(script)], tmp_path) as shell:
        shell.wait(lambda: "not connected" in shell.rows[-1])
        shell.type("go" + ENTER)
        for character in HALF:
            shell.type(character)
            shell.look()
        shell.wait_for("over")
        seen = "".join(row.strip() + " " for row in shell.everything if row)
        assert f"not sent: {HALF} over" in seen


def test_a_handle_that_is_offered(server: Server, ann: Peer, tmp_path: Path) -> None:
    """Enter takes it, and who types another gets just that."""
    offered = {"LOGNAME": "Ann"}
    arguments = ("client", "127.0.0.1", str(server.port))
    with reading(*arguments, state=tmp_path, environment=offered) as jimmy:
        jimmy.wait_line("Your handle? [Ann] ", "")
        jimmy.type(ENTER)
        jimmy.wait_for('handle "Ann" is taken')
        jimmy.type("Jimmy")
        jimmy.wait_line("Your handle? ", "Jimmy")
        jimmy.type(ENTER)
        ann.wait_line("* Jimmy joined")


def test_a_question_does_not_take_the_line(tmp_path: Path) -> None:
    """What is half typed when the client asks something is no answer, and comes back after it."""
    with reading("server", "0", state=tmp_path) as console:
        console.wait_line("Server> ", "")
        found = re.search(r"nc 127\.0\.0\.1 (\d+)", "\n".join(console.everything))
        assert found
        with client(int(found[1]), tmp_path) as jimmy:
            jimmy.wait_line(ME, "")
            jimmy.type("half a line" + LEFT)
            jimmy.wait_line(ME, "half a line", 10)
            console.type("\\quit" + ENTER)
            jimmy.wait_line("Reconnect? [y/N] ", "")
            jimmy.type("y" + ENTER)
            jimmy.wait_line("Your handle? [Jimmy] ", "")
            jimmy.type(ENTER)
            jimmy.wait_line(ME, "half a line", 10)
            console.type("\\quit" + ENTER)
            jimmy.wait_line("Reconnect? [y/N] ", "")
            jimmy.type(ENTER)
            assert jimmy.wait_end() == 0
            assert "not sent: half a line" in jimmy.everything


@pytest.mark.parametrize("text", ["x" * 1_000_000, "你 好\u0301" * 80_000, "\n" * 400_000])
@pytest.mark.parametrize("kind", ["said", "notice"])
def test_a_server_that_floods(tmp_path: Path, text: str, kind: str) -> None:
    """However much a strange server sends, keys have their turn, and Ctrl-C ends the client."""
    at = "2026-01-02T21:07:04.678Z"
    welcome = {"type": "welcome", "handle": "Jimmy", "server": "S", "roster": ["Jimmy", "Ann"]}
    event = {"type": kind, "id": 1, "at": at, "handle": "Ann", "text": text}
    blob = f"{json.dumps(event, ensure_ascii=False)}\n".encode()

    def flood(peer: socket.socket) -> None:
        with suppress(OSError):
            for _ in range(2_000):
                peer.sendall(blob)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        client(listener.getsockname()[1], tmp_path) as jimmy,
    ):
        peer, _ = listener.accept()
        peer.sendall(f"{json.dumps(welcome)}\n".encode())
        jimmy.wait_line(ME, "")
        flooding = Thread(target=flood, args=(peer,), daemon=True)
        flooding.start()
        jimmy.wait_for("more characters)")
        began = time.monotonic()
        jimmy.type("typed")
        jimmy.wait(lambda: any(row.startswith(f"{ME}typed") for row in jimmy.rows))
        assert time.monotonic() - began < 3
        began = time.monotonic()
        jimmy.type(CTRL_C)
        assert jimmy.wait_end() == 130
        assert time.monotonic() - began < 4  # of which two are for the server to let go
        peer.close()
        flooding.join()


# ---- 6: endings


def _quit(jimmy: Reader, _: Server) -> None:
    jimmy.type("\\quit" + ENTER)
    jimmy.wait_for("Reconnect? [y/N]")
    jimmy.type("n" + ENTER)


def _press(keys: str) -> Callable[[Reader, Server], None]:
    return lambda jimmy, _: jimmy.type(keys)


def _signal(number: int) -> Callable[[Reader, Server], None]:
    def send(jimmy: Reader, _: Server) -> None:
        found = re.search(r"pid (\d+) ", "\n".join(jimmy.everything))
        assert found
        os.kill(int(found[1]), number)

    return send


ENDINGS = {
    "quit": (_quit, 0),
    "ctrl-c": (_press("half" + CTRL_C), 130),
    "ctrl-d": (_press(CTRL_D), 0),
    "sigterm": (_signal(signal.SIGTERM), 143),
    "sighup": (_signal(signal.SIGHUP), 129),
    "sigint": (_signal(signal.SIGINT), 130),
    "server-stops": (lambda _, server: server.stop(signal.SIGINT), 0),
    "server-dies": (
        lambda jimmy, server: (
            server.stop(signal.SIGKILL),
            jimmy.wait_for("trying to come back"),
            jimmy.type(CTRL_C),
        ),
        1,
    ),
}
"""What ends a client, and its exit code then."""


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("option", ["", "--plain"])
def test_the_terminal_is_as_it_was(
    server: Server, ann: Peer, tmp_path: Path, how: str, option: str
) -> None:
    """Whatever ends the client, `stty -a` says the same before and after."""
    end, code = ENDINGS[how]
    (before, after), script = (tmp_path / "before", tmp_path / "after"), tmp_path / "script"
    command = " ".join([*TRIOCHAT, "client 127.0.0.1", str(server.port), "--handle Jimmy", option])
    script.write_text(
        f"trap : INT TERM HUP\nstty -a > {before}\n"
        f"sh -c 'echo pid $$ here; exec {command}'\necho code $?\nstty -a > {after}\necho end\n"
    )
    with reading_command(["sh", str(script)], tmp_path / "state") as shell:
        shell.wait_for("You are Jimmy. 2 here")
        if not option:
            shell.wait_line(ME, "")
        end(shell, server)
        shell.wait_for(f"code {code}", "end")
        shell.wait_end()
    assert before.read_text() == after.read_text()
    assert "speed" in before.read_text()


def test_the_window_is_closed(jimmy: Reader, ann: Peer) -> None:
    """When its terminal goes away the client leaves the room, and does not stay behind."""
    jimmy.type("half a line")
    jimmy.wait_line(ME, "half a line")
    jimmy.close_window()
    jimmy.wait_gone()
    ann.wait_line("* Jimmy left")


def test_many_windows_are_closed_at_once(tmp_path: Path) -> None:
    """Each server and each client ends with its window, though all of them are busy with it."""
    with running_server() as room, ExitStack() as stack:
        commands = [["server", "0"]] * 12
        for number in range(4):
            commands += [["client", "127.0.0.1", str(room.port), "--handle", f"J{number}"]]
        people = [stack.enter_context(reading(*each, state=tmp_path)) for each in commands]
        for person in people:
            person.wait_for(" here · ")
        for person in people:
            person.close_window()
        for person in people:
            person.wait_gone()


def test_ctrl_z_and_fg(server: Server, ann: Peer, tmp_path: Path) -> None:
    """A client that was stopped gives the shell its terminal, and comes back to be typed in."""
    command = " ".join([*TRIOCHAT, "client 127.0.0.1", str(server.port), "--handle Jimmy"])
    shell = ["bash", "--noprofile", "--norc", "-i"]
    with reading_command(shell, tmp_path, environment={"PS1": "shell$ "}) as jimmy:
        jimmy.wait_for("shell$")
        jimmy.type(command + ENTER)
        jimmy.wait_line(ME, "")
        jimmy.type("half a line")
        jimmy.wait_line(ME, "half a line")
        jimmy.type(CTRL_Z)
        jimmy.wait_for("Stopped")
        jimmy.type("echo $((6 * 7)); stty -a | grep -c ' icanon'" + ENTER)
        jimmy.wait(lambda: "42" in jimmy.rows and "1" in jimmy.rows)
        ann.type("meanwhile")
        jimmy.type("fg" + ENTER)
        jimmy.wait_for("Ann> meanwhile")
        jimmy.wait_line(ME, "half a line")
        jimmy.type(", and the rest" + ENTER)
        ann.wait_line("Jimmy> half a line, and the rest")
        jimmy.wait_line(ME, "")
        jimmy.type("more")
        jimmy.wait_line(ME, "more")
        jimmy.type(CTRL_C)
        jimmy.wait(lambda: jimmy.status == "shell$")
        jimmy.type("echo code $?" + ENTER)
        jimmy.wait_for("code 130")


@pytest.mark.parametrize("size", [(20, 40), (30, 100), (24, 60), (12, 80)])
def test_resize_while_typing(jimmy: Reader, ann: Peer, size: tuple[int, int]) -> None:
    """The half-typed line is laid out anew for the new width, and messages are, too."""
    jimmy.type(HALF + LEFT * 9)
    jimmy.wait_line(ME, HALF, len(HALF) - 9)
    jimmy.resize(*size)
    jimmy.wait_line(ME, HALF, len(HALF) - 9)
    jimmy.type(LEFT + RIGHT)
    ann.type("word " * 40)
    jimmy.wait(lambda: sum(row.endswith("word") for row in jimmy.rows) > 1)
    jimmy.wait_line(ME, HALF, len(HALF) - 9)
    jimmy.type("!" + ENTER)
    ann.wait_line(f"Jimmy> {HALF[:-9]}!{HALF[-9:]}")


# ---- 7: plain


@pytest.mark.parametrize(("options", "term"), [(["--plain"], "xterm-256color"), ([], "dumb")])
def test_plain(server: Server, ann: Peer, tmp_path: Path, options: list[str], term: str) -> None:
    """A terminal that only prints: the question, the chat, Ctrl-D, and never an escape."""
    with reading(
        "client",
        "127.0.0.1",
        str(server.port),
        *options,
        state=tmp_path / "state",
        environment={"TERM": term},
    ) as jimmy:
        jimmy.wait_for("Your handle?")
        jimmy.type("Ann" + ENTER)
        jimmy.wait_for('! handle "Ann" is taken; try another')
        jimmy.type("Jimmy" + ENTER)
        jimmy.wait_for("* Server connected. You are Jimmy. 2 here: Ann, Jimmy")
        jimmy.type("hello" + ENTER)
        jimmy.wait_for("Jimmy> hello")
        ann.wait_line("Jimmy> hello")
        ann.type("hi Jimmy, \x1b[31mred")
        ann.type("psst > Jimmy")
        jimmy.wait_for("Ann> hi Jimmy, [31mred", "[Ann -> you] psst")
        jimmy.type("\\nosuch" + ENTER)
        jimmy.wait_for("! there is no command \\nosuch")
        jimmy.type(CTRL_D)
        assert jimmy.wait_end() == 0
        ann.wait_line("* Jimmy left")
    assert b"\x1b" not in jimmy.output
    assert b"\a" not in jimmy.output
    assert not (tmp_path / "state").exists()


def test_plain_and_ctrl_c(server: Server, ann: Peer, tmp_path: Path) -> None:
    """Ctrl-C at a terminal that only prints leaves politely, with 130."""
    with client(server.port, tmp_path, "--plain") as jimmy:
        jimmy.wait_for("You are Jimmy")
        jimmy.type("half" + CTRL_C)
        ann.wait_line("* Jimmy left")
        assert jimmy.wait_end() == 130
    assert b"\x1b" not in jimmy.output


@pytest.mark.parametrize(
    ("options", "environment"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {})]
)
def test_no_colour(
    server: Server, ann: Peer, tmp_path: Path, options: list[str], environment: dict[str, str]
) -> None:
    """NO_COLOR and --no-color leave the editor and take the colours."""
    with client(server.port, tmp_path, *options, environment=environment) as jimmy:
        jimmy.wait_line(ME, "")
        ann.type("hi Jimmy")
        ann.type("psst > Jimmy")
        jimmy.wait_for("Ann> hi Jimmy", "[Ann -> you] psst")
        jimmy.type("\\nosuch" + ENTER)
        jimmy.wait_for("! there is no command")
        jimmy.type(CTRL_U + "x" * 501)
        jimmy.wait_line(ME, "x" * 501)
        jimmy.wait(lambda: jimmy.status.startswith("1 too many"))
    is_coloured = COLOUR.search(jimmy.output) is not None
    assert is_coloured is not bool(options or environment)


def test_the_bell(jimmy: Reader, ann: Peer) -> None:
    """It rings when one is mentioned or whispered to, at all messages or at none if asked."""

    def rings(said: str, seen: str) -> int:
        before = jimmy.bells
        ann.type(said)
        jimmy.wait_for(seen)
        jimmy.wait_line(ME, "")
        return jimmy.bells - before

    assert rings("hello all", "Ann> hello all") == 0
    assert rings("jimmyboy?", "Ann> jimmyboy?") == 0
    assert rings("hello jimmy!", "Ann> hello jimmy!") == 1
    assert rings("one > Jimmy", "[Ann -> you] one") == 1
    jimmy.type("Jimmy is me" + ENTER)
    jimmy.wait_for("Jimmy> Jimmy is me")
    assert jimmy.bells == 2
    jimmy.type("\\bell all" + ENTER)
    jimmy.wait_for("* bell: all")
    assert rings("anything", "Ann> anything") == 1
    jimmy.type("\\bell off" + ENTER)
    jimmy.wait_for("* bell: off")
    assert rings("Jimmy!", "Ann> Jimmy!") == 0
    assert rings("two > Jimmy", "[Ann -> you] two") == 0


def test_colours_on_the_screen(jimmy: Reader, ann: Peer) -> None:
    """Only the handle is coloured, the time is dim, and a mention is marked."""
    ann.type("well Jimmy, yes")
    jimmy.wait_for("Ann> well Jimmy, yes")
    jimmy.wait_line(ME, "")
    row = next(y for y, text in enumerate(jimmy.rows) if "Ann> well" in text)
    cells = jimmy.cells(row)
    assert {cell.fg for cell in cells[6:10]} != {"default"}
    assert {cell.fg for cell in cells[11:26]} == {"default"}
    assert [cell.data for cell in cells if cell.reverse] == list("Jimmy")


def test_a_hostile_server_cannot_reach_the_terminal(tmp_path: Path) -> None:
    """A server that cleans nothing gets no title, clipboard, bell or cursor through to the pty."""
    evil = "A\x1b]0;t\x07\x1b]52;c;aGk=\x07\x1b[2J\x9b2J\x9d0;t\x9c\u202e"
    at = "2026-01-02T21:07:04.678Z"
    events: list[dict[str, object]] = [
        {"type": "welcome", "handle": evil, "server": evil, "roster": [evil, "Ann"]},
        {"type": "said", "id": 1, "at": at, "handle": evil, "text": evil},
        {"type": "whispered", "id": 2, "at": at, "handle": evil, "to": evil, "text": evil},
        {"type": "notice", "text": evil},
        {"type": "refused", "code": "x", "text": evil},
        {"type": "said", "id": 3, "at": at, "handle": "Ann", "text": "the end"},
    ]
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        client(listener.getsockname()[1], tmp_path) as jimmy,
    ):
        peer, _ = listener.accept()
        peer.sendall("".join(f"{json.dumps(event)}\n" for event in events).encode())
        jimmy.wait_for("Ann> the end")
        jimmy.type("A" + TAB)
        jimmy.wait(lambda: jimmy.look() and "2 here" in jimmy.status)
        peer.close()
    assert b"\x1b]" not in jimmy.output
    assert b"\x1b[2J" not in jimmy.output
    assert b"\a" not in jimmy.output
    assert re.search("[\x80-\x9f\u202e]", jimmy.output.decode()) is None


# ---- the console has the same terminal


def test_the_console_is_a_terminal(tmp_path: Path) -> None:
    """The operator has the same editor, with the operator's commands, and the same endings."""
    with reading("server", "0", state=tmp_path) as console:
        console.wait_line("Server> ", "")
        found = re.search(r"nc 127\.0\.0\.1 (\d+)", "\n".join(console.everything))
        assert found
        joe = Peer(int(found[1]))
        joe.type("Joe")
        console.wait_for("* Joe joined")
        console.type("half 你好 a line" + LEFT * 6)
        console.wait_line("Server> ", "half 你好 a line", 8)
        for number in range(30):
            joe.type(f"message {number}")
            console.wait_for(f"Joe> message {number}")
            console.wait_line("Server> ", "half 你好 a line", 8)
        console.type("\x05" + ENTER)
        joe.wait_line("Server> half 你好 a line")
        console.wait_line("Server> ", "")
        console.type(UP)
        console.wait_line("Server> ", "half 你好 a line")
        console.type(CTRL_U + "\\k" + TAB)
        console.wait_line("Server> ", "\\kick ")
        console.type("J" + TAB)
        console.wait_line("Server> ", "\\kick Joe ")
        console.wait_for(f"port {found[1]} · 2 here")
        console.type("enough" + ENTER)
        joe.wait_line("* Server closed the connection: kicked: enough")
        console.type("well" + ENTER)  # who goes soon after another may be told with what follows
        console.wait_for("* Joe left (kicked: enough)")
        joe.close()
        console.type(CTRL_C)
        assert console.wait_end() == 0


def test_a_plain_console(tmp_path: Path) -> None:
    """With --plain the operator's console only prints."""
    with reading("server", "0", "--plain", state=tmp_path) as console:
        console.type("?" + ENTER)
        console.wait_for("* 1 here: Server")
        found = re.search(r"nc 127\.0\.0\.1 (\d+)", "\n".join(console.everything))
        assert found
        joe = Peer(int(found[1]))
        joe.type("Joe")
        console.wait_for("* Joe joined")
        console.type("welcome" + ENTER)
        joe.wait_line("Server> welcome")
        console.type("\\kick Joe" + ENTER)
        joe.wait_line("* Server closed the connection: kicked")
        joe.close()
        console.type(CTRL_C)
        assert console.wait_end() == 0
    assert b"\x1b" not in console.output
