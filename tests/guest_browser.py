"""Somebody at a browser: Debian's Chromium, driven by Playwright, at the page of a real server."""

import re
import shutil
from typing import ClassVar

from playwright.sync_api import Locator, Page, sync_playwright

from guests import TIME, Guest
from screen_reader import TICK

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser(Guest):
    """At the page."""

    program: ClassVar[str] = "chromium"
    page: Page

    def enter(self) -> None:
        """Open the page, and join."""
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=shutil.which(self.program), args=ARGUMENTS
        )
        self.page = self._browser.new_page()
        self.page.goto(f"http://127.0.0.1:{self.port}/")
        field = self.page.get_by_role("textbox", name=re.compile("handle", re.IGNORECASE))
        field.fill(self.handle)
        field.press("Enter")

    def is_in(self) -> object:
        """It may type."""
        return self._field().is_visible()

    def _field(self) -> Locator:
        return self.page.get_by_role("textbox", name=re.compile("message", re.IGNORECASE))

    def type(self, line: str) -> None:
        """Type it, and Enter."""
        self._field().fill(line)
        self._field().press("Enter")

    def look(self) -> None:
        """Take in what stands in the log."""
        self.page.wait_for_timeout(TICK * 1000)
        texts = self.page.get_by_role("log").locator("> *").all_inner_texts()
        self.lines = [TIME.sub("", " ".join(text.split())) for text in texts]

    def close(self) -> None:
        """End it."""
        self._browser.close()
        self._playwright.stop()
