"""A person at a terminal: after each ending of a chat it is decided whether to come back."""

import random

import trio

from triochat.chat import Chat, Ending, Terminal, View, Why
from triochat.connection import Connect, Connection
from triochat.exceptions import UnreachableError
from triochat.grammar import BELLS
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
        self._bell = BELLS[1]
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
            ending = await self._chat_over(stream)
            is_cut = ending.why in (Why.LOST, Why.REFUSED)  # a former self may have the handle
            if is_cut and self._terminal.is_person:
                stream = await self._reconnect(ending)
            elif await self._wants_back(ending):
                self._handle, self._tries = "", 0
                stream = await self._connect()
            else:
                problem = "connection lost" if ending.why is Why.LOST else ""
                return await self._terminal.finish(problem) and not is_cut

    async def interrupt(self) -> bool:
        """Leave the room politely, and `run` ends; False if there is no room to leave just now."""
        if self._chat is None:
            return False
        await self._chat.quit(Why.INTERRUPTED)
        return True

    async def _chat_over(self, stream: trio.abc.Stream) -> Ending:
        returning = 0 < self._tries <= ASK_AFTER
        async with Connection(stream) as connection:
            chat = Chat(
                self._terminal, connection, self._handle, where=self._where, returning=returning
            )
            self._chat, chat.bell = chat, self._bell
            ending = await chat.run()
        self._chat, self._handle, self._bell = None, chat.handle, chat.bell
        if chat.stay.handle:
            self._tries = 0
        return ending

    async def _wants_back(self, ending: Ending) -> bool:
        """Ask, where the person has just quit, or the operator has ended every connection."""
        asked_to_go = ending.closing is not None and ending.closing.retry
        if not self._terminal.is_person or not (ending.why is Why.QUIT or asked_to_go):
            return False
        self._terminal.update(View(question="Reconnect? [y/N] "))
        try:
            answer = await self._terminal.receive()
        except trio.EndOfChannel:
            return False
        return isinstance(answer, str) and answer.strip().lower() in ("y", "yes")

    async def _reconnect(self, ending: Ending) -> trio.abc.Stream:
        """Try until it works; jittered, so that a room does not come back all at once."""
        self.is_lost = True
        problem = "connection lost"
        if ending.why is Why.REFUSED:
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
