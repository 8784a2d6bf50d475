"""A link: one connection at the server, and who speaks at its other end.

Who that is tells the first bytes. Whoever has said nothing yet is taken for a person; but then
nothing is written past the queue, since what the first bytes are may change what must be sent.
"""

import os
from functools import partial

import trio

from triochat.backlog import Backlog
from triochat.dialects import PlainSpeaker, Speaker, recognise
from triochat.dialects.plain import greeting
from triochat.messages import Refused
from triochat.order import AnyRequest
from triochat.outbox import Outbox
from triochat.sockets import is_socket


class Link:
    """One connection: bytes in, requests out; and what is put into its outbox.

    Args:
        backlog: where it is noted when it is far behind.
        stream: what the outbox is sent to.
        speaker: who is known to speak; else the first bytes tell.

    Attributes:
        outbox: what the peer is still to be sent.
        speaker: how it speaks.
    """

    __slots__ = ("_first", "_stream", "outbox", "speaker")

    def __init__(
        self, backlog: Backlog, stream: trio.abc.SendStream, speaker: Speaker | None = None
    ) -> None:
        self.outbox = Outbox(backlog)
        self.speaker = speaker or PlainSpeaker()
        self._stream = stream
        self._first: bytes | None = b""  # until it is known who speaks
        if speaker is not None:
            self._first = None
            self._write_through()

    def open(self, nursery: trio.Nursery) -> None:
        """From now on what is put is sent, by a task in this nursery when there is need of one."""
        self.outbox.send_lazily(partial(nursery.start_soon, self.outbox.send_to, self._stream))

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What the peer asks for with these bytes."""
        if self._first is not None:
            data = self._first + data
            speaker = recognise(data)
            if speaker is None:
                self._first = bytes(data)
                return []
            self._first = None
            self.speaker = speaker
            self._write_through()
        return self.speaker.hear(data)

    def greet(self, handle_length: int) -> None:
        """Tell who has said nothing yet, and so is taken for a person, what to do."""
        self.outbox.put(self.speaker.tell([greeting(handle_length)]))

    def end(self) -> Refused | None:
        """The refusal of what was begun, if anything was, when there are no more bytes."""
        if self._first:
            self.speaker.hear(self._first)
        return self.speaker.end()

    def _write_through(self) -> None:
        if is_socket(self._stream):
            self.outbox.write_through(os.write, self._stream.socket.fileno())
