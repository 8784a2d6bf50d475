"""Visitors who come in by IRC, which read what they are told by what IRC says."""

import re

import trio

from visitors import Visitor, fact


class Irc(Visitor):
    """A client of IRC, which asks for these capabilities."""

    _NO_LINE = re.compile(r"[\0\r\n]")
    MOST = 510
    """Bytes in a line, without its tags and its end."""

    def __init__(
        self, stream: trio.abc.HalfCloseableStream, capabilities: tuple[str, ...] = ()
    ) -> None:
        super().__init__(stream)
        self.capabilities = capabilities
        self.echoes = "echo-message" in capabilities
        self.channel = "#room"
        self.numerics: list[tuple[str, list[str]]] = []
        self._nick = ""

    async def _hear(self, line: str) -> None:
        tags, line = line.split(" ", 1) if line.startswith("@") else ("", line)
        assert len(line.encode()) <= self.MOST, "no client must take the rest for another line"
        assert not self._NO_LINE.search(line)
        assert bool(tags) <= bool({"server-time", "message-tags"} & {*self.capabilities})
        source, line = line[1:].split(" ", 1) if line.startswith(":") else ("", line)
        middle, _, last = line.partition(" :")
        command, *parameters = [*middle.split(), *([last] if " :" in line else [])]
        if command == "PING":
            await self.send(f"PONG :{parameters[0]}\r")
        elif command in ("PRIVMSG", "NOTICE"):
            to, text = parameters
            self._hear_words(command, source.partition("!")[0], to, text)
        else:
            self._obey(command, parameters, source.partition("!")[0])

    def _obey(self, command: str, parameters: list[str], who: str) -> None:
        match command, parameters:
            case "NICK", [new]:
                self._see("renamed", who, new)
                self.handle = new if who == self.handle else self.handle
            case "JOIN", [self.channel]:
                if who == self._nick and not self.handle:
                    self.handle = who
                else:
                    self._see("joined", who)
            case "QUIT", [reason]:
                self._see("left", who, reason)
            case "KICK", [self.channel, whom, reason]:
                self._see("left", whom, reason)
            case "TOPIC", [self.channel, text]:
                self._see("topic", who, text)
            case "MODE", [self.channel, mode, *whom]:
                self._hear_mode(mode, who, *whom)
            case _ if command.isdecimal():
                self._hear_numeric(command, parameters)

    def _see(self, kind: str, who: str, text: str = "") -> None:
        if self.handle:
            self.facts.append(fact(kind, who, text))

    def _hear_mode(self, mode: str, who: str, whom: str = "") -> None:
        kinds = {"+o": ("op", whom), "-o": ("deop", whom), "+m": ("quiet", "on")}
        self._see(kinds.get(mode, ("quiet", "off"))[0], who, kinds.get(mode, ("", "off"))[1])

    def _hear_words(self, command: str, who: str, to: str, text: str) -> None:
        if command == "NOTICE":
            self._hear_notice(to, text)
        elif to != self.channel:
            self._see("whispered", who, f"{to}: {text}")
        elif text.startswith("\1ACTION ") and text.endswith("\1"):
            self._see("action", who, text[8:-1])
        else:
            assert "\1" not in text
            self._see("said", who, text)

    def _hear_notice(self, to: str, text: str) -> None:
        if text.startswith("! "):
            self.refusals.append(text)
        elif to == self.channel and not text.startswith("Server closed the connection: "):
            self._see("moderated", "", text)

    def _hear_numeric(self, number: str, parameters: list[str]) -> None:
        self.numerics.append((number, parameters))
        if number == "001":
            self._nick = parameters[0]
        if number[0] in "45":
            self.refusals.append(number)

    async def join(self, handle: str) -> None:
        """Register, and come in by that."""
        asked = " ".join(self.capabilities)
        cap = ["CAP LS 302\r", f"CAP REQ :{asked}\r", "CAP END\r"] if asked else []
        names = [f"NICK {handle}\r", f"USER {handle} 0 * :{handle}\r"]
        await self.send(*cap[:1], *names, *cap[1:])

    async def say(self, text: str) -> None:
        """Say it to all."""
        await self.send(f"PRIVMSG {self.channel} :{self._NO_LINE.sub(' ', text)}\r")

    async def act(self, text: str) -> None:
        """Do it."""
        await self.say(f"\1ACTION {text}\1")

    async def whisper(self, to: str, text: str) -> None:
        """Say it to one."""
        await self.send(f"PRIVMSG {to} :{self._NO_LINE.sub(' ', text)}\r")

    async def rename(self, handle: str) -> None:
        """Be called otherwise."""
        await self.send(f"NICK {handle}\r")

    async def kick(self, handle: str, reason: str) -> None:
        """Put somebody out."""
        await self.send(f"KICK {self.channel} {handle} :{self._NO_LINE.sub(' ', reason)}\r")

    async def topic(self, text: str) -> None:
        """Set what it is about."""
        await self.send(f"TOPIC {self.channel} :{self._NO_LINE.sub(' ', text)}\r")

    async def op(self, handle: str) -> None:
        """Make somebody an operator."""
        await self.send(f"MODE {self.channel} +o {handle}\r")

    async def quit(self) -> None:
        """Leave."""
        await self.send("QUIT :bye\r")
