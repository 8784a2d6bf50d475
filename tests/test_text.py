import re
import unicodedata

import pytest
from hypothesis import given

from strategies import any_text
from triochat.messages import Refused
from triochat.text import (
    COMBINING,
    HANDLE_LENGTH,
    HANDLE_LIMIT,
    TEXT_LENGTH,
    accept_handle,
    accept_text,
    clean,
    could_be_handle,
    handle_key,
    normalise_handle,
)

CHARACTERS = 'may have letters, digits, "_", "." and "-" only, and no spaces'
START = 'must start with a letter, a digit or "_"'
LETTER = 'needs at least one letter or "_"'
NO_HANDLE = Refused("handle-invalid", "a handle has 1 to 10 characters, no spaces; try another")
EMPTY = Refused("message-empty", "the message is empty; nothing was sent")

BLANK = "\u115f\u1160\u180e\u2800\u3164\uffa0\U0001d159"
"""Letters and signs that are drawn as nothing, and take their place all the same."""

NEVER = re.compile(f"[\x00-\x1f\x7f-\x9f\xad\u2028-\u202e\u2060-\u206f\ud800-\udfff{BLANK}]")
"""Controls, line breaks, bidi overrides and isolates, what nobody sees, surrogates."""

IGNORABLE = (
    "\xad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What Unicode says may be ignored where it cannot be drawn (Default_Ignorable_Code_Point)."""

ALL = "".join(map(chr, range(0x110000)))

WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"

JOINERS = "\u200c\u200d"


def bad_handle(shown: str, problem: str) -> Refused:
    """The refusal of a handle."""
    return Refused("handle-invalid", f'handle "{shown}" {problem}; try another')


def tower_of(text: str) -> int:
    """The most combining marks that stand on one character; joiners do not part them."""
    height = highest = 0
    for character in text:
        if unicodedata.category(character) in ("Mn", "Me", "Mc"):
            height += 1
            highest = max(highest, height)
        elif character not in JOINERS:
            height = 0
    return highest


# ---- handles


@pytest.mark.parametrize(
    "handle",
    [
        "a",
        "Jimmy",
        "_",
        "_1",
        "1a",
        "a1",
        "A-b.c",
        "a.",
        "a-",
        "0123456789"[:9] + "x",
        "x" * 10,
        "Zo\u00eb",
        "\u674e\u96f7",
        "\u0410\u043d\u043d\u0430",
        "\u05d3\u05d5\u05d3",
        "\u0627\u0663",
    ],
)
def test_good_handles(handle: str) -> None:
    """Letters and digits of any script, and ``_ . -`` inside, make a handle."""
    assert accept_handle(handle) == handle


def test_an_empty_handle() -> None:
    """A handle has at least one character."""
    assert accept_handle("") == NO_HANDLE


@pytest.mark.parametrize(
    "handle",
    [
        "a b",
        " a",
        "a ",
        "a\tb",
        "a!",
        "a/b",
        "a@b",
        "a>",
        "?",
        "\\quit",
        "{}",
        "a:b",
        "\u20ac",
        "a\u2028",
        "\U0001f600",
        "a+b",
        "100%",
        "\u00bd",
        "\u2460\u00b0",
        "a\u3000b",
    ],
)
def test_bad_characters_in_handles(handle: str) -> None:
    """No white space, punctuation or symbol stands in a handle."""
    shown = clean(normalise_handle(handle))
    assert accept_handle(handle) == bad_handle(shown, CHARACTERS)


@pytest.mark.parametrize("handle", [".a", "-a", "..", "-"])
def test_how_handles_start(handle: str) -> None:
    """A handle does not start with a point or a dash."""
    assert accept_handle(handle) == bad_handle(handle, START)


@pytest.mark.parametrize("handle", ["3", "12-3", "1.5", "\u0663"])
def test_handles_are_no_numbers(handle: str) -> None:
    """A handle has a letter or ``_``, so that ``5 > 3`` is never a whisper."""
    assert accept_handle(handle) == bad_handle(handle, LETTER)


def test_handle_length() -> None:
    """A handle has at most 10 characters, counted after NFKC."""
    assert HANDLE_LENGTH == 10
    assert accept_handle("x" * 11) == bad_handle(
        "x" * 11, "has 11 characters; at most 10 are allowed"
    )
    assert accept_handle("e\u0301" * 10) == "\u00e9" * 10
    assert accept_handle("\ufb01" * 5) == "fi" * 5
    assert accept_handle("\ufb01" * 6) == bad_handle(
        "fi" * 6, "has 12 characters; at most 10 are allowed"
    )


def test_the_length_is_the_room_s() -> None:
    """A room may allow more characters or fewer, and each refusal names its own limit."""
    assert HANDLE_LIMIT == 32
    assert accept_handle("deploy-bot-1", 12) == "deploy-bot-1"
    assert accept_handle("Christopher", 32) == "Christopher"
    assert accept_handle("\u03b1\u0313\u0300\u0345" * 32, 32) == "\u1f82" * 32
    assert accept_handle("x" * 33, 32) == bad_handle(
        "x" * 33, "has 33 characters; at most 32 are allowed"
    )
    assert accept_handle("Jo", 1) == bad_handle("Jo", "has 2 characters; at most 1 are allowed")
    none = "a handle has 1 to 32 characters, no spaces; try another"
    assert accept_handle("", 32) == Refused("handle-invalid", none)


def test_nfkc_makes_one_character_of_at_most_four() -> None:
    """So what has more than four times the characters of any handle cannot become one."""
    assert max(len(unicodedata.normalize("NFD", character)) for character in ALL) == 4
    assert min(len(unicodedata.normalize("NFKD", character)) for character in ALL) == 1


@pytest.mark.parametrize("sign", ["x", "\ufdfa", "\uff21", "\u0316\u0301"])
def test_what_is_far_too_long_is_not_normalised(sign: str) -> None:
    """Who sends four thousand characters as a name is refused by a glance at their number."""
    for name in ("a" + sign * 4000, ("a" + sign * 200)[:129]):
        assert normalise_handle(name) == name
        assert handle_key(name) == name.casefold()
        refused = accept_handle(name)
        assert isinstance(refused, Refused)
        assert len(refused.text) < 150
    assert normalise_handle("\uff21" * 128) == "A" * 128
    assert accept_handle("x" * 4000) == bad_handle(
        "x" * 39 + "\u2026", "has 4000 characters; at most 10 are allowed"
    )


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("\uff2a\uff49\uff4d", "Jim"),
        ("\ufb01ona", "fiona"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("a\u00b2", "a2"),
        ("\u2163", "IV"),
        ("\u212aen", "Ken"),
    ],
)
def test_handles_are_kept_in_nfkc(typed: str, kept: str) -> None:
    """Wide letters, ligatures and composed letters are kept in their plain form."""
    assert accept_handle(typed) == kept
    assert normalise_handle(typed) == kept


