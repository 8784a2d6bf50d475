"""The servers that are compared: how each is started, what it speaks, whether it is here."""

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from generator import HERE, NoCompilerError, can_encrypt, compile_c

SERVERS = HERE / "servers"

NGIRCD = """\
[Global]
Name = irc.benchmark.test
Info = benchmark
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = hello
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
MaxNickLength = 16
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"""
"""Without its penalties for talking much, and without limits of connections."""

Command = Callable[[int, Path], list[str]]
"""The command that serves on a port; its files go into a folder that is removed afterwards."""


@dataclass(frozen=True)
class Server:
    """A server under test.

    Attributes:
        dialect: what is spoken to it; see `load.c`.
        command: starts it.
        find_missing: says what it needs and is not here; nothing if all is.
        is_sealed: it is spoken to over TLS.
        reference: the server against which its ratios are taken; where that does not take part it
            is the first one.
        lines: several lines may be said in one frame, where there are frames.
    """

    name: str
    title: str
    dialect: str
    command: Command
    find_missing: Callable[[], str] = str
    is_sealed: bool = False
    reference: str = "protocol"
    lines: bool = False

    @property
    def speaks(self) -> dict[str, str | float]:
        """How the generator is to speak to it."""
        return {"dialect": self.dialect, "tls": int(self.is_sealed), "together": int(self.lines)}


def find_program(name: str) -> str:
    """The path of a program; also where a user's PATH may not lead. Empty if there is none."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin") or ""


def _python(script: str, *words: str) -> Command:
    return lambda port, _: [sys.executable, str(SERVERS / script), str(port), *words]


def _sealed_python(script: str) -> Command:
    return lambda port, folder: [*_python(script)(port, folder), *make_certificate(folder)]


def make_certificate(folder: Path) -> list[str]:
    """A certificate and its key, as files in this folder."""
    files = [str(folder / "cert.pem"), str(folder / "key.pem")]
    if not Path(files[1]).exists():
        made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=benchmark"
        words = [find_program("openssl"), *made.split(), "-out", files[0], "-keyout", files[1]]
        subprocess.run(words, check=True, capture_output=True)
    return files


def _sealed_triochat(port: int, folder: Path) -> list[str]:
    certificate, key = make_certificate(folder)
    return [*_triochat()(port, folder), "--tls-cert", certificate, "--tls-key", key]


def _needs_tls() -> str:
    missing = _needs_program("openssl")()
    return missing or ("" if can_encrypt() else "OpenSSL's headers (libssl-dev) are not installed")


def _triochat(python: str = sys.executable) -> Command:
    words = ["--headless", "--max-clients", "100000"]

    def command(port: int, _: Path) -> list[str]:
        return [python, "-m", "triochat", "server", str(port), *words, *_unlimited(python)]

    return command


@cache
def _unlimited(python: str) -> Sequence[str]:
    """What lifts the limit of lines a second; older ones have none."""
    asked = [python, "-m", "triochat", "server", "--help"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    return ("--rate", "0") if "--rate" in told.stdout else ()


def _keeping_triochat(*words: str) -> Command:
    def command(port: int, folder: Path) -> list[str]:
        kept = folder / "history"
        shutil.rmtree(kept, ignore_errors=True)  # of the run before: each begins with none
        kept.mkdir()
        return [*_triochat()(port, folder), "--history", str(kept / "room.db"), *words]

    return command


def _ngircd(port: int, folder: Path) -> list[str]:
    config = folder / "ngircd.conf"
    config.write_text(NGIRCD.format(port=port))
    return [find_program("ngircd"), "--nodaemon", "--config", str(config)]


def _redis(port: int, folder: Path) -> list[str]:
    words = f"--port {port} --bind 127.0.0.1 --protected-mode no --dir {folder} --appendonly no"
    limits = "--maxclients 15000 --client-output-buffer-limit"
    return [
        find_program("redis-server"),
        *words.split(),
        *limits.split(),
        "pubsub 0 0 0",
        "--save",
        "",
    ]


def _limit(port: int, folder: Path) -> list[str]:
    return [str(compile_c(SERVERS / "limit.c", folder)), str(port)]


def _needs_program(name: str) -> Callable[[], str]:
    return lambda: "" if find_program(name) else f"{name} is not installed"


def _needs_module(name: str) -> Callable[[], str]:
    return lambda: "" if importlib.util.find_spec(name) else f"{name} is not installed"


LINEUP = (
    Server("triochat", "triochat (NDJSON)", "ndjson", _triochat(), _needs_module("triochat")),
    Server("plain", "triochat (plain lines)", "plain", _triochat(), _needs_module("triochat")),
    Server(
        "history",
        "triochat --history",
        "ndjson",
        _keeping_triochat(),
        _needs_module("triochat"),
        reference="triochat",
    ),
    Server(
        "history-normal",
        "the same, --history-sync normal",
        "ndjson",
        _keeping_triochat("--history-sync", "normal"),
        _needs_module("triochat"),
        reference="triochat",
    ),
    Server("protocol", "asyncio Protocol", "line", _python("asyncio_protocol.py")),
    Server(
        "uvloop",
        "the same on uvloop",
        "line",
        _python("asyncio_protocol.py", "uvloop"),
        _needs_module("uvloop"),
    ),
    Server(
        "tls",
        "triochat (NDJSON) over TLS",
        "ndjson",
        _sealed_triochat,
        _needs_tls,
        is_sealed=True,
        reference="protocol-tls",
    ),
    Server(
        "protocol-tls",
        "asyncio Protocol over TLS",
        "line",
        _sealed_python("asyncio_protocol.py"),
        _needs_tls,
        is_sealed=True,
        reference="protocol-tls",
    ),
    Server("streams", "asyncio streams", "line", _python("asyncio_streams.py")),
    Server(
        "tutorial",
        "trio tutorial chat",
        "line",
        _python("trio_tutorial.py"),
        _needs_module("trio"),
    ),
    Server("threads", "thread per client", "line", _python("threads.py")),
    Server("ngircd", "ngircd", "irc", _ngircd, _needs_program("ngircd")),
    Server("redis", "Redis pub/sub", "redis", _redis, _needs_program("redis-server")),
    Server("limit", "the limit (C, epoll)", "line", _limit),
)


def _door(name: str, title: str, dialect: str, *, lines: bool = False) -> tuple[Server, Server]:
    """A door of triochat's, and the same over TLS; their ratios are to NDJSON."""
    return (
        Server(
            name,
            f"triochat ({title})",
            dialect,
            _triochat(),
            _needs_module("triochat"),
            reference="triochat",
            lines=lines,
        ),
        Server(
            f"{name}-tls",
            f"triochat ({title}) over TLS",
            dialect,
            _sealed_triochat,
            _needs_tls,
            is_sealed=True,
            reference="tls",
            lines=lines,
        ),
    )


