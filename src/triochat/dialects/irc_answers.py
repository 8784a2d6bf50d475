"""What a client of IRC is told by numbers: that it is in, who is here, and what cannot be."""

import re
from collections.abc import Callable
from typing import NamedTuple

from triochat.dialects.irc_events import host_of
from triochat.dialects.irc_words import (
    LENGTH,
    SERVER,
    cut,
    name,
    numeric,
    source,
    split,
    word,
    written,
)
from triochat.messages import Refused, Roster, Welcome
from triochat.order import Reply

TARGETS = 4
"""So many names may stand in one line that asks for something of each."""

LISTED = 1000
"""So many are told of one by one; in a larger room they are more than a client shows."""

HOSTS, LOOKED_FOR = 5, 32
"""So many may be asked for in a `USERHOST` (as IRC has it), and in an `ISON`."""

_NAMED = re.compile(r'"([^"]+)"')
_USUAL = re.compile(r"[A-Za-z0-9_. -]*")
_UNSENT = "nothing was sent"
_AS_TEXT = str.maketrans({"{": "{{", "}": "}}"})

_NICK_NUMBERS = {
    "handle-invalid": "432",
    "handle-taken": "433",
    "handle-confusable": "433",
    "handle-reserved": "433",
    "no-such-handle": "401",
}
_CHANNEL_NUMBERS = {
    "message-too-long": "404",
    "muted": "404",
    "not-your-turn": "404",
    "quiet": "404",
    "waiting": "404",
    "queue-full": "471",
    "not-allowed": "482",
}
_NUMBERS = {
    "already-joined": "462",
    "banned": "465",
    "line-too-long": "417",
    "message-empty": "412",
    "not-joined": "451",
    "password-needed": "464",
    "password-wrong": "464",
}


class Here(NamedTuple):
    """Who a client is, and where.

    Attributes:
        me: its handle; ``*`` if it has none.
        channel: what the room is called.
    """

    me: str
    channel: str

    def numeric(self, code: str, *parameters: str, text: str = "") -> str:
        """What the server tells it by this number."""
        return numeric(code, self.me, *parameters, text=text)

    def means(self, channel: str) -> bool:
        """Whether this is the room."""
        return channel.casefold() == self.channel.casefold()


class Question(NamedTuple):
    """What a client wants to know of who is here, which the room is asked for.

    Attributes:
        answer: makes lines of it.
        words: what it was asked with.
    """

    answer: Callable[[Here, Roster, list[str]], list[str]]
    words: list[str]


def reply(*lines: str) -> Reply:
    """What is told without the room."""
    return Reply(written(*lines))


def refusal(here: Here, refused: Refused) -> str | None:
    """The number that says this, with the room's own sentence; None if none does."""
    code, text = refused.code, refused.text
    if code == "password-needed":  # the room says how our programs take it
        text = "this room has a password; connect with it as the server's password"
    meant = name(found[1]) if (found := _NAMED.search(text)) else "*"
    if text.endswith(_UNSENT) and code in ("not-allowed", "slow-down"):
        return here.numeric("404", here.channel, text=text)
    if number := _NICK_NUMBERS.get(code):
        return here.numeric(number, meant, text=text)
    if number := _CHANNEL_NUMBERS.get(code):
        return here.numeric(number, here.channel, text=text)
    number = _NUMBERS.get(code)
    return here.numeric(number, text=text) if number else None


# ---- on the way in


def greet(here: Here, room: str, handle_length: int) -> list[str]:
    """What a client waits for, once it is known what it is called."""
    network = word(room)
    supported = (
        "CHANTYPES=#",
        "PREFIX=(o)@",
        "CHANMODES=b,,,mnt",
        f"NICKLEN={handle_length}",
        "CASEMAPPING=ascii",
        "TOPICLEN=500",
        f"MODES={TARGETS}",
        f"MAXTARGETS={TARGETS}",
        f"NETWORK={network}",
        "UTF8ONLY",
        "WHOX",
    )
    return [
        here.numeric("001", text=f"Welcome to {room}, {here.me}"),
        here.numeric("002", text=f"Your host is {SERVER}, running triochat"),
        here.numeric("003", text=f"The one channel is {here.channel}; you are in as you connect"),
        here.numeric("004", SERVER, "triochat", "o", "bmnot", "bo"),
        here.numeric("005", *supported, text="are supported by this server"),
        *no_motd(here),
    ]


def no_motd(here: Here) -> list[str]:
    """There is no message of the day."""
    return [here.numeric("422", text="There is no message of the day")]


def enter(here: Here, welcome: Welcome) -> list[str]:
    """That it is in, though it did not ask for the channel; what that is about, and who is here."""
    topic = [here.numeric("332", here.channel, text=welcome.topic)] if welcome.topic else []
    who = Roster(welcome.roster, welcome.unencrypted, welcome.operators)
    me = source(welcome.handle, _host(who, welcome.handle))
    return [f"{me} JOIN {here.channel}", *topic, *names(here, who, [])]


# ---- who is here


