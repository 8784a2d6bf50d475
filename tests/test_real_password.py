"""A room with a password, as installed: at `nc`, at terminals, in scripts."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from real import ENVIRONMENT, PATIENCE, TRIOCHAT, Peer, Server, running_server
from screen_reader import CTRL_C, CTRL_Z, ENTER, Reader, reading, reading_command
from triochat.questions import ASK_PASSWORD

FAR = "0.0.0.0"  # noqa: S104  an address of this machine that does not look like one
WARNING = "this connection is not encrypted: the password can be read on its way"
WRONG = "that is not the password of this room; try again"
NEEDED = "this room has a password; join with it (triochat takes it by --password-file FILE, or"
HOW = f"{NEEDED} from TRIOCHAT_PASSWORD)"


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the password."""
    path = tmp_path_factory.mktemp("secret") / "password"
    path.touch(0o600)
    path.write_text("s3same\n")
    return path


@pytest.fixture
def locked(file: Path) -> Iterator[Server]:
    """A server whose room has a password."""
    with running_server("--password-file", str(file)) as server:
        yield server


def run(
    *arguments: str, password: str | None = None, text: str = ""
) -> "subprocess.CompletedProcess[str]":
    """``triochat`` with these arguments, and perhaps a password in its environment."""
    return subprocess.run(
        [*TRIOCHAT, *arguments],
        input=text,
        env=ENVIRONMENT if password is None else {**ENVIRONMENT, "TRIOCHAT_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("with_nc", [True, False])
def test_nc_is_asked(locked: Server, with_nc: bool) -> None:
    """Somebody with nothing but nc says a handle, then the password, and is in."""
    if with_nc and not shutil.which("nc"):
        pytest.skip("nc is not installed")
    if not with_nc:
        peer = Peer(locked.port)
        peer.type("Bob\ns3same\nhi")
        assert peer.line() == "* this room has a password; what is it?"
        assert peer.line() == "* Server connected. You are Bob. 1 here: Bob"
        return
    with subprocess.Popen(
        ["nc", "127.0.0.1", str(locked.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as nc:
        assert nc.stdin
        assert nc.stdout
        answers = []
        for line in ("Jimmy", "simsim", "s3same"):
            nc.stdin.write(f"{line}\n")
            answers.append(nc.stdout.readline())
            if answers[-1].startswith("* triochat"):  # it was slow to begin
                answers[-1] = nc.stdout.readline()
        assert answers == [
            "* this room has a password; what is it?\n",
            f"! {WRONG}\n",
            "* Server connected. You are Jimmy. 1 here: Jimmy\n",
        ]
        nc.terminate()


def test_it_is_read_from_the_environment() -> None:
    """The variable counts at both ends; an empty one is none."""
    with subprocess.Popen(
        [*TRIOCHAT, "server", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**ENVIRONMENT, "TRIOCHAT_PASSWORD": "s3same"},
        text=True,
    ) as server:
        assert server.stdout
        port = server.stdout.readline().split()[4].rstrip(".")
        send = ("send", port, "--handle", "cron", "hi")
        try:
            assert run(*send, password="s3same").returncode == 0
            assert run(*send, password="").returncode == 4
        finally:
            server.send_signal(signal.SIGTERM)
        assert "s3same" not in server.stdout.read()
        assert server.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("data", "problem"),
    [(None, "cannot read the password file"), (b"\n", "has no password"), (b"\xff", "not UTF-8")],
)
@pytest.mark.parametrize("command", ["server", "client", "send", "tail"])
def test_a_file_without_a_password_is_refused(
    tmp_path: Path, command: str, data: bytes | None, problem: str
) -> None:
    """One clear sentence, exit code 1, and nobody is let in, or called."""
    path = tmp_path / "password"
    if data is not None:
        path.write_bytes(data)
        path.chmod(0o600)
    who = () if command == "server" else ("--handle", "x")
    done = run(command, "9", *who, "--password-file", str(path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("triochat: ")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_scripts_without_it_are_refused(locked: Server, file: Path) -> None:
    """One sentence each; exit code 4 of send and tail, 1 of a client in a pipe."""
    port = str(locked.port)
    where = f"triochat: 127.0.0.1 port {port}: "
    for command in (("send", "hi"), ("tail",)):
        name, *text = command
        done = run(name, port, "--handle", "cron", *text)
        assert (done.returncode, done.stdout, done.stderr) == (4, "", f"{where}{HOW}\n")
        done = run(name, port, "--handle", "cron", *text, password="simsim")
        assert (done.returncode, done.stdout, done.stderr) == (4, "", f"{where}{WRONG}\n")
    done = run("client", port, "--handle", "cron", text="one\n")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"! {HOW}\n")
    file_option = ("--password-file", str(file))
    assert run("send", port, "--handle", "cron", *file_option, "hi", password="no").returncode == 0
    done = run("client", port, "--handle", "cron", *file_option, text="one\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_who_does_not_encrypt_is_warned(locked: Server, file: Path) -> None:
    """Before a password goes to another machine in plain text one line says so."""
    where = (FAR, str(locked.port), "--handle", "x", "--insecure", "--password-file", str(file))
    done = run("send", *where, "hi")
    assert (done.returncode, done.stderr) == (0, f"triochat: {WARNING}\n")
    done = run("client", *where, text="hi\n")
    assert (done.returncode, done.stderr) == (0, f"triochat: {WARNING}\n")


def test_it_is_nowhere_to_be_read(file: Path) -> None:
    """Not in the log, at any level, nor in the list of processes; but who guessed is."""
    log = file.parent / "log"
    options = ("--password-file", str(file), "--log-level", "debug", "--log-file", str(log))
    with running_server(*options) as server:
        peer = Peer(server.port)
        peer.type("Bob\nsimsim\n\ns3same\ns3same > Nobody\n\\quit")
        lines = [peer.line() for _ in range(6)]
        assert lines[1] == f"! {WRONG}"
        assert "s3same" not in "".join(lines)
        program = Peer(server.port)
        program.ask({"type": "join", "handle": "Bob", "password": ["s3same"]})
        assert "s3same" not in program.line()
        program.ask({"type": "join", "handle": "Bob", "password": "s3same" * 50})
        assert "s3same" not in program.line()
        assert b"s3same" not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        server.stop()
    port = peer.socket.getsockname()[1]
    assert f"127.0.0.1 port {port}: refused (password-wrong)" in log.read_text()
    assert "s3same" not in log.read_text()
    assert "simsim" not in log.read_text()


# ---- terminals


def at(port: int, *options: str, host: str = "127.0.0.1") -> tuple[str, ...]:
    """The arguments of a client there, as Jimmy."""
    return ("client", host, str(port), "--handle", "Jimmy", *options)


def assert_unseen(reader: Reader, state: Path) -> None:
    """No part of what was typed was drawn, or written to a file."""
    for word in (b"s3same", b"simsim", b"s3s", b"sims"):
        assert word not in reader.output
    for path in state.rglob("*"):
        assert not path.is_file() or b"s3same" not in path.read_bytes()


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_it_is_typed_unseen(locked: Server, tmp_path: Path, options: tuple[str, ...]) -> None:
    """No character of it comes to the screen, of a wrong one neither, nor to the history."""
    state = tmp_path / "state"
    with reading(*at(locked.port, *options), state=state) as jimmy:
        jimmy.wait_for("Password?")
        jimmy.type("simsim" + ENTER)
        jimmy.wait_for(f"! {WRONG}")
        jimmy.type("s3sam")
        if not options:  # the line is drawn again, as it stands
            drawn = len(jimmy.output)
            jimmy.resize(24, 60)
            jimmy.wait(lambda: b"Password?" in jimmy.output[drawn:])
            jimmy.wait(lambda: jimmy.rows[jimmy.cursor[0]] == "Password?")
            jimmy.wait(lambda: jimmy.cursor[1] == len(ASK_PASSWORD))
        jimmy.type("e" + ENTER)
        jimmy.wait_for("You are Jimmy. 1 here: Jimmy")
        jimmy.type("seen" + ENTER)
        jimmy.wait_for("Jimmy> seen")
        jimmy.type(CTRL_C)
        assert jimmy.wait_end() == 130
    assert_unseen(jimmy, state)


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_three_wrong_ones_are_the_end(
    locked: Server, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """It is asked three times; then the exit code is 1."""
    with reading(*at(locked.port, *options), state=tmp_path) as jimmy:
        for count in (1, 2, 3):
            jimmy.wait(lambda count=count: jimmy.output.count(b"Password?") >= count)  # type: ignore[misc]
            jimmy.type("simsim" + ENTER)
            jimmy.wait(lambda count=count: "\n".join(jimmy.everything).count(WRONG) == count)  # type: ignore[misc]
        assert jimmy.wait_end() == 1
    assert_unseen(jimmy, tmp_path)


def test_it_is_warned_before_it_is_asked(locked: Server, tmp_path: Path) -> None:
    """Without encryption, to another machine, the question comes after a warning."""
    arguments = at(locked.port, "--plain", "--insecure", host=FAR)
    with reading(*arguments, state=tmp_path) as jimmy:
        jimmy.wait_for("Password?")
        asked = jimmy.output.index(b"Password?")
        assert jimmy.output.index(WARNING.encode()) < asked


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ("", signal.SIGINT),
        ("", signal.SIGTERM),
        ("--plain", signal.SIGINT),
        ("--plain", signal.SIGTERM),
        ("--plain", signal.SIGQUIT),  # a key like any other in the editor
    ],
)
def test_the_terminal_echoes_again(
    locked: Server, tmp_path: Path, options: str, number: signal.Signals
) -> None:
    """Whatever ends the client at the question, the shell's terminal shows what is typed."""
    client = " ".join([*TRIOCHAT, *at(locked.port, options)])
    script = f"trap : INT; {client}; stty -a; read x"
    with reading_command(["/bin/sh", "-c", script], tmp_path) as shell:
        shell.wait_for("Password?")
        if number == signal.SIGINT:
            shell.type("sims" + CTRL_C)
        else:
            [child] = (
                Path(f"/proc/{shell.child.pid}/task/{shell.child.pid}/children").read_text().split()
            )
            os.kill(int(child), number)
        shell.wait_for("icanon")
        shell.wait(lambda: " echoe " in " ".join(shell.rows))
        modes = " ".join(shell.rows).split()
        assert "echo" in modes
        assert "-echo" not in modes
        assert "icanon" in modes
    assert_unseen(shell, tmp_path)


def test_what_goes_wrong_leaves_a_terminal_that_echoes(tmp_path: Path) -> None:
    """Also whoever breaks off in the middle of a question leaves the terminal as it was."""
    program = """if True:
        import trio
        from triochat.terminal import View
        from triochat.terminals.pipe import Output
        from triochat.terminals.teletype import open_teletype

        async def main():
            async with open_teletype(0, Output(1)) as teletype:
                teletype.update(View(question="Password? ", is_secret=True))
                import os; os.system("stty -a | tr ' ' '\\n' | grep 'echo$'")
                raise KeyboardInterrupt

        trio.run(main)
        """
    path = tmp_path / "program.py"
    path.write_text(program)
    script = f"{sys.executable} {path} 2> /dev/null; stty -a | tr ' ' '\n' | grep 'echo$'; read x"
    with reading_command(["/bin/sh", "-c", script], tmp_path) as shell:
        shell.wait(lambda: [row for row in shell.rows if row] == ["-echo", "echo"])


def test_who_is_stopped_leaves_a_terminal_that_echoes(locked: Server, tmp_path: Path) -> None:
    """Ctrl-Z at the question, a command that is seen, and after fg one goes on unseen."""
    command = " ".join([*TRIOCHAT, *at(locked.port, "--plain")])
    bare = {"PS1": "$ ", "ENV": ""}
    with reading_command(["/bin/sh", "-i"], tmp_path, environment=bare) as shell:
        shell.wait_for("$")
        shell.type(command + ENTER)
        shell.wait_for("Password?")
        shell.type(CTRL_Z)
        shell.wait_for("Stopped")
        shell.type("stty -a | tr ' ' '\\n' | grep echo$" + ENTER)
        shell.wait(lambda: shell.rows.count("echo") == 1)
        assert "-echo" not in shell.rows
        shell.type("fg" + ENTER)
        shell.wait(lambda: not echoes(shell))
        shell.type("s3same" + ENTER)
        shell.wait_for("You are Jimmy")
        shell.type(CTRL_C)
    assert_unseen(shell, tmp_path)


def echoes(reader: Reader) -> bool:
    """Whether its terminal shows what is typed."""
    reader.look()
    return bool(reader.child.getecho())