@pytest.mark.parametrize("filler", ["\u115f", "\u1160", "\u3164", "\uffa0"])
def test_hangul_fillers_are_no_letters(filler: str) -> None:
    """Letters that nobody sees make no handle, alone or among others."""
    assert accept_handle(filler) == bad_handle(" ", CHARACTERS)
    assert accept_handle(f"Joe{filler}") == bad_handle("Joe ", CHARACTERS)
    assert could_be_handle(filler) is False


@pytest.mark.parametrize(
    "invisible",
    [*"\xad\u034f\u200b\u2060\ufeff\u202e\u2066\x00\x1b\x7f\x9b\ud800\U000e0062"],
)
def test_invisible_characters_are_no_part_of_a_handle(invisible: str) -> None:
    """Nobody looks like somebody else with a character that is not seen, nor is it shown."""
    assert accept_handle(f"Jo{invisible}e") == bad_handle("Joe", CHARACTERS)


@pytest.mark.parametrize("invisible", ["\u061c", "\u200c", "\u200d", "\u200e", "\ufe0f"])
def test_joiners_are_no_part_of_a_handle(invisible: str) -> None:
    """Joiners and direction marks, which a message may have, make no handle."""
    assert accept_handle(f"Jo{invisible}e") == bad_handle("Joe", CHARACTERS)


