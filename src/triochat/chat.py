"""A person in a room: two pumps between a terminal and a connection, under one cancel scope.

The keyboard task turns lines into requests, the other shows events. Whichever has a reason to end
ends both: the keyboard by asking the server to let go (`Quit`), so that what was typed before is
delivered first, and what was said before is still shown; the other at once.
"""

from collections.abc import Collection
from contextlib import suppress
from enum import Enum, auto
from typing import NamedTuple, Protocol

import trio

from triochat import messages
from triochat.connection import Connection
from triochat.grammar import BELLS, Bell, Place, introduce, parse
from triochat.messages import Event, Request, Say

ASK_HANDLE = "Your handle? "
"""What stands before the line while the person has no handle."""

QUIT_TIMEOUT = 2.0
"""Seconds in which the server is to let go of a person who has quit."""

ANSWER = 30.0
"""Seconds in which a server must answer at all who cannot be asked whether to wait."""

PING = 15.0
"""Seconds between two measurements of the lag."""

_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


class View(NamedTuple):
    """What a terminal shows besides events, and what it needs to know to help with the typing.

    Attributes:
        where: the other end, in words; None while there is none.
        handle: one's own; empty while there is none.
        roster: who is here.
        lag: seconds between a question and its answer; None if not known.
        question: stands before the line; empty while what is typed is for the room.
        offer: an answer that stands in the line already when the question is asked.
        state: what is wrong with the connection, in words; empty if nothing is.
        holds: why no line can be taken just now: Enter leaves it where it is, and says this.
        handle_length: the most characters in a handle.
    """

    where: str | None = None
    handle: str = ""
    roster: Collection[str] = ()
    lag: float | None = None
    question: str = ""
    offer: str = ""
    state: str = ""
    holds: str = ""
    handle_length: int = 10


class Terminal(Protocol):
    """A person, or a pipe, as a channel: lines in, events out."""

    is_person: bool = True
    """Whether questions can be asked."""

    bell: str = BELLS[1]
    """When to ring, one of `BELLS`."""

    def update(self, view: View) -> None:
        """Show this from now on."""

    async def receive(self) -> str | Say:
        """The next line: `str` where the grammar says what it means, `Say` where it is data.

        Raises `trio.EndOfChannel` when there will be none.
        """

    async def show(self, event: Event, me: str, asked: Request | None = None) -> None:
        """Show an event, after all that was shown before.

        Args:
            event: what happened.
            me: what its reader was called then.
            asked: the reader's own request that it answers, if it answers one.
        """

    async def finish(self, problem: str) -> bool:  # noqa: ARG002
        """Say what is to be said at the very end; whether every line that was taken got through.

        There is a problem if something ended the chat that should not.
        """
        return True  # a person has seen what was refused


class Why(Enum):
    """Who ended a chat, and how."""

    QUIT = auto()
    INTERRUPTED = auto()
    END_OF_INPUT = auto()
    CLOSED = auto()
    DISCONNECTED = auto()  # by the operator, and may come back
    REFUSED = auto()
    LOST = auto()


