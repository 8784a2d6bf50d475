"""The ledger in Redis Streams. No other module knows Redis, or coredis.

What coredis is used for is its connections, and what is said on them is Redis' own: commands are
here to be read as its manual writes them, cost half of what they cost by its client, and are never
said twice by themselves.
"""

import logging
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
from anyio import EndOfStream
from coredis.connection import (
    BaseConnection,
    BaseConnectionParams,
    TCPConnection,
    TCPLocation,
    UnixDomainSocketConnection,
    UnixDomainSocketLocation,
)
from coredis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ReadOnlyError,
)

from triochat.ledger import (
    DAMAGED,
    DUTY,
    LEASE,
    START,
    Access,
    Entry,
    GapError,
    LedgerError,
    LostError,
    Position,
    Reached,
    Standing,
)
from triochat.redis_scripts import FOUND, RESIGN, ROLL, SAVE, TAKE, THERE
from triochat.redis_url import RedisUrl, read_redis_url

PATIENCE = 5.0
"""Seconds in which Redis takes a connection, and in which it answers a command."""

BLOCK = 1000
"""Milliseconds for which a read waits for entries."""

COUNT = 500
"""The most entries of one read."""

Word = str | bytes | int
Command = tuple[bytes, *tuple[Word, ...]]

OLDEST = 7
"""The first release that will do."""

CLOSED = "has closed the connection"
WORDS: dict[type[Exception] | str, str] = {
    ReadOnlyError: "is a replica, and takes no writes",
    BusyLoadingError: "still reads what it has kept",
    AskError: "has this room at another node of its cluster; name that in the URL: {}",
    AuthenticationError: "wants another password, or another user",
    AuthorizationError: "does not let this user do what a room needs: {}",
    ssl.SSLCertVerificationError: "is not trusted: {}; name its authority by ?ssl_ca_certs=FILE",
    ssl.SSLError: "cannot be spoken to by TLS: {}",
    TimeoutError: "does not answer",
    EndOfStream: CLOSED,
    "Connection lost": CLOSED,
    "Connection not usable": CLOSED,
    "Protocol Error": "is no Redis",
    "OOM": "refuses for lack of memory",
    "MISCONF": "refuses, since it cannot write to its disk",
    "MASTERDOWN": "is a replica that has lost its master",
    "BUSY": "is busy with a script",
}
"""What Redis does, by what coredis raises, or by what Redis says first."""

FINAL = (AuthenticationError, AuthorizationError, ssl.SSLCertVerificationError)
"""What does not go away by itself."""

logging.getLogger("coredis").setLevel(logging.CRITICAL)  # whoever asks is told why not, in words


class Streams:
    """One room's ledger in Redis: a stream, and a few keys beside it, all in one slot of a cluster.

    Args:
        url: where it is, see `redis_url`.
        room: its name; servers with the same one share it.

    Raises:
        ValueError: that is no such URL; never quotes it.
    """

    def __init__(self, url: str, room: str) -> None:
        self._url = read_redis_url(url)
        self.where = str(self._url)
        if not room:
            raise ValueError("a room that servers share needs a name")
        tag = room.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
        self._prefix = f"triochat:{{{tag}}}:"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Access]:
        """Reach it by connections of its own. See `Ledger.open`."""
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            try:
                yield await self._reach(nursery)
            except Exception as error:  # noqa: BLE001  raised here it would become a group
                failure = error
            nursery.cancel_scope.cancel()
        if failure:
            raise failure

    async def _reach(self, nursery: trio.Nursery) -> Access:
        try:
            asking, following = [await self._connect(nursery) for _ in range(2)]
            facts = await _look(asking, self.where, f"{self._prefix}none")
        except LedgerError as error:
            if isinstance(error.__cause__, FINAL):
                raise ValueError(str(error)) from error
            raise
        return _Streams(self.where, self._prefix, facts["run_id"], asking, following)

    async def _connect(self, nursery: trio.Nursery) -> BaseConnection:
        connection = _make_connection(self._url)
        if error := await nursery.start(_hold, connection):
            await trio.lowlevel.checkpoint_if_cancelled()  # coredis makes an error of that
            raise _failure(self.where, error) from _reason_of(error)
        return connection


