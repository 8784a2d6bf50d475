"""What a history in a file costs one message: `python benchmarks/confirmation.py`.

Nobody sees a message before it is kept, so its author waits for the disk. In each round there are,
one after the other and on the same disk: bare commits of one row, by SQLite alone; one message at a
time in a small room, where the server keeps it in memory, in a file, and in a file of which the
system says when it reaches the disk; and `triochat send` to each of these. Figures are medians of
the rounds. About two minutes.
"""

import argparse
import selectors
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from generator import Result, generate
from goals import percentile
from lineup import LINEUP, Server, run_server

KEEPING = ("triochat", "history", "history-normal")
"""The servers, by their names in `lineup`."""

SYNCS = {"history": "FULL", "history-normal": "NORMAL"}
"""What these ask of SQLite."""

COMMITS = 300
MEMBERS = 10
PATIENCE = 20.0


def main() -> int:
    """Measure, and print it."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    servers = [server for server in LINEUP if server.name in KEEPING]
    commits: dict[str, list[Result]] = {name: [] for name in SYNCS}
    alone: dict[str, list[Result]] = {name: [] for name in KEEPING}
    sends: dict[str, list[Result]] = {name: [] for name in KEEPING}
    with tempfile.TemporaryDirectory(prefix="triochat-benchmark-") as name:
        folder = Path(name)
        for _ in range(options.runs):
            for kind, sync in SYNCS.items():
                commits[kind].append(_commit(folder, sync))
            for server in servers:
                with run_server(server, folder) as (port, pid):
                    alone[server.name].append(_one_in_flight(folder, port, pid, options.seconds))
                with run_server(server, folder) as (port, _):
                    sends[server.name] += [send_once(port) for _ in range(options.sends)]
    _tell_one_in_flight(servers, commits, alone)
    _tell_sends(servers, sends)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a history costs one message.")
    add = parser.add_argument
    add("--runs", type=int, default=5, metavar="N", help="rounds (default: 5)")
    add("--seconds", type=float, default=2, metavar="S", help="of talking in each (default: 2)")
    add("--sends", type=int, default=5, metavar="N", help="commands in each (default: 5)")
    return parser.parse_args()


# ---- measuring


def _commit(folder: Path, sync: str) -> Result:
    """What SQLite alone takes for a commit of one row."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        rows = sqlite3.connect(Path(name) / "bare.db", isolation_level=None)
        rows.execute("PRAGMA journal_mode=WAL")
        rows.execute(f"PRAGMA synchronous={sync}")
        rows.execute("CREATE TABLE said (id INTEGER PRIMARY KEY, at TEXT, handle TEXT, text TEXT)")
        row = ("2026-01-02T21:07:04.678Z", "m0001", "x" * 64)
        times: list[float] = []
        for _ in range(COMMITS):
            began = time.perf_counter()
            rows.execute("INSERT INTO said (at, handle, text) VALUES (?, ?, ?)", row)
            times.append((time.perf_counter() - began) * 1e6)
        rows.close()
    return {"p50_us": median(times), "p99_us": percentile(times, 0.99)}


def _one_in_flight(folder: Path, port: int, pid: int, seconds: float) -> Result:
    room = {"workload": "one", "members": MEMBERS, "talkers": MEMBERS, "seconds": seconds}
    result = generate(folder, port=port, pid=pid, dialect="ndjson", **room)
    return result if "why" not in result else sys.exit(f"void: {result['why']}")


def send_once(port: int) -> Result:
    """Let `triochat send` say a line; how long each part of it took, in milliseconds.

    What passes between it and the server goes through our hands, so that the time from the line to
    its confirmation is told apart from the start of Python.
    """
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(PATIENCE)
        words = [str(door.getsockname()[1]), "--handle", "robot", "backup done"]
        began = time.perf_counter()
        with subprocess.Popen([sys.executable, "-m", "triochat", "send", *words]) as command:
            client = door.accept()[0]
            connected = time.perf_counter()
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                said, confirmed = _pass_on(client, server)
            code = command.wait(PATIENCE)
        ended = time.perf_counter()
    assert code == 0, f"triochat send ended with {code}"
    parts = {"start": connected - began, "join": said - connected}
    parts |= {"confirmed": confirmed - said, "whole": ended - began}
    return {part: seconds * 1000 for part, seconds in parts.items()}


def _pass_on(client: socket.socket, server: socket.socket) -> tuple[float, float]:
    """Hand on what the two say until one has gone; when a line was said, and was confirmed."""
    said = confirmed = 0.0
    with selectors.DefaultSelector() as selector:
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one, selectors.EVENT_READ, other)
        while ready := selector.select(PATIENCE):
            for key, _ in ready:
                data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                now = time.perf_counter()
                if b'"type":"say"' in data:
                    said = now
                elif b'"type":"said"' in data:
                    confirmed = now
                key.data.sendall(data)
                if not data:
                    return said, confirmed
    raise TimeoutError("nothing passes between `triochat send` and the server")


# ---- telling


def _tell_one_in_flight(
    servers: list[Server], commits: dict[str, list[Result]], alone: dict[str, list[Result]]
) -> None:
    print(f"\none in flight, {MEMBERS} members: until the last has it, in milliseconds")
    print(f"{'':34}{'p50':>8}{'p99':>8}{'bare commit p50':>18}{'p99':>8}{'its share':>11}")
    for server in servers:
        p50, p99 = _figures(alone[server.name], "p50_us", "p99_us")
        line = f"{server.title:34}{p50 / 1000:>8.2f}{p99 / 1000:>8.2f}"
        if server.name in commits:
            bare50, bare99 = _figures(commits[server.name], "p50_us", "p99_us")
            line += f"{bare50 / 1000:>18.2f}{bare99 / 1000:>8.2f}{bare50 / p50:>11.0%}"
        print(line)


def _tell_sends(servers: list[Server], sends: dict[str, list[Result]]) -> None:
    print("\ntriochat send, medians in milliseconds")
    print(f"{'':34}{'start':>8}{'join':>8}{'confirmed':>12}{'whole command':>16}")
    for server in servers:
        start, joined, confirmed, whole = _figures(
            sends[server.name], "start", "join", "confirmed", "whole"
        )
        print(f"{server.title:34}{start:>8.0f}{joined:>8.1f}{confirmed:>12.2f}{whole:>16.0f}")


def _figures(results: list[Result], *keys: str) -> list[float]:
    """Of each of these the median."""
    return [median(float(result[key]) for result in results) for key in keys]


if __name__ == "__main__":
    sys.exit(main())
