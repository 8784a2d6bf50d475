"""Somebody at a browser, in a room that is used by all doors."""

from typing import ClassVar

from browser import Tab, browsing
from guests import TIME, Guest
from screen_reader import TICK


class Browser(Guest):
    """At the page, in Chromium."""

    program: ClassVar[str] = "chromium"

    def enter(self) -> None:
        """Open the page, and join."""
        self._browsing = browsing()
        self._tab = Tab(self._browsing.__enter__(), f"http://127.0.0.1:{self.port}/")
        self._tab.join(self.handle)

    def is_in(self) -> bool:
        """It may type."""
        return self._tab.message.is_visible()

    def type(self, line: str) -> None:
        """Type it, and Enter."""
        self._tab.say(line)

    def look(self) -> None:
        """Take in the rows of the log; the script of the page goes on meanwhile."""
        self._tab.page.wait_for_timeout(1000 * TICK)
        rows = self._tab.rows().all_inner_texts()
        self.lines = [TIME.sub("", " ".join(row.split())) for row in rows if row.strip()]

    def close(self) -> None:
        """End it."""
        self._browsing.__exit__(None, None, None)
