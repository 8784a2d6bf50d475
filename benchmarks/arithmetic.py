"""What a room on many servers would carry, from what its parts cost: arithmetic, and simulations.

`scaling.py` measures the parts on this machine. Servers, and Redis, are meant to have a core each,
and a network of 10 Gbit/s each; nothing of that has been seen to run with a thousand servers.
"""

import heapq
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

BUSY = 0.8
"""Of a core, and of a network, this much may be used."""

NETWORK = 10e9 / 8
"""Bytes a second to or from one machine."""

PAUSE = 0.1
"""Seconds for which messages gather before they are told, where a server has no more to give."""

TELLING = 0.25
"""The part of its time that a server writes to members; where these are many they wait longer."""

COUNT = 500
"""The most entries that a server reads at once."""

SLOTS = 16384
"""Of a Redis Cluster."""


@dataclass(frozen=True)
class Costs:
    """What each part takes: microseconds of CPU, or bytes.

    Attributes:
        add: Redis takes an entry. add_byte: and each byte of it.
        serve: Redis answers a server that has waited for an entry, or asks for some.
        serve_byte: and each byte of what it answers.
        lease: Redis looks for the lease of one server.
        write: a server writes an entry. read: a server reads one answer.
        request: a server applies a message, and writes it out once for all.
        join: a server applies a join. join_member: and for each who is there.
        put: a server writes a batch to one member. delivery: and each message in it.
        member: bytes that each server keeps for each member of the room.
        entry: bytes of an entry without its requests. message: of one that says something.
        line: bytes of a message as members hear it. name: of a handle in the roster.
        hop: microseconds from a server to Redis, or back.
    """

    add: float
    add_byte: float
    serve: float
    serve_byte: float
    lease: float
    write: float
    read: float
    request: float
    join: float
    join_member: float
    put: float
    delivery: float
    member: float
    entry: float
    message: float
    line: float
    name: float
    hop: float


# ---- one room


@dataclass(frozen=True)
class Limit:
    """How many messages a second a part of a room lets through."""

    part: str
    rate: float


def pause(costs: Costs, own: float) -> float:
    """Seconds for which messages gather at a server that has so many members of its own."""
    return max(PAUSE, own * costs.put / 1e6 / TELLING)


def limits(costs: Costs, servers: int, members: int) -> list[Limit]:
    """What each part lets through, the least first; where all gather as much as they can."""
    own = members / servers
    pauses = 1 / pause(costs, own)
    redis = 1e6 * BUSY - _at_rest(costs, servers) - servers * pauses * (costs.add + costs.serve)
    per_message = costs.message * (costs.add_byte + servers * costs.serve_byte)
    server = 1e6 * BUSY - pauses * (costs.write + costs.read + own * costs.put)
    found = [
        Limit("Redis' core", max(0.0, redis) / per_message),
        Limit("Redis' network", NETWORK * BUSY / (servers * costs.message)),
        Limit("a server's core", server / (costs.request + own * costs.delivery)),
        Limit("a server's network", NETWORK * BUSY / (own * costs.line)),
    ]
    return sorted(found, key=lambda limit: limit.rate)


def _at_rest(costs: Costs, servers: int) -> float:
    """What leases, each server's once a second, and reads that find nothing take of Redis."""
    return servers * (servers * costs.lease + costs.serve)


def coming_in(costs: Costs, servers: int, members: int) -> float:
    """How long it takes until all are in: seconds. Each server applies all, and tells its own."""
    own = members / servers
    apply = members * costs.join + members * members / 2 * costs.join_member
    told = own * members / 2 * costs.delivery
    rosters = own * members / 2 * costs.name / (NETWORK * BUSY) * 1e6
    return max(apply + told, rosters) / 1e6 / BUSY


# ---- how long a message takes


@dataclass
class _Server:
    pending: list[float] = field(default_factory=list)
    writes: bool = False
    place: int = 0  # entries that it has read
    waits: bool = True


@dataclass(frozen=True)
class Latency:
    """Milliseconds until the last server has applied a message; and how busy Redis was."""

    p50: float
    p99: float
    load: float


