import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text
from triochat.lookalike_table import ALPHABETS, PROTOTYPES, VERSION
from triochat.lookalikes import mixture, skeleton
from triochat.messages import Refused
from triochat.text import accept_handle, handle_key, normalise_handle, skeletons

LIKE_LATIN = "acehiopsxyABCEHIKMOPSTXY0123456789_.-"

handles = st.one_of(
    any_text,
    st.text(LIKE_LATIN, min_size=1, max_size=6),
    st.text("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0410\u0421\u041e", min_size=1),
    st.text("\u03bf\u03c1\u03bd\u0391\u0392\u13aa\u13ab\uab70\ua4d0\u0561\u053f", min_size=1),
)
"""What may be a handle, of letters that look like others."""


def look_alike(one: str, other: str) -> bool:
    """Whether these handles do."""
    return any(map(str.__eq__, skeletons(one), skeletons(other)))


# ---- what looks alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Joe1", "Joel"),
        ("JoeI", "Joel"),
        ("JOEL", "Joe1"),
        ("B0b", "Bob"),
        ("BOB", "b0b"),
        ("Iain", "lain"),
        ("l0", "Io"),
        ("Arnie", "Amie"),
        ("Ann.", "Ann"),
        ("Ann-", "Ann"),
        ("Ann.-.", "aNN"),
        ("Ann\u02bc", "Ann"),
        ("Ann\ua78f", "Ann"),
        ("coco", "\u0441\u043e\u0441\u043e"),
        ("COCO", "\u0421\u041e\u0421\u041e"),
        ("CoCo", "\u0441\u043e\u0441\u043e"),
        ("\u0430\u0441", "AC"),
        ("p", "\u03c1"),
        ("Anna", "\u0251nn\u0251"),
        ("\uff2aoe", "joe"),
        ("DA", "\u13a0\u13aa"),
        ("da", "\uab70\uab7a"),
        ("\u30ed", "\u53e3"),
        ("Joel", "joeI"),
        ("Bill", "bilI"),
        ("alice", "AIice"),
        ("OLE", "0Ie"),
    ],
)
def test_what_looks_alike(one: str, other: str) -> None:
    """Letters, digits and signs that are drawn alike make no other handle, in either case."""
    assert look_alike(one, other)
    assert look_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ian", "Lan"),
        ("ian", "lan"),
        ("Ann", "Anne"),
        ("Zoe", "Zo\u00eb"),
        ("Ann_", "Ann"),
        ("_Ann", "Ann"),
        ("A.nn", "Ann"),
        ("Sam", "5am"),
        ("Ann", "\u0410\u043d\u044f"),
        ("u10", "u100"),
    ],
)
def test_what_does_not_look_alike(one: str, other: str) -> None:
    """What people tell apart at a glance is not held to be the same."""
    assert not look_alike(one, other)


@pytest.mark.parametrize("word", ["u", "user", "bot-", "l", "Bob_", "m", "r1_", "\u044e"])
def test_numbered_handles(word: str) -> None:
    """However many are numbered from 0 on, no two of them look alike."""
    numbered = [skeletons(f"{word}{number}") for number in range(2000)]
    assert all(len(set(looks)) == 2000 for looks in zip(*numbered, strict=True))


@given(handles)
def test_skeletons_are_stable(text: str) -> None:
    """A skeleton is its own skeleton."""
    look = skeleton(normalise_handle(text))
    assert skeleton(look) == look


@given(handles)
def test_the_same_handle_looks_alike(text: str) -> None:
    """What is one handle by its key looks alike, however it is written."""
    small = skeletons(text)[1]
    for spelling in (text.casefold(), normalise_handle(text), handle_key(text)):
        assert skeletons(spelling)[1] == small


@given(handles, handles)
def test_looking_alike_is_mutual(one: str, other: str) -> None:
    """Two handles look alike or not, whichever came first; and everything looks like itself."""
    assert look_alike(one, other) is look_alike(other, one)
    assert look_alike(one, one)


def test_long_words_have_skeletons_at_once() -> None:
    """A ban may name anything: what is far too long to be a handle is not looked at whole."""
    assert skeletons("\u0316\u0301" * 100_000) == skeletons("\u0316\u0301" * 64)


