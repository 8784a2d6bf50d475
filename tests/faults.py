"""Connections that do to a session whatever a network may do, by a seed: the same each time.

A `Rough` stream is the server's end. It hears and says in pieces of any size, each when it likes,
and takes what is written past the queue as a socket does: all, a part, or nothing just now. None
of that may change what anybody is told. What may, a test asks for by name: `stall`, `reset`.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from triochat.link import Link
from triochat.testing import MemoryListener

SIZES = (1, 7, 100, 1 << 16)
"""The most bytes in a piece; each as often as the others."""

PASSES = (0, 0, 1, 3)
"""Passes of the scheduler for which a piece is late."""


class Rough(trio.abc.HalfCloseableStream):
    """The server's end of a connection over which nothing goes smoothly.

    Args:
        inner: the same end, without faults.
        far: the client's end.
        chance: what decides.
        length: bytes, both ways together, after which the connection is reset.

    Attributes:
        is_closed: the session has closed it.
    """

    def __init__(
        self,
        inner: trio.abc.HalfCloseableStream,
        far: trio.abc.HalfCloseableStream,
        chance: random.Random,
        length: int = 1 << 60,
    ) -> None:
        self.is_closed = False
        self._inner = inner
        reader = far.receive_stream if isinstance(far, trio.StapledStream) else None
        self._reader = reader if isinstance(reader, trio.testing.MemoryReceiveStream) else None
        self._chance = chance
        self._left = length
        self._flows = trio.Event()
        self._flows.set()
        self._pending: set[trio.CancelScope] = set()

    # ---- what a test asks for

    def stall(self) -> None:
        """From now on the client takes nothing."""
        if self._flows.is_set():
            self._flows = trio.Event()

    def flow(self) -> None:
        """It takes what it is sent."""
        self._flows.set()

    def reset(self) -> None:
        """The connection is lost, and what is on its way."""
        self._left = 0
        for scope in self._pending:
            scope.cancel()
        if self._reader is not None:
            self._reader.put_eof()

    # ---- what a session does

    def write_through(self, link: Link) -> None:
        """Let the link's outbox write to it, as to a socket."""
        if self._reader is not None:
            link.outbox.write_through(Rough.write, self)

    def write(self, blob: bytes) -> int:
        """Take some of these bytes at once, or raise what a socket does."""
        assert self._reader is not None
        if self._left <= 0:
            raise ConnectionResetError
        if not self._flows.is_set() or self._chance.random() < 0.2:
            raise BlockingIOError
        count = self._chance.choice((1, len(blob) // 2 or 1, len(blob), len(blob)))
        try:
            self._reader.put_data(blob[:count])
        except trio.ClosedResourceError:
            raise BrokenPipeError from None
        self._spend(count)
        return count

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send this in pieces."""
        start = 0
        while start < len(data):
            piece = data[start : start + self._size()]
            with self._breakable():
                await self._flows.wait()
                await self._inner.send_all(piece)
            start += len(piece)
            await self._pass(len(piece))

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the client takes something."""
        with self._breakable():
            await self._flows.wait()

    async def send_eof(self) -> None:
        """End this direction."""
        with self._breakable():
            await self._flows.wait()
            await self._inner.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The next bytes, fewer than there may be."""
        with self._breakable():
            data = await self._inner.receive_some(min(max_bytes or 1 << 16, self._size()))
        await self._pass(len(data))
        return data

    async def aclose(self) -> None:
        """Close it."""
        self.is_closed = True
        await self._inner.aclose()

    # ---- what goes wrong

    def _size(self) -> int:
        return min(self._chance.choice(SIZES), max(1, self._left))

    async def _pass(self, count: int) -> None:
        for _ in range(self._chance.choice(PASSES)):
            await trio.lowlevel.checkpoint()
        self._spend(count)

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left <= 0:
            self.reset()

    @contextmanager
    def _breakable(self) -> Iterator[None]:
        with trio.CancelScope() as scope:
            self._pending.add(scope)
            if self._left <= 0:
                scope.cancel()
            try:
                yield
            finally:
                self._pending.discard(scope)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError("reset")


class Road:
    """The way to a house: all connections that were made, over streams that are rough by a seed.

    Attributes:
        streams: the server's ends, in the order in which they were made.
        lengths: after how many bytes the next ones are reset; those after them never are.
    """

    def __init__(self, seed: int) -> None:
        self.streams: list[Rough] = []
        self.lengths: list[int] = []
        self._seed = seed

    def pave(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on this is the way to every house."""

        async def connect(listener: MemoryListener) -> trio.abc.HalfCloseableStream:
            return await self.connect(listener)

        monkeypatch.setattr(MemoryListener, "connect", connect)
        let_links_write(monkeypatch)

    async def connect(self, listener: MemoryListener) -> trio.abc.HalfCloseableStream:
        """A connection to this one's house; the client's end."""
        ours, theirs = listener._open_pair()
        chance = random.Random(f"{self._seed} {len(self.streams)}")  # noqa: S311  no secret
        length = self.lengths.pop(0) if self.lengths else 1 << 60
        self.streams.append(Rough(theirs, ours, chance, length))
        await listener._send.send(self.streams[-1])
        return ours


def let_links_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on links write through to rough streams, as they do to sockets."""
    write_through = Link._write_through

    def write(link: Link) -> None:
        if isinstance(link._stream, Rough):
            link._stream.write_through(link)
        else:
            write_through(link)

    monkeypatch.setattr(Link, "_write_through", write)


class _Bugs(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


def run_story(play: Callable[[], Awaitable[None]]) -> None:
    """Run this in virtual time, where links write through; no session may end by a bug."""
    bugs = _Bugs()
    log = logging.getLogger("triochat")
    log.addHandler(bugs)
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        with pytest.MonkeyPatch.context() as patch:
            let_links_write(patch)
            trio.run(play, clock=clock)
    finally:
        log.removeHandler(bugs)
    assert not bugs.found