DOORS = (
    _door("plain", "plain lines", "plain")[1],
    *_door("web", "WebSocket", "web"),
    *_door("web-lines", "WebSocket, many lines a frame", "web", lines=True),
    *_door("irc", "IRC", "irc-room"),
    Server(
        "websockets",
        "websockets, its broadcast",
        "web-line",
        _python("websockets_broadcast.py"),
        _needs_module("websockets"),
        reference="triochat",
    ),
    Server(
        "websockets-tls",
        "the same over TLS",
        "web-line",
        _sealed_python("websockets_broadcast.py"),
        _needs_tls,
        is_sealed=True,
        reference="tls",
    ),
)
"""Who takes part besides where the ways in are compared."""


def other_triochat(python: str) -> tuple[Server, ...]:
    """Another triochat, as it is installed for this interpreter."""
    return (
        Server("other", "another triochat (NDJSON)", "ndjson", _triochat(python)),
        Server("other-plain", "another triochat (plain lines)", "plain", _triochat(python)),
    )


class DidNotStartError(Exception):
    """A server did not listen."""


@contextmanager
def run_server(server: Server, folder: Path) -> Iterator[tuple[int, int]]:
    """Run a server; gives its port and process id. It is gone afterwards, whatever happened."""
    port = find_free_port()
    errors = folder / f"{server.name}.stderr"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            server.command(port, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        if not is_listening(port, lambda: process.poll() is None):
            last = errors.read_text(errors="replace").strip().rpartition("\n")[2]
            raise DidNotStartError(f"did not start: {last}")
        yield port, process.pid
    finally:
        _stop(process)


def find_free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_listening(port: int, may_come: Callable[[], bool] = lambda: True) -> bool:
    """Wait until somebody listens on this port, ten seconds, or as long as somebody may come."""
    for _ in range(200):
        if not may_come():
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            time.sleep(0.2)  # that connection's end is over, too, and so is the start
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def why_skipped(server: Server) -> str:
    """Why a server cannot take part; empty if it can."""
    try:
        return server.find_missing()
    except (NoCompilerError, ImportError) as error:
        return str(error)
