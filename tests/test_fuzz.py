"""Bytes from outside, at every entry; and what fuzzing by coverage (`fuzz.py`) has found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entries import ENTRIES
from fuzz import SEEDS
from strategies import events, requests, wire_text
from triochat.dialects.ndjson import encode
from triochat.dialects.recognition import BEGINNINGS

FOUND: list[tuple[str, bytes]] = []
"""What has once broken an entry."""


def frame(flags: int, kind: int, text: bytes) -> bytes:
    """What a browser would send, if it sent this."""
    return bytes((flags << 4 | kind, 0x80 | min(len(text), 126))) + bytes(4) + text


beginnings = st.sampled_from([*BEGINNINGS, *(beginning[:-1] for beginning in BEGINNINGS)])
messages = st.one_of(requests(wire_text), events(wire_text)).map(encode)
lines = st.one_of(
    messages,
    wire_text.map(lambda text: text.encode() + b"\n"),
    st.binary(max_size=50),
    st.sampled_from([b"\n", b"\r\n", b"\r", b"x" * 5000, b"\xff\n", b'{"type":"say","text":"']),
    st.sampled_from([line + b"\n" for seed in SEEDS for line in seed.split(b"\n")]),
    st.builds(frame, st.integers(0, 15), st.integers(0, 15), st.binary(max_size=200)),
)
any_bytes = st.one_of(
    st.binary(),
    st.tuples(st.binary(min_size=1, max_size=1), beginnings | st.just(b""), st.lists(lines)).map(
        lambda parts: parts[0] + parts[1] + b"".join(parts[2])
    ),
)
"""Bytes of which the first says how the others are cut; often they make sense at first."""


@pytest.mark.parametrize("entry", ENTRIES)
@settings(max_examples=60)
@given(any_bytes)
def test_any_bytes(entry: str, data: bytes) -> None:
    """No bytes break an entry."""
    ENTRIES[entry](data)


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_fuzzing_begins_with(entry: str) -> None:
    """What fuzzing begins with breaks no entry, cut in no matter which way."""
    for seed in SEEDS:
        for step in (0, 1, 2, 17, 255):
            ENTRIES[entry](bytes([step]) + seed[1:])


@pytest.mark.parametrize(("entry", "data"), FOUND)
def test_what_was_found(entry: str, data: bytes) -> None:
    """What has once broken an entry does not any more."""
    ENTRIES[entry](data)
