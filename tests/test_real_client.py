import os
import re
import signal
import socket
import subprocess
import termios
from pathlib import Path

import pytest

from real import (
    ENVIRONMENT,
    PATIENCE,
    TRIOCHAT,
    Peer,
    Server,
    exit_code,
    free_port,
    relaying,
    run,
    running_server,
    spawn,
    talk_over_cuts,
)
from screen_reader import reading
from triochat.allowance import FAST
from triochat.ratelimit import Limits
from triochat.words import NAMED


def test_a_person_chats_and_comes_back(server: Server, ann: Peer) -> None:
    """At a terminal: the handle, messages both ways, a whisper, a quit, a return, a quit."""
    child = spawn("client", "127.0.0.1", str(server.port))
    child.expect("Your handle\\?")
    child.send("Ann\r")
    child.expect('handle "Ann" is taken; try another')
    child.send("Jimmy\r")
    child.expect("You are Jimmy. 2 here: Ann, Jimmy")
    ann.wait_line("* Jimmy joined")
    child.send("hello\r")
    ann.wait_line("Jimmy> hello")
    child.expect("Jimmy>.*hello")
    child.send("psst > ann\r")
    ann.wait_line("[Jimmy -> you] psst")
    ann.type("hi yourself")
    child.expect("hi yourself")
    child.send("\\quit\r")
    ann.wait_line("* Jimmy left")
    child.expect("Reconnect\\? \\[y/N\\]")
    child.send("y\r")
    child.expect("Your handle\\?")
    child.send("\x15Jim\r")  # in place of the handle that is offered
    ann.wait_line("* Jim joined")
    child.send("\\quit\r")
    child.expect("Reconnect\\? \\[y/N\\]")
    child.send("n\r")
    assert exit_code(child) == 0


def test_the_line_being_typed_survives(server: Server, ann: Peer) -> None:
    """A message that comes in does not touch the line that is being typed."""
    child = spawn("client", "127.0.0.1", str(server.port), "--handle", "Jimmy")
    child.expect("You are Jimmy")
    child.send("half a")
    child.expect("half a")
    for number in range(20):
        ann.type(f"message {number}")
    child.expect("message 19")
    child.send(" sentence\r")
    ann.wait_line("Jimmy> half a sentence")
    child.send("\x04")
    assert exit_code(child) == 0


def test_ctrl_c_leaves_politely(server: Server, ann: Peer) -> None:
    """Ctrl-C says quit, restores the terminal and exits with 130."""
    child = spawn("client", "127.0.0.1", str(server.port), "--handle", "Jimmy")
    child.expect("You are Jimmy")
    ann.wait_line("* Jimmy joined")
    child.send("half typed")
    child.send("\x03")
    ann.wait_line("* Jimmy left")
    assert exit_code(child) == 130


@pytest.mark.parametrize(("keys", "code"), [("\\quit\r", 0), ("\x03", 130), ("\x04", 0)])
def test_the_terminal_is_as_it_was(server: Server, keys: str, code: int) -> None:
    """Whatever ends the client, the terminal's modes are those from before."""
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    with subprocess.Popen(
        [*TRIOCHAT, "client", "127.0.0.1", str(server.port), "--handle", "Jimmy"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=ENVIRONMENT,
    ) as client:
        seen = b""
        while b"You are Jimmy" not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, keys.encode())
        if keys.startswith("\\quit"):
            while b"Reconnect?" not in seen:
                seen += os.read(ours, 4096)
            os.write(ours, b"n\r")
        assert client.wait(PATIENCE) == code
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_ctrl_d_delivers_first(server: Server, ann: Peer) -> None:
    """What was typed before Ctrl-D is delivered, and nothing is asked."""
    child = spawn("client", "127.0.0.1", str(server.port), "--handle", "Jimmy")
    child.expect("You are Jimmy")
    child.send("last words\r\x04")
    ann.wait_line("Jimmy> last words")
    ann.wait_line("* Jimmy left")
    assert exit_code(child) == 0
    assert child.before
    assert "Reconnect" not in child.before


def test_a_killed_client_is_a_lost_connection(server: Server, ann: Peer) -> None:
    """When a client is killed, the others hear that its connection was lost."""
    child = spawn("client", "127.0.0.1", str(server.port), "--handle", "Jimmy")
    child.expect("You are Jimmy")
    child.kill(signal.SIGKILL)
    ann.wait_line("* Jimmy left (connection lost)")
    child.close(force=True)


def test_a_server_that_stops_ends_the_client_well(server: Server) -> None:
    """The reason of a server that ends at Ctrl-C is shown, and the exit code is 0."""
    child = spawn("client", "127.0.0.1", str(server.port), "--handle", "Jimmy")
    child.expect("You are Jimmy")
    assert server.stop(signal.SIGINT) == 0
    child.expect("Server closed the connection: shutting down")
    assert exit_code(child) == 0


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_a_killed_server_is_tried_again_until_one_gives_up(server: Server, key: str) -> None:
    """A lost connection is tried again; Ctrl-C and Ctrl-D give up, which is a failure."""
    child = spawn("client", "127.0.0.1", str(server.port), "--handle", "Jimmy")
    child.expect("You are Jimmy")
    server.stop(signal.SIGKILL)
    child.expect("connection lost; trying to come back \\(Ctrl-C gives up\\)")
    child.send(key)
    assert exit_code(child) == 1