# ---- one alphabet


@pytest.mark.parametrize(
    "handle",
    [
        "Ann",
        "\u0410\u043d\u044f",  # Cyrillic
        "\u0410\u043d\u044f_1.2-3",
        "\u0391\u03bd\u03bd\u03b1",
        "\u05d3\u05d5\u05d3",
        "\u0627\u0628\u0663",
        "\u0928\u0967",
        "Zo\u00eb",
        "\u5c71\u7530Taro",  # Han and Latin
        "\u5c71\u7530\u3088\u3057\u30b8\u30df\u30fc",
        "\u674eLei\u3107",
        "\ud55c\u6f22Kim",
        "Ka\u02bbiulani",
        "\u0413\u02bc1",
    ],
)
def test_one_alphabet(handle: str) -> None:
    """A handle is of one alphabet, with digits and signs; Latin may stand beside those of Asia."""
    assert accept_handle(handle) == handle


@pytest.mark.parametrize(
    ("handle", "problem"),
    [
        ("\u0410nn", 'mixes alphabets: "\u0410" is Cyrillic, "nn" is Latin'),
        ("\u0405erver", 'mixes alphabets: "\u0405" is Cyrillic, "erver" is Latin'),
        ("Ann\u1433", 'mixes alphabets: "Ann" is Latin, "\u1433" is Canadian Aboriginal'),
        ("B\u03bfb", 'mixes alphabets: "B" is Latin, "\u03bf" is Greek'),
        ("\u0663a", 'mixes alphabets: "\u0663" is Arabic, "a" is Latin'),
        ("\u3042\u3107", 'mixes alphabets: "\u3042" is Hiragana, "\u3107" is Bopomofo'),
        ("\u0430\u03b1a", 'mixes alphabets: "\u0430" is Cyrillic, "\u03b1" is Greek, "a" is Latin'),
        ("Ann\u02d0", 'has "\u02d0", a sign that belongs to no alphabet'),
        ("\u0639\u0640\u0644\u064a", 'has "\u0640", a sign that belongs to no alphabet'),
    ],
)
def test_several_alphabets(handle: str, problem: str) -> None:
    """Letters of several alphabets are refused with what is of which, whoever is here."""
    refused = Refused("handle-invalid", f'handle "{handle}" {problem}; try another')
    assert accept_handle(handle) == refused


def test_letters_that_the_table_does_not_know() -> None:
    """A letter of a alphabet that is newer than the table stands alone, and mixes with none."""
    assert mixture("\U0003fffd") is None
    assert mixture("\U0003fffda") == 'mixes alphabets: "\U0003fffd" is Unknown, "a" is Latin'


@pytest.mark.parametrize("handle", ["you", "YOU", "y0u", "You.", "\u028f\u03bfu"])
def test_you_is_nobody(handle: str) -> None:
    """Whispers call their reader ``you``; nobody looks like that."""
    refused = accept_handle(handle)
    assert isinstance(refused, Refused)
    assert refused.code == ("handle-reserved" if handle.isascii() else "handle-invalid")


# ---- the table


def test_the_table() -> None:
    """It is Unicode's, in order, and each of its prototypes stands for itself."""
    assert VERSION.count(".") == 2
    begins = [int(one.split("=")[0], 16) for one in ALPHABETS.split()]
    codes = [int(one.split("=")[0], 16) for one in PROTOTYPES.split()]
    assert begins == sorted(begins)
    assert codes == sorted(set(codes))
    for code in codes:
        look = skeleton(chr(code))
        assert skeleton(look) == look


def test_the_table_agrees_with_the_names() -> None:
    """Where the name of a letter begins with a alphabet's, the letter is of that alphabet."""
    for alphabet in ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "THAI"):
        for code in range(0x80, 0x20000):
            letter = chr(code)
            name = unicodedata.name(letter, "")
            is_kept = letter.isalpha() and unicodedata.is_normalized("NFKC", letter)
            if is_kept and name.startswith(f"{alphabet} LETTER"):
                other = "a" if alphabet != "LATIN" else "\u0430"
                assert f'"{letter}" is {alphabet.capitalize()}' in str(mixture(letter + other))
