"""Attacks, for a few seconds each: what they do to others is yes or no here, and printed.

How quick the others are served meanwhile `benchmarks/attacks.py` measures, which attacks longer.
TRIOCHAT_ATTACKS=5000 lets so many come and vanish.
"""

import gc
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trio

from house import EPOCH
from real import ENVIRONMENT, PATIENCE, TRIOCHAT, Peer, Server, member, running_server
from screen_reader import reading
from tls import Sealer, any_context, make_tls
from triochat.hub import Hub
from triochat.order import HOUSE, Lapse
from triochat.ratelimit import Limits
from triochat.room import Room
from triochat.seats import HOLD
from triochat.server import open_listeners, port_of, serve

MANY = int(os.environ.get("TRIOCHAT_ATTACKS", "300"))
"""How many come and vanish."""

FLOOD = 3.0
"""Seconds for which somebody floods."""

MEGABYTES = 100
"""What a client may take of memory, whatever its server says."""


def megabytes(pid: int, which: str = "VmHWM") -> float:
    """How much memory a process had at most (``VmHWM``), or has (``VmRSS``)."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{which}:\s+(\d+)", status)
    assert found
    return int(found[1]) / 1024


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until this is so, for as long as a busy machine may need."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


# ---- those who come and vanish

_CONTEXT = any_context()


async def vanish(port: int, number: int, *, sealed: bool) -> None:
    """Connect, join, and reset the connection."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    inner: trio.abc.Stream = stream
    try:
        if sealed:
            inner = trio.SSLStream(stream, _CONTEXT, server_hostname="localhost")
        await inner.send_all(f'{{"type":"join","handle":"p{number}"}}\n'.encode())
        if number % 3:  # the others do not wait for an answer
            await inner.receive_some(100)
    finally:
        await trio.aclose_forcefully(stream)


async def vanish_together(port: int, numbers: range, *, sealed: bool) -> None:
    """Let so many do that at once."""
    async with trio.open_nursery() as crowd:
        for number in numbers:
            crowd.start_soon(partial(vanish, port, number, sealed=sealed))


@pytest.mark.real_time
@pytest.mark.parametrize("sealed", [False, True])
async def test_who_vanishes_leaves_nothing(sealed: bool) -> None:
    """After many who join and reset: an exact roster, no descriptor, task, memory or seat."""
    room, now = Room(), EPOCH
    hub = Hub(room, clock=lambda: now, limits=Limits(0), tls=make_tls())
    async with trio.open_nursery() as nursery:
        listeners = await open_listeners("127.0.0.1", 0)
        doors = await nursery.start(serve, listeners, hub)
        for number in range(50):  # what is made once is made
            await vanish(port_of(listeners), MANY + number, sealed=sealed)
        await _quiet(hub)
        before, start = _left(), time.monotonic()
        with trio.fail_after(60 + MANY / 10):
            for first in range(0, MANY, 20):
                numbers = range(first, min(first + 20, MANY))
                await vanish_together(port_of(listeners), numbers, sealed=sealed)
            await _quiet(hub)
        assert len(room.seats.away) == 50 + MANY
        now += HOLD
        hub.ask(HOUSE, (Lapse(),))
        hub.flush()
        after = _left()
        print(f"{MANY} vanished in {time.monotonic() - start:.1f} s: {before} -> {after}")  # noqa: T201
        assert room.roster == ()
        assert not room.members
        assert not room.members.held
        assert not room.seats
        assert not room.ended
        assert not hub.backlog
        assert len(hub.lobby) == 0
        assert after[:2] == before[:2], "a task or a descriptor is left"
        assert after[2] - before[2] < 20, "memory is left"  # clients are in this process too
        doors.cancel()


def _left() -> tuple[int, int, float]:
    """How many tasks and descriptors there are, and megabytes."""
    gc.collect()
    tasks = trio.lowlevel.current_statistics().tasks_living
    return tasks, len([*Path("/proc/self/fd").iterdir()]), megabytes(os.getpid(), "VmRSS")


async def _quiet(hub: Hub) -> None:
    with trio.fail_after(PATIENCE):
        while hub.fan_out.links:  # noqa: ASYNC110  nothing tells of it
            await trio.sleep(0.02)
    await trio.sleep(0.2)


