"""Who could be taken for whom: handles that look alike, and handles of several alphabets.

After Unicode's UTS 39: a *skeleton* has each character replaced by the simplest that is drawn like
it, and a handle is of one alphabet, Unicode's *script* (the level "highly restrictive"). The table
is Unicode's own; it is read when somebody first has a handle that is not ASCII.
"""

import unicodedata
from bisect import bisect_right
from functools import cache
from itertools import groupby

from triochat.lookalike_table import ALPHABETS, PROTOTYPES

_ASCII = str.maketrans("0O1I", "ooll")  # one for one is quick; ``m``, which is like ``rn``, is not
_EDGE = ".-'\u00b7"  # a reader looks past them there; letters that look like them are these by now

_JAPANESE = frozenset("\u3006\u303c\u30fc")  # letters of no alphabet, of kana and Han
_NAMES = frozenset("\u02bb\u02bc")  # and two of names: the okina, the apostrophe
_TOGETHER = (
    {"Latin", "Han", "Hiragana", "Katakana"},
    {"Latin", "Han", "Bopomofo"},
    {"Latin", "Han", "Hangul"},
)


def skeleton(text: str) -> str:
    """What a text (NFKC) has in common with all that look like it: ``J0e1.`` and ``Joel``."""
    if not text.isascii():
        text = unicodedata.normalize("NFD", text).translate(_prototypes())
        text = unicodedata.normalize("NFD", text)
    return text.translate(_ASCII).replace("m", "rn").strip(_EDGE)


def mixture(handle: str) -> str | None:
    """What is wrong with the alphabets of a handle (letters, digits, signs; NFKC); None if nothing.

    People who write Chinese, Japanese or Korean write Latin letters beside their own.
    """
    if handle.isascii():
        return None
    letters = [one for one in handle if not (one.isascii() and not one.isalpha())]
    shown: dict[str, str] = {}
    for alphabet, run in groupby(letters, _alphabet_of):
        shown.setdefault(alphabet, "".join(run))
    if stray := shown.get("Common"):
        return f'has "{stray[0]}", a sign that belongs to no alphabet'
    alphabets = [alphabet for alphabet in shown if alphabet]
    if len(alphabets) <= 1 or any(together.issuperset(alphabets) for together in _TOGETHER):
        return None
    named = ", ".join(f'"{shown[alphabet]}" is {alphabet}' for alphabet in alphabets)
    return f"mixes alphabets: {named.replace('_', ' ')}"


def _alphabet_of(character: str) -> str:
    """The alphabet of a letter or digit; of the two of names, which go with any, an empty one."""
    if character in _NAMES:
        return ""
    if character in _JAPANESE:
        return "Katakana"
    begins, alphabets = _alphabets()
    return alphabets[bisect_right(begins, ord(character)) - 1]


@cache
def _prototypes() -> dict[int, str]:
    pairs = (pair.split("=") for pair in PROTOTYPES.split())
    return {
        int(code, 16): "".join(chr(int(one, 16)) for one in like.split("+")) for code, like in pairs
    }


@cache
def _alphabets() -> tuple[list[int], list[str]]:
    """Where the alphabets begin, and which; ASCII is Latin."""
    pairs = [pair.split("=") for pair in ALPHABETS.split()]
    pairs.insert(0, ["0", "Latin"])
    return [int(code, 16) for code, _ in pairs], [alphabet for _, alphabet in pairs]
