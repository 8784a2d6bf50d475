import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from real import Peer, free_port, run, running_server, spawn
from triochat.archive import open_reading
from triochat.messages import Recall

TOKEN = "t" * 22


def join(port: int, handle: str, **more: object) -> tuple[Peer, dict[str, Any]]:
    """A program that has joined, and its welcome."""
    peer = Peer(port)
    peer.ask({"type": "join", "handle": handle, **more})
    return peer, peer.event()


def hear(peer: Peer, kind: str) -> dict[str, Any]:
    """The next event of this kind."""
    while (event := peer.event())["type"] != kind:
        pass
    return event


def kept(path: Path) -> list[tuple[int, str]]:
    """What is in this file."""
    reading = open_reading(path)
    messages = reading.recall(Recall(1000), None, 0).messages
    reading.close()
    return [(one.id, one.text) for one in messages]


def test_killed(tmp_path: Path) -> None:
    """What was confirmed when a server is killed is in the file, and is told who comes back.

    Ids go on, the seat is there, and what was whispered meanwhile reaches its one reader.
    """
    path = tmp_path / "pub.db"
    options, last, confirmed = ("--history", str(path)), 0, []
    for round_ in range(3):
        with running_server(*options) as server:
            ann, welcome = join(
                server.port, "Ann", token=TOKEN, **({"after": last} if last else {})
            )
            assert (welcome["room"], welcome["resumed"]) == ("pub", round_ > 0)
            assert welcome["last"] >= last
            bob, _ = join(server.port, f"Bob{round_}")
            for number in range(20):
                ann.ask({"type": "say", "text": f"{round_}-{number}"})
                said = hear(ann, "said")
                assert said["id"] > last
                last = said["id"]
                confirmed.append((last, said["text"]))
            bob.ask({"type": "whisper", "to": "Ann", "text": "psst"})
            assert hear(bob, "whispered")["id"] > last
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(10)
        assert kept(path) == confirmed
    with running_server(*options) as server:
        ann, welcome = join(server.port, "Ann", token=TOKEN, after=last)
        assert welcome["resumed"]
        assert hear(ann, "whispered")["text"] == "psst"
        cid, _ = join(server.port, "Cid", history=2)
        assert [hear(cid, "said")["text"] for _ in range(2)] == ["2-18", "2-19"]
        cid.ask({"type": "recall", "find": "psst"})
        assert hear(cid, "recalled")["messages"] == []
        ann.ask({"type": "quit"})
        cid.ask({"type": "quit"})
        assert server.stop() == 0
    assert [file.name for file in tmp_path.iterdir()] == ["pub.db"]
    assert TOKEN.encode() not in path.read_bytes()


def test_rulings_survive(tmp_path: Path) -> None:
    """Bans, mutes and the topic hold after a kill, with no other file."""
    path, port = tmp_path / "pub.db", free_port()
    console = spawn("server", str(port), "--history", str(path), "--plain")
    console.expect("Ctrl-C stops the server")
    for line, answer in {
        "\\topic tea": "the topic was set by Server: tea",
        "\\ban Eve 10 spam": "Eve was banned",
    }.items():
        console.sendline(line)
        console.expect(answer)
    console.kill(signal.SIGKILL)
    console.close()
    with running_server("--history", str(path)) as server:
        _, welcome = join(server.port, "Ann")
        assert welcome["topic"] == "tea"
        _, refused = join(server.port, "Eve")
        assert refused["code"] == "banned"


def test_what_cannot_be_used(tmp_path: Path) -> None:
    """One sentence, exit 1, and nothing is touched; also when another server has the file."""
    letter, room = tmp_path / "letter", tmp_path / "room.db"
    letter.write_text("Dear Ann")
    with running_server("--history", str(room)):
        for path, problem in {
            letter: "is not the history of a room; name another file, or move it away",
            tmp_path: "is no file",
        }.items():
            done = run("server", "0", "--history", str(path))
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == f"triochat: --history: {path} {problem}\n"
        done = run("server", "0", "--history", str(room))
        problem = f"another server keeps its history in {room}; name another file"
        assert (done.returncode, done.stderr) == (1, f"triochat: --history: {problem}\n")
        assert kept(room) == []
    assert letter.read_text() == "Dear Ann"
    assert {file.name for file in tmp_path.iterdir()} <= {
        "letter",
        "room.db",
        "room.db-wal",
        "room.db-shm",
    }


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk with so much room; skips where nobody may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root mounts a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path) -> None:
    """The room lives on when its disk is full; authors are told; when there is room all is kept."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        path, ballast = disk / "room.db", disk / "ballast"
        with running_server("--history", str(path)) as server:
            ann, _ = join(server.port, "Ann")
            ann.ask({"type": "say", "text": "first"})
            hear(ann, "said")
            with ballast.open("wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 1024):
                        pass
                except OSError:
                    pass
            count, told = 0, ""
            while not told and count < 200:
                count += 1
                ann.ask({"type": "say", "text": f"{count} " + "x" * 490})
                while (event := ann.event())["type"] != "said":
                    told = event["text"]
            assert told == (
                "what you say now is told to all who are here, but not kept "
                "(database or disk is full)"
            )
            ballast.unlink()
            until = time.monotonic() + 20
            while len(kept(path)) < count + 1:
                assert time.monotonic() < until
                time.sleep(0.2)
            ann.ask({"type": "say", "text": "last"})
            hear(ann, "said")
            ann.ask({"type": "quit"})
            assert server.stop() == 0
            assert server.process.stderr
            log = server.process.stderr.read()
            assert f"cannot write {path}: database or disk is full" in log
            assert f"{path} is written again; nothing is missing" in log
        texts = [text.split()[0] for _, text in kept(path)]
        assert texts == ["first", *map(str, range(1, count + 1)), "last"]


def test_how_it_is_asked_for() -> None:
    """What makes no sense is refused with a sentence; a duration is a duration."""
    for arguments, problem in {
        ("--keep", "30d"): "--keep, --keep-max and --history-sync need --history FILE",
        ("--history-sync", "normal"): "--history-sync need --history FILE",
        ("--history", ""): "argument --history: no file is named",
        ("--state", ""): "argument --state: no file is named",
        ("--password-file", ""): "argument --password-file: no file is named",
        ("--hold", "soon"): '"soon" is no duration; write one as 90s, 5m, 2h or 30d',
        ("--replay", "x"): '"x" is not a number of messages; it must be 0 to 1000',
        ("--name", ""): "the name of a room has 1 to 100 characters",
    }.items():
        done = run("server", "0", *arguments)
        assert done.returncode == 2
        assert problem in done.stderr.splitlines()[0]


def test_a_name(tmp_path: Path) -> None:
    """A room is called as it is told, or else as its file."""
    for options, name in {
        ("--name", "The Dog & Duck"): "The Dog & Duck",
        ("--history", str(tmp_path / "pub.db"), "--keep", "30d", "--keep-max", "5"): "pub",
        (): "room",
    }.items():
        with running_server(*options) as server:
            _, welcome = join(server.port, "Ann")
            assert welcome["room"] == name
