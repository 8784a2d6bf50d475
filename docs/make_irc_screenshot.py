"""Makes ``irssi.svg``: a real server, and what somebody at irssi sees of its room.

    python docs/make_irc_screenshot.py

needs the extra ``test``, and irssi. The times are those of the moment.
"""

import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent / "tests")]

from make_screenshot import COLUMNS, ROWS, photograph, save  # noqa: E402

import guests  # noqa: E402  it stands in a folder that was just added
from irc_clients import Irssi  # noqa: E402
from real import member, running_server  # noqa: E402


def play(timmy: Irssi, port: int) -> None:
    """A short session."""
    ann = member(port, "Ann")
    for type_, line, seen in (
        (ann.type, "Morning! How did the night run go, Timmy? 👀", "night run"),
        (timmy.type, "All 412 green, in 38 seconds 🎉", "All 412"),
        (ann.type, "Then let's release today. Whoever finds a mistake buys the cake.", "buys"),
        (ann.type, "between us: it's Joe's birthday. Cake anyway? > Timmy", "birthday"),
        (lambda text: timmy.whisper("Ann", text), "of course, I ordered one", "ordered one"),
    ):
        type_(line)
        timmy.wait(seen)
    joe = member(port, "Joe")
    timmy.wait("Joe")
    joe.type("did I hear cake?")
    timmy.wait("hear cake")
    joe.type("\\me looks into the fridge")
    timmy.wait("fridge")
    joe.close()
    timmy.wait("Joe.*quit")
    timmy.reader.type("\x0cYou heard nothing")
    timmy.reader.wait(lambda: timmy.reader.rows[-1].endswith("You heard nothing"))
    ann.close()


def main() -> None:
    """Take the picture."""
    guests.SIZE = (ROWS, COLUMNS)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server() as server,
        guests.at(Irssi, Path(folder) / "home", server.port, "Timmy") as timmy,
    ):
        timmy.wait_until(timmy.is_in, "its window")
        play(timmy, server.port)
        save("irssi", photograph(timmy.reader), "irssi.svg")


if __name__ == "__main__":
    main()
