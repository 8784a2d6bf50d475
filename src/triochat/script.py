"""What shell scripts do in a room: say something and wait for the receipts, or print what is said.

A `Visit` is a program's stay in a room, from connecting to the good-bye. What it does there is
`deliver` or `tail`; each says with a `Result` how it went.
"""

import math
import select
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, auto
from typing import NamedTuple, Protocol

import trio

from triochat.client import Client, Connect, join
from triochat.dialects.ndjson import encode
from triochat.exceptions import RefusedError, UnreachableError
from triochat.messages import Closing, Event, Refused, Said, Say, Whisper, Whispered
from triochat.pipe import WINDOW, InputLines, Writer
from triochat.render import plain
from triochat.text import clean

_LOST = "connection lost"
_GRACE = 0.5  # seconds for a welcome that is on its way to somebody who wants to leave
_PAUSE = 1.0  # seconds between two looks at an output that somebody types into


class Outcome(Enum):
    """How a visit ended, as far as a script wants to tell apart."""

    DONE = auto()
    REFUSED = auto()
    LOST = auto()


class Result(NamedTuple):
    """How a visit ended, and what is to be said about it, if anything."""

    outcome: Outcome
    problem: str = ""


# ---- the stay


class Visit:
    """A program's stay in a room.

    Args:
        connect: opens a connection to the server, or raises `UnreachableError`.
        handle: to join with.
        patience: seconds in which there must be a connection, and then in which we must be let in.
    """

    def __init__(self, connect: Connect, handle: str, patience: float = math.inf) -> None:
        self._connect = connect
        self._handle = handle
        self._patience = patience
        self._joining = trio.CancelScope()
        self._acting = trio.CancelScope()
        self._is_leaving = False

    def leave(self) -> None:
        """Break off what is going on; who has joined says good-bye, and `run` ends well.

        Who has not may be in already without knowing it, and would be told to the others as lost.
        """
        self._is_leaving = True
        self._joining.deadline = min(self._joining.deadline, trio.current_time() + _GRACE)
        self._acting.cancel()

    async def run(self, act: Callable[[Client], Awaitable[Result]]) -> Result:
        """Connect, join, do this, and leave when all that was sent is delivered.

        Raises:
            UnreachableError: the server cannot be reached.
            RemoteProtocolError: what answers is not a triochat server.
        """
        try:
            with self._joining:
                return await self._stay(act)
        except RefusedError as error:
            is_closed = error.code == "closing"
            return Result(Outcome.LOST if is_closed else Outcome.REFUSED, clean(error.text))
        except trio.BrokenResourceError:
            return Result(Outcome.LOST, _LOST)
        if self._is_leaving:
            return Result(Outcome.DONE)
        return Result(
            Outcome.LOST, f"not let in within {self._patience:g} seconds; nothing was sent"
        )

    async def _stay(self, act: Callable[[Client], Awaitable[Result]]) -> Result:
        try:
            with trio.fail_after(self._patience):
                stream = await self._connect()
        except trio.TooSlowError:
            raise UnreachableError(f"no answer within {self._patience:g} seconds") from None
        if not self._is_leaving:
            self._joining.deadline = trio.current_time() + self._patience
        async with join(stream, self._handle) as client:
            self._joining.deadline = math.inf
            with self._acting:  # inside of `join`, which says good-bye
                return await act(client)
        return Result(Outcome.DONE)


# ---- send


class Message(NamedTuple):
    """Something to be said, or why it cannot be; ``number`` is its line's, 0 for an argument."""

    number: int
    text: str | Refused


class Messages(Protocol):
    """Where messages come from."""

    async def receive(self) -> Message:
        """The next message.

        Raises:
            trio.EndOfChannel: there is none.
        """


class Argument:
    """One message, from the command line."""

    def __init__(self, text: str) -> None:
        self._left = [Message(0, text)]

    async def receive(self) -> Message:
        """The message; the second time there is none."""
        await trio.lowlevel.checkpoint()
        if not self._left:
            raise trio.EndOfChannel
        return self._left.pop()


class Input:
    """One message for each line of standard input, as it stands."""

    def __init__(self, lines: InputLines) -> None:
        self._lines = lines

    async def receive(self) -> Message:
        """The next message. Raises `trio.EndOfChannel` at the end."""
        line = await self._lines.receive()
        return Message(self._lines.number, line)


