"""What the parts of a room on many servers take, measured here: of Redis, and of one server.

Redis is asked over plain sockets, one command at a time as servers ask it, and says itself how long
its thread has worked. A room is measured in this process, without sockets.
"""

import os
import re
import socket
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from triochat import snapshots
from triochat.dialects.ndjson import encode as encode_event
from triochat.entries import Batch, Comes, decode, encode_asked, encode_batch, taken
from triochat.history import History
from triochat.messages import Said, Say, Welcome
from triochat.order import Asked, Peer
from triochat.redis_scripts import THERE
from triochat.room import Room
from triochat.seats import Seat, key_of
from triochat.telling import Told

TEXT = "x" * 64
"""What is said."""

LARGE = 10_000
"""Bytes of a large entry."""

FOLLOWERS = 100
"""Servers that wait for entries, where it is measured what that costs Redis."""

STREAM = "triochat:{room}:order"


def batch(messages: int) -> bytes:
    """An entry in which so many members, 300 at most, say something."""
    asked = [encode_asked(_peer(number), (Say(TEXT),)) for number in range(messages)]
    return encode_batch("0123abcd", 1, asked)


# ---- Redis


class Redis:
    """A connection to Redis, in its own words."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._rest = b""

    def send(self, *words: bytes | str | int) -> None:
        """Ask for this."""
        said = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in said]
        self._socket.sendall(b"*%d\r\n%b" % (len(parts), b"".join(parts)))

    def receive(self) -> object:
        """The next answer."""
        line = self._line()
        kind, text = line[:1], line[1:]
        if kind == b"-":
            raise OSError(text.decode())
        if kind == b"*":
            return [self.receive() for _ in range(int(text))]
        if kind != b"$":
            return int(text) if kind == b":" else text
        return self._take(int(text)) if int(text) >= 0 else None

    def close(self) -> None:
        """Ask for nothing more."""
        self._socket.close()

    def ask(self, *words: bytes | str | int) -> object:
        """Ask for this; the answer."""
        self.send(*words)
        return self.receive()

    def work(self) -> float:
        """Microseconds that its thread has worked until now."""
        told = self.ask("INFO", "cpu")
        assert isinstance(told, bytes)
        return sum(map(float, re.findall(rb"_main_thread:([\d.]+)", told))) * 1e6

    def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            self._rest += self._socket.recv(1 << 16)
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size + 2:
            self._rest += self._socket.recv(1 << 20)
        taken, self._rest = self._rest[:size], self._rest[size + 2 :]
        return taken


def measure_redis(port: int, folder: Path, count: int) -> dict[str, float]:
    """What Redis takes of its core for what servers ask; and of memory, and of its disk."""
    redis = Redis(port)
    small, large = batch(1), b"x" * LARGE
    found = {"entry": len(small), "message": (len(batch(101)) - len(small)) / 100}
    before = folder_size(folder)
    adds = _work(redis, lambda: [_add(redis, small) for _ in range(count)]) / count
    size = redis.ask("MEMORY", "USAGE", STREAM, "SAMPLES", 0)
    assert isinstance(size, int)
    found |= {"kept": size / count, "written": (folder_size(folder) - before) / count}
    large_adds = _work(redis, lambda: [_add(redis, large) for _ in range(count // 10)])
    found["add_byte"] = max(0.0, large_adds / (count // 10) - adds) / (LARGE - len(small))
    found["add"] = adds - found["add_byte"] * len(small)
    each, each_large = (_serve(port, redis, data, count) for data in (small, large))
    found["serve_byte"] = max(0.0, each_large - each) / (LARGE - len(small))
    found["serve"] = each - found["serve_byte"] * len(small)
    leases = [f"lease:{number}" for number in range(1000)]
    found["lease"] = _work(redis, lambda: [redis.ask("MGET", *leases) for _ in range(100)]) / 1e5
    return found


def _work(redis: Redis, do: Callable[[], object]) -> float:
    """Microseconds that Redis works for this."""
    before = redis.work()
    do()
    return redis.work() - before


def _add(redis: Redis, data: bytes) -> bytes:
    place = redis.ask("XADD", STREAM, "*", "data", data)
    assert isinstance(place, bytes)
    return place


def _serve(port: int, redis: Redis, data: bytes, count: int) -> float:
    """What it takes to tell one server that waits of an entry, and to have it wait again."""
    followers = [Redis(port) for _ in range(FOLLOWERS)]
    place = _add(redis, data)

    def follow(count: int) -> None:
        nonlocal place
        for _ in range(count):
            for follower in followers:
                follower.send("XREAD", "BLOCK", 10_000, "STREAMS", STREAM, place)
                follower.send("EVAL", THERE, 1, STREAM, place)
            place = _add(redis, data)
            for follower in followers:
                follower.receive()
                follower.receive()

    follow(1)
    rounds = max(5, count // FOLLOWERS)
    with_followers = _work(redis, lambda: follow(rounds))
    without = _work(redis, lambda: [_add(redis, data) for _ in range(rounds)])
    for follower in followers:
        follower.close()
    return (with_followers - without) / rounds / FOLLOWERS


def folder_size(folder: Path) -> int:
    """Bytes of all files in it."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


