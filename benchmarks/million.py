"""What a large history costs: `python benchmarks/million.py`.

Makes a file of a million messages, and one of a thousand, and measures a real server with each,
and with none: how long it starts, how long who joins waits for the newest messages, how long it
takes to read back and to find, how much memory it has, and what the others notice of one who finds
without a pause. Figures are medians; servers take turns. Some minutes; the files, some hundred
megabytes, are removed at the end. Whether a goal is met stands beside its figure; the exit code is
0 all the same.
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from generator import compile_generator, generate
from library import AUTHOR, GUEST, LONG, NOTHING, RARE, RARELY, SHORT, write_history
from lineup import find_free_port

PATIENCE = 60.0
REPLAY = 20
PAGE = 50
REPEATED = 3

START, READ, GROWN, DISTURBED = 500.0, 50.0, 8.0, 1.2
"""Goals: milliseconds more to start, milliseconds to read, megabytes more of memory, and how many
times later the others hear what is said."""

READS: dict[str, dict[str, Any]] = {
    r"\back 50": {},
    r"\find a rare word": {"find": RARE},
    r"\find a common word": {"find": LONG},
    r"\find a common short word": {"find": SHORT},
    r"\find how words begin": {"find": SHORT[:1]},
    r"\find a common and a rare word": {"find": f"{LONG} {RARE}"},
    r"\find two common words": {"find": f"{LONG} {SHORT}"},
    r"\find what nobody said": {"find": NOTHING},
    r"\find a common word from one author": {"find": LONG, "from": AUTHOR},
    r"\find a common word from who said little": {"find": LONG, "from": GUEST},
    r"\find all from one author": {"from": AUTHOR},
}
"""What is asked of the history, by what a person would type."""

Figures = dict[str, list[float]]
"""What was measured with one file, by what it is. Times are in milliseconds."""


class Member:
    """A program in the room, which waits for each answer.

    Attributes:
        waited: milliseconds from before it connected until it was in, and had heard what is past.
    """

    def __init__(self, port: int, handle: str, history: int = 0) -> None:
        began = time.perf_counter()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._ask({"type": "join", "handle": handle, "history": history})
        self._ask({"type": "ping"})
        heard = 0
        while b'"type":"pong"' not in (line := self._take()):
            heard += b'"type":"said"' in line
        self.waited = (time.perf_counter() - began) * 1000
        assert heard == history, f"{heard} messages were replayed, and not {history}"

    def recall(self, wanted: dict[str, Any]) -> tuple[float, list[dict[str, Any]]]:
        """Read back; the milliseconds until the answer was here, and what it holds."""
        began = time.perf_counter()
        self._ask({"type": "recall", "count": PAGE, **wanted})
        while b'"type":"recalled"' not in (line := self._take())[:30]:
            assert b'"type":"refused"' not in line[:30], line
        took = (time.perf_counter() - began) * 1000
        messages: list[dict[str, Any]] = json.loads(line)["messages"]
        return took, messages

    def leave(self) -> None:
        """Go, and say so."""
        with self._socket, self._lines:
            self._ask({"type": "quit"})
            self._lines.read()

    def _ask(self, request: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def _take(self) -> bytes:
        line = self._lines.readline()
        assert line, "the server has closed the connection"
        return line


class Served(NamedTuple):
    """A server that runs: its port, its process id, and the milliseconds until it listened."""

    port: int
    pid: int
    started: float


@contextmanager
def serving(file: Path | None) -> Iterator[Served]:
    """Run a server with this history. It is gone afterwards."""
    port = find_free_port()
    words = [sys.executable, "-m", "triochat", "server", str(port), "--headless", "--rate", "0"]
    if file:  # who has gone may come back under the same handle at once
        words += ["--history", str(file), "--grace", "0", "--hold", "0"]
    began = time.perf_counter()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            while not _listens(port):
                assert process.poll() is None, "the server did not start"
                assert time.perf_counter() < began + PATIENCE, "the server does not listen"
                time.sleep(0.001)
            yield Served(port, process.pid, (time.perf_counter() - began) * 1000)
            process.terminate()
            process.wait(PATIENCE)
        finally:
            process.kill()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def main() -> int:
    """Make the files, measure, and print it."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    with tempfile.TemporaryDirectory(prefix="triochat-benchmark-") as name:
        folder = Path(name)
        compile_generator(folder)
        files: dict[str, Path | None] = {"no file": None}
        for count in (1000, options.messages):
            files[f"{count:,}"] = _make(folder / f"{count}.db", count)
        figures: dict[str, Figures] = {title: defaultdict(list) for title in files}
        for _ in range(options.runs):
            for title, file in files.items():
                _measure(file, figures[title])
        for _ in range(options.runs):
            _disturb(folder, file, figures[title], options.seconds)
    _tell(figures)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a large history costs.")
    add = parser.add_argument
    add("--messages", type=int, default=1_000_000, metavar="N", help="in the file")
    add("--runs", type=int, default=5, metavar="N", help="rounds (default: 5)")
    add("--seconds", type=float, default=4, metavar="S", help="of talking in each (default: 4)")
    return parser.parse_args()


