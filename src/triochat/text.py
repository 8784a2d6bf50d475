"""The rules of text: what may be a handle, what may be a message, what never reaches a screen.

`clean` is the one gate between what somebody typed and somebody else's terminal. It is applied
when the room takes a text in, and again by every renderer, so that neither end has to trust the
other. What it guarantees of its result:

* no C0 or C1 control character and no DEL, so no escape sequence, bell or overprinting;
* no bidirectional override, embedding or isolate, so text reads in the order in which it stands;
* no line break of any kind, and of all that is blank only the space: tabs, line breaks, wide and
  narrow spaces, and letters and signs that are drawn as nothing have become spaces;
* no invisible padding: of what Unicode says may be ignored only what `invisible` finds of use where
  it stands, and the tags inside a flag; nor deprecated and interlinear controls, surrogates,
  noncharacters;
* no more than `COMBINING` combining marks in a row, so nothing climbs over the lines around it.

Runs of spaces stay as they are: tables and code are made of them. That a long line looks like two
is for who draws it to prevent, whatever fills it (`words.line_of`, `terminals.wrapping`).
"""

import re
import unicodedata
from functools import lru_cache

from triochat.invisible import drop_useless
from triochat.lookalikes import mixture, skeleton
from triochat.messages import Refused

HANDLE_LENGTH = 10
"""The most characters (code points) in a handle, where a room says nothing else."""

HANDLE_LIMIT = 32
"""The most that a room may allow."""

TEXT_LENGTH = 500
"""The most characters (code points) in a message."""

COMBINING = 4
"""The most combining marks in a row."""

_SPACES = re.compile(
    "\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029"
    "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"  # spaces of other widths
    "\u115f\u1160\u180e\u2800\u3164\uffa0\U0001d159]"  # Hangul fillers, a Braille cell, a note
)
_REMOVED = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f)|"  # stays: a flag
    "[\x00-\x1f\x7f-\x9f\xad"
    "\u034f\u17b4\u17b5\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef"
    "\U00016fe4\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    + "".join(
        chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
    )
    + "]"
)
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"  # Hangul fillers: letters that nobody sees
_MARKS = frozenset(("Mn", "Me", "Mc"))
_PUNCTUATION = "_.-"
_RESERVED = "you"  # how whispers address their reader
_SHOWN = 40  # characters of a bad handle that are repeated in its refusal
_INNER_I = re.compile(r"(?<=\w)I")
_LOOKED_AT = 4 * HANDLE_LIMIT  # what is longer is no handle: NFKC makes one of at most four


def clean(text: str) -> str:
    """The text without anything that could do more on a screen than show characters."""
    if text.isascii() and text.isprintable():
        return text
    return drop_useless(_cut_towers(_REMOVED.sub(r"\1", _SPACES.sub(" ", text))))


def _cut_towers(text: str) -> str:
    """The text with no more than `COMBINING` marks in a row."""
    kinds = {character: unicodedata.category(character) for character in set(text)}
    if _MARKS.isdisjoint(kinds.values()):  # most texts; what is counted here takes its time
        return text
    kept: list[str] = []
    run = 0
    for character in text:
        kind = kinds[character]
        if kind != "Cf":  # joiners do not start a new run
            run = run + 1 if kind in _MARKS else 0
        if run <= COMBINING:
            kept.append(character)
    return "".join(kept)


def accept_text(text: str) -> str | Refused:
    """A message as the room takes it: cleaned, 1 to 500 characters; else why not."""
    if text.isascii() and text.isprintable() and len(text) <= TEXT_LENGTH and text.strip():
        return text  # most messages; nothing runs as often
    cleaned = clean(text)
    if len(cleaned) > TEXT_LENGTH:
        return Refused(
            "message-too-long",
            f"{len(cleaned)} characters; at most {TEXT_LENGTH} are allowed; nothing was sent",
        )
    if not cleaned.strip():
        return Refused("message-empty", "the message is empty; nothing was sent")
    return cleaned


def normalise_handle(handle: str) -> str:
    """The handle in the form in which it is kept: NFKC.

    What is too long to be anybody's stays as it is: this may take the square of its length.
    """
    return unicodedata.normalize("NFKC", handle) if len(handle) <= _LOOKED_AT else handle


def handle_key(handle: str) -> str:
    """What two handles share when they are the same to the room (``Joe`` and ``jOE``)."""
    if handle.isascii():  # most; the sorted roster asks for many each time that somebody comes
        return handle.lower()
    return normalise_handle(normalise_handle(handle).casefold())


@lru_cache(256)  # a handle is looked at three times while its peer comes in
def skeletons(handle: str) -> tuple[str, str, str]:
    """Two handles look alike if the first of these are equal, or the second, or the third.

    The first is of the handle as it is written (``Iain`` and ``lain``, but not ``Ian`` and
    ``Lan``), the second of it in small letters (``B0b`` and ``bob``), and the third of it in small
    letters where nobody writes a capital ``I`` within a word (``joeI`` and ``Joel``). What is the
    same to the room always looks alike; whom somebody means is never decided by this.
    """
    handle = handle[:_LOOKED_AT]
    written = normalise_handle(handle)
    return (
        skeleton(written),
        skeleton(handle_key(handle)).casefold(),
        skeleton(_INNER_I.sub("l", written).casefold()),
    )


def accept_handle(handle: str, length: int = HANDLE_LENGTH) -> str | Refused:
    """A handle as a room takes it: 1 to ``length`` characters, NFKC, one alphabet; or why not."""
    handle = normalise_handle(handle)
    if not handle:
        problem = f"a handle has 1 to {length} characters, no spaces"
        return Refused("handle-invalid", f"{problem}; try another")
    problem = _character_problem(handle) or ""
    if not problem and len(handle) > length:
        problem = f"has {len(handle)} characters; at most {length} are allowed"
    problem = problem or mixture(handle) or ""
    if problem:
        return Refused("handle-invalid", f'handle "{excerpt(handle)}" {problem}; try another')
    if _RESERVED in skeletons(handle):
        return Refused("handle-reserved", f'handle "{handle}" is reserved; try another')
    return handle


def excerpt(text: str, most: int = _SHOWN) -> str:
    """As much of a text, e.g. of what somebody took for a handle, as is repeated where it counts.

    ``most`` is how many characters that is.
    """
    shown = clean(text[:_LOOKED_AT])
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def could_be_handle(word: str) -> bool:
    """Whether somebody who writes ``text > word`` may mean a person (of whatever length)."""
    word = normalise_handle(word)
    return bool(word) and _character_problem(word) is None


def strip_invisible(word: str) -> str:
    """The word without format characters and combining marks, which hide what a name is."""
    return "".join(
        character
        for character in normalise_handle(word)
        if unicodedata.category(character) not in _MARKS | {"Cf"}
    )


def _character_problem(handle: str) -> str | None:
    handle = handle[:_LOOKED_AT]
    if not all(
        (character.isalpha() and character not in _BLANK_LETTERS)
        or character.isdecimal()
        or character in _PUNCTUATION
        for character in handle
    ):
        return 'may have letters, digits, "_", "." and "-" only, and no spaces'
    if handle[0] in ".-":
        return 'must start with a letter, a digit or "_"'
    if not any(character.isalpha() or character == "_" for character in handle):
        return 'needs at least one letter or "_"'
    return None
