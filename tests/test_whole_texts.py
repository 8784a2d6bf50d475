from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from triochat.dialects.websocket import WebSocketSpeaker, whole_texts
from triochat.order import AnyRequest

WHO = b'{"type":"who"}'

payloads = st.sampled_from(
    [b"", b"\n", WHO, WHO + b"\n" + WHO, b"{", b"\xff", b"\xe2\x82", b"x" * 126, b" " * 9000]
)
frames = st.builds(
    Frame,
    st.sampled_from([Opcode.TEXT] * 9 + [Opcode.CONT, Opcode.BINARY, Opcode.PING, Opcode.PONG]),
    payloads,
    st.sampled_from([True] * 5 + [False]),
)


def written(frame: Frame) -> bytes:
    """A frame as a browser sends it, whether it may be sent or not."""
    size = len(frame.data)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    mask = bytes(range(1, 5))
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(frame.data))
    return bytes([frame.fin << 7 | frame.opcode]) + length + mask + body


def heard(pieces: list[bytes], *, by_library: bool) -> list[AnyRequest]:
    """What these bytes ask for, and how the connection is let go."""
    speaker = WebSocketSpeaker()
    if by_library:
        speaker._hand_over()
    return [request for piece in pieces for request in speaker.hear(piece)]


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 400), max_size=8), st.binary())
@example([Frame(Opcode.TEXT, WHO), Frame(Opcode.TEXT, b"\xff"), Frame(Opcode.TEXT, WHO)], [], b"")
def test_what_is_read_here_is_read_as_the_library_reads_it(
    sent: list[Frame], cuts: list[int], garbage: bytes
) -> None:
    """Whatever frames come in whatever pieces, they ask for the same."""
    data = b"".join(map(written, sent)) + garbage
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    ours, theirs = (heard(pieces, by_library=by_library) for by_library in (False, True))
    assert ours == theirs


def test_whole_texts_are_taken_together() -> None:
    """All messages that are there, and the beginning of the next."""
    one, long = written(Frame(Opcode.TEXT, WHO)), written(Frame(Opcode.TEXT, b"x" * 300))
    assert whole_texts(one + long + one[:5], 300) == ([WHO, b"x" * 300], one[:5], True)
    assert whole_texts(one + long, 299) == ([WHO], long, False)
    ping = written(Frame(Opcode.PING, b""))
    assert whole_texts(one + ping, 300) == ([WHO], ping, False)