def _make(file: Path, count: int) -> Path:
    began = time.perf_counter()
    write_history(file, count)
    seconds, size = time.perf_counter() - began, file.stat().st_size / 1e6
    print(f"{count:,} messages written in {seconds:.1f} s: {size:,.1f} MB", flush=True)
    return file


# ---- measuring


def _measure(file: Path | None, figures: Figures) -> None:
    """Start, join, read and find; then look at the memory."""
    with serving(file) as (port, pid, started):
        figures["start until it listens"].append(started)
        newcomer = Member(port, "newcomer")
        figures["join"].append(newcomer.waited)
        if file:
            reader = Member(port, "reader", REPLAY)
            figures[f"join, with the newest {REPLAY}"].append(reader.waited)
            for title, wanted in READS.items():
                for _ in range(REPEATED):
                    took, messages = reader.recall(wanted)
                    _check(wanted, messages)
                    figures[title].append(took)
            reader.leave()
        newcomer.leave()
        figures["memory"].append(_memory(pid))


def _check(wanted: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    """What was found is what was wanted, as far as one can see."""
    ids = [message["id"] for message in messages]
    assert ids == sorted(ids), "not in order"
    assert bool(ids) == (wanted.get("find") != NOTHING), f"{wanted}: {len(ids)} found"
    assert wanted != {"find": RARE} or len(ids) == RARELY, f"{RARE} was found {len(ids)} times"
    for message in messages:
        assert message["handle"] == wanted.get("from", message["handle"]), message
        words = message["text"].split()
        for begin in wanted.get("find", "").split():
            assert any(word.startswith(begin) for word in words), message


def _memory(pid: int) -> float:
    """What a process has of the machine's memory, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1e3


def _disturb(folder: Path, file: Path | None, figures: Figures, seconds: float) -> None:
    """A hundred members, 50 messages a second: how long these take, and while somebody finds."""
    talk = {"workload": "steady", "members": 100, "talkers": 10, "rate": 50, "seconds": seconds}
    later: list[float] = []
    for finds in (False, True):
        with serving(file) as (port, pid, _), finding(port, figures, finds=finds):
            result = generate(folder, port=port, pid=pid, dialect="ndjson", **talk)
        assert "why" not in result, result
        p99 = float(result["p99_us"]) / 1000
        figures[f"a message, p99{', while one finds' * finds}"].append(p99)
        later.append(p99)
    figures["times that without"].append(later[1] / later[0])


@contextmanager
def finding(port: int, figures: Figures, *, finds: bool) -> Iterator[None]:
    """Meanwhile a member finds one thing after the other, without a pause; or only could."""
    member = Member(port, "reader")
    is_over = threading.Event()

    def find() -> None:
        began, count = time.perf_counter(), 0
        while not is_over.is_set():
            for wanted in READS.values():
                member.recall(wanted)
                count += 1
        figures["finds a second"].append(count / (time.perf_counter() - began))

    finder = threading.Thread(target=find if finds else is_over.wait)
    finder.start()
    try:
        yield
    finally:
        is_over.set()
        finder.join()
    member.leave()


# ---- telling


def _tell(figures: dict[str, Figures]) -> None:
    *_, least, most = figures.values()
    none = next(iter(figures.values()))
    goals = {"start until it listens": median(none["start until it listens"]) + START}
    goals |= dict.fromkeys(READS, READ) | {f"join, with the newest {REPLAY}": READ}
    goals |= {"memory": median(least["memory"]) + GROWN, "times that without": DISTURBED}
    print("\nMedians; times in milliseconds, memory in megabytes.")
    print(f"{'':44}" + "".join(f"{title:>12}" for title in figures) + f"{'goal':>16}")
    for what in most:
        line = f"{what:44}" + "".join(_cell(kept.get(what)) for kept in figures.values())
        if goal := goals.get(what):
            met = "met" if median(most[what]) <= goal else "MISSED"
            line += f"{goal:>9,.4g} {met}"
        print(line)


def _cell(values: list[float] | None) -> str:
    return f"{median(values):>12,.2f}" if values else f"{'-':>12}"


if __name__ == "__main__":
    sys.exit(main())
