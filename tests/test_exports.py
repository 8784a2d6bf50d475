import html
import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import wire_text
from triochat.exports import FORMATS, json_of, markdown_of, open_pages, text_of
from triochat.messages import Said
from triochat.words import time_of, words_of

AT = "2026-01-02T03:04:05.678Z"

messages = st.builds(
    Said, st.integers(0, 2**53 - 1), wire_text, wire_text, wire_text, st.booleans()
)


def local(at: str) -> str:
    """This time where the test runs."""
    time = time_of(at)
    assert time
    return f"{time:%Y-%m-%d %H:%M:%S}"


def test_as_text() -> None:
    """Each message stands on its line with the day and the time of this machine."""
    assert text_of(Said(1, AT, "Ann", "hi")) == f"{local(AT)} Ann> hi"
    assert text_of(Said(1, AT, "Ann", "waves", action=True)) == f"{local(AT)} * Ann waves"
    assert text_of(Said(1, "", "Ann", "hi\nBob> x")) == "Ann> hi Bob> x"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('hi, you; it\'s "so"?', 'hi, you; it\'s "so"?'),
        ("# no *heading*", "\\# no \\*heading\\*"),
        ("[x](http://y) <b> &amp; `c`", "\\[x\\]\\(http\\:\\/\\/y\\) \\<b\\> \\&amp; \\`c\\`"),
        ("- a | b ~~c~~ \\d 1.", "\\- a \\| b \\~\\~c\\~\\~ \\\\d 1\\."),
        ("one\n\n# two", "one  \\# two"),
    ],
)
def test_as_markdown(text: str, written: str) -> None:
    """A message is an item of a list, and nothing in it means anything to Markdown."""
    assert markdown_of(Said(1, AT, "A_n", text)) == f"- {local(AT)} **A\\_n:** {written}"
    done = Said(1, AT, "A_n", text, action=True)
    assert markdown_of(done) == f"- {local(AT)} **A\\_n** {written}"


@given(wire_text)
def test_markdown_shows_what_was_said(text: str) -> None:
    """Whoever reads Markdown takes the marks away, and finds the text; no other mark is left."""
    written = markdown_of(Said(1, "", "Ann", text)).removeprefix("- **Ann:** ")
    assert re.sub(r"\\(.)", r"\1", written) == words_of(Said(1, "", "Ann", text))[5:]
    bare = re.sub(r"\\.", "", written)
    assert re.search(r"[][!#*_`<>&|~\\()+:/@.-]", bare) is None
    assert html.unescape(bare) == bare


@given(messages)
def test_nothing_makes_another_line(said: Said) -> None:
    """Whatever an event's fields are, each message is one line, without a control character."""
    for write in FORMATS.values():
        line = write(said)
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", line) is None


@given(st.builds(Said, st.integers(0, 2**53 - 1), st.just(AT), st.just("Ann"), wire_text))
def test_as_json_lines(said: Said) -> None:
    """A line is the event as it is on the wire."""
    read = msgspec.json.decode(json_of(said), type=Said)
    assert (read.id, read.at, read.handle) == (said.id, AT, "Ann")
    assert json.loads(json_of(said))["type"] == "said"


def test_pages_come_back_in_order() -> None:
    """What came last was said first."""
    with open_pages(lambda said: said.text) as pages:
        for page in ("ef", "", "cd", "ab"):
            pages.add([Said(0, "", "", text) for text in page])
        assert b"".join(pages) == b"a\nb\nc\nd\ne\nf\n"
        assert [*pages] == [b"a\nb\n", b"c\nd\n", b"", b"e\nf\n"]
        assert pages.count == 6
