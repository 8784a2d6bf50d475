"""Those who attack: hostile connections, all in one loop, in a process of their own.

Nothing here waits for the server, and everything ends at its time.
"""

import select
import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from wires import Wire

CHUNK = 1 << 16
"""Bytes that are sent, or taken, at once."""

TICK = 0.05
"""Seconds after which everybody is asked whether there is something to do."""


@dataclass
class Gang:
    """Who attacks together.

    Attributes:
        epoll: what wakes them.
        counts: what they did, all together: ``opened`` connections, ``put out`` (the server ended
            it), ``sent`` bytes, ``done`` (whatever the attack counts).
    """

    port: int
    wire: Wire
    epoll: select.epoll = field(default_factory=select.epoll)
    counts: Counter[str] = field(default_factory=Counter)
    peers: dict[int, "Hostile"] = field(default_factory=dict)


class Hostile:
    """One hostile connection: a stranger who is silent.

    Attributes:
        back: seconds after which it comes back when it was put out; None if it does not.
        reads: it takes what it is sent.
        count: how many there are, unless something else is asked for.
        apart: seconds between two who come at first; who comes quicker than it is let in may not be
            noticed at all.
    """

    back: float | None = None
    reads = True
    count = 1
    apart = 0.0

    def __init__(self, gang: Gang, number: int) -> None:
        self.gang = gang
        self.number = number
        self.due: float | None = time.monotonic() + number * self.apart  # when to connect
        self.began = 0.0
        self._socket: socket.socket | None = None
        self._left = memoryview(b"")  # still to be sent
        self._waits = False  # for the server to take more

    # ---- what kinds of them do

    def begin(self) -> bytes:
        """The first bytes; none from one who is silent."""
        return b""

    def more(self) -> bytes:
        """The next bytes, when those before are on their way; none if there are none just now."""
        return b""

    def hear(self, data: bytes) -> None:
        """Take note of what the server sent."""

    def tick(self, now: float) -> None:
        """Do what is due."""

    # ---- the connection

    def open(self) -> None:
        """Connect."""
        gang = self.gang
        self.due, self.began = None, time.monotonic()
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", gang.port))
        self._socket = sock
        self._left = memoryview(self.begin())
        self._waits = True
        gang.peers[sock.fileno()] = self
        gang.epoll.register(sock, self._events())
        gang.counts["opened"] += 1

    def act(self, events: int) -> None:
        """React to what the system has said of this connection."""
        try:
            if events & select.EPOLLIN:
                self._receive()
            if events & select.EPOLLOUT and self._socket:
                self._send()
            elif events & (select.EPOLLERR | select.EPOLLHUP) and self._socket:
                self._put_out()
        except BlockingIOError:
            pass
        except OSError:
            self._put_out()

    def send(self, data: bytes) -> None:
        """Send this besides."""
        if self._socket and not self._left:
            self._left = memoryview(data)
            self._waits = True
            self.gang.epoll.modify(self._socket, self._events())

    def close(self, *, reset: bool = False) -> None:
        """Be gone: politely, or with a reset."""
        if sock := self._socket:
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            del self.gang.peers[sock.fileno()]
            sock.close()
            self._socket = None

    def _events(self) -> int:
        return self.reads * select.EPOLLIN | self._waits * select.EPOLLOUT

    def _receive(self) -> None:
        assert self._socket
        if data := self._socket.recv(4 * CHUNK):
            self.hear(data)
        else:
            self._put_out()

    def _send(self) -> None:
        assert self._socket
        self._left = self._left or memoryview(self.more())
        if self._left:
            sent = self._socket.send(self._left)
            self._left = self._left[sent:]
            self.gang.counts["sent"] += sent
        else:
            self._waits = False
            self.gang.epoll.modify(self._socket, self._events())

    def _put_out(self) -> None:
        self.gang.counts["put out"] += 1
        self.close()
        if self.back is not None:
            self.due = time.monotonic() + self.back


def attack(
    kind: type[Hostile], count: int, place: tuple[int, Wire], seconds: float, tell: Connection
) -> None:
    """Attack for so long, or until nobody is left; tell what was done, and until when.

    Args:
        kind: what each of them does.
        count: how many there are.
        place: the server's port, and what it speaks.
        seconds: how long.
        tell: is sent the counts.
    """
    gang = Gang(*place)
    crowd = [kind(gang, number) for number in range(count)]
    end, ticked = time.monotonic() + seconds, 0.0
    while (now := time.monotonic()) < end:
        if now >= ticked + TICK:
            ticked = now
            for peer in crowd:
                peer.tick(now)
        for peer in crowd:
            if peer.due is not None and peer.due <= now:
                with suppress(OSError):  # no port is free
                    peer.open()
        if not gang.peers and all(peer.due is None for peer in crowd):
            break
        for fd, events in gang.epoll.poll(min(TICK, max(0.0, end - now))):
            if peer := gang.peers.get(fd):
                peer.act(events)
    for peer in crowd:
        peer.close()
    tell.send(dict(gang.counts))
