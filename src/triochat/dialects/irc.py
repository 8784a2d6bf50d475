"""IRC, for whoever has a client of it: the room is its one channel.

A client is asked into the room when it has said what it is called (``NICK``, ``USER``, and ``CAP
END`` if it began with ``CAP``), and into the channel unasked. What it can do is fixed then, since
all who can do the same are told by one dialect.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import ClassVar

from triochat.dialects.base import Dialect, Setting, Speaker
from triochat.dialects.irc_answers import Here, Question, enter, greet, names, refusal, reply
from triochat.dialects.irc_commands import obey
from triochat.dialects.irc_events import CAPABILITIES, Style, dialect_of
from triochat.dialects.irc_words import (
    SERVER,
    Line,
    channel_of,
    cut,
    name,
    nick_of,
    parse,
    word,
    written,
)
from triochat.dialects.plain import EXPOSED
from triochat.messages import (
    Closing,
    Event,
    Join,
    Notice,
    Recalled,
    Refused,
    Roster,
    Say,
    Welcome,
    Who,
)
from triochat.order import AnyRequest, Reply
from triochat.passwords import PASSWORD_LENGTH
from triochat.text import clean
from triochat.words import found_of, past_line_of, statement_of, words_of

COMMANDS = (b"CAP", b"NICK", b"USER", b"PASS")
"""What an IRC client begins with, and a blank; in any case."""

MOST = 1000
"""Questions about who is here whose answers are still to come; no more are asked."""

_WAY_OUT = "; TLS is spoken on the same port"
_HOW = "/quote back N shows the newest N"
_NOT_IN = (
    "handle-invalid",
    "handle-taken",
    "handle-confusable",
    "handle-reserved",
    "password-needed",
    "password-wrong",
    "banned",
    "queue-full",
)
"""Codes of refusals of who asks to come in: it may say another nick then."""


class Stage(Enum):
    """How far a client has come."""

    NEW = auto()
    ASKED = auto()
    WAITING = auto()
    IN = auto()


class IrcSpeaker(Speaker):
    """A client of IRC. One that ends without a word is gone: it knows no token."""

    __slots__ = (
        "_asked_for",
        "_has_user",
        "_is_asking",
        "_me",
        "_nick",
        "_password",
        "_questions",
        "_refused",
        "_setting",
        "_stage",
        "_style",
        "_wanted",
        "dialect",
        "heard",
    )

    parting = "connection lost"
    line_length = 4096 + 512  # tags, and the rest
    final: ClassVar = frozenset({"password-needed", "password-wrong", "queue-full"})
    silence: ClassVar[float] = 90.0

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0
        self.dialect: Dialect
        self._style: Style
        self.dialect, self._style = dialect_of("#room")
        self._stage = Stage.NEW
        self._setting = Setting()
        self._me = "*"
        self._wanted = self._nick = self._refused = self._password = ""
        self._has_user = self._is_asking = False
        self._asked_for: tuple[str, ...] = ()
        self._questions: list[Question] = []

    def begin(self, setting: Setting) -> Sequence[AnyRequest]:
        """Know where that is; say what a person should know before it says more."""
        self._setting = setting
        self.dialect, self._style = dialect_of(channel_of(setting.room))
        if not setting.is_exposed:
            return ()
        return [Reply(self._style.notices(EXPOSED + _WAY_OUT * setting.has_tls, "*"))]

    @property
    def _here(self) -> Here:
        return Here(self._me, self._style.channel)

    # ---- what it says

    def hear(self, data: bytes | bytearray) -> list[AnyRequest]:
        """What it asks for; `heard` counts."""
        self.heard += 1
        return super().hear(data)

    def _read(self, lines: list[str | Refused]) -> list[AnyRequest]:
        asked: list[AnyRequest] = []
        is_in, said_here = self._stage is Stage.IN, f"PRIVMSG {self._style.channel} :"
        size = len(said_here)
        for line in lines:
            if isinstance(line, Refused):
                asked.append(line)
            elif is_in and line.startswith(said_here) and line.isprintable() and len(line) > size:
                asked.append(Say(line[size:]))  # most lines, at a glance
            elif (said := parse(line)).command:
                asked += map(self._ask, self._obey(said))
        return asked

    def _obey(self, said: Line) -> Sequence[AnyRequest | Question]:
        if said.command == "CAP":
            return self._negotiate(said.parameters)
        if self._stage is Stage.NEW and said.command not in ("PING", "PONG", "QUIT"):
            return self._introduce(said)
        return obey(self._here, said)

    def _ask(self, question: AnyRequest | Question) -> AnyRequest:
        """What the room is asked. Questions it answers by a `Roster` each, in their order."""
        if not isinstance(question, Question):
            return question
        if len(self._questions) >= MOST:
            return reply(self._here.numeric("263", "WHO", text="Too many at once; again"))
        self._questions.append(question)
        return Who()

    # ---- on its way in

    def _introduce(self, said: Line) -> Sequence[AnyRequest]:
        here, parameters = self._here, said.parameters
        match said.command:
            case "NICK" if not parameters or not parameters[0]:
                return [reply(here.numeric("431", text="No nickname given"))]
            case "NICK":
                self._wanted = parameters[0]
            case "USER" if len(parameters) < 4:
                return [reply(here.numeric("461", "USER", text="Not enough parameters"))]
            case "USER":
                self._has_user = True
            case "PASS" if not parameters:
                return [reply(here.numeric("461", "PASS", text="Not enough parameters"))]
            case "PASS":
                self._password = parameters[0][: PASSWORD_LENGTH + 1]
            case _:
                return [reply(here.numeric("451", text="Say NICK and USER first"))]
        return self._join()

    def _handle(self) -> str:
        """What it wants to be called, as near as the room can have it; but another than before."""
        wanted, length = self._wanted, self._setting.handle_length
        nick = nick_of(wanted, length)
        if nick == self._refused and len(wanted) > length:
            nick = nick_of(nick[:-1] + wanted[-1], length)
        return nick

    def _join(self) -> Sequence[AnyRequest]:
        if not self._wanted or not self._has_user or self._is_asking:
            return ()
        self._nick = self._handle()  # only now: any number of lines may say another
        self._stage, self._me = Stage.ASKED, self._nick
        self.dialect, self._style = dialect_of(self._style.channel, self._asked_for)
        return [Join(self._nick, self._password, None)]

    def _negotiate(self, parameters: list[str]) -> Sequence[AnyRequest]:
        """What it can do, as long as that is not fixed."""
        command, *more = [*parameters, ""]
        me, is_new = self._me, self._stage is Stage.NEW
        match command.upper():
            case "LS":
                self._is_asking = is_new
                return [reply(f":{SERVER} CAP {me} LS :{' '.join(CAPABILITIES)}")]
            case "LIST":
                return [reply(f":{SERVER} CAP {me} LIST :{' '.join(self._asked_for)}")]
            case "REQ":
                self._is_asking = is_new
                wanted = more[0].split()
                known = all(one.removeprefix("-") in CAPABILITIES for one in wanted)
                if known and is_new:
                    changed = {one.removeprefix("-"): not one.startswith("-") for one in wanted}
                    had = dict.fromkeys(self._asked_for, True) | changed
                    self._asked_for = tuple(sorted(one for one in had if had[one]))
                how = "ACK" if known and is_new else "NAK"
                return [reply(cut(f":{SERVER} CAP {me} {how} :{' '.join(map(word, wanted))}"))]
            case "END":
                self._is_asking = False
                return self._join() if is_new else ()
        return [reply(self._here.numeric("410", word(command), text="No such command"))]

    # ---- what it alone is told

    def tell(self, events: list[Event], me: str = "") -> bytes:
        """What the room tells it alone, and by what name it knows it."""
        self._learn(me)
        return b"".join([self._tell(event) for event in events])

    def _learn(self, me: str) -> None:
        self._me = name(me) if me else self._me

    def _tell(self, event: Event) -> bytes:
        match event:
            case Welcome():
                return self._let_in(event)
            case Roster():
                question = self._questions.pop(0) if self._questions else Question(names, [])
                return written(*question.answer(self._here, event, question.words))
            case Refused():
                return self._refuse(event)
            case Notice(text=text):
                return self._wait() + self._notice(text)
            case Recalled():  # never as lines, though they have times: many clients show no times
                earlier = map(past_line_of, event.messages)
                return self._notice("\n".join([*earlier, found_of(event, _HOW)]))
            case Closing():
                return self._notice(statement_of(event))
        return self._style.encode([event])

    def _let_in(self, welcome: Welcome) -> bytes:
        self._learn(welcome.handle)
        burst = [] if self._stage is Stage.WAITING else self._greeting()
        self._stage, self._password = Stage.IN, ""
        return written(*burst, *enter(self._here, welcome))

    def _greeting(self) -> list[str]:
        return greet(self._here, self._setting.room, self._setting.handle_length)

    def _wait(self) -> bytes:
        """The room is full, if this is what the room says to who wants to come in."""
        if self._stage is not Stage.ASKED:
            return b""
        self._stage = Stage.WAITING
        return written(*self._greeting())

    def _notice(self, text: str) -> bytes:
        """In the channel, as soon as it is there: people look at that."""
        is_in = self._stage is Stage.IN
        return self._style.notices(text, self._style.channel if is_in else self._me)

    def _refuse(self, refused: Refused) -> bytes:
        if refused.code == "not-joined" and not refused.id and self._questions:
            self._questions.pop(0)
        if self._stage is Stage.ASKED and refused.code in _NOT_IN:
            self._stage, self._me = Stage.NEW, "*"
            self._wanted, self._refused = "", self._nick
        line = refusal(self._here, refused)
        return written(line) if line else self._notice(words_of(refused))

    def tell_past(self, events: Sequence[Event], me: str = "") -> bytes:
        """Each says when that was, or it is a notice that says so in words."""
        self._learn(me)
        return self._style.encode_past(events)

    def ask_presence(self) -> bytes:
        """A ``PING``; all that it says is an answer."""
        return written(f"PING :{SERVER}")

    def part(self, reason: str) -> bytes:
        """``ERROR``, by which clients know that this is meant."""
        return written(cut(f"ERROR :Closing link: {clean(reason)}"))
