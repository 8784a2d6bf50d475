import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from real import (
    PATIENCE,
    TRIOCHAT,
    Peer,
    Server,
    exit_code,
    member,
    run,
    running_server,
    spawn,
)

TIME = r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
"""What a line of the transcript begins with."""


def test_nc_is_enough(server: Server) -> None:
    """Somebody with nothing but nc chats, and leaves by quitting."""
    if not shutil.which("nc"):
        pytest.skip("nc is not installed")
    ann = member(server.port, "Ann")
    with subprocess.Popen(
        ["nc", "127.0.0.1", str(server.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nc:
        assert nc.stdin
        assert nc.stdout
        greeting = nc.stdout.readline()
        assert greeting == "* triochat: what is your handle? (1-10 characters, no spaces)\n"
        nc.stdin.write("Jimmy\n")
        nc.stdin.flush()
        assert nc.stdout.readline() == "* Server connected. You are Jimmy. 2 here: Ann, Jimmy\n"
        ann.wait_line("* Jimmy joined")
        ann.type("Hey guys!")
        assert nc.stdout.readline() == "Ann> Hey guys!\n"
        nc.stdin.write("hi\npsst > Ann\n\\quit\n")
        nc.stdin.close()
        ann.wait_line("Jimmy> hi")
        ann.wait_line("[Jimmy -> you] psst")
        ann.wait_line("* Jimmy left")
        nc.terminate()
    ann.close()


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 405), ("HEAD", 200)])
def test_a_browser_only_reads(server: Server, method: str, status: int) -> None:
    """A client that speaks HTTP gets a whole response, and what it sends is not obeyed."""
    browser = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    browser.request(method, "/", body="Eve\nhello\n", headers={"Content-Type": "text/plain"})
    with browser.getresponse() as response:
        assert (response.status, response.getheader("Connection")) == (status, "close")
        assert bool(response.read()) == (method != "HEAD")
    browser.close()
    ann = member(server.port, "Ann")
    ann.close()


def test_the_relay_shows_who_comes_and_what_is_said(server: Server) -> None:
    """Without a terminal the server shows all that is public, with its time; it takes no part."""
    ann = Peer(server.port)
    ann.type("Ann")
    assert server.wait_line(rf"{TIME} (.*joined)") == "* Ann joined"
    ann.type("hello")
    assert server.wait_line(rf"{TIME} (.*hello)") == "Ann> hello"
    ann.type("?")
    ann.wait_line("* 1 here: Ann")
    ann.close()
    assert server.wait_line(rf"{TIME} (.*left)") == "* Ann left"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_politely(server: Server, number: int) -> None:
    """At the first signal everybody is told why, and the server ends well and soon."""
    ann = member(server.port, "Ann")
    server.process.send_signal(number)
    ann.wait_line("* Server closed the connection: shutting down")
    assert ann.line() == ""
    ann.close()
    assert server.process.wait(PATIENCE) == 0


def test_a_second_interrupt_ends_at_once(server: Server) -> None:
    """A second Ctrl-C does not wait for a peer that does not let go."""
    ann = member(server.port, "Ann")
    server.process.send_signal(signal.SIGINT)
    ann.wait_line("* Server closed the connection: shutting down")
    start = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(PATIENCE) == 130
    assert time.monotonic() - start < 1.9
    ann.close()


def test_thirty_that_vanish_leave_nothing_behind(server: Server) -> None:
    """After resets, half lines and half opens the roster is exact and no file is left open."""
    ann = member(server.port, "Ann")
    before = server.count_files()
    for number in range(30):
        peer = Peer(server.port)
        if number % 3:
            peer.type(f"p{number}")
            ann.wait_line(f"* p{number} joined")
        if number % 2:
            peer.socket.sendall(b"half a li")
        if number % 5:
            peer.reset()
        else:
            peer.close()
    deadline = time.monotonic() + PATIENCE
    while server.count_files() != before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.count_files() == before
    ann.type("?")
    ann.wait_line("* 1 here: Ann")
    ann.close()


def test_who_never_reads_is_put_out() -> None:
    """A socket that is never read is evicted when too much waits, and its talker goes on."""
    with running_server("--rate", "0") as server:
        flood_one_who_never_reads(server)


def flood_one_who_never_reads(server: Server) -> None:
    """Talk until somebody who never reads is out."""
    talker, reader, dead = Peer(server.port), Peer(server.port), Peer(server.port)
    for peer, handle in ((talker, "talker"), (reader, "reader"), (dead, "dead")):
        peer.type(handle)
        assert peer.line().startswith("* Server connected")
    talker.type("hello")
    dead.wait_line("talker> hello")  # it is told what is new by now, and no more what is past
    text = "x" * 490
    for number in range(20):
        for line in range(1000):
            talker.type(f"{number * 1000 + line} {text}")
        talker.type("?")
        reader.wait_line(f"talker> {number * 1000 + 999} {text}")
        roster = ""
        while " here: " not in roster:
            roster = talker.line()
        if roster.startswith("* 2 here"):
            break
    assert roster == "* 2 here: reader, talker"


