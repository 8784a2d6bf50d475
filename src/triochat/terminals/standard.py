"""What the standard streams are good for: an editor, a terminal that only prints, or a pipe."""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from triochat.folders import state_folder
from triochat.terminal import Terminal
from triochat.terminals.pipe import Output, Writer, open_pipe
from triochat.terminals.teletype import open_teletype


@asynccontextmanager
async def open_terminal(options: argparse.Namespace) -> AsyncIterator[Terminal]:
    """What is there, as far as the options ``plain``, ``no_color``, ``no_history_file`` want it."""
    can_draw = os.isatty(1) or os.isatty(2)
    if not os.isatty(0):
        async with open_pipe() as pipe:
            yield pipe
    elif _is_dumb(options) or not can_draw:
        async with open_teletype(0, folded(Output(1))) as teletype:
            yield teletype
    else:
        from triochat.terminals.prompt import open_prompt

        history = None if options.no_history_file else state_folder() / "history"
        async with open_prompt(history, colour=_has_colour(options)) as prompt:
            yield prompt


def screen_of(options: argparse.Namespace) -> os.terminal_size | None:
    """The size of standard output, where that can show a picture; the same options count."""
    with suppress(OSError):  # it is no terminal
        size = os.get_terminal_size(1)
        return size if _has_colour(options) and not _is_dumb(options) else None
    return None


def _is_dumb(options: argparse.Namespace) -> bool:
    return bool(options.plain) or os.environ.get("TERM", "dumb") == "dumb"


def _has_colour(options: argparse.Namespace) -> bool:
    return not (options.no_color or os.environ.get("NO_COLOR"))


def folded(output: Writer) -> Writer:
    """The same; where it is a terminal, in rows that fit."""
    if not os.isatty(1):
        return output
    from triochat.terminals.folding import Folding

    return Folding(output, 1)
