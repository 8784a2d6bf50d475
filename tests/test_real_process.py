import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from real import PATIENCE, TRIOCHAT, Peer, member, running_server


def test_a_signal_right_after_the_invitation_is_heard() -> None:
    """Who has read the invitation's last line can stop the server politely."""
    for _ in range(20):
        with running_server() as server:
            assert server.stop() == 0


@pytest.mark.parametrize(
    ("number", "retry"), [(signal.SIGINT, {}), (signal.SIGTERM, {"retry": True})]
)
def test_what_a_signal_says_about_coming_back(number: int, retry: dict[str, bool]) -> None:
    """Ctrl-C is the end of the chat; after SIGTERM there will be a server again."""
    with running_server() as server:
        ann = Peer(server.port)
        ann.ask({"type": "join", "handle": "Ann"})
        assert ann.event()["type"] == "welcome"
        server.process.send_signal(number)
        assert ann.event() == {"type": "closing", "reason": "shutting down", **retry}
        ann.close()
        assert server.process.wait(PATIENCE) == 0


def test_a_hang_up_is_no_end_without_a_terminal(tmp_path: Path) -> None:
    """A service manager's SIGHUP ends nothing; the next line is logged where the file was moved."""
    log, moved = tmp_path / "log", tmp_path / "log.1"
    with running_server("--log-level", "info", "--log-file", str(log)) as server:
        log.rename(moved)
        server.process.send_signal(signal.SIGHUP)
        ann = member(server.port, "Ann")
        ann.close()
        assert server.stop() == 0
    assert "listening on 127.0.0.1 port" in moved.read_text()
    assert "stopping: SIGTERM" in log.read_text()


def test_a_log_without_room_is_told_once() -> None:
    """Where the log's disk is full that is said in one line, and the server goes on."""
    with running_server("--log-level", "debug", "--log-file", "/dev/full") as server:
        for number in range(10):
            peer = member(server.port, f"p{number}")
            peer.close()
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.process.communicate(timeout=PATIENCE)
    problem = "cannot log to /dev/full: no space left on device; what follows may be lost"
    assert (server.process.returncode, errors) == (0, f"triochat: {problem}\n")


COMMANDS = {
    "server": ["server", "0"],
    "client": ["client", "--handle", "Ann"],
    "send": ["send", "--handle", "Ann"],
    "tail": ["tail", "--handle", "Ann"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupt_is_never_a_traceback(command: str) -> None:
    """Whenever Ctrl-C comes, from the first thing that is loaded on, nothing is printed for it."""
    program = "from triochat.cli import main; print('here', flush=True); raise SystemExit(main())"
    codes = set()
    with running_server() as server:
        place = [] if command == "server" else ["127.0.0.1", str(server.port)]
        for delay in range(0, 400, 40):
            with subprocess.Popen(
                [sys.executable, "-c", program, *COMMANDS[command], *place],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stdout
                assert process.stdout.readline() == "here\n"
                time.sleep(delay / 1000)
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=PATIENCE)
            assert errors == ""
            codes.add(process.returncode)
    assert codes <= {130, 0} if command == "server" else codes == {130}


def test_an_output_without_room_is_a_failure_where_it_is_the_purpose() -> None:
    """Help, the version, a completion script: one line says why there is none; exit code 1."""
    for arguments in (["--help"], ["--version"], ["tail", "--help"], ["completion", "bash"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*TRIOCHAT, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        problem = "triochat: cannot write to standard output: no space left on device\n"
        assert (done.returncode, done.stderr) == (1, problem)


def test_a_server_without_room_for_its_output_goes_on() -> None:
    """What a server prints nobody need be able to read; it serves, and stops well."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            [*TRIOCHAT, "server", str(port), "--log-level", "info"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stderr
        assert "listening on" in process.stderr.readline()
        ann = member(port, "Ann")
        ann.close()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Exception" in errors) == (0, False)


def test_everywhere_is_ipv4_and_ipv6_and_each_invitation_is_true() -> None:
    """With the host :: each command of the invitation gets in."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with running_server("--host", "::") as server:
        assert server.invited
        for number, host in enumerate(["::1", *server.invited]):
            peer = member(server.port, f"p{number}", host)
            peer.close()
