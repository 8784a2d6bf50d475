import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from guest_browser import Browser
from guests import Bot, Client, Guest, Nc, Tail, at
from irc_clients import Irssi, WeeChat
from real import Peer, member
from screen_reader import ENTER, TICK, Reader, reading

PAGE = Path(__file__).parent.parent / "docs" / "doors.md"
BEGIN, END = "<!-- written by tests/test_real_doors.py -->\n\n", "\n\n<!-- up to here -->"

DOORS: dict[str, tuple[str, type[Guest]]] = {
    "client": ("`triochat client`", Client),
    "browser": ("browser", Browser),
    "irssi": ("irssi", Irssi),
    "weechat": ("WeeChat", WeeChat),
    "nc": ("`nc`", Nc),
    "bot": ("a program (NDJSON)", Bot),
    "tail": ("`triochat tail --json`", Tail),
}
"""Who is in the room, by handle: the column's title, and how they are there."""

SHOW_THEMSELVES = ("irssi", "weechat", "nc")
"""Whose own screen shows what they say, before the room does."""


class Evening:
    """One room that is used by all doors, and what is shown at each.

    Args:
        console: of its server.
        port: where it listens.
        ann: was here before, at a plain socket.

    Attributes:
        port: where the server listens.
        ann: was here before.
        guests: who is here, by handle.
        rows: for each thing that happened what each guest was shown of it.
    """

    def __init__(self, console: Reader, port: int, ann: Peer) -> None:
        self._console = console
        self.port = port
        self.ann = ann
        self.guests: dict[str, Guest] = {}
        self.rows: dict[str, dict[str, list[str]]] = {}

    def enter(self, title: str, guest: Guest) -> None:
        """One more is here."""
        self.ann.wait_line(f"* {guest.handle} joined")
        guest.wait_until(guest.is_in, "that it is in")
        self.guests[guest.handle] = guest
        self._settle()
        self.rows.setdefault(title, {})[guest.handle] = [*guest.lines]

    def happen(
        self,
        title: str,
        do: Callable[[], object],
        pattern: str,
        to: Sequence[str] | None = None,
        of: Sequence[str] | None = None,
    ) -> None:
        """Let this be done, wait until it is shown, and note what is.

        Args:
            title: of the row.
            do: does it.
            pattern: of a line that shows it.
            to: the handles of those who are shown it, and nobody else; None for all.
            of: whose lines are noted; None for all.
        """
        before = {handle: len(guest.lines) for handle, guest in self.guests.items()}
        do()
        for handle in self.guests if to is None else to:
            self.guests[handle].wait(pattern, before[handle])
        self._settle()
        row = self.rows.setdefault(title, {})
        for handle, guest in self.guests.items():
            new = [*guest.lines[before[handle] :]]
            assert new == [] or to is None or handle in to, f"{title}: {handle} was shown {new}"
            if of is None or handle in of:
                row[handle] = new

    def _settle(self) -> None:
        """Let everybody be shown whatever else there is."""
        for _ in range(2):
            time.sleep(2 * TICK)
            self._console.look()
            for guest in self.guests.values():
                guest.look()

    def moderate(self, line: str) -> Callable[[], None]:
        """What types this line at the console."""
        return lambda: self._console.type(line + ENTER)

    def but(self, *handles: str) -> list[str]:
        """All guests but these."""
        return [handle for handle in self.guests if handle not in handles]

    def table(self) -> str:
        """The rows, as Markdown."""
        head = ["", *(DOORS[handle][0] for handle in self.guests)]
        rows = [head, ["---"] * len(head)]
        for title, shown in self.rows.items():
            cells = (cell(shown[handle]) if handle in shown else "-" for handle in self.guests)
            rows.append([title, *cells])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(lines: Sequence[str]) -> str:
    """What one was shown; without what is different each time."""
    text = "<br>".join(f"`{line.strip()}`" for line in lines) or "nothing"
    for pattern, instead in (
        (r"\[\d\d:\d\d\]", "[21:07]"),
        (r"in \d+ secs", "in 0 secs"),
        (r"error \d+ \(", "error 4 ("),
        (r"127\.0\.0\.1 port \d+", "127.0.0.1 port 9999"),
    ):
        text = re.sub(pattern, instead, text)
    return text.replace("|", "\\|")


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    """A room with an operator at its console, where something was said before all came in."""
    with reading("server", "0", state=tmp_path / "state") as console, ExitStack() as stack:
        console.wait_line("Server> ", "")
        row = next(row for row in console.everything if "nc 127.0.0.1" in row)
        port = int(row.split()[-1])
        ann = member(port, "Ann")
        ann.type("good morning")
        console.wait_for("good morning")
        evening = Evening(console, port, ann)
        for handle, (_, kind) in DOORS.items():
            if not kind.program or shutil.which(kind.program):
                guest = stack.enter_context(at(kind, tmp_path / handle, port, handle))
                evening.enter("it comes in; before, Ann said “good morning”", guest)
        ann.type("all are here")
        for guest in evening.guests.values():
            guest.wait("all are here")
        yield evening


