from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import trio

from real import ENVIRONMENT, PATIENCE, TRIOCHAT, exit_code, run, running_server, spawn
from tls import Certificate, Listening
from triochat import Hub, Room, UntrustedError, open_client, serve
from triochat.messages import Said
from triochat.server import port_of

pytestmark = pytest.mark.real_time  # files are locked in threads of their own

FAR = "0.0.0.0"  # noqa: S104  an address of this machine that does not look like one
OURS, OTHER = Certificate(FAR), Certificate(FAR)
FIRST = "first time at 0.0.0.0 port {}; its key is {}; compare it with what the server printed"


class Shell:
    """Somebody who runs commands, and has a state folder."""

    def __init__(self, home: Path) -> None:
        self.known = home / "triochat" / "known_hosts"
        self.environment = {**ENVIRONMENT, "XDG_STATE_HOME": str(home)}

    async def run(self, *arguments: str, text: str = "") -> "CompletedProcess[bytes]":
        """Run ``triochat`` with these arguments, and this on standard input."""
        with trio.fail_after(PATIENCE):
            return await trio.run_process(
                [*TRIOCHAT, *arguments],
                stdin=text.encode(),
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env=self.environment,
            )

    async def send(self, port: int, *options: str, host: str = FAR) -> tuple[int, str]:
        """``triochat send``: the exit code, and standard error."""
        done = await self.run("send", host, str(port), "--handle", "cron", *options, "hi")
        assert done.stdout == b""
        return done.returncode, done.stderr.decode()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Somebody who has met nobody yet."""
    return Shell(tmp_path / "state")


@asynccontextmanager
async def room(certificate: Certificate, port: int = 0) -> AsyncIterator[int]:
    """A room that only encrypts, on this port."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        doors: Sequence[trio.abc.Listener[trio.abc.Stream]] = [
            trio.SSLListener(each, certificate.context, https_compatible=True) for each in listeners
        ]
        hub = Hub(Room())
        scope = await nursery.start(serve, doors, hub)
        yield port_of(listeners)
        hub.close("restarting", retry=True)
        scope.cancel()


@asynccontextmanager
async def listening(
    certificate: Certificate, port: int = 0
) -> AsyncIterator[tuple[int, Listening]]:
    """A server that encrypts, and only listens, on this port."""
    server = Listening(certificate)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        nursery.start_soon(partial(trio.serve_listeners, server.hear, listeners))
        yield port_of(listeners), server
        nursery.cancel_scope.cancel()


async def test_the_first_key_is_shown_and_a_changed_one_refused(shell: Shell) -> None:
    """First time, again, changed, forgotten: what every command says, and to whom nothing."""
    async with room(OURS) as port:
        first = FIRST.format(port, OURS.fingerprint)
        assert await shell.send(port) == (0, f"triochat: {first}\n")
        assert await shell.send(port) == (0, "")
        done = await shell.run("client", FAR, str(port), "--handle", "x", text="hello\n")
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"x> hello" in done.stdout
    assert shell.known.read_text() == f"0.0.0.0 {port} {OURS.fingerprint}\n"
    async with listening(OTHER, port) as (_, server):
        for command in (["send", "hi"], ["tail"], ["client"]):
            done = await shell.run(
                command[0], f"{FAR}:{port}", "--handle", "x", *command[1:], text="secret\n"
            )
            assert (done.returncode, done.stdout) == (3, b"")
            [line] = done.stderr.decode().splitlines()
            assert line == (
                f"triochat: 0.0.0.0 port {port}: its key has changed: "
                f"it was {OURS.fingerprint}, and is {OTHER.fingerprint}; "
                "somebody may be in between; nothing was said; "
                f'"triochat forget 0.0.0.0 {port}" forgets the old'
            )
        assert server.heard == b""
    done = await shell.run("forget", FAR, str(port))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith(f"The key of 0.0.0.0 port {port} is forgotten;")
    async with room(OTHER, port):
        first = FIRST.format(port, OTHER.fingerprint)
        assert await shell.send(port) == (0, f"triochat: {first}\n")


async def test_a_fingerprint_says_whom_to_expect(shell: Shell) -> None:
    """The right one needs no first time, the wrong one is told nothing; on this machine, too."""
    right = OURS.fingerprint
    async with room(OURS) as port:
        assert await shell.send(port, "--fingerprint", right) == (0, "")
        assert await shell.send(port, "--fingerprint", right, host="127.0.0.1") == (0, "")
        assert await shell.send(port, host="127.0.0.1") == (0, "")  # it is pinned now
    async with listening(OURS) as (port, server):
        code, words = await shell.send(port, "--fingerprint", OTHER.fingerprint)
        assert (code, server.heard) == (3, b"")
        assert f"its key is {OURS.fingerprint}, not {OTHER.fingerprint}; " in words


async def test_an_authority_vouches(shell: Shell, tmp_path: Path) -> None:
    """Nothing is asked or shown then; and one that signs for itself is refused later."""
    path = OURS.write_authority(tmp_path / "ca.pem")
    shell.environment["SSL_CERT_FILE"] = path
    async with room(OURS) as port:
        assert await shell.send(port) == (0, "")
        assert shell.known.read_text() == f"0.0.0.0 {port} authority\n"
        assert await shell.send(port) == (0, "")
    async with listening(OTHER, port) as (_, server):
        code, words = await shell.send(port)
        assert (code, server.heard) == (3, b"")
        assert f"it is {OTHER.fingerprint}, for which no authority vouches any more" in words


