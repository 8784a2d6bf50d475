"""What hostile text does to a screen: nothing. Run as a program, this writes the table of it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
import trio.testing
from rich.console import Console

from doubles import Paper
from house import House, Peer, open_house
from triochat import order
from triochat.chat import Chat
from triochat.connection import Connection
from triochat.dialects.ndjson import decode_event, encode
from triochat.exceptions import RemoteProtocolError
from triochat.grammar import parse
from triochat.messages import (
    Action,
    Ban,
    Closing,
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Notice,
    Recalled,
    Refused,
    Removed,
    Renamed,
    Roster,
    Said,
    Topic,
    Welcome,
    Whispered,
)
from triochat.room import Room
from triochat.telling import Told
from triochat.terminal import View
from triochat.terminals.desk import HANDLE, Desk
from triochat.terminals.screen import Palette, Screen
from triochat.terminals.shown import Shown
from triochat.terminals.teletype import Teletype
from triochat.words import words_of

TABLE = Path(__file__).parent.parent / "docs" / "hostile-text.md"
AT = "2026-01-02T21:07:04.678Z"
NOW = datetime(2026, 1, 2, 21, 7, tzinfo=UTC)
CHARACTERS = 'may have letters, digits, "_", "." and "-" only, and no spaces'
EMPTY = "the message is empty; nothing was sent"

OWN = re.compile(r"\x1b\[[0-9;]*m")
"""What we send to a terminal ourselves: colours, and nothing else."""

NEVER = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What never reaches a screen; but for our own line ends."""


class Hostile(NamedTuple):
    """A text that somebody sends to harm a reader.

    Attributes:
        name: what it is.
        sent: the text.
        shown: what of it reaches a screen.
        named: how it stands in the refusal of it as a handle, if not as it is shown.
        refused: why the room does not take it as a message, if it does not.
        lines: what a plain peer has sent with it, where it breaks a line on the wire.
    """

    name: str
    sent: str
    shown: str
    named: str | None = None
    refused: str = ""
    lines: tuple[str, ...] = ()


FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"

