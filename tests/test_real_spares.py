"""Pages in a browser that opens more connections than it needs, and uses them later."""

from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import sync_playwright

from browser import ARGUMENTS, CHROMIUM
from real import PATIENCE, running_server

RELOADS = 6
PAUSE = 1.2  # seconds: a silent connection of nobody's browser would be greeted in them


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_a_page_can_be_loaded_again_and_again(tmp_path: Path) -> None:
    """Each load in Chromium is the page and nothing else, over whatever connection it comes.

    Only with a profile of its own does it open a second connection with each first.
    """
    with (
        running_server() as server,
        sync_playwright() as started,
        started.chromium.launch_persistent_context(
            tmp_path, executable_path=CHROMIUM, args=[*ARGUMENTS]
        ) as browser,
    ):
        page = browser.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"http://127.0.0.1:{server.port}/")
        for _ in range(RELOADS):
            page.wait_for_timeout(PAUSE * 1000)
            answer = page.reload()
            assert answer
            assert (answer.status, page.get_by_role("textbox").count() > 0) == (200, True)
