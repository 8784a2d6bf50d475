"""Opening an archive to write it: who may, what the file must be, and what becomes of an older one.

Whatever stands against it is found before anything in the file is touched, and told in a sentence.
"""

import fcntl
import os
import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path

from triochat.archive import APPLICATION, connect, head_of, tried
from triochat.scribe import Scribe
from triochat.seats import HOLD

_BUSY = 50  # milliseconds to wait for who reads, before the log of changes is emptied
_LOCK = 1 << 40  # the byte that a server locks; it is beyond those that SQLite locks

MIGRATIONS = (
    """
    CREATE TABLE said (id INTEGER PRIMARY KEY, at TEXT, handle TEXT, text TEXT, action INTEGER);
    CREATE INDEX said_at ON said (at);
    CREATE VIRTUAL TABLE found USING fts5
        (words, tokenize = "ascii tokenchars '_'", detail = none, columnsize = 0);
    CREATE TABLE passing (seat TEXT, id INTEGER, kept REAL, event TEXT, PRIMARY KEY (seat, id))
        WITHOUT ROWID;
    CREATE TABLE seats (key TEXT PRIMARY KEY, seat TEXT, floor INTEGER) WITHOUT ROWID;
    CREATE TABLE house (last INTEGER, floor INTEGER, alive REAL, rulings BLOB, traces INTEGER,
        indexed INTEGER);
    INSERT INTO house VALUES (0, 0, 0, x'', 0, 0);
    """,
)
"""What makes of a file of version N one of version N + 1."""


def open_archive(path: Path, now: float, *, hold: float = HOLD, sync: str = "full") -> Scribe:
    """The archive in this file, which is made if it is not there; nobody else writes it meanwhile.

    Args:
        path: of the file.
        now: the time in seconds since the epoch.
        hold: seconds for which a seat may be away.
        sync: ``full``: what is written survives that the power fails; ``normal``: but for the last
            moments.

    Raises:
        ValueError: with a sentence, if that cannot be; then the file is as it was.
    """
    path = Path(os.path.realpath(path))
    return tried(path, lambda: _open(path, now, hold, sync), "write")


def _open(path: Path, now: float, hold: float, sync: str) -> Scribe:
    is_new = not (path.exists() and head_of(path))
    had_file = path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    database = None
    try:
        _lock(file, path)
        if not is_new:
            _check(path)
        os.fchmod(file, 0o600)  # what SQLite puts beside it gets the same
        database = connect(path, "mode=rw")
        _prepare(database, sync)
        scribe = Scribe(database, file, path, hold)
        scribe.begin(now)
    except BaseException:
        if database is not None:
            database.close()
        os.close(file)
        if not had_file:
            path.unlink()
        raise
    return scribe


def _lock(file: int, path: Path) -> None:
    """Let no other server in, for as long as this file is open.

    The lock is the open file's (Linux): a process's own would be lost as soon as SQLite unlocks
    what it has locked. Where there are no such locks, only who opens it at the same time is told.
    """
    try:
        if hasattr(fcntl, "F_OFD_SETLK"):
            wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _LOCK, 1, 0)
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
        else:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCK)
    except (BlockingIOError, PermissionError):
        raise ValueError(f"another server keeps its history in {path}; name another file") from None


def _check(path: Path) -> None:
    """Raise what stands against using this file, before anything in it is touched."""
    log, index = (path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))
    had_index = index.exists()
    has_log = log.exists() and log.stat().st_size
    try:
        with closing(connect(path, "mode=ro" if has_log else "mode=ro&immutable=1")) as database:
            for table in ("house", "seats", "passing"):
                database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  no input
            for end in ("ASC", "DESC"):
                newest = f"SELECT * FROM said ORDER BY id {end} LIMIT 1000"  # noqa: S608  no input
                database.execute(newest).fetchall()
            database.execute("SELECT rowid FROM found WHERE found MATCH 'a' LIMIT 1").fetchall()
    finally:
        if not had_index:
            index.unlink(missing_ok=True)


def _prepare(database: sqlite3.Connection, sync: str) -> None:
    """Make of this file one of our version, which is written as we want it."""
    for pragma in (f"busy_timeout = {_BUSY}", f"synchronous = {sync}", "secure_delete = ON"):
        database.execute(f"PRAGMA {pragma}")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    for number, migration in enumerate(MIGRATIONS[version:], version + 1):
        try:
            database.executescript(
                f"BEGIN; {migration} PRAGMA application_id = {APPLICATION};"
                f" PRAGMA user_version = {number}; COMMIT"
            )
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
    # only now, or what the file is would stand in the log alone
    (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("its file system cannot keep a log of changes")
