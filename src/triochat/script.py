"""What shell scripts do in a room: say something and wait for the receipts, or print what is said.

A `Visit` is a program's stay in a room, from connecting to the good-bye. What it does there is
`Delivery.run` or `tail`; each says with a `Result` how it went.
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import IntEnum
from typing import NamedTuple

import trio

from triochat.connection import HURRY, PATIENCE, Connect
from triochat.dialects.ndjson import encode
from triochat.exceptions import ClosedError, RefusedError, UnreachableError
from triochat.messages import (
    Closing,
    Event,
    Moderated,
    Refused,
    Request,
    Said,
    Say,
    Whisper,
    Whispered,
)
from triochat.program import Client, join
from triochat.terminals.pipe import InFlight, Line, Writer
from triochat.text import clean
from triochat.words import statement_of, words_of

_LOST = "connection lost"
_GRACE = 0.5  # seconds for a welcome that is on its way to somebody who wants to leave


class Outcome(IntEnum):
    """How a visit ended, as far as a script wants to tell apart: the exit code."""

    DONE = 0
    FAILED = 1
    UNREACHABLE = 3
    REFUSED = 4
    LOST = 5


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
        patience: seconds in which there must be a connection, then in which we must be let in, and
            in which we must be back each time when the connection is lost.
        password: of the room; empty if none is known.
    """

    def __init__(
        self, connect: Connect, handle: str, patience: float = math.inf, password: str = ""
    ) -> None:
        self._connect = connect
        self._handle = handle
        self._password = password
        self._patience = patience
        self._joining = trio.CancelScope()
        self._acting = trio.CancelScope()
        self._is_leaving = False
        self._has_joined = False

    def leave(self) -> None:
        """Break off what is going on; who has joined says good-bye, and `run` ends well.

        Who has not may be in already without knowing it, and would be told to the others as lost.
        """
        self._is_leaving = True
        in_time = trio.current_time() + (HURRY if self._has_joined else _GRACE)
        self._joining.deadline = min(self._joining.deadline, in_time)
        self._acting.cancel()

    async def run(self, act: Callable[[Client], Awaitable[Result]]) -> Result:
        """Connect, join, do this, and leave when all that was sent is delivered.

        Raises:
            UnreachableError: the server cannot be reached.
            UntrustedError: it is not known that it is the server.
            RemoteProtocolError: what answers is not a triochat server.
        """
        result = Result(Outcome.DONE)
        try:
            with self._joining:
                try:
                    with trio.fail_after(self._patience):
                        stream = await self._connect()
                except trio.TooSlowError:
                    raise UnreachableError(f"no answer within {self._patience:g} seconds") from None
                if not self._is_leaving:
                    self._joining.deadline = trio.current_time() + self._patience
                async with join(
                    stream,
                    self._handle,
                    password=self._password,
                    connect=self._connect,
                    patience=min(self._patience, PATIENCE),
                ) as client:
                    self._has_joined, self._joining.deadline = True, math.inf
                    with self._acting:  # inside of `join`, which says good-bye
                        result = await act(client)
                    if result.outcome is Outcome.LOST:
                        client.give_up()
        except ClosedError as error:
            result = Result(Outcome.LOST, statement_of(Closing(error.text)))
        except RefusedError as error:
            result = Result(Outcome.REFUSED, clean(error.text))
        except trio.BrokenResourceError:
            result = Result(Outcome.LOST, _LOST)
        if self._joining.cancelled_caught:
            problem = f"not let in within {self._patience:g} seconds; nothing was sent"
            result = Result(Outcome.LOST, problem)
        return Result(Outcome.DONE) if self._is_leaving else result


# ---- send


def one_message(text: str) -> trio.abc.ReceiveChannel[Line]:
    """A message from the command line, as the one line that is to be sent, or that cannot be."""
    send, receive = trio.open_memory_channel[Line](1)
    try:
        text.encode()
    except UnicodeEncodeError:  # what the shell hands over need not be text
        send.send_nowait((0, Refused("not-utf8", "that is not UTF-8 text; nothing was sent")))
    else:
        send.send_nowait((0, text))
    send.close()
    return receive


