import pytest
from hypothesis import given

from strategies import any_text
from triochat.terminals.completion import complete

PEOPLE = ["Zoe", "Ann", "anna", "Bob"]


def tab(before: str) -> list[str]:
    """The lines that Tab goes through."""
    length, words = complete(before, PEOPLE)
    return [before[: len(before) - length] + word for word in words]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\\n", ["\\nick "]),
        ("/W", ["/who"]),
        ("\\bell ", ["\\bell off", "\\bell mention", "\\bell all"]),
        ("\\bell m", ["\\bell mention"]),
        ("A", ["Ann: ", "anna: "]),
        ("hello a", ["hello Ann", "hello anna"]),
        ("hello ", ["hello Zoe", "hello Ann", "hello anna", "hello Bob"]),
        ("@b", ["@Bob"]),
        ("well @b", ["well @Bob"]),
        ("psst > b", ["psst > Bob"]),
        ("\\msg b", ["\\msg Bob "]),
        ("\\msg Bob ask Z", ["\\msg Bob ask Zoe"]),
        ("\\say b", ["\\say Bob"]),
        ("\\\\b", []),
        ("\\\\hi b", ["\\\\hi Bob"]),
        ("one\n\\n", []),
        ("one\n\\msg b", ["one\n\\msg Bob"]),
        ("a@b", []),
        ("x", []),
    ],
)
def test_what_tab_makes_of_a_line(before: str, after: list[str]) -> None:
    """Commands, their words, and handles, each where it makes sense, the likeliest first."""
    assert tab(before) == after


@pytest.mark.parametrize("before", ["\\nick A", "\\who A", "\\quit ", "\\nosuch A"])
def test_no_handles_where_none_makes_sense(before: str) -> None:
    """A new name is nobody's yet, and most commands are not about anybody."""
    assert tab(before) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\\k", ["\\kick "]),
        ("\\kick B", ["\\kick Bob "]),
        ("\\kick Bob as Z", ["\\kick Bob as Zoe"]),
        ("\\ban B", ["\\ban Bob "]),
        ("\\ban Bob ", []),
        ("\\ban Bob 10 as Z", ["\\ban Bob 10 as Zoe"]),
        ("\\mute B", ["\\mute Bob "]),
        ("\\mute Bob M", []),
        ("\\quiet o", ["\\quiet on", "\\quiet off"]),
        ("\\ignore z", ["\\ignore Zoe "]),
        ("\\forget B", ["\\forget Bob "]),
        ("\\forget 17 B", ["\\forget 17 Bob "]),
        ("\\me waves at Z", ["\\me waves at Zoe"]),
    ],
)
def test_what_operators_type(before: str, after: list[str]) -> None:
    """Anybody may be made an operator: whom to put out is completed at each terminal."""
    assert tab(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\\find B", []),
        ("\\find tea from B", ["\\find tea from Bob "]),
        ("\\find from B", ["\\find from Bob "]),
        ("\\find tea B", []),
        ("\\find tea from Ann B", []),
        ("\\since ", ["\\since 30m"]),
        ("\\back ", []),
        ("\\export B", []),
    ],
)
def test_what_is_looked_for(before: str, after: list[str]) -> None:
    """After ``from`` stands who said it."""
    assert tab(before) == after


def test_what_is_no_handle_is_not_offered() -> None:
    """A server cannot put words, or escape sequences, into the line as somebody's name."""
    bad = ["Ann: send it", "A\x1b[2J", "A\u202e", "A\nB", "", "A" * 9]
    assert complete("A", bad) == (1, ["A" * 9 + ": "])


@given(any_text)
def test_any_line(before: str) -> None:
    """Whatever stands in the line, Tab only changes its end."""
    length, words = complete(before, PEOPLE)
    assert 0 <= length <= len(before)
    assert all(isinstance(word, str) for word in words)