async def _hold(connection: BaseConnection, task_status: trio.TaskStatus[Exception | None]) -> None:
    """Hold a connection; starts with why there is none (older trios lose what is behind that)."""
    try:
        await connection.run(task_status=task_status)
    except Exception as error:  # noqa: BLE001  see `_say`
        task_status.started(error)


def _make_connection(url: RedisUrl) -> BaseConnection:
    params: BaseConnectionParams = {
        "username": url.user,
        "password": url.password,
        "db": url.database,
        "ssl_context": url.tls,
        "connect_timeout": PATIENCE,
        "stream_timeout": PATIENCE,
    }
    if url.path:
        return UnixDomainSocketConnection(UnixDomainSocketLocation(url.path), **params)
    return TCPConnection(TCPLocation(url.host, url.port), **params)


async def _look(connection: BaseConnection, where: str, none: str) -> dict[str, str]:
    """What Redis says of itself, if it can be used. The key ``none`` is never written."""
    [info] = await _say(connection, where, (b"INFO",))
    facts = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    version = facts.get("redis_version", "0")
    if int(version.partition(".")[0]) < OLDEST:
        raise ValueError(f"{where} is version {version}; {OLDEST} or later is needed")
    if (policy := facts.get("maxmemory_policy", "unknown")) != "noeviction":
        raise ValueError(
            f"{where} may throw away what a room needs (maxmemory-policy {policy});"
            " change that by: redis-cli config set maxmemory-policy noeviction"
        )
    if facts.get("role") != "master":  # it may take writes, and lose them
        raise LedgerError(f"{where} {WORDS[ReadOnlyError]}")
    await _say(connection, where, _xadd(none, b""))  # refused as any other entry would be
    return facts


class _Streams:
    """Redis, reached by two connections: reading keeps its own waiting. See `Access`."""

    def __init__(
        self, where: str, prefix: str, run: str, asking: BaseConnection, following: BaseConnection
    ) -> None:
        self.run = run
        self._where = where
        self._prefix = prefix
        self._order, self._snapshot = f"{prefix}order", f"{prefix}snapshot"
        self._duty, self._lead = f"{prefix}duty", f"{prefix}lead"
        self._asking = asking
        self._following = following
        self._leader = "nobody"
        """The incarnation that took the lead here."""

    async def read(self, after: Position) -> Sequence[Entry]:
        limits = (b"COUNT", COUNT, b"BLOCK", BLOCK)
        place = _write_position(after)
        xread = (b"XREAD", *limits, b"STREAMS", self._order, place)
        is_there = (b"EVAL", THERE, 1, self._order, place)
        found, count = await _say(self._following, self._where, xread, is_there)
        if not (found or count):
            raise self._lost()
        if not count and after != START:
            raise GapError(f"{self._where} has not kept all that was written")
        return _read_entries(found[self._order.encode()]) if found else []

    async def last(self) -> Position | None:
        [found] = await self._ask((b"XREVRANGE", self._order, b"+", b"-", b"COUNT", 1))
        return _read_entries(found)[0].position if found else None

    async def standing(self, position: Position) -> Standing:
        place = _write_position(position)
        found, oldest = await self._ask(
            (b"XRANGE", self._order, place, place),
            (b"XRANGE", self._order, b"-", b"+", b"COUNT", 1),
        )
        if found:
            return Standing.KEPT
        is_older = oldest and position < _read_entries(oldest)[0].position
        return Standing.TRIMMED if is_older else Standing.LOST

    async def add(self, data: bytes) -> None:
        [place] = await self._ask(_xadd(self._order, data))
        if not place:
            raise self._lost()

    async def found(self, entry: bytes, snapshot: bytes, former: Position | None = None) -> bool:
        leader, time = (self._leader, former.time) if former else ("", 0)
        keys = (self._order, self._snapshot, self._lead)
        return bool(await self._run(FOUND, keys, leader, time, entry, snapshot))

    async def load(self) -> tuple[Position, bytes] | None:
        [found] = await self._ask((b"GET", self._snapshot))
        if found is None:
            return None
        place, _, snapshot = found.partition(b" ")
        try:
            return _read_position(place), snapshot
        except ValueError:
            raise LedgerError(DAMAGED) from None

    async def save(self, snapshot: bytes, position: Position, keep: Position) -> None:
        oldest = _write_position(min(position, keep))
        keys = (self._order, self._snapshot)
        await self._run(SAVE, keys, _write_position(position), oldest, snapshot)

    async def holder(self, name: str) -> tuple[str, float]:
        key = self._lease(name)
        held, left = await self._ask((b"GET", key), (b"PTTL", key))
        return (held.decode(), left / 1000) if held and left > 0 else ("", 0.0)

    async def sign(self, name: str, incarnation: str, names: Sequence[str]) -> dict[str, str]:
        leases = [self._lease(each) for each in (name, *names)]
        _, [_, *found] = await self._ask(
            (b"SET", leases[0], incarnation, b"PX", _milliseconds(LEASE)), (b"MGET", *leases)
        )
        return {each: held.decode() for each, held in zip(names, found, strict=True) if held}

    async def resign(self, name: str, incarnation: str) -> None:
        await self._run(RESIGN, (self._lease(name), self._duty), incarnation)

    async def take_duty(self, incarnation: str) -> bool:
        return bool(await self._run(TAKE, (self._duty,), incarnation, _milliseconds(DUTY)))

    async def take_lead(self, incarnation: str) -> bool:
        self._leader = incarnation
        return bool(await self._run(TAKE, (self._lead,), incarnation, _milliseconds(DUTY)))

    async def call_roll(self, name: str, reached: Reached) -> dict[str, Reached]:
        roll = (f"{self._prefix}roll:{self.run}",)
        value = f"{reached.entries}:{_write_position(reached.position)}"
        said = await self._run(ROLL, roll, name, value, _milliseconds(DUTY))
        return {
            each.decode(): _read_reached(value)
            for each, value in zip(said[::2], said[1::2], strict=True)
        }

    def _lease(self, name: str) -> str:
        return f"{self._prefix}lease:{name}"

    def _lost(self) -> LostError:
        return LostError(f"{self._where} has lost the room: its entries are gone")

    async def _run(self, script: str, keys: Sequence[str], *values: Word) -> Any:  # noqa: ANN401
        words: Sequence[Word] = (script, len(keys), *keys, *values)
        [answer] = await self._ask((b"EVAL", *words))
        return answer

    async def _ask(self, *commands: Command) -> list[Any]:
        return await _say(self._asking, self._where, *commands)


