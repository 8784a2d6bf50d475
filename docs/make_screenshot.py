"""Makes ``session.svg``: a real server, real people, and what one of them sees.

    python docs/make_screenshot.py

needs the extra ``test``. The times are those of the moment.
"""

import re
import sys
import tempfile
from io import StringIO
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pyte.graphics
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from real import Peer  # noqa: E402  it stands in the folder that was just added
from screen_reader import ENTER, Reader, reading  # noqa: E402

ROWS, COLUMNS = 20, 76

THEME = TerminalTheme(
    (22, 24, 29),
    (201, 206, 214),
    [
        (22, 24, 29),
        (240, 98, 104),
        (126, 190, 110),
        (226, 178, 92),
        (97, 160, 236),
        (206, 130, 222),
        (84, 190, 200),
        (201, 206, 214),
    ],
    [
        (120, 128, 140),
        (240, 98, 104),
        (126, 190, 110),
        (226, 178, 92),
        (97, 160, 236),
        (206, 130, 222),
        (84, 190, 200),
        (255, 255, 255),
    ],
)

pyte.graphics.TEXT[2] = "+blink"  # pyte knows no dim; nothing here blinks


def play(timmy: Reader, server: Reader, port: int) -> None:
    """A short session."""

    def say(reader: Reader, text: str, seen: str) -> None:
        reader.type(text + ENTER)
        timmy.wait_for(seen)
        timmy.wait_line("Timmy> ", "")

    def hear(peer: Peer, text: str, seen: str) -> None:
        peer.type(text)
        timmy.wait_for(seen)
        timmy.wait_line("Timmy> ", "")

    ann = Peer(port)
    hear(ann, "Ann", "Ann joined")
    hear(ann, "Morning! How did the night run go, timmy? 👀", "night run")
    say(timmy, "All 412 green, in 38 seconds 🎉", "All 412")
    hear(
        ann,
        "Then let's release today. I wrote down what changed since the last time; whoever finds a"
        " mistake in it buys the cake: https://example.org/changes",
        "the cake",
    )
    say(server, "I'll restart at noon, it takes a second.", "restart at noon")
    hear(ann, "between us: it's Joe's birthday. Cake anyway? > Timmy", "Cake anyway")
    say(timmy, "of course, I ordered one > Ann", "ordered one")
    say(timmy, "where are you? > Jo", "nobody here")
    joe = Peer(port)
    hear(joe, "Joe", "Joe joined")
    hear(joe, "did I hear cake?", "hear cake")
    say(server, "\\kick Joe too early", "Joe left")
    timmy.type("You heard nothing")
    timmy.wait_line("Timmy> ", "You heard nothing")
    joe.close()
    ann.close()


def photograph(reader: Reader) -> list[Text]:
    """What stands on the screen, in its colours; the empty rows are left out."""
    lines = [_line(reader, row) for row in range(ROWS) if reader.rows[row]]
    return [*lines[:-1], Text(), lines[-1]]


def _line(reader: Reader, row: int) -> Text:
    cells = enumerate(reader.cells(row))
    styled = ((_style(cell, is_cursor=(row, x) == reader.cursor), cell.data) for x, cell in cells)
    pieces = [
        ("".join(data for _, data in run), style)
        for style, run in groupby(styled, key=itemgetter(0))
    ]
    line = Text.assemble(*pieces)
    if row != reader.cursor[0]:
        line.rstrip()
    return line


def _style(cell: "pyte.screens.Char", *, is_cursor: bool) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        dim=cell.blink,
        italic=cell.italics,
        reverse=cell.reverse or is_cursor,
    )


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return {"brown": "yellow"}.get(name, name.replace("bright", "bright_"))


def save(title: str, lines: list[Text], name: str) -> None:
    """Write the picture of these lines under this name."""
    console = Console(
        file=StringIO(),
        record=True,
        width=COLUMNS,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    svg = console.export_svg(title=title, theme=THEME)
    fonts = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)  # a picture must fetch nothing
    (DOCS / name).write_text(fonts.sub("", svg), encoding="utf-8")


def main() -> None:
    """Take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        with reading("server", "0", state=state / "server", size=(ROWS, COLUMNS)) as server:
            server.wait_line("Server> ", "")
            found = re.search(r"nc \S+ (\d+)", "\n".join(server.everything))
            assert found  # noqa: S101  the invitation has just been read
            arguments = ("client", "127.0.0.1", found[1], "--handle", "Timmy")
            with reading(*arguments, state=state, size=(ROWS, COLUMNS)) as timmy:
                timmy.wait_line("Timmy> ", "")
                play(timmy, server, int(found[1]))
                lines = photograph(timmy)
    save("triochat client", lines, "session.svg")


if __name__ == "__main__":
    main()
