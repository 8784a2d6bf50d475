"""A person at a terminal: after each ending of a chat it is decided whether to come back."""

import math
from contextlib import suppress

import trio

from triochat.chat import AWAY, Chat
from triochat.circle import Circle
from triochat.connection import ENTRY, PATIENCE, Connection, pause_before
from triochat.exceptions import UnreachableError, UntrustedError
from triochat.grammar import Place, parse
from triochat.messages import Notice, Quit, Refused, Request, Say
from triochat.passwords import Secret
from triochat.reading import Reader
from triochat.stay import Stay
from triochat.terminal import Terminal, View
from triochat.ways import Role, Why
from triochat.words import unsent

BRIEF = 5.0
"""Seconds; a stay that was shorter is no success: the next pauses grow all the same."""

ASK_AFTER = 5
"""Tries under the same handle; if it is taken even then, the person is asked for another."""

HUSH = 0.2
"""Seconds before a question in which what is entered is no answer to it: nobody has read it yet."""

_GIVE_UP = "(Ctrl-C gives up)"
_SHOWING = 1.0  # seconds in which a refusal must be shown


class Person:
    """Somebody at a terminal, over as many connections as it takes.

    Args:
        terminal: the person.
        circle: the way to the servers.
        handle: to join with; empty to ask.
        offer: a handle that is offered to who is asked for one the first time.
        secret: the room's password, as far as it is known.

    Attributes:
        is_lost: the connection is lost, and it tries to come back.
    """

    def __init__(
        self,
        terminal: Terminal,
        circle: Circle,
        handle: str = "",
        offer: str = "",
        secret: Secret | None = None,
    ) -> None:
        self._terminal = terminal
        self._circle = circle
        self._handle = handle
        self._offer = offer
        self._secret = secret or Secret()
        self._is_new = terminal.is_person
        self._chat: Chat | None = None
        self._stay = Stay()
        self._reader = Reader()
        self._waiting = trio.CancelScope()
        self._tries = 0
        self._brief = -1  # stays in a row that were over at once, but for the first
        self._problem = ""
        self.is_lost = False

    async def run(self, stream: trio.abc.Stream) -> bool:
        """Chat over this stream, and over others while the person wants to come back.

        It went well, which is returned, if the person, or the server, ended it politely; but not
        where the server ended it before the input of a pipe.

        Raises:
            RemoteProtocolError: what answers is not a triochat server.
            UnreachableError: it wanted to come back at once, and could not.
            UntrustedError: what answers now is not known to be the server.
        """
        while True:
            why = await self._chat_over(stream)
            if self._tries_again(why):
                again = await self._come_back(why)
                if again is None:
                    return False
                stream = again
            elif why is Why.EXPIRED:
                stream = await self._circle.again()
            elif await self._wants_back(why):
                self._handle, self._tries = "", 0
                stream = await self._circle.again()
            else:
                return await self._finish(why)

    def _tries_again(self, why: Why) -> bool:
        """Whether to come back unasked. A pipe can only go on where it was, or begin."""
        if self._terminal.is_person:
            return why.may_pass  # a former self may have the handle
        is_lost = why is Why.LOST or (why is Why.RESTARTING and self._circle.elsewhere != "")
        return is_lost and (self._stay.can_resume or not self._stay.handle)

    async def _finish(self, why: Why) -> bool:
        """End at the terminal; whether all went well."""
        problem = "connection lost" if why is Why.LOST else ""
        if self._terminal.is_person:
            if why is Why.CLOSED:
                await self._terminal.wait_idle()
        elif why in (Why.CLOSED, Why.RESTARTING, Why.DISCONNECTED):
            what = "all was confirmed" if self._stay.unconfirmed else "the input ended"
            problem = f"the server closed the connection before {what}"
        went_well = await self._terminal.finish(problem)
        is_kept_out = why in (Why.REFUSED, Why.DENIED) or (why is Why.CLOSED and self._is_new)
        return went_well and not problem and not is_kept_out

    async def interrupt(self) -> bool:
        """Leave the room politely, and `run` ends; False if there is no room to leave just now."""
        if self._chat is not None:
            await self._chat.quit(Why.INTERRUPTED)
        self._waiting.cancel()
        return self._chat is not None or self.is_lost

    async def _chat_over(self, stream: trio.abc.Stream) -> Why:
        role = Role.NEWCOMER if self._is_new else Role.REGULAR
        if self._handle and 0 < self._tries <= ASK_AFTER:
            role = Role.RETURNING
        async with Connection(stream, self._stay) as connection:
            self._chat = chat = Chat(
                self._terminal,
                connection,
                self._handle,
                where=self._circle.where,
                offer=self._offer,
                role=role,
            )
            chat.questions.secret, chat.reader = self._secret, self._reader
            began = trio.current_time()
            why = await chat.run()
        self._brief = self._brief + 1 if trio.current_time() - began < BRIEF else 0
        self._chat, self._handle = None, chat.handle
        if chat.stay.is_taken:
            self._tries = 0
        if chat.stay.handle:
            self._offer, self._is_new = chat.stay.handle, False
        if not why.may_pass:
            self._stay = Stay()
        self._problem = "the server stopped" if why is Why.RESTARTING else "connection lost"
        if chat.refused:
            self._problem = f"not let in yet ({chat.refused.text.partition(';')[0]})"
        return why

    async def _wants_back(self, why: Why) -> bool:
        """Ask, where the person has just quit, or the operator has ended every connection."""
        if not self._terminal.is_person or why not in (Why.QUIT, Why.DISCONNECTED):
            return False
        await self._clear_line()
        self._terminal.update(View(question="Reconnect? [y/N] "))
        with suppress(trio.EndOfChannel):
            while True:
                line = await self._terminal.receive()
                answer = line.strip().lower() if isinstance(line, str) else None
                if answer in ("y", "yes", "n", "no", ""):
                    return answer in ("y", "yes")
                await self._terminal.show(Refused("no-answer", "y or n, please"), self._handle)
        return False

    async def _clear_line(self) -> None:
        """Tell of what was entered before that it was not sent."""
        lines: list[str | Say] = []
        with trio.move_on_after(HUSH), suppress(trio.EndOfChannel):
            while True:
                line = await self._terminal.receive()
                if isinstance(line, Say) or line.strip():
                    lines.append(line)
        for refused in unsent(lines):
            await self._terminal.show(refused, self._handle)

    # ---- coming back

    async def _come_back(self, why: Why) -> trio.abc.Stream | None:
        """A new connection, when there is one; None if it gives up before."""
        self.is_lost, before = True, self._circle.where
        if not self._tries and self._terminal.is_person:
            lost = "" if why is Why.RESTARTING else "connection lost; "
            text = f"{lost}trying {self._circle.elsewhere or 'to come back'} {_GIVE_UP}"
            await self._terminal.show(Notice(text), self._handle)
        patience = PATIENCE if self._stay.can_resume else ENTRY
        if self._terminal.is_person:
            patience = math.inf
        stream: trio.abc.Stream | None = None
        try:
            with trio.move_on_after(patience) as self._waiting:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._refuse_lines)
                    stream = await self._reconnect()
                    nursery.cancel_scope.cancel()
        finally:
            if stream is None:
                await self._give_up()
        if stream is not None and self._circle.where != before and self._terminal.is_person:
            await self._terminal.show(Notice(f"connected to {self._circle.where}"), self._handle)
        return stream

    async def _give_up(self) -> None:
        """Tell of what was perhaps not heard."""
        if self._terminal.is_person:
            for refused in unsent(self._stay.unconfirmed, "perhaps not sent"):
                await self._terminal.show(refused, self._handle)
        else:
            await self._terminal.finish("connection lost")

    async def _reconnect(self) -> trio.abc.Stream:
        """Try until it works."""
        while True:
            step = max(self._tries, self._brief)
            self._tries += 1
            end = trio.current_time() + pause_before(step)
            while (left := end - trio.current_time()) > 0:
                what = f"{self._circle.elsewhere or 'again'} in {math.ceil(left)} s"
                state = f"{self._problem}; trying {what} {_GIVE_UP}"
                unconfirmed = tuple(self._stay.unconfirmed)
                view = View(handle=self._handle, state=state, holds=AWAY, unconfirmed=unconfirmed)
                self._terminal.update(view)
                await trio.sleep(min(left, 1.0))
            try:
                stream = await self._circle()
            except UnreachableError as error:
                self._problem = f"still not there ({error})"
            except UntrustedError:
                self.is_lost = False  # it does not try any more
                raise
            else:
                self.is_lost = False
                return stream

    async def _refuse_lines(self) -> None:
        """Tell of each line that it was not sent, until the person wants to leave.

        Those of a pipe can wait.
        """
        with suppress(trio.EndOfChannel):
            while self._terminal.is_person:
                line = await self._terminal.receive()
                if isinstance(line, str) and isinstance(parse(line), Quit):
                    break
                with trio.move_on_after(_SHOWING, shield=True):  # even if we are back just now
                    await self._refuse(line)
        if self._terminal.is_person:
            self._waiting.cancel()

    async def _refuse(self, line: str | Say) -> None:
        asked = line if isinstance(line, Say) else parse(line, Place.TERMINAL)
        if asked is not None:
            text = "not connected; nothing was sent; type it again when you are back"
            refused = Refused("not-connected", text)
            request = asked if isinstance(asked, Request) else None
            await self._terminal.show(refused, self._handle, request)