HOSTILE = [
    Hostile("ESC: clear the screen (CSI 2J)", "a\x1b[2Jb", "a[2Jb"),
    Hostile("ESC: colour", "\x1b[31mred\x1b[0m", "[31mred[0m"),
    Hostile("ESC: where is the cursor? (typed back)", "a\x1b[6nb", "a[6nb"),
    Hostile("ESC: full reset", "a\x1bcb", "acb"),
    Hostile("OSC 0: the window's title", "\x1b]0;title\x07b", "]0;titleb"),
    Hostile(
        "OSC 8: a link that shows another",
        "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\",
        "]8;;http://x\\y]8;;\\",
    ),
    Hostile("OSC 52: the clipboard", "\x1b]52;c;aGk=\x07b", "]52;c;aGk=b"),
    Hostile("DCS: sixels", "\x1bPq#0\x1b\\b", "Pq#0\\b"),
    Hostile("C1 as a code point: CSI", "a\x9b2Jb", "a2Jb"),
    Hostile("C1 as a code point: OSC and ST", "a\x9d0;title\x9cb", "a0;titleb"),
    Hostile("C1: next line", "a\x85b", "a b"),
    Hostile("NUL", "a\0b", "ab"),
    Hostile("BEL", "a\ab", "ab"),
    Hostile("backspaces", "ab\b\bcd", "abcd"),
    Hostile("DEL", "a\x7fb", "ab"),
    Hostile("tab", "a\tb", "a b"),
    Hostile("CR: overprinting", "hello\rBob> hi", "hello Bob> hi"),
    Hostile("LF: a forged line", "hello\nBob> hi", "hello Bob> hi", lines=("hello", "Bob> hi")),
    Hostile("CRLF: a forged line", "hello\r\nBob> hi", "hello Bob> hi", lines=("hello", "Bob> hi")),
    Hostile("VT and FF", "a\vb\fc", "a b c"),
    Hostile("separators (FS, GS, RS, US)", "a\x1cb\x1dc\x1ed\x1fe", "a b c de"),
    Hostile("line separator", "a\u2028b", "a b"),
    Hostile("paragraph separator", "a\u2029b", "a b"),
    *(
        Hostile(f"bidi {name}", f"a{chr(code)}b", "ab")
        for code, name in (
            (0x202A, "embedding, left to right"),
            (0x202B, "embedding, right to left"),
            (0x202C, "pop"),
            (0x202D, "override, left to right"),
            (0x202E, "override, right to left"),
            (0x2066, "isolate, left to right"),
            (0x2067, "isolate, right to left"),
            (0x2068, "isolate, first strong"),
            (0x2069, "pop isolate"),
        )
    ),
    Hostile("bidi mark, right to left", "a\u200fb", "ab"),
    Hostile("bidi mark, beside Hebrew", "\u05d0!\u200f b", "\u05d0!\u200f b"),
    Hostile("zero-width space", "a\u200bb", "ab"),
    Hostile("word joiner", "a\u2060b", "ab"),
    Hostile("byte order mark", "a\ufeffb", "ab"),
    Hostile("zero-width joiner", "a\u200db", "ab"),
    Hostile("zero-width non-joiner, in Persian", "\u06cc\u200c\u062e", "\u06cc\u200c\u062e"),
    Hostile("a family, by zero-width joiners", FAMILY, FAMILY),
    Hostile("only joiners", "\u200d\u200d", "", refused=EMPTY),
    Hostile("a letter that nobody sees", "a\u3164b", "a b"),
    Hostile("a forged line, by blank Braille cells", "hi\u2800\u2800Bob> hi", "hi  Bob> hi"),
    Hostile("wide and narrow spaces", "a\u3000b\u2009c\xa0d", "a b c d", "a b c d"),
    Hostile("a note without a head", "a\U0001d159b", "a b"),
    Hostile("soft hyphen", "a\xadb", "ab"),
    Hostile("combining grapheme joiner", "a\u034fb", "ab"),
    Hostile(
        "a flood of 100 combining marks",
        "a" + "\u0301" * 100 + "b",
        "a" + "\u0301" * 4 + "b",
        "\xe1" + "\u0301" * 4 + "b",
    ),
    Hostile("interlinear annotation", "a\ufff9b\ufffac\ufffbd", "abcd"),
    Hostile("a language tag", "a\U000e0001b", "ab"),
    Hostile("words hidden in tag characters", "a\U000e0068\U000e0069b", "ab"),
    Hostile("only what chooses a form", "\ufe0f", "", refused=EMPTY),
    Hostile("a letter with what chooses a form", "a\ufe0fb", "ab"),
    Hostile("a flag, by tag characters", FLAG, FLAG),
    Hostile("a noncharacter", "a\ufffeb", "ab"),
    Hostile("rich markup: a close without an open", "[/]", "[/]"),
    Hostile("rich markup: colour", "[red]x[/red]", "[red]x[/red]"),
    Hostile("rich markup: a link", "[link=http://x]y[/link]", "[link=http://x]y[/link]"),
    Hostile("rich emoji", ":smile:", ":smile:"),
]

SURROGATE = "a\ud800b"
"""A lone surrogate: it is no text, and stands only in a JSON escape."""

TRUNCATED = "not a request: Input data was truncated; nothing was sent"

each = pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)


@asynccontextmanager
async def two_readers() -> AsyncIterator[tuple[House, Peer, Peer]]:
    """A room with Ann at plain lines, and Joe, who speaks NDJSON."""
    async with open_house() as house:
        ann, joe = await house.plain("Ann"), await house.ndjson("Joe")
        assert await ann.line() == "* Joe joined"
        yield house, ann, joe


# ---- through a room


@each
async def test_as_a_message(hostile: Hostile) -> None:
    """Said in either dialect, a plain peer reads only what is shown of it, or nothing at all."""
    async with two_readers() as (house, ann, joe):
        await joe.ask({"type": "say", "text": hostile.sent})
        if hostile.refused:
            assert (await joe.event())["text"] == hostile.refused
        else:
            assert await ann.line() == f"Joe> {hostile.shown}"
            assert (await joe.event())["text"] == hostile.shown
        eve = await house.plain("Eve")
        assert await ann.line() == "* Eve joined"
        await eve.type(hostile.sent)
        if hostile.refused:  # to a person it is a blank line
            assert await eve.heard_nothing()
        else:
            for line in hostile.lines or (hostile.shown,):
                assert await ann.line() == f"Eve> {line}"
        assert await ann.heard_nothing()


