import re
from itertools import combinations_with_replacement, pairwise

from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text
from triochat.framing import LINE_LENGTH, Lines
from triochat.messages import Refused

LIMIT = 8
TOO_LONG = Refused("line-too-long", "a line of more than 8 bytes is not allowed; nothing was sent")
NOT_UTF8 = Refused("not-utf8", "that line is not UTF-8 text; nothing was sent")
UNFINISHED = Refused("line-unfinished", "the last line has no line end; nothing was sent")

tricky_bytes = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r", b"\r\n", b"x" * 8, b"x" * 9, b"\xc3", b"\xa9", b"\x00"]),
        st.binary(max_size=3),
    )
).map(b"".join)
"""Bytes with many line ends, lines about as long as the limit, and halves of characters."""


def kept(lines: Lines) -> bytearray:
    """What is held in memory until more bytes come."""
    return lines._rest


def expected(data: bytes, limit: int) -> list[str | Refused]:
    """What these bytes mean when they come in one piece, told the simplest way."""
    *whole, rest = data.split(b"\n")
    read: list[str | Refused] = []
    for line in (line.removesuffix(b"\r") for line in whole):
        try:
            read.append(TOO_LONG if len(line) > limit else line.decode())
        except UnicodeDecodeError:
            read.append(NOT_UTF8)
    if len(rest.removesuffix(b"\r")) > limit:
        read.append(TOO_LONG)
    return read


def fed(pieces: list[bytes], limit: int = LIMIT) -> tuple[list[str | Refused], Refused | None]:
    """What comes out of these pieces, and what their end says."""
    lines = Lines(limit)
    return [line for piece in pieces for line in lines.feed(piece)], lines.end()


def test_line_ends() -> None:
    r"""A line ends in ``\n`` or ``\r\n``, and its ending is not part of it."""
    assert fed([b"one\ntwo\r\n\n\r\n"]) == (["one", "two", "", ""], None)


def test_only_one_carriage_return_is_an_ending() -> None:
    r"""A ``\r`` elsewhere than before the ``\n`` belongs to the line."""
    assert fed([b"a\rb\r\r\n"]) == (["a\rb\r"], None)


def test_other_line_breaks_do_not_end_a_line() -> None:
    """Unicode's line breaks, vertical tab and form feed stand in a line like any character."""
    line = "a\u2028b\u0085\v\f"
    assert fed([f"{line}\n".encode()], 100) == ([line], None)


def test_utf8_across_pieces() -> None:
    """A character whose bytes come in two pieces is still that character."""
    assert fed([b"caf\xc3", b"\xa9\n"]) == (["caf\u00e9"], None)


def test_not_utf8() -> None:
    """A line that is not UTF-8 is refused in its place; those around it are not."""
    assert fed([b"one\n\xff\xfe\ntwo\n"]) == (["one", NOT_UTF8, "two"], None)


def test_encoded_surrogates_are_not_utf8() -> None:
    """Surrogates written as if they were characters are refused."""
    assert fed([b"\xed\xa0\x80\n"]) == ([NOT_UTF8], None)


def test_too_long_in_one_piece() -> None:
    """A line of more than the limit is refused in its place; those around it are not."""
    assert fed([b"one\n123456789\ntwo\n"]) == (["one", TOO_LONG, "two"], None)


def test_too_long_in_many_pieces() -> None:
    """A line that is too long is refused once, however many pieces it comes in."""
    assert fed([b"12345", b"6789012", b"345\nt", b"wo\n"]) == ([TOO_LONG, "two"], None)


def test_the_limit_itself_is_allowed() -> None:
    """The limit counts bytes, and neither kind of ending."""
    assert fed([b"12345678\n12345678\r\n"]) == (["12345678", "12345678"], None)
    assert fed([b"12345678\r", b"\n"]) == (["12345678"], None)
    assert fed(["\u00e9\u00e9\u00e9\u00e9\u00e9\n".encode()]) == ([TOO_LONG], None)


def test_the_limit_of_the_wire() -> None:
    """Unless told otherwise, a line has at most 4096 bytes."""
    assert LINE_LENGTH == 4096
    lines = Lines()
    assert lines.feed(b"x" * 4096 + b"\r\n") == ["x" * 4096]
    assert lines.feed(b"x" * 4097 + b"\r\n") == [
        Refused("line-too-long", "a line of more than 4096 bytes is not allowed; nothing was sent")
    ]


def test_unfinished_line() -> None:
    """What stands after the last line end is not a line, and its end says so once."""
    lines = Lines()
    assert lines.feed(b"hello\nsecret > Jo") == ["hello"]
    assert lines.end() == UNFINISHED
    assert lines.end() is None
    assert lines.feed(b"again\n") == ["again"]


