"""The way to a room that has several servers: one after the other, until one answers."""

from collections import deque
from collections.abc import Mapping

import trio

from triochat.connection import Connect
from triochat.exceptions import UnreachableError

ANSWER = 5.0
"""Seconds in which one of several must answer: half of the grace, so that nobody hears of it."""


class Circle:
    """The addresses of a room, as a `Connect`: each call goes on behind the one that answered last.

    So who has lost a server tries all others first. Whether one that answers is trusted is decided
    by the way to it.

    Args:
        ways: how to connect, by the address in words; in the order in which they are tried.

    Attributes:
        where: the address that was tried last, in words; just the room, where none has answered.
    """

    def __init__(self, ways: Mapping[str, Connect]) -> None:
        self._ways = deque(ways.items())
        self.where = self._ways[0][0]

    @property
    def elsewhere(self) -> str:
        """The address that is tried next, in words; empty where there is only one."""
        return self._ways[0][0] if len(self._ways) > 1 else ""

    async def __call__(self) -> trio.abc.Stream:
        """Connect to the next one that answers.

        Raises:
            UnreachableError: none does; of several it says the reason of each.
            UntrustedError: it is not known that what answers is the server; no other is tried.
        """
        if not self.elsewhere:
            return await self._ways[0][1]()
        problems = []
        for _ in range(len(self._ways)):
            self.where, connect = self._ways[0]
            self._ways.rotate(-1)
            try:
                with trio.fail_after(ANSWER):
                    return await connect()
            except UnreachableError as error:
                problems.append(f"{self.where}: {error}")
            except trio.TooSlowError:
                problems.append(f"{self.where}: no answer within {ANSWER:g} seconds")
        self.where = "the room"
        raise UnreachableError("; ".join(problems))

    async def again(self) -> trio.abc.Stream:
        """The same, but the one that answered last is the first to be tried."""
        self._ways.rotate(1)
        return await self()
