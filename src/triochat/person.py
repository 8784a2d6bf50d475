"""A person at a terminal: after each ending of a chat it is decided whether to come back."""

import random
from contextlib import suppress

import trio

from triochat.chat import Chat, Terminal, View, Why
from triochat.connection import Connect, Connection
from triochat.exceptions import UnreachableError
from triochat.messages import Notice

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between tries to come back; the last one for ever after."""

ASK_AFTER = 5
"""Tries under the same handle; if it is taken even then, the person is asked for another."""


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

        It went well, which is returned, if the person, or the server, ended it politely.

        Raises:
            RemoteProtocolError: what answers is not a triochat server.
            UnreachableError: it wanted to come back at once, and could not.
        """
        while True:
            why = await self._chat_over(stream)
            is_cut = why in (Why.LOST, Why.REFUSED)  # a former self may have the handle
            if is_cut and self._terminal.is_person:
                stream = await self._reconnect(why)
            elif await self._wants_back(why):
                self._handle, self._tries = "", 0
                stream = await self._connect()
            else:
                problem = "connection lost" if why is Why.LOST else ""
                return await self._terminal.finish(problem) and not is_cut

    async def interrupt(self) -> bool:
        """Leave the room politely, and `run` ends; False if there is no room to leave just now."""
        if self._chat is None:
            return False
        await self._chat.quit(Why.INTERRUPTED)
        return True

    async def _chat_over(self, stream: trio.abc.Stream) -> Why:
        returning = 0 < self._tries <= ASK_AFTER
        async with Connection(stream) as connection:
            self._chat = chat = Chat(
                self._terminal, connection, self._handle, where=self._where, returning=returning
            )
            why = await chat.run()
        self._chat, self._handle = None, chat.handle
        if chat.stay.handle:
            self._tries = 0
        return why

    async def _wants_back(self, why: Why) -> bool:
        """Ask, where the person has just quit, or the operator has ended every connection."""
        if not self._terminal.is_person or why not in (Why.QUIT, Why.DISCONNECTED):
            return False
        self._terminal.update(View(question="Reconnect? [y/N] "))
        with suppress(trio.EndOfChannel):
            answer = await self._terminal.receive()
            return isinstance(answer, str) and answer.strip().lower() in ("y", "yes")
        return False

    async def _reconnect(self, why: Why) -> trio.abc.Stream:
        """Try until it works; jittered, so that a room does not come back all at once."""
        self.is_lost = True
        problem = "connection lost"
        if why is Why.REFUSED:
            problem = "perhaps your lost connection still has that handle"
        while True:
            pause = PAUSES[min(self._tries, len(PAUSES) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311
            self._tries += 1
            text = f"{problem}; trying again in {pause:.1f} s (Ctrl-C gives up)"
            await self._terminal.show(Notice(text), self._handle)
            await trio.sleep(pause)
            try:
                stream = await self._connect()
            except UnreachableError as error:
                problem = f"still not there ({error})"
            else:
                self.is_lost = False
                return stream
