from hypothesis import given

from strategies import any_text
from triochat.passwords import Password


def test_one_password_is_one_however_it_was_typed() -> None:
    """It may be composed or not, with spaces of any width; its case counts, and all else."""
    password = Password("Stra\u00dfe Z\u00fcrich")
    assert password.is_same("Stra\u00dfe Zu\u0308rich")
    assert password.is_same("Stra\u00dfe\xa0Z\u00fcrich")
    for other in ("", "stra\u00dfe z\u00fcrich", "Strasse Z\u00fcrich", "Stra\u00dfe Z\u00fcrich "):
        assert not password.is_same(other)


def test_what_is_too_long_is_none() -> None:
    """Nobody can make the server work on what no password can be."""
    marks = "a" + "\u0300\u0327\u0345\u0316" * 100
    assert not Password(marks).is_same(marks)


@given(any_text)
def test_any_text_may_be_one(text: str) -> None:
    """Whatever is given is compared, half characters too, and nothing is raised."""
    assert Password(text).is_same(text)
    assert not Password(text).is_same(text + "!")


def test_nothing_shows_it() -> None:
    """What a room keeps of its password does not hold it."""
    password = Password("sesame")
    assert "sesame" not in repr(password)
    assert not any("sesame" in repr(getattr(password, name)) for name in Password.__slots__)