def test_unfinished_line_that_is_too_long() -> None:
    """A line that is too long is refused as soon as it is, once, whether it ends or not."""
    assert fed([b"12345678", b"9"]) == ([TOO_LONG], None)
    assert fed([b"12345678\r"]) == ([], UNFINISHED)
    assert fed([b"12345678\r", b"x", b"y\nz\n"]) == ([TOO_LONG, "z"], None)
    assert fed([b"1234567890\n"]) == ([TOO_LONG], None)


def test_no_bytes() -> None:
    """An empty piece changes nothing."""
    assert fed([b"", b"on", b"", b"e\n", b""]) == (["one"], None)


def test_every_cut() -> None:
    """Wherever the bytes are cut in three, the same lines come out."""
    data = b"\r\none\r\n12345678\r\n123456789\r\n\xc3\xa9\n\xff\n1234567890123\nend"
    whole = fed([data])
    assert whole == (
        ["", "one", "12345678", TOO_LONG, "\u00e9", NOT_UTF8, TOO_LONG],
        UNFINISHED,
    )
    assert fed([bytes([byte]) for byte in data]) == whole
    for one, two in combinations_with_replacement(range(len(data) + 1), 2):
        assert fed([data[:one], data[one:two], data[two:]]) == whole


@given(tricky_bytes, st.lists(st.integers(min_value=0, max_value=200)), st.integers(0, 10))
def test_any_bytes_any_cuts(data: bytes, cuts: list[int], limit: int) -> None:
    """Whatever the bytes, and wherever they are cut, the same lines come out in the same order."""
    places = [0, *sorted(cuts), max(len(data), 200)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    lines, end = fed(pieces, limit)
    wanted = [
        Refused(line.code, line.text.replace("8 bytes", f"{limit} bytes"))
        if isinstance(line, Refused)
        else line
        for line in expected(data, limit)
    ]
    assert lines == wanted
    rest = data.rpartition(b"\n")[2]
    assert end == (UNFINISHED if rest and len(rest.removesuffix(b"\r")) <= limit else None)


plain_bytes = st.lists(
    st.sampled_from([b"\n", b"\r", b"\n\n", b"x", b"one\n", b"x" * 8, b"y" * 9, b"\xc3\xa9"])
).map(b"".join)
"""Bytes that are nearly all printable ASCII, as most are."""


@given(st.lists(plain_bytes), st.integers(0, 10))
def test_lines_that_are_read_at_once(pieces: list[bytes], limit: int) -> None:
    """Where most lines are ASCII, and come many in a piece, each means what it means alone."""
    data = b"".join(pieces)
    whole = fed([data], limit)
    assert fed(pieces, limit) == whole
    assert fed(re.findall(rb"[^\n]*\n|[^\n]+", data), limit) == whole
    assert fed([bytes([byte]) for byte in data], limit) == whole


def test_a_bytearray() -> None:
    """Bytes may come in a buffer that is used again: what was fed is not changed with it."""
    lines, buffer = Lines(), bytearray(b"one\nt")
    assert lines.feed(buffer) == ["one"]
    buffer[:] = b"wo\nxyz"
    assert lines.feed(buffer) == ["two"]
    buffer.clear()
    assert lines.feed(b"\n") == ["xyz"]


@given(st.lists(tricky_bytes), st.integers(0, 10))
def test_memory_is_bounded(pieces: list[bytes], limit: int) -> None:
    """Between two pieces never more than the limit and one byte are held."""
    lines = Lines(limit)
    for piece in pieces:
        lines.feed(piece)
        assert len(kept(lines)) <= limit + 1


def test_a_flood_without_a_line_end_is_not_held() -> None:
    """A hundred megabytes without a line end are refused once, and nothing of them is kept."""
    lines = Lines(8)
    flood = b"x" * (1 << 20)
    assert lines.feed(flood) == [TOO_LONG]
    for _ in range(99):
        assert lines.feed(flood) == []
        assert kept(lines) == b""
    assert lines.feed(b"\nhello\n") == ["hello"]


def test_what_is_kept_grows_in_place() -> None:
    """However small the pieces of a line, none of it is copied for each: a line costs its bytes."""
    lines = Lines()
    rest = kept(lines)
    for _ in range(100):
        assert lines.feed(b"x") == []
        assert kept(lines) is rest
    assert lines.feed(b"\ny") == ["x" * 100]
    assert (kept(lines) is rest, bytes(rest)) == (True, b"y")


@given(st.lists(any_text.map(lambda text: text.encode(errors="ignore").replace(b"\n", b""))))
def test_texts_come_out_as_they_went_in(texts: list[bytes]) -> None:
    """Any UTF-8 text without line feeds is a line, but for carriage returns at its end."""
    data = b"".join(text + b"\r\n" for text in texts)
    assert fed([data], 1 << 20) == ([text.decode() for text in texts], None)