# ---- one server


def measure_server(count: int) -> dict[str, float]:
    """Microseconds of a server for a request, by how many are in an entry; and bytes."""
    found = {f"request_{size}": _requests(size, count) for size in (1, 10, 100)}
    line = encode_event(Said(1_000_000, "2026-01-02T21:07:04.678Z", "m0001", TEXT))
    return found | {"line": len(line)}


def _requests(size: int, count: int) -> float:
    """What an entry of so many takes: read, applied, kept, and written out once for all."""
    room, history, data = _room(1000), History(), batch(size)
    entries = max(1, count // size)
    began = time.process_time()
    for number in range(entries):
        read = decode(data)
        assert isinstance(read, Batch)
        for shared in read.asked:
            told = room.apply(taken(shared, 1000 + number / 1000))
            history.keep(told)
            for telling in told:
                assert isinstance(telling, Told)
                b"".join(map(encode_event, telling.events))
    return (time.process_time() - began) / entries / size * 1e6


def measure_roster(members: int) -> dict[str, float]:
    """What so many members take of each server, in a process of its own."""
    here, there = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_fill, args=(members, there))
    process.start()
    there.close()
    found: dict[str, float] = here.recv()
    process.join()
    return found


def _fill(members: int, result: Connection) -> None:
    before = _memory()
    room = _room(members)
    memory = _memory() - before
    began = time.process_time()
    told = [telling for number in range(50) for telling in room.apply(_join(members + number))]
    join = (time.process_time() - began) / 50
    welcomes = [one.events[0] for one in told if isinstance(one, Told) and one.to]
    roster = len(encode_event(next(one for one in welcomes if isinstance(one, Welcome))))
    began = time.process_time()
    dumped = snapshots.dump(room)
    dump = time.process_time() - began
    began = time.process_time()
    snapshots.load(Room(max_clients=2 * members), dumped)
    load = time.process_time() - began
    result.send(
        {
            "members": members,
            "member": memory / members,
            "join": join * 1e6,
            "welcome": roster,
            "snapshot": len(dumped),
            "dump": dump * 1e6,
            "load": load * 1e6,
        }
    )


def _room(members: int) -> Room:
    """A room with so many members: each has a seat, as those have who can come back."""
    room = Room(max_clients=2 * members)
    for number in range(members):
        peer, key = _peer(number), key_of(f"token-{number:024}")
        room.members.enter(peer, f"m{number:05x}")
        room.seats.put(Seat(key, peer, room.members[peer], number))
    room.last_id = members
    return room


def _peer(number: int) -> Peer:
    return Peer(f"0123abcd-{number}", "127.0.0.1", "127.0.0.1")


def _join(number: int) -> Asked:
    comes = Comes(f"m{number:05x}", 0, key_of(f"token-{number:024}"), None, False)
    return taken((_peer(number), (comes,)), 1000.0)


def _memory() -> int:
    """Bytes that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
