import json
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from real import ENVIRONMENT, PATIENCE, TRIOCHAT, exit_code, member, run, running_server, spawn
from triochat.changes import Changes
from triochat.messages import Said
from triochat.opening import open_archive

LONG = f"{'x' * 70} Bob> hi"


def at(ago: float) -> str:
    """The time so many seconds ago, as it stands on the wire."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - ago))


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """What a server has kept of a room."""
    path = tmp_path / "room.history"
    said = [
        Said(3, at(90_000), "Ann", "tea time"),
        Said(4, at(90_000), "Bob", "waves", action=True),
        Said(7, at(60), "bob", f"Teatime \x1b[2J{LONG}"),
    ]
    scribe = open_archive(path, time.time())
    try:
        scribe.commit(Changes(said=said), time.time())
    finally:
        scribe.close()
    return path


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ((), [3, 4, 7]),
        (("--last", "1"), [7]),
        (("--find", "TEA"), [3, 7]),
        (("--find", "tea time"), [3]),
        (("--from", "BOB"), [4, 7]),
        (("--from", "bob", "--find", "tea"), [7]),
        (("--since", "2h"), [7]),
        (("--since", "2020-01-02", "--last", "2"), [4, 7]),
        (("--find", "coffee"), []),
    ],
)
def test_what_is_in_the_file_is_printed(
    room: Path, arguments: tuple[str, ...], ids: list[int]
) -> None:
    """The installed program finds in the file what it is asked for; exit code 0."""
    done = run("history", str(room), "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ids


def test_a_pipe_gets_lines(room: Path) -> None:
    """For people each message has its time; nothing in it does anything, nor is it folded."""
    done = run("history", str(room))
    assert [line[20:] for line in done.stdout.splitlines()] == [
        "Ann> tea time",
        "* Bob waves",
        f"bob> Teatime [2J{LONG}",
    ]


def test_a_terminal_gets_rows(room: Path) -> None:
    """At a terminal all rows of a message but the first are indented."""
    terminal = pexpect.spawn(
        TRIOCHAT[0],
        [*TRIOCHAT[1:], "history", str(room), "--last", "1"],
        env=ENVIRONMENT,
        dimensions=(24, 60),
        timeout=PATIENCE,
        encoding="utf-8",
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    first, *rest = str(terminal.before).split("\r\n")[:-1]
    assert first[20:].startswith("bob> Teatime")
    assert all(row.startswith("  ") and len(row) <= 60 for row in rest)
    assert "".join(rest).replace(" ", "").endswith("Bob>hi")
    assert terminal.exitstatus == 0


def test_a_file_that_is_no_history(tmp_path: Path) -> None:
    """What is not there, or is something else, is told in one line; exit code 1, and it stays."""
    other = tmp_path / "other"
    other.write_text("a letter")
    for path, reason in (
        (tmp_path / "nowhere", "no such file or directory"),
        (other, "is not the history of a room"),
        (tmp_path, "is no file"),
    ):
        done = run("history", str(path))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("triochat: ")
        assert done.stderr.count("\n") == 1
        assert reason in done.stderr
    assert other.read_text() == "a letter"


def test_nobody_reads_on(room: Path) -> None:
    """Who wants only the first lines gets them, and no complaint."""
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m triochat history {room} | head -1"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (done.stdout[20:], done.stderr) == ("Ann> tea time\n", "")


def test_it_needs_no_trio(room: Path) -> None:
    """Where no terminal is drawn on neither trio nor rich is loaded."""
    program = (
        "import sys\nfrom triochat.cli import main\n"
        f"code = main(['history', {str(room)!r}, '--json'])\n"
        "print(code, sorted({'trio', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_a_person_reads_back(tmp_path: Path) -> None:
    """At a terminal what was said is told again, found, and exported; the file has it, too."""
    kept, exported = tmp_path / "room.history", tmp_path / "all.md"
    with running_server("--history", str(kept), "--replay", "0", "--headless") as server:
        ann = member(server.port, "Ann")
        for line in ("tea time", "\\me waves", "coffee", "tea, *too*", "psst > Ann", "?"):
            ann.type(line)
        ann.wait_line("* 1 here: Ann")
        bob = spawn("client", "--plain", "--handle", "Bob", str(server.port))
        bob.expect("You are Bob")
        bob.sendline("\\back 1")
        bob.expect(r"\* earlier: \[\d\d:\d\d\] #(\d+) Ann> tea, \*too\*")
        number = int(bob.match[1]) if isinstance(bob.match, re.Match) else 0
        bob.expect("1 earlier message; there are older ones: type that again")
        bob.sendline("\\back 1")
        bob.expect(r"#\d+ Ann> coffee")
        bob.sendline("\\find TEA from ann")
        bob.expect("Ann> tea time.*Ann> tea, .*2 earlier messages")
        bob.sendline(f"\\export {exported}")
        bob.expect("exported 4 messages to")
        bob.sendline(f"\\export {exported}")
        bob.expect(r"there\s+is\s+such\s+a\s+file")
        done = run("history", str(kept), "--json")
        said = [json.loads(line) for line in done.stdout.splitlines()]
        assert (said[-1]["id"], said[-1]["text"]) == (number, "tea, *too*")
        bob.sendline("\\quit")
        bob.expect("Reconnect")
        bob.sendline("n")
        assert exit_code(bob) == 0
        assert server.stop() == 0
    lines = [line[22:] for line in exported.read_text().splitlines()]
    assert lines == [
        "**Ann:** tea time",
        "**Ann** waves",
        "**Ann:** coffee",
        "**Ann:** tea, \\*too\\*",
    ]
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    done = run("history", str(kept), "--last", "2")
    assert [line[20:] for line in done.stdout.splitlines()] == ["Ann> coffee", "Ann> tea, *too*"]
