"""The words of IRC: lines in, lines out, and what may stand in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, wire_text
from triochat.dialects import irc_words
from triochat.dialects.irc_words import (
    LENGTH,
    Line,
    channel_of,
    name,
    nick_of,
    numeric,
    parse,
    source,
    split,
    spread,
    unformatted,
    word,
)
from triochat.text import accept_handle, clean, could_be_handle

any_long = st.builds(str.__mul__, wire_text, st.integers(1, 60))
"""Texts that may need several lines."""


@pytest.mark.parametrize(
    ("line", "command", "parameters"),
    [
        ("NICK Ann", "NICK", ["Ann"]),
        ("nick :Ann", "NICK", ["Ann"]),
        ("JOIN :", "JOIN", [""]),
        ("USER a 0 * :Ann Other", "USER", ["a", "0", "*", "Ann Other"]),
        ("@a=b;c=d :who!is@it PRIVMSG #room ::)", "PRIVMSG", ["#room", ":)"]),
        ("  PRIVMSG   #room   :  two  ", "PRIVMSG", ["#room", "  two  "]),
        ("PRIVMSG #room hi", "PRIVMSG", ["#room", "hi"]),
        ("QUIT", "QUIT", []),
        ("", "", []),
        ("@tags", "", []),
        (":prefix", "", []),
        ("X " + "p " * 20, "X", ["p"] * 14 + ["p p p p p p "]),
    ],
)
def test_lines_are_read(line: str, command: str, parameters: list[str]) -> None:
    """Tags and the sender are left out; the last parameter may have blanks, the fifteenth has."""
    assert parse(line)[:2] == (command, parameters)


def test_what_stands_behind_a_command_is_kept() -> None:
    """A command of the room's own is read as it was typed."""
    assert parse("find tea from Ann") == Line("FIND", ["tea", "from", "Ann"], "tea from Ann")


@given(any_text)
def test_any_line_is_read(line: str) -> None:
    """Whatever it is, a line has at most fifteen parameters, and only the last one has blanks."""
    _, parameters, _ = parse(line)
    assert len(parameters) <= 15
    assert not any(" " in parameter for parameter in parameters[:-1])


def test_formatting_goes_with_its_numbers() -> None:
    """Colours, bold and the like leave nothing behind, and no digits of the text go with them."""
    assert unformatted("\x0304,12red\x03 \x02bold\x0f \x1ditalic \x04ff0000hex \x03" + "1234") == (
        "red bold italic hex 34"
    )


@pytest.mark.parametrize(
    ("room", "channel"),
    [
        ("tea", "#tea"),
        ("tea room", "#tea-room"),
        ("#tea", "#tea"),
        ("a,b\x07c:d", "#a-bc-d"),
        ("", "#room"),
        ("  ", "#room"),
        ("дом", "#дом"),
        ("x" * 99, "#" + "x" * 50),
    ],
)
def test_the_channel_is_called_like_the_room(room: str, channel: str) -> None:
    """As far as a channel can be called so."""
    assert channel_of(room) == channel


@pytest.mark.parametrize(
    ("wanted", "nick"),
    [
        ("Ann", "Ann"),
        ("verylongnickname", "verylongni"),
        ("[bot]", "_bot_"),
        ("joe|away", "joe_away"),
        ("-joe", "joe"),
        ("1234", "_1234"),
        ("1234567890", "_123456789"),
        ("---", "_"),
        ("\x02joe", "_joe"),
        ("жанна", "жанна"),
        ("aжb", "ab"),
        ("aж" * 9, "aaaaaaaaa"),
    ],
)
def test_a_nick_becomes_a_handle(wanted: str, nick: str) -> None:
    """Some clients wait for ever after a refusal: so it is cut, and made valid."""
    assert nick_of(wanted, 10) == nick
    assert accept_handle(nick, 10) == nick


def test_a_nick_is_looked_at_no_further_than_it_may_be_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One letter may become eighteen: to look at each of them would cost 3 ms a line."""
    looked_at: list[str] = []

    def note(word: str) -> bool:
        looked_at.append(word)
        return could_be_handle(word)

    monkeypatch.setattr(irc_words, "could_be_handle", note)
    assert nick_of("\ufdfa" * 64, 10)
    assert len(looked_at) < 70


@given(any_text, st.integers(1, 32))
def test_any_nick_becomes_something(wanted: str, length: int) -> None:
    """Whatever it is, it is a handle: nobody is refused on the way in for what a handle may be."""
    nick = nick_of(wanted, length)
    assert 1 <= len(nick) <= length
    accepted = accept_handle(nick, length)
    assert accepted == nick or getattr(accepted, "code", "") == "handle-reserved"


@given(any_text)
def test_any_handle_is_one_word(handle: str) -> None:
    """Nobody is called so that a line reads otherwise."""
    called = name(handle)
    assert called
    assert not set(" :,!@*#\r\n\0") & set(called.replace("*", "", called == "*"))
    assert source(handle).count(" ") == 0
    assert " " not in word(handle)
    assert not word(handle).startswith(":")


@given(any_long, st.integers(20, 600))
def test_what_is_split_is_whole(text: str, most: int) -> None:
    """The pieces fit, and joined they are the text; none is empty but that of an empty text."""
    text = clean(text)
    pieces = split(text, most)
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= most for piece in pieces)
    assert pieces == [""] or all(pieces)


def test_it_is_split_at_a_space() -> None:
    """Where there is one in the second half of a piece."""
    assert split("hello to you all", 10) == ["hello to ", "you all"]
    assert split("hi " + "x" * 12, 10) == ["hi xxxxxxx", "xxxxx"]


@pytest.mark.parametrize(
    "letter", ["e\u0301", "\U0001f469\u200d\U0001f680", "\U0001f44d\U0001f3fd"]
)
def test_no_letter_is_cut_in_two(letter: str) -> None:
    """What is read as one letter stays in one piece."""
    for most in range(20, 60):
        pieces = split(letter * 40, most)
        assert all(len(piece) % len(letter) == 0 for piece in pieces), most


@given(wire_text, wire_text, any_long)
def test_lines_fit(handle: str, to: str, text: str) -> None:
    """Whoever says what, no line is longer than one may be, and nothing in it ends it."""
    lines = spread(f"{source(handle)} PRIVMSG {name(to)} :", text)
    lines.append(numeric("404", name(handle), word(to), text=text))
    for line in lines:
        assert len(line.encode()) <= LENGTH
        assert not set("\r\n\0") & set(line)