def test_a_pipe_is_delivered_whole(server: Server, ann: Peer) -> None:
    """More piped lines than a burst arrive complete, in order; standard output shows them.

    It also says, once, that they are more than may be said at once.
    """
    numbers = range(round(Limits().burst) + 20)
    text = "".join(f"{number}\n" for number in numbers)
    done = run("client", "127.0.0.1", str(server.port), "--handle", "count", text=text)
    assert (done.returncode, done.stderr) == (0, "")
    own = [f"count> {number}" for number in numbers]
    shown = done.stdout.splitlines()[1:]
    shown.remove(f"* {FAST.format(Limits().rate)}")
    assert shown == own
    assert ann.line() == "* count joined"
    assert [ann.line() for _ in own] == own
    assert ann.line() == "* count left"


def test_a_refused_line_fails_the_pipe(server: Server, ann: Peer) -> None:
    """A piped line that is refused is named on standard error, and the exit code is 1."""
    text = "one\n" + "x" * 501 + "\nthree\n"
    done = run("client", "127.0.0.1", str(server.port), "--handle", "count", text=text)
    assert done.returncode == 1
    problem = "501 characters; at most 500 are allowed; nothing was sent"
    assert done.stderr == f"! line 2: {problem}\n"
    ann.wait_line("count> three")


def test_a_pipe_whose_output_is_not_read_leaves(server: Server, ann: Peer) -> None:
    """After ``head`` has ended it says that it leaves lines behind; without any all is well."""
    command = " ".join([*TRIOCHAT, f"client 127.0.0.1 {server.port} --handle count"])
    for source, lines, code in (("yes", 20, 1), ("sleep 0.5", 1, 0)):
        done = subprocess.run(
            ["bash", "-c", f"{source} | {command} | head -n {lines} >&2; echo ${{PIPESTATUS[1]}}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        assert done.stdout == f"{code}\n"
        assert ("! nobody reads the output any more\n" in done.stderr) is bool(code)
        ann.wait_line("* count left")


def test_who_leaves_sees_what_is_on_its_way(server: Server, tmp_path: Path) -> None:
    """The status counts the lines of a paste after a quit; Ctrl-C names what has no receipt."""
    command = "client", "127.0.0.1", str(server.port), "--handle", "Joe"
    with reading(*command, state=tmp_path) as joe:
        joe.wait_line("Joe> ", "")
        joe.paste("\n".join(f"line {number}" for number in range(600)))
        joe.type("\r")
        joe.wait_for("line 199")
        joe.type("\\quit\r")
        joe.wait(lambda: "lines are still on their way" in joe.status, "it is counted")
        joe.type("\x03")
        assert joe.wait_end() == 130
        assert sum("perhaps not sent: line" in row for row in joe.everything) == NAMED
        assert any(re.search(r"perhaps not sent: and \d+ more", row) for row in joe.everything)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_that_had_more_to_say_fails(number: int) -> None:
    """A server that closes politely before the input has ended is no success for a pipe."""
    with (
        running_server() as server,
        subprocess.Popen(
            [*TRIOCHAT, "client", "127.0.0.1", str(server.port), "--handle", "count"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as pipe,
    ):
        assert pipe.stdin
        assert pipe.stdout
        pipe.stdin.write("one\n")
        pipe.stdin.flush()
        while "count> one" not in pipe.stdout.readline():
            assert pipe.poll() is None
        assert server.stop(number) == 0
        assert pipe.wait(PATIENCE) == 1
        _, errors = pipe.communicate()
    assert errors == "! the server closed the connection before the input ended\n"


def test_nobody_there_is_one_line() -> None:
    """Where nobody listens, or the host is not known, one line says so; exit code 1."""
    port = free_port()
    done = run("client", "127.0.0.1", str(port), "--handle", "x", text="")
    where = f"127.0.0.1 port {port}"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"triochat: cannot reach {where}: connection refused\n"
    done = run("client", "no-such-host.invalid", "9", "--handle", "x", text="")
    assert done.returncode == 1
    assert done.stderr.startswith("triochat: cannot reach no-such-host.invalid port 9: ")
    assert len(done.stderr.splitlines()) == 1


def test_another_server_is_one_line() -> None:
    """What is no triochat server is told so in one line; exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with subprocess.Popen(
            [*TRIOCHAT, "client", "127.0.0.1", str(port), "--handle", "x"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as client:
            accepted, _ = listener.accept()
            accepted.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            _, errors = client.communicate(timeout=PATIENCE)
            accepted.close()
        assert client.returncode == 1
    where = f"127.0.0.1 port {port}"
    assert errors == f"triochat: {where}: what answers there is not a triochat server\n"


def test_who_is_cut_off_is_back_where_it_was(server: Server, ann: Peer) -> None:
    """The line being typed stays, what was missed is shown, and the others have heard nothing."""
    with relaying(server.port) as relay:
        child = spawn("client", "127.0.0.1", str(relay.port), "--handle", "Jimmy")
        child.expect("You are Jimmy")
        assert ann.line() == "* Jimmy joined"
        child.send("half a")
        child.expect("half a")
        relay.cut()
        child.expect("connection lost; trying to come back")
        ann.type("are you there?")
        child.expect("1 message while you were away")
        child.expect("are you there\\?")
        child.expect("You are Jimmy")
        child.send(" sentence\r")
        assert ann.line() == "Jimmy> half a sentence"
        child.send("\x04")
        assert exit_code(child) == 0
    assert ann.line() == "* Jimmy left"


def test_a_pipe_that_is_cut_off_delivers_each_line_once(server: Server, ann: Peer) -> None:
    """It comes back by itself, its output goes on, and it ends well."""
    lines, output = talk_over_cuts(server.port, "client", "count", ann)
    said = [f"count> {line}" for line in lines]
    assert [ann.line() for _ in range(31)] == [*said, "* count left"]
    assert [line for line in output.splitlines() if line.startswith("count> ")] == said
