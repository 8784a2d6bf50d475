"""What the system knows of this process."""

import os
import sys
from contextlib import suppress
from pathlib import Path


def memory() -> int:
    """How many bytes of memory it has; 0 where that is not known."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def files() -> tuple[int, int]:
    """How many files it has open, and how many it may; zeros where that is not known."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  there is none on Windows

        with suppress(OSError):
            are_open = len([*Path("/proc/self/fd").iterdir()]) - 1  # one was to look
            return are_open, resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 0, 0
