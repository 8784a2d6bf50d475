import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from real import (
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


def send(port: int, *arguments: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    """``triochat send`` to this port of this machine, as ``cron``."""
    return run("send", "127.0.0.1", str(port), "--handle", "cron", *arguments, text=text)


@contextmanager
def tailing(port: int, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """``triochat tail`` at this port of this machine, as ``log``, while the block runs."""
    with subprocess.Popen(
        [*TRIOCHAT, "tail", "127.0.0.1", str(port), "--handle", "log", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ending(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """The exit code, and the rest of both outputs."""
    output, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, output, errors


def result(done: "subprocess.CompletedProcess[str]") -> tuple[int, str, str]:
    """The exit code and both outputs."""
    return done.returncode, done.stdout, done.stderr


# ---- send


def test_send_is_silent_when_all_is_confirmed(server: Server, ann: Peer) -> None:
    """The words of a message, wherever options stand, one whisper, and lines: code 0, no output."""
    assert result(send(server.port, "backup", "done", "--timeout", "15", "at", "5")) == (0, "", "")
    assert result(send(server.port, "--to", "ann", "--", "-x", "psst")) == (0, "", "")
    assert result(send(server.port, text="one\n\n\\quit\ntwo")) == (0, "", "")
    for line in ("cron> backup done at 5", "[cron -> you] -x psst", "cron> one", "cron> \\quit"):
        ann.wait_line(line)
    ann.wait_line("cron> two")
    ann.wait_line("* cron left")


def test_an_address_may_be_written_in_several_ways(server: Server, ann: Peer) -> None:
    """The port alone, HOST:PORT, or two words, before and after options."""
    port = str(server.port)
    for number, (before, after) in enumerate(
        [([port], []), ([], [port]), ([f"localhost:{port}"], []), (["127.0.0.1"], [port])]
    ):
        done = run("send", *before, "--handle", "cron", *after, f"{number}")
        assert result(done) == (0, "", "")
        ann.wait_line(f"cron> {number}")
    with subprocess.Popen(
        [*TRIOCHAT, "tail", port, "--handle", "log"], stdout=subprocess.DEVNULL
    ) as process:
        ann.wait_line("* log joined")
        process.terminate()
    assert run("client", f":{port}", "--handle", "x", text="hi").returncode == 0
    ann.wait_line("x> hi")


def test_send_to_a_wrong_place_is_unreachable() -> None:
    """Where nobody listens, or the host is not known, one line says so; exit code 3."""
    port = free_port()
    problem = f"triochat: cannot reach 127.0.0.1 port {port}: connection refused\n"
    assert result(send(port, "hi")) == (3, "", problem)
    for command in (["send", "hi"], ["tail"]):
        done = run(command[0], "no-such-host.invalid", "9", "--handle", "x", *command[1:])
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("triochat: cannot reach no-such-host.invalid port 9: ")
        assert len(done.stderr.splitlines()) == 1


def test_send_is_refused(server: Server, ann: Peer) -> None:
    """A handle that is taken, a message that is none, a whisper to nobody: exit code 4."""
    done = run("send", "127.0.0.1", str(server.port), "--handle", "Ann", "hi")
    problem = f'127.0.0.1 port {server.port}: handle "Ann" is taken; try another'
    assert result(done) == (4, "", f"triochat: {problem}\n")
    empty = "! the message is empty; nothing was sent\n"
    assert result(send(server.port, "")) == (4, "", empty)
    nobody = '! nobody here is called "Joe"; nothing was sent\n'
    assert result(send(server.port, "--to", "Joe", "hi")) == (4, "", nobody)
    long = "! line 2: 501 characters; at most 500 are allowed; nothing was sent\n"
    assert result(send(server.port, text=f"one\n{'x' * 501}\nthree\n")) == (4, "", long)
    ann.wait_line("cron> three")
    latin = os.fsdecode(b"caf\xe9")
    wrong = "! that is not UTF-8 text; nothing was sent\n"
    assert result(send(server.port, latin)) == (4, "", wrong)
    assert send(server.port, "--to", latin, "hi").returncode == 2


def test_send_is_lost_when_the_server_dies(server: Server, ann: Peer) -> None:
    """A server that is killed while more input may come: exit code 5, and what is sure."""
    with subprocess.Popen(
        [*TRIOCHAT, "send", "127.0.0.1", str(server.port), "--handle", "cron"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        process.stdin.write("one\n")
        process.stdin.flush()
        ann.wait_line("cron> one")
        server.stop(signal.SIGKILL)
        assert process.wait(PATIENCE) == 5
        assert process.stderr
        errors = process.stderr.read()
    assert errors.startswith(f"triochat: 127.0.0.1 port {server.port}: connection lost; ")


def test_send_gives_up_in_time() -> None:
    """A full room, and a server that says nothing: exit code 5 when the time is over."""
    with running_server("--max-clients", "1") as server:
        ann = Peer(server.port)
        ann.type("Ann")
        ann.line()
        problem = f"127.0.0.1 port {server.port}: not let in within 0.5 seconds; nothing was sent"
        done = send(server.port, "--timeout", "0.5", "hi")
        assert result(done) == (5, "", f"triochat: {problem}\n")
        ann.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = send(listener.getsockname()[1], "--timeout", "0.5", "hi")
        assert done.returncode == 5


def test_send_to_another_server_fails() -> None:
    """What is no triochat server is told so in one line; exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with subprocess.Popen(
            [*TRIOCHAT, "send", "127.0.0.1", str(port), "--handle", "x", "hi"],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            accepted, _ = listener.accept()
            accepted.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            _, errors = process.communicate(timeout=PATIENCE)
            accepted.close()
    problem = f"127.0.0.1 port {port}: what answers there is not a triochat server"
    assert (process.returncode, errors) == (1, f"triochat: {problem}\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--handle", "x", "-y", "hi"], 'there is no option -y (put "--" before a TEXT that'),
        (["--handle", "x", "--to", "", "hi"], "argument --to: a handle has 1 to 32 characters"),
        (
            ["--handle", "x", "--timeout", "0", "hi"],
            "argument --timeout: a duration must be longer",
        ),
        (["--handle", "x", "--timeout", "soon", "hi"], 'argument --timeout: "soon" is no duration'),
        (["hi"], "the following arguments are required: --handle"),
    ],
)
def test_send_with_wrong_arguments(arguments: list[str], problem: str) -> None:
    """Wrong arguments are told in one line above the usage, and nothing is sent; exit code 2."""
    done = run("send", "127.0.0.1", "9", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"triochat send: {problem}")
    assert done.stderr.splitlines()[1].startswith("usage: triochat send ")


def test_send_at_a_terminal_wants_a_text() -> None:
    """Without a message and without a pipe it does not wait for somebody to type."""
    child = spawn("send", "127.0.0.1", "9", "--handle", "cron")
    child.expect("TEXT is needed where the input is a terminal")
    assert exit_code(child) == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_send_politely(server: Server, ann: Peer, number: int, code: int) -> None:
    """While it waits for input a signal makes it leave; the code is the signal's."""
    with subprocess.Popen(
        [*TRIOCHAT, "send", "127.0.0.1", str(server.port), "--handle", "cron"],
        stdin=subprocess.PIPE,
    ) as process:
        ann.wait_line("* cron joined")
        process.send_signal(number)
        assert process.wait(PATIENCE) == code
    ann.wait_line("* cron left")


# ---- tail


def test_tail_onto_a_full_disk_fails(server: Server, ann: Peer) -> None:
    """Where what is said cannot be written that is one line; exit code 1, and a good-bye."""
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            [*TRIOCHAT, "tail", "127.0.0.1", str(server.port), "--handle", "log"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        ann.wait_line("* log joined")
        ann.type("hi")
        _, errors = process.communicate(timeout=PATIENCE)
    problem = "cannot write to standard output: no space left on device"
    assert errors == f"triochat: 127.0.0.1 port {server.port}: {problem}\n"
    assert process.returncode == 1
    ann.wait_line("* log left")


def test_tail_prints_lines_at_once_and_ends_after_a_count(server: Server, ann: Peer) -> None:
    """Each message stands in the pipe as soon as it is said; after the last one it leaves."""
    with tailing(server.port, "--count", "2") as process:
        assert process.stdout
        ann.wait_line("* log joined")
        ann.type("hi")
        assert process.stdout.readline() == "Ann> hi\n"
        ann.type("psst > log")
        assert ending(process) == (0, "[Ann -> you] psst\n", "")
    ann.wait_line("* log left")


def test_tail_prints_json(server: Server, ann: Peer) -> None:
    """Each line is an event, as a JSON object."""
    with tailing(server.port, "--json", "--count", "1") as process:
        ann.wait_line("* log joined")
        ann.type("Grüße")
        code, output, _ = ending(process)
    event = json.loads(output)
    assert code == 0
    assert (event["type"], event["handle"], event["text"]) == ("said", "Ann", "Grüße")


def test_tail_ends_when_its_reader_does(server: Server, ann: Peer) -> None:
    """After ``head -1`` it ends silently although nothing more is said, and says good-bye."""
    command = " ".join([*TRIOCHAT, f"tail 127.0.0.1 {server.port} --handle log"])
    with subprocess.Popen(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        ann.wait_line("* log joined")
        ann.type("hi")
        assert ending(process) == (0, "Ann> hi\n0\n", "")
    ann.wait_line("* log left")


def test_tail_into_a_closed_pipe_does_not_stay(server: Server, ann: Peer) -> None:
    """A reader who is gone before anything is said is noticed as well."""
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        [*TRIOCHAT, "tail", "127.0.0.1", str(server.port), "--handle", "log"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(write_end)
        ann.wait_line("* log joined")
        os.close(read_end)
        assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == 0
    ann.wait_line("* log left")


def test_tail_ends_well_with_the_server(server: Server, ann: Peer) -> None:
    """A server that stops is told on standard error, and is no failure."""
    with tailing(server.port) as process:
        ann.wait_line("* log joined")
        assert server.stop() == 0
        problem = "Server closed the connection: shutting down"
        assert ending(process) == (0, "", f"triochat: 127.0.0.1 port {server.port}: {problem}\n")


def test_tail_is_lost_when_the_server_is_killed(server: Server, ann: Peer) -> None:
    """One that comes after it, and does not know who was there, is another: exit code 5."""
    with tailing(server.port) as process:
        assert process.stdout
        ann.wait_line("* log joined")
        ann.type("hi")
        assert process.stdout.readline() == "Ann> hi\n"
        server.stop(signal.SIGKILL)
        with running_server(command=[*TRIOCHAT, "server", str(server.port)]):
            problem = "connection lost; the room does not know us any more"
            told = f"triochat: 127.0.0.1 port {server.port}: {problem}\n"
            assert ending(process) == (5, "", told)


def test_tail_is_refused_and_unreachable(server: Server, ann: Peer) -> None:
    """A taken handle is exit code 4, a place where nobody listens 3."""
    done = run("tail", "127.0.0.1", str(server.port), "--handle", "ann")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.endswith('handle "ann" is taken; try another\n')
    assert run("tail", "127.0.0.1", str(free_port()), "--handle", "log").returncode == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_tail_politely(server: Server, ann: Peer, number: int, code: int) -> None:
    """The code is the signal's, nothing is printed, and the others hear that it left."""
    with tailing(server.port) as process:
        ann.wait_line("* log joined")
        process.send_signal(number)
        assert ending(process) == (code, "", "")
    ann.wait_line("* log left")


# ---- cut off


def test_send_comes_back_and_says_each_line_once(server: Server, ann: Peer) -> None:
    """Cut off after every few lines, it is silent, ends well, and nobody heard that it was away."""
    lines, output = talk_over_cuts(server.port, "send", "cron", ann)
    assert output == ""
    assert [ann.line() for _ in range(31)] == [*(f"cron> {line}" for line in lines), "* cron left"]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_tail_comes_back_and_misses_nothing(
    server: Server, ann: Peer, arguments: tuple[str, ...]
) -> None:
    """What is said while it is cut off is printed when it is back, each line once."""
    lines = [f"line {number}" for number in range(20)]
    with (
        relaying(server.port) as relay,
        tailing(relay.port, "--count", "20", *arguments) as process,
    ):
        ann.wait_line("* log joined")
        for number, line in enumerate(lines):
            if number % 10 == 5:
                relay.cut()
            ann.type(line)
        code, output, errors = ending(process)
        assert (code, errors, relay.count > 1) == (0, "", True)
    said = [json.loads(line)["text"] if arguments else line[5:] for line in output.splitlines()]
    assert said == lines
