"""What one peer may ask at once, how much of it is read at once, and what that costs it. Pure.

A stranger is heard a line at a time: enough for any way to join, and for some mistakes. A member
has the tokens of its host (see `ratelimit`), or as many as it likes.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from triochat.finding import RECALLED
from triochat.grammar import introduce, parse
from triochat.messages import Join, Pong, Refused, Roster, Typed, Who
from triochat.order import AnyRequest
from triochat.pace import CROWD
from triochat.ratelimit import TokenBucket
from triochat.telling import Recalls, Telling, Told

CHUNK = 1 << 14
"""Bytes taken from one peer before the others have their turn."""

SIP = 1 << 11
"""The same for whoever is held to a rate: little shall wait here of somebody who may vanish."""

DROP = 1 << 8
"""The same for strangers, of whom nothing is known, and of whom there may be many."""

LINES = 64
"""Lines that are understood before they may be asked; the other bytes that were read wait."""

REFUSED = 1.0
"""What a refusal costs, beside its line."""

PING = 0.1
"""What a ping costs: whoever asks whether we are there has to know."""

READING = 2.0
"""What it costs to read back, beside its line; each `MESSAGES` cost another."""

FINDING = 9.0
"""The same where words are looked for."""

MESSAGES = 50

_FRAME = 100  # bytes of an event beside its text

LINE = 512
"""Bytes of a line that costs one token; what is longer costs as many as it has of these."""

READ = 0.5
"""What it costs to be read from: as little as a byte may come at once."""

FAST = "you send more than {:g} lines a second; what comes faster is read later, and is not lost"
"""What a member is told when it begins to wait."""

AGAIN = 60.0
"""Seconds without having to wait after which a member is told once more that it has to."""

NAMES = 32
"""So many names in an answer cost as much as a line."""


class Allowance:
    """What one peer may ask.

    Args:
        tokens: what it can spend; None where it has no limit.
        is_stranger: it has not joined.

    Attributes:
        chunk: bytes to be read at once.
    """

    __slots__ = ("_is_stranger", "_tokens", "_waited", "chunk")

    def __init__(self, tokens: TokenBucket | None, *, is_stranger: bool = False) -> None:
        self._is_stranger = is_stranger
        self._tokens = tokens
        self._waited = -math.inf  # when it had to for the last time
        self.chunk = DROP if is_stranger else SIP if tokens else CHUNK

    def pieces(self, data: bytes | bytearray) -> Iterator[bytes | bytearray]:
        """What was read, in pieces of so few lines that what they ask for may wait here."""
        if self.chunk < CHUNK:
            while data.count(b"\n") > LINES:
                *_, rest = data.split(b"\n", LINES)
                yield data[: len(data) - len(rest)]
                data = rest
        yield data

    def portion(self, requests: Sequence[AnyRequest], members: int, now: float) -> int:
        """How many of these may be asked together now; one at least.

        In a large room who is there is asked alone: what one is told for one chunk must not be
        more than one's connection takes.
        """
        if self._is_stranger:
            return 1
        count = len(requests)
        if members > CROWD:
            places = (place for place, request in enumerate(requests) if _asks_names(request))
            count = next(places, count) or 1
        if self._tokens is not None:
            count = max(1, min(count, int(self._tokens.left(now))))
        return count

    def spend(self, count: int, told: Iterable[Telling], now: float) -> float:
        """Pay for so many lines that led to this; how many seconds to wait before the next."""
        return self._tokens.spend(price(count, told), now) if self._tokens else 0.0

    def weigh(self, size: int, count: int, now: float) -> float:
        """Pay for bytes, read at once, beside the lines that they make; how long to wait."""
        more = max(READ, size / LINE) - count
        return self._tokens.spend(more, now) if self._tokens and more > 0 else 0.0

    def begins_to_wait(self, now: float) -> bool:
        """Whether a member that has to wait is to be told so: not again and again."""
        waited, self._waited = self._waited, now
        return not self._is_stranger and now - waited > AGAIN


def price(count: int, told: Iterable[Telling]) -> float:
    """What so many lines cost that led to this."""
    cost = float(count)
    for telling in told:
        if type(telling) is Recalls:
            asked = telling.asked
            cost += FINDING if asked.find or asked.author else READING
            cost += min(max(0, asked.count), RECALLED) / MESSAGES
        elif type(telling) is Told and telling.to is not None:
            event = telling.events[0]
            if isinstance(event, Refused):
                cost += REFUSED
            elif isinstance(event, Roster):
                names = len(event.handles) + len(event.unencrypted) + len(event.servers)
                cost += names / NAMES
            elif isinstance(event, Pong):
                cost += PING - 1
    return cost


def size_of(telling: Telling) -> int:
    """About how many bytes each member is told by this; 0 where it is not for all."""
    if type(telling) is not Told or telling.to is not None:
        return 0
    return sum(_FRAME + len(getattr(event, "text", "").encode()) for event in telling.events)


def handle_asked(request: AnyRequest) -> str | None:
    """The handle under which a stranger wants to come in with this, if it does."""
    asked = introduce(request.line) if type(request) is Typed else request
    return asked.handle if isinstance(asked, Join) else None


def _asks_names(request: AnyRequest) -> bool:
    if type(request) is Typed:
        return isinstance(parse(request.line), Who)
    return type(request) is Who
