"""How requests and events look on the wire: one port, the dialect is told by the first bytes.

A new way to speak to the room, a *door*, is a `Speaker` and a `Dialect`, and a line in `recognise`.
"""

from triochat.dialects.base import Dialect, Speaker
from triochat.dialects.ndjson import NDJSON, NdjsonSpeaker
from triochat.dialects.plain import PLAIN, PlainSpeaker

__all__ = ["NDJSON", "PLAIN", "Dialect", "NdjsonSpeaker", "PlainSpeaker", "Speaker", "recognise"]


def recognise(first: bytes | bytearray) -> Speaker | None:
    """Who speaks to a peer that speaks like this; None if that cannot be said before more comes.

    What starts with ``{`` is NDJSON. All else is plain text: its first line is a handle.
    """
    if not first:
        return None
    return NdjsonSpeaker() if first.startswith(b"{") else PlainSpeaker()
