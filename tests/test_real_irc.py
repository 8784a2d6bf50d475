import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import irc_clients
from guests import at
from irc_clients import (
    Catgirl,
    Ii,
    IrcClient,
    Irssi,
    PinnedIrssi,
    PinnedWeeChat,
    Sic,
    WeeChat,
)
from real import Peer, Server, member, running_server
from screen_reader import ENTER, Reader, reading

CLIENTS = [Irssi, WeeChat, Ii, Sic, Catgirl]


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Reader]:
    """The operator at a server."""
    with reading("server", "0", state=tmp_path / "state") as console:
        console.wait_line("Server> ", "")
        yield console


def port_of(console: Reader) -> int:
    """Where it listens."""
    found = re.search(r"nc 127\.0\.0\.1 (\d+)", "\n".join(console.everything))
    assert found
    return int(found[1])


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


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_nick_that_is_taken(server: Server, tmp_path: Path, kind: type[IrcClient]) -> None:
    """Where somebody has it already it takes another by itself, or its person says which."""
    member(server.port, "Jimmy")
    ann = member(server.port, "Ann")
    with at(kind, tmp_path / "home", server.port) as jimmy:
        if kind in (Ii, Sic):
            jimmy.wait("is taken")
            jimmy.rename("Jim")
        joined = ann.line()
        assert re.fullmatch(r"\* Jim(my.)? joined", joined)
        jimmy.handle = joined.split()[1]
        jimmy.wait_until(jimmy.is_in, "its window")
        jimmy.type("it is me")
        assert ann.line() == f"{jimmy.handle}> it is me"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_password(tmp_path: Path, kind: type[IrcClient]) -> None:
    """Where the room has one, the client's option for a server's password is right."""
    file = tmp_path / "password"
    file.write_text("sesame\n")
    with running_server("--password-file", str(file)) as server:
        ann = Peer(server.port)
        for line in ("Ann", "sesame"):
            ann.type(line)
        ann.wait_line("* Server connected. You are Ann. 1 here: Ann")
        with at(kind, tmp_path / "wrong", server.port, "Joe", "simsalabim") as joe:
            joe.wait("password|not let in")
        with at(kind, tmp_path / "home", server.port, "Jimmy", "sesame") as jimmy:
            assert ann.line() == "* Jimmy joined"
            jimmy.wait_until(jimmy.is_in, "its window")


@pytest.mark.parametrize("kind", CLIENTS)
def test_long_lines(server: Server, tmp_path: Path, kind: type[IrcClient]) -> None:
    """All of the longest message is shown, and nothing in it is taken for the server's word."""
    ann = member(server.port, "Ann")
    forged = ":Server KICK #room Jimmy"
    text = f"{'ж' * 210} {forged} " * 2
    with at(kind, tmp_path / "home", server.port) as jimmy:
        ann.wait_line("* Jimmy joined")
        jimmy.wait_until(jimmy.is_in, "its window")
        ann.type(text)
        ann.type("the end")
        jimmy.wait("Ann.*the end")
        assert "".join(jimmy.lines).count("ж") == 420
        assert "".join("".join(jimmy.lines).split()).count("KICK#roomJimmy") == 2
        jimmy.type("still here")
        ann.wait_line("Jimmy> still here")


@pytest.mark.parametrize("kind", [PinnedIrssi, PinnedWeeChat])
@pytest.mark.parametrize("is_other", [False, True])
def test_a_pinned_certificate(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[IrcClient],
    is_other: bool,
) -> None:
    """Over TLS it joins the server that has the key that it was told, and no other."""
    if is_other:
        monkeypatch.setattr(irc_clients, "pin_of", lambda _: "ab" * 32)
    ann = member(server.port, "Ann")
    with at(kind, tmp_path / "home", server.port) as jimmy:
        if is_other:
            trouble = "ingerprint|certificate|lost|TLS|SSL|handshake"
            jimmy.wait(trouble)
            ann.type("?")
            assert ann.line() == "* 1 here: Ann"
        else:
            assert ann.line() == "* Jimmy joined"
            jimmy.wait_until(jimmy.is_in, "its window")
            jimmy.type("unheard by others")
            assert ann.line() == "Jimmy> unheard by others"
