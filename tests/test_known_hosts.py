import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from triochat.exceptions import UntrustedError
from triochat.known_hosts import KnownHosts
from triochat.trust import AUTHORITY, server_at

A, B = (f"SHA256:{letter * 42}A" for letter in "ab")
HERE, THERE = server_at("chat.example", 9999), server_at("fd00::7", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is going to be; its folder is not there yet."""
    return tmp_path / "state" / "triochat" / "known_hosts"


def test_a_pin_is_kept_until_it_is_forgotten(path: Path) -> None:
    """The first pin of a server stands, whatever else is seen there, until it is forgotten."""
    hosts = KnownHosts(path)
    assert (hosts.find(HERE), hosts.forget(HERE)) == ("", False)
    assert not path.parent.exists()
    assert (hosts.remember(HERE, A), hosts.remember(THERE, AUTHORITY)) == (A, AUTHORITY)
    assert hosts.remember(HERE, B) == A
    assert path.read_text() == f"chat.example 9999 {A}\nfd00::7 1 authority\n"
    assert KnownHosts(path).find(HERE) == A
    assert (hosts.forget(HERE), hosts.forget(HERE)) == (True, False)
    assert (hosts.find(HERE), hosts.find(THERE)) == ("", AUTHORITY)


def test_nobody_else_may_read_it(path: Path) -> None:
    """The file is its owner's alone, and so is a folder that is made for it."""
    KnownHosts(path).remember(HERE, A)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_many_who_remember_at_once_lose_nothing(path: Path) -> None:
    """Processes that write at the same time all find their lines afterwards."""
    program = (
        "import sys; from pathlib import Path; from triochat.known_hosts import KnownHosts\n"
        "from triochat.trust import server_at\n"
        "for port in range(1, 21):\n"
        "    KnownHosts(Path(sys.argv[1])).remember(server_at(sys.argv[2], port), sys.argv[3])"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, path, f"host{number}", A])
        for number in range(4)
    ]
    assert [child.wait(60) for child in children] == [0] * 4
    hosts = KnownHosts(path)
    assert all(
        hosts.find(server_at(f"host{number}", port)) == A
        for number in range(4)
        for port in range(1, 21)
    )


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "other.example 9999",
        f"other.example port {A}",
        f"other.example 9999 {A} more",
        f"other.example 9999 {A[:-1]}",
        f"chat.example 9999 {B}",
        "other.example 9999 Authority",
        f"\udcff 9999 {A}",
    ],
)
def test_what_makes_no_sense_is_not_skipped(path: Path, line: str) -> None:
    """A line that is cut, foreign or says something else of a server stops all; it is named."""
    path.parent.mkdir(parents=True)
    text = f"chat.example 9999 {A}\n\n{line}\n".encode(errors="surrogateescape")
    path.write_bytes(text)
    hosts = KnownHosts(path)
    for act in (hosts.find, hosts.forget, lambda server: hosts.remember(server, A)):
        with pytest.raises(UntrustedError, match=f"^line 3 of {path} is not one .*; mend it, or"):
            act(THERE)
    assert path.read_bytes() == text


def test_a_file_that_cannot_be_read_is_not_an_empty_one(path: Path) -> None:
    """Where there is something else, one sentence says what; where none can be, there is none."""
    path.mkdir(parents=True)
    with pytest.raises(UntrustedError, match=f"^cannot read {path}: is a directory$"):
        KnownHosts(path).find(HERE)
    nowhere = KnownHosts(Path(os.devnull, "nowhere", "known_hosts"))
    assert nowhere.find(HERE) == ""
    with pytest.raises(UntrustedError, match=r"^cannot write /dev/null/nowhere/known_hosts: "):
        nowhere.remember(HERE, A)


def test_a_write_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the new pin and none of the old; nothing is left behind."""
    hosts = KnownHosts(path)
    hosts.remember(HERE, A)

    def fail(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(UntrustedError, match=f"^cannot write {path}: no space left on device$"):
        hosts.remember(THERE, B)
    assert list(path.parent.iterdir()) == [path]
    assert (hosts.find(HERE), hosts.find(THERE)) == (A, "")
