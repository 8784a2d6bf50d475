import shutil
import signal
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from real import ENVIRONMENT, PATIENCE, TRIOCHAT, Peer, member, running_server
from tls import Certificate, Sealer, any_context
from triochat.dialects.plain import EXPOSED
from triochat.fingerprints import fingerprint
from triochat.hosts import is_loopback


class SealedPeer(Peer):
    """The same over TLS; it trusts anybody, and insists on a good end."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, buffer: int = 0) -> None:
        plain = socket.socket()
        if buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.settimeout(PATIENCE)
        plain.connect((host, port))
        self.socket = any_context().wrap_socket(plain, suppress_ragged_eofs=False)
        self._file = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.open.add(self)

    @property
    def fingerprint(self) -> str:
        """The server's."""
        assert isinstance(self.socket, ssl.SSLSocket)
        return fingerprint(self.socket.getpeercert(binary_form=True) or b"")


def test_sealed_and_plain_peers_share_a_port() -> None:
    """Over real sockets, and a stop ends TLS as it should be ended."""
    with running_server() as server:
        ann, bob = SealedPeer(server.port), Peer(server.port)
        ann.type("Ann")
        ann.wait_line("* Server connected. You are Ann. 1 here: Ann")
        bob.type("Bob")
        ann.wait_line("* Bob joined")
        bob.type("hello")
        ann.wait_line("Bob> hello")
        ann.type("hello yourself")
        bob.wait_line("Ann> hello yourself")
        server.process.send_signal(signal.SIGTERM)
        ann.wait_line("* Server closed the connection: shutting down")
        assert ann.line() == ""  # and no error for want of a close_notify
        ann.close()
        bob.close()
        assert server.process.wait(PATIENCE) == 0


def test_who_is_unencrypted_from_another_machine_is_marked() -> None:
    """By an address that is not loopback a plain peer is marked, a sealed one is not."""
    with running_server("--host", "0.0.0.0") as server:  # noqa: S104
        far = [host for host in server.invited if not is_loopback(host)]
        if not far:
            pytest.skip("this machine has no address but loopback")
        ann = member(server.port, "Ann")
        joe, sue = Peer(server.port, far[0]), SealedPeer(server.port, far[0])
        joe.type("Joe")
        assert joe.line() == f"* {EXPOSED}; triochat client HOST PORT encrypts"
        assert joe.line().endswith("You are Joe. 2 here: Ann, Joe (plain)")
        assert ann.line() == "* Joe (plain) joined"
        sue.type("Sue")
        assert sue.line().endswith("You are Sue. 3 here: Ann, Joe (plain), Sue")


def test_a_slow_reader_misses_nothing() -> None:
    """What the socket does not take is sealed already, waits, and comes in order."""
    with running_server("--rate", "0") as server:
        ann, bob = SealedPeer(server.port, buffer=4096), Peer(server.port)
        ann.type("Ann")
        ann.wait_line("* Server connected. You are Ann. 1 here: Ann")
        bob.type("Bob")
        lines = [f"{number} {'x' * 300}" for number in range(1400)]
        bob.type("\n".join(lines))
        time.sleep(0.3)
        ann.wait_line("* Bob joined")
        for line in lines:
            assert ann.line() == f"Bob> {line}"


def test_the_key_is_made_when_it_is_needed(tmp_path: Path) -> None:
    """A server for its own machine makes none before somebody wants it; then it keeps it."""
    command = ("env", f"XDG_STATE_HOME={tmp_path}", *TRIOCHAT, "server", "0")
    with running_server(command=command) as server:
        assert list(tmp_path.iterdir()) == []
        first = SealedPeer(server.port).fingerprint
        assert (tmp_path / "triochat" / "cert.pem").exists()
    with running_server("--host", "0.0.0.0", command=command) as server:  # noqa: S104
        assert SealedPeer(server.port).fingerprint == first


def test_a_server_that_can_keep_no_key_serves() -> None:
    """It says so in a line, when somebody wants TLS."""
    command = ("env", "XDG_STATE_HOME=/dev/null/nowhere", *TRIOCHAT, "server", "0")
    with running_server(command=command) as server:
        ann = SealedPeer(server.port)
        ann.type("Ann")
        ann.wait_line("* Server connected. You are Ann. 1 here: Ann")
        ann.close()
        server.process.terminate()
        assert server.process.stderr
        assert "cannot keep a key in /dev/null/nowhere" in server.process.stderr.read()


