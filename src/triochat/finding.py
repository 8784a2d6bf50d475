"""Finding: which messages are wanted by who reads back. Pure.

All words that are looked for must begin a word of the message, whatever their case and accents.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from unicodedata import combining, normalize

from triochat.messages import Recall, Said
from triochat.text import handle_key

RECALLED = 1000
"""The most messages in one answer."""

_ASCII = re.sub(r"\W", " ", bytes(range(128)).decode().lower()).encode() + bytes(128)
"""Of each ASCII character how it is compared: in small letters; what is in no word is a blank."""


class Wanted(NamedTuple):
    """What is looked for.

    Attributes:
        words: in the text; all of them.
        author: the key of a handle; empty if anybody's.
        since: not said before, as it stands on the wire; empty if whenever.
    """

    words: tuple[str, ...]
    author: str
    since: str

    @classmethod
    def of(cls, asked: Recall, now: float) -> "Wanted":
        """What this asks for, at this time in seconds since the epoch."""
        since = ""
        if asked.minutes:
            since = datetime.fromtimestamp(now - asked.minutes * 60, UTC).isoformat()[:19]
        author = handle_key(asked.author) if asked.author else ""
        return cls((*words_in(asked.find),), author, since)

    def matches(self, said: Said) -> bool:
        """Whether this message is one of them."""
        if self.author and handle_key(said.handle) != self.author:
            return False
        if said.at < self.since:
            return False
        if not self.words:
            return True
        words = sought(said.text)
        return all(f" {wanted}" in words for wanted in self.words)


@lru_cache(2 * RECALLED)
def sought(text: str) -> str:
    """The words of a text, each after a blank. All who look for some look at the same messages."""
    return " ".join(["", *words_in(text)])


def words_in(text: str) -> list[str]:
    """The words of a text, as they are compared."""
    if text.isascii():  # most are, and each message that is kept is cut
        return text.encode().translate(_ASCII).decode().split()
    plain = "".join(char for char in normalize("NFKD", text) if not combining(char))
    return re.findall(r"\w+", plain.casefold())
