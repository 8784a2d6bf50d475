import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_request
from triochat.dialects.ndjson import decode_request
from triochat.entries import Batch, Founded, decode, encode_asked, encode_batch, taken
from triochat.grammar import COMMANDS, Local, parse
from triochat.messages import Ban, Forget, Join, Refused
from triochat.order import Peer
from triochat.seats import key_of

PEER = Peer("0000abcd-1")
peers = st.builds(Peer, st.text(), st.text(), st.text(), st.booleans())


@given(peers, st.lists(any_request, max_size=4), st.integers(1, 2**40))
def test_what_is_asked_can_be_written_down(peer: Peer, requests: list[object], number: int) -> None:
    """Servers that share an order tell each other what is asked, and mean the same."""
    try:
        raw = encode_asked(peer, requests)  # type: ignore[arg-type]
    except UnicodeEncodeError:  # a lone surrogate: nothing that is asked over a wire has one
        return
    read = decode(encode_batch("0000abcd", number, [raw] if raw else []))
    assert isinstance(read, Batch)
    assert read.number == number
    if not requests:
        assert not read.asked
        return
    asked = taken(read.asked[0], 1.0)
    assert asked.peer == peer
    for one, other in zip(requests, asked.requests, strict=True):
        if isinstance(one, Join):
            assert isinstance(other, Join)
            assert (other.handle, other.after) == (one.handle, one.after)
            assert not one.token or key_of(other.token) == key_of(one.token)
        else:
            assert one == other


NUMBERS = st.integers() | st.sampled_from([10**30, -(10**19), 1 << 63, 1 << 64, -(1 << 63) - 1])


@given(st.sampled_from(["join", "recall", "forget"]), NUMBERS, NUMBERS, st.text())
def test_what_is_heard_can_be_written_down(kind: str, number: int, other: int, text: str) -> None:
    """However large a number is that anybody sends: or one line would end the server."""
    asked = {"type": kind, "handle": text, "history": number, "count": number}
    numbers = {"after": other, "before": other, "ids": [other], "minutes": other}
    heard = decode_request(json.dumps(asked | numbers))
    if not isinstance(heard, Refused):
        encode_asked(PEER, [heard])


@pytest.mark.parametrize(
    "argument", ["x" * 3000, "9" * 3000, "9 " * 1500, "tea from " + "x" * 3000]
)
def test_what_is_typed_can_be_written_down(argument: str) -> None:
    """However long it is: who only types must not be put out for that."""
    for name in COMMANDS:
        for line in (f"\\{name} {argument}", f"\\{name} Joe {argument}", argument):
            meant = parse(line)
            if meant is not None and not isinstance(meant, Local):
                encode_asked(PEER, [meant])


def test_many_messages_can_be_removed() -> None:
    """All that somebody has ever said: as many as an archive has of them."""
    forget = Forget((*range(5000),), "Joe")
    read = decode(encode_batch("0000abcd", 1, [encode_asked(PEER, [forget])]))
    assert isinstance(read, Batch)
    assert taken(read.asked[0], 1.0).requests == [forget]


@given(st.binary(max_size=40))
def test_what_is_no_entry_is_an_error(data: bytes) -> None:
    """Whatever stands in a ledger is an entry, or one kind of error."""
    with suppress(msgspec.MsgspecError):
        assert isinstance(decode(data), Batch | Founded)


def test_no_token_is_written() -> None:
    """Of a token stands there what it hashes to; nobody can make the token of that."""
    assert b"a" * 22 not in bytes(encode_asked(PEER, [Join("Ann", token="a" * 22)]))


def test_what_others_could_not_read_is_not_written() -> None:
    """It is the fault of who asks, alone: it must not end the servers of the room."""
    with pytest.raises(ValueError, match="Expected `float` <= 5256000"):
        encode_asked(PEER, [Ban("Joe", 1e9)])