def test_a_certificate_of_ones_own_is_read_again(tmp_path: Path) -> None:
    """At a hang-up, for those who come from then on; a broken one changes nothing."""
    certificate, key = Certificate("localhost").write(tmp_path)
    options = ("--tls-cert", str(certificate), "--tls-key", str(key), "--log-level", "info")
    with running_server(*options) as server:
        stderr = server.process.stderr
        assert stderr
        old = SealedPeer(server.port)
        old.type("Old")
        old.line()
        Certificate("localhost").write(tmp_path)
        server.process.send_signal(signal.SIGHUP)
        while "read the certificate again" not in stderr.readline():
            pass
        new = SealedPeer(server.port)
        assert new.fingerprint != old.fingerprint
        key.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        while "the old certificate stays" not in stderr.readline():
            pass
        assert SealedPeer(server.port).fingerprint == new.fingerprint
        old.type("?")
        assert old.line() == "* 1 here: Old"


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (["--tls-cert", "none"], 2, "--tls-cert and --tls-key are needed both"),
        (["--tls-key", "none"], 2, "--tls-cert and --tls-key are needed both"),
        (["--tls-cert", "x", "--tls-key", "x", "--no-tls"], 2, "not allowed with"),
        (["--require-tls", "--no-tls"], 2, "not allowed with"),
        (["--tls-cert", "none", "--tls-key", "none"], 1, "cannot read none: no such file"),
    ],
)
def test_options_that_cannot_be(options: list[str], code: int, problem: str) -> None:
    """They are refused at the start, in words."""
    done = subprocess.run(
        [*TRIOCHAT, "server", "0", *options],
        capture_output=True, text=True, timeout=PATIENCE, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == code
    assert problem in done.stderr


def test_openssl_asks_for_new_keys(tmp_path: Path) -> None:
    """With openssl's own client, which asks for new keys while others talk, nothing is lost."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("there is no openssl here")
    with running_server("--rate", "0") as server:
        client = subprocess.Popen(
            [openssl, "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_3"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert client.stdin
        assert client.stdout
        try:
            client.stdin.write(b"Ann\n")
            client.stdin.flush()
            while not client.stdout.readline().startswith(b"* Server connected"):
                pass
            bob = Peer(server.port)
            bob.type("Bob")
            for update in range(5):
                client.stdin.write(b"K\n")
                client.stdin.flush()
                bob.type("\n".join(f"{update} {number}" for number in range(200)))
            heard: list[bytes] = []
            while len(heard) < 1000:
                line = client.stdout.readline()
                assert line
                if line.startswith(b"Bob> "):
                    heard.append(line)
            expected = [f"Bob> {one} {two}\n".encode() for one in range(5) for two in range(200)]
            assert heard == expected
            client.stdin.write(b"still here\n")
            client.stdin.flush()
            bob.wait_line("Ann> still here")
        finally:
            client.kill()
            client.communicate()


def test_openssl_renegotiates() -> None:
    """A client of TLS 1.2 that wants to shake hands again is refused, and gone; nobody else is."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("there is no openssl here")
    with running_server() as server:
        bob = member(server.port, "Bob")
        client = subprocess.Popen(
            [openssl, "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            assert client.stdin
            assert client.stdout
            client.stdin.write(b"Ann\n")
            client.stdin.flush()
            bob.wait_line("* Ann joined")
            while not client.stdout.readline().startswith(b"* Server connected."):
                pass  # what she is told while she shakes hands is another mistake to openssl
            client.stdin.write(b"R\n")
            client.stdin.flush()
            bob.wait_line("* Ann left (connection lost)")
            assert b"no renegotiation" in client.stdout.read()
        finally:
            client.kill()
            client.communicate()
        bob.type("?")
        assert bob.line() == "* 1 here: Bob"


def test_nothing_is_left_of_who_breaks_off() -> None:
    """Cut, reset and garbled handshakes cost no descriptor, no member and no line in the log."""
    hello = Sealer().hello()
    with running_server() as server:
        ann = member(server.port, "Ann")
        files = server.count_files()
        for first in (b"", hello[:1], hello[:100], hello, b"\x16" * 100):
            for number in range(20):
                peer = Peer(server.port)
                peer.socket.sendall(first)
                if first == hello:
                    assert peer.socket.recv(100)
                (peer.reset if number % 2 else peer.close)()
        for number in range(20):
            sealed = SealedPeer(server.port)
            sealed.type(f"m{number}")
            ann.wait_line(f"* m{number} joined")
            sealed.reset()
            ann.wait_line(f"* m{number} left (connection lost)")
        ann.type("?")
        assert ann.line() == "* 1 here: Ann"
        end = time.monotonic() + PATIENCE
        while server.count_files() > files and time.monotonic() < end:
            time.sleep(0.05)
        assert server.count_files() == files
        ann.close()
        server.process.terminate()
        assert server.process.stderr
        assert server.process.stderr.read() == ""


def test_many_who_shake_hands_hold_nobody_up() -> None:
    """While one address begins 1,500 handshakes a member is answered, and others get in."""
    hello = Sealer().hello()
    with running_server() as server:
        ann = member(server.port, "Ann", "127.0.0.1")
        SealedPeer(server.port).close()  # the key is made
        begun: list[socket.socket] = []
        waits: list[float] = []
        for number in range(1500):
            stranger = socket.create_connection(("127.0.0.1", server.port))
            begun.append(stranger)
            with suppress(OSError):
                stranger.sendall(hello)
            if len(begun) > 300:
                begun.pop(0).close()
            if number % 30 == 0:
                started = time.monotonic()
                ann.type("?")
                ann.wait_line("* 1 here: Ann")
                waits.append(time.monotonic() - started)
        started = time.monotonic()
        bob = socket.create_connection(("127.0.0.1", server.port), PATIENCE, ("127.9.9.9", 0))
        with any_context().wrap_socket(bob) as bob:
            bob.sendall(b"Bob\n")
            ann.wait_line("* Bob joined")
        took = time.monotonic() - started
        for stranger in begun:
            stranger.close()
        waits.sort()
        assert waits[45] < PATIENCE / 10  # where nothing else runs it is a fiftieth of that
        assert took < PATIENCE / 2  # its turn is drawn by lot
