"""Exports: what was said, as a file has it, for people or for programs.

Nothing that anybody said makes more than its one line there, nor anything else than text of it.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from triochat.messages import Said
from triochat.text import clean
from triochat.words import time_of, words_of

_MARKS = re.compile(r"[!#-&(-+\--/:<=>@\[-`{-~]")  # what may mean something in Markdown


def text_of(said: Said) -> str:
    """``2026-01-02 21:07:05 Ann> hi``."""
    return _stamp(said) + words_of(said)


def markdown_of(said: Said) -> str:
    """``- 2026-01-02 21:07:05 **Ann:** hi``, whatever the text looks like."""
    mark = "" if said.action else ":"
    handle, text = (_MARKS.sub(r"\\\g<0>", clean(words)) for words in (said.handle, said.text))
    return f"- {_stamp(said)}**{handle}{mark}** {text}"


def json_of(said: Said) -> str:
    """The event itself, as it is on the wire."""
    return clean(msgspec.json.encode(said).decode())  # cleaned like any line: it stays JSON


FORMATS: dict[str, Callable[[Said], str]] = {
    ".txt": text_of,
    ".md": markdown_of,
    ".jsonl": json_of,
}
"""How a message is written to a file, by the ending of its name."""


def _stamp(said: Said) -> str:
    time = time_of(said.at)
    return f"{time:%Y-%m-%d %H:%M:%S} " if time else ""


class Pages:
    """Pages of messages: they come the newest first, and are read the oldest first.

    All of it may raise `OSError`.

    Args:
        write: makes a line of a message.
        file: holds the lines; it does not matter how many they are.

    Attributes:
        count: so many messages.
    """

    def __init__(self, write: Callable[[Said], str], file: IO[bytes]) -> None:
        self.count = 0
        self._write = write
        self._file = file
        self._sizes: list[int] = []

    def add(self, messages: Sequence[Said]) -> None:
        """Take the page before all that were taken, its oldest message first."""
        lines = [f"{self._write(said)}\n".encode() for said in messages]
        self._sizes.append(self._file.write(b"".join(lines)))
        self.count += len(messages)

    def __iter__(self) -> Iterator[bytes]:
        """All lines, a page at a time."""
        start = sum(self._sizes)
        for size in reversed(self._sizes):
            start -= size
            self._file.seek(start)
            yield self._file.read(size)


@contextmanager
def open_pages(write: Callable[[Said], str], folder: Path | None = None) -> Iterator[Pages]:
    """Pages that wait in a file without a name, in this folder, or where temporary files are."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Pages(write, file)
