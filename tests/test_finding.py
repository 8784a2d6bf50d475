from hypothesis import given
from hypothesis import strategies as st

from triochat.finding import words_in


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_finds_the_same_words(text: str) -> None:
    """Text that is ASCII is read in a way of its own, which is quicker: its words are the same."""
    assert [*words_in(text), "e"] == words_in(f"{text} \N{LATIN SMALL LETTER E WITH ACUTE}")