# ---- TLS


def hello() -> bytes:
    """How a client begins."""
    return Sealer(any_context()).hello()


def cut(port: int) -> socket.socket:
    """Begin a handshake, and leave it at that."""
    return _send(port, hello()[:100])


def no_handshake(port: int) -> socket.socket:
    """Send what only looks like a hello."""
    return _send(port, b"\x16\x03\x01\x02\x00\x01" + os.urandom(700))


def no_record(port: int) -> socket.socket:
    """Send, after a handshake, what is no record."""
    sealed = _shake_hands(port)
    plain = socket.socket(fileno=sealed.detach())
    plain.sendall(b"\x17\x03\x03\x00\x14" + bytes(2000))
    return plain


_NUMBERS = count()


def no_good_bye(port: int) -> socket.socket:
    """Join, and end the connection without saying so in TLS."""
    sealed = _shake_hands(port)
    sealed.sendall(b"Eve%d\n" % next(_NUMBERS))  # who comes again under one handle has to wait
    plain = socket.socket(fileno=sealed.detach())
    plain.shutdown(socket.SHUT_WR)
    return plain


def _send(port: int, data: bytes) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    plain.sendall(data)
    return plain


def _shake_hands(port: int) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    return any_context().wrap_socket(plain)


@pytest.mark.parametrize("attack", [cut, no_handshake, no_record, no_good_bye])
def test_tls_that_is_none(
    server: Server, ann: Peer, attack: Callable[[int], socket.socket]
) -> None:
    """Whoever breaks TLS disturbs nobody, and nothing is left when they are gone."""
    before = server.count_files()
    for connection in [attack(server.port) for _ in range(20)]:
        ann.type("?")
        while " here: " not in ann.line():
            pass
        connection.close()
    wait_until(lambda: server.count_files() == before, "a descriptor is left")
    ann.type("?")
    while (line := ann.line()) != "* 1 here: Ann":
        assert line.startswith("* Eve"), line
    assert server.process.poll() is None


def test_a_hello_after_the_greeting(server: Server, ann: Peer) -> None:
    """Who begins with TLS after the line that people are greeted with gets in."""
    late = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    greeting = late.recv(200)
    assert greeting.startswith(b"* triochat: ")
    with any_context().wrap_socket(late) as sealed:
        sealed.sendall(b"Late\n")
        ann.wait_line("* Late joined")


def test_tls_where_there_is_none() -> None:
    """A sentence that one can read, and the end."""
    with running_server("--no-tls") as server:
        connection = _send(server.port, hello())
        answer = connection.makefile("r").read()
        connection.close()
    assert answer.startswith("! no TLS is spoken here; ")


# ---- those who flood


