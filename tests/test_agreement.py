import argparse
import inspect

import pytest

from triochat import shared
from triochat.agreement import ANEW, SO, Agreement
from triochat.options import add_server
from triochat.state import State

TERMS = {"--max-clients": "500", "--turns": "", "--hold": "600"}


def test_those_who_agree_agree() -> None:
    """The same terms, password and rules, each set by itself, are an agreement."""
    for password in ("", "sesame"):
        one, other = Agreement(TERMS, password, "12ab"), Agreement({**TERMS}, password, "12ab")
        one.check(other.terms())
        other.check(one.terms())


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"--max-clients": "1000"}, "this room has --max-clients 500, not 1000"),
        ({"--turns": None}, "this room has --turns"),
        ({"--idle": "60"}, "this room has no --idle"),
        ({"--hold": None}, "this room has --hold 600"),
        (
            {"--max-clients": "9", "--turns": None, "--idle": "60"},
            "this room has no --idle, --max-clients 500, not 9, --turns",
        ),
    ],
)
def test_other_options_are_refused(changed: dict[str, str | None], says: str) -> None:
    """It is said which ones are others, how the room has it, and what to do."""
    own = {name: value for name, value in {**TERMS, **changed}.items() if value is not None}
    with pytest.raises(ValueError, match=r".") as refused:
        Agreement(own).check(Agreement(TERMS).terms())
    assert str(refused.value) == f"{says}; {SO}"


@pytest.mark.parametrize(
    ("theirs", "own", "says"),
    [
        ("sesame", "", "a password"),
        ("", "sesame", "no password"),
        ("sesame", "Sesame", "another password"),
    ],
)
def test_another_password_is_refused(theirs: str, own: str, says: str) -> None:
    """Which one it is stands in no sentence, and in no terms."""
    terms = Agreement({}, theirs).terms()
    with pytest.raises(ValueError, match="password") as refused:
        Agreement({}, own).check(terms)
    assert str(refused.value) == f"this room has {says}; {SO}"
    assert "sesame" not in str(terms)


def test_two_rooms_with_one_password_do_not_show_that() -> None:
    """What stands of it in the terms is another thing each time."""
    assert Agreement({}, "sesame").terms() != Agreement({}, "sesame").terms()


def test_other_rules_are_refused() -> None:
    """Before anything else is compared: options may be called otherwise in another release."""
    theirs = Agreement({"--former": "1"}, "", "ab12cd34").terms()
    with pytest.raises(ValueError, match="release") as refused:
        Agreement(TERMS, "", "ef567890").check(theirs)
    assert str(refused.value) == (
        "the servers of this room run another release (rules ab12cd34, not ef567890);"
        f" run the same triochat, and the same Python, on all, or {ANEW}"
    )


def test_whatever_a_room_is_made_with_is_agreed_on() -> None:
    """But for its place, which is each server's own, and its name, by which they share it.

    The console's handle is called `--handle`, and the password is compared by itself.
    """
    apart = {"place", "name", "password", "server"}
    assert {*inspect.signature(State).parameters} - apart <= {*shared.TERMS}
    assert "handle" in shared.TERMS


@pytest.mark.parametrize(
    ("line", "terms"),
    [
        ("9999", {"--grace": "10", "--rate": "20"}),
        ("9999 --turns --idle 5 --grace 0.5", {"--grace": "0.5", "--turns": ""}),
    ],
)
def test_what_an_option_says_is_a_term(line: str, terms: dict[str, str]) -> None:
    """As it is written on the command line; one that is not set is none."""
    parser = argparse.ArgumentParser()
    add_server(parser)
    found = shared.agreement_of(parser.parse_args(line.split()), "").terms()
    assert found.items() >= terms.items()
    assert ("--turns" in found, "--idle" in found) == ("--turns" in line, "--idle" in line)