async def _say(connection: BaseConnection, where: str, *commands: Command) -> list[Any]:
    """What Redis answers to these commands, which are sent at once; or a `LedgerError`."""
    try:
        requests = [connection.create_request(name, *rest) for name, *rest in commands]
        return [await request for request in requests]
    except Exception as error:  # noqa: BLE001  whatever its connection has died of
        raise _failure(where, error) from _reason_of(error)


def _failure(where: str, error: Exception) -> LedgerError:
    """Say why Redis does not do what it is asked."""
    reason = _reason_of(error)
    text = str(reason) or type(reason).__name__
    if isinstance(reason, ssl.SSLError):
        text = getattr(reason, "verify_message", None) or str(reason.reason)
    elif isinstance(reason, OSError) and reason.errno:  # trio's has more words
        text = os.strerror(reason.errno) if reason.errno > 0 else str(reason.strerror)
        text = text.lower()
    for kind, words in WORDS.items():
        if text.startswith(kind) if isinstance(kind, str) else isinstance(reason, kind):
            return LedgerError(f"{where} {words.format(text)}")
    return LedgerError(f"{where}: {text}")


def _reason_of(error: BaseException) -> BaseException:
    """What is behind this; there is one error for each address."""
    if isinstance(error, BaseExceptionGroup):
        return _reason_of(error.exceptions[0])
    return _reason_of(error.__cause__) if error.__cause__ else error


def _xadd(key: str, data: bytes) -> Command:
    return (b"XADD", key, b"NOMKSTREAM", b"*", b"data", data)


def _read_entries(found: list[tuple[bytes, list[bytes]]]) -> list[Entry]:
    return [Entry(_read_position(place), fields[1]) for place, fields in found]


def _read_position(place: bytes) -> Position:
    time, _, number = place.partition(b"-")
    return Position(int(time), int(number))


def _read_reached(value: bytes) -> Reached:
    entries, _, place = value.partition(b":")
    return Reached(int(entries), _read_position(place))


def _write_position(position: Position) -> str:
    return f"{position.time}-{position.number}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
