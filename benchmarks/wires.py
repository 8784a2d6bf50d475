"""What is said to a server, and how its answers are told apart, on the wires that are attacked."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

SIGN = b"said=at"
"""Stands in what the talker says, and in nothing else."""

SAID = "said=at{}="
"""What a talker says: when it did."""

SAID_AT = re.compile(rb"said=at([0-9.]+)=")

SPAM = "x" * 64
"""What flooders say."""


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
"""How a WebSocket begins, without waiting for the answer. The key is the one of RFC 6455."""

TEXT, PING = 0x81, 0x89
"""How frames begin that are whole."""


def frame(payload: bytes, first: int = TEXT) -> bytes:
    """A frame of at most 64 KiB as browsers send it. It is masked, with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([first]) + length + bytes(4) + payload


def as_it_is(line: bytes) -> bytes:
    """What frames nothing."""
    return line


@dataclass(frozen=True)
class Wire:
    """A dialect, as far as attackers and members need it. Each `bytes` that is sent is lines.

    What is heard is looked through for words; so it does not matter whether it is in frames.

    Attributes:
        hello: joins under a handle, and `joined` stands in what answers that.
        ping: is answered by what has `pong` in it.
        words: says a text.
        name: takes another handle.
        who: asks who is here; each answer has `roster` in it.
        quit: asks to be let go.
        refused: lines that are refused to a member.
        author: stands in each message of somebody, and in nothing else.
        left: finds the handles of those who have left in bytes that have one of `leaving` in them.
        before: is sent before all else.
        framed: puts what is sent in a frame, where that must be.
    """

    hello: str
    joined: bytes
    ping: bytes
    pong: bytes
    words: str
    name: str
    who: bytes
    quit: bytes
    roster: bytes
    refused: bytes
    author: str
    leaving: tuple[bytes, ...]
    left: re.Pattern[bytes]
    before: bytes = b""
    framed: Callable[[bytes], bytes] = as_it_is

    def join(self, handle: str) -> bytes:
        """What lets one in under this handle."""
        return self.before + self.framed(self.hello.replace("HANDLE", handle).encode())

    def rename(self, handle: str) -> bytes:
        """What takes another handle."""
        return self.framed(self.name.replace("HANDLE", handle).encode())

    def say(self, text: str) -> bytes:
        """What tells everybody."""
        return self.framed(self.words.replace("TEXT", text).encode())

    def said_by(self, handle: str) -> bytes:
        """What stands in each message of this one."""
        return self.author.replace("HANDLE", handle).encode()


NDJSON = Wire(
    hello='{"type":"join","handle":"HANDLE"}\n',
    joined=b'"welcome"',
    ping=b'{"type":"ping"}\n',
    pong=b'"pong"',
    words='{"type":"say","text":"TEXT"}\n',
    name='{"type":"rename","handle":"HANDLE"}\n',
    who=b'{"type":"who"}\n',
    quit=b'{"type":"quit"}\n',
    roster=b'"roster","handles"',
    refused=b'{"type":"whisper","to":"nobody","text":"psst"}\n{"type":"say","txt":1\n',
    author='"handle":"HANDLE","text"',
    leaving=(b'"left"',),
    left=re.compile(rb'"type":"left","handle":"([^"]+)"'),
)

IRC = Wire(
    hello="NICK HANDLE\r\nUSER m 0 * :m\r\nJOIN #c\r\n",
    joined=b" 366 ",
    ping=b"PING x\r\n",
    pong=b" PONG ",
    words="PRIVMSG #c :TEXT\r\n",
    name="NICK HANDLE\r\n",
    who=b"NAMES #c\r\n",
    quit=b"QUIT\r\n",
    roster=b" 366 ",
    refused=b"PRIVMSG nobody :psst\r\n!!\r\n",
    author=":HANDLE!",
    leaving=(b" QUIT", b" PART"),
    left=re.compile(rb":([^! ]+)![^ ]+ (?:QUIT|PART)"),
)

WEB = replace(
    NDJSON,
    ping=frame(NDJSON.ping),
    who=frame(NDJSON.who),
    quit=frame(NDJSON.quit),
    refused=frame(NDJSON.refused),
    before=UPGRADE,
    framed=frame,
)

IRC_ROOM = replace(
    IRC,
    hello="NICK HANDLE\r\nUSER m 0 * :m\r\n",
    words="PRIVMSG #room :TEXT\r\n",
    who=b"NAMES #room\r\n",
)
"""IRC where whoever comes is in the room."""

WIRES = {"ndjson": NDJSON, "web": WEB, "irc-room": IRC_ROOM, "irc": IRC}
