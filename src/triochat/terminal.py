"""A terminal: a person, or a pipe, as a channel, and what it shows besides events."""

from collections.abc import Collection
from typing import NamedTuple, Protocol

import trio

from triochat.grammar import BELLS
from triochat.ignored import Ignored
from triochat.messages import Event, Request, Say, Speech


class View(NamedTuple):
    """What a terminal shows besides events, and what it needs to know to help with the typing.

    Attributes:
        where: the other end, in words; None while one is not there, and nobody can be counted.
        handle: one's own; empty while there is none.
        roster: who is here. It goes on changing: copy it in one step (``list``, ``sorted``).
        lag: seconds between a question and its answer; None if not known.
        question: stands before the line; empty while what is typed is for the room.
        offer: the answer that Enter alone gives; shown with the question.
        is_secret: what is typed now is not shown, and not remembered.
        state: what is wrong with the connection, in words; empty if nothing is.
        holds: why no line can be taken just now: Enter leaves it where it is, and says this.
        handle_length: the most characters in a handle.
        unencrypted: who of the roster can be overheard.
        unconfirmed: what the person has said that nobody has confirmed or refused, oldest first:
            it is on its way, or will be as soon as there is a way. One object each, while it is.
    """

    where: str | None = None
    handle: str = ""
    roster: Collection[str] = ()
    lag: float | None = None
    question: str = ""
    offer: str = ""
    is_secret: bool = False
    state: str = ""
    holds: str = ""
    handle_length: int = 10
    unencrypted: Collection[str] = ()
    unconfirmed: tuple[Speech, ...] = ()


class Terminal(Protocol):
    """A person, or a pipe, as a channel: lines in, events out."""

    is_person: bool = True
    """Whether questions can be asked."""

    bell: str = BELLS[1]
    """When to ring, one of `BELLS`."""

    ignored: Ignored = Ignored()
    """Whose words are not shown; as long as the terminal is."""

    def update(self, view: View) -> None:
        """Show this from now on."""

    async def receive(self) -> str | Say:
        """The next line: `str` where the grammar says what it means, `Say` where it is data.

        Raises `trio.EndOfChannel` when there will be none.
        """

    async def show(
        self, event: Event, me: str, asked: Request | None = None, *, is_past: bool = False
    ) -> None:
        """Show an event, after all that was shown before.

        Args:
            event: what happened.
            me: what its reader was called then.
            asked: the reader's own request that it answers, if it answers one.
            is_past: it happened before its reader came, or while its reader was away; a notice
                that is past is the heading of what follows.
        """

    async def wait_idle(self) -> None:
        """Wait until nothing was typed for a second, or the shell got the rest of the line."""
        await trio.lowlevel.checkpoint()  # nobody can tell, or nobody types

    async def finish(self, problem: str) -> bool:  # noqa: ARG002
        """Say what is to be said at the very end; whether every line that was taken got through.

        There is a problem if something ended the chat that should not.
        """
        return True  # a person has seen what was refused
