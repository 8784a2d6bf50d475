"""Makes ``page-desktop.png`` and ``page-phone.png``: a real server, and what two browsers see.

    python docs/make_page_screenshots.py

needs the extra ``test``, and Chromium. The times are those of the moment.
"""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from browser import Tab, browsing  # noqa: E402  it stands in the folder that was just added
from real import Peer, member, spawn  # noqa: E402

CHANGES = "https://example.org/changes"


def play(port: int, timmy: Tab, ann: Tab, told: Peer) -> None:
    """A short session, of which the people at `nc` type their part."""

    def say(tab: Tab, text: str) -> None:
        tab.say(text)
        timmy.sees(text.partition(" > ")[0].removeprefix("\\me "))

    def hear(peer: Peer, text: str) -> None:
        peer.type(text)
        timmy.sees(text.partition(" > ")[0])

    say(ann, "Morning! How did the night run go, timmy?")
    say(timmy, "All 412 green, in 38 seconds")
    say(
        ann,
        "Then let's release today. I wrote down what changed since the last time; whoever finds"
        f" a mistake in it buys the cake: {CHANGES}",
    )
    hear(told, "I'm at the terminal, and see the same")
    say(ann, "between us: it's Joe's birthday. Cake anyway? > Timmy")
    say(timmy, "of course, I ordered one > Ann")
    timmy.say("where are you? > Jo")
    timmy.sees("nobody here is called")
    timmy.message.fill("")
    joe = member(port, "Joe")
    timmy.sees("Joe joined")
    hear(joe, "did I hear cake?")
    say(ann, "\\me hides a knife")


def main() -> None:
    """Take the pictures."""
    console = spawn("server", "0", "--no-color", "--name", "kitchen")
    console.expect(r"nc 127.0.0.1 (\d+)")
    assert isinstance(console.match, re.Match)  # noqa: S101
    port = int(console.match[1])
    with browsing() as browser:

        def enter(handle: str, width: int, height: int, scale: float, scheme: str) -> Tab:
            tab = Tab(
                browser,
                f"http://127.0.0.1:{port}/",
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                color_scheme=scheme,
            )
            return tab.join(handle)

        ann = enter("Ann", 360, 640, 1.5, "dark")
        told = member(port, "Eve")
        timmy = enter("Timmy", 860, 560, 1.25, "light")
        timmy.sees("You are Timmy")
        console.send("\\op Ann\r\\topic The release, and other cakes\r")
        timmy.sees("Ann was made an operator")
        timmy.sees("The release")
        play(port, timmy, ann, told)
        timmy.person("Joe").click()
        timmy.message.press_sequentially("You heard nothing")
        ann.sees("did I hear cake?")
        for tab, name in ((timmy, "desktop"), (ann, "phone")):
            tab.page.screenshot(path=DOCS / f"page-{name}.png")
    console.close(force=True)


if __name__ == "__main__":
    main()
