"""A program in a room: a channel of events, over one stream, or over one after the other."""

import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from triochat.circle import Circle
from triochat.connection import (
    ENTRY,
    GONE,
    HURRY,
    LOST,
    PATIENCE,
    QUIT_TIMEOUT,
    Connect,
    Connection,
    pause_before,
)
from triochat.exceptions import ClosedError, RefusedError, RemoteProtocolError, UnreachableError
from triochat.messages import (
    Closing,
    Event,
    Join,
    Notice,
    Quit,
    Refused,
    Request,
    Say,
    Welcome,
    Whisper,
)
from triochat.stay import Stay
from triochat.text import clean
from triochat.words import statement_of

MANY = 10_000
"""Requests that wait for a server that is not there."""


class Client(trio.abc.SendChannel[Request], trio.abc.ReceiveChannel[Event]):
    """A member of a room, as a program. Made by `join` and `open_client`.

    ``async for event in client`` gives the room's events in order, until the server has said
    good-bye (`Closing`). The answer to what is sent comes as one of them: the echo, or `Refused`.

    With a way to connect it comes back by itself when a connection is lost: events go on without a
    gap, each comes once, and what was sent and never heard is sent again, in order. It does so
    while it receives. Else, where the room does not know it any more, or after its patience,
    `trio.BrokenResourceError` is raised. Where it knows several servers of the room (`Circle`) one
    that stops, and says that one may come back, is lost like any other.

    Attributes:
        welcome: the server's first answer: its name, and who was here.
        stay: what is known of the room.
    """

    welcome: Welcome

    def __init__(
        self, stream: trio.abc.Stream, join: Join, connect: Connect | None, patience: float
    ) -> None:
        self.stay = Stay()
        self._connection = Connection(stream, self.stay)
        self._join = join
        self._connect = connect
        self._patience = patience
        self._gives_up_at = math.inf  # a time, while it tries to come back
        self._tries = 0
        self._was_in = False
        self._early: deque[Event] = deque()  # what was told before the welcome, which was lost once
        self._leaving = trio.CancelScope()

    @property
    def handle(self) -> str:
        """One's own, as it is now."""
        return self.stay.handle

    @property
    def lag(self) -> float | None:
        """Seconds between the last request that was answered and its answer; None before."""
        return self._connection.lag

    async def say(self, text: str) -> None:
        """Tell everybody; one's own `Said` is the receipt. Raises as `send` does."""
        await self.send(Say(text))

    async def whisper(self, to: str, text: str) -> None:
        """Tell one member; one's own `Whispered` is the receipt. Raises as `send` does."""
        await self.send(Whisper(to, text))

    async def send(self, value: Request) -> None:
        """Send a request; it waits where there is no way just now.

        Raises:
            ValueError: it holds half a character (a surrogate); nothing was sent.
            trio.BrokenResourceError: the connection is lost, for good; or too much waits.
        """
        try:
            await self._connection.send(value)
        except GONE:
            if self._connect is None or len(self.stay.unanswered) + len(self.stay.unsent) > MANY:
                raise

    async def receive(self) -> Event:
        """The next event, in the order of the room; those not understood here are left out.

        Raises:
            trio.EndOfChannel: the server has said good-bye, or we have.
            trio.BrokenResourceError: the connection is lost, for good.
            UntrustedError: what answers now is not known to be the server.
            RemoteProtocolError: what came is not triochat.
        """
        event, _ = await self.receive_answer()
        return event

    async def receive_answer(self) -> tuple[Event, Request | None]:
        """The next event, and one's own request that it answers. Raises as `receive` does."""
        if self._was_in and self._early:
            await trio.lowlevel.checkpoint()
            return self._early.popleft(), None
        while True:
            try:
                event, asked = await self._connection.receive_answer()
            except trio.BrokenResourceError as error:
                await self._come_back(str(error))
                continue
            except trio.EndOfChannel:  # right after a closing that was no end to us
                if not self._is_returning:
                    raise
                await self._come_back("connection lost")
                continue
            if self._goes_on_after(event):
                await self._come_back("connection lost")
                continue
            if not self._is_returning or await self._passes(event, asked):
                return event, asked

    def _goes_on_after(self, event: Event) -> bool:
        """Whether this ends one server of several, and not the room."""
        is_polite = isinstance(event, Closing) and event.retry and not event.ask
        return is_polite and isinstance(self._connect, Circle) and bool(self._connect.elsewhere)

    @property
    def _is_returning(self) -> bool:
        return self._was_in and self._gives_up_at < math.inf

    async def enter(self) -> None:
        """Be let in. Raises what `join` does."""
        await self.send(self.stay.join(self._join.handle, self._join.password, self._join.history))
        async for event in self:
            match event:
                case Welcome():
                    self.welcome, self._gives_up_at, self._was_in = event, math.inf, True
                    return
                case Refused(code=code, text=text):
                    raise RefusedError(code, text)
                case Closing(reason=reason):
                    raise ClosedError("closing", reason)
                case _ if self.stay.is_past(event):
                    self._early.append(event)

    async def _come_back(self, problem: str) -> None:
        """Have another connection, and ask to be let in again."""
        patience = self._patience if self.stay.can_resume else 0.0
        if not self._was_in:
            patience = min(ENTRY, self._patience)
        if self._gives_up_at == math.inf:
            self._gives_up_at, self._tries = trio.current_time() + patience, 0
        stream: trio.abc.Stream | None = None
        while stream is None:
            left = self._gives_up_at - trio.current_time()
            if self._connect is None or left <= 0:
                self.give_up()
                raise trio.BrokenResourceError(problem)
            self._leaving.deadline = max(self._leaving.deadline, self._gives_up_at)
            await trio.sleep(min(pause_before(self._tries), left))
            self._tries += 1
            with suppress(UnreachableError, trio.TooSlowError), trio.fail_after(LOST):
                stream = await self._connect()
        before, self._connection = self._connection, Connection(stream, self.stay)
        before.abandon()
        join = self.stay.join(
            self.handle or self._join.handle, self._join.password, self._join.history
        )
        with trio.CancelScope(shield=True) as joining, suppress(trio.BrokenResourceError):
            joining.deadline = trio.current_time() + HURRY
            await self._connection.send(join)
        await trio.aclose_forcefully(before)

    async def _passes(self, event: Event, asked: Request | None) -> bool:
        """Whether this is more than how it goes with coming back; it may be that we cannot."""
        match event:
            case Welcome(resumed=True):
                self._gives_up_at = math.inf
                return False
            case Closing(retry=True, ask=False) | Notice():
                return False
            case Welcome():
                problem = "the room does not know us any more"
            case Closing():
                problem = statement_of(event)
            case Refused(text=text) if isinstance(asked, Join):
                problem = clean(text)
            case _:
                return True
        await self.part(HURRY)
        raise trio.BrokenResourceError(f"connection lost; {problem}")

    def give_up(self) -> None:
        """Come back no more."""
        self._connect = None

    async def leave(self) -> None:
        """Say good-bye when all that was asked before is done, however slowly it is read."""
        may_return = self._connect is not None
        with suppress(trio.EndOfChannel, *GONE), trio.CancelScope() as self._leaving:
            self._leaving.deadline = trio.current_time() + QUIT_TIMEOUT
            while self.stay.unanswered or self.stay.unsent:
                _, answered = await self.receive_answer()
                if answered:
                    self._leaving.deadline = trio.current_time() + QUIT_TIMEOUT
            await self.part(QUIT_TIMEOUT)
        if may_return and (count := len(self.stay.unconfirmed)):
            raise trio.BrokenResourceError(f"connection lost; messages not confirmed: {count}")

    async def part(self, patience: float) -> None:
        """Say good-bye, and wait so many seconds for the server's."""
        self.give_up()
        with trio.move_on_after(patience), suppress(trio.EndOfChannel, RemoteProtocolError, *GONE):
            await self._connection.send(Quit())
            while True:
                await self._connection.receive()

    async def aclose(self) -> None:
        """Close the connection, whatever is under way, and come back no more."""
        self.give_up()
        await self._connection.aclose()


@asynccontextmanager
async def join(
    stream: trio.abc.Stream,
    handle: str,
    *,
    password: str = "",
    history: int | None = 0,
    connect: Connect | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[Client]:
    """As `open_client`, over a stream that is open already; closes it at the end.

    It comes back where it has a way to ``connect``.
    """
    async with Client(stream, Join(handle, password, history), connect, patience) as client:
        await client.enter()
        try:
            yield client
        except BaseException:
            with trio.CancelScope(shield=True):  # or its place would be kept for it
                await client.part(HURRY)
            raise
        await client.leave()
