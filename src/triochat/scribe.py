"""The scribe: what a server writes into its archive, once that is open. Called in threads.

A commit is one transaction. What is private, or about who comes and goes, is deleted when no seat
can miss it any more; `secure_delete` overwrites it, and the log of changes is emptied after that.
The index of words follows the messages piece by piece, when there is time. It is merged anew when
some were to be forgotten, or it would still name them.
"""

import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from msgspec import json
from msgspec.structs import astuple

from triochat.archive import (
    GAP,
    Reading,
    connect,
    gaps_among,
    said_of,
    words_of,
)
from triochat.changes import Changes
from triochat.history import UNSEEN
from triochat.messages import Said
from triochat.seats import Seat

PIECE = 1000
"""Rows that are deleted, or messages that are indexed, at once: others want to write too."""

PAGES = 16
"""Pages of the index that are merged at once."""


# All rows are one statement each: after each statement a thread has to wait until it may go on.
_SAID = """
    INSERT OR REPLACE INTO said
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]'), json_extract(value, '$[4]')
    FROM json_each(?)
"""
_FOUND = """
    INSERT OR REPLACE INTO found (rowid, words)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
"""
_PASSING = """
    INSERT OR REPLACE INTO passing
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), ?,
        json_extract(value, '$[2]')
    FROM json_each(?)
"""


def _rows(value: object) -> str:
    return json.encode(value).decode()