async def test_a_plain_server_is_met_plainly_only_by_who_says_so(shell: Shell) -> None:
    """On this machine it is met as it is; from elsewhere only with `--insecure`, each time."""
    with running_server("--no-tls") as server:
        where = f"cannot reach 0.0.0.0 port {server.port}: it does not encrypt"
        refused = f"triochat: {where}; --insecure if you trust the network\n"
        assert await shell.send(server.port, host="localhost") == (0, "")
        assert await shell.send(server.port, "--insecure") == (0, "")
        assert await shell.send(server.port) == (3, refused)
        done = await shell.run("client", FAR, str(server.port), "--handle", "x", text="hi\n")
        assert (done.returncode, done.stderr.decode()) == (1, refused)
    assert not shell.known.exists()


async def test_a_pinned_server_is_never_met_plainly(shell: Shell) -> None:
    """Also on this machine: whoever took its port is not told anything."""
    shell.known.parent.mkdir(parents=True)
    with running_server("--no-tls") as server:
        shell.known.write_text(f"127.0.0.1 {server.port} {OURS.fingerprint}\n")
        code, words = await shell.send(server.port, host="127.0.0.1")
        assert code == 3
        assert "it does not encrypt" in words
        assert await shell.send(server.port, "--insecure", host="127.0.0.1") == (0, "")


async def test_known_hosts_that_make_no_sense(shell: Shell) -> None:
    """One sentence, whoever is met; `--insecure` needs them not."""
    shell.known.parent.mkdir(parents=True)
    shell.known.write_text("garbage\n")
    problem = f'line 1 of {shell.known} is not one "HOST PORT SHA256:..."; mend it, or delete it'
    with running_server() as server:
        for host in (FAR, "127.0.0.1"):
            code, words = await shell.send(server.port, host=host)
            assert code == 3
            assert words.startswith(f"triochat: {host} port {server.port}: {problem}")
        assert await shell.send(server.port, "--insecure") == (0, "")
    done = await shell.run("forget", "9999")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith(f"triochat: {problem}")


async def test_a_program_is_as_careful(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`open_client` remembers, refuses, and takes a fingerprint as the commands do."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with room(OURS) as port:
        for _ in range(2):
            async with open_client(FAR, port, "bot") as bot:
                await bot.say("hello")
                event = await bot.receive()
                assert isinstance(event, Said)
                assert event.text == "hello"
        assert caplog.messages == [FIRST.format(port, OURS.fingerprint)]
        with pytest.raises(UntrustedError, match="its key is"):
            async with open_client(FAR, port, "bot", fingerprint=OTHER.fingerprint):
                pytest.fail("joined")
        for fingerprint, insecure in (("x", False), (OURS.fingerprint, True)):
            with pytest.raises(ValueError, match="fingerprint"):
                async with open_client(
                    FAR, port, "bot", fingerprint=fingerprint, insecure=insecure
                ):
                    pytest.fail("joined")


async def test_a_changed_key_at_the_next_server(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who goes to another server of the room trusts it by its own key, or not at all."""
    monkeypatch.setitem(ENVIRONMENT, "XDG_STATE_HOME", shell.environment["XDG_STATE_HOME"])
    async with listening(OTHER) as (other, server):
        async with room(OURS) as port:
            shell.known.parent.mkdir(parents=True)
            shell.known.write_text(f"0.0.0.0 {other} {OURS.fingerprint}\n")
            child = spawn("client", FAR, str(port), "--also", f"{FAR}:{other}", "--handle", "Joe")
            await trio.to_thread.run_sync(child.expect, "You are Joe")
        changed = f"triochat: 0.0.0.0 port {other}: its key has changed: it was"
        await trio.to_thread.run_sync(child.expect_exact, changed)
        assert await trio.to_thread.run_sync(exit_code, child) == 3
        assert server.heard == b""


def test_options_that_make_no_sense() -> None:
    """What is no fingerprint, and one without encryption, are wrong arguments; so is no port."""
    for command in ("client", "send", "tail"):
        done = run(command, "9", "--handle", "x", "--fingerprint", OURS.fingerprint, "--insecure")
        assert done.returncode == 2
        assert "not allowed with argument" in done.stderr.splitlines()[0]
        done = run(command, "9", "--handle", "x", "--fingerprint", "SHA256:x")
        assert done.returncode == 2
        assert '"SHA256:x" is not a fingerprint; one is SHA256:' in done.stderr.splitlines()[0]
    done = run("forget", "chat.example")
    assert done.returncode == 2
    assert "its port is needed too" in done.stderr
    done = run("forget", "chat.example:9999")
    problem = "triochat: nothing is remembered of chat.example port 9999\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", problem)


async def test_a_changed_key_when_one_comes_back(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal, too, a client that tries to come back ends with 3, and sends nothing."""
    monkeypatch.setitem(ENVIRONMENT, "XDG_STATE_HOME", shell.environment["XDG_STATE_HOME"])
    async with room(OURS) as port:
        child = spawn("client", FAR, str(port), "--handle", "Jimmy")
        await trio.to_thread.run_sync(child.expect, "first time at")
        await trio.to_thread.run_sync(child.expect, "You are Jimmy")
    async with listening(OTHER, port) as (_, server):
        await trio.to_thread.run_sync(child.expect, "its key has changed: it was")
        assert await trio.to_thread.run_sync(exit_code, child) == 3
    assert server.heard == b""
