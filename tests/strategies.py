"""What hypothesis draws from: texts at their worst, and every request and event."""

from hypothesis import strategies as st

from triochat.messages import (
    LONGEST,
    Action,
    Ban,
    Bans,
    Closing,
    Deop,
    Event,
    Forget,
    Join,
    Joined,
    Kick,
    Left,
    Moderated,
    Mute,
    Notice,
    Op,
    Ping,
    Pong,
    Quiet,
    Quit,
    Recall,
    Recalled,
    Refused,
    Removed,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Servers,
    Stats,
    Topic,
    Typed,
    Unban,
    Unmute,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.order import AnyRequest, Expired, Exposed

CONTROLS = "\x00\x07\x08\t\n\v\f\r\x1b\x1c\x7f\x85\x9b"
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2067\u2069"
INVISIBLE = "\xad\u034f\u180e\u200b\u200c\u200d\u2028\u2029\u2060\ufeff\ufff9"
BLANK = "\xa0\u115f\u1160\u2003\u2800\u3000\u3164\uffa0\U0001d159"
FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e007f"
MARKS = "\u0301\u0302\u0903\u20e3\ufe0f"
ODD = "\ud800\udfff\ue0b0\ufb01\ufffe\xdf\u0130\u212a\U0001f600\U000e0001\U0010ffff"
MEANT = "[]{}<>?\\/:*!\"'3"
WORDS = (
    FLAG,
    "\r\n",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\u0301" * 9,
    "[red]",
    "[/]",
    ":smile:",
    "Joe",
)

SPECIAL = (*CONTROLS, *BIDI, *INVISIBLE, *BLANK, *FLAG, *MARKS, *ODD, *MEANT, *WORDS)
"""Characters and words with a meaning of their own somewhere between keyboard and screen."""

any_text = st.lists(st.one_of(st.sampled_from(SPECIAL), st.characters(), st.just(" "))).map("".join)
"""Any text at all, lone surrogates among it, with much of what is special."""

wire_text = any_text.map(lambda text: text.encode(errors="ignore").decode())
"""Any text that can stand on the wire: there are no lone surrogates in UTF-8."""


spans = st.one_of(st.just(0), st.floats(0, LONGEST))
"""How long something is to hold, in minutes."""

ids = st.integers(min_value=0, max_value=2**53 - 1)
counts = st.integers(min_value=-3, max_value=2**53 - 1)


def _short(text: str) -> str:
    return text[:256]


typed_lines = st.sampled_from(
    [
        "",
        " ",
        "?",
        "\\who",
        "/quit",
        "\\help",
        "\\nick Bob",
        "psst > Ann",
        "\\kick Cid",
        "\\ban Cid 10 loud",
        "\\ban 10.0.0.0/24",
        "\\unban Cid",
        "\\mute Bob 90s",
        "\\unmute Bob",
        "\\quiet on",
        "\\quiet off",
        "\\op Ann",
        "\\deop Ann",
        "\\topic tea",
        "\\back 5",
        "\\find tea from Ann",
        "\\since 30m",
        "\\forget 3 Bob",
        "\\forget Cid",
        "\\bans",
        "\\me waves",
        "//x",
        "\\foo",
    ]
)
"""Lines that mean something to the grammar."""


def requests(text: st.SearchStrategy[str]) -> st.SearchStrategy[Request]:
    """Every kind of request, with these texts in its fields."""
    return st.one_of(
        st.builds(Join, text, st.just("") | text.map(lambda password: password[:256])),
        st.builds(Typed, text | typed_lines),
        st.builds(Say, text),
        st.builds(Whisper, text, text),
        st.builds(Rename, text),
        st.just(Who()),
        st.just(Ping()),
        st.builds(Action, text),
        st.builds(Topic, text),
        st.builds(Kick, text, text),
        st.builds(Op, text),
        st.builds(Deop, text),
        st.builds(Ban, text, spans, text),
        st.builds(Unban, text),
        st.builds(Mute, text, spans),
        st.builds(Unmute, text),
        st.builds(Quiet, st.booleans()),
        st.just(Bans()),
        st.just(Stats()),
        st.just(Servers()),
        st.builds(Recall, counts, st.none() | ids, text.map(_short), text.map(_short), spans),
        st.builds(Forget, st.lists(ids, max_size=3).map(tuple), text),
        st.just(Quit()),
    )


def events(text: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    """Every kind of event, with these texts in its fields."""
    handles = st.lists(text, max_size=3).map(tuple)
    said = st.builds(Said, ids, text, text, text, st.booleans())
    return st.one_of(
        st.builds(Welcome, text, text, handles, ids, st.just(10), text, handles),
        st.builds(Joined, text, ids, text, st.booleans()),
        said,
        st.builds(Whispered, ids, text, text, text, text),
        st.builds(Renamed, text, text, ids, text),
        st.builds(Left, text, text, ids, text, text),
        st.builds(Moderated, text, ids, text, text, text, text),
        st.builds(Recalled, st.lists(said, max_size=3).map(tuple), st.booleans()),
        st.builds(Removed, st.lists(ids, max_size=3).map(tuple), text, ids, text, text),
        st.builds(Roster, handles, handles, handles, handles, text),
        st.builds(Notice, text),
        st.builds(Refused, text, text, ids),
        st.just(Pong()),
        st.builds(Closing, text, st.booleans()),
    )


any_request: st.SearchStrategy[AnyRequest] = st.one_of(
    requests(any_text),
    st.sampled_from(
        [Notice("an answer"), Refused("no", "an answer"), Expired("too late"), Exposed()]
    ),
)
"""Whatever a peer, or its connection, may ask the room for before it is gone."""
