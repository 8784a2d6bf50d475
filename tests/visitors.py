r"""Visitors: who is in a room by one of its doors, and what it sees there, as facts.

Each reads its bytes by what the protocol's page says of its door; nothing of ours is used but the
framing. What a door cannot show as it was is compared as far as it can be shown: blanks count
nowhere, and a text that is told in several lines is one. (For IRC see `irc_visitors`.)
"""

import json
import random
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

import trio

from frames import Frames

GONE = (trio.BrokenResourceError, trio.ClosedResourceError, EOFError)


class Fact(NamedTuple):
    """Something that happened, as a door shows it.

    Attributes:
        kind: what.
        who: whose words or whose doing it is; empty if that is not shown.
        text: the words, without blanks; to whom, the new handle, ...
    """

    kind: str
    who: str
    text: str = ""


def fact(kind: str, who: str = "", text: str = "") -> Fact:
    """The same, of a text as it stands there."""
    return Fact(kind, who, "".join(text.split()))


def facts_of(event: dict[str, Any]) -> Iterable[Fact]:
    """What an event tells, as programs are told."""
    handle, text = event.get("handle", ""), event.get("text", "")
    match event["type"]:
        case "said":
            yield fact("action" if event.get("action") else "said", handle, text)
        case "whispered":
            yield fact("whispered", handle, f"{event['to']}: {text}")
        case "joined":
            yield fact("joined", handle)
        case "left":
            yield fact("left", handle, event["reason"])
        case "renamed":
            yield fact("renamed", handle, event["new"])
        case "moderated":
            deed = event.get("deed", "")
            if deed in ("op", "deop", "topic", "quiet"):
                yield fact(deed, event["by"], event.get("what", ""))
            else:
                yield fact("moderated", "", text)


def merged(facts: Iterable[Fact]) -> list[Fact]:
    """What one says in a row as one: a door may need several lines for a text."""
    whole: list[Fact] = []
    last = ""  # to whom was whispered last
    for one in facts:
        to, _, text = one.text.partition(":") if one.kind == "whispered" else ("", "", one.text)
        if whole and one.kind in LONG and whole[-1][:2] == one[:2]:
            more = text if to == last else f"|{one.text}"
            whole[-1] = whole[-1]._replace(text=whole[-1].text + more)
        else:
            whole.append(one)
        last = to
    return whole


LONG = ("said", "action", "whispered", "moderated")


class Visitor:
    """Somebody at a door.

    What it asks for has the same names at all doors: `join`, `say`, `act`, `whisper`, `rename`,
    `kick`, `topic`, `op`, `quit`.

    Attributes:
        handle: what it has heard last that it is called; empty as long as it is not in.
        facts: what it has seen since it was in.
        refusals: what it was told that it may not.
        ended: its connection has ended.
        echoes: it is told its own words.
    """

    echoes: bool = True

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream: trio.abc.HalfCloseableStream = stream
        self.handle = ""
        self.facts: list[Fact] = []
        self.refusals: list[str] = []
        self.ended = False
        self._rest = b""

    async def live(self) -> None:
        """Hear all until the end."""
        with suppress(*GONE):
            while data := await self.stream.receive_some(1 << 16):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    await self._hear(line.removesuffix(b"\r").decode())
        self.ended = True

    async def send(self, *lines: str) -> None:
        """Send these lines, if anybody is there."""
        with suppress(*GONE):
            await self.stream.send_all("".join(f"{line}\n" for line in lines).encode())

    async def cut(self) -> None:
        """Lose the connection."""
        with suppress(*GONE):
            await self.stream.aclose()

    async def _hear(self, line: str) -> None:
        raise NotImplementedError

    async def join(self, handle: str) -> None:
        """Come in."""
        raise NotImplementedError

    async def say(self, text: str) -> None:
        """Say it to all."""
        raise NotImplementedError

    async def act(self, text: str) -> None:
        """Do it."""
        raise NotImplementedError

    async def whisper(self, to: str, text: str) -> None:
        """Say it to one."""
        raise NotImplementedError

    async def rename(self, handle: str) -> None:
        """Be called otherwise."""
        raise NotImplementedError

    async def kick(self, handle: str, reason: str) -> None:
        """Put somebody out."""
        raise NotImplementedError

    async def topic(self, text: str) -> None:
        """Set what it is about."""
        raise NotImplementedError

    async def op(self, handle: str) -> None:
        """Make somebody an operator."""
        raise NotImplementedError

    async def quit(self) -> None:
        """Leave."""
        raise NotImplementedError

    def sees(self, event: dict[str, Any], me: str) -> list[Fact]:
        """How this event looks at this door to who is called so, if it is told at all."""
        own = event.get("handle") == me
        is_words = event["type"] in ("said", "whispered")
        if event["type"] == "whispered" and me not in (event["handle"], event["to"]):
            return []
        return [] if is_words and own and not self.echoes else [*self.looks(event, me)]

    def looks(self, event: dict[str, Any], me: str) -> Iterable[Fact]:  # noqa: ARG002
        """The facts of it."""
        return facts_of(event)


