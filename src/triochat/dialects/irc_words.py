"""The words of IRC: what a line is made of, how long it may be, and what may stand in it."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from triochat.invisible import HIDDEN
from triochat.lookalikes import mixture
from triochat.text import HANDLE_LIMIT, clean, could_be_handle, normalise_handle

SERVER = "*.triochat"
"""What the server calls itself. No handle looks like that."""

HOST = "triochat"
"""Where everybody comes from: nobody is told an address."""

LENGTH = 510
"""The most bytes in a line to a client, without its ending and its tags. (One takes the rest of a
longer line for another line: whoever was quoted in it would have spoken as the server.)"""

PARAMETERS = 15
"""The most parameters in a line; the last one takes the rest."""

_WORD = 64  # characters of a word that is repeated
_CHANNEL = 50  # bytes
_BLANK = re.compile(r"[\s:,!@*#]+")
_USUAL = re.compile(f"[A-Za-z0-9_.-]{{1,{HANDLE_LIMIT}}}")
_FORMATS = re.compile(
    r"\x03(\d{1,2}(,\d{1,2})?)?|\x04([0-9A-Fa-f]{6}(,[0-9A-Fa-f]{6})?)?|[\x02\x0f\x11\x16\x1d-\x1f]"
)
_TIED = re.compile(f"[{HIDDEN}\U0001f3fb-\U0001f3ff]")  # to the character before it
_GRAPHEME = 40  # characters that are looked at for a place where none is cut in two


class Line(NamedTuple):
    """What a client has said.

    Attributes:
        command: in capitals.
        parameters: as many as there are.
        rest: all that stands behind the command, as it was typed.
    """

    command: str
    parameters: list[str]
    rest: str


def parse(line: str) -> Line:
    """What this line says. Tags are left out, and from whom it says that it comes."""
    for mark in "@:":
        line = line.lstrip(" ")
        if line.startswith(mark):
            line = line.partition(" ")[2]
    command, _, rest = line.lstrip(" ").partition(" ")
    parameters: list[str] = []
    left = rest.lstrip(" ")
    while left and not left.startswith(":") and len(parameters) < PARAMETERS - 1:
        parameter, _, left = left.partition(" ")
        parameters.append(parameter)
        left = left.lstrip(" ")
    if left:
        parameters.append(left.removeprefix(":"))
    return Line(command.upper(), parameters, rest)


def unformatted(text: str) -> str:
    """A text without what gives it colours; ``clean`` alone would leave their numbers."""
    return _FORMATS.sub("", text)


def channel_of(room: str) -> str:
    """What the channel is called that is this room: ``#`` and its name, as far as that can be."""
    called = _BLANK.sub("-", clean(room)).encode()[:_CHANNEL].decode(errors="ignore")
    return f"#{called.strip('-') or 'room'}"


def nick_of(wanted: str, length: int) -> str:
    """A handle that a room may take, as near as can be to what a client wants to be called.

    Some clients wait for ever after they were refused for anything but that it is taken.
    """
    name = normalise_handle(wanted[: 2 * HANDLE_LIMIT])[: 2 * HANDLE_LIMIT]
    if not could_be_handle("_" + name):
        name = "".join(letter if could_be_handle("_" + letter) else "_" for letter in name)
    if mixture(name):  # of alphabets
        name = name.encode("ascii", "ignore").decode()
    name = name.lstrip(".-")[:length]
    return name if could_be_handle(name) else f"_{name}"[:length]


def word(text: str) -> str:
    """A text as one parameter in the middle of a line."""
    return "-".join(clean(text[:_WORD]).split()).lstrip(":") or "*"


@lru_cache(4096)
def source(handle: str, host: str = HOST) -> str:
    """How a line begins that this member says."""
    nick = name(handle)
    return f":{nick}!{nick}@{host}"


@lru_cache(4096)
def name(handle: str) -> str:
    """A handle as it stands in a line. Those that a room takes stand there as they are."""
    if _USUAL.fullmatch(handle):  # most
        return handle
    return _BLANK.sub("_", clean(handle[:HANDLE_LIMIT])) or "*"


def numeric(code: str, me: str, *parameters: str, text: str = "") -> str:
    """A line in which the server tells a client something, by a number; cut where it is too long.

    Args:
        code: which, three digits.
        me: what the client is called.
        parameters: a word each.
        text: what people read.
    """
    told = " ".join([f":{SERVER}", code, me, *parameters])
    return cut(f"{told} :{clean(text)}" if text else told)


def written(*lines: str) -> bytes:
    """These lines as they are sent."""
    return "".join([line + "\r\n" for line in lines]).encode()


def cut(line: str) -> str:
    """As much of it as may be in one line."""
    return line if _is_short(line) else split(line, LENGTH)[0]


def spread(head: str, text: str, tail: str = "") -> list[str]:
    """A text in as many lines as it takes, each between this head and this tail."""
    text = clean(text)
    if _is_short(head + text + tail):
        return [head + text + tail]
    most = LENGTH - len((head + tail).encode())
    return [head + piece + tail for piece in split(text, most)]


def split(text: str, most: int) -> list[str]:
    """The text in pieces of at most so many bytes: better cut at a space, and never in a letter.

    Joined they are the text. ``most`` must be enough for some letters.
    """
    pieces = []
    while len(text) > most or len(text.encode()) > most:
        count = len(text[:most].encode()[:most].decode(errors="ignore"))
        space = text.rfind(" ", count // 2, count) + 1
        count = space or _whole(text, count)
        pieces.append(text[:count])
        text = text[count:]
    return [*pieces, text]


def _whole(text: str, count: int) -> int:
    """So many characters, or a few less, where what is read as one would be cut in two."""
    for place in range(count, max(count - _GRAPHEME, 1), -1):
        after, before = text[place], text[place - 1]
        is_tied = _TIED.match(after) or unicodedata.category(after).startswith("M")
        if not is_tied and before != "\u200d":
            return place
    return count


def _is_short(line: str) -> bool:
    return len(line) <= LENGTH if line.isascii() else len(line.encode()) <= LENGTH