def test_a_long_bad_handle_is_shown_in_part() -> None:
    """Of a bad handle at most 40 characters are repeated."""
    assert accept_handle("!" * 40) == bad_handle("!" * 40, CHARACTERS)
    assert accept_handle("!" * 41) == bad_handle("!" * 39 + "\u2026", CHARACTERS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Joe", "jOE"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u03a3\u03af\u03c2", "\u03c3\u03af\u03c3"),
        ("\uff2a\uff4f\uff45", "joe"),
        ("Zo\u00eb", "ZOE\u0308"),
        ("\u212a", "k"),
    ],
)
def test_the_same_handle(one: str, other: str) -> None:
    """Case, width and composition make no other handle."""
    assert handle_key(one) == handle_key(other)


@pytest.mark.parametrize(("one", "other"), [("Joe", "Jo"), ("Zoe", "Zo\u00eb"), ("a_", "a.")])
def test_other_handles(one: str, other: str) -> None:
    """Other letters make another handle."""
    assert handle_key(one) != handle_key(other)


@pytest.mark.parametrize(
    ("word", "could_be"),
    [
        ("Joe", True),
        ("x" * 50, True),
        ("Jos\u00e9", True),
        ("_", True),
        ("3", False),
        ("", False),
        ("3.5", False),
        ("Joe!", False),
        (".Joe", False),
        ("b)", False),
        ("a>b", False),
    ],
)
def test_what_could_be_a_handle(word: str, could_be: bool) -> None:
    """A word of any length whose characters fit a handle may be meant for one."""
    assert could_be_handle(word) is could_be


@given(any_text)
def test_accepted_handles_keep_the_rules(text: str) -> None:
    """Whatever is taken for a handle is short, visible, and accepted again as it is."""
    handle = accept_handle(text)
    if isinstance(handle, Refused):
        assert handle.code in ("handle-invalid", "handle-reserved")
        assert clean(handle.text) == handle.text
    else:
        assert 1 <= len(handle) <= 10
        assert handle.isprintable()
        assert clean(handle) == handle
        assert accept_handle(handle) == handle
        assert could_be_handle(handle)


@given(any_text)
def test_keys_are_stable(text: str) -> None:
    """A handle's key is the same for all its spellings, and for the key itself."""
    key = handle_key(text)
    assert handle_key(normalise_handle(text)) == key
    assert handle_key(text.casefold()) == key
    assert handle_key(key) == key


# ---- cleaning


@pytest.mark.parametrize("text", ["", "hello", " two  spaces ", "[red]x[/]", ":smile:", "a > b"])
def test_plain_text_stays(text: str) -> None:
    """Printable text is not touched, and white space around it stays."""
    assert clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Zo\u00eb \u674e\u96f7 \u05d3\u05d5\u05d3",
        "\U0001f600",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u2764\ufe0f",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0e19\u0e34\u0e14\u0e32",
        WALES,
        "e\u0301\u0302\u0303\u0304",
        "\ue0b0",
    ],
)
def test_all_scripts_and_emoji_stay(text: str) -> None:
    """Letters, marks, emoji and the joiners inside them are text."""
    assert clean(text) == text