class Program(Visitor):
    """NDJSON."""

    async def _hear(self, line: str) -> None:
        event = json.loads(line)
        match event["type"]:
            case "welcome":
                self.handle = event["handle"]
            case "refused":
                self.refusals.append(event["code"])
            case "renamed" if event["handle"] == self.handle:
                self.facts += facts_of(event)
                self.handle = event["new"]
            case _:
                self.facts += facts_of(event)

    async def ask(self, kind: str, **fields: object) -> None:
        """Ask for this."""
        await self.send(json.dumps({"type": kind, **fields}))

    async def join(self, handle: str) -> None:
        """Come in."""
        await self.ask("join", handle=handle)

    async def say(self, text: str) -> None:
        """Say it to all."""
        await self.ask("say", text=text)

    async def act(self, text: str) -> None:
        """Do it."""
        await self.ask("action", text=text)

    async def whisper(self, to: str, text: str) -> None:
        """Say it to one."""
        await self.ask("whisper", to=to, text=text)

    async def rename(self, handle: str) -> None:
        """Be called otherwise."""
        await self.ask("rename", handle=handle)

    async def kick(self, handle: str, reason: str) -> None:
        """Put somebody out."""
        await self.ask("kick", handle=handle, reason=reason)

    async def topic(self, text: str) -> None:
        """Set what it is about."""
        await self.ask("topic", text=text)

    async def op(self, handle: str) -> None:
        """Make somebody an operator."""
        await self.ask("op", handle=handle)

    async def quit(self) -> None:
        """Leave."""
        await self.ask("quit")


class Browser(Program):
    """NDJSON over a WebSocket, in any fragments; without chance, in whole texts."""

    def __init__(
        self, stream: trio.abc.HalfCloseableStream, chance: random.Random | None = None
    ) -> None:
        self.frames = Frames(stream, chance)
        super().__init__(self.frames)

    async def quit(self) -> None:
        """Close the tab's connection."""
        with suppress(*GONE):
            await self.frames.leave()


class Typing(Browser):
    """A browser's page: what is typed goes as it was typed."""

    async def say(self, text: str) -> None:
        """Type it."""
        await self.ask("typed", line=text)

    async def whisper(self, to: str, text: str) -> None:
        """Type it."""
        await self.ask("typed", line=f"{text} > {to}")


class Lines(Visitor):
    """Plain lines, for people."""

    echoes = False
    _is_new = False
    _NO_LINE = re.compile(r"[\r\n]")
    _SAID = re.compile(r"(\S+)> (.*)")
    _WHISPERED = re.compile(r"\[(\S+) -> you\] (.*)")
    _STATED: ClassVar[dict[str, re.Pattern[str]]] = {
        "joined": re.compile(r"(\S+) joined()"),
        "left": re.compile(r"(\S+) left(?: \((.*)\))?"),
        "renamed": re.compile(r"(\S+) is now (\S+)"),
    }

    async def _hear(self, line: str) -> None:
        if line.startswith("! "):
            self.refusals.append(line)
        elif welcome := re.match(r"\* \S+ connected\. You are (\S+)\. ", line):
            self.handle, self._is_new = welcome[1], True
            return
        elif line.startswith("* Topic: ") and self._is_new:
            pass  # the second line of the welcome
        elif line.startswith("* "):
            self._hear_statement(line[2:])
        elif whispered := self._WHISPERED.fullmatch(line):
            self.facts.append(fact("whispered", whispered[1], f"{self.handle}: {whispered[2]}"))
        else:
            said = self._SAID.fullmatch(line)
            assert said, line
            self.facts.append(fact("said", said[1], said[2]))
        self._is_new = False

    def _hear_statement(self, line: str) -> None:
        if not self.handle or line.startswith("Server closed the connection: "):
            return
        for kind, pattern in self._STATED.items():
            if stated := pattern.fullmatch(line):
                self.facts.append(fact(kind, stated[1], stated[2] or ""))
                if kind == "renamed" and stated[1] == self.handle:
                    self.handle = stated[2]
                return
        self.facts.append(fact("stated", "", line))

    def looks(self, event: dict[str, Any], me: str) -> Iterable[Fact]:  # noqa: ARG002
        """It has one kind of line for whatever is done."""
        for one in facts_of(event):
            match one.kind:
                case "action":
                    yield fact("stated", "", f"{one.who} {one.text}")
                case "left" if one.text == "quit":
                    yield fact("left", one.who)
                case "moderated" | "op" | "deop" | "topic" | "quiet":
                    yield fact("stated", "", event["text"])
                case _:
                    yield one

    async def join(self, handle: str) -> None:
        """Come in."""
        await self.send(handle)

    async def say(self, text: str) -> None:
        """Say it to all, in one line."""
        await self.send(self._NO_LINE.sub(" ", text))

    async def act(self, text: str) -> None:
        """Do it."""
        await self.say(f"\\me {text}")

    async def whisper(self, to: str, text: str) -> None:
        """Say it to one."""
        await self.say(f"{text} > {to}")

    async def rename(self, handle: str) -> None:
        """Be called otherwise."""
        await self.send(f"\\nick {handle}")

    async def kick(self, handle: str, reason: str) -> None:
        """Put somebody out."""
        await self.send(f"\\kick {handle} {self._NO_LINE.sub(' ', reason)}")

    async def topic(self, text: str) -> None:
        """Set what it is about."""
        await self.send(f"\\topic {self._NO_LINE.sub(' ', text)}")

    async def op(self, handle: str) -> None:
        """Make somebody an operator."""
        await self.send(f"\\op {handle}")

    async def quit(self) -> None:
        """Leave."""
        await self.send("\\quit")