@each
async def test_as_a_whisper(hostile: Hostile) -> None:
    """Whispered in either dialect, its reader reads only what is shown of it."""
    async with two_readers() as (house, ann, joe):
        await joe.ask({"type": "whisper", "to": "Ann", "text": hostile.sent})
        if hostile.refused:
            assert (await joe.event())["text"] == hostile.refused
        else:
            assert await ann.line() == f"[Joe -> you] {hostile.shown}"
        eve = await house.plain("Eve")
        assert await ann.line() == "* Eve joined"
        await eve.type(f"\\msg Ann {hostile.sent}")
        if hostile.refused:
            assert await eve.line() == "! the command is \\msg NAME TEXT; nothing was sent"
        elif hostile.lines:
            first, second = hostile.lines
            assert await ann.hear(2) == [f"[Eve -> you] {first}", f"Eve> {second}"]
        else:
            assert await ann.line() == f"[Eve -> you] {hostile.shown}"
        assert await ann.heard_nothing()


@each
async def test_as_a_handle(hostile: Hostile) -> None:
    """It is nobody's handle, in either dialect; the refusal shows it as harmless as others do."""
    named = hostile.shown if hostile.named is None else hostile.named
    expected = f'handle "{named}" {CHARACTERS}; try another'
    async with two_readers() as (house, ann, joe):
        eve = await house.connect()
        await eve.ask({"type": "join", "handle": hostile.sent})
        assert (await eve.event())["text"] == expected
        await joe.ask({"type": "rename", "handle": hostile.sent})
        assert (await joe.event())["text"] == expected
        if not hostile.lines:
            zoe = await house.connect()
            await zoe.type(hostile.sent)
            assert await zoe.line() == f"! {expected}"
        assert await ann.heard_nothing()


@each
def test_as_a_reason_to_kick(hostile: Hostile) -> None:
    """The operator's own words are cleaned as anybody's."""
    room, boss = Room(), order.Peer("boss", is_console=True)
    for peer, handle in ((boss, "Server"), (order.Peer("a"), "Ann"), (order.Peer("j"), "Joe")):
        room.apply(order.Asked(peer, [Join(handle)], 0))
    requests = [Kick("Joe", hostile.sent), parse(f"\\kick Ann {hostile.sent}")]
    for request, handle in zip(requests, ("Joe", "Ann"), strict=True):
        assert isinstance(request, Kick)
        told = [one for one in room.apply(order.Asked(boss, [request], 0)) if isinstance(one, Told)]
        read = [words_of(event) for one in told for event in one.events]
        if not hostile.refused:
            reason = f"kicked: {hostile.shown}"
            assert read == [
                f"* Server closed the connection: {reason}",
                f"* {handle} left ({reason})",
            ]
        elif request.reason:
            assert read == [f"! {hostile.refused}"]


@each
def test_as_an_action_a_topic_and_a_reason_to_ban(hostile: Hostile) -> None:
    """What is done, what the room is about, and why somebody is banned are texts like any other."""
    room, boss = Room(), order.Peer("boss", is_console=True)
    for peer, handle in ((boss, "Server"), (order.Peer("a"), "Ann")):
        room.apply(order.Asked(peer, [Join(handle)], 0))
    shown = hostile.shown
    asked: list[tuple[Action | Topic | Ban, str]] = [
        (Action(hostile.sent), f"* Server {shown}"),
        (Topic(hostile.sent), f"* the topic was set by Server: {shown.strip()}"),
        (Ban("Ann", 0, hostile.sent), f"* Ann was banned by Server: {shown.strip()}"),
    ]
    for request, wanted in asked:
        [told, *_] = room.apply(order.Asked(boss, [request], 0))
        assert isinstance(told, Told)
        assert words_of(told.events[0]) == (f"! {hostile.refused}" if hostile.refused else wanted)
    assert ("Ann" in room.roster) == bool(hostile.refused)


@each
async def test_names_that_are_not_here(hostile: Hostile) -> None:
    """An unknown name and an unknown command come back to who typed them, as harmless."""
    async with two_readers() as (_, ann, joe):
        await joe.ask({"type": "whisper", "to": hostile.sent, "text": "x"})
        assert (await joe.event())["text"] == (
            f'nobody here is called "{hostile.shown}"; nothing was sent'
        )
        assert await ann.heard_nothing()


async def test_a_lone_surrogate() -> None:
    """A surrogate in a JSON escape, or as bytes on a plain line, is refused: it is no text."""
    async with two_readers() as (house, ann, joe):
        await joe.ask({"type": "say", "text": SURROGATE})
        assert (await joe.event())["text"] == TRUNCATED
        eve = await house.plain("Eve")
        assert await ann.line() == "* Eve joined"
        await eve.stream.send_all(SURROGATE.encode(errors="surrogatepass") + b"\n")
        assert (await eve.line()).startswith("! ")
        assert await ann.heard_nothing()


# ---- from a hostile server, which cleans nothing


