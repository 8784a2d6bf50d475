"""Several servers of one room, as their clients know them: real processes and sockets."""

import time
from pathlib import Path
from typing import Any

import pytest
import trio

from real import TRIOCHAT, exit_code, free_port, member, run, running_server, spawn
from triochat import open_client
from triochat.connect import connect
from triochat.passwords import OVERHEARD

pytestmark = pytest.mark.real_time  # servers are processes of their own


class Names(trio.abc.HostnameResolver):
    """All names lead to two addresses of this machine."""

    async def getaddrinfo(self, *arguments: object) -> list[Any]:
        """Both, for TCP."""
        await trio.lowlevel.checkpoint()
        tcp = trio.socket.AF_INET, trio.socket.SOCK_STREAM, trio.socket.IPPROTO_TCP, ""
        return [(*tcp, (address, arguments[1])) for address in ("127.0.0.1", "127.0.0.2")]

    async def getnameinfo(self, *_: object) -> tuple[str, str]:
        """Nobody asks."""
        raise NotImplementedError


def test_who_knows_another_server_is_there_when_one_stops() -> None:
    """SIGTERM at one: at the other within 5 seconds; a quit there does not lead away from it."""
    with running_server() as first, running_server() as second:
        ann, also = member(second.port, "Ann"), f"127.0.0.1:{second.port}"
        child = spawn("client", str(first.port), "--also", also, "--handle", "Jimmy")
        child.expect("You are Jimmy")
        start = time.monotonic()
        first.process.terminate()
        child.expect_exact(f"trying 127.0.0.1 port {second.port} (Ctrl-C gives up)")
        child.expect_exact(f"connected to 127.0.0.1 port {second.port}")
        child.expect_exact("You are Jimmy. 2 here: Ann, Jimmy")
        ann.wait_line("* Jimmy joined")
        assert time.monotonic() - start < 5
        child.send("hello\r")
        ann.wait_line("Jimmy> hello")
        with running_server(command=(*TRIOCHAT, "server", str(first.port))):
            child.send("\\quit\r")
            child.expect_exact("Reconnect? [y/N]")
            child.send("y\r")
            child.expect_exact("Your handle?")
            child.send("\r")
            ann.wait_line("* Jimmy left")
            ann.wait_line("* Jimmy joined")
            child.send("\x04")
            assert exit_code(child) == 0


def test_the_next_one_is_tried_when_one_is_not_there() -> None:
    """All commands do; where nobody is at any of them, one sentence says so of each."""
    nobody, neither = free_port(), free_port()
    with running_server() as server:
        ann = member(server.port, "Ann")
        for command in ("send", "client"):
            also = "--also", f"localhost:{neither}", "--also", f":{server.port}"
            done = run(command, str(nobody), *also, "--handle", "cron", text="hi\n")
            assert (done.returncode, done.stderr) == (0, "")
            ann.wait_line("cron> hi")
    for command, code in (("send", 3), ("tail", 3), ("client", 1)):
        done = run(command, str(nobody), "--also", f"localhost:{neither}", "--handle", "cron")
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr == (
            f"triochat: cannot reach the room: 127.0.0.1 port {nobody}: connection refused; "
            f"localhost port {neither}: connection refused\n"
        )


async def test_a_program_knows_several_servers() -> None:
    """`open_client` takes them as arguments."""
    with running_server() as server:
        also = [("localhost", free_port()), ("127.0.0.1", server.port)]
        async with open_client("127.0.0.1", free_port(), "bot", also=also) as bot:
            assert bot.welcome.roster == ("bot",)


def test_a_password_that_may_be_overheard_at_one_of_them(tmp_path: Path) -> None:
    """Who does not encrypt is told so before anything is said, wherever that would be."""
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("sesame\n")
    with running_server() as server:
        options = "--handle", "x", "--insecure", "--password-file", str(secret)
        for far, warning in (("0.0.0.0", f"triochat: {OVERHEARD}\n"), ("localhost", "")):  # noqa: S104
            done = run("send", str(server.port), "--also", f"{far}:1", *options, text="hi\n")
            assert (done.returncode, done.stderr) == (0, warning)


@pytest.mark.parametrize(
    ("also", "problem"),
    [
        ("chat.example", '"chat.example" is not the address of a room; write HOST:PORT, '),
        ("::1:9999", '"::1:9999" is not the address of a room; write HOST:PORT, [IPv6]:PORT, '),
        ("h:0", "nobody can listen on port 0; a port is 1 to 65535"),
        ("h:99999", '"99999" is not a port; a port is a number, 0 to 65535'),
        ("", '"" is not the address of a room; write HOST:PORT, '),
    ],
)
def test_an_address_that_is_none(also: str, problem: str) -> None:
    """One line says what is wrong with it, above the usage."""
    for command in ("client", "send", "tail"):
        done = run(command, "9999", "--also", also, "--handle", "cron")
        assert (done.returncode, done.stdout) == (2, "")
        first, usage, *_ = done.stderr.splitlines()
        assert first.startswith(f"triochat {command}: argument --also: {problem}")
        assert usage.startswith("usage: ")


async def test_a_name_with_several_addresses_leads_to_one_that_answers() -> None:
    """Each time that one connects; the one that has gone is not waited for."""

    async def reached() -> str:
        stream = await connect("room.example", port, insecure=True)
        assert isinstance(stream, trio.SocketStream)
        async with stream:
            host: str = stream.socket.getpeername()[0]
            return host

    trio.socket.set_custom_hostname_resolver(Names())
    port = free_port()
    command = (*TRIOCHAT, "server", str(port))
    second = running_server("--host", "127.0.0.2", command=command)
    with running_server(command=command) as first, second:
        assert await reached() == "127.0.0.1"
        assert first.stop() == 0
        with trio.fail_after(2):
            assert await reached() == "127.0.0.2"
