"""The process: its descriptors, its log and its limits."""

import logging
import os
import sys
from contextlib import suppress
from typing import TextIO


def open_standard_streams() -> None:
    """See that descriptors 0, 1 and 2 are open, or the next files would be taken for them."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def fail(problem: str) -> int:
    """Say in one line what went wrong; the exit code for it."""
    sys.stderr.write(f"triochat: {problem}\n")
    return 1


def allow_many_files() -> int:
    """Raise this process's limit of open files as far as it may: a connection is a file.

    Returns:
        The limit; where none can be known, a very large number.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  there is none on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return limit if limit != resource.RLIM_INFINITY else sys.maxsize
    return sys.maxsize


# ---- the log


def set_up_log(level: str, file: str | None) -> None:
    """Log what is at least of this level, to a file or else to standard error.

    Raises `OSError` if the file cannot be written.
    """
    handler = logging.FileHandler(file) if file else TerminalHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("trio.serve_listeners").addFilter(QuietFilter())


class TerminalHandler(logging.StreamHandler[TextIO]):
    """Standard error; where that is the terminal, above the line that is being typed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log this."""
        if os.isatty(2):
            self.stream = sys.stderr
        super().emit(record)


class QuietFilter(logging.Filter):
    """That the system lacks files is said once a minute, in one line; trio would say it each time.

    For the logger ``trio.serve_listeners``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said = -60.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log this, without its traceback."""
        record.exc_info = None
        if record.created - self._said < 60:
            return False
        self._said = record.created
        return True