@contextmanager
def flooding(port: int, count: int) -> Iterator[None]:
    """So many members who talk as fast as they can."""
    is_over = threading.Event()
    flooders = [member(port, f"f{number}") for number in range(count)]

    def flood(peer: Peer) -> None:
        peer.socket.settimeout(0.2)
        while not is_over.is_set():
            with suppress(TimeoutError, OSError):
                peer.socket.sendall(b"flood\n" * 1000)

    def drain(peer: Peer) -> None:
        with suppress(OSError, ValueError):
            while peer.socket.recv(1 << 16) or not is_over.is_set():
                pass

    threads = [
        threading.Thread(target=act, args=(one,)) for one in flooders for act in (flood, drain)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for peer in flooders:
            with suppress(OSError):
                peer.reset()
        for thread in threads:
            thread.join(PATIENCE)


@pytest.mark.parametrize("count", [1, 10])
def test_who_reads_is_not_put_out_by_a_flood(server: Server, tmp_path: Path, count: int) -> None:
    """A person at the client, `nc` and `tail` hear of a flood what the rate allows, and stay."""
    port = str(server.port)
    tail = subprocess.Popen(
        [*TRIOCHAT, "tail", "127.0.0.1", port, "--handle", "tail"],
        stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    nc = subprocess.Popen(
        ["nc", "127.0.0.1", port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert nc.stdin
        nc.stdin.write("nc\n")
        nc.stdin.flush()
        with reading("client", "127.0.0.1", port, "--handle", "Joe", state=tmp_path) as joe:
            joe.wait_for("You are Joe")
            ann = member(server.port, "Ann")
            wait_until(lambda: {"tail", "nc", "Joe"} <= roster(ann), "not all are here")
            start = time.monotonic()
            with flooding(server.port, count):
                heard = _listen(ann, start + FLOOD)
                ann.type("still here")
                joe.wait_for("Ann> still here")
                took = time.monotonic() - start
                lines = {
                    name: _read_to(one, "Ann> still here")
                    for name, one in (("nc", nc), ("tail", tail))
                }
            assert {"tail", "nc", "Joe"} <= roster(ann)
            assert tail.poll() is None
            assert nc.poll() is None
        most = count * (Limits().burst + Limits().rate * (took + 1))
        floods = {name: sum("> flood" in line for line in heard) for name, heard in lines.items()}
        print(f"{count} flooded for {took:.1f} s; of {most:.0f}: Ann {heard}, {floods}")  # noqa: T201
        assert 0 < max(floods.values()) <= most
    finally:
        for process in (tail, nc):
            process.kill()
            process.communicate()


def roster(ann: Peer) -> set[str]:
    """Who is here, as Ann is told."""
    ann.type("?")
    while " here: " not in (line := ann.line()) or ">" in line:
        assert line, "Ann was put out"
    return set(line.partition(" here: ")[2].split(", "))


def _listen(ann: Peer, until: float) -> int:
    """How many floods Ann hears until then."""
    heard = 0
    while time.monotonic() < until:
        heard += "> flood" in ann.line()
    return heard


def _read_to(process: "subprocess.Popen[str]", last: str) -> list[str]:
    """What it prints up to this line."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1] == last:
            break
    return lines


# ---- a hostile server

WELCOME = b'{"type":"welcome","handle":"Joe","server":"S","roster":["Joe"],"last":1}\n'
FIELDS = ("handle", "server", "roster", "last", "id", "at", "text", "to", "new", "reason", "code")
VALUES = (b"null", b"-1", b"1e400", b'""', b"[]", b"{}", b"true", b'"\\u001b[2J"', b"9" * 400)


def wrong_fields() -> Iterator[bytes]:
    """Every kind of event with every field wrong in every way; then all over again."""
    while True:
        for (
            kind
        ) in b"welcome joined said whispered renamed left roster notice refused pong".split():
            for value in VALUES:
                wrong = b",".join(b'"%s":%s' % (field.encode(), value) for field in FIELDS)
                yield b'{"type":"%s",%s}\n' % (kind, wrong)


def impossible_times() -> Iterator[bytes]:
    """Messages of other ages, and of none."""
    number = 1
    while True:
        for at in (
            b"",
            b"yesterday",
            b"9999-99-99T99:99:99Z",
            b"0000-01-01T00:00:00.000Z",
            b"9" * 60,
        ):
            number += 1
            yield b'{"type":"said","id":%d,"at":"%s","handle":"Ann","text":"hi"}\n' % (number, at)


def endless_line() -> Iterator[bytes]:
    """A message that has no end."""
    yield b'{"type":"said","id":2,"at":"","handle":"Ann","text":"'
    while True:
        yield b"x" * 65536


def drip() -> Iterator[bytes]:
    """A message that comes byte by byte."""
    for byte in b'{"type":"said","id":2,"at":"","handle":"Ann","text":"' + b"x" * 10_000:
        yield bytes([byte])
        time.sleep(0.01)


def huge_rosters() -> Iterator[bytes]:
    """As many names as fit into a line, each time others."""
    number = 0
    while True:
        names = b",".join(b'"%d"' % one for one in range(number, number + 90_000))
        number += 90_000
        yield b'{"type":"roster","handles":[%s]}\n' % names


HOSTILE = [wrong_fields, impossible_times, endless_line, drip, huge_rosters]


@contextmanager
def hostile_server(story: Callable[[], Iterator[bytes]]) -> Iterator[int]:
    """A server that welcomes each client, and then says this to it; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)
    is_over = threading.Event()

    def serve_one() -> None:
        with suppress(OSError):
            peer, _ = listener.accept()
            peer.settimeout(0.5)
            with peer, suppress(OSError):
                peer.recv(1000)
                peer.sendall(WELCOME)
                for data in story():
                    if is_over.is_set():
                        return
                    with suppress(TimeoutError):
                        peer.sendall(data)

    thread = threading.Thread(target=serve_one)
    thread.start()
    try:
        port: int = listener.getsockname()[1]
        yield port
    finally:
        is_over.set()
        listener.close()
        thread.join(PATIENCE)


@pytest.mark.parametrize("story", HOSTILE)
def test_a_hostile_server_at_a_terminal(
    story: Callable[[], Iterator[bytes]], tmp_path: Path
) -> None:
    """Whatever a server says the client stays small and draws, and Ctrl-C ends it."""
    with hostile_server(story) as port:
        arguments = ("client", "127.0.0.1", str(port), "--handle", "Joe")
        with reading(*arguments, state=tmp_path) as joe:
            joe.wait_for("You are Joe")
            until = time.monotonic() + FLOOD / 2
            while time.monotonic() < until and joe.look():
                pass
            most, start = 0.0, time.monotonic()
            if joe.child.isalive():
                most = megabytes(int(joe.child.pid or 0))
                joe.type("\x03")
            code = joe.wait_end()
            print(f"{story.__name__}: {most:.0f} MB, ended in {time.monotonic() - start:.2f} s")  # noqa: T201
            assert most < MEGABYTES
            assert code in (1, 130)
            assert b"Traceback" not in joe.output


@pytest.mark.parametrize("story", HOSTILE)
@pytest.mark.parametrize("command", ["tail", "send"])
def test_a_hostile_server_and_scripts(story: Callable[[], Iterator[bytes]], command: str) -> None:
    """The same without a terminal: small, and ended by a signal or by what it is told."""
    with hostile_server(story) as port:
        words = ["hello"] if command == "send" else []
        process = subprocess.Popen(
            [*TRIOCHAT, command, "127.0.0.1", str(port), "--handle", "Joe", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, env=ENVIRONMENT,
        )  # fmt: skip
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(FLOOD / 2)
            most = megabytes(process.pid) if process.poll() is None else 0.0
            process.terminate()
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.communicate()
        print(f"{command}, {story.__name__}: {most:.0f} MB, exit code {process.returncode}")  # noqa: T201
        assert most < MEGABYTES
        assert "Traceback" not in errors


# ---- those who guess


def guess(port: int, until: float, tries: list[float]) -> None:
    """Say wrong passwords until then, over as many connections as that takes."""
    wrong = b'{"type":"join","handle":"Eve","password":"simsim"}\n'
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
            while time.monotonic() < until:
                peer.sendall(wrong)
                if b"password-wrong" not in peer.recv(1000):
                    break
                tries.append(time.monotonic())


def test_wrong_passwords_hold_nobody_up(tmp_path: Path) -> None:
    """While ten connections of one address guess, who comes from another is in at once."""
    secret = tmp_path / "password"
    secret.write_text("sesame\n")
    secret.chmod(0o600)
    tries: list[float] = []
    took: list[float] = []
    with running_server(
        command=[*TRIOCHAT, "server", "0", "--password-file", str(secret)]
    ) as server:
        until = time.monotonic() + FLOOD
        threads = [
            threading.Thread(target=guess, args=(server.port, until, tries)) for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        for number in range(5):
            time.sleep(FLOOD / 6)
            start = time.monotonic()
            with socket.create_connection(
                ("127.0.0.1", server.port), PATIENCE, ("127.0.0.2", 0)
            ) as ann:
                join = f'{{"type":"join","handle":"ann{number}","password":"sesame"}}\n'
                ann.sendall(join.encode())
                assert b'"welcome"' in ann.recv(1000)
            took.append(time.monotonic() - start)
        for thread in threads:
            thread.join()
    print(f"{len(tries)} wrong ones in {FLOOD:g} s; others in within {max(took):.3f} s")  # noqa: T201
    assert 10 < len(tries) <= 20 + 10 * (FLOOD + 1)