def test_debug_shows_each_connections_life(tmp_path: Path) -> None:
    """At debug level the log tells of each connection, on standard error or in a file."""
    log = tmp_path / "log"
    with running_server("--log-level", "debug", "--log-file", str(log)) as server:
        peer = member(server.port, "Ann")
        peer.close()
        server.wait_line("left")
        assert server.stop() == 0
    text = log.read_text()
    assert "connected" in text
    assert "is Ann (plain)" in text
    assert "gone (quit)" in text
    with running_server("--log-level", "debug") as server:
        peer = Peer(server.port)
        peer.type("Ann")
        server.wait_line("joined")
        peer.close()
        server.process.send_signal(signal.SIGTERM)
        assert "connected" in server.process.communicate(timeout=PATIENCE)[1]


def test_ipv6() -> None:
    """The server listens on IPv6 when its host is an IPv6 address."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with running_server("--host", "::1") as server:
        peer = member(server.port, "Ann", "::1")
        peer.close()


def test_one_port_for_all_addresses_of_a_host() -> None:
    """Port 0 of a host with several addresses is one port on all of them."""
    with running_server("--host", "localhost") as server:
        for *_, address in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM):
            peer = Peer(server.port, str(address[0]))
            peer.type(f"p{str(address[0]).strip(':.')[:1]}x")
            assert peer.line().startswith("* Server connected")
            peer.close()


def test_options_reach_the_room() -> None:
    """The handle, the capacity and the turns are those of the command line."""
    with running_server("--handle", "Boss", "--max-clients", "1", "--turns") as server:
        ann, bob = Peer(server.port), Peer(server.port)
        ann.type("Ann")
        assert ann.line() == "* Boss connected. You are Ann. 1 here: Ann"
        bob.type("Bob")
        assert bob.line() == "* The room is full; you are number 1 in line"
        ann.type("one")
        ann.type("two")
        assert ann.line().startswith("! wait for somebody to answer")
        ann.close()
        assert bob.line() == "* Boss connected. You are Bob. 1 here: Bob"
        bob.close()


def test_handles_may_be_longer() -> None:
    """The option for it takes effect, and the greeting names it."""
    with running_server("--handle-length", "12") as server:
        bot = Peer(server.port)
        assert bot.line() == "* triochat: what is your handle? (1-12 characters, no spaces)"
        bot.type("deploy-bot-1")
        assert bot.line() == "* Server connected. You are deploy-bot-1. 1 here: deploy-bot-1"
        bot.close()


def test_a_taken_port_is_one_line(server: Server) -> None:
    """Where somebody listens already the server says so and fails."""
    done = run("server", str(server.port))
    assert done.returncode == 1
    where = f"127.0.0.1 port {server.port}"
    assert done.stderr == f"triochat: cannot listen on {where}: address already in use\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["server", "port"], 'argument PORT: "port" is not a port; a port is a number, 0 to 65535'),
        (
            ["server", "70000"],
            'argument PORT: "70000" is not a port; a port is a number, 0 to 65535',
        ),
        (["server", "-1"], 'argument PORT: "-1" is not a port; a port is a number, 0 to 65535'),
        (["server"], "the following arguments are required: PORT"),
        (["server", "0", "--handle", "a b"], 'argument --handle: handle "a b" may have letters'),
        (["server", "0", "--max-clients", "0"], "argument --max-clients: "),
        (
            ["server", "0", "--handle-length", "33"],
            'argument --handle-length: "33" is not a number of characters; it must be 1 to 32',
        ),
        (["client", "h", "0"], "triochat client: nobody can listen on port 0"),
        (["client"], "triochat client: where is the room? PORT, HOST:PORT or HOST PORT is needed"),
        (["client", "9", "9"], "triochat client: nothing may follow where the room is: 9"),
        (["tail", "9", "--handle", "x", "-y"], "triochat tail: there is no option -y"),
        (
            ["client", "h", "1", "--handle", ""],
            "argument --handle: a handle has 1 to 32 characters",
        ),
        (["client", "h", "1"], "--handle NAME is needed where the input is no terminal"),
        (["dance"], "argument COMMAND: invalid choice"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_arguments_are_one_line_and_the_usage(arguments: list[str], problem: str) -> None:
    """What is wrong with the arguments is said in one line, above the usage; exit code 2."""
    done = run(*arguments)
    assert done.returncode == 2
    first, *usage = done.stderr.splitlines()
    assert problem in first
    assert usage[0].startswith("usage: triochat")
    assert "Traceback" not in done.stderr


def test_help_and_version() -> None:
    """Help and the version are on standard output and end well."""
    for arguments in (["--help"], ["server", "--help"], ["client", "--help"]):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "usage: triochat" in done.stdout
    assert run("--version").stdout.startswith("triochat 0.")


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A log file that cannot be opened is named, and the server does not start."""
    done = run("server", "0", "--log-file", str(tmp_path / "no" / "log"))
    assert done.returncode == 1
    assert done.stderr.startswith("triochat: cannot log to ")
    assert done.stderr.endswith(": no such file or directory\n")


