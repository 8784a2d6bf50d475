"""A person in a room: two pumps between a terminal and a connection, under one cancel scope.

The keyboard task turns lines into requests, the receive task shows events. Whichever has a reason
to end ends both: the keyboard by asking the server to let go (`Quit`), so that what was typed
before is delivered first, and what was said before is still shown; the receive task at once.
"""

from enum import Enum, auto
from typing import NamedTuple, Protocol

import trio

from triochat.connection import Connection
from triochat.dialects import PLAIN
from triochat.grammar import parse
from triochat.messages import (
    Answer,
    Closing,
    Event,
    Join,
    Notice,
    Quit,
    Refused,
    Renamed,
    Request,
    Say,
    Welcome,
)

ASK_HANDLE = "Your handle? "
"""What stands before the line while the person has no handle."""


LINGER = 2.0
"""Seconds in which the server is to let go of a person who has quit."""


class Terminal(Protocol):
    """A person, or a pipe, as a channel: lines in, events out."""

    @property
    def is_person(self) -> bool:
        """Whether lines are typed: they follow the grammar, and questions can be asked."""

    def set_prompt(self, prompt: str) -> None:
        """What stands before the line that is being typed."""

    async def receive(self) -> str:
        """The next line. Raises `trio.EndOfChannel` when there will be none."""

    async def show(self, event: Event, me: str) -> None:
        """Show an event to somebody with this handle, after all that was shown before."""

    async def finish(self) -> bool:
        """Say what is to be said at the very end; whether every line that was taken got through."""


class Why(Enum):
    """Who ended a chat, and how."""

    QUIT = auto()
    INTERRUPTED = auto()
    END_OF_INPUT = auto()
    CLOSED = auto()
    REFUSED = auto()
    LOST = auto()


class Ending(NamedTuple):
    """How a chat ended; ``closing`` is what the server said, where it said something."""

    why: Why
    closing: Closing | None = None


class Chat:
    """One stay in a room, from asking to join until the connection's end.

    Args:
        terminal: the person.
        connection: the room.
        handle: to join with; empty to ask the person first.
        operator: the person is the server's operator, and quitting is not leaving; without a
            handle, somebody who only watches.
    """

    def __init__(
        self,
        terminal: Terminal,
        connection: Connection,
        handle: str = "",
        *,
        operator: bool = False,
    ) -> None:
        self.handle = handle
        self._terminal = terminal
        self._connection = connection
        self._operator = operator
        self._asked = bool(handle)
        self._welcomed = trio.Event()
        self._why = Why.LOST
        self._closing: Closing | None = None
        self._scope = trio.CancelScope()

    async def run(self) -> Ending:
        """Chat until one side ends it.

        Raises:
            RemoteProtocolError: what answers is not a triochat server.
        """
        if self._operator and not self.handle:
            self._asked = True  # it only watches
        elif self.handle:
            await self._send(Join(self.handle))
        else:
            self._terminal.set_prompt(ASK_HANDLE)
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keyboard)
                await self._receive()
                self._scope.cancel()
        return Ending(self._why, self._closing)

    async def quit(self, why: Why = Why.QUIT) -> None:
        """Ask the server to let go; `run` returns when it has, for a person soon anyway."""
        self._why = why
        if self._terminal.is_person or why is Why.INTERRUPTED:
            self._scope.deadline = trio.current_time() + LINGER
        await self._send(Quit())

    # ---- keyboard to room

    async def _keyboard(self) -> None:
        if not self._terminal.is_person:
            await self._welcomed.wait()
        try:
            while True:
                await self._typed(await self._terminal.receive())
        except trio.EndOfChannel:
            if self._operator:
                self._why = Why.END_OF_INPUT
                self._scope.cancel()
            else:
                await self.quit(Why.END_OF_INPUT)

    async def _typed(self, line: str) -> None:
        asked = self._understand(line)
        if isinstance(asked, Refused | Notice):
            await self._terminal.show(asked, self.handle)
        elif isinstance(asked, Quit) and not self._operator:
            await self.quit()
            await trio.sleep_forever()
        elif asked is not None:
            if isinstance(asked, Join):
                self._asked = True
                self._terminal.set_prompt("")
            await self._send(asked)

    def _understand(self, line: str) -> Request | Answer | None:
        if not self._terminal.is_person:
            return Say(line)
        if self._operator:
            return parse(line, operator=True)
        return PLAIN.decode(line, joined=self._asked)

    async def _send(self, request: Request) -> None:
        try:
            await self._connection.send(request)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.sleep_forever()  # the receive task sees it too, and has more to say

    # ---- room to screen

    async def _receive(self) -> None:
        try:
            while True:
                event = await self._connection.receive()
                self._heard(event)
                if not (self._operator and isinstance(event, Welcome)):
                    await self._terminal.show(event, self.handle)
                if self._why is Why.REFUSED:
                    return
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def _heard(self, event: Event) -> None:
        match event:
            case Welcome(handle=handle):
                self._be(handle)
                self._welcomed.set()
            case Renamed(handle=old, new=new) if old == self.handle:
                self._be(new)
            case Refused() if self._asked and not self._welcomed.is_set():
                self._refused(event)
            case Closing():
                self._closing = event
                self._why = Why.CLOSED

    def _be(self, handle: str) -> None:
        self.handle = handle
        self._terminal.set_prompt(f"{handle}> ")

    def _refused(self, refused: Refused) -> None:
        """The handle was refused: ask for another, if there is somebody to ask."""
        if refused.code == "waiting":
            return
        if self._terminal.is_person:
            self._asked = False
            self._terminal.set_prompt(ASK_HANDLE)
        else:
            self._why = Why.REFUSED
