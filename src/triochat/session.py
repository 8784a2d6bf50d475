"""The life of one connection at the server, from its first byte to its last.

A session is one task, with a child as soon as one is needed: the task reads requests and hands them
to the hub; the child sends what the hub could not write at once. Whichever way it ends, when
`Session.run` returns the peer is out of the room, the room has been told why, and the stream is
closed.

=====================================  ==========================================================
the peer says ``quit`` or ends         the room hears that it left; what is queued for it is sent
the peer is told to close (kicked,     what is queued, that event last, is sent; what the peer
server stops), or says no handle       still says is ignored
the peer falls behind                  cancelled at once
the peer vanishes                      cancelled at once; the room hears "connection lost"
a bug in this session                  logged; the room hears "server error", everybody else
                                       goes on
=====================================  ==========================================================
"""

import logging
import math
from functools import partial

import trio

from triochat.dialects import NDJSON, PLAIN, choose
from triochat.dialects.plain import GREETING
from triochat.framing import Lines
from triochat.hub import Hub
from triochat.messages import Answer, Join, Quit, Refused, Request
from triochat.outbox import Outbox
from triochat.ratelimit import TokenBucket
from triochat.sockets import receiver

log = logging.getLogger(__name__)

GREETING_DELAY = 0.5
"""Seconds of silence after which a peer is taken for a person and greeted."""

HANDSHAKE = 120.0
"""Seconds in which a peer must have joined."""

CHUNK = 1 << 14
"""Bytes taken from one peer before the others have their turn."""


class Session:
    """One connection at the server.

    Args:
        stream: the connection; the session closes it.
        hub: where requests go and events come from.
        name: for the log.
        ours: the connection is our own console's: it speaks NDJSON, and need not join in time.
    """

    def __init__(
        self, stream: trio.abc.Stream, hub: Hub, name: str = "a peer", *, ours: bool = False
    ) -> None:
        self.outbox = Outbox(hub.backlog, NDJSON if ours else PLAIN)
        self._stream = stream
        self._hub = hub
        self._name = name
        self._ours = ours
        self._receive = receiver(stream)
        self._lines = Lines()
        self._bucket = TokenBucket()
        self._handshake = trio.CancelScope()
        self._joined = False
        self._reason = "connection lost"

    async def run(self) -> None:
        """Serve the peer until either side ends it. Raises nothing but cancellation."""
        log.debug("%s: connected", self._name)
        self._hub.attach(self.outbox)
        try:
            await self._run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except* Exception:  # a bug in one session must not end the server
            self._reason = "server error"
            log.exception("%s: a bug ended this session", self._name)
        finally:
            self._reason = self.outbox.evicted or self._reason
            self._hub.detach(self.outbox, self._reason)
            log.debug("%s: gone (%s)", self._name, self._reason)
            await trio.aclose_forcefully(self._stream)

    async def _run(self) -> None:
        with self.outbox.scope:
            async with trio.open_nursery() as nursery:
                start = partial(nursery.start_soon, self.outbox.send_to, self._stream)
                self.outbox.send_lazily(self._stream, start)
                try:
                    await self._converse()
                finally:  # even when it fails: until `detach` something may be put, and queued
                    self.outbox.start_sender()
                self._hub.leave(self.outbox, self._reason)
                self._hub.release(self.outbox)
                async for _ in self._stream:  # closing with bytes unread would reset the
                    pass  # connection, and lose the peer what is on its way to it

    async def _converse(self) -> None:
        """Hear the peer out; a stranger has a limited time to join."""
        if not self._ours:
            self._handshake.deadline = trio.current_time() + HANDSHAKE
        with self._handshake:
            data = await self._receive_first()
            while data:
                if await self._hear(self._lines.feed(data)):
                    self._reason = "quit"
                    return
                data = await self._receive(CHUNK)
            self._end_of_input()
        if self._handshake.cancelled_caught:
            self._reason = f"no handle within {HANDSHAKE:.0f} seconds"
            self._hub.dismiss(self.outbox, self._reason)

    async def _receive_first(self) -> bytes | bytearray:
        """The first bytes, for the first line to tell the dialect; greets who stays silent."""
        if not self._ours:
            with trio.move_on_after(GREETING_DELAY):
                return await self._choose_dialect()
            self._hub.submit(self.outbox, GREETING)
            self._hub.flush()
        return await self._choose_dialect()

    async def _choose_dialect(self) -> bytes | bytearray:
        data = await self._receive(CHUNK)
        if not self._ours:
            self.outbox.dialect = choose(data)
        return data

    async def _hear(self, lines: list[str | Refused]) -> bool:
        """Hand on what these lines ask for; True as soon as one asks to quit.

        While a reader is far behind, a talker who has used up its burst is held to its rate.
        """
        for line in lines:
            asked = self._understand(line)
            if asked is None:
                continue
            if isinstance(asked, Quit) and not self._ours:
                return True
            while self._hub.is_full:
                await self._hub.wait_room()
            self._hub.submit(self.outbox, asked)
            if isinstance(asked, Join):
                self._note_handle()
        self._hub.flush()
        if (delay := self._bucket.spend(len(lines), trio.current_time())) and self._hub.backlog:
            with trio.move_on_after(delay):
                await self._hub.backlog.wait_clear()
        return False

    def _understand(self, line: str | Refused) -> Request | Answer | None:
        if isinstance(line, Refused):
            return line
        return self.outbox.dialect.decode(line, joined=self._joined)

    def _note_handle(self) -> None:
        """Once the room has taken its handle, the peer may stay as long as it likes."""
        if handle := self._hub.room.handle_of(self.outbox):
            self._joined = True
            self._handshake.deadline = math.inf
            log.debug("%s: is %s (%s)", self._name, handle, self.outbox.dialect.name)

    def _end_of_input(self) -> None:
        """For `nc` the end is how one leaves; a program that does not say quit has died."""
        if unfinished := self._lines.end():
            self._hub.submit(self.outbox, unfinished)
            self._hub.flush()
        if self._ours or (self.outbox.dialect is PLAIN and not self.outbox.reset):
            self._reason = "quit"