class Scribe:
    """An archive that a server writes; what it reads of it when it begins.

    Args:
        database: a connection to it.
        file: the file, with the server's lock; closed at the end.
        path: where it is.
        hold: seconds for which a seat may be away.

    Attributes:
        keep: seconds for which messages are kept.
        most: so many messages are kept.
        last_id: the newest id that was given to anything.
        floors: by the key of each seat, and empty for all: what has an id of at most this may be
            missing.
        seats: those whose owners may still come back.
        rulings: what operators decided; empty if that was never written.
    """

    def __init__(self, database: sqlite3.Connection, file: int, path: Path, hold: float) -> None:
        self.path = path
        self.keep = math.inf
        self.most = math.inf
        self.floors: dict[str, int] = {}
        self.seats: list[Seat] = []
        self._database = database
        self._file = file
        self._hold = hold
        self._count: int | None = None  # of messages, once somebody has asked
        self._merged = False
        self.last_id, self.floors[""], self._alive, self.rulings = self._run(
            "SELECT last, floor, alive, rulings FROM house"
        ).fetchone()
        self._has_traces, self._indexed = self._run("SELECT traces, indexed FROM house").fetchone()
        (self._newest,) = self._run("SELECT ifnull(max(id), 0) FROM said").fetchone()

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._database.execute(sql, values)

    def begin(self, now: float) -> None:
        """Go on at this time: who was away too long when the server ended has no seat any more.

        For all others it is as if the time from then until now had not been.
        """
        down = max(0.0, now - self._alive)
        for key, text, floor in self._run("SELECT key, seat, floor FROM seats").fetchall():
            seat = json.decode(text, type=Seat)
            if now - (self._alive if seat.away is None else seat.away) <= self._hold:
                self.floors[key] = floor
                self.seats.append(seat)
        with self._transaction():
            for (key,) in self._run("SELECT key FROM seats").fetchall():
                if key not in self.floors:
                    self._vacate(key)
            self._run("UPDATE passing SET kept = kept + ?", down)
            self._run("UPDATE house SET alive = ?", now)

    def newest(self, count: int) -> tuple[list[Said], int]:
        """The newest messages, oldest first, as far as none is missing in between.

        Also up to which id there are, or were, others.
        """
        rows = self._run("SELECT * FROM said ORDER BY id DESC LIMIT ?", count + 1).fetchall()
        said = [*takewhile(lambda row: row[4] != GAP, rows[:count])]
        return [*map(said_of, reversed(said))], rows[len(said)][0] if rows[len(said) :] else 0

    @property
    def behind(self) -> int:
        """How far the index is behind, in ids; at least so many messages are to be indexed."""
        behind: int = self._newest - self._indexed
        return behind

    def open_reading(self) -> Reading:
        """Another connection, which reads while this one writes."""
        return Reading(connect(self.path, "mode=ro"))

    # ---- writing

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that is written in the block, or nothing."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._run("ROLLBACK")
            raise

    def commit(self, changes: Changes, now: float) -> None:
        """Write this; it is on the disk when this returns.

        Raises:
            sqlite3.Error: it is not, and nothing of it is.
        """
        run, forgets = self._run, bool(changes.forgotten or changes.forgotten_by)
        with self._transaction():
            for key in changes.vacated:
                self._vacate(key)
            if changes.forgotten:
                self._forget(changes.forgotten - gaps_among(self._database, changes.forgotten))
            self._say(changes.gaps, changes.said)
            self._forget_by(changes.forgotten_by)
            if forgets:
                run("UPDATE house SET traces = 1")
            if changes.passing:
                events = [(key, number, _rows(one)) for key, number, one in changes.passing]
                run(_PASSING, now, _rows(events))
            for key, seat in changes.seats.items():
                run(
                    "INSERT INTO seats VALUES (?, ?, 0)"
                    " ON CONFLICT (key) DO UPDATE SET seat = excluded.seat",
                    key,
                    json.encode(seat),
                )
            self._raise(changes.floors)
            if changes.rulings is not None:
                run("UPDATE house SET rulings = ?", changes.rulings)
            run("UPDATE house SET last = max(last, ?), alive = ?", changes.last, now)
        if forgets:
            self._has_traces, self._merged = 1, False
        if changes.said:
            self._newest = max(self._newest, changes.said[-1].id)
        if self._count is not None:
            self._count += len(changes.gaps) + len(changes.said)

    def _say(self, gaps: Sequence[Said], said: Sequence[Said]) -> None:
        if not (gaps or said):
            return
        values = [*((*astuple(one)[:4], GAP) for one in gaps), *map(astuple, said)]
        rows = _rows(values)
        if "\\u0000" not in rows:
            self._run(_SAID, rows)
        else:  # there SQLite's JSON ends a text
            one_by_one = "INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?)"
            self._database.executemany(one_by_one, values)
        self._index([one for one in (*gaps, *said) if one.id <= self._indexed])

    def index(self) -> bool:
        """Put a piece of what was said into the index.

        Returns:
            There may be more to do.
        """
        piece = "SELECT * FROM said WHERE id > ? ORDER BY id LIMIT ?"
        said = [*map(said_of, self._run(piece, self._indexed, PIECE))]
        if said:
            with self._transaction():
                self._index(said)
                self._run("UPDATE house SET indexed = ?", said[-1].id)
            self._indexed = said[-1].id
        return len(said) == PIECE

    def _index(self, said: Sequence[Said]) -> None:
        if said:
            self._run(_FOUND, _rows([(one.id, words_of(one)) for one in said]))

    def _vacate(self, key: str) -> None:
        self._run("DELETE FROM seats WHERE key = ?", key)
        self._run("DELETE FROM passing WHERE seat = ?", key)

    def _forget(self, ids: Sequence[int] | set[int]) -> None:
        numbers = [(number,) for number in ids]
        deleted = self._database.executemany("DELETE FROM said WHERE id = ?", numbers).rowcount
        if self._count is not None:
            self._count -= max(0, deleted)
        self._database.executemany("DELETE FROM found WHERE rowid = ?", numbers)

    def _forget_by(self, authors: dict[str, int]) -> None:
        for handle, upto in authors.items():
            ids = Reading(self._database).ids_by(handle)
            self._forget([number for number in ids if number <= upto])

    def _raise(self, floors: dict[str, int]) -> None:
        for key, floor in floors.items():
            if key:
                self._run("UPDATE seats SET floor = max(floor, ?) WHERE key = ?", floor, key)
            else:
                self._run("UPDATE house SET floor = max(floor, ?)", floor)

    # ---- cleaning up

    def clean(self, now: float) -> dict[str, int] | None:
        """Delete a piece of what need not be kept any more.

        Returns:
            The floors that have risen by that; None if there is nothing to delete.
        """
        seen = now - self._hold - UNSEEN
        passed = self._run(
            "SELECT seat, id FROM passing WHERE kept < ? LIMIT ?", seen, PIECE
        ).fetchall()
        old = self._old(now)
        if not passed and not old:
            return None
        floors = {"": old[-1]} if old else {}
        for key, number in passed:
            floors[key] = max(floors.get(key, 0), number)
        with self._transaction():
            self._forget(old)
            self._database.executemany("DELETE FROM passing WHERE seat = ? AND id = ?", passed)
            self._raise(floors)
        return floors

    def _old(self, now: float) -> list[int]:
        """Ids of some of the messages that are not to be kept any longer, in their order."""
        rows: list[tuple[int]] = []
        if self.keep < now:
            since = datetime.fromtimestamp(now - self.keep, UTC).isoformat()[:19]
            oldest = "SELECT id FROM said WHERE at < ? ORDER BY at LIMIT ?"
            rows += self._run(oldest, since, PIECE).fetchall()
        if self.most < math.inf:
            if self._count is None:
                (self._count,) = self._run("SELECT count(*) FROM said").fetchone()
            if (excess := self._count - self.most) > 0:
                oldest = "SELECT id FROM said ORDER BY id LIMIT ?"
                rows += self._run(oldest, min(excess, PIECE)).fetchall()
        return sorted({number for (number,) in rows})

    def merge(self) -> bool:
        """Merge a piece of the index, if it still knows words that were to be forgotten.

        Returns:
            There is more to do.
        """
        if not self._has_traces:
            return False
        with self._transaction():
            before = self._database.total_changes
            pages = PAGES if self._merged else -PAGES  # a negative number begins it
            self._run("INSERT INTO found (found, rank) VALUES ('merge', ?)", pages)
            self._merged = True
            if self._database.total_changes - before < 2:
                self._run("UPDATE house SET traces = 0")
                self._has_traces = 0
        return bool(self._has_traces)

    def sign(self, now: float) -> bool:
        """Say that the server is there, and empty the log of changes.

        Returns:
            The log is empty: nobody was reading.
        """
        with self._transaction():
            self._run("UPDATE house SET alive = ?", now)
        busy, *_ = self._run("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()
        return not busy

    def close(self) -> None:
        """Write no more."""
        self._database.close()
        os.close(self._file)