def drawn(event: Event, me: str = "Joe", *, is_past: bool = False) -> str:
    """What the terminal of a person is sent for an event, without our own colours."""
    console = Console(width=1 << 16, force_terminal=True, color_system="256", highlight=False)
    with console.capture() as capture:
        for line in Screen(UTC).draw([Shown(event, me, is_past)], NOW, 200):
            console.print(line, soft_wrap=True)
    return OWN.sub("", capture.get())


async def printed(event: Event, me: str = "Joe") -> str:
    """What a printing terminal prints for an event."""
    paper = Paper()
    await Teletype(0, paper).show(event, me)
    [line] = paper.lines
    return line


def served(text: str) -> list[Event]:
    """Every event that can carry a text, with this text wherever there is one."""
    return [
        Said(1, AT, text, text),
        Whispered(1, AT, text, text, text),
        Welcome(text, text, (text, text)),
        Joined(text),
        Left(text, text),
        Renamed(text, text),
        Roster((text, text)),
        Refused("code", text),
        Closing(text),
    ]


def words(text: str) -> list[str]:
    """How these are read, where the text is harmless."""
    return [
        f"{text}> {text}",
        f"[{text} -> you] {text}",
        f"* {text} connected. You are {text}. 2 here: {text}, {text}",
        f"* {text} joined",
        f"* {text} left ({text})",
        f"* {text} is now {text}",
        f"* 2 here: {text}, {text}",
        f"! {text}",
        f"* Server closed the connection: {text}",
    ]


@each
async def test_from_a_hostile_server(hostile: Hostile) -> None:
    """Whatever a server sends in whichever field, a screen and a printer get what is shown."""
    for event, line in zip(served(hostile.sent), words(hostile.shown), strict=True):
        assert words_of(event, "Joe") == line
        assert await printed(event) == line
        assert drawn(event) == f"21:07 {line}\n"


@each
async def test_notices_of_a_hostile_server(hostile: Hostile) -> None:
    """A notice may have several lines, each of them marked as one; nothing else gets through."""
    shown = hostile.lines or (hostile.shown,)
    notice = Notice(hostile.sent)
    assert [line.rstrip() for line in (await printed(notice)).splitlines()] == [
        f"* {line}".rstrip() for line in shown
    ]
    assert drawn(notice).split() == f"21:07 * {' '.join(shown)}".split()


@each
def test_nothing_else_reaches_a_terminal(hostile: Hostile) -> None:
    """Between our own colours and line ends no control character is left, whoever is the reader."""
    again = Recalled((Said(1, AT, hostile.sent, hostile.sent),))
    removed = Removed((1,), hostile.sent, by=hostile.sent)
    for event in (*served(hostile.sent), Notice(hostile.sent), again, removed):
        for me in ("Joe", hostile.sent):
            for is_past in (False, True):
                assert NEVER.search(drawn(event, me, is_past=is_past)) is None
            assert NEVER.search(f"{words_of(event, me)}") is None


@each
async def test_over_the_wire_from_a_hostile_server(hostile: Hostile) -> None:
    """The whole way of the client, from the bytes to the paper."""
    ours, theirs = trio.testing.memory_stream_pair()
    paper = Paper()
    events = [Welcome("Joe", "Server", ("Joe",)), *served(hostile.sent)[:2], Closing("end")]
    await theirs.send_all(b"".join(map(encode, events)))
    await theirs.send_eof()
    terminal = _Silent(0, paper)
    async with Connection(ours) as connection:
        await Chat(terminal, connection, "Joe").run()
    assert paper.lines == [
        "* Server connected. You are Joe. 1 here: Joe",
        *words(hostile.shown)[:2],
        "* Server closed the connection: end",
    ]


class _Silent(Teletype):
    """A printing terminal at which nobody types."""

    async def receive(self) -> str:
        return await trio.sleep_forever()


def test_a_lone_surrogate_from_a_hostile_server() -> None:
    """What sends a lone surrogate does not speak JSON, and is no triochat server."""
    line = encode(Said(1, AT, "Ann", "TEXT")).decode().replace("TEXT", "a\\ud800b")
    with pytest.raises(RemoteProtocolError, match="not a triochat server"):
        decode_event(line)
    for event, line in zip(served(SURROGATE), words("ab"), strict=True):
        assert words_of(event, "Joe") == line
        assert drawn(event) == f"21:07 {line}\n"


@each
def test_before_the_line(hostile: Hostile) -> None:
    """A server that calls its reader something hostile does not get it into the editor."""
    desk = Desk(Palette())
    desk.view = View("127.0.0.1 port 9", hostile.sent, {hostile.sent})
    [fragment] = desk.prompt()
    assert fragment[1] == f"{hostile.shown[:HANDLE]}> "


