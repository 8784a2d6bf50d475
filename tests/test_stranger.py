import math

import pytest

from triochat.stranger import GREETING_DELAY, PERSON, PROGRAM, Stranger


def test_a_person_has_a_minute() -> None:
    """Who says nothing is greeted, and has a minute from its coming."""
    stranger = Stranger(7.0)
    assert stranger.greeting == 7.0 + GREETING_DELAY
    stranger.hear(9.0, is_person=True)
    assert stranger.deadline == (7.0 + PERSON, PERSON)


def test_a_program_has_less_from_its_first_byte_on() -> None:
    """A program is not greeted, and what it says later gives it no more time."""
    stranger = Stranger(0.0)
    stranger.hear(5.0, is_person=False)
    stranger.hear(15.0, is_person=False)
    assert stranger.deadline == (5.0 + PROGRAM, PROGRAM)
    assert stranger.greeting == math.inf


def test_nobody_gains_by_becoming_a_program() -> None:
    """Who begins as a program in the last second has that second."""
    stranger = Stranger(0.0)
    stranger.hear(PERSON - 1, is_person=False)
    assert stranger.deadline == (PERSON, PERSON)


def test_who_has_shaken_hands_may_be_a_person() -> None:
    """When a handshake is done a person is greeted, and has the rest of its minute."""
    stranger = Stranger(0.0)
    stranger.hear(1.0, is_person=False)
    stranger.hear(19.0, is_person=True)
    stranger.hear(20.0, is_person=True)
    assert stranger.greeting == 19.0 + GREETING_DELAY
    assert stranger.deadline == (PERSON, PERSON)


@pytest.mark.parametrize("is_person", [True, False])
def test_each_line_that_fails_gives_a_minute(is_person: bool) -> None:
    """Who is asked again has a minute from then on, and is never greeted any more."""
    stranger = Stranger(0.0)
    stranger.hear(10.0, is_person=is_person)
    stranger.fail(10.0)
    stranger.hear(50.0, is_person=is_person)
    assert stranger.deadline == (10.0 + PERSON, PERSON)
    assert stranger.greeting == math.inf
    assert stranger.tries == 1


def test_all_is_to_be_done_in_its_time() -> None:
    """However often it is asked again, it has so much time in all."""
    stranger = Stranger(0.0, may_guess=True)
    stranger.fail(59.0)
    assert stranger.deadline == (119.0, PERSON)
    stranger.fail(118.0)
    assert stranger.deadline == (120.0, 120.0)