@pytest.mark.parametrize(
    "line_break",
    ["\t", "\n", "\v", "\f", "\r", "\r\n", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"],
)
def test_tabs_and_line_breaks_are_a_space(line_break: str) -> None:
    """A tab is a space, and so is a line break of any kind."""
    assert clean(f"a{line_break}b") == "a b"


@pytest.mark.parametrize("blank", [character for character in ALL if character.isspace()])
def test_all_white_space_is_a_space(blank: str) -> None:
    """A space of whatever width is a space; a control character goes, whatever it is."""
    assert clean(f"a{blank}b") == ("ab" if blank == "\x1f" else "a b")


@pytest.mark.parametrize("blank", BLANK)
def test_what_is_drawn_as_nothing_is_a_space(blank: str) -> None:
    """Nobody pads a line, or says nothing, with letters that nobody sees."""
    assert clean(f"a{blank}b") == "a b"
    assert clean(f"x{blank * 3}Bob> hi") == "x   Bob> hi"
    assert accept_text(blank * 3) == EMPTY


def test_runs_of_spaces_stay() -> None:
    """Tables and code keep their columns."""
    assert clean("/dev/sda1   40G    12%") == "/dev/sda1   40G    12%"
    assert clean("\u3000\u3000if \u2800x:") == "  if  x:"


@pytest.mark.parametrize(
    "control",
    [chr(code) for code in (*range(9), *range(14, 28), 31, *range(127, 133), *range(134, 160))],
)
def test_control_characters_go(control: str) -> None:
    """No C0 or C1 control character stays, nor DEL."""
    assert clean(f"a{control}b\u00e9") == "ab\u00e9"


@pytest.mark.parametrize("override", [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"])
def test_bidi_overrides_go(override: str) -> None:
    """Nothing turns the order of the characters round."""
    assert clean(f"a{override}b") == "ab"


@pytest.mark.parametrize(
    "invisible",
    [
        *"\u200b\u2060\u2061\u2064\u206a\u206f\ufeff\ufff9\ufffa\ufffb\ud800\udfff\ufdd0\ufffe\uffff",
        *"\xad\u034f\u17b4\u17b5\ufff0\U00016fe4\U0001bca0\U0001d173\U000e0fff",
        "\U000e0001",
        "\U0001ffff",
        "\U0010fffe",
    ],
)
def test_invisible_padding_goes(invisible: str) -> None:
    """Nothing stays that is never seen and means nothing."""
    assert clean(f"a{invisible}b") == "ab"


def test_what_may_be_ignored() -> None:
    """What may be ignored stays in no Latin word, and is no message, whatever there is of it."""
    for character in re.findall(f"[{IGNORABLE}]", ALL):
        assert clean(f"a{character}b") in ("ab", "a b")
        assert accept_text(character) == EMPTY
    assert accept_text("\u200d\ufe0f \u200e") == EMPTY


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f"a{WALES}b", f"a{WALES}b"),
        (WALES * 2, WALES * 2),
        (f"{WALES}{WALES[1:]}", WALES),  # tags that follow no flag
        (WALES[1:], ""),
        (WALES[:-1], WALES[0]),  # nothing ends them
        (f"{WALES[:1]}{WALES[-1]}", WALES[0]),
        (f"{WALES[0]}{WALES[1] * 7}{WALES[-1]}", WALES[0]),  # hidden words, no place
        (f"{WALES[0]}\U000e0041{WALES[-1]}", WALES[0]),
        (f"{WALES[0]}\u200b{WALES[1:]}", WALES[0]),
        ("a\U000e0062b", "ab"),
    ],
)
def test_tags_stay_inside_a_flag(text: str, cleaned: str) -> None:
    """Nobody hides words in tags, which only flags need: one to six letters, and their end."""
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


def test_escape_sequences_become_text() -> None:
    """Without its escape character an escape sequence is the text that it is written with."""
    assert clean("\x1b[31mred\x1b[0m \x9b1m \x1b]0;title\x07") == "[31mred[0m 1m ]0;title"


def test_floods_of_combining_marks_are_cut() -> None:
    """No more than four combining marks stand on a character, of any kind of mark."""
    assert COMBINING == 4
    assert clean("a" + "\u0301" * 500 + "b") == "a\u0301\u0301\u0301\u0301b"
    assert clean("a" + "\u0301\u20dd\u0903" * 3) == "a\u0301\u20dd\u0903\u0301"
    assert clean("\u0301" * 9) == "\u0301" * 4
    assert (
        clean("a\u0301\u0301\u0301b\u0301\u0301\u0301") == "a\u0301\u0301\u0301b\u0301\u0301\u0301"
    )