# ---- the table

HEAD = """\
# What hostile text does to a screen

Nothing. This table is written by the test that checks it (`python tests/test_hostile.py` writes it
again, and `tests/test_hostile.py` fails when it is out of date). Each text is sent as a message, a
whisper, a handle and a reason to kick, by a plain peer and by a program that speaks NDJSON, as an
action, a topic and a reason to ban, and in every field of every event by a server that cleans
nothing.
*On a screen* is what is left of it: at `nc`, in the client's terminal (between the client's own
colours) and in `--plain`.

None of these texts can be a handle: they are refused, and shown in the refusal as on a screen.
Characters that are not ASCII are written as their code points.

| what | sent | on a screen |
| --- | --- | --- |
"""

TAIL = f"""\

A lone surrogate is not text: a program that sends one in a JSON escape is told
`{TRUNCATED}`, its bytes on a plain line are refused as not being UTF-8,
and a server that sends one is not a triochat server.

All that is blank is a space. Runs of spaces stay, since tables and code are made of them: a long
message may be filled up until its rest begins a row of its own, with spaces, dots, or a whole
sentence: `Ann> xxxx...xBob> hi` puts `Bob> hi` at the left edge of the next row. What stands
against it:

* The client's terminal indents all rows of a line but the first. So do `--plain` and `tail` where
  they write to a terminal that knows its width. No filling helps against that.
* At `nc`, and in what a server without a terminal shows, a terminal that we know nothing of breaks
  the lines. So in a message of a line of more than 40 characters a name never stands right before
  `> `, or before what looks like it (`Bob > hi`), `-> you]` is written `-> you ]`, and of more than
  three spaces in a row three stay. This alters a message a little (a pasted `mysql> select`), and
  only there: programs, and the client, get what was said.
* What is told again begins with `* earlier: ` there, each message of it. No message begins so, and
  who is called `earlier` cannot act (`\\me`); so nothing new looks past, nor what is past new.
* It does not prevent, at `nc`, that the rest of a message is taken for something else than a
  message: `* Bob left` or `! ...` at the left edge, behind 70 dots; or `Bob: hi`. To mark or break
  every long line would cost its readers more, and break links. Who must be sure uses the client.

Handles are held apart by more ([protocol.md](protocol.md#text)): no two look alike by Unicode's own
table, and none mixes alphabets. What that table tells apart may be side by side: accents (`Zoe` and
`Zo<U+00EB>`), small capitals, `5` and `S`, `Ann` and `Ann_`.

Joiners stay inside emoji, and after letters that join (Arabic, Persian, the alphabets of India and
their kin); what chooses the form of a character, after emoji, Han and Mongolian; tag characters
inside a flag. Marks of direction stay one at a time in a text that has letters from right to left:
who writes Hebrew or Arabic needs them beside signs and Latin words, and they do no more than such a
letter could. Elsewhere all of these are removed. A plain peer's LF ends its line: what comes
after it is that peer's next message, under its own name.
"""


def spell(text: str) -> str:
    """The text for a table: names or code points for what is not ASCII, or not printed."""
    pieces = re.findall(r"(?s)\u0301+|.", text)
    return f"`{''.join(map(_spell_piece, pieces))}`"


def _spell_piece(piece: str) -> str:
    if len(piece) > 1:
        return f"<{len(piece)} x U+{ord(piece[0]):04X}>"
    if " " <= piece <= "~":
        return piece
    return f"<{NAMES.get(piece, f'U+{ord(piece):04X}')}>"


NAMES = {"\0": "NUL", "\a": "BEL", "\b": "BS", "\t": "TAB", "\n": "LF", "\r": "CR"} | {
    "\x1b": "ESC",
    "\x7f": "DEL",
}
"""Of control characters that everybody knows by name."""


def render_table() -> str:
    """The page that tells all this."""
    rows = (
        f"| {hostile.name} | {spell(hostile.sent)} |"
        f" {f'refused: {hostile.refused}' if hostile.refused else spell(hostile.shown)} |\n"
        for hostile in HOSTILE
    )
    return HEAD + "".join(rows) + TAIL


def test_the_table_is_up_to_date() -> None:
    """The table in the documentation is what these tests check."""
    assert TABLE.read_text(encoding="utf-8") == render_table()


if __name__ == "__main__":
    TABLE.write_text(render_table(), encoding="utf-8")