def names(here: Here, roster: Roster, words: list[str]) -> list[str]:
    """Who is in the channel, as many in a line as fit."""
    asked = words[0] if words else here.channel
    lines = []
    if here.means(asked):
        head = f":{SERVER} 353 {here.me} = {here.channel} :"
        room = LENGTH - len(head.encode())
        lines = [head + piece.rstrip(" ") for piece in split(_marked(roster), room)]
    return [*lines, here.numeric("366", word(asked), text="End of names")]


def _marked(roster: Roster) -> str:
    """The names, operators with a mark. Most are as they stand, and all looked at at once."""
    handles = roster.handles
    called = " ".join(handles)
    if not _USUAL.fullmatch(called) or called.count(" ") != len(handles) - 1:
        called = " ".join(map(name, handles))
    if not roster.operators:
        return called
    marks = {name(one): f"@{name(one)}" for one in roster.operators}
    return " ".join([marks.get(one, one) for one in called.split(" ")])


def who(here: Here, roster: Roster, words: list[str]) -> list[str]:
    """Who is here, a line each; all of the channel, or one."""
    asked, fields = (words[0] if words else here.channel), (words[1] if len(words) > 1 else "")
    is_all = here.means(asked) or asked in ("*", "0")
    found = roster.handles if is_all else _found(roster, [asked])
    form = _who_form(here, fields)
    operators, exposed, at = {*roster.operators}, {*roster.unencrypted}, _servers(roster)
    lines = []
    for one in found[:LISTED]:
        host, flags = host_of(is_exposed=one in exposed), "H@" if one in operators else "H"
        gaps = {"nick": name(one), "host": host, "flags": flags, "server": at.get(one, SERVER)}
        lines.append(cut(form.format_map(gaps)))
    return [*lines, here.numeric("315", word(asked), text="End of who")]


def _who_form(here: Here, fields: str) -> str:
    """The line for each, with gaps: there may be a thousand."""
    nick = "{nick}"
    me, channel = here.me.translate(_AS_TEXT), here.channel.translate(_AS_TEXT)
    told = ["352", me, channel, nick, "{host}", "{server}", nick, "{flags}", ":0", nick]
    if fields.startswith("%"):
        wanted, _, token = fields[1:].partition(",")
        values = {"t": word(token[:3]).translate(_AS_TEXT), "c": channel, "u": nick}
        values |= {"i": "255.255.255.255", "h": "{host}", "s": "{server}", "n": nick}
        values |= {"f": "{flags}", "d": "0", "l": "0", "a": "0", "o": "n/a", "r": f":{nick}"}
        told = ["354", me, *(values[one] for one in values if one in wanted)]
    return " ".join([f":{SERVER}", *told])


def whois(here: Here, roster: Roster, words: list[str]) -> list[str]:
    """Who somebody is."""
    asked = word(words[-1])
    lines = []
    for one in _found(roster, words[-1:]):
        nick = name(one)
        mark = "@" * (one in roster.operators)
        lines = [
            here.numeric("311", nick, nick, _host(roster, one), "*", text=nick),
            here.numeric("319", nick, text=mark + here.channel),
            here.numeric("312", nick, _servers(roster).get(one, SERVER), text="triochat"),
        ]
    nobody = here.numeric("401", asked, text="nobody here is called so")
    return [*(lines or [nobody]), here.numeric("318", asked, text="End of whois")]


def userhost(here: Here, roster: Roster, words: list[str]) -> list[str]:
    """From where some are."""
    found = _found(roster, words[:HOSTS])
    told = [f"{name(one)}=+{name(one)}@{_host(roster, one)}" for one in found]
    return [here.numeric("302", text=" ".join(told) or " ")]


def ison(here: Here, roster: Roster, words: list[str]) -> list[str]:
    """Which of some are here."""
    found = _found(roster, " ".join(words).split()[:LOOKED_FOR])
    return [here.numeric("303", text=" ".join(map(name, found)) or " ")]


def channels(here: Here, roster: Roster, _: list[str]) -> list[str]:
    """The one channel, and how many are in it."""
    count = str(len(roster.handles))
    return [
        here.numeric("321", "Channel", text="Users  Name"),
        here.numeric("322", here.channel, count, text="the one channel"),
        here.numeric("323", text="End of list"),
    ]


def users(here: Here, roster: Roster, _: list[str]) -> list[str]:
    """How many are here."""
    count, servers = len(roster.handles), len({*roster.servers} - {""}) or 1
    told = f"There are {count} users and 0 invisible on {servers} server{'s'[: servers - 1]}"
    return [
        here.numeric("251", text=told),
        here.numeric("254", "1", text="channels formed"),
        here.numeric("255", text=f"I have {count} clients and {servers - 1} servers"),
    ]


def _found(roster: Roster, wanted: list[str]) -> list[str]:
    """Those who are here of some."""
    keys = {one.casefold() for one in wanted}
    return [one for one in roster.handles if one.casefold() in keys]


def _servers(roster: Roster) -> dict[str, str]:
    """At which server each is, where that is told."""
    at = zip(roster.handles, roster.servers, strict=False)
    return {handle: word(server) for handle, server in at if server}


def _host(roster: Roster, handle: str) -> str:
    return host_of(is_exposed=handle in roster.unencrypted)
