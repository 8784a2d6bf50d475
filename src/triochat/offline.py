"""What is done without a room, and without a server: a history is read from its file."""

import argparse
import sys
import time
from contextlib import closing
from functools import partial

from triochat.archive import Reading, open_reading, tried
from triochat.exports import Pages, json_of, open_pages, text_of
from triochat.finding import RECALLED
from triochat.messages import Recall
from triochat.process import deliver, fail


def print_history(options: argparse.Namespace) -> int:
    """Print what is asked for, the oldest first; the exit code."""
    try:
        with (
            closing(open_reading(options.file)) as reading,
            open_pages(json_of if options.json else text_of) as pages,
        ):
            tried(options.file, partial(_read, reading, pages, options), "read")
            return max(map(_print, pages), default=0)
    except ValueError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"there is no room for what was found: {str(error.strerror).lower()}")


def _read(reading: Reading, pages: Pages, options: argparse.Namespace) -> None:
    now, before = time.time(), None
    minutes = (now - options.since) / 60 if options.since else 0
    find, author = options.find or "", options.author or ""
    while (left := options.last - pages.count) > 0:
        asked = Recall(min(left, RECALLED), before, find, author, minutes)
        found = reading.recall(asked, None, now)
        pages.add(found.messages)
        if not found.more:
            return
        before = found.messages[0].id


def _print(page: bytes) -> int:
    text = page.decode()
    if sys.stdout.isatty():
        from triochat.terminals.folding import fold  # noqa: PLC0415  loads what others do without

        text = fold(text.rstrip("\n"), 1) + "\n"
    return deliver(text)
