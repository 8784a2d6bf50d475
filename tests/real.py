"""The program as it is installed, run for real: servers, clients at a pty, plain sockets."""

import atexit
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pexpect

TRIOCHAT = [sys.executable, "-m", "triochat"]
ENVIRONMENT = {
    **os.environ,
    "PROMPT_TOOLKIT_NO_CPR": "1",
    "TERM": "xterm-256color",
    "LOGNAME": "no handle",  # so that none is offered
    "XDG_STATE_HOME": "/dev/null/nowhere",
}
PATIENCE = 20.0  # seconds, for machines that are busy with something else


@cache
def state_home() -> str:
    """Where the servers of all tests keep their key."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return folder


class Server:
    """A running ``triochat server``, without a terminal."""

    def __init__(self, *options: str, command: Sequence[str] = (*TRIOCHAT, "server", "0")) -> None:
        self.process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT | {"XDG_STATE_HOME": state_home()},
            start_new_session=True,  # or a hang-up of the terminal of the tests were its own
        )
        self.said: list[str] = []
        """The lines of its standard output that were read until now."""
        self.port = int(self.wait_line(r"Listening on \S+ port (\d+)"))
        self.invited: list[str] = []
        """The addresses where the invitation says that one can join."""
        while host := self.wait_line(r"  nc (\S+)|Ctrl-C stops the server"):
            self.invited.append(host)

    def wait_line(self, pattern: str) -> str:
        """Read standard output up to a line with this pattern; its first group, or the line."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if found := re.search(pattern, line):
                return found[1] or "" if found.groups() else line.rstrip("\n")
        raise AssertionError(f"the server ended before it said {pattern!r}")

    def count_files(self) -> int:
        """How many files the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the exit code. Nobody says anything more."""
        self.process.send_signal(number)
        for peer in Peer.open:
            with suppress(OSError):  # it is at another server, or reset
                peer.socket.shutdown(socket.SHUT_WR)
        return self.process.wait(PATIENCE)


@contextmanager
def running_server(
    *options: str, command: Sequence[str] = (*TRIOCHAT, "server", "0")
) -> Iterator[Server]:
    """A server that is ended with the block, whatever happens in it."""
    server = Server(*options, command=command)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


class Peer:
    """A plain socket, line by line; those that are open when a test ends are closed."""

    open: ClassVar[set["Peer"]] = set()

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self._file = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.open.add(self)

    def type(self, text: str) -> None:
        """Send a line."""
        self.socket.sendall(f"{text}\n".encode())

    def ask(self, request: dict[str, Any]) -> None:
        """Send a request, as JSON."""
        self.type(json.dumps(request))

    def event(self) -> dict[str, Any]:
        """The next event, from JSON."""
        event: dict[str, Any] = json.loads(self.line())
        return event

    def line(self) -> str:
        """The next line, without its end; empty when there is none."""
        return self._file.readline().rstrip("\n")

    def wait_line(self, text: str) -> None:
        """Read up to this line."""
        while (line := self.line()) != text:
            assert line, f"the connection ended before {text!r}"

    def reset(self) -> None:
        """Vanish: the server gets a reset, not an end."""
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self.socket.close()
        self.open.discard(self)


class Relay:
    """A way to a server that can be cut off."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.count = 0
        """Connections so far."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self.count += 1
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End all connections, as a network does."""
        before, self._open = self._open, []
        for end in before:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Take no more."""
        with suppress(OSError):  # a thread waits for it
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@contextmanager
def relaying(port: int) -> Iterator[Relay]:
    """A relay to this port of this machine, while the block runs."""
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()


def talk_over_cuts(port: int, name: str, handle: str, ann: Peer) -> tuple[list[str], str]:
    """Have ``triochat NAME`` say 30 lines over a connection that is cut every ten lines.

    Returns:
        The lines, and its standard output; it has ended well, and said nothing else.
    """
    lines = [f"line {number}" for number in range(30)]
    with (
        relaying(port) as relay,
        subprocess.Popen(
            [*TRIOCHAT, name, "127.0.0.1", str(relay.port), "--handle", handle],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin
        assert ann.line() == f"* {handle} joined"
        for number, line in enumerate(lines):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            if number % 10 == 5:
                relay.cut()
        output, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors, relay.count > 1) == (0, "", True)
    return lines, output


def member(port: int, handle: str, host: str = "127.0.0.1") -> Peer:
    """A peer that has joined with plain lines, and has read its welcome."""
    peer = Peer(port, host)
    peer.type(handle)
    while f" connected. You are {handle}." not in (line := peer.line()):
        assert line.startswith("* your connection is not encrypted"), line
    return peer


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def spawn(*arguments: str) -> "pexpect.spawn[str]":
    """``triochat`` with these arguments, at a terminal of its own."""
    return pexpect.spawn(
        TRIOCHAT[0],
        [*TRIOCHAT[1:], *arguments],
        env=ENVIRONMENT,
        encoding="utf-8",
        timeout=PATIENCE,
        dimensions=(24, 80),
    )


def exit_code(child: "pexpect.spawn[str]") -> int | None:
    """Wait for the end of what `spawn` started."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def run(*arguments: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    """``triochat`` with these arguments, and this on standard input."""
    return subprocess.run(
        [*TRIOCHAT, *arguments],
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
