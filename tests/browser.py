"""People at a real Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from real import PATIENCE

CHROMIUM = shutil.which("chromium")
"""The program; None where it is not installed."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""So that it speaks to nobody but the room, and starts anywhere."""


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser that is closed with the block."""
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        yield browser
        browser.close()


class Tab:
    """Somebody at the page of a room, found by what assistive technology is told of it.

    Attributes:
        errors: what went wrong in its script, or was not allowed by its policy.
    """

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:  # noqa: ANN401
        self.page: Page = browser.new_context(**options).new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self._note(said.text))
        self.page.goto(address)
        self.handle = self.page.get_by_role("textbox", name="Handle")
        self.password = self.page.get_by_label("Password")
        self.message = self.page.get_by_role("textbox", name="Message")
        self.log = self.page.get_by_role("log")
        self.problem = self.page.get_by_role("alert")

    def _note(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.errors.append(text)

    def ask_in(self, handle: str) -> None:
        """Type a handle, and Enter."""
        self.handle.fill(handle)
        self.handle.press("Enter")

    def join(self, handle: str) -> "Tab":
        """Come in."""
        self.ask_in(handle)
        expect(self.message).to_be_visible()
        return self

    def say(self, text: str) -> None:
        """Type a line, and Enter."""
        self.message.fill(text)
        self.message.press("Enter")

    def sees(self, text: str, count: int = 1) -> None:
        """Wait until as many rows have this text."""
        expect(self.rows(text)).to_have_count(count)

    def rows(self, text: str = "") -> Any:  # noqa: ANN401  a locator
        """The rows that have this text."""
        return self.log.locator("> *").filter(has_text=text)

    def said(self) -> list[str]:
        """What stands in the rows that have words, in order."""
        return [words.strip() for words in self.log.locator(".words").all_inner_texts()]

    def person(self, handle: str) -> Any:  # noqa: ANN401  a locator
        """The button by which this one is chosen."""
        return self.page.get_by_role("button", name=handle, exact=True)

    def hide(self, *, is_hidden: bool = True) -> None:
        """Look at something else; a browser without a screen never says so by itself."""
        self.page.evaluate(
            """isHidden => {
              Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            is_hidden,
        )
