"""How requests and events look on the wire: one port, the dialect is told by the first bytes.

A new way to speak to the room, a *door*, is a `Speaker` and a `Dialect`, and a row in `BEGINNINGS`.
"""

from triochat.dialects.base import Dialect, Speaker
from triochat.dialects.hello import HELLO, HelloSpeaker
from triochat.dialects.http import HTTP, METHODS, HttpSpeaker
from triochat.dialects.ndjson import NDJSON, NdjsonSpeaker
from triochat.dialects.plain import PLAIN, PlainSpeaker

__all__ = [
    "BEGINNINGS",
    "HELLO",
    "HTTP",
    "NDJSON",
    "PLAIN",
    "Dialect",
    "HelloSpeaker",
    "HttpSpeaker",
    "NdjsonSpeaker",
    "PlainSpeaker",
    "Speaker",
    "recognise",
]

BEGINNINGS: dict[bytes, type[Speaker]] = {
    b"{": NdjsonSpeaker,
    HELLO: HelloSpeaker,
    **{method + b" ": HttpSpeaker for method in METHODS},
}
"""How those begin who do not speak plain text. None is the beginning of another."""


def recognise(first: bytes | bytearray) -> Speaker | None:
    """Who speaks to a peer that speaks like this; None if that cannot be said before more comes.

    All that has no beginning of its own is plain text: its first line is a handle. Nobody who
    types a handle has to wait, since there is no line end in a beginning.
    """
    for beginning, speaker in BEGINNINGS.items():
        if first.startswith(beginning):
            return speaker()
    if any(beginning.startswith(first) for beginning in BEGINNINGS):
        return None
    return PlainSpeaker()