class Delivery:
    """Messages on their way, until each is confirmed or refused.

    Its scope ends both tasks: cancelled when nothing is left to wait for, or by its deadline,
    which stands while something is on its way.

    Args:
        messages: what is to be said.
        errors: where refusals of messages go, at once.
        to: who is to hear them; everybody, if empty.
        patience: seconds in which an answer must come.
    """

    def __init__(
        self, messages: trio.abc.ReceiveChannel[Line], errors: Writer, to: str, patience: float
    ) -> None:
        self._in_flight = InFlight(messages, errors)
        self._to = to
        self._patience = patience
        self._scope = trio.CancelScope()
        self._all_said = False
        self._problem = ""

    async def run(self, client: Client) -> Result:
        """Say all messages, until the server has answered each."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._say_all, client)
                problem = _LOST
                try:
                    while True:
                        await self._hear(*await client.receive_answer())
                except trio.EndOfChannel:
                    pass
                except trio.BrokenResourceError as error:
                    problem = str(error)
                self._problem = self._problem or problem
                self._scope.cancel()
        on_their_way, last = self._in_flight.numbers, self._in_flight.last
        if self._all_said and not on_their_way:
            return Result(Outcome.REFUSED if self._in_flight.any_refused else Outcome.DONE)
        if on_their_way:
            first = on_their_way[0]
            state = f"not confirmed from line {first} on" if first else "not confirmed"
        else:
            state = f"answered up to line {last}" if last else "nothing was sent"
        problem = self._problem or f"no confirmation within {self._patience:g} seconds"
        return Result(Outcome.LOST, f"{problem}; {state}")

    async def _say_all(self, client: Client) -> None:
        try:
            while True:
                text = await self._in_flight.take()
                if len(self._in_flight.numbers) == 1:
                    self._renew()
                with suppress(trio.BrokenResourceError):  # the other task has more to say of it
                    await client.send(Whisper(self._to, text) if self._to else Say(text))
        except trio.EndOfChannel:
            self._all_said = True
            if not self._in_flight.numbers:
                self._renew()

    async def _hear(self, event: Event, asked: Request | None) -> None:
        if isinstance(event, Closing):
            self._problem = statement_of(event)
        if isinstance(event, Refused):
            await self._in_flight.refuse(event, self._in_flight.numbers[0] if asked else 0)
        if asked:  # only now, or the end of the input would break off what is being told
            self._in_flight.settle()
            self._renew()

    def _renew(self) -> None:
        """Something was sent or answered: wait for the next answer, if there is one to come."""
        is_due = bool(self._in_flight.numbers)
        self._scope.deadline = trio.current_time() + self._patience if is_due else math.inf
        if self._all_said and not is_due:
            self._scope.cancel()


# ---- tail


async def tail(
    client: Client, output: Writer, *, as_json: bool = False, count: float = math.inf
) -> Result:
    """Write what is said, and what operators do, until the server closes.

    Args:
        client: who hears it.
        output: gets a line for each.
        as_json: write the events themselves, as they are on the wire.
        count: end after this many messages.
    """
    while count > 0:
        try:
            event = await client.receive()
        except trio.EndOfChannel:
            return Result(Outcome.LOST, _LOST)
        except trio.BrokenResourceError as error:
            return Result(Outcome.LOST, str(error))
        match event:
            case Said() | Whispered() | Moderated():
                line = words_of(event, client.handle)
                if as_json:  # cleaned like any other line, which leaves JSON what it is
                    line = clean(encode(event).decode().rstrip("\n"))
                await output.write(line)
                count -= not isinstance(event, Moderated)
            case Closing():
                return Result(Outcome.DONE, statement_of(event))
    return Result(Outcome.DONE)
