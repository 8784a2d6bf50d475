"""Those who suffer: members who do nothing wrong, all in one loop, in a process of their own.

They ping, talk, read, and note how long that takes and who of them is put out.
"""

import math
import os
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from wires import SAID, SAID_AT, SIGN, SPAM, Wire

PINGS = 2.0
"""Pings a second of each member who pings: less than anybody's idea of too many."""

SAYS = 2.0
"""Messages a second of the one who talks."""

NEWCOMERS = 1.0
"""Seconds between two who come, each of whom leaves as soon as it is in."""

PATIENCE = 10.0
"""Seconds after the attack in which the last answers may come."""

CHUNK = 1 << 18
ETHERNET = 1460


@dataclass(frozen=True)
class Plan:
    """Who is there: how many of which.

    Attributes:
        readers: read all the time, and ping.
        talkers: talk, and read.
        idle: only read.
        slow: read ``pace`` bytes a second.
        stuck: read nothing.
        flooders: who of the attackers talks; their messages are counted.
    """

    readers: int = 10
    talkers: int = 0
    idle: int = 0
    slow: int = 0
    stuck: int = 0
    pace: int = 200 << 10
    flooders: int = 0


@dataclass
class Notes:
    """What was measured; times in milliseconds.

    Attributes:
        pings: until each was answered, or until now where it was not.
        words: from when each was said until each reader had it.
        joins: until each newcomer was in, or until now where it is not.
        out: of those who should have stayed, who was put out.
        left: whom the room said to have left.
        heard: messages of each flooder, as the first reader heard them.
        spam: messages of all attackers.
        late: how late this process itself was, at worst.
    """

    pings: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)
    joins: list[float] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    heard: Counter[str] = field(default_factory=Counter)
    spam: int = 0
    late: float = 0.0


class Member:
    """One of them.

    Args:
        crowd: all of them.
        handle: its handle.
        buffer: of the system, for what comes in; 0 for the usual.
    """

    def __init__(self, crowd: "Crowd", handle: str, buffer: int = 0) -> None:
        self.handle = handle
        self.is_in = False
        self.began = time.perf_counter()
        self.pinged: deque[float] = deque()
        sock = socket.socket()
        self.socket: socket.socket | None = sock
        self._crowd = crowd
        self._rest = b""
        if buffer:  # as far away as a real one: loopback segments would hide it for long
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, ETHERNET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", crowd.port))
        crowd.members[sock.fileno()] = self
        crowd.epoll.register(sock, select.EPOLLOUT)  # when it is connected

    def act(self, events: int) -> None:
        """React to what the system has said of this connection."""
        if self.socket and events == select.EPOLLOUT:
            self._crowd.epoll.modify(self.socket, select.EPOLLIN)
            self.send(self._crowd.wire.join(self.handle))
        else:
            self.receive()

    def send(self, data: bytes) -> None:
        """Send a line; nothing that a member sends here is more than a socket takes."""
        if self.socket:
            with suppress(BlockingIOError, ConnectionError):
                self.socket.send(data)

    def receive(self, most: int = CHUNK) -> int:
        """Read what is there; how much that was."""
        if self.socket is None:
            return 0
        try:
            data = self.socket.recv(most)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            self._hear(data)
        else:
            self.close()
            self._crowd.lose(self)
        return len(data)

    def neglect(self) -> None:
        """From now on somebody else says when to read, if anybody does."""
        if self.socket:
            self._crowd.epoll.unregister(self.socket)

    def close(self) -> None:
        """Go."""
        if self.socket:
            del self._crowd.members[self.socket.fileno()]
            self.socket.close()
            self.socket = None

    def _hear(self, data: bytes) -> None:
        now, crowd = time.perf_counter(), self._crowd
        data = self._rest + data if self._rest else data
        cut = data.rfind(b"\n") + 1
        data, self._rest = data[:cut], data[cut:]
        if not self.is_in and crowd.wire.joined in data:
            self.is_in = True
            crowd.welcome(self, now)
        if self.pinged:
            for _ in range(min(len(self.pinged), data.count(crowd.wire.pong))):
                crowd.notes.pings.append((now - self.pinged.popleft()) * 1000)
        if self.handle == "r0" or SIGN in data:
            crowd.listen(self, data, now)


