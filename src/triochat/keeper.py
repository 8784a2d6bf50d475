"""The keeper: what operators decided is in a file as well, and so survives a restart.

It is written whenever it changes, in a thread: nobody in the room waits for a disk. What is written
last is the latest, however long the one before takes.
"""

import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from triochat.folders import put_file
from triochat.hub import Hub
from triochat.outbox import LINGER
from triochat.sanctions import Rulings, dump, load

log = logging.getLogger(__name__)

UNKEPT = "bans, mutes and the topic cannot be kept ({}); they hold till the end"
"""What operators are told."""

SIZE = 1 << 24
"""Bytes; what is larger was not written here."""


def open_rulings(path: Path, now: float) -> Rulings:
    """What this file keeps, nothing if there is none yet; it can be written as well.

    Raises `ValueError`, with a sentence, if it cannot be read or written, or is something else.
    """
    rulings, doing = Rulings(), "read"
    try:
        if path.exists():
            if not path.is_file():
                raise ValueError(f"{path} is no file: nothing can be kept there")
            with path.open("rb") as file:
                rulings = _load(path, file.read(SIZE + 1))
        doing = "write"
        put_file(_target(path), dump(rulings, now))
    except OSError as error:
        raise ValueError(f"cannot {doing} {path}: {_reason(error)}") from None
    return rulings


def _load(path: Path, text: bytes) -> Rulings:
    try:
        return load(text)
    except ValueError:
        problem = f"{path} is not what a server keeps there"
        raise ValueError(f"{problem}; name another file, or move it away") from None


@asynccontextmanager
async def keeping(hub: Hub, path: Path) -> AsyncIterator[None]:
    """Write to this file what operators decide in the block, and once more at its end."""
    keeper = _Keeper(hub, path)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            yield
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(LINGER, shield=True):  # a disk may be stuck
            await keeper.write()


class _Keeper:
    def __init__(self, hub: Hub, path: Path) -> None:
        self._hub = hub
        self._path = _target(path)
        self._writing = threading.Lock()
        self._written = -1  # the version in the file
        self._has_failed = False

    async def run(self) -> None:
        """Write each change, until cancelled."""
        version = self._hub.room.rulings.version
        while True:
            await self._hub.wait_ruling(version)
            version = self._hub.room.rulings.version
            await self.write()

    async def write(self) -> None:
        """Write what is so now; the operators are told once that it cannot be done."""
        rulings = self._hub.room.rulings
        text = dump(rulings, self._hub.room.now)
        try:
            await trio.to_thread.run_sync(self._put, rulings.version, text, abandon_on_cancel=True)
        except OSError as error:
            log.warning("cannot write %s: %s", self._path, _reason(error))
            if not self._has_failed:
                self._has_failed = True
                self._hub.alert(UNKEPT.format(_reason(error)))
        else:
            self._has_failed = False

    def _put(self, version: int, text: bytes) -> None:
        """In a thread, which may be late: another one has written what came after, then."""
        with self._writing:
            if version > self._written:
                put_file(self._path, text)
                self._written = version


def _target(path: Path) -> Path:
    """The file itself, where this is a link: what is replaced is not the link."""
    return Path(os.path.realpath(path))


def _reason(error: OSError) -> str:
    return str(error.strerror or error).lower()
