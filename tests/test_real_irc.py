import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from irc_clients import Catgirl, Ii, IrcClient, Irssi, Sic, WeeChat
from real import Peer, member
from screen_reader import ENTER, Reader, reading

CLIENTS = [Irssi, WeeChat, Ii, Sic, Catgirl]


@contextmanager
def at(
    kind: type[IrcClient], home: Path, port: int, handle: str = "Jimmy", password: str = ""
) -> Iterator[IrcClient]:
    """Somebody at such a client, until the end of the block; skips where it is not installed."""
    if not shutil.which(kind.program):
        pytest.skip(f"there is no {kind.program} here")
    home.mkdir()
    client = kind(home, port, handle, password)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Reader]:
    """The operator at a server."""
    with reading("server", "0", state=tmp_path / "state") as console:
        console.wait_line("Server> ", "")
        yield console


def port_of(console: Reader) -> int:
    """Where it listens."""
    line = next(row for row in console.everything if "nc 127.0.0.1" in row)
    return int(line.split()[-1])


def bot(port: int) -> Peer:
    """A program that has joined."""
    peer = Peer(port)
    peer.ask({"type": "join", "handle": "Bot"})
    assert peer.event()["type"] == "welcome"
    return peer


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_talk(console: Reader, tmp_path: Path, kind: type[IrcClient]) -> None:
    """It comes in unasked, speaks and hears, whispers, sees who comes and goes, and is kicked."""
    port = port_of(console)
    ann, program = member(port, "Ann"), bot(port)
    with at(kind, tmp_path / "home", port) as jimmy:
        ann.wait_line("* Jimmy joined")
        jimmy.wait_until(jimmy.is_in, "its window")
        jimmy.type("hello from there")
        ann.wait_line("Jimmy> hello from there")
        while (event := program.event())["type"] != "said":
            pass
        assert (event["handle"], event["text"]) == ("Jimmy", "hello from there")
        ann.type("hello back")
        jimmy.wait("Ann.*hello back")
        program.ask({"type": "say", "text": "hello, human"})
        jimmy.wait("Bot.*hello, human")
        jimmy.whisper("Ann", "between us")
        ann.wait_line("[Jimmy -> you] between us")
        ann.type("so be it > Jimmy")
        jimmy.wait("Ann.*so be it")
        timmy = member(port, "Timmy")
        jimmy.wait("Timmy.*#room")
        timmy.type("\\nick Tim")
        jimmy.wait("Timmy.*Tim")
        timmy.type("\\quit")
        jimmy.wait("Tim.*quit")
        jimmy.rename("Jim")
        ann.wait_line("* Jimmy is now Jim")
        console.type("\\kick Jim enough" + ENTER)
        ann.wait_line("* Jim left (kicked: enough)")
        jimmy.wait("enough")