def test_a_server_with_few_files_never_lacks_one(tmp_path: Path) -> None:
    """With 64 members get in until it is full, in a flood of silent ones; it says no to the next.

    Whatever comes, it has files to spare, and none of this is in its log.
    """
    log = tmp_path / "log"
    few = f"ulimit -n 64; exec {shlex.join(TRIOCHAT)} server 0 --log-file {log}"
    with running_server(command=("bash", "-c", few)) as server:
        silent, members = list[Peer](), list[Peer]()
        while True:
            silent += [Peer(server.port) for _ in range(20)]
            assert server.count_files() < 64 - 10
            handle = f"m{len(members)}"
            started = time.monotonic()
            new = Peer(server.port)
            new.type(handle)
            if "connected. You are" not in new.line():
                break  # there was one place, and the next one has it
            assert time.monotonic() - started < 2
            members.append(new)
        assert 64 - 24 - 8 - 4 <= len(members) <= 64 - 24 - 8
        members[0].type("?")
        members[0].wait_line(
            f"* {len(members)} here: "
            + ", ".join(sorted(f"m{number}" for number in range(len(members))))
        )
        for peer in silent:
            peer.close()
        members.pop().close()
        members[0].wait_line(f"* m{len(members)} left")
        answer, started = "", time.monotonic()
        while "connected. You are again." not in answer:  # until the others are seen to be gone
            assert time.monotonic() - started < 2
            again = Peer(server.port)
            again.type("again")
            answer = again.line()
        fewer, *nobody = log.read_text().splitlines()
        assert "fewer than --max-clients" in fewer
        assert all("nobody new gets in" in line for line in nobody)
        assert len(nobody) <= 1


def test_silent_connections_let_others_in() -> None:
    """Where few files may be open, many who say nothing keep nobody out, and put nobody out."""
    few = f"ulimit -n 100; exec {shlex.join(TRIOCHAT)} server 0"
    with running_server(command=["bash", "-c", few]) as server:
        ann = member(server.port, "Ann")
        silent = [Peer(server.port) for _ in range(150)]
        member(server.port, "Bob")
        assert ann.line() == "* Bob joined"
        told = silent[0].line()
        assert told.endswith("too many others are waiting to join")
        assert server.count_files() < 100


# ---- what survives a restart


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_operators_decided_survives(tmp_path: Path, number: int) -> None:
    """A server that is stopped, or killed, begins again with its bans, mutes and its topic."""
    state = tmp_path / "state"
    console = spawn("server", "0", "--state", str(state))
    console.expect("nc 127.0.0.1 (\\d+)")
    console.expect("Server>")
    for line in ("\\ban Eve 2h spam", "\\ban 10.0.0.0/24", "\\topic tea at five"):
        console.send(f"{line}\r")
    console.expect("the topic was set by Server: tea at five")
    deadline = time.monotonic() + PATIENCE
    while "tea" not in state.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    console.kill(number)
    exit_code(console)
    assert [*tmp_path.iterdir()] == [state]
    with running_server("--state", str(state)) as server:
        ann = Peer(server.port)
        ann.type("Ann")
        assert ann.line() == "* Server connected. You are Ann. 1 here: Ann"
        assert ann.line() == "* Topic: tea at five"
        eve = Peer(server.port)
        eve.type("Eve")
        refused = eve.line()
        assert re.fullmatch(r"! you are banned here for another \d+ \w+: spam", refused)
        assert eve.line() == "* Server closed the connection: banned"
        assert eve.line() == ""
        ann.close()
        eve.close()


def test_a_state_that_cannot_be_kept_is_one_line(tmp_path: Path) -> None:
    """A file that is something else is left alone, and the server does not start."""
    letter = tmp_path / "letter"
    letter.write_text("Dear Ann")
    done = run("server", "0", "--state", str(letter))
    problem = "is not what a server keeps there; name another file, or move it away"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"triochat: --state: {letter} {problem}\n"
    assert letter.read_text() == "Dear Ann"
