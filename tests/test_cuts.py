"""However bytes are cut, a door understands the same: each of them, at every place."""

import pytest
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from triochat.backlog import Backlog
from triochat.dialects.base import Speaker
from triochat.dialects.irc import COMMANDS, IrcSpeaker
from triochat.dialects.plain import PlainSpeaker
from triochat.dialects.recognition import BEGINNINGS, recognise
from triochat.link import Link
from triochat.messages import Quit, Typed
from triochat.order import AnyRequest, Gone

REST = {
    "plain": b"Ann\r\nhello\npsst > Bob\n\\me waves\n\xff\n?\n\\quit\n",
    "ndjson": (
        b'{"type":"join","handle":"Ann"}\r\n\n{"type":"typed","line":"hi"}\n{]\n{"type":"quit"}\n'
    ),
    "irc": (
        b"CAP LS 302\r\nNICK Ann\r\nUSER a 0 * :A\r\nCAP REQ :server-time\r\nCAP END\r\n"
        b"PRIVMSG #room :hi \x02there\r\nPING 1\r\n\xff\r\n@a=b :x WHO #room\r\nNICK Bob\r\nTOPIC"
    ),
    "irc, a line feed alone": b"nick Ann\nuser a a a a\nprivmsg #room hi\nQUIT :bye\n",
    "hello": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\n{\n",
}
"""What somebody says at each door, from the first byte on."""


def link() -> Link:
    """The server's end of a connection."""
    return Link(Backlog(), trio.testing.MemorySendStream())


def hear(*pieces: bytes) -> tuple[type[Speaker], list[AnyRequest]]:
    """Who speaks like this, and what is asked for until it ends."""
    ours = link()
    asked = [request for piece in pieces for request in ours.hear(piece)]
    end = ours.end()
    for place, request in enumerate(asked):
        if isinstance(request, Quit | Gone):
            return type(ours.speaker), asked[: place + 1]  # the room hears nothing after it
    return type(ours.speaker), [*asked, *([end] if end else [])]


@pytest.mark.parametrize("said", REST)
def test_every_cut(said: str) -> None:
    """In two pieces, cut anywhere, and in pieces of one byte: the same is asked for."""
    data = REST[said]
    whole = hear(data)
    assert whole[1], "something is asked for"
    for cut in range(len(data) + 1):
        assert hear(data[:cut], data[cut:]) == whole
    assert hear(*(bytes([byte]) for byte in data)) == whole


@given(st.sampled_from([*REST]), st.data())
def test_every_prefix_in_any_pieces(said: str, data: st.DataObject) -> None:
    """Wherever it breaks off, whatever the pieces."""
    text = REST[said][: data.draw(st.integers(0, len(REST[said])))]
    places = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert hear(*pieces) == hear(text)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_every_beginning_is_known_at_its_last_byte(beginning: bytes) -> None:
    """Not before, and whatever follows; in pieces of one byte as well."""
    ours = link()
    for byte in beginning[:-1]:
        assert ours.hear(bytes([byte])) == []
        assert type(ours.speaker) is PlainSpeaker, "not known yet"
    ours.hear(beginning[-1:])
    assert type(ours.speaker) is BEGINNINGS[beginning]


@pytest.mark.parametrize("command", COMMANDS)
def test_irc_begins_in_any_case(command: bytes) -> None:
    """Who starts with a command of IRC and a blank has a client of it, however it is spelled."""
    for beginning in (command, command.lower(), command.title(), command.title().swapcase()):
        firsts = [beginning[:count] for count in range(len(beginning) + 1)]
        assert [recognise(first) for first in firsts] == [None] * len(firsts)
        for rest in (b" ", b" x\r\n", b" :"):
            assert isinstance(recognise(bytearray(beginning + rest)), IrcSpeaker)


@pytest.mark.parametrize("method", ["get ", "Get ", "gET /", "pri ", "head "])
def test_http_begins_in_capitals(method: str) -> None:
    """All else is what a person types."""
    assert isinstance(recognise(method.encode()), PlainSpeaker)


@pytest.mark.parametrize(
    "handle", ["GET", "HEAD", "Nick", "g", "G", "nick", "CAPS", "USERS", "p", "Passer", "PRIM", "c"]
)
def test_a_beginning_of_a_beginning_is_a_handle(handle: str) -> None:
    """However it comes in pieces, a whole line of it is what a person has typed."""
    for line in (f"{handle}\n".encode(), f"{handle}\r\n".encode()):
        for cut in range(len(line)):
            assert hear(line[:cut], line[cut:]) == (PlainSpeaker, [Typed(handle)])


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_who_breaks_off_in_a_beginning_has_asked_for_nothing(beginning: bytes) -> None:
    """It is told so as a person is, whom it might have been."""
    for count in range(1, len(beginning)):
        speaker, asked = hear(beginning[:count])
        assert speaker is PlainSpeaker
        assert [getattr(one, "code", "") for one in asked] == ["line-unfinished"]
