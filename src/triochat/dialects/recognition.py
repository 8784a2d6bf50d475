"""Recognition: one port; the first bytes tell who speaks.

A new door has a row in `BEGINNINGS`.
"""

from triochat.dialects.base import Speaker
from triochat.dialects.hello import HELLO, HelloSpeaker
from triochat.dialects.http import METHODS, HttpSpeaker
from triochat.dialects.irc import COMMANDS, IrcSpeaker
from triochat.dialects.ndjson import NdjsonSpeaker
from triochat.dialects.plain import PlainSpeaker

BEGINNINGS: dict[bytes, type[Speaker]] = {
    b"{": NdjsonSpeaker,
    HELLO: HelloSpeaker,
    **{method + b" ": HttpSpeaker for method in METHODS},
    **{command + b" ": IrcSpeaker for command in COMMANDS},
}
"""How those begin who do not speak plain text. None is the beginning of another.

Those of IRC may come in any case.
"""


def recognise(first: bytes | bytearray) -> Speaker | None:
    """Who speaks to a peer that speaks like this; None if that cannot be said before more comes.

    All that has no beginning of its own is plain text: its first line is a handle. Nobody who
    types a handle has to wait, since there is no line end in a beginning, and no blank in a handle.
    """
    for beginning, speaker in BEGINNINGS.items():
        size = len(beginning)
        start = first[:size].upper() if speaker is IrcSpeaker else first[:size]
        if start == beginning[: len(first)]:
            return speaker() if len(first) >= size else None
    return PlainSpeaker()
