"""The archive: the file of a history, an SQLite database. How it is read (and see `scribe`).

`said` holds messages, for as long as they are kept; `passing` what else was told, to all or to one
seat, only as long as a seat may miss it; `seats` the hashes of tokens and what they stand for;
`found` the words of `said` in the way in which `finding` compares them, so that the file finds what
memory does. `house` has one row: the newest id, how far back one may come, when there was a sign of
life, what operators decided, and up to which id messages are in `found`: the index of words follows
when there is time, and what it does not have yet is looked through.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec import MsgspecError, json

from triochat.finding import RECALLED, Wanted, words_in
from triochat.messages import Event, Recall, Recalled, Said
from triochat.text import handle_key

NEWEST = 2000
"""Messages among which is looked one by one before the index is asked."""

DAMAGED = "{} is damaged; put a backup of it there, or name another file"

GAP = 2
"""As an action in the table, what is no message, but says that some are missing there."""

VERSION = 1
APPLICATION = 0x74726963  # tric

_FIRST = "(SELECT min(id) FROM (SELECT id FROM said WHERE at >= ? ORDER BY at LIMIT 5000))"

_MAY_HOLD = "(length(text) < length(CAST(text AS BLOB)) OR instr(lower(text), ?))"
_MAY_BE_BY = "(length(handle) < length(CAST(handle AS BLOB)) OR lower(handle) = ?)"
"""What can be said of ASCII without asking `Wanted`, and without holding the interpreter."""

_event = json.Decoder[Event](Event)
_T = TypeVar("_T")


class Reading:
    """An archive that is read, also while a server writes it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def close(self) -> None:
        """Read no more."""
        self._database.close()

    def recall(self, asked: Recall, upto: int | None, now: float) -> Recalled:
        """What is asked for, of what was said up to this id, or ever; at this time."""
        wanted = Wanted.of(asked, now)
        before = 1 << 62 if upto is None else upto + 1
        before = before if asked.before is None else min(asked.before, before)
        count = max(0, min(asked.count, RECALLED))
        where = "{id} < ?"
        values: list[object] = [before]
        if wanted.since:
            # the clock may have gone back; but not over so many messages
            where += f" AND {{id}} >= {_FIRST} AND said.at >= ?"
            values += [wanted.since] * 2
        held = _held(wanted)
        indexed = self._indexed() if held else -1  # first: later it may have more, never less
        found = self._look(wanted, indexed, where, values, count + 1)
        if held and len(found) <= count:
            where = where.format(id="found.rowid") + " AND found.rowid <= ?"
            rows = self._find(held, where, [*values, indexed], count + 1 - len(found))
            found += map(said_of, rows)
        return Recalled((*reversed(found[:count]),), more=len(found) > count)

    def _indexed(self) -> int:
        """Up to this id messages are in the index."""
        (indexed,) = self._database.execute("SELECT indexed FROM house").fetchone()
        return int(indexed)

    def _look(
        self, wanted: Wanted, after: int, where: str, values: Sequence[object], count: int | None
    ) -> list[Said]:
        """The newest messages after this id that are wanted, at most so many, without the index."""
        where = " AND ".join(
            [
                where.format(id="said.id"),
                "said.id > ?",
                *[_MAY_HOLD] * len(wanted.words),
                *[_MAY_BE_BY] * bool(wanted.author),
            ]
        )
        newest = f"SELECT * FROM said WHERE {where} ORDER BY id DESC"  # noqa: S608  no input
        held = [*wanted.words, *[wanted.author] * bool(wanted.author)]
        with closing(self._database.execute(newest, (*values, after, *held))) as rows:
            return [*islice(filter(wanted.matches, map(said_of, rows)), count)]

    def _find(
        self, held: dict[str, str], where: str, values: Sequence[object], count: int
    ) -> list[Any]:
        """The newest rows that hold all this, at most so many.

        The index merges all messages in which a word begins like this before it tells of the
        first: where it stands in half of a million, that takes a quarter of a second. So the newest
        are looked through first. If they do not suffice, the index is asked for what they seldom
        hold, and what it finds is looked through for the rest.
        """
        run = self._database.execute
        hold = "instr(' ' || words || ' ', ?)"
        holds = " AND ".join([hold] * len(held))
        rows = f"SELECT said.*, words FROM found JOIN said ON said.id = found.rowid WHERE {where}"  # noqa: S608  no input
        newest = f"({rows} ORDER BY found.rowid DESC LIMIT {NEWEST})"
        looked = f"SELECT * FROM {newest} WHERE {holds} ORDER BY id DESC LIMIT ?"  # noqa: S608  no input
        found = run(looked, (*values, *held, count)).fetchall()
        if len(found) == count:
            return found
        counts = ", ".join(["count(*)", *[f"total({hold} > 0)"] * len(held)])
        every, *often = run(f"SELECT {counts} FROM {newest}", (*held, *values)).fetchone()  # noqa: S608  no input
        if every < NEWEST:
            return found
        most = max(min(often), NEWEST / 50)
        seldom = [held[each] for each, times in zip(held, often, strict=True) if times <= most]
        asked = f"{rows} AND found MATCH ? AND {holds} ORDER BY found.rowid DESC LIMIT ?"
        return run(asked, (*values, " AND ".join(seldom), *held, count)).fetchall()

    def missed(self, key: str, after: int, upto: int, count: int) -> list[Event]:
        """What all, and the seat with this key, were told after the one id, and up to the other.

        The oldest of these, by their ids, at most so many.
        """
        said = self._database.execute(
            "SELECT * FROM said WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", (after, upto, count)
        )
        told = self._database.execute(
            "SELECT event FROM passing WHERE seat IN ('', ?) AND id > ? AND id <= ?"
            " ORDER BY id LIMIT ?",
            (key, after, upto, count),
        )
        events = [*map(said_of, said), *(_event.decode(text) for (text,) in told)]
        return sorted(events, key=lambda event: event.id)[:count]

    def gaps_among(self, ids: Iterable[int]) -> set[int]:
        """Those of these ids where the file says that messages are missing."""
        return gaps_among(self._database, ids)

    def ids_by(self, handle: str) -> list[int]:
        """The ids of all messages that were said under this handle, oldest first."""
        indexed, wanted = self._indexed(), Wanted.of(Recall(author=handle), 0)
        found = (
            "SELECT id FROM found JOIN said ON id = found.rowid"  # noqa: S608  no input
            f" WHERE found MATCH ? AND id <= ? AND action < {GAP} ORDER BY id"
        )
        rows = self._database.execute(found, (_quoted(_by(wanted.author)), indexed))
        newest = self._look(wanted, indexed, f"action < {GAP}", (), None)
        return [*(number for (number,) in rows), *(said.id for said in reversed(newest))]


