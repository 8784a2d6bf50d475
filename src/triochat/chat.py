"""A person in a room: two pumps between a terminal and a connection, under one cancel scope.

The keyboard task turns lines into requests, the receive task shows events. Whichever has a reason
to end ends both: the keyboard by asking the server to let go (`Quit`), so that what was typed
before is delivered first, and what was said before is still shown; the receive task at once.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Protocol

import trio

from triochat.connection import Connection
from triochat.grammar import Bell, Place, introduce, parse
from triochat.messages import (
    Answer,
    Closing,
    Event,
    Join,
    Joined,
    Left,
    Notice,
    Ping,
    Pong,
    Quit,
    Refused,
    Renamed,
    Request,
    Roster,
    Say,
    Welcome,
)

ASK_HANDLE = "Your handle? "
"""What stands before the line while the person has no handle."""


LINGER = 2.0
"""Seconds in which the server is to let go of a person who has quit."""


ANSWER = 30.0
"""Seconds in which a server must answer at all who cannot be asked whether to wait."""

PING = 15.0
"""Seconds between two measurements of the lag."""


@dataclass
class Status:
    """What a person may want to know about the connection, as it is just now.

    Attributes:
        where: the other end, in words.
        handle: one's own; empty while there is none.
        roster: who is here.
        lag: seconds between a question and its answer; None if not known.
    """

    where: str = ""
    handle: str = ""
    roster: set[str] = field(default_factory=set)
    lag: float | None = None


class Terminal(Protocol):
    """A person, or a pipe, as a channel: lines in, events out."""

    @property
    def is_person(self) -> bool:
        """Whether questions can be asked."""

    def set_prompt(self, prompt: str) -> None:
        """A question; empty while what is typed is for the room."""

    def set_status(self, status: Status | None) -> None:
        """How the connection is, when that has changed; None while there is none."""

    def set_bell(self, setting: str) -> None:
        """When to ring, one of `BELLS`."""

    async def receive(self) -> str | Say:
        """The next line: `str` where the grammar says what it means, `Say` where it is data.

        Raises:
            trio.EndOfChannel: there will be none.
        """

    async def show(self, event: Event, me: str) -> None:
        """Show an event to somebody with this handle, after all that was shown before."""

    async def finish(self, problem: str) -> bool:
        """Say what is to be said at the very end; whether every line that was taken got through.

        Args:
            problem: what ended the chat, if something did that should not.
        """


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
        where: the other end, in words, for the status.
        operator: the person is the server's operator, and quitting is not leaving.
        returning: the person was here before, and is asked nothing if the handle is refused.
    """

    def __init__(
        self,
        terminal: Terminal,
        connection: Connection,
        handle: str = "",
        *,
        where: str = "",
        operator: bool = False,
        returning: bool = False,
    ) -> None:
        self.status = Status(where)
        self._wanted = handle
        self._terminal = terminal
        self._connection = connection
        self._operator = operator
        self._asks = terminal.is_person and not returning
        self._asked = bool(handle) or operator
        self._answered = trio.Event()
        self._welcomed = trio.Event()
        self._pinged = 0.0
        self._why = Why.LOST
        self._closing: Closing | None = None
        self._scope = trio.CancelScope()

    @property
    def handle(self) -> str:
        """One's own, as it is now; before the welcome, the one that was asked for."""
        return self.status.handle or self._wanted

    async def run(self) -> Ending:
        """Chat until one side ends it.

        Raises:
            RemoteProtocolError: what answers is not a triochat server.
        """
        self._terminal.set_prompt("" if self._asked else ASK_HANDLE)
        self._terminal.set_status(self.status)
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keyboard)
                if self._terminal.is_person:
                    nursery.start_soon(self._measure)
                await self._receive()
                self._scope.cancel()
        self._terminal.set_status(None)
        return Ending(self._why, self._closing)

    async def quit(self, why: Why = Why.QUIT) -> None:
        """Ask the server to let go; `run` returns when it has, for a person soon anyway."""
        self._why = why
        if self._terminal.is_person or why is Why.INTERRUPTED:
            self._scope.deadline = trio.current_time() + LINGER
        await self._send(Quit())

    # ---- keyboard to room

    async def _keyboard(self) -> None:
        if self._wanted:
            await self._send(Join(self._wanted))
        if not self._asks:
            await self._wait_welcome()
        try:
            while True:
                await self._typed(await self._terminal.receive())
        except trio.EndOfChannel:
            if self._operator:
                self._why = Why.END_OF_INPUT
                self._scope.cancel()
            else:
                await self.quit(Why.END_OF_INPUT)

    async def _wait_welcome(self) -> None:
        """Nothing can be said before; a server that does not answer at all is none."""
        with trio.move_on_after(ANSWER) as silence:
            await self._answered.wait()
        if silence.cancelled_caught:
            self._scope.cancel()
        await self._welcomed.wait()

    async def _typed(self, line: str | Say) -> None:
        asked = self._understand(line) if isinstance(line, str) else line
        match asked:
            case None:
                pass
            case Refused() | Notice():
                await self._terminal.show(asked, self.handle)
            case Bell(setting=setting):
                self._terminal.set_bell(setting)
                await self._terminal.show(Notice(f"bell: {setting}"), self.handle)
            case Quit() if not self._operator:
                await self.quit()
                await trio.sleep_forever()
            case Join(handle=handle):
                self._asked = True
                self._wanted = handle
                self._terminal.set_prompt("")
                await self._send(asked)
            case _:
                await self._send(asked)

    def _understand(self, line: str) -> Request | Answer | Bell | None:
        if self._operator:
            return parse(line, Place.TERMINAL | Place.CONSOLE)
        if self._asked:
            return parse(line, Place.TERMINAL)
        return introduce(line)

    async def _send(self, request: Request) -> None:
        try:
            await self._connection.send(request)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.sleep_forever()  # the receive task sees it too, and has more to say

    async def _measure(self) -> None:
        """Ask now and then, to know how long an answer takes."""
        await self._welcomed.wait()
        while True:
            self._pinged = trio.current_time()
            await self._send(Ping())
            await trio.sleep(PING)

    # ---- room to screen

    async def _receive(self) -> None:
        try:
            while self._why is not Why.REFUSED:
                event = await self._connection.receive()
                self._answered.set()
                me = self.handle
                self._heard(event)
                if not self._is_silent(event):
                    await self._terminal.show(event, me)
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def _is_silent(self, event: Event) -> bool:
        """Whether this event is for the status alone."""
        return isinstance(event, Pong) or (self._operator and isinstance(event, Welcome))

    def _heard(self, event: Event) -> None:
        status = self.status
        match event:
            case Welcome(handle=handle, roster=roster):
                status.handle, status.roster = handle, set(roster)
                self._terminal.set_prompt("")
                self._welcomed.set()
            case Joined(handle=handle):
                status.roster.add(handle)
            case Left(handle=handle):
                status.roster.discard(handle)
            case Renamed(handle=old, new=new):
                status.roster.discard(old)
                status.roster.add(new)
                if old == status.handle:
                    status.handle = new
            case Roster(handles=handles):
                status.roster = set(handles)
            case Pong():
                status.lag = trio.current_time() - self._pinged
            case Closing():
                self._closing = event
                self._why = Why.CLOSED
                return
            case Refused() if self._asked and not self._welcomed.is_set():
                self._refused(event)
                return
            case _:
                return
        self._terminal.set_status(status)

    def _refused(self, refused: Refused) -> None:
        """The handle was refused: ask for another, if there is somebody to ask."""
        if not refused.code.startswith(("handle-", "line-", "queue-")):
            return
        if self._asks:
            self._asked = False
            self._wanted = ""
            self._terminal.set_prompt(ASK_HANDLE)
        else:
            self._why = Why.REFUSED