class Room:
    """Servers that write and read entries, and a Redis that does one thing after the other.

    A server that waits for an answer gathers what comes meanwhile, and so does Redis for readers
    that are busy. Times are in microseconds.
    """

    def __init__(self, costs: Costs, servers: int, rate: float, seed: int = 1) -> None:
        self._costs = costs
        self._draw = random.Random(seed)  # noqa: S311  a simulation
        self._servers = [_Server() for _ in range(servers)]
        self._interval = 1e6 / rate
        self._entries: list[list[float]] = []  # when each message in it was said
        self._unread: list[int] = []  # by how many servers
        self._events: list[tuple[float, int, str, int, int]] = []
        self._queue: deque[tuple[str, int]] = deque()  # at Redis
        self._works = False
        self._busy = 0.0
        self._number = 0
        self._taken: list[float] = []

    def run(self, messages: int) -> Latency:
        """Say so many messages, at random servers and times."""
        self._plan(0, "say", messages)
        now = 0.0
        while self._events:
            now, _, what, number, count = heapq.heappop(self._events)
            getattr(self, f"_{what}")(now, number, count)
        taken = sorted(self._taken)
        middle, late = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
        return Latency(middle / 1000, late / 1000, self._busy / now)

    def _plan(self, at: float, what: str, number: int, count: int = 0) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, self._number, what, number, count))

    def _say(self, now: float, left: int, _: int) -> None:
        number = self._draw.randrange(len(self._servers))
        server = self._servers[number]
        server.pending.append(now)
        if not server.writes:
            self._write(now, number)
        if left > 1:
            self._plan(now + self._draw.expovariate(1 / self._interval), "say", left - 1)

    def _write(self, now: float, number: int) -> None:
        self._servers[number].writes = True
        self._plan(now + self._costs.write + self._costs.hop, "add", number)

    def _written(self, now: float, number: int, _: int) -> None:
        server = self._servers[number]
        server.writes = False
        if server.pending:
            self._write(now, number)

    def _applied(self, now: float, number: int, end: int) -> None:
        server = self._servers[number]
        for place in range(server.place, end):
            self._unread[place] -= 1
            if not self._unread[place]:
                self._taken += [now - said for said in self._entries[place]]
        server.place = end
        self._plan(now + self._costs.hop, "ask", number)

    # ---- Redis

    def _add(self, now: float, number: int, _: int) -> None:
        self._come(now, "add", number)

    def _ask(self, now: float, number: int, _: int) -> None:
        self._come(now, "ask", number)

    def _come(self, now: float, what: str, number: int) -> None:
        self._queue.append((what, number))
        if not self._works:
            self._next(now)

    def _next(self, now: float, *_: int) -> None:
        self._works = bool(self._queue)
        if self._works:
            what, number = self._queue.popleft()
            done = self._take(now, number) if what == "add" else self._look(now, number)
            self._busy += done - now
            self._plan(done, "next", 0)

    def _take(self, now: float, number: int) -> float:
        """It takes an entry, and tells all who wait for one; when that is done."""
        costs, server = self._costs, self._servers[number]
        said, server.pending = server.pending, []
        self._entries.append(said)
        self._unread.append(len(self._servers))
        done = now + costs.add + (costs.entry + len(said) * costs.message) * costs.add_byte
        self._plan(done + costs.hop, "written", number)
        for other, reader in enumerate(self._servers):
            if reader.waits:
                reader.waits = False
                done = self._answer(done, other)
        return done

    def _look(self, now: float, number: int) -> float:
        server = self._servers[number]
        server.waits = server.place == len(self._entries)
        return now if server.waits else self._answer(now, number)

    def _answer(self, now: float, number: int) -> float:
        """It tells a server what that has not read, which applies it, and asks again."""
        costs, server = self._costs, self._servers[number]
        end = min(len(self._entries), server.place + COUNT)
        count = sum(map(len, self._entries[server.place : end]))
        size = (end - server.place) * costs.entry + count * costs.message
        done = now + costs.serve + size * costs.serve_byte
        applied = done + costs.hop + costs.read + count * costs.request
        self._plan(applied, "applied", number, end)
        return done


# ---- many rooms


def rooms_on(costs: Costs, servers: int, rate: float) -> int:
    """How many rooms, each on so many servers with so many messages a second, one Redis carries.

    Messages are few here: each is an entry, and each server is told of it by itself.
    """
    size = costs.entry + costs.message
    message = costs.add + size * costs.add_byte + servers * (costs.serve + size * costs.serve_byte)
    return int(1e6 * BUSY / (rate * message + _at_rest(costs, servers)))


def busiest(rooms: int, masters: int, seed: int = 1) -> float:
    """How much more than the others' average the busiest master has of rooms that are alike.

    A room is one slot, wherever its name falls; slots are spread evenly.
    """
    draw = random.Random(seed)  # noqa: S311  a simulation
    each = ceil(SLOTS / masters)
    falls: Iterator[int] = (draw.randrange(SLOTS) // each for _ in range(rooms))
    return max(Counter(falls).values()) / (rooms / masters)
