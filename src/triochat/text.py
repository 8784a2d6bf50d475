"""The rules of text: what may be a handle, what may be a message, what never reaches a screen.

`clean` is the one gate between what somebody typed and somebody else's terminal. It is applied
when the room takes a text in, and again by every renderer, so that neither end has to trust the
other. What it guarantees of its result:

* no C0 or C1 control character and no DEL, so no escape sequence, bell or overprinting;
* no bidirectional override, embedding or isolate, so text reads in the order in which it stands;
* no line break of any kind: tabs and line breaks have become single spaces;
* no invisible padding (zero-width space, word joiner, byte order mark, deprecated and
  interlinear controls, surrogates, noncharacters); joiners inside emoji and scripts stay;
* no more than `COMBINING` combining marks in a row, so nothing climbs over the lines around it.
"""

import re
import unicodedata

from triochat.messages import Refused

HANDLE_LENGTH = 10
"""The most characters (code points) in a handle."""

TEXT_LENGTH = 500
"""The most characters (code points) in a message."""

COMBINING = 4
"""The most combining marks in a row."""

_SPACES = re.compile("\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_REMOVED = re.compile(
    "[\x00-\x1f\x7f-\x9f"
    "\u200b\u2060-\u206f\u202a-\u202e\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\U000e0001"
    + "".join(
        chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
    )
    + "]"
)
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"  # Hangul fillers: letters that nobody sees
_PUNCTUATION = "_.-"
_RESERVED = "you"  # how whispers address their reader
_SHOWN = 40  # characters of a bad handle that are repeated in its refusal


def clean(text: str) -> str:
    """The text without anything that could do more on a screen than show characters."""
    if text.isascii() and text.isprintable():
        return text
    text = _REMOVED.sub("", _SPACES.sub(" ", text))
    kept: list[str] = []
    run = 0
    for character in text:
        category = unicodedata.category(character)
        if category != "Cf":  # joiners do not start a new run
            run = run + 1 if category in ("Mn", "Me", "Mc") else 0
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
    if not cleaned.strip() or not (cleaned.isascii() or any(map(_is_visible, cleaned))):
        return Refused("message-empty", "the message is empty; nothing was sent")
    return cleaned


def _is_visible(character: str) -> bool:
    """Whether it leaves a mark of its own; also true of characters too new for this Python."""
    category = unicodedata.category(character)
    return category[0] != "Z" and category not in ("Cf", "Cc") and character not in _BLANK_LETTERS


def normalise_handle(handle: str) -> str:
    """The handle in the form in which it is kept: NFKC."""
    return unicodedata.normalize("NFKC", handle)


def handle_key(handle: str) -> str:
    """What two handles share when they are the same to the room (``Joe`` and ``jOE``)."""
    return normalise_handle(normalise_handle(handle).casefold())


def accept_handle(handle: str) -> str | Refused:
    """A handle as the room takes it: NFKC, 1 to 10 characters; else what is wrong with it."""
    handle = normalise_handle(handle)
    if not handle:
        return Refused("handle-invalid", "a handle has 1 to 10 characters, no spaces; try another")
    if handle_key(handle) == _RESERVED:
        return Refused("handle-reserved", f'handle "{handle}" is reserved; try another')
    problem = _character_problem(handle)
    if not problem and len(handle) > HANDLE_LENGTH:
        problem = f"has {len(handle)} characters; at most {HANDLE_LENGTH} are allowed"
    if problem:
        shown = clean(handle)
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
        return Refused("handle-invalid", f'handle "{shown}" {problem}; try another')
    return handle


def could_be_handle(word: str) -> bool:
    """Whether somebody who writes ``text > word`` may mean a person (of whatever length)."""
    word = normalise_handle(word)
    return bool(word) and _character_problem(word) is None


def strip_invisible(word: str) -> str:
    """The word without format characters and combining marks, which hide what a name is."""
    return "".join(
        character
        for character in normalise_handle(word)
        if unicodedata.category(character) not in ("Cf", "Mn", "Me", "Mc")
    )


def _character_problem(handle: str) -> str | None:
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