class _Delivery:
    """Messages on their way, until each is confirmed or refused.

    Its scope ends both tasks: cancelled when nothing is left to wait for, or by its deadline,
    which stands while something is on its way.
    """

    def __init__(self, client: Client, errors: Writer, to: str, patience: float) -> None:
        self._client = client
        self._errors = errors
        self._to = to
        self._patience = patience
        self._on_their_way: deque[Message] = deque()
        self._window = trio.Semaphore(WINDOW)
        self._scope = trio.CancelScope()
        self._last = Message(0, "")
        self._all_said = False
        self._any_refused = False
        self._problem = ""

    async def run(self, messages: Messages) -> Result:
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._say_all, messages)
                await self._hear_all()
                self._scope.cancel()
        if self._all_said and not self._on_their_way:
            return Result(Outcome.REFUSED if self._any_refused else Outcome.DONE)
        return Result(Outcome.LOST, self._lost())

    async def _say_all(self, messages: Messages) -> None:
        try:
            while True:
                await self._say(await messages.receive())
        except trio.EndOfChannel:
            self._all_said = True
            self._go_on()

    async def _say(self, message: Message) -> None:
        self._last = message
        if isinstance(message.text, Refused):
            await self._refuse(message, message.text)
            return
        await self._window.acquire()
        self._on_their_way.append(message)
        if len(self._on_their_way) == 1:
            self._go_on()
        request = Whisper(self._to, message.text) if self._to else Say(message.text)
        with suppress(trio.BrokenResourceError):  # the other task sees it too, and has more to say
            await self._client.send(request)

    async def _hear_all(self) -> None:
        with suppress(trio.EndOfChannel, trio.BrokenResourceError):
            while True:
                await self._hear(await self._client.receive())
        self._problem = self._problem or _LOST

    async def _hear(self, event: Event) -> None:
        """Answers come in the order of the requests, and an echo is known by its handle."""
        match event:
            case Said(handle=handle) | Whispered(handle=handle) if handle == self._client.handle:
                self._settle()
            case Refused():
                await self._refuse(self._on_their_way[0] if self._on_their_way else None, event)
                self._settle()
            case Closing():
                self._problem = plain(event)[2:]

    def _settle(self) -> None:
        """The first message that is on its way has been answered."""
        if self._on_their_way:
            self._on_their_way.popleft()
            self._window.release()
        self._go_on()

    def _go_on(self) -> None:
        """Wait from now on for the next answer; for none, if none is due."""
        is_due = bool(self._on_their_way)
        self._scope.deadline = trio.current_time() + self._patience if is_due else math.inf
        if self._all_said and not is_due:
            self._scope.cancel()

    async def _refuse(self, message: Message | None, refused: Refused) -> None:
        self._any_refused = True
        where = f"line {message.number}: " if message and message.number else ""
        await self._errors.write(f"! {where}{plain(refused)[2:]}")

    def _lost(self) -> str:
        problem = self._problem or f"no confirmation within {self._patience:g} seconds"
        if self._on_their_way:
            number = self._on_their_way[0].number
            return f"{problem}; not confirmed{f' from line {number} on' if number else ''}"
        if self._last.number:
            return f"{problem}; answered up to line {self._last.number}"
        return f"{problem}; nothing was sent"


async def deliver(
    client: Client, messages: Messages, errors: Writer, *, to: str = "", patience: float = math.inf
) -> Result:
    """Say all messages, to everybody or to one member, until the server has answered each.

    Args:
        client: who says them.
        messages: what is to be said.
        errors: where refusals of messages go, at once.
        to: who is to hear them; everybody, if empty.
        patience: seconds in which an answer must come.
    """
    return await _Delivery(client, errors, to, patience).run(messages)


# ---- tail


async def tail(
    client: Client, output: Writer, *, as_json: bool = False, count: float = math.inf
) -> Result:
    """Write what is said, and nothing else that happens, until the server closes.

    Args:
        client: who hears it.
        output: gets a line for each message.
        as_json: write the events themselves, as they are on the wire.
        count: end after this many messages.
    """
    while count > 0:
        try:
            event = await client.receive()
        except (trio.EndOfChannel, trio.BrokenResourceError):
            return Result(Outcome.LOST, _LOST)
        match event:
            case Said() | Whispered():
                await output.write(_as_json(event) if as_json else plain(event, client.handle))
                count -= 1
            case Closing():
                return Result(Outcome.DONE, plain(event)[2:])
    return Result(Outcome.DONE)


def _as_json(event: Event) -> str:
    """The event on one line; cleaned like any other line, which leaves JSON what it is."""
    return clean(encode(event).decode().rstrip("\n"))


async def wait_unread(fd: int) -> None:
    """Wait until nobody can read any more what is written to this file descriptor.

    To the system a pipe without a reader is ready for anything, also to be read from. So nothing
    is asked again and again, but for a terminal into which somebody types.
    """
    poll = select.poll()
    poll.register(fd, 0)  # errors and hang-ups are told unasked
    while not poll.poll(0):
        try:
            await trio.lowlevel.wait_readable(fd)
        except OSError:  # a file: nobody need read it now
            await trio.sleep_forever()
        if not poll.poll(0):
            await trio.sleep(_PAUSE)
