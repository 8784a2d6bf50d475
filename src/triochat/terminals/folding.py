"""Lines for a terminal that only prints, in rows that fit it.

It would go on at its left edge with what does not fit, and there a text can look like a line of its
own. So all rows of a line but the first are indented here, as on the screen that we draw.
"""

import os
from contextlib import suppress

from rich.text import Text

from triochat.terminals.pipe import Writer
from triochat.terminals.wrapping import margin_of, wrap

_INDENT = 2  # cells


def fold(line: str, fd: int) -> str:
    """A line (or several) in the rows in which the terminal there is to have it.

    What that does not know of its width cannot be kept to.
    """
    width = 0
    with suppress(OSError):
        width = os.get_terminal_size(fd).columns
    if not width:
        return line
    margin = margin_of(_INDENT, width)
    lines = line.split("\n")
    return "\n".join(row.plain for one in lines for row in wrap(Text(one), width, margin))


class Folding:
    """A `Writer` that breaks lines where the terminal would, and indents their rest.

    Args:
        output: gets the rows.
        fd: the terminal.
    """

    def __init__(self, output: Writer, fd: int) -> None:
        self._output = output
        self._fd = fd

    async def write(self, line: str) -> None:
        """Write a line (a notice may be several); returns when it is written."""
        await self._output.write(fold(line, self._fd))