@pytest.mark.parametrize("joiner", [*JOINERS, "\u200b"])
def test_joiners_do_not_let_marks_climb(joiner: str) -> None:
    """Marks that an invisible joiner parts stand on one character all the same."""
    assert tower_of(clean("a" + f"\u0301\u0301\u0301\u0301{joiner}" * 50)) == 4


@given(any_text)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """What is clean stays as it is."""
    assert clean(clean(text)) == clean(text)


@given(any_text)
def test_what_is_never_in_clean_text(text: str) -> None:
    """No control character, line break, override, surrogate or tower of marks is left."""
    cleaned = clean(text)
    assert NEVER.search(cleaned) is None
    categories = {unicodedata.category(character) for character in cleaned}
    assert categories & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert all(character == " " for character in cleaned if character.isspace())
    assert cleaned.splitlines() in ([], [cleaned])
    assert len(cleaned) <= len(text)
    assert cleaned.encode().decode() == cleaned
    assert "M" * 5 not in "".join(unicodedata.category(character)[0] for character in cleaned)


@given(any_text)
def test_cleaning_only_takes_away(text: str) -> None:
    """But for spaces, clean text consists of characters of the text in their order."""
    rest = iter(text)
    assert all(character in rest for character in clean(text).replace(" ", ""))


# ---- messages


@pytest.mark.parametrize("text", ["x", " x ", "...", "\u00e9", "\U0001f600", "\u0301", "5 > 3"])
def test_good_messages(text: str) -> None:
    """Whatever shows anything is a message, with the white space around it."""
    assert accept_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " \t ",
        "\r\n",
        "\x00",
        "\u200b",
        "\u3000",
        "\u3164",
        "\uffa0 \u1160",
        "\u2800",
        "\xad",
    ],
)
def test_messages_that_show_nothing(text: str) -> None:
    """A message of which nothing would be seen is empty."""
    assert accept_text(text) == EMPTY


@pytest.mark.parametrize("text", ["\U0001fae8", "\U0001f6dc", "\ue0b0"])
def test_characters_that_this_python_does_not_know(text: str) -> None:
    """A character newer than Python's tables, or of a private alphabet, is a message."""
    assert accept_text(text) == text


def test_message_length() -> None:
    """500 characters are a message; 501 are refused with their number, and never cut."""
    assert TEXT_LENGTH == 500
    assert accept_text("x" * 500) == "x" * 500
    assert accept_text("\U0001f600" * 500) == "\U0001f600" * 500
    assert accept_text("x" * 501) == Refused(
        "message-too-long", "501 characters; at most 500 are allowed; nothing was sent"
    )
    assert accept_text(" " * 4000) == Refused(
        "message-too-long", "4000 characters; at most 500 are allowed; nothing was sent"
    )


def test_messages_are_counted_after_cleaning() -> None:
    """What is taken away does not count, what becomes a space counts once."""
    assert accept_text("\x1b\u200b".join("x" * 500)) == "x" * 500
    assert accept_text("x" * 499 + "\r\n") == "x" * 499 + " "
    assert accept_text("x" * 500 + "\r\n\x07") == Refused(
        "message-too-long", "501 characters; at most 500 are allowed; nothing was sent"
    )


@given(any_text)
def test_accepted_messages_keep_the_rules(text: str) -> None:
    """A message is taken as it is when cleaned, or refused with a clean sentence."""
    accepted = accept_text(text)
    if isinstance(accepted, Refused):
        assert accepted.code in ("message-empty", "message-too-long")
        assert clean(accepted.text) == accepted.text
    else:
        assert accepted == clean(text)
        assert 1 <= len(accepted) <= 500
        assert accept_text(accepted) == accepted
