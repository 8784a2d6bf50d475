"""A link: one connection at the server, and who speaks at its other end.

The first bytes tell who that is. Those of TLS tell only that what comes is sealed; the first ones
inside tell who speaks. Whoever has said nothing yet is taken for a person; but then
nothing is written past the queue, since what the first bytes are may change what must be sent.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Protocol

import trio

from triochat.backlog import Backlog
from triochat.dialects.base import UNENCRYPTED, Setting, Speaker
from triochat.dialects.hello import HELLO
from triochat.dialects.plain import PlainSpeaker, greeting
from triochat.dialects.recognition import recognise
from triochat.messages import Event, Recall, Refused
from triochat.order import AnyRequest, Expired, Exposed
from triochat.outbox import Outbox
from triochat.sockets import is_socket
from triochat.telling import Ends, Follows, Telling
from triochat.tls import Codec, Tls


class Deferring(Protocol):
    """What a peer is told that does not follow yet: see `past`."""

    def defer(self, own: Sequence[Event] | bytes | Recall | Ends) -> None:
        """Tell it this, in its place."""

    def end(self) -> None:
        """From here on it follows no more."""


class Link:
    """One connection: bytes in, requests out; and what is put into its outbox.

    Args:
        backlog: where it is noted when it is far behind.
        stream: what the outbox is sent to.
        speaker: who is known to speak; else the first bytes tell.
        tls: how to open what is sealed, where that can be.
        must_seal: who speaks without TLS is told that it must, and let go.
        setting: what a speaker may have to know. Where what it says crosses a network, and is not
            sealed, the room is told that the peer is exposed.

    Attributes:
        outbox: what the peer is still to be sent.
        speaker: how it speaks.
        spoke: when it has asked for more than a pong last, as the session sees it.
        past: while it is told what was, and does not follow: where else to put what it is told.
        has_ended: it has said that it says nothing more, or what it says cannot be opened.
    """

    __slots__ = (
        "_beginning",
        "_codec",
        "_first",
        "_has_begun",
        "_must_seal",
        "_setting",
        "_start_soon",
        "_stream",
        "_tls",
        "has_ended",
        "outbox",
        "past",
        "speaker",
        "spoke",
    )

    def __init__(
        self,
        backlog: Backlog,
        stream: trio.abc.SendStream,
        speaker: Speaker | None = None,
        tls: Tls | None = None,
        *,
        must_seal: bool = False,
        setting: Setting | None = None,
    ) -> None:
        self.outbox = Outbox(backlog)
        self.speaker = speaker or PlainSpeaker()
        self.spoke = 0.0
        self.past: Deferring | None = None
        self._has_begun = False
        self._beginning: trio.Event | None = None
        self._start_soon: Callable[[Callable[[], Awaitable[object]]], object] | None = None
        self.has_ended = False
        self._stream = stream
        self._tls = tls
        self._must_seal = must_seal
        self._setting = setting or Setting()
        self._codec: Codec | None = None
        self._first: bytes | None = b""  # until it is known who speaks
        if speaker is not None:
            self._first = None
            self._write_through()

    @property
    def is_person(self) -> bool:
        """Whether a person may be there, as far as what was said tells."""
        is_shaking = self._codec is not None and not self._codec.is_open
        return self.speaker.is_person and not is_shaking

    def begin_to_seal(self, data: bytes | bytearray) -> bool:
        """Whether with these bytes, the next ones that were read, TLS begins.

        If so nothing plain is said from here on, though they are only opened by `unseal`.
        """
        if self._first != b"" or self._tls is None or not data.startswith(HELLO):
            return False
        self._codec, self._tls = self._tls.codec(), None
        self.outbox.seal_with(self._codec)
        self._write_through()
        return True

    def open(self, nursery: trio.Nursery) -> None:
        """From now on what is put is sent, by a task in this nursery when there is need of one."""
        self.outbox.send_lazily(partial(nursery.start_soon, self.outbox.send_to, self._stream))
        self._start_soon = nursery.start_soon

    def start(self, tell: Callable[[], Awaitable[object]]) -> None:
        """Have a task of the session tell the peer what would take too long just now.

        What it has asked for may have its place only when its session has just ended.
        """
        self._has_begun = True
        if self._beginning is not None:
            self._beginning.set()
        if self._start_soon is not None:
            with suppress(RuntimeError):  # the nursery is closed
                self._start_soon(tell)

    async def wait_past(self, told: Sequence[Telling]) -> None:
        """Return when what it is told has its place after what is past, if it is told any of that.

        In a large room it may take a moment until that is begun.
        """
        if not self._has_begun and any(type(one) is Follows and one.replays for one in told):
            self._beginning = trio.Event()
            await self._beginning.wait()

    def unseal(self, data: bytes | bytearray, size: int) -> Sequence[bytes | bytearray]:
        """What the peer says with these bytes, to be heard piece by piece.

        What was sealed comes in pieces of at most this size: a record ends when the peer wants, and
        then so much may be in it as nobody would have read at once.
        """
        if self._codec is None:
            return (data,)
        plain, answer = self._codec.open(data)
        self.outbox.put_wire(answer)
        if self._codec.has_ended:
            self.has_ended = True
        return [plain[start : start + size] for start in range(0, len(plain), size)]

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What the peer asks for with these bytes, which are plain."""
        if self._first is not None:
            data = self._first + data
            speaker = recognise(data)
            if speaker is None:
                self._first = bytes(data)
                return []
            self._first = None
            self.speaker = speaker
            self._write_through()
            return self._begin(data)
        return self.speaker.hear(data)

    def _begin(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What is asked for with these bytes, and before, now that it is known who speaks."""
        setting = self._setting
        if self._codec:
            setting = replace(setting, is_sealed=True)
        begun = self.speaker.begin(setting)
        if self._must_seal and not setting.is_sealed:
            return [Expired(UNENCRYPTED, may_return=False)]
        first = [Exposed()] if setting.is_exposed else []
        return [*first, *begun, *self.speaker.hear(data)]

    def tell(self, events: list[Event], me: str = "") -> None:
        """Tell this peer alone this, now; ``me`` is its handle."""
        self.put(self.speaker.tell(events, me))

    def put(self, text: bytes) -> None:
        """Send what its speaker has written, if that is anything."""
        if sent := self.speaker.dialect.wrap(text):
            self.outbox.put(sent)

    def close(self, reason: str) -> None:
        """Take no more, for this reason; what is queued is still sent, and a last word."""
        if last := self.speaker.part(reason):
            self.outbox.put(last)
        self.outbox.close(reason)

    def greet(self) -> None:
        """Tell who has said nothing yet, and so is taken for a person, what to do."""
        if not self._must_seal:
            self.tell([greeting(self._setting.handle_length)])

    @property
    def problem(self) -> str:
        """What is wrong with what seals it, in words; empty if nothing is."""
        return self._codec.problem if self._codec else ""

    def end(self) -> Refused | None:
        """The refusal of what was begun, if anything was, when there are no more bytes."""
        if self._first:
            self.speaker.hear(self._first)
        return self.speaker.end()

    def _write_through(self) -> None:
        if is_socket(self._stream):
            self.outbox.write_through(os.write, self._stream.socket.fileno())
