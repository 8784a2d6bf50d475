r"""What a typed line means. One grammar for the client, the console and the plain dialect.

====================  ========================================================================
``hello``             said to everybody
``text > Joe``        told to Joe alone: white space around the last ``>``, and after it, at the
                      end, one word that could be a handle (``5 > 3`` is a message)
``?``                 who is here
``\quit``, ``/quit``  a command; ``\help`` lists them all
``\\text``            says the rest as it stands, from the second mark on; so does ``//text``
====================  ========================================================================

A blank line means nothing. A command that is not known, or lacks an argument, is refused: it is
never said, since what was meant is not known. A word after ``>`` that is longer than any handle
is still taken for a name, so that a typo makes a refusal and not a secret told to everybody.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches
from enum import Flag, auto
from typing import NamedTuple, TypeAlias, get_args

from triochat import messages
from triochat.durations import parse_duration
from triochat.invisible import HIDDEN
from triochat.text import TEXT_LENGTH, clean, could_be_handle, strip_invisible

PREFIXES = ("\\", "/")
"""What a command starts with; either may be typed, the first is shown."""

BELLS = ("off", "mention", "all")
"""When a terminal rings: never; when one is mentioned or whispered to; at every message."""

_WHISPER = re.compile(rf"(?s)(.*\S)\s+[{HIDDEN}]*>[{HIDDEN}]*\s+(\S+)\s*\Z")
_WORD = re.compile(r"\w")
_DIGITS = 10  # nothing that is counted has as many
_ID_DIGITS = 15  # of an id, at most
_IDS = 1000  # as many are forgotten at once
_SHOWN = 20  # characters of an unknown command that are repeated in its refusal


class Place(Flag):
    """Where a line is typed: what the commands are that make sense there."""

    LINE = 0  # at `nc`, or any other plain peer
    TERMINAL = auto()


class Bell(NamedTuple):
    """What one's own terminal is asked: when to ring; how it stands, if empty.

    No request: the room never hears of it.
    """

    setting: str


class Ignore(NamedTuple):
    """What one's own terminal is asked: not to show what this member says, or to show it again.

    Whom it does not show, if the handle is empty. No request: the room never hears of it.
    """

    handle: str = ""
    is_on: bool = True


class Export(NamedTuple):
    """What one's own terminal is asked: to write all messages to this file.

    No request: it makes many.
    """

    file: str


Local: TypeAlias = Bell | Ignore | Export
"""What is for the terminal where it was typed."""


class Command(NamedTuple):
    """A command: how it is typed, what it does, and what its arguments make.

    Each word of the usage after the first is an argument, what is in brackets may be left out, and
    the last one takes the rest of the line. ``build`` returns None where they do not fit.
    """

    usage: str
    purpose: str
    build: Callable[..., messages.Request | Local | None]
    place: Place = Place.LINE
    is_operators: bool = False

    @property
    def takes(self) -> list[str]:
        """Its arguments, as the usage names them."""
        return re.findall(r"\[.*?\]|\S+", self.usage)[1:]


def _minutes(text: str) -> float | None:
    """How many minutes this is, or ``90s``, ``10m``, ``2h``, ``1d``; None if it is no duration.

    What is too long for the wire is none either.
    """
    try:
        minutes = parse_duration(text, "m") / 60
    except ValueError:
        return None
    return minutes if minutes <= messages.LONGEST else None


def _ban(handle: str, minutes: str = "", why: str = "") -> messages.Ban | None:
    if (count := _minutes(minutes)) is not None:
        return messages.Ban(handle, count, why)
    if minutes[:1].isdecimal():  # it was meant as one, and must not become a ban without end
        return None
    return messages.Ban(handle, 0, f"{minutes} {why}".strip())


def _mute(handle: str, minutes: str = "0") -> messages.Mute | None:
    count = _minutes(minutes)
    return None if count is None else messages.Mute(handle, count)


def _back(count: str = "50") -> messages.Recall | None:
    is_number = count.isdecimal() and len(count) < _DIGITS and int(count)
    return messages.Recall(min(int(count), messages.PAGE)) if is_number else None


def _find(*found: str) -> messages.Recall | None:
    words, author = " ".join(found).split(), ""
    if len(words) > 1 and words[-2].lower() == "from":
        *words, _, author = words
    wanted = " ".join(words)
    if (wanted and not _WORD.search(wanted)) or max(len(wanted), len(author)) > TEXT_LENGTH:
        return None
    return messages.Recall(find=wanted, author=author)


def _since(span: str) -> messages.Recall | None:
    minutes = _minutes(span)
    return messages.Recall(messages.PAGE, minutes=minutes) if minutes else None


def _forget(what: str) -> messages.Forget | None:
    words = [word.removeprefix("#") for word in what.split()]
    if not all(word.isdecimal() and len(word) <= _ID_DIGITS for word in words):
        return messages.Forget(handle=what) if len(words) == 1 else None
    return messages.Forget((*map(int, words),)) if len(words) <= _IDS else None


def _operators(usage: str, purpose: str, build: Callable[..., messages.Request | None]) -> Command:
    return Command(usage, purpose, build, is_operators=True)


COMMANDS = {
    "who": Command("who", "who is here; ? does the same", messages.Who),
    "msg": Command("msg NAME TEXT", "tell NAME alone; TEXT > NAME does the same", messages.Whisper),
    "say": Command("say TEXT", "tell everybody, whatever TEXT looks like", messages.Say),
    "me": Command("me TEXT", "tell everybody what you do", messages.Action),
    "nick": Command("nick NAME", "call yourself NAME from now on", messages.Rename),
    "back": Command("back [N]", "what was said before, N messages of it", _back),
    "find": Command("find WORDS [from NAME]", "what was said with these words; by NAME", _find),
    "since": Command("since 30m", "what was said in the last 30 minutes; also 2h, 1d", _since),
    "export": Command(
        "export FILE", "write it all to FILE (.txt, .md or .jsonl)", Export, Place.TERMINAL
    ),
    "bell": Command(
        f"bell [{'|'.join(BELLS)}]",
        "ring never, when you are meant, or always",
        lambda setting="": Bell(setting) if setting in ("", *BELLS) else None,
        Place.TERMINAL,
    ),
    "ignore": Command(
        "ignore [NAME]", "do not show what NAME says; alone: list whom", Ignore, Place.TERMINAL
    ),
    "unignore": Command(
        "unignore NAME", "show it again", lambda name: Ignore(name, is_on=False), Place.TERMINAL
    ),
    "topic": Command(
        "topic [TEXT]", "what the room is about; operators set it, - removes it", messages.Topic
    ),
    "help": Command("help", "this list", lambda: None),
    "quit": Command("quit", "leave", messages.Quit),
    "kick": _operators("kick NAME [WHY]", "put NAME out of the room", messages.Kick),
    "ban": _operators(
        "ban NAME|ADDRESS [MINUTES] [WHY]", "keep out; MINUTES may be 90s, 2h, 1d", _ban
    ),
    "unban": _operators("unban NAME|ADDRESS", "let in again", messages.Unban),
    "mute": _operators("mute NAME [MINUTES]", "let NAME say nothing", _mute),
    "unmute": _operators("unmute NAME", "let NAME speak again", messages.Unmute),
    "bans": _operators("bans", "who is banned, and who is muted", messages.Bans),
    "stats": _operators("stats", "how the server does", messages.Stats),
    "servers": _operators("servers", "which servers share the room", messages.Servers),
    "forget": _operators(
        "forget ID...|NAME", "remove these messages, or all that NAME said", _forget
    ),
    "quiet": _operators(
        "quiet on|off",
        "only operators speak, or everybody",
        lambda on: messages.Quiet(on == "on") if on in ("on", "off") else None,
    ),
    "op": _operators("op NAME", "make NAME an operator", messages.Op),
    "deop": _operators("deop NAME", "let NAME be none any more", messages.Deop),
}


def parse(
    line: str, place: Place = Place.LINE
) -> messages.Request | messages.Answer | Local | None:
    r"""What a typed line asks for.

    Args:
        line: without its line end.
        place: where it was typed.

    Returns:
        A request for the room; or, where the room need not be asked, the answer that the typist
        gets at once; or None for a blank line. What is `Local` only at a terminal.
    """
    line = clean(line)  # nothing that nobody sees may decide whether this is a secret
    stripped = line.strip()
    if not stripped:
        return None
    if stripped == "?":
        return messages.Who()
    if stripped.startswith(PREFIXES):
        if stripped[1:2] == stripped[0]:
            return messages.Say(stripped[1:])
        return _parse_command(stripped[1:], place)
    whisper = ">" in line and _WHISPER.match(line)  # most lines are told by a glance
    if whisper:
        to = whisper[2]
        if not could_be_handle(to):
            to = strip_invisible(to)  # as it looks to a reader
        if could_be_handle(to):
            return messages.Whisper(to, whisper[1])
    return messages.Say(line)


def introduce(line: str) -> messages.Request | messages.Answer | Local:
    r"""What a line asks for that a stranger typed: to join under this handle.

    Only ``\quit`` and ``\help`` mean what they mean to a member.
    """
    if not line.strip().startswith(PREFIXES):
        return messages.Join(line.strip(" \t"))
    asked = parse(line)
    if isinstance(asked, messages.Quit | messages.Notice):
        return asked
    unsent = "; nothing was sent" if isinstance(asked, messages.Speech) else ""
    return messages.Refused("not-joined", f"first a handle, please{unsent}")


def _parse_command(typed: str, place: Place) -> messages.Request | messages.Answer | Local:
    name, arguments, *_ = [*typed.split(None, 1), "", ""]
    name = name.lower()
    if name == "help":
        return messages.Notice(help_text(place))
    command = COMMANDS.get(name)
    if command is None or command.place not in place:
        return _unknown(clean(name[:_SHOWN]), place)
    takes = command.takes
    words = arguments.split(None, len(takes) - 1)[: len(takes)]
    is_enough = len(words) >= sum(not word.startswith("[") for word in takes)
    built = command.build(*words) if is_enough else None
    unsent = "; nothing was sent" if command.build in get_args(messages.Speech) else ""
    return built or messages.Refused("usage", f"the command is \\{command.usage}{unsent}")


def _unknown(name: str, place: Place) -> messages.Refused:
    known = [known for known, command in COMMANDS.items() if command.place in place]
    near = "".join(f"did you mean \\{known}? " for known in get_close_matches(name, known, 1))
    return messages.Refused(
        "unknown-command",
        f"there is no command \\{name}; {near}\\help lists them, \\\\ at the start says the line"
        " as it stands",
    )


def help_text(place: Place = Place.LINE) -> str:
    """The list of commands that make sense there, a line each, written from the command table.

    What only operators may do stands at its end; whether one is an operator the room knows.
    """
    lines: list[str] = []
    for heading, is_operators in (([], False), (["operators also:"], True)):
        shown = [one for one in COMMANDS.values() if one.place in place]
        lines += heading + _lines([one for one in shown if one.is_operators is is_operators])
    return "\n".join(lines)


def _lines(commands: list[Command]) -> list[str]:
    width = max(len(command.usage) for command in commands)
    return [f"\\{command.usage:<{width}} {command.purpose}" for command in commands]