def test_one_room_by_all_doors(evening: Evening) -> None:
    """What docs/doors.md says is what each door shows of all that happens: all, once, no more."""
    happen, moderate, ann = evening.happen, evening.moderate, evening.ann
    people = evening.but("tail")
    joe = Peer(evening.port)
    happen("Joe joins", partial(joe.type, "Joe"), "Joe", people)
    happen("Ann says “hello”", partial(ann.type, "hello"), "Ann.*hello")
    happen("Ann says `\\me waves`", partial(ann.type, "\\me waves"), "Ann.*waves")
    for handle in evening.guests:
        whisper = partial(ann.type, f"psst > {handle}")
        happen("Ann whispers “psst” to it", whisper, "psst", [handle], [handle])
    for handle in people:
        guest, is_nc = evening.guests[handle], handle == "nc"
        hearers = evening.but("nc") if is_nc else None
        happen("it says “hi”", partial(guest.type, "hi"), "hi", hearers, [handle])
        whisper = partial(guest.whisper, "Ann", "psst")
        to = [] if is_nc else [handle]
        happen("it whispers “psst” to Ann", whisper, "psst", to, [handle])
        whisper = partial(guest.whisper, "Tom", "psst")
        happen(
            "it whispers “psst” to Tom, who is not here",
            whisper,
            "nobody|No such",
            [handle],
            [handle],
        )
    happen("Joe is Joey now", partial(joe.type, "\\nick Joey"), "Joey", people)
    happen("Ann is made an operator", moderate("\\op Ann"), "Ann")
    happen("Joey is muted", moderate("\\mute Joey"), "Joey")
    happen("Joey is kicked", moderate("\\kick Joey enough"), "enough", people)
    happen("the topic is set", moderate("\\topic tea at four"), "tea")
    happen("only operators may speak", moderate("\\quiet on"), ".")
    happen("everybody may speak", moderate("\\quiet off"), ".")
    happen("Ann leaves", partial(ann.type, "\\quit"), "Ann", people)
    check_order(evening)
    happen("the operator ends the chat", moderate("\\quit"), ".")
    compare(evening)


def check_order(evening: Evening) -> None:
    """Everybody speaks at once: all are shown the same, once, in one order."""
    speakers = evening.but("tail")
    lines = [f"{handle}-{number}" for number in range(5) for handle in speakers]
    for line in lines:
        evening.guests[line.partition("-")[0]].type(line)
    for guest in evening.guests.values():
        theirs = {line for line in lines if not (guest.handle == "nc" and line.startswith("nc-"))}
        guest.wait_until(lambda: theirs <= set(told(guest)), "all that was said")  # noqa: B023
    order = told(evening.guests["bot"])
    assert sorted(order) == sorted(lines)
    for handle, guest in evening.guests.items():
        own = f"{handle}-" if handle in SHOW_THEMSELVES else "nobody-"
        others = [line for line in told(guest) if not line.startswith(own)]
        assert others == [line for line in order if not line.startswith(own)], handle


def told(guest: Guest) -> list[str]:
    """What of all that was said at once a guest has been shown, in this order."""
    return [word for line in guest.lines for word in re.findall(r"\b[a-z]+-\d\b", line)]


def compare(evening: Evening) -> None:
    """Compare the table with that of the page; or write it there, if `TRIOCHAT_WRITE` is set."""
    if [*evening.guests] != [*DOORS]:
        pytest.skip(f"the table needs all of {', '.join(DOORS)}; here are {[*evening.guests]}")
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    new = before + begin + evening.table() + end + after
    if os.environ.get("TRIOCHAT_WRITE"):
        PAGE.write_text(new, encoding="utf-8")
    assert page == new