def gaps_among(database: sqlite3.Connection, ids: Iterable[int]) -> set[int]:
    """Those of these ids where this file says that messages are missing."""
    held = f"SELECT id FROM said WHERE action = {GAP} AND id IN (SELECT value FROM json_each(?))"  # noqa: S608  no input
    return {number for (number,) in database.execute(held, (json.encode([*ids]).decode(),))}


def open_reading(path: str | Path) -> Reading:
    """The archive in this file, to be read.

    Raises:
        ValueError: with a sentence, if it is none, or cannot be read.
    """
    return tried(path, lambda: _open_reading(Path(path)), "read")


def _open_reading(path: Path) -> Reading:
    if not head_of(path):
        raise ValueError(f"{path} is empty: no server has kept anything there")
    is_live = path.with_name(f"{path.name}-wal").exists()
    reading = Reading(connect(path, "mode=ro" if is_live else "mode=ro&immutable=1"))
    try:
        reading.recall(Recall(1), None, 0)
    except sqlite3.Error:
        reading.close()
        raise
    return reading


def connect(path: Path, how: str) -> sqlite3.Connection:
    """A connection that threads take turns with."""
    address = f"file:{quote(str(path.absolute()))}?{how}"
    database: sqlite3.Connection = sqlite3.connect(
        address, uri=True, isolation_level=None, check_same_thread=False
    )
    return database


def head_of(path: Path) -> bytes:
    """How this file begins; nothing if it is empty.

    Raises:
        ValueError: with a sentence, if this, or its size, is not that of an archive we can read.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file")
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        return head
    if head[:16] != b"SQLite format 3\0" or _number(head, 68) != APPLICATION:
        what = f"{path} is not the history of a room"
        raise ValueError(f"{what}; name another file, or move it away")
    if _number(head, 60) > VERSION:
        raise ValueError(f"{path} was written by a newer triochat: this one cannot read it")
    log = path.with_name(f"{path.name}-wal")
    page = int.from_bytes(head[16:18])
    size = (1 << 16 if page == 1 else page) * _number(head, 28)
    if not (log.exists() and log.stat().st_size) and path.stat().st_size < size:
        raise ValueError(DAMAGED.format(path))
    return head


def _number(head: bytes, place: int) -> int:
    return int.from_bytes(head[place : place + 4])


def tried(path: str | Path, do: Callable[[], _T], doing: str) -> _T:
    """What this returns; if there is a problem with the file, `ValueError` with a sentence."""
    try:
        return do()
    except OSError as error:
        raise ValueError(f"cannot {doing} {path}: {str(error.strerror).lower()}") from None
    except sqlite3.OperationalError as error:
        raise ValueError(f"cannot {doing} {path}: {error}") from None
    except (sqlite3.DatabaseError, UnicodeError, MsgspecError):
        raise ValueError(DAMAGED.format(path)) from None


# ---- words


def _by(key: str) -> str:
    """Who has said it is found as a word is; no text has words with such a character."""
    return f"\ue000{key.encode(errors='surrogatepass').hex()}"


def words_of(said: Said) -> str:
    """What of a message can be found, separated by blanks."""
    return " ".join([_by(handle_key(said.handle)), *words_in(said.text)])


def _quoted(word: str) -> str:
    return f'"{word}"'


def _held(wanted: Wanted) -> dict[str, str]:
    """How what is wanted stands in the words of a message, and what the index is asked for it."""
    held = {f" {word}": f"{_quoted(word)} *" for word in wanted.words}
    if wanted.author:
        by = _by(wanted.author)
        held[f" {by} "] = _quoted(by)
    return held


def said_of(row: Sequence[Any]) -> Said:
    """The message in this row of the table."""
    number, at, handle, text, is_action = row[:5]
    return Said(number, at, handle, text, bool(is_action))