class Chat:
    """One stay in a room, from asking to join until the connection's end.

    Args:
        terminal: the person.
        connection: the room.
        handle: to join with; empty to ask the person first.
        where: the other end, in words, to be shown.
        operator: the person is the server's operator, and quitting is not leaving.
        returning: the person was here before, and is asked nothing if the handle is refused.

    Attributes:
        stay: what is known of the room.
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
        self.stay = connection.stay
        self._where = where
        self._lag: float | None = None
        self._wanted = handle
        self._terminal = terminal
        self._connection = connection
        self._operator = operator
        self._asks = terminal.is_person and not returning
        self._question = "" if handle or operator else ASK_HANDLE
        self._answered = trio.Event()
        self._welcomed = trio.Event()
        self._pinged = 0.0
        self._why = Why.LOST
        self._scope = trio.CancelScope()

    @property
    def handle(self) -> str:
        """One's own, as it is now; before the welcome, the one that was asked for."""
        return self.stay.handle or self._wanted

    async def run(self) -> Why:
        """Chat until one side ends it; why it has ended. Raises as `Connection.receive` does."""

        async def measure() -> None:
            await self._welcomed.wait()
            while self._terminal.is_person:
                self._pinged = trio.current_time()
                await self._send(messages.Ping())
                await trio.sleep(PING)

        self._update()
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._type)
                nursery.start_soon(measure)
                with suppress(trio.EndOfChannel, *_LOST):
                    while self._why is not Why.REFUSED:
                        await self._hear(*await self._connection.receive_answer())
                self._scope.cancel()
        self._terminal.update(View())
        return self._why

    async def quit(self, why: Why = Why.QUIT) -> None:
        """Ask the server to let go; `run` returns when it has, for a person soon anyway."""
        self._why = why
        if self._terminal.is_person or why is Why.INTERRUPTED:
            self._scope.deadline = trio.current_time() + QUIT_TIMEOUT
        await self._send(messages.Quit())

    def _update(self) -> None:
        roster = frozenset(self.stay.roster)  # the terminal may have a thread of its own
        view = View(self._where, self.stay.handle, roster, self._lag, self._question)
        self._terminal.update(view)

    # ---- keyboard to room

    async def _type(self) -> None:
        if self._wanted:
            await self._send(messages.Join(self._wanted))
        if not self._asks:  # nothing can be said before
            with trio.move_on_after(ANSWER) as silence:
                await self._answered.wait()
            if silence.cancelled_caught:
                self._scope.cancel()
            await self._welcomed.wait()
        try:
            while True:
                await self._obey(await self._terminal.receive())
        except trio.EndOfChannel:
            if self._operator:
                self._why = Why.END_OF_INPUT
                self._scope.cancel()
            else:
                await self.quit(Why.END_OF_INPUT)

    async def _obey(self, line: str | Say) -> None:
        if isinstance(line, Say):
            asked: Request | messages.Answer | Bell | None = line
        elif self._question:
            asked = introduce(line)
        else:
            console = Place.CONSOLE if self._operator else Place.LINE
            asked = parse(line, Place.TERMINAL | console)
        match asked:
            case None:
                pass
            case messages.Refused() | messages.Notice():
                await self._terminal.show(asked, self.handle)
            case Bell(setting=setting):
                self._terminal.bell = setting or self._terminal.bell
                how = messages.Notice(f"bell: {self._terminal.bell}")
                await self._terminal.show(how, self.handle)
            case messages.Quit() if not self._operator:
                await self.quit()
                await trio.sleep_forever()
            case messages.Join(handle=handle):
                self._wanted, self._question = handle, ""
                self._update()
                await self._send(asked)
            case _:
                await self._send(asked)

    async def _send(self, request: Request) -> None:
        try:
            await self._connection.send(request)
        except _LOST:
            await trio.sleep_forever()  # the other task sees it too, and has more to say

    # ---- room to screen

    async def _hear(self, event: Event, asked: Request | None) -> None:
        self._answered.set()
        match event:
            case messages.Welcome():
                self._question = ""
                self._welcomed.set()
            case messages.Pong():
                self._lag = trio.current_time() - self._pinged
            case messages.Closing(retry=retry):
                self._why = Why.DISCONNECTED if retry else Why.CLOSED
            case messages.Refused() if isinstance(asked, messages.Join) and self._asks:
                self._wanted, self._question = "", ASK_HANDLE
            case messages.Refused() if isinstance(asked, messages.Join):
                self._why = Why.REFUSED
        is_said = isinstance(event, messages.Said | messages.Whispered)
        if not is_said:  # which changes nothing there
            self._update()
        hidden = messages.Pong | messages.Welcome if self._operator else messages.Pong
        if not isinstance(event, hidden):
            await self._terminal.show(event, self.handle, asked)
