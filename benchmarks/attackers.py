"""What attackers do: for each kind of them a class."""

import os
import random
import socket

from hostile import CHUNK, Gang, Hostile
from wires import NDJSON, SPAM


class Silent(Hostile):
    """A stranger who says nothing."""

    count = 400
    apart = 0.005


class Stubborn(Silent):
    """The same, and comes back."""

    back = 1.0


class Noisy(Hostile):
    """A stranger who sends garbage as fast as it can; every other one reads the answers."""

    count = 50
    back = 0.05

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        self.reads = number % 2 == 0

    def more(self) -> bytes:
        """Garbage."""
        return b"!!\n" * (CHUNK // 3)


class Slow(Hostile):
    """A stranger who sends a byte a second."""

    count = 100
    back = 1.0

    def tick(self, now: float) -> None:
        """A byte a second."""
        if now - self.began > 1.0:
            self.began = now
            self.send(b"a")


class Crowding(Slow):
    """Half of them say nothing, half send a byte a second; who is put out comes back."""

    count = 1000
    apart = 0.002

    def tick(self, now: float) -> None:
        """Half of them."""
        if self.number % 2:
            super().tick(now)


class Deaf(Hostile):
    """A stranger who is refused ten thousand times, and reads nothing of it."""

    count = 300
    reads = False

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        self._asked = 0

    def more(self) -> bytes:
        """Garbage, as much as an outbox is to be filled with."""
        self._asked += 1
        return b"!!\n" * 1000 if self._asked <= 10 else b""


class Costly(Hostile):
    """A stranger whose every handle is as dear to judge as one can be, 20 of them a second."""

    count = 10
    back = 1.0

    def tick(self, now: float) -> None:  # noqa: ARG002
        """Combining marks, in the wrong order."""
        self.send(f"a{chr(0x301) * 1020}{chr(0x323) * 1020}\n".encode())


class Flooder(Hostile):
    """A member who talks as fast as the socket takes it."""

    def begin(self) -> bytes:
        """Join."""
        return self.gang.wire.join(f"f{self.number}")

    def more(self) -> bytes:
        """Many messages."""
        line = self.gang.wire.say(SPAM)
        return line * (CHUNK // len(line))


class HitAndRun(Hostile):
    """A member who says two hundred things at once and goes, and comes back under another name."""

    count = 10
    back = 0.0

    def begin(self) -> bytes:
        """All of it."""
        wire = self.gang.wire
        return wire.join(f"h{self.gang.counts['opened']}") + wire.say(SPAM) * 200 + wire.quit


class Refused(Hostile):
    """A member who asks, as fast as it can, for what is refused."""

    def begin(self) -> bytes:
        """Join."""
        return self.gang.wire.join(f"x{self.number}")

    def more(self) -> bytes:
        """Many lines."""
        lines = self.gang.wire.refused
        return lines * (CHUNK // len(lines))


class Asker(Hostile):
    """A member who asks a hundred times who is here, and again when all is answered."""

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        self._answers = 0
        self._rest = b""

    def begin(self) -> bytes:
        """Join, and ask."""
        wire = self.gang.wire
        return wire.join(f"w{self.number}") + wire.who * 100

    def hear(self, data: bytes) -> None:
        """Count the answers."""
        roster = self.gang.wire.roster
        self._rest += data
        self._answers += self._rest.count(roster)
        self._rest = self._rest[-len(roster) + 1 :]
        if self._answers >= 100:
            self._answers -= 100
            self.gang.counts["done"] += 1
            self.send(self.gang.wire.who * 100)


class PlainAsker(Asker):
    """The same with plain lines, where there are any, as fast as it can; one name is not ASCII."""

    back = 0.05

    def begin(self) -> bytes:
        """Join."""
        wire = self.gang.wire
        return f"é{self.gang.counts['opened']}\n".encode() if wire is NDJSON else super().begin()

    def more(self) -> bytes:
        """Ask."""
        return b"?\n" * (CHUNK // 2) if self.gang.wire is NDJSON else b""


class Churner(Hostile):
    """Somebody who joins and vanishes, again and again."""

    count = 300
    back = 0.0

    def begin(self) -> bytes:
        """Join, each time under another handle."""
        return self.gang.wire.join(f"c{self.gang.counts['opened']}")

    def hear(self, data: bytes) -> None:
        """Once in, vanish."""
        if self.gang.wire.joined in data:
            self.gang.counts["done"] += 1
            self.close(reset=True)
            self.due = 0.0


class Restless(Churner):
    """Members who, as fast as they can, take other names, ask who is here, or come and go."""

    count = 6

    def begin(self) -> bytes:
        """Join."""
        return super().begin() if self.number % 3 == 2 else self.gang.wire.join(f"l{self.number}")

    def more(self) -> bytes:
        """What the others do, all over again; for IRC the same words as far as it has them."""
        wire = self.gang.wire
        if self.number % 3 == 0:
            names = [f"l{self.number}{'xy'[count % 2]}" for count in range(200)]
            return b"".join(map(wire.rename, names))
        return wire.who * 200 if self.number % 3 == 1 else b""

    def hear(self, data: bytes) -> None:
        """Some go as soon as they are in."""
        if self.number % 3 == 2:
            super().hear(data)


class Visitor(Hostile):
    """Somebody who is in the wrong place: says one thing, and waits 2 s for the end."""

    count = 200

    def tick(self, now: float) -> None:
        """Lose patience."""
        if self._socket and now - self.began > 2.0:
            self.close()


class HalfClose(Visitor):
    """Has nothing more to say after half a line."""

    def begin(self) -> bytes:
        """Half a line."""
        return b"half a li"

    def more(self) -> bytes:
        """Nothing, and never again."""
        if self._socket:
            self._socket.shutdown(socket.SHUT_WR)
        return b""


class Http(Visitor):
    """A web browser."""

    def begin(self) -> bytes:
        """A request."""
        return (
            b"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 14\r\n\r\nfirst\r\nsecond\r\n"
        )


class Tls(Visitor):
    """Somebody who wants to talk in secret: the beginning of a ClientHello."""

    def begin(self) -> bytes:
        """A record, in it a hello, in it random bytes."""
        return b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(506)


class Random(Visitor):
    """Somebody who sends what cannot be a line, 64 KiB of it, always the same for each."""

    def begin(self) -> bytes:
        """Random bytes."""
        return random.Random(self.number).randbytes(CHUNK)  # noqa: S311  no secret
