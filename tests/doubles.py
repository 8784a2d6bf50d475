"""What stands in for a person, for a sheet of paper, for a file, and for a server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio
import trio.testing

from triochat.circle import Circle
from triochat.connection import Connect
from triochat.dialects.base import Dialect, Setting, Speaker
from triochat.dialects.ndjson import decode_request, encode
from triochat.exceptions import UnreachableError
from triochat.framing import Lines
from triochat.messages import Event, Join, Joined, Refused, Request, Say, Typed
from triochat.order import AnyRequest, Reply
from triochat.passwords import Secret
from triochat.person import Person
from triochat.terminal import Terminal, View
from triochat.words import line_of, words_of


class Typist(Terminal):
    """A person whose keyboard is a channel, and whose screen is a list of plain lines."""

    def __init__(self) -> None:
        self.keys, self._lines = trio.open_memory_channel[str | Say](100)
        self.screen: list[str] = []
        self.asked: list[Request | None] = []
        self.past: list[bool] = []
        self.view = View()
        self.views: list[View] = []
        self.idle = trio.Event()
        self.idle.set()

    def update(self, view: View) -> None:
        """Show it."""
        self.view = view
        self.views.append(view)

    @property
    def prompt(self) -> str:
        """What stands before the line."""
        return self.view.question or (f"{self.view.handle}> " if self.view.handle else "")

    async def receive(self) -> str | Say:
        """The next line."""
        return await self._lines.receive()

    async def show(
        self, event: Event, me: str, asked: Request | None = None, *, is_past: bool = False
    ) -> None:
        """Put it on the screen."""
        self.asked.append(asked)
        self.past.append(is_past)
        self.screen.append(words_of(event, me))

    async def wait_idle(self) -> None:
        """Wait until the person types no more."""
        await self.idle.wait()

    async def type(self, line: str) -> None:
        """Type a line, and let everything happen that follows."""
        await self.keys.send(line)
        await trio.testing.wait_all_tasks_blocked()


class Paper:
    """An output that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def write(self, line: str) -> None:
        """Keep it."""
        await trio.lowlevel.checkpoint()
        self.lines.append(line)


class Text:
    """A source of bytes that has them all at once."""

    def __init__(self, text: bytes) -> None:
        self._left = [b"", text]

    async def receive_some(self) -> bytes:
        """All bytes; then none."""
        await trio.lowlevel.checkpoint()
        return self._left.pop()


class Stub:
    """A server that says and does what a test wants, and nothing by itself."""

    def __init__(self) -> None:
        self.ours, self.theirs = trio.testing.memory_stream_pair()
        self.joins: list[Join] = []

    async def connect(self) -> trio.abc.Stream:
        """The client's end."""
        await trio.lowlevel.checkpoint()
        return self.theirs

    async def say(self, *lines: bytes) -> None:
        """Send these lines."""
        await self.ours.send_all(b"".join(lines))

    async def tell(self, *events: Event) -> None:
        """Send these events, and let everything happen that follows."""
        await self.say(*map(encode, events))
        await trio.testing.wait_all_tasks_blocked()

    async def asked(self) -> list[Request | Refused]:
        """What the client has asked for since the last time; there must be something.

        Of how it asks to be let in only the handle and the password; the rest is in ``joins``.
        """
        lines = Lines().feed(await self.ours.receive_some())
        asked = [decode_request(str(line)) for line in lines]
        self.joins += [one for one in asked if isinstance(one, Join)]
        return [Join(one.handle, one.password) if isinstance(one, Join) else one for one in asked]


class Street:
    """Where servers may be: each connection leads to the next of these; None is nobody."""

    def __init__(self, *servers: Stub | None) -> None:
        self.tries: list[float] = []
        self._servers = [*servers]

    async def connect(self) -> trio.abc.Stream:
        """The client's end of a connection to the next server."""
        self.tries.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        server = self._servers.pop(0) if self._servers else None
        if server is None:
            raise UnreachableError("connection refused")
        return server.theirs


class Sitting:
    """Somebody at a terminal: the person, and what its `run` returned."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.ended: list[bool] = []


@asynccontextmanager
async def sitting(
    terminal: Terminal,
    connect: Connect,
    handle: str = "",
    offer: str = "",
    secret: Secret | None = None,
) -> AsyncIterator[Sitting]:
    """Somebody who chats where this leads to, until the end of the block."""
    circle = connect if isinstance(connect, Circle) else Circle({"here": connect})
    somebody = Sitting(Person(terminal, circle, handle, offer, secret))

    async def run() -> None:
        somebody.ended.append(await somebody.person.run(await circle()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        yield somebody
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


def box(text: bytes) -> bytes:
    """What is told at once, so that one sees that it was, and that it was wrapped once."""
    return b"[%d]" % len(text) + text


def _encode(events: list[Event]) -> bytes:
    lines = [line_of(event) + "\n" for event in events if not isinstance(event, Joined)]
    return "".join(lines).encode()


BOXES = Dialect("boxes", echoes=True, encode=_encode, frame=box)
"""A dialect that wraps what is told at once, and has no words for who joins."""


class BoxSpeaker(Speaker):
    """A door that uses all that a door may use, and shows it: plain lines in boxes.

    The first line begins with a word and a blank. A line `=x` it answers by itself: `<x>`; one that
    begins with a brace is JSON. What is for it alone has its handle before it.
    """

    __slots__ = ()

    dialect = BOXES
    parting = "box closed"
    patience = 7.0

    def begin(self, setting: Setting) -> Sequence[AnyRequest]:
        """Say hello, as the first of all, and where it is."""
        said = [name for name in ("is_remote", "is_sealed") if getattr(setting, name)]
        return [Reply(f"<{' '.join(['hello', setting.room, *said])}>".encode())]

    def _read(self, lines: list[str | Refused]) -> list[AnyRequest]:
        return [self._meant(line) for line in lines]

    def _meant(self, line: str | Refused) -> AnyRequest:
        if isinstance(line, Refused):
            return line
        line = line.removeprefix("box ").removeprefix("seat ")
        if line.startswith("{"):
            return decode_request(line)
        return Reply(f"<{line[1:]}>".encode()) if line.startswith("=") else Typed(line)

    def tell(self, events: list[Event], me: str = "") -> bytes:
        """Each with its handle before it."""
        told = map(self.dialect.encode, ([event] for event in events))
        return b"".join(f"({me})".encode() + one for one in told if one)

    def part(self, reason: str) -> bytes:
        """Its last word."""
        return f"<bye: {reason}>".encode()
