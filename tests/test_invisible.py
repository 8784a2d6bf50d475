import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triochat.invisible import HIDDEN, drop_useless
from triochat.text import accept_text, clean

ZWNJ, ZWJ, LRM, RLM, ALM = "\u200c", "\u200d", "\u200e", "\u200f", "\u061c"
TEXT, PICTURE = "\ufe0e", "\ufe0f"
ORNAMENT = "\U000e0100"  # a form of a Han character
MARKS = "\u0301\u20e3\u094d\u0903\u064b"
BASES = "a1#> \u05d0\u0646\u0915\u0da7\u1820\u845b\u2764\U0001f468\U0001f3fd\U0001f3f4\u0663"

hidden_text = st.text(
    f"{ZWNJ}{ZWJ}{LRM}{RLM}{ALM}{TEXT}{PICTURE}{ORNAMENT}\u180b{MARKS}{BASES}\u200b\xad"
)
"""Texts of what nobody sees, and of what it may belong to."""

has_direction = re.compile("[\u061c\u200e\u200f]")


@pytest.mark.parametrize(
    "text",
    [
        f"\U0001f468{ZWJ}\U0001f469{ZWJ}\U0001f467",
        f"\U0001f469\U0001f3fd{ZWJ}\U0001f4bb",
        f"\u2764{PICTURE}{ZWJ}\U0001f525",
        f"\u2764{TEXT} \xa9{PICTURE}",
        f"1{PICTURE}\u20e3 #{PICTURE}\u20e3",
        f"\U0001f3f4{ZWJ}\u2620{PICTURE}",
        f"\u0646\u0645\u06cc{ZWNJ}\u062e\u0648\u0627\u0647\u0645",  # Persian
        f"\u0647{ZWJ}",
        f"\u0915\u094d{ZWJ}\u0937 \u0915\u094d{ZWNJ}\u0937",  # Devanagari
        f"\u0dc1\u0dca{ZWJ}\u0dbb\u0dd3",  # Sinhala
        f"\u1820\u180b{ZWJ}",
        f"\u845b{ORNAMENT}",
        f"\u05d0!{RLM} C++{LRM} \u05d1",
        f"\u0639 5{ALM}",
    ],
)
def test_what_is_of_use_stays(text: str) -> None:
    """Inside emoji, after letters that join, after what has several forms; beside Hebrew."""
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f"a{ZWJ}b{ZWNJ}c", "abc"),
        (f"{ZWJ}\U0001f468", "\U0001f468"),
        (f"\U0001f468{ZWJ}", "\U0001f468"),
        (f"\U0001f468{ZWJ}{ZWJ}\U0001f469", "\U0001f468\U0001f469"),
        (f"\U0001f468{ZWNJ}\U0001f469", "\U0001f468\U0001f469"),
        (f"\U0001f468{PICTURE}{PICTURE}", f"\U0001f468{PICTURE}"),
        (f"a{PICTURE}", "a"),
        (f"1{PICTURE}2", "12"),
        (f"a{ORNAMENT}\u845b\ufe0f", "a\u845b"),
        (f"\u0646{ZWNJ}{ZWNJ}\u0645", f"\u0646{ZWNJ}\u0645"),
        (f"\u0663{ZWNJ}\u0663", "\u0663\u0663"),
        (f"Bob{RLM}> hi{LRM}", "Bob> hi"),
        (f"\u05d0{RLM}{LRM}{RLM}", f"\u05d0{RLM}"),
        ("a\u180b", "a"),
    ],
)
def test_what_is_of_no_use_goes(text: str, cleaned: str) -> None:
    """Anywhere else it could only hide something, or tell two texts apart that look the same."""
    assert clean(text) == cleaned


@given(hidden_text)
def test_what_is_of_use_is_found_once(text: str) -> None:
    """What is clean stays as it is, also where marks were cut and others stood between."""
    assert clean(clean(text)) == clean(text)
    assert drop_useless(drop_useless(text)) == drop_useless(text)


@given(hidden_text)
def test_only_what_nobody_sees_goes(text: str) -> None:
    """Whatever is seen stays, in its order."""
    hidden = re.compile(f"[{HIDDEN}]")
    assert hidden.sub("", drop_useless(text)) == hidden.sub("", text)


@given(hidden_text)
def test_nobody_hides_much(text: str) -> None:
    """No more than two in a row stay behind anything, and none at the beginning but a direction."""
    cleaned = clean(text)
    assert re.search(f"[{HIDDEN}]{{4}}", cleaned) is None
    assert re.match(f"[{HIDDEN}]", has_direction.sub("", cleaned)) is None
    if not re.search("[\u05d0\u0646\u0663\u064b]", text):
        assert has_direction.search(cleaned) is None


@given(st.text(f"{ZWNJ}{ZWJ}{LRM}{RLM}{ALM}{TEXT}{PICTURE}{ORNAMENT} \u200b"))
def test_what_nobody_sees_is_no_message(text: str) -> None:
    """However much of it there is, alone it is empty."""
    assert getattr(accept_text(text), "code", "") == "message-empty"