class Crowd:
    """All of them.

    Attributes:
        notes: what they have measured so far.
    """

    def __init__(self, port: int, wire: Wire, plan: Plan) -> None:
        self.port = port
        self.wire = wire
        self.epoll = select.epoll()
        self.members: dict[int, Member] = {}
        self.notes = Notes()
        self._plan = plan
        self._readers: list[Member] = []
        self._talkers: list[Member] = []
        self._slow: list[Member] = []
        self._stuck: list[Member] = []
        self._newcomers: list[Member] = []
        self._open(self._readers, "r", plan.readers)
        self._open(self._talkers, "t", plan.talkers)
        self._open([], "i", plan.idle)
        self._open(self._slow, "s", plan.slow, 1 << 16)
        self._open(self._stuck, "k", plan.stuck, 1 << 12)

    def _open(self, members: list[Member], letter: str, count: int, buffer: int = 0) -> None:
        for number in range(count):
            members.append(Member(self, f"{letter}{number}", buffer))
            self.turn(0.005)  # ngircd lets no more than ten wait at its door

    def lose(self, member: Member) -> None:
        """The server has put this one out."""
        self.notes.out.append(member.handle)
        if member in self._newcomers:
            self._newcomers.remove(member)
            self.notes.joins.append(math.inf)

    def welcome(self, member: Member, now: float) -> None:
        """This one is in."""
        if member in self._newcomers:
            self.notes.joins.append((now - member.began) * 1000)
            self._newcomers.remove(member)
            member.close()

    def listen(self, reader: Member, data: bytes, now: float) -> None:
        """What was said."""
        if SIGN in data and reader in self._readers:
            for said in SAID_AT.findall(data):
                self.notes.words.append((now - float(said)) * 1000)
        if reader.handle == "r0":
            self.notes.spam += data.count(SPAM.encode())
            for number in range(self._plan.flooders):
                self.notes.heard[f"f{number}"] += data.count(self.wire.said_by(f"f{number}"))
            if any(leaving in data for leaving in self.wire.leaving):
                self.notes.left |= {name.decode() for name in self.wire.left.findall(data)}

    # ---- the run

    def gather(self) -> bool:
        """Wait until all are in; whether they are."""
        end = time.perf_counter() + 3 * PATIENCE
        while time.perf_counter() < end and not all(one.is_in for one in self.members.values()):
            self.turn(0.1)
        for member in (*self._slow, *self._stuck):
            member.neglect()
        return not self.notes.out and all(one.is_in for one in self.members.values())

    def turn(self, seconds: float) -> None:
        """Read what comes in within this time."""
        for fd, events in self.epoll.poll(max(0.0, seconds)):
            if member := self.members.get(fd):
                member.act(events)

    def suffer(self, is_over: "Over") -> None:
        """Do what members do, until it is over."""
        start = time.perf_counter()
        dues = [
            (self._ping(), 1 / PINGS / max(1, len(self._readers))),
            (self._say(), 1 / SAYS),
            (self._come(), NEWCOMERS),
            (self._read_slowly(), 0.02),
        ]
        times = [start + every for _, every in dues]
        while not is_over():
            self.turn(min(0.05, min(times) - time.perf_counter()))
            for place, (act, every) in enumerate(dues):
                if (now := time.perf_counter()) >= times[place]:
                    self.notes.late = max(self.notes.late, (now - times[place]) * 1000)
                    next(act)
                    times[place] = max(times[place] + every, now - 1.0)

    def finish(self) -> Notes:
        """Wait for what is still to come; what was measured."""
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end and (self._newcomers or any(self._waiting())):
            self.turn(0.1)
        now = time.perf_counter()
        self.notes.pings += [(now - then) * 1000 for then in self._waiting()]
        self.notes.joins += [(now - one.began) * 1000 for one in self._newcomers]
        for member in (*self._slow, *self._stuck):  # who was put out may not have read of it yet
            if member.handle in self.notes.left and member.handle not in self.notes.out:
                self.notes.out.append(member.handle)
        return self.notes

    def _waiting(self) -> Iterator[float]:
        return (then for reader in self._readers for then in reader.pinged)

    def _ping(self) -> Iterator[None]:
        while True:
            for reader in self._readers:
                if reader.socket:
                    reader.pinged.append(time.perf_counter())
                    reader.send(self.wire.ping)
                yield

    def _say(self) -> Iterator[None]:
        while True:
            for talker in self._talkers:
                talker.send(self.wire.say(SAID.format(time.perf_counter())))
            yield

    def _come(self) -> Iterator[None]:
        number = 0
        while True:
            with suppress(OSError):
                self._newcomers.append(Member(self, f"n{(number := number + 1)}"))
            yield

    def _read_slowly(self) -> Iterator[None]:
        then = time.perf_counter()
        while True:
            now = time.perf_counter()
            for member in self._slow:
                member.receive(1 + int((now - then) * self._plan.pace))
            then = now
            yield


class Over:
    """Whether the one who asked for the measurement has said that it is enough."""

    def __init__(self, tell: Connection, seconds: float) -> None:
        self._tell = tell
        self._until = time.perf_counter() + seconds

    def __call__(self) -> bool:
        """Whether it is over; also when its time has run out."""
        return self._tell.poll() or time.perf_counter() > self._until


def suffer(place: tuple[int, Wire], plan: Plan, seconds: float, tell: Connection) -> None:
    """Be there during an attack: tell that all are in, measure until told, tell what was measured.

    Args:
        place: the server's port, and what it speaks.
        plan: who is there.
        seconds: how long this may take at most.
        tell: sent are a `bool` and `Notes`; received is anything, when it is over, and again when
            all may leave.
    """
    with suppress(OSError):  # to be quicker than the attackers needs a right
        os.nice(-15)
    crowd = Crowd(*place, plan)
    tell.send(crowd.gather())
    crowd.suffer(Over(tell, seconds))
    _take(tell)
    tell.send(crowd.finish())
    is_over = Over(tell, seconds)
    while not is_over():
        crowd.turn(0.1)


def _take(tell: Connection) -> Any:  # noqa: ANN401  what it is does not matter
    return tell.recv() if tell.poll() else None
