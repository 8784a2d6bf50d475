"""How long a key takes to stand on the screen, while messages come in.

A real client at a pty, and a talker that is let through without a rate limit: the server here is a
few lines that speak NDJSON, so that the client alone is measured. A key is pressed at random
moments; the time runs until it is drawn at the pty. Each key is a letter that stands nowhere else,
and the pty itself echoes nothing, so nothing can be taken for what the editor draws. Idle, at 300
lines a second, and while 5,000 lines arrive within a second; those must all be drawn, in order.

    python benchmarks/typing_latency.py
"""

import json
import os
import random
import re
import select
import socket
import statistics
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pexpect

KEYS = 60
"""Pressed in each workload."""

FLOOD = 5_000
"""Lines that arrive within a second."""

PATIENCE = 60.0
MUST = 0.050
"""Seconds that a key may take in the median."""

SHORT = 48
"""Keys after which the line is cleared, so that it never wraps."""

ALPHABETS = ("".join(map(chr, range(0x410, 0x440))), "".join(map(chr, range(0x531, 0x561))))
"""Keys that stand nowhere else on the screen: where one is drawn, it has been typed."""

CLEAR = b"\x15"  # Ctrl-U


class Room:
    """What the client is connected to: says what it is told to say."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._peer: socket.socket | None = None

    def welcome(self) -> None:
        """Let the client in, and answer its questions about the lag."""
        self._peer, _ = self._listener.accept()
        self._peer.recv(1 << 16)
        self._send([{"type": "welcome", "handle": "me", "server": "Server", "roster": ["me"]}])
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        assert self._peer
        while data := self._peer.recv(1 << 16):
            self._send([{"type": "pong"}] * data.count(b'"ping"'))

    def say(self, *numbers: int) -> None:
        """Say these, a message each."""
        at = "2026-01-02T21:07:04.678Z"
        self._send(
            [
                {"type": "said", "id": n, "at": at, "handle": "Ann", "text": f"line {n:05d}."}
                for n in numbers
            ]
        )

    def _send(self, events: list[dict[str, object]]) -> None:
        assert self._peer
        self._peer.sendall("".join(f"{json.dumps(event)}\n" for event in events).encode())


class Typist:
    """A client at a pty: types, and reads what it draws."""

    def __init__(self, port: int, state: str) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "triochat", "client", "127.0.0.1", str(port), "--handle", "me"],
            env={**os.environ, "TERM": "xterm-256color", "XDG_STATE_HOME": state},
            dimensions=(24, 80),
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None
        self.output = bytearray()
        self._pressed = 0

    def read(self, seconds: float) -> bool:
        """Take in what is drawn within this time, and say where the cursor is if asked."""
        fd = self.child.fileno()
        if not select.select([fd], [], [], max(0.0, seconds))[0]:
            return False
        data = os.read(fd, 1 << 16)
        self.output += data
        for _ in range(data.count(b"\x1b[6n")):
            os.write(fd, b"\x1b[20;1R")
        return True

    def wait(self, is_so: Callable[[], bool]) -> None:
        """Read until this is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            self.read(1.0)
            assert time.monotonic() < deadline, bytes(self.output[-500:])

    def press(self) -> float:
        """Press the next key; the seconds until it is drawn."""
        alphabet = ALPHABETS[self._pressed // SHORT % 2]
        place = self._pressed % SHORT
        self._pressed += 1
        if not place:
            os.write(self.child.fileno(), CLEAR)
        key = alphabet[place].encode()
        assert not termios.tcgetattr(self.child.fileno())[3] & termios.ECHO
        start = len(self.output)
        began = time.perf_counter()
        os.write(self.child.fileno(), key)
        while self.output.find(key, start) < 0:
            self.read(1.0)
            assert time.perf_counter() < began + PATIENCE, bytes(self.output[-500:])
        return time.perf_counter() - began


@contextmanager
def typing() -> Iterator[tuple[Room, Typist]]:
    """A client that is connected."""
    room = Room()
    with tempfile.TemporaryDirectory() as state:
        typist = Typist(room.port, state)
        room.welcome()
        typist.wait(lambda: b"here" in typist.output and b"me> " in typist.output)
        typist.wait(lambda: not typist.read(0.3))
        try:
            yield room, typist
        finally:
            typist.child.close(force=True)


def idle() -> list[float]:
    """Nobody says anything."""
    with typing() as (_, typist):
        return [_press_at_random(typist) for _ in range(KEYS)]


def steady(rate: int = 300) -> list[float]:
    """So many lines a second, for as long as it takes."""
    with typing() as (room, typist):
        is_over = threading.Event()

        def talk() -> None:
            number = 0
            while not is_over.is_set():
                room.say(*range(number, number + rate // 100))
                number += rate // 100
                time.sleep(0.01)

        talker = threading.Thread(target=talk)
        talker.start()
        times = [_press_at_random(typist) for _ in range(KEYS)]
        is_over.set()
        while talker.is_alive():
            typist.read(0.05)
        return times


def flood() -> tuple[list[float], float, bool]:
    """Thousands of lines in a second; also how long they took, and whether all came in order."""
    with typing() as (room, typist):
        began = time.monotonic()

        def talk() -> None:
            for start in range(0, FLOOD, 50):
                room.say(*range(start, start + 50))
                time.sleep(max(0.0, began + start / FLOOD - time.monotonic()))

        talker = threading.Thread(target=talk)
        talker.start()
        times: list[float] = []
        last = f"line {FLOOD - 1:05d}.".encode()
        while last not in typist.output:
            times.append(_press_at_random(typist, 0.005))
        took = time.monotonic() - began
        talker.join()
        seen = [int(number) for number in re.findall(rb"line (\d+)\.", bytes(typist.output))]
        return times, took, seen == list(range(FLOOD))


def _press_at_random(typist: Typist, longest: float = 0.03) -> float:
    until = time.monotonic() + random.uniform(0, longest)  # noqa: S311  when a key is pressed
    while (left := until - time.monotonic()) > 0:
        typist.read(left)
    return typist.press()


def _tell(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    p90 = ordered[int(len(ordered) * 0.9)]
    numbers = (statistics.median(ordered), p90, ordered[-1])
    print(f"{name:<24} {len(times):>5} " + " ".join(f"{number * 1000:>9.1f}" for number in numbers))


def main() -> int:
    """Measure, and tell."""
    print(f"{'':<24} {'keys':>5} {'median ms':>9} {'p90':>9} {'max':>9}")
    _tell("idle", idle())
    _tell("300 lines a second", steady())
    times, took, is_complete = flood()
    _tell(f"{FLOOD} lines in a second", times)
    print(f"all {FLOOD} lines drawn in order: {'yes' if is_complete else 'NO'}, in {took:.2f} s")
    is_quick = statistics.median(times) <= MUST
    print(f"median in the flood <= {MUST * 1000:.0f} ms: {'yes' if is_quick else 'NO'}")
    return 0 if is_complete and is_quick else 1


if __name__ == "__main__":
    sys.exit(main())
