"""What attackers do at the doors of browsers and of IRC: for each kind of them a class.

What they say does not depend on what the members speak.
"""

from attackers import Silent, Slow
from hostile import CHUNK, Gang, Hostile
from wires import IRC_ROOM, PING, TEXT, UPGRADE, WEB, frame

HEAD = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
"""A head that is never whole."""

UNFINISHED = TEXT & 0x7F
"""How a text begins that is in fragments."""

FRAGMENT = 0x00
"""How the fragments after it begin."""


# ---- browsers


class HalfHead(Silent):
    """A stranger who sends half a head, and nothing more; and comes back."""

    back = 1.0

    def begin(self) -> bytes:
        """Half of it."""
        return HEAD


class SlowHead(Slow):
    """A stranger whose head comes a byte a second."""

    def begin(self) -> bytes:
        """Enough to be known."""
        return HEAD


class HugeHead(Hostile):
    """A stranger with a head of 100 kB."""

    count = 20
    back = 0.05

    def begin(self) -> bytes:
        """All of it."""
        return HEAD + b"x" * 100_000 + b"\r\n\r\n"


class Page(Hostile):
    """Somebody who loads the page as often as it can."""

    count = 20
    back = 0.0

    def begin(self) -> bytes:
        """Ask for it."""
        return b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class SilentSocket(Silent):
    """A stranger who opens a WebSocket, and says nothing; and comes back."""

    back = 1.0

    def begin(self) -> bytes:
        """Open it."""
        return UPGRADE


class Webbed(Hostile):
    """A member who sends the same as fast as it can, once it has joined from a browser."""

    count = 10
    back = 0.05
    flood = b""

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        self._flood = self.flood * (CHUNK // max(1, len(self.flood)))

    def begin(self) -> bytes:
        """Join."""
        return WEB.join(f"b{self.gang.counts['opened']}")

    def more(self) -> bytes:
        """The same again."""
        return self._flood


class Unmasked(Webbed):
    """One whose frame has no mask."""

    flood = b"\x81\x05hello"


class Announced(Webbed):
    """One who announces a frame of 1 GB, and sends of it as much as it may."""

    flood = b"x"

    def begin(self) -> bytes:
        """Announce it."""
        return super().begin() + b"\x81\xff" + (1 << 30).to_bytes(8, "big") + bytes(4)


class Fragments(Webbed):
    """One whose text has fragments of a byte without end."""

    flood = frame(b"x", FRAGMENT)

    def begin(self) -> bytes:
        """Begin it."""
        return super().begin() + frame(b"{", UNFINISHED)


class Empty(Webbed):
    """One who sends frames with nothing in them: texts, and fragments of one."""

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        text = frame(b"", FRAGMENT) if number % 2 else frame(b"")
        self._flood = text * (CHUNK // len(text))

    def begin(self) -> bytes:
        """Half of them begin one that never ends."""
        return super().begin() + (frame(b"{", UNFINISHED) if self.number % 2 else b"")


class Pings(Webbed):
    """One who asks whether the server is there; each is answered."""

    flood = frame(b"x" * 8, PING)


class DeafPings(Pings):
    """The same, with as much in each as may be, who reads none of the answers."""

    reads = False
    flood = frame(b"x" * 125, PING)


# ---- IRC


class Relayed(Webbed):
    """The same from an IRC client; every other one is not in yet, and never will be."""

    def begin(self) -> bytes:
        """Register, or begin to."""
        handle = f"q{self.gang.counts['opened']}"
        return b"CAP LS 302\r\n" if self.number % 2 else IRC_ROOM.join(handle)


class Nicks(Relayed):
    """One who takes other names without end."""

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        self._flood = b"".join(b"NICK z%d%x\r\n" % (number, one) for one in range(10_000))


class Joins(Relayed):
    """One who joins 5,000 channels: each in a line of its own, then many in one."""

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        names = [b"#c%d" % one for one in range(5000)]
        rows = [b",".join(names[start : start + 60]) for start in range(0, 5000, 60)]
        self._flood = b"".join(b"JOIN %b\r\n" % one for one in [*names, *rows])


class Users(Relayed):
    """One who says again and again who it is."""

    flood = b"USER a 0 * :b\r\nCAP LS 302\r\nPASS x\r\n"


class IrcPings(Relayed):
    """One who asks whether the server is there; each is answered."""

    flood = b"PING :12345678\r\n"


class DeafIrcPings(IrcPings):
    """The same, with much in each, who reads none of the answers."""

    reads = False
    flood = b"PING :" + b"x" * 400 + b"\r\n"
