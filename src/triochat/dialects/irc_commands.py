"""What a client of IRC asks for that is in the room, or waits: a table of its commands."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from triochat import grammar
from triochat.dialects import irc_answers as answers
from triochat.dialects.irc_answers import TARGETS, Here, Question, reply
from triochat.dialects.irc_words import SERVER, Line, spread, unformatted, word
from triochat.messages import (
    Action,
    Ban,
    Deop,
    Kick,
    Notice,
    Op,
    Ping,
    Quiet,
    Quit,
    Rename,
    Say,
    Topic,
    Typed,
    Unban,
    Whisper,
)
from triochat.order import AnyRequest
from triochat.sanctions import as_network

Asked: TypeAlias = Sequence[AnyRequest | Question]
"""What a line leads to."""

_HOW = "type these without the \\ and behind /quote: /quote find tea"


class Command(NamedTuple):
    """What a command does, and how many parameters it must have."""

    act: Callable[[Here, list[str]], Asked]
    least: int = 0


def obey(here: Here, line: Line) -> Asked:
    """What this line asks for; where the room need not be asked, the answer."""
    command = COMMANDS.get(line.command)
    if command is None:
        known = grammar.COMMANDS.get(line.command.lower())
        if known and known.place is grammar.Place.LINE:
            return [Typed(f"\\{line.command} {line.rest.strip().removeprefix(':')}")]
        return [reply(here.numeric("421", word(line.command), text="There is no such command"))]
    if len(line.parameters) < command.least:
        return [reply(here.numeric("461", line.command, text="Not enough parameters"))]
    return command.act(here, line.parameters)


# ---- what is said


def _speak(here: Here, parameters: list[str]) -> Asked:
    if not parameters:
        return [reply(here.numeric("411", text="No recipient given"))]
    if len(parameters) < 2 or not parameters[1]:
        return [reply(here.numeric("412", text="No text to send"))]
    targets, text = parameters[0].split(","), parameters[1]
    asked = [one for to in targets[:TARGETS] for one in _speak_to(here, to, text)]
    return [*asked, *_too_many(here, targets)]


def _speak_to(here: Here, to: str, text: str) -> Asked:
    is_action = False
    if text.startswith("\x01"):
        kind, _, text = text.strip("\x01").partition(" ")
        is_action = kind.upper() == "ACTION"
        if not is_action:
            return []  # a program asks another program
    text = unformatted(text)
    if here.means(to):
        return [Action(text) if is_action else Say(text)]
    if to.startswith("#"):
        return _no_channel(here, to)
    return [Whisper(to, f"* {text}" if is_action else text)]


def _too_many(here: Here, targets: list[str]) -> Asked:
    if len(targets) <= TARGETS:
        return []
    text = f"At most {TARGETS} at once; nothing was done about the others"
    return [reply(here.numeric("407", word(targets[TARGETS]), text=text))]


# ---- the channel


def _join(here: Here, parameters: list[str]) -> Asked:
    targets = parameters[0].split(",")
    others = [one for one in targets[:TARGETS] if not here.means(one) and one != "0"]
    refused = [one for other in others for one in _no_channel(here, other)]
    return [*refused, *_too_many(here, targets), *(_part(here, []) if "0" in targets else [])]


def _no_channel(here: Here, channel: str) -> Asked:
    text = f"There is no such channel; this room is {here.channel}"
    return [reply(here.numeric("403", word(channel), text=text))]


def _part(here: Here, _: list[str]) -> Asked:
    return [Notice(f"{here.channel} is all that there is; /quit leaves")]


def _topic(here: Here, parameters: list[str]) -> Asked:
    if not here.means(parameters[0]):
        return _no_channel(here, parameters[0])
    return [Topic(unformatted(parameters[1]) or "-" if len(parameters) > 1 else "")]


def _kick(here: Here, parameters: list[str]) -> Asked:
    channel, handle, *why = parameters
    if not here.means(channel):
        return _no_channel(here, channel)
    return [Kick(handle, unformatted(why[0]) if why else "")]


def _mode(here: Here, parameters: list[str]) -> Asked:
    target, *more = parameters
    if not here.means(target):
        if target.startswith("#"):
            return _no_channel(here, target)
        return [reply(here.numeric("221", "+"))]
    if not more:
        return [reply(here.numeric("324", here.channel, "+nt"))]
    changes, *names = more
    asked: list[AnyRequest | Question] = []
    is_on, left = True, TARGETS
    for letter in changes:
        if letter in "+-":
            is_on = letter == "+"
        elif left:
            asked += _change(here, letter, is_on, names)
            left -= 1
        else:
            return [*asked, Notice(f"at most {TARGETS} modes at once; the others stay as they are")]
    return asked


def _change(here: Here, letter: str, is_on: bool, names: list[str]) -> Asked:
    """What is asked by one letter of a mode; it takes its name from the list."""
    if letter == "m":
        return [Quiet(is_on)]
    if letter == "b" and not names:
        text = "End of bans; operators see them by /quote bans"
        return [reply(here.numeric("368", here.channel, text=text))]
    if letter in "bo":
        if not names:
            return [reply(here.numeric("461", "MODE", text="Not enough parameters"))]
        whom = names.pop(0)
        if letter == "o":
            return [Op(whom) if is_on else Deop(whom)]
        return [Ban(_banned(whom)) if is_on else Unban(_banned(whom))]
    return [reply(here.numeric("472", word(letter), text="There is no such mode here"))]


def _banned(mask: str) -> str:
    """The handle, or the address, that is meant by a mask: ``Joe!*@*``, ``*!*@10.0.0.9``."""
    nick, _, more = mask.partition("!")
    user, _, host = (more or nick).partition("@")
    if host and as_network(host):
        return host
    return (user if nick == "*" else nick).strip("*~")


# ---- what one is called, and who is here


def _nick(here: Here, parameters: list[str]) -> Asked:
    """The ping is answered when it is known by what name it is told so."""
    if not parameters or not parameters[0]:
        return [reply(here.numeric("431", text="No nickname given"))]
    return [Rename(parameters[0]), Ping()]


def _ask(answer: Callable[..., list[str]], least: int = 0) -> Command:
    return Command(lambda _, parameters: [Question(answer, parameters)], least)


def _names(here: Here, parameters: list[str]) -> Asked:
    asked = parameters[0].split(",")[0] if parameters else here.channel
    return [Question(answers.names, [asked])]


def _whois(here: Here, parameters: list[str]) -> Asked:
    if not parameters:
        return [reply(here.numeric("431", text="No nickname given"))]
    return [Question(answers.whois, [parameters[-1].split(",")[0]])]


def _whowas(here: Here, parameters: list[str]) -> Asked:
    nick = word(parameters[0])
    nobody = here.numeric("406", nick, text="It is not remembered who that was")
    return [reply(nobody, here.numeric("369", nick, text="End of whowas"))]


def _away(here: Here, _: list[str]) -> Asked:
    return [reply(here.numeric("305", text="Nobody is marked as being away here"))]


def _pong(here: Here, parameters: list[str]) -> Asked:
    if not parameters:
        return [reply(here.numeric("409", text="No origin given"))]
    return [reply(*spread(f":{SERVER} PONG {SERVER} :", parameters[0])[:1])]


def _again(here: Here, _: list[str]) -> Asked:
    return [reply(here.numeric("462", text="You are registered already"))]


COMMANDS = {
    "PRIVMSG": Command(_speak),
    "NOTICE": Command(_speak),
    "TAGMSG": Command(lambda _here, _: []),
    "JOIN": Command(_join, 1),
    "PART": Command(_part),
    "TOPIC": Command(_topic, 1),
    "KICK": Command(_kick, 2),
    "MODE": Command(_mode, 1),
    "NICK": Command(_nick),
    "USER": Command(_again),
    "PASS": Command(_again),
    "PING": Command(_pong),
    "PONG": Command(lambda _here, _: []),
    "QUIT": Command(lambda _here, _: [Quit()]),
    "AWAY": Command(_away),
    "MOTD": Command(lambda here, _: [reply(*answers.no_motd(here))]),
    "VERSION": Command(
        lambda here, _: [reply(here.numeric("351", "triochat", SERVER, text="one room, one port"))]
    ),
    "NAMES": Command(_names),
    "WHO": _ask(answers.who),
    "WHOIS": Command(_whois),
    "WHOWAS": Command(_whowas, 1),
    "USERHOST": _ask(answers.userhost, 1),
    "ISON": _ask(answers.ison, 1),
    "LIST": _ask(answers.channels),
    "LUSERS": _ask(answers.users),
    "HELP": Command(lambda _here, _: [Notice(_HOW), Typed("\\help")]),
}
"""What a client can say. All else is a command of the grammar, or nothing."""
