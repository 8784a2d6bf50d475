"""The client: a program's way into a room, and a person's, with every ending of either.

`open_client` and `join` are for programs. `run_client` is the life of ``triochat client``: it
connects, chats, and after each ending decides whether to come back.
"""

import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from triochat.chat import LINGER, Chat, Ending, Terminal, Why
from triochat.connection import Connection
from triochat.exceptions import RefusedError, UnreachableError
from triochat.messages import (
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
    Whisper,
)

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between tries to come back; the last one for ever after."""

ASK_AFTER = 5
"""Tries under the same handle; if it is taken even then, the person is asked for another."""

Connect = Callable[[], Awaitable[trio.abc.Stream]]


# ---- for programs


class Client:
    """A member of a room, as a program.

    ``async for event in client`` gives the room's events in order, until the server closes.

    Attributes:
        welcome: the server's first answer: its name, and who was here.
        handle: one's own, as it is now.
    """

    def __init__(self, connection: Connection, welcome: Welcome) -> None:
        self.welcome = welcome
        self.handle = welcome.handle
        self._connection = connection

    async def send(self, request: Request) -> None:
        """Ask for anything. The answer comes as an event: the echo, or `Refused`.

        Raises:
            trio.BrokenResourceError: the connection is lost.
        """
        await self._connection.send(request)

    async def say(self, text: str) -> None:
        """Tell everybody; one's own `Said` is the receipt. Raises as `send` does."""
        await self.send(Say(text))

    async def whisper(self, to: str, text: str) -> None:
        """Tell one member; one's own `Whispered` is the receipt. Raises as `send` does."""
        await self.send(Whisper(to, text))

    async def receive(self) -> Event:
        """The next event.

        Raises:
            trio.EndOfChannel: the server has closed the connection.
            trio.BrokenResourceError: the connection is lost.
        """
        event = await self._connection.receive()
        if isinstance(event, Renamed) and event.handle == self.handle:
            self.handle = event.new
        return event

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


@asynccontextmanager
async def open_client(host: str, port: int, handle: str) -> AsyncIterator[Client]:
    """Connect and join; leave at the end of the block, after all that was sent is delivered.

    Raises:
        UnreachableError: nobody listens there, or there is no such place.
        RefusedError: the room does not let us in under this handle, and says why.
        RemoteProtocolError: what answers is not a triochat server.
    """
    async with join(await connect(host, port), handle) as client:
        yield client


async def connect(host: str, port: int) -> trio.SocketStream:
    """Open a connection to a server.

    Raises:
        UnreachableError: nobody listens there, or there is no such place.
    """
    try:
        return await trio.open_tcp_stream(host, port)
    except UnicodeError:
        raise UnreachableError("that is no name of a host") from None
    except OSError as error:
        raise UnreachableError(reason_of(error)) from error


@asynccontextmanager
async def join(stream: trio.abc.Stream, handle: str) -> AsyncIterator[Client]:
    """As `open_client`, over a stream that is open already; closes it at the end."""
    async with Connection(stream) as connection:
        await connection.send(Join(handle))
        yield Client(connection, await _wait_welcome(connection))
        with trio.move_on_after(LINGER):
            await _quit(connection)


async def _wait_welcome(connection: Connection) -> Welcome:
    async for event in connection:
        match event:
            case Welcome():
                return event
            case Refused(code=code, text=text):
                raise RefusedError(code, text)
            case Closing(reason=reason):
                raise RefusedError("closing", reason)
    raise RefusedError("closing", "the server closed the connection")


async def _quit(connection: Connection) -> None:
    """Say so, and wait until the server has done all that was asked before."""
    try:
        await connection.send(Quit())
        async for _ in connection:
            pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


# ---- for people


class Person:
    """Somebody at a terminal, over as many connections as it takes.

    Args:
        terminal: the person.
        connect: opens a connection to the server, or raises `UnreachableError`.
        handle: to join with; empty to ask.
        where: the server, in words.

    Attributes:
        is_lost: the connection is lost, and it tries to come back.
    """

    def __init__(
        self, terminal: Terminal, connect: Connect, handle: str = "", where: str = ""
    ) -> None:
        self._terminal = terminal
        self._connect = connect
        self._handle = handle
        self._where = where
        self._chat: Chat | None = None
        self._tries = 0
        self.is_lost = False

    async def run(self, stream: trio.abc.Stream) -> bool:
        """Chat over this stream, and over others while the person wants to come back.

        Returns:
            Whether all went well: the person, or the server, ended it politely.

        Raises:
            RemoteProtocolError: what answers is not a triochat server.
            UnreachableError: it wanted to come back at once, and could not.
        """
        while True:
            ending = await self._stay(stream)
            if self._is_to_be_tried_again(ending):
                stream = await self._reconnect(ending)
            elif await self._wants_back(ending):
                self._handle, self._tries = "", 0
                stream = await self._connect()
            else:
                return await self._judge(ending)

    async def interrupt(self) -> bool:
        """Leave the room politely, and `run` ends; False if there is no room to leave just now."""
        if self._chat is None:
            return False
        await self._chat.quit(Why.INTERRUPTED)
        return True

    async def _stay(self, stream: trio.abc.Stream) -> Ending:
        returning = 0 < self._tries <= ASK_AFTER
        async with Connection(stream) as connection:
            self._chat = Chat(
                self._terminal, connection, self._handle, where=self._where, returning=returning
            )
            ending = await self._chat.run()
            if self._chat.status.handle:
                self._tries = 0
            self._handle, self._chat = self._chat.handle, None
        return ending

    def _is_to_be_tried_again(self, ending: Ending) -> bool:
        """The connection is lost; or we were, and our handle is still taken by our former self."""
        return self._terminal.is_person and ending.why in (Why.LOST, Why.REFUSED)

    async def _wants_back(self, ending: Ending) -> bool:
        """Ask, where the person has just quit, or the operator has ended every connection."""
        asked_to_go = ending.closing is not None and ending.closing.retry
        if not self._terminal.is_person or not (ending.why is Why.QUIT or asked_to_go):
            return False
        self._terminal.set_prompt("Reconnect? [y/N] ")
        try:
            answer = await self._terminal.receive()
        except trio.EndOfChannel:
            return False
        return isinstance(answer, str) and answer.strip().lower() in ("y", "yes")

    async def _judge(self, ending: Ending) -> bool:
        problem = "connection lost" if ending.why is Why.LOST else ""
        return await self._terminal.finish(problem) and ending.why not in (Why.LOST, Why.REFUSED)

    async def _reconnect(self, ending: Ending) -> trio.abc.Stream:
        """Try until it works; jittered, so that a room does not come back all at once."""
        self.is_lost = True
        problem = "connection lost"
        if ending.why is Why.REFUSED:
            problem = "perhaps your lost connection still has that handle"
        while True:
            pause = PAUSES[min(self._tries, len(PAUSES) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311
            self._tries += 1
            await self._tell(f"{problem}; trying again in {pause:.1f} s (Ctrl-C gives up)")
            await trio.sleep(pause)
            try:
                stream = await self._connect()
            except UnreachableError as error:
                problem = f"still not there ({error})"
            else:
                self.is_lost = False
                return stream

    async def _tell(self, text: str) -> None:
        await self._terminal.show(Notice(text), self._handle)


def reason_of(error: BaseException) -> str:
    """Why the system failed us, in a few words; trio wraps one error for each address."""
    if isinstance(error, BaseExceptionGroup):
        return reason_of(error.exceptions[0])
    if error.__cause__ is not None:
        return reason_of(error.__cause__)
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()
