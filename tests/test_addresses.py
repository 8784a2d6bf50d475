from argparse import ArgumentTypeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triochat.addresses import split_address


@pytest.mark.parametrize(
    ("words", "host", "port"),
    [
        ("9999", "127.0.0.1", 9999),
        ("65535", "127.0.0.1", 65535),
        ("localhost 9999", "localhost", 9999),
        ("localhost:9999", "localhost", 9999),
        (":9999", "127.0.0.1", 9999),
        ("10.0.0.7:1", "10.0.0.7", 1),
        ("::1 9999", "::1", 9999),
        ("[::1]:9999", "::1", 9999),
        ("[::1] 9999", "::1", 9999),
        ("fe80::1%eth0 9999", "fe80::1%eth0", 9999),
        ("[fe80::1%eth0]:9999", "fe80::1%eth0", 9999),
        ("2001:db8::5:80 9999", "2001:db8::5:80", 9999),
        ("0 9999", "0", 9999),
    ],
)
def test_an_address_is_found_before_any_text(words: str, host: str, port: int) -> None:
    """A port, HOST:PORT, or a host and its port; what follows is text, also if it is a number."""
    for text in ([], ["hi"], ["42", "is", "it"], ["a:1"]):
        assert split_address([*words.split(), *text]) == (host, port, text)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", "where is the room? PORT, HOST:PORT or HOST PORT is needed"),
        ("99999", '"99999" is not a port; a port is a number, 1 to 65535'),
        ("0", '"0" is not a port; a port is a number, 1 to 65535'),
        ("h", '"h" is a host; its port is needed too: h PORT or h:PORT'),
        ("::1", '"::1" is a host; its port is needed too: ::1 PORT (with an IPv6 address: [::1]:'),
        ("::1:9999 hi", '"hi" is not a port'),
        ("h hi", '"hi" is not a port'),
        ("h: hi", '"hi" is not a port'),
        ("h 0", "nobody can listen on port 0"),
        ("h:0", "nobody can listen on port 0"),
        ("h:99999", '"99999" is not a port'),
        ("h ²", '"²" is not a port'),
    ],
)
def test_what_is_no_address_is_refused(words: str, problem: str) -> None:
    """Nothing is guessed where the host or the port is missing; a sentence says what to type."""
    with pytest.raises(ArgumentTypeError) as caught:
        split_address(words.split())
    assert str(caught.value).startswith(problem)


@given(st.lists(st.text() | st.from_regex(r"[\[\]:.0-9a-f]*:?[0-9]+"), max_size=3))
def test_any_words_are_an_address_or_are_refused(words: list[str]) -> None:
    """Whatever was typed, it has a port from 1 to 65535, or a sentence says why it has none."""
    try:
        _, port, rest = split_address(words)
    except ArgumentTypeError:
        return
    assert 1 <= port <= 65535
    assert words[len(words) - len(rest) :] == rest
